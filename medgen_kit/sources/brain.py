"""Brain MR sweeps: real slices of the MNI152 T1 template that nilearn ships, with anatomy named from the slice positions.

The template is read where nilearn installed it; it is never copied into a run as a volume and never downloaded.
Display is radiological: the patient's left is on the right of axial and coronal slices, the nose points left in sagittal ones.
"""

import functools
from importlib.resources import files

import numpy as np

from ..errors import KitError

NAME = "brain"
CATEGORY = "medical imaging"
FACTORS = {"plane": ("axial", "coronal", "sagittal"), "direction": ("forward", "backward")}
MOTION = ("direction",)
SOURCE = "nilearn: MNI152"
LICENCE = ("ICBM 152 2009a template, McConnell Brain Imaging Centre, McGill University: free to use, copy and change with its copyright "
           "notice; shipped by nilearn (BSD-3-Clause), whose own data page lists the licence as unknown")
FILE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}
# where a forward sweep starts and stops, mm in MNI space. The template is mirror symmetric, so a sweep from ear to ear would look the
# same in both directions: the sagittal sweep covers the left half only.
# Axial and coronal sweeps start in the broad part of the brain, so that the first and last slice differ at a glance.
SPAN = {"axial": (-32.0, 65.0), "coronal": (-68.0, 61.0), "sagittal": (-62.0, -2.0)}
CENTRE = (0.0, -18.0, 6.0)            # middle of the brain, mm
FIELD = 190.0                         # mm shown from edge to edge at zoom 1
HELD_OUT = {("coronal", "backward")}

# mm ranges in MNI space (|x| for sagittal) in which a structure is plainly seen on the template
ANATOMY = {
    "axial": (("cerebellum", -60, -14), ("brainstem", -60, -6), ("temporal lobes", -44, 6), ("hippocampi", -26, -4), ("insulae", -12, 18),
              ("basal ganglia", -8, 20), ("thalami", 0, 16), ("lateral ventricles", 2, 30), ("occipital lobes", -14, 32),
              ("corpus callosum", 4, 28), ("frontal lobes", -24, 76), ("parietal lobes", 22, 76), ("central sulci", 34, 70)),
    "coronal": (("occipital lobes", -104, -58), ("cerebellum", -92, -38), ("parietal lobes", -84, -20), ("brainstem", -44, -14),
                ("lateral ventricles", -50, 30), ("hippocampi", -40, -8), ("thalami", -32, -4), ("corpus callosum", -42, 32),
                ("temporal lobes", -66, 20), ("basal ganglia", -18, 22), ("insulae", -24, 24), ("frontal lobes", -24, 72)),
    "sagittal": (("temporal lobe", 26, 70), ("insula", 30, 44), ("putamen", 18, 32), ("hippocampus", 16, 36), ("lateral ventricle", 3, 28),
                 ("thalamus", 3, 22), ("corpus callosum", 0, 18), ("brainstem", 0, 14), ("cerebellum", 0, 50), ("frontal lobe", 0, 60),
                 ("parietal lobe", 4, 62), ("occipital lobe", 3, 44)),
}
TOWARDS = {("axial", "forward"): "towards the head", ("axial", "backward"): "towards the feet",
           ("coronal", "forward"): "towards the front", ("coronal", "backward"): "towards the back",
           ("sagittal", "forward"): "towards the midline", ("sagittal", "backward"): "towards the left side"}
ENDS = {"axial": ("the base of the brain", "the top of the brain"), "coronal": ("the back of the brain", "the front of the brain"),
        "sagittal": ("the left side", "the midline")}


def path():
    """The template's file inside the installed nilearn package."""
    found = files("nilearn") / "datasets" / "data" / FILE
    if not found.is_file():
        raise KitError(f"this nilearn does not ship {FILE}. Install the version that requirements.lock names.")
    return found


@functools.lru_cache(maxsize=3)
def volume(spacing):
    """The template as float32 [X, Y, Z] (0..1, right-anterior-superior), smoothed for `spacing` mm a pixel, and its origin in mm."""
    import nibabel
    from scipy.ndimage import gaussian_filter

    image = nibabel.as_closest_canonical(nibabel.load(str(path())))
    values = np.asarray(image.dataobj, np.float32) / 255
    sigma = 0.35 * max(spacing - 1, 0)
    return (gaussian_filter(values, sigma) if sigma > 0.1 else values), image.affine[:3, 3].astype(np.float32)


def sweep(plane, positions, size=64, zoom=1.0, angle=0.0, shift=(0.0, 0.0)):
    """Slices float32 [T, size, size] (0..1) of the template at `positions` (mm in MNI space along the plane's normal).

    zoom: above 1 enlarges. angle: degrees in the plane. shift: (down, right) in mm.
    """
    from scipy.ndimage import map_coordinates

    if plane not in AXIS:
        raise KitError(f"there is no plane '{plane}'. Planes: {', '.join(FACTORS['plane'])}.")
    spacing = FIELD / size / zoom
    values, origin = volume(round(spacing * 2) / 2)
    grid = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * spacing
    down, right = np.meshgrid(grid, grid, indexing="ij")
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    down, right = cos * down - sin * right - shift[0], sin * down + cos * right - shift[1]
    axis = AXIS[plane]
    rows, columns = (a for a in (2, 1, 0) if a != axis) if plane != "axial" else (1, 0)
    places = np.empty((3, len(positions), size, size), np.float32)
    places[axis] = np.asarray(positions, np.float32)[:, None, None]
    places[rows] = (CENTRE[rows] - down)[None]
    places[columns] = (CENTRE[columns] - right)[None]
    return map_coordinates(values, places - origin[:, None, None, None], order=1, mode="constant")


def positions(factors, rng, frames=9):
    """Slice positions in mm [frames] of a jittered sub-volume of the plane's span, in the order of the sweep."""
    start, stop = SPAN[factors["plane"]]
    reach = (stop - start) * 0.09
    first, last = start + rng.uniform(-0.3, 1) * reach, stop - rng.uniform(-0.3, 1) * reach
    return np.linspace(first, last, frames)[:: 1 if factors["direction"] == "forward" else -1]


def render(factors, rng, frames=9, size=64):
    """Sweeps uint8 [N, frames, size, size, 3], one for each of the N factor dicts {"plane", "direction"}."""
    return np.stack([clip(one, rng, frames, size)[0] for one in factors])


def clip(factors, rng, frames=9, size=64):
    """One sweep uint8 [frames, size, size, 3] and its (first, last) slice position in mm; jittered crop, zoom, tilt and brightness."""
    check(factors)
    places = positions(factors, rng, frames)
    grey = sweep(factors["plane"], places, size, zoom=rng.uniform(0.92, 1.08), angle=rng.uniform(-6, 6), shift=rng.uniform(-5, 5, 2))
    grey = np.clip(grey * rng.uniform(0.85, 1.12), 0, 1)
    return np.repeat(np.rint(grey * 255).astype(np.uint8)[..., None], 3, axis=-1), (float(places[0]), float(places[-1]))


def check(factors):
    """KitError that names the wrong factor or value."""
    for name, values in FACTORS.items():
        if factors.get(name) not in values:
            raise KitError(f"brain.{name} '{factors.get(name)}' is not one of {', '.join(values)}.")


def anatomy(plane, position):
    """Names of the structures that a slice at `position` (mm in MNI space) shows, most telling first."""
    place = abs(position) if plane == "sagittal" else position
    seen = [(high - low, name) for name, low, high in ANATOMY[plane] if low <= place <= high]
    return [name for _, name in sorted(seen, key=lambda pair: pair[0])]


def describe(factors, rng, span=None):
    """(brief, detailed) captions of a sweep. span: (first, last) slice position in mm; the plane's usual span when it is not given."""
    check(factors)
    plane, direction = factors["plane"], factors["direction"]
    if span is None:
        span = SPAN[plane] if direction == "forward" else SPAN[plane][::-1]
    towards, (near, far) = TOWARDS[plane, direction], ENDS[plane] if direction == "forward" else ENDS[plane][::-1]
    first, middle, last = (anatomy(plane, span[0] + part * (span[1] - span[0])) for part in (0.04, 0.5, 0.96))
    mid, start, end = _join(middle[:2]), _join(first[:2]), _join(last[:2])
    brief = _one(rng, (
        f"{plane.capitalize()} brain MRI scrolling {direction}, {towards}.",
        f"A {direction} scroll through {plane} T1-weighted brain slices, {towards}.",
        f"{plane.capitalize()} MR slices of the brain run {direction} {towards}, past the {mid}.",
        f"Brain MRI in the {plane} plane: the stack moves {direction}, {towards}.",
        f"Scrolling {direction} {towards} through {plane} brain slices that show the {mid}."))
    opening = _one(rng, (
        f"T1-weighted brain MRI in the {plane} plane, shown as a stack of slices that scrolls {direction}, {towards}.",
        f"The clip pages {direction} through {plane} T1-weighted slices of an averaged adult brain, {towards}.",
        f"{plane.capitalize()} magnetic resonance slices of the brain follow one another, the stack moving {direction} {towards}."))
    journey = _one(rng, (
        f"It begins near {near} with the {start}, passes the {mid}, and ends near {far} with the {end}.",
        f"First the {start} come into view at {near}; halfway the {mid} are seen; the last slices at {far} show the {end}.",
        f"From {near} ({start}) the slices reach the {mid} in the middle and finish at {far} ({end})."))
    closing = _one(rng, (
        "White matter is bright, grey matter is darker and fluid is dark; the skull has been removed.",
        "Bright white matter, grey cortex and dark fluid spaces are told apart easily, and the skull is left out.",
        f"The slices span {abs(span[1] - span[0]):.0f} mm; fluid is dark, white matter bright."))
    return brief, f"{opening} {journey} {closing}"


def title(factors, rng):
    """What an uploader would call the video."""
    plane = factors["plane"]
    return _one(rng, (f"Brain MRI {plane} walk-through", f"MNI152 template, {plane} stack", f"Scrolling a normal {plane} brain MRI",
                      f"Neuroanatomy on MRI: the {plane} plane"))


def _one(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def _join(names):
    return " and ".join(names) or "cortex"
