"""The pages of the course: every lesson has its plan, minutes add up, links lead somewhere, the glossary is in order."""

import re
import unicodedata

import pytest
import yaml

from medgen_kit.run import REPOSITORY

COURSE = REPOSITORY / "course"
LESSONS = sorted((COURSE / "lessons").glob("[0-9][0-9]_*.md"))
HEADINGS = ["Goal", "Before class", "Plan", "Board", "Questions and the answers to expect", "Usual misconceptions", "Without a GPU"]
PAGES = [*LESSONS, *(COURSE / name for name in ("README.md", "syllabus.md", "ethics.md", "glossary.md"))]
NOUNS = {"ablation", "bootstrap", "clip", "Cohen's kappa", "concept", "control", "DICOM", "eigenframe", "factor", "flipped-word test",
         "flow matching", "Fréchet distance", "funnel", "held out", "InfoNCE", "knowledge alignment", "laterality", "LoRA", "manifest",
         "motion factor", "negation", "NIfTI", "pericardial effusion", "polyp", "profile", "recall", "REPA", "run", "seed", "SNOMED CT",
         "speckle", "stage", "velocity", "VideoFolder", "window"}


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


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files_that_are_there(path):
    for target in re.findall(r"\]\(([^)#]+)\)", read(path)):
        if not target.startswith("http"):
            assert (path.parent / target).resolve().exists(), f"{path.name}: {target}"


def test_glossary_is_in_order_and_complete():
    entries = re.split(r"^- ", read(COURSE / "glossary.md"), flags=re.M)[1:]
    pairs = [re.match(r"\*\*(.+?)\*\*: (.+)", entry, re.S).groups() for entry in entries]
    terms = [term for term, _ in pairs]

    def key(term):
        return unicodedata.normalize("NFD", term.casefold()).encode("ascii", "ignore").decode()
    assert [key(t) for t in terms] == sorted(key(t) for t in terms)
    assert len(set(terms)) == len(terms) >= 60
    assert NOUNS - set(terms) == set()
    for term, meaning in pairs:
        assert 3 <= len(meaning.split()) <= 45, term


def test_the_glossary_holds_every_entry_that_a_lesson_asks_for():
    terms, asked = re.findall(r"^- \*\*(.+?)\*\*: ", read(COURSE / "glossary.md"), re.M), 0
    for path in LESSONS:
        for entries in re.findall(r"read (?:the entries )?\*([^*]+)\*", read(path)):
            for entry in re.split(r",\s*|\s+and\s+", entries):
                asked += 1
                assert entry in terms, f"{path.name}: {entry}"
    assert asked >= 14


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


def test_ethics_page_names_every_limit():
    text = read(COURSE / "ethics.md")
    for heading in ("Synthetic media", "Misuse", "Bias by acquisition site", "Memorisation", "Consent and licence",
                    "What our evaluation does not show"):
        assert f"\n## {heading}\n" in text
    assert "Nothing made here may be used to diagnose" in text


def test_places_left_for_later_are_named_and_not_stubs():
    text = read(COURSE / "README.md")
    for place in ("exercises", "solutions", "slides", "quizzes", "site"):
        assert f"`course/{place}/`" in text and not (COURSE / place).exists()


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
