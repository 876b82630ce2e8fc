"""Faster sampling: what each acceleration really does, that nothing is left of it afterwards, and that an idle one says so."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from medgen_kit import KitError
from medgen_kit.generate.label import memory_hash
from medgen_kit.generate.speed import accelerate_sampling, prepare, unipc
from tests.generate.tiny_families import CALL, SHAPE, SIZES, load, make
from tests.generate.test_sample import tiny  # noqa: F401  (the fixture)

STEPS = 20


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("families")
    return {family: make(family, place / family) for family in SIZES}


def sample(pipe, family, steps=STEPS, seed=0):
    return np.asarray(pipe(prompt="a beating heart", num_inference_steps=steps, output_type="np",
                           generator=torch.Generator().manual_seed(seed), **CALL[family], **SHAPE[family]).frames)


def calls(transformer, what):
    """How often the transformer's last block's attention runs in what(): an own count beside the Boost's."""
    name = "single_transformer_blocks" if hasattr(transformer, "single_transformer_blocks") else \
        "blocks" if hasattr(transformer, "blocks") else "transformer_blocks"
    last, count = getattr(transformer, name)[-1], []
    hook = getattr(last, "attn1", getattr(last, "attn", None)).register_forward_hook(lambda *_: count.append(1))
    try:
        what()
    finally:
        hook.remove()
    return len(count)


@pytest.mark.parametrize("accel", ["safe", "fast"])
@pytest.mark.parametrize("family", SIZES)
def test_each_family_is_accelerated_or_says_why_not_and_comes_back_bit_for_bit(folders, family, accel):
    pipe = load(family, folders[family])
    plain, scheduler, found = sample(pipe, family), pipe.scheduler, []
    with accelerate_sampling(pipe, accel) as boost:
        steps = boost.steps(STEPS)
        ran = calls(pipe.transformer, lambda: found.append(sample(pipe, family, steps)))
        once = boost.report()
        found.append(sample(pipe, family, steps))
    assert once["forwards"] == steps * (2 if family == "wan" else 1) and once["full"] == ran and np.isfinite(found[0]).all()
    assert np.array_equal(found[0], found[1])                           # nothing of the first call is left in the second
    assert bool(once["skipped"]) != any("the cache changed nothing" in note for note in once["notes"])
    if not once["skipped"] and accel == "safe":
        assert np.array_equal(found[0], plain)
    if accel == "fast":
        solved = family in ("wan", "hunyuan", "ltx")
        assert steps == (12 if solved else 20) and bool(solved) == (once["solver"] == "UniPCMultistepScheduler")
        assert solved or "steps are kept" in once["notes"][0]
    assert pipe.scheduler is scheduler and not pipe.transformer.is_cache_enabled and np.array_equal(sample(pipe, family), plain)


def test_a_large_cache_skips_blocks_and_an_error_leaves_nothing_behind(folders, monkeypatch):
    from medgen_kit.generate import speed

    pipe = load("wan", folders["wan"])
    plain = sample(pipe, "wan")
    monkeypatch.setitem(speed.THRESHOLD, "safe", 0.5)
    with accelerate_sampling(pipe, "safe") as boost:
        cached = sample(pipe, "wan")
    assert boost.report()["skipped"] > 0.3 and not np.array_equal(cached, plain) and boost.report()["notes"] == []
    with pytest.raises(KitError, match="stopped here"), accelerate_sampling(pipe, "fast"):
        pipe(prompt="a heart", num_inference_steps=8, callback_on_step_end=stop, **SHAPE["wan"])
    assert np.array_equal(sample(pipe, "wan"), plain)
    with accelerate_sampling(pipe, "safe"):                            # and the next acceleration begins anew
        assert np.array_equal(sample(pipe, "wan"), cached)


def stop(pipe, step, time, found):
    if step == 4:
        raise KitError("stopped here")
    return found


def test_unipc_solves_the_same_flow(folders):
    """On the exact velocity of a Gaussian, UniPC in 12 steps is nearer to the truth than Euler's method in 20, at each shift."""
    spread, g = 0.3, torch.Generator().manual_seed(0)
    noise = torch.randn(1, 500, generator=g)

    def velocity(x, s):                          # x_s of data N(0, spread^2) and noise N(0, 1): E[eps - x0 | x_s]
        return x * (s - (1 - s) * spread ** 2) / ((1 - s) ** 2 * spread ** 2 + s ** 2)

    def solve(scheduler, steps):
        scheduler.set_timesteps(steps)
        x = noise.clone()
        for i, t in enumerate(scheduler.timesteps):
            x = scheduler.step(velocity(x, float(scheduler.sigmas[i])), t, x, return_dict=False)[0]
        return float((x - spread * noise).norm() / (spread * noise).norm())
    for shift in (1.0, 3.0, 7.0):
        euler = FlowMatchEulerDiscreteScheduler(shift=shift)
        better, plain = solve(unipc(euler)[0], 12), solve(euler, 20)
        assert better < 0.8 * plain, (shift, better, plain)
        trap = UniPCMultistepScheduler.from_config(euler.config)        # the configuration that takes the velocity for noise
        assert solve(trap, 12) > 2 * plain
    leap = UniPCMultistepScheduler.from_config(unipc(euler)[0].config, shift_terminal=None)
    assert solve(leap, 12) > 1.5 * better                               # shift 7 without the stretched noise levels
    own = load("wan", folders["wan"]).scheduler
    assert unipc(own)[0].config.flow_shift == own.config.flow_shift and unipc(own)[0].config.use_flow_sigmas


def test_medgen_tiny_has_no_cache_and_says_so(tiny):  # noqa: F811
    plain = tiny(prompt="a heart", num_inference_steps=10, generator=torch.Generator().manual_seed(0)).frames
    with accelerate_sampling(tiny, "fast") as boost:
        fast = tiny(prompt="a heart", num_inference_steps=boost.steps(10), generator=torch.Generator().manual_seed(0)).frames
    report = boost.report()
    assert "MedGen-tiny has no cache" in report["notes"][0] and report["threshold"] == 0 and boost.steps(10) == 6
    assert np.isfinite(fast).all() and 0 < np.abs(fast - plain).mean() < 0.1
    again = tiny(prompt="a heart", num_inference_steps=10, generator=torch.Generator().manual_seed(0)).frames
    assert np.array_equal(plain, again)


def test_bad_names_and_a_cache_that_is_on_are_refused(folders):
    from diffusers import FirstBlockCacheConfig

    pipe = load("wan", folders["wan"])
    with pytest.raises(KitError, match="off, safe, fast"), accelerate_sampling(pipe, "turbo"):
        pass
    pipe.transformer.enable_cache(FirstBlockCacheConfig(0.1))
    scheduler = pipe.scheduler
    with pytest.raises(KitError, match="on already"), accelerate_sampling(pipe, "fast"):
        pass
    assert pipe.scheduler is scheduler and pipe.transformer.is_cache_enabled
    pipe.transformer.disable_cache()
    with accelerate_sampling(pipe, "off") as boost:
        sample(pipe, "wan", 2)
    assert boost.report()["forwards"] == 0 and boost.report()["notes"] == [] and boost.steps(7) == 7


def test_switches_for_memory(folders, tiny):  # noqa: F811
    plain = sample(load("wan", folders["wan"]), "wan", 4)
    group, cast, tiled = (load("wan", folders["wan"]) for _ in range(3))
    assert "saves nothing" in prepare(group, offload="group")[0]
    assert np.array_equal(sample(group, "wan", 4), plain)
    before = sum(p.numel() * p.element_size() for p in cast.transformer.parameters())
    assert "float32" in prepare(cast, layerwise=True)[0]
    assert sum(p.numel() * p.element_size() for p in cast.transformer.parameters()) < 0.6 * before
    assert 0 < np.abs(sample(cast, "wan", 4) - plain).max() < 0.2
    assert "tiles" in prepare(tiled, vae_tiling=True)[0] and tiled.vae.use_tiling
    for changes, match in (({"offload": "model"}, "there is no GPU here"), ({"device": "cuda"}, "there is no GPU here"),
                           ({"offload": "disk"}, "none, model, group")):
        if torch.cuda.is_available() and "GPU" in match:
            continue
        with pytest.raises(KitError, match=match):
            prepare(load("wan", folders["wan"]), **changes)
    with pytest.raises(KitError, match="EigenframeTokenizer cannot decode in tiles"):
        prepare(tiny, vae_tiling=True)


def test_layerwise_casting_does_not_round_a_lora_unasked(folders):
    from peft import LoraConfig

    pipe = load("wan", folders["wan"])
    pipe.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    before = memory_hash(pipe.transformer)
    with pytest.raises(KitError, match="round the LoRA"):
        prepare(pipe, layerwise=True)
    assert memory_hash(pipe.transformer) == before


def test_the_bench_measures_every_way(tmp_path, monkeypatch, capsys):
    """The whole script at its smallest: a model of three steps of training, whose ratios mean nothing, and all rows."""
    spec = importlib.util.spec_from_file_location("bench_sample", Path(__file__).parents[1] / "bench" / "sample.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    whole = bench.trained
    monkeypatch.setattr(bench, "trained", lambda: whole(steps=3, batch=1))
    for name, value in {"STEPS": 4, "REFERENCE": 6, "CLIPS": 1, "ROUNDS": 1, "SHAPE": (16, 3, 8, 8), "DECODED": (1, 16, 1, 20, 20)}.items():
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr("sys.argv", ["sample.py", "--json", str(tmp_path / "rows.json")])
    assert bench.main() in (0, 1)
    found = json.loads((tmp_path / "rows.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert {"accel=safe", "accel=fast", "UniPC, 12 steps", "layerwise casting", "group offload", "decode in tiles of 128"} <= set(rows)
    assert rows["group offload"]["to_plain"] == 0 and rows["accel=fast"]["to_plain"] > 0 and rows["layerwise casting"]["to_plain"] > 0
    assert "target 1.3" in capsys.readouterr().out
