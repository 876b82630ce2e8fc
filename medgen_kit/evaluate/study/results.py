"""What the raters said: answers with their names again, shares with intervals, agreement, and tidy tables to take away."""

import json
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


def analyse(folder, key=None, draws=2000, seed=0):
    """What the raters said: {"raters", "simulated" (how many of them are programs), "items", "wins", "agreement", "warping": rows}.

    wins: per question and name the share of answers won, with a bootstrap interval over items, and the share where both failed.
    warping: the paper's rule, per name, on clips that exactly three raters graded. KitError when nobody has rated yet.
    """
    preferred, graded = open_up(folder, key)
    if not preferred:
        raise KitError(f"nobody has rated the study in {Path(folder).name} yet, so there is no result. "
                       "Ask two or three people to use study.form.")
    who = {row["rater"]: row["simulated"] for row in preferred}
    return {"raters": len(who), "simulated": sum(who.values()), "items": len({row["item"] for row in preferred}),
            "wins": wins(preferred, read_key(folder, key)["names"], draws, seed), "agreement": agreements(preferred, graded),
            "warping": warping(graded)}


def wins(preferred, names, draws, seed):
    """Share of answers for each name, and for "both fail", per question, with intervals over items."""
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
    """Cohen's kappa of every pair of raters on preference (all questions) and on distortion grades, as table 9 of the paper."""
    if len({row["rater"] for row in preferred}) < 2:
        return []
    asked = [row | {"asked": (row["item"], row["question"])} for row in preferred]
    chosen, graded = agreement.table(asked, "answer", "asked"), agreement.table(graded, "grade", "video")
    out = []
    for title, (ratings, _, raters), order, weights in (
            ("preference", chosen, None, None), ("distortion grade", graded, grading.GRADES, None),
            ("distortion grade, quadratic weights", graded, grading.GRADES, "quadratic")):
        by_name = [list(one) for one in zip(*(column for _, column in sorted(zip(raters, zip(*ratings)))))]
        out += [{"what": title, "pair": pair, "kappa": value} for pair, value in agreement.pairwise_cohen(by_name, order, weights).items()]
    return out


def warping(graded):
    """The paper's warping error per name, where exactly three raters graded the clip."""
    clips = {}
    for row in graded:
        clips.setdefault(row["model"], {}).setdefault(row["video"], []).append(row["grade"])
    whole = {name: [grades for grades in found.values() if len(grades) == 3] for name, found in sorted(clips.items())}
    found = {name: grading.warping_error(grades) for name, grades in whole.items() if grades}
    return [{"answer": name} | {part: row[part] for part in ("percent", "low", "high")} | {"clips": row["items"]}
            for name, row in found.items()]


def export(folder, out=None, key=None, keep_open=False):
    """Close a study and write what was said, with names: OUT/answers.csv, grades.csv and summary.json; returns OUT.

    out: by default STUDY_export beside the study folder. keep_open: an interim look; the study takes answers on, as does one that nobody
    has rated yet. A study that is closed stays closed.
    """
    folder, out = Path(folder), Path(out or beside(folder, "export"))
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise KitError(f"{out} lies in the study folder, which raters may see. Write the results elsewhere.")
    read_key(folder, key)                                # before the study is closed
    if not keep_open and any(store.done(folder, rater) for rater in store.raters(folder)):
        store.close(folder)
    preferred, graded = open_up(folder, key)
    write_csv(out / "answers.csv", preferred, RATED)
    write_csv(out / "grades.csv", graded, GRADED)
    write_text(out / "summary.json", json.dumps(summary(folder, preferred, graded, key), indent=1, ensure_ascii=False))
    return out


def summary(folder, preferred, graded, key=None):
    """Who answered how much, and the figures of `analyse` (None, with a reason, when nobody has rated)."""
    about, who = store.facts(folder), store.raters(folder)
    first = [row["answer"] == row["first"] for row in preferred if row["answer"] != BOTH_FAIL]
    return {"study": Path(folder).resolve().name, "names": read_key(folder, key)["names"], "items": about["items"],
            "created": about["created"], "closed": about["closed"] or None, "version": about["version"],
            "raters": [{"rater": rater, "simulated": made_up, "items_answered": len(store.done(folder, rater))}
                       for rater, made_up in who.items()],
            "answers": len(preferred), "grades": len(graded),
            "first_side_chosen": sum(first) / len(first) if first else None,
            "result": analyse(folder, key) if preferred else None,
            "reason": "" if preferred else "nobody has rated yet"}
