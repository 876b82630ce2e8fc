"""HunyuanVideo (Kong et al. 2024), the base model of the paper: two text encoders, guidance as a number that the transformer is told."""

import torch

from .base import Family, rows


class HunyuanVideo(Family):
    """Trained, as its trainers do, with the embedded guidance of scale 1."""

    name, pipelines = "hunyuan", ("HunyuanVideoPipeline",)
    fps, text_length, trained_guidance = 24, 256, 1.0
    no_first_frame = "HunyuanVideo's image-to-video is another model with other weights"
    no_negative = "HunyuanVideo is told its guidance as a number and never sees a second prompt"

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        embeds, pooled, mask = pipe.encode_prompt(list(prompts), max_sequence_length=self.text_length, **self.text_options)
        return [row | {"pooled": one.cpu().clone()} for row, one in zip(rows(embeds, mask), pooled)]

    def given(self, text, nothing):
        return {"prompt_embeds": text["embeds"], "prompt_attention_mask": text["mask"], "pooled_prompt_embeds": text["pooled"]}

    def predict(self, transformer, x, s, text):
        guidance = torch.full((len(x),), 1000.0, device=x.device, dtype=text["embeds"].dtype)
        return transformer(hidden_states=x, timestep=1000 * s, encoder_hidden_states=text["embeds"], encoder_attention_mask=text["mask"],
                           pooled_projections=text["pooled"], guidance=guidance, return_dict=False)[0]
