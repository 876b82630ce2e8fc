"""Jobs side by side: the same results as one after the other, and a plain sentence when one goes wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medgen_kit import KitError, machine
from medgen_kit.errors import VideoError


def square(x):
    import torch

    return x * x, os.getpid(), torch.get_num_threads()


def refuse(path):
    raise VideoError(path, "empty", "the file is empty.")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def work(folder, number, deadly=(), killed_once=()):
    """A job that leaves a mark of every try, and ends its process as it is told; half a second, so that two are at work at a time."""
    mark = Path(folder) / f"{number}.tries"
    mark.write_text(mark.read_text() + "+" if mark.is_file() else "+")
    time.sleep(0.5)
    if number in deadly or number in killed_once and mark.read_text() == "+":
        die()
    return number, os.getpid()


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(machine, "facts", lambda: {"gpu": None, "cores": 2})


def test_jobs_side_by_side_give_what_jobs_in_a_row_give(two_cores):
    beside = dict(machine.side_by_side(square, [(n,) for n in range(4)], 2))
    row = dict(machine.side_by_side(square, [(n,) for n in range(4)], 1))
    assert {n: found[0] for n, found in beside.items()} == {n: found[0] for n, found in row.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
    assert os.getpid() not in {found[1] for found in beside.values()} and {found[1] for found in row.values()} == {os.getpid()}
    assert {found[2] for found in beside.values()} == {1}, "one thread a process"


def test_a_gpu_is_not_shared(monkeypatch):
    monkeypatch.setattr(machine, "facts", lambda: {"gpu": "a card", "cores": 2})
    assert {found[1] for _, found in machine.side_by_side(square, [(1,), (2,)], 2)} == {os.getpid()}


def test_errors_come_back_whole(two_cores):
    with pytest.raises(VideoError) as caught:
        list(machine.side_by_side(refuse, [("a.mp4",), ("b.mp4",)], 2))
    assert caught.value.reason == "empty" and "the file is empty. [empty]" in str(caught.value)
    with pytest.raises(KitError, match="worker process was ended"):
        list(machine.side_by_side(die, [(), ()], 2))


def test_a_job_that_ends_its_process_has_the_result_it_was_given_and_the_others_go_on(two_cores, tmp_path):
    jobs = [(tmp_path, number, (1, 4), (2,)) for number in range(6)]
    found = list(machine.side_by_side(work, jobs, 2, "died"))
    assert sorted(number for number, _ in found) == [0, 1, 2, 3, 4, 5]
    found = dict(found)
    assert found[1] == found[4] == "died" and [found[n][0] for n in (0, 2, 3, 5)] == [0, 2, 3, 5]
    tries = [(tmp_path / f"{number}.tries").read_text() for number in range(6)]
    assert tries[1] == tries[4] == "++" and all(len(tried) <= 2 for tried in tries)


def test_one_core_or_a_gpu_still_keeps_a_deadly_job_out_of_this_process(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "facts", lambda: {"gpu": "a card", "cores": 2})
    found = dict(machine.side_by_side(work, [(tmp_path, number, (0,)) for number in range(2)], 2, "died"))
    assert found[0] == "died" and found[1][0] == 1 and found[1][1] != os.getpid()
    assert dict(machine.side_by_side(work, [(tmp_path, 5)], 1, "died")) == {0: (5, os.getpid())}


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from medgen_kit import machine
machine.facts = lambda: {"gpu": None, "cores": 2}
from test_machine import square, wait
print("the script runs", flush=True)
work, jobs = (wait, [(sys.argv[2], n) for n in range(2)]) if len(sys.argv) > 2 else (square, [(2,), (3,)])
print(sorted(found[0] for _, found in machine.side_by_side(work, jobs, 2)), flush=True)
"""


def wait(folder, number):
    """Writes the time into a file of its own, ten times a second, for a minute."""
    for _ in range(600):
        (Path(folder) / f"{number}.beat").write_text(repr(time.time()))
        time.sleep(0.1)


def beats(folder):
    return [path.read_text() for path in sorted(folder.glob("*.beat"))]


def test_a_script_without_a_main_guard_is_not_run_again_by_its_workers(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    end = subprocess.run([sys.executable, str(tmp_path / "script.py"), str(Path(__file__).parent)], capture_output=True, text=True,
                         timeout=120, cwd=Path(__file__).parents[1], env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})
    assert end.stdout.splitlines() == ["the script runs", "[4, 9]"], end.stderr


def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(Path(__file__).parent), str(tmp_path)],
                              cwd=Path(__file__).parents[1], env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})
    deadline = time.time() + 100
    while len(beats(tmp_path)) < 2 and time.time() < deadline:
        time.sleep(0.2)
    before = beats(tmp_path)
    time.sleep(2)
    assert len(before) == 2 and not set(before) & set(beats(tmp_path)), "both workers are at work"
    parent.kill()
    parent.wait()
    time.sleep(3)
    last = beats(tmp_path)
    time.sleep(2)
    assert beats(tmp_path) == last, "nobody writes any more"
