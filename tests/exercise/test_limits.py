"""Each limit of the sandbox ends what it should with its own reason, and who lost to a neighbour runs again alone."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

from medgen_kit.errors import KitError                                      # noqa: E402
from medgen_kit.exercise import grade, sandbox                              # noqa: E402
from sheets import CALLS, EULER, GUIDED, graded, secret                     # noqa: E402

HELD = """
import os, time
for _ in range(3):
    if not os.fork():
        held = b"x" * 400_000_000
        time.sleep(60)
time.sleep(4)
"""
FILES = """
import os, time
for _ in range(40):
    if os.fork():
        continue
    for _ in range(20):
        one = os.memfd_create("x")
        for _ in range(30):
            os.write(one, b"x" * 1_000_000)
        os.set_inheritable(one, True)
    time.sleep(60)
time.sleep(60)
"""
HOG = """
import os, signal
for _ in range(50):
    if not os.fork():
        os.setsid()
        while True:
            pass
while True:
    pass
"""
WORK = "import time\nbegan = time.process_time()\nwhile time.process_time() - began < 2:\n    pass\n"


def ran(*cells, seconds=30, memory_gib=1.0, room=None, cell_seconds=20):
    """(output of f(), how it ended) of a run behind walls."""
    job = {"cells": list(cells), "exercises": {"f": [[]]}, "cell_seconds": cell_seconds, "seconds": 5}
    outcome = sandbox.run(job, seconds, memory_gib, room=room)
    lines = outcome.wrote.splitlines()
    return json.loads(lines[1])["outputs"][0] if len(lines) > 1 else None, outcome


def test_limits_have_their_reasons(tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "CELL_SECONDS", 6)
    students = {"memory": [HELD, CALLS], "loud": ["def guided(*given):\n    return 'x' * 5_000_000", CALLS],
                "cell": ["while True: pass", GUIDED]}
    found = graded(tmp_path, students, "guided", "network_calls", memory_gib=1, seconds=50)
    assert found["memory"]["network_calls"] == (0, "There is no answer of `network_calls`: it takes more than 1 GiB of memory.")
    assert found["loud"]["guided"] == (0, "There is no answer of `guided`: it answers with more than 4 MB.")
    assert found["cell"]["guided"] == (2, "")
    assert "(the cell that begins `while True: pass`: it raises TooLong: this cell does not end)" in found["cell"]["network_calls"][1]


def test_a_notebook_may_not_be_larger_than_30_mb(tmp_path):
    (tmp_path / "in").mkdir()
    with open(tmp_path / "in" / "big.ipynb", "wb") as file:
        file.truncate(30_000_001)
    rows = grade.grade(tmp_path / "in", secret(tmp_path, "guided"), tmp_path / "out.csv", trust=True)
    assert rows[0]["reason"] == "big.ipynb is larger than 30 MB. Clear its outputs and hand it in again."


def test_files_in_memory_count():
    _, outcome = ran(FILES, memory_gib=1)
    assert outcome.ended == "it takes more than 1 GiB of memory" and outcome.starved


def test_memory_of_the_machine_is_left(monkeypatch):
    before, short = sandbox.machine(), {"MemAvailable": 10**8, "Shmem": 0}
    assert set(before) == {"MemAvailable", "Shmem"}
    monkeypatch.setattr(sandbox, "machine", lambda: short)
    assert sandbox.runs_short({"MemAvailable": 10**10, "Shmem": 0}, 10**9) is True
    assert sandbox.runs_short({"MemAvailable": 15 * 10**7, "Shmem": 0}, 10**9) is False, "it was short before"
    assert sandbox.runs_short({}, 10**9) is False


def test_files_and_rights_are_few():
    look = """
import os
def tried(work):
    try:
        return work()
    except OSError as error:
        return error.strerror
def f():
    large = tried(lambda: os.truncate(os.open("large", os.O_CREAT | os.O_WRONLY), 33 * 2**20))
    many = tried(lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(70)])
    os.closerange(10, 64)
    names = tried(lambda: [os.mkdir(str(k)) for k in range(60)])
    return [os.getuid() > 0, os.getgid() > 0, os.getgroups() in ([], [os.getgid()], [65534]), large, many, names]
"""
    found, _ = ran(look, room=sandbox.Room(inodes=50))
    assert found == {"output": [True, True, True, "File too large", "Too many open files", "No space left on device"]}


def test_computing_is_counted_over_all_processes(monkeypatch):
    work = "import os, time\nif not os.fork():\n    while time.process_time() < 0.6: pass\n    os._exit(0)\nos.wait()\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", work]) as process:
        began, computed = time.monotonic(), 0.0
        while computed < 0.6 and time.monotonic() - began < 30:
            time.sleep(0.1)
            size, computed = sandbox.used(process.pid)
        process.kill()
    assert computed >= 0.6 and size > 10**6
    monkeypatch.setattr(sandbox, "used", lambda parent: (0, 31.0))
    began = time.monotonic()
    _, outcome = ran("import time\ntime.sleep(60)")
    assert outcome.ended == "it does not end within 30 s" and not outcome.starved and time.monotonic() - began < 15


def test_a_neighbour_that_takes_the_processors_takes_no_points(tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "CELL_SECONDS", 8)
    found = graded(tmp_path, {"a_hog": [HOG], "b_honest": [WORK, GUIDED, EULER, CALLS]}, seconds=10)
    assert [points for points, _ in found["b_honest"].values()] == [2, 2, 1]
    assert "does not end within 10 s" in found["a_hog"]["guided"][1]


def outcomes(monkeypatch, first):
    """sandbox.run that gives first(cells) once for each notebook if that is anything, then the real outcome; a list of what was run."""
    real, runs = sandbox.run, []

    def run(job, **limits):
        runs.append(job["cells"][0])
        made = first(job["cells"][0]) if runs.count(job["cells"][0]) == 1 else None
        return made or real(job, **limits)
    monkeypatch.setattr(grade.sandbox, "run", run)
    return runs


def test_who_lost_to_the_clock_while_starved_runs_again_alone(tmp_path, monkeypatch):
    late = {"# a": sandbox.Outcome(b"", "it does not end within 60 s", starved=True),
            "# b": sandbox.Outcome(b'{"cells": {}}\n{"end": true, "late": true}\n', ""),
            "# c": sandbox.Outcome(b"", "it does not end within 60 s", starved=False),
            "# d": sandbox.Outcome(b'{"cells": {}}\n{"end": true, "late": false}\n', "", starved=True)}
    runs = outcomes(monkeypatch, lambda cell: late.get(cell))
    lines = []
    found = graded(tmp_path, {name: [f"# {name}", GUIDED] for name in "abcde"}, "guided", trust=True, say=lines.append)
    assert {name: one["guided"][0] for name, one in found.items()} == {"a": 2, "b": 2, "c": 0, "d": 0, "e": 2}
    assert runs[5:] == ["# a", "# b"]
    assert lines[0] == "a: 0 of 2, runs again alone at the end" and lines[-1] == "b: 2 of 2 (again, alone)"


@pytest.mark.parametrize("work, late", [("time.sleep(9)", True), ("while True: pass", False)])
def test_a_cell_or_answer_that_was_stopped_while_starved_is_told(work, late):
    """The busy ones had their processor, or at least most of it; on a crowded machine they would be late too, so their clock is read."""
    tell = "import time\n{}\n" if late else "import time\ntime.process_time = time.monotonic\n{}\n"
    for cells in ([tell.format(work)], [tell.format("def f():\n    " + work)]):
        job = {"cells": cells, "exercises": {"f": [[]]}, "cell_seconds": 0.5, "seconds": 0.5}
        outcome = sandbox.run(job, 20, trust=True)
        assert json.loads(outcome.wrote.splitlines()[-1]) == {"end": True, "late": late}


def test_the_clock_ends_who_sleeps():
    _, outcome = ran("import time\ntime.sleep(60)", seconds=1, cell_seconds=60)
    assert outcome.ended == "it does not end within 1 s" and outcome.starved


def test_a_run_that_fails_costs_its_own_student(tmp_path, monkeypatch):
    def first(cell):
        if cell in ("# b", "# c"):
            raise {"# b": KitError("the kernel refuses a wall"), "# c": OSError("no space")}[cell]
    outcomes(monkeypatch, first)
    found = graded(tmp_path, {name: [f"# {name}", GUIDED] for name in "abcd"}, "guided", trust=True)
    assert [one["guided"][0] for one in found.values()] == [2, 0, 0, 2]
    assert found["b"]["guided"][1] == "It was not run: the kernel refuses a wall"
    assert found["c"]["guided"][1] == "The grader failed here (OSError: no space); this says nothing about the answer."


def test_a_broken_run_leaves_the_rows_before_it(tmp_path, monkeypatch):
    def first(cell):
        if cell == "# c":
            raise KeyboardInterrupt
    outcomes(monkeypatch, first)
    with pytest.raises(KeyboardInterrupt):
        graded(tmp_path, {name: [f"# {name}", GUIDED] for name in "abc"}, "guided", trust=True, workers=1)
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        assert [(row["student"], row["points"]) for row in csv.DictReader(file)] == [("a", "2"), ("b", "2")]


@pytest.mark.parametrize("text, shown", [
    ("=1+1", "'=1+1"), ("+1+1", "'+1+1"), ("-1+cmd", "'-1+cmd"), ("@SUM(1)", "'@SUM(1)"), ("\t=1", "'=1"), ("-2.5", "-2.5"),
    ("+3e-05", "+3e-05"), ("a=1", "a=1"), ("", ""), ("x\ud800\udcfc", "x??"), ("a\r\n\x1b[31mb", "a [31mb"), ("-", "'-")])
def test_nothing_is_a_formula(text, shown):
    assert grade.harmless(text) == shown
    assert len(grade.harmless(text + "x" * 999, 50)) <= 51


def test_the_command_line_warns():
    import typer
    from typer.testing import CliRunner

    from medgen_kit.exercise import command

    app = typer.Typer()
    app.command()(command.grade)
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}).output
    assert "can read the cases and change other submissions" in " ".join(said.split())
