"""What a frame looks like as numbers: the two embedders that the medical test C and the similarity S stand on, and C itself.

`colour` needs nothing and runs everywhere; `clip` is the paper's choice (the visual encoder of CLIP, section 3.1) and needs weights.
"""

import functools
import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import KitError

CLIP_MEAN, CLIP_SD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class ColourBackend:
    """Colour and texture by hand. Frames are looked at with 96x128 pixels."""

    name, size, tau = "colour", (96, 128), 0.90

    def embed(self, frames):
        """Unit vectors [N, D] for S: square roots of a colour histogram and of coarse brightness maps.

        For two histograms p and q the cosine of sqrt(p) and sqrt(q) is the Bhattacharyya coefficient, sum sqrt(p q).
        """
        import cv2

        rows = []
        for frame in frames:
            hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
            colours = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 8], [0, 180, 0, 256, 0, 256]).ravel()
            places = cv2.resize(frame, (8, 6), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2).ravel() + 8
            rows.append(np.concatenate([np.sqrt(colours / colours.sum()), np.sqrt(places / places.sum())]))
        return unit(np.stack(rows))

    def features(self, frames):
        """Numbers [N, D] for C: `embed`, brightness and colour by row and column, edge directions, how much is black, grey or saturated."""
        import cv2

        rows = []
        for frame in frames:
            half = cv2.resize(frame, (self.size[1] // 2, self.size[0] // 2), interpolation=cv2.INTER_AREA)
            hsv, grey = cv2.cvtColor(half, cv2.COLOR_RGB2HSV), cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
            gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
            strength, angle = np.hypot(gx, gy), np.mod(np.arctan2(gy, gx), np.pi)
            edges = np.histogram(angle, 8, (0, np.pi), weights=strength)[0] / (strength.sum() + 1)
            thumb = cv2.resize(frame, (4, 4), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 255
            flat = (strength < 8).mean(), (strength > 120).mean(), (grey < 16).mean(), (grey > 235).mean()
            mean, sd = cv2.meanStdDev(hsv)
            rows.append([*thumb, *edges, *flat, *(mean.ravel() / 255), *(sd.ravel() / 255)])
        return np.concatenate([self.embed(frames), np.array(rows, np.float32)], axis=1)


class ClipBackend:
    """The visual encoder of a CLIP model (transformers), as in the paper. `folder`: a local folder with CLIP weights."""

    name, tau = "clip", 0.85

    def __init__(self, folder):
        from transformers import CLIPModel

        if not (Path(folder) / "config.json").is_file():
            raise KitError(f"embedder 'clip' needs a folder with CLIP weights, and {folder} holds no config.json. Download one, for\n"
                           "example: hf download openai/clip-vit-large-patch14 --local-dir clip-vit-l14\nand name that folder.")
        self.model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
        side = self.model.config.vision_config.image_size
        self.size = (side, side)

    def embed(self, frames, batch=32):
        """Unit vectors [N, D]: CLIP's projected image features."""
        import torch

        from .. import video
        pixels = video.resize(np.asarray(frames), self.size).astype(np.float32) / 255
        pixels = torch.from_numpy((pixels - np.float32(CLIP_MEAN)) / np.float32(CLIP_SD)).permute(0, 3, 1, 2)
        device = next(self.model.parameters()).device
        rows = []
        with torch.inference_mode():
            for part in pixels.split(batch):
                seen = self.model.vision_model(pixel_values=part.to(device)).pooler_output
                rows.append(self.model.visual_projection(seen).float().cpu().numpy())
        return unit(np.concatenate(rows))

    def features(self, frames):
        """The same vectors serve the medical classifier."""
        return self.embed(frames)


def unit(rows):
    """Rows scaled to length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def load(name="colour"):
    """The embedder "colour", or "clip:<folder>" for CLIP weights in a local folder. KitError for any other name."""
    if name == "colour":
        return ColourBackend()
    if name.startswith("clip:"):
        return ClipBackend(name[len("clip:"):])
    raise KitError(f"there is no embedder '{name}'. Say 'colour', or 'clip:<folder with CLIP weights>'.")


class MedicalTest:
    """C of the paper: a logistic regression on frame features. `self(frames)` -> probability of "medical" [N]."""

    def __init__(self, backend, frames, medical, seed=0):
        """Fit to labelled frames: uint8 [N, H, W, 3] and booleans [N]."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.backend = backend
        self.model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=400, random_state=seed))
        self.model.fit(backend.features(frames), np.asarray(medical, int))

    def __call__(self, frames):
        return self.model.predict_proba(self.backend.features(frames))[:, 1]


def example_frames(count, seed, size=(96, 128)):
    """`count` labelled frames uint8 [N, H, W, 3] and booleans: half simulated medicine, half cards, heads and b-roll, in random order.

    Drawn with random numbers of their own, so no frame of an upload is among them; a part is brightened, squeezed between bars or
    subtitled, because the test asks what a frame shows and leaves its flaws to the later rules.
    """
    from .. import sources, video
    from ..sources import raw_drawn as drawn

    rng = np.random.default_rng([seed, 7_002])
    flats = [flat for flat in sources.combinations() if not sources.is_held_out(flat)]
    chosen = [flats[k] for k in rng.integers(len(flats), size=count // 2)]
    pictures = [clip[rng.integers(len(clip))] for clip in sources.render(chosen, int(rng.integers(2**31)), frames=2, size=64)]
    for kind in range(count - len(pictures)):
        made = list(drawn.OTHER.values())[kind % len(drawn.OTHER)](rng, 2, 3 * size[0] // 2, 3 * size[1] // 2)
        pictures.append(made[rng.integers(len(made))])
    labels = np.arange(count) < count // 2
    pictures = np.stack([video.resize(picture[None], size)[0] for picture in pictures])
    for k in rng.permutation(count)[:count // 2]:
        change = (*drawn.SPOIL.values(), lambda f: drawn.subtitles(f, rng))[k % 5]
        pictures[k] = change(pictures[k][None])[0]
    gain = rng.uniform(0.85, 1.15, (count, 1, 1, 1)).astype(np.float32)
    order = rng.permutation(count)
    return np.minimum(pictures * gain, 255).astype(np.uint8)[order], labels[order]


@functools.cache
def judge(medical, embedder="colour", seed=0):
    """C by name (see `config.Config.medical`): called with frames uint8 [N, H, W, 3] it gives probabilities [N]; `.backend` is the
    embedder."""
    backend = load(embedder)
    if medical == "none":
        return AnyTest(backend, lambda frames: np.ones(len(frames)))
    if medical == "drawings":
        return medical_test(backend, seed)
    if medical.startswith("pictures:"):
        return MedicalTest(backend, *labelled_pictures(Path(medical.removeprefix("pictures:")), backend.size), seed=seed)
    module, colon, name = medical.partition(":")
    try:
        function = getattr(importlib.import_module(module), name) if colon else None
    except (ImportError, AttributeError) as error:
        raise KitError(f"medical '{medical}' could not be loaded ({error}). Name '<module>:<function>' of a module that Python "
                       "finds.") from error
    if function is None:
        raise KitError(f"there is no medical test '{medical}'. Say none, drawings, pictures:<folder> or <module>:<function>.")
    return AnyTest(backend, function)


@dataclass
class AnyTest:
    """A medical test from a function: frames uint8 [N, H, W, 3] -> probabilities [N]."""

    backend: object
    function: object

    def __call__(self, frames):
        return np.asarray(self.function(frames), float)


def labelled_pictures(folder, size):
    """(frames uint8 [N, h, w, 3], booleans [N]) from folder/medical and folder/other, pictures of any size; at least ten of each."""
    from PIL import Image, UnidentifiedImageError

    frames, labels = [], []
    for kind in ("medical", "other"):
        paths = sorted(path for path in (folder / kind).glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".bmp"))
        if len(paths) < 10:
            raise KitError(f"{folder / kind} holds {len(paths)} pictures; the medical test needs at least ten in each of medical/ "
                           "and other/.")
        for path in paths:
            try:
                frames.append(np.asarray(Image.open(path).convert("RGB").resize(size[::-1])))
            except (OSError, UnidentifiedImageError) as error:
                raise KitError(f"{path} is not a picture that can be read ({error}). Remove it.") from error
            labels.append(kind == "medical")
    return np.stack(frames), np.array(labels)


def medical_test(backend, seed, count=800):
    """C trained on `example_frames`. It knows the difference between our simulators and our drawings, and nothing else."""
    return MedicalTest(backend, *example_frames(count, seed), seed=seed)
