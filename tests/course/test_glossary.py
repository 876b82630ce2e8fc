"""The glossary: in order, with a place to link to for each term, and with the codes that the package has."""

import re
import unicodedata

import numpy as np

from medgen_kit import knowledge, sources
from medgen_kit.run import REPOSITORY

TEXT = (REPOSITORY / "course" / "glossary.md").read_text(encoding="utf-8")
TERMS, CONCEPTS = re.split(r"^## .+$", TEXT, flags=re.M)[1:]
ENTRIES = re.findall(r'^- <a id="([^"]+)"></a>\*\*(.+?)\*\*: (.+?)(?=^- |\Z)', TERMS, re.M | re.S)
ROWS = re.findall(r'^\| <a id="([^"]+)"></a>`([^`]+)` \| (?:SNOMED CT )?(\w+) \| (.+?) \|$', CONCEPTS, re.M)
NOUNS = {"ablation", "AC1 (Gwet)", "attention", "bootstrap", "clip", "Cohen's kappa", "concept", "control", "DICOM", "eigenframe",
         "Euler's method", "examiner", "factor", "flipped-word test", "flow matching", "Fréchet distance", "funnel", "held out",
         "InfoNCE", "kernel distance", "knowledge alignment", "laterality", "latent", "LoRA", "manifest", "memorisation", "motion factor",
         "negation", "NIfTI", "noise level", "paired test", "pericardial effusion", "polyp", "profile", "re-identification", "recall",
         "REPA", "rivals", "run", "seed", "SNOMED CT", "softmax", "speckle", "stage", "stamp", "t-SNE", "transformer", "VAE", "velocity",
         "VideoFolder", "window"}


def key(term):
    return unicodedata.normalize("NFD", term.casefold()).encode("ascii", "ignore").decode()


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", key(text)).strip("-")


def test_terms_are_in_order_complete_and_short():
    terms = [term for _, term, _ in ENTRIES]
    assert len(ENTRIES) == len(re.findall("^- ", TERMS, re.M)) >= 150
    assert [key(term) for term in terms] == sorted(key(term) for term in terms)
    assert len(set(terms)) == len(terms) and NOUNS - set(terms) == set()
    for place, term, meaning in ENTRIES:
        words = re.sub(r"\[[^]]+\]\([^)]+\)", "", meaning).split()
        assert 3 <= len(words) <= 45, term
        assert place == ("clip-network" if term == "CLIP" else slug(term))
    places = re.findall(r'<a id="([^"]+)"', TEXT)
    assert len(places) == len(set(places)) == len(ENTRIES) + len(ROWS)


def test_every_entry_that_a_lesson_asks_for_is_there():
    terms, asked = {term for _, term, _ in ENTRIES}, 0
    for path in sorted((REPOSITORY / "course" / "lessons").glob("*.md")):
        for entries in re.findall(r"read (?:the entries )?\*([^*]+)\*", path.read_text(encoding="utf-8")):
            for entry in re.split(r",\s*|\s+and\s+", entries):
                asked += 1
                assert entry in terms, f"{path.name}: {entry}"
    assert asked >= 14


def test_codes_are_the_package_s_own():
    assert len(ROWS) == len(re.findall(r"^\| <a ", CONCEPTS, re.M)) >= 120
    for place, tag, code, meaning in ROWS:
        concept = knowledge.lookup(tag)
        assert (concept.tag, concept.code) == (tag, code) and place == f"concept-{slug(tag)}"
        assert ("SNOMED CT " + code in CONCEPTS) == (concept.scheme == "SCT") and len(meaning.split()) >= 2
    assert [tag for _, tag, _, _ in ROWS] == sorted(tag for _, tag, _, _ in ROWS)


def test_a_term_with_a_code_links_to_the_concept_that_the_package_finds_for_it():
    linked = [(term, *pair) for _, term, meaning in ENTRIES for pair in re.findall(r"\[([^]]+)\]\(#([^)]+)\)", meaning)]
    assert len(linked) >= 20
    known = {tag: place for place, tag, _, _ in ROWS}
    for term, tag, place in linked:
        assert known[tag] == place
        assert knowledge.lookup(term).tag == tag, term


def test_every_concept_that_the_lessons_use_has_a_row():
    known, used = {tag for _, tag, _, _ in ROWS}, set()
    for seed in range(2):
        rng = np.random.default_rng(seed)
        for factors in sources.combinations():
            used |= {f"{found.axis}/{found.meaning}" for text in sources.describe(factors, rng) for found in knowledge.find(text)}
    assert len(used) > 100 and used - known == set()
    notebooks = " ".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")))
    written = set(re.findall(rf"\b(?:{'|'.join(knowledge.AXES)})/[A-Za-z0-9]+(?: [a-z]+)*", notebooks))
    for text in written:                                            # the longest beginning that is a tag
        words = text.split()
        tags = [" ".join(words[:n]) for n in range(len(words), 0, -1)]
        found = next((tag for tag in tags if _is_tag(tag)), None)
        assert found is None or found in known, text


def _is_tag(text):
    from medgen_kit.errors import KitError
    try:
        return knowledge.lookup(text).tag == text
    except KitError:
        return False
