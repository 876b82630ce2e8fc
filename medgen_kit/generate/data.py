"""What a training step reads: latents, prompt features, concept targets and alignment features, all made once before training."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from ..align import ClipData, ConceptSet, VideoTextModel, text_tower
from .text import LONG, SHORT, encode_captions
from .tokenizer import EigenframeTokenizer

KINDS = ("brief", "detailed")


@dataclass
class TrainingSet:
    """N clips of the training split, by row.

    latents [N, K, T, 1, 1]; text {kind: float16 [N, 1 + L, D]}; present, known {kind: [N, C]}; features [N, T, D]: video tower, frozen.
    """

    latents: torch.Tensor
    text: dict
    present: dict
    known: dict
    features: torch.Tensor
    numbers: torch.Tensor
    nothing: dict

    def __len__(self):
        return len(self.latents)


@dataclass
class Parts:
    """The frozen parts around the denoiser: text tokenizer and encoder, video tokenizer (vae), concepts, and the clips themselves."""

    tokenizer: object
    text_encoder: object
    vae: EigenframeTokenizer
    concepts: ConceptSet
    clips: ClipData
    aligner: VideoTextModel


def load_parts(folder, components=128, text="contrastive", seed=0):
    """Parts from a finished align stage. text: "contrastive" (pretrained) or "random" (same tower, random weights: the ablation)."""
    clips = ClipData.load(folder)
    aligner, tokenizer = VideoTextModel.load(folder)
    encoder = aligner.language
    if text == "random":
        torch.manual_seed(seed)
        encoder = text_tower(len(tokenizer))
    vae = EigenframeTokenizer.fit(clips.frames[clips.split("train")], components, seed)
    return Parts(tokenizer, encoder.eval().requires_grad_(False), vae, ConceptSet.load(Path(folder) / "concepts.json"), clips, aligner)


@torch.no_grad()
def training_set(parts, split="train", batch=64):
    """The `TrainingSet` of one split."""
    chosen = parts.clips.split(split)
    frames = torch.as_tensor(parts.clips.frames[chosen])
    rows = [parts.clips.rows[i] for i in chosen]
    text, present, known, nothing = {}, {}, {}, {}
    for kind, length in zip(KINDS, (SHORT, LONG)):
        captions = [row[kind] for row in rows]
        text[kind] = encode_captions(parts.text_encoder, parts.tokenizer, captions, length)
        nothing[kind] = torch.zeros_like(text[kind][:1])
        present[kind], known[kind] = (torch.as_tensor(part) for part in parts.concepts.targets(captions))
    latents = torch.cat([parts.vae.encode(frames[i:i + batch]) for i in range(0, len(frames), batch)])
    features = torch.cat([parts.aligner.frame_features(frames[i:i + batch]) for i in range(0, len(frames), batch)])
    return TrainingSet(latents, text, present, known, features, torch.as_tensor(chosen), nothing)


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))
