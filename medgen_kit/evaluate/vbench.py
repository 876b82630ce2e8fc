"""VBench's dimensions (Huang et al. 2024) as pure functions on the frames of one clip, with whatever networks they are handed.

Frames are uint8 [T, H, W, 3], RGB. With the networks that VBench uses (`backbones.load("parity")`) the numbers are VBench's: frames are
chosen, resized without antialiasing, cropped and cut off as it does. A clip that is too short gives None where VBench fails; a network that
gives NaN is a KitError (`NotFinite`), never a score.

An encoder, interpolator or other network of None is the one of the profile (MEDGEN_PROFILE, section `evaluate`). The backbone "light" has
one for consistency, smoothness and dynamic degree. It has none for imaging_quality and aesthetic_quality: None is a KitError there that
says so ("parity" has both, from their weights). overall_consistency has none in either: the light towers belong to a run, and VBench's
ViCLIP is read by no library here. None is a KitError; hand it the encoders of `backbones.load("light", align_folder)`, or your own.
"""

import math

import numpy as np

from ..errors import KitError

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE, BATCH, LONGEST = 224, 16, 512


class NotFinite(KitError):
    """A network gave NaN or infinity for a clip, so there is no score."""


class Views:
    """The frames of one clip, resized once for all dimensions that look at them. Every function here takes frames or their Views."""

    def __init__(self, frames):
        self.frames = checked(frames)
        self._clip = None

    @classmethod
    def of(cls, frames):
        return frames if isinstance(frames, cls) else cls(frames)

    def __len__(self):
        return len(self.frames)

    def subject(self):
        """Yield parts of float [T, 3, h, w]: short side 224 (bilinear), nothing cropped, normalised as ImageNet."""
        for part in self.parts():
            yield normalise(shortened(tensor(part), "bilinear") / 255, *IMAGENET)

    def clip(self):
        """Yield parts of float [T, 3, 224, 224]: short side 224 (bicubic, which may leave 0..255), centre crop, normalised as CLIP's."""
        for start in range(0, len(self), BATCH):
            yield normalise(self.cropped()[start:start + BATCH] / 255, *CLIP)

    def clip_levels(self, numbers):
        """Float [N, 3, 224, 224] of these frames: as `clip`, cut off and rounded to whole grey levels as where VBench resizes 8 bits."""
        return normalise(self.cropped()[numbers].clamp(0, 255).round() / 255, *CLIP)

    def quality(self, mode="longer"):
        """Yield float [1, 3, h, w] in 0..1, a frame at a time, sized as `imaging_quality` says."""
        for part in self.parts():
            for picture in quality_pictures(part, mode):
                yield picture[None]

    def cropped(self):
        """Float [T, 3, 224, 224], bicubic, in grey levels; kept for the next dimension."""
        import torch

        if self._clip is None:
            self._clip = torch.cat([centre(shortened(tensor(part), "bicubic"), SIDE) for part in self.parts()])
        return self._clip

    def parts(self):
        return (self.frames[start:start + BATCH] for start in range(0, len(self), BATCH))


def subject_consistency(frames, encoder):
    """Does the subject stay itself? `consistency` of features of the whole picture, short side 224 (VBench: DINO ViT-B/16).

    encoder: float [N, 3, h, w], normalised as ImageNet -> [N, D]. 0..1, higher is better; None for one frame. A clip that stands still
    scores 1. NotFinite for features that are no numbers.
    """
    return consistency(encode(Views.of(frames).subject(), network(encoder, "subject")))


def background_consistency(frames, encoder):
    """The same formula on CLIP's features of the centre crop (VBench: ViT-B/32); nothing in it separates a background.

    encoder: float [N, 3, 224, 224], normalised as CLIP's -> [N, D]. 0..1; None for one frame.
    """
    return consistency(encode(Views.of(frames).clip(), network(encoder, "background")))


def temporal_flickering(frames):
    """1 - mean |frame - next frame| / 255. Meant for scenes that stand still: it punishes motion too. 0..1; None for one frame."""
    import cv2

    frames = Views.of(frames).frames
    if len(frames) < 2:
        return None
    return float((255 - np.mean([cv2.absdiff(a, b).mean() for a, b in zip(frames, frames[1:])])) / 255)


def motion_smoothness(frames, interpolator):
    """Can each odd frame be guessed from its even neighbours? 1 - mean |guess - frame| / 255 (VBench: AMT-S). 0..1; None under 3 frames.

    interpolator: (a, b) float [1, 3, H, W] of RGB / 255, H and W padded to multiples of 16 -> the picture halfway, same shape. Guesses
    are cut off to whole grey levels, not rounded. A clip that stands still scores 1; half the frames are left out, so fps counts.
    """
    import cv2
    import torch

    frames, interpolator = Views.of(frames).frames, network(interpolator, "interpolator")
    if len(frames) < 3:
        return None
    (top, left), padded = pad(frames[::2], 16)
    height, width, pictures, errors = *frames.shape[1:3], padded / 255, []
    with torch.no_grad():
        for k in range((len(frames) - 1) // 2):
            guess = torch.as_tensor(interpolator(pictures[k:k + 1], pictures[k + 1:k + 2]))
            guess = finite((guess.reshape(3, *pictures.shape[2:]) * 255.0).permute(1, 2, 0).cpu().numpy(), "the interpolator")
            guess = guess[top:top + height, left:left + width].clip(0, 255).astype(np.uint8)
            errors.append(cv2.absdiff(frames[2 * k + 1], guess).mean())
    return float((255 - np.mean(errors)) / 255)


def imaging_quality(frames, quality, mode="longer"):
    """Mean picture quality, 0..100 (VBench: MUSIQ trained on SPAQ, photographs of smartphones; medical pictures are out of its domain).

    quality: float [1, 3, h, w] in 0..1 -> a number; None: MUSIQ where the backbone is "parity", KitError where it is "light".
    mode: "longer" (long side at most 512), "shorter" (short side at most 512), "shorter_centercrop" (and the centre 512) or "None". In a
    set, VBench divides the mean by 100; rows of clips stay 0..100. NotFinite for a network that gives no numbers.
    """
    return float(np.mean(quality_series(frames, network(quality, "quality"), mode)))


def quality_series(frames, quality, mode="longer"):
    """`imaging_quality` of every frame, float [T]."""
    import torch

    with torch.no_grad():
        return finite([float(quality(picture)) for picture in Views.of(frames).quality(mode)], "the network for picture quality")


def aesthetic_quality(frames, encoder, head):
    """LAION's predictor of beauty / 10, mean over frames (VBench: CLIP ViT-L/14 and a linear head). About 0..1. Says little in medicine.

    encoder: float [N, 3, 224, 224], normalised as CLIP's -> [N, D]. head: unit features [N, D] -> [N] or [N, 1]. None of either: LAION's
    where the backbone is "parity", KitError where it is "light".
    """
    import torch
    from torch.nn import functional as F

    features = encode(Views.of(frames).clip(), network(encoder, "aesthetic"))
    with torch.no_grad():
        scores = torch.as_tensor(network(head, "aesthetic_head")(F.normalize(features, dim=-1))).reshape(-1)
    return finite(float((scores / 10).mean()), "the network for beauty")


def dynamic_degree(frames, fps, flow, vbench_compatible=True):
    """Does the clip move? True or False; the score of a set is the share that does (VBench: RAFT, 20 iterations).

    fps: frames a second, above 0; KitError for others. flow: (a, b) float [1, 3, H, W] of RGB 0..255, padded to multiples of 8 ->
    [1, 2, H, W] pixels (right, down). Frames are kept at about 8 a second. A pair moves when its fastest 5 % of pixels go further than 6
    pixels at a short side of 256; a quarter of the kept frames must. vbench_compatible: False mends two faults: two frames alone always
    counted as moving, and a flow of NaN (RAFT under 128 pixels) as standing still; both give an answer by the flow, or None where there
    is none.
    """
    lengths, needed, limit, sound = flow_lengths(frames, fps, flow)
    moving = sum(length > limit for length in lengths)
    if vbench_compatible:
        return bool(lengths) and moving >= needed
    return moving >= max(1, needed) if lengths and sound else None


def overall_consistency(frames, video_encoder, text_encoder, prompt):
    """Cosine of video and text, -1..1 (VBench: ViCLIP, whose text ends at 32 tokens; report the share of prompts that it cuts).

    video_encoder: float [8, 3, 224, 224], normalised as CLIP's -> [D] or [1, D] (features of frames [8, D] are averaged).
    text_encoder: str -> [D] or [1, D]. No score (None) for an empty prompt. An encoder of None is a KitError in every profile: no run is
    named, so there are no towers. NotFinite for encoders that give no numbers.
    """
    import torch
    from torch.nn import functional as F

    views = Views.of(frames)
    if prompt is not None and not isinstance(prompt, str):
        raise KitError(f"the prompt is {prompt!r}; overall_consistency takes a text, or None where there is none.")
    if not prompt:
        return None
    pictures = views.clip_levels(middle_frames(len(views), 8))
    with torch.no_grad():
        seen = torch.as_tensor(network(video_encoder, "video")(pictures)).float()
        said = torch.as_tensor(network(text_encoder, "text")(prompt)).float().reshape(-1)
        seen = F.normalize(seen, dim=-1).reshape(-1, said.shape[0]).mean(0)
        return finite(float(F.cosine_similarity(seen, said, dim=0)), "one of the encoders")


def consistency(features):
    """Features [T, D] -> mean over t >= 1 of (max(0, c(t-1, t)) + max(0, c(0, t))) / 2 with the cosine c. One frame only: None."""
    pairs = consistency_pairs(features)
    return float(pairs.mean()) if len(pairs) else None


def consistency_pairs(features):
    """The T - 1 terms that `consistency` is the mean of, float [T - 1]."""
    features = finite(np.asarray(features, np.float64), "the encoder")
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    before, first = (unit[1:] * unit[:-1]).sum(1), unit[1:] @ unit[0]
    return (np.maximum(before, 0) + np.maximum(first, 0)) / 2


def flow_lengths(frames, fps, flow):
    """(mean length of the fastest 5 % of flow of each kept pair, how many pairs must move, pixels that count as moving, whether every
    flow was a number everywhere)."""
    import torch

    if isinstance(fps, bool) or not isinstance(fps, int | float | np.number) or not math.isfinite(fps) or fps <= 0:
        raise KitError(f"fps is {fps!r}; dynamic_degree needs the frames a second, a number above 0. video.read(path) gives it.")
    frames, flow = Views.of(frames).frames[::max(1, round(fps / 8))], network(flow, "flow")
    limit, needed = 6.0 * min(frames.shape[1:3]) / 256, round(4 * len(frames) / 16)
    _, pictures = pad(frames, 8)
    lengths, sound = [], True
    with torch.no_grad():
        for a, b in zip(pictures, pictures[1:]):
            moved = torch.as_tensor(flow(a[None], b[None])).reshape(2, -1).float().cpu().numpy()
            fastest = np.sort(-np.sqrt(np.square(moved).sum(0)))[:max(1, int(moved.shape[1] * 0.05))]       # NaN comes last
            lengths.append(float(-fastest.mean()))
            sound &= bool(np.isfinite(moved).all())
    return lengths, needed, limit, sound


def middle_frames(total, count):
    """`count` frame numbers: the middle of equal intervals of [0, total), the last one repeated when the clip is shorter."""
    edges = np.linspace(0, total, min(count, total) + 1).astype(int)
    middles = [int(first + after - 1) // 2 for first, after in zip(edges, edges[1:])]
    return middles + middles[-1:] * (count - len(middles))


def checked(frames):
    """The frames, when they are uint8 [T, H, W, 3] with T >= 1; KitError when not."""
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise KitError(f"VBench's functions take frames uint8 [T, H, W, 3] with T >= 1, not {frames.dtype} {list(frames.shape)}. "
                       "video.read(path)[0] gives them.")
    return frames


def finite(values, whose):
    """The values as they are; NotFinite when one is NaN or infinite. whose: the network that gave them, in words."""
    if not np.isfinite(np.asarray(values, np.float64)).all():
        raise NotFinite(f"{whose} gave numbers that are not finite (NaN or infinite) for this clip, so there is no score. Look at its "
                        "weights, its precision (float16 overflows) and the size of the clip.")
    return values


def network(given, part):
    """The network that was given, or the one of the profile for this part (subject, background, interpolator, ...)."""
    if given is not None:
        return given
    from . import backbones
    return backbones.of_profile().part(part)


def encode(parts, encoder):
    """Parts of float [N, 3, h, w] -> features float32 [N, D], one part after another."""
    import torch

    with torch.no_grad():
        return torch.cat([torch.as_tensor(encoder(part)).float().cpu() for part in parts])


def tensor(frames):
    """uint8 [T, H, W, 3] -> float32 [T, 3, H, W], 0..255."""
    import torch

    return torch.as_tensor(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).contiguous().float()


def centre(pictures, side):
    """The middle `side` pixels of pictures [T, 3, H, W]."""
    top, left = (round((size - side) / 2) for size in pictures.shape[2:])
    return pictures[:, :, top:top + side, left:left + side]


def quality_pictures(frames, mode="longer"):
    """uint8 [T, H, W, 3] -> float [T, 3, h, w] in 0..1 for `imaging_quality`."""
    if mode not in ("longer", "shorter", "shorter_centercrop", "None"):
        raise KitError(f"mode '{mode}' of imaging_quality is not one of longer, shorter, shorter_centercrop, None.")
    pictures = tensor(frames)
    height, width = pictures.shape[2:]
    side = {"longer": max(height, width), "None": 0}.get(mode, min(height, width))
    if side > LONGEST:
        scale = LONGEST / side
        pictures = resized(pictures, (int(scale * height), int(scale * width)), "bilinear")
        pictures = centre(pictures, LONGEST) if mode == "shorter_centercrop" else pictures
    return pictures / 255


def shortened(pictures, mode):
    """Pictures [T, 3, H, W] with the short side at 224, the long side cut off to whole pixels."""
    height, width = pictures.shape[2:]
    size = (SIDE, int(SIDE * width / height)) if height <= width else (int(SIDE * height / width), SIDE)
    return resized(pictures, size, mode)


def resized(pictures, size, mode):
    """Resized without antialiasing, as VBench always does; values of "bicubic" may leave the range."""
    from torch.nn import functional as F

    return pictures if tuple(pictures.shape[2:]) == tuple(size) else F.interpolate(pictures, size, mode=mode, align_corners=False)


def normalise(pictures, mean, std):
    """(pictures - mean) / std by channel."""
    import torch

    return (pictures - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def pad(frames, multiple):
    """((rows above, columns left), float [T, 3, H', W'] in 0..255): sides padded to multiples by repeating the edge, both sides alike."""
    from torch.nn import functional as F

    down, right = (-size % multiple for size in frames.shape[1:3])
    return (down // 2, right // 2), F.pad(tensor(frames), (right // 2, right - right // 2, down // 2, down - down // 2), mode="replicate")
