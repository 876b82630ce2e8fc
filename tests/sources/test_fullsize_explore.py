"""Full-size metadata in one call: the Hub's table or a labelled stand-in, searched, balanced, beside the paper."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from medgen_kit import knowledge, sources
from medgen_kit.errors import KitError
from medgen_kit.sources import fullsize, fullsize_drawn, fullsize_explore, hub

ROOT = Path(__file__).resolve().parents[2]
ROWS = 900


@pytest.fixture(scope="module")
def explored():
    return sources.explore_metadata("stand-in", rows=ROWS, seed=1)


def texts(explored):
    names = ("video_name", "brief_caption", "detailed_caption")
    return [" ".join(text or "" for text in row) for row in zip(*(explored.table[name].to_pylist() for name in names))]


def test_offline_it_is_a_stand_in_that_says_so_and_why(monkeypatch):
    import huggingface_hub

    def away(*_, **__):
        raise ConnectionError("no network")
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", away)
    found = sources.explore_metadata(rows=250, seed=3)
    assert found.label == "generated stand-in, not MedVideoCap-55K" and found.found["generated"] == len(found) == 250
    assert "invented" in found.note and "could not be reached (ConnectionError)" in found.note
    assert found.table.equals(fullsize.stand_in(250, 3))
    assert "could not" not in sources.explore_metadata("stand-in", rows=5).note


def test_online_it_is_the_hubs_table_and_kept(monkeypatch, tmp_path):
    real = fullsize.stand_in(300, 5).drop_columns(["synthetic"])
    fullsize.write(real, tmp_path / "hub", "jsonl", shards=2)
    plain, asked = fullsize_explore.Repository, []

    def repository(repo, patience):
        asked.append((repo, patience))
        return plain(root=tmp_path / "hub")
    monkeypatch.setattr(fullsize_explore, "Repository", repository)
    first = sources.explore_metadata(keep=tmp_path / "kept")
    again = sources.explore_metadata(keep=tmp_path / "kept")
    assert asked == [(hub.REPO, fullsize_explore.SECONDS)], "fetched once"
    assert first.label == again.label == "MedVideoCap-55K" and first.table.equals(again.table) and first.found["generated"] == 0
    assert first.table["detailed_caption"].to_pylist() == real["detailed_caption"].to_pylist()
    assert "300 rows of huggingface.co" in first.note


def test_another_table_is_read_and_a_written_stand_in_stays_labelled(tmp_path, explored):
    fullsize.write(explored.table, tmp_path / "made")
    assert sources.explore_metadata(tmp_path / "made").label == fullsize_explore.STAND_IN
    rows = [{"id": "a.mp4", "caption": "a polyp", "category": "imaging"}, {"id": "b.mp4", "caption": "no polyp"}]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = sources.explore_metadata(tmp_path / "own.jsonl")
    assert own.label == "own.jsonl" and own.search("polyp").tolist() == [0, 1] and own.search(concept="finding/polyp").tolist() == [0]
    with pytest.raises(KitError, match="no file or folder"):
        sources.explore_metadata(tmp_path / "nothing")


def test_search_against_plain_python(explored):
    said, of = [text.lower() for text in texts(explored)], explored.categories
    assert explored.search().tolist() == list(range(ROWS))
    for words in ("HEART", "polyp colon", "left the", "(", "nothing-like-this"):
        assert explored.search(words).tolist() == [k for k in range(ROWS) if all(word.lower() in said[k] for word in words.split())], words
    assert explored.search("heart", "clinical practice").tolist() == [k for k in range(ROWS) if "heart" in said[k] and
                                                                      of[k] == "clinical practice"]
    known = [knowledge.tags(text or "") for text in explored.table["detailed_caption"].to_pylist()]
    tag, count = explored.menu("concept")[0]
    here = explored.search(concept=tag)
    whole = [k for k in range(ROWS) if tag in known[k] or not explored.table["detailed_caption"][k].is_valid and tag in knowledge.tags(
        explored.table["brief_caption"][k].as_py() or "")]
    assert here.tolist() == whole and len(here) == count
    assert explored.search(concept="anatomy/no such thing").tolist() == []
    assert dict(explored.menu("category"))["medical teaching"] == (of == "medical teaching").sum()


def test_near_duplicates_stand_together_and_show_where_they_differ(explored):
    planted = json.loads(explored.table.schema.metadata[b"planted"])["copies"]
    rows = explored.search(copies=True)
    assert len(rows) == 2 * planted == explored.copies.sum()
    groups = explored.groups[rows]
    assert all(groups[k] == groups[k + 1] for k in range(0, len(rows), 2)) and len(set(groups)) == planted
    assert explored.record(int(rows[0]))["near-duplicate of rows"] == [int(rows[1])]
    pairs = explored.closest(3)
    assert len(pairs) == 3 and all("altogether" in (row["only in the first"], row["only in the second"]) for row in pairs)
    assert all(row["overlap"] >= 0.8 for row in pairs)


def test_balance_by_hand(explored):
    assert fullsize_explore.even([1, 1, 1, 1]) == {"largest to smallest": 1.0, "effective number": 4.0}
    assert fullsize_explore.even([5, 0]) == {"largest to smallest": None, "effective number": 1.0}
    assert fullsize_explore.even([0, 0]) == {"largest to smallest": None, "effective number": None}
    half = fullsize_explore.even([3, 1])
    assert half["largest to smallest"] == 3.0 and half["effective number"] == round(4 / 3**0.75, 2)
    first = explored.balance()[0]
    assert first["paper"] == round(55.93 / 2.39, 1) and first["here"] > 5


def test_the_paper_beside_it_is_the_papers(explored):
    with (ROOT / "data_cards" / "paper" / "table1_datasets.csv").open() as lines:
        printed = next(row for row in csv.DictReader(lines) if row["dataset"] == "MedVideoCap-55K")
    facts = fullsize_drawn.TABLE_1
    assert [str(facts["clips"]), f"{facts['mean seconds']}s", str(facts["mean words"]), facts["resolution"]] == [
        printed[name] for name in ("videos", "mean_length", "mean_caption_words", "resolution")]
    rows = {row["fact"]: row for row in explored.beside_paper()}
    assert rows["clips"] == {"fact": "clips", "paper": 55_803, "here": ROWS}
    assert abs(rows["mean length (s)"]["here"] - np.nanmean(explored.table["duration"].to_numpy())) < 0.06
    assert "720x480 is the commonest" in rows["resolution"]["here"]


def test_a_table_without_most_columns_is_explored_too(tmp_path):
    (tmp_path / "bare.csv").write_text("file_name,caption\na.mp4,\nb.mp4,\n")
    bare = sources.explore_metadata(tmp_path / "bare.csv")
    assert bare.search("x").tolist() == [] and bare.menu("concept") == [] and bare.menu("category") == [] and bare.closest() == []
    assert bare.beside_paper()[1]["here"] is None and bare.balance()[1]["here"] is None
    assert bare.record(0) == {"video_name": "a.mp4", "split": "train"}


def test_the_tests_ask_no_network():
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "could not be reached" in sources.explore_metadata(rows=3).note
