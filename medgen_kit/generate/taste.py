"""A taste for the first lesson: one modality, half a minute of training from nothing, four prompts answered."""

import json

import numpy as np
import torch

from .. import sources
from ..align import ClipData, text_tower, train_tokenizer
from ..clip import write_text
from ..machine import use_threads
from .data import KINDS, Parts, TrainingSet, read_captions
from .sample import generate_clips, key_frames
from .stage import assemble
from .tokenizer import EigenframeTokenizer
from .train import TinyRecipe, train

MODALITY = "echo"


def build(work):
    """Writes frames.npz (key frames [4, 9, 32, 32, 3]) and prompts.json (4 texts). Flow matching alone: no alignment of any kind."""
    profile, sizes = work.profile, work.profile.taste
    use_threads(profile.generate.threads)
    parts = small_parts(sizes.clips, profile.seed)
    rows = parts.clips.rows
    features = torch.zeros(len(rows), parts.clips.frames.shape[1], 1)
    nothing = torch.zeros(len(rows), 1)
    text, no_text = read_captions(parts, rows)
    data = TrainingSet(parts.vae.encode(parts.clips.frames), text, dict.fromkeys(KINDS, nothing), dict.fromkeys(KINDS, nothing), features,
                       torch.arange(len(rows)), no_text)
    recipe = TinyRecipe(dim=128, layers=3, batch=24, max_steps=sizes.steps, minutes=0, repa=0, knowledge=0, detailed=0, seed=profile.seed)
    denoiser, figures = train(data, None, recipe, work.out, work.say)
    rng = np.random.default_rng(profile.seed)
    asked = [flat for flat in sources.combinations() if flat["modality"] == MODALITY]
    prompts = [sources.describe(asked[i], rng)[0] for i in np.linspace(0, len(asked) - 1, 4).astype(int)]
    clips = generate_clips(assemble(parts, denoiser), prompts, profile.generate, profile.seed)
    np.savez_compressed(work.out / "frames.npz", frames=key_frames(clips))
    write_text(work.out / "prompts.json", json.dumps(prompts))
    return {"train_seconds": figures["train_seconds"], "steps": figures["steps"], "clips": sizes.clips}


def small_parts(count, seed):
    """Parts of one modality, rendered in memory; the text encoder has random weights."""
    every = [flat for flat in sources.combinations() if flat["modality"] == MODALITY]
    factors = [every[i % len(every)] for i in range(count)]
    rng = np.random.default_rng(seed)
    rows = [dict(zip(KINDS, sources.describe(flat, rng)), split="train", factors=flat) for flat in factors]
    clips = ClipData(sources.render(factors, seed, 9, 32), rows)
    tokenizer = train_tokenizer([row[kind] for row in rows for kind in KINDS])
    torch.manual_seed(seed)
    encoder = text_tower(len(tokenizer)).eval().requires_grad_(False)
    return Parts(tokenizer, encoder, EigenframeTokenizer.fit(clips.frames, min(128, 8 * count), seed), None, clips, None)
