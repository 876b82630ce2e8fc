"""The stage `generate`: train MedGen-tiny and save it as a diffusers pipeline."""

import json

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from ..clip import write_text
from ..machine import use_threads
from .concepts import classifier_accuracy, train_classifier
from .data import load_parts, training_set
from .flip import flipped_word_test
from .journal import show
from .pipeline import MedGenTinyPipeline
from .prompts import make_prompts
from .sample import generate_clips
from .train import TinyRecipe, train

SET, CLASSIFIER = "training_set.safetensors", "classifier.safetensors"


def assemble(parts, denoiser):
    """The whole pipeline around a denoiser."""
    pipe = MedGenTinyPipeline(parts.tokenizer, parts.text_encoder, denoiser, parts.vae,
                              FlowMatchEulerDiscreteScheduler(shift=1.0), num_frames=parts.clips.frames.shape[1])
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_classifier(data, steps, seed):
    """The frozen concept classifier, trained on detailed captions of the training clips; (classifier, share right on them)."""
    classifier = train_classifier(data.latents, data.present["detailed"], data.known["detailed"], steps, seed)
    few = slice(0, 512)
    return classifier, classifier_accuracy(classifier, data.latents[few], data.present["detailed"][few], data.known["detailed"][few])


def build(work):
    """Reads stage `align`; writes pipeline/, training_set.safetensors, classifier.safetensors (not without knowledge alignment),
    previews.npz (samples while it trained), history.json, flipped_words.json."""
    profile, sizes = work.profile, work.profile.generate
    use_threads(sizes.threads)
    parts = load_parts(work.inputs["align"], sizes.components, sizes.text, profile.seed)
    data = training_set(parts)
    data.save(work.out / SET)
    psnr = parts.vae.psnr(parts.clips.frames[parts.clips.split("test")])
    work.say(f"{len(data)} training clips; eigenframes keep {psnr:.1f} dB; {len(parts.concepts.names)} concepts")
    classifier, accuracy = make_classifier(data, sizes.classifier_steps, profile.seed) if sizes.knowledge else (None, None)
    if classifier is not None:
        classifier.save(work.out / CLASSIFIER)
    rows = make_prompts(8, profile.seed)
    previews = Previews(work, parts, [row["prompt"] for row in rows])
    denoiser, figures = train(data, classifier, TinyRecipe.of(profile), work.out, work.say, previews)
    previews.save(work.out)
    assemble(parts, denoiser).save_pretrained(work.out / "pipeline")
    history = figures.pop("history")
    write_text(work.out / "history.json", json.dumps(history))
    flips = flipped_word_test(denoiser, parts, seed=profile.seed)
    write_text(work.out / "flipped_words.json", json.dumps(flips))
    return {**figures, "psnr": round(psnr, 2), "classifier_accuracy": accuracy, "flow_last": history[-1]["flow"],
            "flipped_words": {k: round(v, 4) for k, v in flips.items()}}


class Previews:
    """Samples of a few fixed prompts while training runs: kept for the lesson, and handed to the notebook's monitor."""

    EARLY = (1, 3, 6)                            # twelfths of the training (`train` calls every twelfth); and one at the end

    def __init__(self, work, parts, prompts):
        self.work, self.parts, self.prompts, self.kept, self.at = work, parts, prompts, [], []

    def __call__(self, step, total, seconds_left, losses, model):
        picture = None
        due = len(self.kept) < len(self.EARLY) and step >= self.EARLY[len(self.kept)] * (total // 12)
        if due or step == total:
            model.eval()
            with torch.random.fork_rng():
                clips = generate_clips(assemble(self.parts, model), self.prompts, self.work.profile.generate, seed=1)
            model.train()
            picture = clips[0]
            self.kept.append(clips)
            self.at.append(step)
        show(self.work.watch, step, total, seconds_left, losses, picture)

    def save(self, folder):
        if self.kept:
            np.savez_compressed(folder / "previews.npz", frames=np.stack(self.kept), steps=np.array(self.at))
        write_text(folder / "previews.json", json.dumps(self.prompts))
