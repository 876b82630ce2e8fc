"""What a transformer or a VAE needs in memory and arithmetic, counted over the real classes on the meta device (nothing is allocated).

A tracker sees every tensor that one training step makes and every one that it frees; the peak is the activations. Blocks repeat, so a
few of them are run and the rest is a straight line (tests/generate/test_plan.py compares it with whole runs and with a real CPU run).
"""

import contextlib
import functools
import warnings
import weakref
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from . import models
from .families import FAMILIES, Family

GIB = 2**30


@dataclass(frozen=True)
class Layout:
    """Sizes of a family's inputs. temporal, spatial: how many frames and pixels one latent holds; patch: latents a token side.

    text: prompt tokens; width: their size. layers: the configuration's names for the numbers of repeated blocks. few: how many are
    run under LoRA (the first keeps less than the others, Mochi's last is another); fewer: otherwise.
    calls, together: transformer calls a sampling step and clips in each, for guidance. tile, stride: pixels (height, width) of a tile of
    the VAE and from one tile to the next, as its class has them.
    """

    channels: int
    temporal: int
    spatial: int
    patch: int
    text: int
    width: int = 4096
    layers: tuple = ("num_layers",)
    few: tuple = (2,)
    fewer: tuple = (1,)
    calls: int = 1
    together: int = 2
    tile: tuple = (256, 256)
    stride: tuple = (192, 192)

    def latent(self, frames, height, width):
        """(T, H, W) of the latents."""
        return (frames - 1) // self.temporal + 1, height // self.spatial, width // self.spatial

    def tokens(self, frames, height, width):
        """Tokens of a video in the transformer, without the prompt's."""
        t, h, w = self.latent(frames, height, width)
        return t * (h // self.patch) * (w // self.patch)


TEXT = {name: family.text_length for name, family in FAMILIES.items()}
LAYOUTS = {
    "wan": Layout(16, 4, 8, 2, TEXT["wan"], calls=2, together=1),
    "hunyuan": Layout(16, 4, 8, 2, TEXT["hunyuan"], layers=("num_layers", "num_single_layers"), few=(1, 2), fewer=(1, 2), together=1),
    "mochi": Layout(12, 6, 8, 2, TEXT["mochi"], few=(3,), fewer=(2,)),
    "ltx": Layout(128, 8, 32, 1, TEXT["ltx"], tile=(512, 512), stride=(448, 448)),
    "cogvideox": Layout(16, 4, 8, 2, TEXT["cogvideox"], tile=(240, 360), stride=(200, 288)),
    "tiny": Layout(128, 1, 32, 1, TEXT["tiny"], 96, layers=("layers",))}


def inputs(family, frames, height, width, batch=1, dtype=torch.bfloat16, device="meta"):
    """(keyword arguments of the transformer's forward, target of the loss), all zeros and ones, for `batch` clips."""
    layout = LAYOUTS[family]
    t, h, w = layout.latent(frames, height, width)
    shape = {"cogvideox": (batch, t, layout.channels, h, w), "ltx": (batch, t * h * w, layout.channels)}.get(
        family, (batch, layout.channels, t, h, w))
    made = {"hidden_states": torch.zeros(shape, dtype=dtype, device=device), "timestep": torch.full((batch,), 500.0, device=device),
            "encoder_hidden_states": torch.zeros(batch, layout.text, layout.width, dtype=dtype, device=device)}
    if family in ("hunyuan", "mochi", "ltx"):
        kind = torch.bool if family == "mochi" else torch.long
        made["encoder_attention_mask"] = torch.ones(batch, layout.text, dtype=kind, device=device)
    if family == "hunyuan":
        made |= {"pooled_projections": torch.zeros(batch, 768, dtype=dtype, device=device),
                 "guidance": torch.full((batch,), 1000.0, dtype=dtype, device=device)}
    if family == "ltx":
        made |= {"num_frames": t, "height": h, "width": w, "rope_interpolation_scale": (0.3, 32, 32)}
    return made, torch.zeros(shape, device=device)


class Tracker(TorchDispatchMode):
    """Bytes of living tensors made while it is on (`live`, `peak`) and multiply-adds as 2 FLOPs (`linear`, `attention`)."""

    def __init__(self):
        super().__init__()
        self.live = self.peak = self.linear = self.attention = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.linear += flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
        made = [x.untyped_storage() for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        given = {x.untyped_storage()._cdata for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        for storage in {x._cdata: x for x in made if x._cdata not in given}.values():       # a view has its argument's storage
            self.live += storage.nbytes()
            weakref.finalize(storage, self.freed, storage.nbytes()).atexit = False
        self.peak = max(self.peak, self.live)
        return out

    def freed(self, size):
        self.live -= size


class FlashShaped(torch.autograd.Function):
    """Attention in the memory of a fused kernel: keeps q, k, v, the output and one number a query; never queries x keys.

    FLOPs: two products forward, five backward (Dao 2023, FlashAttention-2).
    """

    @staticmethod
    def forward(ctx, q, k, v, tracker):
        ctx.tracker, ctx.flops = tracker, 4 * q[..., 0].numel() * k.shape[-2] * q.shape[-1]
        tracker.attention += ctx.flops
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out, q.new_empty(q.shape[:-1], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx, grad):
        ctx.tracker.attention += ctx.flops * 5 // 2
        return *map(torch.empty_like, ctx.saved_tensors[:3]), None


class Stand:
    """While it is on, for the meta device: fused attention, every prompt token real, and (half) what autocast does to float32."""

    def __init__(self, tracker, half=None):
        self.tracker, self.half, self.kept, self.own = tracker, half, None, []

    def __enter__(self):
        self.swap(F, "scaled_dot_product_attention", self.attention)
        self.swap(torch, "nonzero", lambda x, **_: torch.zeros(x.numel(), 1, dtype=torch.long, device=x.device))
        self.swap(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
        for name in ("linear", "conv2d", "conv3d") if self.half else ():
            self.swap(F, name, functools.partial(self.autocast, getattr(F, name)))
        return self

    def __exit__(self, *_):
        for place, name, function in self.own:
            setattr(place, name, function)

    def swap(self, place, name, function):
        self.own.append((place, name, getattr(place, name)))
        setattr(place, name, function)

    def attention(self, query, key, value, **_):
        return FlashShaped.apply(*map(self.cast, (query, key, value)), self.tracker)

    def autocast(self, function, *args, **kwargs):
        return function(*map(self.cast, args), **kwargs)

    def cast(self, x):
        """x in half precision; in a forward pass (`kept` is a dict) the copy of a weight stays until its end, as under autocast."""
        if not self.half or not isinstance(x, torch.Tensor) or x.dtype != torch.float32:
            return x
        if self.kept is None or not isinstance(x, torch.nn.Parameter):
            return x.to(self.half)
        if id(x) not in self.kept:
            self.kept[id(x)] = x.to(self.half)
        return self.kept[id(x)]


def is_island(model, name):
    """Whether diffusers keeps this parameter in float32 when the model is loaded in 16 bits."""
    return any(part in name.split(".") for part in (getattr(model, "_keep_in_fp32_modules", None) or []))


def prepare(model, task, rank=32, dtype=torch.bfloat16, checkpointing=True):
    """The model as a task needs it: 16-bit and frozen with float32 LoRA, float32 for full training, or 16-bit without gradients."""
    for name, p in model.named_parameters():
        p.data = p.data.to(torch.float32 if task == "train-full" or is_island(model, name) else dtype)
        p.requires_grad_(task == "train-full")
    if task == "train-lora":
        from peft import LoraConfig

        model.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(Family.lora_targets)))
    if task != "sample" and checkpointing:
        model.train().enable_gradient_checkpointing()
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.float()
            p.grad = torch.zeros_like(p)
    return model


@functools.lru_cache(4096)
def trace(name, task, frames, height, width, batch=1, rank=32, checkpointing=True, dtype=torch.bfloat16, device="meta", **changes):
    """{"forward", "backward": peak bytes, "linear", "attention": FLOPs, "trainable": parameters} of one step.

    Gradients and weights are there before and are not counted. device "cpu" makes the same step for real, with real random weights.
    changes: as in models.build, for example num_layers=2.
    """
    model = prepare(models.build(name, device=device, **changes), task, rank, dtype, checkpointing)
    kind = torch.float32 if task == "train-full" else dtype
    given, target = inputs(models.model(name).family, frames, height, width, batch, kind, device)
    tracker = Tracker()
    stand = Stand(tracker, dtype if task == "train-full" else None) if device == "meta" else contextlib.nullcontext()
    with warnings.catch_warnings(), torch.device(device), stand, tracker, torch.set_grad_enabled(task != "sample"):
        warnings.simplefilter("ignore")                                # of kernels that the meta device has not
        with keeping(stand):
            out = model(**given, return_dict=False)[0]
        forward, tracker.peak = tracker.peak, tracker.live
        if task != "sample":
            F.mse_loss(out.float(), target).backward()
    return {"forward": forward, "backward": tracker.peak, "linear": tracker.linear, "attention": tracker.attention,
            "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad)}


@contextlib.contextmanager
def keeping(stand):
    """The forward pass, in which autocast keeps its 16-bit copies of weights."""
    if isinstance(stand, Stand):
        stand.kept = {}
    yield
    if isinstance(stand, Stand):
        stand.kept = None


@functools.lru_cache(4096)
def footprint(name, task, frames, height, width, batch=1, rank=32, checkpointing=True):
    """One step of the whole model: {"activations": GiB, "linear", "attention": FLOPs, "trainable": parameters}.

    A few blocks are traced, then the same with one more of a kind; every further block adds the difference.
    """
    name = models.model(name).base or name                             # a fine-tuned model has the shape of its base
    layout, settings = LAYOUTS[models.model(name).family], (name, task, frames, height, width, batch, rank, checkpointing)
    few = dict(zip(layout.layers, layout.few if task == "train-lora" else layout.fewer))
    base = trace(*settings, **few)
    total = dict(base)
    for kind, count in few.items():
        one_more = trace(*settings, **{**few, kind: count + 1})
        for key in total:
            total[key] += (one_more[key] - base[key]) * (blocks(name)[kind] - count)
    return {"activations": max(total["forward"], total["backward"]) / GIB} | {k: total[k] for k in ("linear", "attention", "trainable")}


@functools.cache
def blocks(name):
    """{configuration's name: number of repeated blocks} of the whole model."""
    config = models.build(name).config
    return {kind: config[kind] for kind in LAYOUTS[models.model(name).family].layers}


@functools.cache
def weights(name, part="transformer", precision="bf16"):
    """{"parameters", "gib", "largest": GiB of the largest linear weight in 16 bits, "block": GiB of the largest block, "blocks": of all}.

    int8 and nf4: linear weights at 1 and 0.516 byte (nf4 with double quantisation, Dettmers et al. 2023), the rest in 16 bits, or 32 where
    the libraries keep it so. A component that the model has not weighs nothing.
    """
    if part not in models.model(name).parts:
        return {"parameters": 0, "gib": 0.0, "largest": 0.0, "block": 0.0, "blocks": 0.0}
    model, small = models.build(name, part), {"int8": 1, "nf4": 0.516}.get(precision, 2)
    linear = {id(m.weight): m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear)}
    whole = part == "vae" and is_float32(name)
    islands = {id(p) for n, p in model.named_parameters() if is_island(model, n) and not (part.startswith("text") and precision == "bf16")}

    def gib(module):
        return sum(p.numel() * (4 if whole or id(p) in islands else small if id(p) in linear else 2) for p in module.parameters()) / GIB

    repeated = [gib(block) for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList) and n.count(".") < 2 for block in m]
    tables = [gib(m) for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    largest = 2 * max(linear.values(), default=0) / GIB
    return {"parameters": sum(p.numel() for p in model.parameters()), "gib": gib(model), "largest": largest,
            "block": max(repeated + tables, default=0.0), "blocks": sum(repeated)}


def is_float32(name):
    """Whether the model's VAE runs in float32."""
    return models.model(name).family in ("wan", "tiny")


@functools.lru_cache(512)
def vae(name, what, frames, height, width, tiled=False):
    """{"activations": GiB, "flops"} of the VAE's "encode" or "decode" of one clip. tiled: one tile in full, beside all decoded tiles."""
    name = models.model(name).base or name
    family, layout = models.model(name).family, LAYOUTS[models.model(name).family]
    if family == "tiny":
        return {"activations": frames * 3 * height * width * 12 / GIB, "flops": 2 * frames * 3 * height * width * 128}
    if tiled and (height > layout.tile[0] or width > layout.tile[1]):
        tile = min(layout.tile[0], height), min(layout.tile[1], width)
        one, pixels = vae(name, what, frames, *tile), covered(height, layout, 0) * covered(width, layout, 1)
        kept = frames * 3 * pixels * (4 if is_float32(name) else 2) / GIB if what == "decode" else 0.0
        return {"activations": one["activations"] + kept, "flops": one["flops"] * pixels / (tile[0] * tile[1])}
    if family == "wan" and frames > 17:                                # it works through a clip four frames at a time
        near, far = vae(name, what, 13, height, width), vae(name, what, 17, height, width)
        return {key: far[key] + (far[key] - near[key]) * (frames - 17) / 4 for key in far}
    dtype = torch.float32 if is_float32(name) else torch.bfloat16
    model = models.build(name, "vae").eval().requires_grad_(False)
    for p in model.parameters():
        p.data = p.data.to(dtype)
    shape = (1, layout.channels, *layout.latent(frames, height, width)) if what == "decode" else (1, 3, frames, height, width)
    more = (torch.zeros(1, dtype=dtype, device="meta"),) if family == "ltx" and what == "decode" else ()
    tracker = Tracker()
    with torch.device("meta"), torch.no_grad(), Stand(tracker), tracker:
        getattr(model, what)(torch.zeros(shape, dtype=dtype, device="meta"), *more)
    return {"activations": tracker.peak / GIB, "flops": tracker.linear + tracker.attention}


def covered(length, layout, side):
    """Pixels of a side (0 height, 1 width) that the tiles work on; where they overlap, twice."""
    return sum(min(layout.tile[side], length - start) for start in range(0, length, layout.stride[side]))
