"""Simulated raters: their known skill and bias come out of the statistics, and nothing hides that they are simulated."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import agreement, grading, paired, preference, raters
from medgen_kit.evaluate.raters import Rater


def even(prompts=800):
    """A truth in which every grade is equally common, so that kappa of two raters is the product of their skills."""
    return [{"prompt": f"p{k}", "model": "A", "distortion": float(k % 4)} for k in range(prompts)]


def test_kappa_is_the_product_of_the_skills():
    found = []
    for skills in ((1, 1), (0.9, 0.9), (0.9, 0.5), (0.3, 0.3), (0, 1)):
        said = raters.simulate(even(), [Rater(f"{k}", skill) for k, skill in enumerate(skills)], seed=1)
        ratings = agreement.table(said["grades"], "grade", "video")[0]
        found.append(agreement.mean_cohen(ratings, grading.GRADES))
        assert found[-1] == pytest.approx(np.prod(skills), abs=0.07)
        assert agreement.krippendorff(ratings, grading.GRADES) == pytest.approx(np.prod(skills), abs=0.07)
    assert found[0] == 1 and found == sorted(found, reverse=True)[:3] + found[3:]


def test_side_bias_is_found_where_it_is_and_only_there():
    truth = raters.invent({"A": 0.6, "B": 0.6}, prompts=300, spread=0.3, seed=2)       # mild: nobody says "both fail"
    fair = [preference.side_bias(raters.simulate(truth, [Rater("fair", 0.6)], seed=k)["answers"]) for k in range(40)]
    assert sum(row["low"] < 0.5 < row["high"] for row in fair) >= 36
    assert np.mean([row["share"] for row in fair]) == pytest.approx(0.5, abs=0.02)
    people = [Rater("first", 0.6, side=0.8), Rater("second", 0.2, side=-0.5), Rater("expert", 1.0, side=1.0)]
    found = {row["rater"]: row for row in preference.side_bias(raters.simulate(truth, people, seed=3)["answers"])["raters"]}
    assert found["simulated-first"]["low"] > 0.5 and found["simulated-second"]["high"] < 0.5
    assert found["simulated-first"]["share"] == pytest.approx(0.5 + 0.4 * 0.4, abs=0.07)
    assert found["simulated-expert"]["low"] < 0.5 < found["simulated-expert"]["high"]      # who sees the difference does not guess


def test_severity_and_both_fail_move_what_they_should():
    truth = raters.invent({"A": 0.9, "B": 1.4}, prompts=200, seed=4)
    error = {}
    for shift in (-1, 0, 1):
        said = raters.simulate(truth, [Rater(str(k), 0.9, severity=shift) for k in range(3)], seed=5)
        error[shift] = grading.per_model(said["grades"])[0]["percent"]
    assert error[-1] + 10 < error[0] < error[1] - 10
    plain, gloomy = ([row["both_fail"] for row in preference.shares(raters.simulate(truth, [Rater("x", both_fail=p)], 6)["answers"])][0]
                     for p in (0.0, 0.5))
    assert gloomy == pytest.approx(0.5 + 0.5 * plain, abs=0.08)


def test_a_perfect_rater_returns_the_truth():
    truth = [{"prompt": "p", "model": m, "distortion": d} for m, d in (("A", 0.2), ("B", 1.4), ("C", 1.6), ("D", 3.0))]
    said = raters.simulate(truth, [Rater("x", 1.0)])
    assert {row["model"]: row["grade"] for row in said["grades"]} == dict(zip("ABCD", grading.GRADES))
    answers = {tuple(sorted((row["first"], row["second"]))): row["answer"] for row in said["answers"]}
    assert answers["A", "D"] == "A" and answers["B", "C"] == "B" and answers["C", "D"] == preference.BOTH_FAIL and len(answers) == 6


def test_a_whole_study_finds_the_better_model():
    said = raters.simulate(raters.invent({"worse": 1.8, "better": 0.8}, prompts=100, seed=7), raters=3, seed=8)
    best = preference.ranking(said["answers"], draws=300)["models"][0]
    assert best["model"] == "better" and best["low"] > 0 and best["simulated"] is True
    outcomes = grading.outcomes(said["grades"])
    row, = paired.compare({"warping": {model: list(found.values()) for model, found in outcomes.items()}})
    assert (row["first"], row["n"]) == ("worse", 100) and row["low"] > 0 and row["p_holm"] < 0.001


def test_everything_is_labelled_and_repeatable():
    truth = raters.invent({"A": 1.0, "B": 2.0}, prompts=20, seed=1)
    said = raters.simulate(truth, 2, seed=1)
    assert said["simulated"] is True and all(row["simulated"] is True for row in (*truth, *said["answers"], *said["grades"]))
    assert {row["rater"] for row in said["answers"] + said["grades"]} == {"simulated-1", "simulated-2"}
    assert len(said["answers"]) == 40 and len(said["grades"]) == 80
    assert said == raters.simulate(truth, 2, seed=1) != raters.simulate(truth, 2, seed=2)
    assert raters.simulate(truth, 3, seed=1)["grades"][:80] == said["grades"]          # one more rater changes nobody else's answers


def test_raters_that_can_not_be_are_refused():
    for call, message in ((lambda: Rater("x", skill=1.2), "skill of rater 'x'"), (lambda: Rater("x", side=-2), "side"),
                          (lambda: raters.simulate(even(4), [Rater("x"), Rater("x")]), "names of their own"),
                          (lambda: raters.simulate([{"prompt": "p", "model": "A", "distortion": 4}]), "distortion of A")):
        with pytest.raises(KitError, match=message):
            call()
