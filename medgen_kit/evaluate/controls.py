"""Controls: clips spoiled on purpose. A metric that gives a spoiled clip the same mark as the real one is blind to that fault."""

import tempfile
from pathlib import Path

import numpy as np

from ..errors import KitError


def still(frames, rng):
    """The first frame, repeated: nothing moves."""
    return np.repeat(frames[:1], len(frames), 0)


def backwards(frames, rng):
    """The clip played backwards: entering becomes withdrawing."""
    return frames[::-1].copy()


def shuffled(frames, rng):
    """The frames in another order."""
    order = rng.permutation(len(frames))
    return frames[order if (order != np.arange(len(frames))).any() else order[::-1]]


def noisy(frames, rng):
    """Noise of 25 grey levels on every pixel of every frame."""
    return (frames + rng.normal(0, 25, frames.shape)).clip(0, 255).astype(np.uint8)


def blurred(frames, rng):
    """A Gaussian blur of one sixteenth of the picture."""
    import cv2

    sigma = frames.shape[2] / 16 / 2
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def noise(frames, rng):
    """Nothing but noise: every pixel of every frame by chance."""
    return rng.integers(0, 256, frames.shape, np.uint8)


def codec(frames, rng):
    """Through H.264 at a low bit rate (crf 35) and back: blocks and lost detail, as in a video that was sent around."""
    from .. import video

    with tempfile.TemporaryDirectory() as folder:
        shown, _ = video.read(video.write(Path(folder) / "clip.mp4", frames, 8, crf=35))
    return shown[:, :frames.shape[1], :frames.shape[2]]


CONTROLS = {"still": still, "backwards": backwards, "shuffled": shuffled, "noisy": noisy, "blurred": blurred}
MORE = {"noise": noise, "codec": codec}              # for reports; `examine` takes them when they are named
WORDS = {"still": "first frame repeated", "backwards": "played backwards", "shuffled": "frames in another order", "noisy": "noise added",
         "blurred": "blurred", "noise": "nothing but noise", "codec": "through the codec (H.264, crf 35)",
         "wrong prompt": "the clip of another prompt"}


def spoil(clips, name, seed=0):
    """Clips uint8 [N, T, H, W, 3] spoiled by control `name`, or shown beside another prompt ("wrong prompt": rolled by one)."""
    if name == "wrong prompt":
        return np.roll(clips, 1, 0)
    ways = CONTROLS | MORE
    if name not in ways:
        raise KitError(f"there is no control '{name}'. Controls: {', '.join((*ways, 'wrong prompt'))}.")
    return np.stack([ways[name](clip, np.random.default_rng([seed, i])) for i, clip in enumerate(clips)])


def verdict(real, spoiled, better=1, level=2.0):
    """What a metric says of a control: "sees it", "blind" or "prefers it", from paired values [N] of the same clips.

    A mean paired difference under `level` standard errors is "blind". better: 1 when a higher value is better, -1 when lower is.
    None values are left out with their pair; "not measured" when fewer than two pairs stay.
    """
    pairs = [(s - r) * better for r, s in zip(real, spoiled) if r is not None and s is not None]
    if len(pairs) < 2:
        return "not measured"
    mean, error = np.mean(pairs), np.std(pairs, ddof=1) / np.sqrt(len(pairs))
    if abs(mean) <= max(level * error, 1e-9):
        return "blind"
    return "sees it" if mean < 0 else "prefers it"


def examine(clips, metrics, names=None, seed=0):
    """How every metric treats every control: list of {"control", "metric", "real", "spoiled", "verdict"}.

    metrics: name -> (function of clips [N, T, H, W, 3] that gives N values, better: 1 or -1); a list of names may share one
    function when the key is a tuple: (names...) -> (function that gives a list of dicts, {name: better}).
    """
    rows, found = [], {name: values(clips, metrics) for name in ("real",)}
    for control in names or (*CONTROLS, "wrong prompt"):
        found[control] = values(spoil(clips, control, seed), metrics)
        for metric, (spoiled, better) in found[control].items():
            real = found["real"][metric][0]
            rows.append({"control": control, "metric": metric, "real": mean(real), "spoiled": mean(spoiled),
                         "verdict": verdict(real, spoiled, better)})
    return rows


def values(clips, metrics):
    """{metric: (N values, better)} of one set of clips."""
    found = {}
    for key, (function, better) in metrics.items():
        result = function(clips)
        if isinstance(key, tuple):
            found |= {name: ([row[name] for row in result], better[name]) for name in key}
        else:
            found[key] = (list(result), better)
    return found


def mean(found):
    """Mean of the values that are not None; None when all are."""
    kept = [x for x in found if x is not None]
    return float(np.mean(kept)) if kept else None


def wide(rows):
    """One row per metric and one column per control: the verdicts of `examine` as a table."""
    table = {}
    for row in rows:
        table.setdefault(row["metric"], {"metric": row["metric"], "real": row["real"]})[row["control"]] = row["verdict"]
    return list(table.values())
