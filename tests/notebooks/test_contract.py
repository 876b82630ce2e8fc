"""The contract of the notebooks: anatomy, parameters, stored outputs, checked cells, alt texts, sizes."""

import re
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest

from course.tools import pages

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("00_start_here", "01_explore", "02_curate", "03_caption", "04_align", "05_train", "06_sample", "07_evaluate", "08_augment",
         "09_reproduce_the_paper")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHECK = "# NBVAL_CHECK_OUTPUT"
CARD = ("You will", "You need", "Time", "Memory", "Data and licence", "Paper")
LAST = ["By hand once", "Limits and harm", "Exercises", "Recap", "References and next"]
BANNED = {"installs by shell": r"!pip|!conda|^\s*![a-z]", "asks for a GPU": r"if .*cuda",
          "an absolute folder": r"['\"](/home|/Users|/root|/tmp|/work|C:\\)",
          "clears outputs": r"clear_output", "hides outputs": r"%%capture", "a login": r"notebook_login|huggingface-cli"}

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, 4)


def code(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def checked(path):
    return [cell for cell in code(path) if cell.source.startswith(CHECK)]


def prose(path):
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


def test_the_ten_lessons_are_there():
    assert [path.stem for path in NOTEBOOKS] == list(NAMES)


@every
def test_opening(path):
    cells = read(path).cells
    assert [cell.cell_type for cell in cells[:5]] == ["markdown", "markdown", "code", "code", "code"]
    title, card, colab, parameters, setup = cells[:5]
    assert re.match(r"# .+\n\n\*.+\?\*$", title.source), "title, empty line, a question in italics"
    assert all(f"**{row}**" in card.source for row in CARD)
    tags = [cell.metadata.get("tags") for cell in (colab, parameters, setup)]
    assert tags == [["colab"], ["parameters"], ["setup", "nbval-ignore-output"]]
    assert cells[5].cell_type == "markdown" and cells[5].source.startswith("## Result first")
    assert "kit.stamp(run)" in setup.source and 'name.startswith("COLAB_")' in colab.source


@every
def test_headings_in_order(path):
    headings = [line for text in prose(path) for line in re.sub(r"```.*?```", "", text, flags=re.S).splitlines() if re.match(r"#+ ", line)]
    assert sum(line.startswith("# ") for line in headings) == 1
    second = [line[3:] for line in headings if line.startswith("## ")]
    numbered = [text for text in second if re.match(r"\d+\. ", text)]
    assert second == ["Result first", *numbered, *LAST]
    assert 1 <= len(numbered) <= 5 and [int(text.split(".")[0]) for text in numbered] == list(range(1, len(numbered) + 1))
    levels = [len(line.split()[0]) for line in headings]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:])), "a heading level is skipped"


@every
def test_prose(path):
    texts = prose(path)
    words = sum(len(text.split()) for text in texts)
    assert 500 <= words <= 1500, f"{words} words"
    assert max(len(text.split()) for text in texts if re.match(r"## \d", text)) <= 150, "an idea takes at most 150 words"
    assert sum("What you should see" in text for text in texts) >= 2
    by_heading = {text.splitlines()[0][3:]: text for text in texts if text.startswith("## ")}
    assert len(re.findall(r"^[-*] ", by_heading["Limits and harm"], re.M)) == 3
    assert len(re.findall(r"^[-*] ", by_heading["Recap"], re.M)) == 5
    assert f"(../course/exercises/{path.stem[:2]}_ex.ipynb)" in by_heading["Exercises"]


@every
def test_the_first_result_is_a_picture(path):
    cells = read(path).cells
    start = next(k for k, cell in enumerate(cells) if cell.source.startswith("## Result first"))
    end = next(k for k, cell in enumerate(cells) if cell.source.startswith("## 1."))
    outputs = [output for cell in cells[start:end] for output in cell.get("outputs", [])]
    assert any(mime.startswith("image/") for output in outputs for mime in output.get("data", {}))


@every
def test_parameters_can_be_injected(path):
    found = papermill.inspect_notebook(path)
    assert {"profile", "seed", "run_name"} <= set(found)
    assert found["profile"]["default"] == '""' and found["seed"]["default"] == "0"


@every
def test_code_is_short_and_clean(path):
    sources = [cell.source for cell in code(path)]
    lengths = [len(source.splitlines()) for source in sources]
    assert len(sources) <= 25 + 3 and max(lengths) <= 25 and np.quantile(lengths, 0.9) <= 15, sorted(lengths)[-4:]
    for source in sources:
        for why, pattern in BANNED.items():
            assert not re.search(pattern, source, re.M), f"{why}: {source[:80]}"
    if any("plt." in source for source in sources):
        assert any("show.style()" in source for source in sources), "call show.style() before drawing"
        assert not any("plt.show" in source for source in sources), "draw with show.figure, which carries the alt text"


@every
def test_checked_cells_are_stored_and_stand_alone(path):
    cells = checked(path)
    assert len(cells) >= 3
    for cell in cells:
        assert cell.execution_count and cell.outputs, f"not compared by nbval: {cell.source[:80]}"
        assert all(output.output_type == "stream" for output in cell.outputs), f"a checked cell prints text only: {cell.source[:80]}"
        assert not re.search(r"kit\.need\(|\bshow\.", cell.source), f"makes a stage or draws: {cell.source[:80]}"


@every
def test_stored_file_is_clean(path):
    nb = read(path)
    assert path.stat().st_size <= 300_000
    assert set(nb.metadata) <= {"kernelspec", "language_info"} and nb.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags"} for cell in nb.cells)
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in nb.cells)
    ids = [cell.id for cell in nb.cells]
    assert len(set(ids)) == len(ids)
    for cell in code(path):
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.source[:80]
            assert not any("widget" in mime for mime in output.get("data", {}))
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"(/home|/Users|/root|/work|/tmp)/", text), text[:200]


@every
def test_stored_outputs_come_from_profile_cpu(path):
    said = "".join(output.get("text", "") for output in read(path).cells[4].outputs)
    assert "profile 'cpu'" in said, f"run: make refresh ONLY={path.stem[:2]}"


@every
def test_every_picture_has_an_alt_text(path):
    for cell in code(path):
        for output in cell.outputs:
            data = output.get("data", {})
            for mime in data:
                if mime.startswith("image/"):
                    alt = output.metadata.get(mime, {}).get("alt", "")
                    assert len(alt) > 15 and data.get("text/plain") == alt, f"picture without alt text: {cell.source[:80]}"
            if "application/vnd.plotly.v1+json" in data:
                assert len(data.get("text/plain", "")) > 15, f"plotly figure without alt text: {cell.source[:80]}"
            page = data.get("text/html", "")
            assert all('alt="' in tag and 'alt=""' not in tag for tag in re.findall(r"<img[^>]*>", page))
            assert all('aria-label="' in tag for tag in re.findall(r"<video[^>]*>", page))
    for text in prose(path):
        assert all(alt.strip() for alt in re.findall(r"!\[([^\]]*)\]\(", text)), "markdown picture without alt text"
        assert not re.search(r"<img(?![^>]*alt=\"[^\"]+\")", text) and "base64" not in text


@every
def test_links_lead_somewhere(path):
    for text in prose(path):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            assert (path.parent / target).exists(), target


@every
def test_every_formula_can_be_drawn_on_the_pages(path):
    for text in prose(path):
        assert "<code>" not in pages.formulas(text), f"matplotlib cannot draw a formula of: {text[:200]}"
