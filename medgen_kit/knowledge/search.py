"""Look a concept up by code, tag, meaning or any phrase that says it."""

import difflib

from ..errors import KitError
from .phrases import concepts
from .words import phrase


def lookup(name):
    """The Concept of a code ("373945007"), a tag ("finding/polyp"), a meaning or a phrase ("tummy"). KitError names the nearest ones."""
    by_tag, spoken = concepts()
    name = str(name).strip()
    if name in by_tag:
        return by_tag[name]
    for concept in by_tag.values():
        if name == concept.code:
            return concept
    entry = spoken.get(phrase(name))
    if entry and entry[0]:
        return entry[0]
    meanings = sorted({concept.meaning for concept in by_tag.values()})
    near = difflib.get_close_matches(name.split("/")[-1].lower(), meanings, n=4, cutoff=0.5)
    raise KitError(f"'{name}' is not a concept of this kit (SNOMED CT codes of DICOM on clinical axes, and our motion words). "
                   + (f"The nearest are: {', '.join(near)}." if near else "Nothing is near it; try a single clinical word."))
