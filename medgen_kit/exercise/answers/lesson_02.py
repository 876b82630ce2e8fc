"""Lesson 02: near duplicates by their hashes, and a funnel whose first broken rule owns the removal."""

from ..task import Task, Wrong


def near_pairs(hashes, at_most):
    """Pairs (i, j), i < j, whose hashes differ in at most `at_most` bits."""
    return [(i, j) for i in range(len(hashes)) for j in range(i + 1, len(hashes)) if bin(hashes[i] ^ hashes[j]).count("1") <= at_most]


def flipped(rng, code, count):
    """A 48-bit code with `count` of its bits turned over."""
    for bit in rng.choice(48, count, replace=False):
        code ^= 1 << int(bit)
    return code


def hash_sets(rng):
    def one(at_most, apart):
        a, b, c = (int(x) for x in rng.integers(2**40, 2**47, 3))
        low = (a >> 12 << 12) + 2**11                                 # its neighbour low - 1 is one number away and twelve bits
        hashes = [b, b, low, low - 1, c, flipped(rng, c, apart), flipped(rng, c, at_most + 9)]
        return [[hashes[k] for k in map(int, rng.permutation(7))], at_most]

    return {"pairs within a distance": [one(d, d - 2) for d in map(int, rng.integers(4, 8, 4))],
            "pairs exactly at the border, and a border of 0": [one(d, d) for d in map(int, rng.integers(2, 8, 3))] + [one(0, 3)]}


def left_after(clips, rules):
    """How many clips are left after each rule [(field, at least)], in order."""
    left = []
    for field, least in rules:
        clips = [clip for clip in clips if clip[field] >= least]
        left.append(len(clips))
    return left


def tables(rng):
    rules = [["sharpness", 40], ["short_side", 480], ["seconds", 6]]

    def one(at_border):
        clips = [{"sharpness": int(rng.integers(25, 80)), "short_side": int(rng.choice([240, 360, 480, 720, 1080])),
                  "seconds": int(rng.integers(3, 15))} for _ in range(20)]
        for clip in clips[:at_border]:
            clip.update({"sharpness": 40, "seconds": 6})
        if not at_border:
            clips = [clip | {name: clip[name] + (clip[name] == least) for name, least in rules} for clip in clips]
        order = [rules[k] for k in map(int, rng.permutation(3))]
        return [clips, order]

    return {"a table and three rules": [one(0) for _ in range(4)], "clips exactly at a threshold, or no rule":
            [one(5), one(7), [one(0)[0], []]]}


def alone(clips, rules):
    return [sum(clip[field] >= least for clip in clips) for field, least in rules]


def removed(clips, rules):
    left = [len(clips), *left_after(clips, rules)]
    return [a - b for a, b in zip(left, left[1:])]


def above(clips, rules):
    left = []
    for field, least in rules:
        clips = [clip for clip in clips if clip[field] > least]
        left.append(len(clips))
    return left


TASKS = [
    Task("near_pairs", "02", "Which clips are near duplicates, by the Hamming distance of their hashes?", near_pairs, hash_sets, (
        Wrong("This compares with <: a distance of exactly `at_most` bits still counts as near",
              lambda h, d: [pair for pair in near_pairs(h, d) if bin(h[pair[0]] ^ h[pair[1]]).count("1") < d]),
        Wrong("This subtracts the numbers: hashes are compared bit by bit (a ^ b has a 1 where they differ)",
              lambda h, d: [(i, j) for i in range(len(h)) for j in range(i + 1, len(h)) if abs(h[i] - h[j]) <= d]),
        Wrong("Every pair is there twice, as (i, j) and (j, i): keep i < j",
              lambda h, d: [(i, j) for i in range(len(h)) for j in range(len(h)) if i != j and bin(h[i] ^ h[j]).count("1") <= d]),
        Wrong("Each clip is a duplicate of itself here: keep i < j",
              lambda h, d: [(i, j) for i in range(len(h)) for j in range(i, len(h)) if bin(h[i] ^ h[j]).count("1") <= d]),
        Wrong("Only equal hashes are found: up to `at_most` bits may differ", lambda h, d: near_pairs(h, 0)))),
    Task("left_after", "02", "How many clips are left after each rule of a funnel?", left_after, tables, (
        Wrong("Each rule looks at all clips: a clip that an earlier rule removed must not come back", alone),
        Wrong("These are the clips that each rule *removed*; asked is how many are left", removed),
        Wrong("A clip exactly at the threshold is lost: `at least` keeps it (>=)", above),
        Wrong("Only the last number is there: give one number after each rule", lambda c, r: left_after(c, r)[-1:])))
]
