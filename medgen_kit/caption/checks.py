"""Fourteen checks on captions: what each looks at, its threshold and why. A caption that fails one is written again, once."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from .. import knowledge
from .facts import Facts, unknown_numbers
from .truth import contradictions

LENGTH, BRIEF_LIMIT = (25, 250), 30          # words
GRAM, COMMON, SMELL = 6, 0.05, 0.25          # words in a run; share of the set that has it; share of a caption made of such runs
SHARED = 0.01                                # share of the set that may have one caption
ENGLISH, ASCII = 0.20, 0.97                  # share of common words; share of plain letters
COMMON_WORDS = frozenset("""
a an and are as at be but by for from has have in into is it its no not of on one or that the their there they this to under while with
without which who so than then through out up over seen""".split())
BOILERPLATE = re.compile(
    r"\b(the|this|these) (image|images|frame|frames) (show|shows|depict|depicts)\b|\b(video )?frame \d|\bas an ai\b"
    r"|\bi (can|cannot|can't|am|see|think)\b|\bwe (can|see)\b|\bi'm\b|\bsorry\b|\bin this video\b|\bunable to\b|^here is\b"
    r"|\bsure[,!]|\blanguage model\b", re.I)
DIAGNOSIS = re.compile(
    r"\bdiagnos\w+|\bthe patient (has|suffers|is ill|will)\b|\bprognosis\b|\bconfirms? (the|a) (disease|cancer|tumou?r)\b"
    r"|\bshould be (treated|operated)\b"
    r"|\btreatment is (needed|recommended)\b|\b(is|are) malignant\b|\bhas cancer\b", re.I)
PERSON = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|Professor)\.? [A-Z][a-z]+|\bMRN\b"
                    r"|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b(?:19|20)\d\d-\d\d-\d\d\b")
AGREE = ("finding", "motion", "organism")    # axes on which brief and detailed must say the same


@dataclass
class Row:
    """One clip's captions with its facts."""

    facts: Facts
    brief: str
    detailed: str


@dataclass(frozen=True)
class Check:
    """name, threshold and reason in words; `look(row)` gives "" or what is wrong; `look_at_set(rows)` gives {row number: what is wrong}."""

    name: str
    threshold: str
    why: str
    look: object = None
    look_at_set: object = None


def words(text):
    return re.findall(r"[A-Za-z0-9'&-]+", text.lower())


def _length(row):
    n = len(words(row.detailed))
    return "" if LENGTH[0] <= n <= LENGTH[1] else f"detailed caption has {n} words"


def _brief(row):
    n, m = len(words(row.brief)), len(words(row.detailed))
    return "" if 3 <= n <= BRIEF_LIMIT and n < m else f"brief caption has {n} words, detailed {m}"


def _on_axes(tags):
    return {tag for tag in tags if tag.split("/")[0] in AGREE}


def _adds(row):
    new = _on_axes(knowledge.tags(row.brief)) - set(knowledge.tags(row.detailed)) - set(knowledge.tags(row.detailed, negated=True))
    return f"only the brief caption says {', '.join(sorted(new))}" if new else ""


def _sides(row):
    one, two = (_sided(knowledge.tags(text)) for text in (row.brief, row.detailed))
    for tag in one.keys() & two.keys():
        if not one[tag] & two[tag]:
            return f"{tag} is {'/'.join(sorted(one[tag]))} in the brief caption and {'/'.join(sorted(two[tag]))} in the detailed one"
    return ""


def _sided(tags):
    sides = defaultdict(set)
    for tag in tags:
        if ":" in tag and tag.split("/")[0] in ("finding", "device"):
            sides[tag.split(":")[0]].add(tag.split(":")[1])
    return sides


def _negation(row):
    brief, detailed = [[set(knowledge.tags(text, negated=n)) for n in (False, True)] for text in (row.brief, row.detailed)]
    clash = (_on_axes(brief[0]) & detailed[1]) | (_on_axes(brief[1]) & detailed[0])
    return f"one caption says {', '.join(sorted(clash))}, the other denies it" if clash else ""


def _facts(row):
    wrong = contradictions(row.detailed, row.facts.factors) + contradictions(row.brief, row.facts.factors)
    return "; ".join(dict.fromkeys(wrong))


def _boilerplate(row):
    found = BOILERPLATE.search(f"{row.brief} {row.detailed}")
    return f"says '{found[0]}'" if found else ""


def _diagnosis(row):
    found = DIAGNOSIS.search(f"{row.brief} {row.detailed}")
    return f"claims '{found[0]}'" if found else ""


def _person(row):
    found = PERSON.search(f"{row.brief} {row.detailed}")
    return f"names '{found[0]}'" if found else ""


def _numbers(row):
    made_up = unknown_numbers(f"{row.brief} {row.detailed}", row.facts)
    return f"the number {made_up[0]} is in no fact" if made_up else ""


def _language(row):
    text = f"{row.brief} {row.detailed}"
    found, plain = words(text), sum(ord(c) < 128 for c in text) / max(1, len(text))
    share = sum(word in COMMON_WORDS for word in found) / max(1, len(found))
    return "" if share >= ENGLISH and plain >= ASCII else f"{share:.0%} common English words, {plain:.0%} plain letters"


def _concept(row):
    if knowledge.tags(row.detailed) or not row.facts.factors:
        return ""
    return "names no medical concept"


def _repeated(rows):
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


def _smell(rows):
    grams = [{tuple(w[i:i + GRAM]) for i in range(len(w) - GRAM + 1)} for w in (words(row.detailed) for row in rows)]
    counts = Counter(gram for run in grams for gram in run)
    limit = max(5, COMMON * len(rows))
    shares = [sum(counts[gram] > limit for gram in run) / max(1, len(run)) for run in grams]
    return {i: f"{share:.0%} of its runs of {GRAM} words are common in the set" for i, share in enumerate(shares) if share > SMELL}


CHECKS = (
    Check("length", f"detailed caption of {LENGTH[0]} to {LENGTH[1]} words",
          "too short says nothing, too long was padded or never stopped", _length),
    Check("brief", f"at most {BRIEF_LIMIT} words and shorter than the detailed one",
          "a prompt of a user is brief", _brief),
    Check("adds nothing", "findings and motion of the brief caption stand in the detailed one",
          "the brief caption is a summary of the detailed one", _adds),
    Check("sides", "no finding or device changes side",
          "left and right are the commonest serious slip", _sides),
    Check("negation", "nothing is said in one caption and denied in the other",
          "'no polyp' must stay 'no polyp'", _negation),
    Check("facts", "no other value than the true one is named",
          "the caption must not contradict what is known", _facts),
    Check("boilerplate", "no 'the image shows', no 'frame 1', no first person",
          "traces of the model that wrote it", _boilerplate),
    Check("diagnosis", "no diagnosis, prognosis or advice",
          "pictures alone, and synthetic ones, support none", _diagnosis),
    Check("person", "no person's name, date or record number",
          "privacy", _person),
    Check("numbers", "every number is in the facts",
          "invented doses, rates and sizes look like knowledge", _numbers),
    Check("language", f"at least {ENGLISH:.0%} common English words and {ASCII:.0%} plain letters",
          "wrong language or broken characters", _language),
    Check("concept", "at least one medical concept, where the content is known",
          "a caption without one teaches the model nothing medical", _concept),
    Check("repeated", f"no caption for two contents, none for more than {SHARED:.0%} of the set",
          "the model would learn one text for different pictures", None, _repeated),
    Check("template", f"at most {SMELL:.0%} of a caption's runs of {GRAM} words occur in more than {COMMON:.0%} of the set",
          "a set written from one mould teaches the mould", None, _smell),
)


def check(rows):
    """What is wrong with each caption of a set: list (one per Row) of {check name: what is wrong}; an empty dict is a good caption."""
    found = [{c.name: said for c in CHECKS if c.look and (said := c.look(row))} for row in rows]
    for c in CHECKS:
        for number, said in (c.look_at_set(rows) if c.look_at_set else {}).items():
            found[number][c.name] = said
    return found
