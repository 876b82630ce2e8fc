"""Each model family at tiny random size, through its real diffusers and transformers classes, in the hub's layout, wholly offline.

    folder = make("wan", tmp_path / "wan")
    pipe = load("wan", folder)
    video = pipe(prompt="a beating heart", num_inference_steps=2, output_type="np", **CALL["wan"], **SHAPE["wan"]).frames[0]
"""

import re

import diffusers
import numpy as np
import torch
import transformers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

# sizes that each family accepts (a call's arguments: SHAPE) and what else a caller must pass (CALL)
SIZES = {"wan": dict(frames=9, height=32, width=32), "hunyuan": dict(frames=9, height=32, width=32),
         "mochi": dict(frames=7, height=32, width=32), "ltx": dict(frames=9, height=64, width=64),
         "cogvideox": dict(frames=9, height=32, width=32)}
SHAPE = {family: dict(num_frames=s["frames"], height=s["height"], width=s["width"]) for family, s in SIZES.items()}
CLASS = {"wan": "WanPipeline", "hunyuan": "HunyuanVideoPipeline", "mochi": "MochiPipeline", "ltx": "LTXPipeline",
         "cogvideox": "CogVideoXPipeline"}
# HunyuanVideo wraps each prompt in a template and cuts off the template's own tokens: <s> describe the video :
CALL = {"wan": {}, "hunyuan": {"prompt_template": {"template": "describe the video: {}", "crop_start": 5}}, "mochi": {}, "ltx": {},
        "cogvideox": {}}
TEXT = 32                                                                              # width of a text embedding
WORDS = ["describe the video: a beating heart in an echocardiogram", "an endoscope moves slowly forward through the colon",
         "a CT scan of the chest, a lesion in the left lung", "a surgeon cuts tissue, a blurred, static, low quality video"]


def make(family, folder, seed=0):
    """Save a complete pipeline of `family` with random weights drawn from `seed` in `folder`; returns the folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = {"wan": wan, "hunyuan": hunyuan, "mochi": mochi, "ltx": ltx, "cogvideox": cogvideox}[family]()
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.eval()                                     # built directly they are in train mode: dropout would blur the text
    getattr(diffusers, CLASS[family])(**parts).save_pretrained(folder)
    return folder


def load(family, folder, **options):
    """The pipeline of make(family, folder), float32, in eval mode, without progress bars."""
    pipe = getattr(diffusers, CLASS[family]).from_pretrained(folder, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tokenizer(length, start=""):
    """A byte-level BPE tokenizer trained on WORDS (the same each time); every text ends with </s> and begins with `start`."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.train_from_iterator(WORDS * 3, trainers.BpeTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<s>"], show_progress=False,
                                                            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    made.post_processor = processors.TemplateProcessing(single=f"{start} $A </s>".strip(), special_tokens=[("<s>", 2), ("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", bos_token="<s>",
                                                unk_token="<pad>", model_max_length=length)


def t5(cls, config):
    return cls(config(vocab_size=500, d_model=TEXT, d_kv=16, d_ff=64, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"))


def t5_parts(length):
    return dict(tokenizer=tokenizer(length), text_encoder=t5(transformers.T5EncoderModel, transformers.T5Config))


def wan():
    return dict(
        tokenizer=tokenizer(512), text_encoder=t5(transformers.UMT5EncoderModel, transformers.UMT5Config),
        transformer=diffusers.WanTransformer3DModel(num_attention_heads=2, attention_head_dim=24, num_layers=2, ffn_dim=96, text_dim=TEXT,
                                                    freq_dim=32, rope_max_seq_len=64),
        vae=diffusers.AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0))


def hunyuan():
    llama = transformers.LlamaConfig(vocab_size=500, hidden_size=TEXT, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
                                     num_key_value_heads=1, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    clip = transformers.CLIPTextConfig(vocab_size=500, hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                                       projection_dim=24, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    return dict(
        tokenizer=tokenizer(256, "<s>"), text_encoder=transformers.LlamaModel(llama),
        tokenizer_2=tokenizer(77, "<s>"), text_encoder_2=transformers.CLIPTextModel(clip),
        transformer=diffusers.HunyuanVideoTransformer3DModel(num_attention_heads=2, attention_head_dim=16, num_layers=2,
                                                             num_single_layers=2, num_refiner_layers=1, mlp_ratio=2.0, text_embed_dim=TEXT,
                                                             pooled_projection_dim=24, rope_axes_dim=(4, 6, 6)),
        vae=diffusers.AutoencoderKLHunyuanVideo(block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0))


def mochi():
    return dict(
        t5_parts(256),
        transformer=diffusers.MochiTransformer3DModel(num_attention_heads=2, attention_head_dim=16, num_layers=2, pooled_projection_dim=24,
                                                      text_embed_dim=TEXT, time_embed_dim=32),
        vae=diffusers.AutoencoderKLMochi(encoder_block_out_channels=(32, 32, 32, 32), decoder_block_out_channels=(32, 32, 32, 32),
                                         layers_per_block=(1, 1, 1, 1, 1), add_attention_block=(False, False, False, False, True)),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True))


def ltx():
    return dict(
        t5_parts(128),
        transformer=diffusers.LTXVideoTransformer3DModel(in_channels=16, out_channels=16, num_attention_heads=2, attention_head_dim=24,
                                                         cross_attention_dim=48, num_layers=2, caption_channels=TEXT),
        vae=diffusers.AutoencoderKLLTXVideo(latent_channels=16, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
                                            layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1)),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05, shift_terminal=0.1,
                                                            base_image_seq_len=1024, max_image_seq_len=4096))


def cogvideox():
    return dict(
        t5_parts(226),
        transformer=diffusers.CogVideoXTransformer3DModel(num_attention_heads=2, attention_head_dim=24, num_layers=2, time_embed_dim=32,
                                                          text_embed_dim=TEXT, sample_width=4, sample_height=4, sample_frames=9),
        vae=diffusers.AutoencoderKLCogVideoX(block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4, sample_height=32,
                                             sample_width=32),
        scheduler=diffusers.CogVideoXDDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                                                   prediction_type="v_prediction", rescale_betas_zero_snr=True, snr_shift_scale=3.0,
                                                   set_alpha_to_one=True, timestep_spacing="trailing"))


def video(pipe, family="wan", prompt="a beating heart", seed=0):
    """Two steps of sampling: float32 [T, H, W, 3]."""
    return pipe(prompt=prompt, num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(seed), **CALL[family],
                **SHAPE[family]).frames[0]


def apart(one, two):
    """The largest difference; the place of weights in memory alone makes about 1e-6."""
    return float(np.abs(one - two).max())


def to_original_layout(state):
    """A Wan transformer's tensors under the names of the Wan repository."""
    renames = ((r"^condition_embedder\.(text|time)_embedder\.linear_1\.", r"\1_embedding.0."),
               (r"^condition_embedder\.(text|time)_embedder\.linear_2\.", r"\1_embedding.2."),
               (r"^condition_embedder\.time_proj\.", "time_projection.1."), (r"^proj_out\.", "head.head."),
               (r"^scale_shift_table$", "head.modulation"), (r"\.scale_shift_table$", ".modulation"), (r"\.attn1\.", ".self_attn."),
               (r"\.attn2\.", ".cross_attn."), (r"\.to_([qkv])\.", r".\1."), (r"\.to_out\.0\.", ".o."), (r"\.norm2\.", ".norm3."),
               (r"\.ffn\.net\.0\.proj\.", ".ffn.0."), (r"\.ffn\.net\.2\.", ".ffn.2."))
    made = {}
    for name, tensor in state.items():
        for old, new in renames:
            name = re.sub(old, new, name)
        made[name] = tensor
    return made


def lora_of(pipe, folder, rank=4, alpha=8, targets=("to_q", "to_k", "to_v", "to_out.0"), seed=0):
    """A random LoRA of a pipeline's transformer, saved as diffusers saves it; the folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipe.transformer.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), init_lora_weights=False))
    pipe.save_lora_weights(folder, transformer_lora_layers=get_peft_model_state_dict(pipe.transformer),
                           transformer_lora_adapter_metadata=pipe.transformer.peft_config["default"].to_dict())
    return folder
