"""Lesson 00: frames of a shot, and which stages of a run are made again."""

from math import floor

from ..task import Task, Wrong


def frames_of_shot(start, stop, count):
    """Centres of `count` equal intervals of the frames start, ..., stop - 1."""
    return [start + floor((k + 0.5) * (stop - start) / count) for k in range(count)]


def shots(rng):
    def some(low, high):
        for _ in range(5):
            yield settled(rng, low, high, (20, 200), (3, 12))

    short = [settled(rng, 5, 90, (2, 5), (6, 10)) for _ in range(3)]
    return {"shots of a film": list(some(5, 400)), "more frames asked than the shot has, or only one":
            short + [[a, b, 1] for a, b, _ in some(5, 60)]}


def settled(rng, low, high, lengths, counts):
    """A shot and a count, none of whose centres is a whole number: there the order of the operations would decide."""
    while True:
        start, length, count = (int(rng.integers(*ends)) for ends in ((low, high), lengths, counts))
        if all((2 * k + 1) * length % (2 * count) for k in range(count)):
            return [start, start + length, count]


def ends(start, stop, count):
    return [start + round(k * (stop - 1 - start) / max(1, count - 1)) for k in range(count)]


def reached(needs, first):
    """Stages that read `first`, directly or through others, after it in the order of the flow."""
    found = [first]
    for stage, sources in needs.items():
        if any(one in found for one in sources):
            found.append(stage)
    return found


def flows(rng):
    names = ["sources", "curate", "caption", "align", "generate", "sample", "evaluate"]

    def one(size, most):
        order = [str(name) for name in names[:size]]
        return {name: sorted(map(str, rng.choice(order[:k], int(rng.integers(1, most + 1)) if k > 1 else 1, replace=False))) if k else []
                for k, name in enumerate(order)}

    chain = {name: names[k - 1:k] if k else [] for k, name in enumerate(names)}
    apart = {"sources": [], "curate": ["sources"], "caption": ["sources"], "align": ["curate"], "evaluate": ["caption", "align"]}
    start = int(rng.integers(1, 4))
    drawn = [[flow, str(rng.choice(list(flow)[:3]))] for flow in (one(7, 2) for _ in range(5))]
    return {"stages that read from each other": [[chain, names[start]], [apart, "curate"], *drawn],
            "a stage that nobody reads, or the first": [[one(6, 2), "sample"], [chain, "evaluate"], [one(7, 2), "sources"], *drawn[:2]]}


TASKS = [
    Task("frames_of_shot", "00", "Which frames of a shot are the centres of equal intervals?", frames_of_shot, shots, (
        Wrong("These frames lie in the whole film: the shot begins at `start`, which must be added",
              lambda a, b, n: [floor((k + 0.5) * (b - a) / n) for k in range(n)]),
        Wrong("These are the left ends of the intervals, not their centres: add one half to k",
              lambda a, b, n: [a + floor(k * (b - a) / n) for k in range(n)]),
        Wrong("You divide `stop` by the count: the shot is only `stop - start` frames long",
              lambda a, b, n: [a + floor((k + 0.5) * b / n) for k in range(n)]),
        Wrong("This takes first and last frame and equal steps between; the centres of equal intervals are asked", ends),
        Wrong("You round to the nearest frame; the formula rounds down (floor)",
              lambda a, b, n: [a + round((k + 0.5) * (b - a) / n) for k in range(n)]),
        Wrong("The number is not cut to a whole one: a frame number is an integer (floor)",
              lambda a, b, n: [a + (k + 0.5) * (b - a) / n for k in range(n)]))),
    Task("made_again", "00", "Which stages of a run are made again when one of them has changed?", reached, flows, (
        Wrong("Only the stages that read the changed one directly are there: those that read *them* are made again too",
              lambda needs, first: [first] + [stage for stage, sources in needs.items() if first in sources]),
        Wrong("The changed stage itself is missing: it is made again first",
              lambda needs, first: reached(needs, first)[1:]),
        Wrong("Every later stage is there; one that reads nothing of the changed stage keeps its result",
              lambda needs, first: list(needs)[list(needs).index(first):]),
        Wrong("These are the stages that the changed one reads; asked are those that read it",
              lambda needs, first: [first, *needs[first]]))),
]
