"""Simulated endoscopy: a tube or cavity with folds, seen by a camera that advances or withdraws."""

from .wording import paragraph, vary

NAME = "endoscopy"
CATEGORY = "clinical practice"
FACTORS = {"mucosa": ("normal", "inflamed"), "segment": ("colon", "stomach"), "camera": ("advancing", "withdrawing"),
           "polyp": ("none", "left wall", "right wall")}
MOTION = ("camera",)

WORDS = {
    "segment": {"colon": "{colon|large bowel|colon}", "stomach": "{stomach|gastric cavity|stomach}"},
    "procedure": {"colon": "{colonoscopy|endoscopy of the colon|lower endoscopy in the colon}",
                  "stomach": "{gastroscopy|endoscopy of the stomach|upper endoscopy in the stomach}"},
    "mucosa": {"normal": "{normal|healthy|unremarkable} mucosa", "inflamed": "{inflamed|red and inflamed|acutely inflamed} mucosa"},
    "look": {"normal": "{smooth, pale pink and evenly coloured|pink and glistening, with an even surface|calm, pale and smooth}",
             "inflamed": "{deep red and patchy|swollen and bright red|red, blotchy and irregular}"},
    "folds": {"colon": "{ring-like haustral folds|regular circular folds|haustral rings}",
              "stomach": "{thick longitudinal rugae|long gastric folds that run in depth|radial rugal folds}"},
    "polyp": {"none": "{no polyp|no visible polyp|no sign of a polyp}",
              "left wall": "{a polyp on the left wall|a rounded polyp arising from the left wall|a left-sided polyp}",
              "right wall": "{a polyp on the right wall|a rounded polyp arising from the right wall|a right-sided polyp}"},
    "move": {"advancing": "{the endoscope advances|the endoscope is pushed forward|the camera moves forward|the camera advances}",
             "withdrawing": "{the endoscope is withdrawn|the endoscope is pulled back|the camera moves backward|the camera withdraws}"},
    "moving": {"advancing": "{advancing|forward movement of} the endoscope", "withdrawing": "{withdrawing|backward movement of} the endoscope"},
    "effect": {"advancing": "{the dark lumen grows and the folds spread outwards past the lens|folds loom up and slide off the edges while the "
                            "dark opening widens|the opening ahead becomes larger and the walls pass by on all sides}",
               "withdrawing": "{the dark lumen shrinks and the folds close in around it|folds gather towards the centre while the dark "
                              "opening becomes smaller|the opening recedes into the distance and more wall comes into view}"},
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
    "{This is a passage from|The clip was recorded during|The clip comes from} <procedure>; {the picture|the view} {is lit from the tip of the scope|fills a round, dark-edged field}.",
)
MIDDLE = (
    ("{The wall is lined by|The lining is|One sees} <mucosa>, <look>.", "The surface is <look>, {as expected of|which is typical of|in keeping with} <mucosa>.",
     "<mucosa> {lines the wall|covers the wall|surrounds the lumen}; it {looks|appears} <look>."),
    ("The <segment> {is marked by|has|shows} <folds>.", "<folds> {frame|surround|lead the eye to} the dark lumen.",
     "{Around the lumen|Along the wall} {one sees|there are} <folds>."),
    ("{There is|The examiner sees|The view contains} <polyp>.", "{On inspection of the wall there is|The finding is} <polyp>.",
     "{During the pass|As the wall comes into view} {there is|one finds} <polyp>."),
    ("{From the first frame to the last|Throughout the clip|Over the whole clip} <move>, {so that|so} <effect>.", "<move> {steadily|without a pause|smoothly}: <effect>.",
     "{In the course of the clip|During these frames|Frame by frame} <move>; <effect>."),
)
LAST = ("", "", "{Moist highlights|Small reflections of the lamp} {move with|glide over} the {folds|wall}.", "{The image|The view} {stays in focus|is well lit} {all along|from start to end}.",
        "{The edges of the field fall into shadow|Light falls off towards the periphery}.")


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
