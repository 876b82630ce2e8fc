"""What full-size models need on this GPU: time, memory and arithmetic, beside a bare torch loop and beside what `plan` predicts.

Run: python tests/bench/gpu.py [--out FILE] [--seconds 520]        (one GPU, no network, random weights, under 9 minutes)
     python tests/bench/gpu.py --dry --out FILE                    (the same code at tiny size on the CPU)
The file is written after every row; without --out it is medgen_kit/generate/measured/GPU.json, where `medgen-kit plan` finds it.
Ours is `generate.loop.fit`; the peer is a plain loop of torch, diffusers and peft over the same transformer: forward under autocast,
mean squared error, backward, clipping, AdamW.
"""

import argparse
import gc
import importlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from medgen_kit.generate import lora, models, tune                                     # noqa: E402
from medgen_kit.generate.families import FAMILIES                                            # noqa: E402
from medgen_kit.generate.footprint import GIB, LAYOUTS, footprint, inputs, is_float32, prepare, trace, vae      # noqa: E402
from medgen_kit.generate.loop import fit                                                       # noqa: E402
from medgen_kit.generate.recipe import Recipe                                                # noqa: E402
from medgen_kit.generate.stream import draw                                                  # noqa: E402

planning = importlib.import_module("medgen_kit.generate.plan")
PEAK = {"T4": 65, "L4": 121, "A100-40": 312, "A100-80": 312, "H100": 989, "H200": 989}      # TFLOP/s in 16 bits, dense, data sheets
TINY = {"wan2.1-1.3b": dict(num_attention_heads=2, num_layers=2, ffn_dim=64), "ltx-video": dict(num_layers=1, num_attention_heads=2,
        cross_attention_dim=128), "hunyuanvideo": dict(num_layers=1, num_single_layers=1, num_attention_heads=2)}
RANK, WARM = 32, 2
KEYS = ("model", "task", "frames", "height", "width", "precision", "offload", "batch", "lora_rank")


class Bench:
    """Device, precision, time left and the rows so far; `run` adds one and writes the file, whatever happens."""

    def __init__(self, out, seconds, dry):
        self.dry, self.out, self.until = dry, Path(out), time.monotonic() + seconds
        self.cuda = not dry
        self.where = torch.device("cuda" if self.cuda else "cpu")
        name = torch.cuda.get_device_name() if self.cuda else "cpu, dry run"
        self.total = torch.cuda.get_device_properties(0).total_memory / GIB if self.cuda else 64.0
        self.gpu = planning.gpu_of(name, self.total) if self.cuda else None
        self.dtype = torch.bfloat16 if dry or torch.cuda.get_device_capability() >= (8, 0) else torch.float16
        self.precision = "fp16" if self.dtype == torch.float16 else "bf16"
        self.result = {"device": name, "gpu": self.gpu, "memory_gib": round(self.total, 2), "dtype": str(self.dtype).removeprefix("torch."),
                       "torch": torch.__version__, "cuda": torch.version.cuda, "dry": dry, "peak_tflops": PEAK.get(self.gpu), "rows": []}

    def run(self, row, needs, function):
        """One row: `function` gives its figures. needs: seconds that must be left."""
        begun, left = time.monotonic(), self.until - time.monotonic()
        needs = max(needs, 9 * (row.get("predicted_seconds") or 0))
        if left < needs:
            row["skipped"] = f"{left:.0f} s are left, {needs:.0f} s may be needed"
        elif (wanted := row.get("predicted_peak_gib") or 0) > self.total:
            row["skipped"] = f"predicted {wanted:.1f} GiB, and this GPU has {self.total:.1f}"
        else:
            self.clean()
            try:
                row |= function()
            except Exception as error:                     # a row that fails, out of memory above all, must not cost the others
                row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
            row["wall_seconds"] = round(time.monotonic() - begun, 1)
        self.result["rows"].append(compared(row, self))
        self.clean()
        self.write()
        print(told(row), flush=True)

    def clean(self):
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize()

    def peak(self):
        """{"peak_gpu_gib": of the device, "allocated_gib": by tensors alone}; zeros on the CPU."""
        if not self.cuda:
            return {"peak_gpu_gib": 0.0, "allocated_gib": 0.0}
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        return {"peak_gpu_gib": (torch.cuda.max_memory_reserved() + context) / GIB,
                "allocated_gib": torch.cuda.max_memory_allocated() / GIB}

    def write(self):
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = self.out.with_suffix(".part")
        part.write_text(json.dumps(self.result, indent=1), encoding="utf-8")
        part.replace(self.out)


def predicted(bench, name, task, frames, height, width):
    """The row's settings with what the plan says of them: memory of the phase that is run here, and time (on a GPU that it knows)."""
    setting = planning.Setting(name, task, frames, height, width, bench.precision, lora_rank=RANK)
    row = {key: getattr(setting, key) for key in KEYS}
    if bench.dry:
        layout = LAYOUTS[models.model(name).family]
        calls, together = (layout.calls, layout.together) if task == "sample" else (1, 1)
        found = trace(name, task, frames, height, width, together, RANK, **TINY[name])
        return row | {"predicted_peak_gib": None, "predicted_seconds": None, "flops": calls * (found["linear"] + found["attention"])}
    phase, flops = planning.memory(setting)["denoise" if task == "sample" else "train"], planning.flops_per_step(setting)
    seconds = planning.seconds_per_step(setting, flops, bench.gpu) if bench.gpu else None
    return row | {"predicted_peak_gib": sum(phase.values()), "predicted_seconds": seconds, "flops": flops}


def compared(row, bench):
    """The row with measured over predicted, and the share of the GPU's arithmetic that was used: `mfu` without what gradient checkpointing
    computes again, `hfu` with it."""
    seconds = row.get("seconds_per_step") or row.get("peer_seconds")
    if row.get("peak_gpu_gib") and row.get("predicted_peak_gib"):
        row["peak_ratio"] = row["peak_gpu_gib"] / row["predicted_peak_gib"]
    if seconds and row.get("predicted_seconds"):
        row["time_ratio"] = seconds / row["predicted_seconds"]
    if seconds and row.get("flops"):
        row["tflops"], again = row["flops"] / seconds / 1e12, 0.0
        if row["task"] == "train-lora" and PEAK.get(bench.gpu):
            once = footprint(row["model"], "sample", row["frames"], row["height"], row["width"])
            again = once["linear"] + once["attention"]
        if PEAK.get(bench.gpu):
            row["hfu"], row["mfu"] = (f / seconds / 1e12 / PEAK[bench.gpu] for f in (row["flops"], row["flops"] - again))
    return row


def built(bench, name, part="transformer"):
    """A model of full size with random weights on the device, made in its precision (a 13-billion model in float32 would not fit)."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(bench.dtype)
    try:
        torch.manual_seed(0)
        return models.build(name, part, device=bench.where, **(TINY[name] if bench.dry and part == "transformer" else {}))
    finally:
        torch.set_default_dtype(usual)


def timed(bench, step, most=5, seconds=30):
    """Median seconds of a step after WARM steps: `most` of them, or fewer once `seconds` have gone by (at least two)."""
    found, begun = [], time.monotonic()
    for number in range(WARM + most):
        bench.sync()
        before = time.perf_counter()
        step()
        bench.sync()
        found.append(time.perf_counter() - before)
        if number > WARM and time.monotonic() - begun > seconds:
            break
    return statistics.median(found[WARM:])


def peer(bench, name, frames, height, width):
    """The bare loop: {"peer_seconds", "peer_peak_gib"}."""
    model = prepare(built(bench, name), "train-lora", RANK, bench.dtype)
    given, target = inputs(models.model(name).family, frames, height, width, dtype=bench.dtype, device=bench.where)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-5, fused=True)
    scaler = torch.amp.GradScaler(bench.where.type, enabled=bench.dtype == torch.float16)
    half = torch.autocast(bench.where.type, bench.dtype)

    def step():
        with half:
            answer = model(**given, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(answer.float(), target)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    seconds = timed(bench, step)
    return {"peer_seconds": seconds, "peer_peak_gib": bench.peak()["peak_gpu_gib"]}


def ours(bench, name, frames, height, width, steps=WARM + 5):
    """The kit's loop on clips from memory: {"seconds_per_step", "peak_gpu_gib", "allocated_gib"}."""
    family, layout = FAMILIES[models.model(name).family](), LAYOUTS[models.model(name).family]
    recipe = Recipe(batch=1, micro_batch=1, max_steps=steps, lora_rank=RANK, lora_alpha=RANK, mixed_precision=bench.precision,
                    checkpoint_steps=0, checkpoint_seconds=0)
    transformer = built(bench, name)
    transformer = lora.attach(prepare(transformer, "sample", dtype=bench.dtype).train(), family, recipe)
    model = tune.Tuned(transformer, family, recipe)
    shape, began = (layout.channels, *layout.latent(frames, height, width)), []
    text = {"embeds": torch.randn(layout.text, layout.width)}
    if name != "wan2.1-1.3b":
        text |= {"mask": torch.ones(layout.text, dtype=torch.long)} | ({"pooled": torch.randn(768)} if name == "hunyuanvideo" else {})

    def batch(step, first, count):
        bench.sync()
        began.append(time.perf_counter())
        one, _ = draw(shape, step, recipe.seed)
        return {"x0": torch.zeros(1, *shape), "eps": one["eps"][None], "s": one["s"][None], "text": family.stack([text])}

    with tempfile.TemporaryDirectory() as folder:
        fit(model, batch, lambda model, batch: tune.losses(model, batch, family, recipe), recipe, folder, say=lambda _: None)
    spans = [after - before for before, after in zip(began, began[1:])]
    return {"seconds_per_step": statistics.median(spans[WARM:] or spans)} | bench.peak()


def denoising(bench, name, frames, height, width):
    """One step of sampling, with the family's calls for guidance: {"seconds_per_step", "peak_gpu_gib", "allocated_gib"}."""
    layout = LAYOUTS[models.model(name).family]
    model = prepare(built(bench, name), "sample", dtype=bench.dtype).eval()
    given, _ = inputs(models.model(name).family, frames, height, width, layout.together, bench.dtype, bench.where)

    @torch.no_grad()
    def step():
        return [model(**given, return_dict=False)[0] for _ in range(layout.calls)]

    return {"seconds_per_step": timed(bench, step, 3)} | bench.peak()


def picture(bench, name, what, frames, height, width, tiled):
    """The VAE's encode or decode of one clip: {"seconds_per_step", "peak_gpu_gib", "allocated_gib"}."""
    layout, dtype = LAYOUTS[models.model(name).family], torch.float32 if is_float32(name) else bench.dtype
    model = models.build(name, "vae", device=bench.where).to(dtype).eval()
    if tiled:
        model.enable_tiling()
    shape = (1, layout.channels, *layout.latent(frames, height, width)) if what == "decode" else (1, 3, frames, height, width)
    x = torch.randn(shape, dtype=dtype, device=bench.where)

    @torch.no_grad()
    def step():
        return getattr(model, what)(x)

    return {"seconds_per_step": timed(bench, step, 1, 10)} | bench.peak()


def pictures(bench, name, size):
    """Rows of the VAE: encoded whole, decoded whole and in tiles."""
    for what, tiled in (("encode", False), ("decode", False), ("decode", True)):
        found = vae(name, what, *size, tiled)
        weight = planning.weights(name, "vae")["gib"]
        row = {"model": name, "task": what, "tiled": tiled, **dict(zip(("frames", "height", "width"), size)), "flops": found["flops"],
               "predicted_peak_gib": None if bench.dry else weight + planning.MORE * found["activations"] + planning.WORKSPACE}
        if bench.gpu:
            row["predicted_seconds"] = found["flops"] / planning.GPUS[bench.gpu].conv / 1e12
        bench.run(row, 40, lambda what=what, tiled=tiled: picture(bench, name, what, *size, tiled))


def training(bench, name, size, needs):
    """One row: the bare loop, then ours with as many steps as time allows."""
    def both():
        found = peer(bench, name, *size)
        bench.clean()
        steps = WARM + 1 + max(2, min(5, int(30 / found["peer_seconds"])))
        found |= ours(bench, name, *size, steps)
        return found | {"over_peer": found["seconds_per_step"] / found["peer_seconds"]}

    bench.run(predicted(bench, name, "train-lora", *size), needs, both)


def told(row):
    """A row in one line."""
    size = f"{row['frames']}x{row['height']}x{row['width']}"
    head = f"{row['model']} {row['task']}{' tiled' if row.get('tiled') else ''} {size}: "
    if "error" in row or "skipped" in row:
        return head + (row.get("error") or f"skipped, {row['skipped']}")
    words = [f"{row['seconds_per_step']:.3f} s", f"{row['peak_gpu_gib']:.2f} GiB"]
    if row.get("predicted_peak_gib"):
        words[-1] += f" (predicted {row['predicted_peak_gib']:.2f})"
    for key, label in (("over_peer", "time over the bare loop"), ("mfu", "model FLOP utilisation"), ("time_ratio", "time over the plan")):
        if row.get(key):
            words.append(f"{label} {row[key]:.3f}")
    return head + ", ".join(words)


def main():
    """Print a line a row; the exit code is 1 when no row of training could be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="", help="JSON file; default: measured/GPU.json of the package")
    parser.add_argument("--seconds", type=float, default=520, help="begin no row after this")
    parser.add_argument("--dry", action="store_true", help="tiny models on the CPU, to try the script itself")
    options = parser.parse_args()
    if options.dry and (not options.out or planning.MEASURED in Path(options.out).resolve().parents):
        sys.exit("a dry run measures nothing: give --out FILE outside of the package.")
    if not options.dry and not torch.cuda.is_available():
        sys.exit("no CUDA GPU here. Try the script itself with --dry --out FILE.")
    bench = Bench(options.out or planning.MEASURED / "unnamed.json", options.seconds, options.dry)
    if not options.out:
        bench.out = planning.MEASURED / f"{bench.gpu or bench.result['device'].replace(' ', '-')}.json"
    print(f"{bench.result['device']}, {bench.result['dtype']}", flush=True)
    small, middle, large = ((5, 32, 32), (5, 64, 64), (9, 64, 64)) if options.dry else ((17, 256, 256), (17, 480, 832), (49, 480, 832))
    wan = "wan2.1-1.3b"
    for size, needs in ((middle, 60), (large, 90), (small, 40)):
        training(bench, wan, size, needs)
    for size in (middle, large):
        bench.run(predicted(bench, wan, "sample", *size), 40, lambda size=size: denoising(bench, wan, *size))
    pictures(bench, wan, middle)
    training(bench, "ltx-video", large, 60)
    for task, needs in (("train-lora", 90), ("sample", 60)):
        if task == "sample":
            bench.run(predicted(bench, "hunyuanvideo", task, *middle), needs, lambda: denoising(bench, "hunyuanvideo", *middle))
        else:
            training(bench, "hunyuanvideo", middle, needs)
    print(f"written: {bench.out}")
    sys.exit(0 if any(row["task"] == "train-lora" and row.get("seconds_per_step") for row in bench.result["rows"]) else 1)


if __name__ == "__main__":
    main()
