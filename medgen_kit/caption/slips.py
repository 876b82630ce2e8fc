"""What the checks look for in one caption. Each function takes a `Row` and gives "" or what is wrong, in words.

The first half compares a caption with its brief form and with the facts, the second with what was seen, heard and measured.
"""

import difflib
import re
from collections import Counter, defaultdict

from .. import knowledge
from .facts import unknown_numbers
from .phrases import BOILERPLATE, CUT, DIAGNOSIS, DISEASE, MOVES, NOT, OPPOSITE, PERSON, QUOTES, STATIC
from .prompts import LIMIT_BRIEF, split_sentences
from .truth import contradictions

LENGTH = (25, 250)                           # words
ENGLISH, ASCII = 0.20, 0.97                  # share of common words; share of plain letters
RUN, TIMES, TWICE = 4, 3, 10                 # a run of 4 words three times, or of 10 words twice, is a loop
COPIED = 8                                   # words in a row as they were spoken
QUOTED = 0.8                                 # likeness of a quotation and the words seen in the picture
ALONE = 0.15                                 # share of a sentence's words that another sample must have
COMMON_WORDS = frozenset("""
a an and are as at be but by for from has have in into is it its no not of on one or that the their there they this to under while with
without which who so than then through out up over seen""".split())
AGREE = ("finding", "motion", "organism")    # axes on which brief and detailed must say the same


def words(text):
    """The words of a text in small letters."""
    return re.findall(r"[A-Za-z0-9'&-]+", text.lower())


def length(row):
    n = len(words(row.detailed))
    return "" if LENGTH[0] <= n <= LENGTH[1] else f"detailed caption has {n} words"


def brief(row):
    n, m = len(words(row.brief)), len(words(row.detailed))
    return "" if 3 <= n <= LIMIT_BRIEF and n < m else f"brief caption has {n} words, detailed {m}"


def on_axes(tags):
    return {tag for tag in tags if tag.split("/")[0] in AGREE}


def adds(row):
    have = set(knowledge.tags(row.detailed))
    new = on_axes(knowledge.tags(row.brief)) - have - set(knowledge.tags(row.detailed, negated=True))
    new = {tag for tag in new if not side_is_there(tag, have)}
    return f"only the brief caption says {', '.join(sorted(new))}" if new else ""


def side_is_there(tag, have):
    """True for a finding with a side when the detailed caption has the finding, on no side, and the side at something else."""
    name, _, side = tag.partition(":")
    elsewhere = any(one.startswith(f"{name}:") for one in have)
    return bool(side) and name in have and not elsewhere and any(one.endswith(f":{side}") for one in have)


def sides(row):
    one, two = (sided(knowledge.tags(text)) for text in (row.brief, row.detailed))
    for tag in one.keys() & two.keys():
        if not one[tag] & two[tag]:
            return f"{tag} is {'/'.join(sorted(one[tag]))} in the brief caption and {'/'.join(sorted(two[tag]))} in the detailed one"
    return ""


def sided(tags, axes=("finding", "device")):
    """{tag: its sides} of the tags that have one."""
    found = defaultdict(set)
    for tag in tags:
        if ":" in tag and tag.split("/")[0] in axes:
            found[tag.split(":")[0]].add(tag.split(":")[1])
    return found


def negation(row):
    brief, detailed = [[set(knowledge.tags(text, negated=n)) for n in (False, True)] for text in (row.brief, row.detailed)]
    clash = (on_axes(brief[0]) & detailed[1]) | (on_axes(brief[1]) & detailed[0])
    return f"one caption says {', '.join(sorted(clash))}, the other denies it" if clash else ""


def facts(row):
    wrong = contradictions(row.detailed, row.facts.factors) + contradictions(row.brief, row.facts.factors)
    return "; ".join(dict.fromkeys(wrong))


def both(row):
    return f"{row.brief} {row.detailed}"


def boilerplate(row):
    found = BOILERPLATE.search(both(row))
    return f"says '{found[0].strip()}'" if found else ""


def diagnosis(row):
    found = DIAGNOSIS.search(both(row))
    return f"claims '{found[0]}'" if found else ""


def person(row):
    found = PERSON.search(both(row))
    return f"names '{found[0]}'" if found else ""


def numbers(row):
    made_up = unknown_numbers(both(row), row.facts)
    return f"the number {made_up[0]} is in no fact" if made_up else ""


def language(row):
    found, plain = words(both(row)), sum(ord(c) < 128 for c in both(row)) / max(1, len(both(row)))
    share = sum(word in COMMON_WORDS for word in found) / max(1, len(found))
    return "" if share >= ENGLISH and plain >= ASCII else f"{share:.0%} common English words, {plain:.0%} plain letters"


def concept(row):
    return "" if knowledge.tags(row.detailed) or not row.facts.factors else "names no medical concept"


def runs(found, size):
    """All runs of `size` words of a list of words."""
    return [tuple(found[i:i + size]) for i in range(len(found) - size + 1)]


def loops(row):
    found = words(row.detailed)
    for size, times in ((RUN, TIMES), (TWICE, 2)):
        run, count = Counter(runs(found, size)).most_common(1)[0] if len(found) >= size else ((), 0)
        if count >= times:
            return f"says '{' '.join(run)}' {count} times"
    return ""


def quoted(row):
    seen = words(row.facts.text_seen)
    for found in QUOTES.finditer(row.detailed + " " + row.brief):
        quote = words(next(filter(None, found.groups())))
        figures = {word for word in quote if word[0].isdigit()}
        if quote and (likeness(quote, seen) < QUOTED or figures - set(seen)):
            return f"quotes '{' '.join(quote)}', which was not read in the picture"
    return ""


def likeness(quote, seen):
    """How alike a quotation is to the best run of as many words seen, 0 to 1."""
    said = "".join(quote)
    near = (seen[i:i + size] for size in range(max(1, len(quote) - 1), len(quote) + 2) for i in range(len(seen) - size + 1))
    return max((difflib.SequenceMatcher(None, said, "".join(one), False).ratio() for one in near), default=0.0)


def camera(row):
    measured = row.facts.camera
    for text in (row.detailed, row.brief):
        still, moves = camera_said(text)
        if measured in ("static shot", "still image") and moves:
            return f"says '{moves[0][1]}', measured is a {measured}"
        if measured.split(" ")[0] in ("pan", "tilt", "zoom", "dolly", "handheld") and still:
            return f"says '{still}', measured is '{measured}'"
        for name, said in moves:
            kind, way = name.split(" ")
            if measured == f"{kind} {OPPOSITE[way]}":
                return f"says '{said}', measured is '{measured}'"
    return ""


def camera_said(text):
    """(words that call the camera still or "", [(measured name, words) for every motion of it]); what is denied is left out."""
    still = next((found[0] for found in STATIC.finditer(text)), "")
    said = [(kind, found) for kind, rule in MOVES for found in rule.finditer(text)
            if not NOT.search(text[:found.start()]) and not NOT.search(found[0])]
    return still, [(f"{kind} {next(filter(None, found.groups()), 'out').lower()}", found[0]) for kind, found in said]


def cut(row):
    found = next((found for found in CUT.finditer(row.detailed) if not NOT.search(row.detailed[:found.start()])), None)
    return f"says '{found[0].strip(' .;')}', but the clip is one shot" if found else ""


def copied(row):
    spoken = set(runs(words(row.facts.transcript), COPIED))
    found = next((run for run in runs(words(row.detailed), COPIED) if run in spoken), None)
    return f"repeats what was spoken: '{' '.join(found)}'" if found else ""


def source(row):
    """A side of an organ or finding, or a disease, that nobody named. Where the factors are known, `facts` looks at both."""
    if row.facts.factors:
        return ""
    heard = {stem(word) for word in words(f"{row.facts.claims()} {row.facts.given}")}
    told = " ".join(sentence for sentence in split_sentences(row.detailed) if not re.search(r"\b(?:no|not|without)\b", sentence, re.I))
    for tag, said in sided(knowledge.tags(told), ("anatomy", "finding")).items():
        if len(said) == 1 and not said & heard:
            return f"{tag} is {'/'.join(said)}, which nobody said"
    for found in DISEASE.finditer(row.detailed):
        if stem(words(found[0])[0]) not in heard and not NOT.search(row.detailed[:found.start()]):
            return f"claims '{found[0]}', which nobody said"
    return ""


def stem(word):
    """The first six letters: near enough to tell "tumour" in "tumours"."""
    return word[:6]


def alone(row):
    """A sentence that at least two other samples of the same caption do not have."""
    others = [{stem(word) for word in words(text)} for text in row.samples]
    for sentence in split_sentences(row.detailed) if len(others) > 1 else ():
        own = {stem(word) for word in words(sentence) if word not in COMMON_WORDS}
        if own and sum(len(own & other) < ALONE * len(own) for other in others) > 1:
            return f"only one of {len(others) + 1} samples says '{sentence[:60]}'"
    return ""
