"""The stages evaluate and augment from end to end, on a small run whose 'generated' clips are real ones, six of them spoiled."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import medgen_kit as kit
from medgen_kit import sources
from medgen_kit.align import ConceptSet, VideoTextModel, text_tower, train_tokenizer, video_tower
from medgen_kit.evaluate import augment, marks, scorer, stage
from medgen_kit.generate import EigenframeTokenizer, MedGenTinyPipeline, TinyWan, ablate
from medgen_kit.generate.prompts import make_prompts
from medgen_kit.generate.sample import write_clips


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with just enough of align, generate, ablate and sample for the two stages."""
    from diffusers import FlowMatchEulerDiscreteScheduler
    torch.set_num_threads(1)
    run = kit.Run(tmp_path_factory.mktemp("runs") / "smoke", kit.profile("smoke"))
    rows = make_prompts(18, 0)
    frames = sources.render([row["factors"] for row in rows], 1, 9, 32)
    folders = {name: run.root / name for name in ("caption", "align", "generate", "ablate", "sample")}
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"fingerprint": name}))
    prompts = [row["prompt"] for row in rows]
    words, concepts = train_tokenizer(prompts * 2), ConceptSet.of([kit.knowledge.tags(p) for p in prompts], at_least=1)
    torch.manual_seed(0)
    VideoTextModel(video_tower(), text_tower(len(words)), len(concepts.names)).save(folders["align"], words)
    concepts.save(folders["align"] / "concepts.json")
    pipe = MedGenTinyPipeline(words, text_tower(len(words), hidden=24), TinyWan(64, 32, 1, 2, 24), EigenframeTokenizer.fit(frames, 64),
                              FlowMatchEulerDiscreteScheduler(shift=1.0))
    pipe.save_pretrained(folders["generate"] / "pipeline")
    for row in (ablate.row_file(folders["ablate"], name) for name in ("all parts", "flow matching alone")):
        pipe.save_pretrained(row.parent / "pipeline")
        row.write_text(json.dumps({"steps": 40}))
    frames[:6] = frames[:6, ::-1]
    np.savez(folders["sample"] / "frames.npz", frames=frames)
    write_clips(folders["sample"], frames, rows)
    run.report("generate", train_seconds=12.5)
    return run


def test_evaluate_writes_every_row_and_reports_what_it_found(run, monkeypatch):
    examiner = scorer.train(2, clips=170)
    asked = iter([None])

    def oracle(self, clips):
        """Knows the answer of the real clips; says another modality for the first six of the first set it sees."""
        rows = [dict(row["factors"]) for row in stage.generated(run.folder("sample"))[1]][:len(clips)]
        if next(asked, "later") is None:
            rows[:6] = [{"modality": "none of these"}] * 6
        return rows

    monkeypatch.setattr(scorer, "train", lambda *a, **k: examiner)
    monkeypatch.setattr(scorer.Scorer, "judge", oracle)
    folder = run.make("evaluate", stage.build, ("align", "generate", "sample"))
    found = json.loads((folder / "marks.json").read_text())
    assert set(found["marks"]) == {"generated", "real", "real through the tokenizer", "guess"}
    assert found["marks"]["generated"]["all_factors"] == pytest.approx(12 / 18) and found["marks"]["real"]["all_factors"] == 1
    tiny = run.figures("tiny")
    assert tiny["all_factors"] == pytest.approx(12 / 18) and tiny["real"]["motion"] == 1 and tiny["prompts"] == 18 and tiny["unseen"] == 6
    assert tiny["train_seconds"] == 12.5 and tiny["guess"]["motion"] < 1
    table = pd.read_csv(folder / "scores.csv")
    assert (table.mark == "right").tolist() == [False] * 6 + [True] * 12 and table.mark[0] == "wrong: looks like none of these"
    decisions = pd.read_csv(folder / "decisions.csv", keep_default_na=False)
    assert len(decisions) == table.asked.sum() and decisions.right.sum() == table.right.sum()
    controls = pd.read_csv(folder / "controls.csv")
    assert {"still", "backwards", "wrong prompt"} <= set(controls.control)
    assert {"subject_consistency", "prompt: motion", "flow_warp_error"} <= set(controls.metric)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["frechet"]["clips"] == 18 and metrics["frechet"]["floor"] > 0 and "bias" in metrics["frechet"]["warning"]
    assert [row["axis"] for row in json.loads((folder / "concepts.json").read_text())["real"]][-1] == "all"
    assert scorer.Scorer.load(folder / "scorer").values["modality"]


def test_augment_writes_all_arms_of_all_tasks(run):
    small = kit.profile("smoke", augment={"seeds": 2})
    small.augment.__dict__.update(real=6, extra=4, test=12, steps=2)
    own = kit.Run(run.root, small)
    folder = own.make("augment", augment.build, ("caption", "generate", "ablate"))
    rows = pd.read_csv(folder / "results.csv")
    arms = {*augment.ARMS, *augment.TABLE3}
    assert len(rows) == len(augment.TASKS) * len(arms) * 2 and rows.accuracy.between(0, 1).all() and set(rows.arm) == arms
    table = json.loads((folder / "table.json").read_text())
    assert [row["arm"] for row in table[:4]] == list(augment.ARMS) and own.figures("augment")["extra_clips"] == 4
    third = json.loads((folder / "table3.json").read_text())
    assert [row["generator_steps"] for row in third[-4:]] == [None, 40, 40, None] and third[-1]["task"] == "all tasks"
    assert all(factor in sources.FACTORS for factor in augment.TASKS.values())


def test_clips_and_frames_that_do_not_match_are_refused(run, tmp_path):
    import shutil
    shutil.copytree(run.folder("sample"), tmp_path / "sample")
    np.savez(tmp_path / "sample" / "frames.npz", frames=np.zeros((3, 9, 32, 32, 3), np.uint8))
    with pytest.raises(kit.KitError, match="holds 3 clips"):
        stage.generated(tmp_path / "sample")


def test_a_mark_says_what_was_asked_and_what_was_read():
    asked = {"modality": "echo", "echo.wall_motion": "reduced", "echo.chamber": "normal"}
    assert stage.mark(asked, dict(asked)) == "right"
    assert stage.mark(asked, asked | {"echo.wall_motion": "normal"}) == "wrong: wall motion reduced, reads normal"


def test_the_examiner_meets_every_combination_the_course_has():
    values = scorer.values_of(sources)
    assert len(values["modality"]) == 8 and set(marks.motion_names()) < set(values)
    truth = scorer.labels(sources.combinations(), values)
    for row, combo in enumerate(sources.combinations()):
        assert {name for name in values if truth[name][row] >= 0} == set(combo)
