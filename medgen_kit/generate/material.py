"""The clips that a fine-tuning reads: MedVideoCap-55K, the run's own, those of another scanner, or a folder of the user's."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from .. import sources, video
from ..clip import Clip, write_folder, write_text
from ..errors import KitError

AMBER = np.array([[0, 0, 0], [150, 72, 8], [245, 172, 64], [255, 240, 200]])           # colour map of the other scanner, dark to bright
KEPT = 8                               # one source in so many is kept for judging


def own_clips(name, folder, count, seed=0, captioned="", say=print):
    """Folder of the clips called `name`: "medvideocap" (the first `count`, fetched into `folder`), "other scanner" (`count` simulated
    ones), "captioned" (those of the run), or a VideoFolder. KitError for anything else."""
    if name == "medvideocap":
        return medvideocap(folder, count, say)
    if name == "other scanner":
        return other_scanner(folder, count, seed)
    if name == "captioned" and captioned:
        return captioned
    if not Path(name).expanduser().is_dir():
        raise KitError(f"'{name}' names no clips. It can be: medvideocap, other scanner, captioned (in a run), or a folder of captioned "
                       "clips (metadata.jsonl beside MP4 files).")
    return Path(name).expanduser()


def medvideocap(folder, count, say):
    """The first `count` clips of MedVideoCap-55K; what was fetched before stays, and when it is all there the hub is not asked."""
    from ..sources.hub import medvideocap_clips

    done = folder / "fetched.json"
    if done.is_file() and json.loads(done.read_text(encoding="utf-8"))["count"] == count:
        return folder
    made, problems = medvideocap_clips(folder, count, say=say)
    for problem in problems[:3]:
        say(problem)
    for clip in made:
        clip.split = split_of(clip.source_id)
    write_folder(folder, made)
    write_text(done, json.dumps({"count": count, "problems": problems}))
    return folder


def split_of(source):
    """"val" for one source in KEPT, else "train": clips of one upload are never on both sides."""
    return "val" if int(hashlib.sha256(str(source).encode()).hexdigest(), 16) % KEPT == 0 else "train"


def other_scanner(folder, count, seed):
    """`count` echocardiograms of the simulator under the amber colour map that some scanners use."""
    if (folder / "metadata.jsonl").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    every, rng, made = [flat for flat in sources.combinations() if flat["modality"] == "echo"], np.random.default_rng(seed), []
    factors = [every[k % len(every)] for k in range(count)]
    for number, (flat, frames) in enumerate(zip(factors, tinted(sources.render(factors, seed + 1, 9, 32)))):
        brief, detailed = sources.describe(flat, rng)
        path = video.write(folder / "videos" / f"{number:04d}.mp4", frames, 8, crf=0)
        made.append(Clip.of(path, video_category="medical imaging", brief_caption=brief, detailed_caption=detailed, factors=flat,
                            source="simulator, amber map", source_id=f"amber/{number}", licence="CC BY 4.0 (simulated)",
                            split="val" if number % KEPT == KEPT - 1 else "train"))
    write_folder(folder, made)
    return folder


def tinted(frames):
    """Grey frames uint8 [..., 3] under the amber map."""
    grey = frames.mean(-1)
    return np.stack([np.interp(grey, np.linspace(0, 255, len(AMBER)), AMBER[:, k]) for k in range(3)], -1).round().astype(np.uint8)
