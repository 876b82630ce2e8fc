"""Simulated lecture slide: a schematic drawing with a title bar, and a pointer that crosses or circles."""

import numpy as np

from . import draw
from .wording import captions, vary

NAME = "slide"
CATEGORY = "medical teaching"
FACTORS = {
    "diagram": ("heart", "lungs", "kidney", "neuron"),
    "pointer": ("left to right", "right to left", "circling"),
    "theme": ("light", "dark"),
}
MOTION = ("pointer",)

WORDS = {
    "drawing": {
        "heart": "{the heart|a heart with its great vessels|the human heart}",
        "lungs": "{the lungs|the lungs and trachea|both lungs}",
        "kidney": "{the kidney|a kidney and its ureter|a kidney cut open}",
        "neuron": "{a neuron|a nerve cell|a neuron with its axon}",
    },
    "look": {
        "heart": "{a red muscular body carries the great vessels on top|red and blue parts stand for the two sides of the heart}",
        "lungs": "{two pink lobes hang on either side of the trachea|the trachea divides and leads to the two lungs}",
        "kidney": "{a bean-shaped outline encloses paler pyramids|the kidney is bean-shaped, and the ureter leaves it below}",
        "neuron": "{dendrites branch from a round cell body and a long axon leads away|the neuron has a star-shaped cell body and one "
                  "long axon}",
    },
    "move": {
        "left to right": "{moves from left to right|sweeps from left to right|crosses the slide from left to right}",
        "right to left": "{moves from right to left|sweeps from right to left|crosses the slide from right to left}",
        "circling": "{circles the drawing|moves in a circle|traces a full circle}",
    },
    "moving": {
        "left to right": "{moving|sweeping} from left to right",
        "right to left": "{moving|sweeping} from right to left",
        "circling": "{circling the drawing|moving in a circle}",
    },
    "effect": {
        "left to right": "{it starts at one margin and ends at the opposite one, straight across the picture|it runs rightwards across "
                         "the drawing in one line}",
        "right to left": "{it starts at one margin and ends at the opposite one, straight across the picture|it runs leftwards across "
                         "the drawing in one line}",
        "circling": "{it goes once all the way round and comes back to where it began|it follows a ring around the drawing and returns "
                    "to its start}",
    },
    "theme": {"light": "{light background|white background|light theme}", "dark": "{dark background|dark background colour|dark theme}"},
    "page": {
        "light": "{The page is white, with dark lines of text|Dark lines stand out on the <theme>}",
        "dark": "{The page is dark, with pale lines of text|Pale lines stand out on the <theme>}",
    },
    "spot": {"any": "{laser pointer|pointer|laser spot}"},
}

BRIEF = (
    "{Lecture slide|Teaching slide|Anatomy slide} of <drawing> {on a|with a} <theme>; {a|the} <spot> <move>.",
    "A <spot> <move> on a slide of <drawing>, <theme>.",
    "{Diagram|Schematic drawing|Drawing} of <drawing>, <theme>, {with a|and a} <spot> <moving>.",
    "{Medical lecture|Teaching video|Lesson}: <drawing> {drawn on|on} a <theme>, {while|as} a <spot> <move>.",
    "{Slide with|On a slide with} a <theme>: <drawing> and a <spot> <moving>.",
)
FIRST = (
    "{This|The} {clip|video|recording|sequence} {shows|is} a {slide from a medical lecture|teaching slide|lecture slide} {about|on} "
    "<drawing>.",
    "{In a medical lesson|In an anatomy lecture|During a lecture} {a slide presents|the screen shows} {a drawing of|a diagram of|a "
    "schematic of} <drawing>.",
    "{A lecturer explains|A teacher presents|The lesson deals with} <drawing> {on a projected slide|with the help of a slide}.",
)
MIDDLE = (
    (
        "{The drawing is simple|It is a simple schematic|The drawing is large and clear}: <look>.",
        "{In the middle|At the centre of the slide} <look>.",
    ),
    (
        "{The slide has|It uses|The designer chose} a <theme>{| with a coloured title bar| and a title bar at the top}.",
        "<page>; {in short, a|it is a} <theme>.",
    ),
    (
        "{From the first frame to the last|Throughout the clip|Over the clip} a {big|bright|round} <spot> <move>: <effect>.",
        "A {big|bright|round} <spot> <move> {steadily|smoothly|without a pause}; <effect>.",
        "{In the course of the clip|During these frames|Frame by frame} a {big|bright|round} <spot> <move>, and <effect>.",
    ),
)
LAST = (
    "",
    "The title and the text lines {are too small to read|are only indicated}.",
    "{The drawing itself|The slide itself} {stays still|does not change}.",
    "{Nothing else moves|Everything else stands still}.",
    "{A few lines of text|Short lines of text} stand {below the title|beside the drawing}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    source = {"drawing": "diagram", "look": "diagram", "move": "pointer", "moving": "pointer", "effect": "pointer", "theme": "theme", "page": "theme"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()} | {"spot": WORDS["spot"]["any"]}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    return captions(BRIEF, (FIRST, MIDDLE, LAST), rng, **parts(factors))


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Lecture: <drawing>|Anatomy basics - <drawing>|<drawing>, explained}{| (part {1|2|3|4})}", rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] of the listed factors (dicts of this module's FACTORS); `rng` a Generator or draw.Dice."""
    dice = draw.Dice.of(rng, len(factors))
    x, y = draw.grid(size)
    image = page(factors, dice, x, y)
    zoom, cx, cy, tilt = dice.uniform(0.97, 1.05), dice.uniform(-0.035, 0.035), 0.14 + dice.uniform(-0.03, 0.03), dice.uniform(-0.06, 0.06)
    u, v = draw.turn(x, y, tilt, cx, cy)
    u, v = u / draw.px(zoom), v / draw.px(zoom)
    hue = dice.uniform(-0.05, 0.05, (3,))
    for name, sketch in SKETCHES.items():
        rows = [i for i, f in enumerate(factors) if f["diagram"] == name]
        if rows:
            image[rows] = sketch(image[rows], u[rows], v[rows], hue[rows])
    image = np.repeat(image, frames, axis=1)
    pointer(image, factors, dice, frames, x, y)
    return draw.finish(image)


def page(factors, dice, x, y):
    """The still slide [N, 1, 3, S, S]: ground, a coloured title bar with a line of text, short text lines at the foot."""
    size, dark = y.shape[-2], draw.is_value(factors, "theme", "dark")
    ground = (1 - dark[:, None]) * np.array([[0.86, 0.86, 0.83]]) + dark[:, None] * np.array([[0.18, 0.2, 0.28]]) + dice.uniform(-0.025, 0.025, (3,))
    ink = (1 - dark[:, None]) * np.array([[0.3, 0.3, 0.34]]) + dark[:, None] * np.array([[0.72, 0.74, 0.78]])
    bar = np.array([[0.15, 0.32, 0.55]], np.float32) + dice.uniform(-0.12, 0.12, (3,))
    image = draw.canvas(len(factors), 1, size, ground)
    draw.paint(image, draw.box(x, y, 0, -0.86, 1.1, 0.14), bar)
    strokes(image, dice, x, y, -0.86, -0.85, dice.uniform(0.2, 0.7), 0.035, np.ones((len(factors), 3), np.float32))
    for row in (0.84, 0.94):
        strokes(image, dice, x, y, row, -0.9, dice.uniform(-0.3, 0.2), 0.022, ink)
    return image


def strokes(image, dice, x, y, row, start, end, half, ink):
    """One line of illegible text: a thin bar broken by gaps between words."""
    words = np.sin(x * draw.px(dice.uniform(14, 19)) + draw.px(dice.uniform(0, 6.3))) > -0.75
    line = draw.soft(np.maximum(np.abs(y - row) - half, np.maximum(start - x, x - draw.px(end))), y.shape[-2], 0.04)
    draw.paint(image, line * words, ink)


def heart(image, u, v, hue):
    """Red body with its apex at the lower right, a blue right side, aorta and pulmonary artery on top."""
    red, blue = np.float32([0.82, 0.16, 0.18]) + hue, np.float32([0.25, 0.36, 0.75]) + hue
    draw.paint(image, draw.capsule(u, v, -0.3, -0.1, -0.32, -0.6, 0.1), blue)
    draw.paint(image, draw.capsule(u, v, -0.05, -0.1, 0.02, -0.56, 0.13), red)
    draw.paint(image, draw.capsule(u, v, 0.02, -0.52, 0.3, -0.5, 0.11), red)
    draw.paint(image, draw.capsule(u, v, 0.2, -0.2, 0.45, -0.33, 0.09), blue)
    lean = u - 0.3 * v
    body = np.sqrt(lean * lean / (0.53 - 0.3 * np.clip(v, -0.4, 0.55)) ** 2 + ((v - 0.1) / 0.56) ** 2) - 1
    draw.paint(image, draw.soft(body * 0.45 - 0.04, v.shape[-2]), 0.45 * red)
    draw.paint(image, draw.soft(body * 0.45, v.shape[-2]), red)
    draw.paint(image, 0.9 * draw.soft(np.maximum(body * 0.45 + 0.06, lean + 0.1), v.shape[-2], 0.08), 0.6 * blue + 0.4 * red)
    return draw.paint(image, draw.capsule(u, v, 0.05, -0.25, 0.3, 0.4, 0.025), (1.0, 0.85, 0.5))


def lungs(image, u, v, hue):
    """Two pink lobes, the trachea and its two main bronchi."""
    pink, tube = np.float32([0.94, 0.55, 0.58]) + hue, np.float32([0.62, 0.74, 0.82]) + hue
    for side in (-1, 1):
        w = side * u
        shape = np.sqrt(((w - 0.42 - 0.12 * v) / (0.3 + 0.1 * v)) ** 2 + ((v - 0.02) / 0.58) ** 2) - 1
        lobe = np.maximum(shape * 0.3, 0.12 - w)
        draw.paint(image, draw.soft(lobe - 0.03, v.shape[-2]), 0.55 * pink)
        draw.paint(image, draw.soft(lobe, v.shape[-2]), pink)
        draw.paint(image, 0.6 * draw.soft(np.maximum(np.abs(v - 0.12 + 0.5 * (w - 0.4)) - 0.02, lobe), v.shape[-2]), 0.6 * pink)
    for x1, y1, r in ((0, -0.66, 0.085), (-0.34, 0.02, 0.06), (0.34, 0.02, 0.06)):
        draw.paint(image, draw.capsule(u, v, 0, -0.25, x1, y1, r), tube)
    return image


def kidney(image, u, v, hue):
    """A brown-red bean with paler cortex, dark pyramids around a yellow pelvis, and the ureter that leaves below."""
    brown, pale = np.float32([0.66, 0.25, 0.18]) + hue, np.float32([0.93, 0.66, 0.5]) + hue
    bean = np.maximum(np.sqrt((u / 0.5) ** 2 + (v / 0.68) ** 2) - 1, 0.28 / 0.5 - np.sqrt(((u - 0.56) / 0.5) ** 2 + (v / 0.5) ** 2)) * 0.5
    draw.paint(image, draw.soft(bean, v.shape[-2]), brown)
    draw.paint(image, draw.soft(bean + 0.1, v.shape[-2]), pale)
    draw.paint(image, draw.capsule(u, v, 0.3, 0.05, 0.42, 0.85, 0.055), np.float32([0.95, 0.8, 0.3]) + hue)
    for angle in np.linspace(0.62, 1.38, 5) * np.pi:
        c, s = np.cos(angle), np.sin(angle)
        draw.paint(image, draw.ellipse(u, v, 0.12 + 0.42 * c, 0.47 * s, 0.13, 0.085, np.arctan2(s * 0.47, c * 0.42)), 0.85 * brown)
    return draw.paint(image, draw.ellipse(u, v, 0.2, 0.0, 0.12, 0.22), np.float32([0.95, 0.8, 0.3]) + hue)


def neuron(image, u, v, hue):
    """A star-shaped cell body with dendrites, and a long axon with myelin and end branches."""
    violet, myelin = np.float32([0.55, 0.36, 0.75]) + hue, np.float32([0.95, 0.72, 0.3]) + hue
    for x1, y1 in ((-0.85, -0.3), (-0.62, -0.62), (-0.12, -0.64), (-0.82, 0.22), (-0.42, 0.5)):
        draw.paint(image, draw.capsule(u, v, -0.36, -0.16, x1, y1, 0.06), violet)
        draw.paint(image, draw.capsule(u, v, 0.5 * x1 - 0.18, 0.5 * y1 - 0.08, x1 + 0.16, y1 - 0.05, 0.03), violet)
    draw.paint(image, draw.capsule(u, v, -0.36, -0.16, 0.62, 0.42, 0.06), violet)
    for k in range(3):
        x0, y0 = 0.02 + 0.21 * k, 0.06 + 0.125 * k
        draw.paint(image, draw.capsule(u, v, x0, y0, x0 + 0.1, y0 + 0.06, 0.11), myelin)
    for x1, y1 in ((0.86, 0.3), (0.84, 0.52), (0.7, 0.64)):
        draw.paint(image, draw.capsule(u, v, 0.62, 0.42, x1, y1, 0.035), violet)
    draw.paint(image, draw.disc(u, v, -0.36, -0.16, 0.28), violet)
    return draw.paint(image, draw.disc(u, v, -0.36, -0.16, 0.1), 0.5 * violet)


SKETCHES = {"heart": heart, "lungs": lungs, "kidney": kidney, "neuron": neuron}


def pointer(image, factors, dice, frames, x, y):
    """A large green laser disc with a glow: straight across the slide, or once round the drawing from the top."""
    pace = draw.clock(frames) ** dice.uniform(0.95, 1.06)[:, None]
    across = draw.pick(factors, "pointer", left_to_right=1, right_to_left=-1, circling=0)[:, None]
    round_ = draw.is_value(factors, "pointer", "circling")[:, None]
    turn = 2 * np.pi * pace + dice.uniform(-0.1, 0.1)[:, None]
    radius = dice.uniform(0.57, 0.62)[:, None]
    cx = dice.uniform(-0.05, 0.05)[:, None] + across * (2 * pace - 1) * 0.82 + round_ * radius * np.sin(turn)
    cy = 0.12 + dice.uniform(-0.06, 0.06)[:, None] - round_ * radius * np.cos(turn)
    r = dice.uniform(0.24, 0.28)
    green = np.array([[0.1, 0.95, 0.25]], np.float32) + dice.uniform(-0.08, 0.05, (3,))
    draw.paint(image, 0.5 * draw.disc(x, y, cx, cy, r[:, None] * 1.25, 0.25), green)
    draw.paint(image, draw.disc(x, y, cx, cy, r), green)
    draw.paint(image, 0.8 * draw.disc(x, y, cx, cy, 0.4 * r, 0.15), (0.85, 1, 0.85))
