"""The stage: raw uploads -> measured candidates -> decisions -> clips in a VideoFolder, with funnel, decisions and quarantine as CSV.

Every upload is finished by itself (its notes lie in `timelines/`), so an interrupted stage goes on where it stopped.
"""

import csv
import glob
import json
from pathlib import Path

import numpy as np

from .. import sources, video
from ..clip import Clip, write_csv, write_folder, write_text
from ..errors import KitError, VideoError
from ..sources import raw
from . import agree, backends, border, decide, duplicate, funnel, motion, probe, quality, segment, text

KINDS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts")
WORDS = ("clip", "upload", "camera", "hash", "lines", "duplicate_of", "real_scores", "removed_by")          # columns that are not numbers
LICENCE = "CC BY 4.0, MedGen Kit"


def build(work):
    """Stage `curate`. Reads the uploads of stage `raw`, or the profile's own folder where it names one; see `curate`."""
    options = work.profile.curate.as_dict()
    folder = options.get("folder") or work.inputs["raw"]
    return curate(folder, work.out, work.profile.data, seed=work.profile.seed, embedder=options.get("embedder") or "colour", say=work.say)


def curate(folder, out, data, seed=0, embedder="colour", rules=None, aesthetic="stand-in", technical="stand-in", limits=None, say=print):
    """Clips from the video files of `folder` into the VideoFolder `out`; returns figures (with precision where truth is known).

    data: has .size, .frames, .fps of the clips. embedder: see `backends.load`. aesthetic, technical: see `quality.scorer`.
    Writes metadata.jsonl, videos/, decisions.csv, funnel.csv, quarantine.csv, timelines/. A file that cannot be used is
    quarantined with its reason.
    """
    folder, out, rules = Path(folder), Path(out), rules or decide.Rules()
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in KINDS) if folder.is_dir() else []
    if not files:
        raise KitError(f"{folder} holds no video file ({', '.join(KINDS)}). Name a folder with raw videos, or leave the setting empty.")
    backend, scorers, judge = backends.load(embedder), (quality.scorer(aesthetic), quality.scorer(technical)), None
    notes = []
    for path in files:
        note = out / "timelines" / f"{path.name}.json"
        if not note.is_file():
            judge = judge or backends.medical_test(backend, seed)
            found = look_at(path, out, data, judge, rules, scorers, limits)
            write_text(note, json.dumps(found))
            say(f"{path.name}: " + (found["message"] if found["reason"] else f"{len(found['rows'])} candidates"))
        notes.append(json.loads(note.read_text(encoding="utf-8")))
    return finish(out, notes, raw.truth(folder), rules)


def look_at(path, out, data, judge, rules, scorers, limits=None):
    """Everything about one upload as plain data, with "reason" when it cannot be used. Writes the clips that pass so far."""
    import av
    import cv2

    try:
        info = probe.look(path, limits)
        seen = segment.scan(path, segment.step_seconds(data.frames, data.fps), judge.backend.size)
        timeline = watch(seen, judge, rules)
        rows = [{"clip": f"{own_name(path)}_{part.first:05d}.mp4", "upload": path.name, "first": part.first, "last": part.last,
                 "seconds": round((part.last - part.first + 1) / seen.fps, 3), "steps": part.steps, "s_min": round(part.s_min, 4),
                 "medical": chance(part, timeline), "side": probe.resolution(info)} for part in timeline.pop("segments")]
        measure(path, rows, out, data, rules, scorers, seen.fps, "SYNTHETIC" in info.comment)
    except VideoError as error:
        return {"file": path.name, "reason": error.reason, "message": str(error).removeprefix(f"{path}: "), "rows": []}
    except (av.error.FFmpegError, cv2.error, MemoryError) as error:
        return {"file": path.name, "reason": "unreadable", "message": f"the decoder gave up ({type(error).__name__}: {error}).", "rows": []}
    facts = {"fps": seen.fps, "frames": seen.total, "width": info.width, "height": info.height}
    return {"file": path.name, "reason": "", "message": "", "rows": rows, **facts, **timeline}


def own_name(path):
    """The name of an upload in the names of its clips; with its ending where two uploads differ in nothing else (a.mp4, a.mov)."""
    twins = [other for other in path.parent.glob(f"{glob.escape(path.stem)}.*") if other.suffix.lower() in KINDS]
    return path.stem if len(twins) < 2 else path.name.replace(".", "-")


def watch(seen, judge, rules):
    """C and S of the samples, and the segments they give: {"numbers", "medical", "s", "cuts", "segments"}."""
    medical = judge(seen.thumbs)
    s = segment.similarity(judge.backend.embed(seen.thumbs))
    parts = segment.runs(seen.numbers, medical > rules.medical, s, seen.cuts, judge.backend.tau)
    return {"numbers": [int(n) for n in seen.numbers], "medical": [round(float(p), 4) for p in medical],
            "s": [round(float(v), 4) for v in s], "cuts": [int(c) for c in seen.cuts], "segments": parts}


def chance(part, timeline):
    """Lowest probability of "medical" inside a medical segment, highest inside another: what the rule hangs on."""
    inside = [p for n, p in zip(timeline["numbers"], timeline["medical"]) if part.first <= n <= part.last]
    return min(inside) if part.medical else max(inside)


def clip_frames(row, data, fps):
    """Frame numbers of the finished clip: data.frames pictures at data.fps from the middle of the segment."""
    span = (data.frames - 1) / data.fps * fps
    start = row["first"] + max(0.0, (row["last"] - row["first"] - span) / 2)
    return [min(row["last"], int(round(start + k * fps / data.fps))) for k in range(data.frames)]


def measure(path, rows, out, data, rules, scorers, fps, synthetic):
    """Fill the measures of the rows that are medical and long enough, in one pass over the file, one clip in memory at a time."""
    waiting = []
    for row in rows:
        if not decide.first_failed(row, rules, ("not medical", "too short")):
            shown = clip_frames(row, data, fps)
            five = [row["first"] + k for k in video.sample_indices(row["last"] - row["first"] + 1, 5)]
            waiting.append((row, shown, five))
    for (row, shown, five), held in collect(path, waiting):
        clip = np.stack([held[n] for n in shown])
        look(row, clip, np.stack([held[n] for n in five]), data.fps, rules, scorers)
        if not decide.first_failed(row, rules):
            video.write(Path(out) / "videos" / row["clip"], video.resize(clip, data.size), data.fps, synthetic=synthetic)


def collect(path, waiting):
    """Yield (entry, {number: frame}) as soon as the last frame of an entry has passed. Entries are in order of time."""
    waiting, held = list(waiting), {}
    for number, (_, frame) in enumerate(video.iter_frames(path)):
        while waiting and number > max(waiting[0][1] + waiting[0][2]):
            yield waiting.pop(0), held
            held = {}
        if not waiting:
            return
        if any(number in entry[1] or number in entry[2] for entry in waiting[:2]):
            held[number] = frame
    if waiting:
        yield waiting.pop(0), held


def look(row, clip, five, fps, rules, scorers):
    """The measures of one candidate. Text is read last and only when nothing has removed the clip: reading costs most."""
    row |= {f"border_{side}": value for side, value in border.border_of(five).items()}
    row["border"] = max(row[f"border_{side}"] for side in border.SIDES)
    plain = quality.measures(five)
    row |= {name: round(value, 3) for name, value in plain.items()}
    row["aesthetic"] = round(scorers[0](five) if scorers[0] else quality.aesthetic_standin(plain), 3)
    row["technical"] = round(scorers[1](five) if scorers[1] else quality.technical_standin(plain), 3)
    row["real_scores"] = [name for name, real in zip(("aesthetic", "technical"), scorers) if real]
    row["change"], row["camera"] = round(motion.change(clip), 3), motion.camera_motion(clip, fps)
    row["hash"] = duplicate.clip_hash(clip)
    if not decide.first_failed(row, rules, ("low resolution", "black border")):
        row["words"], row["lines"] = text.words_in(five, rules.words)


def finish(out, notes, truth, rules):
    """Decide over all uploads (duplicates need all), drop the duplicates' files, write the tables and metadata.jsonl; returns figures."""
    rows = decide.decide([row for note in notes for row in note["rows"]], rules)
    standing = [row for row in rows if not row["removed_by"]]
    duplicate.mark(standing, rules.duplicate_bits)
    rows = decide.decide(rows, rules)
    kept = [row for row in rows if not row["removed_by"]]
    names = {row["clip"] for row in kept}
    for path in (out / "videos").glob("*.mp4"):
        if path.name not in names:
            path.unlink()
    clips = [record(out, row, truth) for row in kept]
    write_folder(out, clips)
    table = funnel.funnel(rows)
    write_csv(out / "decisions.csv", rows)
    write_csv(out / "funnel.csv", table)
    write_csv(out / "quarantine.csv", [{key: note[key] for key in ("file", "reason", "message")} for note in notes if note["reason"]],
              ("file", "reason", "message"))
    figures = {"uploads": len(notes), "quarantined": sum(bool(note["reason"]) for note in notes), "candidates": len(rows),
               "kept": len(kept), "removed": {row["rule"]: row["removed"] for row in table[1:]}}
    return figures | (agreement(rows, kept, notes, truth, rules) if truth else {})


def agreement(rows, kept, notes, truth, rules):
    """Figures against the truth: precision and recall by rule, joins found by cut detector and by S, clean share of what was kept."""
    good = [note for note in notes if not note["reason"]]
    missing, total = agree.lost(rows, truth)
    return {"rules": {row["rule"]: {k: row[k] for k in ("fired", "right", "planted")} for row in agree.score(rows, truth, rules)},
            "joins": agree.joins(good, truth), "clean": agree.purity(kept, truth)[0], "lost": len(missing), "clean_shots": total}


def timelines(folder):
    """The notes of all usable uploads of a finished stage: fps, frames, sampled numbers, C ("medical"), S ("s"), cuts, rows."""
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((Path(folder) / "timelines").glob("*.json"))]
    return [note for note in notes if not note["reason"]]


def decisions(folder):
    """The decided rows of a finished stage (decisions.csv as plain data, with `removed_by`, "" for a kept clip)."""
    rows = []
    with (Path(folder) / "decisions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.append({key: value if key in WORDS else number(value) for key, value in row.items()})
    return rows


def number(value):
    """A CSV cell as a number, None when it is empty."""
    return None if value == "" else float(value) if "." in value or "e" in value else int(value)


def record(out, row, truth):
    """The Clip of a kept row. Stand-in scores go to `extra`; the paper's two fields stay empty unless the real predictors ran."""
    facts = truth.get(row["upload"], {})
    shot = agree.shot_of(row, facts.get("shots", []))
    factors = shot["factors"] if shot and shot["kind"] == "medical" else {}
    real = {name: row[name] for name in row["real_scores"]}
    named = shot and shot.get("title") or facts.get("title", Path(row["upload"]).stem)
    extra = {"title": named, "description": facts.get("description", ""), "held_out": False,
             "synthetic": bool(facts), "upload": row["upload"], "first_frame": row["first"], "last_frame": row["last"]}
    extra |= {f"{name}_standin": row[name] for name in ("aesthetic", "technical") if name not in real}
    category = sources.category(factors["modality"]) if factors else "clinical practice"
    return Clip.of(out / "videos" / row["clip"], video_category=category, camera_motion_type=row["camera"],
                   aesthetic_score=real.get("aesthetic"), dover_score=real.get("technical"),
                   source="simulated: raw" if facts else f"file: {row['upload']}", source_id=row["upload"],
                   licence=LICENCE if facts else "", split="train", factors=factors, extra=extra)
