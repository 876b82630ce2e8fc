"""A model made ready for sampling on this machine: opened in the precision that it has, its memory and speed switches set, its LoRA on."""

from pathlib import Path

import torch

from ..machine import device, facts
from .families import family_of
from .opening import open_model
from .quantize import KINDS
from .reader import Reader
from .speed import prepare
from .weights import read_json


def open_for_sampling(model, lora="", offload="none", layerwise=False, vae_tiling=False, compile=False, text_memory="", precision="",
                      say=print, texts="", **opening):
    """The pipeline of a model's name or folder, ready on this machine: bfloat16 on a GPU that has it, float16 on one that has not (a T4),
    float32 on the CPU. The switches are those of `speed.prepare`. text_memory: leave the text encoder out and read prompts layer by layer
    in so much host memory ("2GiB", see `reader`), kept in the folder `texts`. precision: of the transformer, "int8" and "nf4" too;
    "" by the device. opening: for `open_model`. Raises KitError as `open_model` and `prepare` do."""
    where, capability = device(), facts()["capability"]
    dtype = torch.float32 if where == "cpu" else torch.bfloat16 if capability >= (8, 0) else torch.float16
    dtype = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}.get(precision, dtype)
    if precision in KINDS:
        opening["quantize"] = precision
    parts = ("transformer", "vae") if text_memory else None
    pipe = open_model(model, dtype, "cpu" if offload != "none" else where, lora, components=parts, **opening)
    if text_memory:
        kept = {name: value for name, value in opening.items() if name != "quantize"}
        pipe.reader = Reader(model, family_of(pipe), dtype, text_memory, texts, **kept)
    made = Path(lora) / "made.json" if lora else None
    if made and made.is_file():
        told = read_json(made)
        pipe.kit["trained"] = {"fps": told["fps"], "sample_shift": told["recipe"]["sample_shift"]}
    for sentence in prepare(pipe, offload, layerwise, vae_tiling, compile, where):
        say(sentence)
    kit = pipe.kit
    say(f"model: {kit['model']} ({'medical' if kit['medical'] else 'general, not medical'})" + (", with a LoRA" if kit.get("lora") else ""))
    return pipe
