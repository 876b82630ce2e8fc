"""Simulated microscopy: a large cell that drifts across the field or divides in two, in three stains."""

import numpy as np

from . import draw
from .wording import captions, vary

NAME = "microscopy"
CATEGORY = "medical popular science"
FACTORS = {
    "stain": ("haematoxylin-eosin", "fluorescence", "phase contrast"),
    "event": ("drifting left", "drifting right", "dividing"),
    "density": ("sparse", "dense"),
}
MOTION = ("event",)

WORDS = {
    "stain": {
        "haematoxylin-eosin": "{haematoxylin and eosin|haematoxylin-eosin|H&E}",
        "fluorescence": "{fluorescence|fluorescence|fluorescent dye}",
        "phase contrast": "{phase contrast|phase-contrast optics|phase contrast}",
    },
    "under": {
        "haematoxylin-eosin": "{stained with <stain>|in a {haematoxylin and eosin|haematoxylin-eosin} stain}",
        "fluorescence": "{labelled with a fluorescent dye|seen by fluorescence microscopy|in fluorescence}",
        "phase contrast": "{seen by phase contrast microscopy|in phase contrast|viewed with phase-contrast optics}",
    },
    "look": {
        "haematoxylin-eosin": "{the nucleus is blue-violet and the cytoplasm pale pink|pale pink cytoplasm surrounds a violet nucleus}",
        "fluorescence": "{the cell glows green around a blue nucleus on a dark ground|a bright blue nucleus lies in glowing green "
                        "cytoplasm on a dark ground}",
        "phase contrast": "{a bright halo rims the pale, unstained cell on a grey ground|the unstained cell shines on grey, outlined by a "
                          "bright halo}",
    },
    "move": {
        "drifting left": "{drifts to the left|drifts leftwards|floats leftwards|moves to the left}",
        "drifting right": "{drifts to the right|drifts rightwards|floats rightwards|moves to the right}",
        "dividing": "{divides into two daughter cells|undergoes mitosis|divides in two|goes through cell division}",
    },
    "event": {
        "drifting left": "{leftward drift|drift to the left}",
        "drifting right": "{rightward drift|drift to the right}",
        "dividing": "{mitosis|cell division}",
    },
    "effect": {
        "drifting left": "{it comes in at one edge of the field and goes out at the other, always heading left|its whole body slides "
                         "leftwards without changing shape}",
        "drifting right": "{it comes in at one edge of the field and goes out at the other, always heading right|its whole body slides "
                          "rightwards without changing shape}",
        "dividing": "{it pinches in the middle and the two daughters move apart|the body stretches, narrows at its waist and splits, and "
                    "the daughter cells separate}",
    },
    "density": {
        "sparse": "{few other cells around it|a sparse field|a sparse, nearly empty background}",
        "dense": "{many crowded neighbours|densely packed cells around it|a dense field of neighbours}",
    },
    "field": {"sparse": "{sparse|sparsely populated}", "dense": "{dense|densely populated}"},
    "around": {
        "sparse": "{the rest of the field is sparse: open ground with hardly a neighbour|the field is sparse, so that the cell stands "
                  "almost alone}",
        "dense": "{the field is dense: neighbours lie close together on all sides|the field is dense, with many cells packed around}",
    },
}

BRIEF = (
    "{Microscopy|Light microscopy|Under the microscope}, {a cell|one large cell} <under> <move>; <density>.",
    "A {cell|large cell} <move> in a <field> {field|culture}, <under>.",
    "{Time-lapse|Microscope video|Microscopy video}: <event> of a cell <under>, <density>.",
    "<event> {under the microscope|in a microscope field}: a cell <under>, with <density>.",
    "{Cell|Single cell} <under>: it <move>, with <density>.",
)
FIRST = (
    "{This|The} {clip|video|time-lapse|sequence} {shows|presents} {living matter|the world of the cell|a cell} under the microscope.",
    "{Seen through|Filmed through|Looking down} a microscope, {one large cell|a large round cell} {takes the stage|is the subject of the "
    "clip}.",
    "{A microscopy time-lapse|A film from the microscope} {follows|is centred on} {one cell|a single large cell}.",
)
MIDDLE = (
    (
        "{The preparation is|The specimen is} <under>: <look>.",
        "<under>, {the picture is easy to read|the parts are easy to tell apart}: <look>.",
        "{In this view|Here} <look>; {the cell is|the specimen is} <under>.",
    ),
    ("<around>.", "{At this magnification|In this preparation} <around>."),
    (
        "{From the first frame to the last|Throughout the clip|Over the clip} the {cell|large cell} <move>: <effect>.",
        "The {cell|large cell} <move> {steadily|smoothly|without a pause}; <effect>.",
        "{In the course of the clip|During these frames|Frame by frame} the {cell|large cell} <move>, and <effect>.",
    ),
)
LAST = (
    "",
    "{Small specks of debris|A few specks} {stay where they are|do not move}.",
    "{The stage of the microscope|The field itself} {stays still|does not move}.",
    "{Its surroundings|The background} {remains|stays} {unchanged|the same} {meanwhile|all the while}.",
    "{The time-lapse makes a slow process visible|Hours pass in a second}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    source = {"stain": "stain", "under": "stain", "look": "stain", "move": "event", "event": "event", "effect": "event", "density": "density",
              "field": "density", "around": "density"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    return captions(BRIEF, (FIRST, MIDDLE, LAST), rng, **parts(factors))


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Cell, <event>|Under the microscope: <event>|Time-lapse of <event>}{| (<stain>)}", rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] of the listed factors (dicts of this module's FACTORS); `rng` a Generator or draw.Dice."""
    dice = draw.Dice.of(rng, len(factors))
    x, y = draw.grid(size)
    look = {"ground": [(0.76, 0.47, 0.62), (0.05, 0.07, 0.16), (0.40, 0.42, 0.42)], "body": [(0.99, 0.85, 0.92), (0.25, 0.90, 0.35), (0.80, 0.83, 0.80)],
            "nucleus": [(0.36, 0.18, 0.58), (0.3, 0.5, 1.0), (0.50, 0.53, 0.52)], "rim": [(0.80, 0.34, 0.58), (0.4, 1.0, 0.5), (0.99, 0.99, 0.97)]}
    which = [FACTORS["stain"].index(f["stain"]) for f in factors]
    look = {part: np.array(colours, np.float32)[which] + dice.uniform(-0.03, 0.03, (3,)) for part, colours in look.items()}
    image = draw.canvas(len(factors), 1, size, look["ground"])
    image += (draw.px(draw.pick(factors, "stain", haematoxylin_eosin=0.025, fluorescence=0.008, phase_contrast=0.02)) * draw.texture(dice, size, 9))[:, :, None]
    neighbours(image, factors, dice, look, x, y)
    image = np.repeat(image, frames, axis=1)
    focal(image, factors, dice, look, x, y, frames)
    image *= (1.03 - 0.08 * (x * x + y * y))[:, :, None]
    return draw.finish(image)


def neighbours(image, factors, dice, look, x, y):
    """Still background: rows of smaller cells above and below in a dense field, a few specks everywhere."""
    dense = draw.is_value(factors, "density", "dense")
    for cx, cy in [(-0.85, -0.78), (-0.3, -0.84), (0.27, -0.8), (0.82, -0.76), (-0.8, 0.8), (-0.25, 0.76), (0.3, 0.84), (0.86, 0.78)]:
        at_x, at_y, r = cx + dice.uniform(-0.07, 0.07), cy + dice.uniform(-0.06, 0.06), dice.uniform(0.22, 0.28)
        cell(image, draw.px(dense) * 0.9, look, [(at_x, at_y)], r, 0.5 * r, x, y)
    for _ in range(4):
        spot = draw.disc(x, y, dice.uniform(-1, 1), dice.sign() * dice.uniform(0.55, 1), dice.uniform(0.015, 0.04))
        draw.paint(image, 0.5 * spot, look["rim"])


def cell(image, strength, look, centres, r, nucleus, x, y, grain=None):
    """Paint a cell body with rim and nucleus; two centres make one body with a waist. `grain` makes outline and contents uneven."""
    size = y.shape[-2]
    body, core = (blend(x, y, centres, radius, soften) for radius, soften in ((r, 0.12), (nucleus, 0.03)))
    body, core = (body, core) if grain is None else (body + 0.025 * grain, core + 0.02 * grain)
    mottled = 0 if grain is None else 0.07 * grain[:, :, None]
    draw.paint(image, strength * 0.9 * draw.soft(np.abs(body) - 0.035, size, 0.09), look["rim"])
    draw.paint(image, strength * 0.85 * draw.soft(body + 0.03, size), draw.rgb(look["body"]) * (1 + mottled))
    draw.paint(image, strength * draw.soft(core, size, 0.06), draw.rgb(look["nucleus"]) * (1 + 2 * mottled))


def blend(x, y, centres, r, soften):
    """Signed distance to the smooth union (polynomial smooth minimum, Quilez) of discs of radius r around `centres`."""
    parts = [np.sqrt((x - draw.px(cx)) ** 2 + (y - draw.px(cy)) ** 2) - draw.px(r) for cx, cy in centres]
    distance = parts[0]
    for other in parts[1:]:
        h = np.clip(0.5 + 0.5 * (other - distance) / soften, 0, 1)
        distance = other + (distance - other) * h - soften * h * (1 - h)
    return distance


def focal(image, factors, dice, look, x, y, frames):
    """The large cell: it crosses the field, or stays in the middle and splits into two daughters that move apart."""
    pace = draw.clock(frames) ** dice.uniform(0.93, 1.08)[:, None]
    heading = draw.pick(factors, "event", drifting_left=-1, drifting_right=1, dividing=0)[:, None]
    divides = draw.is_value(factors, "event", "dividing")[:, None]
    cx = dice.uniform(-0.04, 0.04)[:, None] + heading * (2 * pace - 1) * dice.uniform(0.68, 0.76)[:, None]
    cy = dice.uniform(-0.06, 0.06)[:, None] + 0.03 * np.sin(2 * np.pi * (pace + dice.uniform()[:, None]))
    angle = dice.uniform(0.6, 0.8)[:, None]
    apart = divides * dice.uniform(0.54, 0.6)[:, None] * draw.ramp(pace, 0.08, 1.0)
    r = dice.uniform(0.43, 0.48)[:, None] * (1 - 0.25 * divides * draw.ramp(pace, 0.1, 0.7))
    dx, dy = apart * np.cos(angle), apart * np.sin(angle)
    centres = [(cx - dx, cy - dy), (cx + dx, cy + dy)]
    nucleus = dice.uniform(0.42, 0.5)[:, None] * r
    phase = dice.uniform(0, 2 * np.pi, (4,))
    waves = [np.sin(k * (np.cos(a) * (x - draw.px(cx)) + np.sin(a) * (y - draw.px(cy))) + draw.px(phase[:, i]))
             for i, (k, a) in enumerate(((7, 0.3), (9, 1.4), (11, 2.4), (17, 0.9)))]
    cell(image, 1.0, look, centres, r, nucleus, x, y, sum(waves) * 0.6)
    off = dice.uniform(-0.3, 0.3, (2,))
    for ax, ay in centres:                                      # a nucleolus gives each nucleus its own face
        draw.paint(image, 0.6 * draw.disc(x, y, ax + off[:, :1] * r * 0.6, ay + off[:, 1:] * r * 0.6, 0.13 * r), look["rim"])
