"""The blind study: nothing that raters get tells the sides apart, answers are kept whole, no ratings means no number."""

import csv
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from medgen_kit import video
from medgen_kit.errors import KitError
from medgen_kit.evaluate import grading, preference, study
from medgen_kit.evaluate.study import making, store
from medgen_kit.evaluate.study.invitations import links_path, tokens
from medgen_kit.evaluate.study.widget import RatingForm


def items(count=8):
    dark, light = np.full((3, 32, 32, 3), 20, np.uint8), np.full((3, 32, 32, 3), 220, np.uint8)
    return [{"prompt": f"a heart, number {i}", "clips": {"real": light, "generated": dark}} for i in range(count)]


def answers(choice, first="No", second="No"):
    return dict.fromkeys(study.QUESTIONS, choice) | {"distortion first": first, "distortion second": second}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.make(tmp_path_factory.mktemp("made") / "study", items(), seed=4)


@pytest.fixture
def folder(made, tmp_path):
    """A fresh copy of one study and its key."""
    import shutil

    shutil.copy(study.key_path(made), study.key_path(tmp_path / "study"))
    return shutil.copytree(made, tmp_path / "study")


def is_light(path):
    return video.read(path)[0][0, :16].mean() > 120


def clips_in(key):
    return {item: entry["clips"] for item, entry in key["items"].items()}


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


def test_nobody_has_rated_gives_no_number(folder):
    with pytest.raises(KitError, match="nobody has rated"):
        study.analyse(folder)
    with pytest.raises(KitError, match="holds no study"):
        study.analyse(folder.parent)


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


def test_analysis_unblinds_counts_and_agrees(folder):
    clips = clips_in(making.read_key(folder))
    for rater in ("r1", "r2", "simulated-3"):
        for row in study.items_of(folder, rater):
            real_first = clips[row["item"]][(folder / row["first"]).stem] == "real"
            choice = "both fail" if row["item"] == "item 01" else "first" if real_first else "second"
            bad = ("No", "Severe") if real_first else ("Moderate", "Minor")
            study.rate(folder, rater, row["item"], answers(choice, *bad), comment="clear")
    found = study.analyse(folder)
    share = {(row["question"], row["answer"]): row["share"] for row in found["wins"]}
    assert found["raters"] == 3 and found["simulated"] == 1 and found["items"] == 8
    assert share["Visual Quality", "real"] == pytest.approx(7 / 8) and share["Visual Quality", "both fail"] == pytest.approx(1 / 8)
    assert share["Visual Quality", "generated"] == 0
    kappas = [row["kappa"] for row in found["agreement"] if row["what"] == "preference"]
    assert kappas == pytest.approx([1, 1, 1]) and len(found["agreement"]) == 9
    assert {row["answer"]: row["percent"] for row in found["warping"]} == {"generated": 100.0, "real": 0.0}
    with pytest.raises(KitError, match="simulated rater already"):
        store.enrol(folder, "r3", simulated=True)
        store.enrol(folder, "r3")
    asked, graded = study.open_up(folder)
    shared = preference.shares([row for row in asked if row["question"] == "Visual Quality"])
    assert {row["model"]: row["win"] for row in shared} == pytest.approx({"real": 7 / 8, "generated": 0})
    assert {row["model"]: row["percent"] for row in grading.per_model(graded)} == {"generated": 100.0, "real": 0.0}


def test_warping_needs_three_raters(folder):
    study.rate(folder, "r1", "item 01", answers("first", "Severe", "Severe"))
    found = study.analyse(folder)
    assert found["warping"] == [] and found["agreement"] == []


def test_export_closes_and_writes_tidy_tables(folder):
    study.rate(folder, "r1", "item 01", answers("first", "Severe", "No"), comment="a, \"b\"")
    looked = study.export(folder, folder.parent / "look", keep_open=True)
    study.rate(folder, "r1", "item 02", answers("both fail"))
    out = study.export(folder)
    assert looked != out == folder.parent / "study_export"
    asked, graded = (list(csv.DictReader((out / name).open(encoding="utf-8"))) for name in ("answers.csv", "grades.csv"))
    assert len(asked) == 6 and len(graded) == 4 and len(list(csv.DictReader((looked / "answers.csv").open(encoding="utf-8")))) == 3
    first = [row for row in asked if row["item"] == "item 01"]
    assert {row["answer"] for row in first} <= {"real", "generated"} and all(row["answer"] == row["first"] for row in first)
    assert {row["comment"] for row in first} == {"a, \"b\""} and {row["simulated"] for row in asked} == {"False"}
    key = making.read_key(folder)["items"]["item 01"]
    assert {row["video"]: row["grade"] for row in graded if row["item"] == "item 01"}[f"{first[0]['first']}/{key['origin']}"] == "Severe"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["closed"] and summary["answers"] == 6 and summary["grades"] == 4 and summary["first_side_chosen"] == 1.0
    with pytest.raises(KitError, match="was closed on"):
        study.rate(folder, "r1", "item 03", answers("first"))
    assert "closed" in study.form(folder, "r1").text.value
    with pytest.raises(KitError, match="which raters may see"):
        study.export(folder, folder / "out")


def test_export_without_answers_or_key(folder):
    summary = json.loads((study.export(folder, keep_open=True) / "summary.json").read_text())
    assert summary["result"] is None and summary["reason"] == "nobody has rated yet" and summary["first_side_chosen"] is None
    study.key_path(folder).unlink()
    with pytest.raises(KitError, match="without the key"):
        study.export(folder)
    assert store.facts(folder)["closed"] == ""           # refused before it was closed


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(RatingForm, "PAUSE", 0)


def answer_all(form, option=0):
    for entry in form.asked.values():
        entry.value = entry.options[option][1]


def test_the_form_asks_stores_and_goes_on(folder, quick):
    form = study.form(folder, "r9")
    assert form.at is None and "8 pairs" in form.text.value
    form.begin.click()
    assert form.at == 0 and "1 of 8" in form.head.value and form.back.disabled
    assert [bytes(player.value) for player in form.players.values()] == [(folder / form.items[0][side]).read_bytes()
                                                                       for side in ("first", "second")]
    form.go.click()
    assert "Please answer this too: Text Alignment" in form.said.value and "distortion of the second clip" in form.said.value
    answer_all(form)
    form.comment.value = "sharp"
    form.go.click()
    assert form.at == 1 and "Stored." in form.said.value and "1 stored" in form.head.value and form.comment.value == ""
    assert all(entry.value is None for entry in form.asked.values())
    form.back.click()
    assert form.at == 0 and form.comment.value == "sharp" and all(entry.index == 0 for entry in form.asked.values())
    form.asked["Visual Quality"].value = "both fail"
    form.go.click()
    rows = [row for row in study.answers(folder) if row["question"] == "Visual Quality"]
    assert [row["answer"] for row in rows] == ["both fail"]


def test_the_form_goes_on_where_the_rater_left(folder, quick):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    form.go.click()
    form.asked["Text Alignment"].value = "second"
    form.comment.value = "half a th"
    again = study.form(folder, "r9")                     # the browser was closed in the middle of the second pair
    assert again.at == 1 and again.asked["Text Alignment"].value == "second" and again.comment.value == "half a th"
    for _ in range(7):
        answer_all(again, 1)
        again.go.click()
    assert again.at is None and "answered all 8 pairs" in again.text.value
    assert "answered all" in study.form(folder, "r9").text.value
    again.review.click()
    assert again.at == 7 and again.asked["Text Alignment"].index == 1
    assert len(study.answers(folder)) == 40


def test_a_double_click_answers_one_pair(folder):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    form.clock -= 1
    form.go.click()
    form.go.click()
    assert form.at == 1 and "Stored." in form.said.value and len(study.answers(folder)) == 5


def test_a_lost_disk_is_told_and_nothing_is_lost(folder, quick, monkeypatch):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    (folder / store.FILE).rename(folder / "away")
    form.go.click()
    assert form.at == 0 and "holds no study" in form.said.value and all(entry.index == 0 for entry in form.asked.values())


def test_links_are_secret_and_can_be_renewed(folder):
    assert study.add_raters(folder, 2) == ["rater-1", "rater-2"] and study.add_raters(folder, 1) == ["rater-3"]
    known = tokens(folder)
    assert len(set(known.values())) == 3 and min(map(len, known.values())) >= 32
    assert links_path(folder).parent == folder.parent
    if os.name != "nt":
        assert stat.S_IMODE(links_path(folder).stat().st_mode) == 0o600
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(token.encode() in everything for token in known.values())
    assert [store.rater_of(folder, token) for token in known.values()] == list(known)
    assert [store.rater_of(folder, wrong) for wrong in ("", "x", "rater-1", None)] == [None] * 4
    study.renew(folder, "rater-2")
    assert store.rater_of(folder, known["rater-2"]) is None and store.rater_of(folder, tokens(folder)["rater-2"]) == "rater-2"
    assert [row["link"] for row in study.links(folder, "https://x.org/")] == [f"https://x.org/?rater={t}" for t in tokens(folder).values()]
    with pytest.raises(KitError, match="not a rater of this study"):
        study.renew(folder, "rater-9")


def test_a_network_drive_is_refused(folder, monkeypatch, tmp_path):
    table = tmp_path / "mounts"
    table.write_text(f"server:/x {folder.parent} nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n")
    assert store.disk_kind(folder / store.FILE, table) == "nfs4" and store.disk_kind(tmp_path.parents[1], table) == "ext4"
    assert store.disk_kind(folder, tmp_path / "none") == ""
    monkeypatch.setattr(store, "disk_kind", lambda path: "nfs4")
    with pytest.raises(KitError, match="network drive .nfs4."):
        study.answers(folder)


def test_serving_tells_what_is_open_and_what_is_missing(folder, monkeypatch):
    from medgen_kit.evaluate.study import server

    for name in (server.STUDY, "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))                          # put back afterwards
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(KitError, match="can not be used .* --port 8877"):
            study.serve(folder, taken.getsockname()[1])
        port = taken.getsockname()[1]
    with pytest.raises(KitError, match="holds no study"):
        study.serve(folder.parent, port)
    said = []
    monkeypatch.setattr(server.StudyServer, "initialize", lambda self, argv: None)
    monkeypatch.setattr(server.StudyServer, "start", lambda self: said.append(f"started {self.ip} {self.port}"))
    study.serve(folder, port, "0.0.0.0", said.append)
    assert any("only lock" in line and "TLS" in line for line in said) and any("No rater has a link yet" in line for line in said)
    assert said[-1] == f"started 0.0.0.0 {port}"
    said.clear()
    study.add_raters(folder, 1)
    study.serve(folder, port, say=said.append)
    assert len(said) == 2 and said[0].startswith(f"Serving on http://127.0.0.1:{port}/") and said[1] == f"started 127.0.0.1 {port}"


def test_the_form_needs_nothing_heavy():
    code = ("import sys, medgen_kit.evaluate.study.page, medgen_kit.evaluate.study.widget\n"
            "print([name for name in ('torch', 'scipy', 'cv2', 'av', 'pandas', 'sklearn', 'voila') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_sample_size():
    assert study.items_needed(0.10) == 97 and study.half_width(97) < 0.1 < study.half_width(96)
    assert study.items_needed(0.05) == 385


def test_a_study_that_nobody_rated_is_not_closed_by_an_export(tmp_path):
    from typer.testing import CliRunner

    from medgen_kit import cli
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    folder = study.make(tmp_path / "study", [{"prompt": "a heart", "clips": {"one": frames, "two": frames}}])
    said = CliRunner().invoke(cli.typed, ["study", "export", str(folder)]).output
    assert "Nobody has rated yet, so the study stays open" in said
    item = study.items_of(folder, "rater-1")[0]["item"]
    study.rate(folder, "rater-1", item, dict.fromkeys(study.QUESTIONS, "first") | {"distortion first": "No", "distortion second": "No"})
    assert "The study stays open" in CliRunner().invoke(cli.typed, ["study", "export", str(folder), "--keep-open"]).output
    assert "The study is closed" in CliRunner().invoke(cli.typed, ["study", "export", str(folder)]).output
    assert "The study is closed" in CliRunner().invoke(cli.typed, ["study", "export", str(folder), "--keep-open"]).output
