"""Lesson 07: subject consistency, kappa from a table, the Wilson interval."""

import numpy as np

from ..task import Task, Wrong


def subject_consistency(features):
    """VBench's mean over t >= 1 of (max(0, c(f_t-1, f_t)) + max(0, c(f_0, f_t))) / 2; features [T, D]."""
    f = unit(np.asarray(features, float))
    neighbour, first = (f[:-1] * f[1:]).sum(1), f[1:] @ f[0]
    return float(np.mean(np.maximum(neighbour, 0) + np.maximum(first, 0)) / 2)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def clips(rng):
    def one(frames, spread):
        base = rng.uniform(0.5, 2, 3)
        return [np.round((base + spread * rng.uniform(-1, 1, (frames, 3))) * rng.uniform(0.5, 2, (frames, 1)), 3)]

    turning = [np.round(rng.normal(size=(int(n), 3)), 3) for n in rng.integers(5, 9, 3)]
    return {"clips that stay alike": [one(int(n), 0.45) for n in rng.integers(4, 9, 4)],
            "clips that turn away (negative cosines)": [[f] for f in turning] + [[np.array([[1.0, 0.2], [-1.0, 0.1], [0.5, 1.0]])]]}


def raw(features):
    f = np.asarray(features, float)
    return float(np.mean(np.maximum((f[:-1] * f[1:]).sum(1), 0) + np.maximum(f[1:] @ f[0], 0)) / 2)


def series(features, cut=True):
    f = unit(np.asarray(features, float))
    pair = (f[:-1] * f[1:]).sum(1), f[1:] @ f[0]
    return tuple(np.maximum(one, 0) for one in pair) if cut else pair


def kappa(table):
    """Cohen's kappa of a table of counts (rows: first rater, columns: second); None when chance alone explains all."""
    table = np.asarray(table, float)
    n = table.sum()
    agreed, chance = np.trace(table) / n, (table.sum(1) * table.sum(0)).sum() / n**2
    return None if chance == 1 else float((agreed - chance) / (1 - chance))


def ratings(rng):
    def one(size):
        return [rng.integers(1, 9, (size, size)) + np.diag(rng.integers(5, 30, size))]

    worse = rng.integers(0, 4, (2, 2)) + np.array([[0, 12], [15, 0]])
    return {"two raters, two to four labels": [one(2), one(2), one(3), one(4)],
            "worse than chance, and raters who always say the same": [[worse], [np.array([[int(rng.integers(5, 20)), 0], [0, 0]])], one(3)]}


def of_chance(table, chance):
    table = np.asarray(table, float)
    agreed = np.trace(table) / table.sum()
    expected = chance(table / table.sum())
    return None if expected == 1 else (agreed - expected) / (1 - expected)


Z = 1.959964


def wilson(right, n):
    """Wilson's 95 % interval of a share, right of n: (low, high)."""
    p, z2 = right / n, Z * Z
    middle, half = p + z2 / (2 * n), Z * (p * (1 - p) / n + z2 / (4 * n * n)) ** 0.5
    return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def shares(rng):
    def one(n):
        return [int(rng.integers(n // 4, 3 * n // 4 + 1)), int(n)]

    few = [int(n) for n in rng.integers(4, 12, 2)]
    return {"a share in the middle": [one(n) for n in rng.integers(20, 300, 4)],
            "none or all of a few": [[0, few[0]], [few[1], few[1]], one(60), [0, 200]]}


def wald(right, n, z=Z):
    p = right / n
    return p - z * (p * (1 - p) / n) ** 0.5, p + z * (p * (1 - p) / n) ** 0.5


TASKS = [
    Task("subject_consistency", "07", "How alike are the frames of a clip to their neighbour and to the first?", subject_consistency,
         clips, (
        Wrong("Only the neighbours are compared: the cosine with the *first* frame is the other half",
              lambda f: float(series(f)[0].mean())),
        Wrong("Only the first frame is compared: the cosine with the *neighbour* is the other half", lambda f: float(series(f)[1].mean())),
        Wrong("Negative cosines are not cut off: each of the two is max(0, c)", lambda f: float(sum(series(f, cut=False)).mean() / 2)),
        Wrong("The mean is cut off, not each cosine: take max(0, c) before you average",
              lambda f: float(np.maximum(0, sum(series(f, cut=False)) / 2).mean())),
        Wrong("You divide by T; only T - 1 frames have a neighbour before them",
              lambda f: subject_consistency(f) * (len(f) - 1) / len(f)),
        Wrong("You forgot the mean: this is the sum over the frames", lambda f: subject_consistency(f) * (len(f) - 1)),
        Wrong("The half is missing: the two cosines are averaged", lambda f: 2 * subject_consistency(f)),
        Wrong("These are scalar products, not cosines: divide each feature by its length first", raw))),
    Task("kappa", "07", "How far do two raters agree beyond chance?", kappa, ratings, (
        Wrong("This is the plain agreement: take off what chance gives, (agreed - chance) / (1 - chance)",
              lambda t: float(np.trace(np.asarray(t, float)) / np.sum(t))),
        Wrong("Chance is taken as 1 / labels; it follows from how often each rater uses each label",
              lambda t: of_chance(t, lambda p: 1 / len(p))),
        Wrong("Chance is computed from the first rater alone: multiply her share of a label with his",
              lambda t: of_chance(t, lambda p: (p.sum(1) ** 2).sum())),
        Wrong("Chance is computed from the second rater alone: multiply her share of a label with his",
              lambda t: of_chance(t, lambda p: (p.sum(0) ** 2).sum())),
        Wrong("Chance is computed from both raters' mean shares: that is Scott's pi, a cousin of Cohen's kappa",
              lambda t: of_chance(t, lambda p: (((p.sum(0) + p.sum(1)) / 2) ** 2).sum())),
        Wrong("The denominator is missing: divide by 1 - chance, so that perfect raters get 1",
              lambda t: (lambda p: float(np.trace(p) - (p.sum(0) * p.sum(1)).sum()))(np.asarray(t, float) / np.sum(t))))),
    Task("wilson", "07", "Between which shares does the truth lie, when k of n were right?", wilson, shares, (
        Wrong("This is p plus or minus z standard errors (Wald): too narrow for few clips, and of no width for 0 or n of n", wald),
        Wrong("The division by 1 + z^2/n is missing, which pulls the interval towards one half",
              lambda k, n: tuple(x * (1 + Z * Z / n) for x in wilson(k, n))),
        Wrong("This runs in percent; shares from 0 to 1 are asked", lambda k, n: tuple(100 * x for x in wilson(k, n))),
        Wrong("Low and high have changed places", lambda k, n: wilson(k, n)[::-1]))),
]
