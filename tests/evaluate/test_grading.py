"""Warping error: the paper's rule, its interval, and what a missing grade does to it."""

import json

import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import grading


def test_the_rule_of_the_paper():
    grades = [("No", "Moderate", "Severe"), ("No", "Minor", "Severe"), ("Moderate", "Moderate", "Moderate"), ("No", "No", "Minor")]
    assert grading.unacceptable(grades) == [True, False, True, False]
    found = grading.warping_error(grades)
    assert found["percent"] == 50 and found["items"] == 4 and found["undecided"] == 0 and found["least"] == found["most"] == 50


def test_sixty_of_two_hundred():
    found = grading.warping_error([("Severe",) * 3] * 60 + [("No",) * 3] * 140)
    assert found["percent"] == 30 and round(found["low"], 1) == 24.1 and round(found["high"], 1) == 36.7


def test_wilson_by_hand_at_the_border():
    found = grading.warping_error([("No",) * 3] * 10)
    z = 1.959964
    assert found["percent"] == 0 and found["low"] == pytest.approx(0, abs=1e-9)
    assert found["high"] == pytest.approx(100 * z ** 2 / (10 + z ** 2), abs=1e-4)


PARTIAL = [("Severe", "Severe", None), ("No", "Minor"), ("No", "Severe", ""), ("Severe", float("nan"), None), ("No", "No", "No")]


def test_missing_raters_by_both_rules():
    assert grading.unacceptable(PARTIAL) == [None, None, None, None, False]
    assert grading.unacceptable(PARTIAL, rule="decided") == [True, False, None, None, False]
    strict, decided = grading.warping_error(PARTIAL), grading.warping_error(PARTIAL, rule="decided")
    assert strict["percent"] == 0 and strict["items"] == 1 and strict["undecided"] == 4
    assert (strict["least"], strict["most"]) == (0, 80) and (decided["least"], decided["most"]) == (20, 60)
    assert decided["percent"] == pytest.approx(100 / 3) and decided["undecided"] == 2


def test_nothing_decided_gives_a_reason_and_no_nan():
    found = grading.warping_error([("No",)])
    assert found["percent"] is None and "enough raters" in found["reason"]
    json.dumps([found, grading.warping_error([])], allow_nan=False)


def test_what_can_not_be_graded_is_refused():
    for grades, rule, message in (([("No", "Awful", "No")], "three", "'Awful'"), ([("No",) * 4], "three", "4 grades"),
                                  ([("No",) * 3], "any", "rule 'any'")):
        with pytest.raises(KitError, match=message):
            grading.unacceptable(grades, rule=rule)
    for needed in (0, 4):
        with pytest.raises(KitError, match=f"{needed} of 3 raters"):
            grading.unacceptable([("No",) * 3], needed=needed)
    assert grading.unacceptable([("No", "Severe", "Severe", "Severe", "No")], needed=3, raters=5) == [True]


def test_rows_of_a_study_per_model_and_prompt():
    said = {("A", "p1"): "Severe", ("A", "p2"): "No", ("B", "p1"): "No", ("B", "p2"): "Minor"}
    rows = [{"rater": r, "prompt": p, "model": m, "grade": grade} for (m, p), grade in said.items() for r in ("r1", "r2", "r3")]
    assert grading.outcomes(rows[:-1]) == {"A": {"p1": True, "p2": False}, "B": {"p1": False, "p2": None}}
    alike = [row | {"video": f"{row['model']}/{row['prompt']}", "prompt": "a heart"} for row in rows]      # two clips of one prompt
    assert grading.outcomes(alike, item="video")["A"] == {"A/p1": True, "A/p2": False}
    assert [row["percent"] for row in grading.per_model(alike, item="video")] == [50, 0]
    table = {row["model"]: row for row in grading.per_model(rows)}
    assert table["A"]["percent"] == 50 and table["B"]["percent"] == 0 and "simulated" not in table["A"]
    assert grading.per_model([row | {"simulated": True} for row in rows])[0]["simulated"] is True
