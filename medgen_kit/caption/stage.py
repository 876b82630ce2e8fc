"""Stage "caption": clips of sources and curation in one VideoFolder, each with a detailed caption, a brief one and its concepts.

Good captions are kept; missing and failing ones are written by the profile's captioner, once again with what was wrong when the checks
say so (`checks.must_be_rewritten`), and what still fails is put aside in quarantine.csv for a person. checks.csv holds one row per clip
and a column per check. Replies lie in the run's captions.jsonl, beside the stages, so that no changed setting throws away what was paid.
"""

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import knowledge
from ..clip import Clip, read_folder, write_csv, write_folder
from ..errors import KitError, VideoError
from ..whole import whole
from . import transcript
from .backends import backend
from .cache import Log
from .checks import CHECKS, Row, check, must_be_rewritten
from .facts import Facts
from .slips import words
from .truth import named
from .write import check_samples, estimate_line, expected, write_all

KEPT = "source"                              # caption_model of a clip that came with its captions


@dataclass
class Item:
    """A clip on its way through the stage. first, wrong: what the checks say at first look and at the end. problem: of the captioner."""

    clip: Clip
    row: Row
    origin: str
    model: str = KEPT
    problem: str = ""
    first: dict = field(default_factory=dict)
    wrong: dict = field(default_factory=dict)

    @property
    def lost(self):
        return bool(self.problem) or must_be_rewritten(self.wrong)


def build(work):
    """Reads the VideoFolders work.inputs (sources, curate); writes videos/, metadata.jsonl, checks.csv, quarantine.csv.

    Returns figures: clips, words, share of clips that passes each check at first look, concepts, precision of the concept rule.
    """
    options = {name: value for name, value in work.profile.caption.as_dict().items() if value not in ("", None)}
    samples, cache = options.pop("samples", 1), options.pop("cache", "")
    writer = backend(options.pop("backend"), **options)
    check_samples(writer, samples)
    pairs, lost = gather(work.inputs, work.out, uploads(work), work.say)
    if not pairs:
        raise KitError(f"no clip of {', '.join(map(str, work.inputs.values()))} can be read, so there is nothing to caption.")
    work.say(f"{len(pairs)} clips" + (f", {len(lost)} unreadable" if lost else "") + f"; captioner '{writer.name}'")
    log = Log(cache or (work.run.root if work.run else work.out) / "captions.jsonl")
    items = [Item(clip, Row(facts, clip.brief_caption, clip.detailed_caption),
                  "kept" if captioned(clip) else "written") for clip, facts in pairs]
    fill([item for item in items if item.origin == "written"], writer, log, work.profile.seed, work.say, samples)
    for item, wrong in zip(items, check([item.row for item in items])):
        item.first = item.wrong = wrong
    again = [item for item in items if must_be_rewritten(item.first) and not item.problem]
    for item in again:
        item.row.facts = item.row.facts if item.row.facts.pictures else Facts.of(item.clip)
    fill(again, writer, log, work.profile.seed + 1, work.say, samples)
    for item in again:
        item.origin = "written again"
    for item, wrong in zip(items, check([item.row for item in items]) if again else ()):
        item.wrong = wrong
    return finish(work.out, items, lost) | paid(writer, log)


def fill(items, writer, log, seed, say, samples=1):
    """Captions for these items; the captioner is told what was wrong with earlier ones."""
    asked = [(item.clip, replace(item.row.facts, refused="; ".join(item.first.values()))) for item in items]
    announce(writer, [facts for _, facts in asked], samples, say)
    for item, made in zip(items, write_all(writer, asked, log, seed, say, samples)):
        item.problem = made.problem
        if not made.problem:
            item.row, item.model = Row(item.row.facts, made.brief, made.detailed, made.samples), made.model


def finish(out, items, lost):
    """Write the folder and its tables; what may not stay is named in quarantine.csv beside `lost`, and its link removed."""
    for item in items:
        clip, row = item.clip, item.row
        clip.brief_caption, clip.detailed_caption, clip.concepts = row.brief, row.detailed, knowledge.tags(row.detailed)
        clip.extra |= {"caption": item.origin, "caption_model": item.model}
        clip.extra |= {"caption_flags": sorted(item.wrong)} if item.wrong else {}
        if item.lost:
            said = item.problem or "; ".join(f"{name}: {what}" for name, what in item.wrong.items())
            lost.append({"clip_id": clip.clip_id, "file": clip.video_name, "reason": "captioner" if item.problem else "caption",
                         "message": said})
            clip.path.unlink()
    write_csv(out / "checks.csv", list(map(report_line, items)), ("clip_id", "file", "origin", *(c.name for c in CHECKS), "verdict"))
    write_csv(out / "quarantine.csv", lost, ("clip_id", "file", "reason", "message"))
    write_folder(out, [item.clip for item in items if not item.lost])
    return figures(items, lost)


def announce(writer, facts, samples, say):
    """Say what the captions of these clips will take, where that costs anything."""
    if facts and hasattr(writer, "purse"):
        line = estimate_line(expected(writer, facts, samples), writer.purse.cap)
        say(f"{len(facts)} clips for {writer.model_name} at {writer.url}: {line}; what is in the cache is not asked again")


def paid(writer, log):
    """Where frames went and what it cost, for the report: nothing for a captioner that runs here."""
    if not hasattr(writer, "purse"):
        return {}
    return {"captioner_address": writer.url, "requests": writer.wire.sent, "cost": round(log.spent(), 6),
            "frames_left_the_machine": bool(writer.wire.sent and not writer.local)}


def uploads(work):
    """Folders in which the uploads of curated clips may lie: the user's own, else that of stage `raw`."""
    own = getattr(getattr(work.profile, "curate", None), "folder", "")
    return [Path(own)] if own else [work.run.folder("raw")] if work.run else []


def gather(inputs, out, folders=(), say=print):
    """([(clip, facts)], problems): the clips of the input folders, linked into out/videos/<stage>/, with their facts.

    folders: where uploads lie, for subtitle files beside them. A file that cannot be decoded is named in problems (dicts clip_id, file,
    reason, message) and left out.
    """
    found, cues = [], {}
    for stage, folder in inputs.items():
        for clip in read_folder(folder):
            place = clip.path.relative_to(Path(folder).resolve())
            spoken = transcript.of_clip(clip, folders, say, cues)
            clip.extra |= {"transcript": spoken} if spoken else {}
            found.append((clip, Path(out) / "videos" / stage / (place.relative_to("videos") if place.parts[0] == "videos" else place)))
    with ThreadPoolExecutor(2) as pool:
        looked = list(pool.map(lambda pair: _look(*pair), found))
    return [one for one in looked if isinstance(one, tuple)], [one for one in looked if isinstance(one, dict)]


def captioned(clip):
    """True for a clip that came with both captions."""
    return bool(clip.brief_caption and clip.detailed_caption)


def _look(clip, target):
    try:
        known = Facts.of(clip, closely=not captioned(clip))
    except VideoError as error:
        return {"clip_id": clip.clip_id, "file": clip.video_name, "reason": error.reason, "message": str(error).split(": ", 1)[-1]}
    link(clip.path, target)
    clip.path = target
    return clip, known


def link(source, target):
    """A hard link from target to source (no extra disk space), a copy where the disk cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        with whole(target) as part:
            shutil.copyfile(source, part)


def report_line(item):
    """One row of checks.csv: empty where a check passed, what was wrong at first look where it did not."""
    verdict = ("quarantine" if item.lost else "rewritten" if item.origin == "written again" else "flagged" if item.wrong else "pass")
    return {"clip_id": item.clip.clip_id, "file": item.clip.video_name, "origin": item.origin, **item.first, "verdict": verdict}


def figures(items, lost):
    """Numbers for report.json."""
    clips = [item.clip for item in items if not item.lost]
    said = [named(clip.detailed_caption, clip.factors) for clip in clips if clip.factors]
    told = [value for one in said for value in one.values()]
    concepts = Counter(tag for clip in clips for tag in clip.concepts)
    rule = knowledge.precision()
    origin = Counter(item.origin for item in items)
    return {"clips": len(clips), **{f"captions_{k.replace(' ', '_')}": n for k, n in sorted(origin.items())},
            "quarantined": len(lost), "flagged": sum("caption_flags" in clip.extra for clip in clips),
            "words_detailed": mean(len(words(clip.detailed_caption)) for clip in clips),
            "words_brief": mean(len(words(clip.brief_caption)) for clip in clips),
            "passed": {c.name: round(1 - sum(c.name in item.first for item in items) / len(items), 4) for c in CHECKS},
            "factors_named": round(sum(told) / max(1, len(told)), 4), "concepts": len(concepts),
            "concepts_per_clip": mean(len(clip.concepts) for clip in clips), "commonest": dict(concepts.most_common(12)),
            "rule": {k: round(v, 4) for k, v in rule.items() if not isinstance(v, list)}}


def mean(values):
    values = list(values)
    return round(sum(values) / max(1, len(values)), 2)
