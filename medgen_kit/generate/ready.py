"""A model made ready for sampling on this machine: opened in the precision that it has, its memory and speed switches set, its LoRA on."""

from pathlib import Path

from ..machine import device
from .data import read_json
from .families import family_of
from .opening import open_model
from .precision import numbers
from .reader import Reader
from .speed import prepare


def open_for_sampling(model, lora="", offload="none", layerwise=False, vae_tiling=False, compile=False, text_memory="", precision="",
                      say=print, texts="", **opening):
    """The pipeline of a model's name or folder, ready on this machine: bfloat16 on a GPU that has it, float16 on one that has not (a T4),
    float32 on the CPU. The switches are those of `speed.prepare`. text_memory: leave the text encoder out and read prompts layer by layer
    in so much host memory ("2GiB", see `reader`), kept in the folder `texts`. precision: of the transformer, "int8" and "nf4" too;
    "" by the device. opening: for `open_model`. Raises KitError as `open_model` and `prepare` do."""
    where, kinds, parts = device(), numbers(precision), ("transformer", "vae") if text_memory else None
    pipe = open_model(model, device="cpu" if offload != "none" else where, lora=lora, components=parts, **kinds, **opening)
    if text_memory:
        pipe.reader = Reader(model, family_of(pipe), kinds["dtype"], text_memory, texts, **opening)
    made = Path(lora) / "made.json" if lora else None
    if made and made.is_file():
        told = read_json(made)
        pipe.kit["trained"] = {"fps": told["fps"], "sample_shift": told["recipe"]["sample_shift"]}
    for sentence in prepare(pipe, offload, layerwise, vae_tiling, compile, where):
        say(sentence)
    kit = pipe.kit
    say(f"model: {kit['model']} ({'medical' if kit['medical'] else 'general, not medical'})" + (", with a LoRA" if kit.get("lora") else ""))
    return pipe
