"""Runs and profiles: a stage is made once, never half, by one notebook at a time; a profile that cannot run is refused."""

import threading
import time
from pathlib import Path

import pytest

import medgen_kit as kit
from medgen_kit import KitError, profiles
from medgen_kit.run import Run


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    return Run.open(profiles.load("smoke"), "test")


def counted(calls):
    def stage(work):
        calls.append(1)
        (work.out / "x.txt").write_text(str(len(calls)))
        return {"made": len(calls)}
    return stage


def test_a_stage_is_made_once_and_again_when_its_settings_change(run):
    calls = []
    stage = counted(calls)
    assert run.make("s", stage).joinpath("x.txt").read_text() == "1"
    run.make("s", stage)
    assert len(calls) == 1 and run.figures("s")["made"] == 1
    run.make("s", stage, settings={"a": 2})
    assert len(calls) == 2 and run.manifest("s")["settings"] == {"a": 2}


def test_a_stage_that_stands_says_why_it_is_made_again_and_another_profile_is_refused(run):
    assert run.why_again("s") == ""
    run.make("a", counted([]))
    run.make("s", counted([]), ["a"], {"size": 1, "seed": 0})
    assert run.why_again("s", ["a"], {"size": 2, "seed": 0}) == "other settings: size"
    assert run.why_again("s", ["a"], {"size": 1, "seed": 0}) == "its code has changed"
    run.make("a", counted([]), settings={"n": 1})
    assert run.why_again("s", ["a"], {"size": 1, "seed": 0}) == "what it reads was made again"
    assert Run.profile_of("test") == "smoke" and Run.profile_of("nowhere") == Run.profile_of("") == ""
    with pytest.raises(KitError, match="made with profile 'smoke'.*'cpu' would replace its stage 's'"):
        Run.open(profiles.load("cpu"), "test").why_again("s", ["a"], {})


def test_an_interrupted_stage_is_not_taken_for_whole_and_finds_its_work_again(run):
    seen = []

    def stage(work):
        seen.append(sorted(p.name for p in work.out.glob("*.txt")))
        (work.out / "half.txt").write_text("half")
        if len(seen) == 1:
            raise KeyboardInterrupt
        return {}
    with pytest.raises(KeyboardInterrupt):
        run.make("s", stage)
    assert not run.folder("s").exists() and run.stages() == []
    run.make("s", stage)
    assert seen == [[], ["half.txt"]] and run.stages() == ["s"]


def test_a_stop_between_the_last_writes_loses_neither_work_nor_figures(run, monkeypatch):
    from medgen_kit import run as module

    calls, swap = [], module.swap

    def stop(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(module, "swap", stop)
    with pytest.raises(KeyboardInterrupt):
        run.make("s", counted(calls))
    assert run.stages() == [], "a hidden folder is no finished stage"
    monkeypatch.setattr(module, "swap", swap)
    monkeypatch.setattr(run, "report", stop)
    with pytest.raises(KeyboardInterrupt):
        run.make("s", counted(calls))
    monkeypatch.undo()
    folder = run.make("s", counted(calls))
    assert len(calls) == 1 and run.figures("s")["made"] == 1 and (folder / "x.txt").read_text() == "1"
    folder.rename(run.root / ".s.old")
    assert run.make("s", counted(calls)) == folder and len(calls) == 1 and run.stages() == ["s"]


def test_a_full_disk_at_the_manifest_keeps_the_work(run, monkeypatch):
    from medgen_kit import run as module

    seen, write = [], module.write_text

    def full(path, text):
        if path.name == "manifest.json":
            raise KeyboardInterrupt
        write(path, text)

    def stage(work):
        seen.append((work.out / "trained.txt").is_file())
        (work.out / "trained.txt").write_text("an hour of work")
    monkeypatch.setattr(module, "write_text", full)
    with pytest.raises(KeyboardInterrupt):
        run.make("s", stage)
    monkeypatch.undo()
    run.make("s", stage)
    assert seen == [False, True]


def test_inputs_made_again_meanwhile_are_noticed(run):
    run.make("a", counted([]), settings={"seed": 0})

    def reads(work):
        run.make("a", counted([]), settings={"seed": 1})
        return {}
    with pytest.raises(KitError, match="made again while it worked.*run_name"):
        run.make("b", reads, inputs=("a",))
    assert run.stages() == ["a"]


def test_two_notebooks_make_a_stage_once(run):
    calls = []

    def slow(work):
        time.sleep(0.3)
        calls.append(1)
        return {}
    threads = [threading.Thread(target=run.make, args=("s", slow)) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(calls) == 1


def test_a_full_disk_is_said_in_a_sentence_and_keeps_the_work(run):
    def full(work):
        (work.out / "kept.txt").write_text("x")
        raise OSError(28, "No space left on device")
    with pytest.raises(KitError, match="No space left.*kept in"):
        run.make("s", full)
    assert (run.root / ".s.partial" / "kept.txt").is_file() and not run.folder("s").exists()


def test_a_stage_that_may_not_write_is_not_told_to_free_disk_space(run):
    def refused(work):
        raise PermissionError(13, "Permission denied", str(work.out / "x.txt"))
    with pytest.raises(KitError, match="stopped: Permission denied .*x.txt.*kept in.*in which you may write") as caught:
        run.make("s", refused)
    assert "disk space" not in str(caught.value)


@pytest.mark.parametrize("library", ["safetensors", "torch"])
def test_a_full_disk_is_known_in_the_words_of_other_libraries(run, library):
    """No file may pass a megabyte: what safetensors and torch say then must end as a plain sentence, and other errors must not."""
    import resource

    import torch
    from safetensors.torch import save_file

    def full(work):
        (work.out / "kept.txt").write_text("x")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            (save_file if library == "safetensors" else torch.save)({"a": torch.zeros(3_000_000)}, str(work.out / "weights"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def wrong(work):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(KitError, match="stage 's' stopped.*kept in"):
        run.make("s", full)
    assert (run.root / ".s.partial" / "kept.txt").is_file()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        run.make("t", wrong)


def test_the_manifest_says_with_which_libraries(run):
    run.make("s", counted([]))
    found = run.manifest("s")["libraries"]
    assert found["torch"].startswith("2.") and {"python", "numpy", "diffusers", "transformers", "accelerate", "av"} <= set(found)


def test_the_fingerprint_covers_base_files_data_files_and_the_users_folder(tmp_path):
    from medgen_kit import pipeline
    from medgen_kit.caption import stage as caption
    from medgen_kit.run import folder_mark, imported_files

    names = {path.relative_to(Path(caption.__file__).parents[1]).as_posix() for path in imported_files(Path(caption.__file__))}
    assert {"clip.py", "video.py", "caption/checks.py", "knowledge/match.py"} <= names and not {"run.py", "generate/train.py"} & names
    (tmp_path / "a.mp4").write_bytes(b"one")
    before = folder_mark(tmp_path)
    profile = profiles.load("smoke", curate={"folder": str(tmp_path)})
    assert pipeline.FLOW["curate"].settings(profile)["files"] == before != "" == folder_mark("")
    (tmp_path / "a.mp4").write_bytes(b"three")
    assert pipeline.FLOW["curate"].settings(profile)["files"] != before


def test_a_section_and_a_profile_can_be_copied_and_name_what_they_lack():
    import copy
    import pickle

    section = profiles.load("smoke").sample
    for again in (copy.deepcopy(section), pickle.loads(pickle.dumps(section))):
        assert again.as_dict() == section.as_dict()
    assert not hasattr(section, "steps")
    with pytest.raises(KitError, match="no setting 'steps' here; it has: .*num_inference_steps"):
        getattr(section, "steps")  # noqa: B009
    profile = profiles.load("smoke", seed=3)
    for again in (copy.deepcopy(profile), pickle.loads(pickle.dumps(profile))):
        assert again.settings("sample") == profile.settings("sample") and again.seed == 3 and not hasattr(again, "generat")
    with pytest.raises(KitError, match="no section 'generat'; did you mean 'generate'"):
        getattr(profile, "generat")  # noqa: B009


def test_missing_inputs_and_bad_names_are_refused(run):
    with pytest.raises(KitError, match="needs stage 'a'"):
        run.make("b", counted([]), inputs=("a",))
    with pytest.raises(KitError, match="no stage 'aling'"):
        kit.need(run, "aling")
    with pytest.raises(KitError, match="plain folder name"):
        Run.open(run.profile, "../x")


def test_reports_merge(run):
    run.report("a", x=1)
    run.report("a", y=2)
    assert run.figures() == {"a": {"x": 1, "y": 2}}


def test_profiles_share_every_setting_and_resolve_in_order(monkeypatch):
    shapes = {name: {s: sorted(v.as_dict()) for s, v in profiles.load(name, check=False).sections.items()} for name in profiles.names()}
    assert len(shapes) == 6 and all(shape == shapes["cpu"] for shape in shapes.values())
    monkeypatch.setenv("MEDGEN_PROFILE", "smoke")
    assert profiles.load().name == "smoke" and profiles.load("cpu").name == "cpu"
    monkeypatch.delenv("MEDGEN_PROFILE")
    assert profiles.load().name == "cpu"
    assert profiles.load("cpu", generate={"minutes": 1}).generate.minutes == 1
    with pytest.raises(KitError, match="did you mean 'smoke'"):
        profiles.load("smokey")


@pytest.mark.parametrize("given, said", [
    ({"seed": -1}, "seed is -1, but it must be a whole number, 0 to 4294967295"), ({"seed": 5_000_000_000}, "seed is 5000000000"),
    ({"seed": "x"}, "seed is 'x'"), ({"seed": 1.5}, "seed is 1.5"), ({"seed": True}, "seed is True"),
    ({"generat": {"size": 32}}, "no section 'generat'; did you mean 'generate'"), ({"about": {}}, "no section 'about'"),
    ({"generate": {"minuts": 1}}, "no setting generate.minuts; did you mean 'minutes'.*has: size"),
    ({"generate": {"knowlege": 0}}, "did you mean 'knowledge'.*guidance_scale"),
    ({"generate": 5}, "generate=5: the sizes of a section are given by name"),
    ({"generate": {"knowledge": "much"}}, "generate.knowledge is 'much', but it must be a number"),
    ({"generate": {"minutes": float("nan")}}, "generate.minutes is nan"), ({"generate": {"text": 3}}, "must be a text like 'contrastive'"),
    ({"taste": {"steps": "much"}}, "taste.steps is 'much', but it must be a whole number"), ({"taste": {"steps": 2.5}}, "a whole number"),
    ({"taste": {"steps": -1}}, "taste.steps is -1, but it must not be negative"), ({"taste": {"steps": None}}, "taste.steps is None"),
    ({"sample": {"layerwise": 1}}, "sample.layerwise is 1, but it must be true or false")])
def test_seeds_and_sizes_that_cannot_be_are_refused_at_once(given, said):
    with pytest.raises(KitError, match=said):
        profiles.load("cpu", **given)


def test_sizes_of_the_right_kind_are_taken(tmp_path):
    import numpy as np

    made = profiles.load("cpu", seed=np.int64(2**32 - 1), generate={"minutes": 0.5, "knowledge": 0, "lr": np.float32(0.25)},
                         curate={"folder": tmp_path}, data={"clips": np.int64(7)}, sample={"layerwise": True})
    assert (made.seed, made.generate.minutes, made.generate.knowledge, made.generate.lr) == (2**32 - 1, 0.5, 0, 0.25)
    assert made.curate.folder == str(tmp_path) and type(made.data.clips) is int and made.sample.layerwise is True
    assert made.generate.size == profiles.load("cpu").generate.size


def test_a_profile_of_ones_own_starts_from_another(tmp_path, monkeypatch):
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: smoke\ncurate: {folder: /videos}\ngenerate: {minutes: 1.5}\n")
    monkeypatch.chdir(tmp_path)
    found, base = profiles.load("mine.yaml", seed=3, ablate={"steps": 5}), profiles.load("smoke")
    assert (found.name, found.place, found.seed) == ("mine", str(mine), 3) and base.place == "smoke"
    assert found.curate.folder == "/videos" and found.generate.minutes == 1.5 and found.ablate.steps == 5
    assert found.data.as_dict() == base.data.as_dict() and "smoke" in found.about and "mine.yaml" in found.about
    monkeypatch.setenv("MEDGEN_PROFILE", str(mine))
    assert profiles.load().name == "mine"
    wrong = {"curate: {folder: x}": "base: cpu", "base: smoke\ncurat: {folder: x}": "did you mean 'curate'", "base: [": "no YAML",
             "base: smok": "did you mean 'smoke'", "base: smoke\ncurate: {folder: 3}": "must be a text", "- 1": "base: cpu"}
    for text, said in wrong.items():
        mine.write_text(text)
        with pytest.raises(KitError, match=said):
            profiles.load(str(mine))
    with pytest.raises(KitError, match="cannot be read"):
        profiles.load(str(tmp_path / "none.yaml"))


def test_a_profile_that_the_machine_cannot_serve_is_refused_with_what_is_missing():
    here = {"gpu": None, "gpu_memory_gib": None, "capability": None, "free_disk_gib": 500}
    t4 = {"gpu": "T4", "gpu_memory_gib": 15, "capability": (7, 5), "free_disk_gib": 500}
    with pytest.raises(KitError, match="needs a CUDA GPU"):
        profiles.refuse_if_too_big(profiles.load("colab-t4", check=False), here)
    profiles.refuse_if_too_big(profiles.load("colab-t4", check=False), t4)
    with pytest.raises(KitError, match="GPU memory.*bfloat16"):
        profiles.refuse_if_too_big(profiles.load("colab-l4", check=False), t4)
    with pytest.raises(KitError, match="free disk"):
        profiles.refuse_if_too_big(profiles.load("cpu", check=False), {**here, "free_disk_gib": 0.1})
