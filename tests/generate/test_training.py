"""The training loop: killed and resumed it ends at the same weights; each switch changes what is learned; the pipeline survives a save."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanTransformer3DModel

from medgen_kit import KitError
from medgen_kit.align import text_tower, train_tokenizer
from medgen_kit.generate import (EigenframeTokenizer, MedGenTinyPipeline, TinyRecipe, TinyWan, Trainee, draw_batch, flow, load_pipeline,
                                 losses, train, train_classifier)
from medgen_kit.generate import pace
from medgen_kit.generate.data import TrainingSet
from medgen_kit.generate.recipe import learning_rate

COUNT, K, T, TEXT = 40, 12, 9, 24
SMALL = TinyRecipe(dim=32, layers=2, heads=2, batch=8, max_steps=8, minutes=0, checkpoint_steps=1)


@pytest.fixture(scope="module")
def data():
    g = torch.Generator().manual_seed(0)
    present = (torch.rand(COUNT, 3, generator=g) > 0.5).float()
    text = {kind: torch.randn(COUNT, 5, TEXT, generator=g).half() for kind in ("brief", "detailed")}
    both = {kind: present for kind in text}
    latents = torch.randn(COUNT, K, T, 1, 1, generator=g) + present[:, :1, None, None, None]
    return TrainingSet(latents, text, both, {kind: torch.ones_like(present) for kind in text}, torch.randn(COUNT, T, 6, generator=g),
                       torch.arange(COUNT), {kind: torch.zeros(1, 5, TEXT).half() for kind in text})


@pytest.fixture(scope="module")
def classifier(data):
    return train_classifier(data.latents, data.present["brief"], data.known["brief"], 20)


@pytest.fixture(scope="module")
def pipe():
    frames = np.random.default_rng(0).integers(0, 256, (20, 9, 16, 16, 3), dtype=np.uint8)
    tokenizer = train_tokenizer(["a beating heart in an echocardiogram"] * 3)
    torch.manual_seed(0)
    made = MedGenTinyPipeline(tokenizer, text_tower(len(tokenizer), hidden=TEXT), TinyWan(16, 32, 2, 2, TEXT),
                              EigenframeTokenizer.fit(frames, 16), FlowMatchEulerDiscreteScheduler(shift=1.0))
    made.set_progress_bar_config(disable=True)
    return made


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def quiet(_):
    pass


def test_stopped_and_resumed_ends_at_the_same_weights(data, classifier, tmp_path):
    straight, _ = train(data, classifier, SMALL, tmp_path / "a", quiet)
    train(data, classifier, SMALL, tmp_path / "b", quiet, stop_after=3)
    assert list((tmp_path / "b").glob("checkpoint-0000003/*.safetensors"))
    lines = []
    resumed, figures = train(data, classifier, SMALL, tmp_path / "b", lines.append)
    assert "goes on at step 3 of 8" in lines[0] and figures["steps"] == 8
    assert torch.equal(weights(straight), weights(resumed))
    other, _ = train(data, classifier, TinyRecipe(**{**SMALL.__dict__, "seed": 1}), tmp_path / "c", quiet)
    assert not torch.equal(weights(straight), weights(other))


KILLED = """
import importlib, os, signal, sys
from pathlib import Path
import torch
from medgen_kit.generate import ConceptClassifier
from medgen_kit.generate.data import TrainingSet
folder = Path(sys.argv[1])
torch.set_num_threads(1)
module = importlib.import_module("medgen_kit.generate.train")        # the package offers the function under this name
recipe = module.TinyRecipe(**eval(sys.argv[2]))
real, count = module.losses, 0
def losses(*given):
    global count
    count += 1
    if count == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)            # in the middle of a step, no goodbye
    return real(*given)
module.losses = losses
module.train(TrainingSet.load(folder / "set.safetensors"), ConceptClassifier.load(folder / "classifier.safetensors"), recipe,
             folder / "killed", print)
"""


@pytest.mark.parametrize("changes, at, total", [({"max_steps": 12}, 6, 12), ({"max_steps": 60, "minutes": 1e-6}, 18, 20)])
def test_a_training_that_is_killed_mid_step_resumes_to_the_same_weights(data, classifier, tmp_path, changes, at, total):
    """SIGKILL in the forward pass, before and after the number of steps is set from the speed of the first 15 (here: the least, 20)."""
    torch.set_num_threads(1)                             # sums in another order differ in the last digit
    recipe = SMALL.__dict__ | changes
    data.save(tmp_path / "set.safetensors")
    classifier.save(tmp_path / "classifier.safetensors")
    end = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), repr(recipe), str(at)], capture_output=True, text=True)
    assert end.returncode == -signal.SIGKILL, end.stderr
    lines = []
    resumed, figures = train(data, classifier, TinyRecipe(**recipe), tmp_path / "killed", lines.append)
    assert lines[0] == f"goes on at step {at - 1} of {total}" and figures["steps"] == total
    assert [row["step"] for row in figures["history"]] == list(range(total))
    straight, whole = train(data, classifier, TinyRecipe(**recipe), tmp_path / "straight", quiet)
    assert whole["steps"] == total and torch.equal(weights(straight), weights(resumed))


def test_a_half_written_checkpoint_is_not_taken_for_whole(data, classifier, tmp_path):
    (tmp_path / ".checkpoint.part").mkdir()
    (tmp_path / "checkpoint-0000007").mkdir()
    _, figures = train(data, classifier, SMALL, tmp_path, quiet, stop_after=2)
    assert figures["steps"] == 2


@pytest.mark.parametrize("switch", ["repa", "knowledge"])
def test_each_switch_changes_the_gradient_and_off_leaves_the_term_out(data, classifier, switch):
    def gradient(recipe):
        torch.manual_seed(0)
        model = Trainee(recipe, K, TEXT, 6)
        total, parts = losses(model, draw_batch(data, recipe, 0), classifier, recipe)
        total.backward()
        return torch.cat([p.grad.flatten() for p in model.denoiser.parameters() if p.grad is not None]), parts
    on, parts_on = gradient(SMALL)
    off, parts_off = gradient(TinyRecipe(**{**SMALL.__dict__, switch: 0}))
    assert switch in parts_on and switch not in parts_off
    assert not torch.allclose(on, off)


def test_loss_falls(data, classifier, tmp_path):
    _, figures = train(data, classifier, TinyRecipe(**{**SMALL.__dict__, "max_steps": 120, "lr": 3e-3}), tmp_path, quiet)
    flows = [row["flow"] for row in figures["history"]]
    assert np.mean(flows[-20:]) < 0.9 * np.mean(flows[:20])


def test_flow_identities():
    x0, eps, s = torch.randn(3, 2, 9, 1, 1), torch.randn(3, 2, 9, 1, 1), torch.tensor([0.0, 0.3, 1.0])
    x = flow.interpolate(x0, eps, s)
    assert torch.allclose(x[0], x0[0]) and torch.allclose(x[2], eps[2])
    assert torch.allclose(flow.denoised(x, flow.velocity(x0, eps), s), x0, atol=1e-6)


def test_pipeline_saves_loads_and_repeats(pipe, tmp_path):
    assert isinstance(pipe.transformer, WanTransformer3DModel)
    pipe.save_pretrained(tmp_path)
    again = load_pipeline(tmp_path)
    def call(p, **more):
        return p(prompt=["a beating heart", "an echocardiogram"], num_inference_steps=3, guidance_scale=2.0,
                 generator=torch.Generator().manual_seed(1), **more).frames
    first, second = call(pipe), call(again)
    assert first.shape == (2, 9, 16, 16, 3) and first.dtype == np.float32 and 0 <= first.min() and first.max() <= 1
    assert np.array_equal(first, second)
    assert not np.array_equal(first, pipe(prompt=["a heart", "an echocardiogram"], num_inference_steps=3,
                                          generator=torch.Generator().manual_seed(1)).frames)


def test_the_generator_reads_the_caption_that_the_towers_read(pipe):
    """What lesson 04 probes is what the denoiser is handed: the mean over words first, then the words, then zeros."""
    from medgen_kit.align import VideoTextModel, video_tower, words
    from medgen_kit.generate.text import encode_prompts

    prompts = ["a beating heart", "an echocardiogram"]
    features = encode_prompts(pipe.text_encoder, pipe.tokenizer, prompts)
    towers = VideoTextModel(video_tower(layers=1), pipe.text_encoder, 2).eval()
    with torch.no_grad():
        read = towers.read(*words(pipe.tokenizer, prompts))
    assert torch.allclose(features[:, 0], read, atol=1e-5) and not torch.allclose(read[0], read[1], atol=1e-3)
    assert features[1, 3].abs().sum() > 0 and features[1, 4:].abs().max() == 0, "the leading mark and two words, then nothing"


def test_a_lora_of_the_small_model_loads_on_it_and_on_no_other(pipe, tmp_path):
    from medgen_kit.generate import load_lora, lora
    from medgen_kit.generate.families import family_of

    pipe.save_pretrained(tmp_path / "base")
    tuned, plain, other = (load_pipeline(tmp_path / "base") for _ in range(3))
    lora.attach(tuned.transformer, family_of(tuned), TinyRecipe(lora_rank=4, lora_alpha=4))
    with torch.no_grad():
        for name, parameter in tuned.transformer.named_parameters():
            if "lora_B" in name:
                parameter += 0.05
    lora.save(MedGenTinyPipeline, tuned.transformer, tmp_path / "lora")
    assert load_lora(plain, tmp_path / "lora")["layers"] == 2 * 2 * 4, "blocks, attentions, matrices"
    made = [p(prompt="a heart", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).frames for p in (tuned, plain, other)]
    assert np.allclose(made[0], made[1], atol=1e-5) and not np.allclose(made[1], made[2], atol=1e-3)
    other.transformer = TinyWan(16, 64, 2, 2, TEXT)
    with pytest.raises(KitError, match="is a LoRA|another size|shape|wide"):
        load_lora(other, tmp_path / "lora")


def test_embeddings_stand_for_a_prompt(pipe):
    from medgen_kit.generate.text import encode_prompts

    text, nothing = (encode_prompts(pipe.text_encoder, pipe.tokenizer, [prompt]) for prompt in ("a beating heart", ""))
    noise = torch.randn(1, 16, 9, 1, 1, generator=torch.Generator().manual_seed(3))
    plain, given = (pipe(latents=noise, num_inference_steps=2, **call).frames for call in (
        {"prompt": "a beating heart"}, {"prompt_embeds": text, "negative_prompt_embeds": nothing}))
    assert np.array_equal(plain, given)


def test_given_first_frame_is_kept(pipe):
    image = np.full((16, 16, 3), 200, np.uint8)
    frames = pipe(prompt="a beating heart", image=image, num_inference_steps=2, generator=torch.Generator().manual_seed(0)).frames
    kept = pipe.vae.decode(pipe.vae.encode(image[None, None]))[0, 0].numpy()
    assert np.allclose(frames[0, 0], kept, atol=1e-5) and not np.allclose(frames[0, 1], kept, atol=1e-2)


def test_the_callers_noise_is_left_alone(pipe):
    noise = torch.randn(1, 16, 9, 1, 1, generator=torch.Generator().manual_seed(3))
    before = noise.clone()
    pipe(prompt="a heart", latents=noise, image=np.zeros((16, 16, 3), np.uint8), negative_prompt=None, num_inference_steps=1)
    assert torch.equal(noise, before)


def test_previews_are_taken_early_and_at_the_end(monkeypatch):
    from types import SimpleNamespace

    from medgen_kit.generate import stage

    monkeypatch.setattr(stage, "generate_clips", lambda *a, **k: np.zeros((1, 9, 4, 4, 3), np.uint8))
    monkeypatch.setattr(stage, "assemble", lambda *a: None)
    for total in (1282, 1200, 10):
        profile = SimpleNamespace(generate=None)
        previews = stage.Previews(SimpleNamespace(profile=profile, watch=None), None, ["a heart"])
        every = max(1, total // 12)
        for step in [*range(every, total, every), total]:
            previews(step, total, 0, {"flow": 1.0}, torch.nn.Linear(1, 1))
        assert previews.at[0] == every and previews.at[-1] == total and len(previews.at) == 4, previews.at


def test_bad_calls_are_refused_in_plain_words(pipe, tmp_path):
    with pytest.raises(KitError, match="2 first frames were given for 3 prompts"):
        pipe(prompt=["a heart"] * 3, image=np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(KitError, match="trained on 9 frames"):
        pipe(prompt="a heart", num_frames=81)
    with pytest.raises(KitError, match="first frame"):
        pipe(prompt="a heart", image=np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(KitError, match="no model_index.json"):
        load_pipeline(tmp_path)
    with pytest.raises(KitError, match="'no-one/no-model' is no folder here.*network"):
        load_pipeline("no-one/no-model", local_files_only=True)


def test_tokenizer_is_the_best_linear_code(pipe):
    frames = np.random.default_rng(1).integers(0, 256, (8, 9, 16, 16, 3), dtype=np.uint8)
    few, many = EigenframeTokenizer.fit(frames, 8), EigenframeTokenizer.fit(frames, 48)
    assert many.psnr(frames) > few.psnr(frames)
    assert abs(float(many.encode(frames).var()) - 1) < 0.1


def test_the_number_of_steps_follows_the_machine_a_third_of_the_way():
    recipe, said = TinyRecipe(minutes=4, max_steps=2400), []
    for total, seconds, wanted in ((1200, 120, 800), (1200, 200, 800), (1200, 40, 2400), (1200, 80, 1200), (1200, 100, 960)):
        state = {"step": 400, "seconds": seconds, "total": total}
        pace.correct(state, recipe, said.append)
        assert state["total"] == wanted
        assert all(learning_rate(k, total, recipe) == learning_rate(k, wanted, recipe) for k in range(400))
    assert said[0] == "300 ms a step: 800 steps instead of 1200" and len(said) == 4
