"""Simulated patient monitor: an ECG trace drawn from left to right, with heart symbol, numbers and, if shown, a plethysmograph."""

import numpy as np

from . import draw
from .wording import paragraph, vary

NAME = "ecg"
CATEGORY = "medical animation"
FACTORS = {"rate": ("slow", "fast"), "event": ("sinus rhythm", "asystole"), "st_segment": ("isoelectric", "elevated"),
           "pleth": ("hidden", "shown")}
MOTION = ("event",)

BEATS = {"slow": (0.16, 0.62), "fast": (0.08, 0.25, 0.42, 0.59, 0.76, 0.93)}     # places on the sweep, 0 left to 1 right
STOP = 0.34                                                                      # asystole: no beat after this place
LEFT, WIDTH = -0.93, 1.36                                                        # the trace's panel; numbers stand right of it
SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "9": "abcdfg", "8": "abcdefg", "-": "g"}

WORDS = {
    "rate": {"slow": "{bradycardia|a slow heart rate|a slow ventricular rate}", "fast": "{tachycardia|a fast heart rate|a rapid ventricular rate}"},
    "event": {"sinus rhythm": "{sinus rhythm|regular sinus rhythm|continuous sinus rhythm}", "asystole": "{asystole|cardiac standstill|asystolic arrest}"},
    "course": {"sinus rhythm": "{sinus rhythm throughout|sinus rhythm from start to end|uninterrupted sinus rhythm|sinus rhythm that never pauses}",
               "asystole": "{which ends in asystole|followed by asystole|then cardiac standstill|which turns into asystole}"},
    "st": {"isoelectric": "{isoelectric ST segment|no ST segment elevation|ST segment on the baseline}",
           "elevated": "{ST segment elevation|elevated ST segment|marked ST elevation}"},
    "pleth": {"hidden": "{no plethysmograph trace|no plethysmograph|no plethysmograph waveform}",
              "shown": "{a plethysmograph trace|a plethysmograph|a plethysmograph waveform}"},
    "spacing": {"slow": "{a few widely spaced QRS complexes|long gaps between the QRS complexes|only a beat now and then, with wide intervals}",
                "fast": "{closely packed QRS complexes|short intervals between the QRS complexes|one QRS complex close behind the other}"},
    "effect": {"sinus rhythm": "{the sweep draws one beat after another up to the right edge and the heart symbol keeps blinking|beats keep coming "
                               "until the trace reaches the right-hand edge, and the heart symbol blinks with each of them|complexes appear "
                               "regularly from left to right, and no alarm is raised}",
               "asystole": "{after the first third the trace runs flat, the heart symbol stops blinking and the display turns to a red alarm|the "
                           "beats cease early, a flat line is drawn to the right edge and a red alarm comes on|the complexes vanish, only a flat line "
                           "follows, and the monitor changes to its red alarm colour}"},
    "stlook": {"isoelectric": "{Between QRS complex and T wave the line returns to the baseline|The stretch after each QRS complex lies flat on the baseline|After "
                              "each spike the trace drops straight back to its baseline}",
               "elevated": "{A broad hump follows each QRS complex|After each spike the trace stays high in a wide dome|The stretch after each QRS complex is "
                           "lifted well above the baseline}"},
    "plethlook": {"hidden": "{The lower half of the screen is empty|Nothing is drawn in the lower half of the display|Only one channel is displayed}",
                  "shown": "{A second coloured wave runs along the lower half|The lower half carries a filled pulse wave|Below the ECG runs a pulse wave in "
                           "another colour}"},
}
SOURCE = {"rate": "rate", "event": "event", "course": "event", "st": "st_segment", "pleth": "pleth", "spacing": "rate", "effect": "event",
          "stlook": "st_segment", "plethlook": "pleth"}
BRIEF = (
    "{Patient monitor|Bedside monitor|ECG monitor} {with|showing} <rate>, <course>; <st> and <pleth>.",
    "{Electrocardiogram|ECG animation}: <rate>, <course>, <st>, <pleth>.",
    "<rate> on {a patient monitor|an ECG monitor}, <course>; <st>; <pleth>.",
    "{Monitor animation|ECG sweep} with <st> and <pleth>: <rate>, <course>.",
)
FIRST = (
    "{This|The} {animation|clip|sequence} {shows|presents|imitates} the screen of a {patient|bedside|cardiac} monitor {with a single ECG lead|on which an ECG is drawn}.",
    "{An animated|A drawn} {patient monitor|monitor screen} {writes|traces} an {ECG|electrocardiogram} {from left to right|across the screen}.",
    "On {a dark screen|the monitor} {an ECG trace|one lead of the electrocardiogram} {is swept|grows} from left to right.",
)
MIDDLE = (
    ("{The recording begins with|One sees|At first there is} <rate>: <spacing>.", "<spacing> {point to|indicate|are the sign of} <rate>."),
    ("{The course|The event} is <event>: <effect>.", "{What happens here is|The clip demonstrates} <event>; <effect>.", "<event>: {in the course of the clip|as time goes on} <effect>."),
    ("<stlook>{:|,} <st>.", "{The finding is|Note the} <st>. <stlook>."),
    ("<plethlook>: <pleth>.", "{The second channel|The lower channel}: <pleth>. <plethlook>."),
)
LAST = ("", "", "{Numbers stand|The rate is shown} {at the right|in the column beside the trace}.", "{It is|This is} a teaching animation{.|, not a patient's recording.}")


def parts(factors):
    """The words of this clip's factor values."""
    return {word: WORDS[word][factors[factor]] for word, factor in SOURCE.items()}


def describe(factors, rng):
    """(brief caption of at most 30 words, detailed caption of 45 to 110 words); both name every factor."""
    words = parts(factors)
    return vary(BRIEF[int(rng.integers(len(BRIEF)))], rng, **words), paragraph(FIRST, MIDDLE, LAST, rng, **words)


def title(factors, rng):
    """What an uploader would call the video."""
    return vary("{ECG explained|Monitor animation|Reading the monitor|Cardiac rhythms}: {<event>|<rate>, <course>|<event> (<rate>)}{| - <st>}", rng, **parts(factors))
