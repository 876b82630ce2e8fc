"""Curation end to end: raw videos -> measured candidates -> decisions in one table -> survivors cut into a VideoFolder, every reject kept.

`curate(raw_dir, out_dir, config, engine)` is the one door: stage `curate` of a run, `medgen-kit curate` and the lesson go through it.
"""

import functools
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import KitError
from ..run import code_hash
from ..sources import raw
from . import about, agree, config as settings, decide, engines, listing, output, shards, tables, takedown


@dataclass
class Job:
    """What every step of one curation needs. say: prints a line of progress."""

    folder: Path
    out: Path
    config: settings.Config
    engine: object
    say: object
    started: float


def build(work):
    """Stage `curate`. Reads the uploads of stage `raw`, or the profile's own folder where it names one; see `curate`."""
    own, data = work.profile.curate.as_dict(), work.profile.data
    config = {"medical": "none" if own.get("folder") else "drawings", "embedder": own.get("embedder") or "colour",
              "step": (data.frames - 1) / data.fps / 6, "size": data.size, "frames": data.frames, "fps": data.fps, "files_per_shard": 1,
              "workers": own.get("workers", 0), "text": own.get("text") or "imaging", "seed": work.profile.seed}
    return curate(own.get("folder") or work.inputs["raw"], work.out, config, say=work.say)


def curate(raw_dir, out_dir, config=None, engine="local", address=None, say=print, **changes):
    """Clips from the video files of `raw_dir` into the VideoFolder `out_dir`; returns figures (with precision where the truth is known).

    config: see `config.Config`; None, a Config, a dict or a YAML file; `changes` are single settings. engine: "local" or "ray" (`engines`),
    with the `address` of a Ray cluster. Writes metadata.jsonl, videos/, clips.parquet (a row a candidate, rejects kept), stages.parquet (a
    row a candidate and rule), files.parquet (a row an upload), quarantine.parquet (what could not be used, with a typed reason),
    funnel.csv, manifest.json, README.md and report.html. Interrupted and called again it goes on: only shards that were open are repeated.
    KitError, DiskError.
    """
    config = settings.load(config, **changes)
    folder, out = Path(raw_dir).resolve(), Path(out_dir).resolve()
    job = Job(folder, out, config, engines.engine(engine)(config, folder, out, address), say, time.time())
    if job.out == job.folder or job.folder in job.out.parents:
        raise KitError(f"the clips cannot go into {job.out}: it lies inside the folder of raw videos. Name a folder beside it.")
    known, truth = without_taken_down(about.told(job.folder, config), out), raw.truth(job.folder)
    try:
        notes = look_at_all(job, known.names)
        quarantine = known.problems + [{key: note[key] for key in ("file", "reason", "message")} for note in notes if note["reason"]]
        clips = tables.clips_table(notes)
        clips["video_category"] = agree.categories(clips, truth, known.facts, config.category)
        clips = decide.decide(clips, config.rules)
        cuts = cut_all(job, clips, notes)
    finally:
        job.engine.close()
    return output.finish(job, clips, notes, quarantine, cuts, truth, known)


def without_taken_down(known, out):
    """The Told without sources that were taken down from `out` (see `takedown`): they must not come back."""
    gone = {name for name in known.names if takedown.is_taken_down(out, name)} if takedown.entries(out) else set()
    known.names = [name for name in known.names if name not in gone]
    known.problems += [{"file": "one source", "reason": "taken_down", "message": "it was taken down and is left out."} for _ in gone]
    return known


def settle(out_dir, resume):
    """KitError when `out_dir` holds what a new curation must not mix with: anything foreign, or an unfinished one without `resume`."""
    out = Path(out_dir)
    if out.is_file():
        raise KitError(f"{out} is a file. Name a folder for the clips.")
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if found and not found & {"shards", "manifest.json"}:
        raise KitError(f"{out} is not empty and holds no curation. Name a new folder, so that nothing of yours is mixed up.")
    if "shards" in found and "manifest.json" not in found and not resume:
        raise KitError(f"{out} holds a curation that did not finish. Say --resume to go on with it, or name another folder.")


def look_at_all(job, names):
    """The notes of all uploads (see `look.look_at`), from shards that were done before or are done now."""
    plan = [{"key": key("look", [listing.mark_of(job.folder, name) for name in part], job.config.mark()), "kind": "look",
             "files": [{"name": name} for name in part]} for part in chunks(names, job.config.files_per_shard, str)]
    carry_out(job, plan, "looked at")
    notes = {note["file"]: note | {"rows": []} for note in shards.read(job.out, plan, "files")}
    for row in shards.read(job.out, plan, "clips"):
        notes[row["upload"]]["rows"].append(row)
    return [tables.filled(notes[name]) for name in names]


def cut_all(job, clips, notes):
    """The lines of the finished clips (see `shards.careful_cut`): the survivors of each upload are cut in one pass."""
    known = {note["file"]: note for note in notes}
    kept = clips[clips["removed_by"] == ""]
    wanted = [{"name": name, "rows": part.drop(columns=["hash", "lines"]).to_dict("records"), "synthetic": bool(known[name]["synthetic"])}
              for name, part in kept.groupby("upload", sort=True)]
    plan = [{"key": key("cut", [row["clip_id"] for one in part for row in one["rows"]], job.config.cut_mark()),
             "kind": "cut", "files": part} for part in chunks(wanted, job.config.files_per_shard, lambda one: one["name"])]
    for shard in plan:                              # a clip that somebody deleted is cut again
        if shards.is_done(job.out, shard) and any(not (job.out / "videos" / row["file_name"]).is_file() for one in shard["files"]
                                                  for row in one["rows"]):
            shards.forget(job.out, shard)
    carry_out(job, plan, "cut")
    shards.sweep(job.out, {shard["key"] for shard in plan}, "cut")
    return shards.read(job.out, plan, "files")


def key(kind, facts, mark):
    """The name of a shard: it changes with the files, with the settings they are looked at, and with our code."""
    return f"{kind}-{settings.digest([facts, mark, our_code()])}"


@functools.cache
def our_code():
    """Hash of the code that makes a shard."""
    return code_hash(shards.process_shard)


def chunks(items, size, name):
    """Lists of about `size` items. Where a list ends hangs on names alone, so a new file changes the list that it falls into and no
    other."""
    part = []
    for item in items:
        part.append(item)
        ends = int(hashlib.sha256(name(item).encode()).hexdigest(), 16) % size == 0
        if ends or len(part) >= 4 * size:
            yield part
            part = []
    if part:
        yield part


def carry_out(job, plan, done_word):
    """Hand the shards that are not done to the engine, and say how it goes."""
    waiting = [shard for shard in plan if not shards.is_done(job.out, shard)]
    if len(waiting) < len(plan):
        job.say(f"{len(plan) - len(waiting)} of {len(plan)} shards were {done_word} before")
    began, files = time.time(), {shard["key"]: len(shard["files"]) for shard in waiting}
    total, finished = sum(files.values()), 0
    for name in job.engine.run(waiting) if waiting else ():
        finished += files[name]
        left = (time.time() - began) / finished * (total - finished)
        job.say(f"{done_word} {finished} of {total} files" + (f", about {left:.0f} s left" if finished < total else ""))
