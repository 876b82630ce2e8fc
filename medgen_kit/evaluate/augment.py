"""The stage `augment`: does generated data help a classifier that has few real clips? Table 3 of the paper, with its controls.

Each task reads one factor from clips of one modality. All training sets have equal training steps and the same test clips. Four are the
lesson's (ARMS): real only; real + classical augmentation; real + generated; real + as many more real clips. Table 3 of the paper compares
with clips of a generator that lacks what MedGen adds: here the row "flow matching alone" of the ablation. That one had fewer steps than
MedGen-tiny, so the ablation's row "all parts" stands beside it, with steps equal to its own. Real means: drawn by the simulators.
"""

import json

import numpy as np

from .. import sources
from ..clip import write_csv, write_text
from ..errors import KitError
from ..machine import side_by_side, use_threads

TASKS = {"heart: dilated chamber": "echo.chamber", "endoscopy: polyp": "endoscopy.polyp", "CT and MR: lesion": "ctmr.lesion"}
ARMS = ("real only", "real + classical", "real + generated", "real + more real")
TABLE3 = ("real only", "real + baseline", "real + generated, equal steps", "real + generated")
GENERATORS = {"real + baseline": "flow matching alone", "real + generated, equal steps": "all parts", "real + generated": "MedGen-tiny"}
FIGURES = ("accuracy", "precision", "recall", "f1")
SIZES = {"real": 12, "extra": 36, "test": 180, "steps": 75}


def build(work):
    """Reads the pipelines of stages `generate` and `ablate`; writes results.csv (one row per task, arm and seed), table.json (ARMS beside
    "real only") and table3.json (TABLE3, see `table3`)."""
    use_threads(work.profile.generate.threads)
    sizes, seed = SIZES | work.profile.augment.as_dict(), work.profile.seed
    places = {(factor, k): work.out / "seeds" / f"{factor}-{k}" for factor in TASKS.values() for k in range(sizes["seeds"])}
    starts = {factor: seed + 1000 * number for number, factor in enumerate(TASKS.values())}
    folders, steps = generators(work)
    left = [(place, factor, folders, work.profile.generate, sizes, starts[factor], k)
            for (factor, k), place in places.items() if not (place / "rows.json").is_file()]
    for done, (job, _) in enumerate(side_by_side(sampled_seed, left, sizes["workers"]), len(places) - len(left) + 1):
        work.say(f"{done} of {len(places)}: {left[job][0].name}")
    rows = [{"task": task} | row for task, factor in TASKS.items() for k in range(sizes["seeds"])
            for row in json.loads((places[factor, k] / "rows.json").read_text(encoding="utf-8"))]
    examples = {factor: np.load(places[factor, 0] / "clips.npy") for factor in TASKS.values()}
    write_csv(work.out / "results.csv", rows)
    np.savez_compressed(work.out / "examples.npz", **examples)
    summary, third = compare(rows), table3(rows, steps)
    write_text(work.out / "table.json", json.dumps(summary))
    write_text(work.out / "table3.json", json.dumps(third))
    gain = {arm: float(np.mean([row["difference"] for row in summary if row["arm"] == arm])) for arm in ARMS}
    return {"seeds": sizes["seeds"], "real_clips": sizes["real"], "extra_clips": sizes["extra"], "test_clips": sizes["test"],
            "table": summary, "table3": third, "mean_gain_generated": gain["real + generated"],
            "mean_gain_more_real": gain["real + more real"]}


def generators(work):
    """({arm: folder of its pipeline}, {arm: steps that its generator was trained}) of GENERATORS."""
    from ..generate.ablate import row_file

    rows = {arm: row_file(work.inputs["ablate"], name) for arm, name in GENERATORS.items() if name != "MedGen-tiny"}
    steps = {arm: json.loads(path.read_text(encoding="utf-8"))["steps"] for arm, path in rows.items()}
    return ({arm: path.parent / "pipeline" for arm, path in rows.items()} | {"real + generated": work.inputs["generate"] / "pipeline"},
            steps | {"real + generated": work.run.figures("generate").get("steps")})


def sampled_seed(place, factor, folders, settings, sizes, seed, k):
    """`run_seed` with clips from the pipelines saved in `folders` {arm: folder}, kept in the folder `place`: clips.npy, then rows.json."""
    from ..generate import load_pipeline
    from ..generate.sample import generate_clips, key_frames

    def maker(folder):
        pipe = load_pipeline(folder)
        return lambda prompts, seed: key_frames(generate_clips(pipe, prompts, settings, seed))

    makers = {arm: maker(folder) for arm, folder in folders.items()}
    rows, shown = run_seed(factor, makers.pop("real + generated"), sizes, seed, k, others=makers)
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "clips.npy", shown)
    write_text(place / "rows.json", json.dumps(rows))


def run_seed(factor, make, sizes, seed, k, source=None, others=None):
    """All arms of one task for seed k: (rows {"arm", "seed"} | `marks_of`, some generated clips uint8 [classes, T, S, S, 3]).

    make(prompts, seed): clips uint8 [N, 9, 32, 32, 3] of N prompts. source: offers FACTORS, combinations, render, describe. others: {arm:
    make} of more generators, which get the same prompts and noise. Every k has its own real clips, generated clips and starting weights;
    the test clips are the same for all.
    """
    source = source or sources
    if factor not in source.FACTORS:
        raise KitError(f"there is no factor '{factor}'. Factors: {', '.join(source.FACTORS)}.")
    classes, rows, sets, makers = list(source.FACTORS[factor]), [], {}, {"real + generated": make} | (others or {})
    asked = balanced(source, factor, sizes["test"], seed + 99)
    test, answer = source.render(asked, seed + 600_011, 9, 32), truth(asked, factor, classes)
    for name, count, offset in (("real", sizes["real"], 1), ("real + more real", sizes["extra"], 2), *(
            (arm, sizes["extra"], 3) for arm in makers)):
        factors = balanced(source, factor, count, seed + 10 * k + offset)
        rng = np.random.default_rng([seed, k, offset])
        clips = (makers[name]([source.describe(row, rng)[0] for row in factors], seed + k) if name in makers
                 else source.render(factors, seed + 700_001 + 10 * k + offset, 9, 32))
        sets[name] = clips, truth(factors, factor, classes)
    for arm in (*ARMS, *(others or {})):
        parts = [sets[name] for name in ("real", arm) if name in sets]
        guess = classify(*(np.concatenate(part) for part in zip(*parts)), test, len(classes), sizes["steps"], seed + k,
                         rough=arm == "real + classical")
        rows.append({"arm": arm, "seed": k} | marks_of(answer, guess))
    return rows, sets["real + generated"][0][:len(classes)]


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
    """FIGURES, 0..1: accuracy, and precision, recall and F1 as means over the classes (0 for a class that is never said)."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    found = precision_recall_fscore_support(answer, guess, average="macro", zero_division=0)[:3]
    return {"accuracy": float(accuracy_score(answer, guess))} | {name: float(x) for name, x in zip(FIGURES[1:], found)}


def compare(rows, level=0.95, arms=ARMS, base="real only"):
    """Per task and arm: mean and sd of the accuracy over seeds, and the paired difference to `base` with its t interval."""
    out = []
    for task in dict.fromkeys(row["task"] for row in rows):
        beside = {row["seed"]: row["accuracy"] for row in rows if row["task"] == task and row["arm"] == base}
        for arm in arms:
            own = {row["seed"]: row["accuracy"] for row in rows if row["task"] == task and row["arm"] == arm}
            change = np.array([own[k] - beside[k] for k in sorted(beside)])
            low, high = t_interval(change, level) if arm != base else (None, None)
            out.append({"task": task, "arm": arm, "accuracy": float(np.mean(list(own.values()))),
                        "sd": float(np.std(list(own.values()), ddof=1)) if len(own) > 1 else None, "difference": float(change.mean()),
                        "low": low, "high": high, "seeds": len(change)})
    return out


def t_interval(change, level=0.95):
    """(low, high) of the mean of paired differences [n]; (None, None) for a single pair."""
    from scipy.stats import t

    n = len(change)
    if n < 2:
        return None, None
    half = float(t.ppf((1 + level) / 2, n - 1) * np.std(change, ddof=1) / n ** 0.5)
    return float(np.mean(change)) - half, float(np.mean(change)) + half


def table3(rows, steps, level=0.95):
    """Table 3 of the paper: per task, and for the mean of the tasks ("all tasks"), a row for every arm of TABLE3.

    steps: {arm: steps that its generator was trained}. A row: task, arm, generator, generator_steps, seeds, FIGURES (means over seeds), the
    paired difference in accuracy to "real only" (difference, low, high) and to the baseline's clips (to_baseline, to_baseline_low,
    to_baseline_high), both with t intervals over seeds. Where generator_steps differ, to_baseline holds the steps too.
    """
    rows = [row for row in rows if row["arm"] in TABLE3]
    seeds = sorted({row["seed"] for row in rows})
    rows = rows + [{"task": "all tasks", "arm": arm, "seed": k} | {
        name: float(np.mean([row[name] for row in rows if row["arm"] == arm and row["seed"] == k])) for name in FIGURES}
        for arm in TABLE3 for k in seeds]
    out = []
    for row, beside in zip(compare(rows, level, TABLE3), compare(rows, level, TABLE3, "real + baseline")):
        own = [one for one in rows if (one["task"], one["arm"]) == (row["task"], row["arm"])]
        versus = {"to_baseline": beside["difference"], "to_baseline_low": beside["low"], "to_baseline_high": beside["high"]}
        known = row["arm"] not in ("real only", "real + baseline")
        out.append({"task": row["task"], "arm": row["arm"], "generator": GENERATORS.get(row["arm"]),
                    "generator_steps": steps.get(row["arm"]), "seeds": row["seeds"]}
                   | {name: float(np.mean([one[name] for one in own])) for name in FIGURES}
                   | {name: row[name] for name in ("difference", "low", "high")} | (versus if known else dict.fromkeys(versus)))
    return out
