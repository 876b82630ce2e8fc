"""Frozen weights in 8 or 4 bits (QLoRA, Dettmers et al. 2023): a larger model fits, and a LoRA in float32 is trained on top of it."""

from ..errors import KitError

KINDS = {"int8": "torchao", "nf4": "bitsandbytes"}


def load_quantized(cls, folder, kind, dtype):
    """The transformer in `folder`, its linear layers stored in `kind` ("int8" by torchao, "nf4" by bitsandbytes, which needs a GPU) and
    computed with in `dtype`. KitError for an unknown kind and for a package that is not there."""
    import importlib.util

    import diffusers
    import torch

    if kind not in KINDS:
        raise KitError(f"weights cannot be stored as '{kind}'. Possible: {', '.join(KINDS)}.")
    if importlib.util.find_spec(KINDS[kind]) is None:
        raise KitError(f"precision {kind} needs the package {KINDS[kind]}: pip install {KINDS[kind]}.")
    if kind == "nf4" and not torch.cuda.is_available():
        raise KitError("precision nf4 needs a GPU (bitsandbytes). Use int8, which torchao computes on the CPU too.")
    if kind == "int8":
        from torchao.quantization import Int8WeightOnlyConfig

        settings = diffusers.TorchAoConfig(Int8WeightOnlyConfig())
    else:
        settings = diffusers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    return cls.from_pretrained(folder, quantization_config=settings, dtype=dtype)
