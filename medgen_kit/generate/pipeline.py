"""The generator as a diffusers pipeline: saved, loaded and called like the big ones.

    pipe = load_pipeline(folder)
    clip = pipe(prompt="an apical four-chamber echocardiogram ...", num_inference_steps=20, guidance_scale=2.0).frames[0]
"""

import json
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import DiffusionPipeline
from diffusers.loaders import WanLoraLoaderMixin
from diffusers.pipelines.wan.pipeline_output import WanPipelineOutput

from ..errors import KitError
from .text import encode_prompts

for _library in (diffusers, transformers):      # loading a few megabytes needs no progress bars
    _library.utils.logging.disable_progress_bar()


class MedGenTinyPipeline(DiffusionPipeline, WanLoraLoaderMixin):
    """text_encoder (CLIP's) -> transformer (TinyWan) with scheduler (flow matching, Euler) -> vae (eigenframes). SYNTHETIC output."""

    model_cpu_offload_seq = "text_encoder->transformer->vae"

    def __init__(self, tokenizer, text_encoder, transformer, vae, scheduler, num_frames: int = 9):
        super().__init__()
        self.register_modules(tokenizer=tokenizer, text_encoder=text_encoder, transformer=transformer, vae=vae, scheduler=scheduler)
        self.register_to_config(num_frames=num_frames)

    @torch.no_grad()
    def __call__(self, prompt=None, negative_prompt="", image=None, num_inference_steps=20, guidance_scale=2.0, generator=None,
                 latents=None, num_frames=None, output_type="np", callback_on_step_end=None, prompt_embeds=None,
                 negative_prompt_embeds=None):
        """Generate one clip per prompt; `.frames` is float32 [N, T, H, W, 3] in 0..1 (torch [N, T, 3, H, W] for output_type="pt").

        prompt: text or list of texts. image: optional first frames, uint8 [H, W, 3] or [N, H, W, 3] at the model's size. guidance_scale: 1
        switches guidance off. generator: torch.Generator (or one per prompt) for the noise. latents: the noise itself, [N, K, T, 1, 1].
        prompt_embeds, negative_prompt_embeds: what `encode_prompts` gives, in place of the texts.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt if prompt_embeds is None else prompt_embeds)
        if not prompts or num_inference_steps < 1:
            raise KitError("give at least one prompt and num_inference_steps of at least 1.")
        frames = num_frames or self.config.num_frames
        if frames != self.config.num_frames:
            raise KitError(f"this small model was trained on {self.config.num_frames} frames; num_frames={frames} is not possible.")
        shape = (len(prompts), self.transformer.config.channels, frames, 1, 1)
        x = latents.clone() if latents is not None else _noise(shape, generator)
        x, first = x.to(self.device), self._first_frame(image, len(prompts))
        text, nothing = prompt_embeds, negative_prompt_embeds
        if text is None:
            text = encode_prompts(self.text_encoder, self.tokenizer, prompts)
            nothing = encode_prompts(self.text_encoder, self.tokenizer, [negative_prompt or ""] * len(prompts), text.shape[1] - 1)
        text, nothing = text.to(self.device), nothing.to(self.device)      # while it is trained on a GPU, only the denoiser lives there
        # equal steps of the noise level from 1 down to 0 (the scheduler adds the 0)
        self.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / num_inference_steps, num_inference_steps), device=self.device)
        self._interrupt = False                       # a callback may set it, as in the pipelines of diffusers
        for step, t in enumerate(self.progress_bar(self.scheduler.timesteps)):
            if self._interrupt:
                break
            times = t.expand(len(prompts), frames).clone()
            if first is not None:
                x[:, :, :1], times[:, 0] = first, 0
            v = self.transformer(x, times, text, return_dict=False)[0]
            if guidance_scale != 1:
                free = self.transformer(x, times, nothing, return_dict=False)[0]
                v = free + guidance_scale * (v - free)
            x = self.scheduler.step(v, t, x, return_dict=False)[0]
            if callback_on_step_end is not None:
                x = callback_on_step_end(self, step, t, {"latents": x}).pop("latents", x)
        if first is not None:
            x[:, :, :1] = first
        pictures = self.vae.decode(x.to(self.vae.device)).float().cpu()
        if output_type == "latent":
            return WanPipelineOutput(frames=x)
        return WanPipelineOutput(frames=pictures.permute(0, 1, 4, 2, 3) if output_type == "pt" else pictures.numpy())

    def _first_frame(self, image, count):
        """Latent [N, K, 1, 1, 1] of the first frames, or None."""
        if image is None:
            return None
        image = np.asarray(image)
        image = image[None] if image.ndim == 3 else image
        size = self.vae.config.size
        if image.shape[1:] != (size, size, 3) or image.dtype != np.uint8:
            raise KitError(f"image must be uint8 [{size}, {size}, 3] (one first frame, or one per prompt), "
                           f"not {image.dtype} {list(image.shape)}.")
        if len(image) not in (1, count):
            raise KitError(f"{len(image)} first frames were given for {count} prompts. Give one for all, or one for each.")
        return self.vae.encode(torch.as_tensor(np.repeat(image, count, 0) if len(image) == 1 else image)[:, None]).to(self.device)


def _noise(shape, generator):
    """Normal noise; with a list of generators clip i depends on generator i alone, whatever else is in the batch."""
    if isinstance(generator, (list, tuple)):
        return torch.cat([torch.randn((1, *shape[1:]), generator=one) for one in generator])
    return torch.randn(shape, generator=generator)


def load_pipeline(folder, **options):
    """The pipeline saved in `folder`, or named on a model hub: MedGen-tiny here, Wan2.1 / HunyuanVideo / MedGen by their own class.

    options go to `from_pretrained` (torch_dtype, variant ...). KitError when a local folder holds no pipeline.
    """
    index = Path(folder) / "model_index.json"
    if index.is_file():
        ours = json.loads(index.read_text(encoding="utf-8")).get("_class_name") == MedGenTinyPipeline.__name__
        pipe = (MedGenTinyPipeline if ours else DiffusionPipeline).from_pretrained(str(folder), **options)
    elif Path(folder).exists():
        raise KitError(f"{folder} holds no model_index.json, so it is no diffusers pipeline. Run lesson 05 first, or check the name.")
    else:
        try:
            pipe = DiffusionPipeline.from_pretrained(str(folder), **options)
        except (OSError, ValueError) as error:                  # huggingface_hub's errors are among them
            raise KitError(f"'{folder}' is no folder here, and no pipeline of that name could be fetched from the hub "
                           f"({str(error).splitlines()[0][:160]}). Check the name and the network, log in for a gated model, "
                           "or give the folder of a downloaded pipeline.") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe
