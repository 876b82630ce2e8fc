"""The numbers that a model computes with and is stored in: by the device, or as asked; 8 or 4 bits for what is frozen (QLoRA, Dettmers et
al. 2023), so that a larger model fits and a LoRA in float32 is trained on top of it."""

import importlib.util

import diffusers
import torch

from ..errors import KitError
from ..profiles import near

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
MIXED = {"no": "float32", "fp16": "float16", "bf16": "bfloat16"}       # accelerate's word for a mixed precision -> the base's type
KINDS = {"int8": "torchao", "nf4": "bitsandbytes"}                     # how weights may be stored -> the package that does it
PRECISIONS = (*DTYPES, *KINDS)


def precision_for(wanted, device=None):
    """The mixed precision of a training: `wanted`, or by the device when it is "auto": bf16 from compute capability 8.0 (A100, L4), fp16
    with a gradient scaler on older GPUs (T4), none on a CPU. KitError for bf16 on a GPU that has none.
    """
    if device is None:
        device = torch.cuda.get_device_capability() if torch.cuda.is_available() else ()
    if wanted == "auto":
        return "no" if not device else "bf16" if tuple(device) >= (8, 0) else "fp16"
    if wanted == "bf16" and device and tuple(device) < (8, 0):
        raise KitError(f"mixed_precision bf16 needs compute capability 8.0, and this GPU has {device[0]}.{device[1]}. Use fp16 or auto.")
    return wanted


def numbers(precision=""):
    """{"dtype", "quantize"} for `open_model`: the type that a precision computes in, and how the transformer is stored. "" goes by the
    device; int8 and nf4 compute in the device's own type. KitError for an unknown one."""
    own = MIXED[precision_for("auto")]
    if precision and precision not in PRECISIONS:
        raise KitError(f"precision is '{precision}'{near(precision, PRECISIONS)} It can be: {', '.join(PRECISIONS)}.")
    return {"dtype": DTYPES.get(precision, DTYPES[own]), "quantize": precision if precision in KINDS else ""}


def text_dtype(dtype):
    """The type that a text encoder computes in: T5's numbers leave the range of float16, so that becomes bfloat16."""
    return torch.bfloat16 if dtype == torch.float16 else dtype


def load_quantized(cls, folder, kind, dtype):
    """The transformer in `folder`, its linear layers stored in `kind` ("int8" by torchao, "nf4" by bitsandbytes, which needs a GPU) and
    computed with in `dtype`. KitError for an unknown kind and for a package that is not there."""
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
