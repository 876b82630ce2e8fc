"""Marks: how many of the factors that a prompt asked for does a clip show? Shares, their intervals, and what guessing gives."""

import numpy as np

from ..errors import KitError

GROUPS = ("appearance", "motion", "motion_unseen", "all_factors", "modality")


def motion_names():
    """Names of the motion factors of the course's own sources."""
    from .. import sources

    return tuple(sources.MOTION)


def decisions(predicted, factors, unseen=None, motion=None):
    """One row per factor that a prompt asked for: {"clip", "factor", "kind", "unseen", "right"}.

    predicted: list of dicts, what the scorer read (`Scorer.judge`). factors: list of dicts, what the prompts asked.
    unseen: bool per clip, True for a combination never trained on. motion: names of the motion factors.
    kind is "modality", "motion" or "appearance". A factor of the wrong modality was not shown, so it counts as wrong.
    """
    if len(predicted) != len(factors):
        raise KitError(f"{len(predicted)} clips were judged but {len(factors)} prompts were given. Give both lists in one order.")
    motion = motion_names() if motion is None else motion
    unseen = [False] * len(factors) if unseen is None else unseen
    rows = []
    for clip, (found, asked) in enumerate(zip(predicted, factors)):
        for name, value in asked.items():
            kind = "modality" if name == "modality" else "motion" if name in motion else "appearance"
            rows.append({"clip": clip, "factor": name, "kind": kind, "unseen": bool(unseen[clip]), "right": found.get(name) == value})
    return rows


def score(predicted, factors, unseen=None, motion=None):
    """Shares of right decisions, 0..1 (None where there was nothing to decide).

    appearance: factors that do not move, without the modality. motion: motion factors. motion_unseen: those on unseen
    combinations. all_factors: clips with everything right, the modality too. Also `modality`, `per_factor` {name: share}
    and `n` (decisions behind each share).
    """
    rows = decisions(predicted, factors, unseen, motion)
    groups = {"appearance": [r["right"] for r in rows if r["kind"] == "appearance"],
              "motion": [r["right"] for r in rows if r["kind"] == "motion"],
              "motion_unseen": [r["right"] for r in rows if r["kind"] == "motion" and r["unseen"]],
              "modality": [r["right"] for r in rows if r["kind"] == "modality"]}
    whole = {}
    for row in rows:
        whole[row["clip"]] = whole.get(row["clip"], True) and row["right"]
    groups["all_factors"] = list(whole.values())
    single = {name: [r["right"] for r in rows if r["factor"] == name] for name in sorted({r["factor"] for r in rows})}
    share = {name: float(np.mean(right)) if right else None for name, right in groups.items()}
    return share | {"per_factor": {name: float(np.mean(right)) for name, right in single.items()},
                    "n": {name: len(right) for name, right in (groups | single).items()}}


def majority_guess(factors, like=None):
    """What somebody says who sees no clip: the modality is known, every factor gets its commonest value.

    factors: the prompts' factors. like: where the commonest values are counted (default: the same prompts, which flatters
    the guess a little). Returns predictions for `score`.
    """
    counts = {}
    for row in like or factors:
        for name, value in row.items():
            counts.setdefault(name, {}).setdefault(value, 0)
            counts[name][value] += 1
    best = {name: max(sorted(found), key=found.get) for name, found in counts.items()}
    return [{name: value if name == "modality" else best.get(name) for name, value in row.items()} for row in factors]


def intervals(predicted, factors, unseen=None, motion=None, draws=2000, level=0.95, seed=0):
    """Intervals over prompts (all factors of a prompt move together): {share: (low, high)} for those of GROUPS that were asked.

    As `cluster_interval`; a share that rests on a single prompt has the exact interval of one, nearly 0 to 1, so that it can be drawn.
    """
    rows = decisions(predicted, factors, unseen, motion)
    right, total = (np.zeros((len(factors), len(GROUPS))) for _ in range(2))
    for row in rows:
        for group in {"appearance": ("appearance",), "modality": ("modality",),
                      "motion": ("motion", "motion_unseen") if row["unseen"] else ("motion",)}[row["kind"]]:
            column = GROUPS.index(group)
            total[row["clip"], column] += 1
            right[row["clip"], column] += row["right"]
    column, judged = GROUPS.index("all_factors"), sorted({row["clip"] for row in rows})
    wrong = {row["clip"] for row in rows if not row["right"]}
    total[judged, column] = 1
    right[[clip for clip in judged if clip not in wrong], column] = 1
    spread = {}
    for i, group in enumerate(GROUPS):
        if total[:, i].any():
            found = cluster_interval(right[:, i], total[:, i], draws, level, seed)
            spread[group] = exact_interval(right[:, i].sum() / total[:, i].sum(), 1, level) if None in found else found
    return spread


def cluster_interval(right, total, draws=2000, level=0.95, seed=0):
    """Interval of sum(right) / sum(total), arrays [prompts], by percentile bootstrap where whole prompts are drawn again: (low, high).

    Where all prompts have the same share (all right, none right, or alike in between) no draw differs from another, and a width of 0 would
    claim certainty: `exact_interval` of as many prompts instead. (None, None) with fewer than two prompts that ask for anything.
    """
    right, total = np.asarray(right, float), np.asarray(total, float)
    asked = int((total > 0).sum())
    if asked < 2:
        return None, None
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(right), (draws, len(right)))
    below = total[chosen].sum(1)
    shares = right[chosen].sum(1)[below > 0] / below[below > 0]
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2]) if len(shares) else (0, 0)
    return (float(low), float(high)) if high - low > 1e-9 else exact_interval(right.sum() / total.sum(), asked, level)


def exact_interval(share, prompts, level=0.95):
    """Exact (Clopper-Pearson) interval of a share, 0..1, when every one of the prompts is a yes or a no: (low, high).

    Clopper and Pearson 1934 by quantiles of the beta distribution, which also take a share that is no whole number of prompts.
    """
    from scipy.stats import beta

    right, wrong = share * prompts, (1 - share) * prompts
    return (float(beta.ppf((1 - level) / 2, right, wrong + 1)) if right > 1e-9 else 0.0,
            float(beta.ppf((1 + level) / 2, right + 1, wrong)) if wrong > 1e-9 else 1.0)


def table(rows):
    """{name of a row: output of `score`} as a list of flat dicts for `show.table`."""
    return [{"clips": name} | {group: found[group] for group in GROUPS} | {"prompts": found["n"]["all_factors"]}
            for name, found in rows.items()]
