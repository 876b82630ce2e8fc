"""Filmstrips and contact sheets: clips laid out so that the eye can follow what moves."""

import functools

import numpy as np

from .. import video
from ..errors import KitError
from .bundle import LIMIT_KB, send_image

WIDTH, GAP, TEXT, SMALL = 920, 4, 15, 14           # pixels
INK, GREY, RIGHT, WRONG = "#111111", "#555555", "#0b5cad", "#a33b00"      # blue and brown-orange, never red and green


def filmstrip(frames, alt, caption="", labels=None, columns=9, fps=8, limit_kb=LIMIT_KB):
    """Show one clip, uint8 [T, H, W, 3], as its frames side by side with the time of each under it.

    labels: words instead of seconds, one a frame. columns: frames a row. fps: frames a second, for the times.
    """
    send_image(filmstrip_image(frames, labels, columns, fps, warned(caption)), alt, caption, limit_kb)


def sheet(clips, titles, alt, caption="", frames=5, columns=2, marks=None, limit_kb=75):
    """Show a set of clips, uint8 [N, T, H, W, 3] (or a list of [T, H, W, 3]), each as `frames` frames under its title.

    marks: one text a clip, "" for none, "right" or "wrong: ..." (a tick or a cross is added).
    """
    send_image(sheet_image(clips, titles, frames, columns, marks, warned(caption)), alt, caption, limit_kb)


def filmstrip_image(frames, labels=None, columns=9, fps=8, warning=""):
    """The picture of `filmstrip`, as a Pillow image. warning: words below it, inside the picture (see `warned`)."""
    from PIL import Image, ImageDraw

    frames = checked(frames)
    labels = [f"{i / fps:.2f} s" for i in range(len(frames))] if labels is None else [str(label) for label in labels]
    if len(labels) != len(frames):
        raise KitError(f"filmstrip got {len(frames)} frames but {len(labels)} labels; give one label a frame.")
    columns = max(1, min(columns, len(frames)))
    width = max(90, min(200, (WIDTH - GAP * (columns - 1)) // columns))
    tiles = enlarge(frames, width)
    lines = [wrap(label, width, SMALL) for label in labels]
    step = tiles.shape[1] + (SMALL + 4) * max(map(len, lines)) + 6
    rows, note = -(-len(tiles) // columns), f"{warning} {enlarged_note(frames, width)}".strip()
    image = Image.new("RGB", (columns * (width + GAP) - GAP, rows * step + (20 if note else 0)), "white")
    draw = ImageDraw.Draw(image)
    for number, (tile, words) in enumerate(zip(tiles, lines)):
        x, y = number % columns * (width + GAP), number // columns * step
        image.paste(Image.fromarray(tile), (x, y))
        for k, line in enumerate(words):
            draw.text((x + width / 2, y + tile.shape[0] + 3 + k * (SMALL + 4)), line, INK, font(SMALL), anchor="ma")
    if note:
        draw.text((0, rows * step), note, GREY, font(SMALL))
    return image


def sheet_image(clips, titles, frames=5, columns=2, marks=None, warning=""):
    """The picture of `sheet`, as a Pillow image. warning: words below it, inside the picture (see `warned`)."""
    from PIL import Image, ImageDraw

    clips = [checked(clip) for clip in clips]
    if not clips or len(titles) != len(clips) or marks is not None and len(marks) != len(clips):
        raise KitError(f"sheet needs as many titles (and marks) as clips, and at least one clip: {len(clips)} clips, {len(titles)} titles.")
    columns, marks = max(1, min(columns, len(clips))), marks or [""] * len(clips)
    column = (WIDTH - 18 * (columns - 1)) // columns
    width = min(140, (column - GAP * (frames - 1)) // frames)
    strips = [np.hstack([np.pad(tile, ((0, 0), (0, GAP), (0, 0)), constant_values=255) for tile in enlarge(pick(clip, frames), width)])
              for clip in clips]
    words = [[(line, INK) for line in wrap(str(title), column, TEXT)] + marked(mark, column) for title, mark in zip(titles, marks)]
    rows = [range(start, min(start + columns, len(clips))) for start in range(0, len(clips), columns)]
    texts = [max(len(words[i]) for i in row) * (TEXT + 4) + 2 for row in rows]
    heights = [text + max(strips[i].shape[0] for i in row) + 14 for text, row in zip(texts, rows)]
    note = f"{warning} {enlarged_note(clips[0], width)}".strip()
    image = Image.new("RGB", (columns * (column + 18) - 18, sum(heights) + (20 if note else 0)), "white")
    draw = ImageDraw.Draw(image)
    for r, row in enumerate(rows):
        top = sum(heights[:r])
        for c, i in enumerate(row):
            start = top + texts[r] - len(words[i]) * (TEXT + 4) - 2           # the title sits on its strip
            for k, (line, ink) in enumerate(words[i]):
                draw.text((c * (column + 18), start + k * (TEXT + 4)), line, ink, font(TEXT))
            image.paste(Image.fromarray(strips[i]), (c * (column + 18), top + texts[r]))
    if note:
        draw.text((0, sum(heights)), note, GREY, font(SMALL))
    return image


def checked(frames):
    """The frames as an array; KitError when they are not uint8 [T, H, W, 3]."""
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise KitError(f"pictures need frames uint8 [T, H, W, 3] with values 0 to 255, not {frames.dtype} {list(frames.shape)}.")
    return frames


def pick(frames, count):
    """`count` of the frames, first to last, evenly spaced (fewer when there are fewer)."""
    return frames[np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)]


def enlarge(frames, width):
    """Frames at `width` pixels, height in proportion; enlarged smoothly (cubic), without the ringing of sharper filters."""
    import cv2

    height = max(1, round(width * frames.shape[1] / frames.shape[2]))
    if frames.shape[2] >= width:
        return video.resize(frames, (height, width))
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in frames])


def warned(caption):
    """What a picture of generated clips says inside itself, where a copy keeps it, when its caption calls them SYNTHETIC."""
    return "SYNTHETIC, never for clinical use." if "SYNTHETIC" in caption else ""


def enlarged_note(frames, width):
    """The honest line under enlarged frames; empty when they are shown at their size or smaller."""
    height, own = frames.shape[1:3]
    return f"Frames of {own}x{height} pixels, enlarged {width / own:.1f} times." if width >= 1.2 * own else ""


def marked(mark, width):
    """Lines (text, colour) of a mark: a tick for "right...", a cross for "wrong...", grey for anything else."""
    if not mark:
        return []
    sign, ink = {"right": ("\u2713 ", RIGHT), "wrong": ("\u2717 ", WRONG)}.get(str(mark)[:5], ("", GREY))
    return [(line, ink) for line in wrap(sign + str(mark), width, TEXT)]


def wrap(text, width, size):
    """Lines of `text` that fit into `width` pixels; a word longer than the line is split, nothing is cut off."""
    lines, line = [], ""
    for word in text.split():
        while font(size).getlength(word) > width:
            cut = max(k for k in range(1, len(word) + 1) if k == 1 or font(size).getlength(word[:k]) <= width)
            lines, line, word = [*lines, *([line] if line else []), word[:cut]], "", word[cut:]
        longer = f"{line} {word}".strip()
        if font(size).getlength(longer) <= width:
            line = longer
        else:
            lines, line = [*lines, line], word
    return [*lines, line] if line or not lines else lines


@functools.lru_cache
def font(size):
    """DejaVu Sans, which matplotlib ships: the same letters on every machine."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
