"""The form of a blind study: it asks, stores, goes on, and tells the rater what stands against it."""

import subprocess
import sys

import pytest

from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import store
from medgen_kit.evaluate.study.widget import RatingForm


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(RatingForm, "PAUSE", 0)


def answer_all(form, option=0):
    for entry in form.asked.values():
        entry.value = entry.options[option][1]


def test_the_form_asks_stores_and_goes_on(folder, quick):
    form = study.form(folder, "r9")
    assert form.at is None and "8 pairs" in form.text.value
    form.begin.click()
    assert form.at == 0 and "1 of 8" in form.head.value and form.back.disabled
    assert [bytes(player.value) for player in form.players.values()] == [(folder / form.items[0][side]).read_bytes()
                                                                       for side in ("first", "second")]
    form.go.click()
    assert "Please answer this too: Text Alignment" in form.said.value and "distortion of the second clip" in form.said.value
    answer_all(form)
    form.comment.value = "sharp"
    form.go.click()
    assert form.at == 1 and "Stored." in form.said.value and "1 stored" in form.head.value and form.comment.value == ""
    assert all(entry.value is None for entry in form.asked.values())
    form.back.click()
    assert form.at == 0 and form.comment.value == "sharp" and all(entry.index == 0 for entry in form.asked.values())
    form.asked["Visual Quality"].value = "both fail"
    form.go.click()
    rows = [row for row in study.answers(folder) if row["question"] == "Visual Quality"]
    assert [row["answer"] for row in rows] == ["both fail"]


def test_the_form_goes_on_where_the_rater_left(folder, quick):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    form.go.click()
    form.asked["Text Alignment"].value = "second"
    form.comment.value = "half a th"
    again = study.form(folder, "r9")                     # the browser was closed in the middle of the second pair
    assert again.at == 1 and again.asked["Text Alignment"].value == "second" and again.comment.value == "half a th"
    for _ in range(7):
        answer_all(again, 1)
        again.go.click()
    assert again.at is None and "answered all 8 pairs" in again.text.value
    assert "answered all" in study.form(folder, "r9").text.value
    again.review.click()
    assert again.at == 7 and again.asked["Text Alignment"].index == 1
    assert len(study.answers(folder)) == 40


def test_a_double_click_answers_one_pair(folder):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    form.clock -= 1
    form.go.click()
    form.go.click()
    assert form.at == 1 and "Stored." in form.said.value and len(study.answers(folder)) == 5


def test_a_lost_disk_is_told_and_nothing_is_lost(folder, quick, monkeypatch):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    (folder / store.FILE).rename(folder / "away")
    form.go.click()
    assert form.at == 0 and "holds no study" in form.said.value and all(entry.index == 0 for entry in form.asked.values())


def test_the_form_needs_nothing_heavy():
    code = ("import sys, medgen_kit.evaluate.study.page, medgen_kit.evaluate.study.widget\n"
            "print([name for name in ('torch', 'scipy', 'cv2', 'av', 'pandas', 'sklearn', 'voila') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
