"""The blind study: nothing in the raters' folder tells the sides apart, answers are kept whole, no ratings means no number."""

import json

import numpy as np
import pytest

from medgen_kit import video
from medgen_kit.errors import KitError
from medgen_kit.evaluate import study


def items(count=8):
    dark, light = np.full((3, 32, 32, 3), 20, np.uint8), np.full((3, 32, 32, 3), 220, np.uint8)
    return [{"prompt": f"a heart, number {i}", "clips": {"real": light, "generated": dark}} for i in range(count)]


def answers(preference, first="No", second="No"):
    return dict.fromkeys(study.QUESTIONS, preference) | {"distortion first": first, "distortion second": second}


@pytest.fixture
def folder(tmp_path):
    return study.make(tmp_path / "study", items(), seed=4)


def is_light(path):
    return video.read(path)[0][0, :16].mean() > 120


def test_the_folder_does_not_leak_the_sides(folder):
    text = (folder / "items.json").read_text()
    names = [path.name for path in folder.rglob("*")]
    assert "real" not in text and "generated" not in text
    assert not any(word in name for word in ("real", "generated", "key") for name in names)
    films = sorted(folder.rglob("*.mp4"))
    assert len({film.stat().st_mtime for film in films}) == 1
    assert {video.probe(film).comment for film in films} == {video.SYNTHETIC}
    light = [is_light(film) for film in films]
    assert light != sorted(light) and light != sorted(light, reverse=True)             # names do not sort by side


def test_the_key_is_apart_right_and_balanced(folder):
    key = json.loads(study.key_path(folder).read_text())
    assert study.key_path(folder).parent == folder.parent
    for row in study.items_of(folder):
        for side in ("first", "second"):
            assert (key[row["item"]][side] == "real") == is_light(folder / row[side])
    assert sum(sides["first"] == "real" for sides in key.values()) == 4
    assert [sides["index"] for sides in key.values()] != list(range(8))


def test_the_seed_decides_the_order(tmp_path):
    same, other = (study.make(tmp_path / f"s{i}", items(), seed=s) for i, s in ((1, 4), (2, 5)))
    again = study.make(tmp_path / "s3", items(), seed=4)
    assert (same / "items.json").read_text() == (again / "items.json").read_text() != (other / "items.json").read_text()
    with pytest.raises(KitError, match="already holds a study"):
        study.make(same, items())


def test_nobody_has_rated_gives_no_number(folder):
    with pytest.raises(KitError, match="nobody has rated"):
        study.analyse(folder)


def test_answers_are_checked_kept_and_replaced(folder):
    study.rate(folder, "rater-1", "item 01", answers("first"))
    study.rate(folder, "rater-1", "item 02", answers("second"))
    study.rate(folder, "rater-1", "item 01", answers("both lose"))
    kept = {row["item"]: row["Visual Quality"] for row in study.read_sheet(folder / "ratings" / "rater-1.csv")}
    assert kept == {"item 01": "both lose", "item 02": "second"}
    refused = (("../x", "item 01", answers("first"), "short name"), ("r", "item 99", answers("first"), "not an item"),
               ("r", "item 01", answers("third"), "answer one of"), ("r", "item 01", answers("first", "Awful"), "No, Minor"))
    for rater, item, given, message in refused:
        with pytest.raises(KitError, match=message):
            study.rate(folder, rater, item, given)
    assert not (folder / "ratings" / "r.csv").exists()


def test_analysis_unblinds_counts_and_agrees(folder):
    key = json.loads(study.key_path(folder).read_text())
    for rater in ("r1", "r2", "r3"):
        for number, (item, sides) in enumerate(key.items()):
            real_first = sides["first"] == "real"
            choice = "both lose" if number == 0 else "first" if real_first else "second"
            bad = ("No", "Severe") if real_first else ("Moderate", "Minor")
            study.rate(folder, rater, item, answers(choice, *bad))
    found = study.analyse(folder)
    share = {(row["question"], row["answer"]): row["share"] for row in found["wins"]}
    assert found["raters"] == 3 and found["items"] == 8
    assert share["Visual Quality", "real"] == pytest.approx(7 / 8) and share["Visual Quality", "both lose"] == pytest.approx(1 / 8)
    assert share["Visual Quality", "generated"] == 0
    assert all(row["kappa"] == pytest.approx(1) for row in found["agreement"]) and len(found["agreement"]) == 9
    assert {row["answer"]: row["percent"] for row in found["warping"]} == {"generated": 100.0, "real": 0.0}


def test_warping_needs_three_raters(folder):
    study.rate(folder, "r1", "item 01", answers("first", "Severe", "Severe"))
    found = study.analyse(folder)
    assert found["warping"] == [] and found["agreement"] == []


def test_the_form_shows_both_sides_and_stores(folder):
    form = study.form(folder, "r9")
    radios = [w for box in form.children[2:4] for w in box.children]
    button, said = form.children[4], form.children[5]
    button.click()
    assert "answer one of" in said.value and not (folder / "ratings" / "r9.csv").exists()
    for radio in radios:
        radio.value = radio.options[0]
    button.click()
    assert "Stored" in said.value and len(study.read_sheet(folder / "ratings" / "r9.csv")) == 1


def test_sample_size():
    assert study.items_needed(0.10) == 97 and study.half_width(97) < 0.1 < study.half_width(96)
    assert study.items_needed(0.05) == 385
