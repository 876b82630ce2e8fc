"""Lesson 04: InfoNCE from raw features, and recall@k."""

import numpy as np

from ..task import Task, Wrong


def info_nce(video, text, temperature):
    """Symmetric InfoNCE (Radford et al. 2021) of raw features [B, D]; row i belongs to row i."""
    return (rows(video, text, temperature) + rows(text, video, temperature)) / 2


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def rows(a, b, temperature, normal=unit, mean=np.mean):
    """Cross-entropy of each row's softmax against its own place."""
    score = normal(np.asarray(a, float)) @ normal(np.asarray(b, float)).T / temperature
    top = score.max(1, keepdims=True)
    return float(mean(np.log(np.exp(score - top).sum(1)) + top[:, 0] - np.diag(score)))


def both(a, b, temperature, **how):
    return (rows(a, b, temperature, **how) + rows(b, a, temperature, **how)) / 2


def features(rng):
    def one(temperature):
        count, width = int(rng.integers(3, 7)), int(rng.integers(2, 5))
        video = np.round(rng.normal(size=(count, width)) * rng.uniform(0.5, 2, (count, 1)), 3)
        return [video, np.round(video + 0.7 * rng.normal(size=video.shape), 3), temperature]

    return {"a batch of features": [one(float(t)) for t in np.round(rng.uniform(0.2, 0.8, 4), 2)],
            "a very small temperature (no overflow), and a single pair":
            [one(0.001), one(0.0005), [np.array([[1.0, 2.0]]), np.array([[2.0, 1.0]]), 0.5], one(0.3)]}


def recall_at(similarity, k):
    """Share of captions (rows) whose own clip (same column) is among the k most similar."""
    similarity = np.asarray(similarity)
    return float(((similarity > np.diag(similarity)[:, None]).sum(1) < k).mean())


def matrices(rng):
    def one(k, n):
        return [np.round(rng.normal(size=(n, n)) + 1.2 * np.eye(n), 4), k]

    return {"the nearest clip (k = 1)": [one(1, n) for n in (6, 8, 9, 12)],
            "other k, up to all clips": [one(2, 7), one(3, 9), one(5, 11), one(6, 6)]}


TASKS = [
    Task("info_nce", "04", "What does a batch of pairs pay with InfoNCE?", info_nce, features, (
        Wrong("The loss over the columns is missing: captions look for clips *and* clips for captions; give the mean of both",
              lambda v, t, s: rows(v, t, s)),
        Wrong("The loss over the rows is missing: captions look for clips *and* clips for captions; give the mean of both",
              lambda v, t, s: rows(t, v, s)),
        Wrong("The features are not of length one: divide each row by its norm first", lambda v, t, s: both(v, t, s, normal=lambda x: x)),
        Wrong("The temperature is not used: divide the cosines by it", lambda v, t, s: info_nce(v, t, 1)),
        Wrong("You multiply by the temperature; the cosines are divided by it", lambda v, t, s: info_nce(v, t, 1 / s)),
        Wrong("You forgot the mean over the batch: this is the sum", lambda v, t, s: both(v, t, s, mean=np.sum)),
        Wrong("The two losses are added: take their mean", lambda v, t, s: 2 * info_nce(v, t, s)),
        Wrong("The sign is wrong: the loss is *minus* the logarithm of a probability, so it is never negative",
              lambda v, t, s: -info_nce(v, t, s)),
        Wrong("The norm runs over the wrong axis: each *row* is divided by its own norm (axis=1)",
              lambda v, t, s: both(v, t, s, normal=lambda x: x / np.linalg.norm(x, axis=0, keepdims=True))))),
    Task("recall_at", "04", "What share of captions finds its own clip among the k nearest?", recall_at, matrices, (
        Wrong("The wrong axis: a caption is a *row*, and its clips are compared along that row",
              lambda s, k: recall_at(np.asarray(s).T, k)),
        Wrong("This is a count; divide by the number of captions", lambda s, k: recall_at(s, k) * len(s)),
        Wrong("These are the k *least* similar: sort from the largest down", lambda s, k: recall_at(-np.asarray(s), k)),
        Wrong("Only the nearest clip counts here, whatever k is", lambda s, k: recall_at(s, 1)),
        Wrong("Own clip at place k exactly is asked nowhere: any of the places 1 to k counts",
              lambda s, k: recall_at(s, k) - recall_at(s, k - 1)),
        Wrong("One place too many: the k nearest are the places 0 to k - 1", lambda s, k: recall_at(s, k + 1)))),
]
