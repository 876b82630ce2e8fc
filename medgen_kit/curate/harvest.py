"""Harvest: from a table of videos (title, description, channel, ...) to those that are medical (paper section 3, steps 1 and 2).

    read_table(path) -> harvest(table): keyword dictionary, text classifier, all videos of the channels found -> counts, decisions
    match_files(folder, table), unpack(archive, folder): the files that the rows mean. Nothing is downloaded.
"""

import csv
import io
import json
import lzma
import os
import re
import shutil
import stat
import unicodedata
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..clip import inside
from ..errors import DiskError, KitError, is_disk_full
from ..sources.repository import VIDEOS, safe
from .harvest_texts import TextTest, as_text, keyword_hits, taught

# our name of a column -> spellings that are accepted for it (capitals, spaces, dots, dashes and underscores do not matter)
COLUMNS = {
    "file_name": ("file_name", "video_path", "video_file", "file_path", "path", "file", "video", "clip_name"),
    "video_id": ("video_id", "youtube_id", "yt_id", "display_id", "id", "vid", "source_id"),
    "title": ("title", "video_title", "snippet_title", "fulltitle", "name"),
    "description": ("description", "video_description", "snippet_description", "desc", "about"),
    "channel": ("channel", "channel_title", "channel_name", "snippet_channel_title", "uploader", "author", "channel_id"),
    "url": ("url", "webpage_url", "video_url", "watch_url", "original_url", "source_url", "link"),
    "licence": ("licence", "license"),
    "category": ("category", "categories", "category_name", "category_id", "video_category", "genre"),
    "transcript": ("transcript", "transcription", "asr", "speech"),
}
READABLE = ("title", "description", "transcript")
MAX_FIELD, MAX_COLUMNS = 2**22, 1000              # characters of one field; different columns of one table
URL_ID = re.compile(r"(?:[?&]v=|youtu\.be/|/shorts/|/embed/|/live/)([\w-]{11})(?![\w-])")
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError, NotImplementedError)
YES, NO = {"1", "1.0", "true", "yes", "y", "medical"}, {"0", "0.0", "false", "no", "n", "not medical", "other"}
PAPER = {"listed": 25_000_000, "text": 37_000, "channel": 140_000}          # section 3; figure 3 prints 24 million


def read_table(path, problems=None):
    """A CSV, TSV, JSONL or Parquet table of videos as a DataFrame: the columns of COLUMNS first (text, "" where missing), then all others.

    Broken lines are left out; each is named with its line number in the list `problems` (without it: one warning). All is held in memory:
    give many millions of rows in parts. KitError: no such file, another format, nothing readable, no text column.
    """
    path, heard = Path(path), []
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise KitError(f"{path}: a table of videos must be one of {', '.join(readers)}; save it as one of these.")
    if not path.is_file() or not path.stat().st_size:
        raise KitError(f"{path} is {'empty' if path.is_file() else 'not a file'}. Give the table of videos, one row a video.")
    frame = readers[path.suffix.lower()](path, heard)
    if heard and not len(frame):
        raise KitError(f"{path} has no readable row. {heard[0]}")
    frame = normalise(frame, path.name)
    if problems is not None:
        problems.extend(heard)
    elif heard:
        warnings.warn(f"{len(heard)} problems in {path.name}: {' '.join(heard[:5])}", stacklevel=2)
    return frame


def normalise(frame, where="the table", needs=READABLE):
    """A DataFrame with the columns of COLUMNS (text) in front and all unknown columns behind. KitError when it has none of `needs`."""
    import pandas as pd

    frame = frame.loc[:, ~frame.columns.duplicated()]
    plain = {_plain(name): name for name in reversed(frame.columns)}
    named = {ours: next((plain[_plain(s)] for s in spellings if _plain(s) in plain), None) for ours, spellings in COLUMNS.items()}
    if all(named[column] is None for column in needs):
        wanted = "; ".join(f"{column} (or {', '.join(COLUMNS[column][1:])})" for column in needs)
        raise KitError(f"{where} lacks a column: it has {', '.join(map(str, frame.columns[:12])) or 'none'}. One is needed of: {wanted}.")
    texts = {ours: [""] * len(frame) if name is None else list(map(as_text, frame[name].tolist())) for ours, name in named.items()}
    texts["video_id"] = [i or (found[1] if (found := URL_ID.search(url)) else "") for i, url in zip(texts["video_id"], texts["url"])]
    others = [name for name in frame.columns if name not in COLUMNS and name not in named.values()]
    return pd.concat([pd.DataFrame(texts, index=frame.index, dtype=object), frame[others]], axis=1)


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _lines(path, heard):
    """The lines of a text file with their ends: UTF-8, or UTF-16 with its mark. Bytes that are neither are replaced and named."""
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text, line = data.decode(encoding, errors="replace"), data.count(b"\n", 0, error.start) + 1
        heard.append(f"{path.name}, line {line}: not UTF-8, here and perhaps later; such letters became \ufffd. Save the table as UTF-8.")
    return list(io.StringIO(text, newline=""))


def _csv(path, heard):
    """A CSV table. A quote that is never closed costs one line, not the rest of the file: reading goes on at the line after it."""
    import pandas as pd

    lines, rows, header, at = _lines(path, heard), [], None, 0
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=next(filter(str.strip, lines), "").count)
    csv.field_size_limit(MAX_FIELD)
    while at < len(lines):
        reader, begin = csv.reader((lines[i] for i in range(at, len(lines))), delimiter=delimiter, strict=True), at
        try:
            for row in reader:
                number, at = at + 1, begin + reader.line_num
                if header is None:
                    header = row if any(row) else None
                elif len(row) == len(header):
                    rows.append(row)
                elif row:
                    heard.append(f"{path.name}, line {number}: {len(row)} fields where the header has {len(header)}; the line is left out.")
                    if at > number:                              # it swallowed the lines after it
                        at = number
                        break
        except csv.Error as error:
            at += 1
            heard.append(f"{path.name}, line {at}: {error}; the line is left out.")
            if header is None:
                raise KitError(f"{path.name}: its first line, which names the columns, is broken ({error}).") from error
    names = [name if name not in header[:k] else f"{name}_{k + 1}" for k, name in enumerate(header or ())]
    return pd.DataFrame(rows, columns=names, dtype=object)


def _json_lines(path, heard):
    """A table of JSON lines, as yt-dlp and the YouTube API write them (what stands in `snippet` counts as the row's own)."""
    import pandas as pd

    rows, names = [], {}
    for number, line in ((n, line) for n, line in enumerate(_lines(path, heard), 1) if line.strip()):
        try:
            row, reason = json.loads(line), "not a set of named values"
        except (ValueError, RecursionError) as error:
            row, reason = None, f"not valid JSON ({error})"
        if not isinstance(row, dict):
            heard.append(f"{path.name}, line {number}: {reason}; the line is left out.")
            continue
        rows.append({**row["snippet"], **row} if isinstance(row.get("snippet"), dict) else row)
        names.update(dict.fromkeys(rows[-1]))
        if len(names) > MAX_COLUMNS:
            raise KitError(f"{path.name} has over {MAX_COLUMNS} different columns by line {number}; a table of videos has a few dozen.")
    return pd.DataFrame({name: [row.get(name) for row in rows] for name in names}, dtype=object)


def _parquet(path, heard):
    """A Parquet table; columns that hold whole files are not read, of a file object only its path."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            wanted = [f.name if "binary" not in str(f.type) else f"{f.name}.path" for f in file.schema_arrow]
            table = file.read(columns=wanted)
        table.validate(full=True)
        return table.to_pandas(ignore_metadata=True)
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise KitError(f"{path} is not a whole Parquet file ({str(error)[:100]}). Write it again.") from error


@dataclass(frozen=True)
class Options:
    """What harvest does; the paper prints none of these values. columns: read by both tests. backend: see TextTest; "" = keywords alone.

    score: probability from which a text counts. labels: own table (path or DataFrame) with a column medical (1 or 0) to learn from instead
    of the built-in examples. channels: False leaves out their step. least, share: see expand.
    """

    columns: tuple = ("title", "description")
    backend: str = "tfidf"
    prefix: str = ""
    score: float = 0.6                # chosen on examples that are neither those learned from nor those of the test
    labels: object = None
    channels: bool = True
    least: int = 2
    share: float = 0.5

    def __post_init__(self):
        if not self.columns or set(self.columns) - set(COLUMNS):
            raise KitError(f"columns {self.columns} must be one or more of {', '.join(COLUMNS)}.")
        if not (0 <= self.score <= 1 and 0 < self.share <= 1 and self.least >= 1):
            raise KitError(f"score {self.score} must lie in 0 to 1, share {self.share} above 0 and up to 1, least {self.least} from 1 on.")


def harvest(table, options=None, test=None):
    """The rows of `table` with keyword_hits (tuple), text_score (NaN = not asked), by, kept (bool) and first_fail.

    by: what let the row in, "keywords" (with backend ""), "text" or "channel", else "". first_fail: "" for kept rows, else the first step
    failed, "keywords" or "text". Only rows with a keyword reach the classifier. test: a fitted TextTest, else one that learns by itself.
    """
    options, frame = options or Options(), normalise(table)
    texts = _joined(frame, options)
    hits = keyword_hits(texts)
    found = np.array([bool(hit) for hit in hits], bool)
    score = np.full(len(frame), np.nan)
    if options.backend and found.any():
        score[found] = (test or _test(options))([texts[i] for i in np.flatnonzero(found)])
    accepted = found & (score >= options.score) if options.backend else found
    kept = accepted | expand(frame, accepted, options.least, options.share) if options.channels else accepted
    by = np.where(accepted, "text" if options.backend else "keywords", np.where(kept, "channel", ""))
    fail = np.where(kept, "", np.where(found, "text", "keywords"))
    return frame.assign(keyword_hits=hits, text_score=score, by=by.astype(object), kept=kept, first_fail=fail.astype(object))


def _joined(frame, options):
    return ["\n".join(parts) for parts in zip(*(frame[column] for column in options.columns))]


def _test(options):
    if options.labels is None:
        return taught(options.backend, options.prefix)
    table = options.labels if hasattr(options.labels, "columns") else read_table(options.labels)
    said = [as_text(value).lower() for value in table["medical"].tolist()] if "medical" in table.columns else [""]
    if not YES | NO >= set(said):
        raise KitError("the labelled table needs a column 'medical' that says 1 or 0 in every row.")
    return TextTest(options.backend, options.prefix).fit(_joined(normalise(table), options), [word in YES for word in said])


def expand(table, accepted, least=2, share=0.5):
    """bool [N]: rows of channels with at least `least` accepted videos that are at least `share` of their listed ones (paper: 37K -> 140K).

    A video listed twice counts once. A channel is known by `channel_id` where the table has it, else by its name; without one: False.
    """
    number, part = channel_share(table, accepted)
    return (number >= least) & (part >= share) & (part > 0)


def channel_share(table, accepted):
    """Of the channel of each row: accepted videos [N], and their share of its listed videos [N], 0 to 1; 0 for rows without a channel."""
    names = table["channel"].map(str.casefold)
    if "channel_id" in table.columns:
        names = (own := table["channel_id"].map(as_text)).where(own != "", names)
    yes = names.to_frame("channel").assign(video=_ids(table), yes=np.asarray(accepted, bool)).groupby(["channel", "video"])["yes"].max()
    found = yes.groupby(level="channel").agg(["sum", "mean"]).reindex(names).to_numpy(float) * (names != "").to_numpy()[:, None]
    return found[:, 0], found[:, 1]


def _ids(table):
    """What a row is called: its file_name, else its video_id, else "row N"."""
    return [file or video or f"row {number}" for number, (file, video) in enumerate(zip(table["file_name"], table["video_id"]))]


def counts(frame):
    """The funnel beside the paper's: rows step, ours, share (of the step before), paper, paper_share (None: the paper does not say).

    step: listed, keywords (rows with one), text (accepted by their own text), channel (with all videos of their channels).
    """
    ours = {"listed": len(frame), "keywords": int(frame["keyword_hits"].map(bool).sum()),
            "text": int(frame["by"].isin(("text", "keywords")).sum()), "channel": int(frame["kept"].sum())}
    rows, before, theirs = [], 0, 0
    for step, number in ours.items():
        paper = PAPER.get(step)
        rows.append({"step": step, "ours": number, "share": number / before if before else None, "paper": paper,
                     "paper_share": paper / theirs if paper and theirs else None})
        before, theirs = number, paper or theirs
    return rows


def decisions(frame, options=None):
    """Rows for the long table: dicts clip_id, stage ("keywords", "text", "channel"), value, threshold, op, verdict, reason.

    clip_id: see _ids. verdict: pass, fail, skip (not asked, or overruled by the channel) or error (a row
    without any text). A row is kept exactly when none of its verdicts is fail or error. options: those given to `harvest`.
    """
    options, out = options or Options(), []
    part = channel_share(frame, frame["by"].isin(("text", "keywords")))[1].tolist()
    rows = zip(_ids(frame), frame["keyword_hits"], frame["text_score"], frame["by"], frame["kept"], _joined(frame, options), part)
    for name, hits, score, by, kept, text, part in rows:
        empty, asked = not text.strip(), score == score
        lost = "skip" if kept else "error" if empty else "fail"
        keywords = ("pass", " | ".join(hits[:5])) if hits else (lost, "no text" if empty else "no keyword")
        judged = (("pass", "") if score >= options.score else (lost, "not medical by its text")) if asked else ("skip", "not asked")
        channel = ("pass", "kept with its channel") if by == "channel" else ("skip", "not needed" if kept else "channel not accepted")
        for row in (("keywords", float(len(hits)), 1.0, *keywords), ("text", float(score) if asked else None, options.score, *judged),
                    ("channel", part, options.share, *channel)):
            out.append(dict(zip(("clip_id", "stage", "value", "threshold", "verdict", "reason", "op"), (name, *row, ">="))))
    return out


def match_files(folder, table, kinds=VIDEOS):
    """Which file of `folder` (and the folders in it) each row means: ([(path, row number)], [{"file", "reason", "message"}]).

    A row names its file by file_name (path below the folder, or the bare name where only one file has it) or by video_id: "ID.mp4", or
    "Title [ID].mp4" as yt-dlp writes it. kinds: suffixes of the files that need a row. Row numbers count from 0.
    reason: row_without_file, file_without_row, escapes (a path that leaves the folder), two_rows (for one file), two_files (for one row).
    """
    root, table = Path(folder).resolve(), normalise(table, needs=("file_name", "video_id", "url"))
    if not root.is_dir():
        raise KitError(f"{folder} is not a folder. Give the folder that holds the videos of the table.")
    files, names, problems = _files(root, tuple(kind.lower() for kind in kinds))
    packed = "; the folder holds zip archives: unpack them first" if any(root.glob("*.zip")) else ""
    taken, matched = {}, []
    for number, (name, video) in enumerate(zip(table["file_name"], table["video_id"])):
        called, wanted = name or video, _below(root, name or video)
        found = [wanted] if wanted in files else names.get(wanted, []) or names.get(video, [])
        if called and not wanted:
            reason, what = "escapes", f"it does not lie in {folder}"
        elif not found:
            reason, what = "row_without_file", f"there is no such file{packed}"
        elif len(found) > 1:
            reason, what = "two_files", f"it could be each of {', '.join(found[:3])}"
        elif found[0] in taken:
            reason, what = "two_rows", f"row {taken[found[0]]} has this file already"
        else:
            taken[found[0]] = number
            matched.append((files[found[0]], number))
            continue
        problems.append({"file": called, "reason": reason, "message": f"row {number} names '{called}': {what}."})
    for name in sorted(files.keys() - taken.keys()):
        problems.append({"file": name, "reason": "file_without_row", "message": f"{name} has no row in the table and is left out."})
    return matched, problems


def _below(root, name):
    """The path below `root` that a row means, in one form; "" when it lies elsewhere. An absolute path into the folder is accepted."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix(f"{root.as_posix()}/")
    return PurePosixPath(name).as_posix() if name and safe(name) else ""


def _files(root, kinds):
    """({path below root: Path}, {bare name, stem or [ID]: paths}, problems); links that lead out of the folder are not followed."""
    files, names, problems = {}, {}, []
    for place, folders, found in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for path in (Path(place) / name for name in sorted(found) + folders):
            name = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
            if path.is_symlink() and root not in path.resolve().parents:
                problems.append({"file": name, "reason": "escapes", "message": f"{name} is a link that leads out of the folder."})
            elif path.suffix.lower() in kinds and not path.name.startswith(".") and path.is_file():
                files[name] = path
                for key in {PurePosixPath(name).name, PurePosixPath(name).stem, *re.findall(r"\[([\w-]+)\]\.\w+$", name)}:
                    names.setdefault(key, []).append(name)
    return files, names, problems


def unpack(archive, folder, max_bytes=64 * 2**30, max_ratio=200):
    """Unpack a zip archive into `folder`, trusting nothing in it: ([paths], [{"file", "reason", "message"}]).

    reason of a refused member: escapes (absolute, or climbs out), not_a_file (link, device, pipe), locked (password), two_members (of one
    name), exists (another file has its place), unwritable (its name is none here), ratio (above max_ratio times its packed size), too_large
    (above max_bytes with those before it), broken (or not as long as it says). A file is written whole or not at all; one that is there
    with the right length is kept. KitError: no zip archive. DiskError: the disk is full.
    """
    made, problems, left, seen = [], [], max_bytes, set()
    try:
        source = zipfile.ZipFile(archive)
    except (OSError, *BROKEN) as error:
        raise KitError(f"{archive} could not be opened as a zip archive ({error}). Fetch it again.") from error
    with source:
        for member in source.infolist():
            name = member.filename.replace("\\", "/")
            if member.is_dir() or name.startswith("__MACOSX/"):
                continue
            reason = "two_members" if name in seen else _refused(member, name, left, max_ratio)
            seen.add(name)
            reason = reason or _extract(source, member, Path(folder), name)
            if reason:
                problems.append({"file": name, "reason": reason, "message": f"{name} in {archive} is not unpacked [{reason}]."})
            else:
                made.append(Path(folder) / name)
                left -= member.file_size
    return made, problems


def _refused(member, name, left, max_ratio):
    kind = stat.S_IFMT(member.external_attr >> 16)
    rules = {"escapes": not safe(name), "not_a_file": kind not in (0, stat.S_IFREG), "locked": member.flag_bits & 1,
             "ratio": member.file_size > max(2**20, max_ratio * member.compress_size), "too_large": member.file_size > left}
    return next((reason for reason, broken in rules.items() if broken), "")


def _extract(source, member, folder, name):
    part = folder / f".{os.getpid()}.part"
    try:
        target = inside(folder, name)
        if target.exists():
            return "" if target.is_file() and target.stat().st_size == member.file_size else "exists"
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open(member) as packed, part.open("wb") as out:
            shutil.copyfileobj(packed, out, 2**20)              # zipfile gives at most the declared length and checks the sum
        if part.stat().st_size == member.file_size:
            os.replace(part, target)
            return ""
        return "broken"
    except (KitError, *BROKEN) as error:
        return "escapes" if isinstance(error, KitError) else "broken"
    except OSError as error:
        if is_disk_full(error):
            raise DiskError(f"{name} could not be written to {folder}: the disk is full. Free some space, then unpack again.") from error
        return "unwritable" if error.errno else "broken"
    finally:
        part.unlink(missing_ok=True)
