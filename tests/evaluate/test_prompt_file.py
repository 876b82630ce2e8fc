"""Prompts by file name: every kind of file that is read, and errors that name the line."""

import json
import unicodedata

import pytest

from medgen_kit.clip import write_csv
from medgen_kit.errors import KitError
from medgen_kit.evaluate.prompt_file import in_folder, read_prompts


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_every_kind_is_read(tmp_path):
    rows = [{"file_name": "b/one.mp4", "brief_caption": "a heart "}, {"file_name": "./two.mp4", "prompt": "a lung", "brief_caption": "no"}]
    wanted = {"b/one.mp4": "a heart", "two.mp4": "a lung"}
    assert read_prompts(written(tmp_path, "p.json", json.dumps({"b\\one.mp4": "a heart", "two.mp4": "a lung"}))) == wanted
    assert read_prompts(written(tmp_path, "metadata.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")) == wanted
    write_csv(tmp_path / "p.csv", rows)
    assert read_prompts(tmp_path / "p.csv") == wanted and list(read_prompts(tmp_path / "p.csv")) == list(wanted)
    detailed = json.dumps({"file_name": "x.mp4", "brief_caption": "", "detailed_caption": "long"})
    assert read_prompts(written(tmp_path, "d.jsonl", detailed)) == {"x.mp4": "long"}


@pytest.mark.parametrize(("name", "text", "said"), [
    ("p.txt", "a heart", "p.txt: prompts are read from"),
    ("p.json", "{", "not valid JSON"),
    ("p.json", "[1]", "must be"),
    ("p.json", '["a"]', "must be"),
    ("p.json", "{}", "holds no prompts"),
    ("p.json", '{"a.mp4": "x", "a.mp4": "y"}', "entry 2: a.mp4 has a prompt already"),
    ("p.json", '{"a.mp4": " "}', "entry 1: a.mp4 has no prompt"),
    ("p.json", '{"a.mp4": 3}', "entry 1: a.mp4 has no prompt"),
    ("p.json", '{"a.mp4": "x \\ud83d"}', "entry 1: a letter is broken"),
    ("p.json", '{"a\\ud83d.mp4": "x"}', "entry 1: a letter is broken"),
    ("m.jsonl", '{"prompt": "x"}', "line 1: no file_name"),
    ("m.jsonl", '{"file_name": "a.mp4"}', "line 1: a.mp4 has no prompt"),
    ("m.jsonl", "{", "line 1: not valid JSON"),
])
def test_errors_name_file_and_line(tmp_path, name, text, said):
    with pytest.raises(KitError, match=said):
        read_prompts(written(tmp_path, name, text))


def test_a_folder_or_nothing_is_refused(tmp_path):
    with pytest.raises(KitError, match="is a folder. Name the file"):
        read_prompts(tmp_path)
    with pytest.raises(KitError, match="is not there"):
        read_prompts(tmp_path / "none.json")


def test_names_are_spelled_as_the_disk_spells_them(tmp_path):
    short, long = (unicodedata.normalize(form, "\u00e9cho") for form in ("NFC", "NFD"))
    (tmp_path / short).mkdir()
    (tmp_path / short / f"{long}.mp4").write_bytes(b"")
    for one in (short, long):
        for other in (short, long):
            assert in_folder(tmp_path, f"{one}/{other}.mp4") == f"{short}/{long}.mp4"
    (tmp_path / long).mkdir()
    assert in_folder(tmp_path, long) == long and in_folder(tmp_path, short) == short, "what is there as it is written is meant"
    assert in_folder(tmp_path, f"{short}/other.mp4") == f"{short}/other.mp4" and in_folder(tmp_path, f"../{long}") == f"../{long}"
