"""Shots and runs: cuts to the frame, the paper's run rule by hand, files that cannot be decoded."""

import numpy as np
import pytest
from tests.curate.pictures import shot

from medgen_kit import VideoError, video
from medgen_kit.curate import agree, backends, probe, segment


@pytest.fixture(scope="module")
def cut_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cuts") / "cuts.mp4"
    starts, frames = [0, 13, 25, 40], []
    for k, length in enumerate((13, 12, 15, 12)):
        frames.append(shot(10 + k, length, (240, 320), dx=(0, 2, 0, -2)[k]))
    return video.write(path, np.concatenate(frames), 8), starts[1:], 52


def test_hard_cuts_are_found_within_one_frame(cut_file):
    path, starts, total = cut_file
    seen = segment.scan(path, 1 / 6, (96, 128))
    assert seen.total == total and len(seen.cuts) == len(starts)
    assert all(abs(found - true) <= 1 for found, true in zip(seen.cuts, starts))


def test_samples_are_a_sixth_of_a_clip_apart(cut_file):
    step = segment.step_seconds(9, 8)
    seen = segment.scan(cut_file[0], step, (48, 64))
    assert step == pytest.approx(1 / 6) and segment.step_seconds(49, 8) == 1.0
    assert seen.numbers[:7] == [0, 1, 3, 4, 5, 7, 8] and seen.thumbs.shape == (len(seen.numbers), 48, 64, 3)


def test_s_falls_at_cuts_and_only_there(cut_file):
    backend = backends.ColourBackend()
    seen = segment.scan(cut_file[0], 1 / 6, backend.size)
    s = segment.similarity(backend.embed(seen.thumbs))
    crossing = np.array([any(a < start <= b for start in cut_file[1]) for a, b in zip(seen.numbers, seen.numbers[1:])])
    assert s[crossing].max() < backend.tau < s[~crossing].min()


def test_similarity_is_the_cosine():
    e = np.array([[1.0, 0], [1, 1], [0, 2], [0, -1]])
    assert segment.similarity(e) == pytest.approx([2**-0.5, 2**-0.5, -1])


def test_runs_by_hand():
    numbers = list(range(0, 40, 2))
    medical, s = np.ones(20, bool), np.ones(19)
    medical[8], s[13] = False, 0.5
    got = [(p.first, p.last, p.steps, p.medical) for p in segment.runs(numbers, medical, s, [31], 0.9)]
    assert got == [(0, 14, 7, True), (16, 16, 0, False), (18, 26, 4, True), (28, 30, 1, True), (32, 38, 3, True)]


def test_long_runs_are_split_and_every_sample_is_used_once():
    parts = segment.runs(list(range(25)), np.ones(25, bool), np.ones(24), [], 0.9)
    assert len(parts) == 3 and all(p.steps <= segment.MAX_STEPS for p in parts)
    assert [n for p in parts for n in range(p.first, p.last + 1)] == list(range(25))


@pytest.mark.parametrize("count", range(7, 60))
def test_no_long_run_is_lost(count):
    parts = segment.split(0, count - 1, 10, 6)
    assert [n for a, b in parts for n in range(a, b + 1)] == list(range(count)) and all(b - a <= 10 for a, b in parts)
    good = [b - a for a, b in parts if 6 <= b - a]
    assert len(good) >= len(parts) - 1 and sum(steps + 1 for steps in good) >= min(count, max(7, count - 2))


def test_cuts_found_counts_hits_and_false_alarms():
    shots = [{"start": 0, "join": "cut"}, {"start": 10, "join": "cut"}, {"start": 20, "join": "fade"}]
    assert agree.cuts_found([11, 22, 30], shots) == {"cut": (1, 1), "fade": (1, 1), "false": 1}
    assert [row["planted"] for row in agree.joins([{"file": "own.mp4", "rows": [], "cuts": []}], {})] == [0, 0]        # no truth is known
    assert agree.cuts_found([13], shots) == {"cut": (0, 1), "fade": (0, 1), "false": 1}


def test_the_medical_test_learns_and_clip_weights_serve_as_embedder(tmp_path):
    dark, bright = [shot(k, 1, (48, 64), high=90)[0] for k in range(12)], [shot(k, 1, (48, 64), low=160, high=250)[0] for k in range(12)]
    labels = np.array([True] * 12 + [False] * 12)
    frames = np.stack(dark + bright)
    assert ((backends.MedicalTest(backends.ColourBackend(), frames, labels)(frames) > 0.5) == labels).all()
    backend = backends.load(f"clip:{tiny_clip(tmp_path)}")
    seen = backend.embed(frames)
    assert seen.shape == (24, 16) and np.allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    assert ((backends.MedicalTest(backend, frames, labels)(frames) > 0.5) == labels).mean() > 0.9


def tiny_clip(folder):
    """A CLIP of a few thousand random weights, saved as a real one would be."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = small | {"image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=small | {"vocab_size": 50}, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    return folder


def test_an_unknown_embedder_and_a_folder_without_weights_are_refused(tmp_path):
    from medgen_kit import KitError
    with pytest.raises(KitError, match="no embedder 'dino'"):
        backends.load("dino")
    with pytest.raises(KitError, match="config.json"):
        backends.load(f"clip:{tmp_path}")


def refused(path, limits=None):
    with pytest.raises(VideoError) as caught:
        probe.look(path, limits)
    assert path.name in str(caught.value)
    return caught.value.reason


def test_files_that_cannot_be_used_are_refused_with_a_typed_reason(tmp_path, cut_file):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<html>" * 40)
    short = video.write(tmp_path / "short.mp4", shot(1, 4, (48, 64)), 8)
    assert refused(tmp_path / "empty.mp4") == "empty" and refused(tmp_path / "page.mp4") == "not_media"
    assert refused(short) == "too_short" and refused(tmp_path / "gone.mp4") == "missing"
    assert refused(cut_file[0], probe.Limits(max_side=300)) == "too_large"
    assert refused(cut_file[0], probe.Limits(max_seconds=5)) == "too_large"
    assert probe.resolution(probe.look(cut_file[0])) == 240


def test_a_file_that_breaks_off_is_truncated(tmp_path, cut_file):
    half = tmp_path / "half.mp4"
    half.write_bytes(cut_file[0].read_bytes()[:cut_file[0].stat().st_size * 6 // 10])
    with pytest.raises(VideoError) as caught:
        segment.scan(half, 1 / 6, (48, 64))
    assert caught.value.reason == "truncated"
