"""Automatic metrics: known values, their blind spots, real transformers classes with small random weights."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import vbench

RNG = np.random.default_rng(0)


def sliding(step, frames=9, size=64, seed=0):
    import cv2
    texture = cv2.GaussianBlur(np.random.default_rng(seed).normal(128, 90, (size, size + 120, 3)), (0, 0), 2.5)
    texture = ((texture - texture.mean()) * 5 + 128).clip(0, 255)
    return np.stack([texture[:, 60 + t * step:60 + t * step + size] for t in range(frames)]).astype(np.uint8)


def test_consistency_on_known_vectors():
    assert vbench.consistency(np.tile([1.0, 2.0], (5, 1))) == pytest.approx(1)
    assert vbench.consistency([[1, 0], [0, 1], [1, 0]]) == pytest.approx((0 + 0 + 0 + 1) / 4)
    assert vbench.consistency([[1, 0], [-1, 0]]) == 0                       # negative cosines count as nothing
    assert vbench.consistency([[1, 0]]) is None


def test_a_still_clip_is_perfect_for_everything_but_motion():
    row = vbench.measure(np.repeat(sliding(0)[:1], 9, 0))
    assert row["subject_consistency"] == pytest.approx(1) and row["motion_smoothness_flow"] > 0.999 and row["temporal_flickering"] == 1
    assert row["motion_pixels"] < 0.01 and row["flow_warp_error"] < 1e-6


def test_flow_finds_a_known_shift_and_its_direction():
    clip = vbench.grey(sliding(3))
    move = vbench.flow(clip[0], clip[1])[16:-16, 16:-16]
    assert np.median(move[..., 0]) == pytest.approx(-3, abs=0.3) and abs(np.median(move[..., 1])) < 0.3


def clip_error(row):
    assert row["error"] is not None
    return row["error"]


def test_smooth_motion_beats_shuffled_and_noise_raises_warping_error():
    clip = sliding(2)
    mixed = clip[[0, 6, 2, 8, 1, 5, 3, 7, 4]]
    assert vbench.motion_smoothness_flow(clip) > vbench.motion_smoothness_flow(mixed) + 0.01
    noisy = (clip + RNG.normal(0, 25, clip.shape)).clip(0, 255).astype(np.uint8)
    clean, rough = vbench.flow_warp_error(clip), vbench.flow_warp_error(noisy)
    assert rough["error"] is None or rough["error"] > 3 * clip_error(clean)
    assert clean["coverage"] > 0.5


def test_blur_lowers_and_noise_raises_sharpness():
    from medgen_kit.evaluate.controls import blurred, noisy
    clip = sliding(2)
    assert vbench.sharpness(blurred(clip, RNG)) < vbench.sharpness(clip) < vbench.sharpness(noisy(clip, RNG))


def test_flickering_of_a_known_step():
    clip = np.zeros((2, 8, 8, 3), np.uint8)
    clip[1] = 51
    assert vbench.temporal_flickering(clip) == pytest.approx(0.8)


def test_short_clips_give_none_not_a_crash():
    row = vbench.measure(sliding(1, frames=1))
    assert {name for name, value in row.items() if value is None} == set(row) - {"sharpness"}
    assert vbench.motion_smoothness_flow(sliding(1, frames=2)) is None
    assert vbench.mean_of([{"a": None, "b": 1.0}, {"a": None, "b": 3.0}]) == {"a": None, "b": 2.0}


def test_human_rule_of_the_paper():
    grades = [("No", "Moderate", "Severe"), ("No", "Minor", "Severe"), ("Moderate", "Moderate", "Moderate"), ("No", "No", "Minor")]
    found = vbench.human_warping_error(grades)
    assert found["percent"] == 50 and found["low"] == pytest.approx(15.0, abs=0.1) and found["high"] == pytest.approx(85.0, abs=0.1)
    with pytest.raises(KitError, match="three grades"):
        vbench.human_warping_error([("No", "Minor")])


def test_dino_and_clip_backbones_run_their_real_classes(tmp_path):
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, ViTConfig, ViTModel
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
             "patch_size": 8}
    ViTModel(ViTConfig(**small), add_pooling_layer=False).save_pretrained(tmp_path / "dino")
    CLIPVisionModelWithProjection(CLIPVisionConfig(**small, projection_dim=16)).save_pretrained(tmp_path / "clip")
    wide = sliding(2)[:, :40]                                              # 40 x 64: not square, as most videos
    for name, width in (("dino", 32), ("clip", 16)):
        features = vbench.backbone(name, folder=tmp_path / name)(wide)
        assert features.shape == (9, width) and 0 < vbench.consistency(features) <= 1.0001
        assert np.abs(features[0] - features[4]).max() > 1e-4
    with pytest.raises(KitError, match="need folder="):
        vbench.backbone("dino")
