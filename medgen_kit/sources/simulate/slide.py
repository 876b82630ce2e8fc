"""Simulated lecture slide: a schematic drawing with a title bar, and a pointer that crosses or circles."""

from .wording import paragraph, vary

NAME = "slide"
CATEGORY = "medical teaching"
FACTORS = {"diagram": ("heart", "lungs", "kidney", "neuron"), "pointer": ("left to right", "right to left", "circling"), "theme": ("light", "dark")}
MOTION = ("pointer",)

WORDS = {
    "drawing": {"heart": "{the heart|a heart with its great vessels|the human heart}", "lungs": "{the lungs|the lungs and trachea|both lungs}",
                "kidney": "{the kidney|a kidney and its ureter|a kidney cut open}", "neuron": "{a neuron|a nerve cell|a neuron with its axon}"},
    "look": {"heart": "{a red muscular body carries the great vessels on top|red and blue parts stand for the two sides of the heart}",
             "lungs": "{two pink lobes hang on either side of the trachea|the trachea divides and leads to the two lungs}",
             "kidney": "{a bean-shaped outline encloses paler pyramids|the kidney is bean-shaped, and the ureter leaves it below}",
             "neuron": "{dendrites branch from a round cell body and a long axon leads away|the neuron has a star-shaped cell body and one long axon}"},
    "move": {"left to right": "{moves from left to right|sweeps from left to right|crosses the slide from left to right}",
             "right to left": "{moves from right to left|sweeps from right to left|crosses the slide from right to left}",
             "circling": "{circles the drawing|moves in a circle|traces a full circle}"},
    "moving": {"left to right": "{moving|sweeping} from left to right", "right to left": "{moving|sweeping} from right to left",
               "circling": "{circling the drawing|moving in a circle}"},
    "effect": {"left to right": "{it starts at one margin and ends at the opposite one, straight across the picture|it runs rightwards across the drawing in one line}",
               "right to left": "{it starts at one margin and ends at the opposite one, straight across the picture|it runs leftwards across the drawing in one line}",
               "circling": "{it goes once all the way round and comes back to where it began|it follows a ring around the drawing and returns to its start}"},
    "theme": {"light": "{light background|white background|light theme}", "dark": "{dark background|black background|dark theme}"},
    "page": {"light": "{The page is white, with dark lines of text|Dark lines stand out on the <theme>}",
             "dark": "{The page is nearly black, with pale lines of text|Pale lines stand out on the <theme>}"},
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
    "{This|The} {clip|video|recording|sequence} {shows|is} a {slide from a medical lecture|teaching slide|lecture slide} {about|on} <drawing>.",
    "{In a medical lesson|In an anatomy lecture|During a lecture} {a slide presents|the screen shows} {a drawing of|a diagram of|a schematic of} <drawing>.",
    "{A lecturer explains|A teacher presents|The lesson deals with} <drawing> {on a projected slide|with the help of a slide}.",
)
MIDDLE = (
    ("{The drawing is simple|It is a simple schematic|The drawing is large and clear}: <look>.", "{In the middle|At the centre of the slide} <look>."),
    ("{The slide has|It uses|The designer chose} a <theme>{| with a coloured title bar| and a title bar at the top}.", "<page>; {in short, a|it is a} <theme>."),
    ("{From the first frame to the last|Throughout the clip|Over the clip} a {big|bright|round} <spot> <move>: <effect>.", "A {big|bright|round} <spot> <move> {steadily|smoothly|without a pause}; <effect>.",
     "{In the course of the clip|During these frames|Frame by frame} a {big|bright|round} <spot> <move>, and <effect>."),
)
LAST = ("", "The title and the text lines {are too small to read|are only indicated}.", "{The drawing itself|The slide itself} {stays still|does not change}.",
        "{Nothing else moves|Everything else stands still}.", "{A few lines of text|Short lines of text} stand {below the title|beside the drawing}.")


def parts(factors):
    """The words of this clip's factor values."""
    source = {"drawing": "diagram", "look": "diagram", "move": "pointer", "moving": "pointer", "effect": "pointer", "theme": "theme", "page": "theme"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()} | {"spot": WORDS["spot"]["any"]}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Lecture: <drawing>|Anatomy basics - <drawing>|<drawing>, explained}{| (part {1|2|3|4})}", rng, **parts(factors))
