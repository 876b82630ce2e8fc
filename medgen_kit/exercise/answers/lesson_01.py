"""Lesson 01: from stored numbers to greys, and weights that balance categories."""

from collections import Counter

import numpy as np

from ..task import Task, Wrong


def to_grey(stored, slope, intercept, centre, width):
    """DICOM PS3.3 C.11.2.1.2 on densities x = slope stored + intercept, cut off at 0 and 255."""
    x = slope * np.asarray(stored, float) + intercept
    return np.clip(255 * ((x - (centre - 0.5)) / (width - 1) + 0.5), 0, 255)


def uncut(stored, slope, intercept, centre, width):
    return 255 * ((slope * np.asarray(stored, float) + intercept - (centre - 0.5)) / (width - 1) + 0.5)


def pictures(rng):
    def one(spread):
        centre, width, slope, intercept = (int(x) for x in (rng.integers(40, 500), rng.integers(300, 1800), rng.choice([2, 3, 4]),
                                                            rng.choice([-1024, -1000, -900])))
        x = centre + spread * width * rng.uniform(-1, 1, (2, 3))
        return [np.round((x - intercept) / slope).astype(int), slope, intercept, centre, width]

    return {"densities inside the window": [one(0.45) for _ in range(4)], "densities outside the window": [one(3) for _ in range(4)]}


def balance_weights(categories):
    """{category: N / (K n)}: with these weights every category counts alike, and the mean weight of a clip is 1."""
    counts = Counter(categories)
    return {name: len(categories) / (len(counts) * count) for name, count in counts.items()}


def columns(rng):
    kinds = ["medical teaching", "clinical practice", "popular science", "medical animation", "medical imaging"]

    def one(number):
        counts = rng.integers(1, 40, number)
        column = [str(name) for name, count in zip(rng.permutation(kinds)[:number], counts) for _ in range(count)]
        return [[str(name) for name in rng.permutation(column)]]

    return {"categories of unequal size": [one(k) for k in (2, 3, 4, 5)], "one category, or one clip of each":
            [one(1), [[str(name) for name in rng.permutation(kinds)]], one(3)]}


TASKS = [
    Task("to_grey", "01", "Which grey does a stored CT number become?", to_grey, pictures, (
        Wrong("The values are not cut off: below 0 is black (0), above 255 is white (255)", uncut),
        Wrong("The window is laid on the *stored* numbers: first turn them into densities, slope x stored + intercept",
              lambda s, slope, intercept, c, w: to_grey(s, 1, 0, c, w)),
        Wrong("The intercept is added before the slope multiplies: x = slope x stored + intercept",
              lambda s, slope, intercept, c, w: to_grey(np.asarray(s) + intercept, slope, 0, c, w)),
        Wrong("This is (x - lowest) / width: close, but DICOM's formula has the half and the one, c - 0.5 and w - 1",
              lambda s, slope, intercept, c, w: np.clip(255 * (slope * np.asarray(s, float) + intercept - (c - w / 2)) / w, 0, 255)),
        Wrong("This runs from 0 to 1; a screen shows 0 to 255, so multiply by 255", lambda *given: to_grey(*given) / 255),
        Wrong("Centre and width have changed places", lambda s, a, b, c, w: to_grey(s, a, b, w, c)),
        Wrong("White and black are swapped: the densest tissue is white", lambda *given: 255 - to_grey(*given)))),
    Task("balance_weights", "01", "Which weight must a clip of each category have, so that all categories count alike?",
         balance_weights, columns, (
             Wrong("These are the shares n/N: they make common categories heavier still. A rare category needs the *larger* weight",
                   lambda c: {k: n / len(c) for k, n in Counter(c).items()}),
             Wrong("This is N/n: right in proportion, but divide by the number K of categories too, so that the mean weight is 1",
                   lambda c: {k: len(c) / n for k, n in Counter(c).items()}),
             Wrong("This is 1/n: right in proportion, but multiply by N/K, so that the mean weight is 1",
                   lambda c: {k: 1 / n for k, n in Counter(c).items()}),
             Wrong("These are the counts: the weight is N / (K n)", lambda c: dict(Counter(c))))),
]
