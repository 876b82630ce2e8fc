"""Finding clips in an upload: the paper's rule on sampled frames (medical, neighbours alike, long enough) and PySceneDetect's cuts.

The paper samples one frame a second and keeps runs of at least 6 steps (6 to 10 seconds). Our clips are about a second long, so the clock
runs faster: a step is a sixth of a clip, (frames - 1) / fps / 6 seconds; the rule j - i >= 6 stays as printed. For a 6-second clip a
step is one second.
"""

from dataclasses import dataclass, field

import numpy as np

from .. import video

WATCHED = 96                           # picture height at which cuts are looked for
MIN_STEPS, MAX_STEPS = 6, 10          # paper section 3.1: j - i >= 6; most clips last 6 to 10 s


@dataclass
class Scan:
    """One forward pass over a file: numbers, times and small pictures of the sampled frames; cuts are the first frames of new shots.

    times: seconds of each sample since the first frame (frames may come at unequal intervals). seconds: the end of the last frame.
    """

    fps: float
    total: int
    numbers: list
    thumbs: np.ndarray
    cuts: list
    times: list = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Segment:
    """Frames first..last (inclusive). steps: j - i. medical: C for all of it. s_min: lowest S inside (1.0 for a single sample)."""

    first: int
    last: int
    steps: int
    medical: bool
    s_min: float


def step_seconds(frames, fps):
    """Seconds between two samples: a sixth of a clip of `frames` frames at `fps` (1.0 for the paper's 6 seconds)."""
    return (frames - 1) / fps / MIN_STEPS


def scan(path, step, size, detector=None):
    """Scan of a file: a sample every `step` seconds at `size` (height, width), and the cuts that PySceneDetect finds.

    Memory does not grow with the resolution of the file. Raises VideoError ("truncated", ...) when it cannot be decoded to its end.
    """
    from scenedetect import FrameTimecode

    fps = video.probe(path).fps
    detector, number, due, last = detector or cut_detector(fps), -1, 0.0, 0.0
    numbers, times, thumbs, cuts = [], [], [], []
    for frame in video.decode(path):
        number, small, last = frame.number, frame.small(WATCHED, grey=False), frame.seconds
        cuts += detector.process_frame(FrameTimecode(number, fps), np.ascontiguousarray(small[:, :, ::-1]))
        if last + 0.5 / fps >= due:
            numbers.append(number)
            times.append(round(last, 4))
            thumbs.append(video.resize(small[None], size)[0] if size[0] <= WATCHED else frame.rgb(size))
            due += step * max(1, np.floor((last + 0.5 / fps - due) / step) + 1)
    cuts += detector.post_process(FrameTimecode(number, fps))
    return Scan(fps, number + 1, numbers, np.stack(thumbs), sorted({cut.frame_num for cut in cuts}), times, last + 1 / fps)


def cut_detector(fps, threshold=3.0, window=2, least=10.0):
    """PySceneDetect's adaptive detector: a frame that changes three times as much as its neighbours do (its defaults; `least` is lower)."""
    from scenedetect import AdaptiveDetector

    shortest = max(2, round(0.3 * fps))
    return AdaptiveDetector(adaptive_threshold=threshold, window_width=window, min_content_val=least, min_scene_len=shortest)


def similarity(embeddings):
    """S [N-1]: cosine similarity of neighbours, S_k = e_k . e_(k+1) / (|e_k| |e_(k+1)|). embeddings [N, D]."""
    length = np.linalg.norm(embeddings, axis=1)
    return np.sum(embeddings[:-1] * embeddings[1:], axis=1) / np.maximum(length[:-1] * length[1:], 1e-12)


def runs(numbers, medical, s, cuts, tau, max_steps=MAX_STEPS, min_steps=MIN_STEPS):
    """The samples as Segments: split where C changes, where S <= tau, and where a cut lies between two samples.

    numbers [N] frame numbers, medical [N] booleans, s [N-1]. Runs of more than `max_steps` steps are split (see `split`), as the paper's
    6 to 10 second clips ask. Every sample is in exactly one segment; which segments are kept is decided later.
    """
    cut_after = [any(a < cut <= b for cut in cuts) for a, b in zip(numbers[:-1], numbers[1:])]
    parts, start = [], 0
    for k in range(len(numbers)):
        last = k == len(numbers) - 1
        if last or medical[k] != medical[k + 1] or s[k] <= tau or cut_after[k]:
            parts += split(start, k, max_steps, min_steps)
            start = k + 1
    return [Segment(int(numbers[i]), int(numbers[j]), j - i, bool(medical[i]), float(np.min(s[i:j], initial=1.0))) for i, j in parts]


def split(i, j, max_steps, min_steps=MIN_STEPS):
    """Samples i..j as equal parts of at most `max_steps` steps; neighbouring parts share no sample.

    Where equal parts would all be shorter than `min_steps`, whole ones of `max_steps` are taken from the start and the rest is left over.
    """
    count, longest = j - i + 1, max_steps + 1
    pieces = -(-count // longest)
    if pieces > 1 and count // pieces <= min_steps < longest:
        edges = np.array([*range(i, j + 1, longest), j + 1])
    else:
        edges = np.linspace(i, j + 1, pieces + 1).round().astype(int)
    return [(int(a), int(b) - 1) for a, b in zip(edges[:-1], edges[1:])]


def boundaries(segments):
    """First frames of all segments but the first: where this upload was cut."""
    return [segment.first for segment in segments[1:]]
