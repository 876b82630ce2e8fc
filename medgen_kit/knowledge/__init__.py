"""Medical concepts in text: SNOMED CT codes (from pydicom) and our own small scheme of motion words, with negation and side.

    find(text) -> list of Match        tags(caption) -> ["finding/polyp", "finding/polyp:left"]        tag_many(captions) -> list of those
    lookup(name or code) -> Concept    precision() -> how often the rule is right on 80 hand-tagged sentences
"""

from .measure import baseline, gold, precision, score
from .match import Match, concepts, find, tag_many, tags
from .search import lookup
from .snomed import AXES, Concept

__all__ = ["AXES", "Concept", "Match", "baseline", "concepts", "find", "gold", "lookup", "precision", "score", "tag_many", "tags"]
