"""What an exercise is: the right answer, cases drawn from a seed, and the wrong answers that people give, each with its reason."""

import hashlib
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from .plain import plain, restored

PUBLIC = "public"                               # the seed of the cases that kit.check uses


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that people give. why: what is wrong and what to do, in the second person. answer: what it computes."""

    why: str
    answer: object


@dataclass(frozen=True)
class Task:
    """One checked exercise.

    name: of the learner's function or value. lesson: two digits. asks: the question in one sentence. solve: the right function, or value.
    draw: rng -> {what a part tests: [arguments, ...]}, one point a part; None for a value, which has one point. wrong: see Wrong.
    """

    name: str
    lesson: str
    asks: str
    solve: object
    draw: object = None
    wrong: tuple = ()

    def parts(self, seed=PUBLIC):
        """[{"what", "cases": [{"inputs", "expected"}]}] in plain JSON values; equal seeds give equal cases. KitError for a bad solution."""
        if self.draw is None:
            return [{"what": "the value", "cases": [{"inputs": None, "expected": plain(self.solve)}]}]
        drawn = self.draw(np.random.default_rng(number(f"{seed}/{self.name}")))
        return [{"what": what, "cases": [self.case(plain(list(arguments))) for arguments in cases]} for what, cases in drawn.items()]

    def case(self, inputs):
        expected = plain(self.solve(*restored(inputs)))
        if "nan" in str(expected).lower():
            raise KitError(f"exercise '{self.name}': the reference gives NaN for {inputs}. Draw other inputs.")
        return {"inputs": inputs, "expected": expected}


def number(text):
    """A whole number below 2**64 from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def every():
    """{name: Task} in the order of the lessons. ImportError where the answers are hidden (while a submission is graded)."""
    from .answers import TASKS

    return {task.name: task for task in TASKS}
