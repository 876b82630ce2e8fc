"""The paper's tables, recomputed: which totals follow from their own rows, which do not, and what a table can not tell."""

import inspect
import math
from pathlib import Path

from ..errors import KitError
from ..run import REPOSITORY

IN_WHEEL = Path(__file__).parent / "paper_tables"               # where setup.py puts the tables of data_cards/paper
FOLDER = IN_WHEEL if IN_WHEEL.is_dir() else REPOSITORY / "data_cards" / "paper"
ROUNDING = 0.005 + 1e-9                  # the paper prints two decimals


def load(name, folder=None):
    """A table of the paper as a pandas DataFrame, by file name without ".csv" ("table2_med_vbench"). KitError when missing."""
    import pandas as pd

    folder = Path(folder or FOLDER)
    path = folder / f"{name}.csv"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.csv"))) or "no table at all"
        raise KitError(f"{path} is not there; {folder} holds {there}. Tables come with the repository and its wheel; or give folder=.")
    return pd.read_csv(path)


def med_vbench_total(imaging_quality, subject_consistency, background_consistency, motion_smoothness, warping_error):
    """(IQ + SC + BC + MS + (100 - WE)) / 6, all 0 to 100: reproduces the totals of tables 2 and 4. Five terms are divided by six."""
    return (imaging_quality + subject_consistency + background_consistency + motion_smoothness + 100 - warping_error) / 6


def videoscore_total(visual_quality, temporal_consistency, text_to_video_alignment, factual_consistency, warping_error):
    """(VQ + TC + TVA + FC + 4 (1 - WE / 100)) / 6, scores 1 to 4 and WE in percent: reproduces 18 of the 20 totals of table 8."""
    return (visual_quality + temporal_consistency + text_to_video_alignment + factual_consistency + 4 * (1 - warping_error / 100)) / 6


def totals(which="med_vbench", folder=None):
    """Printed and recomputed totals: DataFrame with model, group, printed, computed, difference, follows (within `rounding`).

    which: "med_vbench" (table 2) or "video_score" (table 8).
    """
    names = {"med_vbench": ("table2_med_vbench", med_vbench_total), "video_score": ("table8_videoscore", videoscore_total)}
    if which not in names:
        raise KitError(f"there is no total '{which}'. Choose 'med_vbench' (table 2) or 'video_score' (table 8).")
    name, formula = names[which]
    table = load(name, folder)
    out = table[["model", "group"]].copy()
    out["printed"] = table["total"]
    out["computed"] = formula(**{term: table[term] for term in inspect.signature(formula).parameters})
    out["difference"] = out["computed"] - out["printed"]
    out["follows"] = out["difference"].abs() <= rounding(which)
    return out


def rounding(which="med_vbench"):
    """How far a total may lie from its row when nothing is wrong: the total and all five terms of a row are printed with two decimals."""
    terms = {"med_vbench": 5 * ROUNDING, "video_score": 4 * ROUNDING + 4 * ROUNDING / 100}[which]
    return ROUNDING + terms / 6


def funnel(folder=None):
    """Figure 4 with our sums: DataFrame stage, removed, remaining, kept_percent (of the stage before), adds_up."""
    table = load("fig4_filter_funnel", folder)
    before = table["remaining"].shift(1)
    table["kept_percent"] = 100 * table["remaining"] / before
    table["adds_up"] = (before - table["removed"] == table["remaining"]) | before.isna()
    return table


def smallest_test_set(percentages, largest=2000):
    """The smallest n such that every percentage is k / n, as printed with two decimals; None when there is none up to `largest`."""
    for n in range(1, largest + 1):
        if all(is_share(p, n) for p in percentages):
            return n
    return None


def augmentation(folder=None):
    """Table 3 with the smallest test set that can give the printed accuracies, and an exact interval at that size."""
    from statsmodels.stats.proportion import proportion_confint

    table = load("table3_augmentation", folder)
    table["test_set_at_least"] = table.groupby("task")["accuracy"].transform(lambda found: smallest_test_set(found))
    low, high = zip(*(proportion_confint(round(row.accuracy * row.test_set_at_least / 100), row.test_set_at_least, method="beta")
                      for row in table.itertuples()))
    table["low"], table["high"] = [100 * x for x in low], [100 * x for x in high]
    return table


def one_class_only(counts, always):
    """Macro accuracy, precision, recall, F1 (percent) of a classifier that always says class `always`; counts: items per class."""
    share, classes = counts[always] / sum(counts), len(counts)
    return {"accuracy": 100 * share, "precision": 100 * share / classes, "recall": 100 / classes,
            "f1": 100 * 2 * share / (share + 1) / classes}


def is_share(percent, videos=200):
    """True when a percentage printed with two decimals can be a whole number of `videos` clips."""
    return abs(round(percent * videos / 100) * 100 / videos - percent) <= ROUNDING


def warping_interval(percent, videos=200):
    """Wilson 95 % interval (percent) of a warping error over `videos` clips: the paper judged one clip for each of 200 prompts.

    The nearest whole number of clips is taken; five printed figures are none (`disagreements`), so their interval is a guide only.
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(round(percent * videos / 100), videos, method="wilson")
    return 100 * low, 100 * high


def warping_difference(first, second, videos=200):
    """Two-sided p value that two warping errors (percent, unpaired, `videos` clips each) differ; the table holds no pairs."""
    from statsmodels.stats.proportion import proportions_ztest

    return float(proportions_ztest([round(p * videos / 100) for p in (first, second)], [videos, videos])[1])


def kappa_word(kappa):
    """The word of Landis and Koch (1977) for a kappa; a convention, not a test."""
    steps = ((0.0, "poor"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (math.inf, "almost perfect"))
    return next(word for limit, word in steps if kappa <= limit)


def disagreements(folder=None):
    """Where the paper does not agree with itself: list of {"where", "printed", "also", "how we read it"}."""
    rows = [{"where": f"table 8, {row.model}", "printed": f"Total {row.printed:.2f}", "also": f"its own row gives {row.computed:.2f}",
             "how we read it": "one of the row's numbers is wrong; which one can not be told"}
            for row in totals("video_score", folder).itertuples() if not row.follows]
    highest = 500 / 6
    errors = load("table2_med_vbench", folder)
    odd = [f"{row.model} {row.warping_error:.2f}" for row in errors.itertuples() if not is_share(row.warping_error)]
    return rows + [
        {"where": "tables 2 and 8, Total", "printed": "five terms are added", "also": "and divided by six",
         "how we read it": f"the best possible Med-VBench total is {highest:.2f}, not 100; the ranking is not touched"},
        {"where": "tables 2 and 8, warping error", "printed": "one video for each of 200 prompts",
         "also": f"no share of 200: {', '.join(odd)}",
         "how we read it": "some clips are missing or were counted twice; for these models the number of clips is not known"},
        {"where": "section 3, raw videos", "printed": "25 million in the text", "also": "24 million in figure 3",
         "how we read it": "about 25 million"},
        {"where": "section 3, resolution", "printed": "kept above 480p", "also": "the sample record is 720x480",
         "how we read it": "480p is allowed"},
        {"where": "section 3, DOVER", "printed": "scores greater than 0 are excluded", "also": "the sample record has 0.705",
         "how we read it": "scores below 0 are excluded"}]
