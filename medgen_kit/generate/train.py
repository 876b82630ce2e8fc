"""Training the generator with accelerate: one step is flow matching, feature alignment (REPA) and concept alignment.

Every random number of step n comes from (seed, n), so a run that is killed and resumed ends at the same weights (on the same machine
with the same number of threads: sums in another order differ in the last digit).
"""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..clip import write_text
from ..errors import KitError
from ..run import swap
from . import flow
from .concepts import alignment_loss
from .data import KINDS, read_json
from .transformer import TinyWan

SAVE_EVERY = 60                # seconds between checkpoints


@dataclass
class Recipe:
    """Sizes of a training run. repa, knowledge: weights of the two alignment losses, 0 switches one off.

    minutes: stop after about that long (the number of steps is set from the speed of the first ones, and corrected after a third), at most
    max_steps.
    detailed, drop, first_frame: shares of batches with detailed captions, of captions left out (for guidance), of clips whose first
    frame is given.
    """

    dim: int = 192
    layers: int = 4
    heads: int = 4
    batch: int = 32
    lr: float = 1.5e-3
    max_steps: int = 2400
    minutes: float = 5
    repa: float = 0.5
    knowledge: float = 0.5
    detailed: float = 0.2
    drop: float = 0.1
    first_frame: float = 0.1
    mixed_precision: str = "no"
    seed: int = 0

    @classmethod
    def of(cls, profile, **changes):
        settings = {k: v for k, v in profile.generate.as_dict().items() if k in cls.__dataclass_fields__}
        return cls(**{**settings, "seed": profile.seed, **changes})


class Trainee(nn.Module):
    """The denoiser, and the projector that compares its hidden frames with the frozen video tower's (REPA, Yu et al. 2024)."""

    def __init__(self, recipe, channels, text_dim, feature_dim):
        super().__init__()
        self.denoiser = TinyWan(channels, recipe.dim, recipe.layers, recipe.heads, text_dim)
        self.projector = nn.Sequential(nn.Linear(recipe.dim, 256), nn.SiLU(), nn.Linear(256, feature_dim))
        self.hidden = None
        block = self.denoiser.blocks[max(0, recipe.layers // 2 - 1)]
        block.register_forward_hook(lambda _module, _inputs, output: setattr(self, "hidden", output))

    def forward(self, x, times, text):
        """(velocity, projected features [B, T, D])."""
        velocity = self.denoiser(x, times, text, return_dict=False)[0]
        return velocity, self.projector(self.hidden)


def draw_batch(data, recipe, step):
    """The batch of step n and its noise: all random choices from (seed, n)."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    kind = KINDS[int(torch.rand(1, generator=generator) < recipe.detailed)]
    chosen = torch.randint(len(data), (recipe.batch,), generator=generator)
    dropped = torch.rand(recipe.batch, generator=generator) < recipe.drop
    given = torch.rand(recipe.batch, generator=generator) < recipe.first_frame
    x0 = data.latents[chosen]
    s = flow.sample_noise_levels(recipe.batch, generator)
    levels = s[:, None].repeat(1, x0.shape[2])
    levels[given, 0] = 0                                   # a given first frame is not noised
    return {"x0": x0, "eps": torch.randn(x0.shape, generator=generator), "s": s, "levels": levels,
            "text": torch.where(dropped[:, None, None], data.nothing[kind].float(), data.text[kind][chosen].float()),
            "present": data.present[kind][chosen], "known": data.known[kind][chosen] * (~dropped[:, None]).float(),
            "features": data.features[chosen], "generator": generator}


def losses(model, batch, classifier, recipe):
    """(total, {"flow", "repa", "knowledge"}) of one batch: the three terms that the course teaches one by one."""
    x = flow.interpolate(batch["x0"], batch["eps"], batch["levels"])
    v, projected = model(x, 1000 * batch["levels"], batch["text"])
    noised = (batch["levels"] > 0).float()[:, None, :, None, None]
    parts = {"flow": ((v - flow.velocity(batch["x0"], batch["eps"])) ** 2 * noised).mean()}
    total = parts["flow"]
    if recipe.repa:
        parts["repa"] = 1 - nn.functional.cosine_similarity(projected, batch["features"], dim=-1).mean()
        total = total + recipe.repa * parts["repa"]
    if recipe.knowledge:
        estimate = flow.denoised(x, v, batch["levels"])
        parts["knowledge"] = alignment_loss(classifier, estimate, batch["s"], batch["present"], batch["known"], batch["generator"])
        total = total + recipe.knowledge * parts["knowledge"]
    return total, parts


def learning_rate(step, total, peak):
    """Warm-up over 20 steps, constant, then linear to 0 over the second half."""
    return peak * min(1.0, (step + 1) / 20, max(0.0, 2 * (total - step) / total))


def train(data, classifier, recipe, folder, say=print, watch=None, resume=True, stop_after=None):
    """Train (or go on training) in `folder`; returns (weights averaged over training as a TinyWan, figures).

    data: TrainingSet. classifier: frozen ConceptClassifier (may be None when recipe.knowledge is 0). folder: checkpoints (safetensors by
    accelerate). watch: object with update(step, total, seconds_left, losses, model). stop_after: leave after this many steps (for tests).
    """
    from accelerate import Accelerator
    from accelerate.utils import set_seed
    from diffusers.training_utils import EMAModel

    set_seed(recipe.seed)
    accelerator = Accelerator(mixed_precision=recipe.mixed_precision)
    trainee = Trainee(recipe, data.latents.shape[1], data.text["brief"].shape[-1], data.features.shape[-1])
    optimizer = torch.optim.AdamW(trainee.parameters(), lr=recipe.lr, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    average = EMAModel(trainee.denoiser.parameters(), decay=0.998, foreach=True)
    average.to(accelerator.device)
    trainee, optimizer = accelerator.prepare(trainee, optimizer)
    accelerator.register_for_checkpointing(average)
    if classifier is not None:
        classifier.to(accelerator.device)
    state = restore(accelerator, folder) if resume else None
    state = state or {"step": 0, "total": recipe.max_steps, "calibrated": False, "seconds": 0.0, "history": []}
    if state["step"]:
        say(f"goes on at step {state['step']} of {state['total']}")
    started, saved, before = time.time(), time.time(), state["seconds"]
    first = state["step"]
    for step in range(state["step"], 10**9):
        if step >= state["total"]:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, state["total"], recipe.lr)
        batch = {k: v.to(accelerator.device) if torch.is_tensor(v) else v for k, v in draw_batch(data, recipe, step).items()}
        with accelerator.autocast():
            total, parts = losses(trainee, batch, classifier, recipe)
        optimizer.zero_grad()
        accelerator.backward(total)
        accelerator.clip_grad_norm_(trainee.parameters(), 1.0)
        optimizer.step()
        average.step(accelerator.unwrap_model(trainee).denoiser.parameters())
        state["history"].append({"step": step, **{k: round(v.item(), 5) for k, v in parts.items()}})
        state["step"], state["seconds"] = step + 1, before + time.time() - started
        if not torch.isfinite(total):
            raise KitError(f"the training loss is not a number at step {step}. Lower generate.lr (now {recipe.lr}) "
                           "and run the stage again.")
        if not state["calibrated"] and step + 1 - first == 15:
            calibrate(state, recipe, time.time() - started, say)
        elif state["calibrated"] and recipe.minutes and step + 1 == state["total"] // 3:
            correct(state, recipe, say)
        if (step + 1) % max(1, state["total"] // 12) == 0 or step + 1 == state["total"]:
            tell(state, recipe, say, watch, average, trainee, accelerator)
        if time.time() - saved > SAVE_EVERY or stop_after and step + 1 - first >= stop_after:
            save(accelerator, folder, state)
            saved = time.time()
        if stop_after and step + 1 - first >= stop_after:
            break
    model = accelerator.unwrap_model(trainee).denoiser
    average.copy_to(model.parameters())
    return model.eval().cpu(), {"steps": state["step"], "train_seconds": round(state["seconds"], 1), "history": state["history"],
                                "parameters": sum(p.numel() for p in model.parameters())}


def calibrate(state, recipe, seconds, say):
    """Set the number of steps from the time that the first 15 took (the first ones are slower, which leaves a margin)."""
    state["calibrated"] = True
    if recipe.minutes:
        state["total"] = max(20, min(recipe.max_steps, int(60 * recipe.minutes / (seconds / 15))))
        say(f"{1000 * seconds / 15:.0f} ms a step: {state['total']} steps fit into {recipe.minutes:g} minutes (at most {recipe.max_steps})")


def correct(state, recipe, say):
    """Set the number of steps once more, a third of the way, from the time that all steps so far took: a machine's speed changes. The rate
    of learning is constant until the half, so the steps that were made would have been the same."""
    done, each = state["step"], state["seconds"] / state["step"]
    total = min(recipe.max_steps, max(2 * done, done + int((60 * recipe.minutes - state["seconds"]) / each)))
    if abs(total - state["total"]) > 0.05 * state["total"]:
        say(f"{1000 * each:.0f} ms a step: {total} steps instead of {state['total']}")
        state["total"] = total


def tell(state, recipe, say, watch, average, trainee, accelerator):
    """One progress line, and the watcher's turn (a notebook's monitor draws loss and samples)."""
    last = state["history"][-20:]
    means = {name: sum(row.get(name, 0) for row in last) / len(last) for name in last[-1] if name != "step"}
    left = state["seconds"] / state["step"] * (state["total"] - state["step"])
    say(f"step {state['step']} of {state['total']}, " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()) + f", {left:.0f} s left")
    if watch is not None:
        model = accelerator.unwrap_model(trainee).denoiser
        average.store(model.parameters())
        average.copy_to(model.parameters())
        watch(state["step"], state["total"], left, means, model)
        average.restore(model.parameters())


def save(accelerator, folder, state):
    """Write a checkpoint whole: to a temporary folder, then renamed over the last one."""
    folder = Path(folder)
    part = folder / ".checkpoint.part"
    shutil.rmtree(part, ignore_errors=True)
    accelerator.save_state(str(part), safe_serialization=True)
    write_text(part / "progress.json", json.dumps(state))
    swap(part, folder / "checkpoint")


def restore(accelerator, folder):
    """Load the newest whole checkpoint of `folder`; its progress, or None when there is none."""
    folder = Path(folder)
    for name in ("checkpoint", ".checkpoint.old"):
        if (folder / name / "progress.json").is_file():
            accelerator.load_state(str(folder / name))
            return read_json(folder / name / "progress.json")
    return None
