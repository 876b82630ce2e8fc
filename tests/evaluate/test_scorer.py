"""The scorer: learns a toy source far above guessing, survives saving, refuses what it cannot read, hardens without changing labels."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from medgen_kit.errors import KitError
from medgen_kit.evaluate import marks, scorer

spec = importlib.util.spec_from_file_location("toy_source", Path(__file__).with_name("toy.py"))
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    return scorer.train(40, seed=3, batch=32, clips=320, source=toy)


def test_learns_above_guessing_and_backwards_is_noticed(trained):
    frames, factors = scorer.draw(toy, 96, 55)
    result = marks.score(trained.judge(frames), factors, motion=toy.MOTION)
    guess = marks.score(marks.majority_guess(factors), factors, motion=toy.MOTION)
    assert result["motion"] > 0.9 and result["appearance"] > 0.9 and guess["motion"] < 0.65
    assert marks.score(trained.judge(frames[:, ::-1]), factors, motion=toy.MOTION)["motion"] < 0.15


def test_saved_and_loaded_judges_alike(trained, tmp_path):
    frames, _ = scorer.draw(toy, 12, 7)
    trained.save(tmp_path)
    again = scorer.Scorer.load(tmp_path)
    assert again.judge(frames) == trained.judge(frames)
    assert np.array_equal(again.features(frames), trained.features(frames)) and again.features(frames).shape == (12, 64)
    with pytest.raises(KitError, match="scorer.json"):
        scorer.Scorer.load(tmp_path / "nothing")


def test_names_only_factors_of_the_modality_it_reads(trained):
    frames, _ = scorer.draw(toy, 8, 9)
    for row in trained.judge(frames):
        assert {name.split(".")[0] for name in row if name != "modality"} == {row["modality"]}


def test_other_sizes_are_resized_and_other_lengths_refused(trained):
    assert len(trained.judge(toy.render(toy.combinations()[:2], 0, size=64))) == 2
    with pytest.raises(KitError, match=r"the scorer reads uint8 \[N, 9"):
        trained.judge(np.zeros((2, 5, 32, 32, 3), np.uint8))


def test_drawn_clips_cover_every_combination_and_repeat_with_the_seed():
    first, factors = scorer.draw(toy, 40, 1)
    again, same = scorer.draw(toy, 40, 1)
    assert factors == same and np.array_equal(first, again)
    assert {tuple(row.items()) for row in factors} == {tuple(row.items()) for row in toy.combinations()}


def test_labels_ignore_factors_of_other_modalities():
    truth = scorer.labels([toy.combinations()[0]], scorer.values_of(toy))
    assert truth["modality"].tolist() == [0] and truth["box.colour"].tolist() == [0] and truth["ring.size"].tolist() == [-1]


def test_roughening_keeps_shape_and_range_and_changes_pictures():
    pictures = scorer.to_pictures(scorer.draw(toy, 12, 2)[0])
    rough = scorer.roughen(pictures, scorer.Blurrer(pictures), np.random.default_rng(0))
    assert rough.shape == pictures.shape and rough.abs().max() <= 1
    assert 0.01 < (rough - pictures).abs().mean() < 0.3
