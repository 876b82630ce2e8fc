"""What a report says before its numbers: prompts that the text tower cuts, and metrics that read a prompt."""

import numpy as np
import pytest
import torch

from medgen_kit import video
from medgen_kit.align import ConceptSet, VideoTextModel, text_tower, train_tokenizer, video_tower
from medgen_kit.errors import KitError
from medgen_kit.evaluate import report
from medgen_kit.evaluate.report import beside_real
from tests.evaluate.stubs import waves


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """report.evaluate of three clips, of which the prompts name some."""
    monkeypatch.setattr(beside_real, "COUNT", 1)
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        video.write(tmp_path / "clips" / name, waves(4, 64, 64, seed), 8)
    return lambda prompts, **more: report.evaluate(tmp_path / "clips", prompts, tmp_path / "out", workers=1, say=None, **more)


@pytest.fixture
def towers(tmp_path):
    """A folder like that of a finished stage align, untrained."""
    words, folder = train_tokenizer(["a heart beats", "an endoscope advances", "a scan of the head"] * 5), tmp_path / "align"
    torch.manual_seed(0)
    VideoTextModel(video_tower(), text_tower(len(words)), 3).save(folder, words)
    ConceptSet(["anatomy/heart", "device/endoscope", "motion/advancing"], np.eye(3)).save(folder / "concepts.json")
    return folder


def test_prompts_that_the_text_tower_cuts_are_told(judge, towers):
    long = "a heart beats " * 100
    found = judge({"a.mp4": long, "b.mp4": "a heart beats", "c.mp4": long}, align_folder=towers)
    limit = VideoTextModel.load(towers)[0].language.config.max_position_embeddings
    said = f"overall_consistency reads {limit} tokens of a prompt: 1 of 2 prompts (50%) are longer"
    assert found["notes"][0].startswith(said) and found["warnings"] == found["notes"][:1]
    short = judge({"a.mp4": "a heart beats", "b.mp4": "a scan of the head"}, align_folder=towers)
    assert not short["warnings"] and not [note for note in short["notes"] if "tokens" in note]
    assert "Rows without a prompt: 1; overall_consistency, concept_recall, concept_precision have no value there." in short["notes"]


def test_without_towers_nothing_reads_a_prompt(judge):
    found = judge({"a.mp4": "a heart beats " * 100})
    assert not found["warnings"] and "Rows without a prompt: 2; no metric here reads one." in found["notes"]
    assert not set(found["summary"]) & {"overall_consistency", "concept_recall", "concept_precision"}


def test_vbenchs_file_says_what_its_numbers_are_worth():
    assert "do not submit them" in report.about_vbench({"backbone": "light", "frames": "all frames of a clip"})["about"]
    whole = report.about_vbench({"backbone": "parity", "frames": "all frames of a clip"})
    assert whole["name"] == "medgen_parity" and "do not" not in whole["about"]
    cut = report.about_vbench({"backbone": "parity", "frames": "the first 8 frames of a clip"})
    assert "only the first 8 frames of a clip were measured: do not lay it beside" in cut["about"]


def test_prompts_without_a_video_or_without_text_are_told(judge, tmp_path):
    found = judge({"a.mp4": "a heart beats", "b.mp4": 3, "c.mp4": ["x"], "B.mp4": "no such name", "d/e.mp4": "nor this"})
    assert found["warnings"] == [
        "2 entries of the prompts match no video of this folder: B.mp4, d/e.mp4. Names are relative to the folder, with their ending.",
        "2 prompts are no text but a number, a list or the like: b.mp4, c.mp4. Their clips count as clips without a prompt; write each "
        "prompt as text."]
    assert found["notes"][:2] == found["warnings"]
    assert [row["prompt"] for row in found["videos"] if row["scores"]] == ["a heart beats", None, None]
    (tmp_path / "p.json").write_text('{"a.mp4": 7, "b.mp4": "a heart", "c.mp4": null}')
    said, = judge(tmp_path / "p.json")["warnings"]
    assert said.startswith("1 prompt is no text but a number, a list or the like: a.mp4. ")


def test_a_list_as_prompts_is_told_what_is_wanted(judge, tmp_path):
    for text in ('["a heart"]', '[{"file": "a.mp4", "prompt": "a heart"}]', "[[1]]"):
        (tmp_path / "list.json").write_text(text)
        with pytest.raises(KitError, match=r'list.json is a list. Write the prompts as {"name.mp4": "prompt", ...}'):
            judge(tmp_path / "list.json")


def test_the_page_claims_an_origin_only_of_labelled_clips(judge, tmp_path):
    assert "not known to this report" in judge({})["about"]
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        video.write(tmp_path / "clips" / name, waves(4, 64, 64, seed), 8, synthetic=True)
    assert judge({})["about"].startswith("These clips are simulated or generated.")
    video.write(tmp_path / "clips" / "d.mp4", waves(4, 64, 64, 5), 8)
    assert "not known to this report" in judge({})["about"] and "not known to this report" in (tmp_path / "out/index.html").read_text()


def test_parity_without_weights_names_the_option_and_the_folder(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("clips", "weights"):
        (tmp_path / name).mkdir()
    here = tmp_path / "weights"
    for weights, said in ((here, f"--weights {here} holds no dino-vitb16, no clip-vit-base-patch32, no amt-s.pth"),
                          (None, r"The backbone parity reads its networks from --weights FOLDER \(dino-vitb16")):
        with pytest.raises(KitError, match=f"^{said}.*DINO ViT-B/16"):
            report.evaluate(tmp_path / "clips", out=tmp_path / "out", backbone="parity", weights=weights, workers=1, say=None)
