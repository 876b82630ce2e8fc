"""Simulated microscopy: a large cell that drifts across the field or divides in two, in three stains."""

from .wording import paragraph, vary

NAME = "microscopy"
CATEGORY = "medical popular science"
FACTORS = {"stain": ("haematoxylin-eosin", "fluorescence", "phase contrast"), "event": ("drifting left", "drifting right", "dividing"),
           "density": ("sparse", "dense")}
MOTION = ("event",)

WORDS = {
    "stain": {"haematoxylin-eosin": "{haematoxylin and eosin|haematoxylin-eosin|H&E}", "fluorescence": "{fluorescence|fluorescence|fluorescent dye}",
              "phase contrast": "{phase contrast|phase-contrast optics|phase contrast}"},
    "under": {"haematoxylin-eosin": "{stained with <stain>|in a {haematoxylin and eosin|haematoxylin-eosin} stain}", "fluorescence": "{labelled with a fluorescent dye|seen by fluorescence microscopy|in fluorescence}",
              "phase contrast": "{seen by phase contrast microscopy|in phase contrast|viewed with phase-contrast optics}"},
    "look": {"haematoxylin-eosin": "{the nucleus is blue-violet and the cytoplasm pink|pink cytoplasm surrounds a violet nucleus}",
             "fluorescence": "{the cell glows green around a blue nucleus on black|a bright blue nucleus lies in glowing green cytoplasm on a black ground}",
             "phase contrast": "{a bright halo rims the grey, transparent cell|the grey, unstained cell is outlined by a bright halo}"},
    "move": {"drifting left": "{drifts to the left|drifts leftwards|floats leftwards|moves to the left}",
             "drifting right": "{drifts to the right|drifts rightwards|floats rightwards|moves to the right}",
             "dividing": "{divides into two daughter cells|undergoes mitosis|divides in two|goes through cell division}"},
    "event": {"drifting left": "{leftward drift|drift to the left}", "drifting right": "{rightward drift|drift to the right}",
              "dividing": "{mitosis|cell division}"},
    "effect": {"drifting left": "{it comes in at one edge of the field and goes out at the other, always heading left|its whole body slides leftwards without changing shape}",
               "drifting right": "{it comes in at one edge of the field and goes out at the other, always heading right|its whole body slides rightwards without changing shape}",
               "dividing": "{it pinches in the middle and the two daughters move apart|the body stretches, narrows at its waist and splits, and the daughter cells separate}"},
    "density": {"sparse": "{few other cells around it|a sparse field|a sparse, nearly empty background}",
                "dense": "{many crowded neighbours|densely packed cells around it|a dense field of neighbours}"},
    "field": {"sparse": "{sparse|sparsely populated}", "dense": "{dense|densely populated}"},
    "around": {"sparse": "{the rest of the field is sparse: open ground with hardly a neighbour|the field is sparse, so that the cell stands almost alone}",
               "dense": "{the field is dense: neighbours lie close together on all sides|the field is dense, with many cells packed around}"},
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
    "{Seen through|Filmed through|Looking down} a microscope, {one large cell|a large round cell} {takes the stage|is the subject of the clip}.",
    "{A microscopy time-lapse|A film from the microscope} {follows|is centred on} {one cell|a single large cell}.",
)
MIDDLE = (
    ("{The preparation is|The specimen is} <under>: <look>.", "<under>, {the picture is easy to read|the parts are easy to tell apart}: <look>.", "{In this view|Here} <look>; {the cell is|the specimen is} <under>."),
    ("<around>.", "{At this magnification|In this preparation} <around>."),
    ("{From the first frame to the last|Throughout the clip|Over the clip} the {cell|large cell} <move>: <effect>.", "The {cell|large cell} <move> {steadily|smoothly|without a pause}; <effect>.",
     "{In the course of the clip|During these frames|Frame by frame} the {cell|large cell} <move>, and <effect>."),
)
LAST = ("", "{Small specks of debris|A few specks} {stay where they are|do not move}.", "{The stage of the microscope|The field itself} {stays still|does not move}.",
        "{Its surroundings|The background} {remains|stays} {unchanged|the same} {meanwhile|all the while}.", "{The time-lapse makes a slow process visible|Hours pass in a second}.")


def parts(factors):
    """The words of this clip's factor values."""
    source = {"stain": "stain", "under": "stain", "look": "stain", "move": "event", "event": "event", "effect": "event", "density": "density",
              "field": "density", "around": "density"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Cell, <event>|Under the microscope: <event>|Time-lapse of <event>}{| (<stain>)}", rng, **parts(factors))
