"""Contrastive pretraining: clips and captions are pulled together, and concept heads learn what a clip shows and a caption says."""

import time

import numpy as np
import torch

from ..errors import KitError
from .losses import concept_loss, info_nce, recall_at
from .towers import VideoTextModel, text_tower, video_tower


def words(tokenizer, captions, device="cpu"):
    """(ids, mask) int64 [N, L] of a list of captions, padded to the longest."""
    batch = tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    return batch["input_ids"].to(device), batch["attention_mask"].to(device)


def learn_to_read(model, tokenizer, captions, present, known, steps, batch=64, seed=0, lr=3e-3):
    """The text tower alone, `steps` steps of the concept loss on captions [N]: which concepts does the text name, which does it deny?

    A contrastive loss can be lowered by reading a caption as a bag of words (Yuksekgonul et al. 2023), and then "head to feet" and
    "feet to head" are one. present, known: [N, C] of the captions. Returns the losses, one a step.
    """
    rng = np.random.default_rng([seed, 1])
    weights = [*model.language.parameters(), *model.said_head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1)
    losses = []
    for _ in range(steps):
        chosen = rng.choice(len(captions), min(batch, len(captions)), replace=False)
        loss = concept_loss(model.said_head(model.read(*words(tokenizer, [captions[i] for i in chosen]))), present[chosen], known[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def fit(data, tokenizer, concepts, steps, batch=64, seed=0, lr=1e-3, concept_weight=0.5, read_steps=0, after_reading=None, say=print):
    """Train a `VideoTextModel` on the training split; returns (model, history of {"step", "loss", "contrast", "concepts", "said"}).

    First the text tower alone learns to read brief captions (`learn_to_read`, read_steps). Then both towers: brief and detailed captions
    take turns, AdamW, one-cycle learning rate; the loss is InfoNCE + concept_weight x the concept losses of both heads, on what the
    caption names or denies. after_reading: called with the text tower in between, when it has not seen a clip yet.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = VideoTextModel(video_tower(data.frames.shape[1], data.frames.shape[2]), text_tower(len(tokenizer)), len(concepts.names)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1)
    train, started, history = data.split("train"), time.time(), []
    targets = {kind: [torch.as_tensor(part) for part in concepts.targets(data.captions(kind))] for kind in ("brief", "detailed")}
    if read_steps:
        losses = learn_to_read(model, tokenizer, [data.rows[i]["brief"] for i in train], *(part[train] for part in targets["brief"]),
                               read_steps, batch, seed)
        say(f"text tower: {read_steps} steps of reading, concept loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    if after_reading:
        after_reading(model.language)
    for step in range(steps):
        chosen = rng.choice(train, min(batch, len(train)), replace=False)
        kind = ("brief", "detailed")[step % 2]
        ids, mask = words(tokenizer, [data.rows[i][kind] for i in chosen])
        video, text, shown, said = model(torch.as_tensor(data.frames[chosen]), ids, mask)
        contrast = info_nce(video, text, model.logit_scale)
        present, known = (part[chosen] for part in targets[kind])
        named, read = concept_loss(shown, present, known), concept_loss(said, present, known)
        loss = contrast + concept_weight * (named + read)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        history.append({"step": step, "loss": loss.item(), "contrast": contrast.item(), "concepts": named.item(),
                        "said": read.item()})
        if (step + 1) % max(1, steps // 5) == 0:
            left = (time.time() - started) / (step + 1) * (steps - step - 1)
            say(f"step {step + 1} of {steps}, InfoNCE {contrast.item():.2f}, concept loss {named.item():.3f}, {left:.0f} s left")
    return model.eval(), history


@torch.no_grad()
def embed(model, tokenizer, frames, captions, batch=64):
    """(video, text): unit vectors [N, 96] each, of frames uint8 [N, T, H, W, 3] and N captions."""
    video, text = [], []
    for start in range(0, len(frames), batch):
        video.append(model.video(torch.as_tensor(frames[start:start + batch])))
        text.append(model.text(*words(tokenizer, captions[start:start + batch])))
    return torch.cat(video), torch.cat(text)


def one_clip_each(data, split="test"):
    """One clip number per combination of factors in a split: among these, a caption has exactly one right clip.

    Where no clip of the split has known factors, one clip per brief caption. KitError for a split with fewer than two such clips.
    """
    seen, chosen = set(), []
    keys = {i: tuple(sorted(data.rows[i]["factors"].items())) for i in data.split(split)}
    if not any(keys.values()):
        keys = {i: data.rows[i]["brief"] for i in keys}
    for i, key in keys.items():
        if key and key not in seen:
            seen.add(key)
            chosen.append(i)
    if len(chosen) < 2:
        raise KitError(f"retrieval needs at least two different clips in split '{split}', and there are {len(chosen)}. "
                       "Raise data.clips in the profile, or give more clips this split.")
    return np.array(chosen, int)


def retrieval(model, tokenizer, data, split="test", kind="brief"):
    """Recall@1 and @5 of caption -> clip over one clip per combination, with the recall of guessing beside it."""
    chosen = one_clip_each(data, split)
    video, text = embed(model, tokenizer, data.frames[chosen], [data.rows[i][kind] for i in chosen])
    count = len(chosen)
    return {"recall_at_1": recall_at(video, text, 1), "recall_at_5": recall_at(video, text, 5),
            "chance_at_1": 1 / count, "chance_at_5": min(1.0, 5 / count), "test_clips": count}
