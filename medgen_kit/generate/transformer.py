"""The denoiser: diffusers' WanTransformer3DModel at tiny size, with two additions.

The whole prompt also shifts the time embedding, and every frame knows its place in the clip: rotary embeddings say only how far apart
two frames are, and with nine tokens in all that is not enough to keep them in order.
"""

import torch

from diffusers import ModelMixin, WanTransformer3DModel   # from_pretrained looks for ModelMixin in a component's own module  # noqa: F401
from diffusers.configuration_utils import register_to_config
from diffusers.models.transformers.transformer_wan import WanTimeTextImageEmbedding
from torch import nn


class PooledCondition(WanTimeTextImageEmbedding):
    """Wan's condition embedder; the first text token is the pooled prompt and is added to the time embedding."""

    def __init__(self, dim, freq_dim, text_dim):
        super().__init__(dim, freq_dim, 6 * dim, text_dim)
        self.pooled = nn.Sequential(nn.Linear(text_dim, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, timestep, encoder_hidden_states, encoder_hidden_states_image=None, timestep_seq_len=None):
        time = self.timesteps_proj(timestep).to(encoder_hidden_states.dtype)
        if timestep_seq_len is not None:
            time = time.unflatten(0, (-1, timestep_seq_len))
        pooled = self.pooled(encoder_hidden_states[:, 0])
        time = self.time_embedder(time) + (pooled if timestep_seq_len is None else pooled[:, None])
        return time, self.time_proj(self.act_fn(time)), self.text_embedder(encoder_hidden_states), None


class PlacedFrames(nn.Module):
    """Wan's patch embedding; adds a learned vector for each frame number (at most 32 frames)."""

    def __init__(self, embedding, dim):
        super().__init__()
        self.embedding = embedding
        self.place = nn.Parameter(0.1 * torch.randn(dim, 32, 1, 1))

    def forward(self, x):
        return self.embedding(x) + self.place[:, :x.shape[2]]


class TinyWan(WanTransformer3DModel):
    """WanTransformer3DModel [B, C, T, H, W] -> velocity of the same shape; text [B, 1 + L, text_dim], pooled prompt first."""

    @register_to_config
    def __init__(self, channels: int = 128, dim: int = 192, layers: int = 4, heads: int = 4, text_dim: int = 96):
        super().__init__(patch_size=(1, 1, 1), num_attention_heads=heads, attention_head_dim=dim // heads, in_channels=channels,
                         out_channels=channels, text_dim=text_dim, freq_dim=128, ffn_dim=4 * dim, num_layers=layers,
                         cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32)
        self.condition_embedder = PooledCondition(dim, 128, text_dim)
        self.patch_embedding = PlacedFrames(self.patch_embedding, dim)
