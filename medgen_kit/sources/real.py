"""Real clips from the DICOM files that pydicom ships: one echocardiogram, and stills of CT, MR, ultrasound and a bone scan.

The files are read where pydicom installed them; none is downloaded. Captions say what the header states and the eye sees, no more.
"""

import functools
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from .. import video
from ..errors import KitError
from .dicom import from_dicom
from .picture import square

LICENCE = "pydicom test data (MIT-licensed package; its README knows of no restriction on these files)"
ECHO = "examples_ybr_color.dcm"
ECHO_CROP = (24, 222, 75, 273)        # top, bottom, left, right: the sector without the machine's lettering and marker
# first frame and step of nine frames each; the file has 30 frames at 30 a second
ECHO_CUTS = ((0, 1), (7, 1), (14, 1), (21, 1), (0, 2), (4, 2), (8, 2), (13, 2), (0, 3), (5, 3))
ECHO_PHRASES = (
    ("Real ultrasound of a beating heart: a bright wall stands between two dark chambers while a thin valve leaflet moves.",
     "A real cardiac ultrasound recording shows the fan-shaped sector on a black background. A bright, nearly upright wall separates two "
     "dark chambers, and a thin bright valve leaflet moves between them as the heart beats."),
    ("Cardiac ultrasound cine of a real patient, the dark chambers changing size as a valve leaflet opens and closes.",
     "This cine loop comes from a real ultrasound examination of the heart. In the grey sector the dark chambers change their size from "
     "frame to frame; near the middle a thin leaflet swings, and bright tissue echoes line the far end of the sector."),
    ("A real echocardiogram in shades of grey: chamber walls move inwards and outwards around dark blood.",
     "Grey-scale echocardiogram of a real heart. Blood is dark, the chamber walls and the valve are bright, and the walls move inwards and "
     "outwards within the narrow sector. The file's header names neither the view nor a finding."),
)


@dataclass(frozen=True)
class Still:
    """A still image: file, caption and what part of it is shown (top, bottom, left, right), through which window."""

    file: str
    name: str
    brief: str
    detailed: str
    crop: tuple | None = None
    window: object = None


STILLS = (
    Still("CT_small.dcm", "ct_bone", "Still CT slice through the spine in a bone window, one vertebra with its canal in the middle.",
          "A single axial CT slice seen through a bone window. A vertebra with its body, arch and round spinal canal fills the upper half; "
          "muscle lies on both sides and dark lung shows at the upper edges.", window="bone"),
    Still("CT_small.dcm", "ct_soft", "Still CT slice through the spine in a soft tissue window; muscle is grey, the vertebra bright.",
          "The axial CT slice is seen through a soft tissue window. The vertebra is white, the muscles of the back are grey, and the air "
          "in the lungs is black at the upper edges.", window="soft tissue"),
    Still("examples_overlay.dcm", "mr_abdomen", "Still axial MR image of the abdomen with the liver and both kidneys.",
          "A single axial MR image of the abdomen. The large liver lies on the left of the picture, both kidneys stand bright beside the "
          "spine, and the vertebral body is in the middle."),
    Still("MR_small.dcm", "mr_detail", "Still MR image, a small detail in grey; the file does not name the body part.",
          "A small detail of a real MR image with bright and dark tissue. The header gives the modality and the pixel size but no body "
          "part, so none is named here."),
    Still("J2K_pixelrep_mismatch.dcm", "ct_skull_base", "Still CT slice of the head through the skull base, in a bone window.",
          "A single axial CT slice of the head at the level of the skull base, seen through a bone window. Air spaces are black, and the "
          "bone beside the ears is bright and finely structured.", window="bone"),
    Still("examples_rgb_color.dcm", "us_doppler", "Still colour ultrasound image: orange flow signals inside an oval lymph node.",
          "A single colour ultrasound image. Two oval structures lie side by side in grey tissue, and branching orange flow signals fill "
          "them. The word lymph node is written below the picture on the machine's screen.", crop=(66, 160, 24, 300)),
    Still("JPEG2000.dcm", "bone_scan", "Still nuclear medicine image: a whole-body bone scan, the skeleton bright on black.",
          "A single whole-body bone scan from nuclear medicine. The skull, spine, pelvis and the long bones take up the tracer and stand "
          "out bright against a black background."),
)


def path(name):
    """A file of pydicom's test data inside the installed package; KitError when this pydicom does not ship it."""
    found = files("pydicom") / "data" / "test_files" / name
    if not found.is_file():
        raise KitError(f"this pydicom does not ship {name}. Install the version that requirements.lock names.")
    return found


@functools.lru_cache(maxsize=1)
def echo():
    """Picture of the 30-frame echocardiogram, whole screen."""
    return from_dicom(path(ECHO))


def cut(frames, crop):
    """Frames cut to (top, bottom, left, right)."""
    top, bottom, left, right = crop
    return frames[:, top:bottom, left:right]


def echo_clip(number, frames=9, size=64):
    """Echo clip `number`: (frames uint8 [frames, size, size, 3], first frame, step)."""
    first, step = ECHO_CUTS[number]
    whole = cut(echo().frames, ECHO_CROP)
    index = np.minimum(first + step * np.arange(frames), len(whole) - 1)
    return video.resize(whole[index], size), first, step


def still_clip(still, frames=9, size=64):
    """A still image as `frames` equal frames uint8 [frames, size, size, 3], padded with black to a square."""
    picture = from_dicom(path(still.file), still.window)
    image = picture.frames[:1] if still.crop is None else cut(picture.frames[:1], still.crop)
    if picture.spacing and picture.spacing[0] != picture.spacing[1]:
        row, column = picture.spacing
        image = video.resize(image, (image.shape[1], round(image.shape[2] * column / row)))
    return np.repeat(video.resize(square(image), size), frames, axis=0)


def clips(frames=9, size=64, fps=8):
    """Yield (name, frames, fields of a Clip) of every real clip: the echo at several places and speeds, then the stills."""
    for number in range(len(ECHO_CUTS)):
        shown, first, step = echo_clip(number, frames, size)
        brief, detailed = ECHO_PHRASES[number % len(ECHO_PHRASES)]
        slowed = echo().fps / step / fps
        detailed += f" It is shown about {slowed:.1f} times slower than life." if slowed > 1.05 else ""
        yield f"real_echo_{number:02d}", shown, {
            "video_category": "medical imaging", "brief_caption": brief, "detailed_caption": detailed, "source": f"pydicom: {ECHO}",
            "source_id": ECHO, "licence": LICENCE, "camera_motion_type": "static shot",
            "extra": {"title": "Echocardiogram, cine loop", "held_out": False, "synthetic": False, "first_frame": first, "step": step,
                      "slowed": round(slowed, 1)}}
    for still in STILLS:
        yield f"real_{still.name}", still_clip(still, frames, size), {
            "video_category": "medical imaging", "brief_caption": still.brief, "detailed_caption": still.detailed,
            "source": f"pydicom: {still.file}", "source_id": still.file, "licence": LICENCE, "camera_motion_type": "still image",
            "extra": {"title": still.brief.split(":")[0].split(",")[0], "held_out": False, "synthetic": False}}
