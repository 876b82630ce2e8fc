"""Projects run again from their stamps: what holds, what does not, and what a notebook can not do to the table."""

import csv
import json
import re

import nbformat
import pytest

from course.tools import regrade as tool
from medgen_kit.errors import KitError
from medgen_kit.exercise import sandbox
from medgen_kit.run import REPOSITORY

PROJECTS = sorted((REPOSITORY / "course" / "projects").glob("[0-9][0-9]_*.md"))
WRITE = 'import json; open("checks.json", "w").write(json.dumps({{"project": "00_example", "checks": {}}}))'


@pytest.fixture(autouse=True)
def a_secret(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEACHER", "do not tell")


@pytest.fixture(scope="module")
def trust():
    """True where this machine has no walls; then the walls' own tests (tests/exercise) say so."""
    return bool(sandbox.ready())


def submission(place, name, cell, checks, stamp=None):
    """A made-up student's folder with a notebook of one parameters cell and one code cell."""
    folder = place / name
    folder.mkdir(parents=True)
    first = nbformat.v4.new_code_cell("seed: int = 0\nprofile: str = ''\nstrength: float = 1.0", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, nbformat.v4.new_code_cell(cell)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "project.ipynb")
    (folder / "checks.json").write_text(json.dumps(checks if "checks" in checks else {"project": "00_example", "checks": checks}))
    (folder / "stamp.json").write_text(json.dumps(stamp or {"profile": "smoke", "seed": 4}))
    return folder


def by_check(rows):
    return {row["check"]: (row["holds"], row["reason"]) for row in rows}


def test_each_brief_is_complete_and_listed():
    listed = (REPOSITORY / "course" / "projects" / "README.md").read_text(encoding="utf-8")
    assert len(PROJECTS) >= 7
    lessons = set()
    for path in PROJECTS:
        text = path.read_text(encoding="utf-8")
        parts = re.findall(r"^## (.+)$", text, re.M)
        assert parts == ["Question", "Data", "Steps", "Hand in", "What counts as reproduced", "The trap"], path.name
        assert f"]({path.name})" in listed and tool.brief(path.stem)
        if path.stem != "00_example":
            assert "Control" in text and len(tool.brief(path.stem)) >= 4 and len(re.findall(r"^\d\. ", text, re.M)) >= 5
            lessons |= set(re.findall(r"0\d", re.search(r"Lessons? ([^.]+)\.", text)[1]))
    assert len(lessons) >= 7


def test_a_brief_that_is_not_there_is_named():
    with pytest.raises(tool.NotReproduced, match="no brief of the project 'x'.*00_example"):
        tool.brief("x")
    with pytest.raises(tool.NotReproduced, match="no brief"):
        tool.brief("../rubric")


@pytest.mark.parametrize("reported, again, tolerance, right", [
    (0.50, 0.52, "0.02", True), (0.50, 0.53, "0.02", False), (200, 203, "2 %", True), (200, 205, "2 %", False), (-200, -203, "2 %", True),
    (4, 4.0, "exact", True), (4, 5, "exact", False), ("blind", "blind", "0.1", True), ("blind", "sees", "exact", False),
    (True, 1, "exact", False), (float("inf"), float("inf"), "0.1", False), (10**400, 10**400 + 1, "2 %", False), ("1", 1, "0.5", False)])
def test_tolerances(reported, again, tolerance, right):
    assert tool.holds(reported, again, tolerance) is right


def test_rows_for_every_kind_of_check():
    wanted = {"clean": "1 %", "blurred": "1 %", "noise_needed": "exact"}
    told = {"checks": {"clean": 100.0, "blurred": 3.0, "mine": 7, "=cmd()": 1, "list": [1]}}
    found = {"checks": {"clean": 100.9, "blurred": 4.0, "mine": 7, "=cmd()": 1, "list": [1]}}
    rows = by_check(tool.compare(told, found, wanted, {"clean": 90.0, "mine": 7}))
    assert rows["clean"] == ("yes", "") and rows["blurred"] == ("no", "another value came out")
    assert rows["noise_needed"] == ("no", "the brief asks for it, and it was not reported")
    assert rows["mine"] == ("yes", "does not move with the seed: is it computed?")
    assert "'=cmd()" in rows and rows["list"][0] == "no"


def test_behind_the_walls_processes_work_together_and_half_precision_computes(tmp_path, trust):
    cell = ("import multiprocessing, torch\nfrom medgen_kit import sources\nlock = multiprocessing.get_context('spawn').Lock()\n"
            "with lock:\n    clips = sources.render(sources.combinations()[:2], seed=seed, size=32)\n"
            "half = (torch.eye(64).half() @ torch.ones(64, 64).half()).float().mean().item()\n"
            + WRITE.format("{'clean': half, 'blurred': float(clips.shape[0]), 'noise_needed': 1}"))
    place = submission(tmp_path, "ada", cell, {"clean": 1.0, "blurred": 2.0, "noise_needed": 1})
    assert {row["holds"] for row in tool.regrade(place, trust=trust)} == {"yes"}


def test_root_may_not_lend_what_others_can_not_read(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"x")
    (tmp_path / "weights").chmod(0o600)
    monkeypatch.setattr(tool.os, "geteuid", lambda: 0)
    assert tool.hidden(tmp_path)
    (tmp_path / "weights").chmod(0o644)
    assert not tool.hidden(tmp_path)


@pytest.mark.parametrize("found, other, tolerance, rests", [
    (0.5, 0.5001, "0.02", True), (0.5, 0.53, "0.02", False), (200.0, 203.0, "2 %", True), (7.0, 7.0001, "exact", True),
    (7.0, 7.1, "exact", False), (4000, 4001, "exact", False), (4, 4, "exact", True), ("a", "a", "exact", True), ("a", "b", "exact", False)])
def test_a_typed_number_rests_though_a_little_is_added(found, other, tolerance, rests):
    assert tool.rests(found, other, tolerance) is rests


def test_a_project_runs_again_with_its_seed_and_parameters(tmp_path, trust):
    cell = ("import os; found = {'clean': 100 * seed + strength, 'blurred': os.environ.get('SECRET_OF_THE_TEACHER', 'hidden'),"
            "'noise_needed': int(os.path.exists('checks.json') or os.path.exists('stamp.json'))}\n" + WRITE.format("found"))
    folder = submission(tmp_path, "ada", cell, {"project": "00_example", "parameters": {"strength": 2.5},
                                                "checks": {"clean": 402.5, "blurred": "hidden", "noise_needed": 0}})
    rows = by_check(tool.regrade(folder, minutes=1, other_seed=5, trust=trust))
    assert rows == {"clean": ("yes", ""), "blurred": ("yes", "does not move with the seed: is it computed?"),
                    "noise_needed": ("yes", "does not move with the seed: is it computed?")}


def test_each_fault_costs_its_own_rows(tmp_path, trust):
    cells = {"bob": WRITE.format("{'clean': 1, 'blurred': 2, 'noise_needed': 3}"), "eve": "raise ValueError('no such clip')",
             "tim": "while True: pass", "out": "import os; os._exit(0)", "lot": "x = bytearray(10**10)", "nil": "1"}
    for name, cell in cells.items():
        submission(tmp_path / "in", name, cell, {"clean": 1, "blurred": 9, "noise_needed": 3})
    tool.main([str(tmp_path / "in"), "--out", str(tmp_path / "out.csv"), "--minutes", "0.1", *["--trust"] * trust])
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(tool.COLUMNS)
    said = {(row["student"], row["check"]): (row["holds"], row["reason"]) for row in rows}
    assert said["bob", "clean"] == ("yes", "") and said["bob", "blurred"] == ("no", "another value came out")
    assert said["eve", ""] == ("no", "the notebook stopped in cell 2: ValueError: no such clip")
    assert said["tim", ""] == ("no", "the notebook was ended: it does not end within 6 s.")
    assert said["out", ""] == ("no", "the notebook spoiled the answer of its own process.")
    assert "MemoryError" in said["lot", ""][1] or "memory" in said["lot", ""][1]
    assert said["nil", ""] == ("no", "the notebook wrote no checks.json.")


def test_names_files_and_texts_that_no_table_holds(tmp_path, trust, capsys):
    """They cost their own row, and each student has one."""
    place = tmp_path / "in"
    said = {"list": "[]", "cell": '{"cells": [{"source": "1"}]}', "text": "no notebook", "bytes": "\udcff",
            "object": '{"cells": [{"cell_type": "code", "source": 3}]}'}
    for name, text in said.items():
        folder = submission(place, name, "1", {"clean": 1})
        (folder / "project.ipynb").write_text(text, errors="surrogateescape")
    submission(place, "m\udcfcller", "raise ValueError(chr(0xd800))", {"clean": 1})
    submission(place, "=1+1", WRITE.format("{'clean': chr(0xd800)}"), {"clean": 1})
    submission(place, "\t=1+1", "1", {"project": "\ud800", "checks": {"\ud800": "=1"}})
    (place / "far").symlink_to(place / "list")
    (place / "packed.zip").write_text("x")
    tool.main([str(place), "--out", str(tmp_path / "out.csv"), "--minutes", "1", *["--trust"] * trust])
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        reasons = {row["student"]: row["reason"] for row in csv.DictReader(file) if row["reason"]}
    for name in said:
        assert reasons[name].startswith("project.ipynb is not a notebook that can be read ("), reasons[name]
    assert reasons["m?ller"] == "the notebook stopped in cell 2: ValueError: ?"
    assert set(reasons) == {*said, "m?ller", "'=1+1", "'=1+1 (2)", "far"} and "Hand in the folder itself" in reasons["far"]
    assert "left out: packed.zip (no folder)" in capsys.readouterr().out


def test_a_failing_run_costs_its_own_student_and_rows_are_kept(tmp_path, monkeypatch):
    real = tool.sandbox.run

    def run(job, *given):
        text = (tool.Path(job["folder"]) / "project.ipynb").read_text()
        if "stop here" in text:
            raise KeyboardInterrupt
        if "no wall" in text:
            raise KitError("the kernel refuses a wall")
        return real(job, *given)
    monkeypatch.setattr(tool.sandbox, "run", run)
    for name, cell in {"a": "'no wall'", "b": WRITE.format("{'clean': 1}"), "c": "'stop here'"}.items():
        submission(tmp_path / "in", name, cell, {"clean": 1})
    with pytest.raises(KeyboardInterrupt):
        tool.main([str(tmp_path / "in"), "--out", str(tmp_path / "out.csv"), "--trust"])
    with (tmp_path / "out.csv").open() as file:
        rows = [(row["student"], row["check"], row["holds"], row["reason"]) for row in csv.DictReader(file)]
    assert rows[0] == ("a", "", "no", "the kernel refuses a wall") and rows[1] == ("b", "clean", "yes", "")
    assert {row[0] for row in rows} == {"a", "b"}


def test_with_trust_what_was_handed_in_is_copied_before_the_first_runs(tmp_path):
    spoil = f"import pathlib\nfor path in pathlib.Path({str(tmp_path / 'in')!r}).rglob('*.*'):\n    path.write_text('spoilt')"
    submission(tmp_path / "in", "a", spoil, {"clean": 1})
    submission(tmp_path / "in", "b", WRITE.format("{'clean': 1}"), {"clean": 1})
    tool.main([str(tmp_path / "in"), "--out", str(tmp_path / "out.csv"), "--trust"])
    with (tmp_path / "out.csv").open() as file:
        assert [row["holds"] for row in csv.DictReader(file) if row["check"] == "clean"] == ["yes"]
    assert (tmp_path / "in" / "b" / "checks.json").read_text() == "spoilt"


def test_a_project_may_write_thousands_of_files(tmp_path, trust):
    cell = "import os\nfor k in range(6000):\n    os.mkdir(str(k))\n" + WRITE.format("{'clean': 1}")
    rows = by_check(tool.regrade(submission(tmp_path, "ada", cell, {"clean": 1}), minutes=1, trust=trust))
    assert rows["clean"] == ("yes", "")


def test_a_notebook_is_shut_in(tmp_path, trust):
    """It sees neither the teacher's files nor other submissions nor a network, and may not change the package or a lent run."""
    if trust:
        assert "walls" in sandbox.ready() or "kernel" in sandbox.ready()
        return
    (tmp_path / "base" / "sources").mkdir(parents=True)
    (tmp_path / "base" / "sources" / "manifest.json").write_text("{}")
    (tmp_path / "base" / "report.json").write_text("{}")
    cell = f"""
import socket, medgen_kit, pathlib
def tried(what):
    try:
        what()
        return "done"
    except OSError:
        return "refused"
found = {{
    "clean": tried(lambda: open({str(tmp_path / "in" / "bob" / "checks.json")!r}).read()),
    "blurred": tried(lambda: socket.create_connection(("127.0.0.1", 22), 1)),
    "package": tried(lambda: open(medgen_kit.__file__, "a")),
    "lent": tried(lambda: open("../runs/regrade/sources/manifest.json", "a")),
    "noise_needed": pathlib.Path("../runs/regrade/sources/manifest.json").read_text()}}
""" + WRITE.format("found")
    wanted = dict.fromkeys(("clean", "blurred", "package", "lent"), "refused") | {"noise_needed": "{}"}
    submission(tmp_path / "in", "bob", "1", {"clean": 1})
    folder = submission(tmp_path / "in", "mal", cell, wanted)
    rows = tool.regrade(folder, base=tmp_path / "base", minutes=1)
    assert {row["check"]: row["again"] for row in rows} == wanted


def test_what_was_handed_in_is_looked_through(tmp_path, trust):
    cases = {"nostamp": ("stamp.json", None, "stamp.json is missing"), "nojson": ("checks.json", "{", "no JSON"),
             "nan": ("checks.json", '{"project": "00_example", "checks": {"clean": NaN}}', "NaN is no value"),
             "list": ("checks.json", "[]", "has no 'project'"),
             "seed": ("stamp.json", '{"profile": "smoke", "seed": "0"}', "has no 'seed'"),
             "own": ("checks.json", '{"project": "00_example", "parameters": {"seed": 9}, "checks": {}}', "seed come from stamp.json"),
             "other": ("checks.json", '{"project": "77_none", "checks": {}}', "no brief"),
             "empty": ("project.ipynb", None, "project.ipynb is missing")}
    for name, (file, text, said) in cases.items():
        folder = submission(tmp_path, name, "1", {"clean": 1})
        (folder / file).unlink() if text is None else (folder / file).write_text(text)
        (row,) = tool.regrade(folder, trust=trust)
        assert row["holds"] == "no" and said in row["reason"], (name, row)


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.txt").write_text("of another student")
    folder = submission(tmp_path / "in", "mal", "1", {"clean": 1})
    (folder / "data.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "far").symlink_to(tmp_path)
    (tmp_path / "scratch").mkdir()
    tool.fetch_copy(folder, tmp_path / "scratch")
    assert [path.name for path in (tmp_path / "scratch").rglob("*")] == ["project.ipynb"]


def test_nothing_runs_without_walls_or_trust(tmp_path, monkeypatch):
    submission(tmp_path / "in", "ada", "1", {"clean": 1})
    monkeypatch.setattr(sandbox, "ready", lambda: "this system has no walls")
    with pytest.raises(SystemExit, match="no walls.*--trust"):
        tool.main([str(tmp_path / "in"), "--out", str(tmp_path / "out.csv")])
    assert not (tmp_path / "out.csv").exists()
    with pytest.raises(SystemExit, match="holds no folders"):
        tool.main([str(tmp_path / "nobody"), "--trust"])
    with pytest.raises(SystemExit, match="no finished run"):
        tool.main([str(tmp_path / "in"), "--run", str(tmp_path)])


def test_with_trust_it_runs_without_walls(tmp_path):
    cell = WRITE.format("{'clean': seed, 'blurred': 2, 'noise_needed': 3}")
    rows = by_check(tool.regrade(submission(tmp_path, "ada", cell, {"clean": 4, "blurred": 2, "noise_needed": 3}), minutes=1, trust=True))
    assert set(rows.values()) == {("yes", "")}


def test_the_template_is_a_project_that_holds(tmp_path, trust):
    folder = submission(tmp_path, "template", "1", {"clean": 199.09, "blurred": 2.843, "noise_needed": 16},
                        {"profile": "smoke", "seed": 0})
    (folder / "project.ipynb").write_bytes((REPOSITORY / "course" / "projects" / "template.ipynb").read_bytes())
    rows = by_check(tool.regrade(folder, minutes=3, trust=trust))
    assert rows == dict.fromkeys(("clean", "blurred", "noise_needed"), ("yes", ""))
