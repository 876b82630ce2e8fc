"""The scorer: a small 3D CNN that reads from a clip which modality it is and which value every factor has.

It is the examiner of the course, so it shares nothing with the generator: own clips (all combinations of factors, own
seeds), own network, own weights. It says how often a generated clip shows what its prompt asked for.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..clip import write_text
from ..errors import KitError
from .marks import intervals, majority_guess, score

__all__ = ["Scorer", "draw", "intervals", "majority_guess", "score", "train"]

FEATURES = 64


class Scorer(nn.Module):
    """Reads clips uint8 [N, T, S, S, 3]. values: factor -> its possible values, with "modality" among them."""

    def __init__(self, values, frames=9, size=32, width=16):
        super().__init__()
        self.values = {name: tuple(found) for name, found in values.items()}
        self.shape = (frames, size, width)
        side = size // 8
        self.frame = nn.Sequential(nn.Conv2d(6, width, 5, 2, 2), nn.BatchNorm2d(width), nn.ReLU(),
                                   nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU())
        self.clip = nn.Sequential(nn.Conv3d(2 * width, 2 * width, 3, (1, 2, 2), 1), nn.BatchNorm3d(2 * width), nn.ReLU(),
                                  nn.Conv3d(2 * width, 2 * width, (3, 1, 1), (2, 1, 1), (1, 0, 0)), nn.BatchNorm3d(2 * width), nn.ReLU())
        self.project = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(2 * width * (frames + 1) // 2 * side * side, FEATURES))
        self.heads = nn.ModuleDict({name.replace(".", "__"): nn.Linear(FEATURES, len(found)) for name, found in self.values.items()})

    def embed(self, pictures):
        """float [N, T, 3, S, S] in -1..1 -> features [N, 64]. Each frame is read beside its change since the frame before."""
        seen = self.frame(with_change(pictures).flatten(0, 1))
        return self.project(self.clip(seen.unflatten(0, pictures.shape[:2]).transpose(1, 2)))

    def forward(self, pictures):
        """Logits per factor: {factor: float [N, values]}."""
        hidden = F.relu(self.embed(pictures))
        return {name: self.heads[name.replace(".", "__")](hidden) for name in self.values}

    @torch.no_grad()
    def features(self, frames, batch=128):
        """float32 [N, 64], what the Frechet distance compares, of clips uint8 [N, T, H, W, 3]."""
        self.eval()
        frames = as_input(frames, self.shape)
        return np.concatenate([self.embed(to_pictures(frames[i:i + batch])).numpy() for i in range(0, len(frames), batch)])

    @torch.no_grad()
    def judge(self, frames, batch=128):
        """What each clip shows: a list of {"modality": ..., factor of that modality: value}, for clips uint8 [N, T, H, W, 3]."""
        self.eval()
        frames, found = as_input(frames, self.shape), []
        for start in range(0, len(frames), batch):
            best = {name: logits.argmax(1).tolist() for name, logits in self(to_pictures(frames[start:start + batch])).items()}
            for row in range(len(best["modality"])):
                modality = self.values["modality"][best["modality"][row]]
                found.append({"modality": modality} | {name: options[best[name][row]] for name, options in self.values.items()
                                                       if name.startswith(modality + ".")})
        return found

    def save(self, folder):
        """Write scorer.safetensors and scorer.json into `folder`."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous() for k, v in self.state_dict().items()}, str(folder / "scorer.safetensors"))
        write_text(folder / "scorer.json", json.dumps({"values": self.values, "shape": self.shape}))

    @classmethod
    def load(cls, folder):
        """The scorer that `save` wrote; KitError when there is none."""
        from safetensors.torch import load_file

        if not (Path(folder) / "scorer.json").is_file():
            raise KitError(f"{folder} holds no scorer.json. Make the stage 'evaluate' first: kit.need(run, 'evaluate').")
        facts = json.loads((Path(folder) / "scorer.json").read_text(encoding="utf-8"))
        scorer = cls(facts["values"], *facts["shape"])
        scorer.load_state_dict(load_file(str(Path(folder) / "scorer.safetensors")))
        return scorer.eval()


def as_input(frames, shape):
    """Clips as uint8 [N, T, S, S, 3] of the scorer's own size; another size is resized, another number of frames refused."""
    from .. import video

    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[-1] != 3 or frames.shape[1] != shape[0]:
        raise KitError(f"the scorer reads uint8 [N, {shape[0]}, H, W, 3], not {frames.dtype} {list(frames.shape)}. "
                       f"Sample {shape[0]} frames first: clip.frames(count={shape[0]}).")
    if frames.shape[2:4] == (shape[1], shape[1]):
        return frames
    return np.stack([video.resize(clip, shape[1]) for clip in frames])


def with_change(pictures):
    """[N, T, 3, H, W] -> [N, T, 6, H, W]: each frame beside three times its change since the frame before."""
    change = torch.cat([torch.zeros_like(pictures[:, :1]), pictures[:, 1:] - pictures[:, :-1]], 1)
    return torch.cat([pictures, 3 * change], 2)


def to_pictures(frames):
    """uint8 [N, T, H, W, 3] -> float [N, T, 3, H, W] in -1..1."""
    return torch.as_tensor(np.ascontiguousarray(frames)).permute(0, 1, 4, 2, 3).float() / 127.5 - 1


def values_of(source):
    """factor -> values of everything that `source` can render; "modality" comes first."""
    modalities = dict.fromkeys(combo["modality"] for combo in source.combinations())
    return {"modality": tuple(modalities)} | {k: tuple(v) for k, v in source.FACTORS.items() if k != "modality"}


def labels(factors, values):
    """int64 [N] per factor, -1 where a clip does not have the factor (no loss is taken there)."""
    index = {name: {value: i for i, value in enumerate(options)} for name, options in values.items()}
    return {name: torch.tensor([index[name].get(row.get(name), -1) for row in factors]) for name in values}


def draw(source, count, seed):
    """`count` fresh real clips at 32 pixels and their factors: every combination equally often, modalities evened out by half."""
    rng = np.random.default_rng(seed)
    combos = source.combinations()
    sizes = {}
    for combo in combos:
        sizes[combo["modality"]] = sizes.get(combo["modality"], 0) + 1
    weights = np.array([sizes[combo["modality"]] ** -0.5 for combo in combos])
    whole = np.floor(count * weights / weights.sum()).astype(int)
    rest = rng.choice(len(combos), count - whole.sum(), p=weights / weights.sum())
    order = rng.permutation(np.concatenate([np.repeat(np.arange(len(combos)), whole), rest]))
    factors = [combos[i] for i in order]
    return source.render(factors, seed, 9, 32), factors


class Blurrer:
    """Low-rank pictures: frames through their own principal components, as a linear video tokenizer would show them."""

    def __init__(self, pictures, rank=160, seed=0):
        flat = pictures[:, ::4].flatten(0, 1).flatten(1)
        flat = flat[torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))[:2500]]
        self.mean = flat.mean(0)
        torch.manual_seed(seed)
        self.basis = torch.pca_lowrank(flat - self.mean, q=min(rank, *flat.shape), center=False, niter=1)[2]

    def __call__(self, pictures, rng):
        """float [B, T, 3, S, S] -> the same clips, each rebuilt from its own random number of components."""
        codes = (pictures.flatten(0, 1).flatten(1) - self.mean) @ self.basis
        width = self.basis.shape[1]
        kept = torch.as_tensor(rng.integers(min(64, width), width + 1, len(pictures))).repeat_interleave(pictures.shape[1])
        codes = codes * (torch.arange(width) < kept[:, None])
        return (codes @ self.basis.T + self.mean).unflatten(1, pictures.shape[2:]).unflatten(0, pictures.shape[:2])


def roughen(pictures, blurrer, rng):
    """Training clips made harder: half are low-rank, then shift, blur, brightness, contrast and noise. No label changes."""
    half, size = len(pictures) // 2, pictures.shape[-1]
    pictures = torch.cat([blurrer(pictures[:half], rng), pictures[half:]])
    down, right = (int(x) for x in rng.integers(0, 3, 2))
    padded = F.pad(pictures.flatten(1, 2), (1, 1, 1, 1), mode="replicate")
    pictures = padded[:, :, down:down + size, right:right + size].unflatten(1, pictures.shape[1:3])
    if rng.random() < 0.4:
        soft = F.avg_pool2d(padded, 3, 1).view_as(pictures)
        pictures = torch.lerp(pictures, soft, uniform(rng, 0, 1, len(pictures)))
    light, contrast, noise = (uniform(rng, low, high, len(pictures)) for low, high in ((-0.1, 0.1), (0.85, 1.1), (0, 0.06)))
    jitter = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    return torch.addcmul(pictures * contrast + light, noise, jitter).clamp_(-1, 1)


def uniform(rng, low, high, count):
    """One random number per clip, float [count, 1, 1, 1, 1]."""
    return torch.as_tensor(rng.uniform(low, high, (count, 1, 1, 1, 1)), dtype=torch.float32)


def train(steps=500, seed=0, batch=64, clips=4000, source=None, lr=3e-3, say=None):
    """A `Scorer` trained on `clips` fresh real clips of ALL combinations, the held-out ones too: an examiner must know the answers.

    source: what renders (default `medgen_kit.sources`): offers FACTORS, combinations() and render(factors, seed, frames, size).
    AdamW, one-cycle rate; cross-entropy on the modality and on the factors of the clip's own modality.
    """
    if source is None:
        from .. import sources as source
    torch.manual_seed(7_000_003 + seed)
    rng = np.random.default_rng(7_000_003 + seed)
    frames, factors = draw(source, clips, 7_000_003 + seed)
    values = values_of(source)
    truth, scorer = labels(factors, values), Scorer(values).train()
    blurrer = Blurrer(to_pictures(frames[:2000]), seed=seed)
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=lr, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.15)
    for step in range(steps):
        chosen = rng.integers(0, len(frames), batch)
        logits = scorer(roughen(to_pictures(frames[chosen]), blurrer, rng))
        loss = sum(F.cross_entropy(logits[name], truth[name][chosen], ignore_index=-1, reduction="sum", label_smoothing=0.03)
                   for name in values if (truth[name][chosen] >= 0).any()) / batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if say and (step + 1) % max(1, steps // 5) == 0:
            say(f"scorer step {step + 1} of {steps}, loss {loss.item():.3f}")
    return scorer.eval()
