"""Fine-tuning from clips to a LoRA file that any diffusers pipeline loads: precompute, attach, train, judge, save. The stage `tune`.

On a GPU profile the model is Wan2.1 (or HunyuanVideo, Mochi, LTX, CogVideoX) and the clips are MedVideoCap-55K's; on `cpu` the model is
MedGen-tiny and the clips come from an ultrasound scanner with another colour map, which it has never seen.
"""

import gc
import json
import time
from pathlib import Path

import numpy as np
import torch

from .. import video
from ..align import ConceptSet, VideoTextModel
from ..clip import read_folder, write_text
from ..errors import KitError
from ..machine import device, use_threads
from ..run import folder_mark
from . import label, lora, loop, tune
from .cache import pick, precompute, read_clip
from .families import family_named
from .journal import memory, show
from .lean import encode_apart
from .lora_file import PIPELINES
from .material import own_clips
from .models import MODELS
from .opening import find, loose_weights, open_model
from .precision import numbers, text_dtype
from .reader import Reader
from .recipe import Recipe
from .sample import SampleSettings, generate_clips
from .weights import read_json


def build(work):
    """Reads stages `caption`, `align` and `generate`. Writes clips/ (unless they lie elsewhere), cache/, lora/ and, with tune.compare,
    full/: each as `fine_tune` does; and levels.json: loss at nine noise levels before and after, on clips kept from training."""
    profile, sizes = work.profile, work.profile.tune
    use_threads(profile.generate.threads)
    clips = own_clips(sizes.clips, work.out / "clips", sizes.count, profile.seed, work.inputs["caption"], work.say)
    place = str(work.inputs["generate"] / "pipeline") if sizes.model == "medgen-tiny" else sizes.model
    recipe, levels, figures = Recipe.of(profile), {}, {}
    for kind, one in {"lora": recipe, **({"full": full(recipe)} if sizes.compare else {})}.items():
        done = fine_tune(place, clips, work.out / kind, one, sizes, work.say, work.watch if kind == "lora" else None, work.out / "cache",
                         work.inputs["align"])
        levels |= {"before": done["before"], kind: done["after"]}
        figures[kind] = {key: done[key] for key in ("steps", "train_seconds", "parameters", "peak_memory_mib", "file_mib")}
        work.say(f"{kind}: {done['parameters']:,} weights trained, {done['steps']} steps in {done['train_seconds']:.0f} s, loss at nine "
                 f"noise levels {mean(done['before']):.3f} -> {mean(done['after']):.3f}")
    write_text(work.out / "levels.json", json.dumps(levels))
    return {"model": sizes.model, "clips": len(read_folder(clips)), **figures,
            "loss": {name: round(mean(found), 4) for name, found in levels.items()}}


def mean(levels):
    return sum(levels.values()) / len(levels)


def full(recipe):
    """The same recipe with all weights trained, at a tenth of the learning rate: LoRA's usual rate is too high for whole matrices."""
    return Recipe(**recipe.as_dict() | {"lora_rank": 0, "lr": recipe.lr / 10})


def fine_tune(place, clips, folder, recipe, sizes, say=print, watch=None, cache_folder=None, align=None, text_options=None, **opening):
    """Fine-tune the model at `place` (name or folder) on the VideoFolder `clips`; returns figures with "before" and "after" (loss by
    noise level on clips kept from training: split val, else test).

    folder: log.jsonl, checkpoints, previews.npz, made.json, and the LoRA file or, for full fine-tuning, the transformer. cache_folder:
    latents and captions (default: `folder`/cache), made first. sizes: frames, height, width, precision, caption, text_memory as in section
    `tune`. align: folder of a finished stage `align`, which the two alignment losses need when they are on. text_options: see `Family`.
    opening: for `open_model`. Run again, it goes on. Raises KitError.
    """
    folder, family = Path(folder), family_named(family_name(place, opening), fps=sizes.fps or None, **(text_options or {}))
    where = "cpu" if loop.will_be_sharded() else device()          # an engine that shards moves the model itself
    with loop.here().main_process_first():
        store = encode(place, family, clips, Path(cache_folder or folder / "cache"), sizes, say, opening)
    pipe = open_model(place, components=("transformer", "vae"), **numbers(sizes.precision), **opening)
    features, targets, heads = guides(store, clips, align, recipe)
    model = tune.Tuned(lora.attach(pipe.transformer.to(where), family, recipe), family, recipe, *heads).to(where)
    rows = kept_from_training(store)
    judged = {}
    looks = Looks(pipe, family, store, rows, recipe, folder)
    figures = loop.fit(model.train(), tune.drawing(store, family, recipe, "train", features, targets),
                       lambda m, batch: tune.losses(m, batch, family, recipe), recipe, folder, say,
                       lambda step, total, left, means, _: show(watch, step, total, left, means, looks.fresh()), validate=looks,
                       belongs={"model": pipe.kit["weights"], "clips": store.mark(), "precision": sizes.precision},
                       before=lambda m: judged.update(before=looks(m, 0)["levels"]))
    looks.save(clips)
    judged["after"] = tune.by_level(model.eval(), family, store, rows, recipe.seed)
    state, made = figures.pop("state", None), []
    if loop.here().is_main_process:
        made = save(pipe, recipe, folder, state)
        write_text(folder / "made.json", json.dumps({
            "place": str(place), "model": pipe.kit, "recipe": recipe.as_dict(), "clips": store.mark(), "fps": sizes.fps or family.fps,
            "precision": sizes.precision, "size": [sizes.frames, sizes.height, sizes.width], "steps": figures["steps"]}, indent=1))
    loop.here().wait_for_everyone()
    return {**figures, **judged, "peak_memory_mib": memory(), "file_mib": round(sum(path.stat().st_size for path in made) / 2**20, 2)}


def family_name(place, opening=None):
    """Family of a model by its name, by the pipeline that a folder or hub repository holds, or by the file of a transformer."""
    if place in MODELS:
        return MODELS[place].family
    hub = {"revision": None, "token": None, "local_files_only": False} | {
        key: value for key, value in (opening or {}).items() if key in ("revision", "token", "local_files_only")}
    found = find(str(place), "", ("scheduler",), hub).path
    if (found / "model_index.json").is_file():
        return PIPELINES.get(read_json(found / "model_index.json").get("_class_name"), "")
    return loose_weights(found)[1].family


def encode(place, family, clips, folder, sizes, say, opening):
    """The Cache of `clips`. Captions first, then clips, each with only its own encoder in memory."""
    say, started, dtype, clips = loop.by_one(say), time.time(), numbers(sizes.precision)["dtype"], read_folder(clips)
    named = f"{place} {opening} {folder_mark(place) if Path(place).is_dir() else ''}"
    if sizes.text_memory:                              # the captions are then there already when the cache looks for them
        captions = ["", *(getattr(clip, sizes.caption) for clip in clips)]
        _, peak = encode_apart(place, named, family, captions, folder, dtype, sizes.text_memory, **opening)
        say(f"captions encoded layer by layer; that process held at most {peak:,} MiB")
    openers = [lambda parts=parts, kind=kind: open_model(place, dtype=kind, device=device(), components=parts, **opening)
               for parts, kind in (("text", text_dtype(dtype)), (("vae",), dtype))]
    store = precompute(openers, (named, named), family, clips, folder, [(sizes.frames, sizes.height, sizes.width)], sizes.caption, dtype,
                       sizes.fps or None, say)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    say(f"{len(store.rows)} clips precomputed in {time.time() - started:.0f} s; {len(store.index['problems'])} left out")
    for problem in store.index["problems"][:3]:
        say(problem)
    return store


@torch.no_grad()
def guides(store, clips, align, recipe):
    """What the alignment losses compare with: (features by clip_id of the frozen video tower, concepts by clip_id that the caption names,
    (numbers in a feature, concepts)); nothing is read while both losses are off."""
    if not recipe.repa and not recipe.knowledge:
        return None, None, (0, 0)
    if align is None:
        raise KitError("repa and knowledge compare with the towers and concepts of stage 'align'. Give align=, its folder, or set "
                       "both to 0.")
    aligner, _ = VideoTextModel.load(align)
    concepts = ConceptSet.load(Path(align) / "concepts.json")
    paths, features = {clip.clip_id: clip.path for clip in read_folder(clips)}, {}
    present, known = (torch.as_tensor(part) for part in concepts.targets([row["caption"] for row in store.rows]))
    for row in store.rows if recipe.repa else ():
        frames = video.read(paths[row["clip_id"]], count=9, size=32)[0]
        features[row["clip_id"]] = aligner.frame_features(torch.as_tensor(frames)[None])[0]
    width = next(iter(features.values())).shape[-1] if features else 0
    return features, {row["clip_id"]: pair for row, pair in zip(store.rows, zip(present, known))}, (width, len(concepts.names))


def kept_from_training(store, most=8):
    """Up to `most` rows that are judged and not trained on."""
    for split in ("val", "test"):
        rows = [row for bucket in store.split(split) for row in bucket]
        if rows:
            return [rows[k] for k in np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    raise KitError("every clip is in the split train, so none is left to judge the training by. Give a few of them split 'val'.")


class Looks:
    """Validation before and while a training runs: loss at nine noise levels, and one clip of a kept caption, always from the same noise,
    made by the model's own pipeline from the cached caption and kept as a labelled video in samples/ too."""

    def __init__(self, pipe, family, store, rows, recipe, folder):
        self.pipe, self.family, self.store, self.rows, self.recipe, self.folder = pipe, family, store, rows, recipe, Path(folder)
        pipe.reader = Reader.of(store, family, pipe.transformer.dtype)
        frames, height, width = rows[0]["bucket"]
        self.how = SampleSettings.of(pipe, num_inference_steps=20, guidance_scale=1.0, num_frames=frames, height=height, width=width,
                                     fps=store.index["fps"], sample_shift=recipe.sample_shift if family.shifts else None)
        self.kept, self.at, self.shown = [], [], 0

    def __call__(self, model, step):
        model.eval()
        caption = self.rows[0]["caption"]
        self.kept.append(self.sample(caption))
        self.at.append(step)
        if loop.here().is_main_process:
            label.write(self.folder / "samples" / f"step-{step:07d}.mp4", self.kept[-1], self.how.fps, {
                **self.facts(step), "prompt": caption, "seed": self.recipe.seed, "trained_steps": step})
        levels = tune.by_level(model, self.family, self.store, self.rows, self.recipe.seed)
        model.train()
        return {"levels": levels, "caption": caption}

    def facts(self, step):
        """What the label says of the model: a LoRA in training on the base's weights, or weights that lie in no file yet."""
        told, rank = label.shared_facts(self.pipe, self.how), self.recipe.lora_rank
        if rank:
            return told | {"lora": {"name": "in training", "rank": rank, "steps": step}}
        return told | {"weights": None, "trained_from": told["weights"]}

    def sample(self, caption):
        """A clip uint8 [T, H, W, 3]; the VAE comes to the device for it, and decodes large pictures in tiles."""
        if max(self.how.height, self.how.width) > 256:
            self.pipe.vae.enable_tiling()
        self.pipe.vae.to(device())
        clip = generate_clips(self.pipe, [caption], self.how, self.recipe.seed)[0]
        self.pipe.vae.to("cpu")
        return clip

    def fresh(self):
        """The newest sample, the first time that it is asked for."""
        new, self.shown = len(self.kept) > self.shown, len(self.kept)
        return self.kept[-1] if new else None

    def save(self, clips):
        """previews.npz: frames [K, T, H, W, 3] and steps [K] (what an earlier, killed run made stays), and the clip of the VideoFolder
        `clips` that was described: target [T, H, W, 3]."""
        path, row = self.folder / "previews.npz", self.rows[0]
        if not self.kept or not loop.here().is_main_process:
            return
        found = dict(zip(self.at, self.kept))
        if path.is_file():
            with np.load(path) as old:
                found = dict(zip(old["steps"].tolist(), old["frames"])) | found
        steps = sorted(found)
        clip = next(clip for clip in read_folder(clips) if clip.clip_id == row["clip_id"])
        bucket, _, picked = pick(clip, self.family, [tuple(row["bucket"])], self.how.fps)
        np.savez_compressed(path, frames=np.stack([found[step] for step in steps]), steps=np.array(steps),
                            target=read_clip(clip, bucket, picked))


def save(pipe, recipe, folder, state=None):
    """Write what was trained; the paths: a LoRA in diffusers' format, or the whole transformer. state: {name: tensor} of the Tuned model
    where the engine has sharded it."""
    state = state and {name.removeprefix("transformer."): value for name, value in state.items()}
    if recipe.lora_rank:
        return [lora.save(type(pipe), pipe.transformer, folder, state)]
    pipe.transformer.save_pretrained(folder / "transformer", **({"state_dict": state} if state else {}))
    return sorted((folder / "transformer").glob("*.safetensors"))
