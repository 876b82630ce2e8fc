"""Paired tests: p values by hand or enumeration, the right size under no difference, and words where there are too few pairs."""

import itertools
import json

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import paired


def yes_no(both, first, second, neither):
    """Two columns with given counts."""
    rows = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    return [bool(a) for a, _ in rows], [bool(b) for _, b in rows]


def test_mcnemar_is_a_coin_toss_over_the_pairs_that_differ():
    found = paired.mcnemar(*yes_no(30, 9, 1, 60))
    assert found["p"] == pytest.approx(2 * 11 / 2 ** 10) and (found["n"], found["differ"]) == (100, 10)
    assert (found["only_first"], found["only_second"], found["note"]) == (9, 1, "")
    few = paired.mcnemar(*yes_no(5, 5, 0, 5))
    assert few["p"] == pytest.approx(2 / 32) and "under 6" in few["note"]
    assert paired.mcnemar(*yes_no(5, 6, 0, 5))["p"] < 0.05 and paired.mcnemar(*yes_no(5, 6, 0, 5))["note"] == ""
    assert paired.mcnemar(*yes_no(5, 0, 0, 5))["p"] == 1 and paired.mcnemar([None], [True])["p"] is None


def test_cochran_q_by_hand():
    table = {"A": [1, 1, 1, 1, 0, 1, 1, 1], "B": [1, 0, 0, 1, 0, 0, 1, 0], "C": [0, 0, 1, 0, 0, 0, 1, 0]}
    columns, rows = np.array(list(table.values())).sum(1), np.array(list(table.values())).sum(0)
    by_hand = 2 * (3 * (columns ** 2).sum() - columns.sum() ** 2) / (3 * columns.sum() - (rows ** 2).sum())
    found = paired.cochran_q(table)
    assert found["statistic"] == pytest.approx(by_hand) and found["p"] == pytest.approx(np.exp(-by_hand / 2))      # chi squared, 2 df
    assert found["differ"] == 6 and "rough" in found["note"]
    assert paired.cochran_q(dict.fromkeys("ABC", [1, 0, 1]))["p"] is None
    with pytest.raises(KitError, match="at least three"):
        paired.cochran_q({"A": [1], "B": [0]})


def test_wilcoxon_equals_enumeration_and_drops_zeros():
    a, b = [1.0, 2.5, 3.0, 0.4, 5.0, 0.9, 4.0, 2.0], [0.5, 1.0, 3.3, 0.3, 2.0, 0.7, 4.0, 2.0]
    change = np.round(np.array(a) - b, 9)[:6]
    ranks = np.argsort(np.argsort(np.abs(change))) + 1.0
    sums = [sum(r for r, up in zip(ranks, signs) if up) for signs in itertools.product((0, 1), repeat=6)]
    smaller = min(ranks[change > 0].sum(), ranks[change < 0].sum())
    found = paired.wilcoxon(a, b)
    assert found["statistic"] == smaller and found["p"] == pytest.approx(2 * np.mean([x <= smaller for x in sums]))
    assert (found["n"], found["differ"]) == (8, 6) and found["rank_biserial"] == pytest.approx(1 - 2 * smaller / 21)
    same = paired.wilcoxon([0.1 + 0.2, 1], [0.3, 1])                       # equal but for rounding
    assert same["p"] is None and same["rank_biserial"] is None and "no prompt" in same["note"]


def test_wilcoxon_with_ties_and_with_many_prompts_by_hand():
    from scipy.stats import norm, rankdata
    change = np.array([1, 1, 1, -1, 2, 2, -2, 3, 3, 3.0])
    ranks = rankdata(np.abs(change))
    sums = np.array([ranks[np.array(up)].sum() for up in itertools.product((False, True), repeat=10)])
    seen = abs(ranks[change > 0].sum() - ranks.sum() / 2)
    assert paired.wilcoxon(change, np.zeros(10))["p"] == pytest.approx(np.mean(np.abs(sums - ranks.sum() / 2) >= seen - 1e-9))
    change = np.random.default_rng(5).normal(0.3, 1, 90).round(1)
    moved = change[change != 0]
    ranks = rankdata(np.abs(moved))
    z = (ranks[moved > 0].sum() - ranks.sum() / 2) / (0.5 * (ranks ** 2).sum() ** 0.5)               # its variance, ties and all
    assert paired.wilcoxon(change, np.zeros(90))["p"] == pytest.approx(2 * norm.sf(abs(z))) and len(moved) < 90


def test_friedman_by_hand():
    from scipy.stats import chi2, rankdata
    table = dict(zip("ABC", np.random.default_rng(6).normal(size=(3, 12)).round(1) + np.array([[0], [0.2], [0.6]])))
    table["B"][:3] = table["A"][:3]                                        # ties within a prompt
    ranks = rankdata(np.array(list(table.values())).T, axis=1)
    spread = ((ranks - 2) ** 2).sum() / (12 * 2)
    by_hand = 12 * ((ranks.mean(0) - 2) ** 2).sum() / spread                # Conover's form, which takes ties into account
    found = paired.friedman(table)
    assert found["statistic"] == pytest.approx(by_hand) and found["p"] == pytest.approx(chi2.sf(by_hand, 2)) and found["note"] == ""


def test_sign_flip_tries_every_flip_or_samples_them():
    rng = np.random.default_rng(1)
    a = rng.normal(0.4, 1, 10)
    exact = np.mean([abs((np.array(s) * a).sum()) >= abs(a.sum()) - 1e-9 for s in itertools.product((1, -1), repeat=10)])
    assert paired.sign_flip(a, np.zeros(10))["p"] == pytest.approx(exact)
    sampled = paired.sign_flip(a, np.zeros(10), draws=1000)                # fewer than 2 ** 10
    assert sampled["p"] == pytest.approx(exact, abs=0.04) and sampled["p"] != exact and sampled["statistic"] == pytest.approx(a.mean())
    assert paired.sign_flip(np.ones(60), np.zeros(60), draws=999)["p"] == 1 / 1000
    assert paired.sign_flip([1], [1])["p"] is None


def test_tests_keep_their_size_and_intervals_cover():
    rng, wrong, covered = np.random.default_rng(2), np.zeros(3), 0
    for k in range(300):
        prompt = rng.normal(0, 2, 40)
        a, b = prompt + rng.normal(0, 1, 40), prompt + rng.normal(0, 1, 40)
        wrong += [paired.wilcoxon(a, b)["p"] < 0.05, paired.sign_flip(a, b, draws=300, seed=k)["p"] < 0.05,
                  paired.mcnemar(a > 0, b > 0)["p"] < 0.05]
        found = paired.difference(a, b, draws=400, seed=k)
        covered += found["low"] <= 0 <= found["high"]
    assert (wrong / 300 < 0.09).all() and (wrong[:2] / 300 > 0.02).all()
    assert 0.9 < covered / 300 < 0.98


def test_pairing_makes_the_difference_sharp():
    rng = np.random.default_rng(3)
    prompt = rng.normal(0, 5, 200)
    found = paired.difference(prompt + 0.5 + rng.normal(0, 0.5, 200), prompt)
    assert found["low"] > 0.4 and found["high"] < 0.6 and found["n"] == 200
    assert paired.difference([1, None], [0, 3]) == {"difference": 1, "low": None, "high": None, "n": 1}


def test_holm_by_hand_and_a_row_without_p_counts():
    rows = [{"p": 0.01}, {"p": 0.04}, {"p": 0.03}, {"p": None}]
    assert [row["p_holm"] for row in paired.holm(rows)] == [pytest.approx(0.04), pytest.approx(0.09), pytest.approx(0.09), None]
    assert paired.holm([]) == [] and "p_holm" not in rows[0]


def test_compare_chooses_the_test_and_corrects_over_all():
    rng = np.random.default_rng(4)
    quality = rng.normal(0, 1, 60)
    table = {"warping": {"A": list(rng.random(60) < 0.1), "B": list(rng.random(60) < 0.6), "C": [None, *(rng.random(59) < 0.6)]},
             "score": {"A": quality + 1, "B": quality + rng.normal(0, 0.1, 60), "C": quality}}
    rows = paired.compare(table)
    assert [row["test"] for row in rows] == ["Cochran's Q", *["McNemar exact"] * 3, "Friedman", *["Wilcoxon signed-rank"] * 3]
    assert all(tuple(row) == paired.COLUMNS for row in rows)
    pairs = [row for row in rows if row["first"] != paired.ALL]
    order = sorted(pairs, key=lambda row: row["p"])
    assert order[0]["p_holm"] == pytest.approx(6 * order[0]["p"]) and all(row["p_holm"] >= row["p"] for row in pairs)
    assert pairs[0]["difference"] < 0 and pairs[0]["high"] < 0 and "1 of 60 prompts" in pairs[1]["note"] and pairs[1]["n"] == 59
    assert rows[0]["n"] == 59 and rows[0]["difference"] is None
    some = paired.compare(table, baseline="A")
    assert [(row["first"], row["second"]) for row in some if row["second"]] == [("B", "A"), ("C", "A")] * 2
    assert some[1]["difference"] == pytest.approx(-pairs[0]["difference"])
    json.dumps(rows, allow_nan=False)


def test_two_models_with_too_few_pairs_are_told_so():
    same, = paired.compare({"score": {"A": [1.0, 2.0, 3.0], "B": [0.0, 1.0, 2.0]}})
    assert same["low"] == same["high"] == 1 and "interval has no width" in same["note"]
    row, = paired.compare({"score": {"A": [1.0, 2.5, 3.0], "B": [0.0, 1.0, 2.0]}})
    assert "no width" not in row["note"]
    assert row["p"] >= 0.05 and "only 3 prompts" in row["note"] and row["difference"] == pytest.approx(3.5 / 3)


def test_what_can_not_be_compared_is_refused():
    for call, message in ((lambda: paired.mcnemar([True], [True, False]), "1, 2 values"), (lambda: paired.mcnemar([0.5], [1]), "yes/no"),
                          (lambda: paired.wilcoxon(["good"], [1]), "not a number"),
                          (lambda: paired.compare({"s": {"A": [1]}}), "two models"),
                          (lambda: paired.compare({"s": {"A": [1], "B": [0]}}, baseline="Z"), "'Z', which is not")):
        with pytest.raises(KitError, match=message):
            call()
