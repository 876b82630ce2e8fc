"""Automatic metrics of one clip: VBench's formulas (Huang et al. 2024) with backbones by name, and flow-based measures.

Frames are uint8 [T, H, W, 3]. Every metric gives None when the clip is too short or can not be measured. Names say what is
really computed: the flow interpolator stands in for AMT, `sharpness` for MUSIQ, and their figures are not the paper's.
"""

import numpy as np

from ..errors import KitError

BETTER = {"subject_consistency": 1, "background_consistency": 1, "motion_smoothness_flow": 1, "temporal_flickering": 1,
          "sharpness": 1, "flow_warp_error": -1, "motion_pixels": 0}
GRADES = ("No", "Minor", "Moderate", "Severe")


def consistency(features):
    """Subject and background consistency of features [T, D]: mean over t >= 1 of (max(0, c(t-1, t)) + max(0, c(0, t))) / 2.

    c is the cosine. One frame only: None.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 2:
        return None
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    before, first = (unit[1:] * unit[:-1]).sum(1), unit[1:] @ unit[0]
    return float(((np.maximum(before, 0) + np.maximum(first, 0)) / 2).mean())


def backbone(name, folder=None, call=None):
    """A function frames uint8 [T, H, W, 3] -> features [T, D], by name.

    "tower": `call`, any function of yours. "thumbnail": 8x8 colours, no weights. "dino" and "clip": transformers models in
    `folder` (a local folder or a Hub name), preprocessed as VBench does.
    """
    if name == "tower" and callable(call):
        return call
    if name == "thumbnail":
        return thumbnail
    if name in ("dino", "clip") and folder:
        return dino(folder) if name == "dino" else clip(folder)
    raise KitError(f"backbone '{name}' can not be built: 'tower' needs call=, 'dino' and 'clip' need folder=, 'thumbnail' needs nothing.")


def thumbnail(frames):
    """Features without weights: 8x8 mean colours about their mean, [T, 192]."""
    from .. import video

    small = video.resize(np.asarray(frames), 8).reshape(len(frames), -1).astype(np.float64)
    return small - small.mean()


def prepare(frames, side, mode, mean, std):
    """uint8 [T, H, W, 3] -> float [T, 3, h, w]: short side to `side` without antialiasing (as VBench), then normalised."""
    import torch
    from torch.nn import functional as F

    pictures = torch.as_tensor(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    height, width = pictures.shape[-2:]
    size = (side, int(side * width / height)) if height <= width else (int(side * height / width), side)
    pictures = F.interpolate(pictures, size, mode=mode, align_corners=False).clamp(0, 255) / 255
    return (pictures - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def dino(folder):
    """CLS features of a DINO vision transformer (VBench: dino_vitb16), the whole picture, short side at the model's size."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def features(frames):
        pictures = prepare(frames, model.config.image_size, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        return torch.cat([model(one[None], interpolate_pos_encoding=True).last_hidden_state[:, 0] for one in pictures]).numpy()
    return features


def clip(folder):
    """Image embeddings of a CLIP model (VBench: ViT-B/32), centre crop at the model's size."""
    import torch
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    side = model.config.image_size

    @torch.no_grad()
    def features(frames):
        pictures = prepare(frames, side, "bicubic", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
        top, left = ((n - side) // 2 for n in pictures.shape[-2:])
        return torch.cat([model(one[None]).image_embeds for one in pictures[:, :, top:top + side, left:left + side]]).numpy()
    return features


def grey(frames, least=64):
    """uint8 [T, H, W] for optical flow; pictures under `least` pixels are enlarged, flow does not work below that."""
    import cv2

    from .. import video
    frames = np.asarray(frames)
    height, width = frames.shape[1:3]
    if min(height, width) < least:
        scale = least / min(height, width)
        frames = video.resize(frames, (round(height * scale), round(width * scale)))
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def flow(first, second):
    """Dense optical flow (OpenCV's DIS) from one grey picture to the next: float32 [H, W, 2], pixels (right, down)."""
    import cv2

    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(first, second, None)


def warp(picture, move):
    """The picture read at x + move(x): [H, W] or [H, W, C], float32 out."""
    import cv2

    y, x = np.mgrid[:move.shape[0], :move.shape[1]].astype(np.float32)
    return cv2.remap(picture.astype(np.float32), x + move[..., 0], y + move[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def motion_smoothness_flow(frames):
    """VBench's motion smoothness with a flow interpolator in place of AMT: can each odd frame be guessed from its neighbours?

    1 - mean |guess - frame| / 255 over odd frames; None under 3 frames. A clip that stands still scores 1.
    """
    pictures = grey(frames)
    if len(pictures) < 3:
        return None
    errors = []
    for t in range(1, len(pictures) - 1, 2):
        left, right = pictures[t - 1], pictures[t + 1]
        guess = (warp(left, -flow(left, right) / 2) + warp(right, -flow(right, left) / 2)) / 2
        errors.append(np.abs(guess - pictures[t]).mean())
    return float(1 - np.mean(errors) / 255)


def temporal_flickering(frames):
    """1 - mean |frame - next frame| / 255. Meant for scenes that stand still: it punishes motion too. None for one frame."""
    if len(frames) < 2:
        return None
    return float(1 - np.abs(np.diff(np.asarray(frames, np.float32), axis=0)).mean() / 255)


def sharpness(frames, size=64):
    """Variance of the Laplacian of the grey picture at `size` pixels, mean over frames (grey levels squared). Noise is 'sharp' too."""
    import cv2

    from .. import video
    return float(np.mean([cv2.Laplacian(picture, cv2.CV_32F).var() for picture in grey(video.resize(np.asarray(frames), size))]))


def flow_warp_error(frames, least=0.3):
    """Warping error by optical flow (after Lai et al. 2018), not the paper's human figure of the same name.

    Each next frame is warped back onto its frame; squared difference (0..1 pixels) where flow forward and backward agree.
    Returns {"error", "coverage", "pixels"}: error is None under `least` coverage; pixels is the mean flow length at 64 pixels.
    A clip that stands still has no error, so read it beside `pixels`.
    """
    pictures, errors, seen, lengths = grey(frames), [], [], []
    for now, after in zip(pictures, pictures[1:]):
        there, back = flow(now, after), flow(after, now)
        back_here = warp(back, there)
        lengths.append(np.hypot(*there.transpose(2, 0, 1)).mean() * 64 / now.shape[0])
        good = ((there + back_here) ** 2).sum(-1) <= 0.01 * ((there ** 2).sum(-1) + (back_here ** 2).sum(-1)) + 0.5
        seen.append(good.mean())
        if good.any():
            errors.append(((now / 255 - warp(after, there) / 255) ** 2)[good].mean())
    if not seen:
        return {"error": None, "coverage": 0.0, "pixels": None}
    return {"error": float(np.mean(errors)) if errors and np.mean(seen) >= least else None, "coverage": float(np.mean(seen)),
            "pixels": float(np.mean(lengths))}


def measure(frames, subject=thumbnail, background=thumbnail):
    """All automatic metrics of one clip as a flat dict with the names of BETTER. subject, background: backbones (`backbone`)."""
    warped = flow_warp_error(frames)
    return {"subject_consistency": consistency(subject(frames)), "background_consistency": consistency(background(frames)),
            "motion_smoothness_flow": motion_smoothness_flow(frames), "temporal_flickering": temporal_flickering(frames),
            "sharpness": sharpness(frames), "flow_warp_error": warped["error"], "motion_pixels": warped["pixels"]}


def mean_of(rows):
    """Plain mean over clips of each metric, None values left out (and None when all are)."""
    return {name: (float(np.mean(found)) if (found := [row[name] for row in rows if row[name] is not None]) else None) for name in rows[0]}


def human_warping_error(grades):
    """The paper's warping error: a clip fails when at least 2 of its 3 raters say Moderate or Severe.

    grades: [clips, 3] of GRADES. Returns {"percent", "low", "high" (Wilson 95 %), "clips"}.
    """
    from statsmodels.stats.proportion import proportion_confint

    wrong = [row for row in grades if len(row) != 3 or any(g not in GRADES for g in row)]
    if wrong or not len(grades):
        raise KitError(f"each clip needs three grades out of {', '.join(GRADES)}; got {list(wrong[0]) if wrong else 'no clip'}.")
    failed = [sum(g in ("Moderate", "Severe") for g in row) >= 2 for row in grades]
    low, high = proportion_confint(sum(failed), len(failed), method="wilson")
    return {"percent": 100 * float(np.mean(failed)), "low": 100 * low, "high": 100 * high, "clips": len(failed)}
