"""What a training draws, without a state: order of clips, noise, noise level and caption drop are functions of (seed, sample number).

So a run that is resumed needs only its step; a batch of 2 equals twice 1; two processes equal one; validation disturbs nothing.
"""

import functools

import numpy as np
import torch

from . import flow

ORDER, NOISE = 1, 2                    # purposes, so that two kinds of draws never use the same numbers


@functools.lru_cache(4)
def clips_of_step(sizes, batch, step, seed, shuffle=True):
    """(bucket, rows): which clips optimizer step `step` (from 0) reads; a batch never mixes buckets.

    sizes: clips in each bucket (a tuple). A bucket is drawn in proportion to its clips; within it the clips come in a new order every
    epoch, each once before any comes twice. shuffle=False: in the order that they lie in.
    """
    bucket, earlier = 0, step
    if len(sizes) > 1:
        draws = np.random.default_rng([seed, ORDER]).random(step + 1)
        buckets = np.searchsorted(np.cumsum(sizes) / sum(sizes), draws, side="right").clip(max=len(sizes) - 1)
        bucket = int(buckets[-1])
        earlier = int((buckets[:-1] == bucket).sum())
    first, size = batch * earlier, sizes[bucket]
    numbers = range(first, first + batch)
    return bucket, tuple(int(order(size, bucket, k // size, seed)[k % size]) if shuffle else k % size for k in numbers)


@functools.lru_cache(64)
def order(size, bucket, epoch, seed):
    """The order of a bucket's clips in one epoch."""
    return np.random.default_rng([seed, ORDER, bucket, epoch]).permutation(size)


def draw(shape, number, seed, law="uniform", shift=1.0, drop=0.0):
    """Sample `number`: {"eps": noise of `shape`, "s": noise level in 0..1, "dropped": caption left out?} and the generator that goes on.

    law, shift: of the noise level (`flow.sample_noise_levels`, then `flow.shifted`: here the timestep shift enters training). Drawn on the
    CPU, so it is equal on every device.
    """
    generator = torch.Generator().manual_seed(mixed(seed, number))
    s = flow.shifted(flow.sample_noise_levels(1, generator, law)[0], shift)
    dropped = torch.rand(1, generator=generator)[0] < drop
    return {"eps": torch.randn(shape, generator=generator), "s": s, "dropped": dropped}, generator


def mixed(seed, number):
    """One 63-bit seed of two numbers, so that neighbours share nothing."""
    return int(np.random.SeedSequence([seed, NOISE, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))
