"""Do raters agree? Percent agreement, Cohen, Fleiss, Krippendorff and Gwet, with None where a figure is undefined.

Ratings are arrays [items, raters]; a missing rating is None or NaN.
"""

import itertools

import numpy as np

from ..errors import KitError


def as_codes(ratings, order=None):
    """(float [N, R] with NaN where a rating is missing, the labels in order). order: labels from low to high."""
    cells = np.array(ratings, dtype=object)
    if cells.ndim != 2 or cells.shape[1] < 2:
        raise KitError(f"ratings must be a table [items, raters] with at least two raters, not {list(cells.shape)}.")
    missing = np.array([[x is None or x != x for x in row] for row in cells])
    found = list(order) if order is not None else sorted(set(cells[~missing].tolist()))
    unknown = set(cells[~missing].tolist()) - set(found)
    if unknown:
        raise KitError(f"ratings hold {sorted(map(str, unknown))}, which is not among {found}.")
    codes = np.full(cells.shape, np.nan)
    for where in zip(*np.nonzero(~missing)):
        codes[where] = found.index(cells[where])
    return codes, found


def percent_agreement(ratings):
    """Share of rater pairs, over all items, who said the same, 0..1; None without a pair."""
    codes, _ = as_codes(ratings)
    same = [a == b for row in codes for a, b in itertools.combinations(row[~np.isnan(row)], 2)]
    return float(np.mean(same)) if same else None


def cohen(first, second, order=None, weights=None):
    """Cohen's kappa of two raters (Cohen 1960); weights "quadratic" for grades. None when both used one label throughout."""
    from sklearn.metrics import cohen_kappa_score

    codes, found = as_codes(list(zip(first, second)), order)
    codes = codes[~np.isnan(codes).any(1)].astype(int)
    if not len(codes) or len(np.unique(codes)) < 2:
        return None
    return float(cohen_kappa_score(codes[:, 0], codes[:, 1], labels=range(len(found)), weights=weights))


def pairwise_cohen(ratings, order=None, weights=None):
    """Cohen's kappa of every pair of raters: {"1-2": ..., "1-3": ...} as in table 9 of the paper."""
    columns = list(zip(*ratings))
    return {f"{i + 1}-{j + 1}": cohen(columns[i], columns[j], order, weights) for i, j in itertools.combinations(range(len(columns)), 2)}


def fleiss(ratings):
    """Fleiss' kappa (1971) of items that every rater judged; None when there is none or when one label was used throughout."""
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    codes, _ = as_codes(ratings)
    codes = codes[~np.isnan(codes).any(1)].astype(int)
    if not len(codes) or len(np.unique(codes)) < 2:
        return None
    return float(fleiss_kappa(aggregate_raters(codes)[0]))


def krippendorff(ratings, order=None, level="nominal"):
    """Krippendorff's alpha (2011) with missing ratings; level "nominal", "ordinal" or "interval". None when undefined."""
    codes, found = as_codes(ratings, order)
    together = np.zeros((len(found), len(found)))
    for row in codes:
        seen = row[~np.isnan(row)].astype(int)
        for i, j in itertools.permutations(range(len(seen)), 2):
            together[seen[i], seen[j]] += 1 / (len(seen) - 1)
    totals = together.sum(1)
    distance = distances(totals, level)
    expected = (np.outer(totals, totals) * distance).sum() / max(totals.sum() - 1, 1)
    return float(1 - (together * distance).sum() / expected) if expected > 0 else None


def distances(totals, level):
    """Squared distances between labels [K, K] for a level of measurement; `totals` counts how often each label was used."""
    labels = np.arange(len(totals))
    if level == "nominal":
        return (labels[:, None] != labels).astype(float)
    if level == "interval":
        return (labels[:, None] - labels) ** 2.0
    if level != "ordinal":
        raise KitError(f"level '{level}' is not one of nominal, ordinal, interval.")
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle) ** 2


def gwet_ac1(ratings):
    """Gwet's AC1 (2008): chance agreement that does not collapse when one label is common. None without two labels."""
    codes, found = as_codes(ratings)
    counts = np.stack([(codes == k).sum(1) for k in range(len(found))], 1)
    raters = counts.sum(1)
    paired = raters >= 2
    if not paired.any() or len(found) < 2:
        return None
    agreed = ((counts * (counts - 1)).sum(1)[paired] / (raters * (raters - 1))[paired]).mean()
    share = (counts[raters > 0] / raters[raters > 0, None]).mean(0)
    chance = (share * (1 - share)).sum() / (len(found) - 1)
    return float((agreed - chance) / (1 - chance))


def summary(ratings, order=None):
    """All figures of one table of ratings, ready for a table: {"percent agreement", "Fleiss kappa", ...}."""
    level = "ordinal" if order is not None else "nominal"
    return {"items": len(ratings), "raters": len(ratings[0]), "percent agreement": percent_agreement(ratings),
            "Fleiss kappa": fleiss(ratings), f"Krippendorff alpha ({level})": krippendorff(ratings, order, level),
            "Gwet AC1": gwet_ac1(ratings)}
