"""Raw uploads: known truth, every defect planted, same seed same pictures, interrupted making goes on."""

import numpy as np
import pytest

from medgen_kit import KitError, sources, video
from medgen_kit.sources import raw, raw_drawn


def test_the_first_four_scripts_hold_every_defect_and_both_kinds_of_join():
    shots = [shot for _, script in raw.SCRIPTS[:4] for shot in script]
    assert {name for _, defects, *_ in shots for name in defects} == set(raw.DEFECTS)
    assert {kind for kind, *_ in shots} == {"medical", *raw_drawn.OTHER}
    assert any(camera for _, _, camera, *_ in shots)


def test_an_upload_is_described_frame_by_frame():
    frames, facts = raw.upload(2, 3)
    shots = facts["shots"]
    assert frames.shape[1:3] == (240, 320) and shots[0]["start"] == 0 and shots[-1]["end"] == len(frames) - 1
    assert all(after["start"] == before["end"] + 1 for before, after in zip(shots, shots[1:]))
    assert {shot["join"] for shot in shots} == {"cut", "fade"}
    for shot in shots:
        assert bool(shot["factors"]) == (shot["kind"] == "medical")
        assert not shot["factors"] or not sources.is_held_out(shot["factors"])
        assert bool(shot["title"]) == (shot["kind"] == "medical") and shot["title"] in facts["description"]
    assert facts["title"]


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others():
    first, again, other = raw.upload(2, 3)[0], raw.upload(2, 3)[0], raw.upload(2, 4)[0]
    assert np.array_equal(first, again)
    assert first.shape == other.shape and not np.array_equal(first, other)


def test_make_keeps_what_stands_and_adds_three_broken_files(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(raw, "upload", lambda number, *a: made.append(number) or small_upload(number))
    raw.make(tmp_path, 2, 0)
    (tmp_path / "upload_01.mp4").unlink()
    paths = raw.make(tmp_path, 2, 0)
    assert made == [0, 1, 1] and len(paths) == 5 and all(path.is_file() for path in paths)
    known = raw.truth(tmp_path)
    assert {facts["bad"] for facts in known.values() if "bad" in facts} == {"empty", "not_media", "truncated"}
    assert video.probe(tmp_path / "upload_00.mp4").comment == video.SYNTHETIC
    with pytest.raises(KitError, match="count >= 1"):
        raw.make(tmp_path, 0, 0)


def small_upload(number):
    frames = raw_drawn.title_card(np.random.default_rng(number), 12, 48, 64)
    return frames, {"title": "t", "description": "d", "shots": [{"start": 0, "end": 11, "kind": "title card", "defects": []}]}


def test_a_fade_mixes_the_first_frames_of_the_second_shot_only():
    black, white = np.zeros((6, 4, 4, 3), np.uint8), np.full((6, 4, 4, 3), 200, np.uint8)
    shots = [raw.Shot(0, 5, "b-roll"), raw.Shot(6, 11, "b-roll", join="fade")]
    level = raw.joined([black, white], shots)[:, 0, 0, 0].astype(int)
    assert (level[:6] == 0).all() and (np.diff(level[5:6 + raw.FADE + 1]) > 0).all() and (level[6 + raw.FADE:] == 200).all()


def test_bars_are_only_put_beside_bright_pictures():
    script = (("medical", ("letterbox",), ""), ("talking head", (), ""), ("medical", ("pillarbox",), ""), ("medical", (), ""))
    for seed in range(8):
        flats = raw.choose(np.random.default_rng(seed), script)
        assert flats[0]["modality"] in raw.BRIGHT and flats[2]["modality"] in raw.BRIGHT and flats[1] == {}


@pytest.mark.parametrize("kind", sorted(raw_drawn.OTHER))
def test_what_is_not_medical_moves_and_differs_by_seed(kind):
    draw = raw_drawn.OTHER[kind]
    frames = draw(np.random.default_rng(0), 6, 96, 128)
    assert frames.shape == (6, 96, 128, 3) and frames.dtype == np.uint8 and (frames[0] != frames[5]).any()
    assert (frames != draw(np.random.default_rng(1), 6, 96, 128)).any()
