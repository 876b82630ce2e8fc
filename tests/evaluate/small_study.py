"""A small blind study for the tests: what is in it, and raters who answer all of it."""

import numpy as np

from medgen_kit.evaluate import study


def items(count=8):
    dark, light = np.full((3, 32, 32, 3), 20, np.uint8), np.full((3, 32, 32, 3), 220, np.uint8)
    return [{"prompt": f"a heart, number {i}", "clips": {"real": light, "generated": dark}} for i in range(count)]


def answers(choice, first="No", second="No"):
    return dict.fromkeys(study.QUESTIONS, choice) | {"distortion first": first, "distortion second": second}


def clips_in(key):
    return {item: entry["clips"] for item, entry in key["items"].items()}


def rate_all(folder, rater, choice="first", first="No", second="No"):
    for row in study.items_of(folder, rater):
        study.rate(folder, rater, row["item"], answers(choice, first, second))
