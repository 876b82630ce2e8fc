"""Speed of the training loop, in one run on one CPU thread: our loop against a bare torch loop of the same work (the floor), against the
same loop that encodes text and video at every step, and, when its interpreter is given, against finetrainers.

    python tests/bench/train.py                                    # prints the ratios; exit code 1 when a target is missed
    python tests/bench/train.py --finetrainers /path/to/python     # an environment with finetrainers and its requirements

The same tiny Wan (2 blocks, 96 wide, 512 text tokens), the same clips, LoRA rank 4, two micro-batches a step. CPU seconds of an optimizer
step are compared (the least of some rounds, turn by turn), and peak memory of processes of their own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
TARGETS = {"floor": 1.08, "finetrainers": 0.95, "cache": 3.0}
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
    """CPU seconds of an optimizer step of our loop, set-up not counted."""
    from medgen_kit.generate import lora, loop, tune

    family, store, fresh = prepared(folder)
    plan, model = recipe(steps), None
    model = tune.Tuned(lora.attach(fresh().transformer, family, plan), family, plan)
    draw, started = tune.drawing(store, family, plan), []

    def losses(m, batch):
        started.append(time.process_time())
        return tune.losses(m, batch, family, plan)

    with tempfile.TemporaryDirectory() as out:
        loop.fit(model, draw, losses, plan, out, lambda _: None)
    return (started[-1] - started[2]) / (len(started) - 3) * 2


def bare(folder, steps, encode=False):
    """The same work without a loop of anybody's: noise, forward, backward, clipping, AdamW. encode: text and video encoded each time."""
    from medgen_kit import video
    from medgen_kit.clip import read_folder
    from medgen_kit.generate import lora

    family, store, fresh = prepared(folder)
    pipe, plan = fresh(), recipe(steps)
    transformer = lora.attach(pipe.transformer, family, plan)
    parameters = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.lr, fused=True)
    kept = [(store.latent(row)[None], family.stack([store.text(row)])["embeds"]) for row in store.rows]
    clips = read_folder(folder / "clips")
    for step in range(steps):
        if step == 1:
            started = time.process_time()
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
    return (time.process_time() - started) / (steps - 1)


KINDS = {"ours": ours, "floor": bare, "encoding": lambda folder, steps: bare(folder, max(4, steps // 8), encode=True)}


def measure(steps=60, rounds=4):
    """{kind: least CPU seconds of a step}, measured turn by turn."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material(folder)
        times = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind, function in KINDS.items():
                times[kind].append(function(folder, steps))
    return {kind: min(found) for kind, found in times.items()}


def report(found):
    """Prints the ratios; the names of the targets that were missed."""
    print(f"CPU seconds of an optimizer step: ours {found['ours']:.4f}, bare loop {found['floor']:.4f}, encoding each step "
          f"{found['encoding']:.4f}")
    ratios = {"floor": found["ours"] / found["floor"], "cache": found["encoding"] / found["ours"]}
    print(f"ours / bare loop: {ratios['floor']:.3f} (target at most {TARGETS['floor']})")
    print(f"encoding each step / ours: {ratios['cache']:.1f} (target at least {TARGETS['cache']})")
    return [name for name, missed in (("floor", ratios["floor"] > TARGETS["floor"]), ("cache", ratios["cache"] < TARGETS["cache"])) if missed]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    figures = measure(given.steps, given.rounds)
    missed = report(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    sys.exit(1 if missed else 0)
