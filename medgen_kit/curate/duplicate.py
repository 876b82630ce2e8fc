"""Near-duplicates: 64-bit perceptual hashes of nine frames; two clips whose hashes differ in few bits show the same thing."""

import numpy as np

FRAMES, SHIFTS = 9, (-1, 0, 1)
WIDEST = 20.0          # bits: pairs farther apart than this are not kept, so no threshold above it can be asked for
BLOCK = 512


def perceptual_hash(frame):
    """64 bits (booleans [64]) of uint8 [H, W, 3] or grey [H, W]: signs of the low frequencies of a 32x32 picture about their median
    (pHash)."""
    import cv2

    small = cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    return low > np.median(low[1:])


def clip_hash(frames):
    """Hex text of the hashes of FRAMES frames at equal intervals; frames uint8 [T, H, W, 3] or [T, H, W], borders cut off before."""
    from ..video import sample_indices

    bits = np.concatenate([perceptual_hash(np.ascontiguousarray(frames[k])) for k in sample_indices(len(frames), FRAMES)])
    return np.packbits(bits).tobytes().hex()


def distance(first, second):
    """Mean number of different bits (0 to 64) between two clip hashes, frame by frame in order.

    Two cuts of one shot seldom start at the same frame, so the best of three alignments counts: one frame earlier, none, one later.
    """
    return float(distances(codes([first]), codes([second]))[0, 0])


def codes(hashes):
    """Hex hashes as uint64 [N, FRAMES]."""
    return np.array([np.frombuffer(bytes.fromhex(code), ">u8") for code in hashes], np.uint64).reshape(-1, FRAMES)


def distances(a, b):
    """Best-aligned mean Hamming distances [N, M] of codes [N, FRAMES] and [M, FRAMES]."""
    best = np.full((len(a), len(b)), 64.0)
    for shift in SHIFTS:
        total = np.zeros((len(a), len(b)), np.uint16)
        places = range(max(0, shift), FRAMES + min(0, shift))
        for k in places:
            total += np.bitwise_count(a[:, None, k] ^ b[None, :, k - shift])
        best = np.minimum(best, total / len(places))
    return best


def pairs(clips):
    """(i, j, bits): row numbers and distance of all pairs of clips at most WIDEST bits apart. Needs the column `hash` ("" = none).

    Parts of one shot that follow each other are no pair. All pairs are compared: 20,000 clips take about 40 CPU-seconds.
    """
    have = np.flatnonzero(clips["hash"].fillna("").to_numpy() != "") if "hash" in clips else np.array([], int)
    if len(have) < 2:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    table, found = codes(clips["hash"].to_numpy()[have]), []
    for start in range(0, len(have), BLOCK):
        part = table[start:start + BLOCK]
        near = distances(part, table[start:])
        i, j = np.nonzero(near <= WIDEST)
        later = j > i
        found.append((have[start + i[later]], have[start + j[later]], near[i[later], j[later]]))
    i, j, bits = (np.concatenate(part) for part in zip(*found))
    apart = ~follows(clips, i, j)
    return i[apart], j[apart], bits[apart]


def follows(clips, i, j):
    """True where clips i and j are neighbouring parts of one upload (at most two frames between them)."""
    upload = clips["upload"].to_numpy()
    first, last = clips["first"].to_numpy(), clips["last"].to_numpy()
    gap = np.maximum(first[j] - last[i], first[i] - last[j])
    return (upload[i] == upload[j]) & (gap <= 2)


def nearest(clips, near, standing):
    """For each clip the nearest better one among those that stand: (clip_id or "", bits) as two arrays [N].

    near: `pairs(clips)`. standing: booleans [N]. bits is 64 where nothing is near and NaN where the clip does not stand or has no hash.
    Better is larger on its short side, then earlier in the table. Of a group of duplicates the best is thus always kept.
    """
    i, j, bits = near
    count, side = len(clips), clips["side"].to_numpy() if "side" in clips else np.zeros(len(clips))
    both = standing[i] & standing[j]
    i, j, bits = i[both], j[both], bits[both]
    better, worse = np.where(side[j] > side[i], j, i), np.where(side[j] > side[i], i, j)
    hashed = clips["hash"].fillna("").to_numpy() != "" if "hash" in clips else np.zeros(count, bool)
    name, found = np.full(count, "", dtype=object), np.where(standing & hashed, 64.0, np.nan)
    for at in np.lexsort((better, bits))[::-1]:            # the nearest is written last
        found[worse[at]], name[worse[at]] = round(bits[at], 2), clips["clip_id"].iat[better[at]]
    return name, found
