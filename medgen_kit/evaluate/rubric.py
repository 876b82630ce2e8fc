"""A rubric for each prompt: statements with weights that a judge finds true or false of a clip, a score from them, and who judges how well.

The form is HealthBench's (Arora et al. 2025): statements that earn points, and penalties that take points. score = (sum of the weights of
all statements that are met, penalties negative) / (sum of the weights of the positive ones), cut to 0..1. Who judges is in
`rubric_judges`, how well in `rubric_agreement`.
"""

import difflib
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from ..caption.cache import Log, key
from ..caption.facts import FRAMES, digest
from ..caption.wire import Refused, Stop
from ..clip import write_text
from ..errors import KitError, VideoError
from .clinical import REVERSED, SIDES, read_tags
from .marks import cluster_interval
from .rubric_agreement import AXES, agreement, in_words

__all__ = ["AXES", "Criterion", "agreement", "checked", "in_words", "judge", "judge_clips", "of_prompt", "points", "read", "score",
           "scores", "write"]

SAID = {"anatomy": "This body part or tissue can be seen: {}.", "finding": "This finding can be seen: {}.",
        "device": "This instrument or device can be seen: {}.", "procedure": "This procedure is shown: {}.",
        "modality": "The recording or view is of this kind: {}.", "organism": "This organism can be seen: {}.",
        "specimen": "The specimen or stain is: {}.", "motion": "The movement goes like this: {}."}
WEIGHTS = {"finding": 3, "motion": 3, "anatomy": 2, "device": 2, "procedure": 2}             # of the other axes: 1
SIDE, PENALTY = 2, -3
IN_A_ROW = 3                                 # clips without any answer, one after the other, before the work stops


@dataclass(frozen=True)
class Criterion:
    """text: a statement that is true or false of a clip. weight: above 0 earns, below 0 is a penalty for what must not be. axis: one of
    AXES. tag: the concept that it is about (`knowledge.tags`), "" for none; only the judge "factors" reads it."""

    text: str
    weight: float
    axis: str
    tag: str = ""


GENERAL = (Criterion("The pictures are sharp enough to recognise what they show.", 2, "Visual Quality"),
           Criterion("Things flicker, jump, melt or tear from frame to frame.", -2, "Visual Quality"),
           Criterion("Anatomy or an instrument can be seen that can not exist like this.", PENALTY, "Medical Accuracy"),
           Criterion("Burned-in text, a person's name or a face that could be recognised is in the picture.", PENALTY, "Safety"))


def of_prompt(prompt):
    """The rubric of a prompt, made from its medical concepts alone, the same every time: a list of Criterion.

    One statement for each concept, side, and course of motion that is asked; a penalty for the other side, for the reversed motion and for
    what the prompt excludes; then GENERAL. The weights (WEIGHTS) are the course's, not a clinician's: let one read and change them.
    KitError for what is no text.
    """
    if not isinstance(prompt, str):
        raise KitError(f"a rubric is made from the text of a prompt, not from {prompt!r}.")
    wanted, excluded, moves = read_tags(prompt)
    found = [one for tag in sorted(wanted) for one in asked(tag, wanted)]
    found += [Criterion(f"The camera moves like this: {move}.", 1, "Text Alignment") for move in sorted(moves)]
    found += [Criterion(f"Although the prompt excludes it, this can be seen: {name_of(tag)}.", PENALTY, "Medical Accuracy", tag)
              for tag in sorted(excluded)]
    return [*dict.fromkeys(found), *GENERAL]                 # two motions may have one reverse


def asked(tag, wanted):
    """The statements about one tag that a prompt asks for."""
    name, _, side = tag.partition(":")
    axis = name.split("/")[0]
    if not side:
        rows = [Criterion(SAID[axis].format(name_of(name)), WEIGHTS.get(axis, 1), "Text Alignment", tag)]
        others = sorted({b for pair in REVERSED for a, b in (pair, pair[::-1]) if a == name and b not in wanted})
        return rows + [Criterion(f"The movement is reversed; it goes like this: {name_of(one)}.", PENALTY, "Medical Accuracy", one)
                       for one in others]
    rows = [Criterion(f"It is on the {side} side: {name_of(name)}.", SIDE, "Medical Accuracy", tag)]
    other = f"{name}:{SIDES[side]}"
    return rows if other in wanted else [*rows, Criterion(f"It is on the wrong side, the {SIDES[side]}: {name_of(name)}.", PENALTY,
                                                          "Medical Accuracy", other)]


def name_of(tag):
    """A tag in words: "finding/polyp:left" is "polyp, left"."""
    return tag.partition("/")[2].replace(":", ", ")


def read(path):
    """{prompt: list of Criterion} from a JSONL file: {"prompt": "...", "criteria": [{"text", "weight", "axis"}, ...]} a line.

    KitError names the line and what is wrong with it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KitError(f"{path} could not be read ({error.strerror}). Write it with rubric.write, or name another file.") from error
    rubrics = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise KitError(f"{path}, line {number}: not valid JSON ({error}). A line is one object, 'prompt' and 'criteria'.") from None
        prompt, given = (row.get("prompt"), row.get("criteria")) if isinstance(row, dict) else (None, None)
        if not isinstance(prompt, str) or not prompt.strip() or not isinstance(given, list):
            raise KitError(f"{path}, line {number}: needs 'prompt', a text, and 'criteria', a list.")
        if prompt in rubrics:
            raise KitError(f"{path}, line {number}: this prompt has a rubric in an earlier line. Put all its criteria into one.")
        rubrics[prompt] = checked([criterion(one, f"{path}, line {number}, criterion {i}") for i, one in enumerate(given, 1)],
                                  f"{path}, line {number}")
    if not rubrics:
        raise KitError(f"{path} holds no rubric.")
    return rubrics


def criterion(given, where):
    """A Criterion from a dict; KitError that begins with `where`."""
    names = [field.name for field in fields(Criterion)]
    if not isinstance(given, dict):
        raise KitError(f"{where}: is no object with {', '.join(names[:3])}.")
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(names)}."
            raise KitError(f"{where}: unknown field '{name}'; {hint}")
    text, weight, axis = (given.get(name) for name in names[:3])
    if not isinstance(text, str) or not text.strip():
        raise KitError(f"{where}: 'text' must be a statement that is true or false of a clip.")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or not weight:
        raise KitError(f"{where}: 'weight' is {weight!r}; it must be a number, above 0 for what earns points, below 0 for a penalty.")
    if axis not in AXES:
        near = difflib.get_close_matches(str(axis), AXES, n=1, cutoff=0.4)
        raise KitError(f"{where}: axis {axis!r} is not one of {', '.join(AXES)}." + (f" Did you mean '{near[0]}'?" if near else ""))
    tag = given.get("tag", "")
    if tag:
        try:
            read_tags([tag])
        except (KitError, AttributeError, TypeError):
            raise KitError(f"{where}: {tag!r} is no tag of a concept. Leave 'tag' out, or see knowledge.tags(text).") from None
    return Criterion(text.strip(), weight, axis, tag)


def checked(criteria, where="the rubric"):
    """The criteria; KitError when none earns points (then there is no score) or when one stands there twice."""
    texts = [one.text for one in criteria]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice:
        raise KitError(f"{where}: the criterion '{twice[:60]}' stands there twice.")
    if not any(one.weight > 0 for one in criteria):
        raise KitError(f"{where}: no criterion has a weight above 0, so that there is nothing to earn and no score.")
    return criteria


def write(path, rubrics):
    """Write {prompt: list of Criterion} as the JSONL file that `read` reads, for a clinician to correct."""
    rows = [{"prompt": prompt, "criteria": [{name: value for name, value in asdict(one).items() if value != ""} for one in criteria]}
            for prompt, criteria in rubrics.items()]
    write_text(path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows))


def judge(name, **options):
    """A judge by name: "openai" (any OpenAI-compatible address), "transformers" (a model here) or "factors" (what is known of simulated
    clips); options as in `rubric_judges`."""
    from .rubric_judges import make

    return make(name, **options)


def judge_clips(judge, items, rubrics=of_prompt, log=None, seed=0, say=print, again=False):
    """Verdicts of a judge: rows {"clip", "prompt", "criterion", "axis", "weight", "met" (True, False, None), "why"}, items in order.

    judge: of `rubric.judge`. items: (Clip, prompt) pairs. rubrics: {prompt: list of Criterion}, or a function of the prompt; all
    of them are checked before the first request. log: a path or `caption.Log`: every verdict is written there at once under the hash of
    frames, prompt, criterion, model and settings, and nothing that stands there is asked again, so that an interrupted run goes on (a
    judge that costs nothing keeps none). again: ask once more for verdicts that stand there as unclear (None). met is None, with the reason
    in why, where the judge gave no readable verdict. Stop (a KitError) when no further request makes sense.
    """
    items = list(items)
    log = Log() if judge.free else log if isinstance(log, Log) else Log(log)
    wanted, failed = rubrics_of([prompt for _, prompt in items], rubrics), [0]
    connect(judge, log, say)

    def one(item):
        clip, prompt = item
        rows, refused = verdicts_of(judge, clip, prompt, wanted[prompt], log, seed, again)
        failed[0] = failed[0] + 1 if refused else 0
        if failed[0] >= min(IN_A_ROW, len(items)) > 1:
            raise Stop(f"{failed[0]} clips in a row got no verdict; the last: {refused}")
        return rows

    workers = getattr(judge, "workers", 1)
    if workers < 2 or len(items) < 2:
        return [row for item in items for row in one(item)]
    first = one(items[0])                                     # alone, so that its price is known before many are asked
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(one, item) for item in items[1:]]
        try:
            return first + [row for future in waiting for row in future.result()]
        except BaseException:
            judge.wire.halt.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def rubrics_of(prompts, rubrics):
    """{prompt: checked criteria} of every prompt; KitError that names the prompt whose rubric is missing or can not be scored."""
    found = {}
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise KitError(f"a prompt is {prompt!r}, not a text. Leave clips without a prompt out.")
        if not callable(rubrics) and prompt not in rubrics:
            raise KitError(f"there is no rubric for the prompt '{prompt[:60]}'. Add it to the file, or use rubric.of_prompt.")
        if prompt not in found:
            found[prompt] = checked(rubrics(prompt) if callable(rubrics) else rubrics[prompt], f"the rubric of '{prompt[:60]}'")
    return found


def connect(judge, log, say):
    """Tell a judge that costs money where to note it and what earlier runs spent."""
    if hasattr(judge, "purse"):
        judge.purse.spent = max(judge.purse.spent, log.spent())
        judge.lost = lambda cost: log.lost(judge.name, cost)
        judge.wire.say = say
        judge.wire.halt.clear()
        if not judge.local and judge.url.startswith("http:"):
            say(f"frames, prompts and key travel to {judge.url} without encryption; an https address would protect them")


def verdicts_of(judge, clip, prompt, criteria, log, seed, again):
    """(rows of one clip, what was refused or ""): from the log, else asked, `judge.together` criteria at a time."""
    found, refused = {}, ""
    try:
        frames = clip.frames(count=getattr(judge, "frames", FRAMES))
    except VideoError as error:
        return rows_of(clip, prompt, criteria, dict.fromkeys(criteria, {"met": None, "why": f"the clip: {error}"})), ""
    pictures = digest(frames)
    with log.turn(pictures + prompt):
        names = {one: key("verdict", judge, json.dumps([judge.asks, prompt, one.text, one.tag]), pictures, seed) for one in criteria}
        for one, name in names.items():
            row = log.get(name)
            if row and not (again and json.loads(row["reply"])["met"] is None):
                found[one] = json.loads(row["reply"])
        left = [one for one in criteria if one not in found]
        for start in range(0, len(left), judge.together):
            group = left[start:start + judge.together]
            try:
                given = judge(frames, group, prompt, seed)
            except Refused as error:
                refused = str(error)
                found |= dict.fromkeys(group, {"met": None, "why": f"no answer: {error}"})
                continue
            found |= dict(zip(group, given))
            keep(log, judge, [names[one] for one in group], given)
    return rows_of(clip, prompt, criteria, found), refused


def keep(log, judge, names, given):
    """Write verdicts to the log; what their one request cost stands with the first."""
    for i, (name, verdict) in enumerate(zip(names, given)):
        paid = {"cost": given.cost, "usage": given.usage} if i == 0 and getattr(given, "usage", None) else {}
        log.put(name, reply=json.dumps(verdict, ensure_ascii=False), model=judge.model_name, **paid)


def rows_of(clip, prompt, criteria, found):
    return [{"clip": clip.clip_id, "prompt": prompt, "criterion": one.text, "axis": one.axis, "weight": one.weight, **found[one]}
            for one in criteria]


def score(rows):
    """The score of one clip from its rows of `judge_clips`: {"value", "low", "high", "reason", "met", "judged", "unclear"}.

    value: the formula above over the criteria with a verdict, 0..1; None when no positive one has a verdict. low, high: the score if every
    unclear verdict went against or for the clip.
    """
    judged = [one for one in rows if one["met"] is not None]
    value = points(judged, lambda one: one["met"])
    counts = {"met": sum(one["met"] for one in judged), "judged": len(judged), "unclear": len(rows) - len(judged)}
    reason = "" if value is not None else "no criterion here earns points" if not any(one["weight"] > 0 for one in rows) else \
        "no criterion that earns points has a verdict"
    low, high = (points(rows, lambda one, good=good: (one["weight"] > 0) is good if one["met"] is None else one["met"])
                 for good in (False, True))
    return {"value": value, "low": low, "high": high, "reason": reason} | counts


def points(rows, met):
    """Points earned over points to be earned, cut to 0..1; None where there are none to be earned."""
    most = sum(one["weight"] for one in rows if one["weight"] > 0)
    return min(1.0, max(0.0, sum(one["weight"] for one in rows if met(one)) / most)) if most else None


def scores(rows, draws=2000, level=0.95, seed=0):
    """The score of a set: {"all" and each axis: {"value" (mean over clips), "low", "high" (over clips, `marks.cluster_interval`; None under
    two clips), "n", "unclear", "penalties" (share of judged penalties that are met), "reason"}}. rows: of `judge_clips`."""
    table = {}
    for name in ("all", *AXES):
        part = [one for one in rows if name in ("all", one["axis"])]
        clips = {}
        for one in part:
            clips.setdefault((one["clip"], one["prompt"]), []).append(one)
        found = [score(own) for own in clips.values()]
        values = np.array([one["value"] for one in found if one["value"] is not None])
        low, high = cluster_interval(values, np.ones(len(values)), draws, level, seed)
        bad = [one["met"] for one in part if one["weight"] < 0 and one["met"] is not None]
        table[name] = {"value": float(values.mean()) if len(values) else None, "low": low, "high": high, "n": len(values),
                       "unclear": sum(one["unclear"] for one in found), "penalties": float(np.mean(bad)) if bad else None,
                       "reason": "" if len(values) else found[0]["reason"] if found else "no criterion is on this axis"}
    return table
