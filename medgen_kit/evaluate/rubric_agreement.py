"""Does a rubric's judge agree with people? Percent, kappa and the share of yes of both, with intervals over clips, in plain words."""

import numpy as np

from ..errors import KitError
from . import agreement as coefficients

AXES = ("Text Alignment", "Medical Accuracy", "Visual Quality", "Safety")


def agreement(judged, human, draws=1000, level=0.95, seed=0):
    """Does the judge agree with people? {"all" and each axis: a dict}, with intervals over clips (all verdicts of a clip move together).

    judged: rows of `rubric.judge_clips`. human: rows {"clip", "criterion", "met"}, and "rater" where several people judged: their majority
    counts, a tie does not. Each dict: n (verdicts that both gave), percent, low, high, kappa (Cohen), kappa_low, kappa_high, judge_yes and
    human_yes (shares), lean (their difference, above 0 for a judge that says yes too easily), lean_low, lean_high, unclear (people decided,
    the judge did not), ties, humans (mean kappa of pairs of people, None without two), reason (why a figure is None).
    """
    votes, places = votes_of(human), {(one["clip"], one["criterion"]): one for one in judged}
    if not votes.keys() & places.keys():
        raise KitError("no verdict of a person is about a clip and criterion that the judge had. 'clip' and 'criterion' must be the same "
                       "texts on both sides.")
    table = {}
    for name in ("all", *AXES):
        shared = [place for place in votes if place in places and name in ("all", places[place]["axis"])]
        table[name] = compare(shared, votes, places, draws, level, seed)
    return table


def votes_of(human):
    """{(clip, criterion): {rater: met}}; KitError for a verdict that is neither True, False nor None and for a rater who judged twice."""
    votes = {}
    for one in human:
        met, place, rater = one.get("met"), (one.get("clip"), one.get("criterion")), one.get("rater", "")
        if met not in (True, False, None):
            raise KitError(f"a person's verdict on clip {place[0]} is {met!r}; 'met' must be True, False or None.")
        if rater in votes.setdefault(place, {}):
            raise KitError(f"clip {place[0]}, '{str(place[1])[:50]}': {rater or 'one person'} judged twice. Name people in 'rater'.")
        votes[place][rater] = met if met is None else bool(met)
    return votes


def majority(votes):
    """True or False as most people said, None for a tie or where nobody said anything."""
    yes, said = sum(one is True for one in votes), sum(one is not None for one in votes)
    return None if 2 * yes == said else 2 * yes > said


def compare(shared, votes, places, draws, level, seed):
    """One dict of `agreement` for the places (clip, criterion) that both judged."""
    people = {place: majority(votes[place].values()) for place in shared}
    both = [(place[0], places[place]["met"], people[place]) for place in shared
            if people[place] is not None and places[place]["met"] is not None]
    out = {"n": len(both), "unclear": sum(people[place] is not None and places[place]["met"] is None for place in shared),
           "ties": sum(one is None for one in people.values()), "humans": between_people(shared, votes)}
    names = ("percent", "low", "high", "kappa", "kappa_low", "kappa_high", "judge_yes", "human_yes", "lean", "lean_low", "lean_high")
    if not both:
        return out | dict.fromkeys(names) | {"reason": "no verdict that both gave"}
    clips = list(dict.fromkeys(clip for clip, *_ in both))
    cells = np.zeros((len(clips), 2, 2))
    for clip, machine, person in both:
        cells[clips.index(clip), int(machine), int(person)] += 1
    drawn = cells[np.random.default_rng(seed).integers(0, len(clips), (draws, len(clips)))].sum(1) if len(clips) > 1 else None
    found = figures(cells.sum(0)[None])
    spread = {name: bounds(values, level) for name, values in figures(drawn).items()} if drawn is not None else {}
    out |= {"percent": float(found["percent"][0]), "judge_yes": float(found["judge_yes"][0]), "human_yes": float(found["human_yes"][0]),
            "lean": float(found["lean"][0]), "kappa": coefficients.cohen([one for _, one, _ in both], [one for *_, one in both])}
    for name, start in (("percent", ""), ("kappa", "kappa_"), ("lean", "lean_")):
        out[start + "low"], out[start + "high"] = spread.get(name, (None, None)) if out[name] is not None else (None, None)
    reason = "kappa is undefined where both gave one answer throughout" if out["kappa"] is None else ""
    return out | {"reason": reason or ("one clip has no interval" if drawn is None else "")}


def figures(cells):
    """percent, kappa (nan where undefined), judge_yes, human_yes, lean of tables [N, 2 (judge), 2 (people)], float arrays [N]."""
    total = cells.sum((1, 2))
    percent, machine, person = (cells[:, 0, 0] + cells[:, 1, 1]) / total, cells[:, 1].sum(1) / total, cells[:, :, 1].sum(1) / total
    chance = machine * person + (1 - machine) * (1 - person)
    kappa = np.divide(percent - chance, 1 - chance, out=np.full(len(cells), np.nan), where=chance < 1)
    return {"percent": percent, "kappa": kappa, "judge_yes": machine, "human_yes": person, "lean": machine - person}


def bounds(values, level):
    """(low, high) of bootstrap values; (None, None) when more than 5 % of the draws leave the figure undefined."""
    known = values[~np.isnan(values)]
    if len(known) < 0.95 * len(values):
        return None, None
    return tuple(float(x) for x in np.quantile(known, [(1 - level) / 2, (1 + level) / 2]))


def between_people(shared, votes):
    """Mean Cohen's kappa over pairs of people, None without two who judged the same."""
    names = sorted({rater for place in shared for rater in votes[place]})
    ratings = [[votes[place].get(rater) for rater in names] for place in shared]
    found = [one for one in coefficients.pairwise_cohen(ratings).values() if one is not None] if len(names) > 1 else []
    return float(np.mean(found)) if found else None


def in_words(found):
    """What `agreement` found, in plain sentences, one a line."""
    lines = []
    for name, one in found.items():
        if not one["n"]:
            continue
        kappa = "no kappa" if one["kappa"] is None else f"kappa {one['kappa']:.2f}{between(one, 'kappa_', '{:.2f}')}"
        line = (f"{name}: judge and people agree on {one['percent']:.0%}{between(one, '', '{:.0%}')} of {one['n']} verdicts, {kappa}. "
                f"The judge says yes to {one['judge_yes']:.0%}, people to {one['human_yes']:.0%}")
        if one["lean_low"] is not None and (one["lean_low"] > 0 or one["lean_high"] < 0):
            line += f": it leans to {'yes' if one['lean'] > 0 else 'no'} by {abs(one['lean']):.0%}{between(one, 'lean_', '{:.0%}')}"
        line += f"; {one['unclear']} verdicts of the judge are unclear" if one["unclear"] else ""
        line += f". People among themselves: kappa {one['humans']:.2f}" if one["humans"] is not None else ""
        lines.append(line + ".")
    return "\n".join(lines)


def between(one, start, form):
    """An interval in brackets, "" where there is none."""
    low, high = one[start + "low"], one[start + "high"]
    return "" if low is None else f" ({form.format(low)} to {form.format(high)})"
