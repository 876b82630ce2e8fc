"""Simulated laparoscopy: a metal grasper that enters or leaves in front of an abdominal organ, with or without smoke."""

from .wording import paragraph, vary

NAME = "laparoscopy"
CATEGORY = "clinical practice"
FACTORS = {"instrument": ("entering", "withdrawing"), "side": ("left", "right"), "smoke": ("none", "present"),
           "tissue": ("liver", "fat", "gallbladder")}
MOTION = ("instrument",)

WORDS = {
    "tool": {"any": "{grasper|surgical grasper|laparoscopic grasper}"},
    "move": {"entering": "{a <tool> enters from the <side>|a <tool> is introduced from the <side>|a <tool> is inserted from the <side> side}",
             "withdrawing": "{a <tool> is withdrawn to the <side>|a <tool> is pulled back to the <side>|a <tool> retreats to the <side> side}"},
    "moving": {"entering": "{insertion|introduction|entry} of a <tool> from the <side>",
               "withdrawing": "{withdrawal|retraction} of a <tool> {to|towards} the <side>"},
    "effect": {"entering": "{its tip comes in from the edge and ends beyond the middle of the picture|more and more of the shaft comes into view until the jaws "
                           "reach past the centre|the jaws appear at the border and move deep into the field}",
               "withdrawing": "{its tip leaves the middle of the picture and disappears over the edge|less and less of the shaft can be seen until the jaws have "
                              "left the picture|the jaws back away from the centre and go out of sight}"},
    "tissue": {"liver": "{the liver|the surface of the liver|liver tissue}", "fat": "{adipose tissue|yellow adipose tissue|fatty tissue}",
               "gallbladder": "{the gallbladder|the wall of the gallbladder|the fundus of the gallbladder}"},
    "look": {"liver": "{dark reddish brown and smooth, with a sharp edge|smooth, firm and brown-red}",
             "fat": "{yellow, soft and lobulated|bright yellow and divided into small lobules}",
             "gallbladder": "{pear-shaped, smooth and grey-green|rounded, tense and greenish, with fine vessels}"},
    "smoke": {"none": "{no surgical smoke|no smoke|no trace of smoke}", "present": "{surgical smoke|a haze of surgical smoke|smoke from the diathermy}"},
    "haze": {"none": "{There is <smoke>, so the colours are clear|With <smoke> in the way the picture is crisp|<smoke> hangs in front of the lens and "
                     "contrast is good}",
             "present": "{<smoke> hangs in front of the lens and washes out the colours|A whitish veil lies over everything: <smoke>|<smoke> lowers the "
                        "contrast and whitens the picture}"},
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
    "{Laparoscopic video|A laparoscopic view|A view from keyhole surgery} of <tissue> {fills the frame|is shown under the cold light of the scope}.",
)
MIDDLE = (
    ("{Behind the instrument lies|The background is|The field is filled by} <tissue>, <look>.", "<tissue> {takes up the field|forms the background}; it {is|looks} <look>.",
     "{One recognises|The operator sees} <tissue>, which is <look>."),
    ("<haze>.", "<haze>."),
    ("{From the first frame to the last|Throughout the clip|Over the clip} <move>: <effect>.", "<move> {steadily|in one smooth stroke|without a pause}, and <effect>.",
     "{In the course of the clip|During these frames|Frame by frame} <move>; <effect>."),
    ("{Its|The} bright metal shaft {reflects the light|shines in the lamp} and ends in {two jaws|a pair of jaws|hinged jaws}.",
     "{The instrument has|One can make out} a {shiny|bright|polished} steel shaft and {two jaws|an open pair of jaws} at its tip."),
)
LAST = ("", "", "The camera itself {stays still|does not move|is held steady}.", "{The organ|The tissue} {hardly moves|stays in place} {all the while|meanwhile}.",
        "{Only the instrument moves|Nothing but the instrument moves}.")


def parts(factors):
    """The words of this clip's factor values."""
    source = {"move": "instrument", "moving": "instrument", "effect": "instrument", "tissue": "tissue", "look": "tissue", "smoke": "smoke", "haze": "smoke"}
    return {word: WORDS[word][factors[factor]] for word, factor in source.items()} | {"side": factors["side"], "tool": WORDS["tool"]["any"]}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Laparoscopy, <tissue>|Keyhole surgery: <moving>|Laparoscopic case - <tissue>}{| (<smoke>)}", rng, **parts(factors))
