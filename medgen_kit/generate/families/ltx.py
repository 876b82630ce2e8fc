"""LTX-Video (HaCohen et al. 2024): a token stands for 32 x 32 pixels of 8 frames, so long clips fit a small GPU."""

import torch

from .base import Family, rows


class LTXVideo(Family):
    name, pipelines = "ltx", ("LTXPipeline", "LTXImageToVideoPipeline")
    frame_step, multiple, fps, text_length, shifts = 8, 32, 25, 128, False          # it computes its shift from the size

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        embeds, mask, _, _ = pipe.encode_prompt(list(prompts), do_classifier_free_guidance=False, max_sequence_length=self.text_length)
        return rows(embeds, mask)

    def normalise(self, vae, z):
        mean, std = (v.view(1, -1, 1, 1, 1).to(z) for v in (vae.latents_mean, vae.latents_std))
        return (z - mean) * vae.config.scaling_factor / std

    def call(self, settings):
        return super().call(settings) | {"frame_rate": settings.fps}

    def with_first_frame(self, pipe):
        from diffusers import LTXImageToVideoPipeline

        other = LTXImageToVideoPipeline(**pipe.components)         # not from_pipe, which would cast the weights
        other.set_progress_bar_config(disable=True)
        return other

    def predict(self, transformer, x, s, text):
        t, h, w = x.shape[2:]
        tokens = transformer(hidden_states=x.flatten(2).transpose(1, 2), encoder_hidden_states=text["embeds"], timestep=1000 * s,
                             encoder_attention_mask=text["mask"], num_frames=t, height=h, width=w,
                             rope_interpolation_scale=(self.frame_step / self.fps, self.multiple, self.multiple), return_dict=False)[0]
        return tokens.transpose(1, 2).unflatten(2, (t, h, w))
