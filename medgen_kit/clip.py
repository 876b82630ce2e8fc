"""The clip: a video file plus its record. The one noun that travels through the course.

On disk a set of clips is a Hugging Face VideoFolder: `metadata.jsonl` beside MP4 files, so that
`datasets.load_dataset("videofolder", data_dir=folder)` reads it without any code of ours.
"""

import csv
import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .errors import KitError
from . import video
from .whole import whole

CATEGORIES = ("clinical practice", "medical teaching", "medical popular science", "medical animation", "medical imaging")
SPLITS = ("train", "val", "test")
MEASURED = ("width", "height", "fps", "duration", "bit_rate")             # what a record may lack, since the file says it
TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")


@dataclass
class Clip:
    """A video file and its record (the fields of a MedVideoCap-55K record, paper section 3, then our own).

    path: the MP4 file. width, height: pixels. fps: frames a second. duration: seconds. bit_rate: bits a second.
    video_category: one of CATEGORIES, "" where nobody said it. aesthetic_score, dover_score: the paper's scores, None when they were not
    computed.
    factors: ground truth where it is known, for example {"modality": "echo", "echo.wall_motion": "reduced"}.
    concepts: tags of `medgen_kit.knowledge`. extra: anything else worth keeping (JSON values only).
    """

    path: Path
    video_name: str
    width: int
    height: int
    fps: float
    duration: float
    bit_rate: int
    video_category: str
    camera_motion_type: str | None = None
    aesthetic_score: float | None = None
    dover_score: float | None = None
    brief_caption: str = ""
    detailed_caption: str = ""
    source: str = ""
    source_id: str = ""
    licence: str = ""
    split: str = "train"
    clip_id: str = ""
    factors: dict = field(default_factory=dict)
    concepts: list = field(default_factory=list)
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        self.path = Path(self.path)
        self.clip_id = self.clip_id or hashlib.sha1(f"{self.source_id}/{self.video_name}".encode()).hexdigest()[:16]
        if self.video_category and self.video_category not in CATEGORIES:
            raise KitError(f"{self.path.name}: video_category '{self.video_category}' is not one of {', '.join(CATEGORIES)}.")
        if self.split not in SPLITS:
            raise KitError(f"{self.path.name}: split '{self.split}' is not one of {', '.join(SPLITS)}.")

    @classmethod
    def of(cls, path, **fields):
        """The clip of a video file: size, fps, duration and bit rate are read from the file."""
        info = video.probe(path)
        return cls(path=path, video_name=fields.pop("video_name", Path(path).name), width=info.width, height=info.height,
                   fps=info.fps, duration=info.duration, bit_rate=info.bit_rate, **fields)

    @property
    def resolution(self):
        return f"{self.width}x{self.height}"

    def frames(self, count=None, size=None):
        """Frames uint8 [T, H, W, 3] of the file; `count` at interval centres, `size` pixels square or (height, width)."""
        return video.read(self.path, count=count, size=size)[0]

    def record(self, folder):
        """One row of metadata.jsonl: the path relative to `folder`, factors and extra as JSON text (one flat schema)."""
        row = {"file_name": PurePosixPath(self.path.resolve().relative_to(Path(folder).resolve())).as_posix(),
               "resolution": self.resolution}
        row |= {k: v for k, v in self.__dict__.items() if k != "path"}
        return row | {"factors": json.dumps(self.factors), "extra": json.dumps(self.extra)}

    @classmethod
    def from_record(cls, folder, row):
        """The inverse of `record`, for records of other origin too: what is missing is read from the file, and a column "text" or
        "caption" is the detailed caption. Unknown columns are kept in `extra`; a path that leaves the folder is refused."""
        row = dict(row)
        path = inside(folder, row.pop("file_name", ""))
        row.pop("resolution", None)
        row.setdefault("video_name", path.name)
        row.setdefault("video_category", "")
        if any(row.get(name) is None for name in MEASURED):
            info = video.probe(path)
            row |= {name: getattr(info, name) for name in MEASURED}
        for name in ("text", "caption"):
            if name in row and not row.get("detailed_caption"):
                row["detailed_caption"] = row.pop(name)
        for key in ("factors", "extra"):
            value = row.get(key) or {}
            row[key] = json.loads(value) if isinstance(value, str) else dict(value)
        known = {k: row.pop(k) for k in list(row) if k in cls.__dataclass_fields__}
        known["extra"] |= row
        concepts = known.get("concepts") or []
        known["concepts"] = json.loads(concepts) if isinstance(concepts, str) else list(concepts)
        return cls(path=path, **known)


def inside(folder, name):
    """`folder / name`, refused (KitError) when the name is empty, absolute, has a ".." or leads out of the folder through a link."""
    folder, own = Path(folder).resolve(), Path(str(name))
    try:
        good = name and not own.is_absolute() and ".." not in own.parts and folder in Path(os.path.realpath(folder / own)).parents
    except ValueError:                                    # letters that no file name can have
        good = False
    if not good:
        raise KitError(f"metadata names '{name}', which is not a file inside {folder}. Paths must be relative, without '..', and stay "
                       "inside.")
    return folder / own


def write_text(path, text):
    """Write a text file whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(path, rows, columns=None):
    """Write dicts as a CSV file, whole or not at all. columns: by default all keys in the order they first appear; lists become JSON."""
    out = io.StringIO()
    table = csv.DictWriter(out, list(columns or dict.fromkeys(key for row in rows for key in row)), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows({k: json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for k, v in row.items()} for row in rows)
    write_text(path, out.getvalue())


def write_folder(folder, clips):
    """Write `metadata.jsonl` for clips whose files already lie inside `folder`. Atomic. Returns the folder."""
    rows = [json.dumps(clip.record(folder), ensure_ascii=False) for clip in clips]
    write_text(Path(folder) / "metadata.jsonl", "\n".join(rows) + "\n")
    return Path(folder)


def read_folder(folder, split=None):
    """The clips of a VideoFolder, ours or anyone's (a table metadata.jsonl, .csv or .parquet with a column "file_name"), optionally of
    one split. KitError when there is none, VideoError for a missing or broken video whose size has to be read from it."""
    table, clips = table_of(folder), []
    for number, row in rows_of(table):
        if not isinstance(row, dict) or not row.get("file_name"):
            raise KitError(f"{table}, line {number}: no file_name, so this is no record of a clip. sources.medvideocap(root=...) reads "
                           "tables with other names of columns.")
        if split is None or row.get("split", "train") == split:
            clips.append(Clip.from_record(folder, row))
    return clips


def table_of(folder):
    """The metadata table of a VideoFolder; KitError when there is none."""
    for name in TABLES:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    wrong = f"holds no {', '.join(TABLES)}" if Path(folder).is_dir() else "is a file" if Path(folder).exists() else "is not there"
    raise KitError(f"{folder} {wrong}, so it is not a set of clips: a folder with {TABLES[0]} beside its videos. Run the stage that makes "
                   "it first, for example: medgen-kit need sources.")


def rows_of(table):
    """Yield (line number, row) of a metadata table; empty cells of a CSV or Parquet file are left out."""
    if table.suffix == ".jsonl":
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    raise KitError(f"{table}, line {number}: not valid JSON ({error}). Make or copy the folder again.") from error
        return
    if table.suffix == ".csv":
        import pandas as pd

        texts = {name: str for name in Clip.__dataclass_fields__ if name not in (*MEASURED, "aesthetic_score", "dover_score")}
        rows = pd.read_csv(table, dtype=texts).to_dict("records")
    else:
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(table).to_pylist()
    for number, row in enumerate(rows, 2 if table.suffix == ".csv" else 1):
        yield number, {name: value for name, value in row.items() if value is not None and value == value}    # NaN is not itself


def validate_folder(folder):
    """What is wrong with a VideoFolder, as sentences: a row without a file, a file without a row, a path that escapes.

    `datasets` drops a file without a row silently, so both directions are looked at.
    """
    folder, problems, named = Path(folder), [], set()
    for _, row in rows_of(table_of(folder)):
        name = row.get("file_name", "")
        try:
            path = inside(folder, name)
        except KitError as error:
            problems.append(str(error))
            continue
        named.add(path.resolve())
        if not path.is_file():
            problems.append(f"row names {name}, but there is no such file")
    for path in sorted(folder.rglob("*.mp4")):
        if path.resolve() not in named:
            problems.append(f"file {path.relative_to(folder).as_posix()} has no row")
    return problems
