"""Preferences: shares by hand, strengths against independent optimisers and known truth, intervals over prompts."""

import itertools
import json
import time

import numpy as np
import pytest
from scipy.stats import binomtest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import preference
from medgen_kit.evaluate.preference import BOTH_FAIL

TRUTH = {"A": 0.9, "B": 0.1, "C": -0.3, "D": -0.7}


def drawn(prompts=200, raters=3, truth=TRUTH, nu=0.4, spread=0.0, seed=0):
    """Answers drawn from Davidson's model; `spread` moves a pair's difference from prompt to prompt, for all raters alike."""
    rng, rows = np.random.default_rng(seed), []
    for prompt, (a, b) in itertools.product(range(prompts), itertools.combinations(truth, 2)):
        gap = truth[a] - truth[b] + spread * rng.normal()
        weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), nu])
        for rater in range(raters):
            first, second = (a, b) if rng.random() < 0.5 else (b, a)
            rows.append({"prompt": prompt, "rater": f"r{rater}", "first": first, "second": second,
                         "answer": (a, b, BOTH_FAIL)[rng.choice(3, p=weights / weights.sum())]})
    return rows


def answer(prompt, first, second, said, rater="r1"):
    return {"prompt": prompt, "rater": rater, "first": first, "second": second, "answer": said}


def test_shares_by_hand_keep_both_fail_apart():
    rows = [answer(1, "A", "B", "A"), answer(1, "B", "A", "A", "r2"), answer(2, "A", "B", BOTH_FAIL), answer(3, "A", "B", "B")]
    a, b = preference.shares(rows)
    assert (a["model"], a["against"], a["answers"]) == ("A", "B", 4)
    assert (a["win"], a["both_fail"], a["loss"]) == (0.5, 0.25, 0.25) and b["win"] == 0.25 and a["win_low"] <= 0.5 <= a["win_high"]
    three = preference.shares(rows + [answer(1, "A", "C", "C")])
    assert [(row["model"], row["against"]) for row in three] == [("A", "all"), ("A", "B"), ("A", "C"), ("B", "A"), ("C", "A")]
    assert three[0]["answers"] == 5 and three[0]["win"] == pytest.approx(0.4)


def test_bradley_terry_equals_a_logistic_regression():
    import statsmodels.api as sm
    rows = [row for row in drawn(60, 2) if row["answer"] != BOTH_FAIL]
    models = list(TRUTH)
    design = np.zeros((len(rows), len(models)))
    for k, row in enumerate(rows):
        design[k, models.index(row["first"])], design[k, models.index(row["second"])] = 1, -1
    other = sm.Logit([row["answer"] == row["first"] for row in rows], design[:, 1:]).fit(disp=0, tol=1e-12).params
    other = np.array([0, *other]) - np.mean([0, *other])
    found = preference.bradley_terry(rows)
    assert list(found["strength"].values()) == pytest.approx(list(other), abs=1e-5)
    assert found["decided"] == len(rows) and found["both_fail"] == 0 and found["note"] == ""


def test_davidson_equals_a_general_optimiser():
    from scipy.optimize import minimize
    rows, models = drawn(40, 2), list(TRUTH)

    def loss(theta):
        power, nu = np.exp([*theta[:3], -sum(theta[:3])]), np.exp(theta[3])
        total = 0
        for row in rows:
            a, b = power[models.index(row["first"])], power[models.index(row["second"])]
            tie = nu * (a * b) ** 0.5
            total -= np.log({row["first"]: a, row["second"]: b, BOTH_FAIL: tie}[row["answer"]] / (a + b + tie))
        return total / len(rows)

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    found = preference.davidson(rows)
    assert list(found["strength"].values()) == pytest.approx([*best[:3], -sum(best[:3])], abs=1e-5)
    assert found["nu"] == pytest.approx(np.exp(best[3]), abs=1e-5)


def test_known_strengths_come_back_and_the_bootstrap_is_quick():
    rows = drawn(200, 3)
    start = time.perf_counter()
    found = preference.ranking(rows)
    assert time.perf_counter() - start < 10
    assert [row["model"] for row in found["models"]] == list(TRUTH) and found["draws"] == 2000 and found["prompts"] == 200
    for row in found["models"]:
        assert row["strength"] == pytest.approx(TRUTH[row["model"]], abs=0.2) and row["low"] < TRUTH[row["model"]] < row["high"]
    assert found["models"][0]["first"] > 0.99 and found["models"][0]["rank_high"] == 1
    assert [row["elo"] for row in found["models"]] == sorted((row["elo"] for row in found["models"]), reverse=True)
    pair = next(row for row in found["pairs"] if (row["model"], row["against"]) == ("A", "D"))
    assert pair["low"] < 1 / (1 + np.exp(-1.6)) < pair["high"] and pair["stronger"] == 1
    for view in (preference.bradley_terry, preference.davidson):
        assert list(view(rows)["strength"].values()) == pytest.approx(list(TRUTH.values()), abs=0.2)
    assert preference.davidson(rows)["nu"] == pytest.approx(0.4, abs=0.08)
    json.dumps(found, allow_nan=False)


def test_intervals_over_prompts_cover_the_truth_where_raters_of_a_prompt_agree():
    even = {"A": 0.0, "B": 0.0}
    covered = shut_out = 0
    for seed in range(120):
        rows = drawn(40, 6, even, 0.0, spread=3, seed=seed)
        pair, = preference.ranking(rows, draws=400)["pairs"]
        covered += pair["low"] <= 0.5 <= pair["high"]
        won = sum(row["answer"] == "A" for row in rows) / len(rows)
        shut_out += abs(won - 0.5) > 1.96 * (0.25 / len(rows)) ** 0.5
    assert covered / 120 > 0.88
    assert shut_out / 120 > 0.2                                            # as if answers were independent: far too narrow


def test_a_model_that_always_won_gets_a_stated_prior():
    rows = [answer(k, "A", "B", "A") for k in range(9)] + [answer(9, "B", "C", "C"), answer(10, "B", "C", "B")]
    found = preference.bradley_terry(rows)
    assert "imaginary wins" in found["note"]
    assert found["strength"]["A"] - found["strength"]["B"] == pytest.approx(np.log(9.5 / 0.5), abs=1e-6)
    ranked = preference.ranking(rows, draws=200)
    assert ranked["infinite"] == 200 and ranked["models"][0]["model"] == "A" and np.isfinite(ranked["models"][0]["high"])
    assert preference.davidson([row for row in rows if "C" not in row.values()])["nu"] == 0


def test_models_nobody_compared_have_no_common_scale():
    rows = [answer(1, "A", "B", "A"), answer(2, "A", "B", "B"), answer(1, "C", "D", "C"), answer(1, "A", "C", BOTH_FAIL)]
    found = preference.bradley_terry(rows)
    assert set(found["strength"].values()) == {None} and "links A with C, D" in found["note"]
    assert preference.ranking(rows)["models"] == [] and "links A" in preference.ranking(rows)["note"]
    assert None not in preference.davidson(rows)["strength"].values()      # a tie links them


def test_only_both_fail_decides_nothing():
    rows = [answer(k, "A", "B", BOTH_FAIL) for k in range(4)]
    assert preference.bradley_terry(rows)["strength"] == {"A": None, "B": None}
    assert preference.shares(rows)[0]["both_fail"] == 1 and preference.side_bias(rows)["share"] is None
    assert preference.elo(rows) == {"A": 1000, "B": 1000}


def test_one_prompt_gives_no_interval():
    rows = [answer(1, "A", "B", said, f"r{k}") for k, said in enumerate("AAB")]
    found = preference.ranking(rows, draws=50)
    assert found["models"][0]["low"] is None and found["models"][0]["first"] is None and "one prompt" in found["note"]
    one = preference.shares(rows)[0]
    assert one["win_low"] is one["both_fail_high"] is None and one["note"] == "one prompt alone, so there is no interval"


def test_few_prompts_that_decide_are_told():
    for decided, note in ((9, "few prompts: the bootstrap is too narrow"), (10, "")):
        rows = [answer(k, "A", "B", "AB"[k % 2]) for k in range(decided)] + [answer(k, "A", "B", BOTH_FAIL) for k in range(20, 40)]
        assert [row["note"] for row in preference.shares(rows, 50)] == [note] * 2
    three = preference.shares(rows + [answer(k, "A", "C", "A") for k in range(3)], 50)
    assert {(row["model"], row["against"]) for row in three if row["note"]} == {("A", "C"), ("C", "A")}


def test_one_prompt_that_decides_gives_no_interval_however_many_decide_nothing():
    rows = [answer(1, "A", "B", said, f"r{k}") for k, said in enumerate("AAB")] + [answer(k, "A", "B", BOTH_FAIL) for k in range(2, 20)]
    found = preference.ranking(rows, draws=50)
    assert {row[name] for row in found["models"] for name in ("low", "high", "rank_low", "rank_high", "first")} == {None}
    assert found["pairs"][0]["low"] is found["pairs"][0]["stronger"] is None and "one prompt alone decides about A, B" in found["note"]
    assert preference.ranking(rows, draws=50, ties=True)["models"][0]["low"] is not None               # there a tie counts too
    more = preference.ranking(rows[:3] + [answer(k, "A", "C", "AC"[k % 3 == 0]) for k in range(2, 20)], draws=50)
    assert "decides about B, so" in more["note"] and {row["model"] for row in more["models"] if row["low"] is None} == {"B"}
    assert {(row["model"], row["against"]) for row in more["pairs"] if row["low"] is not None} == {("A", "C")}


def test_draws_that_are_all_alike_claim_no_certainty():
    split = [answer(k, "A", "B", said, said) for k in range(12) for said in "AB"]
    found = preference.ranking(split, draws=50)
    assert found["pairs"][0]["low"] is None and "every draw" in found["note"]
    a = preference.shares(split, 50)[0]
    assert (a["win_low"], a["win_high"]) == pytest.approx(binomtest(6, 12).proportion_ci(0.95, "exact"))        # half of every prompt
    always = [answer(k, "A", "B", "A") for k in range(12)]
    assert preference.ranking(always, draws=50)["models"][0]["low"] is None
    a, b = preference.shares(always, 50)
    assert (a["win_low"], a["win_high"]) == (pytest.approx(0.025 ** (1 / 12)), 1)                      # exact, 12 of 12
    assert (b["win_low"], b["win_high"]) == (0, pytest.approx(1 - 0.025 ** (1 / 12)))


def test_rows_that_make_no_sense_are_refused():
    for rows, message in (([answer(1, "A", "B", "C")], "answer is 'C'"), ([{"prompt": 1, "rater": "r", "answer": "A"}], "first, second"),
                          ([answer(1, "A", "A", "A")], "must differ"), ([], "no answer yet"),
                          ([answer(1, "A", "B", "A") | {"question": q} for q in ("accuracy", "quality")], "2 questions")):
        with pytest.raises(KitError, match=message):
            preference.bradley_terry(rows)


def test_side_bias_is_exact():
    rows = [answer(k, "A", "B", "A" if k < 9 else "B") for k in range(10)] + [answer(11, "A", "B", BOTH_FAIL, "r2")]
    found = preference.side_bias(rows)
    assert found["share"] == 0.9 and found["decided"] == 10 and found["p"] == pytest.approx(2 * 11 / 1024)
    assert 1 - found["high"] == pytest.approx(1 - 0.975 ** (1 / 10), rel=1e-6)
    assert [(row["rater"], row["share"]) for row in found["raters"]] == [("r1", 0.9), ("r2", None)]


def test_what_comes_from_simulated_raters_says_so():
    rows = [row | {"simulated": True} for row in drawn(10, 1)]
    found = preference.ranking(rows, draws=50)
    for part in (*preference.shares(rows), preference.bradley_terry(rows), preference.davidson(rows), preference.side_bias(rows), found,
                 *found["models"], *found["pairs"]):
        assert part["simulated"] is True
    assert "simulated" not in preference.bradley_terry(drawn(10, 1))
    as_file = [row | {"simulated": "False"} for row in drawn(10, 1)]
    assert "simulated" not in preference.bradley_terry(as_file)
    assert preference.bradley_terry([row | {"rater": "simulated-ann"} for row in as_file])["simulated"] is True
