"""Full-size metadata: the stand-in is labelled and as planted, every format is read alike, the summary counts what is really there."""

import csv
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from medgen_kit import CATEGORIES, knowledge
from medgen_kit.errors import DiskError, KitError
from medgen_kit.sources import fullsize, fullsize_alike, fullsize_drawn, hub, medvideocap

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1200


@pytest.fixture(scope="module")
def table():
    return fullsize.stand_in(ROWS, seed=1)


@pytest.fixture(scope="module")
def planted(table):
    return json.loads(table.schema.metadata[b"planted"])


@pytest.fixture(scope="module")
def found(table):
    return fullsize.summary(table)


def test_a_stand_in_says_so_and_is_the_same_for_the_same_seed(table):
    assert table["synthetic"].to_pylist() == [True] * ROWS and table.schema.metadata[b"synthetic"] == b"true"
    some = [fullsize.stand_in(300, seed) for seed in (4, 4, 5)]
    assert some[0].equals(some[1]) and not some[0].equals(some[2])
    assert fullsize.stand_in(3).num_rows == 3 and json.loads(fullsize.stand_in(3).schema.metadata[b"planted"]) == {}
    with pytest.raises(KitError, match="rows=0"):
        fullsize.stand_in(0)


def test_the_shares_are_those_of_figure_5():
    with (ROOT / "data_cards" / "paper" / "fig5_categories.csv").open() as lines:
        printed = {row["category"]: float(row["percent"]) for row in csv.DictReader(lines)}
    assert fullsize_drawn.SHARES == printed


def test_the_stand_in_has_the_shape_of_the_paper(found):
    for name, row in found["categories"].items():
        if name in CATEGORIES:
            assert row["paper"] == fullsize_drawn.SHARES[name]
            assert abs(row["percent"] - row["paper"]) < 4 * 100 * np.sqrt(row["paper"] / 100 / ROWS) + 1, name
    assert 165 < found["words"]["detailed_caption"]["mean"] < 185 and found["words"]["brief_caption"]["mean"] < 35
    seconds = found["numbers"]["duration"]["quantiles"]
    assert 6 <= seconds["5%"] and seconds["75%"] <= 10
    assert found["concepts"]["any"] == 1 and found["concepts"]["distinct"] > 1400


def test_the_summary_finds_what_was_planted_and_nothing_else(table, planted, found):
    assert found["rows"] == found["generated"] == ROWS
    assert {kind: row["rows"] for kind, row in found["broken"].items()} == planted["broken"]
    assert {name: count for name, count in found["missing"].items() if count} == planted["missing"]
    assert found["near_duplicates"]["repeats"] == found["near_duplicates"]["groups"] == planted["copies"] > 0
    assert found["broken_rows"] == sum(planted["broken"].values())
    assert found["categories"]["cooking videos"]["rows"] == planted["broken"]["unknown category"]
    clean = fullsize.summary(fullsize.stand_in(300, flaws=False))
    assert clean["broken_rows"] == clean["near_duplicates"]["pairs"] == sum(clean["missing"].values()) == 0
    for i, j, overlap in found["near_duplicates"]["examples"]:
        one, other = (table["detailed_caption"][row].as_py().split() for row in (i, j))
        assert i < j and 0.8 <= overlap < 1 and sum(a != b for a, b in zip(one, other)) == 1


def test_a_summary_is_plain_json_with_whole_histograms(found):
    assert json.loads(json.dumps(found))["rows"] == ROWS
    for row in found["numbers"].values():
        bars = row["histogram"]
        assert sum(bars["counts"]) + bars["below"] + bars["above"] == row["count"] == ROWS - row["missing"]
        assert len(bars["edges"]) == len(bars["counts"]) + 1


def test_every_format_is_read_alike(table, tmp_path):
    plain = fullsize.open_table(fullsize.write(table, tmp_path / "p", shards=3)[0].parent)
    assert plain.num_rows == ROWS and plain["synthetic"].to_pylist() == [True] * ROWS and plain.schema.metadata[b"unread"] == b"0"
    assert plain["detailed_caption"].to_pylist() == table["detailed_caption"].to_pylist()
    assert plain["duration"].to_pylist() == table["duration"].to_pylist()
    fullsize.write(table, tmp_path / "l", "jsonl", shards=2)
    (tmp_path / "one.json").write_text(json.dumps({"data": table.to_pylist()}))
    pyarrow.csv.write_csv(table, tmp_path / "one.csv")
    for path in (tmp_path / "l", tmp_path / "one.json", tmp_path / "one.csv", sorted((tmp_path / "p" / "data").iterdir())):
        assert fullsize.open_table(path).equals(plain), path


def test_medvideocap_reads_the_written_stand_in(table, planted, tmp_path):
    paths = fullsize.write(table, tmp_path, "parquet", shards=4)
    assert [path.name for path in paths][0] == "train-00000-of-00004.parquet" and "stand-in" in (tmp_path / "README.md").read_text()
    problems = []
    rows = medvideocap(root=tmp_path, streaming=False, problems=problems)
    lost = planted["broken"]["no name of a video"] + planted["broken"]["no caption"]
    assert len(problems) == lost and len(rows) == ROWS - lost - planted["broken"]["name used before"]
    assert all(row["extra"] == {"synthetic": True} for row in rows)


def test_foreign_names_units_and_torn_lines(tmp_path):
    lines = [{"Clip ID": "a", "Caption-Long": " A polyp \u2764 ", "Length": "8.5 s", "size": "720x480", "DOVER": "0.7",
              "synthetic": "True"},
             {"Clip ID": "b", "Caption-Long": "half a pair \ud83d", "Length": 9, "Category": "Medical Teaching videos", "subset": "dev"},
             {"Clip ID": 7, "Caption-Long": None, "Length": float("nan"), "size": "480p"}]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "train.jsonl").write_text(text[:60] + "\n\n[1]\n" + text + "\n" + text[:-9])
    problems = []
    table = fullsize.open_table(tmp_path / "train.jsonl", problems)
    assert table["video_name"].to_pylist() == ["a", "b", "7", "a", "b"] and table["duration"].to_pylist() == [8.5, 9, None, 8.5, 9]
    assert table["detailed_caption"].to_pylist()[:3] == ["A polyp \u2764", "half a pair ?", None]
    assert table["width"].to_pylist()[:3] == [720, None, None] and table["split"].to_pylist()[:2] == ["train", "val"]
    assert table["synthetic"].to_pylist()[:2] == [True, None] and table["dover_score"].to_pylist()[:2] == [0.7, None]
    assert len(problems) == 3 and all("line" in p or "row" in p for p in problems)
    found = fullsize.summary(table)
    assert found["unread"] == 3 and found["generated"] == 2 and found["categories"]["medical teaching"]["rows"] == 2
    assert {kind: row["rows"] for kind, row in found["broken"].items() if row["rows"]} == {"name used before": 2, "no caption": 1}
    assert found["broken"]["no caption"]["first"] == [2] and found["missing"]["fps"] == 5


def test_a_parquet_table_that_holds_files_and_one_that_is_cut_off(tmp_path):
    rows = [{"Clip.ID": f"v{n}", "Caption.Short": "brief", "video_bytes": b"\0" * 999, "width": f"{n}", "height": 480} for n in range(5)]
    path = tmp_path / "data.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    table = fullsize.open_table(tmp_path)
    assert table["video_name"].to_pylist() == [f"v{n}" for n in range(5)] and table["width"].to_pylist() == [0, 1, 2, 3, 4]
    assert fullsize.summary(table)["broken"]["width or height"] == {"rows": 1, "first": [0]}
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(KitError, match="no table of"):
        fullsize.open_table(tmp_path)


def test_what_is_no_table_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.jsonl").write_text("")
    for path, words in ((tmp_path / "nowhere", "no file or folder"), (tmp_path / "notes.txt", "no table. Tables end in"),
                        (tmp_path / "empty.jsonl", "no table of .*empty.jsonl"), (tmp_path, "no table of")):
        with pytest.raises(KitError, match=words):
            fullsize.open_table(path)
    for table in (pyarrow.table({"video_name": pyarrow.array([], pyarrow.string())}), [{"video_name": "a"}]):
        with pytest.raises(KitError, match="at least one row"):
            fullsize.summary(table)
    with pytest.raises(KitError, match="form 'xlsx'"):
        fullsize.write(fullsize.stand_in(2), tmp_path, "xlsx")


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(table, path, **more):
        Path(path).write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet, "write_table", full)
    with pytest.raises(DiskError, match="No space left"):
        fullsize.write(fullsize.stand_in(2), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_table_with_hardly_any_column_is_summed_up_too():
    found = fullsize.summary(pyarrow.table({"video_name": ["a.mp4", "/etc/b.mp4", "c/../../d.mp4", None]}))
    assert {kind: row["rows"] for kind, row in found["broken"].items() if row["rows"]} == {
        "no name of a video": 1, "name leaves the folder": 2, "no caption": 4}
    assert found["numbers"]["fps"] == {"count": 0, "missing": 4, "mean": None, "std": None, "min": None, "max": None, "quantiles": {},
                                       "histogram": None}
    assert found["near_duplicates"]["repeats"] == 0 and found["concepts"]["captions"] == 0 and found["concepts"]["any"] == 0


def test_limits_of_the_record():
    table = pyarrow.table({"video_name": list("abcdef"), "brief_caption": ["x"] * 6, "width": [720.0, 720.5, 1e9, float("inf"), None, -1.0],
                           "height": [480.0] * 6, "resolution": ["720 x 480", "480p", None, "", "720x480", "1x1"],
                           "dover_score": [float("inf"), 0.5, None, float("nan"), -0.2, 1.0]})
    assert {kind: np.flatnonzero(rows).tolist() for kind, rows in fullsize.broken(table).items() if rows.any()} == {
        "width or height": [1, 2, 3, 5], "resolution against width and height": [5], "dover score": [0]}


def brute_force(texts):
    """{(i, j): overlap of their sets of runs of five words} of all pairs that share something, by sets of words."""
    sets = []
    for text in texts:
        words = ["".join(c for c in piece.lower() if c.isalnum()) for piece in (text or "").split()]
        words = [word for word in words if word]
        sets.append({tuple(words[k:k + 5]) for k in range(max(1, len(words) - 4))} if words else set())
    return {(i, j): len(shared) / len(sets[i] | sets[j])
            for j in range(len(sets)) for i in range(j) if (shared := sets[i] & sets[j])}


def test_near_duplicates_against_all_pairs():
    rng = np.random.default_rng(0)
    texts = fullsize.stand_in(120, flaws=False)["detailed_caption"].to_pylist()
    for row in range(60):
        words = texts[row].split()
        for place in rng.integers(len(words), size=row // 6):
            words[place] = "another"
        texts.append(" ".join(words).upper() if row % 2 else "  ".join(words))
    texts += [None, "", "...", "A polyp.", "a  POLYP", "polyp", "Ein Geschw\xfcr", "EIN GESCHW\xdcR!", "\ud800 x"]
    texts += ["\u80c3\u955c\u68c0\u67e5", "\u80c3\u955c\u68c0\u67e5\u3002"]
    right = brute_force(texts)
    for limit in (0.7, 0.8, 1.0):
        groups, pairs = fullsize.near_duplicates(texts, limit)
        assert {pair[:2] for pair in pairs} == {pair for pair, overlap in right.items() if overlap >= limit}, limit
        assert all(abs(overlap - right[i, j]) < 1e-4 for i, j, overlap in pairs)
        assert all(groups[i] == groups[j] <= i < j for i, j, _ in pairs)
        assert set(np.flatnonzero(groups != np.arange(len(texts)))) == {j for _, j, _ in pairs}
    with pytest.raises(KitError, match="0.7 and 1"):
        fullsize.near_duplicates(texts, 0.5)
    assert fullsize.near_duplicates([])[1] == [] and len(fullsize.near_duplicates([])[0]) == 0


def test_a_table_of_one_caption_again_and_again_is_one_group():
    text = fullsize.stand_in(1)["detailed_caption"][0].as_py()
    groups, pairs = fullsize.near_duplicates([f"{text} Take {number}." for number in range(700)])
    assert set(groups.tolist()) == {0} and len(pairs) < 700 * 10, "work must grow with the number of captions, not with its square"


def test_words_are_told_apart_by_what_they_say():
    words = fullsize_alike.Words()
    assert words["(Polyp,"] == words["polyp"] != words["polyps"] and words["--"] == 0 and words["\xfc"] != words["\xe4"]


def test_spread_by_hand():
    found = fullsize.spread([1, 2, 3, 4, np.nan, np.inf], bins=3)
    assert (found["count"], found["missing"], found["mean"], found["min"], found["max"]) == (5, 1, 2.5, 1, 4)
    assert found["quantiles"]["50%"] == 2.5 and found["histogram"]["above"] == 2 and found["histogram"]["below"] == 1
    assert fullsize.spread([7, 7, 7])["histogram"]["counts"][0] == 3


def test_coverage_by_hand():
    found = fullsize.coverage(["A polyp on the left wall.", "No polyp.", None, "", "Colonoscopy of the colon: a polyp.", "A table."])
    assert found["captions"] == 4 and found["any"] == 0.5 and found["top"][0] == ("finding/polyp", 2)
    assert found["axes"]["finding"] == 0.5 and found["axes"]["anatomy"] == 0.25 and set(found["axes"]) == set(knowledge.AXES)
    assert found["top_by_axis"]["finding"] == [("finding/polyp", 2)]


def test_speed_of_a_row(table, tmp_path):
    """55,803 rows in 30 s are 0.54 ms for each (tests/bench/metadata.py measures all); twice that is allowed on a busy machine."""
    path, best = fullsize.write(table, tmp_path, "jsonl")[0].parent, []
    for _ in range(2):
        start = time.process_time()
        fullsize.summary(fullsize.open_table(path))
        best.append((time.process_time() - start) / ROWS)
    assert min(best) < 1.08e-3, f"{1e3 * min(best):.2f} ms a row"


def test_all_names_of_columns_are_there(table):
    assert Counter(table.column_names) == Counter([name for name in hub.COLUMNS if name not in ("split", "source_id")] + ["synthetic"])
