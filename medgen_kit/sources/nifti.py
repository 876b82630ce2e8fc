"""NIfTI volumes as pictures: a stack of slices in one plane, or one slice over time, in radiological display."""

import zlib
from pathlib import Path

import numpy as np

from ..errors import KitError
from .picture import Picture, percentile_window, rgb, window as apply_window

AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}
MAX_VALUES = 2**29                    # float32 values of one volume held in memory: 2 GiB


def from_nifti(path, plane="axial", window=None, count=None, start=None, stop=None, volume=0, cine_at=None):
    """Picture of a NIfTI file: frames uint8 [T, H, W, 3] with square pixels.

    plane: axial, coronal or sagittal. window: (centre, width) in the file's units; None spans the 1st to 99.5th percentile.
    count: number of slices (default: as many as the file has there). start, stop: mm along the plane's normal, in the file's own space
    (right, front and head are positive); start above stop runs backwards. volume: which volume of a 4D file.
    cine_at: instead of a stack, the slice at this position (mm) over time; then fps comes from the file.
    The volume is turned to the nearest right-anterior-superior axes. Display is radiological: the patient's left is on the right, the
    nose points left in sagittal slices. Raises KitError for what is not a NIfTI image of at least three dimensions.
    """
    if plane not in AXIS:
        raise KitError(f"there is no plane '{plane}'. Planes: {', '.join(AXIS)}.")
    image = _open(Path(path))
    axis, affine, zooms = AXIS[plane], image.affine, image.header.get_zooms()
    places = _places(image, axis, path, count, start, stop, cine_at)
    if cine_at is None:
        slices = _between(_values(image, volume, path), axis, (places - affine[axis, 3]) / affine[axis, axis])
        fps = None
    else:
        if image.ndim < 4 or image.shape[3] < 2:
            raise KitError(f"{path} has no time axis, so there is no slice over time. Leave cine_at out to get a stack of slices.")
        place = (places - affine[axis, 3]) / affine[axis, axis]
        slices = np.concatenate([_between(_values(image, t, path), axis, place) for t in range(image.shape[3])])
        fps = _fps(image)
    centre, width = window if window is not None else percentile_window(slices[slices != slices.min()] if np.ptp(slices) else slices)
    row, column = (zooms[a] for a in (2, 1, 0) if a != axis)
    frames = _square_pixels(apply_window(_displayed(slices), centre, width), float(row), float(column))
    facts = {"plane": plane, "positions_mm": [round(float(p), 2) for p in places], "shape": [int(n) for n in image.shape],
             "voxel_mm": [round(float(z), 3) for z in zooms[:3]], "window": f"centre {centre:g}, width {width:g}"}
    side = min(float(row), float(column))
    return Picture(rgb(frames), fps, (side, side), "", facts=facts)


def _open(path):
    """The image turned to right-anterior-superior, checked."""
    import nibabel

    if path.is_dir():
        raise KitError(f"{path} is a folder. Give one NIfTI file (.nii or .nii.gz).")
    if not path.is_file():
        raise KitError(f"{path}: there is no such file. Check the name.")
    if path.stat().st_size == 0:
        raise KitError(f"{path} is empty. Copy or download it again.")
    try:
        image = nibabel.load(str(path))
    except (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError, OSError, EOFError, zlib.error,
            ValueError) as error:
        raise KitError(f"{path} is not a NIfTI image, or its start is broken ({str(error)[:100]}). Copy it again.") from error
    if not isinstance(image, nibabel.spatialimages.SpatialImage):
        raise KitError(f"{path} holds no voxels (it is a {type(image).__name__}). Give a NIfTI volume.")
    if image.ndim < 3 or min(image.shape[:2]) < 2:
        raise KitError(f"{path} is not a volume: its shape is {' x '.join(map(str, image.shape))}. At least three dimensions are needed.")
    if image.get_data_dtype().names:
        raise KitError(f"{path} holds colours, not measurements. Convert it to a grey volume first.")
    if np.prod([int(n) for n in image.shape[:3]]) > MAX_VALUES:
        raise KitError(f"{path} has {' x '.join(map(str, image.shape[:3]))} voxels, too many for memory. Cut or shrink it first.")
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise KitError(f"{path} does not say where its voxels lie (the affine is broken), so there are no planes. Repair its header first.")
    return nibabel.as_closest_canonical(image)


def _values(image, volume, path):
    """One volume float32 [X, Y, Z]; values that are not numbers become the smallest one."""
    times = image.shape[3] if image.ndim > 3 else 1
    if not 0 <= volume < times:
        raise KitError(f"{path} has volumes 0 to {times - 1}; there is no volume {volume}.")
    try:
        values = np.asarray(image.dataobj[..., volume] if image.ndim > 3 else image.dataobj, np.float32)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise KitError(f"{path} is cut off: its header is whole, its voxels are not. Copy it again.") from error
    values = values.reshape(values.shape[:3])
    good = np.isfinite(values)
    return values if good.all() else np.where(good, values, values[good].min() if good.any() else 0)


def _places(image, axis, path, count, start, stop, cine_at):
    """Slice positions in mm along `axis`."""
    size, step, origin = image.shape[axis], image.affine[axis, axis], image.affine[axis, 3]
    low, high = sorted((origin, origin + (size - 1) * step))
    for place in (start, stop, cine_at):
        if place is not None and not low - 0.5 <= place <= high + 0.5:
            raise KitError(f"{path} reaches from {low:.0f} to {high:.0f} mm in this plane; {place:g} mm lies outside.")
    if cine_at is not None:
        return np.clip([float(cine_at)], low, high)
    start, stop = low if start is None else start, high if stop is None else stop
    if count is None:
        count = int(abs(stop - start) / abs(step) + 1.5)
    if count < 1:
        raise KitError(f"count must be at least 1, not {count}.")
    return np.clip(np.linspace(start, stop, count), low, high)


def _between(values, axis, places):
    """Slices [T, a, b] at fractional voxel positions along `axis`, linear between neighbours."""
    places = np.clip(places, 0, values.shape[axis] - 1)
    below = np.floor(places).astype(int)
    above, part = np.minimum(below + 1, values.shape[axis] - 1), (places - below).astype(np.float32)[:, None, None]
    near, far = (np.moveaxis(np.take(values, index, axis), axis, 0) for index in (below, above))
    return near * (1 - part) + far * part


def _displayed(slices):
    """Slices [T, a, b] with a, b towards right/front/head turned to rows from the top and columns from the left, radiological."""
    return slices.transpose(0, 2, 1)[:, ::-1, ::-1]


def _square_pixels(frames, row, column):
    """Grey frames [T, H, W] whose pixels measure `row` x `column` mm, enlarged along the coarser side to square pixels."""
    import cv2

    side = min(row, column)
    height, width = (max(1, round(n * mm / side)) for n, mm in zip(frames.shape[1:], (row, column)))
    if (height, width) == frames.shape[1:]:
        return np.ascontiguousarray(frames)
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in np.ascontiguousarray(frames)])


def _fps(image):
    """Volumes a second from the header's time step and unit; None when it says nothing."""
    step = float(image.header.get_zooms()[3])
    unit = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else "sec"
    seconds = step * {"sec": 1, "msec": 1e-3, "usec": 1e-6}.get(unit, 1)
    return 1 / seconds if seconds > 0 else None
