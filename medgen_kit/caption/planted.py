"""How good are the checks? Errors of every kind are planted into correct captions, and it is counted which checks notice them.

A check is right when it fires on a caption with an error of its kind, wrong on any other. Captions: those of `hand.py` and of the
template. Phrases for most errors come in two lists: the first was used while the rules were written, the second was written when they
were finished, and no rule was changed for it. One author wrote phrases and rules, so the figures flatter; `held_back=True` flatters least.
"""

import numpy as np

from .. import sources
from . import hand
from .checks import CHECKS, Row, check
from .facts import Facts
from .hand_errors import CAMERA, FINDINGS, OTHER, SENTENCES, UNSOURCED
from .prompts import split_sentences
from .template import Template
from .truth import TELLING, contradictions

LOOPS = (("and the hand moves and the light moves ", "it can be seen again that it can be seen again that ", "from side to side and "),
         ("the picture stays the same while ", "with the same shape and colour as before ", "slowly and steadily and then "))
STRANGE = (("A cup of coffee stands on the window sill.", "Rain beats on a tin roof."),
           ("A small dog runs across the floor.", "Two red balloons drift along the ceiling."))
EMPTY = "It goes on and on, and it is as before from here to there, and then there is more of it for as long as it may be, until it ends."


def insert(text, sentence, rng):
    """The text with a sentence at a random place between its sentences."""
    parts = split_sentences(text)
    place = int(rng.integers(1, len(parts) + 1))
    return " ".join([*parts[:place], sentence, *parts[place:]])


def said(name):
    """A plant that adds one sentence of a list to the detailed caption."""
    def plant(row, rng, late):
        return Row(row.facts, row.brief, insert(row.detailed, str(rng.choice(SENTENCES[name][late])), rng))
    return plant


def length(row, rng, late):
    short = split_sentences(row.detailed)[0]
    return Row(row.facts, "A short view.", short if late else " ".join(short.split()[:12]) + ".")


def brief(row, rng, late):
    return Row(row.facts, " ".join(row.detailed.split()[:45 if late else 60]) + ".", row.detailed)


def adds(row, rng, late):
    return Row(row.facts, row.brief.rstrip(".") + f" with {rng.choice(FINDINGS[late])}.", row.detailed)


def swapped(text):
    return text.replace("left", "\0").replace("right", "left").replace("\0", "right")


def sides(row, rng, late):
    """Only captions with a side that is known: a finding or a device of the simulators."""
    known = any(("left" in value or "right" in value) and key in ("endoscopy.polyp", "ctmr.lesion", "laparoscopy.side")
                for key, value in row.facts.factors.items())
    both = Row(row.facts, row.brief, swapped(row.detailed)) if late else Row(row.facts, swapped(row.brief), row.detailed)
    return both if known else None


def negation(row, rng, late):
    absent = {"endoscopy.polyp": "polyp", "ctmr.lesion": "lesion", "echo.effusion": "pericardial effusion"}
    noun = next((noun for key, noun in absent.items() if row.facts.factors.get(key, "none") != "none"), "")
    words = "There is no {}." if late else "No {} is seen."
    return Row(row.facts, words.format(noun), row.detailed) if noun else None


def facts(row, rng, late):
    """The caption of a clip that differs in one factor."""
    keys = [key for key in row.facts.factors if key in TELLING and len(TELLING[key]) > 1]
    if not keys:
        return None
    key = keys[int(rng.integers(len(keys)))]
    others = [value for value in TELLING[key] if value != row.facts.factors[key]]
    told = Row(row.facts, *sources.describe(row.facts.factors | {key: str(rng.choice(others))}, rng))
    return Row(row.facts, row.brief, told.detailed) if late else told


def language(row, rng, late):
    return Row(row.facts, row.brief, str(rng.choice(OTHER[late])).strip())


def concept(row, rng, late):
    return Row(row.facts, "It goes on until it ends.", EMPTY) if row.facts.factors else None


def loops(row, rng, late):
    times = 4 if late else 8
    return Row(row.facts, row.brief, insert(row.detailed, "It goes " + str(rng.choice(LOOPS[late])) * times + "ends.", rng))


def camera(row, rng, late):
    seen = row.facts.camera
    if seen not in ("static shot", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out"):
        return None
    said = CAMERA["static"][late] if seen == "static shot" else CAMERA["moving"][late] + CAMERA[seen][late]
    return Row(row.facts, row.brief, insert(row.detailed, str(rng.choice(said)), rng))


def copied(row, rng, late):
    words = row.facts.transcript.split()
    return Row(row.facts, row.brief, insert(row.detailed, " ".join(words[-9:] if late else words[:10]).capitalize() + ".", rng)
               ) if len(words) > 10 else None


def unsourced(row, rng, late):
    if row.facts.factors:
        return None
    return Row(row.facts, row.brief, insert(row.detailed, str(rng.choice(UNSOURCED[late])), rng))


def alone(row, rng, late):
    """Three samples of one caption, of which only the first has a certain sentence."""
    parts = split_sentences(row.detailed)
    new = str(rng.choice(STRANGE[late]))
    samples = tuple(" ".join(parts[k] for k in rng.permutation(len(parts))) for _ in range(2))
    return Row(row.facts, row.brief, insert(row.detailed, new, rng), samples)


LOOKS = ({"colours": ["red", "brown"], "bright": "left half", "place": "right half", "pace": "early"},
         {"surround": "black", "contrast": "strong", "place": "whole picture", "pace": "even"},
         {"place": "middle", "returns": True}, {"light": "darker", "pace": "sudden"})
# (name, checks that are right to fire, the first of which must; how it is planted)
PLANTS = (
    ("length", ("length", "brief", "concept"), length), ("brief", ("brief",), brief), ("adds nothing", ("adds nothing",), adds),
    ("sides", ("sides", "facts", "adds nothing"), sides), ("negation", ("negation", "facts", "adds nothing", "length"), negation),
    ("facts", ("facts", "adds nothing", "sides", "negation"), facts), ("boilerplate", ("boilerplate", "numbers"), said("boilerplate")),
    ("diagnosis", ("diagnosis", "source"), said("diagnosis")), ("person", ("person", "numbers"), said("person")),
    ("numbers", ("numbers",), said("numbers")), ("language", ("language", "adds nothing", "concept", "loops", "length", "brief"), language),
    ("concept", ("concept", "adds nothing"), concept), ("loops", ("loops", "length"), loops),
    ("quoted", ("quoted", "numbers"), said("quoted")),
    ("camera", ("camera",), camera), ("cut", ("cut",), said("cut")), ("copied", ("copied",), copied), ("source", ("source",), unsourced),
    ("alone", ("alone",), alone),
)


def clean_rows(seed=0, count=120, held_back=False):
    """Correct captions: all of one part of `hand.py`, and `count` of the template with and without known factors."""
    rng, every, writer = np.random.default_rng((seed, held_back)), sources.combinations(), Template()
    rows = [Row(*one) for one in hand.rows(held_back)]
    for number in range(count):
        factors = every[int(rng.integers(len(every)))] if number % 4 else {}
        camera = "static shot" if factors else str(rng.choice(("static shot", "pan left", "zoom in")))
        known = Facts(f"{number:016x}", "clinical practice", 1.12, 8.0, 64, 64, camera, "calm", "coloured", "medium", factors=dict(factors),
                      source="template", look=LOOKS[number % len(LOOKS)])
        detailed, *others = (writer.detailed(known, None, seed + step) for step in range(3))
        rows.append(Row(known, writer.brief(known, detailed, seed), detailed, tuple(others) if number % 3 == 0 else ()))
    return rows


def planted_rows(rows, seed=0, each=30, held_back=False):
    """`each` captions with every kind of planted error, made from clean rows, half of them hand-written: list of (name, Row)."""
    rng, out = np.random.default_rng((seed, 1, held_back)), []
    byhand = [row for row in rows if row.facts.source == "hand"]
    for name, _, plant in PLANTS:
        made, tried = [], 0
        while len(made) < each and tried < 60 * each:
            pool = byhand if tried % 2 else rows
            tried += 1
            new = plant(pool[int(rng.integers(len(pool)))], rng, int(held_back))
            made += [new] if new else []
        out += [(name, row) for row in made]
    return out


def flag_precision(seed=0, each=30, clean=120, held_back=False):
    """Precision and recall of every check on planted errors: list of dicts check, starred, planted, caught, recall, fired, right,
    precision, clean, false_alarms (fired on a clean caption).

    recall: caught / planted of its own kind. precision: right / fired over all captions, clean and planted alike. None where nothing was
    planted or nothing fired. The two checks that look at whole sets are measured on sets (`set_precision`).
    """
    rows = clean_rows(seed, clean, held_back)
    planted = planted_rows(rows, seed, each, held_back)
    allowed = {name: checks for name, checks, _ in PLANTS}
    quiet = [check([row])[0] for row in rows]
    found = [(name, check([row])[0]) for name, row in planted]
    table = []
    for one in (one for one in CHECKS if one.look):
        own = [wrong for name, wrong in found if allowed[name][0] == one.name]
        caught = sum(one.name in wrong for wrong in own)
        false = sum(one.name in wrong for wrong in quiet)
        fired = false + sum(one.name in wrong for _, wrong in found)
        right = sum(one.name in wrong and one.name in allowed[name] for name, wrong in found)
        table.append({"check": one.name, "starred": one.starred, "planted": len(own), "caught": caught, "recall": share(caught, len(own)),
                      "fired": fired, "right": right, "precision": share(right, fired), "clean": len(rows), "false_alarms": false})
    return table + set_precision(seed, clean)


def share(part, whole):
    return round(part / whole, 4) if whole else None


def set_precision(seed=0, count=120):
    """The rows of `flag_precision` for "repeated" and "template": one clean set, one with copies, one written from a mould."""
    rows = [row for row in clean_rows(seed, 2 * count) if row.facts.factors]
    text = rows[0].detailed
    copies = [Row(row.facts, row.brief, text) if number % 4 == 1 and contradictions(text, row.facts.factors) else row
              for number, row in enumerate(rows)]
    mould = "This is a medical clip of the {}, in which one can follow how it moves to the {} without any break or change for a while."
    moulded = [Row(row.facts, row.brief, mould.format(organ, side)) if number % 3 == 0 else row for number, (row, organ, side) in
               enumerate(zip(rows, ("heart", "lung", "liver", "brain") * len(rows), ("left", "right", "top") * len(rows)))]
    table = []
    for name, wrong_rows in (("repeated", copies), ("template", moulded)):
        is_wrong = [new is not old for new, old in zip(wrong_rows, rows)]
        false = sum(name in wrong for wrong in check(rows))
        found = [name in wrong for wrong in check(wrong_rows)]
        caught, fired = sum(f and w for f, w in zip(found, is_wrong)), sum(found) + false
        starred = next(one.starred for one in CHECKS if one.name == name)
        table.append({"check": name, "starred": starred, "planted": sum(is_wrong), "caught": caught, "recall": share(caught, sum(is_wrong)),
                      "fired": fired, "right": caught, "precision": share(caught, fired), "clean": len(rows), "false_alarms": false})
    return table
