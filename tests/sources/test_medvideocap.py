"""MedVideoCap-55K: two local repositories in different layouts, and every way in which such a repository can be wrong."""

import csv
import io
import json
import socket
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from medgen_kit import video
from medgen_kit.clip import read_folder, validate_folder
from medgen_kit.errors import KitError, VideoError
from medgen_kit.sources import fetch_video, medvideocap
from medgen_kit.sources.hub import category, columns, medvideocap_clips

CATEGORIES = ["Clinical practice videos", "medical_teaching", "Medical Imaging", "medical animation", "popular science"]


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """Six small videos that differ, as bytes."""
    folder = tmp_path_factory.mktemp("footage")
    clips = []
    for number in range(6):
        frames = np.random.default_rng(number).integers(0, 256, (4, 16, 24, 3), dtype=np.uint8)
        clips.append(video.write(folder / f"{number}.mp4", frames, 8).read_bytes())
    return clips


@pytest.fixture
def loose(tmp_path, footage):
    """Layout 1: a jsonl table with the paper's names beside loose videos; one corrupt line, one row without a caption."""
    root = tmp_path / "loose"
    (root / "videos" / "a").mkdir(parents=True)
    lines = []
    for number, data in enumerate(footage):
        name = f"videos/a/clip{number}.mp4"
        (root / name).write_bytes(data)
        lines.append(json.dumps({"video_name": name, "resolution": "720x480", "bit_rate": 642758, "aesthetic_score": 4.88,
                                 "dover_score": 0.705, "duration": 8.99, "fps": 8, "camera_motion": "static shot",
                                 "video_category": CATEGORIES[number % 5],
                                 "brief_caption": f"brief {number}", "detailed_caption": f"detailed {number}", "uploader": "someone",
                                 "split": "test" if number == 5 else "train"}))
    lines.insert(2, '{"video_name": "videos/a/broken')
    lines.append(json.dumps({"video_name": "videos/a/clip1b.mp4", "brief_caption": ""}))
    (root / "meta").mkdir()
    (root / "meta" / "MedVideoCap.jsonl").write_text("\n".join(lines))
    (root / "dataset_infos.json").write_text('{"version": "1.0"}')
    (root / "README.md").write_text("card")
    return root


@pytest.fixture
def zipped(tmp_path, footage):
    """Layout 2: a parquet and a csv table with other column names, videos in two zip archives, one of them cut into pieces."""
    root = tmp_path / "zipped"
    (root / "data").mkdir(parents=True)
    rows = [{"Clip-ID": f"v{n}", "Caption.Short": f"brief {n}", "caption": f"detailed {n}", "Category": CATEGORIES[n % 5],
             "Technical Score": "0.5", "length": "8.5 s", "thumbnail": b"\0" * 99, "Lecture": n} for n in range(4)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), root / "data" / "train-00000.parquet")
    with (root / "data" / "test-00000.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["video_id", "caption", "category"])
        writer.writerows([["v4", "detailed, with a comma", "medical imaging"], ["v5"], ["v5", "detailed 5", "medical teaching"]])
    for name, numbers in (("videos_0.zip", (0, 1, 2)), ("videos_1.zip", (3, 4, 5))):
        with zipfile.ZipFile(root / name, "w") as archive:
            for number in numbers:
                archive.writestr(f"clips/v{number}.mp4", footage[number])
    whole = (root / "videos_1.zip").read_bytes()
    (root / "videos_1.zip").unlink()
    for piece in range(3):
        (root / f"videos_1.zip.00{piece + 1}").write_bytes(whole[piece * len(whole) // 3:(piece + 1) * len(whole) // 3])
    return root


def test_jsonl_with_loose_videos(loose, tmp_path):
    problems = []
    rows = medvideocap(root=loose, problems=problems)
    assert iter(rows) is rows
    rows = list(rows)
    assert [r["video_name"] for r in rows] == [f"videos/a/clip{n}.mp4" for n in range(5)]
    first = rows[0]
    assert (first["width"], first["height"], first["bit_rate"], first["dover_score"]) == (720, 480, 642758, 0.705)
    assert first["video_category"] == "clinical practice" and first["camera_motion_type"] == "static shot"
    assert first["extra"] == {"uploader": "someone"}
    assert len(problems) == 2 and "line 3: not valid JSON" in problems[0] and "no caption" in problems[1]
    assert [r["brief_caption"] for r in medvideocap("test", root=loose, streaming=False, problems=[])] == ["brief 5"]
    path = fetch_video(rows[3], tmp_path / "out")
    assert path.read_bytes() == (loose / "videos/a/clip3.mp4").read_bytes() and path.name == "clip3.mp4"


def test_parquet_and_csv_with_zipped_videos(zipped, footage, tmp_path):
    rows = medvideocap(root=zipped, streaming=False, problems=[])
    assert [r["video_name"] for r in rows] == ["v0", "v1", "v2", "v3"]
    assert rows[1]["brief_caption"] == "brief 1" and rows[1]["detailed_caption"] == "detailed 1"
    assert rows[1]["duration"] == 8.5 and rows[1]["dover_score"] == 0.5 and rows[1]["extra"] == {"Lecture": 1}
    assert {r["video_category"] for r in rows} == {"clinical practice", "medical teaching", "medical imaging", "medical animation"}
    with pytest.warns(UserWarning, match="line 3: the number of fields"):
        tests = medvideocap("test", root=zipped, streaming=False)
    assert [r["detailed_caption"] for r in tests] == ["detailed, with a comma", "detailed 5"]
    assert fetch_video(rows[2], tmp_path / "o").read_bytes() == footage[2]           # a whole archive
    assert fetch_video(tests[0], tmp_path / "o").read_bytes() == footage[4]          # an archive in three pieces
    assert fetch_video(tests[0], tmp_path / "o").name == "v4.mp4"                    # a second time: kept


def test_rows_stream_without_opening_a_video(zipped, monkeypatch):
    from medgen_kit.sources.repository import Repository

    opened, plain = [], Repository.open
    monkeypatch.setattr(Repository, "open", lambda self, name: opened.append(name) or plain(self, name))
    assert len(medvideocap(root=zipped, limit=2, streaming=False, problems=[])) == 2
    assert not [name for name in opened if "zip" in name]


def test_a_json_table_of_named_rows(tmp_path, footage):
    (tmp_path / "all.json").write_text(json.dumps({"x1.mp4": {"caption": "one"}, "x2.mp4": {"caption": "two"}}))
    (tmp_path / "x1.mp4").write_bytes(footage[0])
    assert [r["video_name"] for r in medvideocap(root=tmp_path, streaming=False)] == ["x1.mp4", "x2.mp4"]
    (tmp_path / "all.json").write_text(json.dumps({"data": [{"name": "x1", "text": "one"}]}))
    record = medvideocap(root=tmp_path, streaming=False)[0]
    assert fetch_video(record, tmp_path / "o").name == "x1.mp4"


def test_a_video_folder_of_clips(loose, tmp_path, footage):
    (loose / "videos" / "a" / "clip1.mp4").write_bytes(footage[1][:300])             # broken
    (loose / "videos" / "a" / "clip2.mp4").unlink()                                  # missing
    clips, problems = medvideocap_clips(tmp_path / "set", 3, root=loose)
    assert [c.video_name for c in clips] == ["clip0.mp4", "clip3.mp4", "clip4.mp4"] and not validate_folder(tmp_path / "set")
    assert any("clip1.mp4" in p for p in problems) and any("no video 'videos/a/clip2.mp4'" in p for p in problems)
    again = read_folder(tmp_path / "set")
    assert again[1].brief_caption == "brief 3" and again[1].dover_score == 0.705 and again[1].width == 24
    assert again[0].video_category == "clinical practice" and "research only" in again[0].licence
    assert not list((tmp_path / "set").rglob("*.part*"))


def test_a_full_disk_is_not_a_missing_network_nor_a_bad_row(loose, tmp_path, monkeypatch):
    """The disk fills at the second video: the whole fetch stops with one sentence instead of leaving every further row out."""
    import shutil

    from medgen_kit.errors import DiskError

    copies, copy = [], shutil.copyfileobj

    def fill(*given):
        copies.append(1)
        if len(copies) == 2:
            raise OSError(28, "No space left on device")
        return copy(*given)

    monkeypatch.setattr(shutil, "copyfileobj", fill)
    with pytest.raises(DiskError, match="clip1.mp4 could not be written: the disk is full"):
        medvideocap_clips(tmp_path / "set", 4, root=loose)
    assert len(copies) == 2 and [p.name for p in (tmp_path / "set").rglob("*.mp4")] == ["clip0.mp4"]


def test_clips_without_splits_are_held_out_so_that_the_towers_can_be_tried(footage, tmp_path):
    from medgen_kit.align import ClipData, one_clip_each
    from medgen_kit.clip import write_folder
    from medgen_kit.sources.samples import hold_out

    root = tmp_path / "root"
    root.mkdir()
    for number in range(6):
        (root / f"{number}.mp4").write_bytes(footage[number])
    rows = [{"video": f"{number}.mp4", "caption": f"what clip {number} shows", "summary": f"clip {number}",
             "category": CATEGORIES[number % 5]} for number in range(6)]
    (root / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips, _ = medvideocap_clips(tmp_path / "set", 6, root=root)
    assert {clip.split for clip in clips} == {"train"}
    hold_out(clips, seed=0)
    assert sorted(clip.split for clip in clips) == ["test"] * 2 + ["train"] * 2 + ["val"] * 2
    for number, one in enumerate(clips):
        one.split, one.source_id = "train", f"upload {number % 3}"
    hold_out(clips, seed=0)
    assert {len({clip.split for clip in clips if clip.source_id == f"upload {k}"}) for k in range(3)} == {1}, "an upload stays in one split"
    assert {clip.split for clip in clips} == {"train", "val", "test"}
    write_folder(tmp_path / "set", clips)
    data = ClipData.read(tmp_path / "set", 4, 16)
    assert sorted(data.rows[i]["brief"] for i in one_clip_each(data)) == sorted(c.brief_caption for c in clips if c.split == "test")
    with pytest.raises(KitError, match="two different clips in split 'gone'"):
        one_clip_each(data, "gone")


def test_columns_are_matched_by_name():
    found = columns(["File Name", "Long-Caption", "FPS", "what"])
    assert found == {"video_name": "File Name", "detailed_caption": "Long-Caption", "fps": "FPS"}
    assert columns(["caption", "detailed_caption"])["detailed_caption"] == "detailed_caption"
    assert [category(c) for c in CATEGORIES] == ["clinical practice", "medical teaching", "medical imaging", "medical animation",
                                                 "medical popular science"]
    assert category("cooking") == "cooking"


def test_missing_columns_list_what_was_found_and_what_is_accepted(tmp_path):
    (tmp_path / "t.csv").write_text("clipfile,words\na.mp4,hello\n")
    with pytest.raises(KitError, match="Found: t.csv: clipfile, words.*Accepted: video_name as video_name or file_name.*detailed_caption"):
        medvideocap(root=tmp_path)
    with pytest.raises(KitError, match="is not a folder"):
        medvideocap(root=tmp_path / "nowhere")
    with pytest.raises(KitError, match="no split 'all'"):
        medvideocap("all", root=tmp_path)


def test_a_split_that_does_not_occur_is_named(loose):
    with pytest.raises(KitError, match="no row of split 'val'; it has: test, train"):
        list(medvideocap("val", root=loose, problems=[]))


def test_paths_that_climb_out_are_refused(tmp_path, footage):
    root = tmp_path / "evil"
    root.mkdir()
    with zipfile.ZipFile(root / "v.zip", "w") as archive:
        archive.writestr("../../escaped.mp4", footage[0])
        archive.writestr("/abs.mp4", footage[0])
    rows = [{"video_name": n, "caption": "x"} for n in ("escaped.mp4", "abs", "../../../etc/passwd")]
    (root / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    records = medvideocap(root=root, streaming=False)
    for record, words in zip(records, ("climbs out", "climbs out", "no video")):
        with pytest.raises(KitError, match=words):
            fetch_video(record, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*escaped*")) and not list(tmp_path.rglob("abs*"))


def test_two_videos_of_one_name_need_their_folder(tmp_path, footage):
    for part in "ab":
        (tmp_path / part).mkdir()
        (tmp_path / part / "v.mp4").write_bytes(footage["ab".index(part)])
    names = ("v.mp4", "b/v.mp4", "a/v.mp4")
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps({"video": name, "caption": "x"}) for name in names))
    unclear, second, first = medvideocap(root=tmp_path, streaming=False)
    with pytest.raises(KitError, match="could be 2 videos"):
        fetch_video(unclear, tmp_path / "o")
    assert fetch_video(first, tmp_path / "o").read_bytes() == footage[0] and fetch_video(second, tmp_path / "o").read_bytes() == footage[1]


def test_broken_archives_and_videos(tmp_path, footage):
    (tmp_path / "m.jsonl").write_text('{"video": "v.mp4", "caption": "v"}\n{"video": "w.mp4", "caption": "w"}')
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 not an archive")
    (tmp_path / "w.mp4").write_bytes(b"this is text")
    missing, broken = medvideocap(root=tmp_path, streaming=False)
    with pytest.warns(UserWarning, match="broken archive"), pytest.raises(KitError, match="no video 'v.mp4'"):
        fetch_video(missing, tmp_path / "o")
    with pytest.raises(VideoError, match="w.mp4"):
        fetch_video(broken, tmp_path / "o")
    assert not list((tmp_path / "o").iterdir())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("v.mp4", footage[0])
    data = bytearray(buffer.getvalue())
    data[200:260] = bytes(60)                                        # the checksum no longer fits
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(KitError, match="bad.zip"):
        fetch_video(medvideocap(root=tmp_path, streaming=False)[0], tmp_path / "o")
    assert not list((tmp_path / "o").iterdir())


def test_a_cut_parquet_file_is_reported(tmp_path):
    whole = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"video": ["a"], "caption": ["b"]}), whole)
    (tmp_path / "good.parquet").write_bytes(whole.getvalue())
    (tmp_path / "cut.parquet").write_bytes(whole.getvalue()[:60])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(medvideocap(root=tmp_path, streaming=False, problems=(problems := []))) == 1
    assert len(problems) == 1 and "cut.parquet: not a whole parquet file" in problems[0]


@pytest.mark.parametrize("offline", [True, False], ids=["told to stay offline", "no network"])
def test_without_network_a_plain_sentence(monkeypatch, tmp_path, caplog, offline):
    from huggingface_hub import constants

    from medgen_kit.sources import hub

    asked = []

    def refuse(*_, **__):
        asked.append(1)
        raise OSError("network is unreachable")

    hub.open_repository.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(KitError, match="FreedomIntelligence/MedVideoCap-55K could not be reached.*root=.*works offline"):
        medvideocap(limit=2)
    assert len(asked) == (0 if offline else 1) and "Retrying" not in caplog.text, "asked once, not again and again"
    assert not Path(tmp_path / "anything").exists()
