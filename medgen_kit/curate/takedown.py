"""Takedown: everything made of one source leaves a VideoFolder, and a list of hashes keeps a later run from bringing it back.

    takedown(folder, "upload_03.mp4", reason="asked by the uploader")     is_taken_down(folder, "upload_03.mp4") -> True
One folder is one takedown: copies elsewhere (a captioned set, a trained model, the raw upload) are not reached from here.
"""

import csv
import datetime
import difflib
import glob
import hashlib
import json
import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..clip import TABLES, rows_of, table_of, write_text
from ..errors import DiskError, KitError

LIST = "takedown.jsonl"
OF_SOURCE = ("source_id", "upload")                                        # columns that say of which source a row is
OF_CLIP = ("clip_id", "file_name", "clip", "video_name", "file")           # else the first of these decides; "file" may be either
OF_CONTENT = ("upload_sha256", "sha256")                                    # sha256 of the upload's bytes; the second beside "file" alone
POINTING = ("duplicate_of", "dup_of")                                      # columns of other clips that may point at one; they are emptied
READ = (*OF_SOURCE, *OF_CLIP, *POINTING, *OF_CONTENT, "extra")               # columns that are looked at
READABLE = (".json", ".jsonl", ".csv", ".html", ".md", ".txt", ".vtt", ".srt", ".yaml")


def digest(source_id):
    """SHA-256 (hex) of a source id, the same however its accents are composed. A hash hides an id from readers, not from guessers."""
    return hashlib.sha256(plain(source_id).encode("utf-8", "surrogatepass")).hexdigest()


def plain(value):
    """An id as text in one form; "" for none."""
    return unicodedata.normalize("NFC", "" if value is None else str(value))


@dataclass
class Names:
    """What a source is called in a folder: its own names and those of byte copies, its clips' ids and names, the files of its clips (a set
    of paths). shared: ids of clips that other sources have too. contents: sha256 of the uploads."""

    sources: set
    clips: set = field(default_factory=set)
    files: set = field(default_factory=set)
    shared: set = field(default_factory=set)
    contents: set = field(default_factory=set)

    def own(self, row):
        """True when a row (dict) belongs to the source. Where the row names a source, nothing else counts: names of clips may recur."""
        said = called(row)
        if said:
            return not self.sources.isdisjoint(said)
        said = next((name for name in clip_names(row) if name not in self.shared), "")
        return said in self.clips or said in self.sources

    def unclear(self, row):
        """True when a row names nothing but clips, and others have clips of that name: nobody can say whose it is."""
        return not called(row) and bool(clip_names(row)) and self.shared.issuperset(clip_names(row))

    def points(self, row):
        """Columns of another clip's row that point at a clip of the source."""
        return [key for key in POINTING if plain(row.get(key)) in self.clips - self.shared - {""}]


def called(row):
    """What a row calls its source: {source_id, upload}, those that it names."""
    return {plain(row.get("source_id")), plain(row.get("upload")), upload_of(row)} - {""}


def clip_names(row):
    """What a row calls its clip, the most telling name first."""
    return [plain(row.get(key)) for key in OF_CLIP if plain(row.get(key))]


# ---- the list

def is_taken_down(folder, source_id, content=None):
    """True when `source_id`, or the upload's bytes with the sha256 `content`, is on the folder's list of takedowns. A pipeline asks this
    before it makes clips of a source."""
    return not {digest(source_id), content}.isdisjoint(listed(folder))


def listed(folder):
    """Everything on the folder's list as one set: hashes of ids, and sha256 of the bytes of the uploads."""
    return {mark for entry in entries(folder) for mark in (entry["sha256"], *entry.get("content", ()))}


def entries(folder):
    """The list of takedowns: [{"sha256", "date", "reason", "content"}]; [] when there is none. KitError when it cannot be read.

    sha256: of the id. content: sha256 of the bytes of its uploads, so that a renamed one is known again.
    """
    path = Path(folder) / LIST
    if not path.is_file():
        return []
    found = [as_dict(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if not all(entry and "sha256" in entry for entry in found):
        raise KitError(f"{path} is broken, so nobody can say what was taken down. Restore it before anything is made here.")
    return found


def write_list(folder, source_id, reason, contents):
    """Add one line to the list of takedowns, whole or not at all."""
    entry = {"sha256": digest(source_id), "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "reason": str(reason),
             "content": sorted(contents)}
    lines = [json.dumps(one, ensure_ascii=False) for one in [*entries(folder), entry]]
    write_text(Path(folder) / LIST, "\n".join(lines) + "\n")


def remains(folder):
    """Ids of sources that are on the list and still have rows here, as an interrupted takedown leaves them. Take them down again."""
    marks = listed(folder)
    again = {upload for upload, _, content in links(folder) if content in marks}
    return sorted({name for name in known(folder) if digest(name) in marks} | again - {""})


# ---- the takedown

def takedown(folder, source_id, reason=""):
    """Remove all that was made of `source_id` from a VideoFolder; returns {"clips", "files", "rows": {table: count}, "mentions"}.

    What was made of other uploads with the same bytes goes too; uploads that only share an id stay, unless that id was named. First the
    hashes of id and bytes go on the list, then the clips' files and what lies beside them, then rows of every .csv, .parquet and .jsonl,
    last of metadata: interrupted at any point, the same call again ends the same. An id that was taken down before gives zeros. reason:
    kept as it is, so name nobody in it. mentions: files to look at by hand: they still contain the id (pages, figures, notes), or name
    only clips by a name that others have too.
    KitError: no VideoFolder, an empty or unknown id (naming near ones), a row whose path leaves the folder. DiskError: a full disk.
    """
    from filelock import FileLock

    folder = Path(folder)
    table_of(folder)
    if not plain(source_id).strip():
        raise KitError("takedown needs the source_id of a source, not an empty one.")
    try:
        with FileLock(str(folder / ".takedown.lock")):
            names = names_of(folder, source_id)
            if not is_taken_down(folder, source_id):
                refuse_unknown(folder, source_id, names)
            if not is_taken_down(folder, source_id) or names.contents - listed(folder):
                write_list(folder, source_id, reason, names.contents)
            files = remove_files(folder, names)
            rows = {path.relative_to(folder).as_posix(): count for path in tables(folder) if (count := drop_rows(path, names))}
    except OSError as error:
        raise DiskError(f"{folder}: the takedown stopped half-way ({error.strerror or error}). Free some disk space or change the "
                        "rights of the files, then call takedown again with the same id.") from error
    return {"clips": len(names.files), "files": files, "rows": rows, "mentions": mentions(folder, names)}


def names_of(folder, source_id):
    """The Names of a source. A row of metadata may call it by its id and by its upload's name; every table may name clips of it."""
    names = Names({plain(source_id)})
    spread_out(names, links(folder), {mark for entry in entries(folder) if entry["sha256"] == digest(source_id)
                                      for mark in entry.get("content", ())})
    for _, row in rows_of(table_of(folder)):
        if isinstance(row, dict) and row.get("file_name") and not names.sources.isdisjoint(called(row)):
            names.files.add(place(folder, row["file_name"]))
    names.clips = clips_where(folder, lambda said: not names.sources.isdisjoint(said))
    names.shared = names.clips & clips_where(folder, names.sources.isdisjoint)
    return names


def links(folder):
    """{(upload, id, sha256 of its bytes)}: what the rows of all tables say of uploads, "" where a row does not say it."""
    found = set()
    for row in (row for path in tables(folder) for row in table_rows(path)):
        upload, content = upload_of(row), content_of(row)
        found.add((upload or plain(row.get("file")) if content else upload, plain(row.get("source_id")), content))
    return found - {("", "", "")}


def spread_out(names, known_links, contents):
    """Add to `names` the uploads of its ids, their contents, the uploads with one of these contents, and ids that no other upload has."""
    names.contents, before = set(contents), None
    while before != (len(names.sources), len(names.contents)):
        before = len(names.sources), len(names.contents)
        hit = [one for one in known_links if not names.sources.isdisjoint(one[:2]) or one[2] in names.contents]
        names.sources |= {upload for upload, _, _ in hit} - {""}
        names.contents |= {content for _, _, content in hit} - {""}
        others = {code for upload, code, _ in known_links if upload and upload not in names.sources}
        names.sources |= {code for _, code, _ in hit} - others - {""}


def clips_where(folder, chosen):
    """Ids and names of the clips in rows of which `chosen`(what the row calls its source) holds."""
    found = set()
    for row in (row for path in tables(folder) for row in table_rows(path)):
        said = called(row)
        if said and chosen(said):
            found |= {*clip_names(row), PurePosixPath(plain(row.get("file_name"))).name}
    return found - {""}


def upload_of(row):
    """The upload that a row names, in a column or, as our own curation keeps it, in `extra`; "" where there is none."""
    return plain(row.get("upload") or extra_of(row).get("upload"))


def content_of(row):
    """sha256 of the bytes of the upload that a row names, "" where there is none."""
    own = "" if any(row.get(key) for key in OF_CLIP[:-1]) else row.get("sha256")           # beside a clip it would be the clip's own
    said = (plain(value) for value in (extra_of(row).get("upload_sha256"), row.get("upload_sha256"), own))
    return next((value for value in said if re.fullmatch("[0-9a-f]{64}", value)), "")


def extra_of(row):
    """The `extra` of a row as a dict; tables that cannot hold one keep it as JSON text."""
    extra = row.get("extra") or {}
    return (as_dict(extra) or {}) if isinstance(extra, str) else extra if isinstance(extra, dict) else {}


def place(folder, name):
    """folder / name without following links; KitError when the name is absolute or climbs out."""
    path = PurePosixPath(str(name))
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in str(name) or "\\" in str(name):
        raise KitError(f"{table_of(folder)}: file_name '{name}' is no path inside the folder. Correct that row first; nothing was removed.")
    return Path(folder) / path


def known(folder):
    """Every source id of the folder's tables."""
    return {plain(row.get(key)) for path in tables(folder) for row in table_rows(path) for key in (*OF_SOURCE, "file")} - {""}


def refuse_unknown(folder, source_id, names):
    """KitError when no table names the id, with ids that look alike."""
    if names.files or plain(source_id) in (every := known(folder)):
        return
    near = difflib.get_close_matches(plain(source_id), every, n=3, cutoff=0.5)
    raise KitError(f"{folder} has nothing of a source '{source_id}'" + (f"; near: {', '.join(near)}." if near else ".")
                   + " Its ids stand in the column source_id of metadata and in upload or file of the other tables.")


def remove_files(folder, names):
    """Remove the clips' files, what lies beside them under the same name (captions, thumbnails, half-written parts) and the sources'
    notes in timelines/; returns how many files went."""
    kept = {folder / str(row["file_name"]) for _, row in rows_of(table_of(folder)) if isinstance(row, dict) and row.get("file_name")}
    others = {(path.parent, path.stem) for path in kept - names.files}
    doomed = set(names.files)
    for path in names.files:
        beside = [*path.parent.glob(f"{glob.escape(path.stem)}.*"), *path.parent.glob(f".{glob.escape(path.name)}.*")]
        doomed |= {other for other in beside if other not in kept and not belongs(other, others - {(path.parent, path.stem)})}
    for name in map(glob.escape, names.sources):
        if "/" not in name:
            doomed |= {*(folder / "timelines").glob(f"{name}.json"), *(folder / "timelines").glob(f".{name}.*")}
    gone = 0
    for path in sorted(doomed):
        if path.is_file() or path.is_symlink():
            path.unlink()
            gone += 1
    return gone


def belongs(path, clips):
    """True when a file's name starts with the stem of one of the clips {(folder, stem)}: "a.b.vtt" belongs to "a.b.mp4", not to "a.mp4"."""
    parts = path.name.split(".")
    return any((path.parent, ".".join(parts[:k])) in clips for k in range(1, len(parts)))


# ---- tables

def tables(folder):
    """Tables of a folder in the order in which they are cleaned: first those that know only clips, since the others say whose clips
    those are; then those that know contents, which say who is a copy; metadata last, since it says which files belong to a source."""
    found = [path for kind in ("*.csv", "*.parquet", "*.jsonl") for path in Path(folder).rglob(kind) if path.name != LIST]
    found = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: (path.name in TABLES, *(any(key in columns_of(path) for key in keys)
                                                                 for keys in (OF_CONTENT, OF_SOURCE)), path.as_posix()))


def columns_of(path):
    """Names of a table's columns; of a .jsonl those of its first row."""
    if path.suffix == ".parquet":
        with parquet(path) as table:
            return table.schema_arrow.names
    if path.suffix == ".csv":
        with open_csv(path) as file:
            return next(csv.reader(file), [])
    return list(next(table_rows(path), {}))


def table_rows(path):
    """Yield the rows of a table as dicts; of a Parquet file only the columns that matter here. What is no JSON is passed over."""
    if path.suffix == ".parquet":
        wanted = [name for name in columns_of(path) if name in READ]
        with parquet(path) as table:
            for batch in table.iter_batches(columns=wanted) if wanted else ():
                yield from batch.to_pylist()
    elif path.suffix == ".csv":
        with open_csv(path) as file:
            reader = csv.reader(file)
            header = next(reader, [])
            yield from (dict(zip(header, row)) for row in reader)
    else:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            yield from (row for row in map(as_dict, file) if row is not None)


def open_csv(path):
    """A CSV file open for reading, whatever bytes it holds and however long a cell is."""
    csv.field_size_limit(max(csv.field_size_limit(), 2**30))
    return path.open(encoding="utf-8-sig", newline="", errors="surrogateescape")


def as_dict(line):
    """A line of JSON as a dict, None when it is something else (the torn last line of an interrupted run)."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def parquet(path):
    """The open Parquet file; KitError when it is broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise KitError(f"{path} cannot be read as Parquet ({error}). Move it away or make it again, then call takedown again.") from error


def drop_rows(path, names):
    """Rewrite one table without the source's rows, whole or not at all; returns how many rows went. An untouched table stays as it is."""
    own, pointing, part = 0, 0, path.with_name(f".{path.name}.takedown.part")
    part.unlink(missing_ok=True)                                           # of a call that was killed
    for row in table_rows(path):
        own += names.own(row)
        pointing += bool(names.points(row))
    if own or pointing:
        try:
            {".parquet": copy_parquet, ".csv": copy_csv, ".jsonl": copy_jsonl}[path.suffix](path, part, names)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return own


def copy_jsonl(path, part, names):
    """Copy the lines of others, byte for byte where nothing points at the source."""
    same = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with path.open(**same) as old, part.open("w", **same) as new:
        for line in old:
            row = as_dict(line)
            if row is None or not names.own(row):
                pointing = names.points(row or {})
                new.write(json.dumps({**row, **dict.fromkeys(pointing, "")}, ensure_ascii=False) + "\n" if pointing else line)


def copy_csv(path, part, names):
    """Copy the rows of others, cell for cell; the header stays."""
    with open_csv(path) as old, part.open("w", encoding="utf-8", newline="", errors="surrogateescape") as new:
        reader, writer = csv.reader(old), csv.writer(new, lineterminator="\n")
        header = next(reader)
        writer.writerow(header)
        for cells in reader:
            row = dict(zip(header, cells))
            if not names.own(row):
                empty = [header.index(key) for key in names.points(row)]
                writer.writerow("" if at in empty else cell for at, cell in enumerate(cells))


def copy_parquet(path, part, names):
    """Copy the rows of others, one row group at a time; the schema and what it carries stay."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with parquet(path) as old, pq.ParquetWriter(part, old.schema_arrow) as new:
        for number in range(old.num_row_groups):
            group = old.read_row_group(number)
            rows = group.select([name for name in group.column_names if name in READ]).to_pylist()
            group, rows = group.filter(pa.array([not names.own(row) for row in rows])), [row for row in rows if not names.own(row)]
            for name in (name for name in POINTING if name in group.column_names):
                kind = group.schema.field(name)
                values = pa.array(["" if name in names.points(row) else row[name] for row in rows], kind.type)
                group = group.set_column(group.column_names.index(name), kind, values)
            new.write_table(group)


def mentions(folder, names):
    """Files below `folder` whose name or text still contains the source's name: pages, notes, figures. Up to 100, each by its path."""
    forms = {form for name in names.sources for form in (name, json.dumps(name)[1:-1])}
    looked = re.compile("|".join(rf"(?<![\w-]){re.escape(form)}(?![\w-])" for form in sorted(forms)))
    found = []
    dubious = {path for path in tables(folder) if any(map(names.unclear, table_rows(path)))} if names.shared else set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LIST):
        hit = path in dubious or bool(looked.search(plain(path.name)))
        if not hit and path.suffix.lower() in READABLE:
            with path.open(encoding="utf-8", errors="replace") as file:
                hit = any(looked.search(plain(line)) for line in file)
        found += [path.relative_to(folder).as_posix()] * hit
    return found[:100]
