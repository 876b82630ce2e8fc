"""CogVideoX 2B (Yang et al. 2024): a diffusion model, not flow matching. It has 1,000 noise levels and is trained on v-prediction."""

import torch

from .base import Family


class CogVideoX(Family):
    """v = sqrt(a) eps - sqrt(1 - a) x0 (Salimans and Ho 2022) with the schedule a of the published model."""

    name, pipelines = "cogvideox", ("CogVideoXPipeline",)
    fps, text_length, shifts = 8, 226, False
    no_first_frame = "CogVideoX image-to-video is another model (5B) with other weights"

    def __init__(self, fps=None, **text_options):
        from diffusers import CogVideoXDDIMScheduler

        super().__init__(fps, **text_options)
        self.alphas = CogVideoXDDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                             snr_shift_scale=3.0).alphas_cumprod

    @torch.no_grad()
    def encode_prompts(self, pipe, prompts):
        embeds, _ = pipe.encode_prompt(list(prompts), do_classifier_free_guidance=False, max_sequence_length=self.text_length)
        return [{"embeds": one.cpu().clone()} for one in embeds]          # it sees the padding, so all of it is kept

    def levels(self, s):
        """The nearest of the 1,000 levels."""
        return (1000 * s).long().clamp(0, 999)

    def parts(self, s, like):
        a = self.alphas.to(like.device)[self.levels(s)].to(like.dtype).view(-1, 1, 1, 1, 1)
        return a.sqrt(), (1 - a).sqrt()

    def noise(self, x0, eps, s):
        signal, rest = self.parts(s, x0)
        return signal * x0 + rest * eps

    def target(self, x0, eps, s):
        signal, rest = self.parts(s, x0)
        return signal * eps - rest * x0

    def predict(self, transformer, x, s, text):
        return transformer(hidden_states=x.transpose(1, 2), encoder_hidden_states=text["embeds"], timestep=self.levels(s),
                           return_dict=False)[0].transpose(1, 2)
