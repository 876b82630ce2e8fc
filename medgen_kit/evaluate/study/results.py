"""What the raters said: answers with their names again, shares with intervals, agreement, and tidy tables to take away."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from ...clip import write_csv, write_text
from ...errors import KitError
from .. import agreement, grading
from . import store
from .making import beside, items_of, read_key
from .store import ANSWERS, DISTORTION, QUESTIONS

BOTH_FAIL = ANSWERS[2]
RATED = ("rater", "item", "prompt", "question", "answer", "first", "second", "shown", "answered", "simulated", "comment")
GRADED = ("rater", "item", "prompt", "model", "video", "grade", "shown", "answered", "simulated")


def answers(folder):
    """The answers that count, still blind: rows {"rater", "simulated", "item", "question", "clip", "answer", "first", "shown", "answered"}.

    answer: the code of a clip or "both fail"; for the question "Distortion" a grade of `clip`. first: code of the clip shown first.
    """
    return [{name: row[name] for name in row if name not in ("showing", "version")} for row in store.latest(folder)[0]]


def open_up(folder, key=None):
    """(answers, grades) of a study with the names of the key in place of codes: rows as `preference`, `grading` and `agreement` read them.

    answers: RATED; answer is one of the two names or "both fail", first and second are the names as they were shown. Take the rows of one
    question at a time. grades: GRADED; video is "name/file".
    """
    prompts, (found, comments) = {row["item"]: row["prompt"] for row in items_of(folder)}, store.latest(folder)
    key, preferred, graded = read_key(folder, key), [], []
    for row in found:
        entry = key["items"][row["item"]]
        shared = {name: row[name] for name in ("rater", "item", "shown", "answered", "simulated")} | {"prompt": prompts[row["item"]]}
        if row["question"] == DISTORTION:
            model = entry["clips"][row["clip"]]
            graded.append(shared | {"model": model, "video": f"{model}/{entry['origin']}", "grade": row["answer"]})
        else:
            second = next(name for code, name in entry["clips"].items() if code != row["first"])
            preferred.append(shared | {"question": row["question"], "answer": entry["clips"].get(row["answer"], row["answer"]),
                                       "first": entry["clips"][row["first"]], "second": second,
                                       "comment": comments.get((row["rater"], row["item"]), "")})
    return preferred, graded


def analyse(folder, key=None, draws=2000, seed=0, raters=3, needed=2):
    """What the raters said: {"raters", "simulated" (how many of them are programs), "items", "wins", "agreement", "warping": rows}.

    People and programs are never counted together: where both rated, each has rows of its own, and every row says "simulated".
    wins: per question and name the share of answers won, with an interval over items, and the share where both failed.
    warping: rows of `grading.per_model`: a clip is unacceptable when `needed` of its `raters` grades say so (the paper: 2 of 3); clips
    with fewer grades are undecided. KitError when nobody has rated yet.
    """
    preferred, graded = open_up(folder, key)
    if not preferred:
        raise KitError(f"nobody has rated the study in {Path(folder).name} yet, so there is no result. "
                       "Send three people their links and serve it: medgen-kit study serve (in a notebook study.form).")
    who = {row["rater"]: row["simulated"] for row in preferred}
    names, out = read_key(folder, key)["names"], {"wins": [], "agreement": [], "warping": []}
    for simulated in sorted(set(who.values())):
        asked, marked = ([row for row in rows if row["simulated"] == simulated] for rows in (preferred, graded))
        parts = wins(asked, names, draws, seed), agreements(asked, marked), warping(marked, raters, needed)
        for name, rows in zip(out, parts):
            out[name] += [row | {"simulated": simulated} for row in rows]
    return {"raters": len(who), "simulated": sum(who.values()), "items": len({row["item"] for row in preferred})} | out


def wins(preferred, names, draws, seed):
    """Share of answers for each name, and for "both fail", per question, with intervals over items (`marks.cluster_interval`).

    low and high are None where only one item was answered; where all items agree the interval is the exact one of as many items.
    """
    from ..marks import cluster_interval

    out = []
    for question in QUESTIONS:
        said = {}
        for row in preferred:
            if row["question"] == question:
                said.setdefault(row["item"], []).append(row["answer"])
        total = np.array([len(given) for given in said.values()], float)
        for name in (*sorted(names), BOTH_FAIL):
            right = np.array([given.count(name) for given in said.values()], float)
            low, high = cluster_interval(right, total, draws, seed=seed)
            out.append({"question": question, "answer": name, "share": float(right.sum() / total.sum()), "low": low, "high": high,
                        "answers": int(total.sum())})
    return out


def agreements(preferred, graded):
    """Cohen's kappa of every pair of raters on preference (all questions) and on distortion grades, as table 9 of the paper.

    pair: "rater-2-rater-10", the raters by their names, in the order of their numbers.
    """
    if len({row["rater"] for row in preferred}) < 2:
        return []
    asked = [row | {"asked": (row["item"], row["question"])} for row in preferred]
    chosen, graded = agreement.table(asked, "answer", "asked"), agreement.table(graded, "grade", "video")
    out = []
    for title, (ratings, _, raters), order, weights in (
            ("preference", chosen, None, None), ("distortion grade", graded, grading.GRADES, None),
            ("distortion grade, quadratic weights", graded, grading.GRADES, "quadratic")):
        places = sorted(range(len(raters)), key=lambda place: by_number(raters[place]))
        kappas = agreement.pairwise_cohen([[row[place] for place in places] for row in ratings], order, weights,
                                          [raters[place] for place in places])
        out += [{"what": title, "pair": pair, "kappa": value, "reason": agreement.UNDEFINED if value is None else ""}
                for pair, value in kappas.items()]
    return out


def by_number(name):
    """A name as a key to sort by: rater-2 before rater-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def warping(graded, raters, needed):
    """The warping error per name: rows of `grading.per_model`, with the reason where there is no figure."""
    most = max(Counter(row["video"] for row in graded).values(), default=0)
    other = f"--raters {most} --needed {most // 2 + 1} (in a notebook raters={most}, needed={most // 2 + 1})"
    if most <= raters:
        rows = grading.per_model(graded, needed=needed, raters=raters, item="video")
        of_paper = " by the paper's rule" if (raters, needed) == (3, 2) else ""
        why = f"{raters} grades a clip are needed{of_paper}, and no clip has more than {most}"
        why += f". Ask more raters, or name another rule: {other}." if most < raters else ""
        rows = [row | {"reason": why} if row["percent"] is None else row for row in rows]
    else:
        why = (f"clips have up to {most} grades, but the rule is made for {raters} raters. Say how many of how many must find a clip "
               f"unacceptable: {other}.")
        clips = Counter(model for model, _ in {(row["model"], row["video"]) for row in graded})
        rows = [{"model": model} | grading.wilson([None] * count) | {"reason": why} for model, count in clips.items()]
    return [row | {"reason": row.get("reason", "")} for row in sorted(rows, key=lambda row: row["model"])]


def export(folder, out=None, key=None, keep_open=False, raters=3, needed=2, close=False):
    """Write what was said, with names: OUT/answers.csv, grades.csv and summary.json; returns OUT.

    out: by default STUDY_export beside the study folder. The study is closed when every rater has answered every item and stored every
    change, else it stays open and takes answers on. close: closes it in any case; keep_open: in none. A study that is closed stays
    closed. raters, needed: as for `analyse`. Text that a spreadsheet would take for a formula stands behind a ' in the CSV files.
    """
    if close and keep_open:
        raise KitError("a study can not be closed and kept open: give one of --close and --keep-open (close=, keep_open=).")
    store.facts(folder)                                  # a study that is not there is told first
    folder, out = Path(folder), Path(out or beside(folder, "export"))
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise KitError(f"{out} lies in the study folder, which raters may see. Write the results elsewhere.")
    read_key(folder, key)                                # this and a rule that can not be are told before the study is closed
    grading.unacceptable([], needed, raters)
    if close or not keep_open and store.raters(folder) and not (store.unfinished(folder) or store.changed(folder)):
        store.close(folder)
    preferred, graded = open_up(folder, key)
    said = summary(folder, preferred, graded, key, raters, needed)
    write_csv(out / "answers.csv", map(no_formulas, preferred), RATED)
    write_csv(out / "grades.csv", map(no_formulas, graded), GRADED)
    write_text(out / "summary.json", json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False))
    return out


def no_formulas(row):
    """The row with a ' before every text that begins as a spreadsheet's formula does: a rater's comment is never one."""
    return {name: f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
            for name, cell in row.items()}


def first_side_chosen(preferred, simulated):
    """Share, 0..1, of the decided answers of people, or of programs, that went to the clip shown first; None where there is none."""
    first = [row["answer"] == row["first"] for row in preferred if row["answer"] != BOTH_FAIL and row["simulated"] == simulated]
    return sum(first) / len(first) if first else None


def summary(folder, preferred, graded, key=None, raters=3, needed=2):
    """Who answered how much, and the figures of `analyse` (None, with a reason, when nobody has rated)."""
    about, who = store.facts(folder), store.raters(folder)
    return {"study": Path(folder).resolve().name, "names": read_key(folder, key)["names"], "items": about["items"],
            "created": about["created"], "closed": about["closed"] or None, "version": about["version"],
            "raters": [{"rater": rater, "simulated": made_up, "items_answered": len(store.done(folder, rater))}
                       for rater, made_up in who.items()],
            "answers": len(preferred), "grades": len(graded),
            "first_side_chosen": first_side_chosen(preferred, simulated=False),
            "first_side_chosen_simulated": first_side_chosen(preferred, simulated=True),
            "result": analyse(folder, key, raters=raters, needed=needed) if preferred else None,
            "reason": "" if preferred else "nobody has rated yet"}
