"""The exercises of the course: made from their solutions, run to the end solved and unsolved, and graded round."""

import ast
import csv
import re

import nbformat
import papermill
import pytest

from course.tools import colab_cell, exercises as tool
from medgen_kit.errors import KitError
from medgen_kit.exercise import task
from medgen_kit.run import REPOSITORY

SOLUTIONS = tool.notebooks()
TASKS = task.every()
every = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def cells(path, tag=None):
    return [cell for cell in nbformat.read(path, 4).cells if tag is None or tag in cell.metadata.get("tags", [])]


def test_nothing_is_stale():
    assert tool.stale() == [], "run: make exercises"


@every
def test_anatomy(path):
    title, card, colab, parameters, setup = cells(path)[:5]
    assert re.match(r"# Exercises \d · .+\n\n\*.+\?\*$", title.source)
    assert all(f"**{row}**" in card.source for row in ("You will", "You need", "Time", "Data and licence", "Points"))
    assert [cell.metadata.get("tags") for cell in (colab, parameters, setup)] == [["colab"], ["parameters"], ["setup"]]
    assert colab.source == colab_cell.source()
    assert papermill.inspect_notebook(path)["seed"]["default"] == "0"
    checked = [found[1] for cell in cells(path) if (found := tool.CHECK.search(cell.source))]
    assert checked == [name for name, one in TASKS.items() if one.lesson == path.stem[:2]], "every exercise is checked, in order"
    assert len(cells(path, "exercise")) == len(checked) and len(cells(path, "answer")) == 1
    prose = [cell.source for cell in cells(path) if cell.cell_type == "markdown"]
    assert sum("*Worked example:*" in text for text in prose) == len(checked)
    assert sum(text.startswith("What you should see") for text in prose) == len(checked)
    points = sum(len(TASKS[name].parts()) for name in checked)
    assert re.search(rf"\*\*Points\*\* \| {points} by {'three' if len(checked) == 3 else 'two'} checks", card.source)


@every
def test_what_follows_uses_the_checked_answer(path):
    for cell in cells(path):
        if found := tool.CHECK.search(cell.source):
            target = ast.parse(cell.source).body[-1].targets[0].id
            assert target.startswith("use_") and found[1] == found[2]
            rest = "\n".join(other.source for other in cells(path) if other.cell_type == "code" and other is not cell)
            assert target in rest


@every
def test_stored_solutions_are_clean_and_solved(path):
    assert path.stat().st_size < 300_000
    for cell in cells(path):
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= 140 and len(cell.source.splitlines()) <= 20
            assert all(output.output_type != "error" for output in cell.outputs)
        if found := tool.CHECK.search(cell.source):
            of = len(TASKS[found[1]].parts())
            assert cell.outputs[0].text == f"{found[1]}: {of}/{of}\n", f"run: python course/tools/exercises.py run {path.stem[:2]}"
        for output in cell.get("outputs", []):
            kinds = set(output.get("data", {}))
            assert not kinds & {"image/png", "image/jpeg"} or output["data"].get("text/plain"), "a picture without words"


@every
def test_a_stub_tells_nothing(path):
    stub = tool.STUBS / path.name
    text = stub.read_text(encoding="utf-8")
    assert "SOLUTION" not in text and not any(cell.outputs for cell in cells(stub) if cell.cell_type == "code")
    for solved, bare in zip(cells(path, "exercise"), cells(stub, "exercise")):
        body = re.search(r"# BEGIN SOLUTION\n(.+?)\n *# END", solved.source, re.S)[1]
        assert body not in bare.source and bare.source.rstrip().endswith("...")
        ast.parse(bare.source)
    assert [cell.source for cell in cells(stub, "answer")] == [tool.YOURS]


def all_in_one(paths, target):
    """Run all code cells of some notebooks in one kernel through papermill; returns what they printed."""
    nb = nbformat.v4.new_notebook(metadata=nbformat.read(paths[0], 4).metadata)
    nb.cells = [nbformat.v4.new_code_cell(cell.source) for path in paths for cell in cells(path) if cell.cell_type == "code"]
    nbformat.write(nb, target)
    papermill.execute_notebook(target, target, kernel_name="python3", cwd=str(paths[0].parent), progress_bar=False, execution_timeout=60)
    return "".join(output.text for cell in cells(target) for output in cell.get("outputs", []) if output.output_type == "stream")


@pytest.mark.parametrize("solved", [True, False], ids=["solutions", "stubs"])
def test_solved_and_unsolved_run_to_the_end(solved, tmp_path):
    paths = SOLUTIONS if solved else [tool.STUBS / path.name for path in SOLUTIONS]
    said = all_in_one(paths, tmp_path / "all.ipynb")
    found = {name: (int(points), int(of)) for name, points, of in re.findall(r"^(\w+): (\d)/(\d)", said, re.M)}
    assert list(found) == list(TASKS)
    assert all(points == (of if solved else 0) for points, of in found.values())


def test_teachers_commands_from_cases_to_grades(tmp_path, capsys, monkeypatch):
    from typer.testing import CliRunner

    from medgen_kit.cli import typed

    for name, seed in (("a", "one"), ("b", "two")):
        tool.main(["cases", "--seed", seed, "--out", str(tmp_path / f"{name}.json")])
    assert "23 exercises" in capsys.readouterr().out
    assert (tmp_path / "a.json").read_text() != (tmp_path / "b.json").read_text()
    class_of = tmp_path / "class"
    class_of.mkdir()
    (class_of / "ada").symlink_to(tool.SOLUTIONS)                       # a link costs its points
    for student, folder in (("bob", tool.STUBS), ("eve", tool.SOLUTIONS)):
        (class_of / student).mkdir()
        for path in sorted(folder.glob("*.ipynb")):
            (class_of / student / path.name).write_bytes(path.read_bytes())
    done = CliRunner().invoke(typed, ["grade", str(class_of), "--cases", str(tmp_path / "a.json"), "--out", str(tmp_path / "grades.csv")])
    assert done.exit_code == 0, done.output
    with open(tmp_path / "grades.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["student", "exercise", "points", "of", "reason"]
    by = {(row["student"], row["exercise"]): row for row in rows}
    assert len(by) == len(rows) == 3 * len(TASKS)
    linked = {(row["points"], row["reason"]) for row in rows if row["student"] == "ada"}
    assert linked == {("0", "ada is a link. Hand in the folder itself.")}
    for name in TASKS:
        solved, stub = by["eve", name], by["bob", name]
        assert solved["points"] == solved["of"] and solved["reason"] == "", solved
        assert stub["points"] == "0" and re.match("Not (written|answered) yet", stub["reason"]), stub


def test_the_folder_of_solutions_is_one_student():
    from medgen_kit.exercise.grade import looked_through

    assert looked_through(tool.SOLUTIONS) == ({"solutions": tool.SOLUTIONS}, [])


@pytest.mark.parametrize("source, blank", [
    ("def f(x):\n    # BEGIN SOLUTION\n    y = x\n    return y\n    # END SOLUTION", "def f(x):\n    ..."),
    ("# BEGIN SOLUTION\na = 2\nb = a * 3\n# END SOLUTION", "b = ..."),
    ("def f():\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n\ndef g():\n    # BEGIN SOLUTION\n    return 2\n    # END SOLUTION",
     "def f():\n    ...\n\ndef g():\n    ...")])
def test_blanks(source, blank):
    assert tool.blank(source) == blank


@pytest.mark.parametrize("source", ["x = 1", "# BEGIN SOLUTION\nx = 1", "x = 1\n# END SOLUTION"])
def test_a_solution_without_marks_is_refused(source):
    with pytest.raises(KitError, match="BEGIN SOLUTION"):
        tool.blank(source, "04_ex.ipynb, cell 3")


def test_a_changed_solution_makes_its_stub_and_key_stale(tmp_path, monkeypatch):
    for name in ("SOLUTIONS", "STUBS", "ANSWERS"):
        copy = tmp_path / name.lower()
        copy.mkdir()
        for path in getattr(tool, name).glob("04_ex.*"):
            (copy / path.name).write_bytes(path.read_bytes())
        monkeypatch.setattr(tool, name, copy)
    monkeypatch.setattr(tool, "notebooks", lambda folder=tool.SOLUTIONS: sorted(folder.glob("04_ex.ipynb")))
    assert tool.stale() == []
    changed = tool.SOLUTIONS / "04_ex.ipynb"
    changed.write_text(changed.read_text().replace("## 2. Recall@k", "## 2. Recall"))
    assert {path.name for path in tool.stale()} == {"04_ex.ipynb", "04_ex.md"}


def test_a_teacher_finds_the_commands():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.search(r"course/tools/exercises\.py cases .*--seed", readme) and "medgen-kit grade" in readme
    assert re.search(r"^exercises:", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)
