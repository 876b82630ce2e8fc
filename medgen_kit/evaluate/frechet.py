"""Distances between two sets of clips in feature space: Frechet distance, kernel distance, and the floor that real clips set."""

from pathlib import Path

import numpy as np

from ..errors import KitError
from . import vbench

I3D_FRAMES = 16


def frechet(first, second, ddof=1):
    """Frechet distance of two feature sets [N, D] and [M, D] seen as Gaussians (Heusel et al. 2017, FID; FVD for clips).

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), never below 0. Small samples make it too large: see `report`. ddof: of the
    covariance; LVDM's and StyleGAN-V's FVD take 1, cd-fvd takes 0, so their figures differ even on the same features.
    """
    first, second = feature_sets(first, second)
    return from_moments(first.mean(0), np.cov(first.T, ddof=ddof), second.mean(0), np.cov(second.T, ddof=ddof))


def feature_sets(*sets):
    """Feature sets as float64 [N, D]; KitError for several widths, fewer than two rows, or numbers that are not finite."""
    sets = [np.asarray(one, np.float64) for one in sets]
    if any(one.ndim != 2 or len(one) < 2 or one.shape[1:] != sets[0].shape[1:] for one in sets):
        shapes = " and ".join(str([*one.shape]) for one in sets)
        raise KitError(f"a distance takes feature sets [N, D] of one width with N >= 2, not {shapes}.")
    if not all(np.isfinite(one).all() for one in sets):
        raise KitError("some features are no finite numbers, so there is no distance. Look at the clips or the network that gave them.")
    return sets


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
    """Unbiased squared MMD of [N, D] and [M, D] with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018, KID); may fall a little below 0.

    paired: clip i of both sets shows the same prompt; such pairs are left out, they resemble each other more than chance. KitError when
    paired sets are not equally long.
    """
    from sklearn.metrics.pairwise import polynomial_kernel

    first, second = feature_sets(first, second)
    n, m = len(first), len(second)
    if paired and n != m:
        raise KitError(f"{n} clips can not be paired with {m}: row i of both sets must be one prompt. Give one clip per prompt in each, or "
                       "paired=False.")
    xx, yy, xy = (polynomial_kernel(a, b) for a, b in ((first, first), (second, second), (first, second)))
    across = (xy.sum() - np.trace(xy)) / (n * (n - 1)) if paired else xy.mean()
    return float((xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * across)


def report(generated, real, other_real, scaled=True, paired=True):
    """The distance beside its floor: {"frechet", "floor", "kernel", "kernel_floor", "clips", "features", "warning"}.

    Features [N, D] of N prompts, scaled to the spread of the real ones unless scaled is False (as in FVD). other_real: a second set of
    real clips, as many as were generated, since a floor holds for its own N only; paired: row i of all three sets belongs to one prompt.
    A distance near the floor says nothing. KitError when the numbers of clips do not allow it.
    """
    generated, real, other_real = feature_sets(generated, real, other_real)
    same_number(generated, other_real)
    clips, width = generated.shape
    middle, spread = (np.mean(real, 0), np.std(real, 0) + 1e-6) if scaled else (0.0, 1.0)
    generated, real, other_real = ((one - middle) / spread for one in (generated, real, other_real))
    few = f"{clips} clips for {width} features are few, so the distance is biased upwards. Read it only against its floor."
    return {"frechet": frechet(generated, real), "floor": frechet(other_real, real),
            "kernel": kernel_distance(generated, real, paired),
            "kernel_floor": kernel_distance(other_real, real, paired), "clips": clips, "features": width,
            "warning": few if clips < 10 * width else ""}


def same_number(generated, other_real):
    """KitError unless the floor stands on as many clips as the distance."""
    if len(generated) != len(other_real):
        raise KitError(f"the floor would stand on {len(other_real)} clips and the distance on {len(generated)}; both fall with the number "
                       f"of clips, so they can not be compared. Give {len(generated)} other real clips.")


def fvd(generated, real, other_real, features):
    """FVD and KVD (Unterthiner et al. 2018) of three sets of clips uint8 [N, 16, H, W, 3], with floor and N: `report`, unscaled.

    features: clips -> [N, D], for example `i3d(path)` (the name FVD belongs to it alone; with other features say so). other_real: as many
    other real clips as generated ones, for the floor. KitError for clips of another length (FVD is defined on 16 frames) and for clips of
    several sizes, within a set or between sets: features see what resizing does.
    """
    sets = {"generated": generated, "real": real, "other_real": other_real}
    shapes = {name: sorted({(str(clip.dtype), *clip.shape) for clip in map(np.asarray, clips)}) for name, clips in sets.items()}
    for name, found in shapes.items():
        wrong = [one for one in found if len(one) != 5 or one[:2] != ("uint8", I3D_FRAMES) or one[4] != 3]
        if wrong or not found:
            what = f"a clip {wrong[0][0]} {[*wrong[0][1:]]}" if wrong else "no clip"
            raise KitError(f"{name} holds {what}; FVD takes clips uint8 [{I3D_FRAMES}, H, W, 3]. Choose {I3D_FRAMES} frames of each clip "
                           f"first: clip.frames(count={I3D_FRAMES}).")
    if len(set().union(*shapes.values())) > 1:
        said = "; ".join(f"{name} {', '.join(f'{one[3]}x{one[2]}' for one in found[:6])}" for name, found in shapes.items())
        raise KitError(f"FVD takes clips of one size, for what resizing does would count as a difference. Widths x heights here: {said}. "
                       f"Bring all to one size: clip.frames(count={I3D_FRAMES}, size=(height, width)).")
    same_number(generated, other_real)
    found = report(*(features(np.asarray(clips)) for clips in sets.values()), scaled=False, paired=False)
    return found | {"features_by": getattr(features, "name", "your own features")}


def i3d(path, batch=8):
    """The features of FVD: logits [N, 400] of the I3D in a TorchScript file (StyleGAN-V's `i3d_torchscript.pt`, Kinetics-400).

    Clips uint8 [N, 16, H, W, 3] are resized to 224 x 224 (bilinear, whatever their shape) and scaled to -1..1. Other ports of I3D give
    other numbers: name the file beside a figure.
    """
    import torch

    from .backbones.light import file_mark
    if not Path(path).is_file():
        raise KitError(f"{path} is not there. FVD needs the TorchScript file of I3D (about 50 MB, `i3d_torchscript.pt` of StyleGAN-V): "
                       "download it, or use features of your own.")
    network = torch.jit.load(str(path), map_location="cpu").eval()

    def features(clips):
        found = []
        with torch.no_grad():
            for start in range(0, len(clips), batch):
                pictures = [vbench.resized(vbench.tensor(clip), (224, 224), "bilinear") for clip in clips[start:start + batch]]
                shown = (torch.stack(pictures) / 127.5 - 1).transpose(1, 2)
                found.append(network(shown, rescale=False, resize=False, return_features=True))
        return torch.cat(found).float().numpy()

    features.name = f"I3D {file_mark(path)}"
    return features
