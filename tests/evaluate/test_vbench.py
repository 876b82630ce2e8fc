"""VBench's dimensions: the numbers of VBench's own functions with the same networks and frames, and what VBench gets wrong mended or kept.

GOLDEN was printed by VBench's code (commit 45e79ec) through tests/bench/vbench_peer.py, on the clips and networks of stubs.py.
"""

import numpy as np
import pytest
import torch

from medgen_kit.errors import KitError
from medgen_kit.evaluate import backbones, vbench
from tests.evaluate import stubs

PROMPT = "an endoscope advances in the colon"
GOLDEN = {
    "wide": ((16, 90, 160), 8, {
        "subject_consistency": 0.76797442, "background_consistency": 0.87844309, "temporal_flickering": 0.92537285, "motion_smoothness":
        0.95150143, "imaging_quality": 24.496009, "aesthetic_quality": 0.68426639, "dynamic_degree": 1, "overall_consistency":
        -0.04829536}),
    "tall": ((21, 240, 136), 24, {
        "subject_consistency": 0.81184633, "background_consistency": 0.77987015, "temporal_flickering": 0.92505365, "motion_smoothness":
        0.95309346, "imaging_quality": 24.32485, "aesthetic_quality": 0.82841384, "dynamic_degree": 1, "overall_consistency":
        -0.094497837}),
    "large": ((7, 600, 900), 8, {
        "subject_consistency": 0.98856898, "background_consistency": 0.97992755, "temporal_flickering": 0.91745816, "motion_smoothness":
        0.94440716, "imaging_quality": 43.546241, "aesthetic_quality": 0.61143965, "dynamic_degree": 0, "overall_consistency":
        0.15660572}),
    "short": ((3, 128, 128), 8, {
        "subject_consistency": 0.86397895, "background_consistency": 0.87260293, "temporal_flickering": 0.84902724, "motion_smoothness":
        0.85575111, "imaging_quality": 23.860986, "aesthetic_quality": 1.2097111, "dynamic_degree": 1, "overall_consistency":
        -0.009494954}),
    "two": ((9, 256, 256), 25, {
        "subject_consistency": 0.9899779, "background_consistency": 0.99086339, "temporal_flickering": 0.91883208, "motion_smoothness":
        0.94355877, "imaging_quality": 25.508112, "aesthetic_quality": 0.94356048, "dynamic_degree": 1, "overall_consistency":
        -0.25234056}),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_same_numbers_as_vbench(name):
    shape, fps, expected = GOLDEN[name]
    found = stubs.ours(stubs.waves(*shape), fps, PROMPT)
    for dimension, value in expected.items():
        assert found[dimension] == pytest.approx(value, abs=1e-3 if dimension == "imaging_quality" else 1e-5), dimension


def test_pictures_reach_the_networks_as_vbench_sends_them():
    seen = {}

    def remember(name):
        def encoder(pictures):
            seen[name] = pictures
            return stubs.encoder(pictures)
        return encoder

    frames = np.random.default_rng(0).choice([0, 255], (3, 90, 160, 3)).astype(np.uint8)
    vbench.subject_consistency(frames, remember("subject"))
    vbench.background_consistency(frames, remember("background"))
    vbench.overall_consistency(frames, remember("video"), stubs.text, PROMPT)
    assert seen["subject"].shape == (3, 3, 224, 398)                           # the long side is cut off, not rounded; nothing cropped
    assert seen["background"].shape == (3, 3, 224, 224) and seen["video"].shape == (8, 3, 224, 224)
    mean, std = (np.array(x)[:, None, None] for x in vbench.CLIP)
    levels = {name: seen[name].numpy() * std + mean for name in ("background", "video")}
    assert levels["background"].min() < -0.02 and levels["background"].max() > 1.02               # float bicubic leaves the range
    assert levels["video"].min() >= -1e-6 and levels["video"].max() <= 1 + 1e-6                    # 8-bit bicubic does not
    assert np.abs(levels["video"] * 255 - (levels["video"] * 255).round()).max() < 1e-3


def test_guesses_are_cut_off_and_only_odd_frames_count():
    frames = np.zeros((6, 32, 32, 3), np.uint8)
    frames[1::2], frames[5] = 10, 255                                            # the last frame has no neighbour behind it
    half_up = vbench.motion_smoothness(frames, lambda a, b: (a + b) / 2 + 10.6 / 255)
    assert half_up == pytest.approx(1.0)                                        # 10.6 is cut off to 10
    calls = []
    vbench.motion_smoothness(np.zeros((5, 20, 20, 3), np.uint8), lambda a, b: calls.append(a.shape) or a)
    assert calls == [(1, 3, 32, 32)] * 2 and vbench.motion_smoothness(frames[:2], stubs.interpolator) is None


@pytest.mark.parametrize("mode, shape, expected", [
    ("longer", (600, 900), (341, 512)), ("longer", (300, 500), (300, 500)), ("shorter", (600, 900), (512, 768)),
    ("shorter_centercrop", (600, 900), (512, 512)), ("None", (600, 900), (600, 900)), ("longer", (513, 1026), (256, 512))])
def test_sizes_of_pictures_for_quality(mode, shape, expected):
    seen = []
    value = vbench.imaging_quality(np.full((2, *shape, 3), 51, np.uint8), lambda x: seen.append(x.shape) or x.max() * 100, mode)
    assert seen == [(1, 3, *expected)] * 2 and value == pytest.approx(20)
    with pytest.raises(KitError, match="longer, shorter"):
        vbench.imaging_quality(np.zeros((1, 8, 8, 3), np.uint8), lambda x: 0, "wide")


def test_faults_of_dynamic_degree_are_kept_and_mended():
    def nothing(a, b):
        return np.zeros((1, 2, *a.shape[2:]), np.float32)

    def broken(a, b):
        return np.full((1, 2, *a.shape[2:]), np.nan, np.float32)

    still = np.zeros((2, 64, 64, 3), np.uint8)
    assert vbench.dynamic_degree(still, 8, nothing) is True                     # VBench: no pair is needed of two frames
    assert vbench.dynamic_degree(still, 8, nothing, vbench_compatible=False) is False
    long = np.zeros((16, 64, 64, 3), np.uint8)
    assert vbench.dynamic_degree(long, 8, broken) is False                      # VBench: what can not be told stands still
    assert vbench.dynamic_degree(long, 8, broken, vbench_compatible=False) is None
    assert vbench.dynamic_degree(long[:1], 8, nothing) is False and vbench.dynamic_degree(long[:1], 8, nothing, False) is None
    kept = []
    vbench.dynamic_degree(np.zeros((48, 60, 60, 3), np.uint8), 24, lambda a, b: kept.append(a.shape) or nothing(a, b))
    assert kept == [(1, 3, 64, 64)] * 15                                        # every third frame, padded to multiples of 8


@pytest.mark.parametrize("total, expected", [(16, [0, 2, 4, 6, 8, 10, 12, 14]), (3, [0, 1, 2, 2, 2, 2, 2, 2]), (1, [0] * 8)])
def test_frames_of_overall_consistency(total, expected):
    assert vbench.middle_frames(total, 8) == expected


def test_consistency_on_known_vectors():
    assert vbench.consistency(np.tile([1.0, 2.0], (5, 1))) == pytest.approx(1)
    assert vbench.consistency([[1, 0], [0, 1], [1, 0]]) == pytest.approx((0 + 0 + 0 + 1) / 4)
    assert vbench.consistency([[1, 0], [-1, 0]]) == 0                       # negative cosines count as nothing
    assert vbench.consistency([[1, 0]]) is None


def test_flickering_of_a_known_step():
    clip = np.zeros((2, 8, 8, 3), np.uint8)
    clip[1] = 51
    assert vbench.temporal_flickering(clip) == pytest.approx(0.8) and vbench.temporal_flickering(clip[:1]) is None


def broken(value):
    """A network that gives `value` for its last number, whatever it sees; the others are those of stubs.py."""
    def network(*seen):
        found = torch.as_tensor(stubs.encoder(seen[0]) if len(seen) == 1 else stubs.interpolator(*seen)).clone()
        found.reshape(-1)[-1] = value
        return found
    return network


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_gives_no_numbers_is_an_error_and_never_a_score(value):
    frames, bad = stubs.waves(5, 32, 32), broken(value)
    for call in (lambda: vbench.subject_consistency(frames, bad), lambda: vbench.background_consistency(frames, bad),
                 lambda: vbench.motion_smoothness(frames, bad), lambda: vbench.imaging_quality(frames, lambda x: value),
                 lambda: vbench.aesthetic_quality(frames, stubs.encoder, bad_head), lambda: vbench.consistency([[1, value], [1, 0]]),
                 lambda: vbench.overall_consistency(frames, bad, stubs.text, PROMPT),
                 lambda: vbench.overall_consistency(frames, stubs.video, lambda text: stubs.text(text) * value, PROMPT)):
        with pytest.raises(vbench.NotFinite, match="not finite"):
            call()
    assert vbench.dynamic_degree(frames, 8, lambda a, b: stubs.flow(a, b) * float("nan"), vbench_compatible=False) is None


def bad_head(features):
    return stubs.head(features) * float("nan")


@pytest.mark.parametrize("fps", [None, 0, -8, float("nan"), float("inf"), "8"])
def test_dynamic_degree_needs_frames_a_second(fps):
    with pytest.raises(KitError, match="fps is .*number above 0"):
        vbench.dynamic_degree(stubs.waves(5, 32, 32), fps, stubs.flow)


def test_frames_of_another_kind_are_refused():
    with pytest.raises(KitError, match="uint8"):
        vbench.temporal_flickering(np.zeros((4, 8, 8, 3)))
    with pytest.raises(KitError, match="T >= 1"):
        vbench.subject_consistency(np.zeros((0, 8, 8, 3), np.uint8), stubs.encoder)


def test_without_a_network_the_profile_chooses(monkeypatch):
    monkeypatch.setenv("MEDGEN_PROFILE", "smoke")
    frames = stubs.waves(9, 64, 64)
    light = backbones.load("light")
    for function, part in ((vbench.subject_consistency, "subject"), (vbench.background_consistency, "background"),
                           (vbench.motion_smoothness, "interpolator")):
        assert function(frames, None) == function(frames, light.part(part))
    for call in (lambda: vbench.imaging_quality(frames, None), lambda: vbench.aesthetic_quality(frames, None, stubs.head),
                 lambda: vbench.aesthetic_quality(frames, stubs.encoder, None)):
        with pytest.raises(KitError, match="'sharpness', which goes by its own name"):
            call()
    with pytest.raises(KitError, match="Name the run whose towers"):
        vbench.overall_consistency(frames, None, None, PROMPT)
    monkeypatch.setattr(backbones, "of_profile", lambda: backbones.Backbone("parity"))
    with pytest.raises(KitError, match="ViCLIP"):
        vbench.overall_consistency(frames, None, None, PROMPT)
    with pytest.raises(KitError, match="takes a text"):
        vbench.overall_consistency(frames, stubs.video, stubs.text, float("nan"))


def test_the_bench_measures_all_eight_dimensions_and_its_shims_resize_as_ours(tmp_path):
    import importlib.util
    from pathlib import Path

    folder, loaded = Path(__file__).parents[1] / "bench", {}
    for name in ("evaluate", "vbench_peer"):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", folder / f"{name}.py")
        loaded[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    bench, peer = loaded["evaluate"], loaded["vbench_peer"]
    seconds, found = bench.timed(lambda: bench.ours(bench.make_clips(tmp_path, 1)))
    assert seconds > 0 and set(found[0]) == set(next(iter(GOLDEN.values()))[2]) == set(bench.stubs.ours(stubs.waves(3, 32, 32), 8, "x"))
    pictures = torch.rand(2, 3, 90, 160) * 255
    assert torch.equal(peer.Resize(224, "bicubic")(pictures), vbench.shortened(pictures, "bicubic"))
    assert torch.equal(peer.CenterCrop(224)(torch.arange(300.0).expand(3, 240, 300)),
                       vbench.centre(torch.arange(300.0).expand(1, 3, 240, 300), 224)[0])
