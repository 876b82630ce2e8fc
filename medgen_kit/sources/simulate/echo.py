"""Simulated cardiac ultrasound: a grey fan with speckle, one heart beat, gated so that systole falls in the middle of the clip."""

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "echo"
CATEGORY = "medical imaging"
FACTORS = {"view": ("apical four-chamber", "parasternal short-axis"), "wall_motion": ("normal", "reduced"), "chamber": ("normal", "dilated"),
           "effusion": ("none", "pericardial effusion")}
MOTION = ("wall_motion",)

WORDS = {
    "view": {"apical four-chamber": "{apical four-chamber view|four-chamber view from the apex|apical four-chamber window}",
             "parasternal short-axis": "{parasternal short-axis view|short-axis view from the parasternal window|parasternal short-axis window}"},
    "anatomy": {"apical four-chamber": "{both ventricles lie above the two atria, with the septum between them|the apex points to the probe and all four "
                                       "chambers are seen|ventricles at the top and atria at the bottom are divided by the septum}",
                "parasternal short-axis": "{the left ventricle appears as a ring of muscle with the right ventricle wrapped around one side|the left "
                                          "ventricle is cut across and looks like a doughnut|a round ring of myocardium encloses the dark cavity}"},
    "motion": {"normal": "{normal wall motion|vigorous contraction|brisk systolic contraction|normal contraction}",
               "reduced": "{reduced wall motion|hypokinetic walls|severely reduced contraction|hypokinesia of the walls}"},
    "effect": {"normal": "{the cavity becomes much smaller in systole and opens again in diastole|the walls move inwards and thicken, so that the dark "
                         "cavity shrinks by more than half, then relax|the dark cavity is squeezed to a fraction of its area halfway through the beat}",
               "reduced": "{the cavity keeps almost the same size through the whole beat|the walls barely move, so that the dark cavity looks the same in "
                          "systole as in diastole|hardly any change in the area of the cavity is seen from diastole to systole}"},
    "chamber": {"normal": "{a normal-sized left ventricle|a left ventricle of normal size|a left ventricular cavity of normal size}",
                "dilated": "{a dilated left ventricle|an enlarged left ventricle|a markedly dilated left ventricle}"},
    "effusion": {"none": "{no pericardial effusion|no fluid around the heart|no sign of pericardial effusion}",
                 "pericardial effusion": "{a pericardial effusion|a large pericardial effusion|pericardial effusion around the heart}"},
    "rim": {"none": "{the heart lies directly against the bright pericardium|epicardium and pericardium touch all around|the bright pericardium hugs the muscle}",
            "pericardial effusion": "{a black, echo-free band separates the muscle from the pericardium|the heart is surrounded by a dark rim of fluid|an echo-free "
                                    "space lies between heart and pericardium}"},
}
SOURCE = {"view": "view", "anatomy": "view", "motion": "wall_motion", "effect": "wall_motion", "chamber": "chamber", "effusion": "effusion",
          "rim": "effusion"}
BRIEF = (
    "{Echocardiogram|Cardiac ultrasound|Transthoracic echocardiogram}, <view>: <motion>, <chamber>, <effusion>.",
    "{Heart ultrasound|Echocardiography} with <chamber>, <motion> and <effusion>, <view>.",
    "<view> {on echocardiography|of the beating heart}: <chamber> with <motion>, <effusion>.",
    "<chamber> with <motion> and <effusion> on {an echocardiogram|cardiac ultrasound}, <view>.",
)
FIRST = (
    "{This|The} {clip|loop|recording} {is|shows} {an echocardiogram|a cardiac ultrasound} {taken in the|in the} <view>: <anatomy>.",
    "{One heart beat|A single cardiac cycle} {recorded|imaged} with {ultrasound|echocardiography}, <view>; <anatomy>.",
    "{In the|Seen in the} <view> {of this echocardiogram|of this cardiac ultrasound}, <anatomy>.",
)
MIDDLE = (
    ("{There is|The beat shows|One sees} <motion>: <effect>.", "{As the heart beats|From diastole to systole and back}, <effect>, {a sign of|in keeping with} <motion>.",
     "{Watch the walls:|During the beat} <effect>; {this is|the finding is} <motion>."),
    ("{The examiner finds|The picture shows|There is} <chamber>.", "{In diastole one measures|At the start of the loop there is} <chamber>.",
     "{With regard to size, this is|As for size, there is} <chamber>."),
    ("{There is|One notes|The clip shows} <effusion>; <rim>.", "<rim>: <effusion>.", "{Around the muscle|On the outside}, <rim>, so there is <effusion>."),
)
LAST = ("", "", "{Speckle|Fine speckle} {fills|covers} the grey {fan|sector}.", "{The sector|The fan-shaped image} {opens downwards from the probe|is in shades of grey}.",
        "{The loop|The clip} is gated {to the ECG|to one heart beat}.")


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Echo loop|Echocardiogram|Heart ultrasound case|TTE}: {<view>|<chamber>, <motion>|<motion>}{| - <effusion>}", rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """uint8 [N, T, S, S, 3] for a list of N factor dicts; one beat, end-diastole at both ends, systole in the middle."""
    dice = draw.Dice.of(rng, len(factors))
    short, reduced = draw.is_value(factors, "view", "parasternal short-axis"), draw.is_value(factors, "wall_motion", "reduced")
    big, wet = draw.is_value(factors, "chamber", "dilated"), draw.is_value(factors, "effusion", "pericardial effusion")
    beat = heart_beat(dice, reduced, frames)
    x, y = draw.grid(size)
    hx, hy = draw.turn(x, y, dice.uniform(-0.1, 0.1), dice.uniform(-0.05, 0.05), dice.uniform(-0.05, 0.05))
    scale = draw.px(dice.uniform(0.94, 1.07))
    hx, hy = hx / scale, hy / scale
    fluid = wet * dice.uniform(0.15, 0.19)
    four = four_chamber(hx, hy, beat, big, fluid, dice.uniform(0.92, 1.08), dice.uniform(0.85, 1.15))
    ring = short_axis(hx, hy, beat, big, fluid, dice.uniform(0.92, 1.08), dice.uniform(-0.25, 0.25))
    image = np.where(short[:, None, None, None] > 0, ring, four)
    return draw.finish(scan(dice, image, x, y, size))


def heart_beat(dice, reduced, frames):
    """Contraction [N, T] of the left ventricle's half axes: 0 in end-diastole, about .46 at systole (reduced: about .05)."""
    phase = np.clip(draw.clock(frames) + dice.uniform(-0.035, 0.035)[:, None], 0, 1)
    strength = np.where(reduced > 0, dice.uniform(0.03, 0.07), dice.uniform(0.43, 0.50))
    return strength[:, None] * np.maximum(np.sin(np.pi * phase), 0) ** 1.5


def four_chamber(x, y, beat, big, fluid, width, atria):
    """Grey levels: ventricles above, atria below, septum between; the left ventricle is on the right of the image."""
    rx, ry = (0.22 + 0.11 * big) * width, 0.43 + 0.07 * big
    left = 0.21 + 0.05 * big
    image = np.full((len(beat), 1, *np.broadcast_shapes(x.shape, y.shape)[-2:]), 0.34, np.float32)
    heart = (x, y, 0.0, 0.06)
    outside = draw.ellipse(*heart, 0.62 + 0.09 * big + fluid, 0.80 + fluid)
    image += draw.ellipse(*heart, 0.70 + 0.09 * big + fluid, 0.88 + fluid) * (0.85 - image)
    image += outside * (0.02 - image)
    muscle = draw.ellipse(*heart, 0.62 + 0.09 * big, 0.80)
    image += muscle * (0.58 - image)
    grow = 1 + 0.35 * beat * draw_ratio(atria)
    image = image + draw.ellipse(x, y, -0.28, 0.56, 0.19 * grow, 0.20 * grow) * (0.05 - image)
    image += draw.ellipse(x, y, 0.24, 0.58, 0.19 * grow, 0.20 * grow) * (0.05 - image)
    image += draw.ellipse(x, y, -0.27 - 0.05 * big[:, None], -0.06, 0.155 * (1 - 0.7 * beat), 0.36 * (1 - 0.4 * beat)) * (0.05 - image)
    cavity = draw.ellipse(x, y, left, -0.08, rx[:, None] * (1 - beat), ry[:, None] * (1 - 0.75 * beat))
    image += cavity * (0.03 - image)
    valve = 0.13 * np.clip(1 - 4 * beat, 0, 1)
    for side in (-1, 1):
        image += draw.capsule(x, y, left + side * rx * 0.85, 0.37, left[:, None] + side * valve, 0.34 - 1.2 * valve, 0.035) * (0.95 - image)
    return image


def draw_ratio(value):
    """[N] as a column that broadcasts against [N, T]."""
    return np.asarray(value, np.float32)[:, None]


def short_axis(x, y, beat, big, fluid, width, turn):
    """Grey levels: the left ventricle as a ring with two papillary muscles, the right ventricle as a crescent on the left of the image."""
    inner = (0.30 + 0.13 * big) * width
    outer = 0.50 + 0.09 * big
    image = np.full((len(beat), 1, *np.broadcast_shapes(x.shape, y.shape)[-2:]), 0.34, np.float32)
    sac = 0.10
    image += draw.ellipse(x, y, -0.02, 0.10, outer + sac + 0.10 + fluid, outer + sac + 0.04 + fluid) * (0.85 - image)
    image += draw.ellipse(x, y, -0.02, 0.10, outer + 0.12 + fluid, outer + 0.06 + fluid) * (0.02 - image)
    image += draw.ellipse(x, y, -0.02, 0.10, outer + 0.10, outer + 0.04) * (0.58 - image)
    image += draw.ellipse(x, y, -0.30 - 0.3 * (outer - 0.5), -0.02, 0.30, outer - 0.08) * (0.05 - image)
    outer_now, inner_now = outer[:, None] * (1 - 0.12 * beat), inner[:, None] * (1 - beat)
    image = image + draw.disc(x, y, 0.06, 0.10, outer_now) * (0.62 - image)
    image += draw.disc(x, y, 0.06, 0.10, inner_now) * (0.03 - image)
    for angle in (0.6, 2.4):
        where = angle + draw_ratio(turn)
        image += draw.disc(x, y, 0.06 + inner_now * 0.8 * np.cos(where), 0.10 + inner_now * 0.8 * np.sin(where), 0.07) * (0.55 - image)
    return image


def scan(dice, image, x, y, size):
    """What the scanner makes of it: speckle that hardly changes, time gain, and a black surround outside the fan."""
    grain = draw.speckle(dice, size, 34) + 0.10 * draw.texture(dice, size, 34, image.shape[1])
    image = image * grain * draw.px(dice.uniform(0.88, 1.12)) + 0.02
    px, py = x, y + 0.98 + draw.px(dice.uniform(-0.02, 0.02))
    radius, angle = np.sqrt(px * px + py * py), np.abs(np.arctan2(px, py))
    depth = 1.90 + draw.px(dice.uniform(-0.03, 0.03))
    fan = draw.soft(np.maximum(np.maximum((angle - 0.80 - draw.px(dice.uniform(-0.03, 0.03))) * radius, radius - depth), 0.09 - radius), size)
    return image * fan * (1.08 - 0.12 * radius)
