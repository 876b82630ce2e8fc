"""Each rule fires on a made defect and is silent on a clean clip."""

import numpy as np
import pytest
from tests.curate.pictures import disc_on_black, shot

from medgen_kit import KitError
from medgen_kit.curate import border, decide, duplicate, motion, quality, text
from medgen_kit.sources import raw_drawn as drawn

CLEAN = {"medical": 0.99, "steps": 7, "side": 480, "border": 0, "words": 0, "aesthetic": 6.0, "technical": 0.8, "change": 4.0,
         "duplicate_bits": 30.0}


def test_border_sees_letterbox_and_pillarbox_within_two_pixels():
    clean = shot(1, 5)
    assert not border.has_border(clean)
    found = border.border_of(drawn.letterbox(clean))
    assert abs(found["top"] - 30) <= 2 and abs(found["bottom"] - 30) <= 2 and found["left"] == found["right"] == 0
    found = border.border_of(drawn.pillarbox(clean))
    assert abs(found["left"] - 40) <= 2 and abs(found["right"] - 40) <= 2 and found["top"] == found["bottom"] == 0


def test_border_leaves_round_pictures_on_black_and_bars_that_come_and_go():
    assert not border.has_border(disc_on_black())
    frames = shot(1, 5)
    frames[:3] = drawn.letterbox(frames[:3])
    assert not border.has_border(frames)


def test_persistent_needs_four_of_five_frames():
    assert border.persistent([[30], [31], [30, 80], [29], []]) in (29, 30, 31)
    assert border.persistent([[30], [30], [30], [], []]) == 0


def test_words_are_counted_and_joined_words_split():
    assert text.count_words(["the valve opens", "a 12 of BP"]) == 5
    assert text.count_words(["diagnosissuture"]) == 3
    assert text.count_words([]) == 0


def test_subtitles_are_read_and_a_plain_clip_holds_no_word():
    five = shot(2, 5, (480, 640))
    assert text.words_in(five)[0] == 0
    total, lines = text.words_in(drawn.subtitles(five, np.random.default_rng(0)), enough=20)
    assert total > 20 and len(lines) == 2
    assert decide.first_failed(CLEAN | {"words": total}) == "subtitles"


def test_laplacian_variance_equals_its_definition():
    grey = np.random.default_rng(0).uniform(0, 255, (9, 11))
    by_hand = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    assert quality.laplacian_variance(grey) == pytest.approx(by_hand.var(), rel=1e-5)


def test_noise_is_measured_in_grey_levels():
    flat = np.full((200, 200), 120.0) + np.random.default_rng(0).normal(0, 7, (200, 200))
    assert quality.noise_sigma(flat) == pytest.approx(7, rel=0.05)


def test_technical_standin_falls_for_blur_noise_and_dark():
    clean = shot(1, 3, (480, 640))
    score = lambda frames: quality.technical_standin(quality.measures(frames))  # noqa: E731
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 60, clean.shape), 0, 255).astype(np.uint8)
    assert score(clean) > 0.3
    assert max(score(drawn.blur(clean)), score(noisy), score((clean * 0.04).astype(np.uint8))) < 0


def test_aesthetic_standin_falls_for_fog():
    clean = shot(1, 3, (480, 640))
    score = lambda frames: quality.aesthetic_standin(quality.measures(frames))  # noqa: E731
    assert score(clean) >= 4.0 > 3.0 > score(drawn.wash_out(clean))


def test_an_unknown_scorer_says_how_to_get_it_and_a_registered_one_runs(monkeypatch):
    with pytest.raises(KitError, match="quality.register"):
        quality.scorer("dover:weights")
    monkeypatch.setattr(quality, "SCORERS", dict(quality.SCORERS))
    quality.register("dover", lambda frames, folder: len(frames) / 10)
    assert quality.scorer("dover:weights")(np.zeros((5, 4, 4, 3), np.uint8)) == 0.5
    assert quality.scorer("stand-in") is None


@pytest.mark.parametrize(("move", "word"), [
    ({}, "static shot"), ({"dx": -4}, "pan right"), ({"dx": 4}, "pan left"), ({"dy": -4}, "tilt down"),
    ({"dy": 4}, "tilt up"), ({"zoom": 0.02}, "zoom in"),
    ({"zoom": -0.02}, "zoom out")])
def test_camera_motion_is_named(move, word):
    assert motion.camera_motion(shot(4, 9, **move), 8) == word


def test_change_is_zero_for_a_still_and_not_for_motion():
    assert motion.change(shot(1, 9)) == 0.0
    assert motion.change(shot(1, 9, dx=2)) > decide.Rules().still


def test_duplicates_survive_a_brighter_copy_and_a_crop_but_not_another_shot():
    first = duplicate.clip_hash(shot(1, 9))
    again = np.clip(shot(1, 9)[:, 4:-4, 4:-4] * 1.1, 0, 255).astype(np.uint8)
    assert duplicate.distance(first, duplicate.clip_hash(again)) <= 12 < duplicate.distance(first, duplicate.clip_hash(shot(2, 9)))
    row = lambda name, code, at: {"clip": name, "upload": "u", "first": at, "last": at + 8, "hash": code}  # noqa: E731
    rows = duplicate.mark([row("a", first, 0), row("b", duplicate.clip_hash(again), 50), row("c", duplicate.clip_hash(shot(2, 9)), 90)], 12)
    assert [r["duplicate_of"] for r in rows] == ["", "a", ""]


def test_two_cuts_of_one_moving_shot_may_start_a_frame_apart():
    long = shot(1, 12, dx=9, dy=5)
    first, later, much_later = (duplicate.clip_hash(long[start:start + 9]) for start in (0, 1, 3))
    assert duplicate.distance(first, later) == duplicate.distance(later, first) == 0.0 < duplicate.distance(first, much_later)


def test_neighbouring_parts_of_one_shot_are_not_duplicates():
    code = duplicate.clip_hash(shot(1, 9))
    rows = [{"clip": name, "upload": "u", "first": at, "last": at + 8, "hash": code} for name, at in (("a", 0), ("b", 10))]
    assert [r["duplicate_of"] for r in duplicate.mark(rows, 12)] == ["", ""]


@pytest.mark.parametrize(("change", "rule"), [
    ({"medical": 0.5}, "not medical"), ({"steps": 5}, "too short"), ({"side": 479}, "low resolution"), ({"border": 12}, "black border"),
    ({"words": 21}, "subtitles"), ({"aesthetic": 2.99}, "aesthetic"), ({"technical": 0.0}, "technical"), ({"technical": 0.3}, "joint"),
    ({"aesthetic": 3.99}, "joint"), ({"change": 0.1}, "still"), ({"duplicate_bits": 12.0}, "duplicate"), ({"words": 20, "steps": 6}, ""),
    ({"words": 99, "border": 1, "medical": 0.1}, "not medical"), ({"words": None, "technical": None}, "")])
def test_the_first_broken_rule_removes_a_clip(change, rule):
    assert decide.first_failed(CLEAN | change) == rule


def test_the_three_readings_of_the_joint_rule_differ():
    removed = {reading: [decide.joint({"technical": t, "aesthetic": a}, decide.Rules(joint_rule=reading)) for t, a in
                         ((0.5, 5), (0.5, 3.5), (0.1, 5), (0.1, 3.5))] for reading in decide.JOINT}
    assert removed == {"require_both": [False, True, True, True], "paper_literal": [False, True, False, False],
                       "reject_both_low": [False, False, False, True]}
    with pytest.raises(KitError, match="joint_rule"):
        decide.Rules(joint_rule="both")


def test_a_changed_threshold_changes_the_decision_without_the_video():
    rows = [CLEAN | {"words": 30}]
    assert decide.decide(rows)[0]["removed_by"] == "subtitles" and decide.decide(rows, decide.Rules(words=40))[0]["removed_by"] == ""
    assert "removed_by" not in rows[0]
