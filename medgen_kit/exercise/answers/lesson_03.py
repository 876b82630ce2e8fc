"""Lesson 03: is a concept present, absent or not named; and what captions cost at a server."""

import re

from ..task import Task, Wrong

CUES = ("no", "without")


def status(text, concept):
    """ "present", "absent" or "silent": a cue (no, without) reaches to the end of its clause (full stop, semicolon, but)."""
    verdicts = []
    for clause in re.split(r"[.;]|\bbut\b", text.lower()):
        denied = False
        for word in re.findall(r"[a-z-]+", clause):
            denied = denied or word in CUES
            if word == concept:
                verdicts.append(denied)
    return "silent" if not verdicts else "absent" if all(verdicts) else "present"


ORGANS, FINDINGS = ("colon", "stomach", "liver", "lung"), ("polyp", "ulcer", "cyst", "abscess", "nodule", "stent")


def sentences(rng):
    def draw():
        a, b, c = map(str, rng.choice(FINDINGS, 3, replace=False))
        return a, b, c, str(rng.choice(ORGANS))

    plain, clauses, tricky = [], [], []
    for _ in range(3):
        a, b, c, organ = draw()
        plain += [[f"There is no {a} in the {organ}.", a], [f"A {a} in the {organ}.", a], [f"The {organ} without {b} or {a}.", a],
                  [f"A {b} in the {organ}.", c]]
        clauses += [[f"No {a}, but there is a {b} in the {organ}.", b], [f"No {a}; a {c} in the {organ}.", c],
                    [f"A {a} of the {organ}, no {b}.", a], [f"No {b}. The {organ} holds a {a}.", a], [f"No {a}, {b} or {c}.", c]]
        tricky += [[f"A {a}otomy was done in the {organ}.", a], [f"No {a} at first. Later a {a} in the {organ}.", a],
                   [f"NO {a.upper()} in the {organ}.", a], [f"A notable {b} with normal edges.", b]]
    return {"one short clause": plain, "several clauses": plain[:3] + clauses, "parts of words, capitals, two mentions": plain[:3] + tricky}


def anywhere(text, concept):
    words = re.findall(r"[a-z-]+", text.lower())
    return "silent" if concept not in words else "absent" if set(CUES) & set(words) else "present"


def unread(text, concept):
    return "present" if concept in re.findall(r"[a-z-]+", text.lower()) else "silent"


def to_the_end(text, concept):
    before = re.split(rf"\b{concept}\b", text.lower())[0]
    found = re.search(rf"\b{concept}\b", text.lower())
    return "silent" if not found else "absent" if set(CUES) & set(re.findall(r"[a-z-]+", before)) else "present"


def part_of_word(text, concept):
    clauses = [clause for clause in re.split(r"[.;]|\bbut\b", text.lower()) if concept in clause]
    denied = [bool(set(CUES) & set(re.findall(r"[a-z-]+", clause.split(concept)[0]))) for clause in clauses]
    return "silent" if not denied else "absent" if all(denied) else "present"


def price(detailed, brief, frame_tokens, price_in, price_out):
    """What captions cost: request 1 reads 8 frames and writes the detailed caption, request 2 reads that and writes the brief one."""
    long, short = (sum(len(text.split()) for text in texts) * 4 / 3 for texts in (detailed, brief))
    return ((8 * frame_tokens * len(detailed) + long) * price_in + (long + short) * price_out) / 1e6


def bills(rng):
    words = ("the", "endoscope", "advances", "in", "colon", "under", "white", "light", "a", "polyp", "wall", "left")

    def text(low, high):
        return " ".join(map(str, rng.choice(words, int(rng.integers(low, high)))))

    def one(count):
        price_in = round(float(rng.uniform(0.5, 4)), 2)
        return [[text(30, 90) for _ in range(count)], [text(5, 15) for _ in range(count)], int(rng.integers(85, 700)), price_in,
                round(price_in * float(rng.uniform(2, 5)), 2)]

    free = one(2)
    return {"several clips": [one(int(rng.integers(3, 8))) for _ in range(4)], "no clip, or free input":
            [[[], [], 255, 2.5, 10.0], [*free[:3], 0.0, free[4]], one(1)]}


def bill(frames=8, token=4 / 3, reread=True, twice=False, million=1e6, other_way=False):
    """The price with one part of it done otherwise."""
    def wrong(detailed, brief, frame_tokens, price_in, price_out):
        long, short = (sum(len(text.split()) for text in texts) * token for texts in (detailed, brief))
        if other_way:
            price_in, price_out = price_out, price_in
        read = frames * frame_tokens * len(detailed) * (1 + twice) + reread * long
        return (read * price_in + (long + short) * price_out) / million
    return wrong


TASKS = [
    Task("status", "03", "Does a text say that a concept is present or absent, or nothing?", status, sentences, (
        Wrong("Negation is not read: a cue (no, without) before the concept in its clause makes it absent", unread),
        Wrong("A cue anywhere in the text counts here: it reaches only to the words after it, up to the end of its clause", anywhere),
        Wrong("A cue reaches to the end of the text here: it ends with its clause, at a full stop, a semicolon or `but`", to_the_end),
        Wrong("Parts of words count here: `cyst` is not named by `cystotomy`. Compare whole words", part_of_word))),
    Task("price", "03", "What do the two captions of each clip cost at a server?", price, bills, (
        Wrong("The second request is not free to read: it reads the detailed caption, at the price for input", bill(reread=False)),
        Wrong("Words are counted as tokens: a word is about 4/3 tokens", bill(token=1)),
        Wrong("One frame is counted: the model reads 8 frames of each clip", bill(frames=1)),
        Wrong("The frames are paid twice: the second request reads the detailed caption alone", bill(twice=True)),
        Wrong("The prices are for a million tokens: divide by 1,000,000", bill(million=1)),
        Wrong("The prices for input and output have changed places", bill(other_way=True)),
        Wrong("A token is taken for 4/3 words; it is the other way round: 3 words are about 4 tokens", bill(token=3 / 4)))),
]
