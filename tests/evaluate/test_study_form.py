"""The form of a blind study: it asks, stores, goes on, and tells the rater what stands against it."""

import asyncio
import json
import sqlite3
import subprocess
import sys

import pytest

from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import store
from medgen_kit.evaluate.study.invitations import tokens
from medgen_kit.evaluate.study.widget import RatingForm


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(RatingForm, "PAUSE", 0)


def logged(folder):
    """Every answer that was ever given."""
    with sqlite3.connect(folder / store.FILE) as base:
        return base.execute("SELECT * FROM answers").fetchall()


def answer_all(form, option=0):
    for entry in form.asked.values():
        entry.value = entry.options[option][1]


def test_the_form_asks_stores_and_goes_on(folder, quick):
    form = study.form(folder, "r9")
    assert form.at is None and "8 pairs" in form.text.value
    assert "chooses and moves on to the next question" in form.text.value and "not stored yet is there again" in form.text.value
    form.begin.click()
    assert form.at == 0 and "1 of 8" in form.head.value and form.back.disabled
    assert [bytes(player.value) for player in form.players.values()] == [(folder / form.items[0][side]).read_bytes()
                                                                       for side in ("first", "second")]
    form.go.click()
    assert "Please answer this too: Text Alignment" in form.said.value and "distortion of the second clip" in form.said.value
    assert all("kit-missing" in group._dom_classes for group in form.groups.values())
    form.asked["Visual Quality"].value = "first"
    assert [where for where, group in form.groups.items() if "kit-missing" not in group._dom_classes] == ["Visual Quality"]
    answer_all(form)
    assert not any("kit-missing" in group._dom_classes for group in form.groups.values())
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
    assert form.at == 1 and "Stored." in form.said.value
    answer_all(form)
    form.go.click()
    assert form.at == 1 and "too quick" in form.said.value and len(study.answers(folder)) == 5      # told, not passed over in silence
    form.clock -= 1
    form.go.click()
    assert form.at == 2 and len(study.answers(folder)) == 10


def test_a_double_click_in_a_notebook_is_one_click(folder, monkeypatch):
    monkeypatch.setattr(RatingForm, "LATE", 0.01)
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    form.clock -= 1

    async def click_twice():
        form.pressed()
        form.pressed()
        await asyncio.sleep(0.1)
    asyncio.run(click_twice())
    assert form.at == 1 and "Stored." in form.said.value and len(study.answers(folder)) == 5


def test_a_missing_clip_is_told_and_moves_no_answer(folder, quick):
    form = study.form(folder, "r9")
    form.begin.click()
    answer_all(form)
    lost, showing = folder / form.items[1]["second"], form.showing
    lost.rename(folder / "away")
    form.go.click()
    assert form.at == 0 and form.showing == showing and "1 of 8" in form.head.value             # what is shown is what is answered
    assert "can not be read" in form.said.value and "tell the person who runs the study" in form.said.value
    assert form.items[1]["item"] in form.said.value and str(folder) not in form.said.value
    form.go.click()                                                                           # pressed again: nothing is doubled
    assert len(logged(folder)) == 5 and store.done(folder, "r9") == {form.items[0]["item"]}
    form.asked["Visual Quality"].value = "both fail"
    form.go.click()                                                                           # corrected meanwhile: nothing is lost
    assert {row["answer"] for row in study.answers(folder) if row["question"] == "Visual Quality"} == {"both fail"}
    assert len(logged(folder)) == 10 and len(study.answers(folder)) == 5
    again = study.form(folder, "r9")
    assert again.at is None and "can not be read" in again.text.value                         # opened anew: told, and no traceback
    (folder / "away").rename(lost)
    form.go.click()
    assert form.at == 1 and store.done(folder, "r9") == {form.items[0]["item"]} and len(logged(folder)) == 10
    again.resume()
    assert again.at == 1


def test_a_renewed_link_ends_the_page_that_is_open(folder, quick):
    rater, = study.add_raters(folder, 1)
    old = tokens(folder)[rater]
    forms = [RatingForm(folder, rater, store.digest(old)) for _ in range(4)]
    for form in forms:
        form.begin.click()
        answer_all(form)
    forms[0].go.click()
    assert forms[0].at == 1 and len(study.answers(folder)) == 5
    study.renew(folder, rater)
    answer_all(forms[0])                                                                      # a draft
    forms[1].go.click()                                                                       # storing
    forms[2].told({"new": json.dumps({"showing": forms[2].showing, "places": [1] * 5, "comment": "x"})})
    forms[3].go_back()                                                                        # looking
    for form in forms:
        assert form.at is None and "link has ended" in form.text.value and old not in form.text.value
    assert len(logged(folder)) == 5 and {row["item"] for row in study.answers(folder)} == {forms[0].items[0]["item"]}
    assert "<h1" not in study.form(folder, "r9").text.value and "<h2 class='kit-title'>" in study.form(folder, "r9").text.value
    alone = "<h1 class='kit-title'>Which video is better?</h1>"
    assert alone in RatingForm(folder, study.add_raters(folder, 1)[0], "a link").text.value, "a page of its own"
    form = RatingForm(folder, rater, store.digest(tokens(folder)[rater]))
    answer_all(form)
    form.go.click()
    assert form.at == 2 and len(study.answers(folder)) == 10


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


def finished(folder, rater="r9"):
    """A form on its last page."""
    form = study.form(folder, rater)
    form.begin.click()
    while form.at is not None:
        answer_all(form)
        form.go.click()
    return form


def test_a_change_that_is_not_stored_comes_up_again(folder, quick):
    form = finished(folder)
    form.go_back()
    assert "changed" not in form.said.value and store.changed(folder) == {}
    form.asked["Visual Quality"].value = "second"
    form.comment.value = "I see it now"
    again = study.form(folder, "r9")                                             # the window was closed here
    assert again.at == 7 and "You changed this pair and have not stored it yet" in again.said.value
    assert again.asked["Visual Quality"].value == "second" and again.comment.value == "I see it now"
    assert "8 stored, 1 of them changed" in again.head.value and store.changed(folder) == {"r9": {again.items[7]["item"]}}
    again.go_back()
    assert again.at == 6 and "changed this pair" not in again.said.value
    again.go.click()
    assert again.at == 7 and "Stored." in again.said.value and "changed this pair" in again.said.value
    again.go.click()
    assert again.at is None and "every answer is stored" in again.text.value and store.changed(folder) == {}
    stored, said, *_ = store.entered(folder, "r9", again.items[7]["item"])
    assert f"clips/{stored['Visual Quality']}.mp4" == again.items[7]["second"] and said == "I see it now"
    assert study.form(folder, "r9").at is None


def test_a_change_that_is_taken_back_is_none(folder, quick):
    form = finished(folder)
    form.go_back()
    form.asked["Visual Quality"].value = "second"
    assert len(store.changed(folder)["r9"]) == 1
    form.asked["Visual Quality"].value = "first"
    form.comment.value = " "
    assert store.changed(folder) == {} and study.form(folder, "r9").at is None


def test_the_page_of_a_closed_study_counts_changes_that_were_not_stored(folder, quick):
    form = finished(folder)
    store.close(folder)
    assert "had changed" not in study.form(folder, "r9").text.value
    form.go_back()
    form.asked["Visual Quality"].value = "second"
    assert "had changed one pair" in study.form(folder, "r9").text.value


def test_an_old_window_hides_no_newer_answer(folder, quick):
    one, two = study.form(folder, "r9"), study.form(folder, "r9")
    one.begin.click()
    two.begin.click()
    answer_all(one)
    two.comment.value = "x"                                                      # a draft without a single answer
    again = study.form(folder, "r9")
    again.begin.click()
    assert again.comment.value == "x" and again.asked["Visual Quality"].value is None
    one.go.click()
    two.comment.value = "xy"
    assert "another window" in two.said.value and store.changed(folder) == {}
    one.go_back()
    assert all(entry.index == 0 for entry in one.asked.values()) and one.comment.value == ""
    one.asked["Visual Quality"].value = "second"                                 # a newer change is not overwritten either
    two.comment.value = "xyz"
    assert store.entered(folder, "r9", one.items[0]["item"])[2]["Visual Quality"] == "second"
    answer_all(two)
    two.go.click()                                                               # but what is stored there on purpose counts
    assert two.at == 1 and store.entered(folder, "r9", one.items[0]["item"])[1] == "xyz"
    item = one.items[0]["item"]
    store.draft(folder, "r9", item, {"Visual Quality": None, "comment": "z"})
    one.show_pair(0)
    assert one.asked["Visual Quality"].value == "first" and one.comment.value == "z"
