"""Stage "sources": balance and splits of the plan, records and files of the folder, resuming, no network."""

import socket
from collections import Counter

import numpy as np
import pytest

import medgen_kit as kit
from medgen_kit import sources, video
from medgen_kit.clip import validate_folder
from medgen_kit.errors import KitError
from medgen_kit.run import Work
from medgen_kit.sources import real, samples


def work_at(folder, seed=0, **data):
    profile = kit.profile("smoke", seed=seed, data=data)
    folder.mkdir(exist_ok=True)
    return Work(folder, profile, {}, "sources", None)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The smoke sample set, made while every connection is refused."""
    def refuse(*_):
        raise AssertionError("the network was touched")

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket.socket, "connect_ex", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    work = work_at(tmp_path_factory.mktemp("samples") / "out")
    figures = samples.build(work)
    patch.undo()
    return work, figures, kit.read_folder(work.out)


def key(factors):
    return tuple(sorted(factors.items()))


@pytest.mark.parametrize(("clips", "sweeps", "each"), [(3600, 360, 3), (170, 12, 1)])
def test_the_plan_is_balanced_and_keeps_held_out_combinations_out(clips, sweeps, each):
    jobs = samples.plan(clips, sweeps, seed=0)
    assert len(jobs) == clips + sweeps and len({job.name for job in jobs}) == len(jobs)
    counts = Counter(key(job.factors) for job in jobs)
    assert set(counts) == {key(c) for c in sources.combinations()}
    held = {k for k in counts if sources.is_held_out(dict(k))}
    assert {job.split for job in jobs if key(job.factors) in held} == {"test"} and {counts[k] for k in held} == {each}
    for brain in (True, False):
        seen = [n for k, n in counts.items() if k not in held and (dict(k)["modality"] == "brain") == brain]
        assert max(seen) - min(seen) <= 1
    trained = {key(job.factors) for job in jobs if job.split == "train"}
    assert trained == set(counts) - held
    others = Counter(job.split for job in jobs if key(job.factors) not in held)
    assert others["val"] == others["test"] and 2 <= others["val"] <= 0.04 * len(jobs)
    assert jobs == samples.plan(clips, sweeps, seed=0) != samples.plan(clips, sweeps, seed=1)


def test_at_least_a_fifth_of_all_combinations_is_held_out():
    held = sum(sources.is_held_out(c) for c in sources.combinations())
    assert held >= 0.2 * len(sources.combinations())


def test_too_few_clips_are_refused():
    with pytest.raises(KitError, match="need at least 158"):
        samples.plan(100, 12, 0)


def test_the_folder_is_whole_and_its_figures_are_counted(built):
    work, figures, clips = built
    assert not validate_folder(work.out) and len(clips) == figures["clips"] == 182 + len(real.ECHO_CUTS) + len(real.STILLS)
    assert figures["simulated"] == 170 and figures["combinations"] == 164 and figures["held_out"] == 36
    assert set(figures["categories"]) == set(kit.CATEGORIES) and sum(figures["categories"].values()) == len(clips)
    assert sum(c.split == "val" for c in clips) >= 2


def test_every_record_is_complete_and_true(built):
    work, _, clips = built
    for clip in clips:
        info = video.probe(clip.path)
        assert (info.width, info.height, info.frames, info.codec) == (64, 64, 9, "h264") and info.fps == pytest.approx(8)
        assert clip.licence and clip.source and clip.source_id and clip.extra["title"] and clip.camera_motion_type
        assert 4 <= len(clip.brief_caption.split()) <= 30 < len(clip.detailed_caption.split()) + 15
        assert clip.extra["synthetic"] == ("SYNTHETIC" in info.comment) == clip.source.startswith("simulated")
        assert clip.extra["held_out"] == (bool(clip.factors) and sources.is_held_out(clip.factors))
        assert clip.split == "test" or not clip.extra["held_out"]
        if clip.source.startswith("pydicom"):
            assert clip.factors == {} and clip.split == "train"
    assert len({c.clip_id for c in clips}) == len(clips)
    briefs = [c.brief_caption for c in clips]
    assert len(set(briefs)) > 0.85 * len(briefs)


def test_stills_stand_still_and_the_echo_moves(built):
    _, _, clips = built
    still = [c for c in clips if c.camera_motion_type == "still image"]
    assert len(still) == len(real.STILLS)
    for clip in still:
        assert np.abs(np.diff(clip.frames().astype(int), axis=0)).mean() < 1.5
    echo = [c for c in clips if c.source_id == real.ECHO]
    assert len(echo) == len(real.ECHO_CUTS) and len({c.frames().tobytes() for c in echo}) == len(echo)
    assert all(np.abs(np.diff(c.frames().astype(int), axis=0)).mean() > 1 for c in echo)


def test_the_echo_clips_leave_the_lettering_out():
    """The screen's letters stand still while the heart moves: no bright pixel of the cut stays the same in all 30 frames."""
    whole = real.echo().frames
    frozen = (np.ptp(whole.astype(int), axis=0).max(-1) < 12) & (whole.min(0).max(-1) > 70)
    assert frozen.sum() > 100
    assert real.cut(frozen[None, ..., None], real.ECHO_CROP).sum() < 25


def test_datasets_reads_the_folder(built, tmp_path):
    import datasets

    work, _, clips = built
    rows = datasets.load_dataset("videofolder", data_dir=str(work.out), cache_dir=str(tmp_path), split="train")
    rows = rows.cast_column("video", datasets.Video(decode=False))
    assert len(rows) == len(clips) and {"brief_caption", "factors", "video_category", "split"} <= set(rows.column_names)
    named = {c.clip_id: c for c in clips}
    for row in rows.select(range(0, len(rows), 40)):
        assert named[row["clip_id"]].brief_caption == row["brief_caption"]
        assert row["video"]["path"].endswith(named[row["clip_id"]].video_name)


def test_an_interrupted_build_keeps_what_was_done_and_ends_the_same(built, tmp_path, monkeypatch):
    work, _, clips = built
    half = work_at(tmp_path / "half")
    calls, plain = [], sources.render

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*args, **options)

    monkeypatch.setattr(sources, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        samples.build(half)
    kept = {p.name: p.stat().st_mtime_ns for p in (half.out / "videos").glob("*.mp4")}
    assert len(kept) == samples.CHUNK and not (half.out / "metadata.jsonl").exists()
    samples.build(half)
    assert all((half.out / "videos" / name).stat().st_mtime_ns == when for name, when in kept.items())
    again = kit.read_folder(half.out)
    for one, other in zip(clips, again, strict=True):
        assert {**vars(one), "path": 0, "bit_rate": 0} == {**vars(other), "path": 0, "bit_rate": 0}
    for one, other in list(zip(clips, again))[::15]:
        assert np.abs(one.frames().astype(int) - other.frames()).mean() < 1


def test_another_source_is_refused(tmp_path):
    with pytest.raises(KitError, match="'youtube' is not known"):
        samples.build(work_at(tmp_path / "o", source="youtube"))
