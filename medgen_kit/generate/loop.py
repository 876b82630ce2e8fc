"""The training loop, once for all models: MedGen-tiny from nothing and LoRA on Wan2.1 run through the same lines.

    for each optimizer step: for each micro-batch: draw -> losses -> backward; clip; step; average; log; check; checkpoint

accelerate carries devices, mixed precision, accumulation and the distributed engines. All chance comes from `draw`, which knows only the
numbers of the samples (`stream`), so a training that is killed and resumed ends at the same weights (on the same machine with the same
number of threads: sums in another order differ in the last digit).
"""

import contextlib
import math
import os
import signal
import threading
import time

import torch

from ..errors import KitError
from ..machine import device
from . import checkpoint, pace
from .journal import Journal
from .precision import precision_for
from .recipe import learning_rate


def fit(model, draw, losses, recipe, folder, say=print, watch=None, averaged=None, validate=None, resume=True, stop_after=None,
        belongs=None, before=None):
    """Train what `requires_grad` in `model`; returns figures {"steps", "train_seconds", "history", "parameters"}.

    draw(step, first, count) -> dict: samples `first` to `first + count` of a step's batch. losses(model, batch) -> (total, {name: value}).
    folder: checkpoints and log.jsonl. watch(step, total, seconds_left, means, model): called twelve times. averaged: the part of the model
    that `recipe.ema` averages and `watch` is shown (default: all of it); its weights are the averaged ones afterwards. validate(model,
    step) -> dict for the log. stop_after: leave after this many steps (for tests). belongs: {name: value} of what else a checkpoint must
    share with this training, such as its model and clips. before(model): called once, on the devices, before anything is trained or
    restored. Raises KitError when the loss is not a number, and for other settings' checkpoints.
    """
    accelerator, micro, rounds = start(recipe)
    say = by_one(say)
    optimizer = make_optimizer(model, recipe)
    if accelerator.scaler is None and not checkpoint.sharded(accelerator):
        model = accelerator.prepare(model)                 # the optimizer needs accelerate's wrapping only for a scaler or for shards
    else:
        model, optimizer = accelerator.prepare(model, optimizer)
    plain, parameters = accelerator.unwrap_model(model), [p for p in model.parameters() if p.requires_grad]
    shown = plain if averaged is None else averaged
    average = Average(shown, recipe.ema) if recipe.ema else None
    if before is not None:
        before(plain)
    belongs = {**recipe.as_dict(), **(belongs or {})}
    state = checkpoint.restore(folder, accelerator, model, optimizer, average and average.model, belongs) if resume else None
    if state:
        say(f"goes on at step {state['step']} of {state['total']}")
    state = state or {"step": 0, "total": recipe.max_steps, "calibrated": False, "seconds": 0.0, "belongs": belongs}
    if not recipe.minutes:
        state["total"] = recipe.max_steps
    journal = Journal(folder, state["step"], accelerator.is_main_process)
    first, clock, saved = state["step"], time.time() - state["seconds"], time.time()
    stopping = done = False
    with stop_signals() as stopped:
        while state["step"] < state["total"]:
            step = state["step"]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, state["total"], recipe)
            sums, norm = one_step(accelerator, model, optimizer, parameters, draw, losses, step, micro, rounds, recipe.clip)
            if average is not None and not getattr(optimizer, "step_was_skipped", False):      # by the scaler, when fp16 overflows
                average.step()
            refuse_nan(journal.write(state, sums, optimizer.param_groups[0]["lr"], norm), step, recipe)
            state["step"], state["seconds"] = step + 1, time.time() - clock
            if not state["calibrated"] and step + 1 - first == pace.FIRST:
                pace.calibrate(state, recipe, state["seconds"], say)
            elif state["calibrated"] and recipe.minutes and step + 1 == state["total"] // 3:
                pace.correct(state, recipe, say)
            done = step + 1 == state["total"]
            saving, stopping = agree(accelerator, due(step + 1, saved, recipe), bool(stopped) or step + 1 - first == stop_after)
            if (step + 1) % max(1, state["total"] // 12) == 0 or done:
                tell(journal, state, say, watch, average, shown)
            if validate and recipe.validation_steps and ((step + 1) % recipe.validation_steps == 0 or done):
                with averaged_weights(average), torch.random.fork_rng():
                    journal.note(step + 1, validate(plain, step + 1))
            if done or stopping or saving:
                journal.flush()
                checkpoint.save(folder, accelerator, model, optimizer, average and average.model, state, recipe.keep)
                saved = time.time()
            if stopping:
                break
    journal.close()
    if stopping and not done and stop_after is None:
        raise KeyboardInterrupt(f"stopped after step {state['step']}; a checkpoint stands in {folder}")
    if average is not None:
        average.keep()
    whole = {"state": whole_state(accelerator, model, plain)} if checkpoint.sharded(accelerator) else {}
    return {**whole, "steps": state["step"], "train_seconds": round(state["seconds"], 1), "history": journal.history(),
            "parameters": sum(p.numel() for p in plain.parameters() if p.requires_grad)}


def one_step(accelerator, model, optimizer, parameters, draw, losses, step, micro, rounds, clip):
    """One optimizer step from `rounds` micro-batches of `micro` clips on each device: ({loss: mean}, norm of the gradient)."""
    sums = {}
    for turn in range(rounds):
        with accelerator.accumulate(model):
            batch = draw(step, (turn * accelerator.num_processes + accelerator.process_index) * micro, micro)
            with accelerator.autocast():
                total, parts = losses(model, {key: to_device(value, accelerator.device) for key, value in batch.items()})
            accelerator.backward(total)
            if accelerator.sync_gradients:
                norm = accelerator.clip_grad_norm_(parameters, clip)
                optimizer.step()
                optimizer.zero_grad()
        for name, value in parts.items():
            sums[name] = sums.get(name, 0) + value.detach() / rounds
    return accelerator.reduce(sums, "mean") if accelerator.num_processes > 1 else sums, norm


def refuse_nan(row, step, recipe):
    """KitError with advice when a loss of a step is no number."""
    if not all(math.isfinite(value) for value in row.values()):
        raise KitError(f"the training loss is not a number at step {step}. Lower the learning rate (now {recipe.lr}) or the largest norm "
                       "of the gradient (clip), and run the same again: it goes on from the last checkpoint.")


def start(recipe):
    """(accelerator, clips a device holds at once, how often it does so in one optimizer step)."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import GradientAccumulationPlugin

    AcceleratorState._reset_state()                        # a notebook may train twice, with another precision
    processes = here().num_processes
    micro = recipe.micro_batch or max(1, recipe.batch // processes)
    rounds, rest = divmod(recipe.batch, micro * processes)
    if rest or not rounds:
        raise KitError(f"a batch of {recipe.batch} clips cannot be shared by {processes} devices with {micro} clips at once. Choose a "
                       f"batch that is a multiple of {micro * processes}, for example {max(1, rounds) * micro * processes}.")
    if recipe.minutes and processes > 1:
        raise KitError("minutes sets the number of steps from one machine's speed. With several processes set minutes to 0 and max_steps.")
    plugin = GradientAccumulationPlugin(num_steps=rounds, sync_with_dataloader=False)
    accelerator = Accelerator(cpu=device() == "cpu", mixed_precision=precision_for(recipe.mixed_precision),
                              gradient_accumulation_plugin=plugin)
    if checkpoint.sharded(accelerator) and recipe.ema:
        raise KitError("averaged weights (ema) of a sharded model are not kept. Set ema=0, or use the engine ddp.")
    if accelerator.state.deepspeed_plugin is not None:         # it wants to know, since it sees no data loader
        accelerator.state.deepspeed_plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = micro
    return accelerator, micro, rounds


def whole_state(accelerator, model, plain):
    """{name: tensor} of what was trained, gathered from the shards of all devices (on the first process)."""
    names = set(checkpoint.trained(plain))
    return {name: value for name, value in (accelerator.get_state_dict(model) or {}).items() if name in names}


def here():
    """accelerate's state of this process among others (one, unless torchrun or `accelerate launch` started several)."""
    from accelerate import PartialState

    return PartialState(cpu=device() == "cpu")             # said outright: else two processes on a CPU would not find each other


def by_one(say):
    """`say` for the first process, silence for the others."""
    return say if here().is_main_process else lambda _: None


def make_optimizer(model, recipe):
    """AdamW over what is trained; with 8-bit states when the recipe says so and bitsandbytes is installed."""
    parameters, settings = [p for p in model.parameters() if p.requires_grad], dict(lr=recipe.lr, betas=(0.9, recipe.beta2),
                                                                                    weight_decay=recipe.weight_decay)
    if not parameters:
        raise KitError("nothing is to be trained: no parameter of this model requires a gradient.")
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **settings)
    try:
        import bitsandbytes
    except ImportError:
        raise KitError("optimizer adamw8bit needs the package bitsandbytes (pip install bitsandbytes), or choose adamw.") from None
    return bitsandbytes.optim.AdamW8bit(parameters, **settings)


class Average:
    """Exponential moving average of the trained weights of `part` (diffusers' EMAModel: its decay ramps up as (1 + n) / (10 + n))."""

    def __init__(self, part, decay):
        from diffusers.training_utils import EMAModel

        self.parameters = [p for p in part.parameters() if p.requires_grad]
        self.model = EMAModel(self.parameters, decay=decay, foreach=True)

    def step(self):
        self.model.step(self.parameters)

    def keep(self):
        """Put the averaged weights into the model."""
        self.model.copy_to(self.parameters)


@contextlib.contextmanager
def averaged_weights(average):
    """The model has its averaged weights inside the block, its own again afterwards."""
    if average is None:
        yield
        return
    average.model.store(average.parameters)
    average.keep()
    try:
        yield
    finally:
        average.model.restore(average.parameters)


@contextlib.contextmanager
def stop_signals():
    """A list that is filled when someone asks to stop (Ctrl-C, the stop button, a cluster's SIGTERM): the step is finished and saved first.
    A second Ctrl-C stops at once."""
    asked, before = [], {}

    def note(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(journal, state, say, watch, average, model):
    """One progress line, and the watcher's turn (a notebook's monitor draws loss and samples)."""
    means = journal.means()
    left = state["seconds"] / state["step"] * (state["total"] - state["step"])
    say(f"step {state['step']} of {state['total']}, " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()) + f", {left:.0f} s left")
    if watch is not None:
        with averaged_weights(average):
            watch(state["step"], state["total"], left, means, model)


def will_be_sharded():
    """Whether `accelerate launch` was told to shard the model (FSDP, DeepSpeed)."""
    return any(os.environ.get(name, "").lower() == "true" for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"))


def agree(accelerator, saving, stopping):
    """What all processes do: save when the first one's clock says so, stop when any was asked to. A process that decided by itself would
    leave the others waiting."""
    if accelerator.num_processes == 1:
        return saving, stopping
    flags = torch.tensor([float(saving and accelerator.is_main_process), float(stopping)], device=accelerator.device)
    return tuple(bool(flag) for flag in accelerator.reduce(flags, "sum").tolist())


def due(step, saved, recipe):
    """Whether a checkpoint is due after `step` steps, the last at time `saved`."""
    by_steps = recipe.checkpoint_steps and step % recipe.checkpoint_steps == 0
    return bool(by_steps or recipe.checkpoint_seconds and time.time() - saved > recipe.checkpoint_seconds)


def to_device(value, device):
    if torch.is_tensor(value):
        return value.to(device, non_blocking=True)
    return {key: to_device(one, device) for key, one in value.items()} if isinstance(value, dict) else value

