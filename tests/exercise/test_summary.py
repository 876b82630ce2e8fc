"""The totals beside the table of points: sums, answers with the same code, files that nobody looked at."""

import csv
import sys
from pathlib import Path

from typer.testing import CliRunner

from medgen_kit import cli
from medgen_kit.exercise import sandbox, summary

sys.path[:0] = [str(Path(__file__).parent)]

from sheets import CALLS, EULER, GUIDED, notebook, secret                    # noqa: E402

OTHERS = "# mine\n" + GUIDED.replace("    return", "    '''Guidance.'''\n\n    return", 1)
OWN = GUIDED.replace("return ", "scale = 1\n    return scale * (", 1).rstrip() + ")\n"


def handed_in(folder):
    for student, cells in {"ada": [GUIDED, EULER, CALLS], "bob": [OTHERS, EULER, CALLS], "eve": [OWN, EULER, CALLS],
                           "joe": ["def guided(a, b, g):\n    ...", "def euler():\n    ...", "network_calls = ..."]}.items():
        notebook(folder / "in" / student / "06_ex.ipynb", *cells)
    notebook(folder / "solutions" / "06_ex.ipynb", OWN, EULER, CALLS)
    (folder / "in" / "joe" / "Exercise 6.ipynb").write_text("{}")
    (folder / "in" / "ada" / "notes.txt").write_text("x")
    (folder / "in" / "amy").mkdir()
    (folder / "in" / "amy" / "lesson6.ipynb").write_text("{}")
    return folder / "in"


def test_same_code_and_files_that_were_not_looked_at(tmp_path):
    place = handed_in(tmp_path)
    exercises = {name: {"lesson": "06"} for name in ("guided", "euler", "network_calls")}
    rows = [{"student": name, "exercise": "guided", "points": k, "of": 4} for k, name in enumerate(("ada", "amy", "bob", "eve", "joe"))]
    found = {row["student"]: row for row in summary.summary(place, rows, exercises, tmp_path / "solutions")}
    assert found["ada"]["same_code_as"] == "lesson 06: bob" and found["bob"]["same_code_as"] == "lesson 06: ada"
    assert found["eve"]["same_code_as"] == "lesson 06: the solutions", "another way to write it is not the same code"
    assert found["joe"]["same_code_as"] == found["amy"]["same_code_as"] == "", "three dots are nobody's answer"
    assert found["ada"]["not_looked_at"] == "notes.txt" and found["joe"]["not_looked_at"] == "Exercise 6.ipynb"
    assert found["amy"]["not_looked_at"] == "lesson6.ipynb" and found["eve"]["share_percent"] == 75.0


def test_no_text_of_a_stranger_ends_the_summary():
    deep, long = "guided = " + "+".join(["1"] * 30_000), "guided = 0x" + "f" * 9000
    assert list(summary.definitions([deep, long, "def guided(:", "\0", "x = 1"])) == ["x"]


def test_the_command_writes_totals_beside_the_points(tmp_path):
    place, cases = handed_in(tmp_path), secret(tmp_path)
    trust = ["--trust"] if sandbox.ready() else []
    done = CliRunner().invoke(cli.typed, ["grade", str(place), "--cases", str(cases), "--out", str(tmp_path / "g.csv"), *trust])
    assert done.exit_code == 0, done.output
    with (tmp_path / "g.totals.csv").open(encoding="utf-8") as file:
        totals = {row["student"]: row for row in csv.DictReader(file)}
    assert {name: (row["points"], row["of"]) for name, row in totals.items()} == {
        "ada": ("5", "5"), "bob": ("5", "5"), "eve": ("5", "5"), "joe": ("0", "5"), "amy": ("0", "5")}
    assert "bob: same code as lesson 06: ada" in done.output and "amy: not looked at lesson6.ipynb" in done.output
    said = (tmp_path / "g.csv").read_text(encoding="utf-8")
    assert "No notebook 06_ex.ipynb was handed in. The folder holds: lesson6.ipynb." in said
