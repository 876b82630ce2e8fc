"""Simulated CT and MR: axial slices, scrolled through the body from head to feet or from feet to head.

Radiological convention: the patient's left is on the right of the image, the front of the body at the top.
"""

import re

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "ctmr"
CATEGORY = "medical imaging"
FACTORS = {"region": ("chest CT", "abdominal CT", "brain MRI"), "direction": ("head to feet", "feet to head"), "lesion": ("none", "left", "right"),
           "contrast": ("none", "enhanced")}
MOTION = ("direction",)

WORDS = {
    "region": {"chest CT": "{chest CT|CT of the chest|thoracic CT}", "abdominal CT": "{abdominal CT|CT of the abdomen|CT scan of the abdomen}",
               "brain MRI": "{brain MRI|MRI of the brain|MR scan of the brain}"},
    "organs": {"chest CT": "{the black lungs on both sides of the heart|the air-filled lungs, the mediastinum and the spine|dark lungs framed by the ribs}",
               "abdominal CT": "{the liver, the kidneys and the bowel|liver, kidneys and spine in grey soft tissue|the upper abdominal organs and the bowel}",
               "brain MRI": "{the brain inside the dark ring of the skull|grey and white matter with the dark ventricles|both cerebral hemispheres and the ventricles}"},
    "direction": {"head to feet": "{scrolling from head to feet|moving from the head towards the feet|in craniocaudal order, head to feet}",
                  "feet to head": "{scrolling from feet to head|moving from the feet towards the head|in caudocranial order, feet to head}"},
    "goes": {"head to feet": "{go from head to feet|move down from the head towards the feet|run craniocaudally, from head to feet}",
             "feet to head": "{go from feet to head|move up from the feet towards the head|run caudocranially, from feet to head}"},
    "lesion": {"none": "{no lesion|no focal lesion|no visible lesion}",
               "left": "{a lesion on the left|a left-sided lesion|a round lesion on the patient's left side}",
               "right": "{a lesion on the right|a right-sided lesion|a round lesion on the patient's right side}"},
    "lesionlook": {"none": "{the middle slices look clear|nothing abnormal turns up on the way|no bright spot interrupts the middle of the stack}",
                   "left": "{in the middle of the stack it grows, is brightest, and fades again|it comes into view in the middle slices and disappears again}",
                   "right": "{in the middle of the stack it grows, is brightest, and fades again|it comes into view in the middle slices and disappears again}"},
    "contrast": {"none": "{without contrast|no contrast medium|without intravenous contrast}",
                 "enhanced": "{with contrast enhancement|contrast-enhanced|after intravenous contrast}"},
    "contrastlook": {"none": "{vessels are no brighter than the tissue around them|the vessels keep the grey of soft tissue|blood looks as grey as muscle}",
                     "enhanced": "{vessels and well perfused organs light up|the vessels shine brightly|blood vessels stand out in white}"},
}
JOURNEY = {
    ("chest CT", "head to feet"): "{from the narrow lung apices down to the dome of the liver|first the shoulders and small lung apices, then the heart, at last the liver}",
    ("chest CT", "feet to head"): "{from the dome of the liver up to the narrow lung apices|first the liver, then the heart, at last the small lung apices and shoulders}",
    ("abdominal CT", "head to feet"): "{from the broad liver down to the pelvic bones|first the liver, then the kidneys, at last the bowel and pelvis}",
    ("abdominal CT", "feet to head"): "{from the pelvic bones up to the broad liver|first the pelvis and bowel, then the kidneys, at last the liver}",
    ("brain MRI", "head to feet"): "{from the small vertex through the ventricles down to the skull base|first the vertex, then the ventricles, at last the cerebellum and eyes}",
    ("brain MRI", "feet to head"): "{from the skull base through the ventricles up to the small vertex|first the cerebellum and eyes, then the ventricles, at last the vertex}",
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
    "{This|The} {clip|sequence|stack} {scrolls through|pages through|presents} {axial slices|the axial slices} of a <region>, {with|showing} <organs>.",
    "{Axial images|Cross-sections} from a <region> {show|display} <organs>, {in radiological convention|in the usual radiological orientation}.",
    "{Slice by slice|One slice after another}, a <region> {reveals|brings up} <organs>.",
)
MIDDLE = (
    ("{The slices|The images} <goes>: <journey>.", "{Frame by frame|Throughout the clip} the {slices|images} <goes>, <journey>.", "{The order of slices is clear: they|In this clip the slices} <goes>, <journey>."),
    ("{There is|The reader finds|The stack contains} <lesion>; <lesionlook>.", "{As to findings, there is|The finding is} <lesion>: <lesionlook>."),
    ("{The scan was made|It was acquired} {with these settings: <contrast>|<contrast>}; <contrastlook>.", "{Technique|Protocol}: <contrast>, so <contrastlook>."),
)
LAST = ("", "", "{The front of the body is at the top|Anterior is at the top of the image}.", "{The window|The grey scale} {stays the same|is unchanged} {throughout|from start to end}.")


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()} | {"journey": JOURNEY[factors["region"], factors["direction"]]}


def article(text):
    """'a MRI' is said 'an MRI'."""
    return re.sub(r"\ba (?=MR)", "an ", text)


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return article(vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words)), article(paragraph(FIRST, MIDDLE, LAST, rng, **words))


def title(factors, rng):
    """What an uploader would call the video."""
    return article(vary("{<region>|Scroll through a <region>|<region> stack}{| <direction>}{| - <lesion>| (<contrast>)}", rng, **parts(factors)))
