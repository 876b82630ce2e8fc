"""The captioner that needs no model: sentences from facts, in many wordings. It looks at no pixel itself and makes nothing up.

Where a clip's factors are known, the simulator's own prose says them; what was measured on the frames (`look.py`) follows in sentences
of its own. Where nothing is known, only the measures are told. The paper's captions are longer (174 words on average) because a model
that sees the pictures finds more to say; sentences without a fact would not close that gap.
"""

from dataclasses import replace

import numpy as np

from .. import sources
from ..sources.simulate.wording import vary
from .facts import unknown_numbers

CAMERAS = {"static shot": "{the camera stands still|the camera keeps its place|the shot is static}",
           "still image": "it is a still picture shown as a clip",
           "handheld": "the camera is held by hand", "complex motion": "the {view|camera} {moves in a complex way|shifts in several ways}",
           "pan left": "the camera pans left", "pan right": "the camera pans right", "tilt up": "the camera tilts up",
           "tilt down": "the camera tilts down", "zoom in": "the camera zooms in", "zoom out": "the camera zooms out",
           "dolly in": "the camera moves into the scene", "dolly out": "the camera moves back out of the scene"}
KINDS = {"clinical practice": "from clinical practice", "medical teaching": "made for medical teaching",
         "medical popular science": "that explains medicine to everyone", "medical animation": "that is a medical animation",
         "medical imaging": "of a medical imaging examination"}
NOUN = "{clip|recording|video|sequence}"
MOVES = {"still": "{the picture stands still|nothing moves from the first frame to the last|it shows the same picture all along}",
         "calm": "{the picture changes gently|there is slow, steady change from frame to frame|things change little by little}",
         "lively": "{the picture changes strongly from frame to frame|there is a lot of movement|much changes from one moment to the next}"}
LIGHT = {"dark": "{dark|rather dark|dimly lit}", "medium": "{evenly lit|of medium brightness|neither dark nor bright}",
         "bright": "{bright|brightly lit|light in tone}"}
WHERE = {"left half": "{on the left side of the {frame|picture}|in the left half|left of the {centre line|middle}|on the left}",
         "right half": "{on the right side of the {frame|picture}|in the right half|right of the {centre line|middle}|on the right}",
         "upper half": "{in the upper {half|part}|above the middle|in the top part of the {frame|picture}|near the top}",
         "lower half": "{in the lower {half|part}|below the middle|in the bottom part of the {frame|picture}|near the bottom}",
         "middle": "{in the {middle|centre}|around the {centre|middle} of the {frame|picture}|at the centre}"}
# clauses; `told` joins them to sentences. <s> and <are> follow the number of tones
SURROUND = "{the {scene|subject} lies on a black ground|black corners {frame|surround} the picture|outside the lit {area|field} " \
           "everything is black|the corners of the {frame|picture} {stay|are} black}"
BRIGHT = "{the {brightest|lightest} {spots|areas|parts} {lie|are} <where>|{most light|the strongest light} {is found|falls} <where>|" \
         "the picture is {brightest|lightest} <where>}"
COLOURS = "{<tones> stand<s> out{| among the colours}|the {strongest|main} colour<are> <tones>|" \
          "among the colours one sees {mainly|above all} <tones>|the coloured {areas|parts} are {mainly|mostly} <tones>}"
GREYS = "{the picture is {shown|recorded|kept} in {shades of grey|grey tones}|{grey tones|shades of grey} {alone|only} make up the " \
        "{picture|view}|it is all {grey|in greys}, without {colour|any colour}|there is no colour{, only greys|}}"
CONTRAST = {"low": "{contrast is low|light and dark differ little|the tones are close together}",
            "strong": "{contrast is strong|light and dark stand far apart|deep dark meets bright light}"}
TEXT = "{{words|letters} {can be seen|appear} in the picture|there is {some writing|lettering} in the {frame|picture}}"
PLACE = "{{most|the greater part|the bulk} of the {change|movement} {takes place|happens|is found|lies} <where>|" \
        "{what changes|what moves} is found {mainly|mostly} <where>|most {movement|change} can be seen <where>|" \
        "the picture changes most <where>}"
EVERYWHERE = "{the {change|movement} {reaches|runs through} {every part|the whole} of the {frame|view}|" \
             "no part of the {frame|view} is left out of the {change|movement}|{all over|across} the {frame|view} something changes}"
PACE = {"even": "{it goes on at {one|a constant|the same} pace|the pace {hardly varies|is constant|stays even}|the course is {even|steady}|"
                "{every|each} moment {adds|brings} as much change as {any|the last}|it proceeds {evenly|without haste or pause}}",
        "early": "{most happens at first, {later|then} it grows calmer|the first half {holds|brings} more {change|movement} than the "
                 "second|it begins lively and ends calmly}",
        "late": "{it begins {quietly|calmly} and grows livelier {later|towards the end}|the second half {holds|brings} more "
                "{change|movement} than the first|at first little happens, {later|then} more}",
        "sudden": "{one {sudden|abrupt} step interrupts an otherwise calm course|{much|most} of the change {comes|happens} {at one moment|"
                  "in a single step}|at one moment {a lot|much} changes at once}"}
TREND = {"brighter": "{the picture {grows|becomes|gets} brighter {as time goes by|towards the end}|the clip {ends|closes} brighter than it "
                     "{began|opened}|light increases over time}",
         "darker": "{the picture {grows|becomes|gets} darker {as time goes by|towards the end}|the clip {ends|closes} darker than it "
                   "{began|opened}|light fades over time}"}
RETURNS = "{at the end {the picture|it all} looks {much|nearly} as it did at the {start|beginning}|the last moment " \
          "{resembles|comes close to|is much like} the first one|{it|the course} {ends|closes} {where|at the point at which} it began|" \
          "{finally|in the end} the {picture|view} is {nearly|almost} the same as at {first|the start}}"
SILENT = "{No further content was labelled, so none is described here|What the pictures mean was not labelled, so it is not told here}."


class Template:
    """Writes from facts alone. With ground truth it says every factor; without, only what was measured."""

    name = "template"

    def prompt(self, facts):
        """What a caption depends on besides the seed (the key of the cache)."""
        return facts.json()

    def detailed(self, facts, frames=None, seed=0):
        """A detailed caption: 45 to 110 words of factors, and one sentence for each thing that was measured (`look.of`)."""
        return self._both(facts, seed)[1]

    def brief(self, facts, detailed, seed=0):
        """A brief caption of at most 30 words."""
        return self._both(facts, seed)[0]

    def _both(self, facts, seed):
        rng = np.random.default_rng((seed, *facts.clip_id.encode()))
        if not facts.factors:
            return from_measures(facts, rng)
        drawn = []
        while len(drawn) < 8 and (not drawn or unknown_numbers(" ".join(drawn[-1]), facts)):
            drawn.append(sources.describe(facts.factors, rng))
        brief, detailed = drawn[0] if unknown_numbers(" ".join(drawn[-1]), facts) else drawn[-1]
        return brief, " ".join([detailed, *seen(facts, rng)])


def seen(facts, rng):
    """Sentences on what was measured on the frames, the movement last; [] where nothing was measured."""
    look = facts.look
    place = EVERYWHERE if look.get("place") == "whole picture" else PLACE.replace("<where>", WHERE.get(look.get("place"), ""))
    picture = [SURROUND * (look.get("surround") == "black"), colour_of(facts), CONTRAST.get(look.get("contrast"), ""),
               BRIGHT.replace("<where>", WHERE[look["bright"]]) if look.get("bright") else "", TEXT * bool(facts.text_seen.strip())]
    course = [place * bool(look.get("place")), PACE.get(look.get("pace"), ""), TREND.get(look.get("light"), ""),
              RETURNS * bool(look.get("returns"))]
    return told([picture[i] for i in rng.permutation(len(picture))], rng) + told(course, rng)


def told(clauses, rng):
    """Sentences of one or two clauses each; empty clauses are left out."""
    clauses, out = [clause for clause in clauses if clause], []
    while clauses:
        size = 2 if len(clauses) != 1 and (len(clauses) != 3 or rng.integers(2)) else 1
        out.append(vary("{, and |; }".join(clauses[:size]) + ".", rng))
        clauses = clauses[size:]
    return out


def colour_of(facts):
    """The clause on colours, "" where none was measured."""
    tones = facts.look.get("colours")
    if tones:
        return COLOURS.replace("<tones>", listed(tones)).replace("<s>", "s" if len(tones) == 1 else "").replace(
            "<are>", " is" if len(tones) == 1 else "s are")
    return GREYS if facts.colour == "grey" else ""


def listed(words):
    """["red", "brown", "pink"] -> "red, brown and pink"."""
    return ", ".join(words[:-1]) + " and " * (len(words) > 1) + words[-1]


def from_measures(facts, rng):
    """(brief, detailed) of a clip without ground truth: kind, length, colour, light, movement, camera. No finding is made up."""
    kind = KINDS.get(facts.category, "of a medical subject")
    noun, moves = vary(NOUN, rng).lower(), vary(MOVES.get(facts.movement, MOVES["calm"]), rng)
    moves = moves[0].lower() + moves[1:]
    light = vary(LIGHT.get(facts.light, LIGHT["medium"]), rng).lower()
    look = f"{light} and {'in shades of grey' if facts.colour == 'grey' else 'in colour'}"
    camera = CAMERAS.get(facts.camera, "")
    detailed = [f"{{A {noun} {kind}, {look}.|This {noun} {kind} is {look}.}}",
                f"{{Over {facts.seconds:g} seconds {moves}.|It lasts {facts.seconds:g} seconds, and {moves}.}}",
                f"{{As far as could be measured, |As far as a measure can tell, }}{camera}." if camera else ""]
    text = [vary(sentence, rng) for sentence in detailed if sentence]
    measured = seen(replace(facts, colour=""), rng)              # grey or not has been said in the first sentence
    return f"A {noun} {kind}, {look}; {moves}.", " ".join([*text, *measured, *([] if len(measured) > 1 else [vary(SILENT, rng)])])
