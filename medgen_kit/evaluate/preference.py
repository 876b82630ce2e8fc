"""Which model do raters prefer? Shares, Bradley-Terry and Davidson strengths, and rankings with intervals over prompts.

A row is one answer: {"prompt", "rater", "first", "second", "answer"}. first and second: the models on the two sides, as shown; answer:
one of these two names, or "both fail". Both fail is no tie: it says that neither clip will do, so the three shares come first.
"""

import numpy as np

from ..errors import KitError
from .agreement import made_up
from .marks import cluster_interval

BOTH_FAIL = "both fail"
PRIOR = 0.5                                    # imaginary wins each way, where a strength would be infinite without them
FEW = 10                                       # with fewer prompts that decide, bootstrap intervals over prompts are too narrow


def counts(rows):
    """(counts [prompts, pairs, 3], pairs [P, 2], models): per prompt and pair of models how often the one, the other or neither won."""
    rows = list(rows)
    if not rows:
        raise KitError("there is no answer yet, so nothing can be said about preferences.")
    if len(asked := list(dict.fromkeys(row.get("question") for row in rows))) > 1:
        raise KitError(f"the rows answer {len(asked)} questions ({', '.join(map(str, asked))}). Give the rows of one question.")
    for row in rows:
        if absent := [name for name in ("prompt", "rater", "first", "second", "answer") if name not in row]:
            raise KitError(f"an answer lacks {', '.join(absent)}. It needs prompt, rater, first, second (the models as shown), answer.")
        if row["first"] == row["second"] or row["answer"] not in (row["first"], row["second"], BOTH_FAIL):
            raise KitError(f"prompt '{row['prompt']}', rater '{row['rater']}': the answer is {row['answer']!r}; it must be "
                           f"{row['first']!r}, {row['second']!r} or '{BOTH_FAIL}', and the two must differ.")
    models = sorted({row[side] for row in rows for side in ("first", "second")})
    pairs = sorted({tuple(sorted((row["first"], row["second"]))) for row in rows})
    place, prompts = {pair: k for k, pair in enumerate(pairs)}, {row["prompt"]: None for row in rows}
    number, out = {prompt: k for k, prompt in enumerate(prompts)}, np.zeros((len(prompts), len(pairs), 3))
    for row in rows:
        pair = tuple(sorted((row["first"], row["second"])))
        out[number[row["prompt"]], place[pair], 2 if row["answer"] == BOTH_FAIL else pair.index(row["answer"])] += 1
    return out, np.array([[models.index(name) for name in pair] for pair in pairs]), models


def resample(prompts, draws, seed):
    """How often each prompt is drawn in each bootstrap draw: [draws, prompts], every row sums to `prompts`."""
    return np.random.default_rng(seed).multinomial(prompts, np.full(prompts, 1 / prompts), draws).astype(float)


def between(found, level):
    """(low, high) percentiles of bootstrap draws [D], NaN left out; (None, None) where nothing is left."""
    found = found[np.isfinite(found)]
    return tuple(float(x) for x in np.quantile(found, [(1 - level) / 2, (1 + level) / 2])) if len(found) else (None, None)


def shares(rows, draws=2000, level=0.95, seed=0):
    """Win, both fail and loss as shares 0..1 of the answers, per model against every other and against "all".

    Rows {"model", "against", "answers", "win", "both_fail", "loss", "win_low", "win_high", "both_fail_low", "both_fail_high",
    "note"}; intervals over prompts as `marks.cluster_interval` gives them, None with a single prompt. note: what to know about them, where
    fewer than FEW prompts have a decided answer; else "".
    """
    rows = list(rows)
    table, pairs, models = counts(rows)
    out = []
    for k, model in enumerate(models):
        ahead, behind = table[:, pairs[:, 0] == k], table[:, pairs[:, 1] == k][..., [1, 0, 2]]
        others = [*pairs[pairs[:, 0] == k, 1], *pairs[pairs[:, 1] == k, 0]]
        own = np.concatenate([ahead, behind], 1)
        for against, part in [("all", own.sum(1))] * (len(others) > 1) + [(models[j], own[:, n]) for n, j in enumerate(others)]:
            win, loss, fail = part.sum(0) / part.sum()
            row = {"model": model, "against": against, "answers": int(part.sum()), "win": float(win), "both_fail": float(fail),
                   "loss": float(loss)}
            for name, column in (("win", 0), ("both_fail", 2)):
                row[f"{name}_low"], row[f"{name}_high"] = cluster_interval(part[:, column], part.sum(1), draws, level, seed)
            out.append(row | {"note": few(part)} | made_up(rows))
    return out


def few(part):
    """Why the intervals of counts [prompts, 3] are missing or too narrow, "" where they are neither."""
    if (part.sum(1) > 0).sum() < 2:
        return "one prompt alone, so there is no interval"
    return "few prompts: the bootstrap is too narrow" if (part[:, :2].sum(1) > 0).sum() < FEW else ""


def connected(edges):
    """True per draw when every model reaches every other along `edges`, bool [D, K, K]."""
    reach = edges | np.eye(edges.shape[-1], dtype=bool)
    for _ in range(int(np.ceil(np.log2(max(edges.shape[-1], 2))))):
        reach = (reach.astype(float) @ reach.astype(float)) > 0
    return reach.all((1, 2))


def steady(table, pairs, models):
    """(table, which): counts [D, P, 3] with PRIOR wins each way on every pair, in the draws where some strength would be infinite."""
    wins = np.zeros((len(table), models, models), bool)
    wins[:, pairs[:, 0], pairs[:, 1]] = table[..., 0] > 0
    wins[:, pairs[:, 1], pairs[:, 0]] = table[..., 1] > 0
    which = ~connected(wins)
    return table + PRIOR * which[:, None, None] * np.array([1, 1, 0]), which


def fit(table, pairs, models, ties):
    """Maximum likelihood by damped Newton steps, all draws at once: counts [D, P, 3] -> (strengths [D, K], log of the tie rate [D]).

    With x the difference of two strengths the outcomes of a pair weigh exp(x / 2), exp(-x / 2) and, with `ties`, exp(eta): Davidson's
    model (1970) with nu = exp(eta), and Bradley and Terry's (1952) without. Strengths sum to zero.
    """
    design = np.zeros((len(pairs), models + 1))
    design[np.arange(len(pairs)), pairs[:, 0]], design[np.arange(len(pairs)), pairs[:, 1]] = 1, -1
    tied = table[..., 2].sum(1) > 0 if ties else np.zeros(len(table), bool)
    answers = table[..., :2].sum(2) + table[..., 2] * tied[:, None]
    last, state = np.eye(models + 1)[-1], np.zeros((len(table), models + 1))
    pin, own = np.outer(1 - last, 1 - last), np.outer(last, last)         # pin: the sum of the strengths, which is free
    squares = (design[:, :, None] * design[:, None]).reshape(len(pairs), -1)
    for _ in range(200):
        x, eta = state @ design.T, state[:, -1:]
        logits = np.stack([x / 2, -x / 2, np.where(tied[:, None], eta + 0 * x, -np.inf)], -1)
        chance = np.exp(logits - logits.max(-1, keepdims=True))
        chance /= chance.sum(-1, keepdims=True)
        ahead = (chance[..., 0] - chance[..., 1]) / 2
        slope = ((table[..., 0] - table[..., 1]) / 2 - answers * ahead) @ design
        slope += np.outer(((table[..., 2] - answers * chance[..., 2]).sum(1)) * tied, last)
        curve = ((answers * ((1 - chance[..., 2]) / 4 - ahead ** 2)) @ squares).reshape(-1, *pin.shape) + pin
        cross = (-(answers * ahead * chance[..., 2]) @ design)[:, :, None] * last
        curve += cross + cross.transpose(0, 2, 1)
        curve += np.where(tied, (answers * chance[..., 2] * (1 - chance[..., 2])).sum(1), 1)[:, None, None] * own
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True) * 2 ** 0.5
        state += step * np.where(length > 1e-4, np.log1p(length) / np.maximum(length, 1e-12), 1)
        if length.max() < 1e-9:
            return state[:, :-1], np.where(tied, state[:, -1], -np.inf)
    raise KitError("the strengths did not settle: the answers are too one-sided to be put on one scale. Report the shares alone.")


def strengths(rows, ties):
    """`bradley_terry` or `davidson`."""
    rows = list(rows)
    table, pairs, models = counts(rows)
    whole = table.sum(0, keepdims=True)
    used = whole[0, :, :2].sum(1) + whole[0, :, 2] * ties
    out = {"strength": dict.fromkeys(models), "decided": int(whole[..., :2].sum()), "both_fail": int(whole[..., 2].sum()), "note": ""}
    edges = np.zeros((1, len(models), len(models)), bool)
    edges[0, pairs[used > 0, 0], pairs[used > 0, 1]] = edges[0, pairs[used > 0, 1], pairs[used > 0, 0]] = True
    if not connected(edges)[0]:
        apart = [models[k] for k in np.flatnonzero(~reachable(edges[0]))]
        return out | {"note": f"no answer links {models[0]} with {', '.join(apart)}, so they have no common scale"} | made_up(rows)
    whole, infinite = steady(whole, pairs, len(models))
    if infinite[0]:
        out["note"] = (f"some models never lost to some others, so {PRIOR} imaginary wins each way were added to every pair that was "
                       "compared; the strengths are finite only by that")
    found, eta = fit(whole, pairs, len(models), ties)
    out["strength"] = {model: float(x) for model, x in zip(models, found[0])}
    return out | ({"nu": float(np.exp(eta[0]))} if ties else {}) | made_up(rows)


def reachable(edges):
    """bool [K]: the models linked with the first one by undirected `edges` [K, K]."""
    seen = np.arange(len(edges)) == 0
    for _ in edges:
        seen = seen | edges[seen].any(0)
    return seen


def bradley_terry(rows):
    """Strengths of decided answers (Bradley and Terry 1952): {"strength": {model: log}, "decided", "both_fail", "note"}.

    Strengths are logarithms with mean zero: the chance that A beats B is 1 / (1 + exp(B - A)), see `beats`. Where a model always won
    the maximum likelihood is infinite: PRIOR wins each way are then added, and `note` says so. Models that nobody compared have no
    common scale: strengths are None and `note` names them.
    """
    return strengths(rows, ties=False)


def davidson(rows):
    """Strengths when "both fail" is counted as a tie (Davidson 1970): as `bradley_terry`, and "nu" (a tie's weight, 0 without ties).

    The chance that A beats B is a / (a + b + nu sqrt(a b)) with a = exp(A). A second view: "both fail" says more than a tie does.
    """
    return strengths(rows, ties=True)


def beats(first, second):
    """The chance, 0..1, that a decided answer goes to the model of strength `first` and not to that of strength `second`."""
    return float(1 / (1 + np.exp(second - first)))


def ranking(rows, draws=2000, level=0.95, seed=0, ties=False):
    """Strengths and ranks with intervals over prompts: {"models": rows, "pairs": rows, "prompts", "draws", "infinite", "note"}.

    All answers to a prompt are drawn together, whoever gave them. models: {"rank", "model", "strength", "low", "high", "rank_low",
    "rank_high", "first" (share of draws in which it leads), "elo"}, the strongest first. pairs: {"model", "against", "beats" (chance to
    win a decided answer), "low", "high", "stronger" (share of draws in which it is the stronger)}. ties: Davidson's model in place of
    Bradley and Terry's. infinite: draws that needed PRIOR. What rests on a single deciding prompt, or comes out alike in every draw, has
    no interval: its low and high, ranks and share of draws are None, and `note` says why.
    """
    rows = list(rows)
    point = strengths(rows, ties)
    table, pairs, models = counts(rows)
    if None in point["strength"].values():
        return {"models": [], "pairs": [], "prompts": len(table), "draws": 0, "infinite": 0, "note": point["note"]} | made_up(rows)
    drawn, infinite = steady((resample(len(table), draws, seed) @ table.reshape(len(table), -1)).reshape(draws, -1, 3), pairs, len(models))
    found = fit(drawn, pairs, len(models), ties)[0]
    thin, standings = on_one_prompt(table, pairs, models, ties), elo(rows, seed=seed)
    best = 1 + (found[:, None, :] > found[:, :, None] + 1e-9).sum(2)     # [D, K]: a rank is one more than the number of stronger models
    order, out = sorted(models, key=lambda model: -point["strength"][model]), {"models": [], "pairs": []}
    for rank, model in enumerate(order, 1):
        k = models.index(model)
        low, high = spread(found[:, k], level, model in thin)
        ranks = np.quantile(best[:, k], [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
        told = {"rank_low": int(ranks[0]), "rank_high": int(ranks[1]), "first": float((best[:, k] == 1).mean())}
        out["models"].append({"rank": rank, "model": model, "strength": point["strength"][model], "low": low, "high": high}
                             | (dict.fromkeys(told) if low is None else told) | {"elo": standings[model]} | made_up(rows))
        for other in order[rank:]:
            gap = found[:, k] - found[:, models.index(other)]
            low, high = spread(1 / (1 + np.exp(-gap)), level, model in thin or other in thin)
            out["pairs"].append({"model": model, "against": other, "beats": beats(point["strength"][model], point["strength"][other]),
                                 "low": low, "high": high, "stronger": None if low is None else float((gap > 0).mean())} | made_up(rows))
    alike = any(row["low"] is None for row in out["models"] if row["model"] not in thin)
    said = [point["note"], f"one prompt alone decides about {', '.join(thin)}, so there is no interval" if thin else "",
            "every draw of prompts gives the same, so there is no interval" if alike else ""]
    return out | {"prompts": len(table), "draws": draws, "infinite": int(infinite.sum()),
                  "note": "; ".join(filter(None, said))} | made_up(rows)


def on_one_prompt(table, pairs, models, ties):
    """The models whose answers that count (decided ones; all with `ties`) belong to fewer than two prompts."""
    told = table[..., :2].sum(2) + table[..., 2] * ties > 0
    return [model for k, model in enumerate(models) if told[:, (pairs == k).any(1)].any(1).sum() < 2]


def spread(found, level, thin):
    """`between`, and (None, None) for draws of a single prompt or without any difference: a width of 0 would claim certainty."""
    low, high = between(found, level)
    return (None, None) if thin or low is None or high - low < 1e-9 else (low, high)


def elo(rows, shuffles=200, k=16, seed=0):
    """Elo ratings {model: rating around 1000} of decided answers, averaged over `shuffles` orders of them. For display only.

    A single Elo run depends on the order of the answers, which here means nothing; the strengths of `bradley_terry` do not.
    """
    decided = [row for row in rows if row["answer"] != BOTH_FAIL]
    models = sorted({row[side] for row in rows for side in ("first", "second")})
    games = np.array([[models.index(row["answer"]), models.index(row["first"] if row["answer"] == row["second"] else row["second"])]
                      for row in decided], int).reshape(-1, 2)
    rng, rating, run = np.random.default_rng(seed), np.full((shuffles, len(models)), 1000.0), np.arange(shuffles)
    orders = np.stack([rng.permutation(len(games)) for _ in run]) if len(games) else np.zeros((shuffles, 0), int)
    for game in orders.T:
        won, lost = games[game].T
        gain = k / (1 + 10 ** ((rating[run, won] - rating[run, lost]) / 400))
        rating[run, won] += gain
        rating[run, lost] -= gain
    return dict(zip(models, rating.mean(0).tolist()))


def side_bias(rows, level=0.95):
    """Do raters favour the side shown first? {"share", "low", "high", "p", "decided", "raters": the same per rater with "rater"}.

    share: of the decided answers that went to the first side, 0..1; low, high: exact (Clopper-Pearson) interval; p: exact test
    against one half. It means bias only where the sides were drawn by lot. None where nothing was decided.
    """
    rows = list(rows)
    names = list(dict.fromkeys(row["rater"] for row in rows))
    parts = [{"rater": name} | first_side([row for row in rows if row["rater"] == name], level) for name in names]
    return first_side(rows, level) | {"raters": parts}


def first_side(rows, level):
    """`side_bias` of some rows, without the raters."""
    from scipy.stats import binomtest

    decided = [row["answer"] == row["first"] for row in rows if row["answer"] != BOTH_FAIL]
    if not decided:
        return {"share": None, "low": None, "high": None, "p": None, "decided": 0} | made_up(rows)
    test = binomtest(sum(decided), len(decided))
    low, high = test.proportion_ci(level, "exact")
    return {"share": float(np.mean(decided)), "low": float(low), "high": float(high), "p": float(test.pvalue),
            "decided": len(decided)} | made_up(rows)
