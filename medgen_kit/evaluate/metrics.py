"""All automatic metrics of one clip, each with its settings: what `evaluate` puts in a row of its report."""

import functools
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from ..errors import KitError
from . import backbones, classical, clinical, vbench
from .result import MetricResult

DIGITS = 5                              # of the series behind a value
LEAST = 64                              # pixels of the short side for the interpolator and the flow of "parity"


@dataclass(frozen=True)
class Metric:
    """better: 1 when higher is better, -1 when lower, 0 when neither. needs: frames at least. part: of the backbone. resize, frames: the
    rules, in words. about: what it says, in one line. digits: with which it is shown."""

    better: int
    needs: int
    part: str
    resize: str
    frames: str
    about: str
    digits: int = 3


WHOLE, CROPPED = "short side 224, bilinear, no antialiasing, whole picture", "short side 224, bicubic, no antialiasing, centre crop"
NONE, FLOW = "none", "grey, short side 64 to 256, for the flow and for the error"
METRICS = {
    "subject_consistency": Metric(1, 2, "subject", WHOLE, "all", "does the whole picture stay itself? a frozen clip scores 1"),
    "background_consistency": Metric(1, 2, "background", CROPPED, "all", "the same on the centre crop; nothing separates a background"),
    "motion_smoothness": Metric(1, 3, "interpolator", "none; sides padded to multiples of 16", "odd frames guessed from even ones",
                                "can each odd frame be guessed from its neighbours? a frozen clip scores 1", 4),
    "temporal_flickering": Metric(1, 2, "", NONE, "all", "how little do neighbouring frames differ? punishes motion too", 4),
    "dynamic_degree": Metric(0, 2, "flow", "sides padded to multiples of 8", "about 8 a second", "does it move at all? 1 or 0", 2),
    "imaging_quality": Metric(1, 1, "quality", "long side at most 512, bilinear, no antialiasing", "all",
                              "technical picture quality, 0 to 100, learned from photographs", 1),
    "overall_consistency": Metric(1, 1, "video", CROPPED, "8, middle of equal intervals", "cosine of video and prompt"),
    "concept_recall": Metric(1, 1, "concepts", "the tower's own, area", "as many as the tower reads, evenly",
                             "share of the medical concepts that the prompt asks for that are seen, among the concepts that the prompt "
                             "decides; the head may flatter what it helped to train", 2),
    "concept_precision": Metric(1, 1, "concepts", "the tower's own, area", "as many as the tower reads, evenly",
                                "share of the concepts seen that the prompt asks for, among the concepts that the prompt decides; what "
                                "it leaves open is not judged", 2),
    "sharpness": Metric(1, 1, "", "64 x 64, area", "all", "variance of the Laplacian; noise is 'sharp' too", 0),
    "flow_warp_error": Metric(-1, 2, "", FLOW, "all", "how badly does flow explain the next frame? a frozen clip scores 0", 5),
    "motion_pixels": Metric(0, 2, "", FLOW, "all", "mean flow length at a height of 64 pixels", 2),
    "frozen_share": Metric(-1, 2, "", NONE, "all", "share of neighbouring frames that are the same", 2),
    "light_flicker": Metric(-1, 3, "", NONE, "all", "mean second difference of the brightness, in grey levels", 2),
}
PAPER = ("imaging_quality", "subject_consistency", "background_consistency", "motion_smoothness")
PROMPT = ("overall_consistency", "concept_recall", "concept_precision")              # need a prompt, and the towers of a run
LIGHT = tuple(name for name in METRICS if name not in ("imaging_quality", *PROMPT))
BETTER = {name: metric.better for name, metric in METRICS.items()}


def names_for(backbone, towers=False):
    """The metrics that a backbone offers, in the order of METRICS. towers: the run's towers are at hand (light)."""
    left_out = {"light": {"imaging_quality"} | set(() if towers else PROMPT), "parity": set(PROMPT)}[backbone]
    return tuple(name for name in METRICS if name not in left_out)


def measure(frames, fps, prompt=None, backbone="light", names=None):
    """{name: MetricResult} of one clip. Never fails for a clip that is short or can not be measured: value None, with the reason.

    frames: uint8 [T, H, W, 3]. fps: frames a second, above 0. backbone: a name or a `backbones.Backbone`. names: of METRICS (default: what
    the backbone offers). A network that can not be had (no download, no weights) is a KitError, not a missing value.
    """
    networks = backbones.load(backbone) if isinstance(backbone, str) else backbone
    views, found, shared = vbench.Views.of(frames), {}, {}
    for name in names or names_for(networks.name, bool(networks.align_folder)):
        if name not in METRICS:
            raise KitError(f"there is no metric '{name}'. Metrics: {', '.join(METRICS)}.")
        found[name] = one(name, views, fps, prompt, networks, shared)
    return found


def one(name, views, fps, prompt, networks, shared):
    """MetricResult of one metric of a clip (`vbench.Views`); `shared` keeps what two metrics need."""
    metric = METRICS[name]
    settings = settings_of(metric, networks)
    if len(views) < metric.needs:
        return MetricResult(name, None, f"it has {len(views)} of at least {metric.needs} frames", settings=settings)
    if networks.name == "parity" and metric.part in ("interpolator", "flow") and min(views.frames.shape[1:3]) < LEAST:
        return MetricResult(name, None, f"its short side is under the {LEAST} pixels that AMT and RAFT can read", settings=settings)
    if name in PROMPT and not prompt:
        return MetricResult(name, None, "it has no prompt", settings=settings)
    try:
        value, series, weight, reason = MEASURE[name](views, fps, prompt, networks, shared)
    except vbench.NotFinite:
        return MetricResult(name, None, "its network gave numbers that are not finite", settings=settings)
    return MetricResult(name, None if value is None else float(value), reason, weight, [round(float(x), DIGITS) for x in series], settings)


def settings_of(metric, networks):
    """What a value depends on besides the clip."""
    facts = networks.facts(metric.part) if metric.part else {"backbone": "none", "weights": ""}
    return facts | {"resize": metric.resize, "frames": metric.frames, "versions": versions()}


@functools.lru_cache
def versions():
    """Versions of what computes: {library: number}."""
    return {name: metadata.version(name) for name in ("medgen-kit", "torch", "numpy", "opencv-python-headless", "av")}


def _consistency(pictures, part):
    def measured(views, fps, prompt, networks, shared):
        pairs = vbench.consistency_pairs(vbench.encode(pictures(views), networks.part(part)))
        return pairs.mean(), pairs, len(pairs), ""
    return measured


def _smoothness(views, fps, prompt, networks, shared):
    return vbench.motion_smoothness(views, networks.part("interpolator")), [], (len(views) - 1) // 2, ""


def _flickering(views, fps, prompt, networks, shared):
    return vbench.temporal_flickering(views), [], len(views) - 1, ""


def _dynamic(views, fps, prompt, networks, shared):
    moves = vbench.dynamic_degree(views, fps, networks.part("flow"), vbench_compatible=networks.name == "parity")
    return moves, [], len(views) - 1, "" if moves is not None else "no pair of frames gave a flow"


def _quality(views, fps, prompt, networks, shared):
    series = vbench.quality_series(views, networks.part("quality"))
    return np.mean(series), series, len(series), ""


def _overall(views, fps, prompt, networks, shared):
    return vbench.overall_consistency(views, networks.part("video"), networks.part("text"), prompt), [], 1, ""


def _concepts(key):
    def measured(views, fps, prompt, networks, shared):
        if "concepts" not in shared:
            head = networks.part("concepts")
            shared["concepts"] = clinical.against_prompt(prompt, head(views.frames, prompt), known=head.known)
        found = shared["concepts"]
        counted = found["asked"] if key == "recall" else found["shown"]
        return found[key], [], max(1, len(counted)), "" if found[key] is not None else found["reason"] or "nothing to count"
    return measured


def _sharpness(views, fps, prompt, networks, shared):
    series = classical.sharpness_series(views.frames)
    return series.mean(), series, len(series), ""


def _warped(key):
    def measured(views, fps, prompt, networks, shared):
        if "warp" not in shared:
            shared["warp"] = classical.flow_warp_error(views.frames)
        found = shared["warp"]
        reason = "" if found[key] is not None else f"flow can be trusted on {found['coverage']:.0%} of the picture, less than 30 %"
        return found[key], [], len(views) - 1, reason
    return measured


def _frozen(views, fps, prompt, networks, shared):
    return classical.frozen_share(views.frames), [], len(views) - 1, ""


def _light(views, fps, prompt, networks, shared):
    return classical.light_flicker(views.frames), [], len(views) - 2, ""


MEASURE = {"subject_consistency": _consistency(vbench.Views.subject, "subject"),
           "background_consistency": _consistency(vbench.Views.clip, "background"), "motion_smoothness": _smoothness,
           "temporal_flickering": _flickering, "dynamic_degree": _dynamic, "imaging_quality": _quality, "overall_consistency": _overall,
           "concept_recall": _concepts("recall"), "concept_precision": _concepts("precision"),
           "sharpness": _sharpness, "flow_warp_error": _warped("error"), "motion_pixels": _warped("pixels"), "frozen_share": _frozen,
           "light_flicker": _light}


def values(results):
    """{name: value or None} of `measure`."""
    return {name: result.value for name, result in results.items()}
