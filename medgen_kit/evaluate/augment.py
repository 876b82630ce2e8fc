"""The stage `augment`: does generated data help a classifier that has few real clips? Table 3 of the paper, with its controls.

Each task reads one factor from clips of one modality. Four training sets are compared, with equal training steps and the same test clips:
real only; real + classical augmentation; real + generated; real + as many more real clips. Real means: drawn by the simulators.
"""

import json

import numpy as np

from .. import sources
from ..clip import write_csv, write_text
from ..errors import KitError
from ..machine import side_by_side, use_threads

TASKS = {"heart: dilated chamber": "echo.chamber", "endoscopy: polyp": "endoscopy.polyp", "CT and MR: lesion": "ctmr.lesion"}
ARMS = ("real only", "real + classical", "real + generated", "real + more real")
SIZES = {"real": 12, "extra": 36, "test": 180, "steps": 75}


def build(work):
    """Reads the pipeline of stage `generate`; writes results.csv (one row per task, arm and seed) and table.json."""
    use_threads(work.profile.generate.threads)
    sizes, seed = SIZES | work.profile.augment.as_dict(), work.profile.seed
    places = {(factor, k): work.out / "seeds" / f"{factor}-{k}" for factor in TASKS.values() for k in range(sizes["seeds"])}
    starts = {factor: seed + 1000 * number for number, factor in enumerate(TASKS.values())}
    left = [(place, factor, work.inputs["generate"] / "pipeline", work.profile.generate, sizes, starts[factor], k)
            for (factor, k), place in places.items() if not (place / "rows.json").is_file()]
    for done, (job, _) in enumerate(side_by_side(sampled_seed, left, sizes["workers"]), len(places) - len(left) + 1):
        work.say(f"{done} of {len(places)}: {left[job][0].name}")
    rows = [{"task": task} | row for task, factor in TASKS.items() for k in range(sizes["seeds"])
            for row in json.loads((places[factor, k] / "rows.json").read_text(encoding="utf-8"))]
    examples = {factor: np.load(places[factor, 0] / "clips.npy") for factor in TASKS.values()}
    write_csv(work.out / "results.csv", rows)
    np.savez_compressed(work.out / "examples.npz", **examples)
    summary = compare(rows)
    write_text(work.out / "table.json", json.dumps(summary))
    gain = {arm: float(np.mean([row["difference"] for row in summary if row["arm"] == arm])) for arm in ARMS}
    return {"seeds": sizes["seeds"], "real_clips": sizes["real"], "extra_clips": sizes["extra"], "test_clips": sizes["test"],
            "table": summary, "mean_gain_generated": gain["real + generated"], "mean_gain_more_real": gain["real + more real"]}


def sampled_seed(place, factor, folder, settings, sizes, seed, k):
    """`run_seed` with clips from the pipeline saved in `folder`, kept in the folder `place`: clips.npy, then rows.json."""
    from ..generate import load_pipeline
    from ..generate.sample import generate_clips, key_frames

    pipe = load_pipeline(folder)
    rows, shown = run_seed(factor, lambda prompts, seed: key_frames(generate_clips(pipe, prompts, settings, seed)), sizes, seed, k)
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "clips.npy", shown)
    write_text(place / "rows.json", json.dumps(rows))


def run_seed(factor, make, sizes, seed, k, source=None):
    """All arms of one task for seed k: (rows {"arm", "seed", "accuracy", "f1"}, some generated clips uint8 [classes, T, S, S, 3]).

    make(prompts, seed): clips uint8 [N, 9, 32, 32, 3] of N prompts. source: offers FACTORS, combinations, render, describe.
    Every k has its own real clips, generated clips and starting weights; the test clips are the same for all.
    """
    source = source or sources
    if factor not in source.FACTORS:
        raise KitError(f"there is no factor '{factor}'. Factors: {', '.join(source.FACTORS)}.")
    classes, rows, sets = list(source.FACTORS[factor]), [], {}
    asked = balanced(source, factor, sizes["test"], seed + 99)
    test, answer = source.render(asked, seed + 600_011, 9, 32), truth(asked, factor, classes)
    for name, count, offset in (("real", sizes["real"], 1), ("more", sizes["extra"], 2), ("generated", sizes["extra"], 3)):
        factors = balanced(source, factor, count, seed + 10 * k + offset)
        rng = np.random.default_rng([seed, k, offset])
        clips = (make([source.describe(row, rng)[0] for row in factors], seed + k) if name == "generated"
                 else source.render(factors, seed + 700_001 + 10 * k + offset, 9, 32))
        sets[name] = clips, truth(factors, factor, classes)
    for arm, others, rough in (("real only", (), False), ("real + classical", (), True), ("real + generated", ("generated",), False),
                               ("real + more real", ("more",), False)):
        parts = [sets[name] for name in ("real", *others)]
        guess = classify(*(np.concatenate(part) for part in zip(*parts)), test, len(classes), sizes["steps"], seed + k, rough)
        rows.append({"arm": arm, "seed": k} | marks_of(answer, guess))
    return rows, sets["generated"][0][:len(classes)]


def balanced(source, factor, count, seed):
    """`count` combinations of the factor's modality, every value of `factor` equally often, the other factors drawn at random."""
    rng, values = np.random.default_rng(seed), source.FACTORS[factor]
    every = [combo for combo in source.combinations() if combo["modality"] == factor.split(".")[0]]
    groups = [[combo for combo in every if combo[factor] == value] for value in values]
    return [groups[i % len(values)][rng.integers(len(groups[i % len(values)]))] for i in range(count)]


def truth(factors, factor, classes):
    """Class numbers int64 [N]."""
    return np.array([classes.index(row[factor]) for row in factors])


def network(classes, width=12):
    """A small CNN: each frame with its change [N, 9, 6, 32, 32] is read by two convolutions, then a layer over time."""
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.frame = nn.Sequential(nn.Conv2d(6, width, 4, 4), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU())
            self.time = nn.Sequential(nn.Flatten(), nn.Linear(9 * 2 * width * 16, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, classes))

        def forward(self, x):
            return self.time(self.frame(x.flatten(0, 1)).unflatten(0, x.shape[:2]))

    return Classifier()


def classify(frames, labels, test, classes, steps, seed, rough=False, batch=16):
    """Train on clips uint8 [N, 9, 32, 32, 3] with labels [N]; predicted classes [M] of the test clips. rough: classical augmentation."""
    import torch
    from torch.nn import functional as F

    from .scorer import to_pictures, with_change
    torch.manual_seed(seed)
    rng, pictures, labels = np.random.default_rng(seed), to_pictures(frames), torch.as_tensor(labels)
    model, ready = network(classes).train(), with_change(pictures)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02, fused=True)
    for _ in range(steps):
        chosen = torch.as_tensor(rng.integers(0, len(frames), batch))
        loss = F.cross_entropy(model(with_change(vary(pictures[chosen], rng)) if rough else ready[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return model.eval()(with_change(to_pictures(test))).argmax(1).numpy()


def vary(pictures, rng):
    """Classical augmentation that changes no label: shift by up to 3 pixels, brightness, contrast, noise. No mirror: sides have names."""
    import torch
    from torch.nn import functional as F

    from .scorer import uniform
    size = pictures.shape[-1]
    padded = F.pad(pictures.flatten(1, 2), (3, 3, 3, 3), mode="replicate").unflatten(1, pictures.shape[1:3])
    out = torch.stack([clip[:, :, y:y + size, x:x + size] for clip, (y, x) in zip(padded, rng.integers(0, 7, (len(padded), 2)))])
    light, contrast = (uniform(rng, low, high, len(out)) for low, high in ((-0.15, 0.15), (0.8, 1.2)))
    noise = torch.as_tensor(rng.standard_normal(out.shape, dtype=np.float32))
    return (out * contrast + light + 0.05 * noise).clamp(-1, 1)


def marks_of(answer, guess):
    """Accuracy and macro F1, 0..1."""
    from sklearn.metrics import accuracy_score, f1_score

    return {"accuracy": float(accuracy_score(answer, guess)), "f1": float(f1_score(answer, guess, average="macro"))}


def compare(rows, level=0.95):
    """Per task and arm: mean and sd of the accuracy over seeds, and the paired difference to "real only" with its t interval."""
    from scipy.stats import t

    out = []
    for task in dict.fromkeys(row["task"] for row in rows):
        base = {row["seed"]: row["accuracy"] for row in rows if row["task"] == task and row["arm"] == "real only"}
        for arm in ARMS:
            own = {row["seed"]: row["accuracy"] for row in rows if row["task"] == task and row["arm"] == arm}
            change = np.array([own[k] - base[k] for k in sorted(base)])
            n = len(change)
            known = n > 1 and arm != "real only"
            half = float(t.ppf((1 + level) / 2, n - 1) * change.std(ddof=1) / n ** 0.5) if known else 0.0
            out.append({"task": task, "arm": arm, "accuracy": float(np.mean(list(own.values()))),
                        "sd": float(np.std(list(own.values()), ddof=1)) if n > 1 else None, "difference": float(change.mean()),
                        "low": float(change.mean()) - half if known else None, "high": float(change.mean()) + half if known else None,
                        "seeds": n})
    return out
