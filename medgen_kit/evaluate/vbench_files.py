"""VBench's two JSON files, written and read: `<name>_full_info.json` (which clip belongs to which prompt) and `<name>_eval_results.json`.

VBench's own scripts read what is written here. What they have no place for (intervals, settings, reasons) stands in a file beside them.
"""

import json
import math
from pathlib import Path

from ..clip import write_text
from ..errors import KitError

DIMENSIONS = ("subject_consistency", "background_consistency", "temporal_flickering", "motion_smoothness", "dynamic_degree",
              "imaging_quality", "aesthetic_quality", "overall_consistency")
PERCENT = "imaging_quality"               # its rows are 0 to 100, its overall score 0 to 1
SUMS = "background_consistency"           # its rows carry what VBench merges the parts of several GPUs by


def full_info(rows, dimensions=DIMENSIONS):
    """The content of `<name>_full_info.json`: rows of {"path", "prompt"} -> list of {"prompt_en", "dimension", "video_list"}."""
    return [{"prompt_en": row.get("prompt") or "", "dimension": list(dimensions), "video_list": [str(row["path"])]} for row in rows]


def eval_results(rows, weighting="videos"):
    """The content of `<name>_eval_results.json`: {dimension: [overall, [{"video_path", "video_results"}, ...]]}.

    rows: {"path", "results": {name: MetricResult}} of each clip. Clips without a value are left out of their dimension, as are dimensions
    without any value. weighting: "videos", or "frames", by which VBench on one GPU averages subject consistency; background consistency
    is averaged by frames in VBench whatever the number of GPUs, so here too.
    """
    found = {}
    for name in DIMENSIONS:
        kept = [(row["path"], row["results"][name]) for row in rows if name in row["results"] and row["results"][name].value is not None]
        if not kept:
            continue
        by_frames = name == SUMS or weighting == "frames" and name == "subject_consistency"
        weights = [result.weight if by_frames else 1 for _, result in kept]
        overall = sum(result.value * weight for (_, result), weight in zip(kept, weights)) / max(1, sum(weights))
        lines = [{"video_path": str(path), "video_results": bool(result.value) if name == "dynamic_degree" else result.value}
                 for path, result in kept]
        if name == SUMS:
            lines = [line | {"video_sim": result.value * result.weight, "cnt_per_video": result.weight}
                     for line, (_, result) in zip(lines, kept)]
        found[name] = [overall / 100 if name == PERCENT else overall, lines]
    return found


def write(folder, name, rows, weighting="videos"):
    """Write both files into `folder`; returns their paths. rows: {"path", "prompt", "results": {name: MetricResult}} of each clip."""
    folder, results = Path(folder), eval_results(rows, weighting)
    paths = folder / f"{name}_full_info.json", folder / f"{name}_eval_results.json"
    for path, content in zip(paths, (full_info(rows, tuple(results) or DIMENSIONS), results)):
        write_text(path, json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False))
    return paths


def read_results(path):
    """{dimension: {"overall": float or None, "rows": {video_path: value or None}}} of an `_eval_results.json`, VBench's or ours.

    VBench writes NaN where there was no clip; it becomes None. KitError for a file of another shape.
    """
    content, found = read_json(path), {}
    if not isinstance(content, dict):
        raise KitError(f"{path} is not a file of VBench's results: it should be an object with one entry per dimension.")
    for name, entry in content.items():
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
            raise KitError(f"{path}: '{name}' should be [overall, [rows]], as VBench writes it.")
        rows = {line["video_path"]: number(line["video_results"]) for line in entry[1]}
        found[name] = {"overall": number(entry[0]), "rows": rows}
    return found


def read_info(path):
    """{video path: prompt} of a `_full_info.json`, VBench's or ours; a video_list may be one string, as VBench allows."""
    found = {}
    for entry in read_json(path):
        if not isinstance(entry, dict) or "prompt_en" not in entry:
            raise KitError(f"{path} is not a VBench full_info file: each entry needs prompt_en.")
        videos = entry.get("video_list", [])
        found |= dict.fromkeys([videos] if isinstance(videos, str) else videos, entry["prompt_en"])
    return found


def read_json(path):
    """The content of a JSON file; KitError in plain words when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"{path} can not be read ({error.strerror}). Name a file that VBench or `medgen-kit evaluate` wrote.") from error
    except ValueError as error:
        raise KitError(f"{path} is not JSON ({error}).") from error


def number(value):
    """A finite float, True and False as 1 and 0; None for NaN and infinities."""
    value = None if value is None else float(value)
    return value if value is not None and math.isfinite(value) else None
