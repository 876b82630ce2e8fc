"""Marks: shares on known decisions, strictness about the modality, guessing, intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest

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


def test_an_interval_never_has_no_width():
    for n in (2, 3, 20):
        for right, exact in ((0, binomtest(0, n)), (3, binomtest(n, n))):
            assert marks.cluster_interval(np.full(n, right), np.full(n, 3)) == pytest.approx(exact.proportion_ci(0.95, "exact"))
    exact = binomtest(10, 20).proportion_ci(0.9, "exact")
    assert marks.cluster_interval(np.full(20, 1), np.full(20, 2), level=0.9) == pytest.approx((exact.low, exact.high))   # alike in between
    low, high = marks.cluster_interval(np.full(4, 2), np.full(4, 3))
    assert 0 < low < 2 / 3 < high < 1 and high - low > 0.7
    assert marks.cluster_interval([3, 3, 0], [3, 3, 0])[0] == pytest.approx(0.025 ** 0.5)         # the third prompt asks for nothing
    for right, total in (([2.0], [3.0]), ([], []), ([0, 0], [0, 0]), ([2, 0], [3, 0])):
        assert marks.cluster_interval(np.array(right), np.array(total)) == (None, None)
    low, high = marks.cluster_interval([0] + [1] * 19, np.ones(20))
    assert low == pytest.approx(0.85) and high == 1                                               # some differ: the bootstrap


def test_an_exact_interval_covers_what_it_promises():
    for n, truth in ((6, 0.3), (15, 0.9), (40, 0.5)):
        found = [marks.exact_interval(share, n) for share in np.random.default_rng(n).binomial(n, truth, 600) / n]
        assert sum(low <= truth <= high for low, high in found) / 600 > 0.94


def test_every_share_of_a_lesson_has_numbers_to_draw():
    asked = [{"modality": "m", "m.a": "x", "m.b": "x"}] * 3
    found = [{"modality": "m", "m.a": "x", "m.b": "y"}] * 3
    spread = marks.intervals(found, asked, [False, False, True], motion=("m.b", "m.a"))
    assert set(spread) == {"motion", "motion_unseen", "all_factors", "modality"}                  # no appearance was asked
    low, high = np.array(list(spread.values())).T
    assert low.dtype == float and (low < high).all()
    assert spread["motion_unseen"][0] < 0.01 and spread["motion_unseen"][1] > 0.99                # one prompt says next to nothing
    assert spread["modality"] == (pytest.approx(0.025 ** (1 / 3)), 1) and spread["all_factors"][0] == 0
