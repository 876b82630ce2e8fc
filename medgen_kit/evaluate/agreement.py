"""Do raters agree? Percent agreement, Cohen, Fleiss, Krippendorff and Gwet, with None where a figure is undefined.

Ratings are arrays [items, raters]; a missing rating is None or NaN. `table` makes one of the rows of a study.
"""

import itertools
import numbers

import numpy as np

from ..errors import KitError

UNDEFINED = "undefined: one label throughout, or no item with the ratings it needs"


def table(rows, value="answer", item="item"):
    """(ratings [items, raters] with None where a rater gave none, the items, the raters) of a study's rows.

    rows: dicts with "rater", `item` ("video" for grades) and `value` ("grade" for grades). A rater answers an item once.
    """
    found = {}
    for row in rows:
        where = row[item], row["rater"]
        if where in found:
            raise KitError(f"rater '{where[1]}' answered {item} '{where[0]}' twice. Keep one of the two answers "
                           "(and, where a study asks several questions, the rows of one question).")
        found[where] = row[value] if row[value] != "" else None
    items, raters = (list(dict.fromkeys(where[k] for where in found)) for k in (0, 1))
    return [[found.get((one, rater)) for rater in raters] for one in items], items, raters


def made_up(rows):
    """{"simulated": True} for rows of simulated raters, else {}: whatever is computed from them carries the word.

    Known by the rater's name ("simulated-...") or by "simulated", a bool or as a CSV file holds it.
    """
    found = [str(row.get("rater", "")).startswith("simulated-") or str(row.get("simulated")) in ("True", "true", "1") for row in rows]
    return {"simulated": True} if any(found) else {}


def as_codes(ratings, order=None):
    """(float [N, R] with NaN where a rating is missing, the labels in order). order: labels from low to high."""
    cells = np.array(ratings, dtype=object)
    if cells.ndim != 2 or cells.shape[1] < 2:
        raise KitError(f"ratings must be a table [items, raters] with at least two raters, not {list(cells.shape)}.")
    flat = [None if x is None or x != x else x for x in cells.ravel().tolist()]
    used = set(flat) - {None}
    found = list(order) if order is not None else sorted(used)
    if unknown := used - set(found):
        raise KitError(f"ratings hold {sorted(map(str, unknown))}, which is not among {found}.")
    code = {label: k for k, label in enumerate(found)} | {None: np.nan}
    return np.array([code[x] for x in flat], float).reshape(cells.shape), found


def at_least(ratings, label, order):
    """Grades as True (at `label` or above), False or None: what a rule such as "Moderate or worse" sees of them."""
    codes, found = as_codes(ratings, order)
    if label not in found:
        raise KitError(f"'{label}' is not among {found}.")
    limit = found.index(label)
    return [[None if np.isnan(x) else bool(x >= limit) for x in row] for row in codes]


def percent_agreement(ratings):
    """Share of rater pairs, over all items, who said the same, 0..1; None without a pair."""
    codes, _ = as_codes(ratings)
    same = [a == b for row in codes for a, b in itertools.combinations(row[~np.isnan(row)], 2)]
    return float(np.mean(same)) if same else None


def cohen(first, second, order=None, weights=None):
    """Cohen's kappa of two raters (Cohen 1960, 1968); weights "quadratic" for grades. None when both used one label throughout.

    Items that one of them left out do not count.
    """
    if weights not in (None, "quadratic"):
        raise KitError(f"weights '{weights}' is neither None nor 'quadratic'.")
    codes, found = as_codes(list(zip(first, second)), order)
    codes = codes[~np.isnan(codes).any(1)].astype(int)
    if not len(codes) or len(np.unique(codes)) < 2:
        return None
    seen = np.bincount(codes[:, 0] * len(found) + codes[:, 1], minlength=len(found) ** 2).reshape(len(found), -1)
    expected = np.outer(seen.sum(1), seen.sum(0)) / len(codes)
    distance = distances(seen.sum(0), "interval" if weights else "nominal", range(len(found)))
    return float(1 - (seen * distance).sum() / (expected * distance).sum())


def pairwise_cohen(ratings, order=None, weights=None, raters=None):
    """Cohen's kappa of every pair of raters: {"1-2": ..., "1-3": ...} as in table 9 of the paper, or by the names in `raters`."""
    columns = list(zip(*ratings))
    names = raters or range(1, len(columns) + 1)
    return {f"{names[i]}-{names[j]}": cohen(columns[i], columns[j], order, weights)
            for i, j in itertools.combinations(range(len(columns)), 2)}


def mean_cohen(ratings, order=None, weights=None):
    """Mean of the pairs' kappas (Light 1971); None when no pair has one."""
    known = [kappa for kappa in pairwise_cohen(ratings, order, weights).values() if kappa is not None]
    return float(np.mean(known)) if known else None


def pairs(ratings, order=None, bad=None, raters=None):
    """One row per pair of raters: {"pair", "items" (both rated), "agreement", "kappa", "quadratic", "binary", "reason"}.

    quadratic: kappa with quadratic weights, where `order` gives the labels from low to high. binary: kappa of "`bad` or worse"
    ("Moderate": what the warping error uses). A kappa that is undefined is None; `agreement`, 0..1, stands beside it.
    """
    names, out = raters or list(range(1, len(ratings[0]) + 1)), []
    for i, j in itertools.combinations(range(len(names)), 2):
        two = [(row[i], row[j]) for row in ratings]
        row = {"pair": f"{names[i]}-{names[j]}", "items": int((~np.isnan(as_codes(two, order)[0])).all(1).sum()),
               "agreement": percent_agreement(two), "kappa": cohen(*zip(*two), order)}
        row |= {"quadratic": cohen(*zip(*two), order, "quadratic")} if order else {}
        row |= {"binary": cohen(*zip(*at_least(two, bad, order)))} if bad else {}
        out.append(row | {"reason": why_none(row)})
    return out


def why_none(row):
    """In words why a row of `pairs` holds no kappa, "" when it holds all."""
    if not row["items"]:
        return "no item was rated by both"
    if row["kappa"] is None:
        return "kappa is undefined: both used one label throughout, so there is no agreement by chance to take away"
    return "the binary kappa is undefined: both always on one side of the limit" if row.get("binary", 0) is None else ""


def fleiss(ratings):
    """Fleiss' kappa (1971) of items that every rater judged; None when there is none or when one label was used throughout."""
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    codes, _ = as_codes(ratings)
    codes = codes[~np.isnan(codes).any(1)].astype(int)
    if not len(codes) or len(np.unique(codes)) < 2:
        return None
    return float(fleiss_kappa(aggregate_raters(codes)[0]))


def krippendorff(ratings, order=None, level="nominal"):
    """Krippendorff's alpha (2011) with missing ratings; level "nominal", "ordinal" or "interval". None when undefined.

    "ordinal" goes by the places of the labels in `order`; "interval" by the labels themselves, which must be numbers.
    """
    codes, found = as_codes(ratings, order)
    if level == "interval" and (words := [label for label in found if not isinstance(label, numbers.Real)]):
        raise KitError(f"level 'interval' needs ratings that are numbers, not {words[0]!r}. Use level 'ordinal' for grades.")
    counts = np.stack([(codes == k).sum(1) for k in range(len(found))], 1).astype(float) if found else np.zeros((1, 1))
    counts = counts[counts.sum(1) >= 2]                  # an item that one rater saw holds no pair
    share = counts / np.maximum(counts.sum(1, keepdims=True) - 1, 1)
    together = counts.T @ share - np.diag(share.sum(0))
    totals = together.sum(1)
    distance = distances(totals, level, found or [0])
    expected = (np.outer(totals, totals) * distance).sum() / max(totals.sum() - 1, 1)
    return float(1 - (together * distance).sum() / expected) if expected > 0 else None


def distances(totals, level, values):
    """Squared distances between labels [K, K] for a level of measurement; `totals` counts how often each label was used, `values` are
    their numbers, which "interval" alone looks at."""
    if level == "nominal":
        return 1.0 - np.eye(len(totals))
    if level == "interval":
        return np.subtract.outer(np.array(values, float), np.array(values, float)) ** 2
    if level != "ordinal":
        raise KitError(f"level '{level}' is not one of nominal, ordinal, interval.")
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle) ** 2


def gwet_ac1(ratings, order=None):
    """Gwet's AC1 (2008): chance agreement that does not collapse when one label is common. None without two labels.

    order: all labels of the scale; one that nobody used counts too. Without it the labels that were used are taken for the scale.
    """
    codes, found = as_codes(ratings, order)
    if len(found) < 2:
        return None
    counts = np.stack([(codes == k).sum(1) for k in range(len(found))], 1)
    raters = counts.sum(1)
    paired = raters >= 2
    if not paired.any():
        return None
    agreed = ((counts * (counts - 1)).sum(1)[paired] / (raters * (raters - 1))[paired]).mean()
    share = (counts[raters > 0] / raters[raters > 0, None]).mean(0)
    chance = (share * (1 - share)).sum() / (len(found) - 1)
    return float((agreed - chance) / (1 - chance))


def interval(function, ratings, draws=2000, level=0.95, seed=0):
    """A coefficient with a percentile bootstrap interval over items: {"value", "low", "high", "reason"}.

    function: ratings [items, raters] -> a number or None, such as `fleiss` or `lambda r: krippendorff(r, GRADES, "ordinal")`. An item
    is drawn with all its raters. low and high are None, and `reason` says why, when more than 5 % of the draws leave it undefined.
    """
    cells = np.array(ratings, dtype=object)
    value = function(cells)
    if value is None:
        return {"value": None, "low": None, "high": None, "reason": UNDEFINED}
    chosen = np.random.default_rng(seed).integers(0, len(cells), (draws, len(cells)))
    known = [found for found in (function(cells[draw]) for draw in chosen) if found is not None]
    if len(known) < 0.95 * draws:
        lost = f"undefined in {draws - len(known)} of {draws} draws: too few items, or one label nearly always"
        return {"value": value, "low": None, "high": None, "reason": lost}
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return {"value": value, "low": float(low), "high": float(high), "reason": ""}


def report(ratings, order=None, bad=None, draws=1000, seed=0):
    """Every coefficient with its interval, ready for a table: rows {"coefficient", "value", "low", "high", "reason"}.

    order: the labels from low to high (grades), which adds quadratic weights and the ordinal alpha. bad: the first label of the
    binary view ("Moderate"), which adds its kappas.
    """
    named = {"percent agreement": percent_agreement, "Cohen kappa, mean of pairs": lambda r: mean_cohen(r, order)}
    if order is not None:
        named["Cohen kappa, quadratic, mean of pairs"] = lambda r: mean_cohen(r, order, "quadratic")
    named |= {"Fleiss kappa": fleiss, "Krippendorff alpha, nominal": lambda r: krippendorff(r, order)}
    if order is not None:
        named["Krippendorff alpha, ordinal"] = lambda r: krippendorff(r, order, "ordinal")
    scale = as_codes(ratings, order)[1]                  # of all items: a draw may lack a label
    named["Gwet AC1"] = lambda r: gwet_ac1(r, scale)
    rows = [{"coefficient": name} | interval(function, ratings, draws, seed=seed) for name, function in named.items()]
    if bad is not None:
        binary = at_least(ratings, bad, order)
        rows += [{"coefficient": f"{name}, {bad} or worse"} | interval(function, binary, draws, seed=seed) for name, function in
                 {"percent agreement": percent_agreement, "Cohen kappa, mean of pairs": mean_cohen, "Fleiss kappa": fleiss}.items()]
    return rows
