"""The models by name: family, hub repository, whether medical data was in its training, and the sizes that were published.

The sizes make it possible to count parameters and memory on the meta device, without a download.
"""

import importlib
from dataclasses import dataclass, field

from ..errors import KitError
from ..profiles import near


@dataclass(frozen=True)
class Model:
    """repo: hub repository in diffusers' layout, or (with `base`) one that may hold the original layout. base: name of the model whose
    text encoder and VAE it shares. medical: trained on medical video. parts: {component: (class, configuration)} as published.
    frames, height, width, fps: what it was made for. guidance_scale, num_inference_steps, sample_shift: its pipeline's defaults.
    """

    name: str
    family: str
    about: str
    repo: str = ""
    base: str = ""
    medical: bool = False
    parts: dict = field(default_factory=dict)
    frames: int = 81
    height: int = 480
    width: int = 832
    fps: int = 16
    guidance_scale: float = 5.0
    num_inference_steps: int = 50
    sample_shift: float = 3.0

    def __str__(self):
        return f"{self.name} ({'medical' if self.medical else 'general, not medical'})"


def wan(heads, layers, ffn):
    return {"transformer": ("diffusers.WanTransformer3DModel", dict(num_attention_heads=heads, attention_head_dim=128, num_layers=layers,
                                                                    ffn_dim=ffn, in_channels=16, out_channels=16, text_dim=4096,
                                                                    freq_dim=256, patch_size=(1, 2, 2), cross_attn_norm=True,
                                                                    qk_norm="rms_norm_across_heads")),
            "vae": ("diffusers.AutoencoderKLWan", {}), "text_encoder": UMT5_XXL}


XXL = dict(d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, feed_forward_proj="gated-gelu")
UMT5_XXL = ("transformers.UMT5EncoderModel", dict(vocab_size=256384, **XXL))
T5_XXL = ("transformers.T5EncoderModel", dict(vocab_size=32128, **XXL))
LLAMA_8B = ("transformers.LlamaModel", dict(vocab_size=128320, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
                                            num_attention_heads=32, num_key_value_heads=8))
CLIP_L = ("transformers.CLIPTextModel", dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                             num_attention_heads=12, projection_dim=768))
SMALL, LARGE = wan(12, 30, 8960), wan(40, 40, 13824)
# where a configuration is empty, the class's own defaults are the published sizes
HUNYUAN = {"transformer": ("diffusers.HunyuanVideoTransformer3DModel", {}), "vae": ("diffusers.AutoencoderKLHunyuanVideo", {}),
           "text_encoder": LLAMA_8B, "text_encoder_2": CLIP_L}
MOCHI = {"transformer": ("diffusers.MochiTransformer3DModel", {}), "vae": ("diffusers.AutoencoderKLMochi", {}), "text_encoder": T5_XXL}
LTX = {"transformer": ("diffusers.LTXVideoTransformer3DModel", {}), "vae": ("diffusers.AutoencoderKLLTXVideo", {}),
       "text_encoder": T5_XXL}
COGVIDEOX = {"transformer": ("diffusers.CogVideoXTransformer3DModel", {}), "vae": ("diffusers.AutoencoderKLCogVideoX", {}),
             "text_encoder": T5_XXL}
TINY = {"transformer": ("medgen_kit.generate.TinyWan", {}), "vae": ("medgen_kit.generate.EigenframeTokenizer", {})}

MODELS = {model.name: model for model in (
    Model("wan2.1-1.3b", "wan", "Wan2.1 text-to-video, the smaller one: fine-tunes on a free T4", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
          parts=SMALL),
    Model("wan2.1-14b", "wan", "Wan2.1 text-to-video, the larger one", "Wan-AI/Wan2.1-T2V-14B-Diffusers", parts=LARGE, sample_shift=5.0),
    Model("medgen-1.3b", "wan", "MedGen, fine-tuned from Wan2.1 1.3B on MedVideoCap-55K", "FreedomIntelligence/MedGen-1.3B",
          base="wan2.1-1.3b", medical=True, parts=SMALL),
    Model("medgen-14b", "wan", "MedGen, fine-tuned from Wan2.1 14B on MedVideoCap-55K", "FreedomIntelligence/MedGen-14B",
          base="wan2.1-14b", medical=True, parts=LARGE, sample_shift=5.0),
    Model("hunyuanvideo", "hunyuan", "HunyuanVideo, the base model of the paper", "hunyuanvideo-community/HunyuanVideo", parts=HUNYUAN,
          frames=93, fps=24, guidance_scale=6.0, sample_shift=7.0),
    Model("mochi-1", "mochi", "Mochi 1 preview, the other base model of the paper (table 4)", "genmo/mochi-1-preview", parts=MOCHI,
          frames=85, width=848, fps=30, guidance_scale=4.5, num_inference_steps=64, sample_shift=1.0),
    Model("ltx-video", "ltx", "LTX-Video 2B: many pixels a token, so long clips fit a small GPU", "Lightricks/LTX-Video", parts=LTX,
          frames=161, height=512, width=704, fps=25, guidance_scale=3.0, sample_shift=1.0),
    Model("cogvideox-2b", "cogvideox", "CogVideoX 2B: diffusion with v-prediction instead of flow matching", "THUDM/CogVideoX-2b",
          parts=COGVIDEOX, frames=49, width=720, fps=8, guidance_scale=6.0, sample_shift=1.0),
    Model("medgen-tiny", "tiny", "the small model that lesson 05 trains from nothing", medical=True, parts=TINY, frames=9, height=32,
          width=32, fps=8, guidance_scale=2.0, num_inference_steps=20, sample_shift=1.0))}


def model(name):
    """The Model called `name`; an unknown name is refused with the nearest one."""
    if name not in MODELS:
        raise KitError(f"there is no model '{name}'{near(name, MODELS)} Models: {', '.join(MODELS)}.")
    return MODELS[name]


def build(name, part="transformer", device="meta", **changes):
    """One component of a model with random weights, or none at all on the meta device (then 14 billion parameters take no memory).

    changes: parts of the configuration to replace, for example num_layers=2. Raises KitError for a component that the model has not.
    """
    import torch

    parts = model(name).parts
    if part not in parts:
        raise KitError(f"{name} has no component '{part}'; it has: {', '.join(parts)}.")
    place, settings = parts[part]
    module, class_name = place.rsplit(".", 1)
    cls, settings = getattr(importlib.import_module(module), class_name), {**settings, **changes}
    with torch.device(device):
        return cls(cls.config_class(**settings)) if module == "transformers" else cls(**settings)
