"""LoRA files of any trainer: loaded whole, with their alpha, or refused before the pipeline is touched."""

import re

import pytest
import torch
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from medgen_kit import KitError
from medgen_kit.generate.lora_file import fix_lora_keys, load_lora
from medgen_kit.generate.opening import open_model
from medgen_kit.generate.weights import kind_of
from tests.generate.tiny_families import SIZES, apart, load, lora_of, to_original_layout, video


@pytest.mark.parametrize("family", SIZES)
def test_a_lora_of_each_family_is_loaded_with_its_alpha(saved, tmp_path, family):
    source = load(family, saved[family])
    folder, pipe = lora_of(source, tmp_path), open_model(saved[family])
    report = load_lora(pipe, folder)
    want = sum("lora_A" in name for name in get_peft_model_state_dict(source.transformer))
    assert report["layers"] == want > 0 and (report["rank"], report["alpha"]) == (4, 8) and pipe.kit["lora"] == report
    with_it = video(pipe, family)
    assert apart(with_it, video(source, family)) < 1e-4 < apart(with_it, video(load(family, saved[family]), family))
    load_lora(pipe, folder, scale=0.0)                              # the same name again: replaced, not added
    assert apart(video(pipe, family), video(load(family, saved[family]), family)) < 1e-5 and list(pipe.transformer.peft_config) == ["lora"]


def to_original_lora(state, prefix="", adapter=".default"):
    """The tensors of a diffusers LoRA under the names of MicroVerse and DiffSynth."""
    plain = {name.removeprefix("transformer.").replace(".lora_", ".LORA_"): tensor for name, tensor in state.items()}
    plain = {re.sub(r"\.weight$", f"{adapter}.weight", name): tensor for name, tensor in plain.items()}
    return {prefix + name.replace(".LORA_", ".lora_"): tensor for name, tensor in to_original_layout(plain).items()}


@pytest.mark.parametrize("prefix, adapter", [("", ".default"), ("diffusion_model.", ".default"), ("diffusion_model.", ""),
                                             ("pipe.dit.", ".default"), ("", "")])
def test_loras_of_other_trainers_load_as_diffusers_own(saved, wan_lora, tmp_path, prefix, adapter):
    state = load_file(wan_lora / "pytorch_lora_weights.safetensors")
    other = to_original_lora(state, prefix, adapter)
    assert f"{prefix}blocks.0.self_attn.q.lora_A{adapter}.weight" in other and f"{prefix}blocks.1.ffn.2.lora_B{adapter}.weight" in other
    alphas = {name.split(".lora_A")[0] + ".alpha": torch.tensor(8.0) for name in other if "lora_A" in name}
    save_file({name: tensor.contiguous() for name, tensor in {**other, **alphas}.items()}, tmp_path / "x.safetensors")
    assert kind_of(tmp_path / "x.safetensors") == ("wan", "original", "lora")
    theirs, mine, plain = open_model(saved["wan"], lora=wan_lora), open_model(saved["wan"], lora=tmp_path), open_model(saved["wan"])
    assert mine.kit["lora"]["layers"] == theirs.kit["lora"]["layers"] == 18
    assert apart(video(mine), video(theirs)) < 1e-5 < 1e-3 < apart(video(mine), video(plain))
    fixed = load("wan", saved["wan"])
    fixed.load_lora_weights(fix_lora_keys(load_file(tmp_path / "x.safetensors")))                  # plain diffusers takes them too
    assert apart(video(fixed), video(theirs)) < 1e-5


def test_alpha_beside_a_peft_file_is_kept(saved, wan_lora, tmp_path):
    state = load_file(wan_lora / "pytorch_lora_weights.safetensors")
    save_file({"base_model.model." + name.removeprefix("transformer."): tensor for name, tensor in state.items()},
              tmp_path / "adapter_model.safetensors")
    pipe = open_model(saved["wan"])
    assert load_lora(pipe, tmp_path)["alpha"] == 4                   # stated nowhere: the rank
    half = video(pipe)
    (tmp_path / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8, "peft_type": "LORA"}')
    assert load_lora(pipe, tmp_path)["alpha"] == 8
    assert apart(video(pipe), video(open_model(saved["wan"], lora=wan_lora))) < 1e-5 < 1e-3 < apart(video(pipe), half)
    (tmp_path / "adapter_config.json").write_text('{"r": 16, "lora_alpha": 8}')
    with pytest.raises(KitError, match="its rank is 16, but its layers have"):
        load_lora(pipe, tmp_path)


def untouched(pipe):
    return not getattr(pipe.transformer, "peft_config", None) and not any("lora" in name for name, _ in pipe.transformer.named_modules())


@pytest.mark.parametrize("family", ["hunyuan", "ltx", "cogvideox"])
def test_a_lora_of_another_family_is_refused(saved, tmp_path, family):
    pipe, folder = open_model(saved["wan"]), lora_of(load(family, saved[family]), tmp_path)
    with pytest.raises(KitError, match=f"LoRA for the family .*{family}.*; this pipeline is of the family wan"):
        load_lora(pipe, folder)
    assert untouched(pipe)


def test_a_lora_that_does_not_fit_is_refused_before_the_pipeline_is_touched(saved, wan_lora, tmp_path):
    pipe = open_model(saved["wan"])
    file, state = tmp_path / "x.safetensors", load_file(wan_lora / "pytorch_lora_weights.safetensors")
    name = "transformer.blocks.0.attn1.to_q.lora_{}.weight"
    deeper = {key.replace("blocks.1.", "blocks.7."): tensor for key, tensor in state.items()}
    half = {key: tensor for key, tensor in state.items() if key != name.format("B")}
    for made, said in (({name.format("A"): torch.zeros(4, 1536), name.format("B"): torch.zeros(1536, 4)}, "1536 x 1536 there and 48 x 48"),
                       (deeper, "layer blocks.7.attn1.to_.* which this model has not"), (half, "no lora_B of the rank"),
                       ({"blocks.0.self_attn.q.lora_C.weight": torch.zeros(4, 48)}, "whole transformer of the family wan, not a LoRA"),
                       ({"text_model.q.lora_A.weight": torch.zeros(4, 48)}, "neither the transformer nor a LoRA")):
        save_file(made, file)
        with pytest.raises(KitError, match=said):
            load_lora(pipe, file)
        assert untouched(pipe)
    save_file({"blocks.0.attn1.to_q.lora_A.a.b.weight": torch.zeros(4, 48), "blocks.0.attn1.to_q.lora_B.a.b.weight": torch.zeros(48, 4)},
              file)
    with pytest.raises(KitError, match="1 LoRA layers, of which 0 belong"):
        load_lora(pipe, file)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(KitError, match="half downloaded"):
        load_lora(pipe, file)
    with pytest.raises(KitError, match="is not there"):
        open_model(saved["wan"], lora=tmp_path / "nowhere")
    assert untouched(pipe)
