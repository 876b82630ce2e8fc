"""Captioners by name: the template says every fact and invents none; a real video-language model runs through transformers."""

import sys
from pathlib import Path

import numpy as np
import pytest

from medgen_kit import caption, clip, knowledge, sources, video
from medgen_kit.caption import Facts, backends
from medgen_kit.caption.prompts import brief_prompt, clean, detailed_prompt
from medgen_kit.errors import KitError

sys.path.insert(0, str(Path(__file__).parent))
import tiny_model  # noqa: E402
from bad_server import reply, serving  # noqa: E402

FRAMES = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)


def facts(clip_id="0123456789abcdef", **known):
    return Facts(clip_id, known.pop("category", "medical imaging"), 1.12, 8, 64, 64, **known)


def test_template_names_every_factor_and_differs_from_clip_to_clip():
    writer = caption.backend("template")
    texts = set()
    for i, factors in enumerate(sources.combinations()):
        known = facts(f"{i:016x}", factors=factors)
        detailed = writer.detailed(known, None, 3)
        brief = writer.brief(known, detailed, 3)
        assert all(caption.named(detailed, factors).values()) and all(caption.named(brief, factors).values())
        assert detailed == writer.detailed(known, None, 3)
        texts.add(detailed)
    assert len(texts) > 0.95 * len(sources.combinations())


def test_template_without_truth_claims_nothing():
    writer = caption.backend("template")
    for seed in range(30):
        known = facts(movement="calm", colour="grey", light="dark", camera="pan left", title="Tumour in the left lung",
                      category="clinical practice")
        detailed = writer.detailed(known, None, seed)
        brief = writer.brief(known, detailed, seed)
        assert not [tag for text in (brief, detailed) for tag in knowledge.tags(text) if tag.startswith(("finding/", "anatomy/"))]
        assert "pans left" in detailed and "grey" in brief and len(brief.split()) <= 30
        assert caption.check([caption.Row(known, brief, detailed)]) == [{}]


def test_measured_facts():
    still, moving = np.full((8, 32, 32, 3), 200, np.uint8), FRAMES
    from medgen_kit.caption.facts import measure, unknown_numbers

    assert measure(still) == ("still", "grey", "bright") and measure(still[:1])[0] == "still"
    assert measure(moving)[:2] == ("lively", "coloured")
    red = np.zeros((8, 32, 32, 3), np.uint8)
    red[..., 0] = 90
    assert measure(red) == ("still", "coloured", "dark")
    assert unknown_numbers("1.12 s, 14 mm in T1, 64 pixels", facts()) == ["14"]
    assert "title" not in facts().json() and '"title": "x"' in facts(title="x").json()


def test_unknown_captioner_and_a_new_one(monkeypatch):
    with pytest.raises(KitError, match="did you mean 'template'"):
        caption.backend("templates")
    with pytest.raises(KitError, match="caption.model"):
        caption.backend("transformers")
    assert caption.backend("template", model="m", max_cost=3, allow_remote=False).name == "template", "a section may serve several"
    with pytest.raises(KitError, match="did you mean 'max_cost'"):
        caption.backend("template", max_cots=3)
    monkeypatch.setattr(backends, "BACKENDS", dict(backends.BACKENDS))
    caption.register("mine", lambda **options: options)
    assert caption.backend("mine", a=1) == {"a": 1}


def test_prompts_say_what_is_known_and_what_is_forbidden():
    text = detailed_prompt(facts(title="Echo case", transcript="and now the valve"))
    assert "Echo case" in text and "and now the valve" in text and "do not state a diagnosis" in text and "may be wrong" in text
    assert "A heart beats." in brief_prompt("A heart beats.") and "30 words" in brief_prompt("x")
    assert clean("Sure, here is the caption: **A heart** beats.\n- It\n2. moves") == "A heart beats. It moves"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model.save(tmp_path_factory.mktemp("model"))


def test_a_real_video_language_model_runs(model, monkeypatch):
    writer = caption.backend("transformers", model=str(model), max_new_tokens=12, device="cpu")
    seen = []
    run = writer.pipe.model.generate
    monkeypatch.setattr(writer.pipe.model, "generate", lambda **inputs: seen.append(inputs) or run(**inputs))
    first = writer.detailed(facts(title="Echo"), FRAMES, seed=0)
    brief = writer.brief(facts(), "A heart beats. It is large.", seed=0)
    assert isinstance(first, str) and len(brief.split()) <= 30
    assert seen[0]["pixel_values"].shape[0] == 8 and "pixel_values" not in seen[1]
    assert first == writer.detailed(facts(title="Echo"), FRAMES, seed=0)
    long = np.concatenate([FRAMES] * 4)
    writer.detailed(facts(), long)
    assert seen[-1]["pixel_values"].shape[0] == 8


def test_model_errors_are_plain(model, tmp_path):
    with pytest.raises(KitError, match="could not be loaded"):
        caption.backend("transformers", model=str(tmp_path / "nothing"))
    writer = caption.backend("transformers", model=str(model), device="cpu")
    with pytest.raises(KitError, match="needs frames"):
        writer.detailed(facts(), None)


def test_three_captioners_behind_one_function_and_what_each_gets_wrong(model, tmp_path):
    flats = [flat for flat in sources.combinations() if flat["modality"] == "endoscopy"][:6]
    clips = []
    for number, (flat, frames) in enumerate(zip(flats, sources.render(flats, 0, frames=9, size=32))):
        path = video.write(tmp_path / f"{number}.mp4", frames, fps=8, synthetic=True)
        clips.append(clip.Clip.of(path, video_category="clinical practice", factors=flat, source_id=str(number)))
    with serving() as server:
        server.otherwise = reply("The endoscope advances in the stomach; the mucosa is inflamed; a polyp on the left wall.")
        written = {"template": caption.write(clips), "openai": caption.write(clips, "openai", url=server.url, model="m", workers=2),
                   "transformers": caption.write(clips, "transformers", model=str(model), max_new_tokens=16, device="cpu")}
    assert all(not one.problem and isinstance(one.detailed, str) for found in written.values() for one in found)
    assert [found[0].model for found in written.values()] == ["template", "m", str(model)]
    table = caption.errors_by_backend({name: [one.detailed for one in found] for name, found in written.items()},
                                      [one.factors for one in clips], by="factor")
    rows = {(row["backend"], row["factor"]): row for row in table}
    for key in ("endoscopy.mucosa", "endoscopy.segment", "endoscopy.camera", "endoscopy.polyp"):
        true = sum(flat[key] in ("advancing", "stomach", "inflamed", "left wall") for flat in flats)
        assert (rows["template", key]["right"], rows["transformers", key]["not said"]) == (6, 6)
        assert (rows["openai", key]["right"], rows["openai", key]["wrong"]) == (true, 6 - true)
