"""Mochi 1 (Genmo 2024), the second base model of the paper (table 4). Its time runs the other way: 0 is noise, 1 is data."""

import torch

from .base import Family, channels, rows


class Mochi(Family):
    name, pipelines = "mochi", ("MochiPipeline",)
    frame_step, fps, text_length = 6, 30, 256
    no_first_frame = "Mochi 1 has no image-to-video model"

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        embeds, mask, _, _ = pipe.encode_prompt(list(prompts), do_classifier_free_guidance=False, max_sequence_length=self.text_length)
        return rows(embeds, mask)

    def normalise(self, vae, z):
        mean, std = channels(vae, z)
        return (z - mean) * vae.config.scaling_factor / std

    def predict(self, transformer, x, s, text):
        towards_data = transformer(hidden_states=x, timestep=1000 * (1 - s), encoder_hidden_states=text["embeds"],
                                   encoder_attention_mask=text["mask"], return_dict=False)[0]
        return -towards_data
