"""Make a blind study: pairs of clips made alike under random names, and the key to them, which raters never get.

    STUDY/items.json, clips/      what raters see      STUDY/answers.sqlite   what they answer (`store`)
    STUDY_key.json                which clip is whose  STUDY_links.csv        the raters' links; both lie beside the folder, not in it
"""

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from unicodedata import normalize

import numpy as np

from ... import video
from ...clip import write_text
from ...errors import KitError, VideoError
from ...whole import whole
from ..prompt_file import clean, read_prompts
from ..vbench_files import read_json
from . import store

VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")
OTHERS = (".gif", ".webp", ".apng", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".dcm")            # moving pictures that a study does not show
HEIGHT, WIDTH = 480, 854                    # pixels that a clip has at most
MOST_FPS = 30
LETTERS = "bcdfghjkmnpqrstvwxz"


def beside(folder, what):
    """A private file of a study: beside its folder, never inside."""
    folder = Path(folder).resolve()
    return folder.with_name(f"{folder.name}_{what}")


def key_path(folder):
    """Where the key of a study lies: beside its folder, never inside."""
    return beside(folder, "key.json")


def write_private(path, text):
    """Write a text file whole or not at all, from its first byte on readable by its owner alone."""
    with whole(path) as part:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)


def make(folder, items, seed=0, fps=8):
    """Write a blind study of clips in memory; returns its folder.

    items: list of {"prompt": str, "clips": {name: frames uint8 [T, H, W, 3], other name: frames}}, played at `fps`. Both clips of a pair
    become alike (`alike`), are marked synthetic alike (also a real one: a mark on one side alone would tell) and get random names. The
    order of items and the sides are drawn anew for every rater from `seed` and the rater's name (`items_of`).
    """
    names = {frozenset(item["clips"]) for item in items}
    if len(names) != 1 or len(next(iter(names))) != 2:
        raise KitError("every item needs the same two clips by name, for example {'real': frames, 'generated': frames}.")
    pairs = [(str(index), item["prompt"], lambda clips=item["clips"]: clips) for index, item in enumerate(items)]
    return build(folder, sorted(next(iter(names))), pairs, seed, fps)[0]


def create(folder, videos_a, videos_b, prompts, names=None, seed=0, fps=0, seconds=10.0, skip_bad=False):
    """Write a blind study of two folders of videos; returns (its folder, sentences about pairs that were left out).

    Pairs are files of equal name (`spelled`); hidden files are left out. prompts: a file for `read_prompts`. names: of the two sides in
    the key, by default the folders' names. fps: of all clips; 0 is the highest that a video has, at most 30, so that nothing is taken
    from either side. seconds: longer clips are cut. A pair without partner or prompt, or with a broken video, is refused by name; skip_bad
    leaves it out. Prompts that no video has are told among the sentences and stop nothing.
    """
    places = [Path(videos_a), Path(videos_b)]
    names = list(names or (place.resolve().name for place in places))
    if len(set(names)) != 2 or store.ANSWERS[2] in names:
        raise KitError(f"the two sides are both called '{names[0]}'. Name them: --names base,tuned (the names stand in the key alone).")
    texts, files = texts_of(prompts), [files_of(place) for place in places]
    shared = sorted(set(files[0]) & set(files[1]))
    bad = [f"{name} is in {place} only" for place, own, other in zip(places, files, files[::-1]) for name in sorted(set(own) - set(other))]
    bad += [f"{name} in {place} is of a kind that a study does not show (convert it to .mp4)" for place in places
            for name in others_of(place)]
    bad += [f"{name} has no prompt in {prompts}" for name in shared if name not in texts]
    unused = [name for name in texts if name not in files[0] and name not in files[1]]
    kept = [name for name in shared if name in texts]
    fps = fps or highest_fps([own[name] for name in kept for own in files])
    pairs = [(name, texts[name], lambda name=name: {side: on_grid(own[name], fps, seconds) for side, own in zip(names, files)})
             for name in kept]
    folder, left_out = build(folder, names, pairs, seed, fps, bad, skip_bad)
    return folder, left_out + ([f"{len(unused)} of {len(texts)} prompts in {prompts} belong to no video of either folder: {few(unused)}"]
                               if unused else [])


def texts_of(path):
    """{name as `spelled`: prompt} of a file for `read_prompts`."""
    if Path(path).suffix.lower() == ".json" and Path(path).is_file() and isinstance(read_json(path), list):
        raise KitError(f"{path} is a list, as VBench's full_info.json is: only medgen-kit evaluate reads that. For a study write "
                       "{\"name.mp4\": \"prompt\", ...}.")
    found = {}
    for name, text in read_prompts(path).items():
        if spelled(name) in found:
            raise KitError(f"{path}: {name} stands there twice, in two spellings. Keep one of the two.")
        found[spelled(name)] = text
    return found


def spelled(name):
    """A file name as names are compared: as `clean` gives it, every accent a part of its letter (Unicode's NFC)."""
    return normalize("NFC", clean(name))


def few(names, most=3):
    """The first names of a list, and how many there are besides."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def seen_in(folder):
    """(name with forward slashes, path) of what lies in a folder and below, sorted, without hidden files and folders."""
    found = [(path.relative_to(folder), path) for path in sorted(Path(folder).rglob("*"))]
    return [(name.as_posix(), path) for name, path in found if not any(part.startswith(".") for part in name.parts)]


def others_of(folder):
    """Names of the moving pictures in a folder and below that are none of VIDEOS."""
    return [name for name, path in seen_in(folder) if path.suffix.lower() in OTHERS]


def files_of(folder):
    """{name as `spelled`: path} of the videos in a folder and below."""
    if not Path(folder).is_dir():
        raise KitError(f"{folder} is not a folder. Give two folders of videos in which the clips of one prompt have the same file name.")
    found = {}
    for name, path in seen_in(folder):
        if path.suffix.lower() not in VIDEOS:
            continue
        if (other := found.setdefault(spelled(name), path)) != path:
            raise KitError(f"{path} and {other} have one name in two spellings. Rename one of the two, in both folders.")
    if not found:
        raise KitError(f"{folder} holds no videos ({', '.join(VIDEOS)}).")
    return found


def highest_fps(paths):
    """The highest frame rate of some files, at most 30; a file that can not be read is passed over here."""
    found = [1.0]
    for path in paths:
        try:
            found.append(video.probe(path).fps)
        except VideoError:
            continue
    return min(MOST_FPS, round(max(found), 3))


def on_grid(path, fps, seconds):
    """Frames uint8 [T, H, W, 3] of a file as they are shown at 0, 1/fps, 2/fps ..., at most `seconds` long."""
    shown, length = video.times(path), video.probe(path).duration
    moments = np.arange(max(1, int(min(length, seconds) * fps + 1e-6))) / fps
    return video.read(path, indices=(np.searchsorted(shown, moments + 1e-6, side="right") - 1).clip(0).tolist())[0]


def alike(clips):
    """Two clips of one size and length: {name: frames}. Both come to the larger height, at most 480 pixels, the narrower one between
    black bars; the longer one is cut. Nothing is cropped or squeezed, so clips of different shape can still be told apart by their bars."""
    height = min(HEIGHT, max(frames.shape[1] for frames in clips.values()))
    widths = {name: height * frames.shape[2] / frames.shape[1] for name, frames in clips.items()}
    scale = min(1, WIDTH / max(widths.values()))
    height, box = even(height * scale), even(max(widths.values()) * scale)
    length = min(len(frames) for frames in clips.values())
    out = {}
    for name, frames in clips.items():
        width = min(box, even(widths[name] * scale))
        left = (box - width) // 2
        small = video.resize(np.asarray(frames)[:length], (height, width))
        out[name] = np.pad(small, ((0, 0), (0, 0), (left, box - width - left), (0, 0)))
    return out


def even(pixels):
    """The nearest even number of pixels, 2 or more."""
    return max(2, 2 * round(pixels / 2))


def code(taken):
    """A new random name of ten letters, not among those taken."""
    while (made := "".join(secrets.choice(LETTERS) for _ in range(10))) in taken:
        pass
    return made


def build(folder, names, pairs, seed, fps, bad=(), skip_bad=False):
    """Write the study whole or not at all; returns (folder, what was left out).

    pairs: (origin, prompt, function that gives {name: frames}). bad: sentences about pairs that are known to be unusable.
    """
    folder, bad = Path(folder), list(bad)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        there = "already holds a study" if (folder / store.FILE).exists() else "is not empty"
        raise KitError(f"{folder} {there}. Choose another folder, so that answers already given are not lost.")
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        made = encode(part, names, pairs, fps, bad)
        if bad and not skip_bad:
            more = f" and {len(bad) - 10} more" if len(bad) > 10 else ""
            raise KitError(f"{len(bad)} clips or pairs can not be used: {'; '.join(bad[:10])}{more}. Put them right, or leave them out "
                           "with --skip-bad.")
        if not made:
            raise KitError("no pair is left to show. Pairs are videos of equal name in both folders, with a prompt.")
        order = np.random.default_rng(seed).permutation(len(made))
        items = [{"item": f"item {number:0{max(2, len(str(len(made))))}d}"} | made[index] for number, index in enumerate(order, 1)]
        shown = [{"item": row["item"], "prompt": row["prompt"], "clips": sorted(row["clips"])} for row in items]
        key = {"names": list(names), "seed": seed, "fps": fps,
               "items": {row["item"]: {"origin": row["origin"], "clips": row["clips"]} for row in items}}
        write_text(part / "items.json", json.dumps(shown, indent=1, ensure_ascii=False))
        store.create(part, seed, len(items))
        write_private(key_path(folder), json.dumps(key, indent=1, ensure_ascii=False))
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder, bad


def encode(folder, names, pairs, fps, bad):
    """Write the clips of all pairs; rows {"origin", "prompt", "clips": {code: name}}. What can not be read is added to `bad`."""
    made, taken = [], set()
    for origin, prompt, read in pairs:
        try:
            clips = alike(read())
        except VideoError as error:
            bad.append(str(error))
            continue
        codes = {}
        for name in names:
            codes[mark := code(taken)] = name
            taken.add(mark)
            path = video.write(folder / "clips" / f"{mark}.mp4", video.mark_synthetic(clips[name]), fps, synthetic=True)
            os.utime(path, (0, 0))
        made.append({"origin": origin, "prompt": prompt, "clips": codes})
    return made


def items_of(folder, rater=""):
    """What a rater sees, in the rater's own order: list of {"item", "prompt", "first": file, "second": file}, files inside the folder.

    Order and sides follow from the study's seed and the rater's name; each clip of a pair comes first for about half of the raters, and
    half of a rater's pairs are turned. Without a rater: as they lie in items.json.
    """
    path = Path(folder) / "items.json"
    if not path.is_file():
        raise KitError(f"{folder} holds no study (no items.json). Make one: medgen-kit study create FOLDER_A FOLDER_B "
                       f"--prompts prompts.json --out {folder} (in a notebook study.make).")
    rows = json.loads(path.read_text(encoding="utf-8"))
    order, turned = (range(len(rows)), [0] * len(rows)) if not rater else draw(store.facts(folder)["seed"], rater, len(rows))
    out = []
    for place in order:
        row, sides = rows[place], rows[place]["clips"][::-1] if turned[place] else rows[place]["clips"]
        out.append({"item": row["item"], "prompt": row["prompt"]} | {side: f"clips/{mark}.mp4" for side, mark in zip(store.ANSWERS, sides)})
    return out


def draw(seed, rater, count):
    """(order of the items, 0 or 1 per item: whether its sides are turned) for a rater, from the study's seed."""
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(rater.encode()).digest()[:8], "big")])
    order = rng.permutation(count)
    return order.tolist(), rng.permutation(np.arange(count) % 2).tolist()


def read_key(folder, key=None):
    """The key of a study: {"names", "seed", "fps", "items": {item: {"origin", "clips": {code: name}}}}."""
    path = Path(key or key_path(folder))
    if not path.is_file():
        raise KitError(f"{path} is not there: without the key nobody can say which clip was whose. Put it beside the study folder.")
    return json.loads(path.read_text(encoding="utf-8"))
