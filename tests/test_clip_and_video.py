"""Clips, VideoFolders and video files: round trips, and a typed plain refusal for everything that is broken."""

import json

import numpy as np
import pytest

from medgen_kit import Clip, KitError, VideoError, read_folder, video, write_folder
from medgen_kit.clip import inside, validate_folder, write_csv, write_text
from medgen_kit.errors import DiskError, disk_advice


@pytest.fixture
def frames():
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    base = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(128)), -1)
    return np.stack([np.roll(base, 4 * t, axis=1) for t in range(9)])


def make(folder, frames, name="a.mp4", **fields):
    path = video.write(folder / "videos" / name, frames, 8, crf=0)
    return Clip.of(path, **{"video_category": "medical imaging", "brief_caption": "x", **fields})


def test_round_trip_keeps_frames_and_record(tmp_path, frames):
    clip = make(tmp_path, frames, factors={"modality": "echo"}, extra={"title": "t"}, concepts=["a"])
    assert (clip.width, clip.height, clip.fps, clip.duration) == (64, 64, 8.0, 9 / 8)
    write_folder(tmp_path, [clip])
    (again,) = read_folder(tmp_path)
    assert again == clip
    assert np.abs(again.frames().astype(int) - frames).mean() < 4
    assert again.frames(count=3, size=32).shape == (3, 32, 32, 3)
    assert validate_folder(tmp_path) == []


def test_datasets_reads_the_folder(tmp_path, frames):
    from datasets import load_dataset

    write_folder(tmp_path, [make(tmp_path, frames, "a.mp4", factors={"modality": "echo"}), make(tmp_path, frames, "b.mp4")])
    table = load_dataset("videofolder", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(table) == 2 and {"video", "brief_caption", "factors"} <= set(table.column_names)


def test_problems_of_a_folder_are_named(tmp_path, frames):
    write_folder(tmp_path, [make(tmp_path, frames)])
    make(tmp_path, frames, "extra.mp4")
    (tmp_path / "videos" / "a.mp4").unlink()
    said = " ".join(validate_folder(tmp_path))
    assert "a.mp4" in said and "extra.mp4" in said


def test_a_path_that_climbs_out_is_refused(tmp_path, frames):
    write_folder(tmp_path, [make(tmp_path, frames)])
    row = json.loads((tmp_path / "metadata.jsonl").read_text())
    write_text(tmp_path / "metadata.jsonl", json.dumps(row | {"file_name": "../outside.mp4"}))
    with pytest.raises(KitError, match="inside"):
        read_folder(tmp_path)


def test_only_plain_names_are_inside_a_folder(tmp_path):
    (tmp_path / "set" / "sub").mkdir(parents=True)
    (tmp_path / "set" / "out").symlink_to(tmp_path)
    (tmp_path / "set" / "loop").symlink_to("loop")
    assert inside(tmp_path / "set", "sub/a.mp4") == tmp_path.resolve() / "set" / "sub" / "a.mp4"
    assert inside(tmp_path / "set", "loop").name == "loop"
    for name in ("", None, ".", "/", "../a.mp4", "sub/../a.mp4", str(tmp_path / "set" / "a.mp4"), "out/a.mp4", "a\0.mp4", "\ud83d.mp4"):
        with pytest.raises(KitError, match="without '..'"):
            inside(tmp_path / "set", name)


def test_broken_metadata_names_its_line(tmp_path, frames):
    write_folder(tmp_path, [make(tmp_path, frames)])
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(KitError, match="line 2"):
        read_folder(tmp_path)


def test_unknown_category_is_refused(tmp_path, frames):
    with pytest.raises(KitError, match="cooking"):
        make(tmp_path, frames, video_category="cooking")


@pytest.mark.parametrize("reason, spoil", [
    ("missing", lambda p: p.unlink()),
    ("empty", lambda p: p.write_bytes(b"")),
    ("not_media", lambda p: p.write_text("hello " * 100)),
    ("no_index", lambda p: p.write_bytes(p.read_bytes()[:40])),
])
def test_unusable_files_say_why(tmp_path, frames, reason, spoil):
    path = video.write(tmp_path / "v.mp4", frames, 8)
    spoil(path)
    with pytest.raises(VideoError) as caught:
        video.read(path)
    assert caught.value.reason == reason and "v.mp4" in str(caught.value)


def test_a_file_that_breaks_off_is_truncated(tmp_path, frames):
    path = video.write(tmp_path / "v.mp4", np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), dtype=np.uint8), 8)
    path.write_bytes(path.read_bytes()[:int(0.6 * path.stat().st_size)])
    with pytest.raises(VideoError) as caught:
        video.read(path)
    assert caught.value.reason == "truncated"


def test_a_huge_video_is_refused_before_decoding(tmp_path, frames, monkeypatch):
    path = video.write(tmp_path / "v.mp4", frames, 8)
    long = video.VideoInfo(1920, 1080, 30, 30 * 60, 60, 8_000_000, "h264")             # a minute of full HD: 10 GiB of frames
    monkeypatch.setattr(video, "probe", lambda _: long)
    monkeypatch.setattr(video, "decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(VideoError, match="10.4 GiB of memory") as caught:
        video.read(path)
    assert caught.value.reason == "too_large"


def test_a_huge_video_can_be_read_small_or_in_part(tmp_path, frames, monkeypatch):
    path = video.write(tmp_path / "v.mp4", frames, 8)
    long = video.VideoInfo(1920, 1080, 30, 30 * 60, 60, 8_000_000, "h264")
    monkeypatch.setattr(video, "probe", lambda _: long)
    assert video.read(path, size=32)[0].shape[1:] == (32, 32, 3)
    monkeypatch.setattr(video, "probe", lambda _: video.VideoInfo(1920, 1080, 30, len(frames), 1, 8_000_000, "h264"))
    assert len(video.read(path, count=4)[0]) == 4


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_video_folder_of_another_origin_is_read(tmp_path, frames, kind):
    import pandas as pd

    video.write(tmp_path / "v.mp4", frames, 8)
    table = pd.DataFrame([{"file_name": "v.mp4", "text": "a heart", "site": "ward 3", "width": None}])
    {"jsonl": lambda path: table.to_json(path, orient="records", lines=True), "csv": lambda path: table.to_csv(path, index=False),
     "parquet": table.to_parquet}[kind](tmp_path / f"metadata.{kind}")
    found, = read_folder(tmp_path)
    assert (found.width, found.height, found.fps) == (frames.shape[2], frames.shape[1], 8) and found.detailed_caption == "a heart"
    assert found.video_category == "" and found.video_name == "v.mp4" and found.extra == {"site": "ward 3"} and found.split == "train"
    assert np.array_equal(found.frames().shape, frames.shape)


def test_a_table_of_our_records_as_csv_is_read_back(tmp_path, frames):
    path = video.write(tmp_path / "v.mp4", frames, 8)
    made = Clip.of(path, video_category="medical imaging", clip_id="0012", concepts=["anatomy/heart", "finding/polyp"],
                   factors={"modality": "echo"})
    write_csv(tmp_path / "metadata.csv", [made.record(tmp_path)])
    found, = read_folder(tmp_path)
    assert found.clip_id == "0012" and found.concepts == made.concepts and found.factors == made.factors and found.fps == made.fps


def test_a_table_without_file_names_is_refused(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"video": "v.mp4"}\n')
    with pytest.raises(KitError, match="line 1: no file_name.*medvideocap"):
        read_folder(tmp_path)
    (tmp_path / "metadata.jsonl").unlink()
    with pytest.raises(KitError, match="holds no metadata.jsonl, metadata.csv, metadata.parquet"):
        read_folder(tmp_path)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_file_that_the_disk_does_not_give_is_unreadable(tmp_path, frames, monkeypatch, error):
    import av

    def refuse(*_, **__):
        raise error

    path = video.write(tmp_path / "v.mp4", frames, 8)
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(VideoError) as caught:
        video.probe(path)
    assert caught.value.reason == "unreadable" and str(path) in str(caught.value)


def test_full_disk_leaves_nothing_half_written(tmp_path, frames, monkeypatch):
    path = video.write(tmp_path / "v.mp4", frames, 8)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(KitError, match="No space left"):
        video.write(path, frames[:2], 8)
    with pytest.raises(KitError, match="No space left"):
        write_text(tmp_path / "t.txt", "x")
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["v.mp4"]


def test_the_advice_fits_what_the_system_said(tmp_path, monkeypatch):
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiskError, match="folder.txt could not be written.*give the name of a file") as caught:
        write_text(tmp_path / "folder.txt", "x")
    assert "disk space" not in str(caught.value)
    for place in ("file/a.txt", "file/deeper/a.txt"):
        with pytest.raises(DiskError, match="is a file and not a folder"):
            write_text(tmp_path / place, "x")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(DiskError, match="Permission denied.*in which you may write") as caught:
        write_text(tmp_path / "t.txt", "x")
    assert "disk space" not in str(caught.value) and sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.txt"]
    assert "disk space" in disk_advice(OSError(28, "No space left on device"))


def test_sample_indices_are_interval_centres():
    assert video.sample_indices(30, 3) == [5, 15, 25]
    assert video.sample_indices(2, 4) == [0, 0, 1, 1]
    with pytest.raises(KitError):
        video.sample_indices(0, 3)


def test_synthetic_is_marked_in_picture_and_file(tmp_path, frames):
    marked = video.mark_synthetic(np.zeros_like(frames))
    assert marked.shape[1] >= 96 and marked.max() > 200
    assert "SYNTHETIC" in video.probe(video.write(tmp_path / "s.mp4", marked, 8, synthetic=True)).comment


@pytest.mark.parametrize("size", [32, 96])
def test_same_frames_same_bytes(tmp_path, size):
    frames = np.random.default_rng(0).integers(0, 255, (9, size, size, 3), dtype=np.uint8)
    files = {video.write(tmp_path / f"{k}.mp4", frames, 8).read_bytes() for k in range(12)}
    assert len(files) == 1


def test_a_recording_that_begins_in_the_middle_is_counted_from_its_first_picture(tmp_path):
    import av

    whole = tmp_path / "whole.ts"
    with av.open(str(whole), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "40", "keyint_min": "40", "sc_threshold": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        rng = np.random.default_rng(0)
        for k in range(1500):
            picture = rng.integers(0, 60, (64, 96, 3), dtype=np.uint8)
            for bit in range(11):                                                # the frame's number as bright and dark fields
                picture[16:48, 8 * bit:8 * bit + 8] = 235 if k >> bit & 1 else 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    data, cut = whole.read_bytes(), tmp_path / "cut.ts"
    for lost in range(60, 400, 10):
        cut.write_bytes(data[:188 * 3] + data[188 * lost:])
        with av.open(str(cut)) as container:
            packets = sum(packet.size > 0 for packet in container.demux(video=0))
        frames = list(video.decode(cut))
        if packets - len(frames) > 10:
            break
    assert packets - len(frames) > 10, "no cut leaves packets that cannot be decoded"

    def shown(frame):
        return sum(1 << bit for bit in range(11) if frame.rgb()[20:44, 8 * bit + 2:8 * bit + 6].mean() > 120)

    assert [frame.number for frame in frames] == list(range(len(frames))) and shown(frames[0]) > 0
    first, wanted = shown(frames[0]), [0, 7, 500, 1001, len(frames) - 1]
    some = list(video.decode(cut, wanted))
    assert [(frame.number, shown(frame), frame.seconds) for frame in some] == [(n, first + n, frames[n].seconds) for n in wanted]
    assert len(video.times(cut)) == len(frames)


def test_a_list_of_other_files_is_no_video(tmp_path, frames):
    video.write(tmp_path / "other.mp4", frames, 8)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(VideoError, match="list of other files") as caught:
        video.probe(tmp_path / "list.mp4")
    assert caught.value.reason == "not_media"
