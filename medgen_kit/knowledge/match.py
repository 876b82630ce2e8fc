"""The matcher: longest phrase first over one trie, then negation and laterality inside the clause.

It works on letters, one for each word (letters.py): `find` and `tags` differ only in what they make of the spans that `_read` finds.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from . import motion
from .letters import letter, spelled, with_article
from .phrases import concepts, one_of, reader, scan
from .snomed import Concept
from .words import phrase, tokens

__all__ = ["Match", "Span", "absent_words", "concepts", "find", "tag_many", "tags"]


def _set(words):
    """The letters of words as they stand."""
    return frozenset(map(letter, words.split()))


def _phrases(*said):
    """A pattern of phrases as letters; where several begin at one place, the first of the list counts."""
    return re.compile("|".join(spelled(phrase(one)) for one in said))


STOPS, MARKS, SENTENCE_END = frozenset(".;:!?"), frozenset(".;:!?,()"), re.compile("[.!?]")
CUES = _phrases(
    "no", "not", "without", "absence of", "absent", "free of", "free from", "negative for", "never", "nor", "neither", "lacks",
    "lack of", "denies", "rules out", "ruled out", "excludes", "excluded", "instead of", "missing")
FALSE_CUES = _phrases(
    "no change", "no increase", "no decrease", "no difference", "no longer", "no brighter", "no doubt", "not only", "not excluded",
    "without difficulty", "without delay", "without complication", "not exclude", "cannot be excluded", "no further")
AFTER = _phrases(
    "not seen", "not visible", "not present", "not detected", "not found", "not identified", "not demonstrated", "not evident",
    "is absent", "are absent", "was absent", "were absent", "ruled out", "was excluded", "were excluded", "not shown",
    "cannot be seen", "no longer visible", "no longer seen")
ENDS = _set("""
but however although though while as whereas because so since which who that with in on at during through under after before from by
behind over into inside along near until unless despite except besides apart yet then
""")
CLAUSE_ENDS = STOPS | ENDS | frozenset("()")
AND_ENDS = _set("no there normal is be was it they he she this these with clear")
NEVER_ABSENT = frozenset(("anatomy", "modality"))          # 'no lesion of the liver' says nothing against the liver
SCOPE = 9                                                    # words that one "no" reaches, at most
SIDED = frozenset(("anatomy", "finding", "device"))
SIDES = {letter(word): side for word, side in {
    "left": "left", "right": "right", "bilateral": "bilateral", "both": "bilateral", "bilaterally": "bilateral"}.items()}
SIDE_WORD = re.compile(one_of(SIDES))
PLACE = _set("in on of at from to toward within near along through into over side by")
AND, OR, NOR, NO, BUT, WITH, BOTH, SIDE = map(letter, "and or nor no but with both side".split())
LIST_ENDS = STOPS | ENDS | {NO, AND}
BETWEEN = PLACE | ENDS | {AND, OR} | MARKS
APART = MARKS | {AND, OR, BUT, WITH}
_first = attrgetter("first")


def _sided(tag, side, negated):
    """The tag, and the tag with its side. An absent concept with a side is absent on that side only."""
    if not side:
        return [tag]
    named = [f"{tag}:{one}" for one in (("left", "right") if side == "bilateral" else (side,))]
    return named if negated else [tag, *named]


@dataclass(slots=True)
class Span:
    """A concept at the words first to last - 1 of a text; negated and side as in `Match`."""

    first: int
    last: int
    concept: Concept
    negated: bool
    side: str = ""

    @property
    def tags(self):
        return _sided(self.concept.tag, self.side, self.negated)


@dataclass
class Match:
    """One concept found in a text.

    start, end: character places of `text`. negated: the text says it is absent. side: "", "left", "right" or "bilateral".
    """

    code: str
    scheme: str
    meaning: str
    axis: str
    start: int
    end: int
    text: str
    negated: bool = False
    side: str = ""
    first: int = 0           # number of its first word and of the word after its last
    last: int = 0

    @property
    def tag(self):
        return f"{self.axis}/{self.meaning}"

    @property
    def tags(self):
        """The tag, and the tag with its side. An absent concept with a side is absent on that side only."""
        return _sided(self.tag, self.side, self.negated)


def _list_goes_on(text, comma):
    """After a comma a list of absent things goes on when an 'or' is still to come: 'no mass, cyst or nodule'."""
    since = 0
    for word in text[comma + 1:comma + 12]:
        if word in (OR, NOR):
            return True
        since = 0 if word == "," else since + 1
        if word in LIST_ENDS or since > 3:
            return False
    return False


def absent_words(text, marked):
    """Set of word numbers that lie in the scope of a negation. text, marked: the two strings of `Speller.spell`."""
    inside = set()
    for found in AFTER.finditer(text):
        j = found.start() - 1
        while j >= max(0, found.start() - SCOPE) and text[j] not in STOPS and text[j] not in (",", BUT, AND):
            inside.add(j)
            j -= 1
    for found in CUES.finditer(text):
        if FALSE_CUES.match(text, found.start()):
            continue
        for j in range(found.end(), min(len(text), found.start() + SCOPE + 1)):
            word = text[j]
            if word in CLAUSE_ENDS:
                break
            if word == "," and not _list_goes_on(text, j):
                break
            if word == AND and (text[j + 1:j + 2] in AND_ENDS or j + 1 in with_article(marked)):
                break
            inside.add(j)
    return inside


def _ahead(text, spans, after, p):
    """The span that a side word at p stands before, at most two words off, or None. after: number of the first span behind p."""
    for span in spans[after:after + 3]:
        if span.first - p > 3:
            return None
        if span.concept.axis in SIDED and BETWEEN.isdisjoint(text[p + 1:span.first]):
            return span
    return None


def _behind(text, spans, after, p):
    """The finding or device without a side, at most eight words before a side word at p, whose place it tells, or None."""
    for number in range(after - 1, -1, -1):
        span = spans[number]
        if p - span.last > 8:
            return None
        if span.concept.axis in ("finding", "device") and not span.side:
            gap = text[span.last:p]
            return None if PLACE.isdisjoint(gap) or not APART.isdisjoint(gap) else span
    return None


def _give_sides(text, spans):
    """Laterality: 'left lung' to the anatomy; 'polyp on the left wall', 'nodule in the left lung' to the finding as well."""
    for found in SIDE_WORD.finditer(text):
        p = found.start()
        word, after = text[p], bisect_right(spans, p, key=_first)
        if (after and spans[after - 1].last > p) or (word == BOTH and text[p + 1:p + 2] == SIDE):
            continue
        ahead = _ahead(text, spans, after, p)
        if ahead is not None:
            ahead.side = SIDES[word]
        if word != BOTH and (ahead is None or ahead.concept.axis == "anatomy"):
            behind = _behind(text, spans, after, p)
            if behind is not None:
                behind.side = SIDES[word]


def _in_sentence(text, span, axis, spans):
    """True when the sentence of `span` holds a concept of the axis."""
    before, end = max(text.rfind(mark, 0, span.first) for mark in ".!?"), SENTENCE_END.search(text, span.first)
    after = end.start() if end else len(text)
    return any(before < other.first < after and other.concept.axis == axis for other in spans)


def _read(text, marked):
    """The spans of a text, in order. text, marked: the two strings of `Speller.spell`."""
    absent = absent_words(text, marked)
    found = [Span(i, j, concept, gone or i in absent) for i, j, concept, gone in scan(text)]
    spans = [s for s in found if (needed := motion.NEEDS.get(s.concept.tag)) is None or _in_sentence(text, s, needed, found)]
    for s in spans:
        if s.negated and s.concept.axis in NEVER_ABSENT:
            s.negated = s.concept.axis != "modality" and not any(
                o.negated and o.concept.axis not in NEVER_ABSENT and abs(o.first - s.first) <= SCOPE for o in spans)
    _give_sides(text, spans)
    return spans


def find(text):
    """All concepts of a text, in order: list of Match. Longest match first; negation and side are read from the clause.

    >>> [(m.tag, m.negated) for m in find("No pericardial effusion.")]
    [('finding/pericardial effusion', True)]
    """
    _, starts, ends, _ = tokens(text)
    places = [(s, s.concept, starts[s.first], ends[s.last - 1]) for s in _read(*reader()[-1].spell(text))]
    return [Match(c.code, c.scheme, c.meaning, c.axis, start, end, text[start:end], s.negated, s.side, s.first, s.last)
            for s, c, start, end in places]


def _said(text):
    """(present, absent): sorted tags of a text. What it names as present somewhere is not absent."""
    present, absent = set(), set()
    for span in _read(*reader()[-1].spell(text)):
        (absent if span.negated else present).update(span.tags)
    return tuple(sorted(present)), tuple(sorted(absent - present))


_tags = lru_cache(maxsize=20_000)(_said)


def tags(caption, negated=False):
    """Sorted tags "axis/meaning" (with ":left" or ":right" beside it where the text says so) that a caption names as present.

    negated=True: only those that it says are absent.
    >>> tags("A polyp on the left wall, no bleeding.")
    ['finding/polyp', 'finding/polyp:left']
    """
    return list(_tags(caption)[bool(negated)])


def tag_many(texts, negated=False):
    """`tags` of each text of a long table: list of lists. Nothing is remembered of a text, so a million captions need no memory.

    texts: any iterable of str; None (a caption that is missing) has no tags. About 0.15 ms of CPU for a caption of 174 words.
    >>> tag_many(["No bleeding.", None, "Bleeding from an ulcer."])
    [[], [], ['finding/hemorrhage', 'finding/ulcer']]
    """
    return [list(_said(text or "")[bool(negated)]) for text in texts]
