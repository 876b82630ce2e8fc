"""Near-duplicates: 64-bit perceptual hashes of nine frames; two clips whose hashes differ in few bits show the same thing."""

import numpy as np

FRAMES, SHIFTS = 9, (-1, 0, 1)


def perceptual_hash(frame):
    """64 bits (booleans [64]) of uint8 [H, W, 3]: signs of the low frequencies of a 32x32 picture about their median (pHash)."""
    import cv2

    grey = cv2.cvtColor(cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    return low > np.median(low[1:])


def clip_hash(frames):
    """Hex text of the hashes of FRAMES frames at equal intervals."""
    from ..video import sample_indices

    bits = np.concatenate([perceptual_hash(frames[k]) for k in sample_indices(len(frames), FRAMES)])
    return np.packbits(bits).tobytes().hex()


def distance(first, second):
    """Mean number of different bits (0 to 64) between two clip hashes, frame by frame in order.

    Two cuts of one shot seldom start at the same frame, so the best of three alignments counts: one frame earlier, none, one later.
    """
    a, b = (np.unpackbits(np.frombuffer(bytes.fromhex(code), np.uint8)).reshape(FRAMES, 64) for code in (first, second))
    return min(float((a[max(0, s):FRAMES + min(0, s)] != b[max(0, -s):FRAMES + min(0, -s)]).sum(axis=1).mean()) for s in SHIFTS)


def mark(rows, limit):
    """Fill `duplicate_of` and `duplicate_bits` of rows that have a `hash`: the earlier clip that is nearest, and how near.

    rows are in order of upload and time. A row is a duplicate when `duplicate_bits` <= limit. Parts of one shot are not compared.
    """
    earlier = []
    for row in rows:
        row["duplicate_of"], row["duplicate_bits"] = "", None
        if not row.get("hash"):
            continue
        near = [(distance(row["hash"], other["hash"]), other["clip"]) for other in earlier
                if not (other["upload"] == row["upload"] and row["first"] - other["last"] <= 2)]
        if near:
            bits, name = min(near)
            row["duplicate_bits"] = round(bits, 2)
            row["duplicate_of"] = name if bits <= limit else ""
        earlier.append(row)
    return rows
