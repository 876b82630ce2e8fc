"""Claim of speed: every simulator draws at least 200 clips (9 frames, 32 x 32) a CPU-second.

Peers, measured in the same run: the same ultrasound fan (shapes, speckle, surround) drawn frame by frame, with Pillow (4 x 4 supersampled,
the usual way to soft edges) and with OpenCV (anti-aliased drawing, NumPy speckle).
Run: python tests/bench/simulate.py
"""

import math
import time

import numpy as np

from medgen_kit.sources import simulate as sim

FRAMES, SIZE, CLIPS = 9, 32, 320


def rate(function, count):
    """Clips a CPU-second of `function()`, which draws `count` clips; best of three."""
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        function()
        best = max(best, count / (time.process_time() - start))
    return best


def shapes(u):
    """The fan's shapes at time u: (centre x, centre y, half axis x, half axis y, grey level), as in the four-chamber view."""
    beat = 0.55 * math.sin(math.pi * u)
    return [(0, 0.04, 0.71 - 0.12 * beat, 0.88, 217), (0, 0.04, 0.62 - 0.12 * beat, 0.79, 5), (0, 0.04, 0.61 - 0.12 * beat, 0.78, 128),
            (-0.27, 0.56, 0.18, 0.19, 13), (0.24, 0.58, 0.18, 0.19, 13), (-0.29, -0.04, 0.16 * (1 - 0.7 * beat), 0.36, 13),
            (0.2 - 0.1 * beat, -0.1, 0.26 * (1 - beat), 0.45 * (1 - 0.8 * beat), 8)]


def finish(picture, rng, grain, surround):
    """Speckle, gain and surround of one frame."""
    from PIL import Image

    flicker = Image.fromarray(rng.normal(1, 0.07, (26, 26)).astype(np.float32)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    grey = np.clip(picture * grain * np.asarray(flicker) * surround, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


def with_pillow(count):
    """The fan, clip by clip and frame by frame, with Pillow."""
    from PIL import Image, ImageDraw

    rng, clips, large = np.random.default_rng(0), [], 4 * SIZE
    for _ in range(count):
        knots = Image.fromarray(rng.normal(1, 0.24, (26, 26)).astype(np.float32))
        grain = np.asarray(knots.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
        sector = Image.new("F", (large, large))
        ImageDraw.Draw(sector).pieslice((-0.46 * large, -0.95 * large, 1.46 * large, 0.96 * large), 44, 136, fill=1.0)
        surround, dx, dy = np.asarray(sector.resize((SIZE, SIZE), Image.Resampling.BOX)), *rng.uniform(-0.03, 0.03, 2)
        frames = []
        for t in range(FRAMES):
            picture = Image.new("F", (large, large), 76)
            pen = ImageDraw.Draw(picture)
            for x, y, a, b, level in shapes(t / (FRAMES - 1)):
                box = [(v + 1) / 2 * large for v in (x + dx - a, y + dy - b, x + dx + a, y + dy + b)]
                pen.ellipse(box, fill=level)
            frames.append(finish(np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX)), rng, grain, surround))
        clips.append(np.stack(frames))
    return np.stack(clips)


def with_opencv(count):
    """The fan, clip by clip and frame by frame, with OpenCV."""
    import cv2

    rng, clips, unit = np.random.default_rng(0), [], 16 * SIZE / 2
    for _ in range(count):
        grain = cv2.resize(rng.normal(1, 0.24, (26, 26)).astype(np.float32), (SIZE, SIZE))
        sector, (dx, dy) = np.zeros((SIZE, SIZE), np.uint8), rng.uniform(-0.03, 0.03, 2)
        cv2.ellipse(sector, (SIZE // 2, 0), (int(0.95 * SIZE),) * 2, 90, -46, 46, 255, -1, cv2.LINE_AA)
        surround, frames = sector / np.float32(255), []
        for t in range(FRAMES):
            picture = np.full((SIZE, SIZE), 76, np.uint8)
            for x, y, a, b, level in shapes(t / (FRAMES - 1)):
                centre = (int((x + dx + 1) * unit), int((y + dy + 1) * unit))
                cv2.ellipse(picture, centre, (int(a * unit), int(b * unit)), 0, 0, 360, level, -1, cv2.LINE_AA, 4)
            flicker = cv2.resize(rng.normal(1, 0.07, (26, 26)).astype(np.float32), (SIZE, SIZE))
            grey = np.clip(picture * grain * flicker * surround, 0, 255).astype(np.uint8)
            frames.append(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
        clips.append(np.stack(frames))
    return np.stack(clips)


def main():
    rates = {}
    for name in sim.SIMULATORS:
        flats = (sim.of_modality(name) * CLIPS)[:CLIPS]
        rates[name] = rate(lambda flats=flats: sim.simulate(flats, 0, FRAMES, SIZE), CLIPS)
        print(f"{name:12s} {rates[name]:7.0f} clips a CPU-second ({FRAMES} frames, {SIZE}x{SIZE})")
    for peer, function in (("Pillow, frame by frame", with_pillow), ("OpenCV, frame by frame", with_opencv)):
        other = rate(lambda function=function: function(60), 60)
        print(f"peer {peer}: {other:.0f} clips a CPU-second; echo is {rates['echo'] / other:.1f} times as fast")
    slowest = min(rates, key=rates.get)
    print(f"slowest: {slowest}, {rates[slowest]:.0f} clips a CPU-second; asked for: 200; reached: {rates[slowest] >= 200}")


if __name__ == "__main__":
    main()
