"""The simulators: seven kinds of medical video drawn from ground-truth factors, so that every caption can be checked.

A clip is asked for by a flat dict of factors, {"modality": "echo", "echo.view": "apical four-chamber", ...}: one value for every factor of
its modality. Each module offers NAME, CATEGORY, FACTORS, MOTION, render, describe and title, and draws at the size it is asked for.
"""

import difflib
import functools
import hashlib
import itertools
import math

import numpy as np

from ...errors import KitError
from . import ctmr, draw, ecg, echo, endoscopy, laparoscopy, microscopy, slide

SIMULATORS = {module.NAME: module for module in (echo, endoscopy, laparoscopy, microscopy, ecg, ctmr, slide)}
FACTORS = {f"{name}.{factor}": values for name, module in SIMULATORS.items() for factor, values in module.FACTORS.items()}
MOTION = tuple(f"{name}.{factor}" for name, module in SIMULATORS.items() for factor in module.MOTION)
HELD_OUT_SHARE = 0.2
BATCH_PIXELS = 300_000                    # clips are drawn in batches of about this many pixels, which fit the processor's cache


def of_modality(name):
    """Every combination of one modality, as flat dicts in a fixed order."""
    module = SIMULATORS[name]
    return [{"modality": name} | {f"{name}.{factor}": value for factor, value in zip(module.FACTORS, values)}
            for values in itertools.product(*module.FACTORS.values())]


def combinations():
    """Every combination of factors of every modality (158 flat dicts)."""
    return [flat for name in SIMULATORS for flat in of_modality(name)]


def nearest(word, choices):
    return (difflib.get_close_matches(str(word), choices, 1, 0) or list(choices))[0]


def split_factors(flat):
    """(module, un-prefixed factors) of a flat dict. KitError names the nearest modality, factor or value when one is unknown."""
    name = flat.get("modality")
    if name not in SIMULATORS:
        raise KitError(f"there is no simulated modality '{name}'. Did you mean '{nearest(name, SIMULATORS)}'? "
                       f"Modalities: {', '.join(SIMULATORS)}.")
    module, factors = SIMULATORS[name], {}
    for key, value in flat.items():
        if key == "modality":
            continue
        factor = key.removeprefix(f"{name}.")
        if key == factor or factor not in module.FACTORS:
            known = [f"{name}.{known}" for known in module.FACTORS]
            raise KitError(f"{name} has no factor '{key}'. Did you mean '{nearest(key, known)}'? Factors: {', '.join(known)}.")
        if value not in module.FACTORS[factor]:
            choices = module.FACTORS[factor]
            raise KitError(f"'{value}' is not a value of {key}. Did you mean '{nearest(value, choices)}'? Values: {', '.join(choices)}.")
        factors[factor] = value
    missing = [f"{name}.{factor}" for factor in module.FACTORS if factor not in factors]
    if missing:
        raise KitError(f"the factors of this {name} clip lack {', '.join(missing)}. Give one value for each factor.")
    return module, {factor: factors[factor] for factor in module.FACTORS}


def clip_key(seed, number, flat):
    """64-bit key of a clip's random stream: depends on the seed, the clip's number and its factors only."""
    text = f"{seed}/{number}/" + "/".join(f"{k}={flat[k]}" for k in sorted(flat))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def simulate(flats, seed, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] for N flat dicts of any mix of modalities; clip i depends on (seed, i, flats[i]) only.

    frames: at least 2. size: pixels a side, at least 8. KitError for an unknown modality, factor or value.
    """
    if frames < 2 or size < 8:
        raise KitError(f"a simulated clip needs at least 2 frames of at least 8 pixels, not frames={frames}, size={size}.")
    clips, groups = np.empty((len(flats), frames, size, size, 3), np.uint8), {}
    for number, flat in enumerate(flats):
        module, factors = split_factors(flat)
        groups.setdefault(module, []).append((number, factors, clip_key(seed, number, flat)))
    batch = max(1, BATCH_PIXELS // (frames * size * size))
    for module, members in groups.items():
        for start in range(0, len(members), batch):
            numbers, factors, keys = zip(*members[start:start + batch])
            clips[list(numbers)] = module.render(list(factors), draw.Dice(keys), frames, size)
    return clips


def describe(flat, rng):
    """(brief caption, detailed caption) of a flat dict of factors; wording drawn from the numpy Generator `rng`."""
    module, factors = split_factors(flat)
    return module.describe(factors, rng)


def title(flat, rng):
    """What an uploader would call the video."""
    module, factors = split_factors(flat)
    return module.title(factors, rng)


def pairs(flat):
    """The pairs of values of two different factors that a combination shows."""
    return list(itertools.combinations(sorted(item for item in flat.items() if item[0] != "modality"), 2))


@functools.cache
def held_out_of(name):
    """The held-out combinations of one modality: the greedy choice that spreads them evenly over all pairs of values.

    Every pair of values of two factors stays in training at least once, so that only its combination with the rest is new.
    """
    left = sorted(of_modality(name), key=lambda flat: clip_key("held out", 0, flat))
    wanted, held, taken = math.ceil(HELD_OUT_SHARE * len(left)), [], {}
    in_training = {}
    for flat in left:
        for pair in pairs(flat):
            in_training[pair] = in_training.get(pair, 0) + 1
    while len(held) < wanted:
        free = [flat for flat in left if all(in_training[pair] > 1 for pair in pairs(flat))]
        if not free:
            raise KitError(f"{name} has too few combinations to hold out {wanted} of {len(left) + len(held)}.")
        best = min(free, key=lambda flat: sum(taken.get(pair, 0) ** 2 + taken.get(value, 0) for pair in pairs(flat) for value in pair))
        left.remove(best)
        held.append(best)
        for pair in pairs(best):
            in_training[pair] -= 1
            for key in (pair, *pair):
                taken[key] = taken.get(key, 0) + 1
    return frozenset(tuple(sorted(flat.items())) for flat in held)


def is_held_out(flat):
    """True when this combination is kept out of training (a fixed fifth of each modality)."""
    split_factors(flat)
    return tuple(sorted(flat.items())) in held_out_of(flat["modality"])


def held_out():
    """The held-out combinations, as flat dicts."""
    return [flat for flat in combinations() if is_held_out(flat)]
