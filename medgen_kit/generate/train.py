"""MedGen-tiny's training from nothing: one step is flow matching, feature alignment (REPA) and concept alignment.

The loop itself, with resume and checkpoints, is `loop.fit`, which trains the large models too; here stand the three losses.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..machine import device
from . import flow
from .concepts import alignment_loss
from .data import KINDS
from .heads import feature_loss, projector, watch_middle
from .loop import fit
from .recipe import Recipe
from .stream import clips_of_step, draw
from .transformer import TinyWan

KIND = 3                               # purpose of a draw: brief or detailed captions


@dataclass
class TinyRecipe(Recipe):
    """Recipe with the sizes of MedGen-tiny and the shares of batches with detailed captions (`detailed`) and of clips whose first frame
    is given (`first_frame`)."""

    dim: int = 192
    layers: int = 4
    heads: int = 4
    lr: float = 1.5e-3
    beta2: float = 0.95
    max_steps: int = 2400
    minutes: float = 5
    schedule: str = "half"
    warmup: int = 20
    noise_levels: str = "logit_normal"
    repa: float = 0.5
    knowledge: float = 0.5
    detailed: float = 0.2
    drop: float = 0.1
    first_frame: float = 0.1
    ema: float = 0.998
    lora_rank: int = 0
    mixed_precision: str = "no"
    checkpoint_steps: int = 0
    checkpoint_seconds: float = 60

    @classmethod
    def of(cls, profile, section="generate", **changes):
        return super().of(profile, section, **changes)


class Trainee(nn.Module):
    """The denoiser, and the projector that compares its hidden frames with the frozen video tower's (REPA, Yu et al. 2024)."""

    def __init__(self, recipe, channels, text_dim, feature_dim):
        super().__init__()
        self.denoiser = TinyWan(channels, recipe.dim, recipe.layers, recipe.heads, text_dim)
        self.projector, self.hidden = projector(recipe.dim, feature_dim), None
        watch_middle(self.denoiser.blocks, lambda hidden: setattr(self, "hidden", hidden))

    def forward(self, x, times, text):
        """(velocity, projected features [B, T, D])."""
        velocity = self.denoiser(x, times, text, return_dict=False)[0]
        return velocity, self.projector(self.hidden)


def draw_batch(data, recipe, step, first=0, count=None):
    """Samples `first` to `first + count` (default: all) of the batch of step n: all random choices from the numbers of the samples."""
    kind = KINDS[int(np.random.default_rng([recipe.seed, KIND, step]).random() < recipe.detailed)]
    last = recipe.batch if count is None else first + count
    chosen = torch.as_tensor(clips_of_step((len(data),), recipe.batch, step, recipe.seed, recipe.shuffle)[1][first:last])
    x0, drawn, more = data.latents[chosen], [], []
    for number in range(step * recipe.batch + first, step * recipe.batch + last):
        one, generator = draw(x0.shape[1:], number, recipe.seed, recipe.noise_levels, recipe.train_shift, recipe.drop)
        drawn.append(one)
        coins = torch.rand(2, generator=generator)
        more.append({"given": coins[0] < recipe.first_frame, "again": 0.1 + 0.85 * coins[1],
                     "again_eps": torch.randn(x0.shape[1:], generator=generator)})
    batch = {key: torch.stack([one[key] for one in rows]) for rows in (drawn, more) for key in rows[0]}
    levels = batch["s"][:, None].repeat(1, x0.shape[2])
    levels[batch.pop("given"), 0] = 0                      # a given first frame is not noised
    dropped = batch.pop("dropped")
    return {**batch, "x0": x0, "levels": levels, "features": data.features[chosen], "present": data.present[kind][chosen],
            "text": torch.where(dropped[:, None, None], data.nothing[kind].float(), data.text[kind][chosen].float()),
            "known": data.known[kind][chosen] * (~dropped[:, None]).float()}


def losses(model, batch, classifier, recipe):
    """(total, {"flow", "repa", "knowledge"}) of one batch: the three terms that the course teaches one by one."""
    x = flow.interpolate(batch["x0"], batch["eps"], batch["levels"])
    v, projected = model(x, 1000 * batch["levels"], batch["text"])
    noised = (batch["levels"] > 0).float()[:, None, :, None, None]
    parts = {"flow": ((v - flow.velocity(batch["x0"], batch["eps"])) ** 2 * noised).mean()}
    total = parts["flow"]
    if recipe.repa:
        parts["repa"] = feature_loss(projected, batch["features"])
        total = total + recipe.repa * parts["repa"]
    if recipe.knowledge:
        estimate = flow.denoised(x, v, batch["levels"])
        parts["knowledge"] = alignment_loss(classifier, estimate, batch["s"], batch["present"], batch["known"],
                                            batch["again"], batch["again_eps"])
        total = total + recipe.knowledge * parts["knowledge"]
    return total, parts


def train(data, classifier, recipe, folder, say=print, watch=None, resume=True, stop_after=None):
    """Train (or go on training) in `folder`; returns (weights averaged over training as a TinyWan, figures of `loop.fit`).

    data: TrainingSet. classifier: frozen ConceptClassifier (may be None when recipe.knowledge is 0). folder, watch, stop_after: `loop.fit`.
    """
    torch.manual_seed(recipe.seed)
    trainee = Trainee(recipe, data.latents.shape[1], data.text["brief"].shape[-1], data.features.shape[-1])
    if classifier is not None:
        classifier.to(device())
    figures = fit(trainee, lambda step, first, count: draw_batch(data, recipe, step, first, count),
                  lambda model, batch: losses(model, batch, classifier, recipe), recipe, folder, say, watch, averaged=trainee.denoiser,
                  resume=resume, stop_after=stop_after)
    figures["parameters"] = sum(p.numel() for p in trainee.denoiser.parameters())
    return trainee.denoiser.eval().cpu(), figures
