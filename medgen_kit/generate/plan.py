"""Does it fit? GPU memory, host memory, time and cost of training or sampling a model, before anything is downloaded or rented.

    GPU memory = weights + training state + 1.05 x activations + 0.8 GiB

Weights and activations are counted over the real classes (footprint.py). What is assumed stands in the capitals below; a setting that
tests/bench/gpu.py has measured on the same GPU is told as measured.
"""

import functools
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import KitError
from ..profiles import near
from . import models
from .families import FAMILIES
from .footprint import GIB, LAYOUTS, footprint, vae, weights


@dataclass(frozen=True)
class Gpu:
    """usable: GiB that are left beside driver and context. tflops: sustained in 16 bits by a transformer, conv: by a VAE, both in
    TFLOP/s and assumed; only rates that were measured (measured/*.json) are more than that. words: in the name that the driver gives.
    """

    usable: float
    tflops: float
    conv: float
    words: str
    bf16: bool = True


GPUS = {"T4": Gpu(14.5, 20, 4, "T4", bf16=False), "L4": Gpu(22.0, 50, 15, "L4"), "A100-40": Gpu(39.3, 150, 60, "A100"),
        "A100-80": Gpu(79.0, 150, 60, "A100"), "H100": Gpu(79.0, 400, 150, "H100"), "H200": Gpu(138.0, 400, 150, "H200")}
TASKS = ("train-lora", "train-full", "sample")
PRECISIONS = ("bf16", "fp16", "int8", "nf4")
OFFLOADS = ("none", "model", "group")
SIZES = ((480, 832), (384, 640), (320, 576), (256, 448), (256, 256))
WORKSPACE = 0.8                       # GiB: CUDA context, workspaces of the kernels, fragmentation (assumed)
MORE = 1.05                           # activations as allocated, over activations as counted (assumed)
COPIES = 5                            # float32 copies of what is trained: weight, gradient, two moments of Adam, moving average
PROCESS = 2.0                         # GiB of host memory of Python with torch and CUDA (assumed)
LAYERWISE = 2.5                       # GiB of host memory to encode text layer by layer from disk (assumed: 2 to 3)
SHARD = 5.0                           # GiB of a file of weights on its way to the GPU (assumed: the hub's usual size)
BUS = 10.0                            # GiB/s from host to GPU (assumed)
MEASURED = Path(__file__).parent / "measured"


@dataclass(frozen=True)
class Setting:
    """One way to run a model: everything that memory and time depend on. text: how prompts are encoded, "layerwise" or "whole"."""

    model: str
    task: str
    frames: int
    height: int
    width: int
    precision: str
    offload: str = "model"
    batch: int = 1
    lora_rank: int = 32
    text: str = "layerwise"

    @property
    def half(self):
        """The 16-bit type of all that is not quantised."""
        return "fp16" if self.precision == "fp16" else "bf16"


def plan(model, task="train-lora", frames=None, height=None, width=None, precision="bf16", gpu="T4", lora_rank=32, batch=1, steps=None,
         num_inference_steps=None, offload="model", text="layerwise", price_per_hour=None):
    """What this would need on that GPU, and the first setting that fits it.

    frames, height, width: default 49 x 480 x 832 (medgen-tiny: its own). precision: of the transformer; int8 and nf4 freeze it. batch:
    clips at a time. steps: training steps, for the whole cost. offload: "none": prompts, transformer and VAE are on the GPU together;
    "model": one after the other (in training: prompts and latents are cached first); "group": blocks of the transformer come from host
    memory as they are needed (sampling in 16 bits). text: prompts are encoded first, "layerwise" from disk, or by the "whole" encoder.
    price_per_hour: of the GPU, in any currency.

    Returns a dict: parameters; peak_gpu_gib, peak_host_gib, seconds_per_step (one pass over a batch, or one denoising step),
    seconds_per_clip; hours (of all steps, or of one clip) and cost (None without a price); fits; basis ("measured" or "predicted");
    terms (GiB by use, at the peak) and phases;
    first_fit: the first that fits, as a dict, when precision is lowered first, then more is offloaded, then frames, then pixels are
    fewer; None when nothing does. Raises KitError for names, sizes and precisions that cannot be.
    """
    setting, notes = settle(model, task, frames, height, width, precision, gpu, lora_rank, batch, offload, text)
    found, card = predict(setting, gpu), GPUS[gpu]
    row = measured(setting, gpu)
    if row:
        rest = [sum(used.values()) for phase, used in found["phases"].items() if phase != "denoise"] if task == "sample" else []
        found |= {"peak_gpu_gib": max(row["peak_gpu_gib"], *rest, 0.0), "seconds_per_step": row["seconds_per_step"]}
    found["fits"] = fits(found, card)
    found["seconds_per_clip"] = seconds_per_clip(setting, found, num_inference_steps, card)
    found["hours"] = found["seconds_per_clip"] / 3600 if task == "sample" else steps and steps * found["seconds_per_step"] / 3600
    found["cost"] = found["hours"] * price_per_hour if price_per_hour is not None and found["hours"] else None
    return {**asdict(setting), "gpu": gpu, "usable_gpu_gib": card.usable, "parameters": weights(model)["parameters"], **found,
            "basis": "measured" if row else "predicted", "price_per_hour": price_per_hour, "first_fit": first_fit(setting, gpu),
            "notes": notes + remarks(setting, found, gpu, row)}


def settle(model, task, frames, height, width, precision, gpu, lora_rank, batch, offload, text):
    """(Setting, notes) of the arguments of `plan`; KitError with what is possible for one that cannot be."""
    made = models.model(model)
    for what, value, known in (("task", task, TASKS), ("precision", precision, PRECISIONS), ("GPU", gpu, GPUS),
                               ("offload", offload, OFFLOADS), ("text", text, ("layerwise", "whole"))):
        if value not in known:
            raise KitError(f"there is no {what} '{value}'{near(value, known)} Possible: {', '.join(known)}.")
    for what, value in (("lora_rank", lora_rank), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise KitError(f"{what} is {value!r}, but it must be a whole number of at least 1.")
    own = (made.frames, made.height, made.width) if made.family == "tiny" else (49, 480, 832)
    size = tuple(given or usual for given, usual in zip((frames, height, width), own))
    if made.family == "tiny" and (size[0] not in (9, 17, 25) or size[1:] != own[1:]):
        raise KitError(f"{model} makes clips of 9, 17 or 25 frames of 32x32 pixels, not {size[0]} of {size[1]}x{size[2]}.")
    FAMILIES[made.family]().check(*size)
    if precision in ("int8", "nf4") and task == "train-full":
        raise KitError(f"precision {precision} freezes the weights, so nothing can be trained fully in it. Choose bf16 or fp16, or task "
                       "train-lora.")
    if offload == "group" and (task != "sample" or precision in ("int8", "nf4")):
        raise KitError("offload 'group' is for sampling with 16-bit weights. Choose 'model'.")
    notes = []
    if precision == "bf16" and not GPUS[gpu].bf16:
        precision = "fp16"
        notes.append(f"{gpu} cannot compute in bf16, so this is planned in fp16." + (
            " The loss is scaled; whether training stays stable has not been tested." if task != "sample" else ""))
    return Setting(model, task, *size, precision, offload, batch, lora_rank, text), notes


@functools.lru_cache(4096)
def memory(setting, encode_tiled=False, decode_tiled=False):
    """{phase: {use: GiB}} on the GPU. Phases: text, encode (training only), train or denoise, decode (sampling only)."""
    name, half, sampling = setting.model, setting.half, setting.task == "sample"
    base, size = weights(name, "transformer", setting.precision), (setting.frames, setting.height, setting.width)
    together = LAYOUTS[models.model(name).family].together if sampling else 1
    step = footprint(name, setting.task, *size, setting.batch * together, setting.lora_rank)
    heavy = {"weights": base["gib"], "training state": 0.0, "activations": MORE * step["activations"]}
    if setting.precision in ("int8", "nf4"):
        heavy["activations"] += base["largest"]                       # one weight at a time goes back to 16 bits
    if not sampling:
        heavy["training state"] = COPIES * 4 * step["trainable"] / GIB
    if setting.task == "train-full":
        heavy |= {"weights": 0.0, "training state": COPIES * 4 * base["parameters"] / GIB}
    if setting.offload == "group":
        heavy["weights"] = base["gib"] - base["blocks"] + base["block"]
    encoder = text_weights(name, half)
    text = {"text encoder": encoder["gib"] if setting.text == "whole" else encoder["block"]}
    picture = weights(name, "vae", half)["gib"]
    clips = {way: {"VAE": picture + MORE * vae(name, way, *size, tiled)["activations"]}
             for way, tiled in (("encode", encode_tiled), ("decode", decode_tiled)) if sampling == (way == "decode")}
    main = "denoise" if sampling else "train"
    phases = {"text": text, **({} if sampling else clips), main: heavy, **(clips if sampling else {})}
    stay = {use: heavy[use] for use in ("weights", "training state")} | {"VAE": picture} if setting.offload != "model" else {}
    if setting.offload == "none" or setting.offload == "group" and setting.text == "whole":
        stay["text encoder"] = encoder["gib"]
    phases = {phase: {**({} if phase == "text" and "text encoder" not in stay else stay), **used} for phase, used in phases.items()}
    if "text encoder" in stay:
        phases["text"]["text encoder"] = encoder["gib"]
    return {phase: {use: gib for use, gib in ({**used, "workspace": WORKSPACE}).items() if gib} for phase, used in phases.items()}


@functools.cache
def text_weights(name, half):
    """{"parameters", "gib", "block"} of all text encoders of a model. block: the largest part that is loaded at once layer by layer."""
    made = [weights(name, part, half) for part in models.model(name).parts if part.startswith("text_encoder")]
    return {"parameters": sum(m["parameters"] for m in made), "gib": sum(m["gib"] for m in made),
            "block": max((m["block"] for m in made), default=0.0)}


def predict(setting, gpu):
    """peak_gpu_gib with terms and phases, peak_host_gib with host, seconds_per_step, flops_per_step, vae_tiling."""
    usable, sampling = GPUS[gpu].usable, setting.task == "sample"
    phases, tiling = memory(setting), False
    way = "decode" if sampling else "encode"
    rest = max(sum(used.values()) for phase, used in phases.items() if phase != way)
    if sum(phases[way].values()) > (rest if sampling else usable):    # a picture is tiled rather than be what does not fit
        phases, tiling = memory(setting, True, True), True
    sums = {phase: sum(used.values()) for phase, used in phases.items()}
    peak = max(sums, key=sums.get) if sampling or setting.offload == "none" else "train"
    host = host_memory(setting)
    flops = flops_per_step(setting)
    return {"peak_gpu_gib": sums[peak], "peak_phase": peak, "terms": phases[peak], "phases": phases, "peak_host_gib": max(host.values()),
            "host": host, "seconds_per_step": seconds_per_step(setting, flops, gpu), "flops_per_step": flops, "vae_tiling": tiling}


def flops_per_step(setting):
    """Floating point operations of one pass over a batch: forward, again in the backward pass (checkpointing), and backward; or of one
    denoising step with its guidance."""
    layout = LAYOUTS[models.model(setting.model).family]
    calls, together = (layout.calls, layout.together) if setting.task == "sample" else (1, 1)
    step = footprint(setting.model, setting.task, setting.frames, setting.height, setting.width, setting.batch * together,
                     setting.lora_rank)
    return calls * (step["linear"] + step["attention"])


def seconds_per_step(setting, flops, gpu):
    """At the assumed rate of the GPU; with group offload also the time that the weights take to come in."""
    seconds = flops / GPUS[gpu].tflops / 1e12
    if setting.offload == "group":
        calls = LAYOUTS[models.model(setting.model).family].calls
        seconds += calls * weights(setting.model, "transformer", setting.precision)["blocks"] / BUS
    return seconds


def seconds_per_clip(setting, found, num_inference_steps, card):
    """Training: one pass over one clip. Sampling: prompt, all denoising steps and decoding of one clip."""
    each = found["seconds_per_step"] / setting.batch
    if setting.task != "sample":
        return each
    made = models.model(setting.model)
    prompt = 2 * 2 * text_weights(setting.model, setting.half)["parameters"] * LAYOUTS[made.family].text / card.tflops / 1e12
    decode = vae(setting.model, "decode", setting.frames, setting.height, setting.width, found["vae_tiling"])["flops"] / card.conv / 1e12
    return (num_inference_steps or made.num_inference_steps) * each + prompt + decode


def host_memory(setting):
    """{phase: GiB} of host memory. The transformer is read into host memory before it goes to the GPU; what is offloaded stays there."""
    encoder, base = text_weights(setting.model, setting.half)["gib"], weights(setting.model)["gib"]
    parked = encoder + base + weights(setting.model, "vae", setting.half)["gib"] if setting.offload == "none" else 0.0
    text = PROCESS + encoder if setting.text == "whole" else max(PROCESS, min(LAYERWISE, PROCESS + encoder))
    main = PROCESS + base
    if setting.task == "sample" and setting.offload != "none":
        parts = (("transformer", setting.precision), ("vae", setting.half))
        main = PROCESS + sum(weights(setting.model, part, kind)["gib"] for part, kind in parts)
    return {"text": min(text, PROCESS + SHARD) if parked else text, "denoise" if setting.task == "sample" else "train": main}


def fits(found, card):
    """Whether every phase fits the GPU."""
    return max(found["peak_gpu_gib"], *(sum(used.values()) for phase, used in found["phases"].items() if phase != found["peak_phase"])) \
        <= card.usable


def choices(setting, gpu):
    """Settings in order of preference: precision changes first, then offload, then frames, then resolution. They never go up."""
    layout, least = LAYOUTS[models.model(setting.model).family], setting.precision in ("int8", "nf4")
    precisions = [setting.precision] + [p for p in ("int8", "nf4")[least:] if setting.task != "train-full" and p != setting.precision]
    offloads = [o for o in OFFLOADS[OFFLOADS.index(setting.offload):] if o != "group" or setting.task == "sample"]
    frames = [setting.frames] + [f for f in (layout.temporal * k + 1 for k in (20, 16, 12, 8, 4, 2)) if f < setting.frames]
    sizes = [(setting.height, setting.width)] + [s for s in SIZES if s[0] * s[1] < setting.height * setting.width]
    if models.model(setting.model).family == "tiny":
        frames, sizes = frames[:1], sizes[:1]
    for height, width in sizes:
        for count in frames:
            for offload in offloads:
                for precision in precisions:
                    if offload != "group" or precision not in ("int8", "nf4"):
                        yield replace(setting, frames=count, height=height, width=width, offload=offload, precision=precision)


@functools.lru_cache(1024)
def first_fit(setting, gpu):
    """The first of `choices` that fits the GPU, as a dict with its memory and time; None when none does."""
    usable = GPUS[gpu].usable
    for chosen in choices(setting, gpu):
        if least(chosen) > usable:
            continue
        found = predict(chosen, gpu)
        if fits(found, GPUS[gpu]):
            return {key: getattr(chosen, key) for key in ("frames", "height", "width", "precision", "offload")} | {
                key: found[key] for key in ("peak_gpu_gib", "peak_host_gib", "seconds_per_step")}
    return None


def least(setting):
    """GiB without any activations: what is too much already needs no counting."""
    base = weights(setting.model, "transformer", setting.precision)
    if setting.task == "train-full":
        return COPIES * 4 * base["parameters"] / GIB + WORKSPACE
    return (base["gib"] if setting.offload != "group" else base["gib"] - base["blocks"] + base["block"]) + WORKSPACE


def measured(setting, gpu, folder=None):
    """The row of measured/*.json for this setting on this GPU, or None. The rows are written by tests/bench/gpu.py."""
    keys = ("model", "task", "frames", "height", "width", "precision", "batch", "offload")
    for path in sorted((folder or MEASURED).glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for row in result["rows"] if result.get("gpu") == gpu else ():
            same = all(row.get(key) == getattr(setting, key) for key in keys)
            if same and (setting.task != "train-lora" or row.get("lora_rank") == setting.lora_rank) and row.get("seconds_per_step"):
                return row
    return None


def gpu_of(name, gib):
    """The key of GPUS for the name and memory (GiB) that the driver gives; None for another GPU."""
    for key, card in GPUS.items():
        if card.words in name.replace("-", " ").split() and 0 <= gib - card.usable < 12:
            return key
    return None


def remarks(setting, found, gpu, row):
    """Plain sentences about what the numbers leave out."""
    notes = [f"Time at an assumed {GPUS[gpu].tflops} TFLOP/s; this setting has not been measured on {gpu}."] if not row else [
        f"Peak memory and time of a step were measured on {row.get('device', gpu)}; the rest is predicted."]
    if setting.precision in ("int8", "nf4"):
        notes.append(f"{setting.precision} takes longer a step than 16 bits, because weights are converted back; that is not in the time.")
    if found["vae_tiling"]:
        notes.append("The VAE works in tiles: whole pictures would need more memory than anything else here.")
    if setting.task != "sample" and setting.offload != "none":
        notes.append("Prompts and latents are cached before training; the phases text and encode run on their own, before it.")
    if found["peak_host_gib"] > 12.7 and gpu in ("T4", "L4"):
        notes.append(f"A free Colab machine has 12.7 GiB of host memory; this needs {found['peak_host_gib']:.1f}.")
    if setting.task == "train-full" and not found["fits"]:
        notes.append(f"Weights, gradients and optimizer of full training take {found['terms']['training state']:.0f} GiB: share them "
                     "between GPUs (FSDP or ZeRO-3, by accelerate launch), or train a LoRA.")
    if setting.text == "layerwise" and setting.offload != "none" and text_weights(setting.model, setting.half)["gib"]:
        notes.append("Prompts are encoded first, layer by layer from disk; the whole encoder takes "
                     f"{text_weights(setting.model, setting.half)['gib']:.1f} GiB.")
    if setting.model == "medgen-tiny":
        notes.append("Its text encoder (a tenth of a million weights) is not counted.")
    return notes


def table(names=None, gpus=("T4", "L4", "A100-40", "A100-80", "H100"), tasks=TASKS, **settings):
    """One row a model and task: {"model", "task", each GPU: "8.7 GiB predicted" or the first setting that fits, and its basis}.

    settings: as in `plan`, for all rows; frames, height and width do not apply to medgen-tiny, which has its own.
    """
    rows = []
    for name in names or models.MODELS:
        tiny = models.model(name).family == "tiny"
        own = {k: v for k, v in settings.items() if not (tiny and k in ("frames", "height", "width"))}
        for task in tasks:
            rows.append({"model": name, "task": task, **{gpu: cell(plan(name, task, gpu=gpu, **own)) for gpu in gpus}})
    return rows


def cell(found):
    """A plan in a few words: peak and basis when it fits, otherwise what fits instead."""
    if found["fits"]:
        return f"{found['peak_gpu_gib']:.1f} GiB ({found['basis']})"
    if not found["first_fit"]:
        return "nothing fits (predicted)"
    new = found["first_fit"]
    size = f"{new['frames']}x{new['height']}x{new['width']}"
    words = [new["precision"]] * (new["precision"] != found["precision"]) + [f"offload {new['offload']}"] * (
        new["offload"] != found["offload"]) + [size] * (size != f"{found['frames']}x{found['height']}x{found['width']}")
    return f"with {', '.join(words)}: {new['peak_gpu_gib']:.1f} GiB (predicted)"


def told(found):
    """A plan as lines of text: what was asked, the terms of the peak, the verdict and what fits instead."""
    count = found["parameters"]
    many = f"{count / 1e9:.2f} billion" if count > 1e8 else f"{count / 1e6:.1f} million"
    lines = [f"{found['model']} ({many} parameters), {found['task']}, {found['frames']}x{found['height']}x{found['width']}, "
             f"{found['precision']}, offload {found['offload']}, on {found['gpu']}: {found['basis']}", ""]
    lines += [f"  {use:20s}{gib:7.1f} GiB" for use, gib in found["terms"].items()]
    lines += [f"  {'peak of ' + found['peak_phase']:20s}{found['peak_gpu_gib']:7.1f} GiB of {found['usable_gpu_gib']:.1f} usable",
              f"  {'host memory':20s}{found['peak_host_gib']:7.1f} GiB", f"  {'a step':20s}{found['seconds_per_step']:7.3g} s",
              f"  {'a clip':20s}{found['seconds_per_clip']:7.3g} s"]
    if found["hours"] is not None and found["task"] != "sample":
        lines.append(f"  {'all steps':20s}{found['hours']:7.1f} h")
    if found["cost"] is not None:
        lines.append(f"  {'cost':20s}{found['cost']:7.2f} at {found['price_per_hour']:g} an hour")
    new = found["first_fit"]
    verdict = "It fits." if found["fits"] else "It does not fit." if not new else (
        f"It does not fit. What does: {new['frames']}x{new['height']}x{new['width']}, {new['precision']}, offload {new['offload']} "
        f"({new['peak_gpu_gib']:.1f} GiB, {new['seconds_per_step']:.3g} s a step).")
    return "\n".join([*lines, "", verdict if found["fits"] or new else f"{verdict} Nor does any smaller clip.", *found["notes"]])
