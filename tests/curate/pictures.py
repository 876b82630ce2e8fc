"""Small pictures that the curation tests share: textured shots that stand still, pan or zoom."""

import cv2
import numpy as np


def shot(seed, frames=12, size=(240, 320), dx=0.0, dy=0.0, zoom=0.0, low=40, high=220):
    """A textured shot uint8 [T, H, W, 3]; the picture moves by (dx, dy) pixels and grows by `zoom` a frame."""
    rng = np.random.default_rng(seed)
    h, w = size
    fine = rng.uniform(0, 1, (h // 6, w // 6, 3)).astype(np.float32)
    big = cv2.resize(fine, (2 * w, 2 * h), interpolation=cv2.INTER_CUBIC)
    tint = rng.uniform(0.4, 1.0, 3)
    big = np.clip(low + (high - low) * big * tint, 0, 255).astype(np.uint8)
    out = []
    for t in range(frames):
        scale = (1 + zoom) ** t
        matrix = np.float32([[scale, 0, w / 2 - scale * w + dx * t], [0, scale, h / 2 - scale * h + dy * t]])
        out.append(cv2.warpAffine(big, matrix, (w, h), flags=cv2.INTER_LINEAR))
    return np.stack(out)


def disc_on_black(frames=5, size=(240, 320)):
    """An endoscope's picture: a textured disc on black, nothing at the edges."""
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (size[1] // 2, size[0] // 2), size[0] // 2 - 20, 1, -1)
    return shot(3, frames, size) * mask[None, :, :, None]


def fan_on_black(frames=5, size=(240, 320)):
    """An ultrasound sector: textured, black around it, its tip at the upper edge."""
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (size[1] // 2, 12), (size[0] - 30, size[0] - 30), 0, 50, 130, 1, -1)
    return shot(5, frames, size) * mask[None, :, :, None]


def slice_on_black(frames=5, size=(240, 320), ground=0):
    """A CT slice: a bright oval body on a ground of `ground` grey levels."""
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (size[1] // 2, size[0] // 2), (size[0] // 2 - 8, size[0] // 3), 0, 0, 360, 1, -1)
    return np.where(mask[None, :, :, None] > 0, shot(6, frames, size), ground).astype(np.uint8)


def is_dark(frames):
    """A medical test for these tests: dark pictures are medical. frames uint8 [N, H, W, 3] -> probabilities [N]."""
    return np.where(frames.mean(axis=(1, 2, 3)) < 140, 0.9, 0.1)


def crash(frames):
    """A medical test that ends its process at a bright picture, as a faulty decoder would."""
    if frames[0].mean() > 120:
        import os
        import signal
        os.kill(os.getpid(), signal.SIGSEGV)
    return np.ones(len(frames))


def hang(frames):
    """A medical test that never comes back from a bright picture."""
    if frames[0].mean() > 120:
        import time
        time.sleep(600)
    return np.ones(len(frames))


def fail(frames):
    """A medical test with a bug that a bright picture brings out."""
    return np.ones(len(frames)) / (0 if frames[0].mean() > 120 else 1) if frames[0].mean() <= 120 else frames["bright"]


def slowly(frames):
    """A medical test that takes a third of a second a video, so that a node can be killed in the middle of a job."""
    import time
    time.sleep(0.3)
    return np.ones(len(frames))


def light(place):
    """A maker of a scorer: mean brightness over `place`."""
    return lambda frames: float(frames.mean()) / float(place)
