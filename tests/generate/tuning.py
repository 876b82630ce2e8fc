"""A fine-tuning of the tiny Wan on made-up cached clips, as tests, killed processes and torchrun start it: python -m
tests.generate.tuning."""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from medgen_kit.clip import write_text
from medgen_kit.generate import Recipe, checkpoint, lora, loop, tune
from medgen_kit.generate.cache import Cache, Pool
from medgen_kit.generate.families import FAMILIES

SETTINGS = dict(batch=4, max_steps=24, lora_rank=4, lora_alpha=8, lr=1e-3, mixed_precision="no", ema=0.9, drop=0.3, checkpoint_steps=5,
                gradient_checkpointing=False, seed=3)


def make_cache(folder, clips=7, val=2):
    """A cache in two buckets, of random latents and captions."""
    from medgen_kit.generate.cache import mark

    generator = torch.Generator().manual_seed(0)
    texts, latents, rows = Pool(Path(folder) / "texts"), Pool(Path(folder) / "latents"), []
    for k in range(clips + val):
        bucket = (9, 32, 32) if k % 3 else (5, 32, 48)
        key = mark("clip", k)
        latents.put(key, {"latents": torch.randn(16, (bucket[0] - 1) // 4 + 1, bucket[1] // 8, bucket[2] // 8, generator=generator)})
        texts.put(mark("text", k), {"embeds": torch.randn(3 + k, 32, generator=generator)})
        rows.append({"file": f"{k}.mp4", "clip_id": str(k), "latents": key, "bucket": list(bucket), "text": mark("text", k),
                     "caption": str(k), "split": "train" if k < clips else "val"})
    texts.put("nothing", {"embeds": torch.zeros(1, 32)})
    texts.flush(), latents.flush()
    index = {"family": "wan", "fps": 8, "of": "", "nothing": "nothing", "rows": rows, "problems": []}
    write_text(Path(folder) / "index.json", json.dumps(index))
    return Cache(folder)


def make_model(recipe, **heads):
    """(Tuned, family) around a Wan of two blocks; the same weights every time."""
    import diffusers

    torch.manual_seed(0)
    transformer = diffusers.WanTransformer3DModel(num_attention_heads=2, attention_head_dim=24, num_layers=2, ffn_dim=96, text_dim=32,
                                                  freq_dim=32, rope_max_seq_len=64)
    family = FAMILIES["wan"]()
    family.text_length = 16
    return tune.Tuned(lora.attach(transformer, family, recipe), family, recipe, **heads), family


def fine_tune(cache, folder, recipe, say=lambda _: None, **more):
    """The whole fine-tuning; (model, figures)."""
    model, family = make_model(recipe)
    figures = loop.fit(model, tune.drawing(cache, family, recipe), lambda m, batch: tune.losses(m, batch, family, recipe), recipe, folder,
                       say, **more)
    return model, figures


def weights(model):
    return torch.cat([p.detach().flatten() for p in checkpoint.trained(model).values()])


if __name__ == "__main__":
    torch.set_num_threads(1)
    home, name, changes, kill_at = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
    real, count = tune.losses, 0

    def losses(*given):
        global count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)               # in the middle of a step, no goodbye
        return real(*given)

    tune.losses = losses
    made, _ = fine_tune(Cache(home / "cache"), home / name, Recipe(**SETTINGS | changes), say=print)
    if int(os.environ.get("RANK", 0)) == 0:
        torch.save(weights(made), home / f"{name}.pt")
