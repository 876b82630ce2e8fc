"""Two towers: a small VideoMAE reads the clip, a small CLIP text model the caption; both end in the same space (CLIP, for video).

`VideoTextModel` also carries two concept heads: which medical concepts does the clip show, and which does the caption name?
"""

from pathlib import Path

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, VideoMAEConfig, VideoMAEModel

from .data import finished

SPACE = 96


def text_tower(vocabulary, hidden=96, layers=2, positions=144):
    """A small causal text encoder (transformers' CLIP): each word sees the words before it.

    That is how it learns word order soon: "feet" after "head" is another word than "feet" before it. Lesson 04 compares it with a
    tower that sees both sides at once.
    """
    return CLIPTextModel(CLIPTextConfig(vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=4,
                                        intermediate_size=2 * hidden, max_position_embeddings=positions, hidden_act="gelu",
                                        pad_token_id=0, bos_token_id=2, eos_token_id=0))


def video_tower(frames=9, size=32, hidden=128, layers=3):
    """A small video encoder (transformers' VideoMAE): one token per frame and 16x16 patch."""
    return VideoMAEModel(VideoMAEConfig(image_size=size, patch_size=size // 2, num_frames=frames, tubelet_size=1, hidden_size=hidden,
                                        num_hidden_layers=layers, num_attention_heads=4, intermediate_size=2 * hidden,
                                        use_mean_pooling=False))


def pool_words(hidden, mask):
    """Mean over the real words: hidden [B, L, D], mask [B, L] -> [B, D]."""
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)


def to_input(frames):
    """uint8 [B, T, H, W, 3] -> float [B, T, 3, H, W] in -1..1."""
    return torch.as_tensor(frames).permute(0, 1, 4, 2, 3).float() / 127.5 - 1


class VideoTextModel(nn.Module):
    """video(frames) and text(ids, mask) give unit vectors [B, 96]; the concept heads give logits [B, C]: shown, and said."""

    def __init__(self, vision, language, concepts):
        super().__init__()
        self.vision, self.language = vision, language
        self.from_video = nn.Linear(vision.config.hidden_size, SPACE, bias=False)
        self.from_text = nn.Linear(language.config.hidden_size, SPACE, bias=False)
        self.concept_head = nn.Linear(vision.config.hidden_size, concepts)
        self.said_head = nn.Linear(language.config.hidden_size, concepts)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def frame_features(self, frames):
        """Features per frame, averaged over space: uint8 [B, T, H, W, 3] -> float [B, T, D]. Alignment targets of training."""
        hidden = self.vision(to_input(frames)).last_hidden_state
        return hidden.unflatten(1, (frames.shape[1], -1)).mean(2)

    def video(self, frames):
        return nn.functional.normalize(self.from_video(self.frame_features(frames).mean(1)), dim=-1)

    def read(self, ids, mask):
        """The pooled caption: ids, mask int64 [B, L] -> float [B, D]. The generator's prompt."""
        return pool_words(self.language(input_ids=ids, attention_mask=mask).last_hidden_state, mask)

    def text(self, ids, mask):
        return nn.functional.normalize(self.from_text(self.read(ids, mask)), dim=-1)

    def forward(self, frames, ids, mask):
        """(video [B, 96], text [B, 96], logits of the concepts shown [B, C], logits of the concepts said [B, C])."""
        seen, read = self.frame_features(frames).mean(1), self.read(ids, mask)
        unit = (nn.functional.normalize(part, dim=-1) for part in (self.from_video(seen), self.from_text(read)))
        return *unit, self.concept_head(seen), self.said_head(read)

    def save(self, folder, tokenizer):
        from safetensors.torch import save_model

        self.language.save_pretrained(Path(folder) / "text_encoder")
        tokenizer.save_pretrained(Path(folder) / "tokenizer")
        self.vision.save_pretrained(Path(folder) / "video_encoder")
        save_model(self, str(Path(folder) / "video_text.safetensors"))

    @classmethod
    def load(cls, folder):
        """(model in eval mode, tokenizer) from a finished align stage; KitError when it is none."""
        from safetensors import safe_open
        from safetensors.torch import load_model
        from transformers import PreTrainedTokenizerFast

        weights = str(finished(folder, "video_text.safetensors"))
        with safe_open(weights, "pt") as file:
            concepts = file.get_slice("concept_head.bias").get_shape()[0]
        model = cls(VideoMAEModel.from_pretrained(Path(folder) / "video_encoder"),
                    CLIPTextModel.from_pretrained(Path(folder) / "text_encoder"), concepts)
        load_model(model, weights)
        return model.eval(), PreTrainedTokenizerFast.from_pretrained(Path(folder) / "tokenizer")
