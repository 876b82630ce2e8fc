"""Simulated CT and MR: axial slices, scrolled through the body from head to feet or from feet to head.

Radiological convention: the patient's left is on the right of the image, the front of the body at the top.
"""

import re

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "ctmr"
CATEGORY = "medical imaging"
FACTORS = {"region": ("chest CT", "abdominal CT", "brain MRI"), "direction": ("head to feet", "feet to head"),
           "lesion": ("none", "left", "right"), "contrast": ("none", "enhanced")}
MOTION = ("direction",)

WORDS = {
    "region": {
        "chest CT": "{chest CT|CT of the chest|thoracic CT}",
        "abdominal CT": "{abdominal CT|CT of the abdomen|CT scan of the abdomen}",
        "brain MRI": "{brain MRI|MRI of the brain|MR scan of the brain}",
    },
    "organs": {
        "chest CT": "{the black lungs on both sides of the heart|the air-filled lungs, the mediastinum and the spine|"
                    "dark lungs framed by the ribs}",
        "abdominal CT": "{the liver, the kidneys and the bowel|liver, kidneys and spine in grey soft tissue|"
                        "the upper abdominal organs and the bowel}",
        "brain MRI": "{the brain inside the dark ring of the skull|grey and white matter with the dark ventricles|"
                     "both cerebral hemispheres and the ventricles}",
    },
    "direction": {
        "head to feet": "{scrolling from head to feet|moving from the head towards the feet|in craniocaudal order, head to feet}",
        "feet to head": "{scrolling from feet to head|moving from the feet towards the head|in caudocranial order, feet to head}",
    },
    "goes": {
        "head to feet": "{go from head to feet|move down from the head towards the feet|run craniocaudally, from head to feet}",
        "feet to head": "{go from feet to head|move up from the feet towards the head|run caudocranially, from feet to head}",
    },
    "lesion": {
        "none": "{no lesion|no focal lesion|no visible lesion}",
        "left": "{a lesion on the left|a left-sided lesion|a round lesion on the patient's left side}",
        "right": "{a lesion on the right|a right-sided lesion|a round lesion on the patient's right side}",
    },
    "lesionlook": {
        "none": "{the middle slices look clear|nothing abnormal turns up on the way|no bright spot interrupts the middle of the stack}",
        "left": "{in the middle of the stack it grows, is brightest, and fades again|"
                "it comes into view in the middle slices and disappears again}",
        "right": "{in the middle of the stack it grows, is brightest, and fades again|"
                 "it comes into view in the middle slices and disappears again}",
    },
    "contrast": {
        "none": "{without contrast|no contrast medium|without intravenous contrast}",
        "enhanced": "{with contrast enhancement|contrast-enhanced|after intravenous contrast}",
    },
    "contrastlook": {
        "none": "{vessels are no brighter than the tissue around them|the vessels keep the grey of soft tissue|"
                "blood looks as grey as muscle}",
        "enhanced": "{vessels and well perfused organs light up|the vessels shine brightly|blood vessels stand out in white}",
    },
}
JOURNEY = {
    ("chest CT", "head to feet"): "{from the narrow lung apices down to the dome of the liver|"
                                  "first the shoulders and small lung apices, then the heart, at last the liver}",
    ("chest CT", "feet to head"): "{from the dome of the liver up to the narrow lung apices|"
                                  "first the liver, then the heart, at last the small lung apices and shoulders}",
    ("abdominal CT", "head to feet"): "{from the broad liver down to the pelvic bones|"
                                      "first the liver, then the kidneys, at last the bowel and pelvis}",
    ("abdominal CT", "feet to head"): "{from the pelvic bones up to the broad liver|"
                                      "first the pelvis and bowel, then the kidneys, at last the liver}",
    ("brain MRI", "head to feet"): "{from the small vertex through the ventricles down to the skull base|"
                                   "first the vertex, then the ventricles, at last the cerebellum and eyes}",
    ("brain MRI", "feet to head"): "{from the skull base through the ventricles up to the small vertex|"
                                   "first the cerebellum and eyes, then the ventricles, at last the vertex}",
}
SOURCE = {"region": "region", "organs": "region", "direction": "direction", "goes": "direction", "lesion": "lesion", "lesionlook": "lesion",
          "contrast": "contrast", "contrastlook": "contrast"}
BRIEF = (
    "<region>, <contrast>, <direction>: <lesion>.",
    "{Axial slices|Slice stack}: <region>, <direction>, <contrast>, <lesion>.",
    "<region> <direction>; <lesion>, <contrast>.",
    "{Scroll|A scroll} through a <region>, <contrast>, with <lesion>, <direction>.",
)
FIRST = (
    "{This|The} {clip|sequence|stack} {scrolls through|pages through|presents} {axial slices|the axial slices} of a <region>, {with|"
    "showing} <organs>.",
    "{Axial images|Cross-sections} from a <region> {show|display} <organs>, {in radiological convention|"
    "in the usual radiological orientation}.",
    "{Slice by slice|One slice after another}, a <region> {reveals|brings up} <organs>.",
)
MIDDLE = (
    (
        "{The slices|The images} <goes>: <journey>.",
        "{Frame by frame|Throughout the clip} the {slices|images} <goes>, <journey>.",
        "{The order of slices is clear: they|In this clip the slices} <goes>, <journey>.",
    ),
    (
        "{There is|The reader finds|The stack contains} <lesion>; <lesionlook>.",
        "{As to findings, there is|The finding is} <lesion>: <lesionlook>.",
    ),
    (
        "{The scan was made as follows|Acquisition}: <contrast>; <contrastlook>.",
        "{Technique|Protocol}: <contrast>, so <contrastlook>.",
    ),
)
LAST = (
    "",
    "",
    "{The front of the body is at the top|Anterior is at the top of the image}.",
    "{The window|The grey scale} {stays the same|is unchanged} {throughout|from start to end}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    words = {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}
    return words | {"journey": JOURNEY[factors["region"], factors["direction"]]}


def article(text):
    """'a MRI' is said 'an MRI', and so is 'an abdominal CT'."""
    return re.sub(r"\b([Aa]) (?=MR|abdominal)", r"\1n ", text)


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return article(vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words)), article(paragraph(FIRST, MIDDLE, LAST, rng, **words))


def title(factors, rng):
    """What an uploader would call the video."""
    plan = "{<region>|Scroll through a <region>|<region> stack}{| <direction>}{| - <lesion>| (<contrast>)}"
    return article(vary(plan, rng, **parts(factors)))


def render(factors, rng, frames=9, size=64):
    """uint8 [N, T, S, S, 3] for a list of N factor dicts; one slice a frame, `feet to head` is the same stack in reverse order."""
    dice = draw.Dice.of(rng, len(factors))
    down = draw.is_value(factors, "direction", "head to feet")[:, None]
    lit = draw.is_value(factors, "contrast", "enhanced")
    side = draw.is_value(factors, "lesion", "left") - draw.is_value(factors, "lesion", "right")
    reach = dice.uniform(0.0, 0.05)[:, None] + dice.uniform(0.94, 0.98)[:, None] * draw.clock(frames)
    place = np.where(down > 0, reach, 1 - reach)
    x, y = draw.grid(size)
    x, y = draw.turn(x, y, dice.uniform(-0.07, 0.07), dice.uniform(-0.05, 0.05), dice.uniform(-0.05, 0.05))
    x, y = x / draw.px(dice.uniform(0.95, 1.06)), y / draw.px(dice.uniform(0.92, 1.05))
    spread = dice.uniform(0.92, 1.08, (3,))
    rough = draw.texture(dice, size, 14)
    spot = np.stack([side, dice.uniform(-0.05, 0.05), dice.uniform(0.19, 0.22), dice.uniform(-0.05, 0.05)], -1)
    image = np.empty((len(factors), frames, size, size), np.float32)
    for region, painter in PAINTERS.items():
        rows = np.array([f["region"] == region for f in factors])
        if rows.any():
            image[rows] = painter(x[rows], y[rows], place[rows], lit[rows, None], spread[rows], rough[rows], spot[rows])
    image = image * draw.px(dice.uniform(0.92, 1.06)) + 0.012 * draw.texture(dice, size, 30, frames)
    return draw.finish(image)


def lesion(image, x, y, place, spot, cx, cy, level):
    """A bright ball: a disc that grows and shrinks around the middle slice, on the patient's left (+x) or right (-x); side 0: none."""
    side, shift, radius, height = spot.T[:, :, None]
    away = (place - 0.5 - shift) / 0.41
    r = radius * np.sqrt(np.maximum(1 - away * away, 0)) * np.abs(side)
    draw.lay(image, draw.disc(x, y, side * cx, cy + height, r * 1.15), 0.25)
    draw.lay(image, draw.disc(x, y, side * cx, cy + height, r), level)


def body(x, y, place, rx, ry, fat, muscle):
    """An empty slice on the couch: skin and fat outside, muscle inside, spine at the back."""
    image = np.zeros(np.broadcast_shapes(draw.px(place).shape, x.shape, y.shape), np.float32)
    draw.lay(image, draw.soft(np.abs(y - 0.80 + 0.10 * x * x) - 0.022, y.shape[-2]), 0.30)
    draw.lay(image, draw.ellipse(x, y, 0, 0, rx, ry), fat)
    draw.lay(image, draw.ellipse(x, y, 0, 0, rx - 0.07, ry - 0.07), muscle)
    return image


def spine(image, x, y):
    draw.lay(image, draw.disc(x, y, 0, 0.40, 0.105), 0.92)
    draw.lay(image, draw.capsule(x, y, 0, 0.50, 0, 0.60, 0.035), 0.85)


def chest(x, y, place, lit, spread, rough, spot):
    """Lung apices and shoulders -> heart between large lungs -> dome of the liver."""
    rx, ry = 0.62 + 0.26 * draw.ramp(place, 0.0, 0.35), 0.46 + 0.20 * draw.ramp(place, 0.0, 0.5)
    image = body(x, y, place, rx, ry, 0.30, 0.48 + 0.12 * lit)
    shoulder = 1 - draw.ramp(place, 0.10, 0.35)
    for s in (-1, 1):
        draw.lay(image, draw.ellipse(x, y, s * 0.74, 0.05, 0.22, 0.26) * draw.px(shoulder), 0.50)
        draw.lay(image, draw.disc(x, y, s * 0.74, 0.05, 0.12) * draw.px(shoulder), 0.95)
        draw.lay(image, draw.capsule(x, y, s * 0.12, -0.32, s * 0.56, -0.24, 0.05) * draw.px(shoulder), 0.92)
    open_lung = 0.35 + 0.65 * draw.ramp(place, 0.0, 0.45)
    wide, tall = 0.29 * open_lung * spread[:, 0, None], 0.50 * open_lung * spread[:, 1, None]
    for s in (-1, 1):
        draw.lay(image, draw.ellipse(x, y, s * (0.20 + 0.22 * open_lung), 0.02, wide, tall), 0.06)
    liver, stomach = draw.ramp(place, 0.62, 1.0), draw.ramp(place, 0.75, 1.0)
    draw.lay(image, draw.ellipse(x, y, -0.40, -0.10, 0.44 * spread[:, 2, None] * liver, 0.46 * liver), 0.58 + 0.20 * lit)
    draw.lay(image, draw.ellipse(x, y, 0.42, -0.16, 0.26 * stomach, 0.30 * stomach), 0.40)
    vessel = 0.55 + 0.45 * lit
    heart = draw.ramp(place, 0.30, 0.52) * (1 - draw.ramp(place, 0.78, 0.98))
    draw.lay(image, draw.ellipse(x, y, 0.10, -0.10, 0.33 * heart * spread[:, 2, None], 0.27 * heart, 0.5), vessel)
    draw.lay(image, draw.disc(x, y, 0.02, -0.16, 0.13) * draw.px(1 - draw.ramp(place, 0.32, 0.5)), vessel)
    draw.lay(image, draw.disc(x, y, 0.13, 0.25, 0.085), vessel)
    draw.lay(image, draw.disc(x, y, 0, 0.07, 0.065) * draw.px(1 - draw.ramp(place, 0.35, 0.5)), 0.02)
    spine(image, x, y)
    lesion(image, x, y, place, spot, 0.47, 0.12, 0.98)
    return image


def abdomen(x, y, place, lit, spread, rough, spot):
    """Broad liver, stomach and spleen -> kidneys -> bowel and pelvic bones."""
    grow = (0.82 + 0.26 * place) * spread[:, 0, None]
    image = body(x, y, place, 0.86 * grow, 0.62 * grow, 0.22, 0.38 + 0.12 * lit) * (1 + 0.08 * rough)
    x, y = x / draw.px(grow), y / draw.px(grow)
    liver = 1 - draw.ramp(place, 0.25, 0.72)
    draw.lay(image, draw.ellipse(x, y, -0.36, -0.06, 0.44 * spread[:, 1, None] * liver, 0.44 * liver, 0.2), 0.58 + 0.24 * lit)
    draw.lay(image, draw.ellipse(x, y, -0.02, -0.28, 0.30 * liver, 0.17 * liver, 0.3), 0.58 + 0.24 * lit)
    draw.lay(image, draw.ellipse(x, y, 0.34, -0.22, 0.26 * liver, 0.20 * liver), 0.24)
    draw.lay(image, draw.ellipse(x, y, 0.60, 0.16, 0.13 * liver, 0.24 * liver, -0.3), 0.56 + 0.26 * lit)
    kidney = draw.ramp(place, 0.22, 0.42) * (1 - draw.ramp(place, 0.66, 0.84))
    for s in (-1, 1):
        draw.lay(image, draw.ellipse(x, y, s * 0.40, 0.28, 0.16 * kidney, 0.21 * kidney, s * 0.4), 0.54 + 0.46 * lit)
    bowel = draw.ramp(place, 0.45, 0.80)
    loops = ((-0.42, -0.22, 0.15), (-0.10, -0.34, 0.14), (0.26, -0.28, 0.16),
             (0.50, -0.06, 0.14), (-0.20, -0.06, 0.13), (0.14, -0.02, 0.13))
    for cx, cy, r in loops:
        draw.lay(image, draw.disc(x, y, cx * spread[:, 2], cy * spread[:, 1], r * bowel), 0.60)
        draw.lay(image, draw.disc(x, y, cx * spread[:, 2], (cy - 0.03) * spread[:, 1], 0.60 * r * bowel), 0.03)
    pelvis = draw.ramp(place, 0.66, 0.95)
    for s in (-1, 1):
        draw.lay(image, draw.capsule(x, y, s * 0.30, 0.42, s * 0.66, 0.02, 0.085 * pelvis), 0.97)
    draw.lay(image, draw.disc(x, y, 0.09, 0.20, 0.085), 0.52 + 0.48 * lit)
    draw.lay(image, draw.disc(x, y, -0.12, 0.20, 0.075), 0.50 + 0.38 * lit)
    spine(image, x, y)
    lesion(image, x, y, place, spot, 0.46, -0.06, 0.98)
    return image


def brain(x, y, place, lit, spread, rough, spot):
    """Small vertex -> hemispheres with ventricles -> cerebellum, skull base and eyes."""
    dome = np.sqrt(np.maximum(1 - (1 - np.minimum(place / 0.55, 1)) ** 2 * 0.80, 0.05))
    base = draw.ramp(place, 0.70, 1.0)
    rx, ry = 0.66 * dome * spread[:, 0, None] - 0.05 * base, 0.84 * dome
    image = np.zeros(np.broadcast_shapes(draw.px(place).shape, x.shape, y.shape), np.float32)
    draw.lay(image, draw.ellipse(x, y, 0, 0, rx, ry), 0.80)
    draw.lay(image, draw.ellipse(x, y, 0, 0, rx - 0.07, ry - 0.07), 0.04 + 0.60 * lit)
    inside = draw.ellipse(x, y, 0, 0, rx - 0.12, ry - 0.12)
    image += inside * (0.42 + 0.10 * draw.px(lit) + 0.07 * rough - image)
    white = (1 - base) * draw.ramp(place, 0.05, 0.3)
    for s in (-1, 1):
        draw.lay(image, draw.ellipse(x, y, s * 0.25 * dome, 0.0, 0.16 * dome, 0.52 * dome) * draw.px(white), 0.64)
    draw.lay(image, draw.capsule(x, y, 0, -ry + 0.14, 0, ry - 0.14, 0.018) * draw.px(1 - base), 0.12)
    open_horn = draw.ramp(place, 0.28, 0.42) * (1 - draw.ramp(place, 0.62, 0.76))
    for s in (-1, 1):
        for y0, x1, y1 in ((-0.06, 0.16, -0.30), (0.06, 0.17, 0.32)):
            draw.lay(image, draw.capsule(x, y, s * 0.06, y0, s * x1 * spread[:, 1], y1, 0.075 * open_horn * spread[:, 2, None]), 0.05)
        draw.lay(image, draw.ellipse(x, y, s * 0.21, 0.46, 0.22 * base, 0.24 * base), 0.62)
        draw.lay(image, draw.disc(x, y, s * 0.27, -0.58, 0.17 * base), 0.10)
        draw.lay(image, draw.disc(x, y, s * 0.27, -0.58, 0.06 * base), 0.85)
        draw.lay(image, draw.ellipse(x, y, s * 0.36, -0.10, 0.16 * base, 0.22 * base), 0.42)
    draw.lay(image, draw.disc(x, y, 0, 0.10, 0.14 * base), 0.66)
    draw.lay(image, draw.ellipse(x, y, 0, -0.46, 0.11 * base, 0.26 * base), 0.06)
    vein = 0.98 * lit
    for cy in (-1, 1):
        draw.lay(image, draw.disc(x, y, 0, cy * (ry - 0.14), 0.075) * draw.px(lit), vein)
    for s in (-1, 1):
        draw.lay(image, draw.disc(x, y, s * 0.10, 0.02, 0.055) * draw.px(lit), vein)
    lesion(image, x, y, place, spot, 0.32, 0.10, 1.0)
    return image


PAINTERS = {"chest CT": chest, "abdominal CT": abdomen, "brain MRI": brain}
