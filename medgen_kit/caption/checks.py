"""Twenty-one checks on captions: what each looks at, its threshold and why. What each is worth is measured in `planted.py`.

A starred check stands for something that is wrong for certain. A caption with a starred flag, or with more than two flags of any kind,
is written again once and then goes to a person (`must_be_rewritten`); one or two other flags are kept beside the caption as a hint.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from . import slips
from .facts import Facts
from .prompts import LIMIT_BRIEF
from .slips import ASCII, COPIED, ENGLISH, LENGTH, RUN, TIMES, runs, words

GRAM, COMMON, SMELL = 6, 0.05, 0.25          # words in a run; share of the set that has it; share of a caption made of such runs
SHARED = 0.01                                # share of the set that may have one caption
HINTS = 2                                    # flags without a star that a caption may have


@dataclass
class Row:
    """One clip's captions with its facts. samples: further detailed captions by the same captioner, for the check "alone"."""

    facts: Facts
    brief: str
    detailed: str
    samples: tuple = ()


@dataclass(frozen=True)
class Check:
    """name, threshold and reason in words; `look(row)` gives "" or what is wrong; `look_at_set(rows)` gives {row number: what is wrong}.

    starred: one flag of it is enough to write the caption again.
    """

    name: str
    threshold: str
    why: str
    look: object = None
    look_at_set: object = None
    starred: bool = False


def repeated(rows):
    seen, wrong = defaultdict(list), {}
    for number, row in enumerate(rows):
        seen[" ".join(words(row.detailed))].append(number)
    for numbers in seen.values():
        first = rows[numbers[0]].facts
        for order, number in enumerate(numbers[1:], 1):
            if rows[number].facts.factors != first.factors or not first.factors and rows[number].facts.source != first.source:
                wrong[number] = f"same detailed caption as clip {first.clip_id}, which shows something else"
            elif order >= max(5, SHARED * len(rows)):
                wrong[number] = f"{len(numbers)} clips share this detailed caption"
    return wrong


def smell(rows):
    grams = [set(runs(words(row.detailed), GRAM)) for row in rows]
    counts = Counter(gram for run in grams for gram in run)
    limit = max(5, COMMON * len(rows))
    shares = [sum(counts[gram] > limit for gram in run) / max(1, len(run)) for run in grams]
    return {i: f"{share:.0%} of its runs of {GRAM} words are common in the set" for i, share in enumerate(shares) if share > SMELL}


CHECKS = (
    Check("length", f"detailed caption of {LENGTH[0]} to {LENGTH[1]} words",
          "too short says nothing, too long was padded or never stopped", slips.length),
    Check("brief", f"at most {LIMIT_BRIEF} words and shorter than the detailed one",
          "a prompt of a user is brief", slips.brief, starred=True),
    Check("adds nothing", "findings and motion of the brief caption stand in the detailed one",
          "the brief caption is a summary of the detailed one", slips.adds, starred=True),
    Check("sides", "no finding or device changes side",
          "left and right are the commonest serious slip", slips.sides, starred=True),
    Check("negation", "nothing is said in one caption and denied in the other",
          "'no polyp' must stay 'no polyp'", slips.negation, starred=True),
    Check("facts", "no other value than the true one is named",
          "the caption must not contradict what is known", slips.facts, starred=True),
    Check("boilerplate", "no 'the image shows', no 'frame 1', no first person",
          "traces of the model that wrote it", slips.boilerplate, starred=True),
    Check("diagnosis", "no diagnosis, prognosis or advice",
          "pictures alone, and synthetic ones, support none", slips.diagnosis, starred=True),
    Check("person", "no person's name, date or record number",
          "privacy", slips.person, starred=True),
    Check("numbers", "every number, also a spelled one with a unit, is in the facts",
          "invented doses, rates and sizes look like knowledge", slips.numbers, starred=True),
    Check("language", f"at least {ENGLISH:.0%} common English words and {ASCII:.0%} plain letters",
          "wrong language or broken characters", slips.language, starred=True),
    Check("concept", "at least one medical concept, where the content is known",
          "a caption without one teaches the model nothing medical", slips.concept),
    Check("loops", f"no run of {RUN} words {TIMES} times",
          "a model that repeats itself has stopped to look", slips.loops),
    Check("quoted", "quotations were read in the picture (80% alike)",
          "a model likes to invent what a sign says", slips.quoted),
    Check("camera", "no camera motion against the measured one",
          "the motion is what a video model has to learn", slips.camera),
    Check("cut", "no 'cuts to', no 'next scene'",
          "a clip is one shot", slips.cut),
    Check("copied", f"no {COPIED} words in a row as they were spoken",
          "what is heard is not what is seen", slips.copied),
    Check("source", "no side and no disease that nobody named",
          "it cannot be seen for certain in eight frames", slips.source),
    Check("alone", "no sentence that two other samples lack (where samples were drawn)",
          "what is made up is made up differently each time", slips.alone),
    Check("repeated", f"no caption for two contents, none for more than {SHARED:.0%} of the set",
          "the model would learn one text for different pictures", None, repeated, starred=True),
    Check("template", f"at most {SMELL:.0%} of a caption's runs of {GRAM} words occur in more than {COMMON:.0%} of the set",
          "a set written from one mould teaches the mould", None, smell),
)
STARRED = frozenset(one.name for one in CHECKS if one.starred)


def check(rows):
    """What is wrong with each caption of a set: list (one per Row) of {check name: what is wrong}; an empty dict is a good caption."""
    found = [{c.name: said for c in CHECKS if c.look and (said := c.look(row))} for row in rows]
    for c in CHECKS:
        for number, said in (c.look_at_set(rows) if c.look_at_set else {}).items():
            found[number][c.name] = said
    return found


def must_be_rewritten(wrong):
    """True for a caption (an item of `check`) that cannot stay: a starred flag, or more than two flags."""
    return bool(STARRED & wrong.keys()) or len(wrong) > HINTS
