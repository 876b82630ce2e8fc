"""Simulated patient monitor: an ECG trace drawn from left to right, with heart symbol, numbers and, if shown, a plethysmograph."""

import numpy as np

from . import draw
from .wording import captions, vary

NAME = "ecg"
CATEGORY = "medical animation"
FACTORS = {"rate": ("slow", "fast"), "event": ("sinus rhythm", "asystole"), "st_segment": ("isoelectric", "elevated"),
           "pleth": ("hidden", "shown")}
MOTION = ("event",)

BEATS = {"slow": (0.16, 0.62), "fast": (0.08, 0.25, 0.42, 0.59, 0.76, 0.93)}     # places on the sweep, 0 left to 1 right
STOP = 0.34                                                                      # asystole: no beat after this place
LEFT, WIDTH = -0.93, 1.36                                                        # the trace's panel; numbers stand right of it
SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc", "8": "abcdefg",
            "9": "abcdfg"}

WORDS = {
    "rate": {
        "slow": "{bradycardia|a slow heart rate|a slow ventricular rate}",
        "fast": "{tachycardia|a fast heart rate|a rapid ventricular rate}",
    },
    "event": {
        "sinus rhythm": "{sinus rhythm|regular sinus rhythm|continuous sinus rhythm}",
        "asystole": "{asystole|cardiac standstill|asystolic arrest}",
    },
    "course": {
        "sinus rhythm": "{sinus rhythm throughout|sinus rhythm from start to end|uninterrupted sinus rhythm|"
                        "sinus rhythm that never pauses}",
        "asystole": "{which ends in asystole|followed by asystole|then cardiac standstill|which turns into asystole}",
    },
    "st": {
        "isoelectric": "{isoelectric ST segment|no ST segment elevation|ST segment on the baseline}",
        "elevated": "{ST segment elevation|elevated ST segment|marked ST elevation}",
    },
    "pleth": {
        "hidden": "{no plethysmograph trace|no plethysmograph|no plethysmograph waveform}",
        "shown": "{a plethysmograph trace|a plethysmograph|a plethysmograph waveform}",
    },
    "spacing": {
        "slow": "{a few widely spaced QRS complexes|long gaps between the QRS complexes|only a beat now and then, with wide intervals}",
        "fast": "{closely packed QRS complexes|short intervals between the QRS complexes|one QRS complex close behind the other}",
    },
    "effect": {
        "sinus rhythm": "{the sweep draws one beat after another up to the right edge and the heart symbol keeps blinking|"
                        "beats keep coming until the trace reaches the right-hand edge, and the heart symbol blinks with each of them|"
                        "complexes appear regularly from left to right, and no alarm is raised}",
        "asystole": "{after the first third the trace runs flat, the heart symbol stops blinking and the display turns to a red alarm|"
                    "the beats cease early, a flat line is drawn to the right edge and a red alarm comes on|"
                    "the complexes vanish, only a flat line follows, and the monitor changes to its red alarm colour}",
    },
    "stlook": {
        "isoelectric": "{Between QRS complex and T wave the line returns to the baseline|"
                       "The stretch after each QRS complex lies flat on the baseline|"
                       "After each spike the trace drops straight back to its baseline}",
        "elevated": "{A broad hump follows each QRS complex|After each spike the trace stays high in a wide dome|"
                    "The stretch after each QRS complex is lifted well above the baseline}",
    },
    "plethlook": {
        "hidden": "{The lower half of the screen is empty|Nothing is drawn in the lower half of the display|"
                  "Only one channel is displayed}",
        "shown": "{A second coloured wave runs along the lower half|The lower half carries a filled pulse wave|"
                 "Below the ECG runs a pulse wave in another colour}",
    },
}
SOURCE = {"rate": "rate", "event": "event", "course": "event", "st": "st_segment", "pleth": "pleth", "spacing": "rate", "effect": "event",
          "stlook": "st_segment", "plethlook": "pleth"}
BRIEF = (
    "{Patient monitor|Bedside monitor|ECG monitor} {with|showing} <rate>, <course>; <st> and <pleth>.",
    "{Electrocardiogram|ECG animation}: <rate>, <course>, <st>, <pleth>.",
    "<rate> on {a patient monitor|an ECG monitor}, <course>; <st>; <pleth>.",
    "{Monitor animation|ECG sweep} with <st> and <pleth>: <rate>, <course>.",
)
FIRST = (
    "{This|The} {animation|clip|sequence} {shows|presents|imitates} the screen of a {patient|bedside|"
    "cardiac} monitor {with a single ECG lead|on which an ECG is drawn}.",
    "{An animated|A drawn} {patient monitor|monitor screen} {writes|traces} an {ECG|electrocardiogram} {from left to right|"
    "across the screen}.",
    "On {a dark screen|the monitor} {an ECG trace|one lead of the electrocardiogram} {is swept|grows} from left to right.",
)
MIDDLE = (
    (
        "{The recording begins with|One sees|At first there is} <rate>: <spacing>.",
        "<spacing>: {this is|the sign of|a picture of} <rate>.",
    ),
    (
        "{The course|The event} is <event>: <effect>.",
        "{What happens here is|The clip demonstrates} <event>; <effect>.",
        "<event>: {in the course of the clip|as time goes on} <effect>.",
    ),
    (
        "<stlook>{:|,} <st>.",
        "{Finding|To note|Reading}: <st>. <stlook>.",
    ),
    (
        "<plethlook>: <pleth>.",
        "{The second channel|The lower channel}: <pleth>. <plethlook>.",
    ),
)
LAST = (
    "",
    "",
    "{Numbers stand|The rate is shown} {at the right|in the column beside the trace}.",
    "{It is|This is} a teaching animation{.|, not a patient's recording.}",
)


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    return captions(BRIEF, (FIRST, MIDDLE, LAST), rng, **parts(factors))


def title(factors, rng):
    """What an uploader would call the video."""
    subject = "{<event>|<rate>, <course>|<event> (<rate>)}{| - <st>}"
    return vary("{ECG explained|Monitor animation|Reading the monitor|Cardiac rhythms}: " + subject, rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """uint8 [N, T, S, S, 3] for a list of N factor dicts; the sweep reaches the right edge in the last frame."""
    dice = draw.Dice.of(rng, len(factors))
    fast, arrest = draw.is_value(factors, "rate", "fast"), draw.is_value(factors, "event", "asystole")
    raised, second = draw.is_value(factors, "st_segment", "elevated"), draw.is_value(factors, "pleth", "shown")
    x, y = draw.grid(size)
    x, y = x - draw.px(dice.uniform(-0.03, 0.03)), y - draw.px(dice.uniform(-0.03, 0.03))
    head = np.clip(0.08 + 0.92 * draw.clock(frames) + dice.uniform(-0.02, 0.02)[:, None], 0.05, 1)
    alarm = arrest[:, None] * draw.ramp(head, STOP + 0.06, STOP + 0.12)
    beats = beat_places(dice, fast, arrest)
    image = screen(dice, x, y, size, alarm)
    swept = draw.soft(x - LEFT - WIDTH * draw.px(head), size)
    level = dice.uniform(0.85, 1.15)
    ecg = trace(x, y, size, lambda p: ecg_wave(p, beats, raised, level), -0.22, 0.62, dice.uniform(0.042, 0.055))
    hue = dice.uniform(-0.12, 0.12)
    draw.paint(image, ecg * swept, np.stack([0.25 + hue, 0.98 + 0 * hue, 0.40 - hue], -1))
    lower_panel(dice, image, x, y, size, beats, second, swept)
    tip = -0.22 - 0.62 * ecg_wave(head, beats, raised, level)
    draw.paint(image, draw.disc(x, y, LEFT + WIDTH * head, tip, 0.075), (1.0, 1.0, 1.0))
    numbers(dice, image, x, y, fast, alarm, blink(head, beats), second)
    return draw.finish(image)


def beat_places(dice, fast, arrest):
    """[N, 6] places of the beats on the sweep, 0 left to 1 right; a beat that does not take place lies at -9."""
    slow = np.array(BEATS["slow"] + (-9.0,) * (len(BEATS["fast"]) - len(BEATS["slow"])), np.float32)
    places = np.where(fast[:, None] > 0, np.array(BEATS["fast"], np.float32), slow)
    places = places + dice.uniform(-0.012, 0.012, (places.shape[1],)) + dice.uniform(-0.012, 0.012)[:, None]
    return np.where((arrest[:, None] > 0) & (places > STOP), -9, places).astype(np.float32)


def bump(place, beats, shift, width):
    """Sum over the beats [N, B] of Gaussians `shift` after each beat, at `place` [N or 1, P]; result [N, P]."""
    away = (place[:, :, None] - beats[:, None, :] - shift) / width
    return np.exp(-0.5 * away * away).sum(-1)


def ecg_wave(place, beats, raised, level):
    """Height of the ECG [N, P], R peak about 1: P wave, QRS complex, ST segment (a broad dome when elevated), T wave."""
    dome = bump(place, beats, 0.066, 0.026)
    wave = 0.10 * bump(place, beats, -0.05, 0.012) + bump(place, beats, 0.0, 0.010)
    wave -= 0.24 * bump(place, beats, 0.024, 0.010) * (1 - raised[:, None])
    return level[:, None] * (wave + np.where(raised[:, None] > 0, 0.72 * dome, 0.20 * bump(place, beats, 0.085, 0.017)))


def trace(x, y, size, wave, baseline, height, half):
    """Mask of the curve y = baseline - height * wave(place), `half` thick on either side, unbroken on steep flanks."""
    fine = (x[:, 0, 0, :, None] + np.linspace(-1, 1, 5, dtype=np.float32) * max(1 / size, 0.025) - LEFT) / WIDTH
    heights = baseline - height * wave(fine.reshape(len(fine), -1)).reshape(fine.shape)
    top, bottom = heights.min(-1)[:, None, None, :], heights.max(-1)[:, None, None, :]
    mask = draw.soft(np.maximum(top - y, y - bottom) - draw.px(half), size)
    return mask * ((x > LEFT) & (x < LEFT + WIDTH))


def screen(dice, x, y, size, alarm):
    """The empty screen: dark panel with a faint grid; in alarm it turns red."""
    base = np.stack([dice.uniform(0.01, 0.05), dice.uniform(0.03, 0.09), dice.uniform(0.06, 0.16)], -1)
    image = draw.canvas(len(alarm), alarm.shape[1], size, base)
    lines = np.maximum(np.cos((x + 0.93) * 2 * np.pi / 0.34), np.cos((y + 0.06) * 2 * np.pi / 0.34)) > 0.93
    image += (0.05 * lines)[:, :, None]
    red = draw.rgb(np.array([0.30, -0.01, -0.04], np.float32)) * draw.px(alarm)[:, :, None]
    image += red
    band = draw.box(x, y, 0.0, -0.95, 1.2, 0.10) * draw.px(alarm)
    return draw.paint(image, band, (1.0, 0.16, 0.12))


def lower_panel(dice, image, x, y, size, beats, second, swept):
    """The plethysmograph: a filled pulse wave after each beat in the lower half, drawn only where `second` is 1."""
    level = dice.uniform(0.85, 1.15)[:, None]

    def pulse(place):
        return level * (bump(place, beats, 0.075, 0.032) + 0.35 * bump(place, beats, 0.135, 0.024))

    line = trace(x, y, size, pulse, 0.84, 0.42, 0.05)
    heights = 0.84 - 0.42 * pulse((x[:, 0, 0, :] - LEFT) / WIDTH)
    fill = draw.soft(heights[:, None, None, :] - y, size) * ((x > LEFT) & (x < LEFT + WIDTH) & (y < 0.90))
    shown = swept * draw.px(second)
    colour = np.stack([dice.uniform(0.15, 0.35), dice.uniform(0.70, 0.90), dice.uniform(0.92, 1.0)], -1)
    draw.paint(image, 0.45 * fill * shown, colour)
    draw.paint(image, line * shown, colour)


def blink(head, beats):
    """[N, T] 1 while the sweep is just past a beat."""
    since = head[:, :, None] - beats[:, None, :]
    return ((since > -0.01) & (since < 0.10)).any(-1).astype(np.float32)


def numbers(dice, image, x, y, fast, alarm, lit, second):
    """Right-hand column: heart symbol that blinks with the beats, heart rate (0 in asystole), oxygen saturation if there is a pleth."""
    green, red, cyan = (0.35, 1.0, 0.45), (1.0, 0.9, 0.2), (0.35, 0.85, 1.0)
    heart = np.maximum(draw.disc(x, y, 0.645, -0.72, 0.095), draw.disc(x, y, 0.795, -0.72, 0.095))
    heart = np.maximum(heart, draw.polygon(x, y, [(0.56, -0.68), (0.88, -0.68), (0.72, -0.46)]))
    draw.paint(image, heart * (0.22 + 0.78 * draw.px(lit)), (1.0, 0.25, 0.30))
    live = 1 - draw.px(alarm)
    tens, ones = 3 + dice.uniform(0, 1.99).astype(int), dice.uniform(0, 9.99).astype(int)
    rate = digits(x, y, np.where(fast > 0, 1, -1), 0.53, -0.22) + digits(x, y, tens, 0.70, -0.22) + digits(x, y, ones, 0.87, -0.22)
    draw.paint(image, np.minimum(rate, 1) * live, green)
    draw.paint(image, digits(x, y, np.zeros(len(fast), int), 0.74, -0.22, 1.3) * (1 - live), red)
    oxygen = digits(x, y, np.full(len(fast), 9), 0.66, 0.45) + digits(x, y, 4 + ones % 5, 0.85, 0.45)
    draw.paint(image, np.minimum(oxygen, 1) * draw.px(second) * live, cyan)


def digits(x, y, number, cx, cy, scale=1.0):
    """Mask of a seven-segment digit per clip (`number` [N] of ints, -1 for none) centred at (cx, cy)."""
    w, h, r = 0.055 * scale, 0.115 * scale, 0.026 * scale
    ends = {"a": (-w, -h, w, -h), "b": (w, -h, w, 0), "c": (w, 0, w, h), "d": (-w, h, w, h),
            "e": (-w, 0, -w, h), "f": (-w, -h, -w, 0), "g": (-w, 0, w, 0)}
    mask = np.float32(0)
    for name, (x0, y0, x1, y1) in ends.items():
        on = np.array([name in SEGMENTS.get(str(n), "") for n in number], np.float32)
        mask = np.maximum(mask, draw.capsule(x, y, cx + x0, cy + y0, cx + x1, cy + y1, r) * draw.px(on))
    return mask
