"""The pictures of a report: filmstrips of the worst clips and of the controls, as small JPEG files inside the page."""

import base64
import io

import numpy as np

from ... import video
from ...errors import KitError
from .. import metrics
from . import beside_real
from .rows import read_clip

FRAMES, WIDE, QUALITY = 8, 116, 78               # of a strip; pixels of a frame
WORST = 3                                        # clips per metric


def strip(frames, wide=WIDE):
    """A data URI with up to FRAMES frames, first to last, side by side, each `wide` pixels."""
    from PIL import Image

    chosen = frames[np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).round().astype(int)]
    small = video.resize(chosen, (max(1, round(wide * frames.shape[1] / frames.shape[2])), wide))
    apart = np.pad(small, ((0, 0), (0, 0), (0, 3), (0, 0)), constant_values=127)
    buffer = io.BytesIO()
    Image.fromarray(np.hstack(apart)[:, :-3]).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def worst(rows, metric):
    """The WORST rows by a metric that takes a side, worst first; [] when all clips are alike or there are too few to tell."""
    scored = [row for row in rows if row["scores"] and row["scores"].get(metric) is not None]
    values = [row["scores"][metric] for row in scored]
    better = metrics.BETTER[metric]
    if not better or len(set(values)) < 2:
        return []
    return sorted(scored, key=lambda row: (better * row["scores"][metric], row["file"]))[:WORST]


def worst_strips(rows, names, folder, meter):
    """{metric: worst rows} and {file: strip} of the clips in them; a file that went away meanwhile has none."""
    chosen = {name: found for name in names if (found := worst(rows, name))}
    made = {}
    for file in sorted({row["file"] for found in chosen.values() for row in found}):
        try:
            made[file] = strip(read_clip(folder / file, meter.max_frames, meter.budget)[0])
        except KitError:
            continue
    return chosen, made


def control_strips(source, controls):
    """{"real" or control: strip} of a real clip, {} when it can not be read or no real clip could be measured."""
    if not controls["clips"]:
        return {}
    try:
        frames, _ = beside_real.real_clip(source, controls["shape"])
        return {name: strip(shown, 80) for name, shown in beside_real.variants(frames)}
    except KitError:
        return {}
