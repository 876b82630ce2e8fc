"""One upload from first look to measures: probe, scan, segments, one bundle a clip. Plain data out, nothing decided but what a segment
is."""

import hashlib
from pathlib import Path

import numpy as np

from ..errors import VideoError
from . import backends, bundle, features, probe, segment
from . import scorers as scoring

TRACK = ("numbers", "medical", "s", "cuts")          # of a timeline


def look_at(path, name, config):
    """Everything about one upload `path`, called `name`: {"file", "reason", "message", "rows", "sha256", "fps", ..., *TRACK}.

    reason: "" or why the file cannot be used (VideoError's reasons). rows: one dict a segment, with measures where it is medical and long
    enough. What an earlier file said never matters, so files can be looked at in any order and place.
    """
    import av
    import cv2

    found = {"file": name, "reason": "", "message": "", "rows": []}
    try:
        info = probe.look(path, config.limits)
        judge = backends.judge(config.medical, config.embedder, config.seed)
        seen = segment.scan(path, config.step, judge.backend.size)
        facts = timeline(seen, judge, config)
        rows = [row_of(part, facts, seen, info, name) for part in facts.pop("segments")]
        measure(path, rows, config, seen.fps)
        found |= {"sha256": digest(path), "fps": seen.fps, "frames": seen.total, "seconds": round(seen.seconds, 4), "width": info.width,
                  "height": info.height, "codec": info.codec, "bit_rate": info.bit_rate, "rotation": info.rotation, "is_vfr": info.is_vfr,
                  "container": info.container, "other_tracks": ",".join(info.other), "synthetic": "SYNTHETIC" in info.comment}
        return found | facts | {"rows": rows}
    except VideoError as error:
        return found | {"reason": error.reason, "message": error.message}
    except MemoryError:
        return found | {"reason": "too_large", "message": "there is not enough memory for its pictures. Scale it down first."}
    except (av.error.FFmpegError, cv2.error) as error:
        return found | {"reason": "unreadable", "message": f"the decoder gave up ({type(error).__name__}: {error})."}


def digest(path):
    """sha256 of a file in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def timeline(seen, judge, config):
    """C and S of the samples, and the segments they give: {"numbers", "medical", "s", "cuts", "segments"}."""
    medical = np.asarray(judge(seen.thumbs), float)
    s = segment.similarity(judge.backend.embed(seen.thumbs))
    tau = judge.backend.tau if config.tau is None else config.tau
    parts = segment.runs(seen.numbers, medical > config.rules.medical, s, seen.cuts, tau, config.max_steps, config.rules.min_steps)
    return {"numbers": [int(n) for n in seen.numbers], "medical": [round(float(p), 4) for p in medical],
            "s": [round(float(v), 4) for v in s], "cuts": [int(c) for c in seen.cuts], "segments": parts}


def row_of(part, facts, seen, info, name):
    """The row of a segment before it is measured."""
    at = dict(zip(seen.numbers, seen.times))
    later = [n for n in seen.numbers if n > part.last]
    start, end = at[part.first], min(at[later[0]] if later else seen.seconds, at[part.last] + 1 / seen.fps)
    inside = [p for n, p in zip(facts["numbers"], facts["medical"]) if part.first <= n <= part.last]
    return {"upload": name, "first": part.first, "last": part.last, "start_s": round(start, 4), "end_s": round(end, 4), "steps": part.steps,
            "s_min": round(part.s_min, 4), "medical": min(inside) if part.medical else max(inside), "side": probe.resolution(info)}


def measure(path, rows, config, fps):
    """Fill the measures of the rows that are medical and long enough, in one pass over the file."""
    scorers = scoring.scorer(config.aesthetic), scoring.scorer(config.technical)
    asked = [row for row in rows if row["medical"] > config.rules.medical and row["steps"] >= config.rules.min_steps]
    for row, held in bundle.bundles(path, asked, fps, scorers):
        row |= features.measure(held, scorers, config.read_text, config.border)
