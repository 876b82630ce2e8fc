"""Simulated raters of known skill and bias, to learn what the statistics of a human study can and can not see.

They are no evidence about any model: every row says "simulated", every name begins with "simulated-", and what is computed from them
carries the word too.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from .grading import BAD, GRADES
from .preference import BOTH_FAIL


@dataclass
class Rater:
    """A simulated rater.

    skill: probability, 0..1, to see the truth of a clip or a pair; otherwise the rater guesses. side: -1..1, how much guesses lean to the
    first side (1: always first). severity: grades added to every grade (1: one step too strict, below 0: too mild). both_fail:
    probability, 0..1, to say "both fail" whatever is shown.
    """

    name: str
    skill: float = 0.8
    side: float = 0.0
    severity: float = 0.0
    both_fail: float = 0.0

    def __post_init__(self):
        for field, low in (("skill", 0), ("side", -1), ("both_fail", 0)):
            if not low <= getattr(self, field) <= 1:
                raise KitError(f"{field} of rater '{self.name}' is {getattr(self, field)}, but must lie between {low} and 1.")
        self.name = self.name if self.name.startswith("simulated-") else f"simulated-{self.name}"


def invent(models, prompts=200, spread=1.0, seed=0):
    """A made-up truth for `simulate`: rows {"prompt", "model", "distortion", "simulated"}.

    models: {name: mean distortion, from 0 (none) to 3 (severe)}. spread: standard deviation from clip to clip; half of its square belongs
    to the prompt, alike for all models, so that hard prompts are hard for everybody.
    """
    rng, part = np.random.default_rng(seed), spread * 0.5 ** 0.5
    hard = rng.normal(0, part, prompts)
    return [{"prompt": f"prompt {k + 1}", "model": model, "distortion": float(np.clip(mean + hard[k] + rng.normal(0, part), 0, 3)),
             "simulated": True} for k in range(prompts) for model, mean in models.items()]


def simulate(truth, raters=3, seed=0):
    """What simulated raters say of a known truth: {"simulated": True, "answers": rows, "grades": rows}.

    truth: rows {"prompt", "model", "distortion"}, from 0 (none) to 3 (severe), such as `invent` makes. raters: a list of Rater, or how many
    of Rater's defaults. answers: every pair of models of a prompt, sides by lot for each rater, as `preference` reads them: {"rater",
    "item", "prompt", "first", "second", "answer", "simulated"}. grades: {"rater", "item", "prompt", "model", "video", "grade",
    "simulated"}. Who sees the truth names the clip with less distortion, or "both fail" where both are Moderate or worse.
    """
    raters = [Rater(str(k + 1)) for k in range(raters)] if isinstance(raters, int) else list(raters)
    if len({rater.name for rater in raters}) != len(raters) or not raters:
        raise KitError("simulated raters need names of their own, and there must be at least one.")
    clips = {}
    for row in truth:
        if not 0 <= row["distortion"] <= 3:
            raise KitError(f"distortion of {row['model']}, {row['prompt']} is {row['distortion']}, but must lie between 0 and 3.")
        clips.setdefault(row["prompt"], {})[row["model"]] = row["distortion"]
    answers, grades = [], []
    for rater, stream in zip(raters, np.random.SeedSequence(seed).spawn(len(raters))):
        rng = np.random.default_rng(stream)
        for number, (prompt, found) in enumerate(clips.items(), 1):
            shared = {"rater": rater.name, "prompt": prompt, "simulated": True}
            for pair in itertools.combinations(found, 2):
                first, second = pair if rng.random() < 0.5 else pair[::-1]
                answers.append(shared | {"item": f"item {number}: {pair[0]}, {pair[1]}", "first": first, "second": second,
                                         "answer": prefer(rater, found, first, second, rng)})
            grades += [shared | {"item": f"item {number}", "model": model, "video": f"{model}/{prompt}",
                                 "grade": grade(rater, distortion, rng)} for model, distortion in found.items()]
    return {"simulated": True, "answers": answers, "grades": grades}


def prefer(rater, found, first, second, rng):
    """One answer of a rater to a pair; found: {model: distortion}."""
    if rng.random() < rater.both_fail:
        return BOTH_FAIL
    if rng.random() < rater.skill and found[first] != found[second]:
        limit = GRADES.index(BAD) - 0.5
        return BOTH_FAIL if min(found[first], found[second]) >= limit else min(first, second, key=found.get)
    return first if rng.random() < (1 + rater.side) / 2 else second


def grade(rater, distortion, rng):
    """One grade of a rater: the nearest grade when the truth is seen, any grade else, moved by `severity` and kept within GRADES."""
    seen = distortion if rng.random() < rater.skill else rng.integers(len(GRADES))
    return GRADES[int(np.clip(np.floor(seen + rater.severity + 0.5), 0, len(GRADES) - 1))]
