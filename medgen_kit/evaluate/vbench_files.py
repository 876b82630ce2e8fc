"""VBench's two JSON files, written and read: `<name>_full_info.json` (which clip belongs to which prompt) and `<name>_eval_results.json`.

VBench's own scripts read what is written here. What they have no place for (intervals, settings, reasons) stands in a file beside them.
They do not see either which networks gave the numbers, so the report puts its backbone into the name. Read: `read_info` for --prompts of
`medgen-kit evaluate`, `read_results` in a notebook, to lay VBench's numbers beside ours.
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
    """The content of `<name>_full_info.json`: rows of {"path", "prompt"} -> list of {"prompt_en", "dimension", "video_list"}.

    path: as VBench has to open it, so with its folder.
    """
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

    VBench writes NaN where there was no clip; it becomes None. KitError, which says where, for a file of another shape.
    """
    content, found = read_json(path), {}
    if not isinstance(content, dict):
        raise KitError(f"{path} is not a file of VBench's results: it should be an object with one entry per dimension.")
    for name, entry in content.items():
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
            raise KitError(f"{path}: '{name}' should be [overall, [rows]], as VBench writes it.")
        rows = {}
        for place, line in enumerate(entry[1], 1):
            where = f"{path}: row {place} of '{name}'"
            if not isinstance(line, dict) or not isinstance(line.get("video_path"), str) or "video_results" not in line:
                raise KitError(f"{where} should have a video_path and video_results, as VBench writes it.")
            rows[line["video_path"]] = number(line["video_results"], where)
        found[name] = {"overall": number(entry[0], f"{path}: the overall score of '{name}'"), "rows": rows}
    return found


def read_info(path):
    """{video path: prompt} of a `_full_info.json`, VBench's or ours; a video_list may be one string, as VBench allows.

    KitError, which says where, for a file of another shape and for a video with two prompts.
    """
    content, found = read_json(path), {}
    if not isinstance(content, list):
        raise KitError(f"{path} is not a VBench full_info file: it should be a list with one entry per prompt.")
    for place, entry in enumerate(content, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("prompt_en"), str):
            raise KitError(f"{path} is not a VBench full_info file: entry {place} has no prompt_en, which each needs as text.")
        videos = entry.get("video_list", [])
        videos = [videos] if isinstance(videos, str) else videos
        if not isinstance(videos, list) or any(not isinstance(one, str) for one in videos):
            raise KitError(f"{path}, entry {place}: video_list should be a list of paths, as VBench writes it.")
        for video in videos:
            if found.setdefault(video, entry["prompt_en"]) != entry["prompt_en"]:
                raise KitError(f"{path}, entry {place}: {video} has another prompt already. Keep one of the two.")
    return found


def read_json(path):
    """The content of a JSON file; KitError in plain words when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise KitError(f"{path} can not be read ({error.strerror}). Name a file that VBench or `medgen-kit evaluate` wrote.") from error
    except (ValueError, RecursionError) as error:
        raise KitError(f"{path} is not JSON ({error}).") from error


def number(value, where):
    """A finite float, True and False as 1 and 0; None for null, NaN and infinities. KitError that says where for anything else."""
    if value is not None and not isinstance(value, (int, float)):
        raise KitError(f"{where} is {json.dumps(value)[:40]}, not a number.")
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:                                 # a whole number of more than 308 digits
        return None
