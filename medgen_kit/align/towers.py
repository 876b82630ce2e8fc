"""Two towers: a small VideoMAE reads the clip, a small BERT reads the caption; both end in the same space (CLIP, for video).

`VideoTextModel` also carries the concept head: which medical concepts does the clip show?
"""

from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertModel, VideoMAEConfig, VideoMAEModel

SPACE = 96


def text_tower(vocabulary, hidden=96, layers=2, positions=144):
    """A small bidirectional text encoder (transformers' BERT)."""
    return BertModel(BertConfig(vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=4,
                                intermediate_size=2 * hidden, max_position_embeddings=positions, hidden_dropout_prob=0.0,
                                attention_probs_dropout_prob=0.0), add_pooling_layer=False)


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
    """video(frames) and text(ids, mask) give unit vectors [B, 96]; concepts(frames) gives logits [B, C]."""

    def __init__(self, vision, language, concepts):
        super().__init__()
        self.vision, self.language = vision, language
        self.from_video = nn.Linear(vision.config.hidden_size, SPACE, bias=False)
        self.from_text = nn.Linear(language.config.hidden_size, SPACE, bias=False)
        self.concept_head = nn.Linear(vision.config.hidden_size, concepts)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def frame_features(self, frames):
        """Features per frame, averaged over space: uint8 [B, T, H, W, 3] -> float [B, T, D]. Alignment targets of training."""
        hidden = self.vision(to_input(frames)).last_hidden_state
        return hidden.unflatten(1, (frames.shape[1], -1)).mean(2)

    def video(self, frames):
        return nn.functional.normalize(self.from_video(self.frame_features(frames).mean(1)), dim=-1)

    def text(self, ids, mask):
        hidden = self.language(input_ids=ids, attention_mask=mask).last_hidden_state
        return nn.functional.normalize(self.from_text(pool_words(hidden, mask)), dim=-1)

    def forward(self, frames, ids, mask):
        """(video [B, 96], text [B, 96], concept logits [B, C])."""
        pooled = self.frame_features(frames).mean(1)
        return nn.functional.normalize(self.from_video(pooled), dim=-1), self.text(ids, mask), self.concept_head(pooled)

    def save(self, folder, tokenizer):
        from safetensors.torch import save_model

        self.language.save_pretrained(Path(folder) / "text_encoder")
        tokenizer.save_pretrained(Path(folder) / "tokenizer")
        self.vision.save_pretrained(Path(folder) / "video_encoder")
        save_model(self, str(Path(folder) / "video_text.safetensors"))

    @classmethod
    def load(cls, folder):
        """(model in eval mode, tokenizer) from a finished align stage."""
        from safetensors.torch import load_file
        from transformers import PreTrainedTokenizerFast

        weights = load_file(str(Path(folder) / "video_text.safetensors"))
        model = cls(VideoMAEModel.from_pretrained(Path(folder) / "video_encoder"),
                    BertModel.from_pretrained(Path(folder) / "text_encoder", add_pooling_layer=False), len(weights["concept_head.bias"]))
        model.load_state_dict(weights, strict=False)
        return model.eval(), PreTrainedTokenizerFast.from_pretrained(Path(folder) / "tokenizer")
