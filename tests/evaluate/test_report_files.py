"""The files of a report: names that lead elsewhere or are spelled otherwise, what is no file, and files that end their process."""

import json
import os
import signal
import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medgen_kit import cli, machine, video
from medgen_kit.errors import KitError
from medgen_kit.evaluate import report
from medgen_kit.evaluate.report import beside_real, items, rows
from tests.evaluate.stubs import waves

HERE, measure_whole = machine.facts(), rows.measure_file


def names(folder, prompts=None, **more):
    """{name: (prompt, problem)} of a folder's items."""
    found = items.items_of(folder, prompts, **more)[0]
    assert len({item.name for item in found}) == len(found)
    return {item.name: (item.prompt, item.problem) for item in found}


def test_a_file_counts_once_however_the_prompts_name_it(tmp_path):
    folder = tmp_path / "odd"
    (folder / "sub").mkdir(parents=True)
    for name in ("x.mp4", "two.mp4", "tall.mp4", "sub/deep.mp4"):
        (folder / name).write_bytes(b"1")
    found = names(folder, {"./x.mp4": "x", "sub/../x.mp4": "again", "../odd/two.mp4": "up", str(folder / "tall.mp4"): "absolute",
                           "C:\\odd\\two.mp4": "Windows", "sub\\deep.mp4": "deep", "": "nothing"})
    assert found == {
        "x.mp4": ("x", ""), "two.mp4": (None, ""), "tall.mp4": (None, ""), "sub/deep.mp4": ("deep", ""),
        "sub/../x.mp4": ("again", items.NOT_PLAIN), "../odd/two.mp4": ("up", items.NOT_PLAIN),
        ".../odd/tall.mp4": ("absolute", items.NOT_PLAIN), ".../odd/two.mp4": ("Windows", items.NOT_PLAIN),
        ".": ("nothing", items.NO_FILE)}
    with pytest.raises(KitError, match="x.mp4 is named twice"):
        names(folder, {"x.mp4": "one", "./x.mp4": "two"})
    assert set(names(folder, {"/m/one/a.mp4": "one", "/m/two/a.mp4": "two", "/a.mp4": "root"})) >= {
        ".../one/a.mp4", ".../two/a.mp4", ".../a.mp4"}


def test_links_in_the_folder_are_followed_as_those_of_a_hugging_face_snapshot_are(tmp_path):
    folder, blob = tmp_path / "snapshots" / "abc", tmp_path / "blobs" / "0a"
    for place in (folder / "data", blob.parent):
        place.mkdir(parents=True)
    blob.write_bytes(b"1")
    (folder / "data" / "x.mp4").symlink_to("../../../blobs/0a")
    (folder / "top.mp4").symlink_to("../../blobs/0a")
    (folder / "more").symlink_to(blob.parent)
    (folder / "data" / "loop.mp4").symlink_to("loop.mp4")
    assert names(folder, {"data/x.mp4": "x", "top.mp4": "y", "more/0a": "z", "data/loop.mp4": "loop", "../../blobs/0a": "up"}) == {
        "data/x.mp4": ("x", ""), "top.mp4": ("y", ""), "more/0a": ("z", ""), "data/loop.mp4": ("loop", items.NO_FILE),
        "../../blobs/0a": ("up", items.NOT_PLAIN)}


def test_a_name_is_taken_as_it_is_written_when_it_is_there(tmp_path):
    odd = (" lead.mp4", "trail.mp4 ", "back\\slash.mp4")
    for name in odd:
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "p.json").write_text(json.dumps(dict.fromkeys(odd, "a heart")))
    (tmp_path / "m.jsonl").write_text("".join(json.dumps({"file_name": name, "prompt": "a heart", "video_category": "medical imaging"}) +
                                              "\n" for name in odd))
    for prompts in (dict.fromkeys(odd, "a heart"), tmp_path / "p.json", tmp_path / "m.jsonl"):
        found = names(tmp_path, prompts)
        assert {name for name, (prompt, problem) in found.items() if (prompt, problem) == ("a heart", "")} == set(odd) == set(found)
    assert {item.category for item in items.items_of(tmp_path, tmp_path / "m.jsonl")[0]} == {"medical imaging"}


def test_a_folder_is_listed_once_for_all_names(tmp_path, monkeypatch):
    short, long = ([unicodedata.normalize(form, f"\u00e9cho {number}.mp4") for number in range(20)] for form in ("NFC", "NFD"))
    for name in long:
        (tmp_path / name).write_bytes(b"1")
    calls, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: calls.append(path) or listdir(path))
    assert items.texts_in(tmp_path, dict.fromkeys(short, "a heart")) == dict.fromkeys(long, "a heart") and len(calls) == 1


def test_accents_are_matched_in_prompts_categories_and_metadata(tmp_path):
    short, long = (unicodedata.normalize(form, "\u00e9cho.mp4") for form in ("NFC", "NFD"))
    for disk, other in ((short, long), (long, short)):
        folder = tmp_path / str(len(disk))
        folder.mkdir()
        (folder / disk).write_bytes(b"1")
        assert names(folder, {other: "a heart"}) == {disk: ("a heart", "")}
        (folder / "metadata.jsonl").write_text(json.dumps({"file_name": other, "prompt": "a lung", "video_category": "medical imaging"}))
        item, = items.items_of(folder)[0]
        assert (item.name, item.prompt, item.category) == (disk, "a lung", "medical imaging")
        assert items.items_of(folder, {}, {other: "mine"})[0][0].category == "mine"
        with pytest.raises(KitError, match="named twice, in two spellings"):
            names(folder, {other: "a heart", disk: "a lung"})


def test_prompts_come_from_vbenchs_list_wherever_it_was_made(tmp_path, monkeypatch):
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "sub/deep.mp4"):
        (folder / name).write_bytes(b"1")
    listed, wanted = tmp_path / "x_full_info.json", {"a.mp4": ("a heart", ""), "b.mp4": (None, ""), "sub/deep.mp4": ("a lung", "")}
    monkeypatch.chdir(tmp_path)
    for place in (folder, "clips", "./sub/../clips"):
        write_info(listed, {f"{place}/a.mp4": "a heart", f"{place}/sub/deep.mp4": "a lung"})
        assert names(folder, listed) == names("clips", listed) == wanted
    write_info(listed, {"/elsewhere/a.mp4": "a heart", "/elsewhere/lost.mp4": "a lung"})
    assert names(folder, listed)["a.mp4"] == ("a heart", "") and names(folder, listed)["lost.mp4"] == ("a lung", items.NO_FILE)
    write_info(listed, {"one/a.mp4": "a heart", "two/a.mp4": "a lung"})
    with pytest.raises(KitError, match="two prompts for a.mp4: one of one/a.mp4 and one of two/a.mp4"):
        names(folder, listed)
    listed.write_text('[{"prompt_en": "a heart", "dimension": []}]')
    with pytest.raises(KitError, match="names no video"):
        names(folder, listed)


def test_vbenchs_list_is_read_from_another_folder_through_a_link_and_from_windows(tmp_path, monkeypatch):
    folder, long = tmp_path / "clips", unicodedata.normalize("NFD", "\u00e9cho.mp4")
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "sub/a.mp4", f"sub/{long}"):
        (folder / name).write_bytes(b"1")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "sub").mkdir()
    wanted = {"a.mp4": ("a heart", ""), "sub/a.mp4": ("a lung", ""), f"sub/{long}": ("an ear", "")}
    listed, short = tmp_path / "x_full_info.json", unicodedata.normalize("NFC", long)
    for here in (tmp_path, tmp_path / "sub", folder, folder / "sub"):
        monkeypatch.chdir(here)
        for place in ("clips/", "link/", "../clips/", "/gone/clips/", "C:\\me\\clips\\", f"{tmp_path}/link/"):
            sign = "\\" if "\\" in place else "/"
            write_info(listed, {f"{place}a.mp4": "a heart", f"{place}sub{sign}a.mp4": "a lung", f"{place}sub{sign}{short}": "an ear"})
            assert names(os.path.relpath(folder), listed) == names(tmp_path / "link", listed) == wanted, (here, place)
    write_info(listed, {"a.mp4": "a heart", "sub/a.mp4": "a lung", f"sub/{short}": "an ear"})
    for here in (tmp_path, folder):
        monkeypatch.chdir(here)
        assert names(folder, listed) == wanted


def test_a_lost_video_of_vbenchs_list_takes_no_other_ones_place(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    write_info(tmp_path / "x.json", {"clips/a.mp4": "a heart", "clips/sub/a.mp4": "a lung", "clips\\b.mp4": "an ear", "\0/c.mp4": "odd"})
    assert names("clips", tmp_path / "x.json") == {
        "a.mp4": ("a heart", ""), "sub/a.mp4": ("a lung", items.NO_FILE), "b.mp4": ("an ear", items.NO_FILE),
        "c.mp4": ("odd", items.NO_FILE)}


def write_info(path, prompts):
    path.write_text(json.dumps([{"prompt_en": text, "dimension": [], "video_list": [video]} for video, text in prompts.items()]))


def test_categories_that_fit_no_clip_are_told(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"1")
    found = items.items_of(tmp_path)[0]
    assert items.without_clip(tmp_path, found, None) == items.without_clip(tmp_path, found, {"./a.mp4": "imaging"}) == []
    assert "Of the 2 names of the categories, 0 are clips" in items.without_clip(tmp_path, found, {"a": "x", "clips/a.mp4": "x"})[0]
    half, = items.without_clip(tmp_path, found, {"a.mp4": "x", str(tmp_path / "b.mp4"): "x"})
    assert "1 are clips" in half and f"for example .../{tmp_path.name}/b.mp4" in half and str(tmp_path) not in half
    assert "Of the 0 names" in items.without_clip(tmp_path, found, {})[0]


def test_the_command_warns_beside_its_output(tmp_path, monkeypatch):
    monkeypatch.setattr(beside_real, "COUNT", 1)
    video.write(tmp_path / "clips" / "a.mp4", waves(4, 64, 64), 8)
    (tmp_path / "kinds.json").write_text('{"a": "imaging"}')
    ran = CliRunner().invoke(cli.typed, ["evaluate", str(tmp_path / "clips"), "--out", str(tmp_path / "out"), "--workers", "1",
                                         "--categories", str(tmp_path / "kinds.json")])
    said = "Of the 1 names of the categories, 0 are clips of this folder"
    assert ran.exit_code == 0 and f"warning: {said}" in ran.stderr and said not in ran.stdout
    assert json.loads((tmp_path / "out" / "report.json").read_text())["notes"][0].startswith(said)


def test_what_is_no_file_is_a_row_with_its_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "plain").mkdir()
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    long = "a" * 300 + ".mp4"
    found = names(tmp_path, {"plain": "a folder by name", "sub/pipe.mp4": "x", long: "too long a name"})
    assert found == {"pipe.mp4": (None, items.NO_REGULAR), "folder.mp4": (None, items.NO_REGULAR), "gone.mp4": (None, ""),
                     "plain": ("a folder by name", items.NO_REGULAR), "sub/pipe.mp4": ("x", items.NO_FILE),
                     long: ("too long a name", items.NO_FILE)}


def deadly(path, prompt, meter):
    """`rows.measure_file`, but a file whose name says so ends its process."""
    if "deadly" in Path(path).name:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure_whole(path, prompt, meter)


def test_a_file_that_ends_its_process_is_a_row_and_the_report_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "measure_file", deadly)
    monkeypatch.setattr(beside_real, "COUNT", 1)
    monkeypatch.setattr(machine, "facts", lambda: HERE | {"cores": 2, "gpu": None})
    for seed, name in enumerate(("a.mp4", "deadly_1.mp4", "deadly_2.mp4", "z.mp4")):
        video.write(tmp_path / "clips" / name, waves(4, 64, 64, seed), 8)
    os.mkfifo(tmp_path / "clips" / "pipe.mp4")
    found = report.evaluate(tmp_path / "clips", out=tmp_path / "out", workers=2, say=None)
    reasons = {row["file"]: row["reason"] for row in found["videos"]}
    assert reasons == {"a.mp4": None, "deadly_1.mp4": rows.DIED["reason"], "deadly_2.mp4": rows.DIED["reason"],
                       "pipe.mp4": items.NO_REGULAR, "z.mp4": None}
    assert len(rows.Ledger(tmp_path / "out" / "rows.jsonl").rows) == 2 + 1, "what has no score is tried again"
    assert rows.DIED["reason"] in (tmp_path / "out" / "index.html").read_text()


def test_no_worker_is_refused_in_words(tmp_path):
    for count in (0, -3):
        with pytest.raises(KitError, match=f"workers is {count}; .*at least one"):
            report.evaluate(tmp_path, out=tmp_path / "out", workers=count, say=None)
    assert not (tmp_path / "out").exists()
