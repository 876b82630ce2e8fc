"""Sampling many prompts: a clip depends on its prompt and seed alone, folders resume exactly, and every file says that it is synthetic."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from PIL import Image
from typer.testing import CliRunner

from medgen_kit import KitError, cli, video
from medgen_kit.align import text_tower, train_tokenizer
from medgen_kit.clip import read_folder, validate_folder
from medgen_kit.generate import EigenframeTokenizer, MedGenTinyPipeline, TinyWan, generate_clips, label
from medgen_kit.generate.opening import open_model
from medgen_kit.generate.produce import plan, produce, read_prompts
from medgen_kit.generate.sample import SampleSettings, sample_batch, sweep, walk
from tests.generate.tiny_families import CALL, SHAPE, SIZES, load, make

PROMPTS = ["a beating heart", "an endoscope in the colon", "a lesion in the left lung", "a surgeon cuts tissue", "a CT scan"]
LONG = "an endoscope moves slowly forward through the colon " * 8


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("families")
    return {family: make(family, place / family) for family in SIZES}


@pytest.fixture(scope="module")
def wan(folders):
    return open_model(str(folders["wan"]))


@pytest.fixture(scope="module")
def tiny():
    frames = np.random.default_rng(0).integers(0, 256, (20, 9, 16, 16, 3), dtype=np.uint8)
    tokenizer = train_tokenizer(PROMPTS + [LONG])
    torch.manual_seed(0)
    pipe = MedGenTinyPipeline(tokenizer, text_tower(len(tokenizer), hidden=24).eval(), TinyWan(16, 32, 2, 2, 24).eval(),
                              EigenframeTokenizer.fit(frames, 16), FlowMatchEulerDiscreteScheduler(shift=1.0))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def settings(pipe, family="wan", **changes):
    return SampleSettings.of(pipe, **{"num_inference_steps": 3, **(SHAPE[family] if family else {}), **changes})


def quiet(_):
    pass


def sidecars(folder):
    """{name: sidecar without its date} and the files' bytes."""
    said = {path.name: label.read(path) for path in sorted(folder.glob("*.mp4"))}
    return {name: {k: v for k, v in one.items() if k != "made"} for name, one in said.items()}, \
        {path.name: path.read_bytes() for path in sorted(folder.glob("*.mp4"))}


@pytest.mark.parametrize("family", ["wan", "hunyuan", "mochi", "ltx", "cogvideox"])
def test_a_clip_is_the_same_in_a_batch_of_one_and_of_three(folders, family):
    pipe = load(family, folders[family])
    how = settings(pipe, family, num_inference_steps=2)
    seeds = [11, 12, 13]
    three = sample_batch(pipe, PROMPTS[:3], seeds, how, **CALL[family])
    for i in range(3):
        one = sample_batch(pipe, PROMPTS[i:i + 1], seeds[i:i + 1], how, **CALL[family])[0]
        assert np.abs(one.astype(int) - three[i]).max() <= 1              # the order of float sums: at most one grey level of 256
    assert not np.array_equal(three[0], three[1])
    assert three.shape == (3, SIZES[family]["frames"], SIZES[family]["height"], SIZES[family]["width"], 3) and three.dtype == np.uint8


def test_a_long_prompt_does_not_change_its_neighbours(tiny):
    how = settings(tiny, None)
    alone, among = (generate_clips(tiny, prompts, how) for prompts in (PROMPTS[:2], [*PROMPTS[:2], LONG]))
    assert np.abs(alone.astype(int) - among[:2]).max() <= 1
    last = generate_clips(tiny, ["another", "prompt", LONG], how)[2]
    assert np.abs(last.astype(int) - among[2]).max() <= 1


def test_a_folder_of_clips_and_its_tables(wan, tmp_path):
    said = []
    rows = [{"prompt": PROMPTS[0], "name": "heart.mp4", "factors": {"modality": "echo"}}, {"prompt": "a deepfake of a doctor"},
            {"brief_caption": PROMPTS[1], "seed": 5, "negative_prompt": "blurred"}]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    made = produce(wan, tmp_path / "in.jsonl", tmp_path / "out", settings(wan), seed=2, seeds_per_prompt=2, batch=2, say=said.append)
    assert made == {"made": 4, "kept": 0, "refused": 1, "notes": []}
    assert any("s left" in line for line in said) and any("deepfake" in line for line in said)
    clips = read_folder(tmp_path / "out")
    assert validate_folder(tmp_path / "out") == [] and [clip.path.name for clip in clips] == [
        "heart_0.mp4", "heart_1.mp4", "0002_0.mp4", "0002_1.mp4"]
    assert json.loads((tmp_path / "out" / "prompts.json").read_text()) == {clip.path.name: clip.brief_caption for clip in clips}
    assert clips[0].factors == {"modality": "echo"} and clips[0].extra["synthetic"]
    refused = [json.loads(line) for line in (tmp_path / "out" / "refused.jsonl").read_text().splitlines()]
    assert len(refused) == 1 and refused[0]["number"] == 1 and "likeness" in refused[0]["reason"]
    side = [label.read(clip.path) for clip in clips]
    assert [one["noise_seed"] for one in side] == [2 * 100_003, 3 * 100_003, 5, 6] and side[2]["negative_prompt"] == "blurred"


def test_seeds_of_a_prompt_are_the_runs_with_the_next_seeds(wan, tmp_path):
    produce(wan, PROMPTS[:2], tmp_path / "two", settings(wan), seed=4, seeds_per_prompt=2, say=quiet)
    produce(wan, PROMPTS[:2], tmp_path / "next", settings(wan), seed=5, say=quiet)
    a, b = video.read(tmp_path / "two" / "0001_1.mp4")[0], video.read(tmp_path / "next" / "0001.mp4")[0]
    assert np.array_equal(a, b) and not np.array_equal(a, video.read(tmp_path / "two" / "0001_0.mp4")[0])


def test_a_resumed_folder_equals_a_straight_one_byte_for_byte(wan, tmp_path):
    how = settings(wan)
    produce(wan, PROMPTS, tmp_path / "straight", how, batch=2, say=quiet)

    class Stop(Exception):
        pass

    def stop(line):
        if line.startswith("4 of"):
            raise Stop
    with pytest.raises(Stop):
        produce(wan, PROMPTS, tmp_path / "resumed", how, batch=2, say=stop)
    (tmp_path / "resumed" / "0001.json").unlink()                             # one clip of a batch lost its sidecar, another is damaged
    with (tmp_path / "resumed" / "0003.mp4").open("ab") as file:
        file.write(b"x")
    with pytest.raises(KitError, match="--resume"):
        produce(wan, PROMPTS, tmp_path / "resumed", how, batch=2, say=quiet)
    made = produce(wan, PROMPTS, tmp_path / "resumed", how, batch=2, resume=True, say=quiet)
    assert (made["made"], made["kept"]) == (3, 2)
    assert sidecars(tmp_path / "resumed") == sidecars(tmp_path / "straight")
    for name in ("prompts.json", "metadata.jsonl", "sampling.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "resumed").glob("*.mp4")}
    assert produce(wan, PROMPTS, tmp_path / "resumed", how, batch=2, resume=True, say=quiet)["made"] == 0
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "resumed").glob("*.mp4")}


KILLED = """
import os, signal, sys
from medgen_kit.generate import label, produce
from medgen_kit.generate.opening import open_model
from medgen_kit.generate.sample import SampleSettings
real, count = label.describe, 0
def describe(*given):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
label.describe = describe
pipe = open_model(sys.argv[1])
how = SampleSettings.of(pipe, num_inference_steps=3, num_frames=9, height=32, width=32)
produce.produce(pipe, sys.argv[3:], sys.argv[2], how, batch=2)
"""


def test_a_killed_run_goes_on(folders, tmp_path):
    command = [sys.executable, "-c", KILLED, str(folders["wan"]), str(tmp_path / "killed"), *PROMPTS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert subprocess.run(command, capture_output=True, env=environment).returncode == -signal.SIGKILL
    pipe = open_model(str(folders["wan"]))
    assert produce(pipe, PROMPTS, tmp_path / "killed", settings(pipe), batch=2, resume=True, say=quiet)["kept"] == 2
    produce(pipe, PROMPTS, tmp_path / "straight", settings(pipe), batch=2, say=quiet)
    assert sidecars(tmp_path / "killed") == sidecars(tmp_path / "straight")
    assert validate_folder(tmp_path / "killed") == []


def test_another_setting_in_the_same_folder_is_refused_with_its_name(wan, folders, tmp_path):
    how = settings(wan)
    produce(wan, PROMPTS[:1], tmp_path / "out", how, say=quiet)
    for changes, match in (({"settings": replace(how, guidance_scale=4.0)}, r"settings.guidance_scale = 5.0, and now it is 4.0"),
                           ({"settings": replace(how, accel="safe")}, "settings.accel = 'off', and now it is 'safe'"),
                           ({"seed": 1}, "seed = 0, and now it is 1"), ({"marked": False}, "marked = True"),
                           ({"prompts": ["a CT scan"]}, "prompt = 'a beating heart', and now it is 'a CT scan'"),
                           ({"negative_prompt": "blurred"}, "negative_prompt = '', and now it is 'blurred'")):
        asked = {"prompts": PROMPTS[:1], "settings": how, **changes}
        with pytest.raises(KitError, match=match):
            produce(wan, out=tmp_path / "out", resume=True, say=quiet, **asked)
    other = open_model(str(make("wan", tmp_path / "other", seed=1)))
    with pytest.raises(KitError, match="was made with (model|source|weights)"):
        produce(other, PROMPTS[:1], tmp_path / "out", how, resume=True, say=quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("x")
    with pytest.raises(KitError, match="not empty"):
        produce(wan, PROMPTS[:1], tmp_path / "mine", how, say=quiet)


@pytest.mark.parametrize("size", [(32, 32), (96, 64), (128, 128), (480, 832)])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_mark_can_be_seen_on_any_ground_and_nothing_else_is_touched(size, ground):
    plain = np.full((2, *size, 3), ground, np.uint8)
    marked = video.mark_synthetic(plain)
    assert min(marked.shape[1:3]) >= 96 and marked.shape[1:3] == size or min(size) < 96
    height, width = marked.shape[1:3]
    rows, columns = np.nonzero((marked[0] != ground).any(-1))
    assert rows.min() > 0.8 * height and columns.max() < 0.75 * width and columns.max() - columns.min() > 0.1 * width
    strip = marked[0, rows.min():rows.max() + 1, columns.min():columns.max() + 1].astype(int)
    assert strip.max() - strip.min() > 150                                    # letters against their rim, or against the ground
    assert np.array_equal(marked[0], marked[1]) and (plain == ground).all()


def test_every_label_is_in_the_file_and_beside_it(wan, tmp_path):
    how, (plain, marked) = settings(wan), [tmp_path / name for name in ("plain", "marked")]
    for folder in (plain, marked):
        produce(wan, [PROMPTS[0]], folder, how, seed=3, marked=folder is marked, say=quiet)
    for folder in (plain, marked):
        info, inside, side = video.probe(folder / "0000.mp4"), label.container(folder / "0000.mp4"), label.read(folder / "0000.mp4")
        assert info.comment == video.SYNTHETIC and inside["title"] == PROMPTS[0]
        about = json.loads(inside["description"])
        assert about["synthetic"] and about["noise_seed"] == side["noise_seed"] == 3 * 100_003 and about["weights"] == side["weights"]
        assert side["synthetic"] and side["notice"] == label.NOTICE and len(side["weights"]) == 64 and side["lora"] is None
        assert not side["medical"] and side["family"] == "wan" and side["marked"] is (folder is marked)
        assert side["settings"]["num_inference_steps"] == 3 and side["settings"]["scheduler"] == "UniPCMultistepScheduler"
        assert side["settings"]["sample_shift"] == 3.0 and side["settings"]["precision"] == "float32" and side["made"]
        assert set(side["versions"]) == {"medgen_kit", "torch", "diffusers"}
    corner = [video.read(folder / "0000.mp4", size=(96, 96))[0][:, 80:, :60].astype(int) for folder in (plain, marked)]
    assert np.abs(corner[0] - corner[1]).max() > 100
    with pytest.raises(KitError, match="'model'"):
        label.write(tmp_path / "x.mp4", np.zeros((2, 32, 32, 3), np.uint8), 8, {"prompt": "a", "seed": 0})
    assert not list(tmp_path.glob(".*")) and not (tmp_path / "x.mp4").exists()


def test_a_lora_is_named_by_its_hash(folders, wan, tmp_path):
    import hashlib

    from diffusers import WanPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    trained = load("wan", folders["wan"])
    trained.transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q"], init_lora_weights=False))
    WanPipeline.save_lora_weights(tmp_path / "lora", transformer_lora_layers=get_peft_model_state_dict(trained.transformer))
    file = next((tmp_path / "lora").glob("*.safetensors"))
    pipe = open_model(str(folders["wan"]), lora=str(tmp_path / "lora"))
    produce(pipe, PROMPTS[:1], tmp_path / "out", settings(pipe), say=quiet)
    side = label.read(tmp_path / "out" / "0000.mp4")
    assert side["lora"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() and side["lora"]["rank"] == 2
    assert side["weights"] == label.model_facts(wan)["weights"]                 # of the base: the LoRA lies beside it
    with pytest.raises(KitError, match="was made with lora"):
        produce(wan, PROMPTS[:1], tmp_path / "out", settings(wan), resume=True, say=quiet)


def test_files_of_prompts_are_read_and_bad_ones_refused_by_line(tmp_path):
    def read(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_prompts(tmp_path / name)
    assert [row["prompt"] for row in read("a.txt", "one\n\n two \n")] == ["one", "two"]
    assert read("a.csv", "brief_caption,seed,name\n\"a, b\",7,x\n") == [{"brief_caption": "a, b", "seed": 7, "name": "x", "prompt": "a, b"}]
    assert read("a.json", '{"x.mp4": "one"}') == [{"name": "x.mp4", "prompt": "one"}]
    assert read("b.json", '["one", {"prompt": "two"}]')[1]["prompt"] == "two"
    for name, text, match in (("c.jsonl", '{"prompt": "a"}\n{"promt": "b"}', "row 2: no text"), ("c.json", "{", "cannot be read"),
                              ("d.jsonl", '{"prompt": "a", "seed": "x"}', "seed 'x'"), ("d.txt", "\n", "no prompts"),
                              ("e.jsonl", '{"prompt": "a", "name": "../x"}', "plain file name"), ("f.doc", "a", "are read from")):
        with pytest.raises(KitError, match=match):
            read(name, text)
    with pytest.raises(KitError, match="is no file"):
        read_prompts(tmp_path / "none.txt")
    with pytest.raises(KitError, match="written as x.mp4"):
        plan([{"prompt": "a", "name": "x"}, {"prompt": "b", "name": "x.mp4"}])


def test_sweep_and_shift(folders, wan, tiny):
    clips, rows = sweep(wan, PROMPTS[0], settings(wan), guidance_scale=[1.0, 4.0], shift=[1.0, 7.0])
    assert clips.shape == (4, 9, 32, 32, 3) and [(row["guidance_scale"], row["sample_shift"]) for row in rows] == [
        (1, 1), (1, 7), (4, 1), (4, 7)]
    assert len({clip.tobytes() for clip in clips}) == 4 and wan.scheduler.config.flow_shift == 3.0 and rows[0]["num_inference_steps"] == 3
    same = sweep(wan, PROMPTS[0], settings(wan), shift=[3.0])[0][0]
    assert np.array_equal(same, generate_clips(wan, PROMPTS[:1], settings(wan))[0])          # its own shift, set by hand
    tiny_clips, tiny_rows = sweep(tiny, PROMPTS[0], settings(tiny, None), steps=[1, 2])
    assert len(tiny_clips) == 2 and tiny_rows[1]["num_inference_steps"] == 2
    for family, match in (("ltx", "from the clip's size"), ("cogvideox", "no timestep shift")):
        pipe = load(family, folders[family])
        with pytest.raises(KitError, match=match):
            sweep(pipe, PROMPTS[0], settings(pipe, family), shift=[2.0])
    with pytest.raises(KitError, match="shift=0"):
        sweep(wan, PROMPTS[0], settings(wan), shift=[0])


@pytest.mark.parametrize("family", list(SIZES))
def test_a_walk_ends_at_the_clip(folders, family):
    pipe = load(family, folders[family])
    how = settings(pipe, family)
    clips, levels = walk(pipe, PROMPTS[0], how, shown=[1, how.num_inference_steps])
    assert np.array_equal(clips[-1], generate_clips(pipe, PROMPTS[:1], how)[0]), "and the pipeline is not left stopped"
    assert (clips[0] != clips[-1]).any() and levels[0] > levels[-1]


def test_a_walk_of_the_small_model(tiny):
    how = settings(tiny, None)
    clips, levels = walk(tiny, PROMPTS[0], how)
    assert len(clips) == len(levels) == min(6, how.num_inference_steps) and levels == sorted(levels, reverse=True) and levels[-1] == 0
    assert np.array_equal(clips[-1], generate_clips(tiny, PROMPTS[:1], how)[0])
    with pytest.raises(KitError, match="step 99"):
        walk(tiny, PROMPTS[0], how, shown=[99])


def test_a_first_frame_where_the_family_has_it(folders, tiny):
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[8:32, 8:32] = (200, 80, 40)
    for pipe, family in ((load("ltx", folders["ltx"]), "ltx"), (tiny, None)):
        how = settings(pipe, family)
        with_it, without = (sample_batch(pipe, PROMPTS[:1], [0], how, image=one) for one in (picture, None))
        assert with_it.shape == without.shape and not np.array_equal(with_it, without)
        assert np.array_equal(with_it, sample_batch(pipe, PROMPTS[:1], [0], how, image=picture))
    for family in ("wan", "hunyuan", "mochi", "cogvideox"):
        pipe = load(family, folders[family])
        with pytest.raises(KitError, match="first frame was given, but"):
            sample_batch(pipe, PROMPTS[:1], [0], settings(pipe, family), image=picture)


def test_what_would_be_read_and_ignored_is_refused(folders, wan, tiny):
    hunyuan = load("hunyuan", folders["hunyuan"])
    for pipe, family, guidance, match in ((hunyuan, "hunyuan", 6.0, "never sees"), (wan, "wan", 1.0, "no effect"),
                                          (tiny, None, 1, "no effect")):
        with pytest.raises(KitError, match=match):
            sample_batch(pipe, PROMPTS[:1], [0], settings(pipe, family, guidance_scale=guidance), negative_prompt="blurred")
    ltx = load("ltx", folders["ltx"])
    with pytest.raises(KitError, match="num_inference_steps=1 is too few"):
        sample_batch(ltx, PROMPTS[:1], [0], settings(ltx, "ltx", num_inference_steps=1))
    with torch.no_grad():
        ltx.transformer.proj_out.bias.fill_(float("nan"))
    with pytest.raises(KitError, match="not numbers after 2 steps"):
        sample_batch(ltx, PROMPTS[:1], [0], settings(ltx, "ltx", num_inference_steps=2))
    with pytest.raises(KitError, match="8 frames are not possible"):
        settings(wan, num_frames=8)
    with pytest.raises(KitError, match="height of 40 pixels"):
        settings(wan, height=40)
    with pytest.raises(KitError, match="num_frames=17 is not possible"):
        settings(tiny, None, num_frames=17)


def test_the_command(folders, tmp_path):
    def ask(*words):
        return CliRunner().invoke(cli.typed, ["sample", *map(str, words)])
    (tmp_path / "prompts.txt").write_text(f"{PROMPTS[0]}\nscan of patient John Smith\n")
    size = ("--model", folders["wan"], "--steps", 2, "--frames", 9, "--height", 32, "--width", 32)
    done = ask("--prompts", tmp_path / "prompts.txt", "--out", tmp_path / "out", *size, "--shift", 7, "--accel", "fast", "--batch", 4)
    assert done.exit_code == 0 and "1 clips made, 0 kept, 1 prompts refused" in done.output, done.output
    assert "general, not medical" in done.output and "the cache changed nothing" in done.output and "batch is 1" in done.output
    said = label.read(tmp_path / "out" / "0000.mp4")
    assert said["settings"]["sample_shift"] == 7.0 and said["settings"]["steps_taken"] == 2 and said["acceleration"]["notes"]
    again = ask("--prompts", tmp_path / "prompts.txt", "--out", tmp_path / "out", *size, "--accel", "fast", "--resume")
    assert isinstance(again.exception, KitError) and "sample_shift = 7.0, and now it is 3.0" in str(again.exception)
    one = ask(PROMPTS[0], "--out", tmp_path / "one.mp4", *size, "--no-mark", "--negative-prompt", "blurred")
    assert one.exit_code == 0 and label.read(tmp_path / "one.mp4")["marked"] is False
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "first.png")
    for words, match in (((PROMPTS[0], "--prompts", "x.txt"), "either one prompt"), ((), "either one prompt"),
                         (("a deepfake", "--out", tmp_path / "x.mp4", *size), "the prompt is not made"),
                         ((PROMPTS[0], "--image", tmp_path / "first.png", *size), "first frame was given"),
                         ((PROMPTS[0], "--image", tmp_path / "prompts.txt", *size), "is no picture"),
                         ((PROMPTS[0], "--offload", "model", *size), "there is no GPU here"),
                         ((PROMPTS[0], "--accel", "warp", "--out", tmp_path / "x.mp4", *size), "accel='warp' is not known")):
        failed = ask(*words)
        assert isinstance(failed.exception, KitError) and match in str(failed.exception), (words, failed.exception)
