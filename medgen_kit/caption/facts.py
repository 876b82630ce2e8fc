"""Facts of a clip: what is known from its record and what can be measured from its frames. All that a caption may say."""

import json
import re
from dataclasses import asdict, dataclass, field

import numpy as np

FRAMES = 8                                   # frames that a captioner sees (paper, section 3)
NUMBER = re.compile(r"(?<![A-Za-z\d.])\d+(?:\.\d+)?(?![A-Za-z\d])")
STILL, CALM = 0.6, 6.0                       # mean change between neighbouring frames, grey levels of 255


@dataclass
class Facts:
    """Facts of one clip, JSON values only.

    category: one of CATEGORIES. seconds, fps, width, height: from the file. camera: camera motion as measured by curation, or "".
    movement: "still", "calm" or "lively", from the mean change between neighbouring frames. colour: "grey" or "coloured".
    light: "dark", "medium" or "bright". factors: ground truth where the clip was simulated. title, description, transcript, text_seen: what
    comes with the video (text_seen: words read in the picture); given: the caption it came with. These are claims of others, never truth.
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

    @classmethod
    def of(cls, clip, frames=None):
        """Facts of a Clip. frames: uint8 [T, H, W, 3]; read from the file (8 at interval centres) when not given. Raises VideoError."""
        frames = clip.frames(count=FRAMES) if frames is None else frames
        extra, span = clip.extra, clip.extra.get("positions_mm")
        return cls(clip.clip_id, clip.video_category, round(clip.duration, 2), round(clip.fps, 2), clip.width, clip.height,
                   clip.camera_motion_type or "", *measure(frames), clip.factors.get("modality", ""), dict(clip.factors),
                   str(extra.get("title", "")), str(extra.get("description", "")), str(extra.get("transcript", "")),
                   str(extra.get("text_seen", "")), clip.source, bool(extra.get("synthetic")),
                   round(abs(span[1] - span[0])) if span else None,
                   f"{clip.brief_caption} {clip.detailed_caption}".strip())

    def json(self):
        """The facts that say something, as JSON text (empty fields are left out)."""
        return json.dumps({key: value for key, value in asdict(self).items() if value not in ("", {}, None)}, ensure_ascii=False)

    def claims(self):
        """Everything that came with the video as one text: title, description, transcript, words seen."""
        return " ".join((self.title, self.description, self.transcript, self.text_seen))


def unknown_numbers(text, facts):
    """Numbers of a text that stand in no fact of the clip, in order."""
    known = set(NUMBER.findall(facts.json())) | {f"{facts.seconds:g}"}
    return [number for number in NUMBER.findall(text) if number not in known]


def measure(frames):
    """(movement, colour, light) of frames uint8 [T, H, W, 3] in words."""
    small = frames[:, ::2, ::2].astype(np.int16)
    change = float(np.abs(np.diff(small, axis=0)).mean()) if len(small) > 1 else 0.0
    spread = float((small.max(-1) - small.min(-1)).mean())
    level = float(small.mean())
    movement = "still" if change < STILL else "calm" if change < CALM else "lively"
    return movement, "grey" if spread < 8 else "coloured", "dark" if level < 60 else "medium" if level < 150 else "bright"
