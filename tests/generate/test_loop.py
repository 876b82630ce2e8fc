"""The loop's promises: chance without a state, exact resume, equal results however a batch is shared out, nothing half-written taken for
whole."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from medgen_kit import KitError
from medgen_kit.generate import Recipe, checkpoint, journal, loop, precision, recipe as recipes, stream, tune
from tests.generate.tuning import SETTINGS, fine_tune, make_cache, make_model, weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    make_cache(folder / "cache")
    return folder


@pytest.fixture(scope="module")
def cache(home):
    return make_cache(home / "cache")


@pytest.fixture(scope="module")
def straight(cache, tmp_path_factory):
    model, figures = fine_tune(cache, tmp_path_factory.mktemp("straight"), Recipe(**SETTINGS))
    return weights(model), figures


def start(home, name, changes, kill_at=0, launcher=(sys.executable,), timeout=None):
    """Run tests.generate.tuning in a process of its own."""
    return subprocess.run([*launcher, "-m", "tests.generate.tuning", str(home), name, json.dumps(changes), str(kill_at)], cwd=ROOT,
                          capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=timeout)


def test_every_clip_comes_once_an_epoch_and_a_batch_is_of_one_bucket():
    sizes, batch, seen = (10, 6, 4), 4, [[], [], []]
    for step in range(200):
        bucket, rows = stream.clips_of_step(sizes, batch, step, seed=5)
        assert len(rows) == batch
        seen[bucket] += rows
    for size, rows in zip(sizes, seen):
        for epoch in range(len(rows) // size):
            assert sorted(rows[epoch * size:(epoch + 1) * size]) == list(range(size))
        assert rows[:size] != rows[size:2 * size]
    shares = np.array([len(rows) for rows in seen]) / 800
    assert np.abs(shares - np.array(sizes) / 20).max() < 0.08
    assert stream.clips_of_step((10,), 4, 1, 5, shuffle=False)[1] == (4, 5, 6, 7)
    assert stream.clips_of_step(sizes, batch, 150, 5) == stream.clips_of_step(sizes, batch, 150, 5)


def test_a_sample_is_a_function_of_its_number_and_shift_and_drop_act_on_it_alone():
    one, again, other = (stream.draw((3, 4), n, 7)[0] for n in (5, 5, 6))
    assert torch.equal(one["eps"], again["eps"]) and not torch.equal(one["eps"], other["eps"])
    shifted = stream.draw((3, 4), 5, 7, shift=7.0)[0]
    assert torch.equal(shifted["eps"], one["eps"]) and torch.isclose(shifted["s"], 7 * one["s"] / (1 + 6 * one["s"]))
    drops = [bool(stream.draw((1,), n, 7, drop=0.25)[0]["dropped"]) for n in range(800)]
    assert 0.19 < np.mean(drops) < 0.31 and not any(bool(stream.draw((1,), n, 7)[0]["dropped"]) for n in range(50))
    levels = [float(stream.draw((1,), n, 7)[0]["s"]) for n in range(800)]
    assert 0.45 < np.mean(levels) < 0.55 and min(levels) < 0.02 and max(levels) > 0.98


@pytest.mark.parametrize("micro", [1, 2])
def test_a_batch_of_four_is_two_of_two_and_four_of_one(cache, straight, tmp_path, micro):
    model, _ = fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"micro_batch": micro}))
    assert (weights(model) - straight[0]).abs().max() < 1e-6


def test_two_processes_equal_one(home, cache, straight):
    """torchrun, two processes on the CPU (gloo), against one process at the same batch."""
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(20000 + os.getpid() % 20000))
    end = start(home, "two", {}, launcher=torchrun)
    assert end.returncode == 0, end.stderr[-2000:]
    assert (torch.load(home / "two.pt") - straight[0]).abs().max() < 1e-6
    lines = [json.loads(line) for line in (home / "two" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(24)), "one process logs"
    assert np.allclose([line["flow"] for line in lines], [row["flow"] for row in straight[1]["history"]], atol=1e-4), "the mean over both"


def killed_in_a_child(cache, folder, recipe, at):
    """A forked process trains and is killed by SIGKILL in the middle of its `at`-th step."""
    child = os.fork()
    if child == 0:
        real, count = tune.losses, [0]

        def losses(*given):
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)                  # no goodbye
            return real(*given)

        tune.losses = losses
        try:
            fine_tune(cache, folder, recipe)
        finally:
            os._exit(1)                                               # it was to be killed before
    return os.waitpid(child, 0)[1]


def test_killed_at_ten_random_steps_the_weights_equal_an_unbroken_run_bit_for_bit(home, cache, tmp_path):
    """Two checkpoints in three steps are missing, so most kills also cost steps that have to be made again."""
    recipe, rng, done = Recipe(**SETTINGS | {"max_steps": 40, "checkpoint_steps": 3}), random.Random(1), 0
    for kill in range(10):
        at = rng.randint(4, 6)
        assert killed_in_a_child(cache, tmp_path / "killed", recipe, at) == signal.SIGKILL
        done = (done + at - 1) // 3 * 3
        assert checkpoint.checkpoints(tmp_path / "killed")[-1].name == f"checkpoint-{done:07d}", kill
    assert done < 40
    killed, figures = fine_tune(cache, tmp_path / "killed", recipe)
    whole, straight = fine_tune(cache, tmp_path / "whole", recipe)
    assert torch.equal(weights(killed), weights(whole)) and figures["history"] == straight["history"]
    assert [row["step"] for row in figures["history"]] == list(range(40))


def test_a_process_that_is_killed_resumes_in_another(home, cache):
    """The same with a whole new process, as after a Colab disconnect: only the folder is left."""
    assert start(home, "cut", {"checkpoint_steps": 1}, kill_at=8).returncode == -signal.SIGKILL
    end = start(home, "cut", {"checkpoint_steps": 1})
    assert end.returncode == 0 and "goes on at step 7 of 24" in end.stdout, end.stderr[-2000:]
    assert start(home, "uncut", {"checkpoint_steps": 1}).returncode == 0
    assert torch.equal(torch.load(home / "cut.pt"), torch.load(home / "uncut.pt"))


def test_two_processes_save_and_stop_together(home):
    """Each has a clock of its own; one that saved or stopped by it would leave the other waiting for ever."""
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(21000 + os.getpid() % 20000))
    end = start(home, "clocks", {"checkpoint_steps": 0, "checkpoint_seconds": 0.05, "max_steps": 60}, launcher=torchrun, timeout=200)
    assert end.returncode == 0, end.stderr[-2000:]
    assert checkpoint.checkpoints(home / "clocks")[-1].name == "checkpoint-0000060"
    again = start(home, "clocks", {"checkpoint_steps": 0, "checkpoint_seconds": 0.05, "max_steps": 64}, launcher=torchrun, timeout=200)
    assert again.returncode == 0 and again.stdout.count("goes on at step 60") == 1, "said once"


def test_an_optimizer_whose_states_share_memory_is_saved(cache, tmp_path):
    """As the 8-bit ones' do: one table for all parameters."""
    model, _ = make_model(Recipe(**SETTINGS))
    accelerator, _, _ = loop.start(Recipe(**SETTINGS))
    optimizer = loop.make_optimizer(model, Recipe(**SETTINGS))
    table = torch.arange(4.0)
    for parameter in optimizer.param_groups[0]["params"]:
        optimizer.state[parameter] = {"step": torch.tensor(1.0), "exp_avg": torch.zeros_like(parameter), "qmap": table,
                                      "exp_avg_sq": torch.zeros_like(parameter)}
    more = checkpoint.write_parts(tmp_path, accelerator, model, optimizer, None)
    fresh = loop.make_optimizer(model, Recipe(**SETTINGS))
    checkpoint.read_parts(tmp_path, accelerator, model, fresh, None, more)
    assert all(torch.equal(state["qmap"], table) for state in fresh.state.values()) and len(fresh.state) == len(optimizer.state)


def test_the_engines_are_what_accelerate_reads_and_shard_any_family():
    import functools
    from types import SimpleNamespace

    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import fsdp_utils
    from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

    folder = ROOT / "medgen_kit" / "generate" / "engines"
    kinds = {path.stem: str(load_config_from_file(str(path)).distributed_type) for path in folder.glob("*.yaml")}
    assert {name: kind.split(".")[-1] for name, kind in kinds.items()} == {
        "ddp": "MULTI_GPU", "fsdp": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
    assert "fsdp_transformer_layer_cls_to_wrap" not in load_config_from_file(str(folder / "fsdp.yaml")).fsdp_config
    plugin = SimpleNamespace(auto_wrap_policy=functools.partial(transformer_auto_wrap_policy), transformer_cls_names_to_wrap=None)
    model, _ = make_model(Recipe(**SETTINGS))
    policy = fsdp_utils.fsdp2_prepare_auto_wrap_policy(plugin, model)
    assert [policy(module) for module in model.modules()].count(True) == len(model.transformer.blocks)


def test_validation_disturbs_nothing_and_is_logged(cache, straight, tmp_path):
    looked = []

    def validate(model, step):
        looked.append(step)
        torch.randn(100)                                              # uses up random numbers
        rows = cache.split("val")[0]
        return {"levels": tune.by_level(model, model.family, cache, rows)}

    model, _ = fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"validation_steps": 10}), validate=validate)
    assert looked == [10, 20, 24] and torch.equal(weights(model), straight[0])
    notes = journal.validations(tmp_path)
    assert [note["step"] for note in notes] == looked
    assert list(notes[0]["levels"]) == [f"{k / 10:g}" for k in range(1, 10)] and all(v > 0 for v in notes[0]["levels"].values())


def test_the_loss_at_nine_levels_repeats_and_falls(cache, tmp_path):
    rows = [row for bucket in cache.split("train") for row in bucket]
    model, figures = fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"max_steps": 150, "lr": 1e-2, "lora_rank": 0}))
    before, family = make_model(Recipe(**SETTINGS))
    first, again = (tune.by_level(before, family, cache, rows) for _ in range(2))
    after = tune.by_level(model, family, cache, rows)
    assert first == again and sum(after.values()) < 0.9 * sum(first.values())


def test_only_whole_checkpoints_count_and_the_last_are_kept(cache, straight, tmp_path):
    (tmp_path / checkpoint.PART).mkdir()
    (tmp_path / "checkpoint-0000099").mkdir()                         # no progress.json: an interrupted copy to a drive
    fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"keep": 2, "checkpoint_steps": 4}), stop_after=14)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["checkpoint-0000012", "checkpoint-0000014"]
    assert sorted(p.name for p in (tmp_path / "checkpoint-0000014").iterdir()) == [
        "average.safetensors", "optimizer.safetensors", "progress.json", "random.safetensors", "weights.safetensors"]
    lines = []
    model, _ = fine_tune(cache, tmp_path, Recipe(**SETTINGS), say=lines.append)
    assert lines[0] == "goes on at step 14 of 24" and torch.equal(weights(model), straight[0])
    size = sum(p.stat().st_size for p in (tmp_path / "checkpoint-0000014").iterdir()) if (tmp_path / "checkpoint-0000014").is_dir() else 0
    assert size < 2**20, "a checkpoint holds what is trained, not the frozen base"


def test_a_checkpoint_of_other_settings_is_refused_by_name(cache, tmp_path):
    fine_tune(cache, tmp_path, Recipe(**SETTINGS), stop_after=2)
    with pytest.raises(KitError, match="weight_decay was 0.01 and is 0.1"):
        fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"weight_decay": 0.1}))
    with pytest.raises(KitError, match="lora_rank was 4 and is 8"):
        fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"lora_rank": 8}))
    model, figures = fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"max_steps": 4, "keep": 5}))
    assert figures["steps"] == 4, "how long, how fast and what is kept may change"
    fine_tune(cache, tmp_path / "falling", Recipe(**SETTINGS | {"schedule": "cosine"}), stop_after=2)
    with pytest.raises(KitError, match="max_steps was 24 and is 48"):
        fine_tune(cache, tmp_path / "falling", Recipe(**SETTINGS | {"schedule": "cosine", "max_steps": 48}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_finishes_the_step_and_saves(cache, straight, tmp_path, number):
    before = signal.signal(number, signal.default_int_handler)        # a background shell ignores SIGINT
    try:
        def ask():
            while not (tmp_path / "log.jsonl").is_file() or len((tmp_path / "log.jsonl").read_text().splitlines()) < 3:
                time.sleep(0.01)
            os.kill(os.getpid(), number)

        thread = threading.Thread(target=ask)
        thread.start()
        with pytest.raises(KeyboardInterrupt, match="stopped after step"):
            fine_tune(cache, tmp_path, Recipe(**SETTINGS | {"checkpoint_steps": 0, "max_steps": 5000}))
        thread.join()
    finally:
        signal.signal(number, before)
    assert len(checkpoint.checkpoints(tmp_path)) == 1
    done = int(checkpoint.checkpoints(tmp_path)[0].name.split("-")[1])
    if done < 24:
        model, _ = fine_tune(cache, tmp_path, Recipe(**SETTINGS))
        assert torch.equal(weights(model), straight[0])


def test_a_loss_that_is_no_number_stops_with_advice(cache, tmp_path):
    model, family = make_model(Recipe(**SETTINGS))

    def losses(m, batch):
        total, parts = tune.losses(m, batch, family, Recipe(**SETTINGS))
        return total * float("nan"), {"flow": parts["flow"] * float("nan")}

    with pytest.raises(KitError, match="not a number at step 0. Lower the learning rate"):
        loop.fit(model, tune.drawing(cache, family, Recipe(**SETTINGS)), losses, Recipe(**SETTINGS), tmp_path, lambda _: None)
    assert not checkpoint.checkpoints(tmp_path)


@pytest.mark.parametrize("part", ["repa", "knowledge"])
def test_the_alignment_losses_attach_to_a_real_family_and_off_leaves_no_trace(cache, part):
    ids = [row["clip_id"] for row in cache.rows]
    features = {name: torch.randn(9, 6, generator=torch.Generator().manual_seed(int(name))) for name in ids}
    targets = {name: (torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])) for name in ids}

    def gradient(recipe):
        model, family = make_model(recipe, features=6, concepts=2)
        with torch.no_grad():                                        # LoRA starts at zero, where its second factor hides the first
            for name, parameter in model.transformer.named_parameters():
                if "lora_B" in name:
                    parameter += 0.01
        batch = tune.drawing(cache, family, recipe, features=features, targets=targets)(0, 0, 4)
        total, parts = tune.losses(model, batch, family, recipe)
        total.backward()
        return torch.cat([p.grad.flatten() for p in model.transformer.parameters() if p.grad is not None]), parts, model

    on, parts, model = gradient(Recipe(**SETTINGS | {part: 0.5}))
    off, plain, bare = gradient(Recipe(**SETTINGS))
    assert part in parts and list(plain) == ["flow"] and not torch.allclose(on, off)
    heads = [name for name, _ in bare.named_parameters() if not name.startswith("transformer.")]
    assert not heads and [n for n, _ in model.named_parameters() if not n.startswith("transformer.")]


def test_presets_are_table_5():
    with (ROOT / "data_cards" / "paper" / "table5_training.csv").open() as file:
        table = {row["argument"]: row["value"] for row in csv.DictReader(file)}
    for name in ("medgen_as_written", "medgen_as_run"):
        made = Recipe.preset(name)
        said = {"max_train_steps": made.max_steps, "seed": made.seed, "train_batch_size": made.batch, "learning_rate": made.lr,
                "lora_rank": made.lora_rank, "lora_alpha": made.lora_alpha, "shift": made.sample_shift, "cfg": made.drop,
                "checkpointing_steps": made.checkpoint_steps, "checkpoints_total_limit": made.keep,
                "validation_steps": made.validation_steps}
        assert all(float(table[key]) == value for key, value in said.items()) and table["mixed_precision"] == made.mixed_precision
    written, run = Recipe.preset("medgen_as_written"), Recipe.preset("medgen_as_run")
    assert (written.train_shift, written.ema) == (float(table["shift"]), float(table["ema_decay"]))
    assert (run.train_shift, run.ema, run.shuffle) == (1.0, 0.0, False)


def test_recipes_refuse_what_they_do_not_know():
    with pytest.raises(KitError, match="no preset 'medgen'; did you mean"):
        Recipe.preset("medgen")
    with pytest.raises(KitError, match="no setting 'flow_shift'"):
        Recipe.preset("medgen_as_run", flow_shift=7)
    with pytest.raises(KitError, match="schedule is 'cosin'; did you mean 'cosine'"):
        Recipe(schedule="cosin")
    with pytest.raises(KitError, match="cannot be shared by 1 devices with 3 clips at once"):
        loop.start(Recipe(batch=4, micro_batch=3))
    with pytest.raises(KitError, match="no layer of this wan transformer ends in 'to_x'"):
        make_model(Recipe(**SETTINGS | {"lora_targets": "to_q, to_x"}))


def test_alpha_is_the_rank_unless_it_is_given():
    for given, scale in (({"lora_rank": 8, "lora_alpha": 0}, 1.0), ({"lora_rank": 8, "lora_alpha": 16}, 2.0)):
        model, _ = make_model(Recipe(**SETTINGS | given))
        assert model.transformer.blocks[0].attn1.to_q.scaling["default"] == scale
    assert Recipe.preset("medgen_as_run").lora_alpha == 32 and Recipe(lora_rank=4).lora_alpha == 0


def test_schedules():
    rate = {name: [recipes.learning_rate(k, 100, Recipe(lr=1.0, schedule=name, warmup=10)) for k in range(100)]
            for name in recipes.SCHEDULES}
    for name, rates in rate.items():
        assert rates[0] == 0.1 and max(rates) <= 1.0 and all(a <= b for a, b in zip(rates[:9], rates[1:10])), name
    assert rate["constant"][99] == 1.0 and rate["linear"][50] == 0.5 and abs(rate["cosine"][50] - 0.5) < 1e-9
    assert rate["half"][49] == 1.0 and rate["half"][75] == 0.5 and rate["linear"][99] < 0.02


def test_precision_follows_the_device():
    assert precision.precision_for("auto", ()) == "no"
    assert precision.precision_for("auto", (7, 5)) == "fp16" and precision.precision_for("auto", (8, 9)) == "bf16"
    with pytest.raises(KitError, match="needs compute capability 8.0, and this GPU has 7.5"):
        precision.precision_for("bf16", (7, 5))


def test_tensorboard_gets_the_mean_of_twenty_steps(cache, tmp_path):
    from tensorboardX import proto, record_writer  # noqa: F401  (both are part of the package that wrote the file)

    _, figures = fine_tune(cache, tmp_path, Recipe(**SETTINGS))
    data, values = next((tmp_path / "tensorboard").glob("events*")).read_bytes(), []
    while data:                                                       # records of length, checksum, event, checksum
        length = int.from_bytes(data[:8], "little")
        event = proto.event_pb2.Event.FromString(data[12:12 + length])
        values += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length:]
    wanted = [np.mean([row["flow"] for row in figures["history"][:20]])]
    assert [value[:2] for value in values] == [(19, "train/flow")]
    assert np.allclose([value[2] for value in values], wanted, atol=1e-5)
