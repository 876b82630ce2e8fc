"""A video in the notebook: a filmstrip that always shows, then a small player with the H.264 file inside the page."""

import base64
import html
import tempfile
from pathlib import Path

import numpy as np

from .. import video
from .bundle import LIMIT_KB, send, send_image
from .strips import checked, enlarge, filmstrip_image, warned

SIDE = 224                       # pixels of the shorter side that small frames are enlarged to


def player(source, alt, fps=8, caption="", strip=9, limit_kb=LIMIT_KB):
    """Show a clip: its filmstrip of `strip` frames, then a player with controls, silent, in a loop.

    source: a video file, a Clip, or frames uint8 [T, H, W, 3] shown at `fps` frames a second. Long files are thinned to at most
    96 frames at their real speed. The video inside the page weighs at most `limit_kb`.
    """
    frames, fps = load(source, fps)
    picked = video.sample_indices(len(frames), min(strip, len(frames)))
    labels = [f"{i / fps:.2f} s" for i in picked]
    send_image(filmstrip_image(frames[picked], labels, min(9, strip), warning=warned(caption)), alt, limit_kb=limit_kb)
    text = f"Video player: {alt}"
    send({"text/html": film_tag(frames, alt, fps, limit_kb)}, text, caption)


def film_tag(frames, alt, fps=8, limit_kb=LIMIT_KB, side=SIDE):
    """Frames uint8 [T, H, W, 3] as an HTML video element with controls, silent, in a loop; it does not start by itself.

    side: pixels of the shorter side that small frames are stored with.
    """
    data = base64.b64encode(encode(frames, fps, limit_kb, side)).decode()
    width = max(SIDE, min(420, frames.shape[2]))
    return (f'<video controls muted loop playsinline width="{width}" aria-label="{html.escape(alt, True)}" '
            f'src="data:video/mp4;base64,{data}"></video>')


def load(source, fps):
    """Frames and frames a second of a file, a Clip or an array; at most 96 frames, at the speed of the original."""
    if isinstance(source, np.ndarray):
        return checked(source), fps
    path = Path(getattr(source, "path", source))
    info = video.probe(path)
    count = min(info.frames, 96, max(9, round(info.duration * 12)))
    shrink = min(1, 420 / max(info.width, info.height))
    return video.read(path, count=count, size=(round(info.height * shrink), round(info.width * shrink)))[0], count / info.duration


def encode(frames, fps, limit_kb=LIMIT_KB, side=SIDE):
    """MP4 bytes (H.264) of at most `limit_kb` in base64: first coarser, then smaller. Small frames are enlarged smoothly."""
    limit = limit_kb * 1000 * 3 / 4
    width = frames.shape[2] if min(frames.shape[1:3]) >= side else round(side * max(1, frames.shape[2] / frames.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        while True:
            for crf in (20, 25, 30, 35):
                path = video.write(Path(folder) / "clip.mp4", enlarge(frames, width), fps, crf=crf)
                if path.stat().st_size <= limit or width <= 64 and crf == 35:
                    return path.read_bytes()
            width = round(width * 0.8)
