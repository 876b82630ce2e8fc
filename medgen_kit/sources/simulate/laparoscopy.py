"""Simulated laparoscopy: a metal grasper that enters or leaves in front of an abdominal organ, with or without smoke."""

import numpy as np

from . import draw
from .wording import captions, vary

NAME = "laparoscopy"
CATEGORY = "clinical practice"
FACTORS = {
    "instrument": ("entering", "withdrawing"),
    "side": ("left", "right"),
    "smoke": ("none", "present"),
    "tissue": ("liver", "fat", "gallbladder"),
}
MOTION = ("instrument",)

WORDS = {
    "tool": {"any": "{grasper|surgical grasper|laparoscopic grasper}"},
    "move": {
        "entering": "{a <tool> enters from the <side>|a <tool> is introduced from the <side>|a <tool> is inserted from the <side> side}",
        "withdrawing": "{a <tool> is withdrawn to the <side>|a <tool> is pulled back to the <side>|a <tool> retreats to the <side> side}",
    },
    "moving": {
        "entering": "{insertion|introduction|entry} of a <tool> from the <side>",
        "withdrawing": "{withdrawal|retraction} of a <tool> {to|towards} the <side>",
    },
    "effect": {
        "entering": "{its tip comes in from the edge and ends beyond the middle of the picture|more and more of the shaft comes into "
                    "view until the jaws reach past the centre|the jaws appear at the border and move deep into the field}",
        "withdrawing": "{its tip leaves the middle of the picture and disappears over the edge|less and less of the shaft can be seen "
                       "until the jaws have left the picture|the jaws back away from the centre and go out of sight}",
    },
    "tissue": {
        "liver": "{the liver|the surface of the liver|liver tissue}",
        "fat": "{adipose tissue|yellow adipose tissue|fatty tissue}",
        "gallbladder": "{the gallbladder|the wall of the gallbladder|the fundus of the gallbladder}",
    },
    "look": {
        "liver": "{dark reddish brown and smooth, with a sharp edge|smooth, firm and brown-red}",
        "fat": "{yellow, soft and lobulated|bright yellow and divided into small lobules}",
        "gallbladder": "{pear-shaped, smooth and grey-green|rounded, tense and greenish, with fine vessels}",
    },
    "smoke": {
        "none": "{no surgical smoke|no smoke|no trace of smoke}",
        "present": "{surgical smoke|a haze of surgical smoke|smoke from the diathermy}",
    },
    "haze": {
        "none": "{There is <smoke>, so the colours are clear|With <smoke> in the way the picture is crisp|<smoke> hangs in front of the "
                "lens and contrast is good}",
        "present": "{<smoke> hangs in front of the lens and washes out the colours|A whitish veil lies over everything: <smoke>|<smoke> "
                   "lowers the contrast and whitens the picture}",
    },
}

BRIEF = (
    "{Laparoscopy|Keyhole surgery|Laparoscopic view}: <move> over <tissue>, {with|and} <smoke>.",
    "<move> {in front of|towards a field of|above} <tissue>; <smoke> {in the field|in view}.",
    "<tissue> {seen at|during} laparoscopy with <smoke> {as|while} <move>.",
    "{Laparoscopic|Minimally invasive} surgery, <smoke>: <moving>, <tissue> {behind|in the background}.",
    "<moving> {at|during} laparoscopy; <tissue>, <smoke>.",
)
FIRST = (
    "{This|The} {clip|recording|video|sequence} {shows|presents} {the abdominal cavity|an operation in the abdomen} through a laparoscope.",
    "{In a laparoscopic operation|During laparoscopy|In minimally invasive surgery} the camera {rests on|looks at|is held over} <tissue>.",
    "{Laparoscopic video|A laparoscopic view|A view from keyhole surgery} of <tissue> {fills the frame|is shown under the cold light of "
    "the scope}.",
)
MIDDLE = (
    (
        "{Behind the instrument lies|The background is|The field is filled by} <tissue>, <look>.",
        "<tissue> {takes up the field|forms the background}; it {is|looks} <look>.",
        "{One recognises|The operator sees} <tissue>, which is <look>.",
    ),
    ("<haze>.", "<haze>."),
    (
        "{From the first frame to the last|Throughout the clip|Over the clip} <move>: <effect>.",
        "<move> {steadily|in one even movement|without a pause}, and <effect>.",
        "{In the course of the clip|During these frames|Frame by frame} <move>; <effect>.",
    ),
    (
        "{Its|The} bright metal shaft {reflects the light|shines in the lamp} and ends in {two jaws|a pair of jaws|hinged jaws}.",
        "{The instrument has|One can make out} a {shiny|bright|polished} steel shaft and {two jaws|an open pair of jaws} at its tip.",
    ),
)
LAST = (
    "",
    "",
    "The camera itself {stays still|does not move|is held steady}.",
    "{The organ|The tissue} {hardly moves|stays in place} {all the while|meanwhile}.",
    "{Only the instrument moves|Nothing but the instrument moves}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    source = {"move": "instrument", "moving": "instrument", "effect": "instrument", "tissue": "tissue", "look": "tissue", "smoke": "smoke", "haze": "smoke"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()} | {"side": factors["side"], "tool": WORDS["tool"]["any"]}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    return captions(BRIEF, (FIRST, MIDDLE, LAST), rng, **parts(factors))


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Laparoscopy, <tissue>|Keyhole surgery: <moving>|Laparoscopic case - <tissue>}{| (<smoke>)}", rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] of the listed factors (dicts of this module's FACTORS); `rng` a Generator or draw.Dice."""
    dice = draw.Dice.of(rng, len(factors))
    x, y = draw.grid(size)
    image = np.repeat(organ(factors, dice, x, y), frames, axis=1)
    pace = draw.ramp(draw.clock(frames), dice.uniform(0.0, 0.08)[:, None], dice.uniform(0.72, 0.82)[:, None])
    inwards = draw.is_value(factors, "instrument", "entering")[:, None]
    reach = inwards * pace + (1 - inwards) * (1 - pace)
    grasper(image, dice, draw.pick(factors, "side", left=-1, right=1), reach, x, y)
    light = dice.uniform(0.95, 1.1)
    image *= (draw.px(light) * (1.08 - 0.35 * (x * x + y * y)))[:, :, None]
    smoke(image, factors, dice, frames, size)
    image *= draw.ramp(1.22 - np.sqrt(x * x + y * y), 0, 0.14)[:, :, None]
    return draw.finish(image)


def organ(factors, dice, x, y):
    """The still background [N, 1, 3, S, S]: liver with a sharp lower edge, lobulated fat, or a pear-shaped gallbladder."""
    count, size = len(factors), y.shape[-2]
    is_liver, is_fat, is_sac = (draw.is_value(factors, "tissue", name) for name in FACTORS["tissue"])
    coarse, fine = draw.texture(dice, size, 5), draw.texture(dice, size, 13)
    tint = dice.uniform(-0.035, 0.035, (3,))
    base = (is_liver[:, None] * [0.5, 0.36, 0.3] + is_fat[:, None] * [0.62, 0.38, 0.14] + is_sac[:, None] * [0.62, 0.24, 0.2]).astype(np.float32)
    image = draw.canvas(count, 1, size, base + tint) * (1 + 0.06 * coarse + 0.04 * fine)[:, :, None]
    draw.paint(image, draw.px(is_fat) * lobules(dice, x, y), (0.9, 0.72, 0.3))
    slope, rise = draw.px(dice.uniform(-0.15, 0.15)), draw.px(dice.uniform(0.32, 0.48))
    edge = y - rise - slope * x + 0.22 * x * x
    draw.paint(image, draw.px(is_liver) * draw.soft(edge - 0.08, size, 0.1), (0.16, 0.06, 0.05))
    gloss = np.exp(-((y + 0.35 - slope * x) / 0.22) ** 2) * 0.12
    lobe = (np.array([[0.46, 0.13, 0.1]], np.float32) + tint).astype(np.float32)
    draw.paint(image, draw.px(is_liver) * draw.soft(edge, size), draw.rgb(lobe) * (1 + 0.1 * fine + 0.06 * coarse)[:, :, None] + gloss[:, :, None])
    pear(image, dice, is_sac, fine, tint, x, y)
    return image


def lobules(dice, x, y, side=4):
    """Mask [N, 1, S, S] of fat lobules: bright near the points of a jittered lattice, dark in the furrows between them (Worley 1996)."""
    jitter = dice.uniform(-0.17, 0.17, (side * side, 2))
    lattice = [((i % side + 0.5 + 0.5 * (i // side % 2)) / side * 2 - 1.1, (i // side + 0.5) / side * 2 - 1) for i in range(side * side)]
    squares = [(x - draw.px(a + jitter[:, i, 0])) ** 2 + (y - draw.px(b + jitter[:, i, 1])) ** 2 for i, (a, b) in enumerate(lattice)]
    near, second = np.partition(np.stack(squares), 1, axis=0)[:2] ** 0.5
    return draw.ramp(second - near, -0.16, 0.24) * (1.05 - 0.6 * near)


def pear(image, dice, there, fine, tint, x, y):
    """The gallbladder: a wide fundus and a narrower neck, grey-green, with a sheen and fine vessels."""
    cx, cy, tilt, r = dice.uniform(-0.08, 0.08), dice.uniform(0.05, 0.2), dice.uniform(-0.3, 0.3), dice.uniform(0.5, 0.58)
    u, v = draw.turn(x, y, tilt, cx, cy)
    width = draw.px(r) * (1 + 0.45 * np.clip(v, -0.9, 0.9))
    radius = np.sqrt((u / width) ** 2 + (v / draw.px(1.45 * r)) ** 2)
    body = draw.px(there)
    draw.paint(image, body * 0.6 * draw.soft((radius - 1.14) * 0.5, y.shape[-2], 0.15), (0.25, 0.07, 0.06))
    green = np.array([[0.47, 0.56, 0.38]], np.float32) + tint
    shade = (1.18 - 0.5 * radius * radius * 0.8 + 0.05 * fine)[:, :, None]
    draw.paint(image, body * draw.soft((radius - 1) * 0.5, y.shape[-2], 0.05), draw.rgb(green) * shade)
    vessel = np.abs(u + 0.12 * np.sin(5 * v + draw.px(dice.uniform(0, 6.3)))) - 0.015
    draw.paint(image, body * 0.45 * draw.soft(vessel, y.shape[-2], 0.06) * (radius < 0.9), (0.7, 0.2, 0.18))
    draw.paint(image, body * 0.6 * draw.ellipse(u, v, -0.18, -0.2, 0.1, 0.2, 0.0, 0.12), (0.95, 1, 0.9))


def grasper(image, dice, side, reach, x, y):
    """A steel shaft from the side `side` (-1 left, 1 right) whose jaws travel from outside (reach 0) to beyond the centre (reach 1)."""
    size = y.shape[-2]
    tilt, end_x = dice.uniform(0.2, 0.34), dice.uniform(0.44, 0.56)
    end_y = dice.uniform(-0.15, 0.12)
    tip = 1.58 * (1 - reach) - end_x[:, None]                   # distance from the middle, positive on the tool's own side
    # The frame of the tool: u runs back along the shaft from the tip, v across it.
    mirrored = draw.px(side) * x
    u, v = draw.turn(mirrored, y, tilt[:, None], tip * np.cos(tilt)[:, None], (end_y + 0.1)[:, None] + (tip - 0.1) * np.sin(tilt)[:, None])
    half, jaw, spread = draw.px(dice.uniform(0.27, 0.31)), 0.62, draw.px(dice.uniform(0.3, 0.42))
    shaft = draw.soft(np.maximum(np.abs(v) - half, jaw - u), size)
    draw.paint(image, 0.7 * draw.soft(np.maximum(np.abs(v) - half - 0.05, jaw - u), size), (0.1, 0.07, 0.08))
    draw.paint(image, 0.55 * draw.soft(np.maximum(np.abs(v - 0.16) - half, jaw - u), size, 0.2), (0.05, 0.02, 0.02))
    steel = 0.66 + 0.34 * np.exp(-((v / half + 0.3) / 0.5) ** 2)
    draw.paint(image, shaft, steel[:, :, None] * draw.rgb((0.93, 0.96, 1.0)))
    ring = draw.soft(np.maximum(np.abs(v) - half * 1.02, np.abs(u - jaw - 0.06) - 0.06), size)
    draw.paint(image, ring, (0.16, 0.17, 0.2))
    for sign in (-1, 1):                                        # each jaw tapers from the hinge to its point
        along = jaw - u
        middle = sign * spread * along * (1.15 - 0.75 * along)
        thick = np.maximum(0.15 - 0.16 * along, 0.055)
        blade = draw.soft(np.maximum(np.abs(v - middle) - thick, np.maximum(-along, along - jaw)), size)
        draw.paint(image, 0.6 * draw.soft(np.maximum(np.abs(v - middle) - thick - 0.05, np.maximum(-along, along - jaw - 0.05)), size), (0.1, 0.07, 0.08))
        draw.paint(image, blade, (0.9, 0.93, 0.97) if sign < 0 else (0.66, 0.69, 0.74))


def smoke(image, factors, dice, frames, size):
    """A whitish haze that drifts slowly, lifts the dark parts and lowers the contrast."""
    veil = draw.px(draw.is_value(factors, "smoke", "present") * dice.uniform(0.3, 0.37))
    first, last = draw.texture(dice, size, 4), draw.texture(dice, size, 4)
    time = draw.px(draw.clock(frames))
    draw.paint(image, veil * (1 + 0.22 * ((1 - time) * first + time * last)), (0.86, 0.88, 0.93))
