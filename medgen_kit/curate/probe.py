"""A first look at a file: can it be used at all? Every refusal has a typed reason and goes to quarantine, never stops the run."""

from dataclasses import dataclass

from .. import video
from ..errors import VideoError


@dataclass(frozen=True)
class Limits:
    """What we accept. max_side: pixels. max_seconds: length. min_frames: shorter is a picture. max_frame_pixels: width x height."""

    max_side: int = 16384
    max_seconds: float = 4 * 3600
    min_frames: int = 9
    max_frame_pixels: int = 64_000_000


def look(path, limits=None):
    """VideoInfo of a usable file.

    Raises VideoError, reason one of missing, empty, not_media, no_video, no_index, still_image, too_short, too_large. A file that breaks
    off ("truncated") shows only when it is decoded: see `segment.scan`.
    """
    limits = limits or Limits()
    info = video.probe(path)
    if max(info.width, info.height) > limits.max_side or info.width * info.height > limits.max_frame_pixels:
        raise VideoError(path, "too_large", f"{info.width}x{info.height} pixels are more than this stage takes. Scale it down first.")
    if info.duration > limits.max_seconds:
        raise VideoError(path, "too_large", f"{info.duration / 3600:.1f} hours are more than the {limits.max_seconds / 3600:.1f} that this "
                         "stage takes. Cut the file into parts first.")
    if info.frames < limits.min_frames:
        raise VideoError(path, "too_short", f"{info.frames} frames are too few for a clip ({limits.min_frames} are needed). Leave it out.")
    return info


def resolution(info):
    """The short side in pixels: the number in "480p"."""
    return min(info.width, info.height)
