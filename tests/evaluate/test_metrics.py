"""All metrics of a clip: each with its settings, a reason where there is no value, and no metric that a frozen clip can not win unseen."""

import numpy as np
import pytest
import torch

from medgen_kit import KitError
from medgen_kit.align import ConceptSet, VideoTextModel, text_tower, train_tokenizer, video_tower
from medgen_kit.evaluate import backbones, metrics, vbench
from medgen_kit.evaluate.result import comparable
from tests.evaluate import stubs
from tests.evaluate.test_classical import sliding


def test_every_metric_of_the_light_backbone_has_value_and_settings():
    found = metrics.measure(sliding(2), 8)
    assert tuple(found) == metrics.LIGHT and all(result.value is not None for result in found.values())
    subject = found["subject_consistency"]
    assert subject.settings["backbone"].startswith("thumbnail") and "short side 224" in subject.settings["resize"]
    assert subject.weight == 8 and len(subject.per_frame) == 8 and subject.settings["versions"]["torch"] == torch.__version__
    assert found["dynamic_degree"].value in (0.0, 1.0) and found["sharpness"].settings["backbone"] == "none"


def test_a_still_clip_wins_all_but_what_guards_against_it():
    still = metrics.values(metrics.measure(np.repeat(sliding(0)[:1], 9, 0), 8))
    assert still["subject_consistency"] == pytest.approx(1) and still["motion_smoothness"] > 0.997 and still["temporal_flickering"] == 1
    assert still["motion_pixels"] < 0.01 and still["frozen_share"] == 1 and still["dynamic_degree"] == 0


def test_smooth_motion_beats_shuffled_frames():
    clip = sliding(2)
    mixed = clip[[0, 6, 2, 8, 1, 5, 3, 7, 4]]
    smooth, rough = (metrics.measure(found, 8, names=["motion_smoothness"])["motion_smoothness"].value for found in (clip, mixed))
    assert smooth > rough + 0.01


def test_short_clips_get_reasons_and_none():
    found = metrics.measure(sliding(1, frames=1), 8)
    assert {name for name, result in found.items() if result.value is None} == set(found) - {"sharpness"}
    assert found["motion_smoothness"].reason == "it has 1 of at least 3 frames"


def test_unknown_names_and_backbones():
    with pytest.raises(KitError, match="no metric 'beauty'"):
        metrics.measure(sliding(1), 8, names=["beauty"])
    with pytest.raises(KitError, match="no backbone 'heavy'"):
        backbones.load("heavy")
    with pytest.raises(KitError, match="has no network for 'text'"):
        backbones.Backbone("parity").part("text")
    with pytest.raises(KitError, match="no text encoder or concept head of its own"):
        backbones.Backbone("light").part("text")


def test_the_courses_own_towers_as_backbone(tmp_path, monkeypatch):
    words = train_tokenizer(["a heart beats", "an endoscope advances", "a scan of the head"] * 5)
    torch.manual_seed(0)
    VideoTextModel(video_tower(), text_tower(len(words)), 3).save(tmp_path, words)
    ConceptSet(["anatomy/heart", "device/endoscope", "motion/advancing"], np.eye(3)).save(tmp_path / "concepts.json")
    networks = backbones.Backbone("light", str(tmp_path))
    found = metrics.measure(sliding(2), 8, "an endoscope advances", networks)
    assert "overall_consistency" in found and -1 <= found["overall_consistency"].value <= 1
    assert found["subject_consistency"].settings["backbone"] == "aligned video tower of the course"
    assert len(found["subject_consistency"].settings["weights"]) == 16
    assert metrics.measure(sliding(2), 8, None, networks)["overall_consistency"].reason == "it has no prompt"
    other = metrics.measure(sliding(2), 8, "a heart beats", networks)["overall_consistency"]
    assert other.value != found["overall_consistency"].value
    with pytest.raises(KitError, match="backbone is 'aligned"):
        comparable([found["subject_consistency"], metrics.measure(sliding(2), 8)["subject_consistency"]])
    head = networks.part("concepts")
    monkeypatch.setattr(head.model.concept_head, "forward", lambda seen: torch.tensor([[2.0, 1.0, -1.0]]))
    assert head(sliding(2), "A heart.") == ["anatomy/heart"] and head(sliding(2), "waves") == []         # a prompt leaves much open
    monkeypatch.setattr(type(head), "__call__", lambda self, frames, prompt: ["anatomy/heart", "device/endoscope"])
    asked = metrics.measure(sliding(2), 8, "An endoscope advances.", networks)
    assert asked["concept_recall"].value == 0.5 and asked["concept_precision"].value == 0.5            # not the motion; the heart besides
    assert asked["concept_recall"].settings["backbone"] == "concept head of the course" and asked["concept_recall"].weight == 2
    assert metrics.measure(sliding(2), 8, "waves", networks)["concept_recall"].reason == "the prompt names no concept"
    assert "among the concepts that the prompt decides" in metrics.METRICS["concept_precision"].about
    other_head = backbones.Backbone("light", str(tmp_path)).part("concepts").weights
    ConceptSet(["anatomy/heart", "device/endoscope", "motion/advancing"], np.ones((3, 3))).save(tmp_path / "concepts.json")
    assert backbones.Backbone("light", str(tmp_path)).part("concepts").weights != other_head == head.weights       # rivals count too
    text = networks.part("text")
    assert text.truncated("heart " * 300) and not text.truncated("a heart beats")


def test_a_network_that_gives_no_numbers_is_a_reason_for_this_clip_alone():
    networks = backbones.Backbone("parity")
    networks.parts = {"subject": lambda x: stubs.encoder(x) * float("nan"), "quality": lambda x: float("inf"), "flow": stubs.flow,
                      "interpolator": lambda a, b: a / 0 - a / 0, "background": stubs.encoder}
    names = ("subject_consistency", "imaging_quality", "motion_smoothness", "background_consistency")
    found = metrics.measure(stubs.waves(5, 64, 64), 8, backbone=networks, names=names)
    assert [found[name].reason for name in names] == ["its network gave numbers that are not finite"] * 3 + [""]
    assert [found[name].value is None for name in names] == [True] * 3 + [False]
    with pytest.raises(KitError, match="fps is None"):
        metrics.measure(stubs.waves(5, 64, 64), None)


def test_parity_measures_with_the_networks_it_has_and_says_what_is_too_small():
    networks = backbones.Backbone("parity")
    networks.parts = {"subject": stubs.encoder, "background": stubs.encoder, "interpolator": stubs.interpolator, "flow": stubs.flow,
                      "quality": stubs.quality}
    names = ("motion_smoothness", "dynamic_degree", "imaging_quality", "subject_consistency")
    frames = stubs.waves(9, 64, 80)
    found = metrics.measure(frames, 8, backbone=networks, names=names)
    assert found["motion_smoothness"].value == vbench.motion_smoothness(frames, stubs.interpolator)
    assert found["imaging_quality"].value == pytest.approx(vbench.imaging_quality(frames, stubs.quality))
    small = metrics.measure(stubs.waves(9, 32, 32), 8, backbone=networks, names=names)
    assert small["motion_smoothness"].value is None and "under the 64 pixels" in small["dynamic_degree"].reason
    assert small["subject_consistency"].value is not None
