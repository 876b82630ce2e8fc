"""Twenty notebooks that mean harm, graded between honest neighbours in one call: each costs only itself."""

import csv
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

import hostile                                                             # noqa: E402
from medgen_kit.errors import KitError                                     # noqa: E402
from medgen_kit.exercise import cases, grade, sandbox                      # noqa: E402
from sheets import EULER, notebook                                         # noqa: E402

MARK = f"medgen-test-{os.getpid()}"
SECONDS = 5


def fingerprints(*folders):
    """{path: hash} of all files below some folders."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for folder in folders for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and path.suffix != ".pyc"}


def refuse_without_walls(place):
    """The harm below is real: nothing of it runs where a harmless notebook can see this folder or this process."""
    unseen = f"os.path.exists({str(place)!r}), os.path.exists({str(Path(__file__))!r})"
    look = f"import os\ndef f(): return [{unseen}, os.getpid() < 10]"
    found = sandbox.run({"cells": [look], "exercises": {"f": [[]]}, "cell_seconds": 5, "seconds": 5}, seconds=30)
    assert json.loads(found.wrote.splitlines()[1])["outputs"] == [{"output": [False, False, True]}], found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The rows by student and exercise, and what happened around them."""
    place = tmp_path_factory.mktemp("grade")
    refuse_without_walls(place)
    submissions, secret, out = place / "submissions", place / "teacher" / "cases.json", place / "grades.csv"
    drawn = cases.draw("hidden", ["06"])
    cases.write(secret, {name: drawn[name] for name in ("guided", "euler")})
    calls = []
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as local, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(("127.0.0.1", 0))
        local.bind(str(place / "s"))
        abstract.bind("\0medgen-test")
        for one in (server, local, abstract):
            one.listen()
            one.settimeout(0.2)
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        words = {"places": [str(submissions), str(secret), str(secret.parent), str(out), str(place), str(submissions / "ada"),
                            str(submissions / "ada" / "06_ex.ipynb")], "mark": MARK,
                 "port": server.getsockname()[1], "socket": str(place / "s"), "abstract": "@", "pid": sleeper.pid,
                 "count": sum(len(part["cases"]) for part in drawn["guided"]["parts"])}
        for student in ("ada", "zoe"):
            notebook(submissions / student / "06_ex.ipynb", hostile.FIRST, EULER)
        for name, text in hostile.NOTEBOOKS.items():
            notebook(submissions / f"m_{name}" / "06_ex.ipynb", hostile.FIRST, text.format(**words) if "{" in text else text)
        package = Path(grade.__file__).parents[1]
        before = fingerprints(submissions, secret.parent, package)
        os.environ["MEDGEN_TEST_KEY"] = "secret-key"
        began = time.monotonic()
        try:
            grade.grade(submissions, secret, out, seconds=SECONDS, memory_gib=1, workers=2)
        finally:
            del os.environ["MEDGEN_TEST_KEY"]
        seconds = time.monotonic() - began
        for one in (server, local, abstract):
            try:
                calls.append(one.accept())
            except TimeoutError:
                pass
        alive = sleeper.poll() is None
        sleeper.kill()
        sleeper.wait()
    with open(out, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {"rows": {(row["student"], row["exercise"]): row for row in rows}, "seconds": seconds, "calls": calls, "alive": alive,
            "size": out.stat().st_size, "before": before, "after": fingerprints(submissions, secret.parent, package)}


def points(graded, student):
    return [int(graded["rows"][student, name]["points"]) for name in ("guided", "euler")]


def test_the_walls_stand_here():
    assert sandbox.ready() == ""


def test_neighbours_keep_their_points(graded):
    assert points(graded, "ada") == points(graded, "zoe") == [2, 2]
    assert len(graded["rows"]) == 2 * (2 + len(hostile.NOTEBOOKS))


def test_files_are_as_they_were(graded):
    assert graded["after"] == graded["before"]


def test_it_takes_no_longer_than_it_may(graded):
    slow = 6                                                          # notebooks that use up their time: two at once, then each alone
    assert graded["seconds"] < slow * SECONDS / 2 + slow * SECONDS + 20
    assert graded["size"] < 20_000


def test_nothing_is_left_running_and_nobody_was_called_or_killed(graded):
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(MARK.encode() in command for command in commands)
    assert graded["calls"] == [] and graded["alive"]


@pytest.mark.parametrize("name", hostile.NOTEBOOKS)
def test_each_costs_itself(graded, name):
    found = points(graded, f"m_{name}")
    assert found[1] == 0, "nobody answered the second exercise"
    reasons = [graded["rows"][f"m_{name}", exercise]["reason"] for exercise in ("guided", "euler")]
    assert all(reason for reason, point in zip(reasons, found) if point < 2)
    assert all(len(reason) <= 400 and reason[:1] not in "=+-@" and "secret-key" not in reason for reason in reasons if reason)
    if name in ("loop", "read", "unmask", "exit_in_answer", "socket", "environment", "tricks", "forge", "patch", "surrogate",
                "surrogate_in_cell", "surrogate_forged"):
        assert found[0] == 0, reasons
    if name in ("delete", "print", "fill", "exit", "daemon"):
        assert found[0] == 2, reasons


def test_reasons_tell_what_happened(graded):
    said = {name: graded["rows"][f"m_{name}", "guided"]["reason"] for name in hostile.NOTEBOOKS}
    assert f"does not end within {SECONDS} s" in said["loop"]
    assert "ends its own process" in said["exit_in_answer"]
    assert "raises ValueError: ?" in said["surrogate"] and ": it raises ValueError: ?" in said["surrogate_in_cell"]
    assert "something of kind ?" in said["surrogate_forged"]
    assert "sent: []" in said["socket"] and "seen: []" in said["unmask"]
    assert "it gives '[None]'" in said["read"], "no file of the teacher, no neighbour and no reference could be read"


def test_what_is_no_notebook_has_a_reason(tmp_path):
    submissions, secret = tmp_path / "in", tmp_path / "cases.json"
    cases.write(secret, cases.draw("x", ["06"]))
    notebook(submissions / "good.ipynb", hostile.FIRST, EULER, "network_calls = 960")
    notebook(submissions / "=1+1.ipynb", "network_calls = 3")
    (submissions / "text.ipynb").write_text("no notebook")
    (submissions / "deep.ipynb").write_text("[" * 100_000)
    (submissions / "bytes.ipynb").write_bytes(bytes(range(256)))
    (submissions / "empty.ipynb").touch()
    (submissions / "link.ipynb").symlink_to(secret)
    (submissions / "two").mkdir()
    for name in ("06_a.ipynb", "06_b.ipynb"):
        notebook(submissions / "two" / name, "x = 1")
    (submissions / "none").mkdir()
    os.mkfifo(submissions / "pipe.ipynb")
    notebook(submissions / "upper" / "06_EX.IPYNB", hostile.FIRST, EULER, "network_calls = 960")
    notebook(submissions / "UP.IPYNB", hostile.FIRST, EULER, "network_calls = 960")
    notebook(submissions / "\t=1+1" / "06_ex.ipynb", "network_calls = 960")
    notebook(Path(os.fsdecode(os.fsencode(submissions) + b"/m\xfcller")) / "06_ex.ipynb", "network_calls = 960")
    (submissions / "far").symlink_to(submissions / "upper")
    for name in ("packed.zip", "good.zip", "notes.txt"):
        (submissions / name).write_text("x")
    lines = []
    rows = grade.grade(submissions, secret, tmp_path / "out.csv", seconds=20, say=lines.append)
    by_student = {}
    for row in rows:
        by_student.setdefault(row["student"], []).append(row)
    total = {name: sum(row["points"] for row in found) for name, found in by_student.items() if sum(row["points"] for row in found)}
    assert total == {"good": 5, "upper": 5, "UP": 5, "\t=1+1": 1, "m\udcfcller": 1}
    said = {name: found[0]["reason"] for name, found in by_student.items()}
    assert "link" in said["link"] and "link" in said["pipe"] and "06_a.ipynb, 06_b.ipynb" in said["two"]
    assert said["none"] == "No notebook 06_ex.ipynb was handed in."
    assert all("can be read" in said[name] for name in ("text", "deep", "bytes", "empty"))
    assert "Hand in the folder itself" in said["far"] and "Unpack it" in said["packed"]
    assert lines[:2] == ["left out: notes.txt (no notebook and no folder)", "left out: good.zip (no notebook and no folder)"]
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        listed = list(dict.fromkeys(row["student"] for row in csv.DictReader(file)))
    assert {"'=1+1", "'=1+1 (2)", "m?ller", "UP"} <= set(listed) and len(listed) == len(by_student)


def test_the_same_walls_without_root(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)             # then a user namespace gives the rights
    refuse_without_walls(tmp_path)
    job = {"cells": [hostile.UNMASK], "exercises": {"guided": [[0, 0, 0]]}, "cell_seconds": 5, "seconds": 5}
    assert b'"seen: []"' in sandbox.run(job, seconds=20).wrote
    bomb = sandbox.run(job | {"cells": [hostile.BOMB]}, seconds=2, memory_gib=0.5)
    assert re.match("it (does not end within 2 s|takes more than 0.5 GiB)", bomb.ended)


def test_with_trust_limits_of_time_stay_and_answers_are_not_imported(tmp_path):
    """No more than that: `--trust` says itself that files can be read and changed."""
    secret = tmp_path / "cases.json"
    drawn = cases.draw("x", ["06"])
    cases.write(secret, {"guided": drawn["guided"]})
    spoil = f"import pathlib\nfor path in pathlib.Path({str(tmp_path / 'in')!r}).iterdir():\n    path.write_text('spoilt')"
    notebook(tmp_path / "in" / "ada.ipynb", hostile.FIRST)
    notebook(tmp_path / "in" / "bob.ipynb", "import medgen_kit as kit\nguided = kit.check('guided', None)")
    notebook(tmp_path / "in" / "eve.ipynb", spoil, hostile.LOOP)
    notebook(tmp_path / "in" / "leo.ipynb", "import os\nos._exit(97)")
    notebook(tmp_path / "in" / "zoe.ipynb", hostile.FIRST)
    rows = grade.grade(tmp_path / "in", secret, tmp_path / "out.csv", seconds=2, workers=1, trust=True)
    assert [row["points"] for row in rows] == [2, 0, 0, 0, 2], "what was handed in is read before the first notebook runs"
    assert "does not end within 2 s" in rows[2]["reason"] and "ends its own process" in rows[3]["reason"]
    assert (tmp_path / "in" / "zoe.ipynb").read_text() == "spoilt"


def test_without_walls_it_refuses_and_names_a_container(tmp_path, monkeypatch):
    secret = tmp_path / "cases.json"
    cases.write(secret, cases.draw("x", ["06"]))
    notebook(tmp_path / "in" / "ada.ipynb", hostile.FIRST)
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(KitError, match="container.*--privileged.*With --trust a notebook can read"):
        grade.grade(tmp_path / "in", secret, tmp_path / "out.csv")
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    monkeypatch.setattr(sandbox, "readable", lambda: ["/usr"])           # nothing can start in there
    monkeypatch.setattr(sandbox, "PACKAGE", tmp_path / "nowhere")
    with pytest.raises(KitError, match="container.*--privileged.*With --trust a notebook can read"):
        grade.grade(tmp_path / "in", secret, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("text, said", [(None, "can not be read"), ("x", "is no file of cases"), ("[]", "is no file of cases"),
    ('{"kind": "medgen-kit cases", "exercises": {}}', "not a whole file"),
    ('{"kind": "medgen-kit cases", "exercises": {"a": {"lesson": "06"}}}', "is no file of cases")])
def test_bad_cases_are_refused(tmp_path, text, said):
    path = tmp_path / "cases.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KitError, match=said):
        cases.read(path)
    with pytest.raises(KitError, match="seed of your own"):
        cases.draw("public")
    with pytest.raises(KitError, match="no exercises for lesson 44"):
        cases.draw("x", ["44"])


def test_folders_that_can_not_be_graded(tmp_path):
    with pytest.raises(KitError, match="is no folder"):
        grade.looked_through(tmp_path / "none")
    with pytest.raises(KitError, match="no notebook"):
        grade.looked_through(tmp_path)
    notebook(tmp_path / "ada.ipynb", "x = 1")
    (tmp_path / "ada").mkdir()
    with pytest.raises(KitError, match="both ada and ada.ipynb"):
        grade.looked_through(tmp_path)


def test_threads_of_the_grader_end():
    assert not [one for one in threading.enumerate() if "drain" in one.name or "feed" in one.name]
