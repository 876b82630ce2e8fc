"""A clip against its prompt: recall and precision of concepts, kinds and synonyms, sides, negation, motion, camera; sets with intervals."""

import dataclasses

import numpy as np
import pytest

from medgen_kit import knowledge, video
from medgen_kit.align import ConceptSet
from medgen_kit.clip import Clip
from medgen_kit.errors import KitError
from medgen_kit.evaluate import clinical
from medgen_kit.evaluate.clinical import against_prompt, against_prompts, implied

PROMPT = "Colonoscopy: a polyp on the left wall of the colon, no bleeding. The endoscope advances slowly."


def kinds(found):
    return [row["kind"] for row in found["contradictions"]]


def tags(rows, found):
    return [row["tag"] for row in rows if row["found"] is found]


def test_a_clip_that_shows_all_has_full_marks_and_its_codes():
    found = against_prompt(PROMPT, PROMPT)
    assert found["recall"] == found["precision"] == 1 and not found["contradictions"] and not found["reason"]
    codes = {row["tag"]: (row["scheme"], row["code"]) for row in found["asked"]}
    assert codes["anatomy/colon"] == ("SCT", "71854001") and codes["motion/advancing"][0] == "MGK"
    assert found["excluded"] == ["finding/hemorrhage"]


def test_recall_and_precision_by_hand():
    found = against_prompt("A polyp in the stomach and an ulcer.", "An ulcer, a hernia and a fracture.")
    assert found["recall"] == pytest.approx(1 / 3) and found["precision"] == pytest.approx(1 / 3)
    assert tags(found["asked"], True) == ["finding/ulcer"] and set(tags(found["shown"], False)) == {"finding/hernia", "finding/fracture"}


def test_synonyms_kinds_and_wholes_are_not_punished():
    assert against_prompt("Bleeding in the bowel.", "Haemorrhage in the intestine.")["recall"] == 1
    kind = against_prompt("An effusion is seen.", "A pericardial effusion.")
    assert kind["recall"] == kind["precision"] == 1                        # a kind shows the whole
    whole = against_prompt("A pericardial effusion is seen.", "An effusion.")
    assert whole["precision"] == 1 and whole["recall"] == 0                # the whole was asked too, but says less than was asked
    heart = against_prompt("Echocardiogram of the left ventricle.", "The left ventricle of a heart, seen by ultrasound.")
    assert heart["precision"] == 1 and heart["recall"] == 0.5              # an ultrasound of the heart was implied, and says less
    assert "finding/st elevation myocardial infarction" not in implied("finding/non st elevation myocardial infarction")


def test_the_table_of_implied_concepts_and_of_reversed_motion_names_concepts():
    known = knowledge.concepts()[0]
    assert all(tag in known for tag in (*clinical.IMPLIES, *(one for ones in clinical.IMPLIES.values() for one in ones)))
    assert all(tag in known for pair in clinical.REVERSED for tag in pair)
    assert implied("motion/severe hypokinesis") == {"motion/severe hypokinesis", "motion/hypokinesis"}
    assert {"anatomy/large intestine", "anatomy/bowel", "modality/endoscopy"} < implied("procedure/colonoscopy")


def test_a_swapped_side_costs_recall_and_precision_and_is_named():
    found = against_prompt("A polyp on the left wall.", "A polyp on the right wall.")
    assert found["recall"] == found["precision"] == 0.5
    assert found["contradictions"] == [{"kind": "side swapped", "asked": "finding/polyp:left", "shown": "finding/polyp:right"}]
    free = against_prompt("A polyp is seen.", "A polyp on the right wall.")
    assert free["precision"] == 1 and not free["contradictions"]           # every picture has to take a side
    assert kinds(against_prompt("The left ventricle contracts.", "The right ventricle contracts.")) == ["side swapped"]
    assert not kinds(against_prompt("A polyp on the left wall, a polyp on the right wall.", "A polyp on the left wall."))


def test_what_the_prompt_excludes_must_not_be_shown_and_what_it_asks_not_be_denied():
    assert kinds(against_prompt("A stomach without bleeding.", "Bleeding in the stomach.")) == ["excluded but shown"]
    assert kinds(against_prompt("A heart without effusion.", "A heart with a pericardial effusion.")) == ["excluded but shown"]
    assert not kinds(against_prompt("A heart without pericardial effusion.", "A heart with an effusion."))
    assert not kinds(against_prompt("A stomach without bleeding.", "No bleeding in the stomach."))
    denied = against_prompt("A polyp on the left wall of the colon.", "The colon, no polyp.")
    assert kinds(denied) == ["asked but denied"] and denied["recall"] == pytest.approx(1 / 3)


def test_reversed_motion_is_named():
    assert kinds(against_prompt("The endoscope advances.", "The endoscope is withdrawn.")) == ["motion reversed"]
    assert kinds(against_prompt("Slices from head to feet.", "Slices from feet to head.")) == ["motion reversed"]
    assert kinds(against_prompt("Normal wall motion.", "Severe hypokinesis.")) == ["motion reversed"]
    assert not kinds(against_prompt("The endoscope advances.", "The endoscope advances, then it is withdrawn."))


def test_the_camera_is_taken_from_the_measure_or_from_the_caption():
    asked = "The stomach. The camera pans left."
    assert against_prompt(asked, "The stomach.")["recall"] == 1            # nobody said a word about the camera: not judged
    assert against_prompt(asked, "The stomach.", camera="pan left")["recall"] == 1
    turned = against_prompt(asked, "The stomach, the camera pans left.", camera="pan right")
    assert turned["recall"] == 0.5 and kinds(turned) == ["camera reversed"]
    assert kinds(against_prompt(asked, "The camera pans right.")) == ["camera reversed"]
    assert kinds(against_prompt("The stomach, static camera.", "The stomach.", camera="zoom in")) == ["camera reversed"]


def test_nothing_asked_or_nothing_that_can_be_named_is_a_reason():
    nothing = against_prompt("Something nice happens.", "A polyp.")
    assert nothing["recall"] is None and nothing["precision"] == 0 and "names no concept" in nothing["reason"]
    blind = against_prompt("A polyp.", "A pretty picture.")
    assert blind["recall"] == 0 and blind["precision"] is None and "nothing was seen" in blind["reason"]
    known = against_prompt("A polyp in the colon.", ["anatomy/colon"], known=["anatomy/colon", "finding/ulcer"])
    assert known["recall"] == 1 and tags(known["asked"], None) == ["finding/polyp"]
    assert "can name" in against_prompt("A polyp.", [], known=["finding/ulcer"])["reason"]


def test_tags_are_read_as_captions_are():
    told = against_prompt(PROMPT, ["finding/polyp:right", "no finding/hemorrhage", "anatomy/colon"])
    assert kinds(told) == ["side swapped"] and "finding/polyp" in tags(told["asked"], True)
    with pytest.raises(KitError, match="'finding/no such thing'"):
        against_prompt(PROMPT, ["finding/no such thing"])


@pytest.mark.parametrize("said", [None, float("nan"), 7, [None], {"finding/polyp": 1}])
def test_what_is_neither_text_nor_tags_is_refused(said):
    for prompt, seen in ((said, "A polyp."), ("A polyp.", said)):
        with pytest.raises(KitError, match="from a text or from a list of tags"):
            against_prompt(prompt, seen)


def test_a_set_has_micro_and_macro_with_intervals_over_prompts():
    prompts = ["A polyp in the colon and an ulcer.", "A fracture.", "Nothing medical.", "A hernia."]
    rows, marks = against_prompts(prompts, ["A polyp in the colon.", "No fracture.", "A scene.", None])
    assert rows[3] is None and marks["unseen"] == 1 and marks["unasked"] == 1
    assert marks["recall"]["micro"] == pytest.approx(2 / 4) and marks["recall"]["macro"] == pytest.approx((2 / 3 + 0) / 2)
    assert marks["recall"]["prompts"] == 2 and marks["recall"]["concepts"] == 4
    assert marks["recall"]["low"] == marks["recall"]["macro_low"] == 0 and marks["recall"]["high"] == pytest.approx(2 / 3)
    assert marks["precision"]["micro"] == 1 and marks["precision"]["low"] is None            # one prompt has no interval
    assert marks["contradicted"]["micro"] == 0.5 and marks["kinds"]["asked but denied"] == 1
    same = against_prompts(["Ultrasound of the left kidney."] * 3, ["Ultrasound of the left kidney."] * 3)[1]
    assert same["recall"]["low"] == same["recall"]["macro_low"] == pytest.approx(0.025 ** (1 / 3)) and same["recall"]["high"] == 1
    assert (same["contradicted"]["low"], same["contradicted"]["high"]) == (0, pytest.approx(1 - 0.025 ** (1 / 3)))     # 0 of 3
    empty = against_prompts(["Nothing."], ["A scene."])[1]
    assert empty["recall"]["micro"] is None and empty["recall"]["prompts"] == 0
    with pytest.raises(KitError, match="4 prompts but 1"):
        against_prompts(prompts, ["x"])


def test_a_wrong_clip_scores_below_the_right_one_on_the_courses_own_prompts():
    from medgen_kit import sources

    combos = sources.combinations()[::97]
    prompts = [sources.describe(one, np.random.default_rng(1))[1] for one in combos]
    right = against_prompts(prompts, prompts)[1]
    wrong = against_prompts(prompts, prompts[1:] + prompts[:1])[1]
    assert right["recall"]["micro"] == right["precision"]["micro"] == 1 and right["contradicted"]["micro"] == 0
    assert wrong["recall"]["high"] < 0.9 and wrong["precision"]["high"] < 0.9


def test_the_head_is_asked_only_for_what_a_prompt_decides(monkeypatch, tmp_path):
    names = ["finding/polyp", "anatomy/colon"]
    ConceptSet(names, np.eye(2, dtype=np.float32)).save(tmp_path / "concepts.json")
    logits = np.array([[1.0, 2.0], [-1.0, 3.0]])                        # in the first clip the head sees a colon, of which nothing was said
    monkeypatch.setattr(clinical, "read_concepts", lambda *_: (logits, None, None, names))
    seen, known = clinical.seen_by_head(tmp_path, None, ["A polyp.", "A colon."])
    assert seen == [["finding/polyp"], ["anatomy/colon"]] and known == names
    seen, _ = clinical.seen_by_head(tmp_path, None, ["No polyp in the colon.", "A colon."])
    assert seen[0] == names                                                                   # denied, so it may be found to be shown
    seen, _ = clinical.seen_by_head(tmp_path, None, ["A polyp.", "A colon."])
    assert against_prompts(["A polyp.", "A polyp in the colon."], seen, known=known)[1]["recall"]["micro"] == pytest.approx(2 / 3)


def ramp(step, count=9):
    """A textured picture that moves by `step` pixels a frame to the left: the camera goes to the right."""
    wide = np.random.default_rng(0).integers(0, 256, (12, 40, 3), np.uint8)
    wide = video.resize(wide[None], (120, 400))[0]
    return np.stack([wide[:, 100 + step * t:260 + step * t] for t in range(count)])


def test_measured_camera():
    assert clinical.camera_of(ramp(5), 8) == "pan right" and clinical.camera_of(ramp(-5), 8) == "pan left"
    assert clinical.camera_of(ramp(0), 8) == "static shot" and clinical.camera_of(ramp(0)[:1], 8) == ""


def test_a_captioner_sees_the_frames_and_nothing_of_the_prompt(tmp_path):
    asked = {}

    class Looker:
        name, workers = "looker", 1

        def detailed(self, facts, frames=None, seed=0):
            asked.update(text=facts.json() + facts.given, shape=frames.shape)
            return "A polyp in the stomach."

        def brief(self, facts, detailed, seed=0):
            return "A polyp."

    video.write(tmp_path / "a.mp4", ramp(5), 8)
    clip = Clip.of(tmp_path / "a.mp4", brief_caption="secret ulcer", detailed_caption="secret ulcer", video_category="medical imaging",
                   camera_motion_type="tilt up", factors={"modality": "secret"}, extra={"title": "secret title", "prompt": "secret"})
    texts = clinical.captions_of([clip], backend=Looker(), say=lambda text: None)
    assert texts == ["A polyp in the stomach."] and asked["shape"] == (8, 120, 160, 3)
    assert not any(word in asked["text"] for word in ("secret", "medical imaging", "tilt"))
    told = clinical.captions_of([dataclasses.replace(clip)], backend="template", say=lambda text: None, factors=[
        {"modality": "endoscopy", "endoscopy.polyp": "left wall", "endoscopy.mucosa": "inflamed", "endoscopy.camera": "advancing",
         "endoscopy.segment": "colon"}])
    assert "finding/polyp:left" in knowledge.tags(told[0])
