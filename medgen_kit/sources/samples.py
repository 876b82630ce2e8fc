"""Stage "sources": the sample dataset of the course. Simulated clips, brain sweeps and real clips as one VideoFolder."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from .. import sources, video
from ..clip import Clip, write_folder
from ..errors import KitError
from ..machine import side_by_side
from . import brain, real

CHUNK = 96                            # clips rendered at once
WORTH = 12                            # chunks from which a second process is worth its start
SHARE = 0.03                          # share of the seen combinations' clips that goes to val, and to test
OURS = "CC BY 4.0, MedGen Kit"
CAMERA = {"advancing": "dolly in", "withdrawing": "dolly out"}     # endoscopy.camera; every other simulated camera stands still


@dataclass(frozen=True)
class Job:
    """One clip to make: its name, flat factors and split."""

    name: str
    factors: dict
    split: str

    @property
    def modality(self):
        return self.factors["modality"]


def build(work):
    """Make the VideoFolder work.out (videos/*.mp4, metadata.jsonl) of the profile's size; returns the stage's figures.

    With data.source "medvideocap" the clips are fetched from MedVideoCap-55K instead.
    """
    data = work.profile.data
    if data.source == "medvideocap":
        return _figures(_medvideocap(work), work.out)
    if data.source != "samples":
        raise KitError(f"data.source '{data.source}' is not known. It is 'samples' or 'medvideocap'.")
    jobs = plan(data.clips, data.real_sweeps, work.profile.seed)
    chunks = [jobs[start:start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    made, done = {}, 0
    for number, made[number] in side_by_side(make_chunk, [(chunk, k, work.profile, work.out) for k, chunk in enumerate(chunks)],
                                             2 if len(chunks) >= WORTH else 1):
        done += len(made[number])
        if len(made) % 8 == 0 or done == len(jobs):
            work.say(f"{done} of {len(jobs)} clips")
    clips = [clip for _, part in sorted(made.items()) for clip in part]
    clips += [_real(one, work) for one in real.clips(data.frames, data.size, data.fps)]
    order = np.random.default_rng((work.profile.seed, 3)).permutation(len(clips))
    write_folder(work.out, [clips[i] for i in order])
    return _figures(clips, work.out)


def plan(simulated, sweeps, seed):
    """The jobs of `simulated` simulated clips and `sweeps` brain sweeps: every combination occurs, balanced; held-out ones only in test."""
    every = sources.combinations()
    groups = ([c for c in every if c["modality"] != "brain"], simulated), ([c for c in every if c["modality"] == "brain"], sweeps)
    jobs = []
    for number, (combinations, count) in enumerate(groups):
        rng = np.random.default_rng((seed, 1, number))
        held = [c for c in combinations if sources.is_held_out(c)]
        seen = [c for c in combinations if not sources.is_held_out(c)]
        each = 3 if count >= 10 * len(combinations) else 1
        left = count - each * len(held)
        if left < len(seen):
            raise KitError(f"{count} clips are too few: {len(combinations)} combinations need at least {each * len(held) + len(seen)}. "
                           "Raise data.clips (simulated) or data.real_sweeps (brain) in the profile.")
        jobs += [(c, "test") for c in held for _ in range(each)] + list(zip(_spread(seen, left, rng), _splits(left, len(seen), rng)))
    jobs = sorted(jobs, key=lambda job: job[0]["modality"])        # stable: a chunk holds few modalities, which renders faster
    numbers = Counter()
    made = []
    for factors, split in jobs:
        modality = factors["modality"]
        made.append(Job(f"{modality}_{numbers[modality]:04d}", factors, split))
        numbers[modality] += 1
    return made


def _spread(combinations, count, rng):
    """`count` combinations, each as often as any other (or once more), rounds in mixed order."""
    out = []
    while len(out) < count:
        out += [combinations[i] for i in rng.permutation(len(combinations))]
    return out[:count]


def _splits(count, distinct, rng):
    """Splits of `count` jobs: val and test are drawn from behind the first round, so that train holds every combination where it can."""
    wanted = max(2, round(SHARE * count)) if count >= 20 else 1
    start = distinct if count - distinct >= 2 * wanted else 0
    chosen = start + rng.permutation(count - start)[:2 * wanted]
    splits = np.full(count, "train", dtype=object)
    splits[chosen[:wanted]], splits[chosen[wanted:]] = "val", "test"
    return list(splits)


def make_chunk(jobs, number, profile, out):
    """Clips of one chunk of jobs. Only files that are not there yet are rendered and written."""
    data, seed = profile.data, (profile.seed + 1) * 100_003 + number
    paths = [out / "videos" / f"{job.name}.mp4" for job in jobs]
    missing = [not path.is_file() for path in paths]
    frames = sources.render([job.factors for job in jobs], seed, frames=data.frames, size=data.size) if any(missing) else None

    def make(i):
        if missing[i]:
            video.write(paths[i], frames[i], data.fps, synthetic=jobs[i].modality != "brain")
        return _clip(jobs[i], paths[i], seed, i, data.frames)

    return [make(i) for i in range(len(jobs))]


def _clip(job, path, seed, i, frames):
    """The record of a made clip: captions from its factors, source, licence, truth."""
    rng = np.random.default_rng((seed, i, 7))
    synthetic = job.modality != "brain"
    extra = {"title": sources.title(job.factors, rng), "held_out": bool(sources.is_held_out(job.factors)), "synthetic": synthetic}
    if synthetic:
        brief, detailed = sources.describe(job.factors, rng)
    else:
        named = sources.plain(job.factors)
        places = brain.positions(named, np.random.default_rng((seed, i)), frames)       # the same draws as in sources.render
        extra["positions_mm"] = [round(float(places[0]), 1), round(float(places[-1]), 1)]
        brief, detailed = brain.describe(named, rng, (places[0], places[-1]))
    camera = CAMERA.get(job.factors.get("endoscopy.camera"), "static shot")
    return Clip.of(path, video_category=sources.category(job.modality), camera_motion_type=camera,
                   brief_caption=brief, detailed_caption=detailed, source=f"simulated: {job.modality}" if synthetic else brain.SOURCE,
                   source_id=f"simulated/{job.name}" if synthetic else brain.FILE, licence=OURS if synthetic else brain.LICENCE,
                   split=job.split, factors=dict(job.factors), extra=extra)


def _real(one, work):
    """The record of a real clip of `real.clips`; written unless it is there."""
    name, frames, fields = one
    path = work.out / "videos" / f"{name}.mp4"
    if not path.is_file():
        video.write(path, frames, work.profile.data.fps)
    return Clip.of(path, **fields)


def _medvideocap(work):
    from .hub import medvideocap_clips

    clips, problems = medvideocap_clips(work.out, work.profile.data.clips, say=work.say)
    for problem in problems[:5]:
        work.say(f"left out: {problem}")
    hold_out(clips, work.profile.seed)
    write_folder(work.out, clips)
    return clips


def hold_out(clips, seed):
    """Give a share of the clips (at least two, at most a third) to val and as many to test: MedVideoCap-55K comes without splits.

    Clips of one upload stay together, or the test would ask for what training has seen.
    """
    groups, count = {}, min(max(2, round(SHARE * len(clips))), len(clips) // 3)
    for clip in clips:
        groups.setdefault(clip.source_id, []).append(clip)
    names, left = sorted(groups), {"val": count, "test": count}
    for i in np.random.default_rng((seed, 9)).permutation(len(names)):
        split = next((name for name, open_places in left.items() if open_places > 0), None)
        if split is None:
            return
        left[split] -= len(groups[names[i]])
        for clip in groups[names[i]]:
            clip.split = split


def _figures(clips, folder):
    """Numbers for report.json: clips by category, split and origin; combinations; MiB on disk."""
    synthetic = [c for c in clips if c.extra.get("synthetic")]
    named = {tuple(sorted(c.factors.items())): c for c in clips if c.factors}
    return {"clips": len(clips), "simulated": len(synthetic), "real": len(clips) - len(synthetic),
            "combinations": len(named), "held_out": sum(bool(c.extra.get("held_out")) for c in named.values()),
            "categories": dict(sorted(Counter(c.video_category for c in clips).items())),
            "splits": dict(sorted(Counter(c.split for c in clips).items())),
            "mib": round(sum(path.stat().st_size for path in (folder / "videos").rglob("*.mp4")) / 2**20, 1)}
