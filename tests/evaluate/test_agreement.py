"""Agreement: values known from the literature or by hand, undefined cases, missing ratings."""

import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import agreement

NAN = None
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: 12 units, 4 observers, missing data.
OBSERVERS = list(zip([1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
                     [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN]))


def test_krippendorff_matches_his_own_example():
    assert agreement.krippendorff(OBSERVERS) == pytest.approx(0.743, abs=5e-4)
    assert agreement.krippendorff(OBSERVERS, order=[1, 2, 3, 4, 5], level="ordinal") == pytest.approx(0.815, abs=1e-3)
    assert agreement.krippendorff(OBSERVERS, order=[1, 2, 3, 4, 5], level="interval") == pytest.approx(0.849, abs=1e-3)


def test_cohen_by_hand():
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert agreement.cohen(first, second) == pytest.approx((0.7 - 0.5) / 0.5)
    assert agreement.cohen(["a"] * 4, ["a"] * 4) is None


def test_quadratic_weights_forgive_neighbours():
    grades = ["No", "Minor", "Moderate", "Severe"]
    first, second = grades * 5, ["Minor", "Minor", "Severe", "Severe"] * 5
    assert agreement.cohen(first, second, grades, "quadratic") > agreement.cohen(first, second, grades) + 0.2
    with pytest.raises(KitError, match="not among"):
        agreement.cohen(first, ["Terrible"] * 20, grades)


def test_fleiss_and_gwet_by_hand():
    ratings = [["a", "a"], ["a", "a"], ["a", "b"], ["b", "b"]]
    share = 5 / 8
    agreed, chance = 3 / 4, share ** 2 + (1 - share) ** 2
    assert agreement.percent_agreement(ratings) == agreed
    assert agreement.fleiss(ratings) == pytest.approx((agreed - chance) / (1 - chance))
    gwet = 2 * share * (1 - share)
    assert agreement.gwet_ac1(ratings) == pytest.approx((agreed - gwet) / (1 - gwet))


def test_gwet_stands_where_kappa_collapses():
    ratings = [["no", "no"]] * 90 + [["no", "yes"]] * 5 + [["yes", "no"]] * 5
    assert agreement.percent_agreement(ratings) == pytest.approx(0.9)
    assert agreement.fleiss(ratings) < 0 < 0.85 < agreement.gwet_ac1(ratings)


def test_three_raters_give_three_pairs_as_in_the_paper():
    assert list(agreement.pairwise_cohen([["a", "b", "a"], ["b", "b", "b"], ["a", "a", "a"]])) == ["1-2", "1-3", "2-3"]
    with pytest.raises(KitError, match="at least two raters"):
        agreement.fleiss([["a"], ["b"]])
