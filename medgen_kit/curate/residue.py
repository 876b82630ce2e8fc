"""What a video file still carries besides its picture: run `residue(path)` on a clip before it leaves."""

from pathlib import Path

from .. import video

X264 = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")             # the mark before x264's own settings in the stream
OWN_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "vendor_id"}
USUAL = {"language": ("und",), "handler_name": ("VideoHandler", "SoundHandler", "")}
PLACE = ("location", "gps", "geo", "©xyz", "loci")
SAYING = {"A53_CC": "closed captions", "SEI_UNREGISTERED": "user data", "GOP_TIMECODE": "time code", "S12M_TIMECODE": "time code",
          "DETECTION_BBOXES": "detections", "REGIONS_OF_INTEREST": "regions of interest"}
INSIDE = {"": {"ftyp", "styp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra", "sidx"},
          "moov": {"mvhd", "trak", "mvex", "iods", "udta"}, "trak": {"tkhd", "edts", "mdia", "tref", "tapt"},
          "mdia": {"mdhd", "hdlr", "minf"}, "udta": {"meta"}, "meta": {"hdlr", "ilst", "free"}, "ilst": {"©nam", "©too", "©cmt"}}


def residue(path):
    """What a video file carries besides its picture, as phrases without the values: [] for a file that `video.write` made.

    Looks at streams (sound, subtitles, data, a second picture), chapters, tags, user data in the picture stream, and for MP4 at the
    boxes: unknown ones, times of creation, places, bytes that belong to no stream. Raises VideoError for a file that is no video.
    """
    import av

    video.probe(path)
    said = []
    with av.open(str(path)) as container:
        first = container.streams.video[0]
        said += [f"{stream.type} stream ({codec(stream)})" for stream in container.streams if stream is not first]
        said += [f"{len(container.chapters())} chapters"] * bool(container.chapters())
        said += tags(container.metadata)
        said += [f"{tag} of the {stream.type} stream" for stream in container.streams for tag in tags(stream.metadata)]
        sizes = sum(packet.size for packet in container.demux())
        is_mp4 = "mp4" in container.format.name
    with av.open(str(path)) as container:
        said += sorted({SAYING[side.type.name] + " in the picture stream" for frame in container.decode(video=0) for side in frame.side_data
                        if side.type.name in SAYING and not bytes(side).startswith(X264)})
    return list(dict.fromkeys(said + (boxes_said(path, sizes) if is_mp4 else [])))


def codec(stream):
    """Name of a stream's codec; data streams have none."""
    return getattr(stream.codec_context, "name", None) or "no codec"


def tags(metadata):
    """Names of tags that are not ours: the SYNTHETIC comment, a title beside it, what a muxer writes of itself."""
    ours, said = metadata.get("comment") == video.SYNTHETIC, []
    for key, value in metadata.items():
        name = key.lower()
        known = name in OWN_TAGS or ours and name in ("comment", "title") or name in USUAL and value in USUAL[name]
        if not known:
            said.append(("place: " if name.startswith(PLACE) else "") + f"tag {key}")
    return said


def boxes_said(path, sizes):
    """What the boxes of an MP4 file say. sizes: bytes of all packets; what the media box holds beyond them belongs to no stream."""
    said, media, last, size = [], 0, 0, Path(path).stat().st_size
    with Path(path).open("rb") as file:
        for where, name, payload, end in walk(file, 0, size):
            last = max(last, end)
            if name not in INSIDE[where]:
                said.append(("place: " if name in PLACE else "") + f"box {where}/{name}".replace("box /", "box "))
            elif name == "mdat":
                media += end - payload
            elif name in ("mvhd", "tkhd", "mdhd"):
                said += [f"time of creation ({name})"] * any(times(file, payload))
            elif name in ("free", "skip") and any_byte(file, payload, end):
                said.append(f"bytes in a box that should be empty ({name})")
    return said + ["bytes that belong to no stream"] * (media > sizes) + ["bytes after the last box"] * (last < size)


def walk(file, start, end, where=""):
    """Yield (name of the parent, name, first byte of the payload, end) of the boxes of an MP4 file, parents before children."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, name, payload = int.from_bytes(head[:4], "big"), head[4:8].decode("latin-1"), start + 8
        if size == 1:
            size, payload = int.from_bytes(head[8:16], "big"), start + 16
        stop = end if size == 0 else start + size
        if stop < payload or stop > end:
            return
        yield where, name, payload, stop
        if name in INSIDE and name in INSIDE[where]:
            yield from walk(file, payload + 4 * (name == "meta"), stop, name)
        start = stop


def times(file, payload):
    """Creation and modification time in a header box, in seconds since 1904; 0 where nobody set them."""
    file.seek(payload)
    wide = 8 if file.read(4)[:1] == b"\1" else 4
    return tuple(int.from_bytes(file.read(wide), "big") for _ in range(2))


def any_byte(file, start, end):
    """True when a stretch of a file holds anything but zeros."""
    file.seek(start)
    return any(file.read(min(end - start, 2**20)))
