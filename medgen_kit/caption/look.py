"""What the frames of a clip look like, measured and put into plain words: colours, contrast, dark surround, where and when it changes.

Nothing here knows medicine. A word is left out where the measure does not speak clearly.
"""

import numpy as np

SIDE = 96                                    # pixels of the longer side at which all is measured
HUES = ((15, "red"), (40, "orange"), (70, "yellow"), (160, "green"), (200, "turquoise"), (260, "blue"), (320, "violet"), (360, "red"))
BLACK, LIT = 20, 40                          # grey level of 255 up to which a picture element is black, from which it is lit
SHARE = 0.15                                 # share of the picture that a colour must have to be named
STILL = 0.6                                  # mean change between neighbouring frames (grey levels) below which nothing moves


def of(frames):
    """Words for frames uint8 [T, H, W, 3], T >= 1: a dict with some of the keys below.

    colours: list of at most three names, the commonest first. contrast: "low" or "strong". surround: "black" when all corners stay black
    and the middle is lit. bright: the part of the picture where the brightest tenth lies. place: the part in which most changes.
    pace: "even", "early", "late" or "sudden". light: "brighter" or "darker" towards the end. returns: True when the end looks
    like the beginning although the middle did not.
    """
    small = shrink(np.asarray(frames))
    grey = small.astype(np.float32) @ np.float32((0.299, 0.587, 0.114))
    found = {"colours": colours(small.mean(0)), "contrast": contrast(grey), "surround": surround(grey), "bright": bright(grey.mean(0)),
             "light": trend(grey)}
    steps = np.abs(np.diff(grey, axis=0))
    if len(steps) and steps.mean() >= STILL:
        found |= {"place": place(steps.mean(0)), "pace": pace(steps.mean((1, 2))), "returns": returns(grey)}
    return {name: value for name, value in found.items() if value}


def shrink(frames):
    """The frames with at most SIDE pixels on the longer side."""
    from ..video import resize

    height, width = frames.shape[1:3]
    scale = SIDE / max(height, width)
    return frames if scale >= 1 else resize(frames, (max(1, round(height * scale)), max(1, round(width * scale))))


def colours(picture):
    """Names of the colours that fill at least SHARE of a picture [H, W, 3], at most three; [] where it is grey."""
    high, low = picture.max(-1), picture.min(-1)
    span = high - low
    vivid = (span > 0.22 * high) & (span > 24)
    r, g, b = (picture[..., i] for i in range(3))
    safe = np.maximum(span, 1e-6)
    hue = 60 * np.where(high == r, (g - b) / safe % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4))
    counts, below = {}, 0
    for above, name in HUES:
        inside = vivid & (hue >= below) & (hue < above)
        below = above
        for tone, part in tones(name, inside, high, span):
            counts[tone] = counts.get(tone, 0) + part.mean()
    return [name for name, share in sorted(counts.items(), key=lambda item: -item[1]) if share >= SHARE][:3]


def tones(name, inside, high, span):
    """Everyday words for a hue: dark orange is brown, pale red is pink."""
    if name == "orange":
        return ("brown", inside & (high < 170)), ("orange", inside & (high >= 170))
    if name == "red":
        pale = (span < 0.5 * high) & (high >= 170)
        return ("pink", inside & pale), ("red", inside & ~pale)
    return ((name, inside),)


def contrast(grey):
    """"low" or "strong" by the spread of the grey levels, "" between."""
    spread = float(grey.std())
    return "low" if spread < 24 else "strong" if spread > 68 else ""


def surround(grey):
    """"black" when the four corners are never lit while the middle is."""
    height, width = grey.shape[1:]
    y, x = max(1, height // 8), max(1, width // 8)
    corners = [grey[:, a, b] for a in (slice(y), slice(-y, None)) for b in (slice(x), slice(-x, None))]
    middle = grey[:, height // 4:height - height // 4, width // 4:width - width // 4]
    dark = all((corner <= BLACK).mean() > 0.95 for corner in corners)
    return "black" if dark and middle.size and (middle.max(0) >= LIT).mean() > 0.5 else ""


def parts(weight):
    """Shares of a map [H, W] in the halves and the middle quarter: {"left half": ..., "middle": ...}."""
    height, width = weight.shape
    total = float(weight.sum()) or 1.0
    y, x = height // 4, width // 4
    whole = {"left half": weight[:, :width // 2], "right half": weight[:, width - width // 2:],
             "upper half": weight[:height // 2], "lower half": weight[height - height // 2:],
             "middle": weight[y:height - y, x:width - x]}
    return {name: float(part.sum()) / total for name, part in whole.items()}


def place(weight):
    """The half that holds at least 65% of a map [H, W], or the middle quarter with 50%, or "whole picture" where all parts are alike."""
    found = parts(weight)
    middle = found.pop("middle")
    name, share = max(found.items(), key=lambda item: item[1])
    if share >= 0.65:
        return name
    if middle >= 0.5:
        return "middle"
    return "whole picture" if share <= 0.56 and 0.2 <= middle <= 0.35 else ""


def bright(picture):
    """The part of the picture in which the brightest tenth lies, "" where the picture is even or its light is everywhere."""
    if min(picture.shape) < 8 or picture.std() < 8:
        return ""
    found = place((picture >= max(np.quantile(picture, 0.9), picture.mean() + picture.std())).astype(np.float32))
    return "" if found == "whole picture" else found


def pace(steps):
    """How the change is spread over time; steps: mean change of each step."""
    if len(steps) < 4:
        return ""
    second, largest = np.sort(steps)[-2:]
    first, last = steps[:len(steps) // 2].mean(), steps[-(len(steps) // 2):].mean()
    if largest > 2.5 * max(second, 1e-6) and largest > 4 * np.median(steps):
        return "sudden"
    if max(first, last) > 1.8 * max(min(first, last), 1e-6):
        return "early" if first > last else "late"
    return "even" if steps.max() < 1.6 * steps.min() else ""


def trend(grey):
    """"brighter" or "darker" when the last quarter differs from the first by more than 8 grey levels."""
    quarter = max(1, len(grey) // 4)
    change = float(grey[-quarter:].mean() - grey[:quarter].mean()) if len(grey) > 1 else 0.0
    return "brighter" if change > 8 else "darker" if change < -8 else ""


def returns(grey):
    """True when the last frame is much nearer to the first one than the frames between were."""
    away = np.abs(grey - grey[0]).mean((1, 2))
    return bool(len(grey) >= 5 and away[-1] < 0.5 * away[1:-1].max())
