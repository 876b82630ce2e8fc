"""Which concepts tell a factor's value: the table that compares a caption with the clip's ground truth, and what backends get wrong.

"no finding/polyp" stands for: the caption says that there is none. A value that no concept tells is left out.
"""

from collections import Counter

from .. import knowledge
from ..errors import KitError

TELLING = {
    "echo.view": {"apical four-chamber": ("modality/four chamber",), "parasternal short-axis": ("modality/parasternal short axis",)},
    "echo.wall_motion": {"normal": ("motion/normal wall motion",), "reduced": ("motion/hypokinesis",)},
    "echo.chamber": {"normal": ("finding/ventricle of normal size",), "dilated": ("finding/dilated ventricle",)},
    "echo.effusion": {"none": ("no finding/pericardial effusion",), "pericardial effusion": ("finding/pericardial effusion",)},
    "ecg.rate": {"slow": ("finding/bradycardia",), "fast": ("finding/tachycardia",)},
    "ecg.event": {"sinus rhythm": ("finding/normal sinus rhythm",), "asystole": ("finding/asystole",)},
    "ecg.st_segment": {"isoelectric": ("no finding/st elevation",), "elevated": ("finding/st elevation",)},
    "ecg.pleth": {"hidden": ("no device/plethysmograph",), "shown": ("device/plethysmograph",)},
    "ctmr.region": {"chest CT": ("anatomy/chest",), "abdominal CT": ("anatomy/abdomen",), "brain MRI": ("anatomy/brain",)},
    "ctmr.direction": {"head to feet": ("motion/head to feet",), "feet to head": ("motion/feet to head",)},
    "ctmr.lesion": {"none": ("no finding/lesion",), "left": ("finding/lesion:left",), "right": ("finding/lesion:right",)},
    "ctmr.contrast": {"none": ("no procedure/contrast enhancement",), "enhanced": ("procedure/contrast enhancement",)},
    "endoscopy.mucosa": {"normal": ("finding/normal mucosa",), "inflamed": ("finding/inflammation",)},
    "endoscopy.segment": {"colon": ("anatomy/colon", "anatomy/large intestine", "procedure/colonoscopy"),
                          "stomach": ("anatomy/stomach", "procedure/gastroscopy")},
    "endoscopy.camera": {"advancing": ("motion/advancing",), "withdrawing": ("motion/withdrawing",)},
    "endoscopy.polyp": {"none": ("no finding/polyp",), "left wall": ("finding/polyp:left",), "right wall": ("finding/polyp:right",)},
    "laparoscopy.instrument": {"entering": ("motion/entering",), "withdrawing": ("motion/withdrawing",)},
    "laparoscopy.side": {"left": ("device/grasper:left",), "right": ("device/grasper:right",)},
    "laparoscopy.smoke": {"none": ("no finding/smoke",), "present": ("finding/smoke",)},
    "laparoscopy.tissue": {"liver": ("anatomy/liver",), "fat": ("anatomy/fat",), "gallbladder": ("anatomy/gallbladder",)},
    "microscopy.stain": {"haematoxylin-eosin": ("specimen/hematoxylin and eosin stain method",),
                         "fluorescence": ("modality/fluorescence microscopy",), "phase contrast": ("modality/phase contrast microscopy",)},
    "microscopy.event": {"drifting left": ("motion/drifting left",), "drifting right": ("motion/drifting right",),
                         "dividing": ("motion/dividing",)},
    "microscopy.density": {"sparse": ("finding/sparse cells",), "dense": ("finding/crowded cells",)},
    "slide.diagram": {"heart": ("anatomy/heart",), "lungs": ("anatomy/lung",),
                      "kidney": ("anatomy/kidney",), "neuron": ("anatomy/neuron",)},
    "slide.pointer": {"left to right": ("motion/left to right",), "right to left": ("motion/right to left",),
                      "circling": ("motion/circling",)},
    "slide.theme": {"light": ("modality/light slide",), "dark": ("modality/dark slide",)},
    "brain.plane": {"axial": ("modality/axial plane",), "coronal": ("modality/coronal plane",), "sagittal": ("modality/sagittal plane",)},
    "brain.direction": {"forward": ("motion/feet to head", "motion/back to front", "motion/towards the midline"),
                        "backward": ("motion/head to feet", "motion/front to back", "motion/towards the left side")},
}


def said(caption):
    """What a caption says as one set: tags of present concepts, and "no ..." for the absent ones."""
    return {*knowledge.tags(caption), *(f"no {tag}" for tag in knowledge.tags(caption, negated=True))}


def named(caption, factors):
    """{factor: True when the caption names its value} for the factors of the table."""
    words = said(caption)
    return {key: any(tag in words for tag in TELLING[key][value]) for key, value in factors.items() if value in TELLING.get(key, {})}


def contradictions(caption, factors):
    """Sentences about factors for which the caption names another value and not the true one."""
    words, found = said(caption), []
    for key, value in factors.items():
        values = TELLING.get(key, {})
        if value not in values or any(tag in words for tag in values[value]):
            continue
        rivals = [other for other, tags in values.items() if other != value and any(tag in words for tag in tags)]
        found += [f"{key} is '{value}', the caption says '{rivals[0]}'"] if rivals else []
    return found


GROUPS = {
    "view and body part": ("echo.view", "ctmr.region", "endoscopy.segment", "laparoscopy.tissue", "slide.diagram", "brain.plane"),
    "finding": ("echo.chamber", "echo.effusion", "ecg.event", "ecg.st_segment", "ctmr.lesion", "endoscopy.mucosa", "endoscopy.polyp",
                "laparoscopy.smoke", "microscopy.density"),
    "motion and pace": ("echo.wall_motion", "ecg.rate", "ctmr.direction", "endoscopy.camera", "laparoscopy.instrument", "microscopy.event",
                        "slide.pointer", "brain.direction"),
    "side": ("laparoscopy.side",),
    "technique": ("ecg.pleth", "ctmr.contrast", "microscopy.stain", "slide.theme"),
}
VERDICTS = ("right", "wrong", "not said")


def verdicts(caption, factors):
    """{factor: "right", "wrong" or "not said"} for the factors of the table. A caption that names the true value and another is wrong."""
    words, found = said(caption), {}
    for key, value in factors.items():
        values = TELLING.get(key, {})
        if value in values:
            named_values = {other for other, tags in values.items() if any(tag in words for tag in tags)}
            found[key] = "not said" if not named_values else "right" if named_values == {value} else "wrong"
    return found


def errors_by_backend(captions, factors, by="group"):
    """What each captioner gets wrong: list of dicts backend, group (or factor), clips, right, wrong, not said (counts), right_share.

    captions: {backend: list of captions}, every list in the order of `factors`, the clips' true factors. A clip without factors counts
    nowhere. by: "group" (view and body part, finding, ...) or "factor". right_share: right / (right + wrong), None where nothing was said:
    how far it can be believed when it says something.
    """
    if by not in ("group", "factor"):
        raise KitError(f"errors_by_backend takes by='group' or by='factor', not '{by}'.")
    place = {key: group for group, keys in GROUPS.items() for key in keys}
    table = []
    for name, texts in captions.items():
        if len(texts) != len(factors):
            raise KitError(f"backend '{name}' has {len(texts)} captions for {len(factors)} clips. Give one for each, \"\" for none.")
        counts = {}
        for text, known in zip(texts, factors):
            for key, verdict in verdicts(text, known).items():
                counts.setdefault(place.get(key, "other") if by == "group" else key, Counter())[verdict] += 1
        order = [*GROUPS, "other"] if by == "group" else sorted(counts)
        for row in (row for row in order if row in counts):
            count = counts[row]
            told = count["right"] + count["wrong"]
            table.append({"backend": name, by: row, "clips": sum(count.values()), **{verdict: count[verdict] for verdict in VERDICTS},
                          "right_share": round(count["right"] / told, 4) if told else None})
    return table
