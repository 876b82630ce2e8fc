"""What the commands `train` and `export` do: words of a command line into a recipe, and a trained LoRA into a model of its own."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import torch

from ..errors import KitError
from ..profiles import near
from . import adapt, loop, lora
from .data import read_json
from .families import family_named
from .material import own_clips
from .models import MODELS
from .opening import find, open_model
from .precision import DTYPES, MIXED, numbers, precision_for
from .recipe import Recipe


def train(place, clips, out, preset="medgen_as_run", settings=(), size=None, precision="", caption="brief_caption", count=500,
          text_memory="", only_cache=False, fps=0, say=print, **opening):
    """Fine-tune as `medgen-kit train` does; one sentence that says what was made.

    fps: frames a second that are read of the clips, 0 for the model's. settings: texts "name=value" for the recipe. size: {"frames",
    "height", "width"}, 0 for what the model was made for. precision: of the frozen weights, "" by the device. Raises KitError.
    """
    recipe, family = Recipe.preset(preset, **parsed(settings)), family_named(adapt.family_name(place, opening))
    known = MODELS.get(place)
    size = {name: value or (getattr(known, name) if known else 0) for name, value in (size or {}).items()}
    if not all(size.values()):
        raise KitError("for a model of your own, say for which clips: --frames 17 --height 256 --width 256.")
    precision = precision or MIXED[precision_for("auto")]
    numbers(precision)                                     # refuses an unknown one before anything is fetched
    sizes, out = SimpleNamespace(**size, precision=precision, caption=caption, text_memory=text_memory, fps=fps), Path(out)
    family.check(**size)
    with loop.here().main_process_first():
        folder = own_clips(clips, out / "clips", count, recipe.seed, say=say)
    if only_cache:
        store = adapt.encode(place, family, folder, out / "cache", sizes, say, opening)
        return f"{len(store.rows)} clips are precomputed in {out / 'cache'}. The same command without --only-cache trains on them."
    done = adapt.fine_tune(place, folder, out, recipe, sizes, say, **opening)
    return (f"{done['steps']} steps, {done['parameters']:,} weights trained; loss at nine noise levels {adapt.mean(done['before']):.3f} -> "
            f"{adapt.mean(done['after']):.3f}. {out} holds " + ("pytorch_lora_weights.safetensors" if recipe.lora_rank else "transformer/"))


def parsed(settings):
    """{name: value} of texts "name=value", each as the kind of value that the recipe has there."""
    kinds, found = {field.name: field.type for field in dataclasses.fields(Recipe)}, {}
    for text in settings:
        name, given, value = text.partition("=")
        if not given or name not in kinds:
            raise KitError(f"--set {text}: a setting is given as name=value{near(name, kinds)} Settings: {', '.join(kinds)}.")
        try:
            found[name] = {"true": True, "false": False}[value.lower()] if kinds[name] is bool else kinds[name](value)
        except (ValueError, KeyError):
            raise KitError(f"--set {text}: {name} takes {'true or false' if kinds[name] is bool else kinds[name].__name__}.") from None
    return found


def export(tuned, out, scale=1.0, **opening):
    """Fold what was trained in the folder `tuned` into its base model and save the pipeline in `out`; one sentence. Only the transformer is
    held in memory; the other parts are copied. KitError when nothing was trained there, and when the base is not the one it was trained on.
    """
    tuned, out, made = Path(tuned), Path(out), Path(tuned) / "made.json"
    if not made.is_file():
        raise KitError(f"{tuned} holds no made.json, so no training was finished there. Give the folder that `medgen-kit train` filled.")
    facts = read_json(made)
    kept = DTYPES.get(facts["precision"], torch.bfloat16)
    pipe = open_model(facts["place"], dtype=kept, components=("transformer",), **opening)
    if pipe.kit["weights"] != facts["model"]["weights"]:
        raise KitError(f"{facts['place']} holds other weights now than when {tuned} was trained on it. Give folder=, the model of that "
                       "time.")
    if facts["recipe"]["lora_rank"]:
        pipe.load_lora_weights(str(tuned))
        pipe = lora.merge(pipe, scale)
    else:
        pipe.transformer = type(pipe.transformer).from_pretrained(tuned / "transformer", dtype=kept)
    home = find(str(facts["place"]), opening.get("folder", ""), None, dict(revision=None, token=None, local_files_only=False)).path
    if not (home / "model_index.json").is_file():
        raise KitError(f"{facts['place']} is a transformer alone. Save it once as a pipeline, open_model(...).save_pretrained(folder), and "
                       "train on that folder.")
    shutil.copytree(home, out, ignore=lambda _, names: [name for name in names if name in ("transformer", ".cache")], dirs_exist_ok=True)
    pipe.transformer.save_pretrained(out / "transformer")
    return f"{out} holds {facts['model']['model']} with what was trained in {tuned}; it loads as a plain pipeline."
