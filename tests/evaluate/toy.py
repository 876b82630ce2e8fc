"""A source of two modalities that draws in milliseconds, with the interface of `medgen_kit.sources`."""

import itertools

import numpy as np

FACTORS = {"box.colour": ("red", "green"), "box.motion": ("left", "right"),
           "ring.size": ("small", "large"), "ring.motion": ("grows", "shrinks")}
MOTION = ("box.motion", "ring.motion")


def combinations():
    rows = []
    for modality in ("box", "ring"):
        names = [name for name in FACTORS if name.startswith(modality)]
        rows += [{"modality": modality} | dict(zip(names, values)) for values in itertools.product(*(FACTORS[n] for n in names))]
    return rows


def render(factors, seed, frames=9, size=32):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    out = rng.normal(40, 8, (len(factors), frames, size, size, 3))
    for clip, row in enumerate(factors):
        cx, cy = rng.uniform(0.4, 0.6, 2)
        for t in range(frames):
            u = t / (frames - 1) - 0.5
            if row["modality"] == "box":
                at = cx + 0.6 * u * (1 if row["box.motion"] == "right" else -1)
                inside = (abs(x - at) < 0.15) & (abs(y - cy) < 0.15)
                out[clip, t, inside, 0 if row["box.colour"] == "red" else 1] += 170
            else:
                radius = (0.16 if row["ring.size"] == "small" else 0.32) * (1 + 0.6 * u * (1 if row["ring.motion"] == "grows" else -1))
                inside = abs(np.hypot(x - cx, y - cy) - radius) < 0.05
                out[clip, t, inside] += 120
    return out.clip(0, 255).astype(np.uint8)
