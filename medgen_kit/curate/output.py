"""What a curation leaves behind: the VideoFolder with its records, the tables, the manifest and the figures."""

import dataclasses
import json
import os
import platform
import time
from pathlib import Path

from .. import __version__, video
from ..clip import Clip, write_csv, write_folder, write_text
from ..errors import KitError
from . import agree, audit, card, decide, duplicate, funnel, page, privacy, report, shards, tables

LICENCE = "CC BY 4.0, MedGen Kit"
UNREAD = 80                 # pixels across at which a reject is shown whose text was never looked for: too few to read any
WHAT_IF = {"min_side": (240, 360, 480, 720, 1080), "words": (0, 5, 10, 20, 40, 80, 160), "quality": (-1.0, -0.5, 0.0, 0.5, 0.9),
           "duplicate_bits": (0, 4, 8, 12, 16, 20)}            # thresholds at which the report says what would be kept


def finish(job, clips, notes, quarantine, cuts, truth, told):
    """Write metadata.jsonl and the tables, drop files that no row names, write the manifest; returns the figures."""
    lines = {line["clip_id"]: line for line in cuts}
    failed = {code: line for code, line in lines.items() if line["reason"]}
    clips.loc[clips["clip_id"].isin(failed), "removed_by"] = decide.CUT_FAILED
    clips["lines"] = [shown_lines(row, lines.get(row["clip_id"]), job.config.text)
                      for row in clips[["lines", "clip_id", "video_category"]].to_dict("records")]
    quarantine = quarantine + [{"file": line["file_name"]} | {key: line[key] for key in ("reason", "message")} for line in failed.values()]
    known = {note["file"]: note for note in notes}
    kept = clips[clips["removed_by"] == ""]
    for path in shards.clips_of(job.out):
        if path.name not in set(kept["file_name"]):
            path.unlink(missing_ok=True)
    records = [record(job, row, known[row["upload"]], truth, told.facts.get(row["upload"], {}), lines[row["clip_id"]]["privacy"])
               for row in kept.to_dict("records")]
    write_folder(job.out, records)
    rules, table = job.config.rules, funnel.funnel(clips)
    long = decide.stages(clips, rules, job.config.mark())
    shards.write_parquet(job.out / "clips.parquet", clips)
    shards.write_parquet(job.out / "stages.parquet", long)
    shards.write_parquet(job.out / "files.parquet", [{k: v for k, v in note.items() if k != "rows"} for note in notes])
    shards.write_parquet(job.out / "quarantine.parquet", shards.table(quarantine, ("file", "reason", "message")))
    write_csv(job.out / "funnel.csv", table)
    if told.decisions:
        shards.write_parquet(job.out / "harvest.parquet", shards.table(told.decisions))
    figures = {"uploads": len(notes), "quarantined": len(quarantine), "candidates": len(clips), "kept": len(kept),
               "removed": {row["rule"]: row["removed"] for row in table[1:]}} | ({"harvest": told.steps} if told.steps else {})
    figures |= agree.figures(clips, notes, truth, rules) if truth else {}
    facts, synthetic = manifest(job, notes, figures), any(note["synthetic"] for note in notes)
    card.write(job.out / "README.md", clips, table, facts, {clip.licence for clip in records}, synthetic)
    if job.config.report:
        show_report(job, clips, long, quarantine, synthetic)
    write_text(job.out / "manifest.json", json.dumps(facts, indent=1, default=str))
    return figures


def shown_lines(row, cut, text):
    """The lines read in a clip that may stand in its row: those of a finished clip in which nothing was masked, less what identifies."""
    ran = cut["privacy"] if cut else None
    masked = not ran or ran.get("text figures", {}).get("boxes")
    read = json.loads(row["lines"] or "[]")
    return tables.plain([] if masked else privacy.unsaid(read, row["video_category"], text)) if row["lines"] else ""


def show_report(job, clips, long, quarantine, synthetic):
    """report.html: the standard pictures, and a contact sheet of what each rule removed."""
    order = [stage.name for stage in decide.TABLE]

    def middle(row):
        at = (row["start_s"] + row["end_s"]) / 2
        end = min(row["end_s"], at + max(1.0, 2 / row["fps"]))
        frames, fps = audit.piece(job.folder / row["upload"], max(row["start_s"], at - 1 / row["fps"]), end)
        frames, width = frames[:1], 320
        if not row["words"] >= 0 and job.config.text != "none":          # nobody looked for text in it
            width = UNREAD
        elif row["words"] > 0 or job.config.faces != "none":
            options = {"text": job.config.text, "faces": job.config.faces, "samples": 1}
            frames, _ = privacy.protect(frames, fps, row["video_category"], options)
        height = max(2, round(width * frames.shape[1] / frames.shape[2]))
        return frames if frames.shape[2] <= width else video.resize(frames, (height, width))

    pictures = report.standard(clips, long, order)
    near = duplicate.pairs(clips) if len(clips) else None
    for limit, thresholds in WHAT_IF.items() if len(clips) else ():
        def again(threshold, limit=limit):
            return decide.decide(clips, dataclasses.replace(job.config.rules, **{limit: threshold}), near)["removed_by"]

        pictures.append(report.sensitivity(clips, limit, thresholds, again, getattr(job.config.rules, limit)))
    pictures += [report.reject_sheet(clips, name, middle, stages=long) for name in order if (clips["removed_by"] == name).any()]
    page.write_html(job.out / "report.html", clips, long, order, pictures, quarantine, synthetic=synthetic, notes=(
        f"Raw videos: {job.folder.name}. Settings {job.config.mark()}. Thresholds are set on drawings or taken from the paper; look at "
        "what each rule removed before you trust it.",))


def candidates(folder):
    """The decided table of a finished curation: a DataFrame with a row a candidate clip, `removed_by` "" for a kept one."""
    return pd_read(folder, "clips.parquet")


def timelines(folder):
    """The notes of all usable uploads of a finished curation: fps, frames, sampled numbers, C ("medical"), S ("s"), cuts, rows."""
    rows = {name: part.to_dict("records") for name, part in candidates(folder).groupby("upload")}
    notes = [shards.lists(note) for note in pd_read(folder, "files.parquet").to_dict("records")]
    return [note | {"rows": rows.get(note["file"], [])} for note in notes if not note["reason"]]


def quarantined(folder):
    """The files that a finished curation could not use: dicts file, reason, message."""
    return pd_read(folder, "quarantine.parquet").to_dict("records")


def pd_read(folder, name):
    """A table of a finished curation; KitError when there is none."""
    import pandas as pd

    if not (Path(folder) / name).is_file():
        raise KitError(f"{folder} holds no {name}, so it is no finished curation. Run medgen-kit curate first.")
    return pd.read_parquet(Path(folder) / name)


def manifest(job, notes, figures):
    """What ran, with which settings and versions, how long it took. It names no person and claims nothing about privacy but what was
    done."""
    tools = {stage.tool: decide.version(stage.tool) for stage in decide.TABLE} | {"av": decide.version("av")}
    return {"medgen_kit": __version__, "python": platform.python_version(), "tools": tools, "engine": type(job.engine).__name__.lower(),
            "config": {name: unplaced(value) for name, value in dataclasses.asdict(job.config).items()},
            "config_sha": job.config.mark(), "cut_sha": job.config.cut_mark(), "raw": job.folder.name,
            "source_seconds": round(sum(note["seconds"] or 0 for note in notes), 1),
            "seconds": round(time.time() - job.started, 1), "when": time.strftime("%Y-%m-%d %H:%M"), "figures": figures,
            "privacy": "see extra.privacy of each record: what ran on the clip. Nothing here says that a clip names or shows nobody."}


def unplaced(value):
    """A setting without the place on this machine: of "pictures:/home/me/ward" the kind and the folder's name stay."""
    kind, colon, place = value.partition(":") if isinstance(value, str) and not os.path.isabs(value) else ("", "", value)
    return f"{kind}{colon}{Path(place).name}" if isinstance(place, str) and os.path.isabs(place) else value


def record(job, row, note, truth, told, privacy):
    """The Clip of a kept row. told: what a table says of its upload. The paper's two scores stay empty unless the real predictors ran."""
    facts = truth.get(row["upload"], {})
    shot = agree.shot_of(row, facts.get("shots", []))
    factors = shot["factors"] if shot and shot["kind"] == "medical" else {}
    named = shot and shot.get("title") or facts.get("title") or told.get("title") or row["upload"].rsplit("/", 1)[-1].rsplit(".", 1)[0]
    extra = {"title": named, "description": facts.get("description") or told.get("description", ""), "held_out": False,
             "synthetic": bool(note["synthetic"]),
             "upload": row["upload"], "upload_sha256": note["sha256"], "first_frame": row["first"], "last_frame": row["last"],
             "start_s": row["start_s"], "end_s": row["end_s"], "text_seen": " | ".join(json.loads(row["lines"] or "[]")),
             "motion_score": row["motion_score"], "privacy": privacy}
    extra |= {name: row[name] for name in row if name.startswith("q_")} | {name: told[name] for name in ("channel", "url") if name in told}
    scores = {name: None if row[name] != row[name] else row[name] for name in ("aesthetic", "technical")}
    return Clip.of(job.out / "videos" / row["file_name"], video_category=row["video_category"], camera_motion_type=row["camera"],
                   aesthetic_score=scores["aesthetic"], dover_score=scores["technical"], clip_id=row["clip_id"],
                   source="simulated: raw" if facts else f"file: {row['upload']}", source_id=row["upload"],
                   licence=LICENCE if facts else told.get("licence", ""), split="train", factors=factors, extra=extra)
