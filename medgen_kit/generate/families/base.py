"""What all families share: the rules for sizes, and flow matching as the way to noise and to train (a family may do otherwise)."""

import torch
from PIL import Image

from ... import video
from ...errors import KitError
from .. import flow


class Family:
    """An adapter. s: noise level [B] in 0..1; x0, eps: [B, C, t, h, w], normalised latents; text: dict of batched tensors.

    frame_step: frames are a multiple of it plus 1. multiple: height and width are multiples of it. fps: what the model was made for.
    text_length: tokens that the transformer is shown. shifts: whether its sampling takes a fixed timestep shift. batch: clips that are
    sampled at a time. no_first_frame, no_negative: why it takes no first frame, no negative prompt ("" where it does). trained_guidance:
    what a LoRA of ours is sampled with, where it is not the model's own. text_options: go to the pipeline's `encode_prompt`
    (HunyuanVideo's prompt template).
    """

    name, pipelines = "", ()
    frame_step, multiple, fps, text_length, shifts = 4, 16, 16, 512, True
    lora_targets = ("to_q", "to_k", "to_v", "to_out.0")
    batch, no_first_frame, no_negative, trained_guidance = 1, "it has no input for one", "", None

    def __init__(self, fps=None, **text_options):
        self.fps, self.text_options = fps or self.fps, text_options

    def check(self, frames, height, width):
        """KitError that names the nearest possible size when the family cannot have this one."""
        near = self.frame_step * round((frames - 1) / self.frame_step) + 1
        if frames < 1 or frames != near:
            raise KitError(f"{self.name}: {frames} frames are not possible; its clips have {self.frame_step}k + 1 frames, for example "
                           f"{max(near, self.frame_step + 1)}.")
        for what, pixels in (("height", height), ("width", width)):
            if pixels < 1 or pixels % self.multiple:
                near = max(1, round(pixels / self.multiple)) * self.multiple
                raise KitError(f"{self.name}: a {what} of {pixels} pixels is not possible; it must be a multiple of {self.multiple}, "
                               f"for example {near}.")

    def fitting(self, pipe, known):
        """The size that `pipe` was made for, by its Model."""
        return {"num_frames": known.frames, "height": known.height, "width": known.width}

    def check_for(self, pipe, settings):
        """KitError when `pipe` cannot make clips of the size of SampleSettings."""
        self.check(settings.num_frames, settings.height, settings.width)

    def call(self, settings):
        """Arguments of the pipeline's call that say how large a clip is."""
        return {"num_frames": settings.num_frames, "height": settings.height, "width": settings.width}

    def guided(self, guidance_scale):
        """Whether a negative prompt counts at this scale."""
        return guidance_scale > 1

    def negative(self, text, count):
        """A negative prompt as the pipeline takes it for `count` clips."""
        return [text] * count

    def with_first_frame(self, pipe):
        """The pipeline that takes a first frame, with the same weights."""
        raise KitError(f"a first frame was given, but {self.no_first_frame}. Leave the image out, or choose ltx-video or medgen-tiny.")

    def first_frame(self, pipe, image, settings, count):
        """A first frame uint8 [H, W, 3] as that pipeline takes it, at the clip's size."""
        return [Image.fromarray(video.resize(image[None], (settings.height, settings.width))[0])] * count

    def groups(self, pipe, prompts):
        """Lists of numbers of prompts that may share a batch."""
        return [list(range(len(prompts)))]

    def pick(self, total, frames, step):
        """Which `frames` of a clip's `total` are read: the middle ones, one each `step` frames (a number, at least 1, not always whole)."""
        first = max(0, (total - 1 - round((frames - 1) * step)) // 2)
        return [min(total - 1, first + round(k * step)) for k in range(frames)]

    def encode_prompts(self, pipe, prompts):
        """One dict of CPU tensors per prompt, as long as the prompt is (nothing is stored of the padding)."""
        raise NotImplementedError

    def stack(self, texts):
        """A batch from such dicts: everything with a row a token is padded with zeros to `text_length`, which is what the pipeline does."""
        return {key: torch.stack([_pad(text[key], self.text_length) if key in ("embeds", "mask") else text[key] for text in texts])
                for key in texts[0]}

    def given(self, text, nothing):
        """Arguments for the pipeline's call that stand for a prompt and a negative prompt (both as `stack` gives them)."""
        names = {"embeds": "prompt_embeds", "mask": "prompt_attention_mask"}
        return {f"{side}{names[key]}": value for side, texts in (("", text), ("negative_", nothing)) for key, value in texts.items()}

    def encode_video(self, pipe, frames):
        """Normalised latents [B, C, t, h, w] of frames uint8 [B, T, H, W, 3] (the VAE's mean, nothing drawn)."""
        return self.normalise(pipe.vae, pipe.vae.encode(pixels(frames, pipe.vae)).latent_dist.mode()).float()

    def normalise(self, vae, z):
        """The VAE's latents at the scale that the transformer knows."""
        return z * vae.config.scaling_factor

    def noise(self, x0, eps, s):
        """The clip at noise level s."""
        return flow.interpolate(x0, eps, s)

    def target(self, x0, eps, s):
        """What `predict` should return."""
        return flow.velocity(x0, eps)

    def predict(self, transformer, x, s, text):
        """The transformer's answer [B, C, t, h, w] at noise level s."""
        raise NotImplementedError

    def blocks(self, transformer):
        """The blocks in order; the hidden state of one of them can be aligned with features of the clip."""
        return transformer.transformer_blocks

    def width(self, transformer):
        """Numbers in the hidden state of a token."""
        return transformer.config.num_attention_heads * transformer.config.attention_head_dim


def channels(vae, z):
    """(mean, standard deviation) of the VAE's channels, shaped to go with latents [B, C, t, h, w]."""
    return (torch.tensor(v, device=z.device, dtype=z.dtype).view(1, -1, 1, 1, 1) for v in (vae.config.latents_mean, vae.config.latents_std))


def pixels(frames, vae):
    """uint8 [B, T, H, W, 3] as the VAE reads them: [B, 3, T, H, W] in -1..1, of its device and precision."""
    frames = torch.as_tensor(frames).to(vae.device).permute(0, 4, 1, 2, 3)
    return frames.to(vae.dtype) / 127.5 - 1


def rows(embeds, mask):
    """[{"embeds": [L, D], "mask": [L]}] of a batch [B, S, D], [B, S], each cut at its real length (at least 1)."""
    lengths = [max(1, int(one.sum())) for one in mask]
    return [{"embeds": e[:n].cpu().clone(), "mask": m[:n].cpu().clone()} for e, m, n in zip(embeds, mask, lengths)]


def _pad(tensor, length):
    if len(tensor) >= length:
        return tensor[:length]
    return torch.cat([tensor, tensor.new_zeros(length - len(tensor), *tensor.shape[1:])])
