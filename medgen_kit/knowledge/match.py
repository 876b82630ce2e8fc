"""The matcher: longest phrase first over one trie, then negation and laterality inside the clause."""

from dataclasses import dataclass
from functools import lru_cache

from . import motion, snomed, synonyms
from .snomed import Concept
from .words import phrase, tokens

STOPS = frozenset(".;:!?")
MARKS = frozenset(".;:!?,()")
CUES = tuple(map(phrase, (
    "no", "not", "without", "absence of", "absent", "free of", "free from", "negative for", "never", "nor", "neither", "lacks",
    "lack of", "denies", "rules out", "ruled out", "excludes", "excluded", "instead of", "missing")))
FALSE_CUES = tuple(map(phrase, (
    "no change", "no increase", "no decrease", "no difference", "no longer", "no brighter", "no doubt", "not only", "not excluded",
    "without difficulty", "without delay", "without complication", "not exclude", "cannot be excluded", "no further")))
AFTER = tuple(map(phrase, (
    "not seen", "not visible", "not present", "not detected", "not found", "not identified", "not demonstrated", "not evident",
    "is absent", "are absent", "was absent", "were absent", "ruled out", "was excluded", "were excluded", "not shown",
    "cannot be seen", "no longer visible", "no longer seen")))
ENDS = frozenset("""
but however although though while as whereas because so since which who that with in on at during through under after before from by
behind over into inside along near until unless despite except besides apart yet then
""".split())
AND_ENDS = frozenset("no there normal is be was it they he she this these with clear".split())
NEVER_ABSENT = frozenset(("anatomy", "modality"))          # 'no lesion of the liver' says nothing against the liver
SCOPE = 9                                                    # words that one "no" reaches, at most
SIDED = frozenset(("anatomy", "finding", "device"))
SIDES = {"left": "left", "right": "right", "bilateral": "bilateral", "both": "bilateral", "bilaterally": "bilateral"}
PLACE = frozenset("in on of at from to toward within near along through into over side by".split())
BETWEEN = PLACE | ENDS | {"and", "or"} | MARKS
_END = ""


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
        sides = ("left", "right") if self.side == "bilateral" else (self.side,) if self.side else ()
        sided = [f"{self.tag}:{side}" for side in sides]
        return sided if self.negated and sided else [self.tag, *sided]


def _spoken(text, concept, add):
    """Add one line of `a | !b | [context] c` to the table: phrase -> (concept, first word, last word + 1, absent)."""
    for part in text.split("|"):
        part = part.strip()
        absent, part = part.startswith("!"), part.lstrip("!")
        before, inside, after = part, "", ""
        if "[" in part:
            left, rest = part.split("[", 1)
            context, right = rest.split("]", 1)
            before, inside, after = (context, right, "") if not left.strip() else ("", left, context)
            sizes = len(phrase(before)), len(phrase(inside)), len(phrase(after))
            add(phrase(" ".join((before, inside, after))), concept, sizes[0], sizes[0] + sizes[1], absent)
        else:
            add(words := phrase(part), concept, 0, len(words), absent)


@lru_cache(maxsize=1)
def concepts():
    """(concepts by tag, phrases): every concept that can be found and how it may be said."""
    table, known = {}, snomed.index()

    def add(words, concept, first, last, absent):
        table[words] = (concept, first, last, absent)

    for words, concept in known.items():
        add(words, concept, 0, len(words), False)
    for meaning, spoken in synonyms.SYNONYMS.items():
        _spoken(spoken, known[phrase(meaning)], add)
    for number, (tag, spoken) in enumerate(motion.MGK.items(), 1):
        axis, meaning = tag.split("/", 1)
        _spoken(spoken, Concept(f"MGK{number:03d}", "MGK", meaning, axis), add)
    for words in motion.IGNORED:
        table[phrase(words)] = (None, 0, len(phrase(words)), False)
    return {concept.tag: concept for concept, *_ in table.values() if concept}, table


@lru_cache(maxsize=1)
def _trie():
    root = {}
    for words, entry in concepts()[1].items():
        node = root
        for word in words:
            node = node.setdefault(word, {})
        node[_END] = entry
    return root


def _scan(forms, i, stop):
    """Longest match first, left to right: yields (first word, word after the last, concept, absent)."""
    root = _trie()
    while i < stop:
        node, best, j = root, None, i
        while j < stop and (node := node.get(forms[j])) is not None:
            j += 1
            if _END in node:
                best = node[_END]
        if best is None:
            i += 1
            continue
        concept, first, last, absent = best
        if concept is None:                                      # words that look like a concept and are none
            i += last
            continue
        if first:
            yield from _scan(forms, i, i + first)
        yield i + first, i + last, concept, absent
        i += last


def _by_first(phrases):
    return {word: tuple(p for p in phrases if p[0] == word) for word in {p[0] for p in phrases}}


_CUES, _FALSE_CUES, _AFTER = _by_first(CUES), _by_first(FALSE_CUES), _by_first(AFTER)


def _starts_with(forms, i, phrases):
    """Length of the phrase that begins at word i, or 0. phrases: {first word: phrases}."""
    return next((len(p) for p in phrases.get(forms[i], ()) if tuple(forms[i:i + len(p)]) == p), 0)


def _list_goes_on(forms, comma):
    """After a comma a list of absent things goes on when an 'or' is still to come: 'no mass, cyst or nodule'."""
    since = 0
    for word in forms[comma + 1:comma + 12]:
        if word in ("or", "nor"):
            return True
        since = 0 if word == "," else since + 1
        if word in STOPS or word in ENDS or word in ("no", "and") or since > 3:
            return False
    return False


def absent_words(forms, articles=frozenset()):
    """Set of word numbers that lie in the scope of a negation."""
    inside = set()
    for i in range(len(forms)):
        if _starts_with(forms, i, _AFTER):
            j = i - 1
            while j >= 0 and forms[j] not in STOPS and forms[j] not in (",", "but", "and") and i - j <= SCOPE:
                inside.add(j)
                j -= 1
        length = _starts_with(forms, i, _CUES)
        if not length or _starts_with(forms, i, _FALSE_CUES):
            continue
        j = i + length
        while j < len(forms) and j - i <= SCOPE:
            word = forms[j]
            if word in STOPS or word in ENDS or word in "()":
                break
            if word == "," and not _list_goes_on(forms, j):
                break
            if word == "and" and (j + 1 in articles or set(forms[j + 1:j + 2]) & AND_ENDS):
                break
            inside.add(j)
            j += 1
    return inside


def _give_sides(forms, matches):
    """Laterality: 'left lung' to the anatomy; 'polyp on the left wall', 'nodule in the left lung' to the finding as well."""
    taken = {n for match in matches for n in range(match.first, match.last)}
    for p, word in enumerate(forms):
        side = SIDES.get(word)
        if side is None or p in taken or (word == "both" and forms[p + 1:p + 2] == ["side"]):
            continue
        ahead = next((m for m in matches if 0 < m.first - p <= 3 and m.axis in SIDED and not BETWEEN & set(forms[p + 1:m.first])), None)
        if ahead is not None:
            ahead.side = side
        if ahead is None or ahead.axis == "anatomy":
            behind = [m for m in matches if m.last <= p and p - m.last <= 8 and m.axis in ("finding", "device") and not m.side]
            if behind and word != "both":
                gap = forms[behind[-1].last:p]
                if PLACE & set(gap) and not (MARKS | {"and", "or", "but", "with"}) & set(gap):
                    behind[-1].side = side
    return matches


def _sentences(forms):
    number, out = 0, []
    for word in forms:
        out.append(number)
        number += word in ".!?"
    return out


def find(text):
    """All concepts of a text, in order: list of Match. Longest match first; negation and side are read from the clause.

    >>> [(m.tag, m.negated) for m in find("No pericardial effusion.")]
    [('finding/pericardial effusion', True)]
    """
    forms, starts, ends, articles = tokens(text)
    absent, sentence = absent_words(forms, articles), _sentences(forms)
    matches = [Match(c.code, c.scheme, c.meaning, c.axis, starts[i], ends[j - 1], text[starts[i]:ends[j - 1]],
                     negated=gone or i in absent, first=i, last=j)
               for i, j, c, gone in _scan(forms, 0, len(forms))]
    present = {(sentence[m.first], m.axis) for m in matches}
    matches = [m for m in matches if m.tag not in motion.NEEDS or (sentence[m.first], motion.NEEDS[m.tag]) in present]
    for m in matches:
        others = any(o.negated and o.axis not in NEVER_ABSENT and abs(o.first - m.first) <= SCOPE for o in matches)
        if m.negated and m.axis in NEVER_ABSENT and (others or m.axis == "modality"):
            m.negated = False
    return _give_sides(forms, matches)


@lru_cache(maxsize=20_000)
def _tags(caption):
    present, absent = set(), set()
    for match in find(caption):
        (absent if match.negated else present).update(match.tags)
    return tuple(sorted(present)), tuple(sorted(absent - present))


def tags(caption, negated=False):
    """Sorted tags "axis/meaning" (with ":left" or ":right" beside it where the text says so) that a caption names as present.

    negated=True: only those that it says are absent.
    >>> tags("A polyp on the left wall, no bleeding.")
    ['finding/polyp', 'finding/polyp:left']
    """
    return list(_tags(caption)[bool(negated)])
