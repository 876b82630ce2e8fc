"""Drawing for the simulators: a coordinate grid, soft shapes, smooth texture, and random numbers with one stream per clip.

All shapes are masks float32 [N, T, S, S] in 0..1 (N clips, T frames, S pixels a side; an axis may be 1). Coordinates run from -1
(left, top) to 1 (right, bottom) and are independent of S. Numbers handed in are scalars, [N] (one per clip) or [N, T] (one per clip
and frame).
"""

import numpy as np

STEP, MIX1, MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def scramble(keys):
    """SplitMix64 (Steele, Lea and Flood 2014): uint64 in, well mixed uint64 out."""
    keys = (keys ^ (keys >> np.uint64(30))) * MIX1
    keys = (keys ^ (keys >> np.uint64(27))) * MIX2
    return keys ^ (keys >> np.uint64(31))


class Dice:
    """Random numbers with one stream per clip: what clip i gets depends on its own key only, not on its neighbours.

    `keys`: uint64 [N]. The k-th call gives every clip the k-th draw of its stream, so draw for all clips, never under an `if` on factors.
    """

    def __init__(self, keys):
        self.keys, self.calls = np.asarray(keys, np.uint64), 0

    @classmethod
    def of(cls, rng, count):
        """`rng` when it is already Dice for `count` clips, else Dice with keys from the numpy Generator `rng`."""
        return rng if isinstance(rng, cls) else cls(rng.integers(0, 2**63, count).astype(np.uint64))

    def uniform(self, low=0.0, high=1.0, shape=()):
        """float32 [N, *shape] between `low` and `high`."""
        self.calls += 1
        stream = scramble(self.keys + np.uint64(self.calls * int(MIX2) % 2**64))
        count = int(np.prod(shape, dtype=int))
        bits = scramble(stream[:, None] + np.arange(1, count + 1, dtype=np.uint64) * STEP)
        unit = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
        return (low + (high - low) * unit).reshape(len(self.keys), *shape).astype(np.float32)

    def normal(self, sd=1.0, shape=()):
        """float32 [N, *shape], mean 0, standard deviation `sd` (Box and Muller 1958)."""
        u = self.uniform(1e-6, 1.0, (2, *shape))
        return (sd * np.sqrt(-2 * np.log(u[:, 0])) * np.cos(2 * np.pi * u[:, 1])).astype(np.float32)

    def sign(self):
        """float32 [N], -1 or 1."""
        return np.where(self.uniform() < 0.5, -1, 1).astype(np.float32)


def is_value(factors, name, value):
    """float32 [N]: 1 where factor `name` of a clip is `value`, else 0."""
    return np.array([f[name] == value for f in factors], np.float32)


def pick(factors, name, **table):
    """float32 [N, ...]: the entry of `table` for each clip's value of factor `name` (spaces and hyphens in values become '_')."""
    return np.array([table[f[name].replace(" ", "_").replace("-", "_")] for f in factors], np.float32)


def grid(size):
    """x [1, 1, 1, S] and y [1, 1, S, 1] of the pixel centres."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1)
    return line[None, None, None, :], line[None, None, :, None]


def clock(frames):
    """Time [1, T] from 0 (first frame) to 1 (last frame)."""
    return np.linspace(0, 1, frames, dtype=np.float32)[None]


def px(value):
    """A scalar, [N] or [N, T] made to broadcast against [N, T, S, S] (left alone when it has four axes already)."""
    value = np.asarray(value, np.float32)
    return value if value.ndim in (0, 4) else value.reshape(value.shape[0], -1, 1, 1)


def ramp(value, low, high):
    """Smooth step from 0 (value <= low) to 1 (value >= high)."""
    t = np.clip((np.asarray(value, np.float32) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def turn(x, y, angle=0.0, cx=0.0, cy=0.0):
    """Coordinates seen from a frame at (cx, cy) turned by `angle` radians (clockwise on the screen)."""
    cos, sin, dx, dy = np.cos(px(angle)), np.sin(px(angle)), x - px(cx), y - px(cy)
    return cos * dx + sin * dy, cos * dy - sin * dx


def soft(distance, size, edge=None):
    """Mask from a signed distance (negative inside), anti-aliased over `edge` (default: one pixel, at least .03)."""
    width = max(2.0 / size, 0.03) if edge is None else px(edge)
    mask = np.multiply(distance, np.float32(-1) / width, dtype=np.float32)
    mask += np.float32(0.5)
    return np.clip(mask, 0, 1, out=mask)


def fade(mask, radius, edge):
    """The mask, fainter where the shape is smaller than its soft edge, so that a shape can grow from nothing."""
    gate = np.clip(px(radius) * (2 / edge), 0, 1)
    return mask if np.all(gate == 1) else mask * gate


def disc(x, y, cx, cy, r, edge=None):
    """Filled circle of radius r."""
    dx, dy = x - px(cx), y - px(cy)
    return fade(soft(np.sqrt(dx * dx + dy * dy) - px(r), y.shape[-2], edge), r, 2 / y.shape[-2])


def ellipse(x, y, cx, cy, rx, ry, angle=0.0, edge=None):
    """Filled ellipse with half axes rx, ry, turned by `angle`."""
    u, v = (x - px(cx), y - px(cy)) if np.ndim(angle) == 0 and angle == 0 else turn(x, y, angle, cx, cy)
    rx, ry = np.maximum(px(rx), 1e-3), np.maximum(px(ry), 1e-3)
    u, v = u / rx, v / ry
    return fade(soft((np.sqrt(u * u + v * v) - 1) * np.minimum(rx, ry), y.shape[-2], edge), np.minimum(rx, ry), 2 / y.shape[-2])


def capsule(x, y, x0, y0, x1, y1, r, edge=None):
    """Thick line with round ends from (x0, y0) to (x1, y1), half-width r."""
    dx, dy, ux, uy = px(x1) - px(x0), px(y1) - px(y0), x - px(x0), y - px(y0)
    along = np.clip((ux * dx + uy * dy) / np.maximum(dx * dx + dy * dy, 1e-6), 0, 1)
    ux, uy = ux - along * dx, uy - along * dy
    return fade(soft(np.sqrt(ux * ux + uy * uy) - px(r), y.shape[-2], edge), r, 1 / y.shape[-2])


def box(x, y, cx, cy, hx, hy, angle=0.0, edge=None):
    """Filled rectangle with half sides hx, hy."""
    u, v = (x - px(cx), y - px(cy)) if np.ndim(angle) == 0 and angle == 0 else turn(x, y, angle, cx, cy)
    return soft(np.maximum(np.abs(u) - px(hx), np.abs(v) - px(hy)), y.shape[-2], edge)


def polygon(x, y, corners, edge=None):
    """Filled convex polygon: `corners` is a list of (x, y), each scalar, [N] or [N, T], clockwise on the screen."""
    distance = None
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        ex, ey = px(x1) - px(x0), px(y1) - px(y0)
        side = ((x - px(x0)) * ey - (y - px(y0)) * ex) / np.maximum(np.sqrt(ex * ex + ey * ey), 1e-6)
        distance = side if distance is None else np.maximum(distance, side)
    return soft(distance, y.shape[-2], edge)


def hat(size, cells):
    """Linear interpolation [S, cells] from `cells` equally spaced knots (first and last on the border) to the pixel centres."""
    at = (np.arange(size) + 0.5) / size * (cells - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells))).astype(np.float32)


def texture(dice, size, cells, frames=1):
    """Smooth noise [N, frames, S, S], zero mean, unit variance at its `cells` x `cells` knots; the same field at every size."""
    knots = dice.uniform(-1.732, 1.732, (frames, cells, cells))
    weight = hat(size, cells)
    return np.matmul(np.matmul(weight, knots), weight.T)


def speckle(dice, size, cells=40, frames=1):
    """Multiplicative ultrasound-like speckle [N, frames, S, S], positive, mean about 1."""
    return np.maximum(1 + 0.5 * texture(dice, size, cells, frames), 0)


def canvas(count, frames, size, colour=(0, 0, 0)):
    """An RGB canvas float32 [N, T, 3, S, S] (channels before pixels: fast) filled with `colour` ((3,) or [N, 3], 0..1)."""
    return np.broadcast_to(rgb(colour), (count, frames, 3, size, size)).copy()


def rgb(colour):
    """A colour (3,), [N, 3] or [N, T, 3] made to broadcast against [N, T, 3, S, S]."""
    colour = np.asarray(colour, np.float32)
    shape = {1: (1, 1, 3), 2: (len(colour), 1, 3)}.get(colour.ndim, colour.shape)
    return colour.reshape(*shape, 1, 1)


def paint(image, mask, colour):
    """Blend `colour` ((3,), [N, 3], [N, T, 3] or an RGB image [N, T, 3, S, S]) over the canvas where `mask` is 1. In place."""
    colour = np.asarray(colour, np.float32)
    image += mask[:, :, None] * ((colour if colour.ndim == 5 else rgb(colour)) - image)
    return image


def lay(image, mask, level):
    """Blend a grey level (scalar, [N] or [N, T]) over a grey image [N, T, S, S] where `mask` is 1. In place."""
    image += mask * (px(level) - image)
    return image


def finish(image):
    """uint8 [N, T, S, S, 3] from a canvas [N, T, 3, S, S] or a grey one [N, T, S, S], values 0..1 (clipped)."""
    levels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if levels.ndim == 4:
        return np.repeat(levels[..., None], 3, axis=-1)
    return np.ascontiguousarray(np.moveaxis(levels, 2, -1))
