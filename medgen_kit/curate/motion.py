"""How the camera moves: corners followed from frame to frame, one similarity transform per step, and a word for the record."""

import numpy as np

HEIGHT = 240
STILL = 0.04          # picture heights a second up to which a shift counts as none
ZOOM = 0.06           # change of scale a second up to which it counts as none


def camera_motion(frames, fps):
    """One of "static shot", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "complex motion".

    frames uint8 [T, H, W, 3]. Pan and tilt name the camera: the picture moves the other way.
    """
    steps = [step for step in transforms(frames) if step is not None]
    if len(steps) < max(2, (len(frames) - 1) // 3):
        return "static shot" if change(frames) < 0.05 else "complex motion"
    tx, ty, scale = (float(value) * fps for value in np.median(steps, axis=0))
    if abs(scale) > ZOOM and abs(scale) > 0.7 * max(abs(tx), abs(ty)):
        return "zoom in" if scale > 0 else "zoom out"
    if max(abs(tx), abs(ty)) <= STILL:
        return "static shot"
    if abs(tx) >= abs(ty):
        return "pan right" if tx < 0 else "pan left"
    return "tilt down" if ty < 0 else "tilt up"


def transforms(frames):
    """For each step (shift x, shift y in picture heights, scale - 1), seen from the middle of the picture; None where too little agrees."""
    import cv2

    from .quality import grey_of
    greys, found = grey_of(frames).astype(np.uint8), []
    for before, after in zip(greys[:-1], greys[1:]):
        points = cv2.goodFeaturesToTrack(before, 150, 0.02, 6)
        matrix = None
        if points is not None and len(points) >= 8:
            moved, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None)
            good = ok.ravel() == 1
            if good.sum() >= 8:
                matrix, inside = cv2.estimateAffinePartial2D(points[good], moved[good], ransacReprojThreshold=1.5)
                matrix = matrix if matrix is not None and inside.mean() >= 0.5 else None
        if matrix is None:
            found.append(None)
            continue
        centre = np.array([greys.shape[2] / 2, greys.shape[1] / 2])
        shift = (matrix[:, :2] @ centre + matrix[:, 2] - centre) / HEIGHT
        found.append((shift[0], shift[1], np.hypot(matrix[0, 0], matrix[1, 0]) - 1))
    return found


def change(frames):
    """Mean absolute difference of neighbouring frames in grey levels (0 to 255): 0 for a still that was filmed as a video."""
    from .quality import grey_of

    greys = grey_of(np.asarray(frames))
    return float(np.abs(np.diff(greys, axis=0)).mean()) if len(greys) > 1 else 0.0
