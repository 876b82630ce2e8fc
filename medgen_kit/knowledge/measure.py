"""How good is the rule? Sentences of clinical prose tagged by hand, precision and recall, and the naive phrase match beside it."""

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path

from .match import tags
from .snomed import plain_index
from .words import tokens

GOLD = Path(__file__).with_name("gold.jsonl")


@lru_cache(maxsize=1)
def gold():
    """The hand-written sentences: dicts part, text, present (tags), absent (tags).

    part: "tuned" (60 sentences on which the rule was corrected) or "held back" (20 written afterwards; the rule was not changed for them).
    A present tag with a side implies the tag without it.
    """
    rows = [json.loads(line) for line in GOLD.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row | {"present": sorted({*row["present"], *(tag.split(":")[0] for tag in row["present"])})} for row in rows]


def baseline(text):
    """The naive matcher: names of all codes whose meaning occurs as a phrase in `text`, longest first; no axes, negation or side."""
    index, forms = _naive(), tokens(text)[0]
    found, i = [], 0
    while i < len(forms):
        length = next((n for n in range(min(8, len(forms) - i), 0, -1) if tuple(forms[i:i + n]) in index), 0)
        if length:
            found.append(index[tuple(forms[i:i + length])])
        i += length or 1
    return found


@lru_cache(maxsize=1)
def _naive():
    return plain_index()


def score(found, right):
    """(precision, recall, F1) of the set `found` against the set `right`, pooled over pairs of sets.

    P = hits / found, R = hits / right, F1 = 2 P R / (P + R).
    """
    hits = sum(len(set(f) & set(r)) for f, r in zip(found, right))
    p = hits / max(1, sum(len(set(f)) for f in found))
    r = hits / max(1, sum(len(set(r)) for r in right))
    return p, r, 2 * p * r / max(1e-9, p + r)


def precision():
    """Figures on the gold sentences: the rule (present tags, absent tags) and the naive match (by name), plus its commonest wrong hits.

    The sentences and the rule have one author, so the figures flatter; `held_back_*` flatters least.
    """
    rows = gold()
    held = [row for row in rows if row["part"] == "held back"]
    h = score([tags(row["text"]) for row in held], [row["present"] for row in held])
    texts = [row["text"] for row in rows]
    p, r, f = score([tags(t) for t in texts], [row["present"] for row in rows])
    absent = score([tags(t, negated=True) for t in texts], [row["absent"] for row in rows])
    names = [{tag.split("/", 1)[1].split(":")[0] for tag in row["present"]} for row in rows]
    naive = [baseline(t) for t in texts]
    q = score(naive, names)
    wrong = Counter(hit for hits, right in zip(naive, names) for hit in hits if hit not in right)
    return {"sentences": len(rows), "precision": p, "recall": r, "f1": f, "absent_precision": absent[0], "absent_recall": absent[1],
            "held_back_precision": h[0], "held_back_recall": h[1],
            "baseline_precision": q[0], "baseline_recall": q[1], "baseline_f1": q[2], "baseline_wrong": wrong.most_common(12)}
