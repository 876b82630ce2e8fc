"""The slides: rules on small texts, and the decks of all ten lessons as stored."""

import base64
import html
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from course.tools import slide_deck, slides
from course.tools.shown import Files, Shown, picture

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


GENERATED = {                    # beginnings of the alt texts of pictures that a model drew: their slides say SYNTHETIC
    "00": ("Four generated ultrasound clips",),
    "05": ("Samples of two prompts", "Samples of one kept caption"),
    "06": ("Nine generated clips", "Generated clip for the prompt", "One clip at six noise levels", "The same prompt and noise at four",
           "The same prompt and noise at several", "Four pairs of clips from the same noise",
           "A clip that begins with the given first frame", "Six generated clips of combinations"),
    "07": ("Four generated clips with their prompts", "Frames of videos/", "Two clips of one prompt"),
    "08": ("Endoscopy clips, real ones and generated ones",)}
DRAWN = {"02": ("Four frames with what the rules saw", "ultrasound fan"), "03": ("Frames of a simulated laparoscopy clip",)}      # by hand


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    files = Files(tmp_path_factory.mktemp("shown"), "shown/")
    return {path.stem: slide_deck.deck(nbformat.read(path, 4), files, path.stem) for path in NOTEBOOKS}


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, *outputs):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs))


def shown(**data):
    return nbformat.v4.new_output("display_data", data=data, metadata={"image/png": {"alt": "One dot."}})


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def small(*cells):
    head = "| | |\n|---|---|\n| **You will** | see a dot; count it |"
    return nbformat.v4.new_notebook(cells=[markdown("# 3 · Dots: how many?\n\n*How many dots are there?*"), markdown(head), *cells])


def test_sentences_end_where_they_end():
    text = "See e.g. Ho et al. for more. The value $x. Y$ counts (*Really.*) Then `a. B` and [a. B](c.md) follow! \"So.\" It ends"
    assert slide_deck.sentences(text) == ["See e.g. Ho et al. for more.", "The value $x. Y$ counts (*Really.*)",
                                          "Then `a. B` and [a. B](c.md) follow!", '"So."', "It ends"]


def test_a_sentence_that_points_back_stays_with_the_one_before():
    assert slide_deck.lines("The model learns. It learns from clips. Now the other way. Clips move.") == [
        "The model learns. It learns from clips. Now the other way.", "Clips move."]
    assert len(slide_deck.lines("A " * 100 + "end. It is long.")) == 2


def test_lines_of_prose_lists_and_what_is_left_out():
    text = "First. Second.\n\n- one\n- two, which\n  goes on\n\n| a | b |\n|---|---|\n\n```\ncode. More\n```\n\n$$x = 1$$"
    assert slide_deck.lines(text) == ["First.", "Second.", "one", "two, which goes on", "$$x = 1$$"]


def test_portions_lose_nothing_and_are_even():
    items = [f"sentence number {k} of several" for k in range(7)]
    groups = slide_deck.portions(items, 5, 400)
    assert sum(groups, []) == items and [len(group) for group in groups] in ([4, 3], [3, 4])
    long = ["w" * 300, "w" * 300]
    assert slide_deck.portions(long, 5, 400) == [["w" * 300], ["w" * 300]]
    assert slide_deck.portions([], 5, 400) == []


def test_a_small_deck_from_its_anatomy(tmp_path):
    caption = '<p style="font-style:italic">SYNTHETIC. A dot</p>'
    nb = small(markdown("## Result first\nOne dot."), code("draw()", shown(**{"image/png": PICTURE, "text/plain": "One dot."}),
                                                           shown(**{"text/html": caption, "text/plain": "x"})),
               markdown("What you should see: a dot. It stays."), markdown("## 1. Counting\nCount."), code("# hidden\n1 + 1"),
               markdown("## By hand once\nAdd."), code("# NBVAL_CHECK_OUTPUT\nprint(1 + 1)", nbformat.v4.new_output("stream", text="2\n")),
               markdown("## Limits and harm\n- One.\n- Two.\n- Three."), markdown("## References and next\nA book. Next: [04](04.ipynb)."))
    made = slide_deck.deck(nb, Files(tmp_path, "shown/"), "03")
    assert [slide.title for slide in made] == ["Dots: how many?", "You will", "Result first", "Result first", "1 · Counting",
                                               "By hand once", "By hand once", "Limits and harm", "Next"]
    picture = made[3]
    assert picture.synthetic and 'alt="One dot."' in picture.body and "A dot" in picture.body
    assert "What you should see" in picture.body and "<li>A dot. It stays.</li>" in picture.body
    assert "NBVAL" not in made[6].body and "hidden" not in "".join(slide.body for slide in made) and ">2</pre>" in made[6].body
    assert "1 + 1" in made[6].notes and "Add." in made[6].notes and "NBVAL" not in made[6].notes
    assert made[-1].body.count("04") == 1 and "href" not in made[-1].body and "A book" in made[-1].notes


def test_a_table_that_is_cut_says_so(tmp_path):
    rows = "".join(f"<tr><td style='x'>{k}</td><td>{'long ' * 40}</td></tr>" for k in range(10))
    table = f"<table style='x'><thead><tr><th>a</th><th>b</th></tr></thead><tbody>{rows}</tbody></table>"
    nb = small(markdown("## 1. Rows\nText."), code("x", shown(**{"text/html": table, "text/plain": "x"})))
    slide = slide_deck.deck(nb, Files(tmp_path, "shown/"), "03")[-1]
    assert slide.kind == "table" and slide.body.count("<tr>") == 1 + slide_deck.ROWS and "7 of 10 rows; the lesson has all." in slide.body
    assert max(map(len, re.findall(r"<td[^>]*>(.*?)</td>", slide.body))) <= slide_deck.CELL + 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_lesson_has_its_parts_on_slides(decks, path):
    made, cells = decks[path.stem], nbformat.read(path, 4).cells
    kinds, titles = [slide.kind.split()[0] for slide in made], [slide.title for slide in made]
    end = "Recap" if path == NOTEBOOKS[-1] else "Next"
    assert kinds[0] == "title" and titles[1] == "You will" and titles[-1] == end and 15 < len(made) < 50
    numbered = [f"{number} · {name}" for cell in cells for number, name in re.findall(r"^## (\d)\. (.+)", cell.source, re.M)]
    for part in ("Result first", *numbered, "By hand once", "Limits and harm", "Exercises", "Recap"):
        assert part in titles, part
    first = titles.index("Result first")
    assert "picture" in kinds[first:titles.index(numbered[0])], "the result comes first"
    assert "code" in kinds
    limits = next(cell.source for cell in cells if cell.source.startswith("## Limits"))
    said = slide_deck.lines(limits.partition("\n")[2])
    bodies = "".join(slide.body for slide in made)
    assert all(html.unescape(slide_deck.inline(line)) in html.unescape(bodies) for line in said), "no limit is lost"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_slides_are_short_and_carry_alt_texts(decks, path):
    for slide in decks[path.stem]:
        lists = re.findall(r'<ul class="lines">(.*?)</ul>', slide.body, re.S)
        if slide.kind.startswith("text") and slide.title != "You will":
            assert all(one.count("<li") <= slide_deck.LINES for one in lists)
        assert all(re.search(r'alt="[^"]{15,}"', tag) for tag in re.findall(r"<img [^>]*>", slide.body))
        assert not re.search(r'(src|href)="(https?:)?//', slide.body), "nothing comes from outside"
        assert len(slide.notes) > 10, "every slide has notes"
        assert all(int(size) >= 16 for size in re.findall(r'class="code" style="font-size:(\d+)px"', slide.body)), "code can be read"
        assert all(int(width) <= slide_deck.FLAT * int(height) for width, height in slide_deck.SIZE.findall(slide.body)), "no thin strip"


@pytest.mark.parametrize("number, words, marked", [(number, words, marked) for found, marked in ((GENERATED, True), (DRAWN, False))
                                                   for number, every in found.items() for words in every])
def test_what_a_model_drew_says_so_and_nothing_else_does(decks, number, words, marked):
    made = next(deck for name, deck in decks.items() if name.startswith(number))
    found = [slide for slide in made if f'alt="{words}' in slide.body]
    assert found, "the picture has another alt text now: write it into the list above"
    for slide in found:
        assert slide.synthetic == marked and ('<p class="synthetic">SYNTHETIC</p>' in slides.section(slide)) == marked


@pytest.mark.parametrize("caption, marked", [("SYNTHETIC. A dot", True), ("A dot (synthetic)", False), ("Synthetic text. A dot", False)])
def test_the_word_in_capitals_makes_the_mark(tmp_path, caption, marked):
    for content in ({"image/png": PICTURE}, {"text/html": f'<p style="font-style:italic">{caption}</p><table><tr><td>1</td></tr></table>'}):
        below = shown(**{"text/html": f'<p style="font-style:italic">{caption}</p>', "text/plain": "x"})
        nb = small(markdown("## 1. Dots\nText."), code("x", shown(**content, **{"text/plain": "x"}), below))
        slide = slide_deck.deck(nb, Files(tmp_path, "shown/"), "03")[3]
        assert slide.kind == ("picture" if "image/png" in content else "table") and slide.synthetic == marked


def test_a_flat_strip_becomes_two_rows_cut_between_frames(tmp_path):
    strip = np.full((20, 330, 3), 255, np.uint8)
    for k in range(8):
        strip[:, 41 * k:41 * k + 38] = 20 * k + 10
    files = Files(tmp_path, "shown/")
    for image, rows in ((strip, (167, 48)), (strip[:, :100], (100, 20)), (np.where(strip == 255, 90, strip), (330, 20))):
        tag = picture(base64.b64encode(png(image)).decode(), "image/png", "Eight frames.", files)
        made = slide_deck.halved(Shown("picture", tag, "Eight frames."), files)
        assert tuple(map(int, slide_deck.SIZE.search(made.html).groups())) == rows and 'alt="Eight frames."' in made.html
        with Image.open(tmp_path / re.search(r'src="shown/([^"]+)"', made.html)[1]) as found:
            assert found.size == rows
    assert slide_deck.halved(made, files) is made


def test_decks_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "vendor", lambda names, folder: folder.mkdir(parents=True))
    nb = small(markdown("## Result first\nA < b & *c*."))
    assert slides.write({"03_dots": nb}, tmp_path / "slides") == {"03_dots": 3}
    page = (tmp_path / "slides" / "03_dots.html").read_text()
    assert page.count("<section") == 3 and "<title>Dots: how many?</title>" in page and "<!--" not in page and "plotly" not in page
    assert '<aside class="notes">' in page and "A &lt; b &amp; <em>c</em>." in page
    assert 'href="03_dots.html"' in (tmp_path / "slides" / "index.html").read_text()
