"""Evaluation prompts with known answers: a third of them combinations of factors that training never showed."""

import numpy as np

from .. import sources


def make_prompts(count, seed=0):
    """`count` rows {"prompt", "factors", "unseen"}: brief captions that name every factor; every third one is an unseen combination.

    Combinations are taken in turn, so that none is asked twice before all were asked once.
    """
    rng = np.random.default_rng([seed, 77])
    every = sources.combinations()
    unseen = [flat for flat in every if sources.is_held_out(flat)]
    seen = [flat for flat in every if not sources.is_held_out(flat)]
    turns = {True: _turns(unseen, rng), False: _turns(seen, rng)}
    rows = []
    for number in range(count):
        held = number % 3 == 2
        factors = next(turns[held])
        rows.append({"prompt": sources.describe(factors, rng)[0], "factors": factors, "unseen": held})
    return rows


def _turns(things, rng):
    while True:
        for i in rng.permutation(len(things)):
            yield things[i]
