"""Jobs side by side: the same results as one after the other, and a plain sentence when one goes wrong."""

import os
import signal

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
