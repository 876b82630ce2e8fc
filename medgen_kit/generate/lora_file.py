"""A LoRA file from any trainer put on a pipeline: checked against the model first, its layers counted after."""

import json
import re
from pathlib import Path

from safetensors.torch import load_file

from ..errors import KitError
from .families import FAMILIES
from .weights import bare, check_file, digest, kind_of_names, read_json

PIPELINES = {name: family.name for family in FAMILIES.values() for name in family.pipelines}


def load_lora(pipe, path, scale=1.0, name="lora"):
    """Put a LoRA on a pipeline's transformer; returns {"layers", "rank", "alpha", "file", "sha256"}, kept in `pipe.kit["lora"]` too.

    path: a .safetensors file or the folder of one, in the layout of diffusers, peft (its adapter_config.json gives alpha), DiffSynth /
    MicroVerse or ComfyUI; where nothing states alpha, it is the rank. scale: strength, 0 is the model without it. name: an adapter of
    that name is replaced. Family, rank and the shape of each layer are checked before the pipeline is touched, and the number of layers
    is counted after. Raises KitError.
    """
    file = lora_file(path)
    header, family = check_file(file), PIPELINES.get(type(pipe).__name__, type(pipe).__name__)
    kind = kind_of_names(header.tensors, file)
    if kind.part != "lora":
        raise KitError(f"{file} is a whole transformer of the family {kind.family}, not a LoRA. Open it with open_model.")
    named = "wan" if family == "tiny" else family                 # MedGen-tiny is a small Wan; its shapes are compared below
    if named not in kind.family.split(" or ") or not hasattr(pipe, "load_lora_weights"):
        raise KitError(f"{file} is a LoRA for the family {kind.family}; this pipeline is of the family {family}. Use a LoRA that was "
                       "trained on the same model.")
    state = pipe.lora_state_dict(fix_lora_keys(load_file(file)))
    state = state[0] if isinstance(state, tuple) else state
    layers = lora_layers(state, pipe.transformer, file)
    count = sum("lora_A" in one or "lora_down" in one for one in header.tensors)
    if not layers or len(layers) != count:
        raise KitError(f"{file} holds {count} LoRA layers, of which {len(layers)} belong to this transformer. It was made by a trainer "
                       "that names them in a way not known here, or for another model.")
    metadata = lora_metadata(file, header, layers)
    if name in getattr(pipe.transformer, "peft_config", {}):
        pipe.delete_adapters(name)
    pipe.load_lora_into_transformer(state, transformer=pipe.transformer, adapter_name=name, metadata=metadata, _pipeline=pipe)
    loaded = [one for one in pipe.transformer.modules() if name in getattr(one, "lora_A", ())]
    if len(loaded) != count:
        pipe.delete_adapters(name)
        raise KitError(f"{file}: {len(loaded)} of {count} LoRA layers could be loaded; it was taken off again. Use a LoRA that was trained "
                       "on the same model.")
    pipe.set_adapters([name], [scale])
    config = pipe.transformer.peft_config[name]
    report = {"layers": count, "rank": config.r, "alpha": config.lora_alpha, "file": str(file), "sha256": digest(file)}
    pipe.kit = {**getattr(pipe, "kit", {}), "lora": report}
    return report


def lora_file(path):
    """The one .safetensors file of a LoRA in `path`."""
    path = Path(path)
    if path.is_file() or path.suffix == ".safetensors":
        return path
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if len(files) != 1:
        raise KitError(f"lora='{path}' " + (f"holds {len(files)} .safetensors files: give the path of one of them." if path.is_dir()
                                            else "is not there. Check the path."))
    return files[0]


def lora_layers(state, transformer, file):
    """{layer: rank} of a LoRA whose layers all are in the transformer and fit; KitError names the first that does not."""
    layers, modules = {}, dict(transformer.named_modules())
    for name, down in state.items():
        if not name.startswith("transformer.") or not name.endswith(".lora_A.weight"):
            continue
        layer = name.removeprefix("transformer.").removesuffix(".lora_A.weight")
        up, module = state.get(name.replace("lora_A", "lora_B")), modules.get(layer)
        module = getattr(module, "base_layer", module)
        if up is None or up.shape[1] != down.shape[0]:
            raise KitError(f"{file}: the layer {layer} has no lora_B of the rank of its lora_A ({down.shape[0]}). The file is not whole.")
        if not hasattr(module, "weight"):
            raise KitError(f"{file} has the layer {layer}, which this model has not: it was trained on a larger model or another one.")
        if (up.shape[0], down.shape[1]) != tuple(module.weight.shape[:2]):
            raise KitError(f"{file} was trained on a model of another size: {layer} is {up.shape[0]} x {down.shape[1]} there and "
                           f"{module.weight.shape[0]} x {module.weight.shape[1]} here.")
        layers[layer] = down.shape[0]
    return layers


def lora_metadata(file, header, layers):
    """The LoRA's configuration as diffusers wants it ("transformer.r" ...), or None where the file does not state alpha."""
    beside = file.with_name("adapter_config.json")
    stated = header.metadata.get("lora_adapter_metadata")
    if stated:
        said = json.loads(stated)
    elif beside.is_file() and "lora_alpha" in (own := read_json(beside)):
        keys = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
        said = {f"transformer.{key}": own[key] for key in keys if own.get(key)}
        said["transformer.target_modules"] = sorted(layers)
    else:
        return None
    if not said.get("transformer.rank_pattern") and {said.get("transformer.r")} != set(layers.values()):
        raise KitError(f"{file} says that its rank is {said.get('transformer.r')}, but its layers have {sorted(set(layers.values()))}. The "
                       "configuration belongs to another LoRA.")
    return said


def fix_lora_keys(state):
    """A LoRA's tensors under names that diffusers loads: one prefix, no adapter name, alpha multiplied into lora_B.

    state: {name: tensor} as DiffSynth and MicroVerse (`blocks.0.self_attn.q.lora_A.default.weight`), ComfyUI (`diffusion_model.`), peft
    (`base_model.model.`) or diffusers write it. Without the prefix diffusers loads nothing, with `.default` it fails. An `alpha` tensor
    scales its layer by alpha / rank; kohya's names (`lora_unet_`) are left to diffusers, which knows them.
    """
    if any(name.startswith("lora_unet_") for name in state):
        return dict(state)
    original = any(re.search(r"^blocks\.\d+\.((self|cross)_attn|ffn\.\d)\b", bare(name)) for name in state)
    fixed, alphas = {}, {}
    for name, tensor in state.items():
        plain = re.sub(r"\.(lora_[AB]|lora_down|lora_up)\.(?!weight$|bias$)[^.]+\.(weight|bias)$", r".\1.\2", bare(name))
        if plain.endswith(".alpha"):
            alphas[plain.removesuffix(".alpha")] = float(tensor)
        else:
            fixed[("diffusion_model." if original else "transformer.") + plain] = tensor
    for name in list(fixed):
        layer, _, end = name.partition(".lora_")
        if end in ("B.weight", "up.weight") and bare(layer) in alphas:
            fixed[name] = fixed[name] * (alphas[bare(layer)] / fixed[name].shape[1])
    return fixed
