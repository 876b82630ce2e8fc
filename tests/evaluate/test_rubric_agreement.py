"""A rubric's judge beside people: figures by hand and as scikit-learn has them, a judge that always says yes, ties and gaps."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import rubric


def both(machine, people, axis="Safety", raters=("",)):
    """Rows of a judge and of people for a list of verdicts each, one clip a verdict."""
    judged = [{"clip": n, "criterion": "x", "axis": axis, "met": one} for n, one in enumerate(machine)]
    human = [{"clip": n, "criterion": "x", "met": one, **({"rater": name} if name else {})} for name in raters
             for n, one in enumerate(people)]
    return judged, human


def test_agreement_by_hand_and_as_scikit_learn_has_it():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    people = rng.random(80) < 0.5
    machine = np.where(rng.random(80) < 0.8, people, ~people)
    found = rubric.agreement(*both(machine.tolist(), people.tolist()))["all"]
    assert found["n"] == 80 and found["percent"] == pytest.approx((machine == people).mean())
    assert found["kappa"] == pytest.approx(cohen_kappa_score(machine, people))
    assert found["low"] < found["percent"] < found["high"] and found["kappa_low"] < found["kappa"] < found["kappa_high"]
    assert found["lean_low"] < 0.05 and not found["reason"] and found["humans"] is None


def test_a_judge_that_says_yes_to_nearly_everything_shows():
    people = [True, False] * 40
    found = rubric.agreement(*both([True] * 78 + [False] * 2, people))
    one = found["all"]
    assert one["percent"] > 0.45 and abs(one["kappa"]) < 0.1 and one["lean_low"] > 0.2
    assert one["judge_yes"] > 0.95 and one["human_yes"] == 0.5
    words = rubric.in_words(found)
    assert "leans to yes by 48%" in words and "judge says yes to 98%, people to 50%" in words and words.count("\n") == 1
    always = rubric.agreement(*both([True] * 80, [True] * 80))["all"]
    assert always["kappa"] is None and always["percent"] == 1 and "undefined" in always["reason"] and "no kappa" in rubric.in_words(
        rubric.agreement(*both([True] * 80, [True] * 80)))


def test_unclear_verdicts_ties_and_people_among_themselves_are_counted():
    judged, human = both([True, None, False, True], [True, True, False, True], raters=("a", "b", "c"))
    human[0]["met"] = False                                                # two of three still say yes to the first
    found = rubric.agreement(judged, human)["all"]
    assert found["n"] == 3 and found["unclear"] == 1 and found["percent"] == 1 and 0 < found["humans"] < 1
    tie = rubric.agreement(judged, [{"clip": 0, "criterion": "x", "met": one, "rater": f"{one}"} for one in (True, False)])["all"]
    assert tie["n"] == 0 and tie["ties"] == 1 and tie["percent"] is None and tie["reason"] == "no verdict that both gave"


def test_axes_stand_apart_and_wrong_rows_are_refused():
    judged, human = both([True, False], [True, True], axis="Medical Accuracy")
    found = rubric.agreement(judged, human)
    assert found["Medical Accuracy"]["n"] == 2 and found["Safety"]["n"] == 0
    with pytest.raises(KitError, match="same texts"):
        rubric.agreement(judged, [{"clip": 99, "criterion": "x", "met": True}])
    with pytest.raises(KitError, match="judged twice"):
        rubric.agreement(judged, human + human)
    with pytest.raises(KitError, match="True, False or None"):
        rubric.agreement(judged, [{"clip": 0, "criterion": "x", "met": "yes"}])
