"""Wan2.1 (Wan team 2025), and MedGen's public checkpoints, which were fine-tuned from it."""

import torch

from .base import Family, channels


class Wan(Family):
    name, pipelines = "wan", ("WanPipeline",)
    no_first_frame = "Wan2.1 text-to-video has no input for one; Wan2.1 image-to-video is another model with other weights"

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        embeds, _ = pipe.encode_prompt(list(prompts), do_classifier_free_guidance=False, max_sequence_length=self.text_length)
        # the pipeline puts exact zeros behind the last word, and so does `stack`
        return [{"embeds": one[:max(1, int((one != 0).any(-1).sum()))].cpu().clone()} for one in embeds]

    def normalise(self, vae, z):
        mean, std = channels(vae, z)
        return (z - mean) / std

    def predict(self, transformer, x, s, text):
        return transformer(hidden_states=x, timestep=1000 * s, encoder_hidden_states=text["embeds"], return_dict=False)[0]

    def blocks(self, transformer):
        return transformer.blocks
