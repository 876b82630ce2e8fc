"""A generated stand-in for the metadata of MedVideoCap-55K: as many rows, captions as long, and flaws planted in known numbers.

From the paper: the number of rows, the shares of the categories (figure 5), captions of about 174 words, clips of mostly 6 to 10 s, and the
limits of its filters. Every other number is invented. It shows that a tool copes with the size; it says nothing about the dataset.
"""

import functools
import json
import random
from pathlib import Path

import numpy as np

from .. import knowledge
from ..clip import write_text
from ..errors import KitError
from ..whole import whole

ROWS, WORDS = 55_803, 174
SHARES = {"medical teaching": 55.93, "clinical practice": 26.12, "medical popular science": 9.41, "medical animation": 6.15,
          "medical imaging": 2.39}                                        # percent, paper figure 5 (data_cards/paper/fig5_categories.csv)
TABLE_1 = {"clips": ROWS, "mean seconds": 8, "mean words": WORDS, "resolution": "720x480"}   # paper table 1, row MedVideoCap-55K
SIZES = {(720, 480): 40, (854, 480): 8, (1280, 720): 36, (1920, 1080): 15, (480, 854): 1}
CAMERA = {"static shot": 62, "pan left": 7, "pan right": 7, "tilt up": 3, "tilt down": 3, "zoom in": 8, "zoom out": 4, "complex motion": 6}
SAYINGS = tuple(map(str.strip, """
The {who} points at the {anatomy} and says that {finding} is often missed at this place.
On the {side} of the {thing} a {colour} label reads {name}, beside a drawing of the {anatomy}.
There is no {finding} in the {anatomy}, but the {anatomy} is shown with {finding} in the next part of the same picture.
A {device} is held over the {anatomy} for {number} seconds while the {who} explains the {procedure} step by step.
In the {side} half of the frame, the {who} wears {colour} gloves and turns the {device} slowly, without touching the {anatomy}.
Small {colour} arrows run along the {anatomy} towards the {anatomy}; a caption below them gives {number} per cent.
Neither {finding} nor {finding} is visible at the {side} {anatomy}, which looks smooth and evenly lit.
The {thing} behind them carries the word {name} and a {colour} outline of the {anatomy}, cut off at the {side} edge.
Later the view comes closer to the {anatomy}, where the {specimen} was taken from a {colour} patch about {number} millimetres wide.
According to the {who}, {procedure} takes {number} minutes and is chosen when {finding} has been ruled out.
Light falls from the {side} onto the {device}, so that its {colour} handle throws a soft shadow over the {thing}.
A second {who} in {colour} clothes stands on the {side}, nods twice and hands over the {device} at about {number} seconds.
The {organism} is drawn as a {colour} shape that sits on the {anatomy} and moves a little with the flow.
For a moment the {anatomy} fills the whole frame; its {side} border is sharp, its far part is out of focus.
The list on the {thing} names {finding}, {finding} and {name}, the last of them in {colour} letters.
At the end the {side} {anatomy} is compared with the {anatomy} of a healthy person, and the picture is held still.
""".strip().splitlines()))
ENDINGS = (", with a note on the {anatomy}", ", about {finding}", ", and the {procedure} that follows", ", seen beside the {anatomy}")
WORDS_FOR = {
    "who": ("speaker", "surgeon", "nurse", "lecturer", "presenter", "doctor", "technician", "student", "radiologist", "narrator"),
    "thing": ("screen", "board", "poster", "table", "monitor", "slide", "wall", "banner"),
    "colour": ("blue", "green", "white", "grey", "orange", "yellow", "violet", "dark red", "pale pink", "turquoise", "brown", "black"),
    "side": ("left", "right"), "number": tuple(map(str, range(2, 400)))}
SYLLABLES = "ba cor del fen gor hal im jo kan lu mor nex or pra quin ral sol tev ul vor wen xi yor zel".split()
# kinds of broken rows that `summary` counts -> what is done to a row here
FLAWS = {
    "no name of a video": {"video_name": None}, "name leaves the folder": {"video_name": "../../clip_{row}.mp4"},
    "no caption": {"brief_caption": "", "detailed_caption": None}, "brief caption not the shorter": {"brief_caption": "a clip " * 999},
    "unknown category": {"video_category": "cooking videos"}, "width or height": {"width": 0, "height": 480, "resolution": "0x480"},
    "resolution against width and height": {"resolution": "64x64"}, "duration": {"duration": -8.0}, "fps": {"fps": 0.0},
    "bit rate": {"bit_rate": -1}, "aesthetic score": {"aesthetic_score": 48.8}, "dover score": {"dover_score": 70.5}}


def stand_in(rows=ROWS, seed=0, flaws=True):
    """A pyarrow Table of `rows` generated records with the fields of the paper's record (section 3) and `synthetic` = True in each.

    Columns: video_name, resolution, width, height (pixels), bit_rate (bits a second), aesthetic_score, dover_score, duration (s), fps,
    camera_motion_type, video_category, brief_caption, detailed_caption, synthetic. The same (rows, seed, flaws) gives the same table.
    flaws: plant missing values, broken rows (FLAWS), names used twice and near-copies of captions; how many of each stands as JSON under
    "planted" in `table.schema.metadata`. Tables of fewer than 200 rows stay without. About 0.2 ms of CPU a row.
    """
    import pyarrow as pa

    if rows < 1:
        raise KitError(f"a table needs at least one row, not rows={rows}.")
    rng = np.random.default_rng(seed)
    columns = numbers(rows, rng)
    columns |= texts(columns["video_category"], random.Random(seed), rng)
    planted = plant(columns, rng) if flaws and rows >= 200 else {}
    whole, real = pa.int64(), pa.float64()
    kinds = {"width": whole, "height": whole, "bit_rate": whole, "aesthetic_score": real, "dover_score": real}
    kinds |= {"duration": real, "fps": real}
    order = ("video_name", "resolution", *kinds, "camera_motion_type", "video_category", "brief_caption", "detailed_caption")
    arrays = {name: pa.array(columns[name], kinds.get(name, pa.string())) for name in order}
    table = pa.table(arrays | {"synthetic": pa.array(np.ones(rows, bool))})
    return table.replace_schema_metadata({"synthetic": "true", "planted": json.dumps(planted)})


def numbers(rows, rng):
    """The measured fields, as lists. Only what the paper prints is its own: most clips 6 to 10 s, scores above the filters' limits."""
    sizes = np.array(list(SIZES))[rng.choice(len(SIZES), rows, p=np.array(list(SIZES.values())) / 100)]
    seconds = np.where(rng.random(rows) < 0.88, rng.uniform(6, 10, rows), 6 + rng.gamma(2, 4, rows))
    fps = rng.choice([8.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 60.0], rows, p=[0.5, 0.02, 0.08, 0.05, 0.1, 0.13, 0.1, 0.02])
    bits = sizes.prod(axis=1) * fps * rng.lognormal(np.log(0.12), 0.5, rows)
    aesthetic, dover = 4 + rng.gamma(3, 0.25, rows), 0.3 + 0.65 * rng.beta(3, 2, rows)
    return {"width": sizes[:, 0].tolist(), "height": sizes[:, 1].tolist(), "resolution": [f"{w}x{h}" for w, h in sizes],
            "duration": np.round(seconds, 2).tolist(), "fps": fps.tolist(), "bit_rate": bits.astype(np.int64).tolist(),
            "aesthetic_score": np.round(aesthetic, 3).tolist(), "dover_score": np.round(dover, 3).tolist(),
            "camera_motion_type": rng.choice(list(CAMERA), rows, p=np.array(list(CAMERA.values())) / 100).tolist(),
            "video_category": rng.choice(list(SHARES), rows, p=np.array(list(SHARES.values())) / 100).tolist()}


def texts(categories, draw, rng):
    """Names and captions of rows of these categories: {"video_name", "brief_caption", "detailed_caption"}, lists of str."""
    slots, lengths = Slots(draw), np.clip(rng.normal(WORDS, 28, len(categories)), 110, 300).tolist()
    said = [caption(draw, *draw.choice(simulated()[kind]), length, slots) for kind, length in zip(categories, lengths)]
    return {"video_name": [f"clip_{number:06d}.mp4" for number in range(len(categories))],
            "brief_caption": [brief for brief, _ in said], "detailed_caption": [detailed for _, detailed in said]}


@functools.cache
def simulated():
    """{category: [(brief, detailed)]}: eight descriptions of every combination of factors of the simulators (about 1,350 in all)."""
    from . import category, combinations, describe

    rng, pool = np.random.default_rng(0), {}
    for flat in combinations() * 8:
        pool.setdefault(category(flat["modality"]), []).append(describe(flat, rng))
    return pool


class Slots(dict):
    """What may stand for {anatomy}, {colour}, {name} and so on in a sentence; every look draws a new one."""

    def __init__(self, draw):
        super().__init__()
        self.draw, self.words = draw, {key: list(words) for key, words in WORDS_FOR.items()}
        for concept in knowledge.concepts()[0].values():
            self.words.setdefault(concept.axis, []).append(concept.meaning)

    def __missing__(self, key):
        return "".join(self.draw.choices(SYLLABLES, k=3)).title() if key == "name" else self.draw.choice(self.words[key])


def caption(draw, brief, detailed, words, slots):
    """(brief, detailed): a simulator's captions made longer, to about `words` words, by sentences over concepts and made-up names."""
    sentences, left = [], words - detailed.count(" ") - 1
    for saying in draw.sample(SAYINGS, len(SAYINGS)):
        if left < 10 and len(sentences) >= 3:
            break
        sentences.append(saying.format_map(slots))
        left -= sentences[-1].count(" ") + 1
    return brief.rstrip(".") + draw.choice(ENDINGS).format_map(slots) + ".", " ".join((detailed, *sentences))


def plant(columns, rng):
    """Put flaws into the columns, each in rows of its own; returns how many: {"broken": {kind: n}, "missing": {column: n}, "copies": n}."""
    rows = len(columns["video_name"])
    many, order = max(3, rows // 4000), iter(rng.permutation(rows).tolist())

    def some(count):
        return [next(order) for _ in range(count)]

    for change in FLAWS.values():
        for row in some(many):
            for name, value in change.items():
                columns[name][row] = value.format(row=row) if isinstance(value, str) else value
    for one, other in zip(some(many), some(many)):
        columns["video_name"][other] = columns["video_name"][one]
    for name in ("aesthetic_score", "dover_score", "camera_motion_type"):
        for row in some(4 * many):
            columns[name][row] = None
    for one, other in zip(some(8 * many), some(8 * many)):
        words = columns["detailed_caption"][one].split(" ")
        words[int(rng.integers(len(words)))] = "altogether"
        columns["detailed_caption"][other] = " ".join(words)
    missing = {"video_name": many, "brief_caption": many, "detailed_caption": many}
    missing |= dict.fromkeys(("aesthetic_score", "dover_score", "camera_motion_type"), 4 * many)
    return {"broken": dict.fromkeys((*FLAWS, "name used before"), many), "missing": missing, "copies": 8 * many}


def write(table, root, form="parquet", shards=4):
    """Write a table as a dataset repository would hold it: root/data/train-00000-of-00004.parquet ... and a README.md that says what it is.

    form: "parquet" or "jsonl". Each file is written whole or not at all. Returns the paths of the shards.
    `sources.medvideocap(root=root)` and `open_table(root)` read it; there are no videos in it.
    """
    if form not in ("parquet", "jsonl"):
        raise KitError(f"form '{form}' is not one of parquet, jsonl.")
    shards = max(1, min(shards, len(table)))
    edges = [len(table) * k // shards for k in range(shards + 1)]
    paths = [Path(root) / "data" / f"train-{k:05d}-of-{shards:05d}.{form}" for k in range(shards)]
    for path, start, end in zip(paths, edges, edges[1:]):
        _write_shard(table.slice(start, end - start), path, form)
    write_text(Path(root) / "README.md", f"# Generated stand-in\n\n{len(table)} invented records in the shape of MedVideoCap-55K "
               "(medgen_kit.sources.fullsize). synthetic: true. Not the dataset, and no statement about it.\n")
    return paths


def _write_shard(table, path, form):
    if form == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for batch in table.to_batches(4096) for row in batch.to_pylist())
        return write_text(path, "\n".join(lines) + "\n")
    import pyarrow.parquet

    with whole(path) as part:
        pyarrow.parquet.write_table(table, part, compression="zstd")
