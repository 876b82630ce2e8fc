"""LoRA (Hu et al. 2021): a frozen layer W gets a trained low-rank addition, W + (alpha / r) B A. Kept in diffusers' format, so a plain
pipeline loads it with `load_lora_weights`."""

from pathlib import Path

import torch

from ..errors import KitError

FEED_FORWARD = ("net.0.proj", "net.2")


def attach(transformer, family, recipe):
    """Freeze `transformer` and add adapters of `recipe.lora_rank`; rank 0 makes all weights trainable instead. What is trained is float32,
    what is frozen keeps its precision. A cell that is run again starts with fresh adapters."""
    if getattr(transformer, "peft_config", None):
        transformer.delete_adapters(list(transformer.peft_config))
    transformer.requires_grad_(recipe.lora_rank == 0)
    if recipe.lora_rank:
        from peft import LoraConfig

        torch.manual_seed(recipe.seed)
        transformer.add_adapter(LoraConfig(r=recipe.lora_rank, lora_alpha=recipe.lora_alpha or recipe.lora_rank, init_lora_weights=True,
                                           target_modules=targets(transformer, family, recipe.lora_targets)))
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return transformer


def targets(transformer, family, wanted):
    """Names of the layers that get an adapter; KitError with the layers there are when a name matches none."""
    names = {"attention": family.lora_targets, "all": (*family.lora_targets, *FEED_FORWARD)}.get(wanted) or tuple(
        name.strip() for name in wanted.split(","))
    layers = [name for name, module in transformer.named_modules() if isinstance(module, torch.nn.Linear)]
    for name in names:
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            ends = sorted({".".join(part for part in layer.split(".")[-3:] if part not in ("transformer_blocks", "blocks"))
                           for layer in layers})
            raise KitError(f"lora_targets: no layer of this {family.name} transformer ends in '{name}'. Layers end in: "
                           f"{', '.join(ends[:20])}.")
    return list(names)


def save(pipeline_class, transformer, folder, state=None):
    """Write pytorch_lora_weights.safetensors with rank and alpha; returns its path. state: the transformer's weights, where its own are
    only a shard of them."""
    from peft.utils import get_peft_model_state_dict

    state = {name: value.contiguous() for name, value in get_peft_model_state_dict(transformer, state).items()}
    pipeline_class.save_lora_weights(str(folder), transformer_lora_layers=state,
                                     transformer_lora_adapter_metadata=transformer.peft_config["default"].to_dict())
    return Path(folder) / "pytorch_lora_weights.safetensors"


def merge(pipe, scale=1.0):
    """Fold the loaded LoRA into the transformer's weights, so that the pipeline saves and runs as a plain one."""
    if not getattr(pipe.transformer, "peft_config", None):
        raise KitError("this pipeline has no LoRA to merge. Load one first: pipe.load_lora_weights(folder).")
    pipe.fuse_lora(components=["transformer"], lora_scale=scale, safe_fusing=True)
    pipe.unload_lora_weights()
    return pipe
