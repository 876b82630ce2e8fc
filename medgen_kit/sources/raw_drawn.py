"""What an upload holds besides medicine, drawn: title cards, talking heads, b-roll; and what goes wrong with a shot (bars, text, blur)."""

import numpy as np

SKIN = ((236, 188, 160), (198, 134, 96), (141, 85, 60), (92, 56, 42))
SHIRTS = ((40, 70, 150), (150, 40, 50), (30, 110, 80), (235, 235, 240), (70, 70, 80), (190, 150, 40))
CHANNELS = ("Ward Round Weekly", "The Teaching Theatre", "Anatomy in Motion", "Clinic Corner", "Scope and Probe")
CARD_LINES = ("Subscribe for more", "Thanks for watching", "Part one", "Today in the clinic", "For education only", "Next week: questions",
              "Welcome back")
SUBTITLES = ("look at the wall as it moves inward with each beat", "keep the picture in the middle and go slowly please",
             "here you can see what we talked about last week", "notice how the edge becomes clear when we move on",
             "take your time and watch the whole sequence twice", "this is the part that students often get wrong")


def plain(height, width, colour):
    """One picture uint8 [H, W, 3] of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def write_centred(picture, text, y, scale, colour, edge=None):
    """Draw one line of text, centred at height `y` (pixels), made smaller until it fits. In place."""
    import cv2

    face, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(scale * 2))
    wide = cv2.getTextSize(text, face, scale, thick)[0][0]
    if wide > 0.92 * picture.shape[1]:
        scale, wide = scale * 0.92 * picture.shape[1] / wide, round(0.92 * picture.shape[1])
    where = ((picture.shape[1] - wide) // 2, int(y))
    if edge is not None:
        cv2.putText(picture, text, where, face, scale, edge, thick + 3, cv2.LINE_AA)
    cv2.putText(picture, text, where, face, scale, colour, thick, cv2.LINE_AA)


def title_card(rng, frames, height, width):
    """A channel's title card, uint8 [T, H, W, 3]: a coloured ground, two or three lines of text, a bar that slides in."""
    import cv2

    base = np.array(rng.integers(20, 235, 3), float)
    ramp = np.linspace(0.75, 1.15, height)[:, None, None]
    ground = np.clip(np.broadcast_to(base * ramp, (height, width, 3)), 0, 255).astype(np.uint8)
    ink = (250, 250, 250) if base.mean() < 128 else (20, 20, 30)
    accent = tuple(int(v) for v in rng.integers(30, 255, 3))
    write_centred(ground, str(rng.choice(CHANNELS)), 0.42 * height, height / 300, ink)
    write_centred(ground, str(rng.choice(CARD_LINES)), 0.6 * height, height / 480, ink)
    shots = []
    for t in range(frames):
        picture = ground.copy()
        end = int(width * min(1, 0.3 + 0.08 * t))
        cv2.rectangle(picture, (0, int(0.72 * height)), (end, int(0.75 * height)), accent, -1)
        shots.append(picture)
    return np.stack(shots)


def talking_head(rng, frames, height, width):
    """A person who talks to the camera, uint8 [T, H, W, 3]: wall, shelf or window, shoulders, a head that nods, a moving mouth."""
    import cv2

    h, w = height, width
    wall = np.array(rng.integers(110, 225, 3), int)
    ground = plain(h, w, wall)
    for x in range(0, w, max(8, w // 9)):
        tall, tone = int(h * rng.uniform(0.12, 0.3)), tuple(int(v) for v in rng.integers(30, 220, 3))
        cv2.rectangle(ground, (x, int(0.34 * h) - tall), (x + w // 12, int(0.34 * h)), tone, -1)
    cv2.rectangle(ground, (0, int(0.34 * h)), (w, int(0.37 * h)), tuple(int(v) for v in wall // 2), -1)
    skin, shirt = SKIN[rng.integers(len(SKIN))], SHIRTS[rng.integers(len(SHIRTS))]
    hair, x0, phase = tuple(int(v) for v in rng.integers(15, 110, 3)), w * rng.uniform(0.35, 0.65), rng.uniform(0, 6)
    shots = []
    for t in range(frames):
        picture = ground.copy()
        x, y = int(x0 + 0.012 * w * np.sin(0.7 * t + phase)), int(0.42 * h + 0.01 * h * np.sin(1.1 * t + phase))
        cv2.ellipse(picture, (x, h), (int(0.3 * h), int(0.36 * h)), 0, 0, 360, shirt, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, y - int(0.03 * h)), (int(0.15 * h), int(0.2 * h)), 0, 0, 360, hair, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, y + int(0.02 * h)), (int(0.125 * h), int(0.17 * h)), 0, 0, 360, skin, -1, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(picture, (x + side * int(0.05 * h), y - int(0.01 * h)), max(1, int(0.014 * h)), (25, 20, 20), -1, cv2.LINE_AA)
        opening = int(h * (0.008 + 0.018 * abs(np.sin(1.9 * t + phase))))
        cv2.ellipse(picture, (x, y + int(0.1 * h)), (int(0.04 * h), max(1, opening)), 0, 0, 360, (120, 40, 50), -1, cv2.LINE_AA)
        shots.append(picture)
    return np.stack(shots)


def b_roll(rng, frames, height, width):
    """Footage from outside, uint8 [T, H, W, 3]: sky, a row of houses with windows, grass, a car that drives past."""
    import cv2

    h, w = height, width
    top, low = np.array((110, 170, 235)) + rng.integers(-40, 21, 3), np.array((210, 225, 240))
    mix = np.clip(np.linspace(0, 1, h) / 0.6, 0, 1)[:, None, None]
    ground = np.broadcast_to((top * (1 - mix) + low * mix).clip(0, 255), (h, w, 3)).astype(np.uint8).copy()
    x = 0
    while x < w:
        wide, tall = int(w * rng.uniform(0.08, 0.18)), int(h * rng.uniform(0.2, 0.5))
        cv2.rectangle(ground, (x, int(0.7 * h) - tall), (x + wide, int(0.7 * h)), tuple(int(v) for v in rng.integers(90, 210, 3)), -1)
        for wx in range(x + wide // 6, x + wide - wide // 6, max(4, wide // 4)):
            for wy in range(int(0.7 * h) - tall + h // 30, int(0.68 * h), max(6, h // 14)):
                cv2.rectangle(ground, (wx, wy), (wx + wide // 9, wy + h // 36), (60, 70, 95), -1)
        x += wide
    cv2.rectangle(ground, (0, int(0.7 * h)), (w, h), (95, int(rng.integers(130, 170)), 70), -1)
    cv2.rectangle(ground, (0, int(0.8 * h)), (w, int(0.93 * h)), (95, 95, 100), -1)
    car, speed = tuple(int(v) for v in rng.integers(40, 230, 3)), w * rng.uniform(0.02, 0.04)
    shots = []
    for t in range(frames):
        picture, cx = ground.copy(), int(0.1 * w + speed * t)
        cv2.rectangle(picture, (cx, int(0.81 * h)), (cx + int(0.16 * w), int(0.88 * h)), car, -1)
        cv2.rectangle(picture, (cx + int(0.03 * w), int(0.77 * h)), (cx + int(0.12 * w), int(0.82 * h)), car, -1)
        for wheel in (0.035, 0.125):
            cv2.circle(picture, (cx + int(wheel * w), int(0.885 * h)), int(0.025 * h), (25, 25, 25), -1, cv2.LINE_AA)
        shots.append(picture)
    return np.stack(shots)


OTHER = {"title card": title_card, "talking head": talking_head, "b-roll": b_roll}


def letterbox(frames):
    """Black bars of an eighth of the height above and below; the picture between them is squeezed, as in a 16:9 film on a 4:3 screen."""
    from .. import video

    bar, out = frames.shape[1] // 8, np.zeros_like(frames)
    out[:, bar:-bar] = video.resize(frames, (frames.shape[1] - 2 * bar, frames.shape[2]))
    return out


def pillarbox(frames):
    """Black bars of an eighth of the width at the left and right."""
    from .. import video

    bar, out = frames.shape[2] // 8, np.zeros_like(frames)
    out[:, :, bar:-bar] = video.resize(frames, (frames.shape[1], frames.shape[2] - 2 * bar))
    return out


def subtitles(frames, rng):
    """Two burned-in lines of subtitle, about 18 words, white with a dark edge, on every frame."""
    first, second = rng.choice(len(SUBTITLES), 2, replace=False)
    out = frames.copy()
    for picture in out:
        for line, y in ((first, 0.86), (second, 0.95)):
            write_centred(picture, SUBTITLES[line], y * frames.shape[1], frames.shape[1] / 560, (255, 255, 255), (0, 0, 0))
    return out


def blur(frames):
    """Out of focus: a Gaussian of a thirtieth of the height."""
    import cv2

    return np.stack([cv2.GaussianBlur(frame, (0, 0), frame.shape[0] / 30) for frame in frames])


def wash_out(frames):
    """Fog: a tenth of the contrast, around a light grey."""
    return (frames * 0.1 + 120).astype(np.uint8)


def lift(frames, level=18):
    """Black made dark grey, as a screen recorder does: beside true black bars the ground of a dark picture then shows where it ends."""
    return (frames * ((255 - level) / 255) + level).astype(np.uint8)


def blocks(frames, quality=2):
    """What a starved codec leaves: every frame as a JPEG of `quality` (0 to 100), whose 8x8 blocks show."""
    import cv2

    pictures = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for frame in frames]
    return np.stack([cv2.imdecode(picture, cv2.IMREAD_COLOR_RGB) for picture in pictures])


def snow(frames, sigma=60.0):
    """Strong sensor noise of `sigma` grey levels, new in every frame and the same every time it is drawn."""
    return grain(frames, np.random.default_rng(7_003), sigma)


SPOIL = {"blur": blur, "washed out": wash_out, "blocky": blocks, "noisy": snow, "letterbox": letterbox, "pillarbox": pillarbox}


def grain(frames, rng, sigma=1.2):
    """Sensor noise of `sigma` grey levels, new in every frame (so a held frame is not a frozen one)."""
    import cv2

    height, width = frames.shape[1:3]
    noise = np.rint(sigma * rng.standard_normal((height, width + 256), np.float32)).astype(np.int16)
    noise = np.repeat(noise[:, :, None], 3, axis=2)
    shifts = rng.permutation(256)[np.arange(len(frames)) % 256]
    return np.stack([cv2.add(frame, noise[:, shift:shift + width], dtype=cv2.CV_8U) for frame, shift in zip(frames, shifts)])


def camera_move(frames, kind, amount=0.12):
    """The frames filmed by a camera that moves: pan left or right, tilt up or down, zoom in or out, by `amount` of the picture."""
    import cv2

    count, h, w = frames.shape[:3]
    out = []
    for t, frame in enumerate(frames):
        at = t / max(1, count - 1)
        size, x, y = 1 - amount, 0.5, 0.5
        if kind in ("zoom in", "zoom out"):
            size = 1 - 2 * amount * (at if kind == "zoom in" else 1 - at)
        elif kind in ("pan left", "pan right"):
            x = at if kind == "pan right" else 1 - at
        elif kind in ("tilt up", "tilt down"):
            y = at if kind == "tilt down" else 1 - at
        scale = 1 / size
        matrix = np.float32([[scale, 0, -x * (1 - size) * w * scale], [0, scale, -y * (1 - size) * h * scale]])
        out.append(cv2.warpAffine(frame, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(out)
