"""The tags of a caption tell every value of every motion factor apart, for every paraphrase of the simulators."""

import time

import numpy as np
import pytest

from medgen_kit import knowledge, sources

DRAWS = 300


def said(text):
    return {*knowledge.tags(text), *(f"no {tag}" for tag in knowledge.tags(text, negated=True))}


@pytest.fixture(scope="module")
def captions():
    """{modality: [(factors, set of tags)]}: about DRAWS brief and DRAWS detailed captions for each value of each factor."""
    rng, made = np.random.default_rng(0), {}
    for modality in sorted({c["modality"] for c in sources.combinations()}):
        combinations = [c for c in sources.combinations() if c["modality"] == modality]
        values = max(len(v) for k, v in sources.FACTORS.items() if k.startswith(modality + "."))
        made[modality] = []
        for i in range(values * DRAWS):
            factors = combinations[i % len(combinations)]
            made[modality] += [(factors, said(text)) for text in sources.describe(factors, rng)]
    return made


def unseparated(captions, factor):
    """Share of captions without a tag that only their own value gives, by value."""
    rows = captions[factor.split(".")[0]]
    shares = {}
    for value in sources.FACTORS[factor]:
        mine = [tags for factors, tags in rows if factors[factor] == value]
        others = set().union(*(tags for factors, tags in rows if factors[factor] != value))
        assert len(mine) >= DRAWS
        shares[value] = sum(not tags - others for tags in mine) / len(mine)
    return shares


def test_every_motion_value_has_its_own_tag(captions):
    for factor in sources.MOTION:
        assert set(unseparated(captions, factor).values()) == {0.0}, factor


def test_nearly_every_other_value_has_its_own_tag(captions):
    shares = {(factor, value): share for factor in sources.FACTORS if "." in factor
              for value, share in unseparated(captions, factor).items()}
    assert np.mean([share == 0 for share in shares.values()]) >= 0.9, {k: v for k, v in shares.items() if v}


def test_speed_of_tags():
    rng, every = np.random.default_rng(1), sources.combinations()
    texts = [text for i in range(2000) for text in sources.describe(every[i % len(every)], rng)]
    knowledge.tags("heart")
    start = time.process_time()
    for text in texts:
        knowledge.tags(text)
    assert time.process_time() - start < 4
