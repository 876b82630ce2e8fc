"""Video files in and out: probe, decode, sample frames, resize, encode. PyAV decodes everything; OpenCV resizes.

Frames are uint8 arrays [T, H, W, 3], RGB.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from .errors import KitError, VideoError
from .whole import whole

MAX_BYTES = 2 * 2**30                 # refuse to hold more than this of frames in memory: 5.5 minutes of 640x480 at 8 frames a second
SAME_BYTES = "rc-lookahead=0:no-mbtree=1"      # x264's look-ahead gives pictures under 64 pixels other bytes every time
STILLS = ("mjpeg", "png", "gif", "webp")
LISTS = ("concat", "hls", "dash", "imf")        # kinds of file that play others
FIRST = 32                            # packets in which the first picture is looked for
NO_INDEX = "the MP4 has no index (the recording or copy broke off). Copy it again."
SYNTHETIC = "SYNTHETIC - not for clinical use"
LEAST, SHARE = 96, 26                  # pixels under which a clip is enlarged for its mark; the mark's capitals are 1/26 of the height


@dataclass
class VideoInfo:
    """What a file says after one look.

    width, height: of the picture as it is shown, upright and with square pixels. fps: mean frames a second. frames: their number.
    duration: seconds. bit_rate: bits a second of the picture track. codec: its name. rotation: degrees that a player turns it.
    is_vfr: the frames do not come at equal intervals. container: kind of file, as its content says. other: kinds of its other tracks.
    """

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    bit_rate: int
    codec: str
    comment: str = ""
    rotation: int = 0
    is_vfr: bool = False
    container: str = ""
    other: tuple = ()


def _open(path):
    import av

    path = Path(path)
    if not path.is_file():
        raise VideoError(path, "missing", "there is no such file. Check the name, or make the stage that writes it again.")
    if path.stat().st_size == 0:
        raise VideoError(path, "empty", "the file is empty. Copy or download it again.")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise VideoError(path, "unreadable", "you may not read this file. Change its permissions, or copy it.") from error
        if _is_mp4(path):
            raise VideoError(path, "no_index", NO_INDEX) from error
        raise VideoError(path, "not_media", "this is not a video file, whatever its name says.") from error
    except OSError as error:
        raise VideoError(path, "unreadable", f"the disk does not give this file ({error.strerror or error}). Copy it again.") from error
    if container.format.name.split(",")[0] in LISTS:
        container.close()
        raise VideoError(path, "not_media", "this is a list of other files, not a video. Name the videos themselves.")
    if not container.streams.video:
        nothing = not container.streams
        container.close()
        if nothing and _is_mp4(path):
            raise VideoError(path, "no_index", NO_INDEX)
        raise VideoError(path, "no_video", "the file holds no picture track (sound only?).")
    if container.streams.video[0].codec_context is None:
        container.close()
        raise VideoError(path, "unreadable", "no decoder here knows the kind of its picture track. Convert it to H.264.")
    return container


def _is_mp4(path):
    with path.open("rb") as file:
        return b"ftyp" in file.read(16)


def probe(path):
    """VideoInfo of a file, by counting its packets and decoding one frame. Raises VideoError with a typed reason."""
    import av

    with _open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if stream.codec_context.name in STILLS and container.format.name.endswith(("pipe", "image2", "gif")):
            raise VideoError(path, "still_image", "this is a picture, not a video. Use it as an image.")
        fps, comment = float(stream.average_rate or stream.base_rate or 0), container.metadata.get("comment", "")
        shown, sizes, times, codec = None, [], [], stream.codec_context.name
        try:
            for packet in container.demux(stream):
                sizes += [packet.size] * (packet.size > 0)
                times += [packet.pts] * (packet.size > 0 and packet.pts is not None)
                if shown is None and len(sizes) <= FIRST:
                    shown = next(iter(packet.decode()), None)
        except av.error.FFmpegError:                       # decoding the whole file will say where it breaks off
            pass
        width, height = stream.codec_context.width, stream.codec_context.height
        if not width or not height or not sizes or fps <= 0:
            raise VideoError(path, "no_video", "the picture track holds no frames.")
        rotation = int(shown.rotation) if shown is not None else 0
        width, height = _shown_size(width, height, stream.sample_aspect_ratio, rotation)
        other = tuple(sorted(track.type for track in container.streams if track.index != stream.index))
        kind = container.format.name
    gaps = np.diff(np.sort(times))
    vfr = bool(len(gaps) > 1 and gaps.max() > 1.5 * max(1, gaps.min()) and gaps.max() > gaps.min() + 1)
    duration = len(sizes) / fps
    return VideoInfo(width, height, fps, len(sizes), duration, int(8 * sum(sizes) / duration), codec, comment, rotation, vfr, kind, other)


def _shown_size(width, height, aspect, rotation):
    width = max(1, round(width * float(aspect or 1)))
    return (height, width) if rotation % 180 else (width, height)


class Frame:
    """One decoded frame: its `number` from 0 and `seconds` since the first one; a picture is made only when it is asked for, upright and
    with square pixels."""

    def __init__(self, number, seconds, raw, aspect, reformatter):
        self.number, self.seconds, self.raw, self.aspect, self.reformatter = number, seconds, raw, aspect, reformatter

    @property
    def size(self):
        """(height, width) of the picture as it is shown."""
        return _shown_size(self.raw.width, self.raw.height, self.aspect, self.raw.rotation)[::-1]

    def rgb(self, size=None):
        """uint8 [H, W, 3], at `size` (height, width) when given."""
        picture = self._upright(self.reformatter.reformat(self.raw, format="rgb24").to_ndarray())
        size = size or self.size
        return picture if picture.shape[:2] == tuple(size) else resize(picture[None], size)[0]

    def small(self, height, grey=True):
        """Quickly made and small: grey uint8 [height, w], or RGB [height, w, 3]."""
        shown, width = self.size
        turned, wide = self.raw.rotation % 180, max(2, round(height * width / shown))
        made = self.reformatter.reformat(self.raw, width=height if turned else wide, height=wide if turned else height,
                                         format="gray" if grey else "rgb24", interpolation="AREA")
        return self._upright(made.to_ndarray())

    def _upright(self, picture):
        turns = round(self.raw.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def decode(path, numbers=None, known=()):
    """Yield the Frames of a file in one forward pass, in order of show. A file that breaks off raises VideoError 'truncated'.

    numbers: only these frames (counted from 0) are yielded, and of the others only those are decoded that they are made from. A number
    past the end, or whose frame is broken, yields nothing. known: the file's `stamps`, where they were read before.
    """
    known = stamps(path) if known == () else known
    if numbers is None:
        yield from _decode(path, known)
        return
    left = sorted(set(numbers)) if known is None else [number for number in sorted(set(numbers)) if 0 <= number < len(known)]
    for frame in _decode(path, known, set(left)) if known is not None else ():
        if frame.number != left[0]:                        # that one could not be decoded: read on without skipping
            break
        left.pop(0)
        yield frame
    if left:
        yield from (frame for frame in _decode(path, known) if frame.number in left)


def _decode(path, known=None, wanted=None):
    """All frames, or the `wanted` ones (numbers). known: the `stamps` of the file, by which frames are numbered; None counts them."""
    import av

    places = {stamp: number for number, stamp in enumerate(known or ())}
    needed = None if wanted is None else {known[number] for number in wanted}
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1                            # more threads cost more than they save; clips go in parallel
        reformatter = av.video.reformatter.VideoReformatter()            # one for all frames: setting it up costs most
        fps, count, number, first = stream.average_rate or 1, 0, -1, known[0] if known else None
        try:
            for frame in _packets(container, stream, needed):
                stamp = Fraction(count) / fps if frame.pts is None else frame.pts * stream.time_base
                first = stamp if first is None else first
                number, count = max(number + 1, places.get(stamp, 0)), count + 1
                if wanted is None or number in wanted:
                    yield Frame(number, float(stamp - first), frame, stream.sample_aspect_ratio, reformatter)
        except av.error.FFmpegError as error:
            raise VideoError(path, "truncated", f"the file breaks off after {count} frames. Copy or download it again.") from error
        expected = _promised_frames(container, stream)
    if wanted is None and count < 0.98 * expected - (not stream.frames):
        raise VideoError(path, "truncated", f"only {count} of {expected} frames can be decoded. Copy or download it again.")


def _packets(container, stream, needed=None):
    """The decoded frames of a stream; when only some are `needed` (their stamps), others that nothing is made from are skipped."""
    for packet in container.demux(stream):
        if needed is not None:
            wanted = packet.pts is None or packet.pts * stream.time_base in needed
            stream.codec_context.skip_frame = "DEFAULT" if wanted else "NONREF"
        yield from packet.decode()


def stamps(path):
    """When a file's frames are shown, by its packets: exact seconds (Fraction) in order; None where they do not tell (no stamps, two alike,
    fewer than the file promises). Frames before the first that can be decoded (a recording that begins in the middle) do not count."""
    import av

    with _open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        found, first = [], None
        try:
            for packet in container.demux(stream):
                found += [packet.pts] if packet.size and not packet.is_discard else []
                if first is None:
                    first = next((frame.pts for frame in packet.decode()), None)
        except av.error.FFmpegError:
            return None
        short = len(found) < 0.98 * _promised_frames(container, stream)
        if short or first is None or None in found or len(set(found)) < len(found):
            return None
        return [stamp * stream.time_base for stamp in sorted(found) if stamp >= first]


def times(path, known=()):
    """Seconds of a file's frames since the first one, float [N] in order of show. Where its stamps (see `decode`) do not tell, all is
    decoded."""
    known = stamps(path) if known == () else known
    return np.array([float(stamp - known[0]) for stamp in known] if known else [frame.seconds for frame in _decode(path)])


def _promised_frames(container, stream):
    """Number of frames by the file's head: counted, else from the seconds of its picture track, or of the file if nothing else is in it."""
    if stream.frames:
        return stream.frames
    own = float(stream.duration * stream.time_base) if stream.duration else 0.0
    alone = (container.duration or 0) / 1e6 if len(container.streams) == 1 else 0.0
    return round(float(stream.average_rate or 1) * (own or alone))


def iter_frames(path):
    """Yield (seconds, frame uint8 [H, W, 3]) in one forward pass. A file that breaks off raises VideoError 'truncated'."""
    for frame in decode(path):
        yield frame.seconds, frame.rgb()


def sample_indices(total, count):
    """`count` frame numbers at the centres of equal intervals of [0, total): k -> floor((k + 0.5) / count * total)."""
    if total < 1 or count < 1:
        raise KitError(f"sample_indices needs at least one frame and one sample, not total={total}, count={count}.")
    return [int((k + 0.5) / count * total) for k in range(count)]


def read(path, count=None, indices=None, size=None):
    """Frames uint8 [T, H, W, 3] and fps of a file.

    count: that many frames at interval centres. indices: these frame numbers. size: pixels, square or (height, width).
    Raises VideoError (typed reason) for a file that cannot be used, KitError for an index past the end.
    """
    info = probe(path)
    if count is not None:
        indices = sample_indices(info.frames, count)
    wanted = None if indices is None else set(indices)
    kept = info.frames if wanted is None else len(wanted)
    height, width = (info.height, info.width) if size is None else (size, size) if isinstance(size, int) else size
    needed = 3 * width * height * kept
    if needed > MAX_BYTES:
        raise VideoError(path, "too_large", f"{kept} frames of {width}x{height} take {needed / 2**30:.1f} GiB of memory. Ask "
                         "for fewer frames with count=, for smaller ones with size=, or cut the video first (notebook 02).")
    frames = {frame.number: frame.rgb(None if size is None else (height, width)) for frame in decode(path, wanted)}
    order = sorted(frames) if indices is None else list(indices)
    missing = [i for i in order if i not in frames]
    if missing:
        if count is not None and frames:
            order = [nearest(frames, i) for i in order]
        else:
            raise KitError(f"{path} has {len(frames)} of the frames asked for; frame {missing[0]} is past its end.")
    return np.stack([frames[i] for i in order]), info.fps


def nearest(found, number):
    """The key of a dict by frame number that lies nearest to `number`: a frame that could not be decoded has a neighbour."""
    return number if number in found else min(found, key=lambda one: (abs(one - number), one))


def resize(frames, size):
    """Frames [T, H, W, 3] at `size` pixels, square or (height, width). Shrinks by area, enlarges by Lanczos."""
    import cv2

    height, width = (size, size) if isinstance(size, int) else size
    if frames.shape[1:3] == (height, width):
        return frames
    how = cv2.INTER_AREA if height * width < frames.shape[1] * frames.shape[2] else cv2.INTER_LANCZOS4
    return np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in frames])


def mark_synthetic(frames):
    """Frames uint8 [T, H, W, 3] with SYNTHETIC at the lower left, white with a black rim; under 96 pixels they are enlarged first."""
    import cv2

    frames = np.asarray(frames)
    if min(frames.shape[1:3]) < LEAST:
        scale = LEAST / min(frames.shape[1:3])
        frames = resize(frames, tuple(round(scale * size / 2) * 2 for size in frames.shape[1:3]))
    height, width = frames.shape[1:3]
    font, capitals = cv2.FONT_HERSHEY_SIMPLEX, max(9, height / SHARE)
    (wide, high), _ = cv2.getTextSize("SYNTHETIC", font, 1.0, 1)
    scale = min(capitals / high, 0.9 * width / wide)
    thick = max(1, round(capitals / 10))
    letters = np.zeros((height, width), np.uint8)
    cv2.putText(letters, "SYNTHETIC", (round(capitals / 2) + 1, height - round(capitals / 2) - 1), font, scale, 255, thick, cv2.LINE_AA)
    rim = cv2.dilate(letters, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thick + 1, 2 * thick + 1)))
    letters, rim = (mask[None, :, :, None].astype(np.float32) / 255 for mask in (letters, rim))
    rows = slice(max(0, height - round(3 * capitals) - 4), height)                       # only the strip that holds the mark is computed
    marked = frames.copy()
    strip = frames[:, rows] * (1 - rim[:, rows]) * (1 - letters[:, rows]) + 255 * letters[:, rows]
    marked[:, rows] = strip.round().clip(0, 255).astype(np.uint8)
    return marked


def write(path, frames, fps, crf=18, synthetic=False, title=""):
    """Write frames uint8 [T, H, W, 3] as an H.264 MP4 (yuv420p, plays in a browser). Whole or not at all.

    crf: 0 (lossless) to 51. synthetic: writes SYNTHETIC into the container's comment. Odd sizes are padded by one pixel.
    Raises KitError for a wrong array and for a full disk.
    """
    import av

    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise KitError(f"video.write takes uint8 [T, H, W, 3] with T >= 1, not {frames.dtype} {list(frames.shape)}.")
    frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    path = Path(path)
    with whole(path) as part, av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container:
        if synthetic:
            container.metadata["comment"] = SYNTHETIC
        if title:
            container.metadata["title"] = title
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001),
                                      options={"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": SAME_BYTES})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return path
