"""How many prompts and raters does a study need? Power of its tests and width of its intervals, before anybody has rated.

Answers to one prompt resemble each other: `correlation` (0..1) is that of two raters' answers to it, and it limits what more raters can
add. Shares and differences are 0..1, so 0.1 is ten points. All is for two-sided tests at 5 % and 95 % intervals unless said.
"""

import inspect

import numpy as np

from ..errors import KitError

MOST = 1_000_000                               # prompts that no study will have
SURE = 1e-6                                    # as near as a level, alpha or power may come to 0 and 1


def inside(**named):
    """KitError unless every value is a number within its bounds; named: argument = (value, low, high)."""
    for name, (value, low, high) in named.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise KitError(f"{name} is {value!r}, but must be a number between {low:,g} and {high:,.10g}.")
        if not low <= value <= high:
            raise KitError(f"{name} is {value:g}, but must lie between {low:,g} and {high:,.10g}.")


def whole(prompts):
    """KitError unless it is a whole number of prompts."""
    inside(prompts=(prompts, 1, MOST))
    if prompts != int(prompts):
        raise KitError(f"prompts is {prompts:g}, but must be a whole number.")


def effective(raters, correlation):
    """How many independent answers those of `raters` to one prompt are worth: m / (1 + (m - 1) correlation), at most 1 / correlation."""
    inside(raters=(raters, 1, MOST), correlation=(correlation, 0, 1))
    return raters / (1 + (raters - 1) * correlation)


def independent_discordance(first, second):
    """Share of prompts on which two models differ in a yes/no outcome, when the failures of one tell nothing about the other's."""
    inside(first=(first, 0, 1), second=(second, 0, 1))
    return first * (1 - second) + second * (1 - first)


def share_half_width(prompts, share=0.5, raters=1, correlation=0.0, level=0.95):
    """Half the width of the normal interval of a share, 0..1; the warping error is a share with one outcome (rater) per prompt."""
    from scipy.stats import norm

    inside(prompts=(prompts, 1, MOST), share=(share, 0, 1), level=(level, SURE, 1 - SURE))
    return float(norm.ppf((1 + level) / 2) * (share * (1 - share) / (prompts * effective(raters, correlation))) ** 0.5)


def kappa_half_width(prompts, kappa=0.6, labels=(0.7, 0.3), quadratic=False, level=0.95):
    """Half the width of the interval of Cohen's kappa of two raters (Fleiss, Cohen and Everitt 1969).

    labels: how often each label is used, summing to 1, by both raters alike: two for the binary view of distortion, four for the grades.
    """
    from scipy.stats import norm
    from statsmodels.stats.inter_rater import cohens_kappa

    labels = np.array([] if labels is None else labels, float)
    inside(prompts=(prompts, 1, MOST), kappa=(kappa, 0, 1), level=(level, SURE, 1 - SURE))
    if labels.size < 2 or not (labels > 0).all() or abs(labels.sum() - 1) > 1e-6:
        raise KitError(f"labels are {labels.tolist()}: give at least two shares above 0 that sum to 1, such as (0.7, 0.3).")
    cells = prompts * ((1 - kappa) * np.outer(labels, labels) + kappa * np.diag(labels))
    return float(norm.ppf((1 + level) / 2) * cohens_kappa(cells, wt="quadratic" if quadratic else None).std_kappa)


def warping_power(prompts, difference=0.1, discordance=0.3, alpha=0.05):
    """Power, 0..1, of McNemar's exact test of two warping errors on the same prompts.

    difference: of the two errors. discordance: share of prompts where just one of the two clips is unacceptable, at least `difference`;
    `independent_discordance` is a careful guess of it. Exact: summed over all numbers of prompts that may differ.
    """
    from scipy.stats import binom

    whole(prompts)
    inside(difference=(difference, -1, 1), alpha=(alpha, SURE, 1 - SURE))
    inside(discordance=(discordance, abs(difference), 1))
    if not discordance:
        return 0.0
    differ = np.arange(prompts + 1)
    limit = binom.ppf(alpha / 2, differ, 0.5)                            # the largest count with 2 P(X <= count) <= alpha
    limit -= binom.cdf(limit, differ, 0.5) > alpha / 2
    ahead = (1 + abs(difference) / discordance) / 2
    reject = binom.cdf(limit, differ, ahead) + binom.cdf(limit, differ, 1 - ahead)
    return float(min(1.0, binom.pmf(differ, prompts, discordance) @ reject))


def preference_power(prompts, difference=0.1, raters=3, correlation=0.5, both_fail=0.0, alpha=0.05):
    """Power, 0..1, to see that one of two models is preferred, when whole prompts are drawn again (normal approximation).

    difference: share of decided answers for the one minus that for the other: 0.1 is 55 to 45. both_fail: share of answers that decide
    nothing. raters answer every prompt.
    """
    from scipy.stats import norm

    inside(prompts=(prompts, 1, MOST), difference=(difference, -1, 1), raters=(raters, 1, MOST), correlation=(correlation, 0, 1),
           both_fail=(both_fail, 0, 0.99), alpha=(alpha, SURE, 1 - SURE))
    share, decided = 0.5 + abs(difference) / 2, raters * (1 - both_fail)
    answers = prompts * (effective(decided, correlation) if decided > 1 else decided)
    spread = max((share * (1 - share)) ** 0.5, 1e-9)
    limit, shift = norm.ppf(1 - alpha / 2) / 2, abs(difference) / 2 * answers ** 0.5
    return float(norm.cdf((shift - limit) / spread) + norm.cdf((-shift - limit) / spread))


WIDTHS = {"share": share_half_width, "kappa": kappa_half_width}
POWERS = {"warping": warping_power, "preference": preference_power}


def known(question):
    """(function, name of what it gives) of a question; KitError for others."""
    if question not in WIDTHS | POWERS:
        raise KitError(f"there is no question '{question}'. Choose one of {', '.join(WIDTHS | POWERS)}.")
    return (WIDTHS | POWERS)[question], "half_width" if question in WIDTHS else "power"


def prompts_needed(question, goal=None, **assumptions):
    """The smallest number of prompts that reaches `goal`.

    question: "share" or "kappa", where goal is the half width (0.1 by default), or "warping" or "preference", where it is the power (0.8).
    assumptions: arguments of `share_half_width`, `kappa_half_width`, `warping_power`, `preference_power`.
    """
    function, name = known(question)
    possible = [one for one in inspect.signature(function).parameters if one != "prompts"]
    if unknown := [one for one in assumptions if one not in possible]:
        raise KitError(f"'{question}' assumes nothing called '{unknown[0]}'. It takes {', '.join(possible)}.")
    goal = {"half_width": 0.1, "power": 0.8}[name] if goal is None else goal
    inside(goal=(goal, 0.001, 0.999))

    def reached(prompts):
        value = function(prompts, **assumptions)
        return value <= goal if name == "half_width" else value >= goal

    high = 2
    while not reached(high):
        high *= 2
        if high > MOST:
            raise KitError(f"more than {MOST // 2} prompts would be needed. Ask for a larger difference, a wider interval or less power.")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def advise(difference=0.1, raters=3, correlation=0.5, power=0.8, warping=0.3, kappa=0.6):
    """What a study of two models needs: {"preference", "warping", "prompts", "effective_raters", ..., "sentence"}.

    difference: the smallest that matters, 0.1 for ten points. warping: the higher warping error of the two; the other is lower by
    `difference`, and the failures of the two are taken as independent, which is the careful case. preference, warping: prompts needed for
    the one and the other; prompts: the larger of the two, at which the half widths hold.
    """
    inside(difference=(difference, 0.001, 1), power=(power, 0.001, 0.999))
    inside(warping=(warping, difference, 1 - SURE))
    differ = independent_discordance(warping, warping - difference)
    need = {"preference": prompts_needed("preference", power, difference=difference, raters=raters, correlation=correlation),
            "warping": prompts_needed("warping", power, difference=difference, discordance=differ)}
    prompts = max(need.values())
    out = need | {"prompts": prompts, "effective_raters": effective(raters, correlation), "discordance": differ,
                  "warping_half_width": share_half_width(prompts, warping),
                  "kappa_half_width": kappa_half_width(prompts, kappa, (1 - warping, warping))}
    both = f"{100 * warping:g} % and {100 * (warping - difference):g} %"
    return out | {"sentence": (
        f"To see a difference of {100 * difference:g} points with power {power:g}, preference needs about {need['preference']} prompts "
        f"with {raters} raters each (whose answers to one prompt correlate {correlation:g}, worth {out['effective_raters']:.2g} "
        f"independent raters), and warping errors of {both} need about {need['warping']}; with {prompts} prompts a warping error is known "
        f"to {100 * out['warping_half_width']:.1f} points and a kappa of {kappa:g} to {out['kappa_half_width']:.2f}.")}
