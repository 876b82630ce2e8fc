"""Fine-tuning from a folder of clips to a file that plain diffusers loads, by function and by command; export; the alignment losses."""

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import WanPipeline
from typer.testing import CliRunner

from medgen_kit import KitError, video
from medgen_kit.align import ConceptSet, VideoTextModel, text_tower, train_tokenizer, video_tower
from medgen_kit.cli import typed
from medgen_kit.clip import Clip, read_folder, write_folder
from medgen_kit.generate import Recipe, adapt, command, journal
from medgen_kit.generate.material import own_clips, split_of, tinted
from tests.generate import tiny_families

SIZES = SimpleNamespace(frames=9, height=32, width=32, precision="float32", caption="brief_caption", text_memory="", fps=0)
RECIPE = dict(batch=2, max_steps=6, lora_rank=4, lora_alpha=8, lr=5e-3, mixed_precision="no", checkpoint_steps=2, validation_steps=3)
WORDS = ("the left ventricle contracts normally", "the left ventricle contracts weakly")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tiny_families.make("wan", tmp_path_factory.mktemp("wan"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder, rng, made = tmp_path_factory.mktemp("clips"), np.random.default_rng(0), []
    for k in range(6):
        frames = np.repeat(np.repeat(rng.integers(0, 255, (9, 4, 4, 3), dtype=np.uint8), 8, 1), 8, 2)
        path = video.write(folder / "videos" / f"{k}.mp4", frames, 8)
        made.append(Clip.of(path, video_category="medical imaging", brief_caption=f"an echocardiogram, {WORDS[k % 2]}", source_id=str(k),
                            split="val" if k == 5 else "train"))
    write_folder(folder, made)
    return folder


def quiet(_):
    pass


def test_clips_become_a_lora_that_a_plain_pipeline_loads(home, clips, tmp_path):
    done = adapt.fine_tune(str(home), clips, tmp_path, Recipe(**RECIPE), SIZES, quiet)
    assert done["steps"] == 6 and list(done["before"]) == list(done["after"]) and len(done["before"]) == 9
    assert adapt.mean(done["after"]) < adapt.mean(done["before"])
    facts = json.loads((tmp_path / "made.json").read_text())
    assert facts["model"]["family"] == "wan" and facts["model"]["medical"] is False and facts["recipe"]["lora_rank"] == 4
    with np.load(tmp_path / "previews.npz") as looks:
        assert looks["frames"].shape == (3, 9, 32, 32, 3) and list(looks["steps"]) == [0, 3, 6]
    assert [note["step"] for note in journal.validations(tmp_path)] == [3, 6]
    videos = sorted((tmp_path / "samples").glob("*.mp4"))
    assert [path.stem for path in videos] == ["step-0000000", "step-0000003", "step-0000006"]
    assert "SYNTHETIC" in video.probe(videos[-1]).comment
    assert json.loads(videos[-1].with_suffix(".json").read_text())["trained_steps"] == 6
    assert journal.validations(tmp_path)[-1]["levels"] == done["after"]

    def sample(pipe):
        pipe.set_progress_bar_config(disable=True)
        return pipe(prompt="an echocardiogram", num_inference_steps=2, num_frames=9, height=32, width=32, output_type="np",
                    generator=torch.Generator().manual_seed(0)).frames

    base, tuned = (WanPipeline.from_pretrained(home) for _ in range(2))
    tuned.load_lora_weights(str(tmp_path))
    assert not np.allclose(sample(base), sample(tuned), atol=1e-4)
    command.export(tmp_path, tmp_path / "merged")
    merged = WanPipeline.from_pretrained(tmp_path / "merged")
    assert np.allclose(sample(merged), sample(tuned), atol=1e-3) and not getattr(merged.transformer, "peft_config", None)
    again = adapt.fine_tune(str(home), clips, tmp_path, Recipe(**RECIPE), SIZES, quiet)
    assert again["after"] == done["after"], "a finished training is not trained again"
    (tmp_path / "elsewhere").mkdir()
    facts["place"] = str(tmp_path / "merged")
    (tmp_path / "elsewhere" / "made.json").write_text(json.dumps(facts))
    with pytest.raises(KitError, match="holds other weights now"):
        command.export(tmp_path / "elsewhere", tmp_path / "x")
    with pytest.raises(KitError, match="model was .* and is"):
        adapt.fine_tune(str(tmp_path / "merged"), clips, tmp_path, Recipe(**RECIPE), SIZES, quiet)
    with pytest.raises(KitError, match="clips was .* and is"):
        other = SimpleNamespace(**vars(SIZES) | {"caption": "detailed_caption"})
        adapt.fine_tune(str(home), clips, tmp_path, Recipe(**RECIPE), other, quiet)


def test_a_base_in_8_bits_takes_a_lora(home, clips, tmp_path):
    """torchao's int8 weights on the CPU; the LoRA loads on the plain model. Without torchao (it prints warnings at every start, so the
    lock file has it not) the sentence that asks for it."""
    eight = SimpleNamespace(**vars(SIZES) | {"precision": "int8"})
    for kind, message in (("nf4", "bitsandbytes|needs a GPU"), ("int3", "Possible: int8, nf4")):
        with pytest.raises(KitError, match=message):
            adapt.open_model(str(home), components=("transformer",), quantize=kind)
    if importlib.util.find_spec("torchao") is None:
        with pytest.raises(KitError, match="pip install torchao"):
            adapt.fine_tune(str(home), clips, tmp_path, Recipe(**RECIPE), eight, quiet)
        return
    done = adapt.fine_tune(str(home), clips, tmp_path, Recipe(**RECIPE), eight, quiet)
    assert adapt.mean(done["after"]) < adapt.mean(done["before"])
    WanPipeline.from_pretrained(home).load_lora_weights(str(tmp_path))
    small, plain = (adapt.open_model(str(home), components=("transformer",), quantize=kind).transformer for kind in ("int8", ""))
    weight = small.blocks[0].attn1.to_q.weight
    assert type(weight).__name__ == "Int8Tensor" and type(plain.blocks[0].attn1.to_q.weight).__name__ == "Parameter"
    assert torch.allclose(weight.dequantize(), plain.blocks[0].attn1.to_q.weight, atol=0.02)


def test_all_weights_are_trained_when_asked(home, clips, tmp_path):
    done = adapt.fine_tune(str(home), clips, tmp_path, adapt.full(Recipe(**RECIPE)), SIZES, quiet)
    assert done["parameters"] == sum(p.numel() for p in WanPipeline.from_pretrained(home).transformer.parameters())
    command.export(tmp_path, tmp_path / "own")
    own, base = (WanPipeline.from_pretrained(place).transformer.state_dict() for place in (tmp_path / "own", home))
    assert any(not torch.equal(own[name], base[name]) for name in base)


def test_captions_can_be_read_in_little_memory(home, clips, tmp_path):
    said = []
    lean = SimpleNamespace(**vars(SIZES) | {"text_memory": "20KB"})
    done = adapt.fine_tune(str(home), clips, tmp_path / "lean", Recipe(**RECIPE), lean, said.append)
    plain = adapt.fine_tune(str(home), clips, tmp_path / "plain", Recipe(**RECIPE), SIZES, quiet)
    assert any("layer by layer" in line for line in said) and done["after"] == plain["after"]


def test_both_alignment_losses_train_on_a_real_family(home, clips, tmp_path):
    tokenizer = train_tokenizer([f"an echocardiogram, {words}" for words in WORDS] * 3)
    concepts = ConceptSet(["left", "right"], np.array([[0.5, 0.5], [0.5, 0.5]], np.float32))
    torch.manual_seed(0)
    VideoTextModel(video_tower(layers=1), text_tower(len(tokenizer)), len(concepts.names)).save(tmp_path / "align", tokenizer)
    concepts.save(tmp_path / "align" / "concepts.json")
    both = Recipe(**RECIPE | {"repa": 0.5, "knowledge": 0.5})
    done = adapt.fine_tune(str(home), clips, tmp_path / "both", both, SIZES, quiet, align=tmp_path / "align")
    assert set(done["history"][0]) == {"step", "flow", "repa", "knowledge"}
    assert done["history"][-1]["repa"] < done["history"][0]["repa"]
    WanPipeline.from_pretrained(home).load_lora_weights(str(tmp_path / "both"))       # the heads are not in the file
    with pytest.raises(KitError, match="Give align="):
        adapt.fine_tune(str(home), clips, tmp_path / "none", both, SIZES, quiet)


def test_the_commands_train_and_export(home, clips, tmp_path):
    def call(*words):
        end = CliRunner().invoke(typed, [str(word) for word in words], catch_exceptions=False)
        return end.output

    size = ("--frames", 9, "--height", 32, "--width", 32)
    some = ("--set", "max_steps=3", "--set", "batch=2", "--set", "mixed_precision=no", "--set", "lora_rank=4", "--set", "shuffle=false")
    assert "are precomputed" in call("train", home, clips, tmp_path / "tuned", *size, *some, "--only-cache")
    said = call("train", home, clips, tmp_path / "tuned", *size, *some)
    assert "3 steps" in said and (tmp_path / "tuned" / "pytorch_lora_weights.safetensors").is_file()
    facts = json.loads((tmp_path / "tuned" / "made.json").read_text())
    assert facts["recipe"]["seed"] == 1024 and facts["recipe"]["sample_shift"] == 7.0 and facts["recipe"]["shuffle"] is False
    assert "holds" in call("export", tmp_path / "tuned", tmp_path / "merged")
    for words, message in ((("--set", "rank=4"), "name=value"), (("--set", "max_steps=many"), "max_steps takes int"),
                           (("--preset", "medgen"), "did you mean"), (("--precision", "half"), "It can be: float32"),
                           (("--frames", 8), "8 frames are not possible")):
        with pytest.raises(KitError, match=message):
            call("train", home, clips, tmp_path / "bad", *size, *words)
    with pytest.raises(KitError, match="no_such_model"):
        call("train", tmp_path / "no_such_model", clips, tmp_path / "bad")
    with pytest.raises(KitError, match="names no clips"):
        call("train", home, tmp_path / "no_such_clips", tmp_path / "bad", *size)
    with pytest.raises(KitError, match="holds no made.json"):
        call("export", tmp_path, tmp_path / "bad")


def test_the_command_ends_well_on_two_processes(home, clips, tmp_path):
    """torchrun on the CPU: the first process fetches, precomputes, says and saves; the second waits for it."""
    words = ["train", home, clips, tmp_path / "tuned", "--frames", 9, "--height", 32, "--width", 32, "--set", "max_steps=3",
             "--set", "batch=2", "--set", "mixed_precision=no", "--set", "lora_rank=4"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(22000 + os.getpid() % 20000)]
    end = subprocess.run([*launcher, "-m", "medgen_kit", *map(str, words)], capture_output=True, text=True, timeout=300,
                         env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert end.returncode == 0, end.stderr[-2000:]
    assert end.stdout.count("3 steps") == 1 and end.stdout.count("clips precomputed") == 1
    WanPipeline.from_pretrained(home).load_lora_weights(str(tmp_path / "tuned"))


def test_clips_of_one_upload_are_on_one_side():
    sides = [split_of(f"upload {k}") for k in range(400)]
    assert 0.07 < sides.count("val") / 400 < 0.18 and split_of("upload 3") == split_of("upload 3")


def test_the_other_scanner_is_amber_and_keeps_clips_for_judging(tmp_path):
    folder = own_clips("other scanner", tmp_path / "clips", 16, seed=1)
    made = read_folder(folder)
    assert [clip.split for clip in made].count("val") == 2 and all(clip.factors["modality"] == "echo" for clip in made)
    frames = made[0].frames().astype(float)
    assert frames[..., 0].mean() > frames[..., 1].mean() > frames[..., 2].mean() + 1
    assert tinted(np.full((1, 2, 2, 3), 255, np.uint8)).tolist()[0][0][0] == [255, 240, 200] and tinted(np.zeros((1, 1, 3))).sum() == 0
