"""Metadata at full size: open a table of 55,803 records by columns, and say in one dict what is in it and what is wrong with it.

    explored = sources.explore_metadata()        all of it in one call, of the Hub or of a stand-in (fullsize_explore.py)
    table = open_table("folder or file")         jsonl, json, csv, tsv or parquet, one file or many, anyone's names of columns
    found = summary(table)                       the figures of notebook 01
    stand_in(rows=55_803) -> write(table, root)  a generated table of that size (fullsize_drawn.py), always labelled as such
"""

import itertools
import json
import re
from array import array
from collections import Counter
from pathlib import Path

import numpy as np

from .. import knowledge
from ..clip import CATEGORIES
from ..errors import KitError
from . import hub
from .fullsize_alike import SHINGLE, near_duplicates
from .fullsize_drawn import SHARES, stand_in, write
from .repository import TABLES, Repository, safe

__all__ = ["broken", "coverage", "near_duplicates", "open_table", "spread", "stand_in", "summary", "tagged", "write"]

BATCH = 4096
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
LIMITS = {"duration": (0.01, 86_400), "fps": (0.01, 1000), "bit_rate": (1, 1e10), "aesthetic_score": (0, 10), "dover_score": (-10, 10)}
LABEL = {"synthetic": "synthetic"}    # a column beside those of COLUMNS: our name, theirs
MAX_SIDE = 16_384                      # pixels; no decoder takes more


class OneFile(Repository):
    """A repository of one table, without a look at what else lies in its folder."""

    def __init__(self, path):
        self.path = Path(path)
        super().__init__(root=self.path.parent)

    def _list(self):
        return [self.path.name]

    def __str__(self):
        return str(self.path)


def open_table(path, problems=None):
    """A pyarrow Table of the records under `path`: the columns of `sources.COLUMNS` and `synthetic`, null where a record has nothing.

    path: a table (jsonl, json, csv, tsv, parquet), a folder laid out like a dataset repository, a list of tables, or a `Repository`.
    Numbers are float64, texts are trimmed, width and height are taken from the resolution where they are missing. Videos that lie inside a
    table are not read.
    Every row stays, those without a name or caption too: `summary` counts them. What cannot be read becomes a sentence in `problems`; the
    first ones stand in the table's metadata as well.
    KitError when there is no such file, or no table with columns for a video and its caption.
    """
    import pyarrow as pa

    heard, parts = [], []
    for repository in _repositories(path):
        for table, named in hub._tables(repository, heard).items():
            read = _by_column if table.lower().endswith(".parquet") else _by_row
            parts += read(repository, table, named, heard)
    if not parts:
        raise KitError(f"{path} holds no row that could be read. {' '.join(heard[:3])}")
    heard = list(dict.fromkeys(heard))
    if problems is not None:
        problems += heard
    return _sides(pa.Table.from_batches(parts)).replace_schema_metadata({"problems": json.dumps(heard[:100]), "unread": str(len(heard))})


def _repositories(path):
    if isinstance(path, Repository):
        return [path]
    paths = [Path(one) for one in path] if isinstance(path, list | tuple) else [Path(path)]
    for one in paths:
        if one.is_file() and one.suffix.lower() not in TABLES:
            raise KitError(f"{one} is no table. Tables end in {', '.join(TABLES)}.")
        if not one.exists():
            raise KitError(f"there is no file or folder {one}. Give a table ({', '.join(TABLES)}) or a folder that holds some.")
    return [OneFile(one) if one.is_file() else Repository(root=one) for one in paths]


def _by_row(repository, table, named, problems):
    """Record batches of a table that is read row by row."""
    rows = repository.rows(table, problems)
    while some := [row for _, row in itertools.islice(rows, BATCH)]:
        yield _batch({ours: [row.get(theirs) for row in some] for ours, theirs in (named | LABEL).items()}, len(some), table)


def _by_column(repository, table, named, problems):
    """Record batches of a parquet table, of which only the columns that are wanted are read."""
    import pyarrow
    import pyarrow.parquet

    try:
        with repository.open(table) as stream:
            file = pyarrow.parquet.ParquetFile(stream)
            wanted = {ours: theirs for ours, theirs in (named | LABEL).items() if theirs in file.schema_arrow.names}
            for batch in file.iter_batches(BATCH, columns=list(dict.fromkeys(wanted.values()))):
                yield _batch({ours: batch[theirs] for ours, theirs in wanted.items()}, len(batch), table)
    except (pyarrow.ArrowException, OSError) as error:
        problems.append(f"{table}: not a whole parquet file ({str(error)[:80]}); what follows is left out.")


def _batch(columns, rows, table):
    """One record batch with all our columns from some of them, {our name: list or arrow array}."""
    import pyarrow as pa

    names = (*hub.COLUMNS, "synthetic")
    return pa.record_batch([_column(columns.get(name, [None] * rows), name, table) for name in names], list(names))


def _column(values, name, table):
    """A column as it came, as float64 (numbers), bool (synthetic) or trimmed text, null for nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(values, pa.Array):
        if name in hub.NUMBERS and (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            return values.cast(pa.float64(), safe=False)
        if name.endswith("_caption") and pa.types.is_string(values.type):
            text = pc.utf8_trim_whitespace(values)
            return pc.if_else(pc.equal(text, ""), None, text)
        values = values.to_pylist()
    if name in hub.NUMBERS:
        return pa.array(map(hub._number, values), pa.float64(), size=len(values), from_pandas=True)
    if name == "synthetic":
        return pa.array([None if value is None else str(value).lower() == "true" for value in values], pa.bool_())
    texts = [hub._split(value, table) if name == "split" else hub._text(value) or None for value in values]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:                                          # half a surrogate pair, as a cut "\\ud83d\\ude00" leaves it
        return pa.array([text and text.encode("utf-8", "replace").decode() for text in texts], pa.string())


def _sides(table):
    """The table with width and height filled from the resolution ("720x480") where they are missing."""
    import pyarrow as pa

    said = [re.findall(r"\d+", text or "")[:2] for text in _values(table, "resolution")]
    for place, name in enumerate(("width", "height")):
        filled = [float(sides[place]) if np.isnan(value) and len(sides) == 2 else value
                  for value, sides in zip(_numbers(table, name), said)]
        table = table.set_column(table.column_names.index(name), name, pa.array(filled, pa.float64(), from_pandas=True))
    return table


def _values(table, name):
    """A column as a list, None for each row when there is no such column. table: pyarrow, or a dict of such lists."""
    if isinstance(table, dict):
        return table[name]
    return table[name].to_pylist() if name in table.column_names else [None] * len(table)


def _numbers(table, name):
    """A column of numbers as float64 [N], NaN where missing."""
    return np.array([np.nan if value is None else value for value in _values(table, name)], float)


def spread(values, bins=20):
    """Count, missing (NaN), mean, std, min, max, quantiles and histogram of numbers, as a dict of plain numbers.

    The histogram has `bins` equal bins between the 0.5 % and the 99.5 % quantile; "below" and "above" count what lies outside, so that one
    wild value does not make a single bar of all others. Infinite values count as above or below and in nothing else.
    """
    values = np.asarray(values, float)
    known = values[np.isfinite(values)]
    found = {"count": int((~np.isnan(values)).sum()), "missing": int(np.isnan(values).sum())}
    if not len(known):
        return found | dict.fromkeys(("mean", "std", "min", "max")) | {"quantiles": {}, "histogram": None}
    low, high = np.quantile(known, (0.005, 0.995))
    counts, edges = np.histogram(known[(known >= low) & (known <= high)], bins, (low, high if high > low else low + 1))
    return found | {
        "mean": float(known.mean()), "std": float(known.std()), "min": float(known.min()), "max": float(known.max()),
        "quantiles": {f"{100 * q:g}%": float(value) for q, value in zip(QUANTILES, np.quantile(known, QUANTILES))},
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist(), "below": int((values < low).sum()),
                      "above": int((values > high).sum())}}


def tagged(captions):
    """{concept tag: numbers of the captions that name it as present, int32 ascending}, by `knowledge.tags`, sides left out.

    captions: any iterable of str, None for a caption that is missing; numbers go by their place in it. About 0.1 ms of CPU a caption.
    """
    known, rows, captions = knowledge.concepts()[0], {}, list(captions)
    for k in range(0, len(captions), BATCH):
        for number, found in enumerate(knowledge.tag_many(captions[k:k + BATCH]), k):
            for tag in found:
                if tag in known:
                    rows.setdefault(tag, array("i")).append(number)
    return {tag: np.frombuffer(numbers, np.int32) for tag, numbers in rows.items()}


def coverage(captions, top=20, named=None):
    """Which medical concepts captions name as present (`knowledge.tags`, sides left out): counts are captions, shares are of captions.

    captions: any iterable of str, None for a caption that is missing. named: their `tagged`, where it is known already. {"captions", "any":
    share with a concept, "axes": {axis: share with one of that axis}, "distinct", "top": [(tag, captions)], "top_by_axis": {axis: [(tag,
    captions)] of five}}.
    """
    captions = list(captions)
    named, count = tagged(captions) if named is None else named, sum(bool(text) for text in captions)
    tags = Counter({tag: len(rows) for tag, rows in named.items()}).most_common()

    def share(prefix):
        rows = [rows for tag, rows in named.items() if tag.startswith(prefix)]
        return len(np.unique(np.concatenate(rows))) / max(1, count) if rows else 0.0

    by_axis = {axis: [item for item in tags if item[0].startswith(f"{axis}/")][:5] for axis in knowledge.AXES}
    return {"captions": count, "any": share(""), "axes": {axis: share(f"{axis}/") for axis in knowledge.AXES}, "distinct": len(tags),
            "top": tags[:top], "top_by_axis": by_axis}


def broken(table):
    """Which rows break the contract of a record: {kind: bool [N]}. What is merely missing breaks nothing, but for a name and a caption."""
    names, brief, detailed = (_values(table, name) for name in ("video_name", "brief_caption", "detailed_caption"))
    width, height, seen = _numbers(table, "width"), _numbers(table, "height"), set()
    said = [re.findall(r"\d+", text or "") for text in _values(table, "resolution")]
    known = {text: text in CATEGORIES or hub.category(text) in CATEGORIES for text in set(_values(table, "video_category")) if text}
    kinds = {
        "no name of a video": [not name for name in names],
        "name leaves the folder": [bool(name) and not safe(name) for name in names],
        "name used before": [bool(name) and (name in seen or seen.add(name) is not None) for name in names],
        "no caption": [not one and not other for one, other in zip(brief, detailed)],
        "brief caption not the shorter": [bool(one and other) and len(one) >= len(other) for one, other in zip(brief, detailed)],
        "unknown category": [not known.get(text, True) for text in _values(table, "video_category")],
        "width or height": np.any([(side <= 0) | (side > MAX_SIDE) | (side > np.floor(side)) for side in (width, height)], axis=0),
        "resolution against width and height": [len(two) == 2 and w == w and h == h and [float(two[0]), float(two[1])] != [w, h]
                                                for two, w, h in zip(said, width, height)]}
    for name, (low, high) in LIMITS.items():
        values = _numbers(table, name)
        kinds[name.replace("_", " ")] = ~(np.isnan(values) | ((values >= low) & (values <= high)))
    return {kind: np.asarray(rows, bool) for kind, rows in kinds.items()}


def summary(table, near=0.8, kept=None):
    """What is in a table of records and what is wrong with it: one dict of plain numbers and texts, ready for figures or `json.dumps`.

    table: of `open_table`, `stand_in`, or any pyarrow Table with these names of columns; a column that is not there counts as missing.
    Keys: rows, generated (rows labelled synthetic), unread (lines that could not be read), numbers and words ({field: spread}),
    resolutions [(text, rows)], categories {name: {rows, percent, paper}}, camera_motion [(text, rows)], concepts (coverage of the detailed
    caption, else the brief one), near_duplicates (limit `near`, see fullsize_alike.py), missing {field: rows}, broken {kind: {rows, first}}
    and broken_rows. kept: a dict that gets what the counts were made of, `tagged` and `groups` (of near_duplicates). For 55,803 rows about
    12 s of CPU, half of it for concepts (twice that on a busy machine), and 0.6 GiB.
    """
    if not hasattr(table, "column_names") or not len(table):
        raise KitError("summary takes a pyarrow Table with at least one row, as open_table(path) or stand_in(rows) gives it.")
    rows, metadata = len(table), table.schema.metadata or {}
    table = {name: _values(table, name) for name in (*hub.COLUMNS, *LABEL)}                    # each column is taken out of Arrow once
    texts, faults = [one or other for one, other in zip(table["detailed_caption"], table["brief_caption"])], broken(table)
    flat = [name for name in hub.COLUMNS if name not in ("split", "source_id")]
    kept = {} if kept is None else kept
    kept["tagged"], (kept["groups"], pairs) = tagged(texts), near_duplicates(texts, near)
    return {
        "rows": rows, "generated": sum(value is True for value in table["synthetic"]), "unread": int(metadata.get(b"unread", 0)),
        "numbers": {name: spread(_numbers(table, name)) for name in hub.NUMBERS},
        "words": {name: spread([len(text.split()) if text else np.nan for text in table[name]]) for name in hub.CAPTIONS},
        "resolutions": Counter(text for text in table["resolution"] if text).most_common(12),
        "categories": _balance(table["video_category"]),
        "camera_motion": Counter(text for text in table["camera_motion_type"] if text).most_common(),
        "concepts": coverage(texts, named=kept["tagged"]), "near_duplicates": _repeats(kept["groups"], pairs, near),
        "missing": {name: sum(value is None or value == "" or value != value for value in table[name]) for name in flat},
        "broken": {kind: {"rows": int(rows.sum()), "first": np.flatnonzero(rows)[:5].tolist()} for kind, rows in faults.items()},
        "broken_rows": int(np.any(list(faults.values()), axis=0).sum())}


def _balance(categories):
    """{category: rows, percent of all rows, percent of the paper's figure 5}; what is none of the five stands under its own name."""
    counts = Counter(hub.category(text) if text else "" for text in categories)
    return {name: {"rows": counts[name], "percent": 100 * counts[name] / len(categories), "paper": SHARES.get(name)}
            for name in (*CATEGORIES, *sorted(set(counts) - set(CATEGORIES)))}


def _repeats(groups, pairs, limit):
    first, sizes = np.unique(groups, return_counts=True)
    return {"definition": f"sets of runs of {SHINGLE} words overlap (Jaccard) by at least {limit:g}", "limit": limit,
            "repeats": int(len(groups) - len(first)), "groups": int((sizes > 1).sum()), "largest": int(sizes.max()),
            "pairs": len(pairs), "examples": sorted(pairs, key=lambda pair: -pair[2])[:5]}
