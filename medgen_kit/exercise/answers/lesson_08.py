"""Lesson 08: the interval of paired gains, and Holm's correction."""

import numpy as np

from ..task import Task, Wrong


def gain_interval(before, after, t=None, paired=True, ddof=1, root=True):
    """95 % interval of the mean paired gain, (low, high); the other arguments make it wrong in the usual ways."""
    from scipy.stats import t as student

    before, after = np.asarray(before, float), np.asarray(after, float)
    gain, n = after - before, len(before)
    spread = np.std(gain, ddof=ddof) if paired else np.sqrt(np.var(before, ddof=1) + np.var(after, ddof=1))
    half = (t or student.ppf(0.975, n - 1)) * spread / (np.sqrt(n) if root else 1)
    return float(gain.mean() - half), float(gain.mean() + half)


def seeds(rng):
    def one(n, gain):
        before = rng.uniform(0.3, 0.8, n)
        return [np.round(before, 3), np.round(before + gain + rng.normal(0, 0.04, n), 3)]

    return {"five to ten seeds": [one(int(n), float(g)) for n, g in zip(rng.integers(5, 11, 4), rng.uniform(0, 0.1, 4))],
            "two or three seeds only": [one(2, 0.05), one(3, 0.05), one(3, -0.02)]}


def holm(p):
    """Holm's adjusted p in the order given: the k-th smallest times (m - k + 1), never below an earlier one, at most 1."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[int(place)] = largest
    return adjusted


def tests(rng):
    def row(values):
        return [[round(float(x), 4) for x in rng.permutation(values)]]

    def one(m, high):
        return row([*rng.uniform(0.0005, 0.01, 1), *rng.uniform(0.001, high, m - 1)])

    clear = [row(np.array([0.001, 0.004, 0.012, 0.03]) * rng.uniform(0.5, 1.3)) for _ in range(3)]
    return {"p values far apart": clear, "p values close together (adjusted ones never fall), and large ones":
            [[[0.01, 0.04, 0.03]], row([0.6, 0.9, rng.uniform(0.65, 0.8)]), one(5, 0.05), one(6, 0.9)]}


def unkept(p, cap=1.0):
    adjusted = [0.0] * len(p)
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        adjusted[int(place)] = min(cap, (len(p) - rank) * p[place])
    return adjusted


def uncapped(p):
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, (len(p) - rank) * p[place])
        adjusted[int(place)] = largest
    return adjusted


def hochberg(p):
    order = np.argsort(p, kind="stable")[::-1]
    adjusted, least = [0.0] * len(p), 1.0
    for rank, place in enumerate(order):
        least = min(least, (rank + 1) * p[place])
        adjusted[int(place)] = least
    return adjusted


TASKS = [
    Task("gain_interval", "08", "Between which gains does the truth lie, when each seed was run twice?",
         lambda before, after: gain_interval(before, after), seeds, (
             Wrong("The pairs are torn apart: take the spread of the *differences*, seed by seed",
                   lambda b, a: gain_interval(b, a, paired=False)),
             Wrong("This uses 1.96: with so few seeds the factor comes from the t distribution with n - 1 degrees of freedom",
                   lambda b, a: gain_interval(b, a, t=1.959964)),
             Wrong("This uses 1.96: with so few seeds the factor comes from the t distribution with n - 1 degrees of freedom",
                   lambda b, a: gain_interval(b, a, t=1.96)),
             Wrong("This uses 2: with so few seeds the factor comes from the t distribution with n - 1 degrees of freedom",
                   lambda b, a: gain_interval(b, a, t=2)),
             Wrong("The spread divides by n (numpy's default); a sample's divides by n - 1 (ddof=1)",
                   lambda b, a: gain_interval(b, a, ddof=0)),
             Wrong("The root of n is missing: this is where single seeds lie, and not their mean",
                   lambda b, a: gain_interval(b, a, root=False)),
             Wrong("The sign is wrong: a gain is after minus before", lambda b, a: gain_interval(a, b)))),
    Task("holm", "08", "How large are p values after Holm's correction?", holm, tests, (
        Wrong("This is Bonferroni, m times every p: Holm multiplies the smallest with m, the next with m - 1, and so on",
              lambda p: [min(1.0, len(p) * x) for x in p]),
        Wrong("The adjusted values fall here and there: a larger p must not have a smaller adjusted value (keep the largest so far)",
              unkept),
        Wrong("A p value above 1 is none: cut off at 1", uncapped),
        Wrong("Both cuts are missing: keep the largest value so far, and cut off at 1", lambda p: unkept(p, cap=float("inf"))),
        Wrong("This is Hochberg's correction, from the largest p down; Holm's starts at the smallest", hochberg),
        Wrong("Right values in the order of size: give them back in the order of the input", lambda p: sorted(holm(p))),
        Wrong("The p values are as they were: with m tests the smallest is multiplied with m", lambda p: list(p)))),
]
