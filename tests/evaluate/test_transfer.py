"""Transfer: who is trained on which clips, in what two models differ, what is lost; the stage from end to end, killed halfway."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import medgen_kit as kit
from medgen_kit import sources
from medgen_kit.align import ConceptSet, VideoTextModel, text_tower, train_tokenizer, video_tower
from medgen_kit.align.data import ClipData
from medgen_kit.evaluate import scorer, transfer
from medgen_kit.generate import load_pipeline
from medgen_kit.generate.data import load_parts, training_set
from medgen_kit.generate.sample import generate_clips, key_frames
from medgen_kit.run import Work


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A stage `transfer` at its smallest, on real clips with true captions; the examiner has learned next to nothing."""
    torch.set_num_threads(1)
    root, profile = tmp_path_factory.mktemp("runs"), kit.profile("smoke", transfer={"prompts": 18})
    inputs = {name: root / name for name in ("align", "generate", "evaluate")}
    for folder in inputs.values():
        folder.mkdir()
    every, rng = sources.combinations(), np.random.default_rng(0)
    factors = [every[i] for i in rng.permutation(len(every))[:150]]
    rows = [dict(zip(("brief", "detailed"), sources.describe(one, rng)), factors=one, split="train" if k % 5 else "test")
            for k, one in enumerate(factors)]
    clips = ClipData(sources.render(factors, 1, 9, 32), rows)
    clips.save(inputs["align"])
    texts = [row[kind] for row in rows for kind in ("brief", "detailed")]
    words, concepts = train_tokenizer(texts), ConceptSet.of([kit.knowledge.tags(text) for text in texts], at_least=2)
    concepts.save(inputs["align"] / "concepts.json")
    torch.manual_seed(0)
    VideoTextModel(video_tower(), text_tower(len(words)), len(concepts.names)).save(inputs["align"], words)
    text_tower(len(words)).save_pretrained(inputs["align"] / "text_reader")
    parts = load_parts(inputs["align"], profile.generate.components, seed=3)
    training_set(parts).save(inputs["generate"] / "training_set.safetensors")
    parts.vae.save_pretrained(inputs["generate"] / "pipeline" / "vae")
    scorer.train(2, clips=170).save(inputs["evaluate"] / "scorer")
    out = root / "transfer"
    out.mkdir()
    return Work(out, profile, inputs, "transfer", kit.Run(root, profile))


def test_the_base_sees_titles_of_other_clips_than_those_it_is_trained_on_further(work):
    sets, parts = transfer.material(work.inputs["align"], work.inputs["generate"], work.profile)
    numbers = {name: data.numbers.tolist() for name, data in sets.items()}
    assert not set(numbers["web"]) & set(numbers["captions"]) and numbers["captions"] == numbers["titles"]
    assert abs(len(numbers["web"]) - len(numbers["captions"])) <= 1
    rows = parts.clips.rows
    assert {rows[i]["factors"]["modality"] for i in numbers["web"] + numbers["captions"]} == set(transfer.KINDS)
    assert {rows[i]["split"] for i in numbers["web"] + numbers["captions"]} == {"train"}
    assert numbers["teaching"] == [i for i in numbers["captions"] if rows[i]["factors"]["modality"] == "slide"] != []
    assert torch.equal(sets["captions"].latents, sets["titles"].latents)
    assert not torch.equal(sets["captions"].text["brief"], sets["titles"].text["brief"])
    shown, real = parts.vae.decode(sets["web"].latents), torch.as_tensor(parts.clips.frames[sets["web"].numbers]) / 255
    assert (shown - real).abs().mean() < 0.05 < (real[1:] - real[:-1]).abs().mean()
    first = sets["captions"].numbers[0]
    own = transfer.told(sets["captions"], [0], [rows[int(first)]["brief"]], parts)
    assert torch.equal(own.text["brief"], sets["captions"].text["brief"][:1])


def test_all_categories_are_asked_about():
    rows = transfer.asked(18, 0)
    assert len(rows) == 18 and len({row["category"] for row in rows}) == 5 and transfer.TAUGHT in {row["category"] for row in rows}
    assert len({sources.category(kind) for kind in transfer.KINDS}) == len(transfer.KINDS) == 5
    assert 0.2 < np.mean([row["unseen"] for row in transfer.asked(132, 0)]) < 0.5
    with pytest.raises(kit.KitError, match="at least 18"):
        transfer.asked(17, 0)


def test_the_stage_goes_on_where_it_was_killed_and_its_lora_loads_anywhere(work, monkeypatch):
    real = transfer.trained_further

    def killed(out, name, profile):
        if name == "teaching clips":
            raise KeyboardInterrupt
        return real(out, name, profile)

    monkeypatch.setattr(transfer, "trained_further", killed)
    with pytest.raises(KeyboardInterrupt):
        transfer.build(work)
    stand = {path: path.stat().st_mtime_ns for path in work.out.rglob("*") if path.name in ("made.json", "row.json")}
    assert {path.parent.name for path in stand} == {"base", "captioned-clips", "same-clips-titles"}
    monkeypatch.setattr(transfer, "trained_further", real)
    monkeypatch.setattr(transfer, "train_base", None)
    figures = transfer.build(work)
    assert all(path.stat().st_mtime_ns == then for path, then in stand.items())

    rows = pd.read_csv(work.out / "rows.csv")
    assert rows.model.value_counts().to_dict() == dict.fromkeys(("base", *transfer.TRAININGS, "real", "guess"), 18)
    fourth = json.loads((work.out / "table4.json").read_text())
    assert [row["model"] for row in fourth["models"]] == ["base", *transfer.TRAININGS, "real", "guess"]
    assert len(fourth["tests"]) == len(transfer.TABLE4) * len(transfer.MEASURES) and figures["table4"]["tests"][0]["n"] == 18
    by_name = {row["model"]: row for row in fourth["models"]}
    assert by_name["real"]["likeness"] > by_name["base"]["likeness"] and by_name["guess"]["likeness"] is None
    assert by_name["base"]["frechet"] > by_name["base"]["floor"] and "frechet" not in by_name["real"]
    tenth = json.loads((work.out / "table10.json").read_text())
    assert [row["category"] for row in tenth][::3][0] == transfer.TAUGHT and tenth[-1]["category"] == "all others" and len(tenth) == 18
    assert sum(row["n"] for row in tenth if row["measure"] == "modality" and row["category"] != "all others") == 18

    pipe = load_pipeline(work.out / "base" / "pipeline")
    prompts = [row["prompt"] for row in json.loads((work.out / "prompts.json").read_text())]
    plain = key_frames(generate_clips(pipe, prompts, work.profile.generate, 0))
    assert np.array_equal(plain, np.load(work.out / "base" / "frames.npz")["frames"])
    pipe.load_lora_weights(work.out / "captioned-clips")
    tuned = key_frames(generate_clips(pipe, prompts, work.profile.generate, 0)).astype(int)
    assert np.abs(tuned - np.load(work.out / "captioned-clips" / "frames.npz")["frames"]).max() <= 1 and (tuned != plain).any()


def test_a_prompt_gets_its_marks_by_hand():
    asked = [{"modality": "box", "box.colour": "red", "box.size": "big", "echo.wall_motion": "reduced"}]
    prompts = [{"prompt": "a", "factors": asked[0], "category": "c", "unseen": True}]
    judged = [dict(asked[0], **{"box.size": "small"})]
    row = transfer.per_prompt("m", judged, prompts, [0.5])[0]
    assert row["share_right"] == pytest.approx(2 / 3) and row["appearance"] == 0.5 and row["motion"] == 1 and row["modality"] == 1
    assert row["all_right"] == 0 and row["likeness"] == 0.5 and row["unseen"] is True
    assert transfer.per_prompt("m", [dict(asked[0])], prompts, [None])[0]["all_right"] == 1
    assert transfer.alike(np.array([[1.0, 0], [1, 0], [0, 0]]), np.array([[2.0, 0], [0, 3], [1, 1]])) == pytest.approx([1, 0, 0])


def made_up(model, category, values, likeness=None):
    return [{"model": model, "number": k, "category": category, "likeness": None if likeness is None else likeness[k]}
            | dict.fromkeys(("modality", "all_right", "share_right", "appearance", "motion"), value) for k, value in enumerate(values)]


def test_two_models_are_compared_prompt_by_prompt():
    from scipy.stats import ttest_rel

    after, before = [1] * 9 + [0], [0] * 8 + [1, 1]
    rows = made_up("new", "c", after, [0.1 * k for k in range(10)]) + made_up("old", "c", before, [0.2] * 9 + [None])
    found = transfer.tested(rows, "new", "old", "all_right")
    assert found["test"] == "McNemar exact" and (found["n"], found["differ"]) == (10, 9) and found["p"] == pytest.approx(20 / 512)
    assert (found["before"], found["after"]) == (0.2, 0.9) and found["difference"] == pytest.approx(0.7) and found["low"] < 0.7
    assert found["p_t"] == pytest.approx(ttest_rel(after, before).pvalue)
    scores = transfer.tested(rows, "new", "old", "likeness")
    assert scores["test"] == "Wilcoxon signed-rank" and scores["n"] == 9 and scores["before"] == pytest.approx(0.2)
    same = transfer.tested(rows, "new", "new", "all_right")
    assert same["difference"] == 0 and same["p_t"] is None and same["p"] == 1 and same["n"] == 10
    assert transfer.tested(made_up("new", "c", []) + made_up("old", "c", []), "new", "old", "motion")["difference"] is None


def test_what_is_lost_is_said():
    n, rows = 20, []
    for category, before, after in ((transfer.TAUGHT, 0, 1), ("imaging", 1, 0), ("animation", 1, 1)):
        rows += made_up("base", category, [before] * n, [0.5] * n) + made_up("teaching clips", category, [after] * n, [0.5] * n)
    rows = [row | {"number": row["number"] + n * [transfer.TAUGHT, "imaging", "animation"].index(row["category"])} for row in rows]
    table = {(row["category"], row["measure"]): row for row in transfer.table10(rows)}
    assert table[transfer.TAUGHT, "modality"]["verdict"] == "gained" and table["imaging", "modality"]["verdict"] == "lost"
    assert table["animation", "modality"]["verdict"] == table["imaging", "likeness"]["verdict"] == "not shown"
    assert table["all others", "modality"]["n"] == 2 * n and table["all others", "modality"]["difference"] == pytest.approx(-0.5)
    assert table["imaging", "modality"]["p_holm"] > table["imaging", "modality"]["p"]
    said = transfer.in_words(table.values())
    assert said.startswith(f"trained on {transfer.TAUGHT} alone: lost imaging (modality -1.00), imaging (share right -1.00); gained med")
    assert "animation" not in said and "all others" not in said


def test_an_examiner_that_sees_clips_ranks_real_ones_first():
    prompts = transfer.asked(18, 0)
    eye = SimpleNamespace(features=lambda clips: clips[:, :, ::8, ::8].reshape(len(clips), -1)[:, ::9].astype(np.float32),
                          judge=lambda clips: [row["factors"] for row in prompts])
    noise = np.random.default_rng(0).integers(0, 255, (18, 9, 32, 32, 3), np.uint8)
    rows, distances = transfer.examined(eye, {"noise": noise}, prompts, 0)
    mean = {name: np.mean([row["likeness"] for row in rows if row["model"] == name]) for name in ("noise", "real")}
    assert mean["real"] > 0.4 > mean["noise"] and distances["noise"]["frechet"] > 2 * distances["noise"]["floor"]
    assert all(row["all_right"] == 1 for row in rows if row["model"] != "guess")
    assert [row["likeness"] for row in rows if row["model"] == "guess"] == [None] * 18
