"""Do models differ on the same prompts? Paired tests, the interval of the difference, and Holm's correction over all that was tested.

Values are lists with one entry per prompt, in one order for all models; None where there is none. A prompt counts only where
both models of a pair (or, for a test over all models, all of them) have a value.
"""

import itertools

import numpy as np

from ..errors import KitError

ALL = "all models"
COLUMNS = ("metric", "first", "second", "test", "n", "differ", "statistic", "p", "p_holm", "difference", "low", "high", "note")


def together(*columns):
    """float [N, K] of the prompts where every column has a value, and how many prompts were left out."""
    if len({len(column) for column in columns}) != 1:
        raise KitError(f"the models have {', '.join(str(len(column)) for column in columns)} values. Give one value per prompt, in the "
                       "same order, None where there is none.")
    try:
        cells = np.array([[np.nan if x is None else x for x in column] for column in columns], float).T
    except (TypeError, ValueError) as error:
        raise KitError(f"a value is not a number ({error}). Give numbers, True, False or None.") from None
    if np.isinf(cells).any():
        raise KitError("a value is infinite. Give numbers, True, False or None.")
    known = ~np.isnan(cells).any(1)
    return cells[known], int((~known).sum())


def is_binary(cells):
    """True when every value is 0 or 1."""
    return bool(np.isin(cells, (0, 1)).all())


def outcome(test, n, differ, statistic=None, p=None, note="", **more):
    """A row of a test; numbers as plain floats."""
    return {"test": test, "n": int(n), "differ": int(differ), "statistic": None if statistic is None else float(statistic),
            "p": None if p is None else float(min(p, 1.0)), "note": note} | more


def too_few(differ, level=0.05):
    """In words when `differ` pairs that differ are too few for any two-sided p under `level`, else ""."""
    least = int(np.ceil(1 - np.log2(level)))
    return f"only {differ} prompts tell the models apart; under {least} no result can reach p < {level:g}" if differ < least else ""


def mcnemar(a, b):
    """McNemar's exact test (1947) of two yes/no values: {"test", "n", "differ", "statistic", "p", "note", "only_first", "only_second"}.

    Only prompts where the two differ count: `only_first` is yes in a alone. statistic: the smaller of the two counts.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact

    cells, _ = together(a, b)
    if not is_binary(cells):
        raise KitError("McNemar's test is for yes/no values. Use wilcoxon or sign_flip for scores.")
    yes = cells.astype(bool)
    table = [[(yes == (one, two)).all(1).sum() for two in (True, False)] for one in (True, False)]
    only = {"only_first": int(table[0][1]), "only_second": int(table[1][0])}
    if not len(cells):
        return outcome("McNemar exact", 0, 0, note="no prompt has both values", **only)
    found, differ = exact(table, exact=True), sum(only.values())
    return outcome("McNemar exact", len(cells), differ, found.statistic, found.pvalue, too_few(differ), **only)


def cochran_q(table):
    """Cochran's Q (1950) of yes/no values of three or more models: a row as `mcnemar` gives, with "models".

    table: {model: values}. p from chi squared with models - 1 degrees of freedom; None when every prompt has one answer for all.
    """
    from statsmodels.stats.contingency_tables import cochrans_q

    cells, _ = together(*table.values())
    if not is_binary(cells) or len(table) < 3:
        raise KitError("Cochran's Q is for yes/no values of at least three models. Use mcnemar for two, friedman for scores.")
    differ = int(((cells.sum(1) > 0) & (cells.sum(1) < len(table))).sum())
    if not differ:
        return outcome("Cochran's Q", len(cells), 0, note="no prompt tells the models apart", models=len(table))
    found = cochrans_q(cells)
    few = f"only {differ} prompts tell the models apart: chi squared is rough" if differ * len(table) < 24 else ""
    return outcome("Cochran's Q", len(cells), differ, found.statistic, found.pvalue, few, models=len(table))


def friedman(table):
    """Friedman's test (1937) of scores of three or more models: a row as `cochran_q` gives; None when no prompt tells them apart."""
    from scipy.stats import friedmanchisquare

    cells, _ = together(*table.values())
    if len(table) < 3:
        raise KitError("Friedman's test is for at least three models. Use wilcoxon for two.")
    differ = int((cells.max(1) > cells.min(1)).sum()) if len(cells) else 0
    if not differ:
        return outcome("Friedman", len(cells), 0, note="no prompt tells the models apart", models=len(table))
    found = friedmanchisquare(*cells.T)
    few = f"only {len(cells)} prompts: chi squared is rough" if len(cells) < 10 else ""
    return outcome("Friedman", len(cells), differ, found.statistic, found.pvalue, few, models=len(table))


def changes(a, b):
    """Differences a - b per prompt [N], rounded to 12 decimals so that equal scores count as equal."""
    cells, _ = together(a, b)
    return np.round(cells[:, 0] - cells[:, 1], 12)


def wilcoxon(a, b):
    """Wilcoxon's signed-rank test (1945): a row as `mcnemar` gives, with "rank_biserial" (-1..1, above 0 when a is higher).

    Pairs without a difference are dropped, as Wilcoxon did; `differ` counts the others. p is exact up to 50 of them without ties
    and up to 13 with ties, else from the normal distribution. p is None when nothing differs.
    """
    from scipy.stats import rankdata, wilcoxon as signed_rank

    change = changes(a, b)
    moved = change[change != 0]
    if not len(moved):
        return outcome("Wilcoxon signed-rank", len(change), 0, note="no prompt tells the models apart", rank_biserial=None)
    ranks = rankdata(np.abs(moved))
    found = signed_rank(moved)
    return outcome("Wilcoxon signed-rank", len(change), len(moved), found.statistic, found.pvalue, too_few(len(moved)),
                   rank_biserial=float((ranks * np.sign(moved)).sum() / ranks.sum()))


def sign_flip(a, b, draws=10_000, seed=0):
    """Permutation test of the mean difference: signs of the differences are flipped by lot; a row as `mcnemar` gives.

    All flips are tried where there are no more than `draws` of them, else `draws` random ones and p = (1 + as extreme) / (1 + draws).
    statistic: the mean difference a - b. p is None when nothing differs.
    """
    change = changes(a, b)
    moved = change[change != 0]
    if not len(moved):
        return outcome("sign flip", len(change), 0, note="no prompt tells the models apart")
    every = 2 ** len(moved) <= draws
    if every:
        flips = np.array(list(itertools.product((1, -1), repeat=len(moved))))
    else:
        flips = np.random.default_rng(seed).choice((1, -1), (draws, len(moved)))
    extreme = int((np.abs(flips @ moved) >= abs(moved.sum()) * (1 - 1e-9)).sum())
    p = extreme / len(flips) if every else (1 + extreme) / (1 + draws)
    return outcome("sign flip", len(change), len(moved), change.mean(), p, too_few(len(moved)))


def difference(a, b, draws=2000, level=0.95, seed=0):
    """Mean difference a - b with a percentile bootstrap interval over prompts: {"difference", "low", "high", "n"}; None under two prompts.

    For yes/no values it is the difference of two shares. Where every prompt has the same difference the interval has no width, and says
    nothing about other prompts: `compare` notes it.
    """
    change = changes(a, b)
    if len(change) < 2:
        return {"difference": float(change[0]) if len(change) else None, "low": None, "high": None, "n": len(change)}
    chosen = np.random.default_rng(seed).integers(0, len(change), (draws, len(change)))
    low, high = np.quantile(change[chosen].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return {"difference": float(change.mean()), "low": float(low), "high": float(high), "n": len(change)}


def holm(rows):
    """The rows with "p_holm" (Holm 1979): p values of all rows corrected together.

    A row without a p was tested too: it counts in the family, and its own p_holm is None.
    """
    from statsmodels.stats.multitest import multipletests

    if not rows:
        return []
    corrected = multipletests([1.0 if row["p"] is None else row["p"] for row in rows], method="holm")[1]
    return [row | {"p_holm": None if row["p"] is None else float(p)} for row, p in zip(rows, corrected)]


def compare(table, baseline=None, draws=2000, seed=0):
    """Every pair of models on every metric, with the test that fits the values; ready for a table.

    table: {metric: {model: values per prompt}}. Yes/no values: McNemar's exact test; scores: Wilcoxon's. With three or more models a
    row "all models" (Cochran's Q or Friedman) comes first. baseline: compare the others with this model only. Rows hold COLUMNS: n prompts
    with values, `differ` of which tell the models apart; difference is first minus second, with its interval. Holm's correction goes over
    all pairs of all metrics, and apart from them over the rows "all models".
    """
    pairs, whole = [], []
    for metric, values in table.items():
        models = list(values)
        if len(models) < 2 or (baseline is not None and baseline not in models):
            raise KitError(f"{metric}: {', '.join(models) or 'no model'} can not be compared"
                           + (f" with '{baseline}', which is not among them." if baseline is not None else ". Give at least two models."))
        binary = all(is_binary(together(column)[0]) for column in values.values())
        if len(models) > 2:
            whole.append({"metric": metric, "first": ALL, "second": ""} | (cochran_q if binary else friedman)(values)
                         | dict.fromkeys(("difference", "low", "high")))
        for first, second in itertools.combinations(models, 2):
            if baseline in (None, first, second):
                first, second = (second, first) if first == baseline else (first, second)
                pairs.append(one_pair(metric, values, first, second, binary, draws, seed))
    rows = sorted(holm(whole) + holm(pairs), key=lambda row: list(table).index(row["metric"]))
    return [{name: row[name] for name in COLUMNS} for row in rows]


def one_pair(metric, values, first, second, binary, draws, seed):
    """One row of `compare`, before the correction."""
    a, b = values[first], values[second]
    row, left_out, gap = (mcnemar if binary else wilcoxon)(a, b), together(a, b)[1], difference(a, b, draws, seed=seed)
    said = filter(None, [row["note"], f"{left_out} of {len(a)} prompts left out: a value is missing" if left_out else "",
                         "every prompt has the same difference, so its interval has no width and says nothing about other prompts"
                         if gap["low"] is not None and np.ptp(changes(a, b)) == 0 else ""])
    return {"metric": metric, "first": first, "second": second} | row | gap | {"note": "; ".join(said)}
