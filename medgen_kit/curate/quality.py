"""Scores of look and of technique: honest stand-ins by default, the paper's predictors by name.

The paper uses the LAION aesthetic predictor and DOVER. Their weights are not ours to ship, so the default is a stand-in that measures plain
things (sharpness, noise, light, contrast, colour) and is mapped to the same range. A stand-in is never written into the paper's fields.
"""

from pathlib import Path

import numpy as np

from ..errors import KitError

LUMA_HEIGHT, SHARP_HEIGHT = 240, 120     # every frame is measured at these heights: sharpness depends on size, and grain is not sharpness
SHARP = 9.0                              # Laplacian variance at which the technical stand-in is 0


def grey_of(frames, height=LUMA_HEIGHT):
    """Luma float32 [T, height, w], values 0 to 255."""
    import cv2

    from .. import video
    width = max(2, round(height * frames.shape[2] / frames.shape[1]))
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video.resize(frames, (height, width))]).astype(np.float32)


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
    r, g, b = np.moveaxis(frame.astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def measures(frames):
    """All plain measures of frames uint8 [T, H, W, 3], medians over the frames."""
    greys, small = grey_of(np.asarray(frames)), grey_of(np.asarray(frames), SHARP_HEIGHT)
    columns = {"sharpness": [laplacian_variance(g) for g in small], "noise": [noise_sigma(g) for g in greys],
               "light": [float(g.mean()) for g in greys],
               "contrast": [float(np.subtract(*np.percentile(g, (99, 1)))) for g in greys],
               "colour": [colourfulness(frame) for frame in frames]}
    return {name: float(np.median(values)) for name, values in columns.items()}


def technical_standin(m):
    """Stand-in for DOVER's technical score, -1 to 1, from `measures`: the worst of softness, noise and darkness decides.

    0 lies at a Laplacian variance of SHARP: on our own drawings every sharp shot had at least 14 and every blurred one at most 8. The
    Laplacian also depends on what is shown, so on other footage this limit must be set anew.
    """
    return float(np.tanh(min(np.log(max(m["sharpness"], 1e-6) / SHARP), (14 - m["noise"]) / 5, (m["light"] - 10) / 5)))


def aesthetic_standin(m):
    """Stand-in for the LAION score, 0 to 10, from `measures`: contrast first, then middle light, some colour. No taste."""
    contrast, colour = np.clip(m["contrast"] / 130, 0, 1), np.clip(m["colour"] / 60, 0, 1)
    light = 1 - np.clip(abs(m["light"] - 110) / 110, 0, 1)
    return float(6 * contrast + 2 * light + 2 * colour)


def laion(frames, folder):
    """The LAION score, about 1 to 10: mean over the frames of a linear head on unit CLIP embeddings.

    folder: CLIP weights (transformers) and `aesthetic_head.npz` with `weight` [D] and `bias` beside them.
    """
    from .backends import ClipBackend

    head = Path(folder) / "aesthetic_head.npz"
    if not head.is_file():
        raise KitError(f"aesthetic scorer 'laion' needs {head}. Take the linear head of LAION's aesthetic predictor for your CLIP model "
                       "and save its weight [D] and bias with numpy.savez under that name.")
    with np.load(head) as saved:
        weight, bias = saved["weight"].ravel(), float(np.ravel(saved["bias"])[0])
    return float((ClipBackend(folder).embed(frames) @ weight + bias).mean())


SCORERS = {"laion": laion}


def register(name, function):
    """Make a scorer known: function(frames uint8 [T, H, W, 3], folder) -> float. DOVER comes in this way."""
    SCORERS[name] = function


def scorer(name):
    """The function frames -> float for "laion:<folder>" or any registered "<name>:<folder>"; None for "stand-in"."""
    if name == "stand-in":
        return None
    kind, _, folder = name.partition(":")
    if kind not in SCORERS:
        how = ("DOVER is not on the package index: get its code and weights from its authors (github.com/VQAssessment/DOVER) and call "
               "quality.register('dover', function). " if kind == "dover" else "")
        raise KitError(f"there is no scorer '{kind}'. {how}Known: stand-in, {', '.join(sorted(SCORERS))}.")
    return lambda frames: SCORERS[kind](frames, folder)
