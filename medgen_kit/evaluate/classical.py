"""Measures of a clip that need no network: sharpness, flow, warping error by flow, frozen frames, flicker of light.

Frames are uint8 [T, H, W, 3], RGB. Flow is OpenCV's DIS. None means that a clip is too short or can not be measured.
"""

import numpy as np


def grey(frames, least=64, most=256):
    """uint8 [T, H, W] for optical flow: pictures whose short side is under `least` pixels are enlarged (flow does not work below that),
    over `most` shrunk."""
    import cv2

    from .. import video
    frames = np.asarray(frames)
    height, width = frames.shape[1:3]
    scale = max(least / min(height, width), 1) * min(most / min(height, width), 1)
    if scale != 1:
        frames = video.resize(frames, (round(height * scale), round(width * scale)))
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def flow(first, second):
    """Dense optical flow (OpenCV's DIS) from one grey picture to the next: float32 [H, W, 2], pixels (right, down)."""
    import cv2

    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(first, second, None)


def warp(picture, move):
    """The picture read at x + move(x): [H, W] or [H, W, C], float32 out."""
    import cv2

    y, x = np.mgrid[:move.shape[0], :move.shape[1]].astype(np.float32)
    return cv2.remap(picture.astype(np.float32), x + move[..., 0], y + move[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sharpness(frames, size=64):
    """Variance of the Laplacian of the grey picture at `size` pixels, mean over frames (grey levels squared). Noise is 'sharp' too."""
    return float(np.mean(sharpness_series(frames, size)))


def sharpness_series(frames, size=64):
    """`sharpness` of every frame, float [T]."""
    import cv2

    from .. import video
    small = video.resize(np.asarray(frames), size)
    return np.array([cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var() for picture in small])


def flow_warp_error(frames, least=0.3):
    """Warping error by optical flow (after Lai et al. 2018); the paper's figure of that name is a human one (`grading`).

    The pictures are made grey and their short side brought to 64 to 256 pixels first (`grey`), so that the error of a large clip is that of
    its small copy, and colour counts for nothing. Each next frame is warped back onto its frame; mean squared difference of brightness
    (0..1) where flow forward and backward agree and at no motion boundary. Returns {"error", "coverage", "pixels"}: error is None under
    `least` mean coverage; pixels is the mean flow length at a height of 64 pixels. A clip that stands still has no error, so read it
    beside `pixels`.
    """
    pictures, errors, seen, lengths = grey(frames), [], [], []
    for now, after in zip(pictures, pictures[1:]):
        there, back = flow(now, after), flow(after, now)
        lengths.append(np.hypot(there[..., 0], there[..., 1]).mean() * 64 / now.shape[0])
        good = trusted(there, back)
        seen.append(good.mean())
        if good.any():
            errors.append(((now / np.float32(255) - warp(after, there) / 255) ** 2)[good].mean())
    if not seen:
        return {"error": None, "coverage": 0.0, "pixels": None}
    return {"error": float(np.mean(errors)) if errors and np.mean(seen) >= least else None, "coverage": float(np.mean(seen)),
            "pixels": float(np.mean(lengths))}


def trusted(there, back):
    """bool [H, W]: where flow forward and backward agree, and away from motion boundaries (Sundaram et al. 2010, by way of Lai et al.)."""
    import cv2

    back_here = warp(back, there)
    square = (there ** 2).sum(-1)
    agree = ((there + back_here) ** 2).sum(-1) <= 0.01 * (square + (back_here ** 2).sum(-1)) + 0.5
    slope = sum(cv2.Sobel(there[..., k], cv2.CV_32F, *axis, ksize=1) ** 2 / 4 for k in (0, 1) for axis in ((1, 0), (0, 1)))
    return agree & (slope <= 0.01 * square + 0.002)


def frozen_share(frames, levels=1.0):
    """Share of neighbouring frames that differ by less than `levels` grey levels in the mean, 0..1; None for one frame.

    It guards against the cheat that wins consistency and smoothness: not moving at all.
    """
    import cv2

    frames = np.asarray(frames)
    if len(frames) < 2:
        return None
    return float(np.mean([cv2.absdiff(a, b).mean() < levels for a, b in zip(frames, frames[1:])]))


def light_flicker(frames):
    """Mean |second difference| of the mean brightness, in grey levels; steady brightening does not count. None under 3 frames."""
    light = np.asarray(frames).reshape(len(frames), -1).mean(1)
    return float(np.abs(np.diff(light, 2)).mean()) if len(frames) >= 3 else None
