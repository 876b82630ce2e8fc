"""One decode a clip: everything that the measures need is taken in a single forward pass over the upload, one clip in memory at a time."""

from dataclasses import dataclass

import numpy as np

from .. import video
from ..errors import VideoError

FIVE = 5                     # pictures for border, text and scores (paper section 3.3)
HEIGHT = 240                 # pixels of the small grey pictures
RATE, LEAST = 2.0, 9         # small grey pictures a second, and at least so many a clip


@dataclass
class Bundle:
    """What one pass keeps of a clip.

    five: uint8 [5, H, W, 3] at interval centres. grey: uint8 [T, 240, w], T >= 9 where the clip has so many frames. seconds: [T] times of
    `grey`, from the clip's start.
    """

    five: np.ndarray
    grey: np.ndarray
    seconds: np.ndarray

    def inside(self, border):
        """The grey pictures without the border {"top": pixels of `five`, ...} at their sides."""
        height, width = self.five.shape[1:3]
        scale = self.grey.shape[1] / height
        top, bottom, left, right = (int(np.ceil(border[side] * scale)) for side in ("top", "bottom", "left", "right"))
        return self.grey[:, top:self.grey.shape[1] - bottom, left:self.grey.shape[2] - right]


def plan(row):
    """Times wanted of a row (start_s..end_s, seconds since the upload's first frame): (five at interval centres, the grey ones)."""
    seconds = row["end_s"] - row["start_s"]
    some = max(LEAST, int(round(RATE * seconds)) + 1)
    return [row["start_s"] + (k + 0.5) / FIVE * seconds for k in range(FIVE)], [row["start_s"] + k * seconds / some for k in range(some)]


def pick(frames, first, last, times, fps):
    """Yield (number of the list, frame) for each list of `times`, in order: the frame that comes nearest after each time.

    frames: (number, video.Frame) pairs. Only numbers first..last are looked at; times that lie behind the last one get that one.
    """
    due = [list(part) for part in times]
    for number, frame in frames:
        if number < first:
            continue
        for which, part in enumerate(due):
            while part and (frame.seconds + 0.5 / fps >= part[0] or number >= last):
                part.pop(0)
                yield which, frame
        if number >= last:
            return


def bundles(path, rows, fps):
    """Yield (row, Bundle) for rows of an upload in order of time; `fps` is the upload's mean rate. Raises VideoError."""
    frames = enumerate(video.decode(path))
    for row in rows:
        five, grey, seconds = [], [], []
        for which, frame in pick(frames, row["first"], row["last"], plan(row), fps):
            if which == 0:
                five.append(frame.rgb())
            elif not seconds or frame.seconds > seconds[-1]:
                grey.append(frame.small(HEIGHT))
                seconds.append(frame.seconds)
        if len(five) < FIVE:
            raise VideoError(path, "truncated", f"its frames {row['first']} to {row['last']} could not be read a second time.")
        yield row, Bundle(np.stack(five), np.stack(grey), np.array(seconds) - seconds[0])
