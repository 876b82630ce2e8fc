"""Stage "caption": clips of sources and curation in one VideoFolder, each with a detailed caption, a brief one and its concepts.

Good captions are kept; missing and failing ones are written by the profile's captioner, once again with another seed when a
check fails, and what still fails is put aside in quarantine.csv. checks.csv holds one row per clip and a column per check.
"""

import json
import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .. import knowledge
from ..clip import read_folder, write_csv, write_folder
from ..errors import KitError, VideoError
from .backends import backend
from .checks import CHECKS, Row, check, words
from .facts import FRAMES, Facts
from .truth import named


def build(work):
    """Reads the VideoFolders work.inputs (sources, curate); writes videos/, metadata.jsonl, checks.csv, quarantine.csv, captions.jsonl.

    Returns figures: clips, words, share of clips that passes each check at first look, concepts, precision of the concept rule.
    """
    options = work.profile.caption.as_dict()
    writer = backend(options.pop("backend"), **options)
    clips, facts, lost = gather(work.inputs, work.out)
    if not clips:
        raise KitError(f"no clip of {', '.join(map(str, work.inputs.values()))} can be read, so there is nothing to caption.")
    work.say(f"{len(clips)} clips" + (f", {len(lost)} unreadable" if lost else "") + f"; captioner '{writer.name}'")
    log = Log(work.out / "captions.jsonl", json.dumps([writer.name, options, work.profile.seed], sort_keys=True))
    origin = {}
    for clip, known in zip(clips, facts):
        origin[clip.clip_id] = "kept" if clip.brief_caption and clip.detailed_caption else "written"
        if origin[clip.clip_id] == "written":
            clip.brief_caption, clip.detailed_caption = log.write(writer, clip, known, work.profile.seed)
    rows = [Row(known, clip.brief_caption, clip.detailed_caption) for clip, known in zip(clips, facts)]
    first = check(rows)
    for i, wrong in enumerate(first):
        if wrong:
            rows[i].brief, rows[i].detailed = log.write(writer, clips[i], facts[i], work.profile.seed + 1)
            origin[clips[i].clip_id] = "written again"
    second = check(rows) if any(first) else first
    good = []
    for clip, row, wrong in zip(clips, rows, second):
        clip.brief_caption, clip.detailed_caption = row.brief, row.detailed
        clip.concepts = knowledge.tags(row.detailed)
        clip.extra |= {"caption": origin[clip.clip_id], "caption_model": writer.name if origin[clip.clip_id] != "kept" else "source"}
        if wrong:
            said = "; ".join(f"{name}: {what}" for name, what in wrong.items())
            lost.append({"clip_id": clip.clip_id, "file": clip.video_name, "reason": "caption", "message": said})
            clip.path.unlink()
        else:
            good.append(clip)
    write_csv(work.out / "checks.csv", [report_line(*one, origin) for one in zip(clips, first, second)],
                ("clip_id", "file", "origin", *(c.name for c in CHECKS), "verdict"))
    write_csv(work.out / "quarantine.csv", lost, ("clip_id", "file", "reason", "message"))
    write_folder(work.out, good)
    return figures(good, first, origin, lost)


def gather(inputs, out):
    """(clips, facts, problems): the clips of the input folders, linked into out/videos/<stage>/, with their facts.

    A file that cannot be decoded is named in problems (dicts clip_id, file, reason, message) and left out.
    """
    found = []
    for stage, folder in inputs.items():
        for clip in read_folder(folder):
            place = clip.path.relative_to(Path(folder).resolve())
            found.append((clip, Path(out) / "videos" / stage / (place.relative_to("videos") if place.parts[0] == "videos" else place)))
    with ThreadPoolExecutor(2) as pool:
        looked = list(pool.map(lambda pair: _look(*pair), found))
    problems = [one for one in looked if isinstance(one, dict)]
    read = [one for one in looked if not isinstance(one, dict)]
    return [clip for clip, _ in read], [known for _, known in read], problems


def _look(clip, target):
    try:
        known = Facts.of(clip)
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
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        os.replace(part, target)


class Log:
    """captions.jsonl: every caption that was written, one line each, so that an interrupted stage does not pay for it twice."""

    def __init__(self, path, mark):
        self.path, self.mark, self.known = Path(path), mark, {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else ():
            try:
                row = json.loads(line)
            except ValueError:                       # the torn last line of an interrupted run
                continue
            if row.get("mark") == mark:
                self.known[row["clip_id"], row["seed"]] = row["brief"], row["detailed"]

    def write(self, writer, clip, facts, seed):
        """(brief, detailed) of a clip: from the log, else from the captioner."""
        key = clip.clip_id, seed
        if key not in self.known:
            frames = None if writer.name == "template" else clip.frames(count=FRAMES)
            detailed = writer.detailed(facts, frames, seed)
            self.known[key] = writer.brief(facts, detailed, seed), detailed
            row = {"clip_id": clip.clip_id, "seed": seed, "mark": self.mark, "brief": self.known[key][0], "detailed": detailed}
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._torn(file) + json.dumps(row, ensure_ascii=False) + "\n")
        return self.known[key]

    def _torn(self, file):
        """True when the file ends in half a line."""
        if file.tell() == 0:
            return False
        with self.path.open("rb") as end:
            end.seek(-1, os.SEEK_END)
            return end.read(1) != b"\n"


def report_line(clip, first, second, origin):
    """One row of checks.csv: empty where a check passed, what was wrong at first look where it did not."""
    verdict = "quarantine" if second else "rewritten" if first else "pass"
    return {"clip_id": clip.clip_id, "file": clip.video_name, "origin": origin[clip.clip_id], **first, "verdict": verdict}


def figures(clips, first, origin, lost):
    """Numbers for report.json."""
    said = [named(clip.detailed_caption, clip.factors) for clip in clips if clip.factors]
    told = [value for one in said for value in one.values()]
    concepts = Counter(tag for clip in clips for tag in clip.concepts)
    rule = knowledge.precision()
    return {"clips": len(clips), **{f"captions_{k.replace(' ', '_')}": n for k, n in sorted(Counter(origin.values()).items())},
            "quarantined": len(lost), "words_detailed": mean(len(words(clip.detailed_caption)) for clip in clips),
            "words_brief": mean(len(words(clip.brief_caption)) for clip in clips),
            "passed": {c.name: round(1 - sum(c.name in wrong for wrong in first) / len(first), 4) for c in CHECKS},
            "factors_named": round(sum(told) / max(1, len(told)), 4), "concepts": len(concepts),
            "concepts_per_clip": mean(len(clip.concepts) for clip in clips), "commonest": dict(concepts.most_common(12)),
            "rule": {k: round(v, 4) for k, v in rule.items() if not isinstance(v, list)}}


def mean(values):
    values = list(values)
    return round(sum(values) / max(1, len(values)), 2)
