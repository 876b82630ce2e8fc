"""Curation end to end: raw videos -> measured candidates -> decisions in one table -> survivors cut into a VideoFolder, every reject kept.

`curate(raw_dir, out_dir, config, engine)` is the one door: stage `curate` of a run, `medgen-kit curate` and the lesson go through it.
"""

import contextlib
import functools
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..clip import write_text
from ..errors import KitError
from ..run import code_hash
from ..sources import raw
from . import about, agree, config as settings, decide, engines, listing, look, output, scorers, shards, tables, takedown

MARK = ("Working files of a curation by MedGen Kit: notes on every upload, with the text that was read in it. With them an interrupted "
        "curation goes on.\nDo not share this folder.\n")                # shards/README.md, which says that a folder is ours
HANGS_ON = ("clip_id", "file_name", "video_category", "border_top", "border_bottom", "border_left", "border_right")     # what a cut takes


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
    Of uploads that are the same byte for byte the first by name is used. KitError (also for an `out_dir` with anything that no curation
    made: nothing of yours is touched), DiskError.
    """
    config = settings.load(config, **changes)
    folder, out = Path(raw_dir).resolve(), Path(out_dir).resolve()
    apart(folder, out)
    settle(out, resume=True)
    for name in (config.aesthetic, config.technical):
        scorers.scorer(name)                        # a misspelt name or broken weights are refused here, not in a worker
    job = Job(folder, out, config, engines.engine(engine)(config, folder, out, address), say, time.time())
    known, truth = about.told(folder, config), raw.truth(folder)
    contents = contents_of(job, known.names)
    known = without_taken_down(known, out, contents)
    write_text(out / "shards" / "README.md", MARK)
    try:
        notes = look_at_all(job, known.names, copies(known.names, contents))
        quarantine = known.problems + [{key: note[key] for key in ("file", "reason", "message")} for note in notes if note["reason"]]
        clips = tables.clips_table(notes)
        clips["video_category"] = agree.categories(clips, truth, known.facts, config.category)
        clips = decide.decide(clips, config.rules)
        cuts, keys = cut_all(job, clips, notes)
    finally:
        job.engine.close()
    figures = output.finish(job, clips, notes, quarantine, cuts, truth, known)
    shards.sweep(out, keys, "cut")                  # last: they say which files of videos/ are ours
    return figures


def contents_of(job, names):
    """{name: sha256} of the uploads whose content has to be known before the look: those of equal size, and all where `out` has a list of
    takedowns. What was looked at before is not read again."""
    sizes = {name: (job.folder / name).stat().st_size for name in names}
    count, listed = Counter(sizes.values()), bool(takedown.entries(job.out))
    wanted = [name for name in names if sizes[name] and (listed or count[sizes[name]] > 1)]
    done = [shard for shard in look_plan(job, names) if shards.is_done(job.out, shard)] if wanted else []
    seen = {note["file"]: note.get("sha256") for note in shards.read(job.out, done, "files")}
    for name in wanted:
        with contextlib.suppress(OSError):          # what cannot be read gets its reason from the look
            seen[name] = seen[name] if isinstance(seen.get(name), str) else look.digest(job.folder / name)
    return {name: seen[name] for name in wanted if isinstance(seen.get(name), str)}


def copies(names, contents):
    """{name: its note} of the uploads that are the same byte for byte as one whose name comes first."""
    first = {contents[name]: name for name in sorted(contents, reverse=True) if name in names}
    return {name: {"file": name, "reason": "copy", "message": f"the same file, byte for byte, as {first[contents[name]]}, which is used.",
                   "sha256": contents[name]} for name in names if name in contents and first[contents[name]] != name}


def without_taken_down(known, out, contents):
    """The Told without sources that were taken down from `out` (see `takedown`), by name or by content: they must not come back."""
    listed = takedown.listed(out)
    gone = {name for name in known.names if takedown.digest(name) in listed or contents.get(name) in listed}
    known.names = [name for name in known.names if name not in gone]
    known.problems += [{"file": "one source", "reason": "taken_down", "message": "it was taken down and is left out."} for _ in gone]
    return known


def apart(folder, out):
    """KitError when clips written into `out` could meet the raw videos of `folder`."""
    if out == folder or folder in out.parents:
        raise KitError(f"the clips cannot go into {out}: it lies inside the folder of raw videos. Name a folder beside it.")
    videos = (out / "videos").resolve()
    if videos == folder or videos in folder.parents or folder in videos.parents:
        raise KitError(f"the clips cannot go into {out}: they would be written into {videos}, which are the folder of raw videos or lie in "
                       "it, or hold it. Name another folder for the clips.")


def settle(out_dir, resume):
    """KitError when `out_dir` holds what a new curation must not mix with: anything foreign, or an unfinished one without `resume`."""
    out = Path(out_dir)
    if out.is_file():
        raise KitError(f"{out} is a file. Name a folder for the clips.")
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if {name for name in found if name[0] != "." and name not in ("inputs.json", takedown.LIST)} and not ours(out):
        raise KitError(f"{out} is not empty and holds no curation. Name a new folder, so that nothing of yours is mixed up.")
    if "shards" in found and "manifest.json" not in found and not resume:
        raise KitError(f"{out} holds a curation that did not finish. Say --resume to go on with it, or name another folder.")


def ours(out):
    """True when a folder was made by a curation: its working files say so, or its manifest where somebody took those away."""
    work = out / "shards"
    if work.is_dir() and not any(path for place in (work, out / "videos") for path in place.glob("[!.]*")):
        return True                                 # killed before its first word
    if (work / "README.md").is_file() or work.is_dir() and any(path for kind in ("look", "cut") for path in work.glob(f"{kind}-*.parquet")):
        return True
    try:
        return "cut_sha" in json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def look_plan(job, names):
    """The shards in which uploads are looked at."""
    return [{"key": key("look", [listing.mark_of(job.folder, name) for name in part], job.config.mark()), "kind": "look",
             "files": [{"name": name} for name in part]} for part in chunks(names, job.config.files_per_shard, str)]


def look_at_all(job, names, copied):
    """The notes of all uploads (see `look.look_at`), from shards that were done before or are done now. copied: see `copies`."""
    plan = look_plan(job, [name for name in names if name not in copied])
    carry_out(job, plan, "looked at")
    notes = {name: note | {"rows": []} for name, note in copied.items()}
    notes |= {note["file"]: note | {"rows": []} for note in shards.read(job.out, plan, "files")}
    for row in shards.read(job.out, plan, "clips"):
        notes[row["upload"]]["rows"].append(row)
    return [tables.filled(notes[name]) for name in names]


def cut_all(job, clips, notes):
    """(lines of the finished clips, see `shards.careful_cut`; keys of their shards): the survivors of each upload are cut in one pass."""
    known = {note["file"]: note for note in notes}
    kept = clips[clips["removed_by"] == ""]
    wanted = [{"name": name, "rows": part.drop(columns=["hash", "lines"]).to_dict("records"), "synthetic": bool(known[name]["synthetic"])}
              for name, part in kept.groupby("upload", sort=True)]
    plan = [{"key": key("cut", [[row[name] for name in HANGS_ON] for one in part for row in one["rows"]], job.config.cut_mark()),
             "kind": "cut", "files": part} for part in chunks(wanted, job.config.files_per_shard, lambda one: one["name"])]
    for shard in plan:                              # a clip that somebody deleted is cut again
        if shards.is_done(job.out, shard) and any(not (job.out / "videos" / row["file_name"]).is_file() for one in shard["files"]
                                                  for row in one["rows"]):
            shards.forget(job.out, shard)
    shards.announce(job.out, kept, key("cut", [shard["key"] for shard in plan], "names"))
    carry_out(job, plan, "cut")
    return shards.read(job.out, plan, "files"), {shard["key"] for shard in plan}


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
