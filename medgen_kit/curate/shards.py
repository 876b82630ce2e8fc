"""Shards: a list of uploads whose results are written whole, as Parquet, so that an interrupted job repeats open shards only."""

import json
import os
from pathlib import Path

from ..clip import rows_of
from ..errors import KitError, VideoError
from ..whole import whole
from . import cut, look
from .guard import Crashed, Guard, Hung

LISTS = ("lines", "privacy", *look.TRACK)            # kept as JSON text


def process_shard(shard, config, folder, out, guard=None):
    """Work on the uploads of a shard and write its tables into `out`/shards, the one that says it is done last. Returns its key.

    shard: {"key", "kind", "files"}. kind "look": files are [{"name"}]; writes <key>.clips.parquet and <key>.files.parquet. kind "cut":
    files are [{"name", "rows", "synthetic"}]; writes the clips into `out`/videos and <key>.files.parquet, a line a clip. The same function
    under every engine. A file that crashes or hangs its decoder is tried once more and then given up ("decoder_crash", "timeout"). A full
    disk raises DiskError and a job that is broken off raises Stopped: that is no fault of a file, nothing is written, the shard stays open.
    """
    own = guard is None and config.workers > 0
    guard = Guard(config.seconds_per_file) if own else guard
    place = Path(out) / "shards"
    try:
        if shard["kind"] == "look":
            notes = [careful(guard, look.look_at, Path(folder) / one["name"], one["name"], config) for one in shard["files"]]
            rows = [row | {"fps": note["fps"]} for note in notes for row in note["rows"]]
            write_parquet(place / f"{shard['key']}.clips.parquet", rows)
            write_parquet(place / f"{shard['key']}.files.parquet", [{k: v for k, v in note.items() if k != "rows"} for note in notes])
        else:
            cuts = [line for one in shard["files"] for line in careful_cut(guard, Path(folder) / one["name"], one, config, Path(out))]
            write_parquet(place / f"{shard['key']}.files.parquet", cuts)
    finally:
        if own:
            guard.close()
    return shard["key"]


def careful(guard, function, path, name, *arguments):
    """What `function(path, name, *arguments)` returns, in the guard's child (here without one), whatever happens to it."""
    if guard is None:
        return function(path, name, *arguments)
    reason = {Crashed: "decoder_crash", Hung: "timeout"}
    for attempt in (1, 2):
        try:
            return guard.call(function, path, name, *arguments)
        except (Crashed, Hung) as error:
            if attempt == 2:
                return {"file": name, "reason": reason[type(error)], "message": f"{error}, twice.", "rows": []}
        except RuntimeError as error:
            return {"file": name, "reason": "failed", "message": str(error), "rows": []}
    return None


def careful_cut(guard, path, one, config, out):
    """The lines of one upload's clips: {"clip_id", "file_name", "reason", "message", "privacy"}."""
    try:
        found = careful(guard, cut.cut_upload, path, one["name"], one["rows"], config, out / "videos", one["synthetic"])
    except VideoError as error:
        found = {"reason": error.reason, "message": error.message}
    lines = [{"clip_id": row["clip_id"], "file_name": row["file_name"], "reason": "", "message": "", "privacy": {}} for row in one["rows"]]
    if isinstance(found, dict):
        return [line | {"reason": found["reason"], "message": found["message"]} for line in lines]
    return [line | {"privacy": record} for line, record in zip(lines, found)]


def is_done(out, shard):
    """True when a shard has been written whole."""
    return (Path(out) / "shards" / f"{shard['key']}.files.parquet").is_file()


def table(rows, columns=None):
    """Rows (dicts) as a DataFrame; what is a list becomes JSON text."""
    import pandas as pd

    made = [{k: json.dumps(v, ensure_ascii=False) if k in LISTS else v for k, v in row.items()} for row in rows]
    return pd.DataFrame(made, columns=columns)


def write_parquet(path, rows):
    """Rows (dicts) as a Parquet file, whole or not at all: to a temporary name, to the disk, then renamed."""
    import pandas as pd

    made = rows if isinstance(rows, pd.DataFrame) else table(rows)
    with whole(path) as part, part.open("wb") as file:
        made.to_parquet(file, index=False)
        file.flush()
        os.fsync(file.fileno())
    return Path(path)


def read(out, plan, kind):
    """The rows of all shards of a plan, kind "files" or "clips", as dicts; JSON text becomes lists again. KitError names a broken file."""
    import pandas as pd

    rows = []
    for shard in plan:
        path = Path(out) / "shards" / f"{shard['key']}.{kind}.parquet"
        try:
            found = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise KitError(f"{path} cannot be read ({error}). Delete it and run the same command again: it is made anew.") from error
        rows += [lists(row) for row in found.to_dict("records")]
    return rows


def lists(row):
    """A row of a table with its JSON texts as lists again."""
    return {k: json.loads(v) if k in LISTS and isinstance(v, str) else v for k, v in row.items()}


def forget(out, shard):
    """Make a shard count as not done."""
    (Path(out) / "shards" / f"{shard['key']}.files.parquet").unlink(missing_ok=True)


def sweep(out, keep, kind):
    """Remove the tables of shards of a kind that are not among the keys `keep`: of files or settings that are no more. What processes
    that were killed left half-written goes too; nothing else may be at work in `out`."""
    for path in (Path(out) / "shards").glob(f"{kind}-*.parquet"):
        if path.name.split(".")[0] not in keep:
            path.unlink()
    for folder in (Path(out), Path(out) / "shards", Path(out) / "videos"):
        for path in folder.glob(".*.part"):
            path.unlink()


def announce(out, kept, key):
    """Note the names of the clips that are about to be cut, so that an interrupted curation knows its own files."""
    write_parquet(out / "shards" / f"{key}.names.parquet", kept[["upload", "clip_id", "file_name"]])


def clips_of(out):
    """Paths of the files in `out`/videos that this folder's shards or records name; whatever else lies there is somebody's own."""
    import pandas as pd

    names, records = set(), out / "metadata.jsonl"
    for path in (out / "shards").glob("cut-*.parquet"):
        try:
            names |= set(pd.read_parquet(path, columns=["file_name"])["file_name"])
        except (OSError, ValueError):               # a broken table names nothing
            continue
    if records.is_file():
        names |= {str(row.get("file_name", "")).removeprefix("videos/") for _, row in rows_of(records)}
    return [path for path in sorted((out / "videos").glob("*.mp4")) if path.name in names]
