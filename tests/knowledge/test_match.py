"""Concepts in text: spelling, plural, longest match, plain words, negation, side, look-up."""

import pytest

from medgen_kit import knowledge
from medgen_kit.errors import KitError


@pytest.mark.parametrize("one, other", [
    ("A haemorrhage.", "Hemorrhages"), ("haematoma", "a hematoma"), ("oedema of the brain", "EDEMA of brain"), ("tumours", "tumor"),
    ("the vertebrae", "a vertebra"),
    ("oesophagus", "esophagus"), ("metastases", "metastasis"), ("lobes of the lung", "lobe of lung"), ("biopsies", "biopsy")])
def test_spelling_and_plural_make_no_difference(one, other):
    assert knowledge.tags(one) == knowledge.tags(other) != []


@pytest.mark.parametrize("text", [
    "A short blue clip of the area was cut.", "Normal, left, right, clear, absent, present.", "The lead part of the first stage.",
    "It is a deep red spot at the bottom of the table.", "He took the train to the other side of the wall.", ""])
def test_plain_words_are_no_concepts(text):
    assert knowledge.tags(text) == []


def test_longest_match_wins_and_context_is_kept():
    assert knowledge.tags("the left ventricle") == ["anatomy/left ventricle"]
    assert knowledge.tags("Parasternal short-axis view") == ["modality/parasternal short axis"]
    assert knowledge.tags("A dilated left ventricle.") == ["anatomy/left ventricle", "finding/dilated ventricle"]
    assert knowledge.tags("A left ventricle of normal size.") == ["anatomy/left ventricle", "finding/ventricle of normal size"]


@pytest.mark.parametrize("text, absent", [
    ("No pericardial effusion.", ["finding/pericardial effusion"]),
    ("There is no abscess, cyst or tumour.", ["finding/abscess", "finding/cyst", "finding/neoplasm"]),
    ("The mucosa is free of inflammation.", ["finding/inflammation"]),
    ("A polyp was not seen.", ["finding/polyp"]),
    ("Pulmonary oedema has been ruled out.", ["finding/pulmonary edema"]),
    ("Neither a mass nor a nodule is present.", ["finding/mass", "finding/nodule"]),
    ("Pneumothorax is absent.", ["finding/pneumothorax"]),
    ("Without intravenous contrast.", ["procedure/contrast enhancement"])])
def test_negation(text, absent):
    assert knowledge.tags(text, negated=True) == absent
    assert not set(absent) & set(knowledge.tags(text))


def test_negation_ends_with_its_clause():
    assert knowledge.tags("No polyp, but there is an ulcer.") == ["finding/ulcer"]
    assert knowledge.tags("No polyp; inflamed mucosa.") == ["anatomy/mucosa", "finding/inflammation"]
    assert knowledge.tags("No ST segment elevation and a plethysmograph trace") == ["device/plethysmograph"]
    assert knowledge.tags("No lesion in the liver.") == ["anatomy/liver"]
    assert knowledge.tags("There is no change in the nodule.") == ["finding/nodule"]


@pytest.mark.parametrize("text, sided", [
    ("a polyp on the left wall", "finding/polyp:left"), ("a right-sided lesion", "finding/lesion:right"),
    ("a nodule in the left lung", "finding/nodule:left"), ("a lesion on the patient's right side", "finding/lesion:right"),
    ("a grasper is withdrawn to the left", "device/grasper:left"), ("Bilateral pleural effusions", "finding/pleural effusion:right")])
def test_side(text, sided):
    found = knowledge.tags(text)
    other = sided.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
    assert sided in found and sided.split(":")[0] in found
    assert other not in found or "ilateral" in text


def test_side_stays_with_its_organ():
    found = knowledge.tags("The right kidney is small and the left ureter is wide.")
    assert "anatomy/kidney:right" in found and "anatomy/ureter:left" in found
    assert "anatomy/kidney:left" not in found and "anatomy/ureter:right" not in found
    assert knowledge.tags("no lesion in the left lung", negated=True) == ["finding/lesion:left"]


def test_courses_need_something_that_moves():
    assert "motion/entering" in knowledge.tags("The grasper enters from the right.")
    assert knowledge.tags("The teacher enters the room.") == []
    assert "motion/dividing" in knowledge.tags("It undergoes mitosis.")


def test_places_in_the_text():
    text = "No bleeding; the Gallbladder is intact."
    found = knowledge.find(text)
    assert [text[m.start:m.end] for m in found] == ["bleeding", "Gallbladder"]
    assert [(m.axis, m.scheme, m.negated) for m in found] == [("finding", "SCT", True), ("anatomy", "SCT", False)]


def test_every_concept_has_an_axis_and_a_code():
    by_tag = knowledge.concepts()[0]
    assert len(by_tag) > 2500 and {c.axis for c in by_tag.values()} == set(knowledge.AXES)
    assert sum(c.scheme == "SCT" for c in by_tag.values()) > 2400
    codes = [c.code for c in by_tag.values()]
    assert len(codes) == len(set(codes))


def test_look_up():
    heart = knowledge.lookup("heart")
    assert heart.axis == "anatomy" and heart.scheme == "SCT"
    assert knowledge.lookup(heart.code) == heart == knowledge.lookup("anatomy/heart") == knowledge.lookup("Hearts")
    assert knowledge.lookup("tummy").meaning == "abdomen"
    with pytest.raises(KitError, match="pericardial effusion"):
        knowledge.lookup("pericardal effusoin")
    with pytest.raises(KitError, match="Nothing is near"):
        knowledge.lookup("zzzzqqqq")
