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
    (folder / "out").symlink_to(tmp_path)
    (tmp_path / "away.mp4").write_bytes(b"1")
    found = names(folder, {"./x.mp4": "x", "sub/../x.mp4": "again", "../odd/two.mp4": "up", str(folder / "tall.mp4"): "absolute",
                           "C:\\odd\\two.mp4": "Windows", "sub\\deep.mp4": "deep", "out/away.mp4": "link", "": "nothing"})
    assert found == {
        "x.mp4": ("x", ""), "two.mp4": (None, ""), "tall.mp4": (None, ""), "sub/deep.mp4": ("deep", ""),
        "sub/../x.mp4": ("again", items.NOT_PLAIN), "../odd/two.mp4": ("up", items.NOT_PLAIN),
        ".../tall.mp4": ("absolute", items.NOT_PLAIN), ".../two.mp4": ("Windows", items.NOT_PLAIN),
        "out/away.mp4": ("link", items.OUTSIDE), ".": ("nothing", items.OUTSIDE)}
    with pytest.raises(KitError, match="x.mp4 is named twice"):
        names(folder, {"x.mp4": "one", "./x.mp4": "two"})


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
    with pytest.raises(KitError, match="two prompts for a.mp4"):
        names(folder, listed)
    listed.write_text('[{"prompt_en": "a heart", "dimension": []}]')
    with pytest.raises(KitError, match="names no video"):
        names(folder, listed)


def write_info(path, prompts):
    path.write_text(json.dumps([{"prompt_en": text, "dimension": [], "video_list": [video]} for video, text in prompts.items()]))


def test_categories_that_fit_no_clip_are_told(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"1")
    found = items.items_of(tmp_path)[0]
    assert items.without_clip(tmp_path, found, None) == items.without_clip(tmp_path, found, {"./a.mp4": "imaging"}) == []
    assert "Of the 2 names of the categories, 0 are clips" in items.without_clip(tmp_path, found, {"a": "x", "clips/a.mp4": "x"})[0]
    half, = items.without_clip(tmp_path, found, {"a.mp4": "x", str(tmp_path / "b.mp4"): "x"})
    assert "1 are clips" in half and "for example .../b.mp4" in half and str(tmp_path) not in half
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
