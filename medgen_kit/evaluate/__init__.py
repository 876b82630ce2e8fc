"""Evaluate: does a clip show what was asked, does it look real, and what can each metric not see?"""

import importlib

_PACKAGES = ("agreement", "augment", "backbones", "classical", "clinical", "controls", "frechet", "grading", "marks", "metrics", "paired",
             "paper", "power", "preference", "raters", "report", "result", "rubric", "scorer", "study", "text_alignment", "transfer", "vbench",
             "vbench_files", "videoscore")
_NAMES = {"Scorer": "scorer", "score": "marks", "majority_guess": "marks", "intervals": "marks", "decisions": "marks"}


def __getattr__(name):
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"medgen_kit.evaluate has no '{name}'. It offers: {', '.join(sorted((*_PACKAGES, *_NAMES)))}")
