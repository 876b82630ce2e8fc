"""Lesson 06: guidance, Euler's method, and the calls of a sampler."""

import numpy as np

from ..plain import linear
from ..task import Task, Wrong


def guided(v_empty, v_prompt, guidance_scale):
    """Classifier-free guidance (Ho and Salimans 2022): v_empty + g (v_prompt - v_empty)."""
    v_empty, v_prompt = np.asarray(v_empty, float), np.asarray(v_prompt, float)
    return v_empty + guidance_scale * (v_prompt - v_empty)


def velocities(rng):
    def one(scale):
        return [np.round(rng.normal(size=(2, 3)), 3), np.round(rng.normal(size=(2, 3)), 3), float(scale)]

    return {"scales above 1": [one(x) for x in np.round(rng.uniform(1.5, 9, 4), 1)],
            "no guidance (g = 1), and the empty prompt alone (g = 0)": [one(1), one(0), one(2.5)]}


def euler(velocity, x, levels):
    """x <- x + (s_next - s) v(x, s), along the noise levels from first to last."""
    x = np.asarray(x, float)
    for s, following in zip(levels, levels[1:]):
        x = x + (following - s) * velocity(x, s)
    return x


def fields(rng):
    def one(levels):
        a, b = (round(float(v), 2) for v in rng.uniform(0.3, 1.5, 2) * rng.choice([-1, 1], 2))
        return [linear(a, b), np.round(rng.normal(size=3), 3), levels]

    def uneven(count):
        inside = sorted((round(float(s), 2) for s in rng.uniform(0.05, 0.95, count)), reverse=True)
        return [1.0, *inside, 0.0]

    return {"equal steps": [one([round(float(s), 4) for s in np.linspace(1, 0, n + 1)]) for n in (2, 4, 5)],
            "steps of unequal length, and a walk that stops early": [one(uneven(3)), one(uneven(5)), one([1.0, 0.7, 0.35, 0.2])]}


def walk(velocity, x, levels, step=lambda s, following: following - s, at=lambda s, following: s, last=None):
    """Euler's walk with one part of it done otherwise."""
    x = np.asarray(x, float)
    for s, following in list(zip(levels, levels[1:]))[:last]:
        x = x + step(s, following) * velocity(x, at(s, following))
    return x


TASKS = [
    Task("guided", "06", "Which velocity does guidance follow?", guided, velocities, (
        Wrong("This is g + 1: the walk starts at the *empty* velocity. Your v_prompt + g (v_prompt - v_empty) is another convention",
              lambda e, p, g: guided(e, p, g + 1)),
        Wrong("The difference has the wrong sign: walk from the empty prompt towards the prompt, v_prompt - v_empty",
              lambda e, p, g: guided(e, p, -g)),
        Wrong("Prompt and empty prompt have changed places", lambda e, p, g: guided(p, e, g)),
        Wrong("The empty velocity is missing: the scaled difference is added to it", lambda e, p, g: g * (np.asarray(p) - e)),
        Wrong("Only the prompt is scaled: what is scaled is the difference to the empty prompt", lambda e, p, g: e + g * np.asarray(p)))),
    Task("euler", "06", "Where does a walk of Euler steps along a velocity field end?", euler, fields, (
        Wrong("The walk goes the wrong way: s_next - s is negative, since s falls from 1 to 0",
              lambda v, x, s: walk(v, x, s, step=lambda a, b: a - b)),
        Wrong("The velocity is asked at the *next* noise level; ask it where you stand, at s",
              lambda v, x, s: walk(v, x, s, at=lambda a, b: b)),
        Wrong("All steps have one length here; a step is as long as the distance of its two levels",
              lambda v, x, s: walk(v, x, s, step=lambda a, b: (s[-1] - s[0]) / (len(s) - 1))),
        Wrong("The last step is missing: n + 1 levels make n steps", lambda v, x, s: walk(v, x, s, last=-1)),
        Wrong("The velocity is added without the length of the step", lambda v, x, s: walk(v, x, s, step=lambda a, b: 1)),
        Wrong("The velocity is always asked at the starting point: use the x that the last step gave",
              lambda v, x, s: np.asarray(x, float) + sum((b - a) * v(np.asarray(x, float), a) for a, b in zip(s, s[1:]))))),
    Task("network_calls", "06", "How many times is the network asked for 12 clips of 40 steps with guidance?", 960, None, (
        Wrong("Guidance asks twice at every step, with the prompt and with the empty one", 480),
        Wrong("These are the calls for one clip; twelve are asked", 80),
        Wrong("Two calls a step, not one more: 40 steps are 80 calls a clip", 492),
        Wrong("40 steps have 41 noise levels but only 40 calls", 984))),
]
