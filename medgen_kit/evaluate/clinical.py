"""Does a clip show the medical concepts that its prompt asked for? Recall, precision and contradictions of a clip against its prompt.

What is seen comes from the concept head of alignment (`seen_by_head`), from a captioner that looks at the clip (`captions_of`), or, for the
camera, from measured motion (`camera_of`). With the head, recall and precision are among the concepts that the prompt decides: those that
it names and those whose absence it makes plain. About the others the head has learned nothing, so what a clip shows beyond them costs no
precision; a captioner's words count in full. The generator's alignment loss came from the same head and concepts, so that what the head
says may flatter the generator; the independent examiner is `scorer`.
"""

from functools import lru_cache

import numpy as np

from .. import knowledge
from ..caption.phrases import OPPOSITE
from ..caption.slips import camera_said, sided
from ..errors import KitError
from .marks import cluster_interval

SIDED = ("anatomy", "finding", "device")
SIDES = {"left": "right", "right": "left"}
KINDS = ("side swapped", "excluded but shown", "asked but denied", "motion reversed", "camera reversed")
REVERSED = (("motion/advancing", "motion/withdrawing"), ("motion/entering", "motion/withdrawing"),
            ("motion/drifting left", "motion/drifting right"), ("motion/head to feet", "motion/feet to head"),
            ("motion/front to back", "motion/back to front"), ("motion/towards the midline", "motion/towards the left side"),
            ("motion/left to right", "motion/right to left"), ("motion/normal wall motion", "motion/hypokinesis"),
            ("motion/normal wall motion", "motion/akinesis"))
IMPLIES = {                                  # whoever shows the first shows the others; kinds ("hiatus hernia") are known by their words
    "modality/echocardiography": ("modality/ultrasound", "anatomy/heart"), "modality/CT angiography": ("modality/computed tomography",),
    "modality/T1-weighted": ("modality/magnetic resonance imaging",), "procedure/colonoscopy": ("modality/endoscopy", "anatomy/colon"),
    "procedure/gastroscopy": ("modality/endoscopy", "anatomy/stomach"), "procedure/bronchoscopy": ("modality/endoscopy",),
    "device/endoscope": ("modality/endoscopy",), "procedure/laparoscopy": ("anatomy/abdomen",),
    "anatomy/left ventricle": ("anatomy/heart",), "anatomy/right ventricle": ("anatomy/heart",), "anatomy/left atrium": ("anatomy/heart",),
    "anatomy/right atrium": ("anatomy/heart",), "anatomy/myocardium": ("anatomy/heart",),
    "anatomy/colon": ("anatomy/large intestine",), "anatomy/large intestine": ("anatomy/bowel",)}
MOVING = ("pan", "tilt", "zoom", "dolly")
NO_KIND = ("non ", "history of ")            # "non st elevation infarction" is no kind of "st elevation infarction"


def concept_marks(logits, present, known, names):
    """Concepts read from clips against concepts said by prompts.

    logits: [N, C] of the concept head. present, known: [N, C] in 0..1 (`align.ConceptSet.targets` of the prompts). names: [C]
    tags such as "finding/polyp". Returns a list of rows {"axis", "shown" (share of asked concepts that are seen), "absent" (share
    of excluded concepts that are not seen), "balanced" (their mean; a guess scores 0.5), "asked", "excluded"}, last row "all".
    """
    logits, present, known = (np.asarray(x) for x in (logits, present, known))
    if logits.shape != present.shape or logits.shape != known.shape or logits.shape[1] != len(names):
        raise KitError(f"logits {list(logits.shape)}, present {list(present.shape)}, known {list(known.shape)} and {len(names)} names "
                       "must describe the same clips and concepts.")
    axes = np.array([name.split("/")[0] for name in names])
    rows = [one_axis(axis, logits[:, axes == axis], present[:, axes == axis], known[:, axes == axis]) for axis in sorted(set(axes))]
    return rows + [one_axis("all", logits, present, known)]


def one_axis(axis, logits, present, known):
    """One row of `concept_marks`."""
    asked, excluded, seen = (present > 0) & (known > 0), (present == 0) & (known > 0), logits > 0
    shown = float(seen[asked].mean()) if asked.any() else None
    absent = float((~seen[excluded]).mean()) if excluded.any() else None
    both = None if shown is None or absent is None else (shown + absent) / 2
    return {"axis": axis, "shown": shown, "absent": absent, "balanced": both, "asked": int(asked.sum()), "excluded": int(excluded.sum())}


def read_concepts(align_folder, frames, prompts, batch=64):
    """(logits, present, known, names) of clips uint8 [N, T, S, S, 3] and their prompts, with the towers of a finished align stage."""
    import torch

    from ..align import ConceptSet, VideoTextModel
    model, _ = VideoTextModel.load(align_folder)
    concepts = ConceptSet.load(f"{align_folder}/concepts.json")
    present, known = concepts.targets(list(prompts))
    with torch.no_grad():
        logits = [model.concept_head(model.frame_features(torch.as_tensor(np.ascontiguousarray(frames[i:i + batch]))).mean(1))
                  for i in range(0, len(frames), batch)]
    return torch.cat(logits).numpy(), present, known, concepts.names


@lru_cache(maxsize=20_000)
def implied(tag):
    """The concepts that a concept stands for, itself included (frozenset of tags without sides): "finding/pleural effusion" is also an
    "finding/effusion", by its last words, and an echocardiogram shows the heart, by IMPLIES. The dictionary has no hierarchy of its own.
    """
    known, tag = knowledge.concepts()[0], tag.split(":")[0]
    axis, _, meaning = tag.partition("/")
    words = meaning.split()
    kinds = () if meaning.startswith(NO_KIND) else (f"{axis}/{' '.join(words[i:])}" for i in range(1, len(words)))
    return frozenset({tag}).union(*(implied(one) for one in (*(kind for kind in kinds if kind in known), *IMPLIES.get(tag, ()))))


def all_implied(tags):
    """Union of `implied` over tags."""
    return frozenset().union(*map(implied, tags))


def read_tags(said):
    """(present, absent, camera) of a text, or of tags where "no axis/meaning" stands for an absent one: two sets of tags with sides, and
    the names of camera motions, "static shot" among them. The camera is no concept: it takes the picture and is not in it."""
    if isinstance(said, str):
        still, moves = camera_said(said)
        present, absent = ({tag for tag in knowledge.tags(said, negated=negated) if tag.split(":")[0] != "device/camera"}
                           for negated in (False, True))
        return present, absent, {name for name, _ in moves} or ({"static shot"} if still else set())
    if not isinstance(said, list | tuple | set | frozenset) or not all(isinstance(tag, str) for tag in said):
        raise KitError(f"concepts are read from a text or from a list of tags, not from {said!r}. Leave a clip out that has neither.")
    said, known = set(said), knowledge.concepts()[0]
    unknown = sorted(tag for tag in said if tag.removeprefix("no ").split(":")[0] not in known)
    if unknown:
        raise KitError(f"'{unknown[0]}' is no tag of a concept. Tags look like finding/polyp, finding/polyp:left or no finding/polyp; "
                       "knowledge.tags(text) gives those of a text.")
    present = {tag for tag in said if not tag.startswith("no ")}
    return present | {tag.split(":")[0] for tag in present}, {tag.removeprefix("no ") for tag in said - present}, set()


def against_prompt(prompt, seen, camera="", known=None):
    """What a clip shows against what its prompt asks.

    seen: a caption of the clip by somebody who did not read the prompt, or a list of tags (`seen_by_head`). camera: measured motion
    (`camera_of`), "" to take what the caption says. known: tags that whoever looked can name; others that are asked are not judged.
    Returns a dict. recall: share of asked concepts that are shown, a side counting as one more. precision: share of the concepts in `seen`
    that were asked, or that one of the asked implies or is implied by; with `seen_by_head` these are among the concepts that the prompt
    decides, so it is no precision over everything that the clip shows. None with `reason` where there is nothing to count. asked, shown:
    rows {"tag", "code", "scheme", "found" (None: not judged)}. excluded: tags that the prompt denies. contradictions: rows {"kind" (KINDS),
    "asked", "shown"}.
    """
    wanted, excluded, moves = read_tags(prompt)
    present, absent, seen_moves = read_tags(seen)
    seen_moves = {camera} if camera else seen_moves
    closed, asked_closed = all_implied(present), all_implied(wanted)
    able = None if known is None else {tag.split(":")[0] for tag in known}
    asked = [row(tag, shows(tag, present, closed) if able is None or tag.split(":")[0] in able else None) for tag in sorted(wanted)]
    asked += [row(f"camera/{move}", move in seen_moves if seen_moves else None) for move in sorted(moves)]
    shown = [row(tag, was_asked(tag, wanted, asked_closed)) for tag in sorted(present) if counts(tag, wanted)]
    judged = [one["found"] for one in asked if one["found"] is not None]
    right = [one["found"] for one in shown]
    reason = "" if judged else "the prompt names no concept" if not asked else "nobody who looked can name what the prompt asks"
    return {"recall": float(np.mean(judged)) if judged else None, "precision": float(np.mean(right)) if right else None,
            "reason": reason or ("" if right else "nothing was seen, so there is no precision"), "asked": asked, "shown": shown,
            "excluded": sorted(excluded), "contradictions": contradictions(wanted, excluded, moves, present, absent, seen_moves)}


def row(tag, found):
    """A tag with its code and whether it was found."""
    concept = knowledge.concepts()[0].get(tag.split(":")[0])
    return {"tag": tag, "code": concept.code if concept else "", "scheme": concept.scheme if concept else "", "found": found}


def shows(tag, present, closed):
    """Is an asked tag among those present? A side must be there itself, at the concept or at one that implies it."""
    name, _, side = tag.partition(":")
    return name in closed if not side else any(one.endswith(f":{side}") and name in implied(one) for one in present)


def was_asked(tag, wanted, asked_closed):
    """Was a shown tag asked, is it implied by what was asked, or does it imply something asked?"""
    name, _, side = tag.partition(":")
    if side:
        return any(one.endswith(f":{side}") and (name in implied(one) or one.split(":")[0] in implied(name)) for one in wanted)
    return name in asked_closed or not implied(name).isdisjoint(wanted)


def counts(tag, wanted):
    """A shown side counts only where the prompt names a side of that concept: every picture has to take one."""
    name, _, side = tag.partition(":")
    return not side or any(":" in one and (name in implied(one) or one.split(":")[0] in implied(name)) for one in wanted)


def contradictions(wanted, excluded, moves, present, absent, seen_moves):
    """Rows {"kind", "asked", "shown"} of what can not be true together; arguments as `read_tags` gives them."""
    closed = all_implied(present)
    rows = [("side swapped", *pair) for pair in swapped(wanted, present)]
    rows += [("excluded but shown", f"no {tag}", tag) for tag in sorted(excluded) if shows(tag, present, closed)]
    rows += [("asked but denied", tag, f"no {one}") for tag in sorted(wanted - present) for one in sorted(absent)
             if one.split(":")[0] in implied(tag) and one.partition(":")[2] == tag.partition(":")[2]]
    for one, other in (pair for both in REVERSED for pair in (both, both[::-1])):
        if one in all_implied(wanted) and one not in closed and other in closed:
            rows.append(("motion reversed", one, other))
    rows += [("camera reversed", move, other) for move in sorted(moves) for other in sorted(seen_moves) if against(move, other)]
    return [dict(zip(("kind", "asked", "shown"), found)) for found in rows]


def swapped(wanted, present):
    """Yield (asked, shown): a concept on one side that is only seen on the other, by its side ("polyp:left") or its name."""
    asked, seen = sided(wanted, SIDED), sided(present, SIDED)
    for tag in sorted(asked.keys() & seen.keys()):
        if not asked[tag] & seen[tag]:
            yield f"{tag}:{'/'.join(sorted(asked[tag]))}", f"{tag}:{'/'.join(sorted(seen[tag]))}"
    for tag in sorted(wanted - present):
        words = tag.partition("/")[2].split()
        other = f"{tag.partition('/')[0]}/{' '.join(SIDES.get(word, word) for word in words)}"
        if ":" not in tag and other != tag and other in present:
            yield tag, other


def against(move, other):
    """True for two camera motions of opposite ways ("pan left", "pan right"), and for a still camera that moves."""
    kind, _, way = move.partition(" ")
    return other == f"{kind} {OPPOSITE.get(way, '?')}" or (move == "static shot" and other.split(" ")[0] in MOVING)


def against_prompts(prompts, seen, cameras=None, known=None, draws=2000, level=0.95, seed=0):
    """(rows, marks) of a set: `against_prompt` for every clip, and its figures with intervals over prompts (`marks.cluster_interval`).

    seen: a caption or a list of tags for each prompt, None where nobody could look. With tags of `seen_by_head` recall and precision are
    among the concepts that each prompt decides. marks: recall, precision and contradicted (prompts with
    a contradiction), each {"micro" (all concepts alike), "low", "high", "macro" (all prompts alike), "macro_low", "macro_high", "prompts",
    "concepts"}, an interval None under two prompts; kinds: how many contradictions of each; unseen: clips without a look; unasked: prompts
    that name nothing.
    """
    prompts, seen = list(prompts), list(seen)
    if len(prompts) != len(seen):
        raise KitError(f"{len(prompts)} prompts but {len(seen)} clips were looked at. Give one for each, None where nobody could look.")
    cameras = list(cameras) if cameras is not None else [""] * len(prompts)
    rows = [None if one is None else against_prompt(prompt, one, camera, known) for prompt, one, camera in zip(prompts, seen, cameras)]
    told = [one for one in rows if one is not None]
    marks = {name: share([[found["found"] for found in one[part] if found["found"] is not None] for one in told], draws, level, seed)
             for name, part in (("recall", "asked"), ("precision", "shown"))}
    marks["contradicted"] = share([[bool(one["contradictions"])] for one in told if one["asked"] or one["excluded"]], draws, level, seed)
    marks["kinds"] = {kind: sum(found["kind"] == kind for one in told for found in one["contradictions"]) for kind in KINDS}
    return rows, marks | {"unseen": rows.count(None), "unasked": sum(not one["asked"] for one in told)}


def share(lists, draws, level, seed):
    """Micro and macro share of True in lists of bools, one list a prompt, with intervals over prompts; None without any."""
    lists = [one for one in lists if one]
    if not lists:
        return dict.fromkeys(("micro", "low", "high", "macro", "macro_low", "macro_high")) | {"prompts": 0, "concepts": 0}
    right, total = (np.array([count(one) for one in lists], float) for count in (sum, len))
    spread = [cluster_interval(*both, draws, level, seed) for both in ((right, total), (right / total, np.ones(len(lists))))]
    return {"micro": float(right.sum() / total.sum()), "low": spread[0][0], "high": spread[0][1], "macro": float((right / total).mean()),
            "macro_low": spread[1][0], "macro_high": spread[1][1], "prompts": len(lists), "concepts": int(total.sum())}


def seen_by_head(align_folder, frames, prompts):
    """(seen, known): for each clip uint8 [N, T, S, S, 3] the tags that the concept head sees, and all tags that it can name.

    The head has learned to tell a concept from those that could have been said instead of it, and from its denial, and nothing about the
    others. So of the tags that it sees only those count that the prompt decides (`align.ConceptSet.decided`), and a precision from them is
    one among the concepts that the prompt decides, not over everything seen.
    """
    from ..align import ConceptSet

    logits, _, _, names = read_concepts(align_folder, frames, prompts)
    decided = ConceptSet.load(f"{align_folder}/concepts.json").decided(list(prompts))
    return [[name for name, value, known in zip(names, *both) if value > 0 and known] for both in zip(logits, decided)], list(names)


def captions_of(clips, backend="transformers", factors=None, log=None, say=print, **options):
    """What a captioner of `medgen_kit.caption` says of each clip that it looks at: list of texts, None where it gave none.

    It sees the frames alone. Title, captions, category and factors of the clip's record may come from the prompt, so that they are taken
    out before; factors: what an examiner such as `Scorer.judge` read from each clip, for the captioner "template". log, options: as in
    `caption.write`.
    """
    from dataclasses import replace

    from ..caption import write

    bare = [replace(clip, video_category="", camera_motion_type=None, brief_caption="", detailed_caption="", concepts=[], extra={},
                    factors=dict(factors[i]) if factors else {}) for i, clip in enumerate(clips)]
    return [one.detailed or None for one in write(bare, backend, log=log, say=say, **options)]


def camera_of(frames, fps, height=240):
    """Measured motion of the camera, as curation measures it: "pan left", "static shot" ... ; "" for a clip of one frame.

    frames: uint8 [T, H, W, 3]; looked at with `height` pixels.
    """
    import cv2

    from .. import video
    from ..curate import motion

    frames = np.asarray(frames)
    if len(frames) < 2:
        return ""
    small = video.resize(frames, (height, max(16, round(height * frames.shape[2] / frames.shape[1]))))
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small])
    return motion.camera_motion(grey, motion.flows(grey), 1 / fps)
