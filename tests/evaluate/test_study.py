"""The blind study: nothing that raters get tells the sides apart, and answers are kept whole."""

import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from medgen_kit import video
from medgen_kit.errors import KitError
from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import making, store
from tests.evaluate.small_study import answers, clips_in, items


def is_light(path):
    return video.read(path)[0][0, :16].mean() > 120


def test_the_folder_does_not_leak_the_sides(folder):
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    names = [path.name for path in folder.rglob("*")]
    assert b"real" not in (folder / "items.json").read_bytes() and b"generated" not in everything
    assert not any(word in name for word in ("real", "generated", "key") for name in names)
    films = sorted(folder.rglob("*.mp4"))
    assert len(films) == 16 and len({film.stat().st_mtime for film in films}) == 1
    assert {video.probe(film).comment for film in films} == {video.SYNTHETIC}
    light = [is_light(film) for film in films]
    assert light != sorted(light) and light != sorted(light, reverse=True)             # names do not sort by side


def test_the_key_is_apart_and_right(folder):
    key = making.read_key(folder)
    assert study.key_path(folder).parent == folder.parent and key["names"] == ["generated", "real"]
    for row in study.items_of(folder):
        for side in ("first", "second"):
            code = (folder / row[side]).stem
            assert (clips_in(key)[row["item"]][code] == "real") == is_light(folder / row[side])
    assert [entry["origin"] for entry in key["items"].values()] != [str(i) for i in range(8)]


def test_order_and_sides_are_drawn_for_each_rater(folder):
    plain, one, two = (study.items_of(folder, rater) for rater in ("", "rater-1", "rater-2"))
    assert one == study.items_of(folder, "rater-1")
    assert sorted(row["item"] for row in one) == sorted(row["item"] for row in two) == [row["item"] for row in plain]
    assert [row["item"] for row in one] != [row["item"] for row in two]
    for drawn in (one, two):                             # half of the pairs are turned against the alphabet of their codes
        assert sum(row["first"] > row["second"] for row in drawn) == 4
    first = [{row["item"]: row["first"] for row in drawn} for drawn in (one, two)]
    assert first[0] != first[1]
    assert making.draw(4, "rater-1", 8) != making.draw(5, "rater-1", 8)


def test_no_clip_is_favoured_by_the_draw():
    turned = np.array([making.draw(0, f"rater-{number}", 6)[1] for number in range(400)])
    assert abs(turned.mean(0) - 0.5).max() < 0.1         # 4 standard errors of a share of 400
    first = np.bincount([making.draw(0, f"rater-{number}", 6)[0][0] for number in range(400)], minlength=6)
    assert first.min() > 35                              # 67 expected of each


def test_a_study_is_never_overwritten(folder):
    with pytest.raises(KitError, match="already holds a study"):
        study.make(folder, items())
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "x").touch()
    with pytest.raises(KitError, match="is not empty"):
        study.make(folder.parent / "other", items())
    with pytest.raises(KitError, match="same two clips"):
        study.make(folder.parent / "new", [*items(1), {"prompt": "x", "clips": {"a": None, "b": None}}])
    assert not (folder.parent / "new").exists()


def test_answers_are_checked_and_the_latest_counts(folder):
    for item, choice in (("item 01", "first"), ("item 02", "second"), ("item 01", "both fail")):
        study.rate(folder, "rater-1", item, answers(choice))
    rows = study.answers(folder)
    sides = {row["item"]: row for row in study.items_of(folder, "rater-1")}
    kept = {row["item"]: row for row in rows if row["question"] == "Visual Quality"}
    assert kept["item 01"]["answer"] == "both fail" and f"clips/{kept['item 02']['answer']}.mp4" == sides["item 02"]["second"]
    assert f"clips/{kept['item 02']['first']}.mp4" == sides["item 02"]["first"]
    assert len(rows) == 10 and all(row["shown"] <= row["answered"] for row in rows)
    with sqlite3.connect(folder / store.FILE) as base:
        assert base.execute("SELECT count(*) FROM answers").fetchone()[0] == 15           # the changed one stays in the log
        assert base.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    refused = (("../x", "item 01", answers("first"), "short name"), ("r", "item 99", answers("first"), "not an item"),
               ("r", "item 01", answers("third"), "answer one of"), ("r", "item 01", answers("first", "Awful"), "No, Minor"))
    for rater, item, given, message in refused:
        with pytest.raises(KitError, match=message):
            study.rate(folder, rater, item, given)
    assert len(study.answers(folder)) == 10


def test_the_same_showing_sent_twice_is_stored_once(folder):
    row = study.items_of(folder, "r")[0]
    store.enrol(folder, "r")
    given = dict.fromkeys(study.QUESTIONS, "first") | {(study.DISTORTION, "first"): "No", (study.DISTORTION, "second"): "Minor"}
    for _ in range(3):
        store.save_sides(folder, "r", row, given, store.now(), "mark", "why not")
    with sqlite3.connect(folder / store.FILE) as base:
        assert base.execute("SELECT count(*) FROM answers").fetchone()[0] == 5
        assert base.execute("SELECT comment FROM comments").fetchall() == [("why not",)]


def test_an_answer_changed_within_a_showing_is_not_lost(folder):
    row = study.items_of(folder, "r")[0]
    store.enrol(folder, "r")
    given = dict.fromkeys(study.QUESTIONS, "first") | {(study.DISTORTION, "first"): "No", (study.DISTORTION, "second"): "Minor"}
    changed = given | {"Visual Quality": "second"}
    for said_now, comment in ((given, "a"), (changed, "a"), (changed, "a"), (given, "a"), (given, "b")):
        store.save_sides(folder, "r", row, said_now, store.now(), "mark", comment)
        stored, said, *_ = store.entered(folder, "r", row["item"])
        assert stored["Visual Quality"] == (folder / row[said_now["Visual Quality"]]).stem and said == comment
    with sqlite3.connect(folder / store.FILE) as base:
        log = base.execute("SELECT showing, count(*) FROM answers GROUP BY showing ORDER BY number").fetchall()
    assert log == [("mark", 5), ("mark.2", 5), ("mark.3", 5), ("mark.4", 5)]           # all that was said, and nothing twice
    assert len(study.answers(folder)) == 5
    store.save_sides(folder, "r", row, changed, store.now(), "mark2", "b")             # another showing, whose mark begins alike
    assert store.entered(folder, "r", row["item"])[0]["Visual Quality"] == (folder / row["second"]).stem


def test_a_pair_is_stored_whole_or_not_at_all(folder):
    row = study.items_of(folder, "r")[0]
    store.enrol(folder, "r")
    with pytest.raises(KitError, match="can not be read or written"):
        store.save(folder, "r", row["item"], {"Text Alignment": "x", "Visual Quality": None}, "x", store.now(), "mark")
    assert study.answers(folder) == [] and store.done(folder, "r") == set()


def test_a_killed_writer_leaves_whole_pairs(folder):
    code = ("import sys\nfrom medgen_kit.evaluate import study\n"
            "q = dict.fromkeys(study.QUESTIONS, 'first') | {'distortion first': 'No', 'distortion second': 'No'}\n"
            "while True:\n    for row in study.items_of(sys.argv[1], 'r'):\n"
            "        study.rate(sys.argv[1], 'r', row['item'], q)\n        print(row['item'], flush=True)\n")
    writer = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    said = [writer.stdout.readline().strip() for _ in range(11)]
    writer.kill()
    said += writer.communicate()[0].split("\n")
    said = [line for line in said if line.startswith("item")]
    with sqlite3.connect(folder / store.FILE) as base:
        counts = [count for (count,) in base.execute("SELECT count(*) FROM answers GROUP BY showing")]
        assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert set(counts) == {5} and len(counts) - len(said) in (0, 1)            # all that was told as stored, at most the one in between


def test_raters_at_once_neither_block_nor_mix(folder):
    failed = []

    def work(rater):
        try:
            for row in study.items_of(folder, rater):
                study.rate(folder, rater, row["item"], answers("first" if rater == "a" else "second"))
        except KitError as error:
            failed.append(error)
    threads = [threading.Thread(target=work, args=(rater,)) for rater in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = study.answers(folder)
    assert not failed and len(rows) == 4 * 8 * 5 and len({(r["rater"], r["item"], r["question"], r["clip"]) for r in rows}) == len(rows)
    asked = [row for row in rows if row["question"] in study.QUESTIONS]
    assert all((row["answer"] == row["first"]) == (row["rater"] == "a") for row in asked)


def test_a_network_drive_is_refused(folder, monkeypatch, tmp_path):
    table = tmp_path / "mounts"
    table.write_text(f"server:/x {folder.parent} nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n")
    assert store.disk_kind(folder / store.FILE, table) == "nfs4" and store.disk_kind(tmp_path.parents[1], table) == "ext4"
    assert store.disk_kind(folder, tmp_path / "none") == ""
    monkeypatch.setattr(store, "disk_kind", lambda path: "nfs4")
    with pytest.raises(KitError, match="network drive .nfs4."):
        study.answers(folder)
