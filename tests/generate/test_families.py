"""The adapters: what they feed the transformer is what the family's own pipeline feeds it, and every family trains, resumes, exports,
samples."""

import numpy as np
import pytest
import torch

from medgen_kit import KitError, video
from medgen_kit.clip import Clip, write_folder
from medgen_kit.generate import Recipe, adapt, cache, checkpoint, lora, loop, tune
from medgen_kit.generate.families import FAMILIES, family_of
from medgen_kit.generate.families.base import pixels
from tests.generate import tiny_families

LARGE = ("wan", "hunyuan", "mochi", "ltx", "cogvideox")
every = pytest.mark.parametrize("name", LARGE)
SMALL = dict(batch=2, max_steps=10, lora_rank=4, lora_alpha=8, lr=1e-3, checkpoint_steps=2, mixed_precision="no", ema=0.9, drop=0.2)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    return {name: tiny_families.make(name, tmp_path_factory.mktemp(name)) for name in LARGE}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder, rng, made = tmp_path_factory.mktemp("clips"), np.random.default_rng(0), []
    for k in range(5):
        frames = np.repeat(rng.integers(0, 255, (14, 10, 14, 3), dtype=np.uint8), 8, 1).repeat(8, 2)
        path = video.write(folder / "videos" / f"{k}.mp4", frames, 8)
        made.append(Clip.of(path, video_category="medical imaging", brief_caption=f"a beating heart number {k}", source_id=str(k),
                            split="val" if k == 4 else "train"))
    return write_folder(folder, made)


def adapter(name, pipe):
    return family_of(pipe, **tiny_families.CALL[name])


def bucket(name):
    size = tiny_families.SIZES[name]
    return (size["frames"], size["height"], size["width"])


@every
def test_the_adapter_asks_the_transformer_what_the_pipeline_asks(name, homes):
    """One Euler step of the pipeline, watched: same inputs, same answer (Mochi's time runs backwards, CogVideoX has whole numbers)."""
    pipe = tiny_families.load(name, homes[name])
    family, seen = adapter(name, pipe), {}

    def watch(_module, _args, kwargs, output):
        seen.setdefault("call", (kwargs, output[0]))

    handle = pipe.transformer.register_forward_hook(watch, with_kwargs=True)
    prompt, size = "a beating heart", tiny_families.SHAPE[name]
    more = {} if name == "hunyuan" else {"negative_prompt": None}
    guidance = {"guidance_scale": 1.0}
    length = {"max_sequence_length": family.text_length}
    latents = pipe(prompt=prompt, num_inference_steps=2, output_type="latent", generator=torch.Generator().manual_seed(0), **guidance,
                   **length, **size, **more, **tiny_families.CALL[name]).frames
    handle.remove()
    kwargs, theirs = seen["call"]
    time = float(kwargs["timestep"].flatten()[0])
    s = torch.tensor([{"mochi": 1 - time / 1000}.get(name, (time + 0.5) / 1000 if name == "cogvideox" else time / 1000)])
    x = kwargs["hidden_states"]
    if name == "cogvideox":
        x = x.transpose(1, 2)
    if name == "ltx":
        x = x.transpose(1, 2).unflatten(2, (2, 2, 2))
    text = family.stack(family.encode_prompts(pipe, [prompt]))
    with torch.no_grad():
        ours = family.predict(pipe.transformer, x.float(), s, text)
    if name == "cogvideox":
        ours = ours.transpose(1, 2)
    if name == "ltx":
        ours = ours.flatten(2).transpose(1, 2)
    sign = -1 if name == "mochi" else 1
    assert torch.allclose(sign * ours, theirs, atol=2e-5), (ours - theirs).abs().max()
    assert latents.isfinite().all()


@every
def test_latents_are_at_the_scale_that_the_pipeline_decodes(name, homes):
    pipe = tiny_families.load(name, homes[name])
    family, size = adapter(name, pipe), bucket(name)
    frames = np.random.default_rng(1).integers(0, 255, (1, *size, 3), dtype=np.uint8)
    with torch.no_grad():
        latents = family.encode_video(pipe, frames)
        plain = pipe.vae.decode(pipe.vae.encode(pixels(frames, pipe.vae)).latent_dist.mode(), return_dict=False)[0]
    back = ((plain / 2 + 0.5).clamp(0, 1) * 255).permute(0, 2, 3, 4, 1).numpy()
    given = {"ltx": lambda z: z.flatten(2).transpose(1, 2), "cogvideox": lambda z: z.transpose(1, 2)}.get(name, lambda z: z)(latents)
    made = {}

    def stop(_pipe, step, t, kwargs):
        return {"latents": given}                      # whatever the steps did, these latents are decoded

    made = pipe(prompt="a heart", num_inference_steps=2, guidance_scale=1.0, output_type="np", callback_on_step_end=stop,
                callback_on_step_end_tensor_inputs=["latents"], **tiny_families.SHAPE[name], **tiny_families.CALL[name]).frames[0]
    assert np.abs(made * 255 - back[0]).max() <= 1.0


@every
def test_sizes_that_a_family_cannot_have_are_refused(name):
    family = FAMILIES[name]()
    with pytest.raises(KitError, match="frames are not possible"):
        family.check(family.frame_step * 2, 64, 64)
    with pytest.raises(KitError, match="multiple of"):
        family.check(family.frame_step * 2 + 1, 50, 64)
    family.check(family.frame_step * 2 + 1, 64, 64)


@every
def test_every_family_caches_trains_resumes_exports_and_samples(name, homes, clips, tmp_path):
    pipe = tiny_families.load(name, homes[name])
    family = adapter(name, pipe)
    openers = (lambda: pipe, lambda: pipe)
    store = cache.precompute(openers, ("texts", "videos"), family, clips, tmp_path / "cache", [bucket(name)], say=quiet)
    assert len(store.rows) == 5 and not store.index["problems"]

    def trained(folder, **more):
        fresh = tiny_families.load(name, homes[name])
        recipe = Recipe(**SMALL)
        model = tune.Tuned(lora.attach(fresh.transformer, family, recipe), family, recipe)
        figures = loop.fit(model, tune.drawing(store, family, recipe), lambda m, b: tune.losses(m, b, family, recipe), recipe, folder,
                           quiet, **more)
        return fresh, model, figures

    straight, model, figures = trained(tmp_path / "straight")
    assert figures["steps"] == 10 and all(row["flow"] > 0 for row in figures["history"])
    trained(tmp_path / "cut", stop_after=4)
    resumed, again, later = trained(tmp_path / "cut")
    assert [row["flow"] for row in later["history"]] == [row["flow"] for row in figures["history"]]
    for (key, one), other in zip(checkpoint.trained(model).items(), checkpoint.trained(again).values()):
        assert torch.equal(one, other), key
    path = lora.save(type(straight), straight.transformer, tmp_path / "lora")
    plain = tiny_families.load(name, homes[name])
    plain.load_lora_weights(str(path.parent))
    text = family.stack([store.text(store.rows[0])])
    x, s = store.latent(store.rows[0])[None], torch.tensor([0.5])
    with torch.no_grad():
        before = family.predict(tiny_families.load(name, homes[name]).transformer, x, s, text)
        ours, theirs = (family.predict(p.transformer.eval(), x, s, text) for p in (straight, plain))
        merged = family.predict(lora.merge(plain).transformer, x, s, text)
    assert torch.allclose(ours, theirs, atol=1e-5) and not torch.allclose(ours, before, atol=1e-4)
    assert torch.allclose(merged, theirs, atol=1e-4)
    made = plain(prompt="a beating heart", num_inference_steps=2, output_type="np", **tiny_families.SHAPE[name],
                 **tiny_families.CALL[name]).frames[0]
    assert np.isfinite(made).all()
    looks = adapt.Looks(straight, family, store, store.rows[:1], Recipe(**SMALL), tmp_path / "looks")
    found = looks(model, 10)
    assert looks.kept[0].shape == (*bucket(name), 3) and looks.kept[0].dtype == np.uint8 and found["levels"]["0.5"] > 0
    looks.save(clips)
    with np.load(tmp_path / "looks" / "previews.npz") as kept:
        assert kept["target"].shape == looks.kept[0].shape


@every
@pytest.mark.parametrize("dtype, mixed", [(torch.bfloat16, "bf16"), (torch.bfloat16, "no"), (torch.float16, "no")])
def test_a_frozen_base_in_16_bits_trains_a_float32_lora(name, dtype, mixed, homes, clips, tmp_path):
    """As on a GPU: L4 and A100 in bf16 under autocast, without it, and in a T4's fp16."""
    plain = tiny_families.load(name, homes[name])
    family = adapter(name, plain)
    store = cache.precompute((lambda: plain, lambda: plain), ("texts", "videos"), family, clips, tmp_path / "cache", [bucket(name)],
                             dtype=dtype, say=quiet)
    pipe = tiny_families.load(name, homes[name], dtype={"default": dtype, "vae": torch.float32})
    recipe = Recipe(**SMALL | {"mixed_precision": mixed, "max_steps": 4})
    model = tune.Tuned(lora.attach(pipe.transformer, family, recipe), family, recipe)
    assert model.dtype == dtype and {p.dtype for p in checkpoint.trained(model).values()} == {torch.float32}
    figures = loop.fit(model, tune.drawing(store, family, recipe), lambda m, b: tune.losses(m, b, family, recipe), recipe, tmp_path / "out",
                       quiet)
    moved = [name for name, p in checkpoint.trained(model).items() if "lora_B" in name and p.abs().max() > 0]
    assert figures["steps"] == 4 and moved


def quiet(_):
    pass
