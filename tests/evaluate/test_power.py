"""Power: numbers of the textbooks, and what is promised is what simulated studies find."""

import json

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import agreement, grading, paired, power, preference


def test_shares_as_in_the_textbook():
    assert power.prompts_needed("share") == 97 and power.prompts_needed("share", 0.05) == 385
    assert power.prompts_needed("share", share=0.3) == 81
    assert power.share_half_width(97) < 0.1 < power.share_half_width(96)
    found = grading.wilson([True] * 60 + [False] * 140)
    assert (found["high"] - found["low"]) / 200 == pytest.approx(power.share_half_width(200, 0.3), rel=0.02)


def test_more_raters_of_one_prompt_add_little():
    assert power.effective(3, 0.5) == 1.5 and power.effective(3, 0) == 3 and power.effective(7, 1) == 1
    assert power.effective(1000, 0.5) < 2
    one, three = (power.prompts_needed("preference", difference=0.2, raters=m, correlation=0.5) for m in (1, 3))
    assert three == pytest.approx(one / 1.5, abs=1)
    assert power.prompts_needed("share", raters=3, correlation=1) == 97


def test_preference_as_the_formula_of_one_share():
    z, zb, p = 1.959964, 0.841621, 0.6
    by_hand = ((z * 0.5 + zb * (p * (1 - p)) ** 0.5) / (p - 0.5)) ** 2
    assert power.prompts_needed("preference", difference=0.2, raters=1) == pytest.approx(by_hand, abs=1)
    assert power.preference_power(50, difference=0.0) == pytest.approx(0.05)


def test_warping_power_is_exact_for_a_few_prompts():
    from itertools import product
    from math import comb
    gain, loss = 0.5, 0.1
    total = 0
    for up, down in product(range(9), repeat=2):
        if up + down <= 8 and 2 * sum(comb(up + down, k) for k in range(min(up, down) + 1)) / 2 ** (up + down) <= 0.05:
            total += comb(8, up) * comb(8 - up, down) * gain ** up * loss ** down * (1 - gain - loss) ** (8 - up - down)
    assert power.warping_power(8, difference=0.4, discordance=0.6) == pytest.approx(total, abs=1e-9) and total > 0.05
    assert power.warping_power(100, difference=0.0) < 0.05 and power.warping_power(5, difference=0.5, discordance=0.5) == 0


def test_simulated_studies_find_what_was_promised_for_warping():
    rng, first, second = np.random.default_rng(0), 0.4, 0.2
    differ = power.independent_discordance(first, second)
    prompts = power.prompts_needed("warping", difference=0.2, discordance=differ)
    found = [paired.mcnemar(rng.random(prompts) < first, rng.random(prompts) < second)["p"] < 0.05 for _ in range(1500)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def preferences(rng, prompts, raters, share, correlation):
    """Answers with a given correlation within prompts: a beta-binomial draw."""
    scale = 1 / correlation - 1
    chance = rng.beta(share * scale, (1 - share) * scale, (prompts, 1))
    return rng.random((prompts, raters)) < chance


def test_simulated_studies_find_what_was_promised_for_preference():
    rng = np.random.default_rng(1)
    prompts = power.prompts_needed("preference", difference=0.2, raters=3, correlation=0.4)
    found = []
    for _ in range(200):
        answers = preferences(rng, prompts, 3, 0.6, 0.4)
        rows = [{"prompt": k, "rater": m, "first": "A", "second": "B", "answer": "A" if answers[k, m] else "B"}
                for k in range(prompts) for m in range(3)]
        pair, = preference.ranking(rows, draws=200)["pairs"]
        found.append(pair["low"] > 0.5 or pair["high"] < 0.5)
    assert np.mean(found) == pytest.approx(0.8, abs=0.09)                  # 200 studies: three standard errors
    means = np.stack([preferences(rng, prompts, 3, 0.6, 0.4).mean(1) for _ in range(4000)])
    z = (means.mean(1) - 0.5) / (means.std(1, ddof=1) / prompts ** 0.5)
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("labels, quadratic", [((0.7, 0.3), False), ((0.4, 0.3, 0.2, 0.1), False), ((0.4, 0.3, 0.2, 0.1), True)])
def test_kappas_scatter_as_widely_as_promised(labels, quadratic):
    prompts = power.prompts_needed("kappa", 0.12, kappa=0.5, labels=labels, quadratic=quadratic)
    assert power.kappa_half_width(prompts, 0.5, labels, quadratic) <= 0.12 < power.kappa_half_width(prompts - 1, 0.5, labels, quadratic)
    rng, cells = np.random.default_rng(2), 0.5 * np.outer(labels, labels) + 0.5 * np.diag(labels)
    found = []
    for _ in range(400):
        first, second = np.divmod(rng.choice(cells.size, prompts, p=cells.ravel()), len(labels))
        found.append(agreement.cohen(first, second, list(range(len(labels))), "quadratic" if quadratic else None))
    assert np.mean(found) == pytest.approx(0.5, abs=0.02) and 1.96 * np.std(found) == pytest.approx(0.12, rel=0.15)


def test_more_prompts_give_more_power_and_narrower_intervals():
    found = [power.warping_power(n, difference=0.1, discordance=0.3) for n in (50, 100, 200)]
    assert 0 < found[0] < found[1] < found[2] < 1
    assert power.kappa_half_width(25) == pytest.approx(2 * power.kappa_half_width(100))


def test_advice_is_numbers_and_one_sentence():
    found = power.advise()
    assert found["effective_raters"] == 1.5 and found["discordance"] == pytest.approx(0.38)
    assert found["preference"] == power.prompts_needed("preference", difference=0.1, raters=3, correlation=0.5)
    assert power.warping_power(found["warping"], 0.1, 0.38) >= 0.8 > power.warping_power(found["warping"] - 2, 0.1, 0.38) - 0.01
    assert found["prompts"] == max(found["preference"], found["warping"])
    for number in (found["preference"], found["warping"], "10 points", "30 % and 20 %", "1.5 independent"):
        assert str(number) in found["sentence"]
    json.dumps(found, allow_nan=False)
    assert power.advise(difference=0.2)["prompts"] < found["prompts"] / 2


def test_assumptions_that_can_not_be_are_refused():
    for call, message in ((lambda: power.prompts_needed("quality"), "no question 'quality'"),
                          (lambda: power.warping_power(100, 0.4, 0.3), "discordance is 0.3"),
                          (lambda: power.effective(0, 0.5), "raters is 0"),
                          (lambda: power.kappa_half_width(9, labels=(0.5, 0.6)), "sum to 1"),
                          (lambda: power.prompts_needed("preference", difference=0.001), "more than"),
                          (lambda: power.advise(difference=0.4), "warping is 0.3"),
                          (lambda: power.advise(power=None), "power is None"), (lambda: power.advise(kappa=float("nan")), "kappa is nan"),
                          (lambda: power.share_half_width(0), "prompts is 0"), (lambda: power.share_half_width(None), "prompts is None"),
                          (lambda: power.share_half_width(9, float("nan")), "share is nan"),
                          (lambda: power.share_half_width(9, level=1), "level is 1"),
                          (lambda: power.kappa_half_width(0), "prompts is 0"),
                          (lambda: power.kappa_half_width(9, labels=None), "at least two"),
                          (lambda: power.kappa_half_width(9, labels=(float("nan"), 0.3)), "sum to 1"),
                          (lambda: power.warping_power(2.5), "whole number"), (lambda: power.warping_power(9, None), "difference is None"),
                          (lambda: power.warping_power(9, alpha=0), "alpha is 0"),
                          (lambda: power.preference_power(0), "prompts is 0"),
                          (lambda: power.preference_power(9, raters=None), "raters is None"),
                          (lambda: power.prompts_needed("share", float("nan")), "goal is nan"),
                          (lambda: power.prompts_needed("share", difference=0.1), "nothing called 'difference'")):
        with pytest.raises(KitError, match=message):
            call()
