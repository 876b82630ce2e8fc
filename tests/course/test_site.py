"""The site: pages put together from a small repository, Sphinx with warnings as errors, what makes a build fail, the pinned scripts."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from course.tools import executed, shown, site, site_check, site_source, vendor
from medgen_kit.errors import KitError

ROOT = Path(__file__).resolve().parents[2]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WIDGETS = {"m1": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_m2"]}}, "m2": {"model_name": "IntSliderModel", "state": {}}}


def output(metadata=None, **data):
    bundle = {key.replace("__", "/"): value for key, value in data.items()}
    return nbformat.v4.new_output("display_data", data=bundle, metadata=metadata or {})


def dot(side):
    """A black square as a PNG in base64."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def small(tmp_path):
    """A repository with one lesson, a glossary, a quiz, an exercise, a solution and a card."""
    root = tmp_path / "repository"
    pages = {"README.md": "# Kit\n\n[licence](LICENSE), [lessons](notebooks), [tools](course/tools), [plans](course/quizzes)\n",
             "LICENSE": "free", "course/tools/x.py": "",
             "course/README.md": "# Course\n\n[key](answers/00.md) and [dot](glossary.md#dot)\n",
             "course/syllabus.md": "# Syllabus\n\n[ethics](ethics.md)\n", "course/ethics.md": "# Ethics\n\nNone. It costs $5 or $6.\n",
             "course/glossary.md": '# Glossary\n\n- <a id="dot"></a>**dot**: one. See [it](#dot).\n',
             "course/quizzes/00_start_here.md": "# Quiz\n\n[lesson](../../notebooks/00_start_here.ipynb)\n",
             "course/answers/00.md": "# Answers\n\nTwo.\n",
             "data_cards/dots.md": "---\nlicense: other\n---\n\n# Dots\n\n![Two dots.](figures/dots.png)\n"}
    for name, text in pages.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "data_cards/figures").mkdir()
    (root / "data_cards/figures/dots.png").write_bytes(base64.b64decode(PICTURE))
    cells = [nbformat.v4.new_markdown_cell("# 0 · Dots: how many?\n\n*How many?*"),
             nbformat.v4.new_markdown_cell("| | |\n|---|---|\n| **You will** | count |"),
             nbformat.v4.new_markdown_cell("## Result first\nSee the [word](../course/glossary.md#dot), $x_1$."),
             nbformat.v4.new_code_cell("draw()", outputs=[output({"image/png": {"alt": "One white dot."}}, image__png=PICTURE,
                                                                 text__plain="One white dot.")]),
             nbformat.v4.new_markdown_cell("## 1. Count\nOne.")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for name in ("notebooks/00_start_here", "course/exercises/00_ex", "course/solutions/00_ex"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(notebook)
        (root / f"{name}.ipynb").write_text(text if name.startswith("notebooks") else text.replace("../course/", "../"))
    return root


@pytest.fixture
def no_npm(monkeypatch):
    """The scripts are empty files: npm is not asked."""
    def fake(names, folder, store=None):
        folder.mkdir(parents=True, exist_ok=True)
        pins = json.loads(vendor.PINS.read_text())
        for name in names:
            for file in pins[name]["files"].values():
                (folder / file).write_text("")
    monkeypatch.setattr(site, "vendor", fake)
    monkeypatch.setattr(site.slides, "vendor", fake)


def test_the_site_of_a_small_repository(small, no_npm, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "runs"))
    said = []
    start = site.build("cpu", tmp_path / "site", root=small, say=said.append)
    home = start.parent
    assert "0 of 1 lessons have the outputs of the run cpu" in said[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository", "site"]
    lesson = (home / "notebooks/00_start_here.html").read_text()
    assert 'alt="One white dot."' in lesson and "../course/glossary.html#dot" in lesson and "mathjax.js" in lesson
    assert (home / "slides/00_start_here.html").is_file() and 'href="../slides/00_start_here.html"' in lesson
    assert (home / "_static/notebooks/00_start_here.ipynb").read_bytes() == (small / "notebooks/00_start_here.ipynb").read_bytes()
    assert 'class="lesson" href="notebooks/00_start_here.html"' in start.read_text() and 'alt="One white dot."' in start.read_text()
    assert 'alt="Two dots."' in (home / "data_cards/dots.html").read_text() and "license" in (home / "data_cards/dots.html").read_text()
    assert "$5 or $6" in (home / "course/ethics.html").read_text()
    assert (home / "_static/files/LICENSE").read_text() == "free"
    handbook = (home / "README.html").read_text()
    assert "<title>MedGen Kit: the handbook" in handbook and "<title>MedGen Kit</title>" in start.read_text(), "two in a list of hits"
    assert "mathjax.js" not in handbook, "2 MB are fetched where there is a formula"
    assert 'href="course/quizzes/index.html"' in handbook and ">tools</a>" not in handbook
    assert (home / "searchindex.js").is_file()
    assert not (home / "course/answers").exists() and not (home / "course/solutions").exists() and (home / "course/exercises").exists()
    assert not any("Two." in page.read_text() for page in home.rglob("*.html"))


def test_only_a_teacher_gets_answers(small):
    for teacher in (False, True):
        source = site_source.Source(small.parent / "source", small, teacher)
        source.write()
        inside = {page for page in source.pages if page.startswith(site_source.FOR_TEACHERS)}
        assert inside == ({"course/answers/00.md", "course/solutions/00_ex.ipynb"} if teacher else set())
        assert ("[key](answers/00.md)" in (source.folder / "course/README.md").read_text()) == teacher
        assert (source.folder / "course/answers").exists() == teacher
        assert (source.folder / "_static/course/solutions/00_ex.ipynb").exists() == teacher


@pytest.mark.parametrize("text, told", [
    ("[gone](gone.md) [out](../../else.md)", ("course/syllabus.md: gone.md", "course/syllabus.md: ../../else.md")),
    ("[no such word](glossary.md#word)\n\n### A level was skipped", ("'word'", "header level")),
    ('![](../data_cards/figures/dots.png) <script src="https://example.org/x.js"></script> <a href="nowhere.html">x</a>',
     ("course/syllabus.html: a picture without alt text", "loads https://example.org/x.js from outside", "nowhere.html is not there"))],
    ids=("links", "Sphinx", "pages"))
def test_what_is_broken_fails_the_build(small, no_npm, tmp_path, monkeypatch, text, told):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "runs"))
    (small / "course/syllabus.md").write_text(f"# Syllabus\n\n{text}\n")
    (tmp_path / "site/_static").mkdir(parents=True)
    (tmp_path / "site/_static/course.js").touch()
    (tmp_path / "site/index.html").write_text("the site of yesterday")
    with pytest.raises(KitError) as error:
        site.build("cpu", tmp_path / "site", root=small, say=lambda line: None)
    assert (tmp_path / "site/index.html").read_text() == "the site of yesterday"
    assert all(words in str(error.value) for words in told), error.value
    assert str(error.value).count("\n") == len(told), "and nothing else is wrong"


def test_a_folder_that_is_no_site_is_left_alone(small, no_npm, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.md").write_text("mine")
    for write in (lambda out: site.build("cpu", out, root=small), lambda out: site.slides.write({}, out)):
        with pytest.raises(KitError, match="holds something else"):
            write(tmp_path / "thesis")
    assert (tmp_path / "thesis/chapter.md").read_text() == "mine"


def test_all_links_of_the_real_pages_hold(tmp_path):
    source = site_source.Source(tmp_path / "source")
    source.write()
    assert len(source.lessons) == 10 and set(source.pictures) == set(source.lessons)
    assert all(shown.CAPTION.search(it.html) is None and 'alt="' in it.html for it in source.pictures.values())


def test_the_start_page_takes_the_largest_picture_of_the_first_section(small):
    nb = nbformat.read(small / "notebooks/00_start_here.ipynb", 4)
    nb.cells[3].outputs = [output({"image/png": {"alt": alt}}, image__png=dot(side), text__plain=alt)
                           for alt, side in (("Small.", 2), ("Large.", 9), ("Middle.", 5))]
    nb.cells.append(nbformat.v4.new_code_cell("later()", outputs=[output({"image/png": {"alt": "Later."}}, image__png=dot(20))]))
    nbformat.write(nb, small / "notebooks/00_start_here.ipynb")
    source = site_source.Source(small.parent / "source", small)
    source.write()
    assert source.pictures["notebooks/00_start_here.ipynb"].alt == "Large." and 'alt="Large."' in source.lesson_cards()


def test_long_printed_text_lies_in_a_box_with_a_name(small):
    nb = nbformat.read(small / "notebooks/00_start_here.ipynb", 4)
    short, long = "one\n" * site_source.LONG, "a < b\n" * (site_source.LONG + 1)
    nb.cells[3].outputs = [nbformat.v4.new_output("stream", name="stdout", text=short)]
    nb.cells.append(nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", name="stdout", text=long)]))
    nbformat.write(nb, small / "notebooks/00_start_here.ipynb")
    source = site_source.Source(small.parent / "source", small)
    source.write()
    first, second = [cell.outputs[0] for cell in nbformat.read(source.folder / "notebooks/00_start_here.ipynb", 4).cells
                     if cell.cell_type == "code"]
    assert first.output_type == "stream" and first.text == short
    box = second.data["text/html"]
    assert box.startswith('<div class="long" role="region" tabindex="0" aria-label="Printed text">') and box.count("a &lt; b") == 19


def test_no_stored_plot_has_a_button_that_uploads_it():
    lessons = [nbformat.read(path, 4) for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    plots = [output.data[shown.PLOTLY] for nb in lessons for cell in nb.cells for output in cell.get("outputs", [])
             if shown.PLOTLY in output.get("data", {})]
    assert plots and all(plot["config"]["modeBarButtonsToRemove"] == ["sendChartToCloud"] for plot in plots), "run the lesson again"


def test_outputs_of_a_run_are_taken_where_the_code_is_the_same():
    def notebook(*sources, out="", tags=()):
        cells = [nbformat.v4.new_code_cell(source, execution_count=1, metadata={"tags": list(tags)},
                                           outputs=[nbformat.v4.new_output("stream", text=out)]) for source in sources]
        return nbformat.v4.new_notebook(cells=cells)

    own, ran = notebook("a", "b", out="old"), notebook("a", "b", out="new")
    ran.cells.insert(0, notebook("seed = 0", tags=["injected-parameters"]).cells[0])
    ran.metadata["widgets"] = {"state": 1}
    assert executed.take_outputs(own, ran)
    assert [cell.outputs[0].text for cell in own.cells] == ["new", "new"] and own.metadata["widgets"] == {"state": 1}
    other = notebook("a", "c", out="old")
    assert not executed.take_outputs(other, ran) and other.cells[0].outputs[0].text == "old"
    ran.cells[1].outputs.append(nbformat.v4.new_output("error", ename="E", evalue="", traceback=[]))
    assert not executed.take_outputs(notebook("a", "b"), ran)


def test_outputs_become_html_with_their_words(tmp_path):
    files = shown.Files(tmp_path, "here/")
    caption = '<p style="font-style:italic; color:#444">A &lt; b</p>'
    film = f'<video controls aria-label="It moves." src="data:video/mp4;base64,{PICTURE}"></video>'
    table = f'{caption}<table style="x"><tr><td style="padding:1px; text-align:right">1</td><td style="text-align:left">2</td></tr></table>'
    figure = {"data": [{"type": "bar", "x": ["</script>"], "y": [2]}], "layout": {}}
    cell = nbformat.v4.new_code_cell("x", outputs=[
        nbformat.v4.new_output("stream", name="stdout", text="a"), nbformat.v4.new_output("stream", name="stderr", text="no"),
        nbformat.v4.new_output("stream", name="stdout", text="b"),
        output({"image/png": {"alt": 'Say "dot"'}}, image__png=PICTURE, text__plain="x"), output(text__html=caption, text__plain="y"),
        output(text__html=film, text__plain="It moves."), output(text__html=table, text__plain="t"),
        nbformat.v4.new_output("display_data", data={shown.PLOTLY: figure, "text/plain": "Two bars."}),
        nbformat.v4.new_output("display_data", data={shown.WIDGET: {"model_id": "m1"}, "text/plain": "VBox()"})])
    made = shown.shown(cell, files, "n")
    assert [it.kind for it in made] == ["stream", "picture", "film", "table", "plot", "widget"]
    text, picture, moving, rows, plot, widget = made
    assert text.text == "ab" and picture.caption == "A < b" and rows.caption == "A < b"
    assert 'alt="Say &quot;dot&quot;" width="1" height="1" loading="lazy"' in picture.html and "<figcaption" in picture.figure()
    assert "base64" not in moving.html and 'src="here/' in moving.html and len(list(tmp_path.iterdir())) == 2
    assert rows.html == '<table class="shown"><tr><td class="number">1</td><td>2</td></tr></table>'
    assert 'role="group" aria-label="Two bars."' in plot.html and "</script>" not in plot.html.removesuffix("</script>")
    for setting in ('"displaylogo": false', '"modeBarButtonsToRemove": ["sendChartToCloud"]', '"responsive": true'):
        assert setting in plot.html, "no plot leads away from the page"
    assert shown.widget_note(widget.raw, {}) == shown.ABSENT and shown.widget_note(widget.raw, WIDGETS) == shown.IDLE
    linked = {**WIDGETS, "m3": {"model_name": "LinkModel", "state": {"source": ["IPY_MODEL_m2", "index"]}}}
    assert shown.widget_note(widget.raw, linked) == ""


def test_faults_of_finished_pages(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="b.html#gone">x</a><a href="https://example.org">x</a>'
                                     '<img src="x.png" alt=""><video src="y.mp4"></video><img alt="fine" src="https://example.org/p.png">'
                                     '<link href="https://example.org/look.css"><script src="//example.org/s.js"></script>')
    (tmp_path / "b.html").write_text('<p id="here"></p><a href="#">top</a><a href="mailto:a@b.c">x</a>')
    faults, outside = site_check.problems(tmp_path)
    assert outside == ["https://example.org", "https://example.org/look.css", "https://example.org/p.png"]
    assert len(faults) == 8 and {fault.split(": ", 1)[0] for fault in faults} == {"a.html"}
    for words in ("b.html#gone: the page has no such place", "x.png is not there", "y.mp4 is not there", "without alt text", "a film",
                  "loads https://example.org/p.png from outside", "loads https://example.org/look.css from outside",
                  "loads //example.org/s.js from outside"):
        assert any(words in fault for fault in faults), words


def test_scripts_are_pinned_and_checked(tmp_path, monkeypatch):
    pins = json.loads(vendor.PINS.read_text())
    assert set(site.SCRIPTS) | set(site.slides.SCRIPTS) == set(pins)
    assert all(pin["integrity"].startswith("sha512-") and pin["license"] in ("MIT", "Apache-2.0", "BSD-3-Clause") for pin in pins.values())

    def deliver(content):
        def npm(wanted, store):
            with tarfile.open(store / "thing-1.0.tgz", "w:gz") as tar:
                info = tarfile.TarInfo("package/dist/it.js")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return npm

    monkeypatch.setattr(vendor, "npm", deliver(b"good"))
    vendor.npm("", tmp_path)
    pin = {"version": "1.0", "integrity": vendor.integrity(tmp_path / "thing-1.0.tgz"), "files": {"dist/it.js": "it.js"}}
    assert pin["integrity"] == "sha512-" + base64.b64encode(hashlib.sha512((tmp_path / "thing-1.0.tgz").read_bytes()).digest()).decode()
    monkeypatch.setattr(vendor, "npm", lambda *_: pytest.fail("what is there is not fetched again"))
    vendor.unpack(vendor.package("thing", pin, tmp_path), pin["files"], tmp_path / "out")
    assert (tmp_path / "out/it.js").read_bytes() == b"good"
    with pytest.raises(KitError, match="does not hold"):
        vendor.unpack(tmp_path / "thing-1.0.tgz", {"dist/gone.js": "gone.js"}, tmp_path / "out")
    (tmp_path / "thing-1.0.tgz").unlink()
    monkeypatch.setattr(vendor, "npm", deliver(b"bad"))
    with pytest.raises(KitError, match="another file"):
        vendor.package("thing", pin, tmp_path)


def test_without_npm_the_person_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KitError, match="sudo apt install npm"):
        vendor.npm("reveal.js@5.2.1", tmp_path)


def test_the_lock_changes_no_pin_of_the_course():
    def names(file):
        lines = (ROOT / file).read_text().splitlines()
        return dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)

    site_pins, pins = names("requirements-site.lock"), names("requirements.lock")
    assert not set(site_pins) & set(pins) and {"sphinx", "myst-nb", "furo"} <= set(site_pins)
