"""Warping error: the share of clips that raters found unacceptable, with its interval and a stated rule for missing raters.

Three raters grade the distortion of a clip as No, Minor, Moderate or Severe; it is unacceptable when at least two of them say
Moderate or Severe (MedGen, evaluation). The paper does not say what happens when a grade is missing, so the rule is named here.
"""

from ..errors import KitError
from . import agreement

GRADES = ("No", "Minor", "Moderate", "Severe")
BAD = "Moderate"                               # the first grade that counts against a clip
RULES = ("three", "decided")


def unacceptable(grades, needed=2, raters=3, rule="three"):
    """True, False or None (undecided) per item.

    grades: per item a list of GRADES, None where one is missing; at most `raters` of them. rule "three": an item counts only when all
    (three) raters graded it. "decided": it also counts when the missing grades could not change the answer (two of two say Severe, or
    two of two say No).
    """
    if rule not in RULES:
        raise KitError(f"rule '{rule}' is not one of {', '.join(RULES)}.")
    if not 1 <= needed <= raters:
        raise KitError(f"{needed} of {raters} raters can not be needed to find a clip unacceptable. Give needed= from 1 to {raters}.")
    return [one(list(item), number, needed, raters, rule) for number, item in enumerate(grades)]


def one(item, number, needed, raters, rule):
    """`unacceptable` for one item; `number` names it in errors."""
    given = [grade for grade in item if grade not in (None, "") and grade == grade]
    if unknown := [grade for grade in given if grade not in GRADES]:
        raise KitError(f"item {number} is graded {unknown[0]!r}, which is not one of {', '.join(GRADES)}.")
    if len(given) > raters:
        raise KitError(f"item {number} has {len(given)} grades, but the rule is made for {raters} raters. "
                       "Choose the raters beforehand, or give raters= and needed=.")
    bad, missing = sum(GRADES.index(grade) >= GRADES.index(BAD) for grade in given), raters - len(given)
    if rule == "three" and missing:
        return None
    return True if bad >= needed else False if bad + missing < needed else None


def warping_error(table, rule="three", needed=2, raters=3, level=0.95):
    """The warping error of one set of clips: {"percent", "low", "high", "items", "undecided", "least", "most"}.

    table: grades per item as for `unacceptable`. low, high: Wilson interval, percent. items: clips that count. undecided: clips left
    out by the rule; had all of them been acceptable, or none, the figure would be `least` or `most`. Nothing decided: None, and
    "reason" says so.
    """
    return wilson(unacceptable(table, needed, raters, rule), level)


def wilson(outcomes, level=0.95):
    """`warping_error` of outcomes that are known already: a list of True, False and None."""
    from statsmodels.stats.proportion import proportion_confint

    known = [bool(x) for x in outcomes if x is not None]
    bad, undecided = sum(known), len(outcomes) - len(known)
    out = {"percent": None, "low": None, "high": None, "items": len(known), "undecided": undecided, "least": None, "most": None}
    if outcomes:
        out |= {"least": 100 * bad / len(outcomes), "most": 100 * (bad + undecided) / len(outcomes)}
    if not known:
        return out | {"reason": "no clip was graded by enough raters"}
    low, high = proportion_confint(bad, len(known), alpha=1 - level, method="wilson")
    return out | {"percent": 100 * bad / len(known), "low": 100 * float(low), "high": 100 * float(high)}


def outcomes(rows, rule="three", needed=2, raters=3, item="prompt"):
    """{model: {prompt: True, False or None}} of a study's rows {"rater", "prompt", "model", "grade"}, for tests on the same prompts.

    item: what tells a model's clips apart ("item" or "video" where one prompt has several clips of a model).
    """
    found = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        table, prompts, _ = agreement.table([row for row in rows if row["model"] == model], "grade", item)
        found[model] = dict(zip(prompts, unacceptable(table, needed, raters, rule)))
    return found


def per_model(rows, rule="three", needed=2, raters=3, level=0.95, item="prompt"):
    """One row per model: {"model"} and what `warping_error` gives. Rows of simulated raters give rows marked "simulated".

    item: as for `outcomes`.
    """
    return [{"model": model} | wilson(list(found.values()), level) | agreement.made_up(rows)
            for model, found in outcomes(rows, rule, needed, raters, item).items()]
