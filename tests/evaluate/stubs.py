"""Small networks without random numbers, for parity: the same in every version of every library; and clips to try them on."""

import numpy as np


def waves(count, height, width, seed=0.0):
    """Frames uint8 [T, H, W, 3]: waves that travel, a bright bar that moves, one frame darker than the rest."""
    t, y, x, c = np.meshgrid(np.arange(count), np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    picture = 110 + 60 * np.sin(x / 9 + 0.35 * t + c + seed) * np.cos(y / 7 - 0.2 * t * (1 + c)) + 40 * np.sin((x * y) / 900 + seed)
    picture = np.where(abs(x - (10 + 2 * t)) < 4, 245, picture)
    picture = np.where(t == count // 3, 0.7 * picture, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def grid(rows, columns, scale=1.0):
    import torch

    i, j = torch.meshgrid(torch.arange(rows, dtype=torch.float32), torch.arange(columns, dtype=torch.float32), indexing="ij")
    return scale * torch.sin(1.7 * i + 0.9 * j * (1 + i / 5) + 0.3)


def encoder(pictures):
    """float [N, 3, h, w] -> [N, 24]."""
    import torch
    from torch.nn import functional as F

    small = F.adaptive_avg_pool2d(pictures, 8).flatten(1)
    fine = pictures.abs().mean((2, 3))
    return torch.tanh(small @ grid(small.shape[1], 24, 0.1)) + 0.2 * fine @ grid(3, 24)


def interpolator(a, b):
    """Halfway, a little to the first, a little blurred."""
    from torch.nn import functional as F

    mixed = 0.6 * a + 0.4 * b
    return 0.9 * mixed + 0.1 * F.avg_pool2d(F.pad(mixed, (1, 1, 1, 1), mode="replicate"), 3, 1)


def quality(pictures):
    """A number about 0..100 that falls with blur."""
    return 20 + 300 * (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean()


def head(features):
    return features @ grid(features.shape[1], 1) * 4 + 5


def flow(a, b):
    """A flow field that grows with the change between the pictures: [1, 2, H, W]."""
    import torch

    change = (b - a).mean(1)
    return torch.stack([change / 12, change / 20], 1)


def video(pictures):
    """float [8, 3, 224, 224] -> [24], each frame weighted by its place."""
    import torch

    weights = torch.linspace(0.5, 1.5, len(pictures))[:, None]
    return (encoder(pictures) * weights).mean(0)


def text(words):
    import torch

    codes = torch.tensor([float(ord(letter) % 29) for letter in words[:60]])
    return torch.stack([torch.sin(codes * (k + 1) / 7).mean() for k in range(24)])


NETWORKS = {"encoder": encoder, "interpolator": interpolator, "quality": quality, "head": head, "flow": flow, "video": video, "text": text}


def ours(frames, fps, prompt):
    """{dimension: medgen_kit's number}."""
    from medgen_kit.evaluate import vbench

    frames = vbench.Views(frames)
    return {"subject_consistency": vbench.subject_consistency(frames, encoder),
            "background_consistency": vbench.background_consistency(frames, encoder),
            "temporal_flickering": vbench.temporal_flickering(frames),
            "motion_smoothness": vbench.motion_smoothness(frames, interpolator),
            "imaging_quality": vbench.imaging_quality(frames, quality),
            "aesthetic_quality": vbench.aesthetic_quality(frames, encoder, head),
            "dynamic_degree": float(vbench.dynamic_degree(frames, fps, flow)),
            "overall_consistency": vbench.overall_consistency(frames, video, text, prompt)}
