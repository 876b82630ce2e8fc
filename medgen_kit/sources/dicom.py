"""DICOM files as pictures: windowed, in RGB, with timing and spacing, and without a word about the patient."""

import contextlib
import logging
import warnings
from pathlib import Path

import numpy as np

from ..errors import KitError
from .picture import WINDOWS, Picture, percentile_window, rgb, window as apply_window

# header fields that describe the picture; everything else (names, numbers, dates, places, free text) is left behind
FACTS = ("ImageType", "PhotometricInterpretation", "SliceThickness", "KVP", "MagneticFieldStrength", "EchoTime", "RepetitionTime",
         "ScanningSequence", "MRAcquisitionType", "ImageOrientationPatient", "TransducerType", "ViewPosition", "BurnedInAnnotation",
         "LossyImageCompression")
CENTIMETRES = 3                       # PhysicalUnitsXDirection of an ultrasound region
MAX_VALUES = 2**31                    # refuse to unpack more than this many pixel values


def from_dicom(path, window=None):
    """Picture of one DICOM file: frames uint8 [T, H, W, 3], fps, spacing in mm, modality, facts.

    window: None uses the file's own (VOI table, WindowCenter and WindowWidth), then a soft tissue window for CT, then percentiles;
    a name of `picture.WINDOWS`; or (centre, width) in the values of the file after rescaling, Hounsfield units for CT.
    Raises KitError with the file's name for a folder, an empty or broken file, a file without pixels, a missing decoder.
    Patient name, numbers, dates and places are never read; text burned into the pixels stays: look at the picture (`facts` say so).
    """
    with _quiet():
        return _from(Path(path), window)


@contextlib.contextmanager
def _quiet():
    """pydicom reads lazily and warns, in two ways, of every odd value on the way; what matters becomes a KitError."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _from(path, window):
    with _in_words(path):
        data = _read(path)
        return _picture(data, _pixels(data, path), window)


@contextlib.contextmanager
def _in_words(path):
    """Broken bytes surface anywhere, since pydicom parses a field when it is first looked at: one sentence for all."""
    try:
        yield
    except KitError:
        raise
    except Exception as error:
        raise KitError(f"{path} has a header that cannot be used ({str(error)[:120]}). Export the file again.") from error


def _picture(data, values, window, called="given"):
    if data.PhotometricInterpretation == "PALETTE COLOR":
        frames, used = _palette(data, values), "palette"
    elif data.SamplesPerPixel == 3:
        frames, used = _to_8_bit(values, data.BitsStored), "colour"
    else:
        frames, used = _grey(data, values, window, called)
    facts = {key: _plain(data.get(key)) for key in FACTS if data.get(key) not in (None, "")}
    facts |= {"window": used, "kind": data.SOPClassUID.name if "SOPClassUID" in data else "unknown"}
    return Picture(frames, _fps(data), _spacing(data), str(data.get("Modality") or ""), _laterality(data),
                   str(data.get("BodyPartExamined") or "").strip().lower(), facts)


def from_dicom_series(folder, window=None):
    """Picture of a folder that holds one series of slices, in order of position along the slice normal (one file a slice)."""
    folder = Path(folder)
    files = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    if not files:
        raise KitError(f"{folder} is not a folder with DICOM slices. Give the folder that holds one file per slice.")
    with _quiet():
        slices = []
        for path in files:
            with _in_words(path):
                data = _read(path)
                slices.append((_position(data, path), path, data, _pixels(data, path)))
        slices.sort(key=lambda slice_: slice_[0])
        (window, called), pictures = (window, "given") if window is not None else _series_window(slices), []
        for _, path, data, values in slices:
            with _in_words(path):
                pictures.append(_picture(data, values, window, called))
    shapes = {p.frames.shape for p in pictures}
    if len(shapes) > 1:
        raise KitError(f"{folder} holds slices of {len(shapes)} different sizes, so it is more than one series. Put each in a folder.")
    first = pictures[0]
    gap = float(np.median(np.diff([place for place, *_ in slices]))) if len(slices) > 1 else None
    return Picture(np.concatenate([p.frames for p in pictures]), None, first.spacing, first.modality, first.laterality, first.body_part,
                   first.facts | {"slices": len(slices), "slice_distance_mm": gap})


def _series_window(slices):
    """((centre, width), name) for all slices, so that their brightness can be compared; (None, "") leaves VOI tables and colours alone.

    The median of the files' own windows; where they have none, percentiles of all slices together.
    """
    windows, values = [], []
    for _, path, data, stored in slices:
        with _in_words(path):
            if data.SamplesPerPixel != 1 or data.PhotometricInterpretation == "PALETTE COLOR":
                return None, ""
            picture = _rescale(data, stored)
            found, used = _own_window(data, stored, picture)
            if found is None:
                return None, ""
            windows.append(None if used.startswith("percentiles") else found)
            values.append(_without_padding(data, stored[:, ::4, ::4], picture[:, ::4, ::4]).ravel())
    if None in windows:
        return percentile_window(np.concatenate(values)), "percentiles 1 to 99.5 of the series"
    return tuple(np.median(windows, axis=0)), "median of the files"


def _read(path):
    import pydicom

    if path.is_dir():
        raise KitError(f"{path} is a folder. Give one DICOM file, or read a folder of slices with from_dicom_series.")
    if not path.is_file():
        raise KitError(f"{path}: there is no such file. Check the name.")
    if path.stat().st_size == 0:
        raise KitError(f"{path} is empty. Copy or download it again.")
    try:
        data = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError as error:
        raise KitError(f"{path} is not a DICOM file: the letters DICM are missing at byte 128.") from error
    except Exception as error:
        raise KitError(f"{path} starts like a DICOM file but its header is broken ({error}). Copy it again.") from error
    if "DirectoryRecordSequence" in data:
        raise KitError(f"{path} is a DICOMDIR, a table of contents. Give one of the picture files that it lists.")
    if not any(key in data for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        kind = data.SOPClassUID.name if "SOPClassUID" in data else "DICOM object"
        raise KitError(f"{path} holds no picture: it is a {kind} (modality {data.get('Modality') or 'not stated'}).")
    return data


def _pixels(data, path):
    """Pixel values [T, H, W] or [T, H, W, 3], colours converted to RGB."""
    size = int(data.get("Rows") or 0) * int(data.get("Columns") or 0) * int(data.get("NumberOfFrames") or 1)
    size *= int(data.get("SamplesPerPixel") or 1)
    if not size:
        raise KitError(f"{path} does not say how many rows and columns its picture has, so it cannot be unpacked.")
    if size > MAX_VALUES:
        raise KitError(f"{path} unpacks to {size / 2**30:.0f} billion values, too many for memory. Cut it into shorter files first.")
    try:
        values = np.asarray(data.pixel_array)
    except Exception as error:
        syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
        name = syntax.name if syntax is not None else "an unnamed transfer syntax"
        if "missing dependencies" in str(error) or "does not support" in str(error):
            raise KitError(f"{path} is compressed as {name}, and no decoder for that is installed. Install one "
                           "(pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg) or export the file uncompressed.") from error
        first = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise KitError(f"{path}: the picture in it ({name}) is cut off or broken. Copy it again. ({first})") from error
    colour = int(data.SamplesPerPixel) == 3
    return values if values.ndim == 3 + colour else values[None]


def _palette(data, values):
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(values, data)
    return _to_8_bit(colours[..., :3], 8 * colours.dtype.itemsize)


def _to_8_bit(values, bits):
    shift = max(int(bits) - 8, 0)
    return np.clip(values >> shift, 0, 255).astype(np.uint8) if shift else values.astype(np.uint8)


def _grey(data, values, window, called):
    """Grey pixel values to frames [T, H, W, 3] and a sentence on the window: modality rescale, VOI window, inversion."""
    stored, values = values, _rescale(data, values)
    if isinstance(window, str):
        if window not in WINDOWS:
            raise KitError(f"there is no window '{window}'. Windows: {', '.join(WINDOWS)}; or give (centre, width).")
        window, used = WINDOWS[window], window
    elif window is not None:
        window, used = _pair(window), called
    else:
        window, used = _own_window(data, stored, values)
    grey = _voi(data, values) if window is None else apply_window(values, *window)
    if data.PhotometricInterpretation == "MONOCHROME1" or data.get("PresentationLUTShape") == "INVERSE":
        grey = 255 - grey
    return rgb(grey), used if window is None else f"{used}: centre {window[0]:g}, width {window[1]:g}"


def _pair(window):
    try:
        centre, width = (float(v) for v in window)
    except (TypeError, ValueError) as error:
        raise KitError(f"window must be a name or (centre, width), not {window!r}.") from error
    if not width > 0:
        raise KitError(f"the width of a window must be above 0, not {width:g}.")
    return centre, width


def _own_window(data, stored, values):
    """((centre, width), name); (None, name) when the file has a table or a curve that pydicom applies."""
    if "VOILUTSequence" in data or data.get("VOILUTFunction", "LINEAR") != "LINEAR":
        return None, "VOI table of the file"
    voi = _group(data, "FrameVOILUTSequence") or data
    if voi.get("WindowCenter") not in (None, "") and voi.get("WindowWidth") not in (None, ""):
        centre, width = (np.atleast_1d(np.asarray(voi[key].value, float))[0] for key in ("WindowCenter", "WindowWidth"))
        if width >= 1:
            return (float(centre), float(width)), "file"
    if data.get("Modality") == "CT" and "RescaleIntercept" in (_group(data, "PixelValueTransformationSequence") or data):
        return WINDOWS["soft tissue"], "soft tissue"
    return percentile_window(_without_padding(data, stored, values)), "percentiles 1 to 99.5"


def _without_padding(data, stored, values):
    """The rescaled values whose stored value is not PixelPaddingValue (all of them where that would leave none)."""
    padding = data.get("PixelPaddingValue")
    real = values if padding is None else values[stored != padding]
    return real if real.size else values


def _voi(data, values):
    """The file's VOI table or curve, scaled to 0..255."""
    from pydicom.pixels import apply_voi_lut

    whole = np.rint(values).astype(np.int32) if "VOILUTSequence" in data else values
    out = np.asarray(apply_voi_lut(whole, data), np.float32)
    top = 2.0 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1 if "VOILUTSequence" in data else max(float(out.max()), 1e-6)
    low = 0.0 if "VOILUTSequence" in data else float(out.min())
    return np.clip(np.rint((out - low) / max(top - low, 1e-6) * 255), 0, 255).astype(np.uint8)


def _rescale(data, values):
    """Stored values to physical ones: a modality table, else slope and intercept of the file or of each frame."""
    if "ModalityLUTSequence" in data:
        from pydicom.pixels import apply_modality_lut

        return apply_modality_lut(values, data)
    pairs = []
    for number in range(len(values)):
        group = _group(data, "PixelValueTransformationSequence", number) or data
        pairs.append((float(group.get("RescaleSlope") or 1), float(group.get("RescaleIntercept") or 0)))
    if set(pairs) == {(1.0, 0.0)}:
        return values
    slope, intercept = (np.asarray(v, np.float32)[:, None, None] for v in zip(*pairs))
    return values * slope + intercept


def _group(data, name, frame=0):
    """A functional group of an enhanced multi-frame file: of the frame, else shared; None in other files."""
    each, shared = data.get("PerFrameFunctionalGroupsSequence"), data.get("SharedFunctionalGroupsSequence")
    for item in ([each[frame]] if each and frame < len(each) else []) + ([shared[0]] if shared else []):
        if item.get(name):
            return item[name][0]
    return None


def _fps(data):
    """Frames a second of a multi-frame file: FrameTime, FrameTimeVector, CineRate, RecommendedDisplayFrameRate; else None."""
    if int(data.get("NumberOfFrames") or 1) < 2:
        return None
    if float(data.get("FrameTime") or 0) > 0:
        return 1000 / float(data.FrameTime)
    steps = np.atleast_1d(np.asarray(data.get("FrameTimeVector") or [0], float))[1:]
    if steps.size and steps.mean() > 0:
        return float(1000 / steps.mean())
    rate = float(data.get("CineRate") or data.get("RecommendedDisplayFrameRate") or 0)
    return rate if rate > 0 else None


def _spacing(data):
    """(row, column) distance of pixel centres in mm, or None. An ultrasound region that does not fit the picture is not believed."""
    measures = _group(data, "PixelMeasuresSequence") or data
    for key in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        found = np.atleast_1d(np.asarray(measures.get(key) or [], float))
        if len(found) == 2 and (found > 0).all():
            return float(found[0]), float(found[1])
    for region in data.get("SequenceOfUltrasoundRegions") or []:
        fits = region.get("RegionLocationMaxX1", 0) < data.Columns and region.get("RegionLocationMaxY1", 0) < data.Rows
        if fits and region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == CENTIMETRES:
            return abs(float(region.PhysicalDeltaY)) * 10, abs(float(region.PhysicalDeltaX)) * 10
    return None


def _position(data, path):
    """Distance in mm of a slice along its normal."""
    if "ImagePositionPatient" not in data or "ImageOrientationPatient" not in data:
        raise KitError(f"{path} does not say where its slice lies (ImagePositionPatient), so it cannot be sorted into a series.")
    row, column = np.asarray(data.ImageOrientationPatient, float).reshape(2, 3)
    return float(np.cross(row, column) @ np.asarray(data.ImagePositionPatient, float))


def _laterality(data):
    return {"L": "left", "R": "right", "B": "both"}.get(str(data.get("ImageLaterality") or data.get("Laterality") or ""), "")


def _plain(value):
    """A header value as JSON would hold it."""
    if isinstance(value, int | float):
        return float(value)
    return str(value) if isinstance(value, str) else [_plain(v) for v in value]
