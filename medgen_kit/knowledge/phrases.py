"""How every concept may be said, and the scan of a text for it: longest phrase first over one trie of letters (letters.py)."""

import re
from functools import lru_cache

from . import motion, snomed, synonyms
from .letters import REMEMBERED, Speller, spelled
from .snomed import Concept
from .words import phrase

_END = None              # the key of a trie's node under which the phrase that ends there is kept


def one_of(letters):
    """The pattern of any one of these letters."""
    return "[" + "".join(sorted(letters)) + "]"


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
def reader():
    """(pattern of a run, runs, speller). A run is words side by side that all occur in phrases: no phrase reaches out of one."""
    root, inside = {}, set()
    for words, entry in concepts()[1].items():
        node = root
        for one in spelled(words):
            inside.add(one)
            node = node.setdefault(one, {})
        node[_END] = entry
    whole = {one for one in root if _END in root[one]}
    return re.compile(f"{one_of(root)}{one_of(inside)}+|{one_of(whole)}"), Runs(root), Speller()


def scan(text):
    """Longest match first, left to right, in a string of letters: yields (first word, word after the last, concept, absent)."""
    pattern, runs, _ = reader()
    for found in pattern.finditer(text):
        if hits := runs[found[0]]:
            start = found.start()
            for i, j, concept, absent in hits:
                yield start + i, start + j, concept, absent


class Runs(dict):
    """Run of letters -> its matches, filled as runs are met: "the left ventricle" is looked up once for a million captions.

    root: the trie, {letter: {letter: ... {None: (concept, first word, last word + 1, absent)}}}.
    """

    def __init__(self, root):
        super().__init__()
        self.root = root

    def __missing__(self, run):
        found = tuple(self.matches(run, 0, len(run)))
        if len(self) < REMEMBERED:
            self[run] = found
        return found

    def matches(self, run, i, stop):
        """Yield the matches between words i and stop."""
        while i < stop:
            node, best, j = self.root, None, i
            while j < stop and (node := node.get(run[j])):
                best = node.get(_END, best)
                j += 1
            concept, first, last, absent = best or (None, 0, 1, False)       # without a concept: one word on, or over an ignored phrase
            if concept is not None:
                yield from self.matches(run, i, i + first)
                yield i + first, i + last, concept, absent
            i += last
