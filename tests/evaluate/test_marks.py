"""Marks: shares on known decisions, strictness about the modality, guessing, intervals."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import marks

MOTION = ("echo.wall_motion",)
ASKED = [{"modality": "echo", "echo.wall_motion": "normal", "echo.chamber": "normal"},
         {"modality": "echo", "echo.wall_motion": "reduced", "echo.chamber": "normal"},
         {"modality": "echo", "echo.wall_motion": "reduced", "echo.chamber": "dilated"},
         {"modality": "slide", "slide.theme": "dark"}]


def test_known_shares():
    found = [dict(row) for row in ASKED]
    found[0]["echo.wall_motion"] = "reduced"
    found[3] = {"modality": "echo", "echo.chamber": "normal"}
    result = marks.score(found, ASKED, [True, False, False, True], MOTION)
    assert result["appearance"] == pytest.approx(3 / 4)
    assert result["motion"] == pytest.approx(2 / 3) and result["motion_unseen"] == 0.0
    assert result["modality"] == pytest.approx(3 / 4) and result["all_factors"] == pytest.approx(2 / 4)
    assert result["n"] == {"appearance": 4, "motion": 3, "motion_unseen": 1, "modality": 4, "all_factors": 4, "echo.chamber": 3,
                           "echo.wall_motion": 3, "slide.theme": 1} | {"modality": 4}
    assert result["per_factor"]["echo.wall_motion"] == pytest.approx(2 / 3)


def test_right_factors_of_the_wrong_modality_do_not_make_a_clip_right():
    found = [dict(row) for row in ASKED]
    found[2]["modality"] = "slide"
    assert marks.score(found, ASKED, motion=MOTION)["all_factors"] == pytest.approx(3 / 4)


def test_nothing_to_decide_is_none_not_zero():
    result = marks.score(ASKED, ASKED, motion=MOTION)
    assert result["motion_unseen"] is None and result["all_factors"] == 1.0


def test_guess_takes_the_commonest_value():
    guess = marks.majority_guess(ASKED)
    assert [row.get("echo.wall_motion") for row in guess] == ["reduced"] * 3 + [None]
    assert marks.score(guess, ASKED, motion=MOTION)["motion"] == pytest.approx(2 / 3)


def test_lists_of_two_lengths_are_refused():
    with pytest.raises(KitError, match="3 clips were judged but 4"):
        marks.score(ASKED[:3], ASKED, motion=MOTION)


def test_intervals_hold_the_share_and_know_about_prompts():
    rng = np.random.default_rng(0)
    asked = [{"modality": "m", "m.a": "x", "m.b": "x"} for _ in range(200)]
    wrong = rng.random(200) < 0.3
    found = [{"modality": "m", "m.a": "y" if w else "x", "m.b": "y" if w else "x"} for w in wrong]
    low, high = marks.intervals(found, asked, motion=())["appearance"]
    assert low < 1 - wrong.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 200), rel=0.15)      # 200 prompts, not 400 decisions
