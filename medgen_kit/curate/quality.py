"""Plain measures of quality (columns q_*): sharpness, noise, blockiness, light, contrast and colour, under names of our own.

The paper uses two trained predictors instead; those are in `scorers`.
"""


import numpy as np


LUMA_HEIGHT, SHARP_HEIGHT = 240, 120     # every frame is measured at these heights: sharpness depends on size, and grain is not sharpness
SHARP, NOISY, DARK, FLAT, BLOCKY = 9.0, 14.0, 10.0, 40.0, 1.6      # where `technical` is 0 on each axis


def laplacian_variance(grey):
    """Sharpness of luma [h, w]: variance of the Laplacian, neighbours minus four times the centre. 0 for a flat picture."""
    import cv2

    return float(cv2.Laplacian(np.asarray(grey, np.float32), cv2.CV_32F, ksize=1)[1:-1, 1:-1].var())


def noise_sigma(grey):
    """Standard deviation of noise in grey levels (Immerkaer 1996): the response to a mask that is blind to edges and ramps."""
    import cv2

    mask = np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = np.abs(cv2.filter2D(np.asarray(grey, np.float32), -1, mask)[1:-1, 1:-1])
    return float(np.sqrt(np.pi / 2) * response.mean() / 6)


def colourfulness(frame):
    """Colourfulness of uint8 [H, W, 3] (Hasler and Suesstrunk 2003): about 0 for grey, 30 for plain, 80 for vivid."""
    import cv2

    mean, spread = cv2.meanStdDev(cv2.transform(frame.astype(np.float32), np.float32([[1, -1, 0], [0.5, 0.5, -1]])))
    return float(np.hypot(*spread.ravel()) + 0.3 * np.hypot(*mean.ravel()))


def blockiness(grey):
    """Steps at the borders of 8x8 blocks over steps elsewhere, of grey uint8 [H, W] at its own size: about 1, 2 or more for a starved
    codec."""
    import cv2

    across = cv2.reduce(cv2.absdiff(grey[:, 1:], grey[:, :-1]), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    down = cv2.reduce(cv2.absdiff(grey[1:], grey[:-1]), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    at, rest = (np.concatenate([steps[(np.arange(len(steps)) % 8 == 7) == edge] for steps in (across, down)]) for edge in (True, False))
    return float((np.median(at) + 0.1) / (np.median(rest) + 0.1))


def spread(grey):
    """Grey levels between the darkest and the brightest hundredth of uint8 [H, W]."""
    shares = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size
    return float(np.searchsorted(shares, 0.99) - np.searchsorted(shares, 0.01))


def measures(frames):
    """{"sharpness", "noise", "blockiness", "light", "contrast", "colour"} of frames uint8 [T, H, W, 3], medians over the frames."""
    import cv2

    from .. import video
    frames = np.asarray(frames)
    width = max(2, round(LUMA_HEIGHT * frames.shape[2] / frames.shape[1]))
    rows = []
    for frame, full in zip(video.resize(frames, (LUMA_HEIGHT, width)), frames):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (max(2, width // 2), SHARP_HEIGHT), interpolation=cv2.INTER_AREA)
        rows.append((laplacian_variance(small), noise_sigma(grey), blockiness(cv2.cvtColor(full, cv2.COLOR_RGB2GRAY)), float(grey.mean()),
                     spread(grey), colourfulness(frame)))
    return dict(zip(("sharpness", "noise", "blockiness", "light", "contrast", "colour"), np.median(rows, axis=0).tolist()))


def technical(m):
    """Our technical quality, -1 to 1, from `measures`: the worst of softness, noise, blocks, darkness and flatness decides; 0 is the limit.

    The limits lie where our own drawings part: every sharp shot had a Laplacian variance of at least 14 and every blurred one at most 8.
    The Laplacian also depends on what is shown, so on other footage the limits must be set anew.
    """
    return float(np.tanh(min(np.log(max(m["sharpness"], 1e-6) / SHARP), (NOISY - m["noise"]) / 5, (m["light"] - DARK) / 5,
                             (m["contrast"] - FLAT) / 15, 4 * (BLOCKY - m["blockiness"]))))
