"""A small blind human study: pairs of clips, sides drawn by lot, a key kept apart, a form, and an honest analysis.

`make` writes the study folder and, beside it, the key. Give raters the folder only. `rate` stores one answer, `form` is the
same as a notebook form, `analyse` reads what was rated and gives no number when nobody has.
"""

import csv
import io
import json
import os
import re
from pathlib import Path

import numpy as np

from .. import video
from ..clip import write_csv, write_text
from ..errors import KitError
from . import agreement
from .vbench import GRADES, human_warping_error

QUESTIONS = ("Text Alignment", "Medical Accuracy", "Visual Quality")
ANSWERS = ("first", "second", "both lose")
COLUMNS = ("item", *QUESTIONS, "distortion first", "distortion second")


def key_path(folder):
    """Where the key of a study lies: beside its folder, never inside."""
    return Path(folder).with_name(Path(folder).name + "_key.json")


def make(folder, items, seed=0, fps=8):
    """Write a blind study; returns its folder.

    items: list of {"prompt": str, "clips": {name: frames uint8 [T, H, W, 3], other name: frames}}. Which clip is "first" and the order
    of items are drawn from `seed`. Both clips are encoded alike, marked synthetic alike, and named by random letters.
    """
    folder, rng = Path(folder), np.random.default_rng(seed)
    if (folder / "items.json").exists():
        raise KitError(f"{folder} already holds a study. Choose another folder, so that answers already given are not lost.")
    names = {frozenset(item["clips"]) for item in items}
    if len(names) != 1 or len(next(iter(names))) != 2:
        raise KitError("every item needs the same two clips by name, for example {'real': frames, 'generated': frames}.")
    order, shown, key = rng.permutation(len(items)), [], {}
    first_side = rng.permutation(np.arange(len(items)) % 2)
    for number, index in enumerate(order):
        item, sides = items[index], sorted(items[index]["clips"])
        if first_side[number]:
            sides.reverse()
        code, files = f"item {number + 1:02d}", {}
        size = min(128, max(item["clips"][name].shape[1] for name in sides))
        for side, name in zip(ANSWERS, sides):
            files[side] = f"clips/{rng.bytes(5).hex()}.mp4"
            path = video.write(folder / files[side], video.mark_synthetic(video.resize(item["clips"][name], size)), fps, synthetic=True)
            os.utime(path, (0, 0))
        shown.append({"item": code, "prompt": item["prompt"], **files})
        key[code] = {"first": sides[0], "second": sides[1], "index": int(index)}
    write_text(key_path(folder), json.dumps(key, indent=1))
    write_text(folder / "items.json", json.dumps(shown, indent=1))
    return folder


def items_of(folder):
    """What raters see: list of {"item", "prompt", "first": file, "second": file}."""
    path = Path(folder) / "items.json"
    if not path.is_file():
        raise KitError(f"{folder} holds no study (no items.json). Make one: study.make(folder, items).")
    return json.loads(path.read_text(encoding="utf-8"))


def sheet(folder, rater):
    """The file of one rater's answers inside a study."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", rater or ""):
        raise KitError(f"rater '{rater}' must be a short name of letters, digits, - or _ (no real names: use rater-1).")
    return Path(folder) / "ratings" / f"{rater}.csv"


def rate(folder, rater, item, answers):
    """Store one rater's answers to one item; an earlier answer to the item is replaced. The sheet is written whole or not at all.

    answers: {each of QUESTIONS: one of ANSWERS, "distortion first" and "distortion second": one of GRADES}.
    """
    path = sheet(folder, rater)
    if item not in {row["item"] for row in items_of(folder)}:
        raise KitError(f"'{item}' is not an item of the study in {folder}.")
    for name in COLUMNS[1:]:
        allowed = ANSWERS if name in QUESTIONS else GRADES
        if answers.get(name) not in allowed:
            raise KitError(f"{item}, '{name}': answer one of {', '.join(allowed)}, not {answers.get(name)!r}.")
    rows = {row["item"]: row for row in read_sheet(path)} | {item: {"item": item} | {name: answers[name] for name in COLUMNS[1:]}}
    write_csv(path, list(rows.values()), COLUMNS)


def read_sheet(path):
    """Answers of one sheet as a list of dicts, [] when there is no sheet."""
    return list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8")))) if Path(path).is_file() else []


def form(folder, rater="rater-1"):
    """A rating form (ipywidgets): one item at a time, two clips side by side, five answers, one button that stores them."""
    import ipywidgets as widgets

    items, place = items_of(folder), {"at": 0}
    asked = {name: widgets.RadioButtons(options=ANSWERS if name in QUESTIONS else GRADES, value=None, description=name,
                                        style={"description_width": "130px"}) for name in COLUMNS[1:]}
    prompt, said, button = widgets.HTML(), widgets.HTML(), widgets.Button(description="Store and go on", button_style="primary")
    sides = {side: widgets.Video(value=b"", autoplay=True, loop=True, width=224) for side in ANSWERS[:2]}

    def show_item():
        item = items[place["at"]]
        prompt.value = f"<b>{item['item']}</b> ({place['at'] + 1} of {len(items)}): {item['prompt']}"
        for side, player in sides.items():
            player.value = (Path(folder) / item[side]).read_bytes()
        for choice in asked.values():
            choice.value = None

    def store(_):
        try:
            rate(folder, rater, items[place["at"]]["item"], {name: choice.value for name, choice in asked.items()})
        except KitError as error:
            said.value = str(error)
            return
        said.value = "Stored." if place["at"] + 1 < len(items) else "Stored. That was the last one: thank you."
        place["at"] = min(place["at"] + 1, len(items) - 1)
        show_item()

    button.on_click(store)
    show_item()
    films = widgets.HBox([widgets.VBox([widgets.Label(side), player]) for side, player in sides.items()])
    return widgets.VBox([prompt, films, widgets.HBox(list(asked.values())[:3]), widgets.HBox(list(asked.values())[3:]), button, said])


def analyse(folder, key=None, draws=2000, seed=0):
    """What the raters said: {"raters", "items", "wins": rows, "agreement": rows, "warping": rows}.

    wins: per question and name the share of answers won, with a bootstrap interval over items, and the share where both lost.
    warping: the paper's rule, per name, on items that exactly three raters graded. KitError when nobody has rated yet.
    """
    sheets = {path.stem: {row["item"]: row for row in read_sheet(path)} for path in sorted((Path(folder) / "ratings").glob("*.csv"))}
    sheets = {rater: rows for rater, rows in sheets.items() if rows}
    if not sheets:
        raise KitError(f"nobody has rated the study in {Path(folder).name} yet, so there is no result. "
                       "Ask two or three people to use study.form.")
    key = json.loads(Path(key or key_path(folder)).read_text(encoding="utf-8"))
    named = [item for item in key if any(item in rows for rows in sheets.values())]
    return {"raters": len(sheets), "items": len(named), "wins": wins(sheets, key, named, draws, seed),
            "agreement": agreements(sheets, named), "warping": warping(sheets, key, named)}


def unblind(answer, key):
    """The name behind "first" or "second"; "both lose" stays."""
    return key.get(answer, answer)


def wins(sheets, key, items, draws, seed):
    """Share of answers for each name, and for "both lose", per question, with intervals over items."""
    from .marks import cluster_interval

    out = []
    for question in QUESTIONS:
        said = [[unblind(rows[item][question], key[item]) for rows in sheets.values() if item in rows] for item in items]
        total = np.array([len(answers) for answers in said], float)
        for name in (*sorted({key[items[0]]["first"], key[items[0]]["second"]}), "both lose"):
            right = np.array([answers.count(name) for answers in said], float)
            low, high = cluster_interval(right, total, draws, seed=seed)
            out.append({"question": question, "answer": name, "share": float(right.sum() / total.sum()), "low": low, "high": high,
                        "answers": int(total.sum())})
    return out


def agreements(sheets, items):
    """Cohen's kappa of every pair of raters on preference (all questions) and on distortion grades, as table 9 of the paper."""
    if len(sheets) < 2:
        return []
    raters, out = list(sheets), []
    for title, columns, order, weights in (("preference", QUESTIONS, ANSWERS, None), ("distortion grade", COLUMNS[4:], GRADES, None),
                                           ("distortion grade, quadratic weights", COLUMNS[4:], GRADES, "quadratic")):
        table = [[sheets[r].get(item, {}).get(column) for r in raters] for item in items for column in columns]
        out += [{"what": title, "pair": pair, "kappa": value} for pair, value in agreement.pairwise_cohen(table, order, weights).items()]
    return out


def warping(sheets, key, items):
    """The paper's warping error per name, where exactly three raters graded the clip."""
    graded = {}
    for item in items:
        rows = [rows[item] for rows in sheets.values() if item in rows]
        for side in ANSWERS[:2]:
            if len(rows) == 3:
                graded.setdefault(key[item][side], []).append([row[f"distortion {side}"] for row in rows])
    return [{"answer": name} | human_warping_error(grades) for name, grades in sorted(graded.items())]


def half_width(items, share=0.5, level=0.95):
    """Half the width of the normal interval of a share measured on `items` independent items, 0..1."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2) * (share * (1 - share) / items) ** 0.5)


def items_needed(half=0.10, share=0.5, level=0.95):
    """How many independent items make an interval of +- `half` around a share; 97 for +-0.10 around one half."""
    from scipy.stats import norm

    return int(np.ceil(norm.ppf((1 + level) / 2) ** 2 * share * (1 - share) / half ** 2))
