"""Frechet and kernel distance on Gaussians whose distance is known."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import frechet


def test_known_gaussians():
    assert frechet.from_moments([0, 0], np.eye(2), [3, 4], np.eye(2)) == pytest.approx(25)
    assert frechet.from_moments([0], [[4.0]], [0], [[9.0]]) == pytest.approx((3 - 2) ** 2)
    tilted = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert frechet.from_moments([0, 0], tilted, [0, 0], tilted) == pytest.approx(0, abs=1e-9)


def test_agrees_with_scipy_on_covariances_that_do_not_commute():
    from scipy.linalg import sqrtm
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + 1
    ca, cb = np.cov(a.T), np.cov(b.T)
    known = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(ca + cb - 2 * np.real(sqrtm(ca @ cb)))
    assert frechet.frechet(a, b) == pytest.approx(known, rel=1e-6)


def test_small_samples_of_one_distribution_are_not_at_zero_but_the_kernel_distance_is():
    rng = np.random.default_rng(0)
    few, many = (frechet.frechet(*rng.normal(size=(2, n, 64))) for n in (100, 2000))
    assert few > 10 * many > 0
    assert abs(frechet.kernel_distance(*rng.normal(size=(2, 300, 64)))) < 0.02


def kernel_by_hand(first, second, skip_pairs):
    """The unbiased estimator of Gretton et al. (2012), sum by sum."""
    def mean(a, b, skip):
        return np.mean([(x @ y / len(x) + 1) ** 3 for i, x in enumerate(a) for j, y in enumerate(b) if not (skip and i == j)])
    return mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, skip_pairs)


def test_kernel_distance_sum_by_sum():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(9, 4)), rng.normal(size=(9, 4)) + 0.5
    assert frechet.kernel_distance(first, second[:6]) == pytest.approx(kernel_by_hand(first, second[:6], False))
    assert frechet.kernel_distance(first, second, paired=True) == pytest.approx(kernel_by_hand(first, second, True))
    with pytest.raises(KitError, match="9 clips can not be paired with 6"):
        frechet.kernel_distance(first, second[:6], paired=True)
    with pytest.raises(KitError, match="N >= 2"):
        frechet.kernel_distance(first[:1], second)
    with pytest.raises(KitError, match="no finite numbers"):
        frechet.kernel_distance(first, second * np.nan)


def test_a_floor_of_another_number_of_clips_is_refused():
    first, second, third = np.random.default_rng(6).normal(size=(3, 40, 3))
    with pytest.raises(KitError, match="floor would stand on 30 clips and the distance on 40"):
        frechet.report(first, second, third[:30], paired=False)
    with pytest.raises(KitError, match="40 clips can not be paired with 30"):
        frechet.report(first, second[:30], third)
    assert frechet.report(first, second[:30], third, paired=False)["clips"] == 40


def test_pairs_of_one_prompt_do_not_pull_the_kernel_distance_below_zero():
    rng = np.random.default_rng(0)
    prompts = 3 * rng.normal(size=(150, 16))
    first, second = (prompts + 0.3 * rng.normal(size=prompts.shape) for _ in range(2))
    assert frechet.kernel_distance(first, second) < -10 < abs(frechet.kernel_distance(first, second, paired=True)) < 2


def test_scale_of_the_features_does_not_matter_to_the_report():
    first, second, third = np.random.default_rng(2).normal(size=(3, 60, 5))
    larger = frechet.report(9 * first, 9 * second, 9 * third)
    assert frechet.report(first, second, third)["frechet"] == pytest.approx(larger["frechet"], rel=1e-4)


def test_report_warns_when_clips_are_few_and_shows_the_floor():
    rng = np.random.default_rng(0)
    first, second, far = rng.normal(size=(100, 16)), rng.normal(size=(100, 16)), rng.normal(size=(100, 16)) + 2
    found = frechet.report(far, first, second)
    assert found["frechet"] > 10 * found["floor"] and "bias" in found["warning"]
    assert frechet.report(*rng.normal(size=(3, 400, 16)))["warning"] == ""
    with pytest.raises(KitError, match="one width"):
        frechet.frechet(first, first[:, :3])


def test_covariances_with_and_without_the_bias_of_cd_fvd():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 1
    gap = ((first.mean(0) - second.mean(0)) ** 2).sum()
    assert frechet.frechet(first, second, ddof=0) - gap == pytest.approx((frechet.frechet(first, second) - gap) * 19 / 20)


def test_fvd_on_a_torchscript_network_of_the_published_call(tmp_path):
    import torch

    class Detector(torch.nn.Module):
        """Called as StyleGAN-V's file is: 20 averages of the clip."""

        def forward(self, x, rescale: bool = True, resize: bool = True, return_features: bool = False):
            if rescale or resize or x.shape[1] != 3 or x.shape[2] != 16 or x.shape[3] != 224:
                raise ValueError("called otherwise")
            return torch.nn.functional.adaptive_avg_pool3d(x.mean(1, keepdim=True), (5, 2, 2)).flatten(1)

    torch.jit.script(Detector()).save(str(tmp_path / "i3d.pt"))
    features = frechet.i3d(tmp_path / "i3d.pt")
    rng = np.random.default_rng(0)
    real, other = ((110 + 60 * rng.random((12, 16, 1, 1, 3)) + 20 * rng.random((12, 16, 24, 32, 3))).astype(np.uint8) for _ in range(2))
    dark = (0.5 * real).astype(np.uint8)
    assert features(real[:2]).shape == (2, 20) and np.abs(features(real[:2])).max() <= 1
    found = frechet.fvd(list(dark), real, other, features)
    assert found["frechet"] > 5 * found["floor"] > 0 and found["clips"] == 12 and found["features_by"].startswith("I3D ")
    assert "bias" in found["warning"]
    with pytest.raises(KitError, match="16"):
        frechet.fvd(dark[:, :9], real, other, features)
    with pytest.raises(KitError, match="floor would stand on 9 clips and the distance on 12"):
        frechet.fvd(dark, real, other[:9], features)
    with pytest.raises(KitError, match="float64"):
        frechet.fvd(dark / 255, real, other, features)
    with pytest.raises(KitError, match="real holds no clip"):
        frechet.fvd(dark, [], other, features)
    with pytest.raises(KitError, match=r"generated 32x20, 32x24; real 32x24.*size="):
        frechet.fvd([dark[0], dark[1][:, :20]], real, other, features)
    with pytest.raises(KitError, match=r"generated 32x20; real 32x24"):
        frechet.fvd(dark[:, :, :20], real, other, features)
    with pytest.raises(KitError, match="i3d_torchscript"):
        frechet.i3d(tmp_path / "none.pt")


def test_features_that_are_no_numbers_are_not_perfect():
    with pytest.raises(KitError, match="no finite numbers"):
        frechet.frechet(np.full((3, 2), np.nan), np.ones((3, 2)))
