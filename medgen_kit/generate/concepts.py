"""Explicit medical-knowledge alignment: does the denoised estimate show the concepts that the caption names?

A motion word hardly changes the regression target of flow matching, so a small model ignores it. Here the estimate of the clean clip is
noised again, denoised by the best linear denoiser, and read by a frozen concept classifier; the loss speaks only about named concepts.
"""

import torch
from torch import nn

from ..align.losses import concept_loss


class WienerDenoiser(nn.Module):
    """Best linear denoiser of latents under a Gaussian fitted to real clips: E[x0 | x_s], computed in the eigenbasis of the covariance."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.eye(size))
        self.register_buffer("variance", torch.ones(size))

    @classmethod
    def fit(cls, latents):
        """latents [N, C, T, H, W] of real clips."""
        flat = latents.flatten(1).double()
        model = cls(flat.shape[1])
        mean = flat.mean(0)
        variance, basis = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        model.mean.copy_(mean), model.basis.copy_(basis), model.variance.copy_(variance.clamp(min=1e-4))
        return model

    def forward(self, x_s, s):
        """x_s = (1 - s) x0 + s eps [B, C, T, H, W], s [B] -> estimate of x0, flat in the eigenbasis and whitened by its size [B, D]."""
        s = s.view(-1, 1)
        centred = (x_s.flatten(1) - (1 - s) * self.mean) @ self.basis
        gain = (1 - s) * self.variance / ((1 - s) ** 2 * self.variance + s ** 2)
        return gain * centred


class ConceptClassifier(nn.Module):
    """Reads concepts [B, C] (logits) from a noisy latent clip: Wiener denoiser, then a small MLP."""

    def __init__(self, size, concepts, hidden=384):
        super().__init__()
        self.denoiser = WienerDenoiser(size)
        self.net = nn.Sequential(nn.Linear(size, hidden), nn.SiLU(), nn.Dropout(0.2), nn.Linear(hidden, hidden), nn.SiLU(),
                                 nn.Dropout(0.2), nn.Linear(hidden, concepts))

    def forward(self, x_s, s):
        return self.net(self.denoiser(x_s, s))

    def save(self, path):
        from safetensors.torch import save_file

        save_file(self.state_dict(), str(path))

    @classmethod
    def load(cls, path):
        """The frozen classifier of a finished stage `generate`."""
        from safetensors.torch import load_file

        weights = load_file(str(path))
        model = cls(len(weights["denoiser.mean"]), len(weights["net.6.bias"]))
        model.load_state_dict(weights)
        return model.eval().requires_grad_(False)


def train_classifier(latents, present, known, steps, seed=0, batch=128, lr=1e-3):
    """A frozen `ConceptClassifier` of real latents [N, C, T, 1, 1], trained at noise levels .02 to .95; targets as in ConceptSet."""
    torch.manual_seed(seed)
    model = ConceptClassifier(latents[0].numel(), present.shape[1])
    model.denoiser = WienerDenoiser.fit(latents)
    optimizer = torch.optim.AdamW(model.net.parameters(), lr=lr, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(2, steps), pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        s = 0.02 + 0.93 * torch.rand(batch, generator=generator)
        x0 = latents[chosen]
        eps = torch.randn(x0.shape, generator=generator)
        noisy = (1 - s.view(-1, 1, 1, 1, 1)) * x0 + s.view(-1, 1, 1, 1, 1) * eps
        loss = concept_loss(model(noisy, s), present[chosen], known[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval().requires_grad_(False)


@torch.no_grad()
def classifier_accuracy(model, latents, present, known, noise=0.05):
    """Share of known concepts (by weight) that the classifier reads right from real clips at a low noise level."""
    generator = torch.Generator().manual_seed(0)
    s = torch.full((len(latents),), noise)
    right = ((model((1 - noise) * latents + noise * torch.randn(latents.shape, generator=generator), s) > 0) == (present > 0.5)).float()
    return float((right * known).sum() / known.sum())


def alignment_loss(classifier, x0_estimate, s, present, known, again, eps):
    """Concept loss on the denoised estimates [B, C, T, H, W] made at noise levels s [B].

    Levels outside .1 to .95 are left out. Each estimate is noised again, to the level `again` [B] with the noise `eps`: without that the
    generator learns to please the classifier instead of showing the concept.
    """
    usable = ((s > 0.1) & (s < 0.95)).to(known.dtype).unsqueeze(1)
    wide = again.view(-1, 1, 1, 1, 1)
    return concept_loss(classifier((1 - wide) * x0_estimate + wide * eps, again), present, known * usable)
