"""Weights of every family: opened as what they are, or refused with a reason before any memory is spent. No network."""

import numpy as np
import pytest
import torch

from tests.generate.tiny_families import CALL, CLASS, SHAPE, SIZES, load, make


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """{family: folder} of tiny pipelines, made once."""
    place = tmp_path_factory.mktemp("tiny")
    return {family: make(family, place / family) for family in SIZES}


def video(pipe, family="wan", prompt="a beating heart", seed=0):
    return pipe(prompt=prompt, num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(seed), **CALL[family],
                **SHAPE[family]).frames[0]


@pytest.mark.parametrize("family", SIZES)
def test_tiny_pipelines_make_a_video(saved, family):
    pipe = load(family, saved[family])
    assert type(pipe).__name__ == CLASS[family] and not any(getattr(part, "training", False) for part in pipe.components.values())
    frames, size = video(pipe, family), SIZES[family]
    assert frames.shape == (size["frames"], size["height"], size["width"], 3) and np.isfinite(frames).all() and frames.std() > 0.01
    assert np.array_equal(frames, video(pipe, family)) and not np.array_equal(frames, video(pipe, family, "a lesion in the lung"))
