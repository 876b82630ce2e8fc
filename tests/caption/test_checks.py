"""Each check fires on a caption broken in its way, and none fires on good captions."""

import numpy as np
import pytest

from medgen_kit import caption, sources
from medgen_kit.caption import Facts, Row

FACTORS = {"modality": "endoscopy", "endoscopy.mucosa": "inflamed", "endoscopy.segment": "colon", "endoscopy.camera": "advancing",
           "endoscopy.polyp": "left wall"}
BRIEF = "Colonoscopy: the endoscope advances, inflamed mucosa, a polyp on the left wall."
DETAILED = ("This clip shows an endoscopic view of the colon under white light. One sees inflamed mucosa, deep red and patchy. There is a "
            "polyp on the left wall. The colon has haustral folds. Throughout the clip the endoscope advances, so the dark lumen grows.")


def row(brief=BRIEF, detailed=DETAILED, clip_id="0123456789abcdef", factors=FACTORS, **known):
    return Row(Facts(clip_id, "clinical practice", 1.12, 8, 64, 64, factors=factors, source="test", **known), brief, detailed)


def test_a_good_caption_passes_every_check():
    assert caption.check([row()]) == [{}]


BROKEN = {
    "length": row(detailed="The endoscope advances in the colon with inflamed mucosa and a polyp on the left wall."),
    "brief": row(brief=DETAILED),
    "adds nothing": row(brief="Colonoscopy: the endoscope advances, inflamed mucosa, a polyp on the left wall and an ulcer."),
    "sides": row(brief="Colonoscopy: the endoscope advances, inflamed mucosa, a polyp on the right wall."),
    "negation": row(brief="Colonoscopy: the endoscope advances, inflamed mucosa, no polyp on the left wall, no polyp."),
    "facts": row(detailed=DETAILED.replace("advances", "is withdrawn"), brief=BRIEF.replace("advances", "is withdrawn")),
    "boilerplate": row(detailed="The image shows a colon. " + DETAILED),
    "diagnosis": row(detailed=DETAILED + " The patient has cancer and should be treated."),
    "person": row(detailed=DETAILED + " Recorded by Dr. Miller."),
    "numbers": row(detailed=DETAILED + " The polyp measures 14 mm."),
    "language": row(detailed="Koloskopie: das Endoskop wird vorgeschoben; entzündete Schleimhaut, ein Polyp an der linken Wand. " * 4),
    "concept": row(detailed="It goes on and on, and it is seen from here to there and back, with this and that in it, for as long as "
                            "it has been there, and then it ends."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_fires_on_its_broken_caption(name):
    found = caption.check([BROKEN[name]])[0]
    assert name in found and found[name]


def test_repeated_captions():
    other = row(clip_id="f" * 16, factors=FACTORS | {"endoscopy.polyp": "right wall"})
    assert "repeated" in caption.check([row(), other])[1]
    assert caption.check([row(), row(clip_id="e" * 16)]) == [{}, {}]
    many = caption.check([row(clip_id=f"{i:016x}") for i in range(9)])
    assert "repeated" not in many[4] and "9 clips" in many[8]["repeated"]


def test_template_smell_fires_on_a_mould_and_not_on_the_simulators():
    rng, every = np.random.default_rng(0), [c for c in sources.combinations() if c["modality"] != "brain"]
    made = [sources.describe(every[i % len(every)], rng) for i in range(300)]
    good = [row(brief, detailed, f"{i:016x}", every[i % len(every)]) for i, (brief, detailed) in enumerate(made)]
    assert sum(bool(wrong) for wrong in caption.check(good)) <= 3
    mould = "This is a medical clip of the {}, in which one can follow how it moves to the {} without any break or change."
    bad = [row(detailed=mould.format(organ, side), clip_id=f"{i:016x}") for i, (organ, side) in
           enumerate((organ, side) for organ in ("heart", "lung", "liver") * 10 for side in ("left", "right"))]
    assert all("template" in wrong for wrong in caption.check(bad))


def test_the_table_of_truth_covers_every_factor_and_every_caption_names_it():
    from medgen_kit.caption.truth import TELLING

    for factor, values in sources.FACTORS.items():
        assert factor == "modality" or set(TELLING[factor]) == set(values), factor
    rng, every = np.random.default_rng(2), sources.combinations()
    for i in range(500):
        factors = every[i % len(every)]
        for text in sources.describe(factors, rng):
            assert all(caption.named(text, factors).values()), text
            assert caption.contradictions(text, factors) == [], text
    assert len(caption.named("A heart.", every[0])) == len(every[0]) - 1


def test_contradictions_name_factor_and_values():
    assert caption.contradictions("The endoscope is withdrawn in the colon.", FACTORS) == [
        "endoscopy.camera is 'advancing', the caption says 'withdrawing'"]
    assert caption.contradictions("A colon.", FACTORS) == []


def test_checks_say_threshold_and_reason():
    assert len(caption.CHECKS) >= 11 and len({c.name for c in caption.CHECKS}) == len(caption.CHECKS)
    assert all(c.threshold and c.why and bool(c.look) != bool(c.look_at_set) for c in caption.CHECKS)
