"""Points and a reason that teaches, from what an answer gave and what was expected. The same for `kit.check` and for the grader."""

from dataclasses import dataclass

import numpy as np

from .plain import agree, bare, brief, is_finite, leaves, same, shape
from .trial import one_output

STUB = {"kind": "..."}


@dataclass(frozen=True)
class Verdict:
    """points of `of`, and the reason for the first lost point ("" when none was lost)."""

    points: int
    of: int
    reason: str


def judge(parts, outputs, task=None):
    """The Verdict on an answer.

    parts: as Task.parts gives them. outputs: for each part a list with {"output"} or {"error"} for each case. A part counts when all its
    cases are right and all parts before it count. task: its wrong answers are recognised; None where there are none.
    """
    for points, (part, found) in enumerate(zip(parts, outputs)):
        failed = next((k for k, (case, one) in enumerate(zip(part["cases"], found)) if not right(case, one)), None)
        if failed is not None:
            return Verdict(points, len(parts), said(part, found, failed, task, first=points == 0))
    return Verdict(len(parts), len(parts), "")


def right(case, one):
    return "output" in one and same(one["output"], case["expected"])


def said(part, found, failed, task, first):
    """Why a part is lost, in one or two sentences."""
    case, one = part["cases"][failed], found[failed]
    of_value = case["inputs"] is None
    if of_value and one.get("output") == STUB:
        return "Not answered yet: put your value in the place of the three dots."
    if not of_value and all("output" in each and each["output"] in (None, STUB) for each in found) and case["expected"] is not None:
        return "Not written yet: it returns nothing. Replace the three dots, and end with return."
    head = "" if first else f"Right, except for {part['what']}. "
    shown = "" if of_value else f"With {given(case['inputs'])} "
    name = recognised(part, found, task)
    if of_value:
        return f"{name}." if name else f"{one.get('error') or brief(bare(one['output'])) + ' is not right'}."
    if "error" in one:
        return head + (f"{name}: {one['error']}." if name else f"{shown}{one['error']}.")
    got, expected = bare(one["output"]), bare(case["expected"])
    gives = difference(got, expected)
    return head + (f"{name} ({shown[:1].lower()}{shown[1:]}{gives})." if name else f"{shown}{gives}.{hint(got, expected)}")


def given(inputs, limit=90):
    """The inputs of a case as short text; "one of the inputs" when they are too long to read."""
    texts = [f"v(x, s) = {one['linear'][0]:g} x + {one['linear'][1]:g} s" if isinstance(one, dict) and "linear" in one
             else brief(bare(one), limit) for one in inputs]
    said = ", ".join(texts)
    return f"({said})" if len(said) <= limit and " ..." not in said else "one of the inputs"


def difference(got, expected):
    """In words where an answer differs: the whole of it when it is short, else its first wrong place."""
    place, a, b = [], got, expected
    while len(brief(b)) > 40 and isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        k = next((k for k, pair in enumerate(zip(a, b)) if not agree(*pair, 1e-4, 1e-6)), 0)
        place, a, b = [*place, k], a[k], b[k]
    at = f"at {place} " if place else ""
    return f"it gives {brief(a)} {at}where {brief(b)} is right"


def hint(got, expected):
    """What the form of an answer says about its fault, "" when nothing."""
    if any(isinstance(leaf, float) and not is_finite(leaf) for leaf in leaves(got)):
        return " NaN or infinity comes from 0/0, or from numbers that are too large: look for a division or an exponential."
    if shape(got) != shape(expected):
        return f" You return {shape(got)}; asked is {shape(expected)}."
    flat, wanted = list(leaves(got)), list(leaves(expected))
    if all(isinstance(x, (int, float)) and is_finite(x) for x in flat + wanted):
        if agree(flat, [-x for x in wanted], 1e-4, 1e-6) and any(wanted):
            return " Right but for the sign."
        if agree(sorted(flat), sorted(wanted), 1e-4, 1e-6):
            return " Right numbers in another order."
    return ""


def recognised(part, found, task):
    """The reason of the wrong answer that gives just these outputs, both where two do; "" when it is none that is known."""
    fits = []
    for wrong in task.wrong if task else ():
        with np.errstate(all="ignore"):
            theirs = [one_output(wrong.answer, case["inputs"]) for case in part["cases"]]
        if all(alike(a, b) for a, b in zip(found, theirs)):
            fits.append(wrong.why)
    return ". Or: ".join(fits[:2])


def alike(a, b):
    """True for outputs that agree, or errors that differ in no more than their numbers (in brackets)."""
    if "error" in a or "error" in b:
        return a.get("error", "").partition("(")[0] == b.get("error", "").partition("(")[0]
    return same(a["output"], b["output"])
