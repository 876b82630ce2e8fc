"""Each check fires on a caption broken in its way, and none fires on good captions and near misses."""

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
    "loops": row(detailed=DETAILED + " It moves on and on and on and on and on and on and on."),
    "quoted": row(detailed=DETAILED + " A label reads \"Colon 3B\".", text_seen="Colon 4"),
    "camera": row(detailed=DETAILED + " The camera pans to the left.", camera="static shot"),
    "cut": row(detailed=DETAILED + " The video then cuts to the stomach."),
    "copied": row(detailed=DETAILED + " And now we see how the scope goes round the bend.",
                  transcript="so and now we see how the scope goes round the bend slowly"),
    "source": row(detailed=DETAILED + " The left kidney is seen.", factors={}),
    "alone": Row(Facts("0" * 16, "", 1, 8, 64, 64), BRIEF, DETAILED + " A cat sleeps on the keyboard.", (DETAILED, DETAILED)),
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


SEEN = {"text_seen": "Sterile Field 72 bpm", "transcript": "give 5 mg of it in the left lung for pneumonia", "title": "Case of 14 mm",
        "factors": {}}
NEAR = (
    "The blade cuts to the fat below.", "There is no change of scene and no cut.", "The stone dissolves into small pieces.",
    "The camera neither pans left nor zooms in.", "A pan of water stands to the right.", "The label reads \"Sterile field\" in blue.",
    "The label reads \"Steri1e Field\" in blue.", "A so-called clip closes the patient's vessel.", "About five milligrams are drawn up.",
    "It measures 14 mm.", "The polyp sits at the two o'clock position.", "The left lung with pneumonia is treated.",
    "No tumour of the right kidney is seen.", "The clip lasts about 1 second.", "The 1.1-second clip ends.", "A 3D model turns.",
    "The picture fades to black.", "It is dr. free of anything.", "May and will are words.", "Two forceps and three swabs lie there.",
    "The doctor's hand rests on the table.", "The image stays sharp.", "The next needle goes in.", "We'll-known is a word with a mark.")


@pytest.mark.parametrize("sentence", NEAR)
def test_near_misses_pass(sentence):
    assert caption.check([row(detailed=f"{DETAILED} {sentence}", camera="static shot", **SEEN)]) == [{}]


@pytest.mark.parametrize("measured, said, wrong", [
    ("static shot", "The camera zooms in.", True), ("pan left", "The camera pans right.", True), ("pan left",
                                                                                                  "It pans slowly to the left.", False),
    ("pan left", "The camera is static.", True), ("zoom in", "The camera zooms out.", True), ("tilt up", "The lens tilts down.", True),
    ("complex motion", "The camera is static.", False), ("complex motion", "The camera pans right.", False), ("", "A static shot.", False),
    ("handheld", "It is a fixed shot.", True), ("dolly in", "The camera zooms in.", False), ("dolly in", "The camera zooms out.", False),
    ("static shot", "The camera remains perfectly still.", False), ("pan left", "The camera tilts up.", False)])
def test_camera_words_against_the_measured_motion(measured, said, wrong):
    assert ("camera" in caption.check([row(detailed=f"{DETAILED} {said}", camera=measured)])[0]) == wrong


@pytest.mark.parametrize("text, unknown", [
    ("14mm", ["14"]), ("21G needle", ["21"]), ("91% oxygen", ["91"]), ("64 pixels and 64 mm", ["64"]), ("8 seconds, 8 mm", ["8"]),
    ("thirty-five millilitres", ["thirty-five millilitres"]), ("twenty-five millilitres", []), ("a hundred and forty times a minute",
                                                                                                ["a hundred and forty times a"]),
    ("25 ml", []), ("7.98 s, 8.0 s, 8 s", []), ("T2, 3D, L5, H2O", []), ("two thousand units", ["two thousand units"]), ("six minutes", []),
    ("1,200 ml", ["1,200"]), ("2.8 cm 2.8cm", ["2.8", "2.8"])])
def test_numbers_need_a_source_that_fits_their_unit(text, unknown):
    from medgen_kit.caption.facts import unknown_numbers

    known = Facts("ab" * 8, "clinical practice", 7.98, 8, 64, 64, title="25 ml", transcript="for six minutes")
    assert unknown_numbers(text, known) == unknown


def test_one_star_or_three_flags_make_a_caption_be_written_again():
    from medgen_kit.caption.checks import STARRED

    assert {"boilerplate", "numbers", "person"} <= STARRED and not {"length", "camera", "cut", "copied", "source", "quoted"} & STARRED
    assert not caption.must_be_rewritten({}) and not caption.must_be_rewritten({"cut": "x", "camera": "y"})
    assert caption.must_be_rewritten({"cut": "x", "camera": "y", "length": "z"}) and caption.must_be_rewritten({"person": "x"})


def test_an_empty_caption_is_written_again():
    assert caption.must_be_rewritten(caption.check([row(brief="", detailed="")])[0])
    assert caption.must_be_rewritten(caption.check([row(brief="")])[0])


def test_checks_are_worth_what_planted_errors_say():
    rows = {(late, row["check"]): row for late in (False, True) for row in caption.flag_precision(each=3, clean=12, held_back=late)}
    for one in caption.CHECKS:
        early, late = rows[False, one.name], rows[True, one.name]
        assert early["planted"] and early["recall"] >= 0.5, early
        assert early["fired"] == early["right"] + early["false_alarms"] or early["fired"] >= early["right"]
        assert early["false_alarms"] == 0 or one.name == "alone", early
        assert early["precision"] >= (0.6 if one.name == "alone" else 0.95), early
        assert late["planted"] and 0 <= (late["recall"] or 0) <= 1 and late["starred"] == one.starred
    assert rows[True, "facts"]["recall"] == 1.0 and rows[True, "copied"]["recall"] == 1.0


def test_a_check_that_never_fires_is_found_out(monkeypatch):
    from medgen_kit.caption import checks, planted

    blind = tuple(checks.Check(c.name, c.threshold, c.why, (lambda row: "") if c.name == "camera" else
                               (lambda row: "always") if c.name == "cut" else c.look, c.look_at_set, c.starred) for c in checks.CHECKS)
    monkeypatch.setattr(planted, "CHECKS", blind)
    monkeypatch.setattr(checks, "CHECKS", blind)
    rows = {row["check"]: row for row in planted.flag_precision(each=3, clean=8)}
    assert rows["camera"]["recall"] == 0.0 and rows["camera"]["precision"] is None
    assert rows["cut"]["recall"] == 1.0 and rows["cut"]["precision"] < 0.1 and rows["cut"]["false_alarms"] == rows["cut"]["clean"]


def test_checks_say_threshold_and_reason():
    assert len(caption.CHECKS) == 21 and len({c.name for c in caption.CHECKS}) == len(caption.CHECKS)
    assert all(c.threshold and c.why and bool(c.look) != bool(c.look_at_set) for c in caption.CHECKS)
