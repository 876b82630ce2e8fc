"""Simulated endoscopy: a tube or cavity with folds, seen by a camera that advances or withdraws."""

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "endoscopy"
CATEGORY = "clinical practice"
FACTORS = {
    "mucosa": ("normal", "inflamed"),
    "segment": ("colon", "stomach"),
    "camera": ("advancing", "withdrawing"),
    "polyp": ("none", "left wall", "right wall"),
}
MOTION = ("camera",)

WORDS = {
    "segment": {"colon": "{colon|large bowel|colon}", "stomach": "{stomach|gastric cavity|stomach}"},
    "procedure": {
        "colon": "{colonoscopy|endoscopy of the colon|lower endoscopy in the colon}",
        "stomach": "{gastroscopy|endoscopy of the stomach|upper endoscopy in the stomach}",
    },
    "mucosa": {"normal": "{normal|healthy|unremarkable} mucosa", "inflamed": "{inflamed|red and inflamed|acutely inflamed} mucosa"},
    "look": {
        "normal": "{smooth, pale pink and evenly coloured|pink and glistening, with an even surface|calm, pale and smooth}",
        "inflamed": "{deep red and patchy|swollen and bright red|red, blotchy and irregular}",
    },
    "folds": {
        "colon": "{ring-like haustral folds|regular circular folds|haustral rings}",
        "stomach": "{thick longitudinal rugae|long gastric folds that run in depth|radial rugal folds}",
    },
    "polyp": {
        "none": "{no polyp|no visible polyp|no sign of a polyp}",
        "left wall": "{a polyp on the left wall|a rounded polyp arising from the left wall|a left-sided polyp}",
        "right wall": "{a polyp on the right wall|a rounded polyp arising from the right wall|a right-sided polyp}",
    },
    "move": {
        "advancing": "{the endoscope advances|the endoscope is pushed forward|the camera moves forward|the camera advances}",
        "withdrawing": "{the endoscope is withdrawn|the endoscope is pulled back|the camera moves backward|the camera withdraws}",
    },
    "moving": {
        "advancing": "{advancing|forward movement of} the endoscope",
        "withdrawing": "{withdrawing|backward movement of} the endoscope",
    },
    "effect": {
        "advancing": "{the dark lumen grows and the folds spread outwards past the lens|folds loom up and slide off the edges while the "
                     "dark opening widens|the opening ahead becomes larger and the walls pass by on all sides}",
        "withdrawing": "{the dark lumen shrinks and the folds close in around it|folds gather towards the centre while the dark opening "
                       "becomes smaller|the opening recedes into the distance and more wall comes into view}",
    },
}

BRIEF = (
    "<procedure>: <move>, <mucosa>, <polyp>.",
    "{Inside the|View of the} <segment> with <mucosa> and <polyp> {as|while} <move>.",
    "<move> {through|in} the <segment>; <mucosa>, <polyp>.",
    "{Endoscopic video|Endoscopy}: <segment>, <mucosa>, <polyp>; <move>.",
    "<moving> in the <segment>, {showing|with} <mucosa> and <polyp>.",
)
FIRST = (
    "{This|The} {clip|recording|video|sequence} {shows|presents|gives} {an endoscopic view of|the inside of|a look into} the <segment> "
    "{as seen through a flexible scope|under white light|filmed during an examination}.",
    "{A flexible endoscope|An endoscope with its own light} {looks into|films|examines} the <segment>.",
    "{This is a passage from|The clip was recorded during|The clip comes from} <procedure>; {the picture|the view} {is lit from the tip "
    "of the scope|fills a round, dark-edged field}.",
)
MIDDLE = (
    (
        "{The wall is lined by|The lining is|One sees} <mucosa>, <look>.",
        "The surface is <look>, {as expected of|which is typical of|in keeping with} <mucosa>.",
        "<mucosa> {lines the wall|covers the wall|surrounds the lumen}; it {looks|appears} <look>.",
    ),
    (
        "The <segment> {is marked by|has|shows} <folds>.",
        "<folds> {frame|surround|lie around} the dark lumen.",
        "{Around the lumen|Along the wall} {one sees|there are} <folds>.",
    ),
    (
        "{There is|The examiner sees|The view contains} <polyp>.",
        "{On inspection of the wall there is|The finding is} <polyp>.",
        "{During the pass|As the wall comes into view} {there is|one finds} <polyp>.",
    ),
    (
        "{From the first frame to the last|Throughout the clip|Over the whole clip} <move>, {so that|so} <effect>.",
        "<move> {steadily|without a pause|smoothly}: <effect>.",
        "{In the course of the clip|During these frames|Frame by frame} <move>; <effect>.",
    ),
)
LAST = (
    "",
    "",
    "{Moist highlights|Small reflections of the lamp} {move with|glide over} the {folds|wall}.",
    "{The image|The view} {stays in focus|is well lit} {all along|from start to end}.",
    "{The edges of the field fall into shadow|Light falls off towards the periphery}.",
)


def parts(factors):
    """The words of this clip's factor values."""
    source = {"segment": "segment", "procedure": "segment", "folds": "segment", "mucosa": "mucosa", "look": "mucosa", "polyp": "polyp",
              "move": "camera", "moving": "camera", "effect": "camera"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    brief = vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words)
    return brief, paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{<procedure>|Scope in the <segment>|Endoscopy case, <segment>}{| - <mucosa>| (<polyp>)}", rng, **parts(factors))


def render(factors, rng, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] of the listed factors (dicts of this module's FACTORS); `rng` a Generator or draw.Dice."""
    dice = draw.Dice.of(rng, len(factors))
    travel = dice.uniform(1.07, 1.17)
    pace = draw.clock(frames) ** dice.uniform(0.92, 1.1)[:, None]
    forward = draw.is_value(factors, "camera", "advancing")[:, None]
    zoom = travel[:, None] * (forward * pace + (1 - forward) * (1 - pace))
    x, y = draw.grid(size)
    sway = 0.025 * np.sin(2 * np.pi * (draw.clock(frames)[:, :, None] + dice.uniform(0, 1, (1, 2))))
    centre = dice.uniform(-0.05, 0.05, (1, 2)) + sway
    u, v = x - draw.px(centre[..., 0]), y - draw.px(centre[..., 1])
    rho, theta = np.sqrt(u * u + v * v) + 1e-3, np.arctan2(v, u)
    rho = rho * (1 + 0.07 * np.cos(3 * theta + draw.px(dice.uniform(-0.6, 0.6))))
    depth = np.log(rho) - draw.px(zoom)                      # constant along the wall: a step forward is a shift
    image = wall(factors, dice, depth, theta)
    opening = draw.px(np.log(draw.pick(factors, "segment", colon=0.14, stomach=0.19) * dice.uniform(0.9, 1.1)))
    light = draw.ramp(depth - opening, -0.12, 0.5) * (1.1 - 0.3 * rho)
    image *= (0.04 + 0.96 * light)[:, :, None]
    glints(image, dice, zoom, centre, x, y)
    polyps(image, factors, dice, zoom, centre, x, y)
    image *= draw.ramp(1.12 - np.sqrt(x * x + y * y), 0, 0.14)[:, :, None]
    return draw.finish(image)


def wall(factors, dice, depth, theta):
    """The lit wall [N, T, 3, S, S]: folds (rings in the colon, radial rugae in the stomach) over pink or red, patchy mucosa."""
    steps = 2 * np.pi * depth / draw.px(dice.uniform(0.57, 0.61)) + draw.px(dice.uniform(-0.45, 0.45))
    rings = np.cos(steps - 0.7 * np.sin(steps + 0.5))        # broad bright folds, each with a narrow shadow behind it
    bend = draw.px(dice.uniform(-0.1, 0.2)) * depth + 0.12 * np.sin(3 * depth + draw.px(dice.uniform(-0.8, 0.8)))
    rugae = np.cos(8 * (theta + bend) + draw.px(dice.uniform(-0.6, 0.6)))
    colon = draw.px(draw.is_value(factors, "segment", "colon"))
    folds = colon * rings + (1 - colon) * rugae
    folds = folds * (1.2 - 0.2 * folds)                      # narrow dark grooves between broad folds
    red = draw.is_value(factors, "mucosa", "inflamed")
    phase = dice.uniform(0, 2 * np.pi, (4,))
    patches = (np.cos(2 * theta + 5 * depth + draw.px(phase[:, 0])) * np.cos(3 * theta - 4 * depth + draw.px(phase[:, 1]))
               + 0.6 * np.cos(5 * theta + 9 * depth + draw.px(phase[:, 2])))
    pink = np.array([[0.95, 0.64, 0.57]], np.float32) + dice.uniform(-0.04, 0.04, (3,))
    sore = np.array([[0.84, 0.22, 0.17]], np.float32) + dice.uniform(-0.04, 0.04, (3,))
    colour = (1 - red[:, None]) * pink + red[:, None] * sore
    shade = 0.82 + 0.24 * folds + (0.04 + 0.1 * draw.px(red)) * patches
    image = draw.rgb(colour) * shade[:, :, None]
    pus = draw.px(red) * draw.ramp(patches, 0.75, 1.3) * 0.5
    return draw.paint(image, pus, (0.95, 0.78, 0.6))


def polyps(image, factors, dice, zoom, centre, x, y):
    """A round polyp on the left or the right wall, larger and nearer to the edge when the camera is close."""
    side = draw.pick(factors, "polyp", none=0, left_wall=-1, right_wall=1)
    near = np.exp(0.3 * (zoom - 0.7))
    cx, cy = centre[..., 0] + side[:, None] * dice.uniform(0.54, 0.62)[:, None] * near, dice.uniform(-0.12, 0.2)[:, None] * near
    r = dice.uniform(0.3, 0.35)[:, None] * near
    there = draw.px(np.abs(side))
    draw.paint(image, there * 0.55 * draw.disc(x, y, cx - 0.12 * side[:, None] * r, cy + 0.18 * r, 1.15 * r, 0.15), (0.35, 0.08, 0.06))
    head = there * draw.ellipse(x, y, cx, cy, r, r * dice.uniform(0.8, 1.1)[:, None], 0.0, 0.14)
    dome = np.sqrt((x - draw.px(cx - 0.2 * r)) ** 2 + (y - draw.px(cy - 0.25 * r)) ** 2) / draw.px(r)
    bumps = np.cos(3.4 * ((x - draw.px(cx)) + 0.7 * (y - draw.px(cy))) / draw.px(r) + draw.px(dice.uniform(0, 6.3)))
    tone = np.array([[0.97, 0.5, 0.42]], np.float32) + dice.uniform(-0.05, 0.05, (3,))
    draw.paint(image, head, draw.rgb(tone) * (1.2 - 0.5 * np.minimum(dome, 1.4) + 0.05 * bumps)[:, :, None])
    draw.paint(image, there * 0.7 * draw.disc(x, y, cx - 0.3 * r, cy - 0.35 * r, 0.14 * r, 0.12), (1, 0.95, 0.92))


def glints(image, dice, zoom, centre, x, y, count=3):
    """Moist highlights: small white spots that travel with the wall."""
    for _ in range(count):
        angle, far = dice.uniform(0, 2 * np.pi)[:, None], dice.uniform(0.3, 0.55)[:, None] * np.exp(0.6 * (zoom - 0.6))
        cx, cy = centre[..., 0] + far * np.cos(angle), centre[..., 1] + far * np.sin(angle)
        draw.paint(image, 0.7 * draw.ellipse(x, y, cx, cy, 0.05 + 0.04 * far, 0.03 + 0.02 * far, angle + np.pi / 2, 0.06), (1, 0.97, 0.95))
