"""Real clips and their controls, measured like the clips of a report: what each metric sees, what it ranks above the real clips."""

from pathlib import Path
from statistics import median

import numpy as np

from ... import video
from ...errors import KitError, VideoError
from ...run import code_hash
from ...sources import brain, real as shipped
from .. import controls, metrics
from .items import VIDEOS, items_of
from .rows import file_hash, mark_of, measured, plain, read_clip

CONTROLS = ("still", "shuffled", "noisy", "noise", "codec")
COUNT, ECHOES = 10, 4                   # clips; so many of the shipped ones are echo, the others brain sweeps
ECHO_FRAMES, MOST_FRAMES = 24, 96       # the echo has 30 frames in all; longer clips than MOST_FRAMES are not needed for a control
NOISE = 20                              # memory that a noisy control takes, times the frames
USUAL = {"width": 96, "height": 96, "frames": 12, "fps": 8.0}          # where no clip was measured
MORALS = {"still": "a clip that does not move wins", "shuffled": "frames in any order win", "noisy": "noise on every pixel wins",
          "noise": "noise alone wins", "codec": "a worse picture wins"}


def sources_of(folder=None):
    """(what the real clips are made from, what could not be used): at most COUNT files of a folder, else the clips that the kit ships.

    A source is ("file", path, prompt or None), ("echo", number) or ("brain", plane, direction).
    """
    if folder is None:
        sweeps = [("brain", plane, direction) for plane in brain.FACTORS["plane"] for direction in brain.FACTORS["direction"]]
        return [*(("echo", number) for number in range(ECHOES)), *sweeps][:COUNT], []
    good, bad = [], []
    for item in items_of(folder)[0]:
        try:
            if item.problem:
                raise VideoError(item.name, "missing", f"{item.problem}.")
            video.probe(item.path)
            good.append(("file", str(item.path), item.prompt))
        except VideoError as error:
            bad.append({"file": item.name, "reason": f"{error.message} [{error.reason}]"})
    if not good:
        raise KitError(f"{folder} holds no video that can be read ({', '.join(VIDEOS)}), so there is no real clip to compare with. Name "
                       "another folder with --real, or leave it out for the clips that the kit ships.")
    return [good[k] for k in np.linspace(0, len(good) - 1, min(COUNT, len(good))).round().astype(int)], bad


def shape_of(rows, budget):
    """{"width", "height", "frames", "fps"} that the real clips are given: the most frequent size of the judged clips, the medians.

    budget: bytes that one clip may take; where it does not reach, the real clips are shorter.
    """
    rows = [row for row in rows if row["scores"]]
    if not rows:
        return dict(USUAL)
    sizes = [(row["width"], row["height"]) for row in rows]
    width, height = max(sorted(set(sizes)), key=sizes.count)
    alike = [row for row, size in zip(rows, sizes) if size == (width, height)]
    frames = min(MOST_FRAMES, int(median(row["frames_measured"] for row in alike)), max(3, budget // (NOISE * 3 * width * height)))
    return {"width": width, "height": height, "frames": frames, "fps": float(median(row["fps"] for row in alike))}


def real_clip(source, shape):
    """(frames uint8 [T, H, W, 3], prompt or None) of a source in that shape; an echo or a file that is shorter keeps its own length."""
    kind, *which = source
    size, side, count = (shape["height"], shape["width"]), min(shape["height"], shape["width"]), shape["frames"]
    if kind == "file":
        return fitted(read_clip(which[0], count)[0], size), which[1]
    if kind == "echo":
        count = min(count, ECHO_FRAMES)
        sector, last = shipped.cut(shipped.echo().frames, shipped.ECHO_CROP), shipped.echo().frames.shape[0] - count
        first = round(which[0] * last / max(1, ECHOES - 1))
        return framed(video.resize(sector[first:first + count], side), size), shipped.ECHO_PHRASES[which[0] % len(shipped.ECHO_PHRASES)][0]
    factors, rng = {"plane": which[0], "direction": which[1]}, np.random.default_rng(int(mark_of(which), 16))
    frames, span = brain.clip(factors, rng, count, side)
    return framed(frames, size), brain.describe(factors, rng, span)[0]


def fitted(frames, size):
    """Frames scaled until they cover `size` (height, width), the rest cut off on both sides."""
    scale = max(size[0] / frames.shape[1], size[1] / frames.shape[2])
    frames = video.resize(frames, tuple(max(round(scale * own), want) for own, want in zip(frames.shape[1:3], size)))
    top, left = ((own - want) // 2 for own, want in zip(frames.shape[1:3], size))
    return frames[:, top:top + size[0], left:left + size[1]]


def framed(frames, size):
    """Square frames in the middle of a black picture of `size` (height, width)."""
    (down, right) = (want - own for own, want in zip(frames.shape[1:3], size))
    return np.pad(frames, ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0)))


def variants(frames):
    """Yield (name, frames) of a real clip: "real", then every control."""
    yield "real", frames
    for name in CONTROLS:
        yield name, controls.spoil(frames[None], name)[0]


def measure_source(source, shape, meter):
    """{"reason", "results": {"real" or control: {metric: {"value", ...}}}} of one real clip. It runs in a worker process."""
    try:
        frames, prompt = real_clip(source, shape)
        found = {name: plain(metrics.measure(shown, shape["fps"], prompt, meter.networks(), meter.names))
                 for name, shown in variants(frames)}
    except VideoError as error:
        return {"reason": f"{error.message} [{error.reason}]", "results": {}}
    except KitError:
        raise
    except Exception as error:                    # a size at which a library gives up: the report has no controls then, and says so
        return {"reason": f"it could not be measured ({type(error).__name__}: {error})", "results": {}}
    for one in found.values():
        for entry in one.values():
            entry["per_frame"] = []
    return {"reason": "", "results": found}


def examine(chosen, rows, meter, settings, ledger, workers, say=None):
    """The section "controls" of a report and the keys of its rows: {"clips", "shipped", "shape", "left_out", "rows"}, [keys].

    chosen: of `sources_of`. rows of the section: one for "real" and each control, see `control_row`.
    """
    (sources, left_out), shape, jobs = chosen, shape_of(rows, meter.budget), {}
    for source in sources:
        mark = [file_hash(source[1]), source[2]] if source[0] == "file" else source
        key = mark_of("control", mark, shape, settings, code_hash(measure_source))
        jobs[key] = (source, shape, meter)
    found = measured(jobs, measure_source, ledger, workers, say, "real clips and controls")
    good = [key for key in jobs if not found[key]["reason"]]
    left_out = left_out + [{"file": label(jobs[key][0]), "reason": found[key]["reason"]} for key in jobs if key not in good]
    results = [found[key]["results"] for key in good]
    lines = [control_row(name, results, meter.names) for name in ("real", *CONTROLS)]
    return {"clips": [label(jobs[key][0]) for key in good], "shipped": sources[0][0] != "file", "shape": shape, "left_out": left_out,
            "rows": lines}, good


def label(source):
    """A source in words."""
    return {"file": lambda path, prompt: Path(path).name, "echo": lambda number: f"echocardiogram, part {number + 1}",
            "brain": lambda plane, direction: f"brain MR, {plane}, {direction}"}[source[0]](*source[1:])


def control_row(name, results, names):
    """{"control", "about", "clips", "metrics": {metric: {"value", "real", "n", "verdict"}}} of "real" or one control.

    value, real: means over the n clips that have both. verdict: of `controls.verdict` on the pairs, or "takes no side".
    """
    row = {"control": name, "about": "real clips" if name == "real" else controls.WORDS[name], "clips": len(results), "metrics": {}}
    for metric in names:
        pairs = [(clip["real"][metric]["value"], clip[name][metric]["value"]) for clip in results]
        both, better = [pair for pair in pairs if None not in pair], metrics.BETTER[metric]
        real, spoiled = zip(*both) if both else ((), ())
        verdict = "" if name == "real" else controls.verdict(real, spoiled, better) if better else "takes no side"
        row["metrics"][metric] = {"value": controls.mean(spoiled), "real": controls.mean(real), "n": len(both), "verdict": verdict}
    return row


def flags_of(lines, digits):
    """[{"metric", "control", "real", "spoiled", "certain", "shown", "moral", "text"}]: every metric that gives a control a better mean than
    the real clips.

    certain: the paired difference is more than chance (two standard errors). digits: {metric: with how many it is shown}.
    """
    found = []
    for row in lines[1:]:
        for metric, cell in row["metrics"].items():
            better, own = metrics.BETTER[metric], cell["real"]
            if not better or own is None or cell["value"] is None or (cell["value"] - own) * better <= 1e-9:
                continue
            certain = cell["verdict"] == "prefers it"
            shown, above = digits_apart(cell["value"], own, digits[metric]), ("more", "higher") if better > 0 else ("less", "lower")
            moral = MORALS[row["control"]] if certain else "the difference may be chance"
            text = (f"{metric} gives '{row['about']}' {shown[0]}, {above[0]} than the real clips' {shown[1]} ({above[1]} is better): "
                    f"{moral}{' it' * certain}.")
            found.append({"metric": metric, "control": row["control"], "real": own, "spoiled": cell["value"], "certain": certain,
                          "shown": list(shown), "moral": moral, "text": text})
    return sorted(found, key=lambda flag: not flag["certain"])


def digits_apart(first, second, digits):
    """Both numbers as text, with as many digits as it takes to tell them apart (at most 8)."""
    return next(pair for more in range(digits, 9) if (pair := (f"{first:.{more}f}", f"{second:.{more}f}"))[0] != pair[1] or more == 8)
