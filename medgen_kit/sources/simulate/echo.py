"""Simulated cardiac ultrasound: a grey fan with speckle, one heart beat, gated so that systole falls in the middle of the clip."""

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "echo"
CATEGORY = "medical imaging"
FACTORS = {"view": ("apical four-chamber", "parasternal short-axis"), "wall_motion": ("normal", "reduced"), "chamber": ("normal", "dilated"),
           "effusion": ("none", "pericardial effusion")}
MOTION = ("wall_motion",)

WORDS = {
    "view": {"apical four-chamber": "{apical four-chamber view|four-chamber view from the apex|apical four-chamber window}",
             "parasternal short-axis": "{parasternal short-axis view|short-axis view from the parasternal window|parasternal short-axis window}"},
    "anatomy": {"apical four-chamber": "{both ventricles lie above the two atria, with the septum between them|the apex points to the probe and all four "
                                       "chambers are seen|ventricles at the top and atria at the bottom are divided by the septum}",
                "parasternal short-axis": "{the left ventricle appears as a ring of muscle with the right ventricle wrapped around one side|the left "
                                          "ventricle is cut across and looks like a doughnut|a round ring of myocardium encloses the dark cavity}"},
    "motion": {"normal": "{normal wall motion|vigorous contraction|brisk systolic contraction|normal contraction}",
               "reduced": "{reduced wall motion|hypokinetic walls|severely reduced contraction|hypokinesia of the walls}"},
    "effect": {"normal": "{the cavity becomes much smaller in systole and opens again in diastole|the walls move inwards and thicken, so that the dark "
                         "cavity shrinks by more than half, then relax|the dark cavity is squeezed to a fraction of its area halfway through the beat}",
               "reduced": "{the cavity keeps almost the same size through the whole beat|the walls barely move, so that the dark cavity looks the same in "
                          "systole as in diastole|hardly any change in the area of the cavity is seen from diastole to systole}"},
    "chamber": {"normal": "{a normal-sized left ventricle|a left ventricle of normal size|a left ventricular cavity of normal size}",
                "dilated": "{a dilated left ventricle|an enlarged left ventricle|a markedly dilated left ventricle}"},
    "effusion": {"none": "{no pericardial effusion|no fluid around the heart|no sign of pericardial effusion}",
                 "pericardial effusion": "{a pericardial effusion|a large pericardial effusion|pericardial effusion around the heart}"},
    "rim": {"none": "{the heart lies directly against the bright pericardium|epicardium and pericardium touch all around|the bright pericardium hugs the muscle}",
            "pericardial effusion": "{a black, echo-free band separates the muscle from the pericardium|the heart is surrounded by a dark rim of fluid|an echo-free "
                                    "space lies between heart and pericardium}"},
}
SOURCE = {"view": "view", "anatomy": "view", "motion": "wall_motion", "effect": "wall_motion", "chamber": "chamber", "effusion": "effusion",
          "rim": "effusion"}
BRIEF = (
    "{Echocardiogram|Cardiac ultrasound|Transthoracic echocardiogram}, <view>: <motion>, <chamber>, <effusion>.",
    "{Heart ultrasound|Echocardiography} with <chamber>, <motion> and <effusion>, <view>.",
    "<view> {on echocardiography|of the beating heart}: <chamber> with <motion>, <effusion>.",
    "<chamber> with <motion> and <effusion> on {an echocardiogram|cardiac ultrasound}, <view>.",
)
FIRST = (
    "{This|The} {clip|loop|recording} {is|shows} {an echocardiogram|a cardiac ultrasound} {taken in the|in the} <view>: <anatomy>.",
    "{One heart beat|A single cardiac cycle} {recorded|imaged} with {ultrasound|echocardiography}, <view>; <anatomy>.",
    "{In the|Seen in the} <view> {of this echocardiogram|of this cardiac ultrasound}, <anatomy>.",
)
MIDDLE = (
    ("{There is|The beat shows|One sees} <motion>: <effect>.", "{As the heart beats|From diastole to systole and back}, <effect>, {a sign of|in keeping with} <motion>.",
     "{Watch the walls:|During the beat} <effect>; {this is|the finding is} <motion>."),
    ("{The examiner finds|The picture shows|There is} <chamber>.", "{In diastole one measures|At the start of the loop there is} <chamber>.",
     "{With regard to size, this is|As for size, there is} <chamber>."),
    ("{There is|One notes|The clip shows} <effusion>; <rim>.", "<rim>: <effusion>.", "{Around the muscle|On the outside}, <rim>, so there is <effusion>."),
)
LAST = ("", "", "{Speckle|Fine speckle} {fills|covers} the grey {fan|sector}.", "{The sector|The fan-shaped image} {opens downwards from the probe|is in shades of grey}.",
        "{The loop|The clip} is gated {to the ECG|to one heart beat}.")


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{Echo loop|Echocardiogram|Heart ultrasound case|TTE}: {<view>|<chamber>, <motion>|<motion>}{| - <effusion>}", rng, **parts(factors))
