"""The cards of other people's datasets and checkpoints: complete, each fact with a source, each checkpoint of the code on a card."""

import json
import re
from pathlib import Path

import pytest
from datasets.utils import resources
from huggingface_hub import DatasetCard, ModelCard
from packaging.licenses import canonicalize_license_expression

from course.tools import card_check, card_facts, card_others, cards
from medgen_kit.errors import KitError
from medgen_kit.evaluate import backbones, videoscore
from medgen_kit.generate.models import MODELS
from medgen_kit.sources import hub

DATASETS, CHECKPOINTS = card_others.names(cards.TEMPLATES, "datasets"), card_others.names(cards.TEMPLATES, "models")
HUB_ONLY = {"other", "unknown", "openrail", "openrail++", "bigscience-openrail-m", "creativeml-openrail-m", "bsd", "cc", "gpl", "lgpl",
            "odbl", "odc-by", "c-uda", "pddl"}                   # words of the Hub that SPDX writes in another way or does not know


def read(name):
    return (cards.CARDS / f"{name}.md").read_text(encoding="utf-8")


def test_every_dataset_of_table_1_and_every_card_has_a_place():
    named = [row["dataset"] for row in cards.paper_tables()["table1_datasets"]]
    assert len(named) == 11 and set(named) <= set(cards.KINDS)
    assert set(cards.KINDS) - set(named) - set(CHECKPOINTS) == {"medgen-kit-samples", "MedGen-tiny"}
    pages = {path.stem for path in cards.CARDS.glob("*.md")} - {"README"}
    assert pages == set(cards.KINDS)


def test_every_checkpoint_that_the_code_can_load_stands_on_a_card():
    text = "\n".join(read(name) for name in CHECKPOINTS)
    wanted = [f"`{model.repo}`" for model in MODELS.values() if model.repo]
    code = Path(backbones.__file__).with_name("parity.py").read_text(encoding="utf-8")
    wanted += [f"`{repo}`" for repo in re.findall(r'where="([\w.-]+/[\w.-]+)"', code)]
    wanted += [f"`{videoscore.HUB}`", "`i3d_torchscript.pt`", "`raft-things.pth`", "dover:", "yunet:", "laion:", "rapidocr"]
    assert len(wanted) > 15 and [place for place in wanted if place not in text] == []
    assert hub.REPO in read("MedVideoCap-55K") + (cards.CARDS / "croissant" / "MedVideoCap-55K.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", cards.KINDS)
def test_a_card_answers_all_questions_and_numbers_its_sources(name):
    text = read(name)
    body, sources = text.split("\n## Sources\n")
    listed = re.findall(r"^(\d+)\. .+$", sources, re.M)
    quoted = {int(number) for marks in re.findall(r" \[([\d, ]*(?:our reading)?)\](?!\()", body) for number in re.findall(r"\d+", marks)}
    assert listed and quoted == set(map(int, listed)) == set(range(1, len(listed) + 1))
    rights = body.split(f"## {card_facts.HEADING}")[1].split("\n## ")[0]
    for part in re.split(r"^### ", rights, flags=re.M)[1:]:
        for line in part.splitlines()[1:]:
            if line and line.removeprefix("- ") not in (*card_facts.NEVER, *card_facts.UNKNOWN.values()):
                assert re.search(r"\[[^\]]*(\d|our reading)\]$", line), f"a fact without a source: {line}"


def test_what_nobody_looked_up_is_said_to_be_unknown():
    text = read("SurgicalActions160")
    for section in ("licence", "consent"):
        assert card_facts.UNKNOWN[section] in text
    assert "license: unknown" in text


@pytest.mark.parametrize(("name", "said"), [
    ("MedVideoCap-55K", "apache-2.0 permits every use, the paper permits research only"),
    ("MedGen", "The rows of the paper's tables are not about these checkpoints"),
    ("HyperKvasir", "The licence file permits commercial use, the README does not"),
    ("HunyuanVideo", "no rights in the European Union, the United Kingdom and South Korea"),
    ("metric-networks", "| AMT-S | `lalala125/AMT` | motion smoothness | **CC BY-NC 4.0**"),
])
def test_sources_that_contradict_each_other_are_named(name, said):
    assert said in read(name)


def test_claims_about_table_1_hold_in_its_numbers():
    row = {each["dataset"]: each for each in cards.paper_tables()["table1_datasets"]}
    for key, value in (("mean_length", "4s"), ("resolution", "512x320")):
        assert row["HyperKvasir"][key] == row["MedVidCL"][key] == value
    assert row["MESAD-Real"]["videos"] * card_others.seconds(row["MESAD-Real"]["mean_length"]) > 24 * 3600
    width, height = map(int, row["MESAD-Real"]["resolution"].split("x"))
    assert height > width and row["Colonoscopic"]["videos"] == 76
    bench = {each["model"]: each["warping_error"] for each in cards.paper_tables()["table2_med_vbench"]}
    assert bench["LTX-Video"] == 100 and bench["CogVideoX-2B"] > 50


def test_parameters_are_counted_from_the_classes():
    assert card_others.count("wan2.1-1.3b")["transformer"] == 1_418_996_800
    assert "| `wan2.1-1.3b` | 1.42 billion |" in read("Wan2.1-T2V")
    assert [card_others.spoken(n) for n in (126_892_531, 14_288_491_584)] == ["127 million", "14.29 billion"]


def test_a_fact_without_a_known_source_and_an_unknown_field_are_refused(tmp_path):
    card = {section: [] for section in card_facts.SECTIONS} | {"about": [["It is there.", "nobody"]]}
    (tmp_path / "datasets.yaml").write_text(json.dumps({"sources": {}, "cards": {"X": card}}))
    with pytest.raises(KitError, match="X, about: no source is called 'nobody'"):
        card_facts.read(tmp_path, "datasets")
    with pytest.raises(KitError, match="asks for the field 'vidoes'. There are: videos"):
        card_facts.fill("{{vidoes}}", {"videos": 1}, "a fact")


def test_the_lists_of_the_hub_agree_with_those_of_other_packages():
    folder = Path(resources.__file__).parent
    assert set(card_check.SIZES) <= set(json.loads((folder / "size_categories.json").read_text()))
    assert "en" in json.loads((folder / "languages.json").read_text())
    for licence in card_check.LICENCES - HUB_ONLY:
        canonicalize_license_expression(licence)                # raises for one that SPDX does not know
    from huggingface_hub.inference._generated import types
    known = {path.stem.replace("_", "-") for path in Path(types.__file__).parent.glob("*.py")}
    assert {"text-to-video", "video-classification", "feature-extraction"} <= known & card_check.TASKS


@pytest.mark.parametrize("name", cards.KINDS)
def test_front_matter_says_what_the_card_is(name):
    data = (DatasetCard if cards.KINDS[name] == "dataset" else ModelCard)(read(name)).data
    assert "medical" in data.tags and "not-for-clinical-use" in data.tags
    if name not in ("medgen-kit-samples", "MedGen-tiny"):
        assert "Not shipped here" in read(name) and "not the\nauthors' card" in read(name) or "It is not the authors' card" in read(name)


def test_the_index_links_to_every_card():
    text = (cards.CARDS / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (cards.CARDS / target).is_file(), target
    assert {f"{name}.md" for name in cards.KINDS} <= set(re.findall(r"\]\(([^)]+)\)", text))
