"""One row per clip: read, measured by every metric, or the reason why there is no score. What is measured is kept, so a run goes on."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import machine, video
from ...errors import DiskError, KitError, VideoError, disk_advice
from ...run import code_hash
from ...whole import whole
from .. import backbones, metrics, vbench
from ..result import MetricResult

OWN, SMALL = 8, 12                     # memory that measuring takes: times the frames, and times the frames at a short side of 224
ALL_FRAMES = "all frames of a clip"
PRIVATE = ("found", "problem")
SHARE = 0.5                            # of the machine's memory that all workers together may take
DIED = {"reason": "the process that measured it was ended, twice: the file crashes a decoder, or there was not enough memory",
        "facts": {}, "results": {}}


@dataclass(frozen=True)
class Meter:
    """How clips are measured. backbone, align_folder, weights: see `backbones.load`. max_frames: only the first so many, None for all.
    budget: bytes of memory a clip may take. names: of the metrics."""

    backbone: str
    align_folder: str | None
    weights: str | None
    max_frames: int | None
    budget: int
    names: tuple

    def networks(self):
        return backbones.load(self.backbone, self.align_folder, self.weights)

    def settings(self):
        """Everything that a value depends on besides its clip, in plain JSON values; KitError when a network is not there."""
        try:
            per_metric = {name: metrics.settings_of(metrics.METRICS[name], self.networks()) for name in self.names}
        except KitError as error:
            if self.backbone != "parity":
                raise
            raise KitError(f"{lacking(self.weights)} {error}") from error
        for found in per_metric.values():
            found.pop("versions")
        rule = ALL_FRAMES if self.max_frames is None else f"the first {self.max_frames} frames of a clip"
        return {"backbone": self.backbone, "frames": rule, "metrics": per_metric, "versions": metrics.versions(),
                "code": code_hash(metrics.measure)}


def meter(backbone="light", align_folder=None, weights=None, max_frames=None, workers=2):
    """The `Meter` for this machine; KitError for a backbone or network that is not there, before any clip is read."""
    if workers < 1:
        raise KitError(f"workers is {workers}; clips are measured by at least one process at a time (--workers 1).")
    if max_frames is not None and max_frames < 2:
        raise KitError(f"max_frames is {max_frames}; metrics compare frames, so at least 2 are needed (--max-frames 2).")
    align_folder, weights = (str(folder) if folder else None for folder in (align_folder, weights))
    memory = machine.facts()["memory_gib"] * 2**30 or 8 * 2**30
    names = metrics.names_for(backbones.load(backbone, align_folder, weights).name, bool(align_folder))
    return Meter(backbone, align_folder, weights, max_frames, int(SHARE * memory / max(1, workers)), names)


def lacking(weights):
    """A sentence: which copies of parity's networks a folder of weights has not, by the names under which they are looked for."""
    wanted = [local for _, local in backbones.PARITY.values()]
    if not weights:
        return f"The backbone parity reads its networks from --weights FOLDER ({', '.join(wanted)}), else from the hub."
    missing = [name for name in wanted if not (Path(weights) / name).exists()]
    return f"--weights {weights} holds " + (f"no {', no '.join(missing)}." if missing else "a copy of every network.")


def mark_of(*facts):
    """Hash of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()[:20]


def file_hash(path):
    """SHA-256 of a file; "" for one that can not be read. A pipe would never end: see `items.problem_of`."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def memory_of(height, width):
    """Bytes that measuring takes per frame of that size (tested with "light": half of it; networks keep frames of a short side of 224)."""
    side, short = vbench.SIDE, min(height, width)
    return 3 * (OWN * height * width + SMALL * side * (side * max(height, width) // short))


def read_clip(path, max_frames=None, budget=None):
    """(frames uint8 [T, H, W, 3], VideoInfo) of a file, all frames or the first `max_frames`; VideoError with the reason.

    budget: bytes that measuring may take. The file is decoded to its end in any case, so that one that breaks off later has no score.
    """
    try:
        info = video.probe(path)
    except VideoError as error:
        if error.reason != "still_image":
            raise
        info = animation(path, error)
    count = info.frames if max_frames is None else min(info.frames, max_frames)
    needed, fits = memory_of(info.height, info.width) * count, video.MAX_BYTES // (3 * info.height * info.width)
    if budget is not None:
        fits = min(fits, int(budget // memory_of(info.height, info.width)))
    if count > fits:
        advice = f"Give --max-frames {fits} (max_frames={fits}), or cut it first" if fits > 1 else "Make it smaller first"
        raise VideoError(path, "too_large", f"to measure {count} frames of {info.width}x{info.height} takes about {needed / 2**30:.1f} GiB "
                         f"of memory, more than one clip may take here. {advice}.")
    frames = [frame.rgb((info.height, info.width)) for frame in video.decode(path) if frame.number < count]
    if len(frames) < 2:
        raise VideoError(path, "too_short", f"it has {'one frame' if frames else 'no frame'}; a video needs at least two.")
    return np.stack(frames), info


def animation(path, error):
    """VideoInfo of an animated GIF; a GIF of one picture is the error that says so."""
    times = video.times(path) if Path(path).suffix.lower() == ".gif" else ()
    if len(times) < 2 or not times[-1]:
        raise error
    height, width = next(iter(video.decode(path))).size
    fps = (len(times) - 1) / float(times[-1])
    return video.VideoInfo(width, height, fps, len(times), len(times) / fps, 0, "gif", container="gif")


def measure_file(path, prompt, meter):
    """{"reason", "facts", "results"} of one file: what it says of itself, and for each metric {"value", "reason", "weight", "per_frame"}.

    A file that can not be read or measured has a reason and no results. This runs in a worker process.
    """
    try:
        frames, info = read_clip(path, meter.max_frames, meter.budget)
        facts = {"width": info.width, "height": info.height, "fps": round(info.fps, 4), "frames": info.frames,
                 "frames_measured": len(frames), "codec": info.codec, "synthetic": video.SYNTHETIC in info.comment}
        return {"reason": "", "facts": facts, "results": plain(metrics.measure(frames, info.fps, prompt, meter.networks(), meter.names))}
    except VideoError as error:
        return {"reason": f"{error.message} [{error.reason}]", "facts": {}, "results": {}}
    except KitError:
        raise
    except Exception as error:          # a file may break a library in ways of its own: the other clips are measured all the same
        return {"reason": f"it could not be measured ({type(error).__name__}: {error})", "facts": {}, "results": {}}


def plain(results):
    """{name: MetricResult} without its settings, which stand once in the report."""
    return {name: {"value": found.value, "reason": found.reason, "weight": found.weight, "per_frame": found.per_frame}
            for name, found in results.items()}


def result_of(name, found, settings):
    """The MetricResult of one entry of a row; of a clip without any score (`found` a reason) one without a value."""
    if isinstance(found, str):
        return MetricResult(name, None, found, settings=settings)
    return MetricResult(name, found["value"], found["reason"], found["weight"], found["per_frame"], settings)


class Ledger:
    """rows.jsonl: what was measured, by key; each line is written as soon as it is known, so that whoever is cut off goes on."""

    def __init__(self, path):
        self.path, self.rows = Path(path), {}
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        for written in text.split("\n"):
            try:
                row = json.loads(written)
                self.rows[row["key"]] = row["found"]
            except (ValueError, KeyError, TypeError):         # the line at which a run was cut off
                continue
        self.torn = bool(text) and not text.endswith("\n")

    def add(self, key, found):
        """Append one row."""
        self.rows[key] = found
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n" * self.torn + line(key, found))
        except OSError as error:
            raise DiskError(f"{self.path} could not be written ({error.strerror or error}). {disk_advice(error)}") from error
        self.torn = False

    def keep(self, keys):
        """Write the file anew with these rows only: those of other settings and clips that are gone are left out."""
        with whole(self.path) as part:
            part.write_text("".join(line(key, self.rows[key]) for key in keys if key in self.rows), encoding="utf-8")


def line(key, found):
    return json.dumps({"key": key, "found": found}, ensure_ascii=False, allow_nan=False) + "\n"


def measured(jobs, function, ledger, workers, say=None, what="clips"):
    """{key: found} of jobs {key: arguments of `function`}; only what the ledger does not hold is computed, `workers` at a time.

    What has no score is not kept: it is tried again the next time (the file may be whole by then, or the memory larger). A file that ends
    its process has the reason DIED.
    """
    found = {key: ledger.rows[key] for key in jobs if key in ledger.rows}
    missing = [key for key in jobs if key not in found]
    if say and missing:
        say(f"{what}: {len(missing)} to measure" + (f", {len(found)} are measured already." if found else "."))
    step = max(1, len(missing) // 5)
    for done, (number, result) in enumerate(machine.side_by_side(function, [jobs[key] for key in missing], workers, DIED), 1):
        found[missing[number]] = result
        if not result["reason"]:
            ledger.add(missing[number], result)
        if say and done % step == 0:
            say(f"{what}: {done} of {len(missing)}")
    return found


def cut_prompts(lines, meter):
    """A sentence in a list about the prompts of scored rows that are longer than the text tower reads, [] when there is none."""
    if "overall_consistency" not in meter.names:
        return []
    tower, prompts = meter.networks().part("text"), {line["prompt"] for line in lines if line["prompt"] and line["scores"]}
    cut = sum(tower.truncated(prompt) for prompt in prompts)
    return [f"overall_consistency reads {tower.limit} tokens of a prompt: {cut} of {len(prompts)} prompts ({cut / len(prompts):.0%}) are "
            "longer, and what comes later in them counts for nothing."] if cut else []


def row_of(item, found, sha256):
    """One row of report.json: the item, what its file says, and its scores or the reason why there are none. Under the names of PRIVATE
    it carries what the summary needs and the report does not."""
    reason, facts = item.problem or found["reason"], found["facts"]
    scores = None if reason else {name: one["value"] for name, one in found["results"].items()}
    reasons = {name: one["reason"] for name, one in found["results"].items() if one["value"] is None}
    size = {"size": f"{facts['width']}x{facts['height']}", "seconds": round(facts["frames"] / facts["fps"], 3)} if facts else {}
    about = {name: getattr(item, name) for name in ("prompt", "category", "modality", "problem")}
    return {"file": item.name, **about, "sha256": sha256, **facts, **size, "scores": scores, "reason": reason or None, "reasons": reasons,
            "found": found}


def public(row):
    """A row as report.json has it."""
    return {name: value for name, value in row.items() if name not in PRIVATE}
