"""The flipped-word test: how much worse does the model predict a real clip when one word of its caption is turned into its opposite?

A model that follows the word gets much worse; one that ignores it does not notice.
"""

import numpy as np
import torch

from .. import sources
from . import flow
from .text import encode_prompts


@torch.no_grad()
def flipped_word_test(denoiser, parts, factors=None, level=0.85, seed=0, at_most=64):
    """{factor: relative rise of the flow-matching loss} on real test clips at one noise level (0.1 means 10 % worse).

    factors: names such as "echo.wall_motion" (default: all that move). The caption and its flipped twin share every other choice of words.
    """
    rises = {}
    for factor in factors or sources.MOTION:
        rows = [i for i in parts.clips.split("test") if factor in parts.clips.rows[i]["factors"]][:at_most]
        if not rows:
            continue
        pairs = [_captions(parts.clips.rows[i]["factors"], factor, [seed, int(i)]) for i in rows]
        x0 = parts.vae.encode(torch.as_tensor(parts.clips.frames[rows]))
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
        levels = torch.full((len(rows), x0.shape[2]), level)
        loss = []
        for captions in zip(*pairs):
            text = encode_prompts(parts.text_encoder, parts.tokenizer, captions)
            v = denoiser(flow.interpolate(x0, eps, levels), 1000 * levels, text, return_dict=False)[0]
            loss.append(float(((v - flow.velocity(x0, eps)) ** 2).mean()))
        rises[factor] = loss[1] / loss[0] - 1
    return rises


def _captions(factors, factor, seed):
    """(caption, caption with `factor` changed to another of its values)."""
    other = [value for value in sources.FACTORS[factor] if value != factors[factor]][0]
    return tuple(sources.describe(flat, np.random.default_rng(seed))[0] for flat in (factors, {**factors, factor: other}))
