"""Speed of the training loop, in one run on one CPU thread: our loop against a bare torch loop of the same work (the floor), against the
same loop that encodes text and video at every step, and, when its interpreter is given, against finetrainers.

    python tests/bench/train.py                                    # prints the ratios; exit code 1 when a target is missed
    python tests/bench/train.py --finetrainers PYTHON --finetrainers-source CHECKOUT

PYTHON: of an environment with what both call (it runs both); CHECKOUT: finetrainers' repository, for example at commit f476c37:
    python3 -m venv peer && peer/bin/pip install torch==2.13.0
    peer/bin/pip install diffusers==0.42.1 transformers==5.23.0 accelerate==1.15.0 peft==0.21.2 datasets==5.2.0 torchdata==0.11.0 \
        av pandas sentencepiece                                     # not torchvision, whose wheel for GPUs breaks torch for CPUs

The same tiny Wan (2 blocks, 96 wide, 512 text tokens), the same clips, LoRA rank 4, two micro-batches a step. CPU seconds of an optimizer
step are compared (the least of some rounds, turn by turn). Beside finetrainers, both run in processes of their own, whose peak memory is
compared too; it is mostly that of the libraries, so both must have the same ones. Set-up, precomputing and saving are never counted.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench.finetrainers_peer import SHIMS, most_memory, step_seconds  # noqa: E402

TARGETS = {"floor": 1.08, "finetrainers": 0.95, "memory": 1.0, "cache": 3.0}
PEER_STEPS = 200                       # optimizer steps of a process beside finetrainers
INCLUDED = """Both: one interpreter, one thread, float32, LoRA rank 4 on q, k, v and out, AdamW, clipping to 1, no gradient checkpointing,
everything precomputed, nothing saved or validated while timed. Ours also counts a line of log.jsonl and the check of the loss in each step
(and TensorBoard in every tenth, where it is installed); what was read of the cache stays in memory. finetrainers' also counts, in each
micro-batch, reading two files of the cache, a draw from the VAE's posterior, and clipping; its tracker and its progress bar are off."""
SIZE, FRAMES = 64, 17                  # pixels and frames of a clip: latents 16 x 5 x 8 x 8


def material(folder):
    """(folder of a tiny Wan pipeline, folder of five captioned clips)."""
    import diffusers
    import numpy as np

    from medgen_kit import video
    from medgen_kit.clip import Clip, write_folder
    from tests.generate import tiny_families

    home = tiny_families.make("wan", folder / "wan")
    torch.manual_seed(0)
    diffusers.WanTransformer3DModel(num_attention_heads=4, attention_head_dim=24, num_layers=2, ffn_dim=384, text_dim=tiny_families.TEXT,
                                    freq_dim=64, rope_max_seq_len=64).save_pretrained(home / "transformer")
    rng, made = np.random.default_rng(0), []
    for k in range(5):
        frames = np.repeat(np.repeat(rng.integers(0, 255, (FRAMES, SIZE // 8, SIZE // 8, 3), dtype=np.uint8), 8, 1), 8, 2)
        path = video.write(folder / "clips" / "videos" / f"{k}.mp4", frames, 8)
        made.append(Clip.of(path, video_category="medical imaging", brief_caption=f"a beating heart number {k}", source_id=str(k)))
    write_folder(folder / "clips", made)
    return home, folder / "clips"


def recipe(steps):
    from medgen_kit.generate import Recipe

    return Recipe(batch=2, micro_batch=1, max_steps=steps, lora_rank=4, lora_alpha=4, lr=1e-3, mixed_precision="no", checkpoint_steps=0,
                  checkpoint_seconds=0, gradient_checkpointing=False)


def prepared(folder):
    """(family, cache, function that gives a fresh pipeline)."""
    from medgen_kit.generate import cache
    from medgen_kit.generate.families import FAMILIES
    from tests.generate import tiny_families

    family = FAMILIES["wan"]()

    def fresh():
        return tiny_families.load("wan", folder / "wan")

    store = cache.precompute((fresh, fresh), ("t", "v"), family, folder / "clips", folder / "cache", [(FRAMES, SIZE, SIZE)],
                             say=lambda _: None)
    return family, store, fresh


def ours(folder, steps):
    """`step_seconds` of our loop, set-up not counted."""
    return trained(folder, steps)["seconds"]


def trained(folder, steps):
    """Our loop's "seconds" (`step_seconds`), and what was trained: "parameters", shapes of "latents" and "text" of a clip."""
    from medgen_kit.generate import lora, loop, tune

    family, store, fresh = prepared(folder)
    plan, model = recipe(steps), None
    model = tune.Tuned(lora.attach(fresh().transformer, family, plan), family, plan)
    draw, started, shapes = tune.drawing(store, family, plan), [], {}

    def losses(m, batch):
        if not started:
            shapes.update(latents=list(batch["x0"].shape[1:]), text=list(batch["text"]["embeds"].shape[1:]))
        started.append(time.process_time())
        return tune.losses(m, batch, family, plan)

    with tempfile.TemporaryDirectory() as out:
        figures = loop.fit(model, draw, losses, plan, out, lambda _: None)
    return {"seconds": step_seconds(started[::plan.batch]), "parameters": figures["parameters"], **shapes}


def bare(folder, steps, encode=False):
    """`step_seconds` of the same work without a loop of anybody's: noise, forward, backward, clipping, AdamW. encode: text and video
    encoded each time."""
    from medgen_kit import video
    from medgen_kit.clip import read_folder
    from medgen_kit.generate import lora

    family, store, fresh = prepared(folder)
    pipe, plan = fresh(), recipe(steps)
    transformer = lora.attach(pipe.transformer, family, plan)
    parameters = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.lr, fused=True)
    kept = [(store.latent(row)[None], family.stack([store.text(row)])["embeds"]) for row in store.rows]
    clips, started = read_folder(folder / "clips"), []
    for step in range(steps):
        started.append(time.process_time())
        for turn in range(2):
            number = (2 * step + turn) % len(kept)
            x0, text = kept[number]
            if encode:
                with torch.no_grad():
                    x0 = family.encode_video(pipe, video.read(clips[number].path)[0][None])
                    text = family.stack(family.encode_prompts(pipe, [clips[number].brief_caption]))["embeds"]
            eps, s = torch.randn_like(x0), torch.rand(1)
            x = (1 - s) * x0 + s * eps
            v = transformer(hidden_states=x, timestep=1000 * s, encoder_hidden_states=text, return_dict=False)[0]
            (torch.nn.functional.mse_loss(v, eps - x0) / 2).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return step_seconds([*started, time.process_time()])


def beside(folder, python, source, steps, rounds):
    """{"ours", "finetrainers": [figures of each round]}: every run is a process of its own, turn by turn, on one thread. What was
    precomputed lies there before the first one: ours by `measure`, finetrainers' by a short run that is not counted."""
    here = Path(__file__).resolve()
    commands = {"ours": [python, here, "--inside", folder, "--steps"],
                "finetrainers": [python, here.with_name("finetrainers_peer.py"), "--source", source, "--material", folder, "--steps"]}
    process(commands["finetrainers"], 10)
    runs = {kind: [] for kind in commands}
    for _ in range(rounds):
        for kind, command in commands.items():
            runs[kind].append(process(command, steps))
    work = [{name: run[name] for name in ("parameters", "latents", "text")} for found in runs.values() for run in found]
    if any(one != work[0] for one in work):
        sys.exit(f"nothing is compared, because the work was not the same: {work}")
    return runs


def process(command, steps):
    """The figures that a process prints behind RESULT; leaves with its last lines when it prints none."""
    quiet = dict(os.environ, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
    done = subprocess.run([*map(str, command), str(steps)], capture_output=True, text=True, env=quiet)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT"):
            return json.loads(line.removeprefix("RESULT"))
    sys.exit("\n".join([f"nothing is compared with finetrainers, because this stopped: {' '.join(map(str, command))} {steps}",
                        *(done.stdout + done.stderr).splitlines()[-12:]]))


def inside(folder, steps):
    """What a process of `beside` prints for our loop."""
    torch.set_num_threads(1)
    print("RESULT" + json.dumps(trained(folder, steps) | {"mib": most_memory()}))


def measure(steps=60, rounds=8, peer=None):
    """{"ours", "floor", "encoding": least CPU seconds of an optimizer step; "ratios": by name of the target, `paired`}, measured turn by
    turn (encoding in the first two rounds only: its target is far). peer: (python, source) of finetrainers, adds "peer": `beside`."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material(folder)
        times = {"ours": [], "floor": [], "encoding": []}
        for number in range(rounds):
            times["ours"].append(ours(folder, steps))
            times["floor"].append(bare(folder, steps))
            if number < 2:
                times["encoding"].append(bare(folder, max(4, steps // 8), encode=True))
        found = {kind: min(min(one) for one in measured) for kind, measured in times.items()}
        found["ratios"] = {"floor": paired(times["ours"], times["floor"]), "cache": paired(times["encoding"], times["ours"])}
        return found | {"peer": beside(folder, *peer, PEER_STEPS, max(4, rounds // 2))} if peer else found


def paired(ones, others):
    """Median over the rounds of the ratio of their mean times: what slows the machine for a while slows both of a round."""
    return statistics.median(statistics.mean(one) / statistics.mean(other) for one, other in zip(ones, others))


def report(found):
    """Prints the ratios; the names of the targets that were missed."""
    print(f"CPU seconds of an optimizer step: ours {found['ours']:.4f}, bare loop {found['floor']:.4f}, encoding each step "
          f"{found['encoding']:.4f}")
    floor, cache = found["ratios"]["floor"], found["ratios"]["cache"]
    print(f"ours / bare loop: {floor:.3f} (target at most {TARGETS['floor']}; of the least times {found['ours'] / found['floor']:.3f})")
    print(f"encoding each step / ours: {cache:.1f} (target at least {TARGETS['cache']})")
    missed = [name for name, bad in (("floor", floor > TARGETS["floor"]), ("cache", cache < TARGETS["cache"])) if bad]
    return missed + (report_peer(found["peer"]) if "peer" in found else [])


def report_peer(runs):
    """Prints our loop beside finetrainers; the names of the targets that were missed."""
    print("\n".join(["", "What finetrainers needs here:", *(f"- {name}: {why}" for name, why in SHIMS.items()), INCLUDED]))
    seconds = {kind: [one for run in found for one in run["seconds"]] for kind, found in runs.items()}
    for kind, found in runs.items():
        mib = [run["mib"] for run in found]
        print(f"{kind}: CPU seconds of an optimizer step least {min(seconds[kind]):.4f}, median {statistics.median(seconds[kind]):.4f}; "
              f"peak memory {min(mib):.0f} to {max(mib):.0f} MiB ({len(found)} rounds)")
    ratio = paired(*([run["seconds"] for run in found] for found in runs.values()))
    least = min(seconds["ours"]) / min(seconds["finetrainers"])
    memory = max(run["mib"] for run in runs["ours"]) / min(run["mib"] for run in runs["finetrainers"])
    print(f"ours / finetrainers: {ratio:.3f} (target at most {TARGETS['finetrainers']}; of the least times {least:.3f})")
    print(f"peak memory, ours / finetrainers: {memory:.3f} (target below {TARGETS['memory']:g})")
    bad = {"finetrainers": max(ratio, least) > TARGETS["finetrainers"], "memory": memory >= TARGETS["memory"]}
    return [name for name in bad if bad[name]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="optimizer steps of a round")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--finetrainers", metavar="PYTHON", help="compare with finetrainers, run by this interpreter")
    parser.add_argument("--finetrainers-source", metavar="CHECKOUT", type=Path, help="where finetrainers lies")
    parser.add_argument("--inside", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        sys.exit(inside(given.inside, given.steps))
    if bool(given.finetrainers) != bool(given.finetrainers_source):
        parser.error("--finetrainers and --finetrainers-source are needed together")
    if given.finetrainers and not shutil.which(given.finetrainers):
        parser.error(f"--finetrainers {given.finetrainers}: there is no such interpreter")
    if given.finetrainers and not (given.finetrainers_source / "finetrainers" / "__init__.py").is_file():
        parser.error(f"--finetrainers-source {given.finetrainers_source}: no checkout of finetrainers, it has no finetrainers/__init__.py")
    figures = measure(given.steps, given.rounds, (given.finetrainers, given.finetrainers_source) if given.finetrainers else None)
    missed = report(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    sys.exit(1 if missed else 0)
