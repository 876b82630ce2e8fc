"""Evaluate: does a clip show what was asked, does it look real, and what can each metric not see? To read it from the beginning:

    vbench, classical               formulas on the frames of one clip, with networks (backbones/) and without
    metrics, result                 all of them at once; a value with its settings, and sets of values
    controls                        spoiled clips, to see what a metric sees
    frechet                         distances of sets of clips, with their floor
    scorer, marks, clinical         was the prompt followed? factors of simulated clips, medical concepts
    rubric, videoscore              judges: criteria of a clinician, a model that learned people's scores       text_alignment: CLIP's
    study/, raters                  the blind study that people answer; simulated people to learn from
    grading, agreement              what they say: the paper's warping error, do they agree?
    preference, paired, power       which model do they prefer, is a difference real, how many are needed?
    report/, prompt_file            a folder of videos into a report; vbench_files: VBench's own files
    paper, augment, transfer        the paper's tables recomputed, and repeated at teaching scale (stage: the stage `evaluate`)
"""

import importlib

_PACKAGES = ("agreement", "augment", "backbones", "classical", "clinical", "controls", "frechet", "grading", "marks", "metrics", "paired",
             "paper", "power", "preference", "prompt_file", "raters", "report", "result", "rubric", "scorer", "study",
             "text_alignment", "transfer", "vbench", "vbench_files", "videoscore")
_NAMES = {"Scorer": "scorer", "score": "marks", "majority_guess": "marks", "intervals": "marks", "decisions": "marks"}


def __getattr__(name):
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"medgen_kit.evaluate has no '{name}'. It offers: {', '.join(sorted((*_PACKAGES, *_NAMES)))}")
