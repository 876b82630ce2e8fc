"""Cutting: the survivors of one upload become finished MP4 files, protected, cropped and resized; encoded last because it costs most."""

from pathlib import Path

import numpy as np

from .. import video
from ..errors import VideoError
from . import border, bundle, privacy


def cut_upload(path, name, rows, config, folder, synthetic):
    """Write `folder/<row["file_name"]>` for rows of the upload `name`, in order of time; returns one record of `privacy.protect` a row.

    The shot's middle as config.frames pictures at config.fps and config.size pixels, or all of it less config.trim seconds at both ends.
    """
    fps = rows[0]["fps"]
    known = video.stamps(path)
    seconds, asked, records = video.times(path, known), [moments(row, config, fps) for row in rows], []
    picks = [bundle.pick(seconds, row, wanted, fps) for row, (wanted, _) in zip(rows, asked)]
    frames = video.decode(path, {number for numbers in picks for number in numbers}, known)
    for row, numbers, (_, rate) in zip(rows, picks, asked):
        made = {frame.number: frame.rgb(shape(frame.size, config)) for frame in bundle.until(frames, max(numbers))}
        if not made:
            raise VideoError(path, "truncated", f"its frames {row['first']} to {row['last']} could not be read a second time.")
        pictures = np.stack([made[video.nearest(made, number)] for number in numbers])
        if config.crop:
            pictures = cropped(pictures, row, config)
        pictures, record = privacy.protect(pictures, rate, row["video_category"], {"text": config.text, "faces": config.faces})
        if config.size:
            pictures = video.resize(pictures, config.size)
        video.write(Path(folder) / row["file_name"], pictures, rate, synthetic=synthetic)
        records.append(record)
    return records


def moments(row, config, fps):
    """Times of a clip's pictures in seconds since the upload's first frame, and their rate."""
    if config.size:
        span, length = (config.frames - 1) / config.fps, row["end_s"] - row["start_s"]
        start = row["start_s"] + max(0.0, (length - 1 / fps - span) / 2)
        return [start + k / config.fps for k in range(config.frames)], config.fps
    spare = config.trim if row["end_s"] - row["start_s"] > 4 * config.trim else 0.0
    count = max(1, round((row["end_s"] - row["start_s"] - 2 * spare) * fps))
    return [row["start_s"] + spare + k / fps for k in range(count)], fps


def shape(size, config):
    """(height, width) at which a picture is kept before it is protected: even numbers, short side at most config.short_side."""
    scale = min(1.0, max(config.short_side, config.size or 0) / min(size))
    return tuple(max(2, 2 * round(scale * side / 2)) for side in size)


def cropped(pictures, row, config):
    """The pictures without the measured black border."""
    height, width = pictures.shape[1:3]
    scale = min(height, width) / row["side"]
    cut = {side: int(np.ceil(row.get(f"border_{side}", 0) * scale)) for side in border.SIDES}
    inner = pictures[:, cut["top"]:height - cut["bottom"], cut["left"]:width - cut["right"]]
    return inner[:, :inner.shape[1] // 2 * 2, :inner.shape[2] // 2 * 2]
