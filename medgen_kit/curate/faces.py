"""Faces: a named detector looks a few times a second, its finds are linked over time, every frame between two finds is covered.

    detector = load("yunet:face_detection_yunet_2023mar.onnx")
    frames, figures = hide(frames, fps, detector)
A box is (left, top, right, bottom) in pixels, right and bottom outside. Covering faces is no proof that nobody can be recognised.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import KitError

RATE, MARGIN, HOLD = 5.0, 0.2, 1.0      # looks a second; growth of a box at each side; seconds that a face may go unseen and stays covered
CELLS = 6                               # a covered face keeps the mean colours of 6x6 cells; 1 is one flat colour
SHORT, WIDE, WIDEST = 240, 640, 1920    # pixels: short side for the demo detector; long sides at which YuNet looks
YUNET = ("Download face_detection_yunet_2023mar.onnx (MIT licence, 230 kB) from github.com/opencv/opencv_zoo, folder "
         "models/face_detection_yunet, and say 'yunet:<path of that file>'.")


@dataclass(frozen=True)
class Detector:
    """A face detector. find(frame uint8 [H, W, 3] RGB) -> list of boxes. version: which model, for the record.

    hits: finds that make a face. 1 covers whatever was found once; a detector that often errs needs 2. imaging: False for a detector
    that must not see medical imaging, because it takes organs for faces.
    """

    name: str
    version: str
    find: object
    hits: int = 1
    imaging: bool = True


# ---- detectors by name

def none(_):
    """No detector: faces are not looked for."""


def demo(_):
    """Demo grade: the local-binary-pattern cascade for frontal faces that scikit-image ships. It needs no download.

    It misses turned, tilted and covered faces and takes round tissue for faces: enough to show the step, not to protect anybody. Of 48
    talking heads that `raw_drawn` draws it covered 47 in every frame; on real people it has not been measured.
    """
    import cv2

    try:
        import skimage
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError as error:
        raise KitError(f"the face detector 'demo' needs scikit-image: pip install scikit-image. For real footage: {YUNET}") from error
    cascade, brighter = Cascade(lbp_frontal_face_cascade_filename()), (255 * (np.arange(256) / 255) ** 0.5).astype(np.uint8)

    def find(frame):
        small, scale = scaled(frame, min(SHORT / min(frame.shape[:2]), WIDEST / max(frame.shape[:2])))
        small = cv2.GaussianBlur(brighter[small], (0, 0), 1.5)             # dark skin and noise hide from the cascade otherwise
        found = cascade.detect_multi_scale(small, scale_factor=1.1, step_ratio=1, min_size=(SHORT // 8,) * 2, max_size=(SHORT,) * 2)
        return [tuple(v / scale for v in (box["c"], box["r"], box["c"] + box["width"], box["r"] + box["height"])) for box in found]

    return Detector("demo (demo grade)", f"scikit-image {skimage.__version__}, LBP cascade, frontal faces", find, hits=2, imaging=False)


def yunet(path, score=0.6):
    """YuNet (Wu and others 2023) from a local ONNX file through OpenCV. score: 0 to 1, how sure it has to be; OpenCV's usual is 0.9."""
    import cv2

    network = yunet_network(path, score)

    def find(frame):
        height, width = frame.shape[:2]
        found = []
        for side in {min(max(height, width), WIDEST), WIDE}:              # YuNet sees faces of about 10 to 300 pixels: look near and far
            small, scale = scaled(frame, side / max(height, width))
            network.setInputSize(small.shape[1::-1])
            _, rows = network.detect(np.ascontiguousarray(small[:, :, ::-1]))
            boxes = [] if rows is None else rows[:, :4].tolist()
            found += [(x / scale, y / scale, (x + w) / scale, (y + h) / scale) for x, y, w, h in boxes]
        return merged(found)

    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    return Detector("yunet", f"{Path(path).name} sha256 {digest}, OpenCV {cv2.__version__}", find)


def yunet_network(path, score):
    """cv2.FaceDetectorYN of a file that has been looked at and has run once. KitError says what is wrong with the file."""
    import cv2

    path = Path(path)
    if not str(path).strip(". ") or not path.is_file():
        raise KitError(f"the face detector 'yunet' finds no file '{path}'. {YUNET}")
    start = path.read_bytes()[:64]
    if start.startswith(b"version https://git-lfs"):
        raise KitError(f"{path} is a pointer of Git LFS, not the model itself: use the download button of its page, or `git lfs pull`.")
    if not hasattr(cv2, "FaceDetectorYN"):
        raise KitError(f"this OpenCV ({cv2.__version__}) has no FaceDetectorYN. Install opencv-python-headless 4.8 or newer.")
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (64, 64), score_threshold=score)
        network.detect(np.zeros((64, 64, 3), np.uint8))
    except (cv2.error, SystemError) as error:
        raise KitError(f"{path} is no YuNet model that OpenCV {cv2.__version__} can run ({str(error).strip()[:120]}). {YUNET}") from error
    return network


DETECTORS = {"none": none, "demo": demo, "yunet": yunet}


def register(name, factory):
    """Make a detector known: factory(what stands after the colon of "<name>:...") -> Detector."""
    DETECTORS[name] = factory
    load.cache_clear()


@functools.lru_cache(maxsize=8)
def load(name="none"):
    """The Detector "demo", "yunet:<model.onnx>" or any registered "<name>:<argument>"; None for "none". KitError for any other name."""
    kind, _, argument = str(name).partition(":")
    if kind not in DETECTORS:
        raise KitError(f"there is no face detector '{kind}'. Known: {', '.join(DETECTORS)}. {YUNET}")
    return DETECTORS[kind](argument)


def scaled(frame, scale):
    """(the frame at about `scale`, the scale that it has now)."""
    import cv2

    if scale == 1:
        return frame, 1.0
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    return cv2.resize(frame, size, interpolation=how), scale


# ---- boxes

def area(box):
    """Pixels of a box; 0 for an empty one."""
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def shared(a, b):
    """Pixels that two boxes share."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a, b):
    """Intersection over union of two boxes, 0 to 1."""
    both = shared(a, b)
    return both / max(area(a) + area(b) - both, 1e-9)


def overlap(a, b):
    """Share of the smaller box that lies in the other, 0 to 1."""
    return shared(a, b) / max(min(area(a), area(b)), 1e-9)


def union(a, b):
    """The smallest box around two boxes."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def grown(box, dx, dy, size):
    """The box with dx and dy pixels more at each side, in whole pixels, cut at the picture's edge. size: (height, width)."""
    left, top = int(np.floor(box[0] - dx)), int(np.floor(box[1] - dy))
    right, bottom = int(np.ceil(box[2] + dx)), int(np.ceil(box[3] + dy))
    return max(0, left), max(0, top), min(size[1], right), min(size[0], bottom)


def merged(boxes, least=0.5):
    """Boxes of which none shares `least` of its pixels with another: those that do become their union."""
    out = []
    for box in boxes:
        box = tuple(box)
        while near := next((other for other in out if overlap(box, other) >= least), None):
            out.remove(near)
            box = union(box, near)
        out.append(box)
    return out


# ---- over time

def looks(total, fps, rate=RATE):
    """Frame numbers at which the detector looks: at least `rate` a second, the first and the last among them."""
    return sorted({*range(0, total, max(1, int(fps / rate))), total - 1})


def link(found, gap, least=0.2):
    """Tracks {frame: box} of finds {frame: [boxes]}: a box joins the track whose last box it meets (IoU >= least) within `gap` frames."""
    tracks = []
    for number in sorted(found):
        ready = [track for track in tracks if number - max(track) <= gap]
        pairs = sorted(((iou(box, track[max(track)]), i, j) for i, box in enumerate(found[number]) for j, track in enumerate(ready)),
                       reverse=True)
        boxes, taken = dict(enumerate(found[number])), set()
        for value, i, j in pairs:
            if value >= least and i in boxes and j not in taken:
                ready[j][number] = boxes.pop(i)
                taken.add(j)
        tracks += [{number: box} for box in boxes.values()]
    return tracks


def covered(tracks, total, hold):
    """Boxes by frame, a list of `total` lists. Between two finds their union is covered, before the first and after the last one
    its box for `hold` frames: a face that was missed in between, or turned away for a moment, stays hidden."""
    cover = [[] for _ in range(total)]
    for track in tracks:
        seen = sorted(track)
        spans = [(seen[0] - hold, seen[0], track[seen[0]]), (seen[-1], seen[-1] + hold, track[seen[-1]])]
        spans += [(a, b, union(track[a], track[b])) for a, b in zip(seen, seen[1:])]
        for first, last, box in spans:
            for number in range(max(0, first), min(total - 1, last) + 1):
                cover[number].append(box)
    return cover


def pixelate(frames, cover, cells=CELLS):
    """Frames uint8 [T, H, W, 3] in which the boxes of cover[t] show `cells` x `cells` mean colours, blurred. The input is not changed.

    Fewer cells tell less: of a face that moves, several frames of 6x6 cells together tell more than one; cells=1 leaves one colour.
    """
    import cv2

    out = frames.copy()
    for frame, boxes in zip(out, cover):
        for left, top, right, bottom in boxes:
            wide, tall = right - left, bottom - top
            if wide > 0 and tall > 0:
                part = cv2.resize(frame[top:bottom, left:right], (min(cells, wide), min(cells, tall)), interpolation=cv2.INTER_AREA)
                part = cv2.resize(part, (wide, tall), interpolation=cv2.INTER_NEAREST)
                frame[top:bottom, left:right] = cv2.GaussianBlur(part, (0, 0), max(wide, tall) / cells / 2)
    return out


def hide(frames, fps, detector, rate=RATE, cells=CELLS):
    """(frames with every face covered, figures) of frames uint8 [T, H, W, 3] at `fps` frames a second.

    figures: "looks", "finds", "faces" (tracks with enough finds), "dropped" (tracks with too few), "frames" (covered in part),
    "area" (mean share of the picture that is covered).
    """
    total, size = len(frames), frames.shape[1:3]
    found = {number: detector.find(frames[number]) for number in looks(total, fps, rate)}
    tracks = link(found, gap=round(HOLD * fps))
    kept = [track for track in tracks if len(track) >= min(detector.hits, len(found))]
    cover = [[grown(box, MARGIN * (box[2] - box[0]), MARGIN * (box[3] - box[1]), size) for box in boxes]
             for boxes in covered(kept, total, round(HOLD * fps))]
    figures = {"looks": len(found), "finds": sum(map(len, found.values())), "faces": len(kept), "dropped": len(tracks) - len(kept),
               "frames": sum(map(bool, cover)), "area": round(float(np.mean([share(boxes, size) for boxes in cover])), 4)}
    return (pixelate(frames, cover, cells) if kept else frames), figures


def share(boxes, size):
    """Share of the picture that the boxes cover together."""
    seen = np.zeros(size, bool)
    for left, top, right, bottom in boxes:
        seen[top:bottom, left:right] = True
    return seen.mean()
