"""Black borders (paper section 3.3): a straight line that stays at a side, with nothing but one black behind it.

Two witnesses look at the same five frames: Canny edges with Hough lines as in the paper, and the brightness of whole rows and columns.
"""

import numpy as np

SIDES = ("top", "bottom", "left", "right")
BLACK = 24          # grey level up to which a picture element counts as black
STEP = 6            # grey levels by which a bar differs from the picture beside it
NEAR, FAR = 0.02, 0.4      # shares of the picture that a bar may take
LIT = 0.6           # share of the line beside a bar that must not be black: a round mask or a fan touches less of it
FILLED = 0.4        # share of the band behind that line that must not be black
METHODS = ("both", "hough", "luma")


def border_of(frames, method="both"):
    """Width of the black border at each side in pixels, {"top": 0, ...}, of frames uint8 [T, H, W, 3]; 0 where there is none.

    Round masks of endoscopes, fans of ultrasound and slices of CT are black at the edge too: only a long straight line with one even black
    behind it counts. method: "hough", "luma", or "both": what either sees.
    """
    import cv2

    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    found = dict.fromkeys(SIDES, 0)
    if method in ("both", "hough"):
        seen = [lines_of(grey) for grey in greys]
        found = {side: persistent([lines[side] for lines in seen]) for side in SIDES}
    if method in ("both", "luma"):
        found = {side: found[side] or width for side, width in bars_of(np.stack(greys)).items()}
    return found


def has_border(frames):
    """True when any side carries a persistent border."""
    return any(border_of(frames).values())


def lines_of(grey):
    """Candidate border lines of one grey frame uint8 [H, W]: {"top": [distances from that side in pixels], ...}."""
    import cv2

    height, width = grey.shape
    votes = int(0.4 * min(height, width))
    found = cv2.HoughLines(cv2.Canny(grey, 50, 150), 1, np.pi / 2, votes)
    sides = {side: [] for side in SIDES}
    for rho, theta in (() if found is None else np.asarray(found).reshape(-1, np.asarray(found).shape[-1])[:, :2]):
        at, across = abs(float(rho)), abs(float(theta)) < 0.1
        length, near, far = (width, "left", "right") if across else (height, "top", "bottom")
        side, distance = (near, at) if at < length / 2 else (far, length - at)
        if NEAR * length <= distance <= FAR * length and is_bar(grey, side, int(distance)):
            sides[side].append(int(distance))
    return sides


def turned(grey, side):
    """The picture turned so that `side` is its top (a view)."""
    return {"top": grey, "bottom": grey[::-1], "left": grey.T, "right": grey.T[::-1]}[side]


def is_bar(grey, side, distance):
    """True when everything outside the line is black and most of the line's inside is not."""
    picture = turned(grey, side)
    return bool((picture[:max(1, distance - 2)] <= BLACK).mean() >= 0.98) and lit(picture, distance, 0, BLACK)


def lit(picture, at, level, step):
    """True when something begins at row `at` of a picture [H, W] (more than `step` away from the grey `level`) and fills what lies behind
    it: the table under a patient is a line, straight or curved, with black behind it."""
    parts = picture[at + 2:at + 6], picture[at + 8:at + max(16, len(picture) // 12)]
    near, deep = (np.abs(np.float32(part) - level) > step for part in parts)
    return bool(deep.size and near.any(axis=0).mean() >= LIT and deep.mean() >= FILLED)


def persistent(distances, slack=3):
    """The border that at least four of five frames agree on (within `slack` pixels), else 0. distances: one list a frame."""
    flat = sorted(value for found in distances for value in found)
    need = int(np.ceil(0.8 * len(distances)))
    for value in flat:
        if sum(any(abs(value - other) <= slack for other in found) for found in distances) >= need:
            return value
    return 0


def bars_of(greys):
    """Bars by brightness, {"top": pixels, ...}, of greys uint8 [T, H, W]: rows of one even black, ended by a step along most of a line.

    The step may be small: the grey of a scan's background against the true black of a bar is enough.
    """
    mean, spread = greys.mean(axis=0, dtype=np.float32), np.ptp(greys, axis=0)
    found = {}
    for side in SIDES:
        picture, length = turned(mean, side), len(turned(mean, side))
        reach = int(FAR * length) + 1
        level = float(np.median(picture[:max(1, int(NEAR * length))]))
        odd = ((np.abs(picture[:reach] - level) > STEP) | (turned(spread, side)[:reach] > 2 * STEP)).mean(axis=1) > 0.02
        run = int(np.argmax(odd)) if odd.any() else length
        bar = level <= BLACK and NEAR * length <= run <= FAR * length and lit(picture, run, level, STEP)
        found[side] = run if bar else 0
    return found
