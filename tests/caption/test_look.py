"""What is measured on frames, in words, and the sentences that the template makes of it."""

import re
from collections import Counter

import numpy as np
import pytest

from medgen_kit import caption, knowledge, sources
from medgen_kit.caption import Facts, look
from medgen_kit.caption.facts import measure
from medgen_kit.caption.slips import runs, words


def plain(value=120, frames=8, height=64, width=64):
    return np.full((frames, height, width, 3), value, np.uint8)


@pytest.mark.parametrize("rgb, names", [
    ((200, 30, 30), ["red"]), ((230, 170, 180), ["pink"]), ((120, 70, 30), ["brown"]), ((240, 140, 30), ["orange"]), ((230, 220, 40),
                                                                                                                      ["yellow"]),
    ((40, 160, 50), ["green"]), ((40, 180, 190), ["turquoise"]), ((40, 70, 200), ["blue"]), ((150, 60, 190), ["violet"]),
    ((120, 121, 119), []),
    ((0, 0, 0), []), ((255, 255, 255), []), ((20, 5, 5), [])])
def test_colours_have_everyday_names(rgb, names):
    assert look.of(plain() * 0 + np.uint8(rgb)).get("colours", []) == names


def test_colours_are_listed_by_share():
    frames = plain(0)
    frames[:, :, :40], frames[:, :, 40:54], frames[:, :, 54:] = (200, 30, 30), (40, 70, 200), (40, 160, 50)
    assert look.of(frames)["colours"] == ["red", "blue", "green"]


@pytest.mark.parametrize("part, name", [
    ((slice(None), slice(0, 20)), "left half"), ((slice(None), slice(44, 64)), "right half"), ((slice(0, 20), slice(None)), "upper half"),
    ((slice(44, 64), slice(None)), "lower half"), ((slice(24, 40), slice(24, 40)), "middle"), ((slice(None), slice(None)),
                                                                                               "whole picture")])
def test_where_it_changes(part, name):
    frames, noise = plain(), np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
    frames[(slice(None), *part)] = noise[(slice(None), *part)]
    assert look.of(frames)["place"] == name


def test_when_it_changes_and_whether_it_comes_back():
    def film(levels):
        return look.of(np.stack([plain(level, 1)[0] for level in levels]))

    assert film([100, 110, 120, 130, 140, 150, 160, 170]) | {"contrast": ""} == {"contrast": ""} | {"light": "brighter", "pace": "even",
                                                                                                    "place": "whole picture"}
    assert film([100, 120, 140, 160, 161, 162, 163, 164])["pace"] == "early"
    assert film([100, 101, 102, 103, 123, 143, 163, 183])["pace"] == "late"
    assert film([150, 151, 152, 153, 90, 91, 92, 93]) | {"contrast": ""} == {"contrast": ""} | {"light": "darker", "pace": "sudden",
                                                                                                "place": "whole picture"}
    assert film([100, 120, 140, 160, 140, 120, 100, 100])["returns"] is True
    assert "returns" not in film([100, 120, 140, 160, 180, 200, 220, 240])


def test_black_surround_contrast_and_light():
    y, x = np.mgrid[:64, :64] - 31.5
    frames = plain(0)
    frames[:, (y**2 + x**2) < 28**2] = 180
    found = look.of(frames)
    assert found["surround"] == "black" and found["contrast"] == "strong" and "place" not in found
    assert "surround" not in look.of(plain(0)) and look.of(plain())["contrast"] == "low"
    frames = plain(60)
    frames[:, 45:60, :20] = 250
    assert look.of(frames)["bright"] in ("left half", "lower half") and "bright" not in look.of(plain())


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 1, 1), (3, 2, 700), (1, 600, 3), (8, 481, 719)])
def test_any_size_is_looked_at(shape):
    found = look.of(np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8))
    assert set(found) <= {"colours", "contrast", "surround", "bright", "place", "pace", "light", "returns"}


@pytest.fixture(scope="module")
def written():
    """(facts, text without measures, text with them) of simulated clips of every second combination of factors, and of 20 without."""
    writer, every, out = caption.backend("template"), sources.combinations()[::2], []
    flats = [*every, *every[::4]]
    for number, (factors, frames) in enumerate(zip(flats, sources.render(flats, 0, frames=8, size=32))):
        known = {} if number >= len(every) else dict(factors)
        both = [Facts(f"{number:016x}", "clinical practice", 1.12, 8, 64, 64, "static shot", *measure(frames), factors=known,
                      source=str(number), look=one) for one in ({}, look.of(frames))]
        both[0].colour = both[0].colour if not known else ""
        out.append((both[1], *(writer.detailed(one, None, 1) for one in both)))
    return out


def test_measures_add_words_but_no_concept_no_number_and_no_flag(written):
    rows = []
    for facts, short, long in written:
        rows.append(caption.Row(facts, caption.backend("template").brief(facts, long, 1), long))
        assert not facts.factors or long.startswith(short) and len(long.split()) >= len(short.split())
        for absent in (False, True):
            assert knowledge.tags(long, negated=absent) == knowledge.tags(short, negated=absent), long
        assert "  " not in long and "{" not in long and "<" not in long and ".." not in long and long.endswith(".")
        assert all(part[0].isupper() or part[0].isdigit() for part in long.split(". ")), long
        assert len(facts.look.get("colours", ())) < 2 or not re.search(r"colour is|(?i:red|brown|blue|green|pink) stands", long)
    found = [(row, wrong) for row, wrong in zip(rows, caption.check(rows)) if wrong]
    assert sum(bool(row.facts.factors) for row, _ in found) <= 3, found
    assert all(set(wrong) == {"template"} for _, wrong in found), "what has no label is told from few facts, so it sounds alike"
    labelled = [len(row.detailed.split()) for row in rows if row.facts.factors]
    bare = [len(short.split()) for facts, short, _ in written if facts.factors]
    assert 85 < np.mean(labelled) < 170 and np.mean(labelled) > np.mean(bare) + 15


def test_measured_sentences_come_in_many_wordings(written):
    grams = [set(runs(words(long[len(short):]), 6)) for facts, short, long in written if facts.factors]
    counts = Counter(gram for run in grams for gram in run)
    assert counts.most_common(1)[0][1] < 0.15 * len(grams), counts.most_common(3)
