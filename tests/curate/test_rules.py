"""Each rule fires on a made defect and is silent on a clean clip."""

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.curate.pictures import disc_on_black, fan_on_black, shot, slice_on_black

from medgen_kit import KitError
from medgen_kit.curate import border, decide, duplicate, motion, quality, text
from medgen_kit.sources import raw_drawn as drawn

CLEAN = {"clip_id": "a", "upload": "u", "first": 0, "last": 12, "medical": 0.99, "steps": 7, "side": 480, "border": 0, "words": 0,
         "aesthetic": 6.0, "technical": 0.8, "q_technical": 0.9, "change": 4.0, "duplicate_bits": 30.0, "hash": ""}


def table(*rows):
    return pd.DataFrame([CLEAN | row for row in rows])


def grey(frames):
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def camera(frames, fps):
    small = grey(frames)
    return motion.camera_motion(small, motion.flows(small), 1 / fps)


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


@pytest.mark.parametrize("method", ["hough", "luma"])
def test_each_witness_alone_sees_bars_and_spares_dark_imaging(method):
    assert border.border_of(drawn.letterbox(shot(1, 5)), method)["top"] == pytest.approx(30, abs=2)
    for dark in (disc_on_black(), fan_on_black(), slice_on_black()):
        assert max(border.border_of(dark, method).values()) == 0


def test_a_letterboxed_slice_is_seen_by_its_lighter_ground():
    assert not border.has_border(slice_on_black(ground=14))
    boxed = drawn.letterbox(slice_on_black(ground=14))
    found = border.border_of(boxed)
    assert abs(found["top"] - 30) <= 2 and abs(found["bottom"] - 30) <= 2 and found["left"] == found["right"] == 0


def test_the_table_under_a_patient_is_no_border():
    scan, curved = slice_on_black(), slice_on_black()
    scan[:, 205:211, 20:300] = 90
    for frame in curved:
        cv2.ellipse(frame, (160, 190), (200, 24), 0, 0, 180, (90, 90, 90), 3)
    for frames in (scan, curved):
        assert max(border.border_of(frames, "luma").values()) == max(border.border_of(frames, "hough").values()) == 0


def test_a_black_clip_has_no_border_and_is_too_dark():
    black = np.zeros((5, 240, 320, 3), np.uint8)
    assert not border.has_border(black) and quality.technical(quality.measures(black)) < -0.9


def test_persistent_needs_four_of_five_frames():
    assert border.persistent([[30], [31], [30, 80], [29], []]) in (29, 30, 31)
    assert border.persistent([[30], [30], [30], [], []]) == 0


def test_words_are_counted_and_joined_words_split():
    assert text.count_words(["the valve opens", "a 12 of BP"]) == 5
    assert text.count_words(["diagnosissuture"]) == 3
    assert text.count_words([]) == 0


def test_subtitles_are_read_and_a_plain_clip_holds_no_word():
    five = shot(2, 5, (480, 640))
    assert text.measures(five) == {"words": 0, "boxes": 0, "text_area": 0.0, "lines": []}
    found = text.measures(drawn.subtitles(five, np.random.default_rng(0)), enough=20)
    assert found["words"] > 20 and found["boxes"] == len(found["lines"]) == 2 and 0.03 < found["text_area"] < 0.3
    assert list(decide.first_failed(table({"words": found["words"]}))) == ["subtitles"]


def test_laplacian_variance_equals_its_definition():
    grey = np.random.default_rng(0).uniform(0, 255, (9, 11))
    by_hand = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    assert quality.laplacian_variance(grey) == pytest.approx(by_hand.var(), rel=1e-5)


def test_noise_is_measured_in_grey_levels():
    flat = np.full((200, 200), 120.0) + np.random.default_rng(0).normal(0, 7, (200, 200))
    assert quality.noise_sigma(flat) == pytest.approx(7, rel=0.05)


def test_our_quality_falls_for_blur_noise_blocks_fog_and_dark():
    clean = shot(1, 3, (480, 640))
    score = lambda frames: quality.technical(quality.measures(frames))  # noqa: E731
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 60, clean.shape), 0, 255).astype(np.uint8)
    assert score(clean) > 0.3
    bad = (drawn.blur(clean), noisy, drawn.blocks(clean), drawn.wash_out(clean), (clean * 0.04).astype(np.uint8))
    assert max(map(score, bad)) < 0


def test_blockiness_ignores_one_hard_edge_on_the_grid():
    picture = np.zeros((240, 320), np.uint8)
    picture[:, 80:] = 200
    assert quality.blockiness(picture) == pytest.approx(1.0)
    assert quality.blockiness(np.kron(np.random.default_rng(0).integers(0, 255, (30, 40)), np.ones((8, 8))).astype(np.uint8)) > 10


@pytest.mark.parametrize(("move", "word"), [
    ({}, "static shot"), ({"dx": -4}, "pan right"), ({"dx": 4}, "pan left"), ({"dy": -4}, "tilt down"),
    ({"dy": 4}, "tilt up"), ({"zoom": 0.02}, "zoom in"),
    ({"zoom": -0.02}, "zoom out")])
def test_camera_motion_is_named(move, word):
    assert camera(shot(4, 9, **move), 8) == word


def test_change_is_zero_for_a_still_and_not_for_motion():
    assert motion.change(grey(shot(1, 9))) == 0.0
    assert motion.change(grey(shot(1, 9, dx=2))) > decide.Rules().still


@pytest.mark.parametrize(("dx", "fps"), [(6, 4), (12, 2), (16, 2)])
def test_the_flow_score_is_the_true_speed_in_heights_a_second(dx, fps):
    flow = motion.flows(grey(shot(4, 9, dx=dx)))
    assert motion.flow_score(flow, 1 / fps) == pytest.approx(dx * fps / 240, rel=0.1)
    assert motion.flow_score([], 0.5) == 0.0


def test_uneven_gaps_between_pictures_do_not_change_the_speed():
    small = grey(shot(4, 12, dx=6))
    some = [0, 1, 3, 4, 6, 7, 9, 11]
    gaps = np.diff(some) / 8
    assert motion.flow_score(motion.flows(small[some]), gaps) == pytest.approx(6 * 8 / 240, rel=0.1)
    assert motion.camera_motion(small[some], motion.flows(small[some]), gaps) == "pan left"


def test_duplicates_survive_a_brighter_copy_and_a_crop_but_not_another_shot():
    first = duplicate.clip_hash(shot(1, 9))
    again = np.clip(shot(1, 9)[:, 4:-4, 4:-4] * 1.1, 0, 255).astype(np.uint8)
    assert duplicate.distance(first, duplicate.clip_hash(again)) <= 12 < duplicate.distance(first, duplicate.clip_hash(shot(2, 9)))
    other = duplicate.clip_hash(shot(2, 9))
    clips = table({"clip_id": "a", "first": 0, "last": 8, "hash": first}, {"clip_id": "b", "first": 50, "last": 58,
                  "hash": duplicate.clip_hash(again)}, {"clip_id": "c", "first": 90, "last": 98, "hash": other})
    assert list(decide.decide(clips)["duplicate_of"]) == ["", "a", ""]
    larger = clips.assign(side=[480, 720, 480])
    assert list(decide.decide(larger)["removed_by"]) == ["duplicate", "", ""]             # the larger one is kept


def test_two_cuts_of_one_moving_shot_may_start_a_frame_apart():
    long = shot(1, 12, dx=9, dy=5)
    first, later, much_later = (duplicate.clip_hash(long[start:start + 9]) for start in (0, 1, 3))
    assert duplicate.distance(first, later) == duplicate.distance(later, first) == 0.0 < duplicate.distance(first, much_later)


def test_neighbouring_parts_of_one_shot_are_not_duplicates():
    code = duplicate.clip_hash(shot(1, 9))
    clips = table(*({"clip_id": name, "first": at, "last": at + 8, "hash": code} for name, at in (("a", 0), ("b", 10))))
    assert list(decide.decide(clips)["removed_by"]) == ["", ""]


def test_distances_of_many_equal_distances_of_two():
    codes = [duplicate.clip_hash(shot(k, 9, dx=k)) for k in range(6)]
    together = duplicate.distances(duplicate.codes(codes), duplicate.codes(codes))
    assert together.shape == (6, 6) and (np.diag(together) == 0).all() and (together == together.T).all()
    assert together[1, 4] == duplicate.distance(codes[1], codes[4])


@pytest.mark.parametrize(("change", "rule"), [
    ({"medical": 0.5}, "not medical"), ({"steps": 5}, "too short"), ({"side": 479}, "low resolution"), ({"border": 12}, "black border"),
    ({"words": 21}, "subtitles"), ({"aesthetic": 2.99}, "aesthetic"), ({"technical": 0.0}, "technical"), ({"technical": 0.3}, "joint"),
    ({"aesthetic": 3.99}, "joint"), ({"q_technical": 0.0}, "quality"), ({"change": 0.1}, "still"), ({"duplicate_bits": 12.0}, "duplicate"),
    ({"words": 20, "steps": 6}, ""), ({"words": 99, "border": 1, "medical": 0.1}, "not medical"),
    ({"words": np.nan, "technical": np.nan}, "")])
def test_the_first_broken_rule_removes_a_clip(change, rule):
    assert list(decide.first_failed(table(change, {}))) == [rule, ""]


def test_the_three_readings_of_the_joint_rule_differ():
    removed = {reading: [bool(decide.joint(t, a, decide.Rules(joint_rule=reading))) for t, a in
                         ((0.5, 5), (0.5, 3.5), (0.1, 5), (0.1, 3.5))] for reading in decide.JOINT}
    assert removed == {"require_both": [False, True, True, True], "paper_literal": [False, True, False, False],
                       "reject_both_low": [False, False, False, True]}
    with pytest.raises(KitError, match="joint_rule"):
        decide.Rules(joint_rule="both")


def test_a_changed_threshold_changes_the_decision_without_the_video():
    clips = table({"words": 30})
    assert list(decide.decide(clips)["removed_by"]) == ["subtitles"]
    assert list(decide.decide(clips, decide.Rules(words=40))["removed_by"]) == [""]
    assert "removed_by" not in clips


def test_the_long_table_has_a_row_a_clip_and_rule_and_says_what_was_not_measured():
    clips = decide.decide(table({"clip_id": "a"}, {"clip_id": "b", "words": 30, "aesthetic": np.nan, "technical": np.nan}))
    long = decide.stages(clips, mark="abc")
    assert len(long) == 2 * len(decide.TABLE) and list(long["clip_id"][:len(decide.TABLE)]) == ["a"] * len(decide.TABLE)
    assert list(long["stage"][:len(decide.TABLE)]) == list(decide.NAMES)
    of_b = long[long["clip_id"] == "b"].set_index("stage")
    assert of_b.loc["subtitles", ["value", "threshold", "op", "verdict", "first_fail"]].tolist() == [30.0, 20.0, ">", "fail", True]
    assert of_b.loc["aesthetic", "verdict"] == "skip" and "LAION" in of_b.loc["aesthetic", "reason"]
    assert of_b.loc["joint", "verdict"] == "skip" and of_b["first_fail"].sum() == 1
    assert (long["config_sha"] == "abc").all() and long.loc[long["stage"] == "subtitles", "tool_version"].str.match(r"\d+\.").all()


def test_thresholds_are_checked_by_name_and_type():
    with pytest.raises(KitError, match="did you mean 'words'"):
        decide.as_rules({"word": 3})
    with pytest.raises(KitError, match="words must be a number"):
        decide.as_rules({"words": "many"})
    with pytest.raises(KitError, match="no rule 'colour'"):
        decide.breaks(table({}), "colour")
