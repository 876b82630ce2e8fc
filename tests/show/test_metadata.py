"""Pictures of a whole table: their words are true, their label is always there, the browser pages through every row."""

import json
import re

import pytest

from medgen_kit import show, sources
from medgen_kit.show import metadata
from medgen_kit.show.finder import PAGE
from tests.show.test_pictures import page, pictures    # noqa: F401  (page is a fixture)

ROWS = 800


@pytest.fixture(scope="module")
def explored():
    return sources.explore_metadata("stand-in", rows=ROWS, seed=2)


def test_the_charts_say_what_they_show_and_that_it_is_a_stand_in(page, explored):    # noqa: F811
    show.style()
    show.metadata_chart(explored)
    show.concept_chart(explored, top=6)
    seen = pictures(page)
    assert len(seen) == 2 and all("generated stand-in, not MedVideoCap-55K" in alt for _, _, alt, _ in seen)
    first, second = (alt for _, _, alt, _ in seen)
    share = explored.found["categories"]["medical teaching"]["percent"]
    assert f"medical teaching {share:.1f} and 55.9 percent" in first and "174 in the paper" in first and "8 in the paper" in first
    tag, count = explored.found["concepts"]["top"][0]
    assert f"{tag} {100 * count / explored.found['concepts']['captions']:.0f}" in second


def test_the_interactive_histogram_has_a_bar_chart_a_field(page, explored):    # noqa: F811
    show.metadata_plotly(explored)
    bundle = next(data for data, _ in page if "application/vnd.plotly.v1+json" in data)
    made = bundle["application/vnd.plotly.v1+json"]
    assert len(made["data"]) == len(metadata.FIELDS) and [bar["visible"] for bar in made["data"]].count(True) == 1
    for bar, (name, words) in zip(made["data"], metadata.FIELDS.items()):
        assert bar["name"] == words and bar["y"] == metadata.field(explored, name)["histogram"]["counts"]
    buttons = made["layout"]["updatemenus"][0]["buttons"]
    assert [one["args"][0]["visible"].index(True) for one in buttons] == list(range(len(buttons)))
    assert explored.label in json.dumps(made["layout"]) and explored.label in bundle["text/plain"]


def test_the_fields_can_be_chosen_by_keyboard(page, explored, monkeypatch):    # noqa: F811
    shown = []
    monkeypatch.setattr(metadata, "is_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *given, **_: shown.extend(given))
    show.metadata_plotly(explored)
    choice, place = shown[-1].children
    assert [label for label, _ in choice.options[1:]] == list(metadata.FIELDS.values()) and choice.description
    none, *told = [one.value for one in place.children]
    assert none == "" and len(told) == len(metadata.FIELDS) and place.selected_index == choice.index == 0
    for text, (name, words) in zip(told, metadata.FIELDS.items()):
        middle = metadata.field(explored, name)["quantiles"]
        assert f"{words.capitalize()}: half lie between {middle['25%']:.1f} and {middle['75%']:.1f}" in text
        assert text.count("<img") == 1 and explored.label in text.split(" src=")[0]


def test_the_browser_reaches_every_row_page_by_page(explored):
    made, seen = metadata.finder(explored), []
    assert made.list.description == "rows", "the list has a name"
    assert "800 of 800 rows, page 1 of 80" in made.said.value and made.back.disabled and not made.on.disabled
    while True:
        seen += [int(made.rows[place]) for _, place in made.list.options[1:]]
        if made.on.disabled:
            break
        made.on.click()
    assert seen == list(range(ROWS)) and "page 80 of 80" in made.said.value
    made.back.click()
    assert "page 79 of 80" in made.said.value
    made.words.value = "heart"
    found = explored.search("heart").tolist()
    assert "page 1 of" in made.said.value and [int(text.split()[0]) for text, _ in made.list.options[1:]] == found[:PAGE]
    made.menus["category"].value, made.words.value = "medical imaging", ""
    assert made.rows.tolist() == explored.search(category="medical imaging").tolist()
    made.menus["category"].value, made.menus["concept"].value = "", made.menus["concept"].options[1][1]
    assert made.rows.tolist() == explored.search(concept=made.menus["concept"].value).tolist() and len(made.rows) > 10
    made.menus["concept"].value, made.switches["copies"].value = "", True
    assert made.rows.tolist() == explored.search(copies=True).tolist()
    made.words.value = "no-such-word"
    assert "0 of 800 rows, page 1 of 1" in made.said.value and len(made.list.options) == 1


def test_a_chosen_row_is_shown_whole_with_the_words_marked(explored):
    made = metadata.finder(explored, words="the slide", concept="anatomy/not one of the commonest")
    assert made.menus["concept"].value == "anatomy/not one of the commonest" and len(made.rows) == 0
    made.menus["concept"].value = ""
    made.list.value = made.list.options[1][1]
    row = int(made.rows[made.list.value])
    caption = explored.table["detailed_caption"][row].as_py()
    assert re.sub(r"</?mark>", "", made.place.value).count(caption) == 1 and "<mark>slide</mark>" in made.place.value.lower()
    made.list.value = -1
    assert made.place.value == ""


def test_marks_leave_tags_and_signs_alone():
    assert metadata.marked('<td style="a">A &amp; amp</td>', "td amp a") == '<td style="a"><mark>A</mark> &amp; <mark>amp</mark></td>'
    assert metadata.marked("a (b)", "(b)") == "a <mark>(b)</mark>" and metadata.marked("a", "") == "a"


def test_without_a_kernel_a_table_is_left(page, explored, capsys, monkeypatch):    # noqa: F811
    monkeypatch.setattr(metadata, "is_notebook", lambda: False)
    show.caption_browser(explored, "heart")
    said = "".join(data.get("text/plain", "") for data, _ in page) + capsys.readouterr().out
    count = len(explored.search("heart"))
    assert f"5 of {count:,} rows (generated stand-in" in said
    assert len(page) == 1, "no widget"
    show.caption_page(explored, 7)
    said = "".join(data.get("text/plain", "") for data, _ in page) + capsys.readouterr().out
    assert "Row 7 (generated stand-in" in said and explored.table["video_name"][7].as_py() in said


def test_a_bare_table_is_drawn_without_inventing(page, tmp_path):    # noqa: F811
    (tmp_path / "bare.csv").write_text("file_name,caption\na.mp4,a heart\nb.mp4,\n")
    bare = sources.explore_metadata(tmp_path / "bare.csv")
    show.metadata_chart(bare)
    show.concept_chart(bare)
    show.metadata_plotly(bare)
    assert "Length (s): the table does not say." in pictures(page)[0][2] and len(pictures(page)) == 2
