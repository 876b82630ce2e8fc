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
    `grey`, from the clip's start. kept: for each scorer what it kept of the frames that it chose, None where it takes `five`.
    """

    five: np.ndarray
    grey: np.ndarray
    seconds: np.ndarray
    kept: tuple = ()

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


def pick(seconds, row, wanted, fps):
    """Numbers of the frames of a row that come nearest after each of the `wanted` times; the row's last frame for times behind it.

    seconds: of the upload's frames, [N] from `video.times`. fps: their mean rate.
    """
    first, last = row["first"], min(row["last"], len(seconds) - 1)
    return [min(last, first + int(k)) for k in np.searchsorted(seconds[first:last + 1] + 0.5 / fps, wanted)]


def until(frames, number):
    """The next Frames of an iterator, up to frame `number`."""
    for frame in frames:
        yield frame
        if frame.number >= number:
            return


def bundles(path, rows, fps, scorers=()):
    """Yield (row, Bundle) for rows of an upload in order of time; `fps` is the upload's mean rate. Raises VideoError.

    scorers: those with `numbers` and `keep` (see `scorers.Dover`) get frames of their own.
    """
    known = video.stamps(path)
    seconds = video.times(path, known)
    choosers = [scorer for scorer in scorers if hasattr(scorer, "keep")]
    picks = [[*(pick(seconds, row, wanted, fps) for wanted in plan(row)),
              *(scorer.numbers(row["first"], min(row["last"], len(seconds) - 1)) for scorer in choosers)] for row in rows]
    frames = video.decode(path, {number for both in picks for part in both for number in part}, known)
    for row, (five, grey, *chosen) in zip(rows, picks):
        large, small, held = {}, {}, {scorer: {} for scorer in choosers}
        for frame in until(frames, max(map(max, (five, grey, *chosen)))):
            large |= {frame.number: frame.rgb()} if frame.number in five else {}
            small |= {frame.number: frame.small(HEIGHT)} if frame.number in grey else {}
            for scorer, numbers in zip(choosers, chosen):
                held[scorer] |= {frame.number: scorer.keep(frame.rgb())} if frame.number in numbers else {}
        if not large or not small or not all(held.values()):
            raise VideoError(path, "truncated", f"its frames {row['first']} to {row['last']} could not be read a second time.")
        numbers, asked, near = sorted(small), dict(zip(choosers, chosen)), video.nearest
        kept = tuple([held[one][near(held[one], number)] for number in asked[one]] if one in asked else None for one in scorers)
        yield row, Bundle(np.stack([large[near(large, number)] for number in five]), np.stack([small[number] for number in numbers]),
                          seconds[numbers] - seconds[numbers[0]], kept)
