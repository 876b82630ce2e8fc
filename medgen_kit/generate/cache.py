"""Precompute first: latents of clips and embeddings of captions, made once, so that text encoder and VAE are gone when training begins.

Two pools of safetensors shards, `texts/` and `latents/`. Whatever lies in them is addressed by its content (caption or file, size,
encoder), so an interrupted pass goes on, another caption costs only itself, and a cache is never taken for another model's.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from .. import video
from ..clip import read_folder, write_text
from ..errors import DiskError, KitError, VideoError
from ..whole import whole
from .weights import digest

SHARD = 32                             # entries of a shard: what an interruption can cost
KEPT = 512 * 2**20                     # bytes of entries that stay in memory once they were read


class Pool:
    """A folder of safetensors shards with entries {key: {name: tensor}}; an entry is there whole or not at all."""

    def __init__(self, folder):
        self.folder, self.places, self.open, self.waiting, self.kept, self.held = Path(folder), {}, {}, {}, {}, 0
        for shard in sorted(self.folder.glob("*.safetensors")):
            self._list(shard)

    def _list(self, shard):
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(shard, "pt") as file:
                for name in file.keys():
                    self.places.setdefault(name.split("/")[0], (shard, []))[1].append(name.split("/")[1])
        except (SafetensorError, OSError) as error:
            raise KitError(f"{shard} cannot be read ({error}). Remove that file and run the same again: what it held is made "
                           "anew.") from error

    def __contains__(self, key):
        return key in self.places or key in self.waiting

    def put(self, key, entry):
        """Keep {name: tensor}; every SHARD entries a shard is written. Call `flush` at the end."""
        self.waiting[key] = {name: value.detach().cpu().contiguous() for name, value in entry.items()}
        if len(self.waiting) >= SHARD:
            self.flush()

    def flush(self):
        from safetensors.torch import save_file

        if not self.waiting:
            return
        shard = self.folder / f"{hashlib.sha256(''.join(sorted(self.waiting)).encode()).hexdigest()[:16]}.safetensors"
        with whole(shard) as part:
            save_file({f"{key}/{name}": value for key, entry in self.waiting.items() for name, value in entry.items()}, part)
        self.waiting = {}
        self._list(shard)

    def get(self, key):
        """The entry {name: tensor}: from memory while there is room for it, else mapped from the disk."""
        from safetensors import safe_open

        if key in self.kept:
            return self.kept[key]
        if key not in self.places:
            raise KitError(f"{self.folder} does not hold all that is to be trained on. Run the precomputation again.")
        shard, names = self.places[key]
        if shard not in self.open:
            self.open[shard] = safe_open(shard, "pt").__enter__()
        entry = {name: self.open[shard].get_tensor(f"{key}/{name}") for name in names}
        size = sum(value.nbytes for value in entry.values())
        if self.held + size <= KEPT:
            self.kept[key], self.held = entry, self.held + size
        return entry


class Cache:
    """What a training reads: `rows` of the index (clip, caption, bucket, split, keys) over the two pools."""

    def __init__(self, folder):
        self.folder = Path(folder)
        path = self.folder / "index.json"
        if not path.is_file():
            raise KitError(f"{folder} holds no index.json, so nothing was precomputed there. Run `precompute` first.")
        self.index = json.loads(path.read_text(encoding="utf-8"))
        self.rows, self.nothing = self.index["rows"], self.index["nothing"]
        self.texts, self.latents = Pool(self.folder / "texts"), Pool(self.folder / "latents")

    def mark(self):
        """A short hash of what is trained on: the clips, captions and sizes."""
        return mark(self.rows)

    def split(self, name):
        """Rows of one split, by bucket: [[row, ...], ...], the same order every time."""
        buckets = {}
        for row in self.rows:
            if row["split"] == name:
                buckets.setdefault(tuple(row["bucket"]), []).append(row)
        return [buckets[key] for key in sorted(buckets)]

    def latent(self, row):
        """Normalised latents [C, t, h, w] of a row, float32."""
        return self.latents.get(row["latents"])["latents"].float()

    def text(self, row=None):
        """Embeddings of a row's caption as `Family.stack` takes them; of no caption without a row."""
        return self.texts.get(self.text_key(row))

    def text_key(self, row=None):
        return self.nothing if row is None else row["text"]


def precompute(openers, marks, family, clips, folder, buckets, caption="brief_caption", dtype=torch.float32, fps=None, say=print):
    """Encode captions and clips into `folder`; returns the Cache. Run again, only what is missing is made.

    openers: (function that gives a pipeline with the text encoders, one with the VAE): each is called only when something is missing, and
    its pipeline let go before the next, so the two are never in memory together. marks: (text, video), which name the encoders (`mark`).
    clips: a VideoFolder or a list of Clip. buckets: [(frames, height, width), ...]; each clip goes into the one that suits it. caption:
    which of its captions. dtype: of what is stored. fps: frames a second that are read (default: the family's). A clip that cannot be used
    is left out, with its reason, in index.json. Raises KitError when no clip is left, and for sizes that the family cannot have.
    """
    clips, folder, fps = read_folder(clips) if isinstance(clips, str | Path) else list(clips), Path(folder), fps or family.fps
    for bucket in buckets:
        family.check(*bucket)
    captions = ["", *(getattr(clip, caption) for clip in clips)]
    seen = mark(marks, family.name, family.text_options, buckets, caption, dtype, fps, captions, [stat(clip.path) for clip in clips])
    if (folder / "index.json").is_file() and (cache := Cache(folder)).index["of"] == seen:
        return cache                                   # the very same files and settings: nothing is read again
    texts = encode_texts(openers[0], marks[0], family, captions, folder, dtype, say)
    rows, problems = encode_clips(openers[1], marks[1], family, clips, folder, buckets, dtype, fps, say)
    slower = [row["fps"] for row, _ in rows if row["fps"] < 0.95 * fps]
    if slower and family.name != "tiny":
        say(f"{len(slower)} of {len(rows)} clips have fewer than {fps:g} frames a second (the least has {min(slower):g}). The model will "
            "see them move faster than they do; give --fps or tune.fps their rate if all are alike.")
    if not rows:
        raise KitError(f"not one of the {len(clips)} clips can be used: {' '.join(problems[:3])}")
    for row, clip in rows:
        row |= {"text": texts[getattr(clip, caption)], "caption": getattr(clip, caption), "split": clip.split}
    write_text(folder / "index.json", json.dumps({"family": family.name, "fps": fps, "of": seen, "nothing": texts[""],
                                                  "rows": [row for row, _ in rows], "problems": problems}, indent=1))
    return Cache(folder)


def encode_texts(opener, text_mark, family, prompts, folder, dtype, say=print, batch=8):
    """{prompt: key} after encoding into `folder`/texts what is not there yet."""
    pool = Pool(Path(folder) / "texts")
    keys = {prompt: mark(text_mark, family.name, family.text_length, family.text_options, prompt, dtype) for prompt in prompts}
    missing = [prompt for prompt, key in keys.items() if key not in pool]
    pipe = opener() if missing else None
    alone, others = [p for p in missing if not p.strip()], [p for p in missing if p.strip()]      # Mochi may blank a batch that holds ""
    for start, some in [(0, [prompt]) for prompt in alone] + [(k, others[k:k + batch]) for k in range(0, len(others), batch)]:
        for prompt, entry in zip(some, family.encode_prompts(pipe, some)):
            pool.put(keys[prompt], {name: v.to(dtype) if v.is_floating_point() else v for name, v in entry.items()})
        if start and start % (8 * batch) == 0:
            say(f"{start} of {len(missing)} captions encoded")
    pool.flush()
    return keys


@torch.no_grad()
def encode_clips(opener, video_mark, family, clips, folder, buckets, dtype, fps, say=print):
    """([(row, clip)], [problem]) after encoding into `folder`/latents what is not there yet."""
    pool, rows, problems, pipe = Pool(Path(folder) / "latents"), [], [], None
    for number, clip in enumerate(clips):
        try:
            bucket, step, picked = pick(clip, family, buckets, fps)
            key = mark(video_mark, family.name, digest(clip.path), bucket, step, dtype)
            if key not in pool:
                pipe = pipe or opener()
                pool.put(key, {"latents": family.encode_video(pipe, read_clip(clip, bucket, picked)[None])[0].to(dtype)})
            rows.append(({"file": Path(clip.path).name, "clip_id": clip.clip_id, "latents": key, "bucket": list(bucket),
                          "fps": round(clip.fps / step, 3)}, clip))
        except DiskError:
            raise
        except VideoError as error:
            problems.append(str(error))
        if number and number % 100 == 0:
            say(f"{number} of {len(clips)} clips encoded")
    pool.flush()
    return rows, problems


def pick(clip, family, buckets, fps):
    """(bucket, frames of the file for one that is read, frame numbers) for a clip, by time: 24 frames a second become 16. A slower clip is
    read frame by frame, so the model sees it move faster. VideoError when it is shorter than all buckets."""
    info = video.probe(clip.path)
    step = max(1.0, round(info.fps / fps, 3))
    there = int((info.frames - 1) / step) + 1
    bucket = choose_bucket(there, info.height, info.width, buckets)
    if bucket is None:
        raise VideoError(clip.path, "too_short", f"{there} frames at {fps:g} a second are fewer than the {min(b[0] for b in buckets)} of "
                         "the smallest bucket.")
    return bucket, step, family.pick(info.frames, bucket[0], step)


def read_clip(clip, bucket, picked):
    """Frames uint8 [T, H, W, 3] of a clip as `pick` says."""
    return cover(video.read(clip.path, indices=picked)[0], *bucket[1:])


def choose_bucket(frames, height, width, buckets):
    """The bucket (frames, height, width) for a clip: as many frames as it has, then the nearest shape, then the nearest size; None when it
    is shorter than all of them."""
    possible = [bucket for bucket in buckets if bucket[0] <= frames]
    if not possible:
        return None
    shape, size = np.log(width / height), np.log(width * height)
    return min(possible, key=lambda b: (-b[0], abs(np.log(b[2] / b[1]) - shape), abs(np.log(b[1] * b[2]) - size)))


def cover(frames, height, width):
    """Frames [T, H, W, 3] at height x width: scaled until both sides are covered, the middle kept."""
    scale = max(height / frames.shape[1], width / frames.shape[2])
    h, w = max(height, round(frames.shape[1] * scale)), max(width, round(frames.shape[2] * scale))
    frames, top, left = video.resize(frames, (h, w)), (h - height) // 2, (w - width) // 2
    return frames[:, top:top + height, left:left + width]


def mark(*things):
    """A short hash of plain values."""
    return hashlib.sha256(repr(things).encode()).hexdigest()[:32]


def stat(path):
    """What says cheaply that a file is the same: (name, bytes, time)."""
    try:
        found = Path(path).stat()
        return (Path(path).name, found.st_size, found.st_mtime_ns)
    except OSError:
        return (Path(path).name, 0, 0)
