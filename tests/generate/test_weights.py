"""Files of weights: whole or broken, what they are, the original layout. Refused with a reason before any memory is spent."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from medgen_kit import KitError
from medgen_kit.generate.opening import open_model
from medgen_kit.generate.weights import check_file, check_folder, kind_of, weights_hash
from tests.generate.tiny_families import CLASS, SIZES, apart, load, make, to_original_layout, video


@pytest.mark.parametrize("family", SIZES)
def test_tiny_pipelines_make_a_video(saved, family):
    pipe = load(family, saved[family])
    assert type(pipe).__name__ == CLASS[family] and not any(getattr(part, "training", False) for part in pipe.components.values())
    frames, size = video(pipe, family), SIZES[family]
    assert frames.shape == (size["frames"], size["height"], size["width"], 3) and np.isfinite(frames).all() and frames.std() > 0.01
    assert np.array_equal(frames, video(pipe, family)) and not np.array_equal(frames, video(pipe, family, "a lesion in the lung"))


# ---- files that are not what they should be


def broken(saved, tmp_path, family="wan"):
    """A copy of a tiny pipeline to damage, and its transformer's file."""
    folder = shutil.copytree(saved[family], tmp_path / family)
    return folder, folder / "transformer" / "diffusion_pytorch_model.safetensors"


DAMAGE = {
    "half downloaded: it has": lambda raw: raw[:len(raw) // 2],
    "ends within its own list of tensors": lambda raw: raw[:1000],
    "is empty": lambda raw: b"",
    "git-lfs pointer": lambda raw: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1\n",
    "is a web page": lambda raw: b"\n<!DOCTYPE html><html><body>401 Unauthorized</body></html>",
    "bytes longer than it says": lambda raw: raw + b"more",
    "not in the safetensors format": lambda raw: b"PK\x03\x04" + raw,
    "damaged list of tensors": lambda raw: raw[:8] + b"{" + b"x" * 50 + raw[59:]}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_damaged_file_is_refused_by_name_before_anything_is_loaded(saved, tmp_path, said, monkeypatch):
    folder, file = broken(saved, tmp_path)
    file.write_bytes(DAMAGE[said](file.read_bytes()))
    loaded = []
    monkeypatch.setattr("medgen_kit.generate.opening.load_pipeline", lambda *a, **k: loaded.append(a))
    with pytest.raises(KitError, match=said) as error:
        open_model(folder)
    assert str(file) in str(error.value) and "etch" in str(error.value) and not loaded


@pytest.mark.parametrize("gone, said", [
    ("vae", "although model_index.json names it"), ("vae/config.json", "config.json is missing"),
    ("text_encoder/model.safetensors", "holds no weights"), ("tokenizer/tokenizer.json", "holds no tokenizer"),
    ("scheduler/scheduler_config.json", "scheduler_config.json is missing")])
def test_a_missing_part_is_named(saved, tmp_path, gone, said):
    folder, _ = broken(saved, tmp_path)
    shutil.rmtree(folder / gone) if (folder / gone).is_dir() else (folder / gone).unlink()
    with pytest.raises(KitError, match=said):
        check_folder(folder)
    check_folder(folder, [part for part in ("transformer", "vae", "text_encoder", "tokenizer") if part != gone.split("/")[0]])


def test_every_shard_of_an_index_must_be_there(saved, tmp_path):
    folder, file = broken(saved, tmp_path)
    file.unlink()
    load("wan", saved["wan"]).transformer.save_pretrained(file.parent, max_shard_size="100KB")
    shards = sorted(file.parent.glob("*-of-*.safetensors"))
    assert len(shards) > 2
    assert np.array_equal(video(open_model(folder)), video(load("wan", saved["wan"])))
    shards[1].unlink()
    (file.parent / "x.incomplete").write_bytes(b"part")
    with pytest.raises(KitError, match=f"{shards[1].name} is missing and a download was interrupted"):
        open_model(folder)
    next(file.parent.glob("*.index.json")).unlink()              # the names say it too
    with pytest.raises(KitError, match=f"{shards[1].name} is missing"):
        open_model(folder)


def test_checksums(saved, tmp_path):
    _, file = broken(saved, tmp_path)
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    assert "proj_out.weight" in check_file(file, right.upper()).tensors
    before = weights_hash(tmp_path / "wan")
    assert before == weights_hash(saved["wan"]) and len(before) == 64 and before != weights_hash(make("wan", tmp_path / "b", seed=1))
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(KitError, match="wrong checksum") as error:
        check_file(file, right)
    assert right[:12] in str(error.value) and weights_hash(tmp_path / "wan") != before


# ---- what a file is


@pytest.mark.parametrize("family", SIZES)
def test_kind_of_a_transformer_by_its_names(saved, tmp_path, family):
    file = saved[family] / "transformer" / "diffusion_pytorch_model.safetensors"
    assert kind_of(file) == (family, "diffusers", "transformer")
    for prefix in ("model.diffusion_model.", "diffusion_model.", "transformer.", "pipe.dit."):
        save_file({prefix + name: tensor for name, tensor in load_file(file).items()}, tmp_path / "p.safetensors")
        assert kind_of(tmp_path / "p.safetensors") == (family, "diffusers", "transformer")
    for other in ("vae", "text_encoder"):
        with pytest.raises(KitError, match="neither the transformer nor a LoRA"):
            kind_of(next((saved[family] / other).glob("*.safetensors")))


# names as the families' own repositories have them
@pytest.mark.parametrize("kind, name", [
    (("hunyuan", "original", "transformer"), "model.diffusion_model.double_blocks.0.img_attn_qkv.weight"),
    (("mochi", "original", "transformer"), "blocks.0.attn.qkv_x.weight"),
    (("ltx", "original", "transformer"), "model.diffusion_model.adaln_single.linear.weight"),
    (("cogvideox", "original", "transformer"), "model.diffusion_model.transformer.layers.0.attention.query_key_value.weight"),
    (("wan", "original", "lora"), "lora_unet_blocks_0_self_attn_q.lora_down.weight"),
    (("wan", "original", "lora"), "blocks.0.self_attn.q.lora_A.default.weight"),
    (("wan", "diffusers", "lora"), "base_model.model.blocks.0.attn1.to_q.lora_A.weight"),
    (("mochi or ltx or cogvideox", "diffusers", "lora"), "transformer.transformer_blocks.0.attn1.to_q.lora_B.weight"),
    (("tiny", "diffusers", "transformer"), "patch_embedding.place")])
def test_kind_of_other_layouts(tmp_path, kind, name):
    save_file({name: torch.zeros(2, 2)}, tmp_path / "x.safetensors")
    assert kind_of(tmp_path / "x.safetensors") == kind


# ---- the original layout


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model.", "pipe.dit.", "module."])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_original_layout_gives_the_same_model(saved, tuned, tmp_path, prefix, dtype):
    folder, state = tuned
    original = {prefix + name: tensor for name, tensor in to_original_layout(state).items()}
    assert not set(original) & set(state) - {"patch_embedding.weight", "patch_embedding.bias"} or prefix
    save_file(original, tmp_path / "wan.safetensors")
    assert kind_of(tmp_path / "wan.safetensors") == ("wan", "original", "transformer")
    pipe, same = open_model(tmp_path / "wan.safetensors", dtype, base_folder=saved["wan"]), open_model(folder, dtype)
    mine, theirs = pipe.transformer.state_dict(), same.transformer.state_dict()
    assert mine.keys() == theirs.keys() and len({tensor.dtype for tensor in theirs.values()}) == (1 if dtype is torch.float32 else 2)
    assert all(mine[name].dtype == theirs[name].dtype and torch.equal(mine[name], theirs[name]) for name in mine)
    assert pipe.vae.dtype == torch.float32 and pipe.kit["layout"] == "original" and not pipe.transformer.training
    if dtype is torch.float32:
        assert apart(video(pipe), video(same)) < 1e-5 < apart(video(pipe), video(load("wan", saved["wan"])))


def test_an_original_file_must_fit_its_base(saved, tuned, tmp_path):
    state = to_original_layout(tuned[1])
    fewer = {name: tensor for name, tensor in state.items() if not name.startswith("blocks.1.")}
    wider = {**state, "blocks.0.ffn.0.weight": torch.zeros(128, 48)}
    for made, said in ((fewer, "lacks 27 tensors"), (wider, r"another size than .*ffn.net.0.proj.weight has the shape \[128, 48\]"),
                       ({**state, "extra.weight": torch.zeros(1)}, "beside those of the model, 1 tensors")):
        save_file(made, tmp_path / "x.safetensors")
        with pytest.raises(KitError, match=said):
            open_model(tmp_path / "x.safetensors", base_folder=saved["wan"])
    save_file({"patch_embedding.weight": torch.zeros(1536, 16, 1, 2, 2), "blocks.0.self_attn.q.weight": torch.zeros(2, 2)},
              tmp_path / "x.safetensors")
    with pytest.raises(KitError, match="Wan-AI/Wan2.1-T2V-1.3B-Diffusers is not in the local cache"):       # the base of that width
        open_model(tmp_path / "x.safetensors", local_files_only=True)
    save_file({"double_blocks.0.img_attn_qkv.weight": torch.zeros(2, 2)}, tmp_path / "h.safetensors")
    with pytest.raises(KitError, match="only Wan's is read that way"):
        open_model(tmp_path / "h.safetensors", base_folder=saved["hunyuan"])
