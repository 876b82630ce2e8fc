"""The two losses of alignment: InfoNCE between clips and captions, and the concept loss on what a caption says."""

import torch
import torch.nn.functional as F


def info_nce(video, text, logit_scale):
    """Symmetric InfoNCE (Radford et al. 2021, CLIP): each clip finds its caption among the batch's, and the reverse.

    video, text: unit vectors [B, D]; row i of one belongs to row i of the other. logit_scale: log of 1 / temperature.
    """
    logits = logit_scale.exp().clamp(max=100) * video @ text.T
    same = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2


def concept_loss(logits, present, known):
    """Binary cross-entropy over the concepts a caption speaks about: logits, present, known [B, C]; mean weighted by known (0..1)."""
    each = F.binary_cross_entropy_with_logits(logits, present, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1e-6)


def recall_at(video, text, k):
    """Share of captions whose own clip is among the k nearest clips: unit vectors [N, D], row i belongs to row i."""
    similar = text @ video.T
    better = (similar > similar.diagonal().unsqueeze(1)).sum(1)
    return (better < k).float().mean().item()
