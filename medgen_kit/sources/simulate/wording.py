"""Varied wording for simulated clips: nested alternatives, sentence order and tidy sentences."""

import re

ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


def vary(text, rng, **parts):
    """`text` with <name> replaced by parts[name] and every {a|b|c}, also nested, by one of its choices (drawn from `rng`)."""
    for _ in range(3):
        text = re.sub(r"<(\w+)>", lambda m: parts.get(m[1], m[0]), text)
    while ALTERNATIVES.search(text):
        text = ALTERNATIVES.sub(lambda m: (c := m[1].split("|"))[int(rng.integers(len(c)))], text)
    return sentences(text)


def sentences(text):
    """Single spaces, no space before a stop, a capital at the start of each sentence."""
    text = re.sub(r"\s+([,.;:])", r"\1", re.sub(r"\s+", " ", text)).strip()
    return re.sub(r"(^|[.] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def paragraph(first, middle, last, rng, **parts):
    """A paragraph: one of `first`, then the lists `middle` in a random order (one sentence of each), then one of `last`."""
    chosen = [middle[i] for i in rng.permutation(len(middle))]
    texts = [options[int(rng.integers(len(options)))] for options in [first, *chosen, last]]
    return vary(" ".join(texts), rng, **parts)


def captions(briefs, plan, rng, **words):
    """(brief, detailed): one of `briefs` and a paragraph of `plan` (first, middle, last sentences), both with the words filled in."""
    return vary(briefs[int(rng.integers(len(briefs)))], rng, **words), paragraph(*plan, rng, **words)
