"""Distances between two sets of clips in feature space: Frechet distance, kernel distance, and the floor that real clips set."""

import numpy as np

from ..errors import KitError


def frechet(first, second):
    """Frechet distance of two feature sets [N, D] and [M, D] seen as Gaussians (Heusel et al. 2017, FID; FVD for clips).

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), never below 0. Small samples make it too large: see `report`.
    """
    first, second = (np.asarray(x, np.float64) for x in (first, second))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise KitError(f"frechet takes two feature sets [N, D] of one width with N >= 2, not {list(first.shape)} and {list(second.shape)}.")
    return from_moments(first.mean(0), np.cov(first.T), second.mean(0), np.cov(second.T))


def from_moments(mean1, cov1, mean2, cov2):
    """Frechet distance of two Gaussians given by mean [D] and covariance [D, D]."""
    cov1, cov2 = np.atleast_2d(cov1), np.atleast_2d(cov2)
    root = half_power(cov1)
    both = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov2 @ root), 0, None)).sum()
    return float(max(0.0, np.sum((np.asarray(mean1) - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * both))


def half_power(matrix):
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def kernel_distance(first, second, paired=False):
    """Unbiased squared MMD with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018, KID); may fall a little below 0.

    paired: clip i of both sets shows the same prompt; such pairs are left out, they resemble each other more than chance.
    """
    from sklearn.metrics.pairwise import polynomial_kernel

    n, m = len(first), len(second)
    xx, yy, xy = (polynomial_kernel(a, b) for a, b in ((first, first), (second, second), (first, second)))
    across = (xy.sum() - np.trace(xy)) / (n * (n - 1)) if paired else xy.mean()
    return float((xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * across)


def report(generated, real, other_real):
    """The distance beside its floor: {"frechet", "floor", "kernel", "kernel_floor", "clips", "features", "warning"}.

    Features [N, D] of N prompts, scaled to the spread of the real ones. other_real: a second set of real clips of the same prompts.
    A distance near the floor says nothing.
    """
    clips, width = np.asarray(generated).shape
    middle, spread = np.mean(real, 0), np.std(real, 0) + 1e-6
    generated, real, other_real = ((np.asarray(x, np.float64) - middle) / spread for x in (generated, real, other_real))
    few = f"{clips} clips for {width} features are few, so the distance is biased upwards. Read it only against its floor."
    return {"frechet": frechet(generated, real), "floor": frechet(other_real, real),
            "kernel": kernel_distance(generated, real, paired=True),
            "kernel_floor": kernel_distance(other_real, real, paired=True), "clips": clips, "features": width,
            "warning": few if clips < 10 * width else ""}
