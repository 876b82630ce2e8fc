"""The ablation: the same short training with parts switched off, sampled on the same prompts."""

import json
import shutil
from pathlib import Path

import numpy as np

from ..clip import write_text
from ..machine import side_by_side, use_threads
from .concepts import ConceptClassifier
from .data import TrainingSet, load_parts, read_json
from .flip import flipped_word_test
from .prompts import make_prompts
from .sample import generate_clips, key_frames
from .stage import CLASSIFIER, SET, assemble, make_classifier
from .train import TinyRecipe, train

ALL = {"knowledge": 0.5, "repa": 0.5, "text": "contrastive"}
# without contrastive pretraining the text tower has read captions and seen no clip, and there is no video tower to agree with
ROWS = {"all parts": ALL, "no knowledge alignment": ALL | {"knowledge": 0}, "no feature alignment": ALL | {"repa": 0},
        "no contrastive pretraining": ALL | {"text": "reader", "repa": 0},
        "flow matching alone": {"knowledge": 0, "repa": 0, "text": "reader"}}


def build(work):
    """Reads stages `align` and `generate`; one folder per row with frames.npz and pipeline/, and rows.json, prompts.json. All rows have
    equal steps, seeds, prompts and noise. A row that stands is not trained again, so a killed stage goes on with the others."""
    profile = work.profile
    use_threads(profile.generate.threads)
    write_text(work.out / "prompts.json", json.dumps(make_prompts(profile.sample.prompts, profile.seed)))
    if not (work.inputs["generate"] / CLASSIFIER).is_file():                # the profile's own training has knowledge alignment off
        make_classifier(TrainingSet.load(work.inputs["generate"] / SET), profile.generate.classifier_steps, profile.seed)[0].save(
            work.out / CLASSIFIER)
    left = [(work.out, work.inputs, profile, name) for name in ROWS if not row_file(work.out, name).is_file()]
    for _, row in side_by_side(train_row, left, profile.ablate.workers):
        work.say(f"{row['name']}: {row['steps']} steps in {row['seconds']:.0f} s")
    write_text(work.out / "rows.json", json.dumps([read_json(row_file(work.out, name)) for name in ROWS]))
    return {"rows": len(ROWS), "steps": profile.ablate.steps}


def train_row(out, inputs, profile, name):
    """Train, sample and test one row of ROWS in `out`; its figures, which also stand in row.json."""
    sizes, folder = profile.generate, row_file(out, name).parent
    text = ROWS[name]["text"]
    folder.mkdir(exist_ok=True)
    parts = load_parts(inputs["align"], sizes.components, text, profile.seed)
    data = TrainingSet.load(inputs["generate"] / SET)
    data = data if text == sizes.text else data.read_by(parts)
    classifier = next(path / CLASSIFIER for path in (Path(inputs["generate"]), Path(out)) if (path / CLASSIFIER).is_file())
    recipe = TinyRecipe.of(profile, max_steps=profile.ablate.steps, minutes=0, **{k: v for k, v in ROWS[name].items() if k != "text"})
    denoiser, figures = train(data, ConceptClassifier.load(classifier), recipe, folder, say=lambda _: None)
    prompts = read_json(out / "prompts.json")
    pipe = assemble(parts, denoiser)
    pipe.save_pretrained(folder / "pipeline")
    clips = generate_clips(pipe, [row["prompt"] for row in prompts], sizes, profile.seed)
    np.savez_compressed(folder / "frames.npz", frames=key_frames(clips))
    row = {"name": name, "steps": figures["steps"], "seconds": figures["train_seconds"], "flow_last": figures["history"][-1]["flow"],
           "flipped_words": flipped_word_test(denoiser, parts, seed=profile.seed)}
    write_text(folder / "row.json", json.dumps(row))
    for place in folder.glob("checkpoint-*"):                       # the pipeline holds the weights; nothing is gone on with
        shutil.rmtree(place)
    return row


def row_file(out, name):
    return Path(out) / name.replace(" ", "-") / "row.json"
