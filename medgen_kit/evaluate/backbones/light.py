"""The light backbones: no downloaded weights. Colours, optical flow, and the video and text towers that the course itself trains."""

from pathlib import Path

import numpy as np

from ...errors import KitError
from .. import classical
from ..vbench import CLIP, IMAGENET


class Thumbnail:
    """Features of a picture without weights: 8x8 mean colours about their mean. float [N, 3, h, w] -> [N, 192]."""

    name, weights = "thumbnail (8x8 colours)", ""

    def __call__(self, pictures):
        from torch.nn import functional as F

        small = F.adaptive_avg_pool2d(pictures, 8).flatten(1)
        return small - small.mean(1, keepdim=True)


class Tower:
    """Features of a picture by the video tower of a finished stage `align`: it sees the picture standing still. -> [N, D]."""

    def __init__(self, align_folder, statistics=IMAGENET):
        from ...align import VideoTextModel

        self.model, self.tokenizer = VideoTextModel.load(align_folder)
        self.mean, self.std = statistics
        config = self.model.vision.config
        self.frames, self.side = config.num_frames, config.image_size
        self.name, self.weights = "aligned video tower of the course", file_mark(f"{align_folder}/video_text.safetensors")

    def __call__(self, pictures):
        return self.model.frame_features(self.small(pictures)[:, None].expand(-1, self.frames, -1, -1, -1)).mean(1)

    def small(self, pictures):
        """Normalised pictures [N, 3, h, w] as the tower reads them: uint8 [N, S, S, 3]."""
        import torch
        from torch.nn import functional as F

        shown = pictures * torch.tensor(self.std).view(3, 1, 1) + torch.tensor(self.mean).view(3, 1, 1)
        return (F.interpolate(shown, (self.side, self.side), mode="area").clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)


class TowerVideo(Tower):
    """Eight pictures as one clip -> its place [1, D] in the space that captions share."""

    def __init__(self, align_folder):
        super().__init__(align_folder, CLIP)

    def __call__(self, pictures):
        import torch

        chosen = torch.linspace(0, len(pictures) - 1, self.frames).round().long()
        return self.model.video(self.small(pictures)[chosen][None])


class TowerText(Tower):
    """A caption -> its place [1, D] in the space that clips share. `truncated` says whether it is longer than the tower reads."""

    def __call__(self, text):
        words = self.tokenizer(text, truncation=True, max_length=self.limit, return_tensors="pt")
        return self.model.text(words["input_ids"], words["attention_mask"])

    @property
    def limit(self):
        return self.model.language.config.max_position_embeddings

    def truncated(self, text):
        return len(self.tokenizer(text)["input_ids"]) > self.limit


class ConceptHead(Tower):
    """(clip uint8 [T, H, W, 3], prompt) -> the tags of medical concepts that the head of stage `align` sees, out of those that the prompt
    decides (`clinical.seen_by_head` says why). known: all it can name. weights: mark of the towers and of concepts.json, which names the
    concepts and says what a prompt decides."""

    def __init__(self, align_folder):
        from ...align import ConceptSet
        from .parity import weights_mark

        super().__init__(align_folder)
        self.concepts = ConceptSet.load(f"{align_folder}/concepts.json")
        self.known, self.name = self.concepts.names, "concept head of the course"
        self.weights = weights_mark([Path(align_folder) / name for name in ("video_text.safetensors", "concepts.json")])

    def __call__(self, frames, prompt):
        import torch

        from ... import video
        chosen = np.linspace(0, len(frames) - 1, self.frames).round().astype(int)
        with torch.no_grad():
            seen = self.model.frame_features(torch.as_tensor(video.resize(frames[chosen], self.side)[None])).mean(1)
            logits = self.model.concept_head(seen)[0].tolist()
        return [tag for tag, value, decided in zip(self.known, logits, self.concepts.decided([prompt])[0]) if value > 0 and decided]


class FlowMidpoint:
    """The picture halfway between two, by optical flow in both directions, each read at half the way. [1, 3, H, W] in 0..1."""

    name, weights = "DIS flow midpoint", ""

    def __call__(self, a, b):
        import torch

        first, second = (picture[0].permute(1, 2, 0).numpy() for picture in (a, b))
        there, back = both_flows(first, second)
        guess = (classical.warp(first, -there / 2) + classical.warp(second, -back / 2)) / 2
        return torch.as_tensor(guess).permute(2, 0, 1)[None]


class Flow:
    """Optical flow (DIS) of RGB pictures [1, 3, H, W] in 0..255 -> [1, 2, H, W] pixels (right, down)."""

    name, weights = "DIS flow", ""

    def __call__(self, a, b):
        import torch

        first, second = (picture[0].permute(1, 2, 0).numpy() / 255 for picture in (a, b))
        return torch.as_tensor(both_flows(first, second)[0]).permute(2, 0, 1)[None]


def both_flows(first, second):
    """Flow there and back of two pictures float [H, W, 3] in 0..1, in their own pixels; computed at a short side of 64 to 256."""
    import cv2

    height, width = first.shape[:2]
    levels = [(picture * 255).round().clip(0, 255).astype(np.uint8) for picture in (first, second)]
    pictures = classical.grey(np.stack(levels))
    found = [classical.flow(pictures[0], pictures[1]), classical.flow(pictures[1], pictures[0])]
    if pictures.shape[1:] == (height, width):
        return found
    scale = np.array([width / pictures.shape[2], height / pictures.shape[1]], np.float32)
    return [cv2.resize(move, (width, height), interpolation=cv2.INTER_LINEAR) * scale for move in found]


TRAINED = {"video": TowerVideo, "text": TowerText, "concepts": ConceptHead}


def part(name, align_folder=None):
    """The light network for one part of `vbench`; KitError for a part that has none."""
    if name in ("subject", "background"):
        return Tower(align_folder, IMAGENET if name == "subject" else CLIP) if align_folder else Thumbnail()
    if name == "interpolator":
        return FlowMidpoint()
    if name == "flow":
        return Flow()
    if name in TRAINED and align_folder:
        return TRAINED[name](align_folder)
    if name in TRAINED:
        raise KitError("the light backbone has no text encoder or concept head of its own. Name the run whose towers it may use, or bring "
                       "encoders.")
    raise KitError(f"the light backbone has nothing for '{name}': picture quality and beauty have no stand-in without weights. Use "
                   "'sharpness', which goes by its own name, or the backbone 'parity'.")


def file_mark(path):
    """The first 16 hex digits of a file's SHA-256, which tells weights apart."""
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
