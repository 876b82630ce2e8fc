"""A takedown leaves nothing of a source in a VideoFolder, ends the same after any interruption, and is remembered as a hash."""

import csv
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.curate.pictures import shot

from medgen_kit import Clip, KitError, curate, read_folder, video, write_folder
from medgen_kit.clip import validate_folder, write_csv
from medgen_kit.curate import takedown
from medgen_kit.errors import DiskError

GONE, STAYS = "upload_é1.mp4", "upload_02.mp4"


def clip_of(folder, upload, number, **fields):
    path = folder / "videos" / f"{upload[:-4]}_{number:05d}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture of " + upload.encode())
    return Clip(path, path.name, 64, 64, 8.0, 1.0, 1000, "medical imaging", source_id=upload, extra={"upload": upload}, **fields)


@pytest.fixture
def folder(tmp_path):
    """Two sources, two clips each, with the tables, notes, captions and sidecars that a pipeline leaves."""
    out = tmp_path / "set"
    clips = [clip_of(out, upload, number) for upload in (GONE, STAYS) for number in (0, 20)]
    write_folder(out, clips)
    names = {clip.video_name: clip for clip in clips}
    write_csv(out / "decisions.csv", [{"clip": name, "upload": clip.source_id, "duplicate_of": ""} for name, clip in names.items()]
              + [{"clip": "upload_é1_00040.mp4", "upload": GONE, "duplicate_of": ""},
                 {"clip": "upload_02_00040.mp4", "upload": STAYS, "duplicate_of": "upload_é1_00000.mp4"}])
    write_csv(out / "quarantine.csv", [{"file": "upload_03.mp4", "reason": "empty", "message": "line\nbreak"}])
    stages = [{"clip_id": name, "stage": "border", "value": 1.5} for name in (*(clip.clip_id for clip in clips), "upload_é1_00040.mp4")]
    pq.write_table(pa.Table.from_pylist(stages).replace_schema_metadata({"made by": "a test"}), out / "stages.parquet", row_group_size=2)
    lines = [json.dumps({"clip_id": clip.clip_id, "brief": "a clip"}) for clip in clips] + ['{"clip_id": "torn']
    (out / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for upload in (GONE, STAYS):
        (out / "timelines").mkdir(exist_ok=True)
        (out / "timelines" / f"{upload}.json").write_text("{}")
        (out / "videos" / f"{upload[:-4]}_00000.en.vtt").write_text("WEBVTT")
    (out / "videos" / ".upload_é1_00020.mp4.77.part").write_bytes(b"half a picture")
    return out


def tree(folder):
    """Everything that a folder holds: {relative path: bytes}, without the lock."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".takedown.lock"}


def test_nothing_of_the_source_is_left_and_nothing_of_the_others_is_touched(folder):
    before = tree(folder)
    said = takedown.takedown(folder, GONE, reason="asked by the uploader")
    after = tree(folder)
    assert said["clips"] == 2 and said["files"] == 5 and said["mentions"] == []
    assert said["rows"] == {"metadata.jsonl": 2, "decisions.csv": 3, "stages.parquet": 3, "captions.jsonl": 2}
    assert not [name for name, held in after.items() if "é1" in name or b"\xc3\xa91" in held or b"u00e91" in held]
    assert {name: held for name, held in after.items() if STAYS[:-4] in name} == {n: h for n, h in before.items() if STAYS[:-4] in n}
    assert [clip.source_id for clip in read_folder(folder)] == [STAYS, STAYS] and validate_folder(folder) == []
    assert after["quarantine.csv"] == before["quarantine.csv"] and after["captions.jsonl"].endswith(b'{"clip_id": "torn')
    table = pq.read_table(folder / "stages.parquet")
    assert table.num_rows == 2 and table.schema.metadata == {b"made by": b"a test"}


def test_the_id_is_kept_as_a_hash_with_a_date_and_recognised_in_any_spelling(folder):
    assert not takedown.is_taken_down(folder, GONE)
    takedown.takedown(folder, "upload_e\u03011.mp4", reason="a reason")
    entry, = map(json.loads, (folder / takedown.LIST).read_text(encoding="utf-8").splitlines())
    assert set(entry) == {"sha256", "date", "reason", "content"} and len(entry["sha256"]) == 64 and len(entry["date"]) == 10
    assert takedown.is_taken_down(folder, GONE) and not takedown.is_taken_down(folder, STAYS)
    again = takedown.takedown(folder, GONE)
    assert (again["clips"], again["files"], again["rows"]) == (0, 0, {}) and len(takedown.entries(folder)) == 1


def test_a_clip_that_was_a_duplicate_of_a_removed_one_no_longer_names_it(folder):
    takedown.takedown(folder, GONE)
    with (folder / "decisions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["duplicate_of"] for row in rows] == ["", "", ""] and {row["upload"] for row in rows} == {STAYS}


def cut_off(folder, tmp_path, monkeypatch):
    """Yield a copy of `folder` for every step of a takedown after which it can be cut off, cut off there; ends when one runs through."""
    import shutil

    replace, unlink = os.replace, Path.unlink
    for stop in range(100):
        broken, left = tmp_path / f"broken_{stop}", [stop]
        shutil.copytree(folder, broken)

        def dying(act, left=left):
            def step(*args, **options):
                left[0] -= 1
                if left[0] < 0:                                     # dead: no step after this one happens either, not even cleaning up
                    raise KeyboardInterrupt
                return act(*args, **options)
            return step

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying(replace))
            patch.setattr(Path, "unlink", dying(unlink))
            try:
                takedown.takedown(broken, GONE)
                return
            except KeyboardInterrupt:
                pass
        yield broken
    pytest.fail("it never runs through")


def done(folder, tmp_path):
    """What a whole takedown leaves of a copy of `folder`."""
    import shutil

    takedown.takedown(shutil.copytree(folder, tmp_path / "whole"), GONE)
    return tree(tmp_path / "whole")


def without_parts(folder):
    """The tree of a folder without half-written files of others."""
    return {name: held for name, held in tree(folder).items() if not name.endswith(".part") or "é1" in name}


def test_an_interrupted_takedown_ends_the_same_when_it_is_called_again(folder, tmp_path, monkeypatch):
    whole, steps = done(folder, tmp_path), 0
    for broken in cut_off(folder, tmp_path, monkeypatch):
        steps += 1
        listed, rows = takedown.is_taken_down(broken, GONE), (broken / "metadata.jsonl").read_text(encoding="utf-8")
        assert takedown.remains(broken) == ([GONE] if listed and GONE in rows else [])
        takedown.takedown(broken, GONE)
        assert without_parts(broken) == whole and takedown.remains(broken) == []
    assert steps >= 10


def test_a_source_whose_clips_were_all_rejected_can_be_taken_down(folder):
    said = takedown.takedown(folder, "upload_03.mp4")
    assert said["rows"] == {"quarantine.csv": 1} and said["clips"] == said["files"] == 0
    assert takedown.is_taken_down(folder, "upload_03.mp4")


@pytest.mark.parametrize(("asked", "said"), [("upload_2.mp4", "near: .*upload_02.mp4"), ("nothing like it", "nothing of a source"),
                                             ("", "not an empty one"), (None, "not an empty one")])
def test_an_unknown_id_is_refused_and_changes_nothing(folder, asked, said):
    before = tree(folder)
    with pytest.raises(KitError, match=said):
        takedown.takedown(folder, asked)
    assert tree(folder) == before


def test_a_row_that_leaves_the_folder_is_refused_before_anything_goes(folder):
    outside = folder.parent / "outside.mp4"
    outside.write_bytes(b"not yours")
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"file_name": "../outside.mp4", "source_id": GONE}) + "\n")
    before = tree(folder)
    with pytest.raises(KitError, match="no path inside the folder"):
        takedown.takedown(folder, GONE)
    assert outside.exists() and tree(folder) == before


def test_a_linked_clip_loses_its_link_and_not_the_file_behind_it(folder):
    behind = folder.parent / "behind.mp4"
    behind.write_bytes(b"original")
    link = folder / "videos" / "upload_é1_00000.mp4"
    link.unlink()
    link.symlink_to(behind)
    takedown.takedown(folder, GONE)
    assert behind.exists() and not link.is_symlink()


def test_clips_of_others_with_the_same_name_or_a_longer_one_stay(tmp_path):
    out = tmp_path / "set"
    for place in ("one/a.mp4", "two/a.mp4", "one/a.b.mp4", "one/a.b.vtt", "one/a.vtt"):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        (out / place).write_bytes(b"x")
    rows = [{"file_name": "one/a.mp4", "video_name": "a.mp4", "source_id": "first"},
            {"file_name": "two/a.mp4", "video_name": "a.mp4", "source_id": "second"},
            {"file_name": "one/a.b.mp4", "video_name": "a.b.mp4", "source_id": "second"}]
    pq.write_table(pa.Table.from_pylist(rows), out / "metadata.parquet")
    write_csv(out / "checks.csv", [{key: row[key] for key in ("video_name", "source_id")} for row in rows])
    takedown.takedown(out, "first")
    assert (out / "checks.csv").read_text().splitlines() == ["video_name,source_id", "a.mp4,second", "a.b.mp4,second"]
    assert {name for name in tree(out) if name.startswith(("one", "two"))} == {"two/a.mp4", "one/a.b.mp4", "one/a.b.vtt"}
    assert pq.read_table(out / "metadata.parquet")["source_id"].to_pylist() == ["second", "second"]


def test_pages_that_still_name_the_source_are_listed(folder):
    (folder / "report.html").write_text(f"<p>kept 2 clips of {GONE}</p>", encoding="utf-8")
    (folder / "figures.json").write_text(json.dumps({"longest": GONE}))
    assert takedown.takedown(folder, GONE)["mentions"] == ["figures.json", "report.html"]


def test_a_broken_list_or_table_and_a_full_disk_are_said_in_one_sentence(folder, monkeypatch):
    (folder / takedown.LIST).write_text("{half")
    with pytest.raises(KitError, match="Restore it"):
        takedown.is_taken_down(folder, GONE)
    (folder / takedown.LIST).unlink()
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    before = tree(folder)
    with pytest.raises(KitError, match="broken.parquet cannot be read"):
        takedown.takedown(folder, GONE)
    assert tree(folder) == before
    (folder / "broken.parquet").unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(takedown, "copy_csv", full)
    with pytest.raises(DiskError, match="call takedown again"):
        takedown.takedown(folder, GONE)
    monkeypatch.undo()
    takedown.takedown(folder, GONE)
    assert takedown.remains(folder) == [] and validate_folder(folder) == []
    with pytest.raises(KitError, match="not a set of clips"):
        takedown.takedown(folder.parent, GONE)


# ---- copies, renames, shared ids

COPY, SHA = "copy of it.mp4", {GONE: "a" * 64, STAYS: "b" * 64}


@pytest.fixture
def copied(folder):
    """The folder with the sha256 of every upload, and a byte copy of GONE that has a clip, a row of its own in each table, a rejected
    clip, and a row in quarantine."""
    clips = [clip_of(folder, upload, number) for upload in (GONE, STAYS) for number in (0, 20)] + [clip_of(folder, COPY, 0)]
    for clip in clips:
        clip.extra["upload_sha256"] = SHA.get(clip.source_id, SHA[GONE])
    write_folder(folder, clips)
    files = [{"file": name, "reason": "", "sha256": SHA.get(name, SHA[GONE])} for name in (GONE, STAYS, COPY)]
    pq.write_table(pa.Table.from_pylist(files), folder / "files.parquet")
    rows = [{"clip_id": f"{name}-{k}", "upload": name} for name in (GONE, STAYS, COPY) for k in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "clips.parquet")
    write_csv(folder / "quarantine.csv", [{"file": COPY, "reason": "copy", "message": "m"}, {"file": "upload_03.mp4", "reason": "empty"}])
    return folder


def test_copies_of_the_upload_go_with_it_and_are_refused_by_their_content(copied):
    takedown.takedown(copied, GONE)
    assert {clip.source_id for clip in read_folder(copied)} == {STAYS} and validate_folder(copied) == []
    assert pq.read_table(copied / "files.parquet")["file"].to_pylist() == [STAYS]
    assert set(pq.read_table(copied / "clips.parquet")["upload"].to_pylist()) == {STAYS}
    assert COPY not in (copied / "quarantine.csv").read_text() and "upload_03.mp4" in (copied / "quarantine.csv").read_text()
    assert takedown.is_taken_down(copied, "renamed.mp4", SHA[GONE]) and not takedown.is_taken_down(copied, "renamed.mp4", SHA[STAYS])
    assert not takedown.is_taken_down(copied, "renamed.mp4") and not takedown.is_taken_down(copied, STAYS, None)
    assert takedown.entries(copied)[0]["content"] == [SHA[GONE]] and takedown.remains(copied) == []


def test_a_copy_that_was_set_aside_takes_the_clips_of_the_other_with_it(copied):
    takedown.takedown(copied, COPY)
    assert {clip.source_id for clip in read_folder(copied)} == {STAYS}


def test_a_takedown_with_copies_ends_the_same_wherever_it_was_cut_off(copied, tmp_path, monkeypatch):
    whole, steps = done(copied, tmp_path), 0
    for broken in cut_off(copied, tmp_path, monkeypatch):
        steps += 1
        takedown.takedown(broken, GONE)
        assert without_parts(broken) == whole and takedown.remains(broken) == []
    assert steps >= 10


def test_uploads_that_share_an_id_keep_their_rows(tmp_path):
    out = tmp_path / "set"
    rows = [{"file_name": f"{name}_0.mp4", "clip_id": "0001", "source_id": "channel", "extra": {"upload": f"{name}.mp4"}} for name in "ab"]
    out.mkdir()
    for row in rows:
        (out / row["file_name"]).write_bytes(b"x")
    (out / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_csv(out / "scores.csv", [{"clip_id": "0001", "file_name": f"{name}_0.mp4", "score": 1} for name in "ab"])
    write_csv(out / "votes.csv", [{"clip_id": "0001", "vote": 1}, {"clip_id": "0001", "vote": 2}])
    write_csv(out / "words.csv", [{"source_id": "channel", "kept": 1}])
    said = takedown.takedown(out, "a.mp4")
    assert [row["file_name"] for row in map(json.loads, (out / "metadata.jsonl").read_text().splitlines())] == ["b_0.mp4"]
    assert (out / "b_0.mp4").exists() and not (out / "a_0.mp4").exists()
    assert (out / "scores.csv").read_text().splitlines() == ["clip_id,file_name,score", "0001,b_0.mp4,1"]
    assert len((out / "votes.csv").read_text().splitlines()) == 3 and "votes.csv" in said["mentions"]      # nobody can say whose they are
    assert "channel" in (out / "words.csv").read_text()
    takedown.takedown(out, "channel")
    assert (out / "metadata.jsonl").read_text() == "" and not (out / "b_0.mp4").exists()


def test_an_id_that_was_listed_before_contents_were_kept_learns_its_content(copied):
    line = json.dumps({"sha256": takedown.digest(GONE), "date": "2025-01-01", "reason": ""})
    (copied / takedown.LIST).write_text(line + "\n")
    takedown.takedown(copied, GONE)
    assert takedown.is_taken_down(copied, "renamed.mp4", SHA[GONE]) and {clip.source_id for clip in read_folder(copied)} == {STAYS}


def test_a_taken_down_upload_does_not_come_back_under_another_name(tmp_path):
    folder, out = tmp_path / "raw", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b"):
        video.write(folder / f"{name}.mp4", shot(ord(name), 12, (480, 640), dx=3), 8, crf=16)
    settings = {"size": 32, "frames": 9, "fps": 8, "step": 1 / 6, "read_text": False, "report": False, "workers": 0,
                "say": lambda text: None}
    curate.curate(folder, out, **settings)
    assert {clip.source_id for clip in read_folder(out)} == {"a.mp4", "b.mp4"}
    takedown.takedown(out, "b.mp4")
    (folder / "b.mp4").rename(folder / "nothing to see.mp4")
    for _ in range(2):
        curate.curate(folder, out, **settings)
        assert {clip.source_id for clip in read_folder(out)} == {"a.mp4"} and takedown.remains(out) == []
        assert "taken_down" in set(pq.read_table(out / "quarantine.parquet")["reason"].to_pylist())
        assert "nothing to see.mp4" not in pq.read_table(out / "files.parquet")["file"].to_pylist()
