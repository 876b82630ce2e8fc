"""Sampling faster, with what diffusers brings: a better solver in fewer steps (UniPC), a cache that skips blocks, and memory switches.

    with accelerate_sampling(pipe, "fast") as boost:
        clip = pipe(prompt=..., num_inference_steps=boost.steps(20)).frames[0]
    print(boost.report())
"""

import contextlib
from dataclasses import dataclass, field

import torch

from ..errors import KitError

ACCELS = ("off", "safe", "fast")
THRESHOLD = {"safe": 0.06, "fast": 0.1}       # relative change of the first block's residual below which the other blocks are skipped
FEWER = 0.6                                   # UniPC (Zhao et al. 2023) is about as exact in 12 steps as Euler's method in 20
LAST = 0.1                                    # noise level of the last step (LTX-Video's own); a large shift would end at a far higher one
CACHED = ("blocks", "transformer_blocks", "single_transformer_blocks")
OFFLOADS = ("none", "model", "group")


@dataclass
class Boost:
    """What an acceleration did. solver: class of the scheduler; share: steps taken of those asked; threshold: of the cache, 0 without one;
    forwards, full: calls of the transformer, and those in which all blocks ran; notes: sentences about what could not be had."""

    accel: str
    solver: str = ""
    share: float = 1.0
    threshold: float = 0.0
    forwards: int = 0
    full: int = 0
    notes: list = field(default_factory=list)

    def steps(self, asked):
        """The steps to take when `asked` are asked for; with fewer than all at least 2, which the stretched noise levels need."""
        return asked if self.share == 1 else max(2, round(self.share * asked))

    def report(self):
        """{"accel", "solver", "share", "threshold", "forwards", "full", "skipped" (0 to 1), "notes"}; a cache without effect is a note."""
        skipped = 1 - self.full / self.forwards if self.threshold and self.forwards else 0.0
        notes = list(self.notes)
        if self.threshold and self.forwards and not skipped:
            notes.append(f"the cache changed nothing: from step to step the first block's output always changed by more than "
                         f"{self.threshold:g}, so all blocks ran in each of {self.forwards} calls. Take more steps, or accel='off'.")
        return {name: value for name, value in vars(self).items() if name != "notes"} | {"skipped": round(skipped, 4), "notes": notes}


@contextlib.contextmanager
def accelerate_sampling(pipe, accel="off"):
    """Sample with `pipe` faster inside the block; yields a Boost. Afterwards the pipeline gives its old output, bit for bit.

    off: nothing. safe: the first-block cache at 0.06. fast: UniPC in 0.6 of the steps and the cache at 0.1. The cache's decision is one
    for the whole batch, so with it a clip depends on its batch: sample one at a time. Raises KitError for another name, or when a cache is
    on already.
    """
    if accel not in ACCELS:
        raise KitError(f"accel='{accel}' is not known. Choose one of {', '.join(ACCELS)}.")
    boost, kept = Boost(accel, type(pipe.scheduler).__name__), pipe.scheduler
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: setattr(pipe, "scheduler", kept))
        if accel == "fast":
            use_unipc(pipe, boost)
        if accel != "off":
            use_cache(pipe, boost, stack)
        yield boost


def use_unipc(pipe, boost):
    """Put UniPC in place of Euler's method where the model's noise schedule allows it; otherwise a note."""
    solver, why = unipc(pipe.scheduler)
    if solver is None:
        boost.notes.append(why)
        return
    pipe.scheduler, boost.solver, boost.share = solver, type(solver).__name__, FEWER


def unipc(scheduler):
    """(UniPC for the model that `scheduler` is for, "") or (None, why not).

    `UniPCMultistepScheduler.from_config` of an Euler configuration would take the network's velocity for noise, without an error; so the
    settings that say otherwise are set here. With a shift, few steps would end with one leap from a high noise level (0.39 in 12 steps of
    shift 7); the levels are stretched to end at LAST instead. tests/bench/sample.py prints the error with and without.
    """
    from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

    config = scheduler.config
    if isinstance(scheduler, UniPCMultistepScheduler) and config.use_flow_sigmas:
        return UniPCMultistepScheduler.from_config(config, shift_terminal=config.shift_terminal or last_level(config.flow_shift)), ""
    if not isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        return None, f"{type(scheduler).__name__} is not for flow matching, so its solver and number of steps are kept."
    if config.invert_sigmas:
        return None, "this model's time runs from noise 0 to data 1, which UniPC does not know; Euler's method and the steps are kept."
    return UniPCMultistepScheduler(num_train_timesteps=config.num_train_timesteps, prediction_type="flow_prediction", use_flow_sigmas=True,
                                   flow_shift=scheduler.shift, use_dynamic_shifting=config.use_dynamic_shifting,
                                   time_shift_type=config.time_shift_type,
                                   shift_terminal=config.shift_terminal or last_level(scheduler.shift)), ""


def last_level(shift):
    """Where UniPC's noise levels are to end; None leaves them."""
    return LAST if shift > 1 else None


def use_cache(pipe, boost, stack):
    """Switch the first-block cache on until `stack` closes, and count the calls in which all blocks ran; a note where it cannot be had."""
    from diffusers import FirstBlockCacheConfig

    transformer = pipe.transformer
    blocks = [block for name, part in transformer.named_children() if name in CACHED for block in part]
    if type(pipe).__name__ == "MedGenTinyPipeline":
        boost.notes.append("MedGen-tiny has no cache: its pipeline does not tell the blocks which of its calls they are in.")
        return
    if not hasattr(transformer, "enable_cache") or len(blocks) < 2:
        boost.notes.append(f"{type(transformer).__name__} with {len(blocks)} blocks has nothing that a cache could skip.")
        return
    if transformer.is_cache_enabled:
        raise KitError("a cache is on already. Call pipe.transformer.disable_cache() first, or leave accel='off'.")
    boost.threshold = THRESHOLD[boost.accel]
    transformer.enable_cache(FirstBlockCacheConfig(boost.threshold))
    stack.callback(transformer.disable_cache)
    count_calls(transformer, blocks[-1], boost, stack)


def count_calls(transformer, last, boost, stack):
    """Count into `boost` how often the transformer was called, and how often its last block really ran (a part of it was called)."""
    ran = set()

    def ended(*_):
        boost.forwards, boost.full = boost.forwards + 1, boost.full + bool(ran)
        ran.clear()

    for part in last.children():
        stack.callback(part.register_forward_hook(lambda *_: ran.add(1)).remove)
    stack.callback(transformer.register_forward_hook(ended).remove)


def prepare(pipe, offload="none", layerwise=False, vae_tiling=False, compile=False, device="cpu"):
    """Put a pipeline on a device with diffusers' own switches for memory and speed; returns sentences about what they cost.

    offload: "model" (one component at a time on the GPU) or "group" (a block at a time; slower, least memory). layerwise: weights are
    stored in 8 bits and computed with in the pipeline's precision. vae_tiling: decode in tiles. compile: compile each kind of block once.
    Figures beside the switches: tests/bench/sample.py. Raises KitError for what this machine or pipeline cannot do.
    """
    device, said = torch.device(device), []
    if offload not in OFFLOADS:
        raise KitError(f"offload='{offload}' is not known. Choose one of {', '.join(OFFLOADS)}.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise KitError("device='cuda' was asked for, but there is no GPU here. Use device='cpu', or a machine with one.")
    if offload == "model" and device.type == "cpu":
        raise KitError("offload='model' moves components between a GPU and the CPU, and there is no GPU here. Use offload='none'.")
    if vae_tiling and not hasattr(pipe.vae, "enable_tiling"):
        raise KitError(f"{type(pipe.vae).__name__} cannot decode in tiles. Leave vae_tiling off.")
    if layerwise and getattr(pipe.transformer, "peft_config", None):
        raise KitError("layerwise casting would round the LoRA to 8 bits too. Merge it first (medgen-kit export), or leave layerwise off.")
    if layerwise:
        computed = pipe.transformer.dtype
        pipe.transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=computed)
        said.append(f"weights are stored in 8 bits and computed with in {str(computed).removeprefix('torch.')}: less memory, but rounded.")
    place(pipe, offload, device, said)
    if vae_tiling:
        pipe.vae.enable_tiling()
        said.append("the VAE decodes in tiles: less memory, more time; tiles only matter above their own size.")
    if compile:
        pipe.transformer.compile_repeated_blocks()
        said.append("blocks are compiled at the first call, which takes about a minute.")
    return said


def place(pipe, offload, device, said):
    """Move the pipeline to `device`, whole or piece by piece."""
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
        said.append("one component at a time is on the GPU.")
    elif offload == "group":
        pipe.transformer.enable_group_offload(onload_device=device, offload_device=torch.device("cpu"), offload_type="block_level",
                                              num_blocks_per_group=1)
        for name, part in pipe.components.items():
            if isinstance(part, torch.nn.Module) and name != "transformer":
                part.to(device)
        said.append("one block of the transformer at a time is on the device." if device.type != "cpu" else
                    "one block at a time is loaded, from the CPU to the CPU: it shows the mechanism and saves nothing.")
    else:
        pipe.to(device)
