"""Transcripts beside a video: WebVTT and SubRip read, cleaned, freed of what rolling captions repeat, and cut to a clip's time.

Files of this kind come from many tools and are often a little broken, so the parser never raises: what cannot be read is left out and
named in one warning with file and line. What is spoken is a claim of the uploader like the title, never truth about the picture.
"""

import html
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import KitError

LANGUAGES = (".en", ".en-US", ".en-GB", ".en-orig", ".eng", ".english", "")     # before the ending, the better one first
ENDINGS = (".vtt", ".srt", ".VTT", ".SRT")
MAX_BYTES = 20 * 2**20                       # a day of speech has about one MiB
LONGEST = 4000                               # letters of one cue that are read
GAP = 0.5                                    # seconds between two cues of one rolling caption at most
TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
TIMING = re.compile(rf"^\s*{TIME}\s*--?>\s*{TIME}(?=\s|$)")
TAG = re.compile(r"</?(?:c|v|i|b|u|s|lang|font|ruby|rt|span)(?:\.[^\s<>]+)*(?:\s[^<>]*)?/?>|<\d[\d:.,]*>|\{\\[^{}]*\}", re.I)
READING = re.compile(r"<rt\b[^<>]*>.*?</rt>", re.I)
SOUND = re.compile(r"\[[^\[\]]{0,80}\]|\((?:[^()]*\b(?:music|applause|laughter|laughs?|coughs?|sighs?|beep\w*|silence|inaudible|noise)\b"
                   r"[^()]*|[A-Z][A-Z ,.'-]{2,60})\)|[♪♫♩♬]+[^♪♫♩♬]*[♪♫♩♬]+|[♪♫♩♬]")
SPEAKER = re.compile(r"^(?:-\s+|>>+\s*)?(?:(?:dr|prof|mr|mrs|ms)\.?\s+\w+|(?:speaker|voice|interviewer|interviewee|narrator|host|moderator|"
                     r"presenter|doctor|surgeon|nurse|patient|student|man|woman|audience)(?:\s+(?:\d+|[A-Z]))?)\s*:\s+", re.I)
SHOUTED = re.compile(r"^(?:-\s+|>>+\s*)?(?:[A-Z][A-Z.'-]+\s+[A-Z][A-Z.'-]+|[A-Z]{6,}):\s+")
MARK = re.compile(r"^(?:>>+|-(?!\d))\s*(?:[\w.' -]{1,40}:\s+)?(?=\S)")
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class Cue:
    """A piece of speech. start, end: seconds from the start of the video, 0 <= start <= end. text: one line, cleaned."""

    start: float
    end: float
    text: str


def beside(video):
    """Path of the subtitle file of a video: the same name with .vtt or .srt, English before one that names no language; None without one.

    Other languages are not read, since captions are English.
    """
    video = Path(video)
    names = [video.with_name(f"{video.stem}{language}{ending}") for language in LANGUAGES for ending in ENDINGS]
    return next((path for path in names if path.is_file()), None)


def read(path, say=None):
    """The cues of a WebVTT or SubRip file, in order of time, each with the words that it adds to those before it.

    say: is handed the warning, a sentence that names file and line (default: warnings.warn). A file that cannot be read gives [].
    """
    path, problems = Path(path), []
    lines = _lines(path, problems)
    cues = _parsed(lines, problems) if lines else []
    if lines and not cues and not problems:
        problems.append((1, "no time line such as '00:01.000 --> 00:04.000' was found"))
    if problems:
        line, what = problems[0]
        more = f" (and {len(problems) - 1} more like it)" if len(problems) > 1 else ""
        (say or (lambda text: warnings.warn(text, stacklevel=3)))(f"{path}, line {line}: {what}{more}; what can be read is used.")
    return unrolled(sorted((cue for cue in cues if cue.text), key=lambda cue: (cue.start, cue.end)))


def text_between(cues, start_s, end_s):
    """What is said from start_s to end_s (seconds of the video): one line. Of a cue that lies partly inside only those words count whose
    share of its time is inside, taking words as evenly spread."""
    if not start_s <= end_s:
        raise KitError(f"text_between needs start_s <= end_s, not {start_s} and {end_s}.")
    said = []
    for cue in cues:
        words, length = cue.text.split(), cue.end - cue.start
        said += [word for k, word in enumerate(words) if start_s <= cue.start + (k + 0.5) / len(words) * length < end_s]
    return " ".join(said)


def of_clip(clip, folders=(), say=None, known=None):
    """What is said in a Clip. Its own transcript (extra["transcript"]) wins; then a subtitle file beside the clip; then one beside the
    upload it was cut from: extra["upload"] in one of `folders`, from extra["start_s"] to extra["end_s"]. "" where there is none.

    known: a dict that keeps the cues of files read before.
    """
    given, known = clip.extra.get("transcript"), {} if known is None else known
    if given:
        return " ".join(given) if isinstance(given, list) else str(given)
    own = beside(clip.path)
    if own:
        return text_between(_read_once(own, say, known), 0.0, max(clip.duration, 0.0))
    upload, start, end = (clip.extra.get(name) for name in ("upload", "start_s", "end_s"))
    times = all(isinstance(value, int | float) for value in (start, end))
    for folder in folders if upload and times and start <= end else ():
        place = (Path(folder) / str(upload)).resolve()
        found = beside(place) if Path(folder).resolve() in place.parents else None
        if found:
            return text_between(_read_once(found, say, known), start, end)
    return ""


def _read_once(path, say, known):
    if path not in known:
        known[path] = read(path, say)
    return known[path]


def _lines(path, problems):
    """The lines of a text file in whatever encoding it has; [] and a problem where it is none."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        problems.append((1, f"the file cannot be read ({error.strerror})"))
        return []
    if size > MAX_BYTES:
        problems.append((1, f"the file has {size / 2**20:.0f} MiB, so it is no transcript"))
        return []
    text = decoded(data, problems)
    if text.count("\x00") > 0.01 * len(text):
        problems[:] = [(1, "this is no text file")]
        return []
    if not text.strip():
        problems.append((1, "the file is empty"))
    return re.split(r"\r\n|\r|\n", text)


def decoded(data, problems):
    """Bytes as text: UTF-8 or UTF-16 by mark, UTF-16 without a mark by its zero bytes, else UTF-8, else Windows' western letters."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace")
    head = data[:400]
    if len(head) >= 8:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) > 0.3 * len(head) / 2 and min(even, odd) < 0.05 * len(head):
            return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = max(data.count(end, 0, error.start) for end in (b"\n", b"\r")) + 1
        problems.append((line, "this is no UTF-8, so the file is read as Windows-1252"))
        return data.decode("cp1252", "replace")


def _parsed(lines, problems):
    """The cues of a file: what stands under each time line up to an empty line; notes, styles, headers and numbers are left out.

    In a SubRip file an empty line inside a text does not end it.
    """
    cues, number, webvtt = [], 0, lines[:1] and lines[0].lstrip().startswith("WEBVTT")
    while number < len(lines):
        line = lines[number]
        number += 1
        if re.match(r"\s*(?:NOTE|STYLE|REGION)\b", line):
            while number < len(lines) and lines[number].strip() and not TIMING.match(lines[number]):
                number += 1
        elif "->" in line:
            at = number
            while number < len(lines) and lines[number] and not _begins_cue(lines, number):
                number += 1
            cue = _cue(line, at, lines[at:number], problems)
            cues += [cue] if cue else []
        elif cues and not webvtt and line.strip() and not line.strip().isdigit() and not _begins_cue(lines, number - 1):
            more = _text([line])
            cues[-1] = replace(cues[-1], text="\n".join(filter(None, (cues[-1].text, more))))
    return cues


def _cue(line, at, said, problems):
    """The cue of a time line and the lines below it, None (and a problem) where the times make no sense."""
    times = TIMING.match(line)
    if times is None:
        problems.append((at, f"'{line.strip()[:60]}' is no time line, so its words are left out"))
        return None
    start, end = (seconds(times.groups()[k:k + 4]) for k in (0, 4))
    if end < start:
        problems.append((at, f"'{line.strip()[:60]}' ends before it begins, so its words are left out"))
        return None
    return Cue(start, end, _text(said))


def _text(lines):
    """Lines of a cue, cleaned; empty ones are left out. Tags may go over the end of a line."""
    text = "\n".join(lines)[:LONGEST]
    return "\n".join(filter(None, map(clean, TAG.sub("", READING.sub("", text)).split("\n"))))


def _begins_cue(lines, number):
    """True where a cue begins without an empty line before it: a time line, or its number with the time line below."""
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return bool(TIMING.match(lines[number]) or re.fullmatch(r"\s*\d+\s*", lines[number]) and TIMING.match(below))


def seconds(parts):
    """("1", "02", "03", "5") -> 3723.5; hours and fraction may be None."""
    hours, minutes, whole, fraction = parts
    return (1000 * (3600 * int(hours or 0) + 60 * int(minutes) + int(whole)) + int((fraction or "0").ljust(3, "0"))) / 1000


def clean(line):
    """A line of speech: no entities, invisible signs, marks of sounds and music, no label of the speaker; single spaces."""
    text = UNSEEN.sub("", html.unescape(line))
    text = re.sub(r"\s+", " ", SOUND.sub(" ", text)).strip()
    for label in (SPEAKER, SHOUTED, MARK):
        text = label.sub("", text, count=1)
    return text if re.search(r"\w", text) else ""


def unrolled(cues):
    """Cues in order of time with what they repeat taken out. Each text may have several lines; the results have one.

    Rolling captions show the line before again above the new one, or let a line grow word by word.
    """
    out, shown, words, last = [], [], [], -1e9
    for cue in cues:
        lines = cue.text.split("\n")
        near = cue.start - last <= GAP
        if near:
            again = next((k for k in range(min(len(shown), len(lines)), 0, -1) if shown[-k:] == lines[:k]), 0)
            new = " ".join(lines[again:]).split()
            if not again:
                new = new[_repeated(words, new, len(" ".join(shown).split())):]
        else:
            new = " ".join(lines).split()
        if new:
            out.append(replace(cue, text=" ".join(new)))
            words = (words if near else [])[-40:] + new
        shown, last = lines, max(cue.end, last if near else cue.end)
    return out


def _repeated(before, new, size):
    """How many first words of `new` are the last words of `before`: three or more, or all of one of the two texts, if it has two or more.

    size: number of words of the cue before, which are the last of `before`.
    """
    for k in range(min(len(before), len(new)), 1, -1):
        if (k > 2 or k in (len(new), size)) and before[-k:] == new[:k]:
            return k
    return 0
