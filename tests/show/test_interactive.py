"""Pictures that answer: a chooser of precomputed clips, a map of clips. Each has a plain function and a picture behind it."""

import numpy as np
import pytest

from medgen_kit import show
from medgen_kit.errors import KitError
from medgen_kit.show import choice, scatter
from tests.show.test_pictures import moving, page, pictures    # noqa: F401  (page is a fixture)


def grid():
    """Clips [2, 3, T, H, W, 3] that all differ."""
    return np.stack([[moving(seed=10 * i + j) for j in range(3)] for i in range(2)])


def test_chooser_shows_the_clip_of_the_values():
    made = choice.Choice(grid(), {"guidance_scale": [1.0, 4.0], "steps": [2, 5, 20]}, "A dot.", start={"steps": 5}, caption="SYNTHETIC")
    assert made.start == (0, 1) and made.words((1, 2)) == "guidance scale 4.0, steps 20"
    assert (made.clip((1, 2)) == grid()[1, 2]).all()
    form = made.form()
    first, second, place = form.children[1:]
    assert (first.value, second.value) == (0, 1) and place.selected_index == 0, "it begins at the start"
    assert "aria-label" in form.children[0].value and first.layout.width == "min(100%, 440px)", "named, and no wider than a phone"
    links = {link.source[0]: link.target for link in linked_to(form)}
    assert links[first] == (place, "selected_index"), "no kernel is needed"
    told = [[child.value for child in row.children] for row in place.children]
    assert "guidance scale 1.0, steps 5" in told[0][1] and "guidance scale 4.0, steps 20" in told[1][2]
    assert all("SYNTHETIC" in one and one.count("<video controls") == 1 and "autoplay" not in one for row in told for one in row)
    assert [row.selected_index for row in place.children] == [1, 1]
    assert {link.target[0] for link in linked_to(form) if link.source[0] is second} == set(place.children)


def test_chooser_is_answered_by_the_kernel_where_widgets_are_older(monkeypatch):
    import ipywidgets

    monkeypatch.delattr(ipywidgets, "Stack")
    first, second, place = choice.Choice(grid(), {"guidance_scale": [1.0, 4.0], "steps": [2, 5, 20]}, "A dot.").form().children[1:]
    before = place.value
    first.value = 1
    assert "guidance scale 4.0, steps 2" in place.value and place.value != before
    second.value = 2
    assert "guidance scale 4.0, steps 20" in place.value


def linked_to(form):
    """The links of ipywidgets whose source is a part of this widget."""
    import gc

    import ipywidgets

    return [one for one in gc.get_objects() if isinstance(one, ipywidgets.widgets.widget_link.Link) and one.source[0] in form.children]


def test_chooser_is_a_picture_without_a_kernel(page):    # noqa: F811
    show.chooser(grid(), {"guidance_scale": [1.0, 4.0], "steps": [2, 5, 20]}, "Six clips of a dot", "SYNTHETIC")
    assert [alt for _, _, alt, _ in pictures(page)] == ["Six clips of a dot"]
    show.chooser_page(grid(), {"guidance_scale": [1.0, 4.0], "steps": [2, 5, 20]}, "A dot.", steps=20)
    assert "guidance scale 1.0, steps 20" in pictures(page)[-1][2]


@pytest.mark.parametrize("settings, start, words", [({"steps": [1, 2]}, {}, "2 clips"), ({}, {}, "no clips"),
                                                    ({"a": [1, 2], "b": [1, 2, 3]}, {"b": 7}, "b=7 is not there")])
def test_chooser_refuses(settings, start, words):
    with pytest.raises(KitError, match=words):
        choice.Choice(grid(), settings, "alt", start=start)


POINTS, KINDS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]), ["heart", "brain", "heart"]


def test_map_shows_the_clip_that_was_chosen():
    made = scatter.ClipMap(POINTS, [moving(seed=k) for k in range(3)], KINDS, ["a <b>", "two", "three"])
    assert made.nearest(1) == [2, 3] and made.words(1) == "1. heart: a <b>"
    start, board, field, place = made.form().children
    assert board.value.count("data-clip=") == board.value.count('class="ring"') == 3 and "<b>" not in board.value
    assert board.value.count('role="button"') == 3 and 'aria-label="1. heart: a &lt;b&gt;"' in board.value
    assert [board.value.count(f'tabindex="{k}"') for k in (0, -1)] == [1, 2], "one stop for the Tab key, the arrow keys do the rest"
    none, first, *_ = [child.value for child in place.children]
    assert none == "" and place.selected_index == 0 and len(place.children) == 4
    assert "a &lt;b&gt;" in first and "<video controls" in first and "2. brain: two" in first
    with pytest.raises(KitError, match="no clip 4"):
        made.clip(4)


def test_map_places_points_by_their_coordinates():
    board = scatter.ClipMap(POINTS, [moving()] * 3, KINDS, ["1", "2", "3"]).picture()
    places = [tuple(map(float, part.split(")")[0].split())) for part in board.split("translate(")[1:]]
    assert places[0][0] < places[1][0] and places[0][1] == places[1][1] > places[2][1], "right is right, up is up"


def test_map_is_a_picture_without_a_kernel(page):    # noqa: F811
    show.clip_map(POINTS, [moving()] * 3, KINDS, ["1", "2", "3"], "Three points", "A map")
    assert [alt for _, _, alt, _ in pictures(page)] == ["Three points"]
    show.clip_map_page(POINTS, [moving()] * 3, KINDS, ["one", "2", "3"], 1)
    assert "1. heart: one" in pictures(page)[-1][2]


@pytest.mark.parametrize("points, kinds, words", [(POINTS[:2], KINDS, "as many clips"), (POINTS * np.nan, KINDS, "not a number"),
                                                  (POINTS, ["a", "b"], "as many")])
def test_map_refuses(points, kinds, words):
    with pytest.raises(KitError, match=words):
        scatter.ClipMap(points, [moving()] * 3, kinds, ["1", "2", "3"])


def test_map_names_too_many_kinds():
    with pytest.raises(KitError, match="not 11"):
        scatter.ClipMap(np.random.default_rng(0).random((11, 2)), [moving()] * 11, range(11), range(11))
