"""Lesson 05: the line from a clip to noise, the flow-matching loss, and a LoRA folded into its matrix."""

import numpy as np

from ..task import Task, Wrong


def noised(x0, eps, s):
    """x_s = (1 - s) x0 + s eps with one noise level for each clip: x0, eps [B, T, D], s [B]."""
    s = np.asarray(s, float)[:, None, None]
    return (1 - s) * x0 + s * np.asarray(eps, float)


def tensors(rng, batch=None):
    size = batch or int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(2, 4))
    return [np.round(rng.normal(size=size), 3) for _ in range(3)]


def lines(rng):
    equal = [tensors(rng)[:2] for _ in range(3)]
    square = [np.round(rng.normal(size=(3, 3, 3)), 3) for _ in range(2)]
    return {"one noise level for all": [[x0, eps, np.full(len(x0), s)]
                                        for (x0, eps), s in zip(equal, np.round(rng.uniform(0.1, 0.9, 3), 2))],
            "another level for each clip": [[x0, eps, np.round(rng.uniform(0, 1, len(x0)), 2)] for x0, eps in equal]
            + [[*square, np.round(rng.uniform(0, 1, 3), 2)]]}


def flow_loss(predicted, x0, eps):
    """Mean squared error of a predicted velocity against eps - x0."""
    return float(np.mean((np.asarray(predicted) - (np.asarray(eps) - x0)) ** 2))


def predictions(rng):
    def one(closeness):
        noise, x0, eps = tensors(rng)
        return [np.round(eps - x0 + closeness * noise, 3), x0, eps]

    exact = tensors(rng)
    return {"some prediction": [one(1.0), one(0.5), tensors(rng), one(2.0)],
            "a perfect prediction, and none at all": [[np.round(exact[2] - exact[1], 6), *exact[1:]], [0 * exact[0], *exact[1:]]]}


def merged(W, A, B, alpha):
    """W + alpha / r B A: W [out, in], A [r, in], B [out, r]."""
    A, B = np.asarray(A, float), np.asarray(B, float)
    return np.asarray(W) + alpha / len(A) * B @ A


def adapters(rng):
    def one(rank, rows, columns, alpha):
        return [np.round(rng.normal(size=size), 3) for size in ((rows, columns), (rank, columns), (rows, rank))] + [alpha]

    return {"rank and alpha of their own": [one(2, 3, 4, 6), one(3, 4, 5, 4), one(2, 5, 3, 3), one(4, 5, 6, 2)],
            "rank 1, and a square matrix": [one(1, 3, 4, 2), one(2, 4, 4, 5), one(3, 3, 3, 8)]}


TASKS = [
    Task("noised", "05", "Which point lies at noise level s on the line from a clip to noise?", noised, lines, (
        Wrong("Clip and noise have changed places: s = 0 is the clip and s = 1 is noise", lambda x0, eps, s: noised(eps, x0, s)),
        Wrong("This *adds* noise to the whole clip; on the line the clip's share shrinks to 1 - s",
              lambda x0, eps, s: x0 + np.asarray(s)[:, None, None] * eps),
        Wrong("This is diffusion's curve with square roots; flow matching takes a straight line",
              lambda x0, eps, s: np.sqrt(1 - np.asarray(s))[:, None, None] * x0 + np.sqrt(np.asarray(s))[:, None, None] * eps),
        Wrong("The wrong axis: s has one number for each *clip*, so it needs the shape [B, 1, 1]",
              lambda x0, eps, s: (1 - np.asarray(s)) * x0 + np.asarray(s) * eps),
        Wrong("The first clip's noise level is used for all clips", lambda x0, eps, s: noised(x0, eps, np.full(len(s), s[0]))))),
    Task("flow_loss", "05", "How far is a predicted velocity from the true one?", flow_loss, predictions, (
        Wrong("The sign of the velocity is wrong: it points from the clip to the noise, eps - x0",
              lambda p, x0, eps: flow_loss(p, eps, x0)),
        Wrong("The target here is the noise, as in diffusion; flow matching predicts the velocity eps - x0",
              lambda p, x0, eps: float(np.mean((p - eps) ** 2))),
        Wrong("The target here is the clip; flow matching predicts the velocity eps - x0",
              lambda p, x0, eps: float(np.mean((p - x0) ** 2))),
        Wrong("You forgot the mean: this is the sum of the squares", lambda p, x0, eps: flow_loss(p, x0, eps) * np.size(x0)),
        Wrong("This is the root of the loss: leave the root out", lambda p, x0, eps: flow_loss(p, x0, eps) ** 0.5),
        Wrong("The error is not squared: this is the mean absolute error", lambda p, x0, eps: float(np.mean(np.abs(p - (eps - x0))))),
        Wrong("The error is not squared, so that errors of opposite sign cancel", lambda p, x0, eps: float(np.mean(p - (eps - x0)))))),
    Task("merged", "05", "Which matrix has a LoRA folded into it?", merged, adapters, (
        Wrong("The scale is missing: multiply B A by alpha / r", lambda W, A, B, alpha: merged(W, A, B, len(A))),
        Wrong("The scale is alpha; it is alpha / r, so that a larger rank does not mean a larger change",
              lambda W, A, B, alpha: merged(W, A, B, alpha * len(A))),
        Wrong("The scale is r / alpha; it is alpha / r", lambda W, A, B, alpha: merged(W, A, B, len(A) ** 2 / alpha)),
        Wrong("W is missing: LoRA is an addition to it", lambda W, A, B, alpha: merged(0 * np.asarray(W), A, B, alpha)),
        Wrong("r is the number of rows of A, and not of its columns",
              lambda W, A, B, alpha: merged(W, A, B, alpha * len(A) / np.shape(A)[1])))),
]
