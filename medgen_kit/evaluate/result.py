"""A result of one metric on one clip: its value or the reason why there is none, and the settings without which it means nothing."""

import math
from dataclasses import asdict, dataclass, field

import numpy as np

from ..errors import KitError

LOOSE = ("device", "machine")                  # settings that may differ between results that are compared


@dataclass
class MetricResult:
    """name: of the metric. value: a number, None when it could not be measured (`reason` says why, in one sentence). weight: comparisons
    that went into it (pairs of frames), for weighting "frames". per_frame: the series behind the value, [] where there is none.
    settings: backbone, weights (sha256 or ""), resize, frames (rules, in words), versions {library: number}.
    """

    name: str
    value: float | None
    reason: str = ""
    weight: int = 1
    per_frame: list = field(default_factory=list)
    settings: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.value is not None and not math.isfinite(self.value):
            self.value, self.reason = None, self.reason or "the metric gave no finite number"
        self.per_frame = [one if math.isfinite(one) else None for one in self.per_frame]
        if self.value is None and not self.reason:
            raise KitError(f"a result of '{self.name}' without a value needs a reason.")

    def as_dict(self):
        """Plain JSON values."""
        return asdict(self)


def differences(first, second):
    """Names of settings in which two results (or settings dicts) differ: {name: (first, second)}; versions one by one."""
    flat = []
    for one in (first, second):
        settings = one.settings if isinstance(one, MetricResult) else one
        flat.append({name: value for name, value in settings.items() if name not in LOOSE and name != "versions"}
                    | {f"version of {library}": number for library, number in settings.get("versions", {}).items()})
    return {name: (flat[0].get(name), flat[1].get(name)) for name in dict.fromkeys((*flat[0], *flat[1]))
            if flat[0].get(name) != flat[1].get(name)}


def comparable(results):
    """The results, unchanged; KitError that names the difference when they were not made with equal settings or metrics."""
    results = list(results)
    for other in results[1:]:
        if other.name != results[0].name:
            raise KitError(f"'{results[0].name}' and '{other.name}' are two metrics; they can not be compared.")
        if found := differences(results[0], other):
            name, (here, there) = next(iter(found.items()))
            more = f" (and {len(found) - 1} more: {', '.join(list(found)[1:])})" if len(found) > 1 else ""
            raise KitError(f"{other.name}: {name} is {here!r} in one result and {there!r} in the other{more}, so they can not be compared. "
                           "Measure both with the same settings.")
    return results


def aggregate(results, weighting="videos", groups=None, draws=2000, level=0.95, seed=0):
    """The score of a set of clips: {"value", "low", "high" (percentile bootstrap over clips), "n", "missing"}.

    results: MetricResults of one metric and equal settings. weighting: "videos" (plain mean of clips; what VBench gives for most
    dimensions on several GPUs) or "frames" (every comparison counts alike; subject consistency on one GPU and background consistency on
    any number). groups: a label per result, then {label: the same dict} with "all" first. value is None when nothing was measured.
    """
    if weighting not in ("videos", "frames"):
        raise KitError(f"weighting '{weighting}' is neither 'videos' nor 'frames'.")
    results = comparable(results)
    if groups is not None:
        labels = list(groups)
        if len(labels) != len(results):
            raise KitError(f"{len(results)} results but {len(labels)} groups. Give one label per result.")
        share = {label: [result for result, own in zip(results, labels) if own == label] for label in dict.fromkeys(labels)}
        return {name: aggregate(part, weighting, None, draws, level, seed) for name, part in ({"all": results} | share).items()}
    kept = [result for result in results if result.value is not None]
    if not kept:
        return {"value": None, "low": None, "high": None, "n": 0, "missing": len(results)}
    values = np.array([result.value for result in kept], float)
    weights = np.array([result.weight for result in kept], float) if weighting == "frames" else np.ones(len(kept))
    if not weights.sum():
        return {"value": None, "low": None, "high": None, "n": 0, "missing": len(results)}
    chosen = np.random.default_rng(seed).integers(0, len(kept), (draws, len(kept)))
    below = weights[chosen].sum(1)
    means = (values * weights)[chosen].sum(1)[below > 0] / below[below > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2]) if len(kept) > 1 else (None, None)
    return {"value": float((values * weights).sum() / weights.sum()), "low": None if low is None else float(low),
            "high": None if high is None else float(high), "n": len(kept), "missing": len(results) - len(kept)}
