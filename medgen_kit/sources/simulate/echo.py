"""Simulated cardiac ultrasound: a grey fan with speckle, one heart beat, gated so that systole falls in the middle of the clip."""

import numpy as np

from . import draw
from .wording import captions, vary

NAME = "echo"
CATEGORY = "medical imaging"
FACTORS = {"view": ("apical four-chamber", "parasternal short-axis"), "wall_motion": ("normal", "reduced"),
           "chamber": ("normal", "dilated"), "effusion": ("none", "pericardial effusion")}
MOTION = ("wall_motion",)

WORDS = {
    "view": {
        "apical four-chamber": "{apical four-chamber view|four-chamber view from the apex|apical four-chamber window}",
        "parasternal short-axis": "{parasternal short-axis view|short-axis view from the parasternal window|"
                                  "parasternal short-axis window}",
    },
    "anatomy": {
        "apical four-chamber": "{both ventricles lie above the two atria, with the septum between them|"
                               "the apex points to the probe and all four chambers are seen|"
                               "ventricles at the top and atria at the bottom are divided by the septum}",
        "parasternal short-axis": "{the left ventricle appears as a ring of muscle with the right ventricle wrapped around one side|"
                                  "the left ventricle is cut across and looks like a doughnut|"
                                  "a round ring of myocardium encloses the dark cavity}",
    },
    "motion": {
        "normal": "{normal wall motion|vigorous contraction|brisk systolic contraction|normal contraction}",
        "reduced": "{reduced wall motion|hypokinetic wall motion|severely reduced contraction|hypokinesia of the walls}",
    },
    "effect": {
        "normal": "{the cavity becomes much smaller in systole and opens again in diastole|"
                  "the walls move inwards and thicken, so that the dark cavity shrinks by more than half, then relax|"
                  "the dark cavity is squeezed to a fraction of its area halfway through the beat}",
        "reduced": "{the cavity keeps almost the same size through the whole beat|"
                   "the walls barely move, so that the dark cavity looks the same in systole as in diastole|"
                   "hardly any change in the area of the cavity is seen from diastole to systole}",
    },
    "chamber": {
        "normal": "{a normal-sized left ventricle|a left ventricle of normal size|a left ventricular cavity of normal size}",
        "dilated": "{a dilated left ventricle|an enlarged left ventricle|a markedly dilated left ventricle}",
    },
    "effusion": {
        "none": "{no pericardial effusion|no fluid around the heart|no sign of pericardial effusion}",
        "pericardial effusion": "{a pericardial effusion|a large pericardial effusion|pericardial effusion around the heart}",
    },
    "rim": {
        "none": "{the heart lies directly against the bright pericardium|epicardium and pericardium touch all around|"
                "the bright pericardium hugs the muscle}",
        "pericardial effusion": "{a black, echo-free band separates the muscle from the pericardium|"
                                "the heart is surrounded by a dark rim of fluid|an echo-free space lies between heart and pericardium}",
    },
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
    (
        "{There is|The beat shows|One sees} <motion>: <effect>.",
        "{As the heart beats|From diastole to systole and back}, <effect>, {a sign of|in keeping with} <motion>.",
        "{Watch the walls:|During the beat} <effect>; {this is|the finding is} <motion>.",
    ),
    (
        "{The examiner finds|The picture shows|There is} <chamber>.",
        "{In diastole one measures|At the start of the loop there is} <chamber>.",
        "{With regard to size, this is|As for size, there is} <chamber>.",
    ),
    (
        "{There is|One notes|The clip shows} <effusion>; <rim>.",
        "<rim>: <effusion>.",
        "{Around the muscle|On the outside}, <rim>, so there is <effusion>.",
    ),
)
LAST = (
    "",
    "",
    "{Speckle|Fine speckle} {fills|covers} the grey {fan|sector}.",
    "{The sector|The fan-shaped image} {opens downwards from the probe|is in shades of grey}.",
    "{The loop|The clip} is gated {to the ECG|to one heart beat}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    return captions(BRIEF, (FIRST, MIDDLE, LAST), rng, **parts(factors))


def title(factors, rng):
    """What an uploader would call the video."""
    plan = "{Echo loop|Echocardiogram|Heart ultrasound case|TTE}: {<view>|<chamber>, <motion>|<motion>}{| - <effusion>}"
    return vary(plan, rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """uint8 [N, T, S, S, 3] for a list of N factor dicts; one beat, end-diastole at both ends, systole in the middle."""
    dice = draw.Dice.of(rng, len(factors))
    short, reduced = draw.is_value(factors, "view", "parasternal short-axis"), draw.is_value(factors, "wall_motion", "reduced")
    big, wet = draw.is_value(factors, "chamber", "dilated"), draw.is_value(factors, "effusion", "pericardial effusion")
    beat = heart_beat(dice, reduced, frames)
    x, y = draw.grid(size)
    hx, hy = draw.turn(x, y, dice.uniform(-0.08, 0.08), dice.uniform(-0.035, 0.035), dice.uniform(-0.035, 0.035))
    scale = draw.px(dice.uniform(0.96, 1.05))
    hx, hy = hx / scale, hy / scale
    fluid = wet * dice.uniform(0.15, 0.19)
    width, other = dice.uniform(0.94, 1.06), dice.uniform(0.88, 1.12)
    image = np.empty((len(factors), frames, size, size), np.float32)
    for view, painter in ((0, four_chamber), (1, short_axis)):
        rows = short == view
        if rows.any():
            columns = [value[rows][:, None] for value in (big, fluid, width, other)]
            image[rows] = painter(hx[rows], hy[rows], beat[rows], *columns)
    return draw.finish(scan(dice, image, x, y, size))


def heart_beat(dice, reduced, frames):
    """Contraction [N, T] of the left ventricle's half axes: 0 in end-diastole, about .55 at systole (reduced: about .04)."""
    phase = np.clip(draw.clock(frames) + dice.uniform(-0.03, 0.03)[:, None], 0, 1)
    strength = np.where(reduced > 0, dice.uniform(0.02, 0.06), dice.uniform(0.52, 0.58))
    return strength[:, None] * np.sin(np.pi * phase).clip(0) ** 0.75


def tissue(x, y, beat):
    """An image [N, T, S, S] of plain grey tissue."""
    return np.full((*beat.shape, *np.broadcast_shapes(x.shape, y.shape)[-2:]), 0.30, np.float32)


def four_chamber(x, y, beat, big, fluid, width, atria):
    """Grey levels: ventricles above, atria below, septum between; the left ventricle is on the right of the image."""
    rx, ry, left = (0.26 + 0.11 * big) * width, 0.45 + 0.07 * big, 0.20 + 0.06 * big
    image, out = tissue(x, y, beat), 0.62 + 0.09 * big - 0.12 * beat
    draw.lay(image, draw.ellipse(x, y, 0.0, 0.04, out + fluid + 0.09, 0.88 + fluid), 0.85)
    draw.lay(image, draw.ellipse(x, y, 0.0, 0.04, out + fluid, 0.79 + fluid), 0.02)
    draw.lay(image, draw.ellipse(x, y, 0.0, 0.04, out, 0.79), 0.50 + 0.36 * beat)
    grow = atria * (1 + 0.30 * beat)
    draw.lay(image, draw.ellipse(x, y, -0.27, 0.56, 0.18 * grow, 0.19 * grow), 0.05)
    draw.lay(image, draw.ellipse(x, y, 0.24, 0.58, 0.18 * grow, 0.19 * grow), 0.05)
    draw.lay(image, draw.ellipse(x, y, -0.29 - 0.04 * big + 0.10 * beat, -0.04, 0.16 * (1 - 0.7 * beat), 0.36 * (1 - 0.5 * beat)), 0.05)
    draw.lay(image, draw.ellipse(x, y, left - 0.10 * beat, -0.10, rx * (1 - beat), ry * (1 - 0.8 * beat)), 0.03)
    gap = 0.13 * np.clip(1 - 4 * beat, 0, 1)
    for side in (-1, 1):
        draw.lay(image, draw.capsule(x, y, left + side * rx * 0.85, 0.37, left + side * gap, 0.35 - 1.2 * gap, 0.035), 0.95)
    return image


def short_axis(x, y, beat, big, fluid, width, turn):
    """Grey levels: the left ventricle as a ring with two papillary muscles, the right ventricle as a crescent on the left of the image."""
    image, outer = tissue(x, y, beat), 0.52 + 0.09 * big - 0.10 * beat
    inner = (0.32 + 0.13 * big) * width * (1 - beat)
    draw.lay(image, draw.ellipse(x, y, -0.03, 0.08, outer + fluid + 0.21, outer + fluid + 0.14), 0.85)
    draw.lay(image, draw.ellipse(x, y, -0.03, 0.08, outer + fluid + 0.13, outer + fluid + 0.06), 0.02)
    draw.lay(image, draw.ellipse(x, y, -0.03, 0.08, outer + 0.13, outer + 0.06), 0.52)
    draw.lay(image, draw.ellipse(x, y, -0.26 - 0.05 * big + 0.10 * beat, 0.02, 0.34 + 0.05 * big, outer - 0.08), 0.05)
    draw.lay(image, draw.disc(x, y, 0.07, 0.09, outer), 0.52 + 0.36 * beat)
    draw.lay(image, draw.disc(x, y, 0.07, 0.09, inner), 0.03)
    for angle in (0.6, 2.4):
        where = angle + 1.5 * (turn - 1)
        draw.lay(image, draw.disc(x, y, 0.07 + inner * 0.8 * np.cos(where), 0.09 + inner * 0.8 * np.sin(where), 0.07), 0.55)
    return image


def scan(dice, image, x, y, size):
    """What the scanner makes of it: speckle that hardly changes, gain that falls with depth, and a black surround outside the fan."""
    grain = 1 + 0.24 * draw.texture(dice, size, 26) + 0.07 * draw.texture(dice, size, 26, image.shape[1])
    image = image * grain * draw.px(dice.uniform(0.90, 1.10)) + 0.02
    px, py = x, y + 0.98 + draw.px(dice.uniform(-0.02, 0.02))
    radius, angle = np.sqrt(px * px + py * py), np.abs(np.arctan2(px, py))
    depth = 1.90 + draw.px(dice.uniform(-0.03, 0.03))
    half = 0.80 + draw.px(dice.uniform(-0.03, 0.03))
    fan = draw.soft(np.maximum(np.maximum((angle - half) * radius, radius - depth), 0.09 - radius), size)
    return image * fan * (1.08 - 0.12 * radius)
