"""MedVideoCap-55K, the paper's dataset: its rows streamed with our column names, its videos fetched one at a time.

The repository's own files are discovered, whatever their layout: json, jsonl, parquet or csv tables, loose or zipped videos.
"""

import functools
import itertools
import re
import warnings
from pathlib import Path

from ..clip import CATEGORIES, Clip, write_folder
from ..errors import DiskError, KitError
from .repository import Repository

REPO = "FreedomIntelligence/MedVideoCap-55K"
LICENCE = "apache-2.0 by the dataset's page; research only, never clinical use, by the paper's ethics statement"
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test",
          "testing": "test", "eval": "test"}

# our name of a column -> spellings that are accepted for it (capitals, spaces, dots, dashes and underscores do not matter)
COLUMNS = {
    "video_name": ("video_name", "file_name", "video", "video_path", "video_file", "path", "clip", "clip_name", "clip_path", "clip_id",
                   "video_id", "name", "id"),
    "brief_caption": ("brief_caption", "short_caption", "caption_brief", "caption_short", "brief", "summary", "prompt"),
    "detailed_caption": ("detailed_caption", "long_caption", "caption_detailed", "caption_long", "detailed", "dense_caption", "caption",
                         "description", "text"),
    "video_category": ("video_category", "category", "video_type", "type", "label", "class"),
    "resolution": ("resolution", "video_resolution", "frame_size", "size"),
    "width": ("width", "video_width", "w"),
    "height": ("height", "video_height", "h"),
    "fps": ("fps", "frame_rate", "video_fps", "frames_per_second"),
    "duration": ("duration", "duration_s", "duration_seconds", "video_duration", "length", "seconds"),
    "bit_rate": ("bit_rate", "bitrate", "video_bit_rate", "bits_per_second"),
    "aesthetic_score": ("aesthetic_score", "aesthetic", "aesthetics", "laion_aesthetic", "laion_aesthetic_score", "aes_score"),
    "dover_score": ("dover_score", "dover", "technical_score", "technical_quality", "quality_score"),
    "camera_motion_type": ("camera_motion_type", "camera_motion", "camera_movement", "camera", "shot_type"),
    "split": ("split", "subset", "partition"),
    "source_id": ("source_id", "youtube_id", "source", "url"),
}
NUMBERS = ("width", "height", "fps", "duration", "bit_rate", "aesthetic_score", "dover_score")
CAPTIONS = ("brief_caption", "detailed_caption")


def medvideocap(split="train", streaming=True, limit=None, repo=REPO, root=None, token=None, problems=None):
    """The rows of MedVideoCap-55K as dicts with the keys of COLUMNS, "extra" (unknown columns) and "origin" (where it came from).

    split: train, val or test; rows without a split are train. streaming: an iterator that fetches no video (else a list).
    limit: at most so many rows. root: a folder laid out like the Hub's repository, used instead of the network.
    problems: a list that collects one sentence for every row left out (without it they are warned about).
    Raises KitError when no table has the needed columns, when the split does not occur, and when the Hub cannot be reached.
    """
    if split not in SPLITS.values():
        raise KitError(f"there is no split '{split}'. Splits: train, val, test.")
    if root is not None:
        open_repository.cache_clear()
    repository = open_repository(repo, None if root is None else str(root), token)
    heard = [] if problems is None else problems
    tables = _tables(repository, heard)
    rows = itertools.islice(_records(repository, tables, split, heard, warn=problems is None), limit)
    return rows if streaming else list(rows)


@functools.lru_cache(maxsize=4)
def open_repository(repo=REPO, root=None, token=None):
    """The Repository of the Hub's `repo` or of the folder `root`; listed once."""
    return Repository(repo, root, token)


def fetch_video(record, folder, token=None):
    """Copy the video of one record into `folder` (whole or not at all, checked that it decodes). Returns its path."""
    origin = record.get("origin") or {}
    return open_repository(origin.get("repo", REPO), origin.get("root"), token).fetch(record["video_name"], folder)


def medvideocap_clips(folder, limit, split="train", repo=REPO, root=None, token=None, say=None):
    """Fetch `limit` clips into `folder`/videos and write the VideoFolder. Returns (clips, problems).

    A video that is missing or broken, or a row whose category is none of the five, is skipped and named in `problems`.
    """
    folder, clips, problems = Path(folder), [], []
    for record in medvideocap(split, True, None, repo, root, token, problems):
        if len(clips) >= limit:
            break
        if record["video_category"] not in CATEGORIES:
            problems.append(f"{record['video_name']}: category '{record['video_category']}' is none of the five; the row is left out.")
            continue
        try:
            clips.append(to_clip(record, fetch_video(record, folder / "videos", token)))
        except DiskError:
            raise
        except KitError as error:
            problems.append(str(error))
        if say and clips and len(clips) % 50 == 0:
            say(f"{len(clips)} of {limit} clips fetched")
    if not clips:
        raise KitError(f"not one usable clip was found. First problems: {' '.join(problems[:3])}")
    write_folder(folder, clips)
    return clips, problems


def to_clip(record, path):
    """A Clip of a fetched video: size, fps, duration and bit rate from the file, the rest from the record."""
    return Clip.of(path, video_category=record["video_category"], camera_motion_type=record["camera_motion_type"] or None,
                   aesthetic_score=record["aesthetic_score"], dover_score=record["dover_score"], brief_caption=record["brief_caption"],
                   detailed_caption=record["detailed_caption"], split=record["split"], source="MedVideoCap-55K", licence=LICENCE,
                   source_id=record["source_id"] or record["video_name"],
                   extra={"title": record["brief_caption"], "held_out": False, "synthetic": False, **record["extra"]})


def columns(found):
    """Which of the columns `found` stands for which of ours: {ours: theirs}; the first accepted spelling wins."""
    plain = {}
    for name in found:
        plain.setdefault(_plain(name), name)
    return {ours: next(plain[_plain(s)] for s in spellings if _plain(s) in plain)
            for ours, spellings in COLUMNS.items() if any(_plain(s) in plain for s in spellings)}


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _tables(repository, problems):
    """{table: column map} of the tables that hold clips. KitError that lists found and accepted names when there is none."""
    tables, seen = {}, []
    for table in repository.tables:
        heard = []
        rows = [row for _, row in itertools.islice(repository.rows(table, heard), 20)]
        found = list({str(key): None for row in rows for key in row})
        named = columns(found)
        if "video_name" in named and any(c in named for c in CAPTIONS):
            tables[table] = named
        elif found:
            seen.append(f"{table}: {', '.join(found[:12])}")
        problems += heard if not rows else []
        if len(rows) > 1 and table not in tables:
            problems.append(f"{table} is left out: no columns for a video and its caption among {', '.join(found[:12])}.")
    if not tables:
        wanted = "; ".join(f"{ours} as {' or '.join(COLUMNS[ours])}" for ours in ("video_name", *CAPTIONS))
        raise KitError(f"no table of {repository} has a column for the video and one for its caption. "
                       f"Found: {' | '.join(seen) or 'no table'}. Accepted: {wanted}.")
    return tables


def _records(repository, tables, split, problems, warn):
    """Yield the records of one split over all tables, each video once."""
    done, splits, told = set(), set(), 0
    for table, named in tables.items():
        for number, row in repository.rows(table, problems):
            record = _record(repository, table, named, number, row, problems)
            told = _warn(problems, told) if warn else told
            if record is None or record["video_name"] in done:
                continue
            done.add(record["video_name"])
            splits.add(record["split"])
            if record["split"] == split:
                yield record
    if warn:
        _warn(problems, told)
    if split not in splits:
        raise KitError(f"{repository} has no row of split '{split}'; it has: {', '.join(sorted(splits)) or 'no usable row'}.")


def _warn(problems, told):
    for problem in problems[told:]:
        warnings.warn(problem, stacklevel=3)
    return len(problems)


def _record(repository, table, named, number, row, problems):
    """One row with our names; None (and a sentence in `problems`) when the video's name or both captions are missing."""
    record = {ours: row.get(named[ours]) if ours in named else None for ours in COLUMNS}
    for key in NUMBERS:
        record[key] = _number(record[key])
    for key in set(COLUMNS) - set(NUMBERS) - {"split"}:
        record[key] = _text(record[key])
    if not record["video_name"] or not any(record[c] for c in CAPTIONS):
        problems.append(f"{table}, row {number}: no {'video name' if not record['video_name'] else 'caption'}; the row is left out.")
        return None
    if record["resolution"] and not record["width"]:
        sides = re.findall(r"\d+", record["resolution"])
        record["width"], record["height"] = (float(s) for s in sides[:2]) if len(sides) >= 2 else (None, None)
    record["video_category"] = category(record["video_category"])
    record["split"] = _split(record["split"], table)
    used = set(named.values())
    record["extra"] = {str(k): v for k, v in row.items() if k not in used and v is not None}
    record["origin"] = {"repo": repository.repo, "root": None if repository.root is None else str(repository.root), "table": table}
    return record


def category(text):
    """The paper's category a text stands for ("Clinical practice videos" -> "clinical practice"); the text itself when none."""
    low = re.sub(r"[_\-\s]+", " ", text.lower()).strip()
    return next((c for c in CATEGORIES if c in low or c.removeprefix("medical ") == low.removesuffix("s").removesuffix(" video")), text)


def _split(value, table):
    """The split a row says, else the one its table's path says, else train."""
    if value not in (None, ""):
        return SPLITS.get(str(value).lower(), "train")
    words = re.split(r"[^a-z]+", table.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "train")


def _number(value):
    """A number, or the first number in a text ("8.99 s"); None when there is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = re.search(r"-?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", value) if isinstance(value, str) else None
    return float(found[0]) if found else None


def _text(value):
    """A text; of a file column ({"path": ..., "bytes": ...}) its path; "" for nothing."""
    if isinstance(value, dict):
        value = value.get("path")
    return "" if value is None else str(value).strip()
