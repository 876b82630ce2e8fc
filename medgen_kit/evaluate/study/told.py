"""The result of a study in a few lines for a terminal: who was preferred, the warping error, the agreement, and whether it is open."""

from statistics import mean

from . import store


def standing(folder):
    """One sentence: whether the study is open, why, and how it is closed."""
    about, left, changed = store.facts(folder), store.unfinished(folder), store.changed(folder)
    if about["closed"]:
        return "The study is closed: raters see that, and no more answers are taken."
    if not any(store.done(folder, rater) for rater in store.raters(folder)):
        return "Nobody has rated yet, so the study stays open. --close ends it."
    names = [f"{rater} has answered {answered} of {about['items']}" for rater, answered in list(left.items())[:4]]
    more = [f"{len(left) - 4} more raters have not finished"] if len(left) > 4 else []
    late = [f"{rater} has changes that are not stored" for rater in changed if rater not in left]
    why = ", ".join(names + more + late) or f"every rater has answered all {about['items']} pairs"
    return f"The study stays open: {why}. --close ends it."


def unstored(folder):
    """A line for every rater who changed pairs that were stored and has not stored the changes."""
    return [f"{rater} has {len(items)} unstored {'change' if len(items) == 1 else 'changes'} of answered pairs: the answers stored before "
            "count." for rater, items in sorted(store.changed(folder).items())]


def result(said):
    """Lines about the content of summary.json; those of people and of programs stand apart."""
    found = said["result"]
    if found is None:
        return [f"No result: {said['reason']}."]
    who, lines = [rater for rater in said["raters"] if rater["items_answered"]], []
    for simulated in sorted({row["simulated"] for row in found["wins"]}):
        own = {name: [row for row in found[name] if row["simulated"] == simulated] for name in ("wins", "warping", "agreement")}
        count = sum(rater["simulated"] == simulated for rater in who)
        lines += part(own, count, "simulated raters, " if simulated else "")
    return lines


def part(own, count, whose):
    """Three lines of shares, one of the warping error, one of kappas. own: rows of `results.analyse`; count: raters who answered."""
    lines = []
    for question in dict.fromkeys(row["question"] for row in own["wins"]):
        rows = [row for row in own["wins"] if row["question"] == question]
        shares = ", ".join(f"{row['answer']} {row['share']:.0%} {between(row)}" for row in rows)
        lines.append(f"{whose}{question}: {shares}; answers: {rows[0]['answers']}")
    known = [f"{row['model']} {row['percent']:.1f} % of {row['items']} clips" for row in own["warping"] if row["percent"] is not None]
    reasons = dict.fromkeys(row["reason"] for row in own["warping"] if row["percent"] is None)
    warping = ", ".join(known + [f"none, because {why}" for why in reasons])
    return [*lines, f"{whose}warping error: {warping}", f"{whose}{kappas(own['agreement'], count)}"]


def between(row):
    """The interval of a share in brackets, or that one item gives none."""
    return "(one item, so no interval)" if row["low"] is None else f"[{row['low']:.0%}, {row['high']:.0%}]"


def kappas(rows, count):
    """The line about agreement: the mean of the pairs' kappas for each thing that was asked, or why there is none."""
    if not rows:
        return f"agreement: none, because it takes two raters and {count} has answered"
    parts = []
    for what in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == what]
        known = [row["kappa"] for row in own if row["kappa"] is not None]
        parts.append(f"{what} {mean(known):.2f}" if known else f"{what} none ({own[0]['reason']})")
    return f"agreement of {count} raters, mean of Cohen's kappa: {', '.join(parts)}"
