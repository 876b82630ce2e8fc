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


def test_another_generator_gets_the_same_prompts_and_noise_and_its_own_rows():
    torch.set_num_threads(1)
    sizes, calls = {"real": 4, "extra": 40, "test": 40, "steps": 25}, []

    def right(prompts, seed):
        calls.append((tuple(prompts), seed))
        return toy.render([next(c for c in toy.combinations() if " ".join(c.values()) == p) for p in prompts], seed)

    def backwards(prompts, seed):
        return right(prompts, seed)[:, ::-1]

    rows, shown = augment.run_seed("box.motion", right, sizes, 0, 0, source=toy, others={"real + baseline": backwards})
    assert [row["arm"] for row in rows] == [*augment.ARMS, "real + baseline"] and calls == [calls[0]] * 2
    mark = {row["arm"]: row for row in rows}
    assert mark["real + generated"]["accuracy"] > 0.85 > 0.3 > mark["real + baseline"]["accuracy"]
    assert np.array_equal(shown, right(calls[0][0], 0)[:2])
    alone = augment.run_seed("box.motion", right, sizes, 0, 0, source=toy)[0]
    assert alone == rows[:4]


def test_marks_are_means_over_classes():
    found = augment.marks_of(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    assert found == pytest.approx({"accuracy": 0.75, "precision": 0.375, "recall": 0.5, "f1": 3 / 7})


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


def test_table_3_by_hand_with_the_steps_that_confound_it():
    worth = {"real only": (0.5, 0.6), "real + baseline": (0.6, 0.6), "real + generated, equal steps": (0.7, 0.8),
             "real + generated": (0.9, 0.8), "real + classical": (0.1, 0.1)}
    rows = [{"task": task, "arm": arm, "seed": k} | dict.fromkeys(augment.FIGURES, value + more)
            for task, more in (("first", 0.0), ("second", 0.1)) for arm, values in worth.items() for k, value in enumerate(values)]
    steps = {"real + baseline": 340, "real + generated, equal steps": 340, "real + generated": 1500}
    table = {(row["task"], row["arm"]): row for row in augment.table3(rows, steps)}
    assert len(table) == 3 * 4 and {arm for _, arm in table} == set(augment.TABLE3)
    base, equal, tiny = (table["all tasks", arm] for arm in augment.TABLE3[1:])
    assert base["generator"] == "flow matching alone" and base["generator_steps"] == equal["generator_steps"] == 340
    assert tiny["generator_steps"] == 1500 and table["first", "real only"]["generator_steps"] is None
    assert tiny["accuracy"] == tiny["f1"] == pytest.approx(0.9) and tiny["difference"] == pytest.approx(0.3)
    assert equal["to_baseline"] == pytest.approx(0.15) and base["to_baseline"] is None and base["difference"] == pytest.approx(0.05)
    half = 12.7062047 * np.std([0.3, 0.2], ddof=1) / 2 ** 0.5
    assert (tiny["to_baseline_low"], tiny["to_baseline_high"]) == pytest.approx((0.25 - half, 0.25 + half))
    assert augment.t_interval([0.1]) == (None, None)
