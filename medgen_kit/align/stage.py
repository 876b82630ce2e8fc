"""The stage `align`: clips at the model's size, tokenizer, concepts, and the two towers, ready for the generator."""

import torch

from .. import knowledge
from ..clip import write_text
from ..machine import use_threads
from .data import ClipData, ConceptSet, train_tokenizer
from .probe import linear_probe
from .train import fit, retrieval


def build(work):
    """Reads stage `caption`; writes clips.npz, clips.json, tokenizer/, text_encoder/, video_text.safetensors, concepts.json, probe.json.

    text_reader/ is the text tower before the contrastive part: what the generator reads with when that part is switched off.
    """
    import json

    sizes = work.profile
    use_threads(sizes.generate.threads)
    data = ClipData.read(work.inputs["caption"], sizes.data.frames, sizes.generate.size)
    data.save(work.out)
    work.say(f"{len(data.frames)} clips of {data.frames.shape[1]} frames at {data.frames.shape[2]} pixels")
    train = data.split("train")
    tokenizer = train_tokenizer([data.rows[i][kind] for i in train for kind in ("brief", "detailed")])
    captions = [data.rows[i]["detailed"] for i in train]
    concepts = ConceptSet.of(*([knowledge.tags(text, negated=denied) for text in captions] for denied in (False, True)))
    concepts.save(work.out / "concepts.json")
    model, history = fit(data, tokenizer, concepts, sizes.align.steps, sizes.align.batch, sizes.seed, read_steps=sizes.align.read_steps,
                         after_reading=lambda tower: tower.save_pretrained(work.out / "text_reader"), say=work.say)
    model.save(work.out, tokenizer)
    write_text(work.out / "history.json", json.dumps(history))
    with torch.no_grad():
        found = {k: round(v, 4) for k, v in retrieval(model, tokenizer, data).items()}
    probe = linear_probe(model, tokenizer, data)
    write_text(work.out / "probe.json", json.dumps(probe))
    worst = min(probe, key=lambda factor: probe[factor]["read"]) if probe else None
    if worst:
        work.say(f"a linear probe reads every factor from the pooled caption, the weakest ({worst}) at {probe[worst]['read']:.2f}")
    return {**found, "probe_weakest": worst and round(probe[worst]["read"], 4), "clips": len(data.frames), "concepts": len(concepts.names),
            "vocabulary": len(tokenizer), "steps": len(history),
            "loss_first": history[0]["loss"], "loss_last": history[-1]["loss"]}
