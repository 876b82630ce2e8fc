"""Flow matching (Lipman et al. 2023; rectified flow, Liu et al. 2023) in six small pure functions.

x0: data, eps: noise, s in 0..1: noise level (the scheduler's sigma), x_s = (1 - s) x0 + s eps, velocity v = eps - x0.
"""

import torch


def interpolate(x0, eps, s):
    """The point at noise level s on the straight line from data to noise: s [B] or [B, T] against x0 [B, C, T, H, W]."""
    s = expand(s, x0)
    return (1 - s) * x0 + s * eps


def velocity(x0, eps):
    """What the network is trained to predict: the direction from data to noise."""
    return eps - x0


def denoised(x_s, v, s):
    """The data that a velocity points back to: x0 = x_s - s v."""
    return x_s - expand(s, x_s) * v


def shifted(u, shift):
    """The timestep shift: s = shift u / (1 + (shift - 1) u) (Esser et al. 2024). u: levels in 0..1. A shift above 1 moves levels towards
    noise, which long and large clips need because their neighbouring pixels give a little noise away; 1 changes nothing."""
    return shift * u / (1 + (shift - 1) * u)


def sample_noise_levels(count, generator, law="logit_normal"):
    """Noise levels [count]. law: "uniform", or "logit_normal" (0, 1) as in Stable Diffusion 3: most in the middle, few at the ends."""
    if law == "uniform":
        return torch.rand(count, generator=generator)
    return torch.sigmoid(torch.randn(count, generator=generator))


def expand(s, like):
    """s [B] or [B, T] shaped to multiply `like` [B, C, T, H, W]."""
    s = torch.as_tensor(s, dtype=like.dtype, device=like.device)
    return s.view(-1, 1, 1, 1, 1) if s.ndim < 2 else s[:, None, :, None, None]
