"""The ablation: the same short training with one part switched off at a time, sampled on the same prompts."""

import json

import numpy as np

from ..clip import write_text
from ..machine import use_threads
from .data import load_parts, training_set
from .flip import flipped_word_test
from .prompts import make_prompts
from .sample import generate_clips, key_frames
from .stage import assemble, make_classifier
from .train import Recipe, train

ROWS = {"all parts": {}, "no knowledge alignment": {"knowledge": 0}, "no feature alignment": {"repa": 0},
        "random text encoder": {"text": "random"}, "flow matching only": {"knowledge": 0, "repa": 0}}


def build(work):
    """Reads stage `align`; one folder per row with frames.npz, and rows.json, prompts.json. Equal steps, seeds, prompts and noise."""
    profile, sizes = work.profile, work.profile.generate
    use_threads(sizes.threads)
    prompts = make_prompts(profile.sample.prompts, profile.seed)
    write_text(work.out / "prompts.json", json.dumps(prompts))
    rows, prepared = [], {}
    for name, switches in ROWS.items():
        done = work.out / name.replace(" ", "-") / "row.json"
        if done.is_file():
            rows.append(json.loads(done.read_text(encoding="utf-8")))
            continue
        done.parent.mkdir(exist_ok=True)
        text = switches.get("text", sizes.text)
        if text not in prepared:
            parts = load_parts(work.inputs["align"], sizes.components, text, profile.seed)
            data = training_set(parts)
            prepared[text] = parts, data, make_classifier(data, sizes.classifier_steps, profile.seed)[0]
        parts, data, classifier = prepared[text]
        recipe = Recipe.of(profile, max_steps=profile.ablate.steps, minutes=0, **{k: v for k, v in switches.items() if k != "text"})
        denoiser, figures = train(data, classifier, recipe, done.parent, say=lambda _: None)
        clips = generate_clips(assemble(parts, denoiser), [row["prompt"] for row in prompts], profile.sample, profile.seed)
        np.savez_compressed(done.parent / "frames.npz", frames=key_frames(clips))
        row = {"name": name, "steps": figures["steps"], "seconds": figures["train_seconds"], "flow_last": figures["history"][-1]["flow"],
               "flipped_words": flipped_word_test(denoiser, parts, seed=profile.seed)}
        write_text(done, json.dumps(row))
        rows.append(row)
        work.say(f"{name}: {row['steps']} steps in {row['seconds']:.0f} s")
    write_text(work.out / "rows.json", json.dumps(rows))
    return {"rows": len(rows), "steps": profile.ablate.steps}
