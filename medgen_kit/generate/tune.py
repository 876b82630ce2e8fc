"""Fine-tuning a model of any family on a cache: what is trained, what a batch is, its losses, and how progress is judged.

The flow-matching loss stands in `losses`; the loop around it is `loop.fit`. The two alignment losses of the course can be switched on;
the paper's recipe has them off.
"""

import functools

import torch
from torch import nn

from ..align.losses import concept_loss
from .heads import feature_loss, projector, watch_middle
from .stream import clips_of_step, draw

LEVELS = tuple(k / 10 for k in range(1, 10))


class Tuned(nn.Module):
    """A transformer with the heads of the alignment losses that are on: a projector to features of the clip (REPA), and a reader of the
    concepts that its caption names. Both look at the hidden state of the middle block, averaged over each latent frame."""

    def __init__(self, transformer, family, recipe, features=0, concepts=0):
        super().__init__()
        self.transformer, self.family, self.hidden = transformer, family, None
        self.dtype = transformer.dtype                     # of its matrices: a few small parts of a 16-bit model stay float32
        self._no_split_modules = getattr(transformer, "_no_split_modules", None)           # what FSDP shards by
        width = family.width(transformer)
        if recipe.repa:
            self.projector = projector(width, features)
        if recipe.knowledge:
            self.reader = nn.Linear(width, concepts)
        if recipe.repa or recipe.knowledge:
            watch_middle(family.blocks(transformer), lambda hidden: setattr(self, "hidden", hidden))
        if recipe.gradient_checkpointing and hasattr(transformer, "enable_gradient_checkpointing"):
            transformer.enable_gradient_checkpointing()

    def forward(self, x, s, text):
        """(the transformer's answer [B, C, t, h, w], {"projected" [B, t, D], "concepts" [B, K]} of the heads that are there)."""
        text = {key: value.to(self.dtype) if value.is_floating_point() else value for key, value in text.items()}
        answer, seen = self.family.predict(self.transformer, x.to(self.dtype), s, text), {}
        if self.hidden is not None:
            frames = self.hidden.unflatten(1, (x.shape[2], -1)).mean(2).float()
            if hasattr(self, "projector"):
                seen["projected"] = self.projector(frames)
            if hasattr(self, "reader"):
                seen["concepts"] = self.reader(frames.mean(1))
        return answer, seen


def drawing(cache, family, recipe, split="train", features=None, targets=None):
    """draw(step, first, count) for `loop.fit`: micro-batches of cached clips with their noise.

    features: {clip_id: [T, D]} of the frozen video tower, for REPA. targets: {clip_id: (present [K], known [K])}, for the concept reader.
    """
    buckets = cache.split(split)
    sizes = tuple(len(rows) for rows in buckets)

    @functools.lru_cache(64)
    def captions(*keys):
        """A micro-batch of captions, padded; the last ones are kept, since a single clip comes again."""
        return family.stack([cache.texts.get(key) for key in keys])

    def draw_batch(step, first, count):
        bucket, numbers = clips_of_step(sizes, recipe.batch, step, recipe.seed, recipe.shuffle)
        rows = [buckets[bucket][k] for k in numbers[first:first + count]]
        x0 = torch.stack([cache.latent(row) for row in rows])
        drawn = [draw(x0.shape[1:], step * recipe.batch + first + k, recipe.seed, recipe.noise_levels, recipe.train_shift, recipe.drop)[0]
                 for k in range(len(rows))]
        batch = {"x0": x0, "eps": torch.stack([one["eps"] for one in drawn]), "s": torch.stack([one["s"] for one in drawn]),
                 "text": captions(*(cache.text_key(None if one["dropped"] else row) for one, row in zip(drawn, rows)))}
        if recipe.repa:
            batch["features"] = torch.stack([features[row["clip_id"]] for row in rows])
        if recipe.knowledge:
            batch["present"], known = (torch.stack([targets[row["clip_id"]][k] for row in rows]) for k in (0, 1))
            batch["known"] = known * torch.stack([~one["dropped"] for one in drawn])[:, None]
        return batch

    return draw_batch


def losses(model, batch, family, recipe):
    """(total, {"flow", "repa", "knowledge"}) of a batch of `drawing`: the transformer should answer `family.target`."""
    x = family.noise(batch["x0"], batch["eps"], batch["s"])
    answer, seen = model(x, batch["s"], batch["text"])
    parts = {"flow": nn.functional.mse_loss(answer.float(), family.target(batch["x0"], batch["eps"], batch["s"]))}
    total = parts["flow"]
    if recipe.repa:
        parts["repa"] = feature_loss(seen["projected"], batch["features"])
        total = total + recipe.repa * parts["repa"]
    if recipe.knowledge:
        parts["knowledge"] = concept_loss(seen["concepts"], batch["present"], batch["known"])
        total = total + recipe.knowledge * parts["knowledge"]
    return total, parts


@torch.no_grad()
def by_level(model, family, cache, rows, seed=0, levels=LEVELS):
    """{level: mean flow loss} of `rows` at fixed noise levels with fixed noise: the loss of a training step varies five-fold with its
    level, which hides progress; this does not."""
    where, found = next(model.parameters()).device, {}
    for level in levels:
        s, total = torch.tensor([level], device=where), 0.0
        for number, row in enumerate(rows):
            x0 = cache.latent(row)[None].to(where)
            eps = draw(x0.shape[1:], number, seed)[0]["eps"][None].to(where)
            text = {key: value.to(where) for key, value in family.stack([cache.text(row)]).items()}
            answer = model(family.noise(x0, eps, s), s, text)[0]
            total += float(nn.functional.mse_loss(answer.float(), family.target(x0, eps, s)))
        found[f"{level:g}"] = total / len(rows)
    return found
