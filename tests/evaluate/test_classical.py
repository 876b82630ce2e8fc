"""Measures without networks: known shifts, known steps, and what a still clip wins."""

import cv2
import numpy as np
import pytest

from medgen_kit import video
from medgen_kit.evaluate import classical
from medgen_kit.evaluate.controls import blurred, noisy
from medgen_kit.evaluate.metrics import METRICS

RNG = np.random.default_rng(0)


def sliding(step, frames=9, size=64, seed=0):
    texture = cv2.GaussianBlur(np.random.default_rng(seed).normal(128, 90, (size, size + 120, 3)), (0, 0), 2.5)
    texture = ((texture - texture.mean()) * 5 + 128).clip(0, 255)
    return np.stack([texture[:, 60 + t * step:60 + t * step + size] for t in range(frames)]).astype(np.uint8)


def test_flow_finds_a_known_shift_and_its_direction():
    clip = classical.grey(sliding(3))
    move = classical.flow(clip[0], clip[1])[16:-16, 16:-16]
    assert np.median(move[..., 0]) == pytest.approx(-3, abs=0.3) and abs(np.median(move[..., 1])) < 0.3


def test_noise_raises_the_warping_error_and_a_still_clip_has_none():
    clip = sliding(2)
    rough = (clip + RNG.normal(0, 25, clip.shape)).clip(0, 255).astype(np.uint8)
    clean, noise = classical.flow_warp_error(clip), classical.flow_warp_error(rough)
    assert clean["coverage"] > 0.5 and clean["error"] is not None and 1 < clean["pixels"] < 3
    assert noise["error"] is None or noise["error"] > 3 * clean["error"]
    still = classical.flow_warp_error(np.repeat(clip[:1], 9, 0))
    assert still["error"] < 1e-6 and still["pixels"] < 0.01 and classical.flow_warp_error(clip[:1])["error"] is None


def test_flow_is_not_trusted_at_a_motion_boundary_or_where_the_ways_disagree():
    there = np.zeros((40, 40, 2), np.float32)
    there[:, 20:, 0] = 6
    good = classical.trusted(there, -there)
    assert good[:, :10].all() and not good[:, 19:21].any()
    assert not classical.trusted(there, there)[:, 28:34].any()


def test_blur_lowers_and_noise_raises_sharpness():
    clip = sliding(2)
    assert classical.sharpness(blurred(clip, RNG)) < classical.sharpness(clip) < classical.sharpness(noisy(clip, RNG))
    assert classical.sharpness(np.full((2, 64, 64, 3), 9, np.uint8)) == 0


def test_frozen_share_and_flicker_of_light():
    clip = np.zeros((5, 8, 8, 3), np.uint8)
    clip[3:] = 50
    assert classical.frozen_share(clip) == 0.75 and classical.frozen_share(clip[:1]) is None
    ramp = (np.arange(6)[:, None, None, None] * 7 + np.zeros((6, 8, 8, 3))).astype(np.uint8)
    assert classical.light_flicker(ramp) == 0 and classical.light_flicker(clip) == pytest.approx((50 + 50) / 3)
    assert classical.light_flicker(clip[:2]) is None


def test_the_warping_error_is_that_of_the_small_grey_picture():
    clip = sliding(2, size=300)
    small = video.resize(clip, (256, 256))
    grey = np.stack([cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for frame in small])
    assert classical.flow_warp_error(clip)["error"] == pytest.approx(classical.flow_warp_error(grey)["error"], rel=0.02)
    assert "grey" in METRICS["flow_warp_error"].resize and "64 to 256" in METRICS["flow_warp_error"].resize


def test_large_pictures_are_shrunk_and_small_ones_enlarged_for_flow():
    assert classical.grey(np.zeros((1, 32, 48, 3), np.uint8)).shape == (1, 64, 96)
    assert classical.grey(np.zeros((1, 512, 1024, 3), np.uint8)).shape == (1, 256, 512)
