"""Which concepts tell a factor's value: the table that compares a caption with the clip's ground truth.

"no finding/polyp" stands for: the caption says that there is none. A value that no concept tells is left out.
"""

from .. import knowledge

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
