"""The files of a dataset repository, on the Hugging Face Hub or in a local folder: list them, read rows, fetch one video.

Rows are streamed without touching a video; a video inside a zip archive is read by itself (range reads on the Hub).
"""

import csv
import io
import json
import os
import re
import shutil
import warnings
import zipfile
from pathlib import Path, PurePosixPath

from .. import video
from ..clip import inside
from ..errors import DiskError, KitError, VideoError, disk_advice, is_disk_full

TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
PIECE = re.compile(r"^(?P<zip>.+\.zip)\.(part[-_]?)?(?P<number>\d{1,3}|[a-z]{2})$", re.IGNORECASE)
CLIENTS = r"(httpx|httpcore)\d*|requests|urllib3|aiohttp|huggingface_hub"          # packages whose errors speak of the network
MAX_BYTES = 4 * 2**30                 # a video larger than this is refused


class Repository:
    """`Repository(root="folder")` or `Repository(repo="owner/name")`: .tables, .rows(table), .fetch(name, folder)."""

    def __init__(self, repo="", root=None, token=None, patience=20):
        self.repo, self.root, self.token = repo, None if root is None else Path(root), token
        self.patience = patience                                 # seconds that the Hub has for its first answer
        self._system = self._index = None
        self.names = self._list()
        self.tables = [n for n in self.names if PurePosixPath(n).suffix.lower() in TABLES and not PurePosixPath(n).name.startswith(".")]

    def __str__(self):
        return str(self.root) if self.root else f"huggingface.co/datasets/{self.repo}"

    def _list(self):
        if self.root is not None:
            if not self.root.is_dir():
                raise KitError(f"{self.root} is not a folder. Give the folder that holds the dataset's files, laid out as on the Hub.")
            return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        from huggingface_hub import HfApi

        with plain_network_errors(self):
            api = HfApi(token=self.token)
            api.dataset_info(self.repo, timeout=self.patience)       # asks once: without a network, listing would try for half a minute
            return sorted(api.list_repo_files(self.repo, repo_type="dataset"))

    def open(self, name):
        """A file of the repository as a seekable binary stream; on the Hub only the parts that are read are fetched."""
        if self.root is not None:
            return inside(self.root, name).open("rb")
        if self._system is None:
            from huggingface_hub import HfFileSystem

            self._system = HfFileSystem(token=self.token)
        with plain_network_errors(self):
            return self._system.open(f"datasets/{self.repo}/{name}", "rb", block_size=2**20)

    def rows(self, table, problems):
        """Yield (line or row number, dict) of one table. What cannot be read becomes a sentence in `problems`."""
        kinds = {".jsonl": _json_lines, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
        read = kinds[PurePosixPath(table).suffix.lower()]
        with plain_network_errors(self), self.open(table) as stream:
            yield from read(stream, table, problems)

    def fetch(self, name, folder):
        """Copy the one video `name` (path, file name or stem) into `folder` whole or not at all, checked. Returns its path."""
        place = self.find(name)
        alone = len(self._index[PurePosixPath(place[-1]).name.lower()]) == 1
        target = inside(folder, PurePosixPath(place[-1]).name if alone else "__".join(PurePosixPath(place[-1]).parts))
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
        try:
            with plain_network_errors(self), self._stream(place) as source, part.open("wb") as out:
                shutil.copyfileobj(source, out, 2**20)
            video.probe(part)
            os.replace(part, target)
        except VideoError as error:
            raise VideoError(place[-1], error.reason, f"the file in {self} is not a usable video. Leave it out.") from error
        except OSError as error:
            if not is_disk_full(error):
                raise KitError(f"{place[-1]} could not be copied from {self} to {folder} ({error.strerror or error}). "
                               f"{disk_advice(error)}") from error
            raise DiskError(f"{target} could not be written: the disk is full. Free some space or choose another folder, then run the "
                            "same cell again; what was fetched before stays.") from error
        except (zipfile.BadZipFile, EOFError) as error:
            raise KitError(f"{place[0]} in {self} is a broken archive at {place[-1]} ({error}). Fetch the archive again.") from error
        finally:
            part.unlink(missing_ok=True)
        return target

    def _stream(self, place):
        """The bytes of a place found by `find`: (loose file,) or (archive, member)."""
        if len(place) == 1:
            return self.open(place[0])
        archive = zipfile.ZipFile(self._archive(place[0]))
        if archive.getinfo(place[1]).file_size > MAX_BYTES:
            raise KitError(f"{place[1]} in {place[0]} unpacks to more than {MAX_BYTES // 2**30} GiB, which no clip of this dataset does.")
        return archive.open(place[1])

    def _archive(self, name):
        pieces = sorted(n for n in self.names if (m := PIECE.match(n)) and m["zip"] == name)
        return self.open(name) if name in self.names else Joined([self.open(piece) for piece in pieces])

    def find(self, name):
        """Where a video lies: (loose file,) or (archive, member). KitError when it is missing, ambiguous or would climb out."""
        if self._index is None:
            self._index = self._look()
        wanted = PurePosixPath(str(name).replace("\\", "/"))
        for key in (wanted.as_posix(), wanted.name, wanted.stem):
            places = self._index.get(key.lower(), [])
            if places and places[0] is None:
                raise KitError(f"the archive member for '{name}' in {self} has a path that climbs out of its folder. It is refused.")
            if len(places) == 1:
                return places[0]
            if places:
                where = ", ".join("/".join(p) for p in places[:3])
                raise KitError(f"'{name}' could be {len(places)} videos of {self}: {where}. The table must name the folder too.")
        raise KitError(f"{self} holds no video '{name}' ({len(self.names)} files looked at, archives included).")

    def _look(self):
        """Index of every video by path, file name and stem (lower case) -> list of places; None marks a refused archive member."""
        index = {}

        def add(path, place):
            for key in {path, PurePosixPath(path).name, PurePosixPath(path).stem}:
                index.setdefault(key.lower(), []).append(place)

        for name in self.names:
            if PurePosixPath(name).suffix.lower() in VIDEOS:
                add(name, (name,))
        archives = {n for n in self.names if n.lower().endswith(".zip")} | {m["zip"] for n in self.names if (m := PIECE.match(n))}
        for name in sorted(archives):
            try:
                with plain_network_errors(self):
                    members = zipfile.ZipFile(self._archive(name)).namelist()
            except zipfile.BadZipFile as error:
                warnings.warn(f"{name} in {self} is a broken archive and is left out ({error}).", stacklevel=2)
                continue
            for member in members:
                if PurePosixPath(member).suffix.lower() in VIDEOS:
                    add(member, (name, member) if safe(member) else None)
        return index


def safe(member):
    """False for the name of an archive member that is absolute or climbs out of the folder it is unpacked in."""
    path = PurePosixPath(member.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and not re.match(r"^[A-Za-z]:", member)


class plain_network_errors:
    """Turns the many errors of a missing network, repository or right of access into one sentence."""

    def __init__(self, repository):
        self.where = repository

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None or self.where.root is not None or issubclass(kind, KitError) or is_disk_full(error):
            return False
        from huggingface_hub import errors

        if issubclass(kind, errors.GatedRepoError):
            raise KitError(f"{self.where} asks you to accept its terms first: open the page, log in, accept, then pass token=.") from error
        if issubclass(kind, errors.RepositoryNotFoundError | errors.EntryNotFoundError):
            raise KitError(f"{self.where} is not there, or needs a login (token=). Check the name.") from error
        network = re.fullmatch(CLIENTS, kind.__module__.split(".")[0])
        if network or issubclass(kind, OSError | RuntimeError):
            raise KitError(f"{self.where} could not be reached ({kind.__name__}): is there a network? With a copy of the dataset in a "
                           "folder, give sources.medvideocap(root=folder). The lessons need neither: data.source 'samples', which all "
                           "profiles have, works offline.") from error
        return False


class Joined(io.RawIOBase):
    """An archive cut into pieces, read as one stream."""

    def __init__(self, pieces):
        self.pieces, self.place = pieces, 0
        self.ends = [sum(piece.seek(0, 2) for piece in pieces[:k + 1]) for k in range(len(pieces))]

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.place

    def seek(self, offset, whence=0):
        self.place = offset + (0, self.place, self.ends[-1])[whence]
        return self.place

    def readinto(self, buffer):
        for piece, end, start in zip(self.pieces, self.ends, [0, *self.ends]):
            if start <= self.place < end:
                piece.seek(self.place - start)
                data = piece.read(min(len(buffer), end - self.place))
                buffer[:len(data)] = data
                self.place += len(data)
                return len(data)
        return 0


def _json_lines(stream, table, problems):
    for number, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8", errors="replace"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(f"{table}, line {number}: not valid JSON ({error}); the row is left out.")
            continue
        yield from _row(number, row, table, problems)


def _json(stream, table, problems):
    try:
        whole = json.loads(stream.read().decode("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        problems.append(f"{table}: not valid JSON ({str(error)[:80]}); the whole table is left out.")
        return
    if isinstance(whole, dict):
        lists = [v for v in whole.values() if isinstance(v, list)]
        nested = [v for v in whole.values() if isinstance(v, dict)]
        named = [{"video_name": key} | value for key, value in whole.items() if isinstance(value, dict)]
        whole = max(lists, key=len) if lists else named if nested else [whole]
    for number, row in enumerate(whole, 1):
        yield from _row(number, row, table, problems)


def _csv(stream, table, problems):
    csv.field_size_limit(2**24)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.DictReader(text, delimiter="\t" if table.lower().endswith(".tsv") else ",", restkey="_more")
    for row in reader:
        if "_more" in row or None in row.values():
            problems.append(f"{table}, line {reader.line_num}: the number of fields is not that of the header; the row is left out.")
            continue
        yield reader.line_num, row


def _parquet(stream, table, problems):
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(stream)
        columns = [f.name for f in file.schema_arrow if not _holds_bytes(f.type)]
        number = 0
        for batch in file.iter_batches(batch_size=256, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield from _row(number, row, table, problems)
    except pyarrow.ArrowException as error:
        problems.append(f"{table}: not a whole parquet file ({str(error)[:80]}); what follows is left out.")


def _holds_bytes(kind):
    """True for columns that carry files (bytes, or structs with bytes): they are not read when rows are streamed."""
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return any(_holds_bytes(f.type) for f in kind)
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _row(number, row, table, problems):
    if isinstance(row, dict):
        yield number, row
    else:
        problems.append(f"{table}, row {number}: a row must be a set of named values, not {type(row).__name__}; it is left out.")
