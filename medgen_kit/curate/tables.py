"""The tables of a curation: one row a candidate clip with fixed columns and types, so that every reader and every engine sees the same."""

import json
import re
import uuid
from collections import Counter
from pathlib import Path

import numpy as np

INTEGERS = ("first", "last", "steps", "side")
NUMBERS = ("start_s", "end_s", "medical", "s_min", "border", "border_top", "border_bottom", "border_left", "border_right", "words", "boxes",
           "text_area", "aesthetic", "technical", "q_sharpness", "q_noise", "q_blockiness", "q_light", "q_contrast", "q_colour",
           "q_technical", "motion_score", "change", "duplicate_bits", "fps")
TEXTS = ("clip_id", "file_name", "upload", "video_category", "camera", "hash", "lines", "removed_by", "duplicate_of")
NAMESPACE = uuid.UUID("b7a5f0a6-5d0e-4c38-9a55-2f6f0d1b7c11")


def clips_table(notes):
    """DataFrame of all candidate clips of the notes (see `look.look_at`), in order of upload and time.

    clip_id depends on the upload's content and the clip's place in it, so the same clip gets the same
    name in every run.
    """
    import pandas as pd

    rows = []
    for note in sorted(notes, key=lambda note: note["file"]):
        for row in note["rows"]:
            start, end = (round(1000 * row[key]) for key in ("start_s", "end_s"))
            code = str(uuid.uuid5(NAMESPACE, f"{note['sha256']}/{start}/{end}"))
            rows.append(row | {"clip_id": code, "file_name": f"{clip_stem(note['file'])}_{row['first']:06d}.mp4", "fps": note["fps"]})
    table = pd.DataFrame(rows, columns=[*TEXTS[:3], *INTEGERS, *NUMBERS, *TEXTS[3:]])
    table["file_name"] = unique(table["file_name"].tolist(), table["clip_id"].tolist())
    for name in INTEGERS:
        table[name] = table[name].astype("int64")
    for name in NUMBERS:
        table[name] = table[name].astype("float64")
    for name in TEXTS:
        table[name] = table[name].map(lambda value: value if isinstance(value, str) else "" if missing(value) else plain(value))
    return table


def filled(note):
    """A note read from a table: texts are texts and what is missing is None, whatever the other rows of its table were."""
    texts = ("file", "reason", "message", "sha256", "codec", "container", "other_tracks")
    return {k: "" if k in texts and missing(v) else None if not isinstance(v, list) and missing(v) else v for k, v in
            (dict.fromkeys(("sha256", "fps", "frames", "seconds", "width", "height", "codec", "synthetic")) | note).items()}


def missing(value):
    """True for None and NaN."""
    return value is None or isinstance(value, float) and np.isnan(value)


def plain(value):
    """A list as JSON text."""
    return json.dumps(list(value), ensure_ascii=False)


def clip_stem(name):
    """The name of an upload in the names of its clips: letters, digits and dashes, at most 60; folders are kept apart by two
    underscores."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", "__".join(Path(name).with_suffix("").parts)).strip("-")[:60] or "clip"


def unique(names, codes):
    """Names of which two are equal get the first digits of their clip's code."""
    counts = Counter(names)
    return [f"{name.removesuffix('.mp4')}_{code[:8]}.mp4" if counts[name] > 1 else name for name, code in zip(names, codes)]
