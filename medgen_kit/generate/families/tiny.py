"""MedGen-tiny: the small Wan of lesson 05, one token a frame, every frame with a noise level of its own."""

import torch

from ... import video
from ..text import LONG, SHORT, encode_prompts
from .base import Family


class MedGenTiny(Family):
    name, pipelines = "tiny", ("MedGenTinyPipeline",)
    frame_step, multiple, fps, text_length = 8, 32, 8, 1 + SHORT

    def pick(self, total, frames, step):
        return video.sample_indices(total, frames)              # the small model sees a whole clip in its few frames

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        # one at a time: a long prompt would lengthen the others
        return [{"embeds": encode_prompts(pipe.text_encoder, pipe.tokenizer, [prompt])[0].cpu()} for prompt in prompts]

    def stack(self, texts):
        length = 1 + (SHORT if max(len(text["embeds"]) for text in texts) <= 1 + SHORT else LONG)
        return {"embeds": torch.stack([torch.nn.functional.pad(t["embeds"], (0, 0, 0, length - len(t["embeds"]))) for t in texts])}

    def encode_video(self, pipe, frames):
        return pipe.vae.encode(frames).float()

    def width(self, transformer):
        return transformer.config.dim

    def predict(self, transformer, x, s, text):
        times = 1000 * s[:, None].expand(-1, x.shape[2])
        return transformer(x, times, text["embeds"], return_dict=False)[0]

    def blocks(self, transformer):
        return transformer.blocks
