"""MedGen-tiny: the small Wan of lesson 05, one token a frame, every frame with a noise level of its own."""

import torch

from ... import video
from ...errors import KitError
from ..text import LONG, SHORT, encode_prompts
from .base import Family


class MedGenTiny(Family):
    name, pipelines = "tiny", ("MedGenTinyPipeline",)
    frame_step, multiple, fps, text_length, batch = 8, 32, 8, 1 + SHORT, 33

    def fitting(self, pipe, known):
        return {"num_frames": pipe.config.num_frames, "height": pipe.vae.config.size, "width": pipe.vae.config.size}

    def check_for(self, pipe, settings):
        own = self.fitting(pipe, None)
        if wrong := [name for name in own if getattr(settings, name) != own[name]]:
            raise KitError(f"MedGen-tiny makes clips of {own['num_frames']} frames, {own['height']}x{own['width']}; "
                           f"{wrong[0]}={getattr(settings, wrong[0])} is not possible.")

    def call(self, settings):
        return {}

    def guided(self, guidance_scale):
        return guidance_scale != 1

    def negative(self, text, count):
        return text

    def with_first_frame(self, pipe):
        return pipe

    def first_frame(self, pipe, image, settings, count):
        return video.resize(image[None], pipe.vae.config.size)[0]

    def groups(self, pipe, prompts):
        """All prompts of a batch are read at one length, so long ones go apart."""
        if pipe.tokenizer is None or not prompts:
            return super().groups(pipe, prompts)
        long = [len(ids) > SHORT for ids in pipe.tokenizer(list(prompts))["input_ids"]]
        return [group for kind in (False, True) if (group := [i for i, one in enumerate(long) if one == kind])]

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
