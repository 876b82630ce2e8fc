"""The script that measures GPUs, at tiny size on the CPU: its rows, its ratios, and that a failure or a dry run spoils nothing."""

import json
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "gpu.py"


@pytest.fixture
def gpu():
    spec = util.spec_from_file_location("bench_gpu", SCRIPT)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_of_training_has_both_loops(gpu, tmp_path):
    bench = gpu.Bench(tmp_path / "dry.json", 100, dry=True)
    gpu.training(bench, "wan2.1-1.3b", (5, 32, 32), 1)
    bench.run(gpu.predicted(bench, "wan2.1-1.3b", "sample", 5, 32, 32), 1, lambda: gpu.denoising(bench, "wan2.1-1.3b", 5, 32, 32))
    train, sample = json.loads((tmp_path / "dry.json").read_text())["rows"]
    assert train["over_peer"] == pytest.approx(train["seconds_per_step"] / train["peer_seconds"])          # how large is test_bench_train's
    assert min(train["seconds_per_step"], train["peer_seconds"]) > 0
    once = gpu.trace("wan2.1-1.3b", "sample", 5, 32, 32, 1, 32, **gpu.TINY["wan2.1-1.3b"])
    assert sample["flops"] == 2 * (once["linear"] + once["attention"]) and 0 < sample["seconds_per_step"] < 5   # Wan is called twice
    assert (train["lora_rank"], train["offload"], train["batch"]) == (32, "model", 1)


def test_what_fails_or_comes_too_late_is_written_and_the_rest_goes_on(gpu, tmp_path):
    bench = gpu.Bench(tmp_path / "dry.json", 100, dry=True)

    def broken():
        raise RuntimeError("CUDA out of memory\nlong story")

    row = {"model": "wan2.1-1.3b", "task": "train-lora", "frames": 5, "height": 32, "width": 32}
    bench.run(dict(row), 1, broken)
    bench.run(dict(row), 1000, broken)
    bench.run(row | {"predicted_peak_gib": 65.0}, 1, broken)
    first, late, large = json.loads((tmp_path / "dry.json").read_text())["rows"]
    assert first["error"] == "RuntimeError: CUDA out of memory" and "1000 s may be needed" in late["skipped"]
    assert "65.0" in large["skipped"] and "error" not in late | large


def test_ratios(gpu, tmp_path):
    bench = gpu.Bench(tmp_path / "dry.json", 100, dry=True)
    bench.gpu = "A100-40"
    once = gpu.footprint("wan2.1-1.3b", "sample", 17, 480, 832)
    row = gpu.compared({"model": "wan2.1-1.3b", "task": "train-lora", "frames": 17, "height": 480, "width": 832, "seconds_per_step": 2.0,
                        "peak_gpu_gib": 6.6, "predicted_peak_gib": 6.0, "predicted_seconds": 1.6, "flops": 312e12}, bench)
    assert (row["peak_ratio"], row["time_ratio"], row["hfu"]) == pytest.approx((1.1, 1.25, 0.5))
    assert row["mfu"] == pytest.approx(0.5 - (once["linear"] + once["attention"]) / 2 / 312e12)


def test_a_dry_run_never_goes_into_the_package(gpu):
    done = subprocess.run([sys.executable, str(SCRIPT), "--dry", "--out", str(gpu.planning.MEASURED / "x.json")], capture_output=True,
                          text=True)
    assert done.returncode == 1 and "measures nothing" in done.stderr and not (gpu.planning.MEASURED / "x.json").exists()
