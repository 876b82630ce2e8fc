"""Augmentation: equal classes, arms that differ only in their data, a paired comparison by hand."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from medgen_kit.errors import KitError
from medgen_kit.evaluate import augment

spec = importlib.util.spec_from_file_location("toy_source_2", Path(__file__).with_name("toy.py"))
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)
toy.describe = lambda factors, rng: (" ".join(factors.values()), "")


def test_classes_are_equal_and_stay_in_their_modality():
    rows = augment.balanced(toy, "ring.motion", 30, 0)
    assert [row["ring.motion"] for row in rows].count("grows") == 15 and {row["modality"] for row in rows} == {"ring"}
    assert {row["ring.size"] for row in rows} == {"small", "large"}


def test_good_extra_clips_help_and_wrong_ones_harm():
    torch.set_num_threads(1)
    sizes = {"real": 4, "extra": 40, "test": 40, "steps": 25}

    def wrong(prompts, seed):
        flipped = [next(c for c in toy.combinations() if " ".join(c.values()) == p) for p in prompts]
        flipped = [c | {"box.motion": "left" if c["box.motion"] == "right" else "right"} for c in flipped]
        return toy.render(flipped, seed)

    found = [augment.run_seed("box.motion", wrong, sizes, 0, k, source=toy) for k in range(2)]
    rows, shown = [row for some, _ in found for row in some], found[0][1]
    mean = {arm: np.mean([row["accuracy"] for row in rows if row["arm"] == arm]) for arm in augment.ARMS}
    assert len(rows) == 8 and shown.shape == (2, 9, 32, 32, 3)
    assert mean["real + more real"] > 0.85 > 0.3 > mean["real + generated"]


def test_unknown_factor_is_refused():
    with pytest.raises(KitError, match="no factor 'box.weight'"):
        augment.run_seed("box.weight", None, {}, 0, 0, source=toy)


def test_classical_augmentation_keeps_shape_and_range():
    pictures = torch.rand(4, 9, 3, 32, 32) * 2 - 1
    out = augment.vary(pictures, np.random.default_rng(0))
    assert out.shape == pictures.shape and out.abs().max() <= 1 and not torch.equal(out, pictures)


def test_paired_comparison_by_hand():
    base, more = [0.5, 0.6, 0.7], [0.6, 0.8, 0.7]
    rows = [{"task": "t", "arm": arm, "seed": k, "accuracy": value} for arm in augment.ARMS
            for k, value in enumerate(more if arm == "real + generated" else base)]
    table = {row["arm"]: row for row in augment.compare(rows)}
    half = 4.302653 * np.std([0.1, 0.2, 0.0], ddof=1) / 3 ** 0.5
    assert table["real + generated"]["difference"] == pytest.approx(0.1)
    assert table["real + generated"]["low"] == pytest.approx(0.1 - half, abs=1e-6)
    assert table["real only"]["low"] is None and table["real only"]["sd"] == pytest.approx(0.1)
