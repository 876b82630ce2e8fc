"""Black borders (paper section 3.3): Canny edges, Hough lines, and a line that stays at a side with nothing but black behind it."""

import numpy as np

SIDES = ("top", "bottom", "left", "right")
BLACK = 24          # grey level up to which a picture element counts as black


def border_of(frames):
    """Width of the black border at each side in pixels, {"top": 0, ...}, of frames uint8 [T, H, W, 3]; 0 where there is none.

    Round masks of endoscopes and fans of ultrasound are black at the edge too: only a long straight line with black behind it counts.
    """
    seen = [lines_of(frame) for frame in frames]
    return {side: persistent([found[side] for found in seen]) for side in SIDES}


def has_border(frames):
    """True when any side carries a persistent border."""
    return any(border_of(frames).values())


def lines_of(frame):
    """Candidate border lines of one frame: {"top": [distances from that side in pixels], ...}."""
    import cv2

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    votes = int(0.4 * min(height, width))
    found = cv2.HoughLines(cv2.Canny(grey, 50, 150), 1, np.pi / 2, votes)
    sides = {side: [] for side in SIDES}
    for rho, theta in (() if found is None else np.asarray(found).reshape(-1, np.asarray(found).shape[-1])[:, :2]):
        at, across = abs(float(rho)), abs(float(theta)) < 0.1
        length, near, far = (width, "left", "right") if across else (height, "top", "bottom")
        side, distance = (near, at) if at < length / 2 else (far, length - at)
        if 0.02 * length <= distance <= 0.4 * length and is_bar(grey, side, int(distance)):
            sides[side].append(int(distance))
    return sides


def is_bar(grey, side, distance):
    """True when everything outside the line is black and most of the line's inside is not."""
    turned = {"top": grey, "bottom": grey[::-1], "left": grey.T, "right": grey.T[::-1]}[side]
    outside, inside = turned[:max(1, distance - 2)], turned[distance + 2:distance + 6]
    return bool(np.percentile(outside, 98) <= BLACK and (inside.max(axis=0) > BLACK).mean() >= 0.75)


def persistent(distances, slack=3):
    """The border that at least four of five frames agree on (within `slack` pixels), else 0. distances: one list a frame."""
    flat = sorted(value for found in distances for value in found)
    need = int(np.ceil(0.8 * len(distances)))
    for value in flat:
        if sum(any(abs(value - other) <= slack for other in found) for found in distances) >= need:
            return value
    return 0
