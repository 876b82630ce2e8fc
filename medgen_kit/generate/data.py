"""What a training step reads: latents, prompt features, concept targets and alignment features, all made once before training."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..align import ClipData, ConceptSet, VideoTextModel, text_tower
from ..errors import KitError
from .text import LONG, SHORT, encode_captions
from .tokenizer import EigenframeTokenizer

KINDS = ("brief", "detailed")
TEXTS = ("contrastive", "reader", "random")


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

    def save(self, path):
        """One safetensors file, so that lessons and the ablation need not encode the clips again."""
        from safetensors.torch import save_file

        flat = {}
        for name, value in vars(self).items():
            flat |= {name: value} if torch.is_tensor(value) else {f"{name}.{kind}": part for kind, part in value.items()}
        save_file({name: tensor.contiguous().clone() for name, tensor in flat.items()}, str(path))

    @classmethod
    def load(cls, path):
        from safetensors.torch import load_file

        found = {}
        for name, tensor in load_file(str(path)).items():
            name, _, kind = name.partition(".")
            if kind:
                found.setdefault(name, {})[kind] = tensor
            else:
                found[name] = tensor
        return cls(**found)

    def read_by(self, parts):
        """The same clips with captions read by the text encoder of other `parts`."""
        text, nothing = read_captions(parts, [parts.clips.rows[i] for i in self.numbers.tolist()])
        return replace(self, text=text, nothing=nothing)


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
    """Parts from a finished align stage.

    text: "contrastive" (pretrained), "reader" (the same tower before the contrastive part: it has read captions and seen no clip) or
    "random" (the same tower, random weights).
    """
    if text not in TEXTS:
        raise KitError(f"generate.text is '{text}'; it must be one of {', '.join(TEXTS)}.")
    clips = ClipData.load(folder)
    aligner, tokenizer = VideoTextModel.load(folder)
    encoder = aligner.language
    if text == "reader":
        encoder = type(encoder).from_pretrained(Path(folder) / "text_reader")
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
    text, nothing = read_captions(parts, rows)
    targets = {kind: [torch.as_tensor(part) for part in parts.concepts.targets([row[kind] for row in rows])] for kind in KINDS}
    present, known = ({kind: pair[k] for kind, pair in targets.items()} for k in (0, 1))
    latents = torch.cat([parts.vae.encode(frames[i:i + batch]) for i in range(0, len(frames), batch)])
    features = torch.cat([parts.aligner.frame_features(frames[i:i + batch]) for i in range(0, len(frames), batch)])
    return TrainingSet(latents, text, present, known, features, torch.as_tensor(chosen), nothing)


def read_captions(parts, rows):
    """(text, nothing) of a `TrainingSet`: both captions of each row as features, and the features of no caption."""
    text = {kind: encode_captions(parts.text_encoder, parts.tokenizer, [row[kind] for row in rows], length)
            for kind, length in zip(KINDS, (SHORT, LONG))}
    return text, {kind: torch.zeros_like(features[:1]) for kind, features in text.items()}


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))
