"""Privacy before anything leaves: burned-in text is filled, faces are covered, sound and tags stay behind, and the record says what ran.

    frames, record = protect(frames, fps, category, Options(faces="yunet:model.onnx"))      # full size, before anything is resized
    video.write(path, frames, fps)                                                          # picture only: no sound, no tags
    residue(path)                                                                           # [] when the file carries nothing else
It lowers a risk and ends none: bare names outside imaging, text between the frames read, tattoos and rooms stay. A person has to look.
"""

import functools
import math
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from .. import video
from ..errors import KitError
from . import faces, text
from .faces import CELLS, RATE, grown, merged, overlap

IMAGING, POLICIES = "medical imaging", ("imaging", "all", "none")
NOTE = "This lists what ran. It is no de-identification: a person has to look at the clip before it leaves."
SAME, STATIC, OUTER, TALL, TALLEST, MARGIN = 0.5, 0.8, 0.25, 0.12, 0.34, 0.25


@dataclass(frozen=True)
class Options:
    """What to hide.

    text: "imaging" fills all text of medical imaging (and where no category is known), elsewhere what stands still in the outer quarter
    and whatever identifies; "all" fills all text everywhere; "none" looks for none. faces: see `faces.load`. face_rate: looks a second.
    face_cells: see `faces.pixelate`. samples: frames read for text in the first look; looks: most looks for text.
    """

    text: str = "imaging"
    faces: str = "none"
    face_rate: float = RATE
    face_cells: int = CELLS
    samples: int = 5
    looks: int = 3

    def __post_init__(self):
        if self.text not in POLICIES:
            raise KitError(f"privacy: text '{self.text}' is not one of {', '.join(POLICIES)}.")
        if not (self.samples >= 1 and self.looks >= 1 and self.face_cells >= 1 and self.face_rate > 0):
            raise KitError("privacy: samples, looks and face_cells must be at least 1 and face_rate above 0, not "
                           f"{self.samples}, {self.looks}, {self.face_cells} and {self.face_rate}.")


# ---- what identifies

_MONTH = (r"(?:jan(?:uar[yi]?|vier)?|feb(?:ruar[yi]?)?|f[ée]vr?(?:ier)?|mar(?:ch|s|zo)?|mär(?:z)?|apr(?:ile?)?|avr(?:il)?|ma[iy]o?"
          r"|june?|juni?|juin|july?|juli|juil(?:let)?|aug(?:ust)?|ao[uû]t|sept?(?:emb(?:er|re))?|o[ck]t(?:ob(?:er|re))?|nov(?:emb(?:er|re))?"
          r"|d[eé][cz](?:emb(?:er|re))?)(?![a-zà-ÿ])\.?")
_D, _M, _Y, _YY = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d", r"(?:19|20)?\d\d"
_ALONE = r"(?<![\d./v-])(?<!version )"
_MODEL = r"(?!oct\W?\d000\b)"                                      # "OCT 2000" is a device
_DATE = "|".join((
    rf"(?<!\d){_Y}([-/.])\s?{_M}\1\s?{_D}(?!\d)", rf"(?<![\d.]){_Y}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
    rf"{_ALONE}{_D}([./-])\s?{_M}\2\s?{_YY}(?![\d./-]*\d)", rf"{_ALONE}{_M}([./-])\s?{_D}\3\s?{_YY}(?![\d./-]*\d)",
    rf"(?<!\d){_D}(?:st|nd|rd|th|\.)?[\s./-]*(?:of\s)?{_MODEL}{_MONTH}[\s.,/-]*{_Y}(?!\d)",
    rf"(?<!\d){_D}([./-]?){_MONTH}\4\d\d(?!\d)",
    rf"\b{_MODEL}{_MONTH}\s*{_D}(?:st|nd|rd|th)?[\s,]+{_Y}(?!\d)", rf"\b{_MODEL}{_MONTH}[\s,/-]*{_Y}(?!\d)",
    rf"(?<![\d/.])(?:0[1-9]|1[0-2])/{_Y}(?![\d/]|\s?ms)", rf"{_Y}\s?年\s?\d+\s?月"))
_NAME, _CAPS = r"[A-ZÀ-Þ][\w'’-]+", r"[A-ZÀ-Þ][A-ZÀ-Þ'’-]+"
_DEGREE = r"(?:MD|M\.D\.|PhD|RN|RDMS|RDCS|FACS|FRCS|MBBS|DDS)\b"
_ROLE = (r"(?i:patient|pat\.?|pt|operator|sonographer|physician|surgeon|radiologist|technologist|examiner|untersucher|arzt"
         r"|referr(?:ing|ed by)(?: ?(?:md|physician|dr))?|ref\.? ?(?:md|phys)\.?|(?:perform|report|read)ed by"
         r"|(?:(?:patient|full|first|last|middle|family|given|sur)\s?)?name|nachname|vorname|nom|nombre)")
_YEARS = r"\(?\d{1,3}\s?-?(?i:y|yo|y/o|yrs?|years?|jahre|ans)\b"
_NUMBER_OF = r"(?:patient|pat|pt|hosp(?:ital)?|study|chart|unit|nhs|ahv|insurance|insur|versicherten|visit|episode)"
_PATTERNS = tuple((reason, re.compile(pattern)) for reason, pattern in (
    ("birth", r"(?i)\bd\.?\s?[o0]\.?\s?b\b|\bdob(?=\d)|\b(?:date\s?of\s?birth|birth\s?-?date)|\bborn\s*(?:on|in|:)?\s*\d"
              r"|\bgeb(?:oren\s?am|\.|\s?dat)|geburts(?:datum|tag)|\bn[ée]e?\s?le\b|fecha\s?de\s?nac|data\s?di\s?nascita"),
    ("date", f"(?i){_DATE}"),
    ("record number", rf"(?i)\bmrn(?![a-z])|medical\s?record\s?(?:no|num|#)|\b{_NUMBER_OF}\s?[.-]?\s?(?:id|no|nr|number|#)(?![a-z])"
                      r"|\b(?:p?id)\s*[:#]?\s*(?:[a-z-]*\d){4,}\b|\b\d{3}-\d{2}-\d{4}\b|\b756\.\d{4}\.\d{4}\.\d\d\b"),
    ("accession", r"(?i)\baccession|\bacc\.?\s?(?:#|no\.?|nr\.?)\s*:?|\bacc\s*:?\s*[a-z-]*\d{5,}"),
    ("e-mail", r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    ("phone", r"(?<![\d+])\+\d{1,3}[\s().-]*\d(?:[\s().-]*\d){6,}|\(\d{3}\)\s*\d{3}[ .-]?\d{4}\b|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b"
              r"|(?i:\b(?:tel|phone|fon|fax|mobile|call|pager))\b\.?\s*:?\s*\+?[\d(][\d\s()/.-]{5,}|\b0\d{2,3}[ /-]\d{3} ?\d\d ?\d\d\b"),
    ("name", rf"(?:\b(?:Dr|Prof|Mr|Mrs|Ms|Herr|Frau|Mme)\.?\s*)+(?:med\.\s?)?{_NAME}|\b(?:DR|PROF|MR|MRS|MS)\.\s?{_CAPS}"
             rf"|\b(?:PROF|MRS|HERR|FRAU)\s{_CAPS}|\b{_ROLE}\s*[:=]\s*(?:$|[A-ZÀ-Þ])|(?i:\b(?:patient|pat|pt)['’]?s?\s?name\b)"
             rf"|{_NAME}(?:\s[A-Z]\.?)?\s{_NAME},?\s{_DEGREE}|\b[A-Za-z'’-]{{2,}}\^[A-Za-z]"),
    ("age over 89", r"(?i)(?<!\d)(?:9\d|1[0-2]\d)\s?(?:yo\b|y/o|-?\s?(?:year|yr)s?[- ]old)|\baged?\s*:?\s*(?:9\d|1[0-2]\d)\b"),
    ("id number", r"(?<![\d.,+])(?!\d*0000\b)\d{7,}(?![\d.,]*\d)|\b\d(?:\.\d+){6,}\b"),
))
_PERSON = re.compile(rf"\b({_NAME})[ ,]+({_NAME})(?:\s[A-Z]\.?)?[ ,]+(?:{_YEARS}|[MF]\b\W*\d|\d{{1,3}}\s?/\s?[MF]\b)")
_PAIR = re.compile(rf"\W*({_CAPS}),\s?({_CAPS})(?:\s[A-Z]\.?)?\W*")
_CLINICAL = frozenset("""
a abdomen acute adult anterior aorta apical arch arterial artery axial baby basal biopsy boy brain breast cardiac case cell child chest
chronic colon coronal diastole distal echo female fetal girl heart inferior infant kidney lateral left liver longitudinal lung male man mean
median mid middle node pain patient pelvis phase post posterior pre proximal renal report right sagittal sex spine stomach stroke study
superior systole the tissue transverse tumor tumour uterus vein venous view volunteer woman""".split())
_LIKE_DIGITS = str.maketrans("OoQIl|SB", "00011158")


def identifying(line):
    """Why a line of text may name a person, "" when nothing in it looks like that.

    Reasons: birth, date, record number, accession, e-mail, phone, name, name with age, age over 89, id number. A bare year, a time of
    day, an age below 90 and a name that stands alone without title, label or age give "".
    """
    line = unicodedata.normalize("NFKC", str(line))
    if len(line) > 500:                                            # in pieces: the time of some patterns grows with the square
        return next((why for k in range(0, len(line), 400) if (why := identifying(line[k:k + 500]))), "")
    clear = re.sub(r"\S*\d\S*", lambda token: token[0].translate(_LIKE_DIGITS) if "/" in token[0] or "-" in token[0] else token[0], line)
    for reason, pattern in _PATTERNS:
        if pattern.search(line) or reason == "date" and clear != line and pattern.search(clear):
            return reason
    if any(_not_clinical(found) for found in _PERSON.finditer(line)):
        return "name with age"
    pair = _PAIR.fullmatch(line)
    return "name" if pair and _not_clinical(pair) else ""


def _not_clinical(found):
    return not {found[1].lower(), found[2].lower()} & _CLINICAL


# ---- text in pictures

def read(frame):
    """Lines of text in a frame uint8 [H, W, 3], [(text, four corners)], read at 640 pixels or, for larger frames, at up to 1280.

    The subtitle rule reads at 288 pixels, where small print such as a patient's name is often lost.
    """
    result = text.reader(640 if max(frame.shape[:2]) <= 640 else 1280)(np.ascontiguousarray(frame[:, :, ::-1]))
    texts, corners = getattr(result, "txts", None), getattr(result, "boxes", None)
    return [] if not texts else list(zip(texts, corners))


def text_boxes(frames, lines=None):
    """Per frame the believable lines [(text, box)], box = (left, top, right, bottom) in pixels.

    lines: reader frame -> [(text, four corners)], by default `read`. See `is_text` for what is not believed.
    """
    found = []
    for frame in frames:
        boxes = [(said, box_of(corners, frame.shape)) for said, corners in (lines or read)(frame)]
        found.append([(said, box) for said, box in boxes if is_text(said, box, frame.shape[0])])
    return found


def box_of(corners, shape):
    """The upright box around four corners (x, y), cut at the picture's edge."""
    corners = np.asarray(corners, float)
    return grown((*corners.min(axis=0), *corners.max(axis=0)), 0, 0, shape[:2])


def is_text(said, box, height):
    """False for what the reader takes for letters: a fan or a lumen for one large O, the loops of a trace for a J and an M.

    A line higher than an eighth of the picture needs two characters that are not round, any other line one; none is higher than a third.
    """
    tall, straight = (box[3] - box[1]) / height, sum(c.isalnum() and c not in "oO0cCQ" for c in said)
    return tall <= TALLEST and straight >= (2 if tall > TALL else 1)


def may_name(said):
    """False for a number of at most three digits without a letter: a heart rate at the edge of a monitor names nobody."""
    return any(c.isalpha() for c in said) or sum(c.isdigit() for c in said) > 3


def static_boxes(found, size=None):
    """Boxes that stand at one place in at least four of five frames. found: one list of boxes a frame.

    Two boxes are the same when one holds half of the smaller (IoU would tell a line from its halves, and the reader splits lines). size:
    (height, width); then only boxes whose centre lies in the outer quarter of height or width.
    """
    need, out = math.ceil(STATIC * len(found)), []
    for box in merged([box for boxes in found for box in boxes], SAME):
        if sum(any(overlap(box, other) >= SAME for other in boxes) for boxes in found) >= need:
            out.append(box)
    return [box for box in out if size is None or outer(box, size)]


def outer(box, size):
    """True when the box's centre is in the outer quarter of the picture. size: (height, width)."""
    x, y = (box[0] + box[2]) / 2 / size[1], (box[1] + box[3]) / 2 / size[0]
    return not (OUTER <= x <= 1 - OUTER and OUTER <= y <= 1 - OUTER)


def rows(lines):
    """The lines of one frame in rows: neighbours on one height, less than three heights apart, left to right. "Name" and its value
    are often two lines of the reader."""
    out = []
    for line in sorted(lines, key=lambda line: line[1][0]):
        box = line[1]
        for row in out:
            last = row[-1][1]
            high = min(box[3], last[3]) - max(box[1], last[1])
            if high >= 0.5 * min(box[3] - box[1], last[3] - last[1]) and box[0] - last[2] < 3 * (last[3] - last[1]):
                row.append(line)
                break
        else:
            out.append([line])
    return out


def to_hide(found, size, everything):
    """(boxes to fill, reasons) of the lines [(text, box)] of some frames: all, or those that stand still at the edge or identify."""
    if everything:
        return merged([box for lines in found for _, box in lines], SAME), []
    boxes, reasons = static_boxes([[box for said, box in lines if may_name(said)] for lines in found], size), set()
    for row in (row for lines in found for row in rows(lines)):
        whole = identifying(" ".join(said for said, _ in row))
        why = [whole or identifying(said) for said, _ in row]
        boxes = boxes + [box for (_, box), reason in zip(row, why) if reason]
        reasons |= {reason for reason in why if reason}
    return merged(boxes, SAME), sorted(reasons)


def mask(frames, boxes):
    """Frames uint8 [T, H, W, 3] with the boxes, grown by a quarter of their height, filled in every frame. The input is not changed.

    The fill is one colour a box, the median of the pixels around it over the whole clip: no glyph shows through, and a model that
    learns from the clip sees no black bars.
    """
    out, size = frames.copy(), frames.shape[1:3]
    for box in boxes:
        edge = max(2, math.ceil(MARGIN * (box[3] - box[1])))
        inner, ring = grown(box, edge, edge, size), grown(box, edge + 4, edge + 4, size)
        around = np.ones(size, bool)
        around[inner[1]:inner[3], inner[0]:inner[2]] = False
        part = frames[:, ring[1]:ring[3], ring[0]:ring[2]][:, around[ring[1]:ring[3], ring[0]:ring[2]]]
        out[:, inner[1]:inner[3], inner[0]:inner[2]] = np.median(part, axis=(0, 1)).astype(np.uint8) if part.size else 0
    return out


def hide_text(frames, everything, options, lines=None):
    """(frames, figures) with text filled. Looks again, at other frames, for as long as a look finds something new.

    figures: "boxes", "frames" (read), "looks", "reasons", "sure" (the last look found nothing more to fill).
    """
    boxes, reasons, seen, sure, look = [], set(), 0, False, 0
    while look < options.looks and not sure:
        numbers = sorted(set(video.sample_indices(len(frames), options.samples + look)))
        part = mask(frames[numbers], boxes) if boxes else frames[numbers]
        new, why = to_hide(text_boxes(part, lines), frames.shape[1:3], everything)
        boxes, reasons, seen, sure, look = merged(boxes + new, SAME), reasons | set(why), seen + len(numbers), not new, look + 1
    figures = {"boxes": len(boxes), "frames": seen, "looks": look, "reasons": sorted(reasons), "sure": sure}
    return (mask(frames, boxes) if boxes else frames), figures


# ---- the step

def hides_all(category, text):
    """True where no text is to be left: policy "all", and imaging or an unknown category, whose bare names nothing here recognises."""
    return text == "all" or category in (IMAGING, "")


def unsaid(lines, category, text):
    """The lines read in a clip that may be written down: none where all text is masked, else those in which nothing identifies.

    A line is also dropped when it does so together with the one before or after it, as a value beside its label.
    """
    if hides_all(category, text):
        return []
    alone = [bool(identifying(line)) for line in lines]
    pairs = [bool(identifying(f"{one} {two}")) for one, two in zip(lines, lines[1:])]
    behind, ahead = [False, *pairs], [pair and not after for pair, after in zip(pairs, alone[1:])] + [False]
    return [line for line, *why in zip(lines, alone, behind, ahead) if not any(why)]


def protect(frames, fps, category="", options=None, lines=None):
    """(frames, record) of one clip, uint8 [T, H, W, 3] at full size: text filled, faces covered as `options` say.

    category: the clip's video_category, "" when unknown. options: Options or a dict of its fields. lines: see `text_boxes`. The record
    goes into the manifest; it holds what ran, counts, and names of detectors, and never the text that was found.
    """
    options = options_of(options)
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise KitError(f"privacy.protect takes uint8 [T, H, W, 3] with T >= 1, not {frames.dtype} {list(frames.shape)}.")
    detector = faces.load(options.faces)
    record = {"text": "not run", "faces": "not run", "audio": "removed", "container tags": "removed", "note": NOTE}
    if options.text != "none":
        frames, figures = hide_text(frames, hides_all(category, options.text), options, lines)
        record |= {"text": text_said(figures), "text figures": figures}
        record["text reader"] = reader_name() if lines is None else "given by the caller"
    if detector and category == IMAGING and not detector.imaging:
        record["faces"] = f"not run ({detector.name} takes organs for faces; {IMAGING} is left alone)"
    elif detector:
        frames, figures = faces.hide(frames, fps, detector, options.face_rate, options.face_cells)
        record |= {"faces": f"covered {figures['faces']} face{'s' * (figures['faces'] != 1)}", "face figures": figures}
    return frames, record | ({"face detector": f"{detector.name}: {detector.version}"} if detector else {})


def options_of(options):
    """Options of None, a dict or Options; KitError for an unknown name."""
    if isinstance(options, Options):
        return options
    unknown = set(options or ()) - set(Options.__dataclass_fields__)
    if unknown:
        raise KitError(f"privacy has no setting '{sorted(unknown)[0]}'. Settings: {', '.join(Options.__dataclass_fields__)}.")
    return Options(**(options or {}))


def text_said(figures):
    """One phrase about what the search for text did."""
    said = f"masked {figures['boxes']} box{'es' * (figures['boxes'] != 1)}, {figures['frames']} frames read"
    return said if figures["sure"] else f"{said}; the last look still found text, which nobody has looked at again"


@functools.cache
def reader_name():
    """Name and version of the reader of text."""
    from importlib.metadata import version

    return f"rapidocr {version('rapidocr')}"
