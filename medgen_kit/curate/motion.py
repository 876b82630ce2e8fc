"""How much moves and how the camera moves: optical flow between small grey pictures, and the shift, turn and zoom that explain most of
it."""

import numpy as np

STILL = 0.04          # picture heights a second up to which a shift counts as none
ZOOM = 0.06           # change of scale a second up to which it counts as none
CORNERS = 100


def flows(grey):
    """Optical flow float32 [h, w, 2] in pixels (x, y) between neighbouring pictures of grey uint8 [T, h, w]: DIS (Kroeger et al. 2016)."""
    import cv2

    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    return [finder.calc(before, after, None) for before, after in zip(grey[:-1], grey[1:])]


def flow_score(flow, gaps):
    """Mean speed of the picture in heights a second, from `flows`; 0.0 without any. gaps: seconds between pictures, [T-1] or 1."""
    import cv2

    speed = np.array([cv2.magnitude(one[..., 0], one[..., 1]).mean() / one.shape[0] for one in flow])
    return float(np.mean(speed / gaps)) if len(speed) else 0.0


def camera_motion(grey, flow, gaps):
    """One of "static shot", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "complex motion".

    grey uint8 [T, h, w], its `flows`, and the seconds between the pictures, [T-1] or one number. Pan and tilt name the camera: the picture
    moves the other way.
    """
    gaps = np.broadcast_to(gaps, len(flow))
    steps = [np.array(step) / gap for step, gap in zip(transforms(grey, flow), gaps) if step is not None]
    if len(steps) < max(2, len(flow) // 3):
        return "static shot" if change(grey) < 0.05 else "complex motion"
    tx, ty, scale = np.median(steps, axis=0)
    if abs(scale) > ZOOM and abs(scale) > 0.7 * max(abs(tx), abs(ty)):
        return "zoom in" if scale > 0 else "zoom out"
    if max(abs(tx), abs(ty)) <= STILL:
        return "static shot"
    if abs(tx) >= abs(ty):
        return "pan right" if tx < 0 else "pan left"
    return "tilt down" if ty < 0 else "tilt up"


def transforms(grey, flow):
    """For each step (shift x, shift y in picture heights, scale - 1), seen from the middle of the picture; None where too little agrees.

    The flow is read where it can be trusted, at corners; at least half of them must agree on one shift, turn and zoom.
    """
    import cv2

    height, width = grey.shape[1:]
    centre, found = np.array([width / 2, height / 2]), []
    for picture, moved in zip(grey, flow):
        points = cv2.goodFeaturesToTrack(cv2.pyrDown(picture), CORNERS, 0.02, 3)
        if points is None or len(points) < 8:
            found.append(None)
            continue
        points = 2 * points.reshape(-1, 2)
        columns, rows = points.round().astype(int).T
        target = points + moved[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        matrix, inside = cv2.estimateAffinePartial2D(points, target, ransacReprojThreshold=1.5)
        if matrix is None or inside.mean() < 0.5:
            found.append(None)
            continue
        shift = (matrix[:, :2] @ centre + matrix[:, 2] - centre) / height
        found.append((shift[0], shift[1], np.hypot(matrix[0, 0], matrix[1, 0]) - 1))
    return found


def change(grey):
    """Mean absolute difference of neighbouring pictures in grey levels (0 to 255): 0 for a still that was filmed as a video."""
    import cv2

    return float(np.mean([cv2.absdiff(a, b).mean() for a, b in zip(grey[:-1], grey[1:])])) if len(grey) > 1 else 0.0
