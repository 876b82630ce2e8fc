"""The video tokenizer: a linear whole-frame autoencoder ("eigenframes", PCA). One frame becomes one token of K numbers.

At 32x32 pixels and K = 128 it keeps more of a frame than any convolutional autoencoder that 2 CPU cores can train in minutes.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

from ..errors import KitError


class EigenframeTokenizer(ModelMixin, ConfigMixin):
    """encode: frames uint8 [B, T, S, S, 3] -> latents [B, K, T, 1, 1] with unit variance overall; decode: the way back, floats in 0..1."""

    @register_to_config
    def __init__(self, size: int = 32, components: int = 128):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3 * size * size))
        self.register_buffer("basis", torch.zeros(components, 3 * size * size))
        self.register_buffer("scale", torch.ones(components))
        self.anchor = torch.nn.Parameter(torch.zeros(1), requires_grad=False)   # ModelMixin asks a parameter for device and dtype

    @classmethod
    def fit(cls, frames, components=128, seed=0, at_most=12000):
        """Principal components of frames uint8 [N, T, S, S, 3] (a random subset of `at_most` frames)."""
        flat = torch.as_tensor(frames).flatten(0, 1)
        generator = torch.Generator().manual_seed(seed)
        flat = flat[torch.randperm(len(flat), generator=generator)[:at_most]].flatten(1).float() / 127.5 - 1
        if len(flat) <= components:
            raise KitError(f"{len(flat)} frames are too few for {components} components. Use more clips (profile data.clips).")
        tokenizer = cls(frames.shape[2], components)
        tokenizer.mean.copy_(flat.mean(0))
        torch.manual_seed(seed)
        _, deviation, basis = torch.svd_lowrank(flat - tokenizer.mean, q=components + 16, niter=3)
        deviation = deviation[:components] / len(flat) ** 0.5
        # Half-whitened: dividing by sd^0.5 keeps the strong components stronger; the constant makes the overall variance 1.
        scale = deviation.sqrt()
        tokenizer.scale.copy_(scale * ((deviation / scale) ** 2).mean().sqrt())
        tokenizer.basis.copy_(basis[:, :components].T)
        return tokenizer

    def encode(self, frames):
        flat = torch.as_tensor(frames, device=self.mean.device).flatten(2).float() / 127.5 - 1
        return ((flat - self.mean) @ self.basis.T / self.scale).transpose(1, 2)[..., None, None]

    def decode(self, latents):
        flat = (latents[..., 0, 0].transpose(1, 2) * self.scale) @ self.basis + self.mean
        size = self.config.size
        return (flat.unflatten(-1, (size, size, 3)) / 2 + 0.5).clamp(0, 1)

    def psnr(self, frames):
        """Peak signal-to-noise ratio in dB of frames after encode and decode."""
        error = (self.decode(self.encode(frames)) - torch.as_tensor(frames).float() / 255).pow(2).mean()
        return float(-10 * torch.log10(error))
