"""What goes wrong with files and machines: every file ends as candidates or with a typed reason, and an interrupted job ends the same."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from tests.curate.pictures import shot
from tests.curate.test_stage import same

from medgen_kit import video
from medgen_kit.curate import curate, shards
from medgen_kit.curate.guard import Crashed, Guard, Hung, Stopped
from medgen_kit.errors import DiskError, KitError

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"size": 16, "frames": 9, "fps": 8, "step": 1 / 6, "read_text": False, "report": False, "workers": 0, "files_per_shard": 1,
         "rules": {"min_side": 1, "quality": -1, "still": 0.0}, "say": lambda text: None}


def encode(path, frames, rate=8, codec="libx264", form="mp4", pix_fmt="yuv420p", aspect=None, rotation=None, times=None, sound=False,
           **options):
    """A video file of any kind: frames uint8 [T, H, W, 3]; times: presentation times in 1/100 s for unequal gaps."""
    with av.open(str(path), "w", format=form, options={"movflags": "faststart"} if form == "mp4" else {}) as container:
        stream = container.add_stream(codec, rate=rate, options={"x265-params": "log-level=none", **options} if "265" in codec else options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        if times:
            stream.codec_context.time_base = Fraction(1, 100)
        if aspect:
            stream.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        voice = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice:
            for k in range(20):
                part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                part.sample_rate, part.pts = 16000, 1024 * k
                container.mux(voice.encode(part))
            container.mux(voice.encode())
    return path


def only_sound(path):
    with av.open(str(path), "w", format="mp4") as container:
        voice = container.add_stream("aac", rate=16000, layout="mono")
        for k in range(20):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            part.sample_rate, part.pts = 16000, 1024 * k
            container.mux(voice.encode(part))
        container.mux(voice.encode())


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory):
    """The failure table of the specification (3.1), file by file, and {name: reason expected}, "" for a file that can be used."""
    from PIL import Image

    folder, moving = tmp_path_factory.mktemp("odd"), shot(1, 24, (96, 128), dx=2)
    good = video.write(folder / "good.mp4", moving, 8)
    (folder / "zero.mp4").touch()
    (folder / "page.mp4").write_text("<!doctype html><title>gone</title>" * 30)
    whole = good.read_bytes()
    (folder / "no_moov.mp4").write_bytes(whole[:24] + whole[whole.index(b"mdat") - 4:])
    (folder / "cut_off.mp4").write_bytes(whole[:len(whole) * 6 // 10])
    flipped = bytearray(whole)
    for at in range(whole.index(b"mdat") + len(whole) // 3, len(whole) - 20, 37):
        flipped[at] ^= 0xFF
    (folder / "flipped.mp4").write_bytes(flipped)
    Image.fromarray(moving[0]).save(folder / "jpeg.mp4", format="JPEG")
    pictures = [Image.fromarray(frame) for frame in moving[:2]]
    pictures[0].save(folder / "gif.mp4", format="GIF", save_all=True, append_images=pictures[1:], duration=125)
    encode(folder / "webm.mp4", moving, codec="libvpx-vp9", form="webm")
    encode(folder / "stream.mp4", moving, form="mpegts")
    encode(folder / "matroska.mp4", moving, form="matroska")
    only_sound(folder / "sound.mp4")
    encode(folder / "vfr.mp4", moving, rate=30, times=list(np.cumsum([5, 25] * 12)))
    encode(folder / "ten_bit.mp4", moving, codec="libx265", pix_fmt="yuv420p10le")
    encode(folder / "wide_pixels.mp4", moving, aspect=Fraction(4, 3))
    encode(folder / "turned.mp4", moving, rotation=90)
    encode(folder / "voice.mp4", moving, sound=True)
    video.write(folder / "one.mp4", moving[:1], 8)
    return folder, {"good.mp4": "", "zero.mp4": "empty", "page.mp4": "not_media", "no_moov.mp4": "no_index", "cut_off.mp4": "truncated",
                    "flipped.mp4": "truncated", "jpeg.mp4": "still_image", "gif.mp4": "still_image", "webm.mp4": "", "stream.mp4": "",
                    "matroska.mp4": "", "sound.mp4": "no_video", "vfr.mp4": "", "ten_bit.mp4": "", "wide_pixels.mp4": "", "turned.mp4": "",
                    "voice.mp4": "", "one.mp4": "too_short"}


def test_the_failure_table_file_by_file(odd_files, tmp_path):
    folder, wanted = odd_files
    curate(folder, tmp_path, **QUICK)
    files = pd.read_parquet(tmp_path / "files.parquet").set_index("file")
    assert {name: reason for name, reason in files["reason"].items()} == wanted
    assert (files.loc[[name for name in wanted if wanted[name]], "message"].str.len() > 10).all()
    clips = pd.read_parquet(tmp_path / "clips.parquet")
    assert set(clips["upload"]) == {name for name in wanted if not wanted[name]}
    usable = files[files["reason"] == ""]
    assert (usable["frames"] == 24).all() and usable.loc["vfr.mp4", "is_vfr"] and not usable.loc["good.mp4", "is_vfr"]
    assert (usable.loc["turned.mp4", "width"], usable.loc["turned.mp4", "height"], usable.loc["turned.mp4", "rotation"]) == (96, 128, 90)
    assert usable.loc["wide_pixels.mp4", "width"] == 171 and usable.loc["voice.mp4", "other_tracks"] == "audio"
    assert "matroska" in usable.loc["webm.mp4", "container"] and usable.loc["stream.mp4", "container"] == "mpegts"
    assert usable.loc["ten_bit.mp4", "codec"] == "hevc"


def test_frames_at_unequal_times_are_sampled_by_time(odd_files, tmp_path):
    folder, _ = odd_files
    curate(folder, tmp_path, **QUICK)
    clips = pd.read_parquet(tmp_path / "clips.parquet")
    one = clips[clips["upload"] == "vfr.mp4"]
    assert one["start_s"].min() == 0.0 and one["end_s"].max() == pytest.approx(3.55 + 1 / 6.7, abs=0.1)
    times = [seconds for seconds, _ in video.iter_frames(folder / "vfr.mp4")]
    for row in one.itertuples():
        assert row.start_s == pytest.approx(times[row.first], abs=1e-3) and row.end_s >= times[row.last]


def test_some_frames_are_those_of_a_whole_pass(odd_files, monkeypatch):
    folder, wanted = odd_files
    usable = [name for name, reason in wanted.items() if not reason]
    assert len(usable) >= 8
    for name in usable:
        path = folder / name
        whole = list(video.decode(path))
        numbers = [0, 3, 4, 9, 14, len(whole) - 1]
        some = list(video.decode(path, [*reversed(numbers), 5000]))
        assert [frame.number for frame in some] == numbers, name
        for frame in some:
            assert np.array_equal(frame.rgb(), whole[frame.number].rgb()) and frame.seconds == whole[frame.number].seconds, name
        assert np.array_equal(video.times(path), [frame.seconds for frame in whole]), name
    monkeypatch.setattr(video, "stamps", lambda _: None)                 # packets that tell nothing: everything is decoded
    assert [frame.number for frame in video.decode(folder / "good.mp4", [2, 7])] == [2, 7]
    assert len(video.times(folder / "good.mp4")) == 24
    monkeypatch.setattr(video, "stamps", lambda _: list(range(0, 999 * 100, 100)))        # packets that lie
    assert [frame.number for frame in video.decode(folder / "good.mp4", [2, 7])] == [2, 7]


def test_frames_that_nothing_is_made_from_are_skipped(tmp_path, monkeypatch):
    path, decoded = video.write(tmp_path / "long.mp4", shot(3, 120, (96, 128), dx=2), 24), []
    passed = video._packets
    monkeypatch.setattr(video, "_packets", lambda *given: (decoded.append(frame) or frame for frame in passed(*given)))
    assert [frame.number for frame in video.decode(path, [5, 60, 119])] == [5, 60, 119]
    assert len(decoded) < 90


def test_two_hundred_mutated_videos_end_as_candidates_or_with_a_reason(tmp_path):
    rng, folder = random.Random(7), tmp_path / "raw"
    folder.mkdir()
    seeds = [encode(tmp_path / "a.mp4", shot(1, 12, (48, 64), dx=2)).read_bytes(),
             encode(tmp_path / "b.mkv", shot(2, 12, (48, 64), dx=2), form="matroska").read_bytes(),
             encode(tmp_path / "c.webm", shot(3, 12, (48, 64), dx=2), codec="libvpx-vp9", form="webm").read_bytes(),
             encode(tmp_path / "d.ts", shot(4, 12, (48, 64), dx=2), form="mpegts").read_bytes()]
    for number in range(200):
        data = bytearray(seeds[number % 4])
        for _ in range(rng.randint(1, 12)):
            kind, at = rng.randrange(5), rng.randrange(len(data))
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at:at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
            elif kind == 2:
                del data[at:at + rng.randint(1, 60)]
            elif kind == 3:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
            else:
                data = data[:max(40, at)]
        (folder / f"{number:03d}.mp4").write_bytes(data)
    curate(folder, tmp_path / "out", **QUICK | {"workers": 2, "seconds_per_file": 20.0, "files_per_shard": 16})
    files, clips = pd.read_parquet(tmp_path / "out" / "files.parquet"), pd.read_parquet(tmp_path / "out" / "clips.parquet")
    quarantine = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    used = set(clips["upload"])
    assert sorted(files["file"]) == sorted(path.name for path in folder.iterdir())
    assert all((name in used) != bool(reason) for name, reason in zip(files["file"], files["reason"]))
    assert set(files["reason"]) - {""} <= {"not_media", "no_index", "no_video", "truncated", "too_short", "too_large", "unreadable"}
    assert set(quarantine["file"]) == set(files[files["reason"] != ""]["file"]) and len(used) > 20 and len(quarantine) > 50


@pytest.fixture
def three(tmp_path):
    """A folder of three good videos; the middle one has a bright first picture."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, low in (("a", 20), ("b", 200), ("c", 20)):
        video.write(folder / f"{name}.mp4", shot(ord(name), 12, (48, 64), dx=2, low=low, high=low + 50), 8)
    return folder


@pytest.mark.parametrize(("how", "reason"), [("crash", "decoder_crash"), ("hang", "timeout"), ("fail", "failed")])
def test_a_decoder_that_crashes_or_hangs_costs_its_file_and_no_other(three, tmp_path, how, reason):
    curate(three, tmp_path / "out", **QUICK | {"workers": 1, "medical": f"tests.curate.pictures:{how}", "files_per_shard": 8,
                                               "seconds_per_file": 4.0 if how == "hang" else 60.0})
    files = pd.read_parquet(tmp_path / "out" / "files.parquet").set_index("file")["reason"]
    assert dict(files) == {"a.mp4": "", "b.mp4": reason, "c.mp4": ""}
    assert set(pd.read_parquet(tmp_path / "out" / "clips.parquet")["upload"]) == {"a.mp4", "c.mp4"}


def test_the_guard_gives_back_results_errors_and_lives_on():
    with Guard(5) as guard:
        assert guard.call(os.path.join, "a", "b") == "a/b"
        assert os.getsid(guard.child.pid) == guard.child.pid, "a Ctrl-C in the terminal would reach it"
        with pytest.raises(KitError, match="no rule 'x'"):
            from medgen_kit.curate import decide
            guard.call(decide.stage, "x")
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            guard.call(divmod_of, 1, 0)
        with pytest.raises(Crashed, match="SIGSEGV"):
            guard.call(os.kill, *suicide(guard))
        assert guard.call(os.path.join, "c", "d") == "c/d"
        guard.seconds = 0.5
        with pytest.raises(Hung):
            guard.call(sleep, 30)
        guard.seconds = 30
        assert guard.call(os.path.join, "e", "f") == "e/f"


def divmod_of(a, b):
    return a // b


def sleep(seconds, *_):
    time.sleep(seconds)


def suicide(guard):
    return guard.child.pid, signal.SIGSEGV


def test_the_child_ends_when_its_parent_is_killed(tmp_path):
    code = """
        import sys, time
        from medgen_kit.curate.guard import Guard
        guard = Guard(60)
        guard.call(len, "ab")
        print(guard.child.pid, flush=True)
        time.sleep(60)
    """
    with start(code, tmp_path) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not alive(child):
            return
        sleep(0.1)
    pytest.fail("the child outlived its parent")


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] if Path("/proc").is_dir() else not os.kill(pid, 0)
    except OSError:
        return False


def start(code, folder, **options):
    """A Python process that runs `code` where this package and its tests are found."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder)))}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment, stdout=subprocess.PIPE, text=True, **options)


def job(raw, out, **changes):
    """Code that curates `raw` into `out` and prints a line for every step. (A shell's background jobs ignore SIGINT until told.)"""
    settings = {key: value for key, value in (QUICK | changes).items() if key != "say"}
    return f"""
        import json
        from medgen_kit.curate import curate
        curate({str(raw)!r}, {str(out)!r}, json.loads({json.dumps(settings)!r}), say=lambda text: print(text, flush=True))
    """


@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_disk_stops_the_job_cleanly_and_it_goes_on_later(three, tmp_path, workers):
    big, whole, out = {"size": 256, "frames": 12, "text": "none"}, tmp_path / "whole", tmp_path / "out"
    for name in "abc":
        video.write(three / f"{name}.mp4", shot(ord(name), 12, (240, 320), dx=9), 8)
    curate(three, whole, **QUICK | big)
    limit = max(path.stat().st_size for path in (whole / "shards").iterdir()) + 100
    assert limit < min(path.stat().st_size for path in (whole / "videos").iterdir()), "it must be the clips that do not fit"

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with start(job(three, out, **big, workers=workers), tmp_path, preexec_fn=small_files, stderr=subprocess.PIPE) as first:
        said = first.communicate(timeout=120)[1]
    assert first.returncode == 1 and "DiskError" in said and "Free some disk space" in said and f"{out / 'videos'}" in said
    assert workers or not list(out.rglob("*.part"))
    assert not list((out / "shards").glob("cut-*.files.parquet")) and len(list((out / "shards").glob("look-*.files.parquet"))) == 3
    curate(three, out, **QUICK | big)
    same(whole, out)
    assert not list(out.rglob("*.part"))


def full(frames):
    """A medical test that writes to a disk that is full."""
    Path("/dev/full").write_bytes(bytes(len(frames)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
def test_a_full_disk_under_a_function_of_the_user_is_no_fault_of_the_file(three, tmp_path):
    with pytest.raises(DiskError, match="No space left on device .*Free some disk space"):
        curate(three, tmp_path / "out", **QUICK | {"workers": 2, "medical": "tests.curate.test_faults:full"})
    assert not list((tmp_path / "out").rglob("*.parquet"))


@pytest.mark.parametrize("place", ["terminal", "notebook"])
def test_interrupted_twice_no_healthy_file_is_given_up(tmp_path, place):
    slow = {"workers": 2, "files_per_shard": 3, "medical": "tests.curate.pictures:slowly", "text": "none"}
    raw, whole, rng = tmp_path / "raw", tmp_path / "whole", random.Random(5)
    raw.mkdir()
    for k in range(14):                                          # many, so that it is still at work when the signal comes
        video.write(raw / f"{k:02d}.mp4", shot(k, 12, (48, 64), dx=2), 8)
    curate(raw, whole, **QUICK | slow)
    for gap in (0.02, 1.2)[place == "terminal":]:
        out = tmp_path / f"out{gap}"
        code = textwrap.dedent(job(raw, out, **slow))
        if place == "notebook":                                  # the kernel lives on, and the cell is run again
            code = f"for _ in range(3):\n  try:\n{textwrap.indent(code, '    ')}    break\n  except KeyboardInterrupt:\n    pass"
        code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + code.lstrip("\n")
        with start(code, tmp_path, start_new_session=True, stderr=subprocess.DEVNULL) as process:
            assert "looked at" in process.stdout.readline()
            sleep(rng.uniform(0, 0.3))
            began = time.monotonic()
            for _ in range(2):
                with contextlib.suppress(ProcessLookupError):    # it may be gone already
                    os.killpg(process.pid, signal.SIGINT)
                sleep(gap)
            assert process.wait(60) == (0 if place == "notebook" else -signal.SIGINT)
            assert place == "notebook" or time.monotonic() - began < 2 * gap + 2, "it did not stop at once"
        curate(raw, out, **QUICK | slow)
        same(whole, out)
        assert not len(pd.read_parquet(out / "quarantine.parquet"))


def test_a_call_that_is_stopped_blames_no_file():
    stop = threading.Event()
    with Guard(60, stop) as guard:
        threading.Timer(0.5, stop.set).start()
        with pytest.raises(Stopped):                             # while it starts or while it sleeps
            guard.call(sleep, 30)
        assert guard.child is None
        with pytest.raises(Stopped):
            shards.careful(guard, sleep, 30, "a.mp4")


def test_killed_twelve_times_it_ends_as_if_nothing_had_happened(tmp_path):
    """Eight times with two workers at any moment since the start of the process, four times without in the middle of a file."""
    raw, whole, rng = tmp_path / "raw", tmp_path / "whole", random.Random(11)
    raw.mkdir()
    for k in range(6):
        video.write(raw / f"{k:02d}.mp4", shot(k, 12, (48, 64), dx=1 + k % 3), 8)
    (raw / "page.mp4").write_text("<html>" * 40)
    began = time.monotonic()
    start(job(raw, whole, workers=2, text="none"), tmp_path).communicate()
    seconds = time.monotonic() - began
    for workers, most in ((2, 8), (0, 4)):
        kills = 0
        while kills < most:
            out = tmp_path / f"out{workers}_{kills}"
            kills += kills_until_done(raw, out, rng, most - kills, workers, seconds)
            curate(raw, out, **QUICK | {"text": "none"})
            same(whole, out)


def kills_until_done(raw, out, rng, most, workers, seconds):
    """Run the job and kill it until it got through or was killed `most` times; returns how often. seconds: what it takes undisturbed."""
    kills, before = 0, {}
    while kills < most and not (out / "manifest.json").is_file():
        with start(job(raw, out, workers=workers, text="none"), raw.parent) as process:
            while not workers and "were" in process.stdout.readline():       # what was done before
                pass
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, seconds if workers else 0.06))
            if process.poll() is None:
                process.kill()
                kills += 1
        now = stamps(out)
        assert {name: now.get(name) for name in before} == before, "a finished shard was made again"
        before = now
    sleep(0.6)                                                   # its children see that it is gone
    return kills


def stamps(out):
    """When each finished shard was written."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "shards").glob("*.files.parquet")} if (out / "shards").is_dir() else {}
