"""Agreement: values known from the literature or by hand, undefined cases, missing ratings."""

import itertools

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import agreement

NAN = None
GRADES = ("No", "Minor", "Moderate", "Severe")
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: 12 units, 4 observers, missing data.
OBSERVERS = list(zip([1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
                     [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN]))


def test_krippendorff_matches_his_own_example():
    assert agreement.krippendorff(OBSERVERS) == pytest.approx(0.743, abs=5e-4)
    assert agreement.krippendorff(OBSERVERS, order=[1, 2, 3, 4, 5], level="ordinal") == pytest.approx(0.815, abs=1e-3)
    assert agreement.krippendorff(OBSERVERS, order=[1, 2, 3, 4, 5], level="interval") == pytest.approx(0.849, abs=1e-3)


def test_interval_alpha_goes_by_the_numbers_not_by_their_places():
    ratings = [[1, 1], [1, 5], [5, 5], [2, 1], [5, 2]]                                       # 1 four times, 2 twice, 5 four times
    observed = 2 * (16 + 1 + 9) / 10                                                         # mean squared distance within items
    expected = 2 * (4 * 4 * 16 + 4 * 2 * 1 + 4 * 2 * 9) / (10 * 9)                           # of any two of the ten ratings
    assert agreement.krippendorff(ratings, level="interval") == pytest.approx(1 - observed / expected, abs=1e-12)
    assert agreement.krippendorff(ratings, level="interval") == pytest.approx(0.3036, abs=5e-5)
    assert agreement.krippendorff(ratings, order=[5, 3, 1, 2], level="interval") == pytest.approx(0.3036, abs=5e-5)
    with pytest.raises(KitError, match="'Minor'.*ordinal"):
        agreement.krippendorff([["Minor", "No"], ["No", "No"]], ["Minor", "No"], "interval")


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


def test_gwet_counts_the_whole_scale_also_what_nobody_used():
    ratings = [["No", "No", "Minor"], ["Severe", "Severe", "Severe"], ["No", "Minor", "No"], ["Severe", "No", "Severe"]]
    agreed, shares = (1 / 3 + 1 + 1 / 3 + 1 / 3) / 4, (5 / 12, 2 / 12, 0, 5 / 12)            # No, Minor, Moderate (unused), Severe
    for order, labels in ((GRADES, 4), (None, 3)):
        chance = sum(share * (1 - share) for share in shares) / (labels - 1)
        assert agreement.gwet_ac1(ratings, order) == pytest.approx((agreed - chance) / (1 - chance), abs=1e-12)
    rows = {row["coefficient"]: row for row in agreement.report(ratings, GRADES, draws=20)}
    assert rows["Gwet AC1"]["value"] == agreement.gwet_ac1(ratings, GRADES) != agreement.gwet_ac1(ratings)
    assert agreement.gwet_ac1([["No", "No"]] * 5, GRADES) == 1 and agreement.gwet_ac1([["No", "No"]] * 5) is None


def test_a_table_without_a_rating_says_so():
    rows = agreement.report([[None, None]], draws=20) + agreement.report([[None, None]], GRADES, "Moderate", draws=20)
    assert len(rows) == 15 and all(row["value"] is None and "undefined" in row["reason"] for row in rows)


def test_gwet_stands_where_kappa_collapses():
    ratings = [["no", "no"]] * 90 + [["no", "yes"]] * 5 + [["yes", "no"]] * 5
    assert agreement.percent_agreement(ratings) == pytest.approx(0.9)
    assert agreement.fleiss(ratings) < 0 < 0.85 < agreement.gwet_ac1(ratings)


def test_three_raters_give_three_pairs_as_in_the_paper():
    assert list(agreement.pairwise_cohen([["a", "b", "a"], ["b", "b", "b"], ["a", "a", "a"]])) == ["1-2", "1-3", "2-3"]
    with pytest.raises(KitError, match="at least two raters"):
        agreement.fleiss([["a"], ["b"]])


def drawn(items=40, raters=3, missing=0.2, seed=0):
    """Grades that agree about half of the time, some of them missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (items, 1))
    codes = np.where(rng.random((items, raters)) < 0.7, truth, rng.integers(0, 4, (items, raters)))
    return [[GRADES[k] if keep else None for k, keep in zip(row, rng.random(raters) > missing)] for row in codes]


def test_kappa_equals_scikit_learn():
    from sklearn.metrics import cohen_kappa_score
    first, second = zip(*drawn(raters=2, missing=0))
    for weights in (None, "quadratic"):
        expected = cohen_kappa_score(first, second, labels=list(GRADES), weights=weights)
        assert agreement.cohen(first, second, GRADES, weights) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(KitError, match="linear"):
        agreement.cohen(first, second, GRADES, "linear")


def alpha_of_pairs(ratings, level):
    """Krippendorff's alpha from its definition: mean distance within items over mean distance of any two values of the data."""
    rows = [[GRADES.index(x) for x in row if x is not None] for row in ratings]
    rows = [row for row in rows if len(row) > 1]
    values = [x for row in rows for x in row]

    def distance(a, b):
        if level == "nominal":
            return float(a != b)
        low, high = min(a, b), max(a, b)
        return (sum(low <= v <= high for v in values) - (values.count(a) + values.count(b)) / 2) ** 2

    observed = sum(distance(a, b) / (len(row) - 1) for row in rows for a, b in itertools.permutations(row, 2)) / len(values)
    return 1 - observed / np.mean([distance(a, b) for a, b in itertools.permutations(values, 2)])


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_krippendorff_with_missing_ratings_equals_its_definition(level):
    ratings = drawn()
    assert any(None in row for row in ratings)
    assert agreement.krippendorff(ratings, GRADES, level) == pytest.approx(alpha_of_pairs(ratings, level), abs=1e-12)


def test_the_binary_view_is_what_the_warping_error_sees():
    assert agreement.at_least([["No", "Severe"], [None, "Moderate"]], "Moderate", GRADES) == [[False, True], [None, True]]
    ratings = [["Moderate", "Severe"], ["Severe", "Moderate"], ["No", "Minor"], ["Minor", "No"]]       # never one word, always one side
    row, = agreement.pairs(ratings, GRADES, "Moderate", ["ann", "bo"])
    assert row["pair"] == "ann-bo" and row["agreement"] == 0 and row["binary"] == 1 and row["kappa"] < 0 < row["quadratic"]
    with pytest.raises(KitError, match="'Awful' is not among"):
        agreement.at_least(ratings, "Awful", GRADES)


def test_undefined_kappas_say_why_beside_the_raw_agreement():
    ratings = [["No", "No", None], ["No", "No", "Minor"], ["No", "No", None]]
    rows = {row["pair"]: row for row in agreement.pairs(ratings, GRADES, "Moderate")}
    assert rows["1-2"]["agreement"] == 1 and rows["1-2"]["kappa"] is None and "one label" in rows["1-2"]["reason"]
    assert rows["1-3"]["items"] == 1 and rows["1-3"]["kappa"] == 0 and "one side of the limit" in rows["1-3"]["reason"]
    apart, = agreement.pairs([["No", None], [None, "No"]], GRADES)
    assert apart["agreement"] is None and "rated by both" in apart["reason"]


def test_a_table_of_study_rows():
    rows = [{"rater": "b", "video": "v1", "grade": "No"}, {"rater": "a", "video": "v1", "grade": "Severe"},
            {"rater": "a", "video": "v2", "grade": ""}]
    assert agreement.table(rows, "grade", "video") == ([["No", "Severe"], [None, None]], ["v1", "v2"], ["b", "a"])
    with pytest.raises(KitError, match="'a' answered video 'v2' twice"):
        agreement.table(rows + rows[-1:], "grade", "video")


def test_the_interval_over_items_has_the_width_of_theory():
    from statsmodels.stats.inter_rater import cohens_kappa
    ratings = drawn(items=200, raters=2, missing=0)
    found = agreement.interval(lambda r: agreement.mean_cohen(r, GRADES), ratings, draws=600, seed=1)
    codes = [[GRADES.index(x) for x in row] for row in ratings]
    theory = cohens_kappa(np.histogram2d(*zip(*codes), bins=4)[0])
    assert found["value"] == pytest.approx(theory.kappa)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(1.96 * theory.std_kappa, rel=0.12)
    assert found == agreement.interval(lambda r: agreement.mean_cohen(r, GRADES), ratings, draws=600, seed=1)


def test_no_interval_where_the_draws_are_undefined():
    rare = [["No", "No"]] * 19 + [["Severe", "No"]]
    found = agreement.interval(agreement.mean_cohen, rare, draws=300)
    assert found["value"] == 0 and found["low"] is None and "draws" in found["reason"]
    assert agreement.interval(agreement.fleiss, [["No", "No"]] * 9)["value"] is None


def test_the_report_names_every_coefficient():
    rows = {row["coefficient"]: row for row in agreement.report(drawn(missing=0), GRADES, "Moderate", draws=100)}
    assert len(rows) == 10 and all(row["low"] <= row["value"] <= row["high"] for row in rows.values())
    assert rows["Krippendorff alpha, ordinal"]["value"] == pytest.approx(alpha_of_pairs(drawn(missing=0), "ordinal"), abs=1e-12)
    assert len(agreement.report([["a", "b"], ["b", "b"]] * 9, draws=50)) == 5
