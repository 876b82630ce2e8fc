"""The picture that a medical file becomes: frames, timing, spacing and facts that name nobody."""

from dataclasses import dataclass, field

import numpy as np

# centre and width in Hounsfield units; common presets of CT reading rooms
WINDOWS = {"soft tissue": (40, 400), "lung": (-600, 1500), "bone": (400, 1800), "brain": (40, 80)}


@dataclass
class Picture:
    """frames: uint8 [T, H, W, 3]. fps: frames a second, None for stills and stacks. spacing: (row, column) in mm, or None.

    modality: the DICOM code ("CT", "MR", "US", ...) or "". facts: what the header says about the picture, never about the patient.
    """

    frames: np.ndarray
    fps: float | None = None
    spacing: tuple | None = None
    modality: str = ""
    laterality: str = ""
    body_part: str = ""
    facts: dict = field(default_factory=dict)

    @property
    def is_still(self):
        return len(self.frames) == 1

    def __repr__(self):
        count, height, width = self.frames.shape[:3]
        spacing = f", {self.spacing[0]:.3g} x {self.spacing[1]:.3g} mm" if self.spacing else ""
        rate = f" at {self.fps:.3g} fps" if self.fps else ""
        return f"Picture({self.modality or 'unknown'}, {count} frame{'s' * (count > 1)}{rate}, {width} x {height} pixels{spacing})"


def window(values, centre, width):
    """Grey values uint8 of `values` (any shape) seen through a window: linear from centre - width/2 to centre + width/2.

    The linear VOI function of DICOM PS3.3 C.11.2.1.2: y = 255 ((x - (c - 0.5)) / (w - 1) + 0.5), cut off at 0 and 255.
    """
    span = max(float(width) - 1, 1e-6)
    grey = ((np.asarray(values, np.float32) - (float(centre) - 0.5)) / span + 0.5) * 255
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def percentile_window(values, low=1.0, high=99.5):
    """(centre, width) that spans the low to the high percentile of the finite values, for `window`."""
    values = np.asarray(values)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.5, 1.0
    bottom, top = (float(v) for v in np.percentile(values, (low, high)))
    return (bottom + top) / 2 + 0.5, max(top - bottom, 1e-6) + 1


def rgb(grey):
    """Grey frames [T, H, W] as [T, H, W, 3]."""
    return np.repeat(grey[..., None], 3, axis=-1)


def square(frames):
    """Frames [T, H, W, 3] padded with black to a square, the picture in the middle."""
    height, width = frames.shape[1:3]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(frames, ((0, 0), (top, side - height - top), (left, side - width - left), (0, 0)))
