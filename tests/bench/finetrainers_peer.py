"""The peer of tests/bench/train.py: finetrainers' own SFT trainer on the material of that script, run by an interpreter that has what
finetrainers needs. Nothing of finetrainers is kept here; it is called.

    PYTHON tests/bench/finetrainers_peer.py --source CHECKOUT --material FOLDER --steps 200

It prints one line, RESULT and JSON: CPU seconds of an optimizer step, the most memory the process held (MiB), and what was trained.
finetrainers was last changed in 2025 and is made for GPUs; SHIMS says what it needs to run on a CPU with today's libraries. None of them
does work inside the training loop, so none slows it.
"""

import argparse
import importlib
import json
import os
import sys
import time
import types
from pathlib import Path

SHIMS = {
    "torchvision, decord": "imported at the top of the dataset file, used only to recognise decoded videos: empty modules",
    "wandb": "imported at the top of the trainer, unused with --report_to none: an empty module",
    "torch _AttentionOp": "a private class that newer torch no longer has; used only for attention over several GPUs: an empty class",
    "torch _templated_ring_attention_backward": "a private function, for the same and in the same state: an empty one",
    "video decoding": "datasets now decodes with torchcodec, which finetrainers does not know: PyAV, while precomputing",
    "memory statistics": "rounds None where there is no GPU, at the start and the end: an empty report",
    "reset of GPU statistics": "called without a GPU before precomputing: does nothing",
    "device of the precomputed files": "loads them to GPU number `rank`, even where there is none: to the CPU",
    "WORLD_SIZE": "counts GPUs, so zero processes on a CPU: set to 1",
}
MICRO = 2                              # micro-batches in an optimizer step; what finetrainers calls a step is a micro-batch


class Frames:
    """A decoded video as finetrainers reads one: {"data": uint8 [C, H, W]} after another."""

    def __init__(self, path):
        import av

        with av.open(path) as container:
            self.frames = iter([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

    def __next__(self):
        import torch

        return {"data": torch.from_numpy(next(self.frames)).permute(2, 0, 1)}


def load(source):
    """finetrainers of the folder `source`, with the shims in place."""
    import datasets
    import torch
    import torch.distributed.tensor.experimental._attention as private
    from diffusers.training_utils import EMAModel  # noqa: F401   (diffusers and transformers look for torchvision and wandb when they are
    from transformers import UMT5EncoderModel  # noqa: F401        imported, so before the empty modules)

    video_reader = types.SimpleNamespace(VideoReader=Frames)
    empty = {"torchvision": {"io": types.SimpleNamespace(video_reader=video_reader)}, "wandb": {},
             "decord": {"bridge": types.SimpleNamespace(set_bridge=lambda _: None), "VideoReader": Frames}}
    for name, content in empty.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(content)
    for name in ("_AttentionOp", "_templated_ring_attention_backward"):
        if not hasattr(private, name):
            setattr(private, name, type(name, (), {}))
    sys.path.insert(0, str(source))
    finetrainers = importlib.import_module("finetrainers")
    for name in empty:
        del sys.modules[name]
    datasets.Video.decode_example = lambda self, value, token_per_repo_id=None: Frames(value["path"])
    finetrainers.utils.get_memory_statistics = lambda precision=3: {}
    torch.cuda.reset_peak_memory_stats = lambda device=None: None
    on_cpu = types.SimpleNamespace(device=lambda rank: torch.device("cpu"), load=torch.load, save=torch.save)
    finetrainers.data.precomputation.torch = on_cpu
    os.environ["WORLD_SIZE"] = "1"
    return finetrainers


def write_dataset(material, folder):
    """The material's clips as finetrainers wants them: NAME.mp4 (links to the same files) beside NAME.txt; the number of clips."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in (material / "clips" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        link = folder / Path(row["file_name"]).name
        link.unlink(missing_ok=True)
        link.symlink_to((material / "clips" / row["file_name"]).resolve())
        link.with_suffix(".txt").write_text(row["brief_caption"], encoding="utf-8")
    size = [round(rows[0]["duration"] * rows[0]["fps"]), rows[0]["height"], rows[0]["width"]]
    config = {"datasets": [{"data_root": str(folder.resolve()), "dataset_type": "video", "video_resolution_buckets": [size]}]}
    (folder.parent / "dataset.json").write_text(json.dumps(config), encoding="utf-8")
    return len(rows)


def arguments(material, work, clips, steps):
    """The command line of finetrainers: the recipe of tests/bench/train.py. Precomputed once; reused when it lies there already."""
    given = {"parallel_backend": "accelerate", "model_name": "wan", "pretrained_model_name_or_path": material / "wan",
             "text_encoder_dtype": "fp32", "transformer_dtype": "fp32", "vae_dtype": "fp32", "training_type": "lora", "rank": 4,
             "lora_alpha": 4, "target_modules": "blocks.*(to_q|to_k|to_v|to_out.0)", "dataset_config": work / "dataset.json",
             "precomputation_items": clips, "precomputation_dir": work / "precomputed", "batch_size": 1,
             "gradient_accumulation_steps": MICRO, "train_steps": MICRO * steps, "optimizer": "adamw", "lr": 1e-3,
             "lr_scheduler": "constant", "lr_warmup_steps": 0, "beta2": 0.999, "weight_decay": 0.01, "max_grad_norm": 1.0, "seed": 0,
             "checkpointing_steps": 0, "output_dir": work / "out", "logging_dir": work / "logs", "report_to": "none"}
    there = any((work / "precomputed").rglob("latent-*.pt"))
    flags = ["--enable_precomputation", "--precomputation_once", *(["--precomputation_reuse"] if there else [])]
    return [word for name, value in given.items() for word in (f"--{name}", str(value))] + flags


def trained(finetrainers, given, steps):
    """finetrainers' "seconds" (`step_seconds`), and what was trained: "parameters", shapes of "latents" and "text" of a clip."""
    import torch
    from finetrainers.models.wan import WanModelSpecification
    from finetrainers.trainer.sft_trainer.config import SFTLowRankConfig

    started, shapes = [], {}

    class Timed(WanModelSpecification):
        def forward(self, transformer, condition_model_conditions, latent_model_conditions, **others):
            if not started:
                _, channels, *size = latent_model_conditions["latents"].shape                # mean and variance: half are latents
                shapes.update(latents=[channels // 2, *size], text=list(condition_model_conditions["encoder_hidden_states"].shape[1:]))
            started.append(time.process_time())
            return super().forward(transformer=transformer, condition_model_conditions=condition_model_conditions,
                                   latent_model_conditions=latent_model_conditions, **others)

    sys.argv = ["finetrainers", *given]
    args = finetrainers.BaseArgs()
    args.register_args(SFTLowRankConfig())
    args, types_of = args.parse_args(), dict.fromkeys(("text_encoder_dtype", "transformer_dtype", "vae_dtype"), torch.float32)
    trainer = finetrainers.SFTTrainer(args, Timed(args.pretrained_model_name_or_path, **types_of))
    trainer.run()
    done = len(trainer.state.train_state.global_avg_losses)
    if (len(started), done) != (MICRO * steps, steps):
        sys.exit(f"finetrainers made {done} optimizer steps of {len(started)} micro-batches instead of {steps} of {MICRO * steps}")
    return {"seconds": step_seconds(started[::MICRO]), "parameters": trainer.state.num_trainable_parameters, **shapes}


def step_seconds(started, count=10):
    """CPU seconds of an optimizer step from the steps' starting times: a figure for every `count` steps in a row, so that a moment in
    which the machine was busy spoils one of them. The first step warms up and is left out."""
    count = min(count, len(started) - 2)
    return [(started[k + count] - started[k]) / count for k in range(1, len(started) - count, count)]


def most_memory():
    """The most memory (MiB) that this process held. Linux' getrusage would not do: a process starts there with its parent's figure."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20                        # macOS counts bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a checkout of finetrainers")
    parser.add_argument("--material", type=Path, required=True, help="a folder with wan/ and clips/; what is precomputed is kept there")
    parser.add_argument("--steps", type=int, default=200, help="optimizer steps")
    given = parser.parse_args()
    if not (given.source / "finetrainers" / "__init__.py").is_file():
        sys.exit(f"{given.source} is no checkout of finetrainers: it has no file finetrainers/__init__.py")
    work = given.material / "finetrainers"
    command = arguments(given.material, work, write_dataset(given.material, work / "clips"), given.steps)
    finetrainers = load(given.source.resolve())
    import torch

    torch.set_num_threads(1)
    print("RESULT" + json.dumps(trained(finetrainers, command, given.steps) | {"mib": most_memory()}))


if __name__ == "__main__":
    main()
