"""The Croissant files: valid for mlcroissant, honest about what is unknown, and loadable on the clips of a run."""

import json
import shutil

import pytest

mlcroissant = pytest.importorskip("mlcroissant", reason="pip install -r requirements-cards.lock (make test does it)")

from course.tools import cards, croissant                                      # noqa: E402
from medgen_kit.clip import Clip, read_folder, write_folder                     # noqa: E402

FOLDER = cards.CARDS / "croissant"
NAMES = [name for name, kind in cards.KINDS.items() if kind == "dataset"]
RAI = ("dataCollection", "dataBiases", "personalSensitiveInformation", "dataLimitations", "dataUseCases")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder `sources` with three records; their videos are not needed."""
    folder = tmp_path_factory.mktemp("sources")
    many = [Clip(folder / "videos" / f"{i}.mp4", f"{i}.mp4", 64, 48, 8.0, 1.125, 90_000 + i, "medical imaging",
                 brief_caption=f"caption {i}", detailed_caption="heart, \"short\" axis: \u00e9", source="simulated: echo",
                 source_id=f"simulated/{i}", licence="CC BY 4.0", factors={"echo.view": "apical"},
                 concepts=["anatomy/heart", "modality/ultrasound"] if i else [], extra={"held_out": False})
            for i in range(3)]
    return write_folder(folder, many)


def test_there_is_one_file_for_each_dataset():
    assert len(NAMES) == 12 and {path.stem for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_valid_and_holds_the_fields_of_responsible_ai(name):
    assert croissant.problems(FOLDER / f"{name}.json") == []
    found = mlcroissant.Dataset(str(FOLDER / f"{name}.json")).metadata
    assert found.name == name and found.ctx.is_v0() is False
    whole = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert whole["conformsTo"] == croissant.CONFORMS
    for field in RAI:
        assert whole[f"rai:{field}"], field
    assert found.data_biases and found.personal_sensitive_information and found.data_use_cases


def test_a_licence_that_is_unknown_is_left_out_and_one_that_is_known_stands_there():
    unknown = [name for name in NAMES if "license" not in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))]
    assert unknown == [name for name in NAMES if "license: unknown" in (cards.CARDS / f"{name}.md").read_text(encoding="utf-8")]
    assert "SurgicalActions160" in unknown and "PitVis" not in unknown


def test_the_fields_are_those_of_a_clip(clips):
    row = json.loads((clips / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert set(row) == set(croissant.CLIP)


def test_records_are_the_rows_of_a_run(clips):
    data = mlcroissant.Dataset(str(FOLDER / "medgen-kit-samples.json"), mapping={"metadata.jsonl": str(clips / "metadata.jsonl")})
    rows = [json.loads(line) for line in (clips / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    found = list(data.records("clips"))
    assert len(found) == len(rows) == 3
    for record, row in zip(found, rows):
        assert {name.split("/")[1]: plain(value) for name, value in record.items()} == row


def plain(value):
    return value.decode() if isinstance(value, bytes) else [plain(each) for each in value] if isinstance(value, list) else value


def test_beside_the_clips_the_file_needs_no_mapping_and_other_rows_no_new_file(clips, tmp_path):
    shutil.copy(FOLDER / "medgen-kit-samples.json", tmp_path / "croissant.json")
    lines = (clips / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "metadata.jsonl").write_text(lines[2] + "\n", encoding="utf-8")
    found = list(mlcroissant.Dataset(str(tmp_path / "croissant.json")).records("clips"))
    assert [record["clips/video_name"] for record in found] == [b"2.mp4"]
    assert [clip.video_name for clip in read_folder(tmp_path)] == ["2.mp4"]


def test_the_printed_record_of_the_paper_can_be_read():
    record, = mlcroissant.Dataset(str(FOLDER / "MedVideoCap-55K.json")).records("printed_sample")
    assert plain(record["printed_sample/resolution"]) == "720x480" and record["printed_sample/dover_score"] == 0.705
    assert record["printed_sample/bit_rate"] == 642758 and record["printed_sample/duration"] == 8.99


@pytest.mark.parametrize(("change", "said"), [
    ({"name": None}, "it needs a name"), ({"conformsTo": ["http://mlcommons.org/croissant/1.0"]}, "conformsTo must be"),
    ({"distribution": [{"@type": "cr:FileObject", "@id": "f", "name": "f", "contentUrl": "f"}]}, "encodingFormat"),
    ({"recordSet": [{"@type": "cr:RecordSet", "@id": "x", "name": "x", "field": [
        {"@type": "cr:Field", "@id": "x/a", "name": "a", "dataType": "sc:Text"}]}]}, "source"),
])
def test_the_check_finds_what_is_wrong(change, said):
    whole = json.loads((FOLDER / "HyperKvasir.json").read_text(encoding="utf-8")) | change
    wrong = croissant.problems({key: value for key, value in whole.items() if value is not None})
    assert wrong and said in " ".join(wrong)


def test_a_file_that_is_not_valid_is_not_written(tmp_path, monkeypatch):
    figures = json.loads((cards.CARDS / "figures" / "figures.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(croissant, "samples", lambda: {"recordSet": [{"@type": "cr:RecordSet", "@id": "a b", "name": "a b", "field": [
        croissant.field("a b", "x", "sc:Text", "no source")]}]})
    with pytest.raises(cards.KitError, match="the Croissant file of medgen-kit-samples is not valid"):
        cards.write(figures, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_checking_a_document_does_not_change_it():
    found = {"@context": croissant.CONTEXT, "@type": "sc:Dataset", "conformsTo": croissant.CONFORMS, "name": "x"}
    before = json.dumps(found)
    assert croissant.problems(found) == [] and json.dumps(found) == before
