"""The pages of the course: every lesson has its plan, links lead somewhere, the syllabus covers all, licences are whole."""

import re

import pytest
import yaml

from medgen_kit.run import REPOSITORY

COURSE = REPOSITORY / "course"
LESSONS = sorted((COURSE / "lessons").glob("[0-9][0-9]_*.md"))
HEADINGS = ["Goal", "Before class", "Plan", "Board", "Questions and the answers to expect", "Usual misconceptions", "Without a GPU"]
ROOMS = ("plans", "quizzes", "projects")
PAGES = [*sorted(COURSE.glob("*.md")), *LESSONS, *(path for room in ROOMS for path in sorted((COURSE / room).glob("*.md")))]

def read(path):
    return path.read_text(encoding="utf-8")


def test_there_is_one_lesson_for_each_notebook_and_it_links_to_it():
    assert [path.stem for path in LESSONS] == sorted(p.stem for p in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for path in LESSONS:
        assert f"](../../notebooks/{path.stem}.ipynb)" in read(path)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_complete(path):
    text = read(path)
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS
    parts = dict(zip(HEADINGS, re.split(r"^## .+$", text, flags=re.M)[1:]))
    minutes = [int(m) for m in re.findall(r"^\| (\d+) \|", parts["Plan"], re.M)]
    assert sum(minutes) == 90 and len(minutes) >= 5
    asked = re.findall(r"^- \*(.+?)\*", parts["Questions and the answers to expect"], re.M | re.S)
    assert len(asked) >= 4
    for question in re.split(r"^- ", parts["Questions and the answers to expect"], flags=re.M)[1:]:
        assert len(question.split("*")[2].split()) >= 3 or re.search(r"\d|/n", question), f"no answer to: {question}"
    assert len(re.findall(r"^- \"", parts["Usual misconceptions"], re.M)) >= 3
    assert len(text.split()) >= 400


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_links_lead_to_files_and_places_that_are_there(path):
    for target, place in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", read(path)):
        if not target.startswith("http"):
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), f"{path.name}: {target}"
            assert not place or place in anchors(there), f"{path.name}: {target}#{place}"


def anchors(path):
    """Names that a link may point to in a Markdown page: ids written out, and those that GitHub gives to headings."""
    text = read(path)
    heads = (re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.M))
    return {*re.findall(r'<a id="([^"]+)"', text), *heads}


def test_syllabus_has_three_lengths_that_cover_every_lesson():
    text = read(COURSE / "syllabus.md")
    parts = {name: part for name, part in re.findall(r"^### (.+?) \(.*?$(.*?)(?=^##)", text, re.M | re.S)}
    assert list(parts) == ["One day", "Six weeks", "Twelve weeks"]
    assert re.findall(r"^\| (\d+) \|", parts["Six weeks"], re.M) == [str(n) for n in range(1, 7)]
    assert re.findall(r"^\| (\d+) \|", parts["Twelve weeks"], re.M) == [str(n) for n in range(1, 13)]
    for name in ("Six weeks", "Twelve weeks"):
        said = {int(n) for part in re.findall(r"[Ll]essons? ((?:\d\d)(?: and \d\d)?)|Finish (\d\d)", parts[name])
                for piece in part for n in re.findall(r"\d\d", piece)}
        assert said == set(range(10)), name
    for number in range(10):
        assert f"[{number:02d}](lessons/{number:02d}_" in text


def test_citation_is_complete():
    data = yaml.safe_load(read(REPOSITORY / "CITATION.cff"))
    assert data["cff-version"] == "1.2.0" and data["type"] == "software" and data["license"] == "Apache-2.0"
    assert {"message", "title", "authors", "version", "abstract", "keywords", "references"} <= set(data)
    assert all(author.get("name") or author.get("family-names") for author in data["authors"])
    from medgen_kit import __version__
    assert data["version"] == __version__
    paper = data["references"][0]
    assert {"type", "title", "authors", "year"} <= set(paper)
    assert any("2507.05675" in entry["value"] for entry in paper["identifiers"])


def test_licences_are_whole():
    text = read(REPOSITORY / "LICENSE")
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text and "9. Accepting Warranty" in text
    assert "creativecommons.org/licenses/by/4.0" in read(REPOSITORY / "LICENSE-docs")
