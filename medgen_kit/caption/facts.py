"""Facts of a clip: what is known from its record and what can be measured from its frames. All that a caption may say."""

import hashlib
import json
import re
from dataclasses import dataclass, field

import numpy as np

from . import look

FRAMES = 8                                   # frames that a captioner sees (paper, section 3)
TIME = r"(?:s|sec|seconds?)"
UNIT = (r"(?:mm|cm|µm|um|nm|ml|mg|µg|mcg|kg|g|l|cc|mmHg|bpm|k?Hz|MHz|dB|mV|kV|J|W|G|Fr|French|gauge|min|h|%|millimet(?:er|re)s?"
        r"|centimet(?:er|re)s?|micromet(?:er|re)s?|microns?|millilit(?:er|re)s?|lit(?:er|re)s?|milligrams?|micrograms?|grams?|kilograms?"
        r"|per ?cent|degrees?|beats|times (?:a|per)|minutes?|hours?|days?|weeks?|months?|years?|joules?|watts?|volts?|hertz|units)")
NUMBER = re.compile(rf"(?<![A-Za-z\d.,])\d+(?:[.,]\d+)*(?:(?=(?:{UNIT}|{TIME})(?!\w))|(?![A-Za-z\d]))")
AFTER = re.compile(rf"[ -]?(?:(?P<time>{TIME})|{UNIT})(?!\w)")
WORDS = {word: number for number, word in enumerate("""zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen""".split())}
WORDS |= dict(zip("twenty thirty forty fifty sixty seventy eighty ninety hundred thousand".split(), (*range(20, 101, 10), 1000)))
WORD = f"(?:{'|'.join(WORDS)})"
SPELLED = re.compile(rf"\b((?:a )?{WORD}(?:(?:[- ]| and ){WORD}){{0,5}})[- ](?:{UNIT}|{TIME})(?!\w)", re.I)
STILL, CALM = 0.6, 6.0                       # mean change between neighbouring frames, grey levels of 255
UNSAID = ("pictures", "refused")             # fields that are no facts about the clip


@dataclass
class Facts:
    """Facts of one clip, JSON values only.

    category: one of CATEGORIES. seconds, fps, width, height: from the file. camera: camera motion as measured by curation, or "".
    movement: "still", "calm" or "lively", from the mean change between neighbouring frames. colour: "grey" or "coloured".
    light: "dark", "medium" or "bright". look: further measures of the frames in words (`look.of`).
    factors: ground truth where the clip was simulated. title, description, transcript, text_seen: what comes with the video (text_seen:
    words read in the picture); given: the caption it came with. These are claims of others, never truth.
    pictures: SHA-256 of the eight frames, so that a reply can be found again. refused: why an earlier caption was not taken.
    """

    clip_id: str
    category: str
    seconds: float
    fps: float
    width: int
    height: int
    camera: str = ""
    movement: str = ""
    colour: str = ""
    light: str = ""
    modality: str = ""
    factors: dict = field(default_factory=dict)
    title: str = ""
    description: str = ""
    transcript: str = ""
    text_seen: str = ""
    source: str = ""
    synthetic: bool = False
    span_mm: float | None = None
    given: str = ""
    look: dict = field(default_factory=dict)
    pictures: str = ""
    refused: str = ""

    @classmethod
    def of(cls, clip, frames=None, closely=True):
        """Facts of a Clip. frames: uint8 [T, H, W, 3]; read from the file (8 at interval centres) when not given. Raises VideoError.

        closely: also measure `look` and `pictures`, which only who writes a caption needs.
        """
        frames = clip.frames(count=FRAMES) if frames is None else frames
        return cls._from(clip, *measure(frames), **({"look": look.of(frames), "pictures": digest(frames)} if closely else {}))

    @classmethod
    def recorded(cls, clip):
        """Facts of a Clip from its record alone: no file is opened, nothing is measured. Enough for an estimate of what captions cost."""
        return cls._from(clip, "", "", "")

    @classmethod
    def _from(cls, clip, movement, colour, light, **seen):
        extra, span = clip.extra, clip.extra.get("positions_mm")
        title, description, transcript, text = (plain(extra.get(name)) for name in ("title", "description", "transcript", "text_seen"))
        return cls(clip.clip_id, clip.video_category, round(clip.duration, 2), round(clip.fps, 2), clip.width, clip.height,
                   clip.camera_motion_type or "", movement, colour, light, clip.factors.get("modality", ""), dict(clip.factors),
                   title, description, transcript, text, clip.source, bool(extra.get("synthetic")),
                   round(abs(span[1] - span[0])) if span else None, f"{clip.brief_caption} {clip.detailed_caption}".strip(), **seen)

    def json(self):
        """The facts that say something, as JSON text (empty fields are left out)."""
        return json.dumps({key: value for key, value in vars(self).items() if value not in ("", {}, None) and key not in UNSAID},
                          ensure_ascii=False)

    def claims(self):
        """Everything that came with the video as one text: title, description, transcript, words seen."""
        return " ".join((self.title, self.description, self.transcript, self.text_seen))


def plain(value):
    """A value of a record as text: a list of words becomes a line, nothing becomes ""."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def digest(frames):
    """SHA-256 of frames uint8 [T, H, W, 3], their shape included."""
    frames = np.ascontiguousarray(frames)
    return hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()


def unknown_numbers(text, facts):
    """Numbers of a text that stand in no fact of the clip: figures in order, then spelled ones that count a unit ("five millilitres").

    A number with a unit must come from what was said or is known about the content; the length of the clip may be rounded.
    """
    told = " ".join((facts.claims(), facts.given, json.dumps(facts.factors), "" if facts.span_mm is None else f"{facts.span_mm:g}"))
    content = {*NUMBER.findall(told), *(str(spelled(found[1])) for found in SPELLED.finditer(told))}
    length = {f"{facts.seconds:.{digits}f}" for digits in range(3)} | {f"{facts.seconds:g}"}
    anything = content | length | set(NUMBER.findall(facts.json()))
    unknown = []
    for found in NUMBER.finditer(text):
        unit = AFTER.match(text, found.end())
        known = anything if unit is None else content | length if unit["time"] else content
        unknown += [] if found[0] in known else [found[0]]
    return unknown + [found[0] for found in SPELLED.finditer(text) if str(spelled(found[1])) not in content | length]


def spelled(text):
    """The value of a spelled number: "twenty-five" is 25, "two thousand a hundred and forty" is 2140."""
    total, part = 0, 0
    for word in re.split(r"[- ]", text.lower()):
        value = WORDS.get(word)
        if value == 1000:
            total, part = total + max(part, 1) * 1000, 0
        elif value is not None:
            part = max(part, 1) * 100 if value == 100 else part + value
    return total + part


def measure(frames):
    """(movement, colour, light) of frames uint8 [T, H, W, 3] in words."""
    small = frames[:, ::2, ::2].astype(np.int16)
    change = float(np.abs(np.diff(small, axis=0)).mean()) if len(small) > 1 else 0.0
    spread = float((small.max(-1) - small.min(-1)).mean())
    level = float(small.mean())
    movement = "still" if change < STILL else "calm" if change < CALM else "lively"
    return movement, "grey" if spread < 8 else "coloured", "dark" if level < 60 else "medium" if level < 150 else "bright"
