"""Captions that say almost the same: MinHash and banded look-up find candidates, the exact overlap of their words decides.

Definition. The shingles of a caption are its runs of SHINGLE words side by side (lower case, letters and digits only; a shorter caption is
one shingle). Two captions are near-duplicates when |A and B| / |A or B| of their sets of shingles (Jaccard) is at least the limit.
MinHash and bands: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.
"""

import re
import zlib
from itertools import chain

import numpy as np

from ..errors import KitError

SHINGLE, BANDS, ROWS = 5, 16, 4       # a pair at 0.8 shares one of 16 bands of 4 hashes with probability 1 - (1 - 0.8^4)^16 = 0.9998
NEXT = 3                              # in a bucket a caption is compared with the first and the three before it, so work stays linear
BATCH = 2048                          # captions, pairs: what is held in memory at a time
MIX = np.uint64(0x9E3779B97F4A7C15)   # odd, so that no two numbers fall together when multiplied by it


def near_duplicates(texts, limit=0.8):
    """(groups, pairs): int64 [N], the number of the first text of each text's group (its own where there is no other); and the pairs
    (i, j, Jaccard), i < j, that joined them.

    texts: N str; None and texts without a word belong to no group. limit: 0.7 to 1. Found pairs are exact; of all pairs at the limit 0.7
    the bands miss about one in a hundred, at 0.8 one in five thousand, and in a bucket of many texts only neighbours are compared.
    """
    if not 0.7 <= limit <= 1:
        raise KitError(f"limit={limit} is not between 0.7 and 1. Below 0.7 this look-up would miss too many pairs to be trusted.")
    texts, words = list(texts), Words()
    made = [signatures(texts[k:k + BATCH], words) for k in range(0, len(texts), BATCH)]
    if not made:
        return np.zeros(0, np.int64), []
    signs, counts = map(np.concatenate, zip(*made))
    said = np.flatnonzero(counts)
    near = said[candidates(signs[said])]
    agree = np.concatenate([(signs[some[:, 0]] == signs[some[:, 1]]).mean(axis=1) for some in np.array_split(near, len(near) // BATCH + 1)])
    pairs = exact(texts, near[agree >= limit - 0.25], limit, words)                     # the estimate's limit: five standard errors below
    return first_of_group(len(texts), pairs), pairs


class Words(dict):
    """Piece of text between two spaces -> 32-bit number of its word, 0 for a piece without a letter or digit."""

    def __missing__(self, piece):
        word = re.sub(r"[\W_]+", "", piece.lower())
        found = zlib.crc32(word.encode("utf-8", "replace")) | 1 if word else 0
        if len(self) < 500_000:
            self[piece] = found
        return found


def shingles(texts, words):
    """(hashes, starts, counts): the shingles of all texts one after the other, uint64 [M]; where each text's begin and how many words it
    has, int64 [N]. A text of fewer words than a shingle has one shingle."""
    pieces = [(text or "").split() for text in texts]
    flat = np.fromiter(map(words.__getitem__, chain.from_iterable(pieces)), np.uint64, sum(map(len, pieces)))
    owner = np.repeat(np.arange(len(pieces)), [len(some) for some in pieces])[flat > 0]
    counts = np.bincount(owner, minlength=len(pieces))
    lengths = np.maximum(counts, SHINGLE)
    begins, ends = np.cumsum(lengths) - lengths, np.cumsum(lengths)
    numbers = np.zeros(int(lengths.sum()), np.uint64)                                   # words of all texts, short texts filled with zeros
    numbers[np.arange(len(owner)) + (begins - (np.cumsum(counts) - counts))[owner]] = flat[flat > 0] * MIX
    numbers ^= numbers >> np.uint64(29)
    windows = len(numbers) - SHINGLE + 1
    hashes = np.zeros(windows, np.uint64)
    for k in range(SHINGLE):
        hashes = hashes * np.uint64(0xD6E8FEB86659FD93) + numbers[k:k + windows]
    inside = np.ones(len(numbers), bool)
    inside[(ends[:, None] - np.arange(1, SHINGLE)).ravel()] = False                     # windows that would reach into the next text
    hashes = hashes[inside[:windows]] * MIX
    return hashes ^ (hashes >> np.uint64(32)), begins - (SHINGLE - 1) * np.arange(len(pieces)), counts


def signatures(texts, words):
    """(MinHash, words): uint32 [N, BANDS * ROWS], for each of 64 hash functions the smallest hash of a text's shingles; int64 [N]."""
    hashes, starts, counts = shingles(texts, words)
    factors = np.random.default_rng(0).integers(0, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    least = [np.minimum.reduceat(hashes * factor, starts) >> np.uint64(32) for factor in factors]
    return np.stack(least, axis=1).astype(np.uint32), counts


def candidates(signs):
    """Pairs of rows int64 [P, 2] that share a band: each row with the first row of its bucket and with the NEXT rows before it."""
    found, rows = [np.zeros((0, 2), np.int64)], len(signs)
    for band in range(BANDS):
        part = np.ascontiguousarray(signs[:, band * ROWS:(band + 1) * ROWS]).view(np.uint64)
        key = part[:, 0] * MIX ^ part[:, 1]
        order = np.argsort(key, kind="stable")
        same = key[order]
        opens = np.flatnonzero(np.r_[True, same[1:] != same[:-1]][:rows])
        first = np.repeat(opens, np.diff(np.r_[opens, rows]))
        for before in (first, *(np.arange(rows) - k for k in range(1, NEXT + 1))):
            here = np.flatnonzero((before >= first) & (before < np.arange(rows)))
            found.append(np.stack([order[before[here]], order[here]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def exact(texts, near, limit, words):
    """The pairs (i, j, Jaccard) of `near`, int64 [P, 2], whose sets of shingles overlap by at least `limit`."""
    pairs = []
    for k in range(0, len(near), BATCH):
        rows = np.unique(near[k:k + BATCH])
        hashes, starts, _ = shingles([texts[row] for row in rows], words)
        sets = {int(row): set(some.tolist()) for row, some in zip(rows, np.split(hashes, starts[1:]))}
        for i, j in near[k:k + BATCH].tolist():
            shared = len(sets[i] & sets[j])
            overlap = shared / (len(sets[i]) + len(sets[j]) - shared)
            if overlap >= limit:
                pairs.append((i, j, round(overlap, 4)))
    return pairs


def first_of_group(rows, pairs):
    """int64 [rows]: the smallest row that a row is joined to by pairs, directly or over others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array([pair[:2] for pair in pairs], np.int64).reshape(-1, 2)
    label = connected_components(coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (rows, rows)), directed=False)[1]
    return np.unique(label, return_index=True)[1][label]
