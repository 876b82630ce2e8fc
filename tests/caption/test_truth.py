"""What captioners get wrong, by factor and group of factors, and a set of captions in numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from medgen_kit import caption, sources
from medgen_kit.caption.truth import GROUPS, TELLING, verdicts
from medgen_kit.errors import KitError

FACTORS = {"modality": "endoscopy", "endoscopy.mucosa": "inflamed", "endoscopy.segment": "colon", "endoscopy.camera": "advancing",
           "endoscopy.polyp": "left wall"}
TRUE = "The endoscope advances through the colon with inflamed mucosa and a polyp on the left wall."


def test_right_wrong_and_not_said():
    assert set(verdicts(TRUE, FACTORS).values()) == {"right"} and len(verdicts(TRUE, FACTORS)) == 4
    assert verdicts(TRUE.replace("left", "right"), FACTORS)["endoscopy.polyp"] == "wrong"
    assert verdicts("A colon.", FACTORS) == {"endoscopy.mucosa": "not said", "endoscopy.segment": "right", "endoscopy.camera": "not said",
                                             "endoscopy.polyp": "not said"}
    both = TRUE + " A second polyp sits on the right wall."
    assert verdicts(both, FACTORS)["endoscopy.polyp"] == "wrong", "to name everything is not to know it"
    assert verdicts("", {}) == {} and verdicts(TRUE, {"new.factor": "x"}) == {}


def test_the_table_of_backends():
    rng, every = np.random.default_rng(0), sources.combinations()
    good = [sources.describe(factors, rng)[1] for factors in every]
    turned = good[1:] + good[:1]
    table = caption.errors_by_backend({"template": good, "turned": turned, "silent": [""] * len(every)}, every)
    rows = {(row["backend"], row["group"]): row for row in table}
    assert {group for backend, group in rows if backend == "template"} == set(GROUPS)
    for (backend, _), row in rows.items():
        assert row["clips"] == row["right"] + row["wrong"] + row["not said"] > 0
        assert backend != "template" or (row["right"], row["right_share"]) == (row["clips"], 1.0)
        assert backend != "silent" or (row["not said"], row["right_share"]) == (row["clips"], None)
    assert rows["turned", "finding"]["wrong"] > 50 and 0 < rows["turned", "finding"]["right_share"] < 1
    fine = caption.errors_by_backend({"template": good}, every, by="factor")
    assert {row["factor"] for row in fine} == set(TELLING) and all(row["wrong"] == 0 for row in fine)
    assert sum(row["clips"] for row in fine) == sum(row["clips"] for row in table if row["backend"] == "template")


def test_the_table_covers_every_factor_once_and_wrong_input_is_named():
    assert sorted(key for keys in GROUPS.values() for key in keys) == sorted(TELLING)
    with pytest.raises(KitError, match="'a' has 1 captions for 2 clips"):
        caption.errors_by_backend({"a": ["x"]}, [{}, {}])
    with pytest.raises(KitError, match="by='group'"):
        caption.errors_by_backend({}, [], by="axis")
    assert caption.errors_by_backend({"a": ["x"]}, [{}]) == [] and caption.errors_by_backend({}, []) == []


def clip(detailed="", brief=""):
    return SimpleNamespace(detailed_caption=detailed, brief_caption=brief)


def test_statistics_beside_the_paper():
    long = "The liver " + "is brown and smooth under the light " * 20
    rows = {row["figure"]: row for row in caption.statistics([clip(long, "A liver."), clip("A heart beats.", "A heart."),
                                                              clip("A heart beats."),
                                                             clip()])}
    mean = rows["words in a detailed caption, mean"]
    assert mean["here"] == pytest.approx((142 + 3 + 3) / 3, abs=0.05) and mean["paper"] == 174
    assert rows["clips"]["here"] == 4 and rows["clips with a detailed caption"]["here"] == 3
    assert rows["words in a detailed caption, median"]["here"] == 3
    assert rows["detailed captions of 120 to 220 words"]["here"] == pytest.approx(1 / 3, abs=1e-4)
    assert rows["words in a brief caption, mean"]["here"] == 2 and rows["different words"]["here"] == 11
    assert rows["detailed captions that occur more than once"]["here"] == pytest.approx(2 / 3, abs=1e-4)
    assert rows["detailed captions with a concept of anatomy"]["here"] == 1.0 and rows["different concepts"]["here"] == 2
    assert sum(row["paper"] is not None for row in rows.values()) == 1, "the paper gives one number"
    assert all(row["here"] == 0 for row in caption.statistics([]))
