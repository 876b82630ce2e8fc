"""All measures of one candidate clip from its bundle: pure functions of the pictures, one plain row of numbers."""

import numpy as np

from . import border, duplicate, motion, quality, text


def measure(bundle, scorers=(None, None), read_text=True, method="both"):
    """The columns of one clip that `decide` works on.

    border_top, ..., border (pixels), words, boxes, text_area (share of the picture), lines (texts), aesthetic and technical (None unless a
    scorer was named), q_* (see `quality`), motion_score (heights a second), change (grey levels), camera, hash.
    """
    sides = border.border_of(bundle.five, method)
    row = {f"border_{side}": int(width) for side, width in sides.items()}
    row["border"] = max(sides.values())
    plain = quality.measures(bundle.five)
    row |= {f"q_{name}": round(value, 4) for name, value in plain.items()}
    row["q_technical"] = round(quality.technical(plain), 4)
    for name, scorer, kept in zip(("aesthetic", "technical"), scorers, bundle.kept or (None, None)):
        row[name] = round(scorer(bundle.five if kept is None else kept), 4) if scorer else None
    flow, gaps = motion.flows(bundle.grey), np.diff(bundle.seconds)
    row["motion_score"], row["change"] = round(motion.flow_score(flow, gaps), 4), round(motion.change(bundle.grey), 4)
    row["camera"] = motion.camera_motion(bundle.grey, flow, gaps)
    row["hash"] = duplicate.clip_hash(bundle.inside(sides))
    if read_text:
        row |= text.measures(bundle.five)
    return row
