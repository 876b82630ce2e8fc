"""The stage `transfer`: tables 4 and 10 of the paper at teaching scale, on a base model that is not MedGen-tiny.

Table 4: do captioned medical clips help another base? Table 10: what does training on one category do to the others? The base is narrower
and shallower than MedGen-tiny, and its text tower has read captions and seen no clip. It learned by flow matching alone, from half of the
run's clips of KINDS (one modality for each category) under the titles that an uploader would give them. The other half trains it further,
by LoRA and the course's one training loop, with equal steps:

    captioned clips          table 4: clips and captions, as in MedVideoCap
    same clips, titles       the control: as many steps on the same clips without the captions
    teaching clips           table 10: captioned clips of the category "medical teaching" alone

All models answer the same prompts from the same noise, and the examiner of stage `evaluate` marks them. It is MedGen-tiny's scale on every
profile: the paper's own base models are not run here.
"""

import json
from pathlib import Path

import numpy as np

from .. import sources
from ..clip import write_csv, write_text
from ..errors import KitError
from ..machine import side_by_side, use_threads
from . import frechet, marks, paired
from .scorer import Scorer

BASE, TAUGHT = "base", "medical teaching"
KINDS = ("slide", "endoscopy", "microscopy", "ecg", "echo")            # teaching, clinical practice, popular science, animation, imaging
LORA = ("to_q", "to_k", "to_v", "to_out.0", "net.0.proj", "net.2", "pooled.0", "pooled.2", "text_embedder.linear_1",
        "text_embedder.linear_2")              # what reads the text too, since captions are new to the base
TRAININGS = {"captioned clips": "captions", "same clips, titles": "titles", "teaching clips": "teaching"}
SHARES = {"modality": ("modality",), "share_right": ("appearance", "motion"), "appearance": ("appearance",), "motion": ("motion",)}
MEASURES = ("all_right", "share_right", "appearance", "motion", "likeness")
TABLE4 = (("captioned clips", BASE), ("captioned clips", "same clips, titles"), ("same clips, titles", BASE))
TABLE10 = ("modality", "share_right", "likeness")


def build(work):
    """Reads stages `align`, `generate` and `evaluate`. Writes one folder per model with frames.npz and, if it was trained further, its
    LoRA; rows.csv (`per_prompt`, one row per model and prompt), table4.json, table10.json, prompts.json. A model that stands is not
    trained again, so a killed stage goes on with the others."""
    profile, sizes, seed = work.profile, work.profile.transfer, work.profile.seed
    use_threads(profile.generate.threads)
    prompts = asked(sizes.prompts, seed)
    write_text(work.out / "prompts.json", json.dumps(prompts))
    if not (work.out / BASE / "made.json").is_file():
        made = train_base(work.out, work.inputs, profile, say=lambda _: None)
        work.say(f"{BASE}: {made['parameters']:,} weights, {made['steps']} steps in {made['seconds']:.0f} s on {made['clips']} clips with "
                 "titles")
    left = [(work.out, name, profile) for name in (*TRAININGS, BASE) if not (work.out / place(name) / "row.json").is_file()]
    for job, row in side_by_side(trained_further, left, sizes.workers):
        work.say(f"{left[job][1]}: {row['steps']} steps in {row['seconds']:.0f} s, {sizes.prompts} prompts answered")
    made = {name: json.loads((work.out / place(name) / "row.json").read_text(encoding="utf-8")) for name in (BASE, *TRAININGS)}
    sets = {name: np.load(work.out / place(name) / "frames.npz")["frames"] for name in made}
    rows, distances = examined(Scorer.load(work.inputs["evaluate"] / "scorer"), sets, prompts, seed)
    write_csv(work.out / "rows.csv", rows)
    fourth = {"models": models(rows, distances, made), "tests": table4(rows, seed)}
    tenth = table10(rows, seed)
    write_text(work.out / "table4.json", json.dumps(fourth))
    write_text(work.out / "table10.json", json.dumps(tenth))
    work.say(in_words(tenth))
    return {"prompts": sizes.prompts, "base_steps": made[BASE]["steps"], "steps": made["captioned clips"]["steps"], "table4": fourth,
            "table10": tenth, "says": in_words(tenth)}


def place(name):
    """Folder name of a model."""
    return name.replace(",", "").replace(" ", "-")


def asked(count, seed):
    """`count` evaluation prompts about KINDS, as `generate.prompts.make_prompts` gives them, with their category. KitError under 18."""
    from ..generate.prompts import make_prompts

    if count < 18:
        raise KitError(f"transfer.prompts is {count}; at least 18 are needed, so that every category is asked about.")
    rows = [row for row in make_prompts(3 * count, seed) if row["factors"]["modality"] in KINDS][:count]
    return [row | {"category": sources.category(row["factors"]["modality"])} for row in rows]


def material(align, generate, profile):
    """{"web", "captions", "titles", "teaching"}: a `TrainingSet` each, and the frozen parts around the base. Half of the run's training
    clips of KINDS are "web": they have an uploader's title. The other half has brief captions, or titles; "teaching" are those captioned
    clips that are of the category TAUGHT."""
    from ..generate import EigenframeTokenizer
    from ..generate.data import TrainingSet, load_parts

    parts = load_parts(align, profile.generate.components, "reader", profile.seed)
    parts.vae = EigenframeTokenizer.from_pretrained(Path(generate) / "pipeline" / "vae")          # the one that made the latents
    data = TrainingSet.load(Path(generate) / "training_set.safetensors")
    rows = [parts.clips.rows[i] for i in data.numbers.tolist()]
    rng = np.random.default_rng([profile.seed, 4])
    order = [int(i) for i in rng.permutation(len(rows)) if rows[i]["factors"].get("modality") in KINDS]
    web, ours = order[::2], order[1::2]
    taught = [i for i in ours if sources.category(rows[i]["factors"]["modality"]) == TAUGHT]
    titles = {i: sources.title(rows[i]["factors"], rng) for i in order}
    texts = {"web": (web, titles), "captions": (ours, None), "titles": (ours, titles), "teaching": (taught, None)}
    return {name: told(data, chosen, [words[i] if words else rows[i]["brief"] for i in chosen], parts)
            for name, (chosen, words) in texts.items()}, parts


def told(data, chosen, texts, parts):
    """The clips numbered `chosen` of a TrainingSet with other texts, for flow matching alone."""
    import torch

    from ..generate.data import TrainingSet
    from ..generate.text import SHORT, encode_captions

    text, nothing = encode_captions(parts.text_encoder, parts.tokenizer, texts, SHORT), torch.zeros(len(chosen), 1)
    return TrainingSet(data.latents[chosen], {"brief": text}, {"brief": nothing}, {"brief": nothing},
                       torch.zeros(len(chosen), data.latents.shape[2], 1), data.numbers[chosen], {"brief": torch.zeros_like(text[:1])})


def recipe_of(profile, **changes):
    """The TinyRecipe of the base: flow matching on brief texts, no alignment of any kind."""
    from ..generate.train import TinyRecipe

    sizes = profile.transfer
    return TinyRecipe(**{"dim": sizes.dim, "layers": sizes.layers, "batch": sizes.batch, "max_steps": sizes.base_steps, "minutes": 0,
                         "repa": 0, "knowledge": 0, "detailed": 0, "first_frame": 0, "seed": profile.seed} | changes)


def train_base(out, inputs, profile, say=print):
    """Train the base in `out`/base on titles and save its pipeline there, with the training sets of the others beside it; its figures."""
    from ..generate.stage import assemble
    from ..generate.train import train

    sets, parts = material(inputs["align"], inputs["generate"], profile)
    folder = Path(out) / BASE
    folder.mkdir(exist_ok=True)
    for name in TRAININGS.values():
        sets[name].save(folder / f"{name}.safetensors")
    denoiser, figures = train(sets["web"], None, recipe_of(profile), folder, say)
    assemble(parts, denoiser).save_pretrained(folder / "pipeline")
    made = {"steps": figures["steps"], "seconds": figures["train_seconds"], "clips": len(sets["web"]), "parameters": figures["parameters"]}
    write_text(folder / "made.json", json.dumps(made))
    return made


def trained_further(out, name, profile):
    """Train the base further as TRAININGS[name] says (BASE: not at all), answer all prompts; its figures, also in row.json."""
    from ..generate import load_pipeline
    from ..generate.sample import generate_clips, key_frames

    folder, pipe = Path(out) / place(name), load_pipeline(Path(out) / BASE / "pipeline")
    folder.mkdir(exist_ok=True)
    row = (json.loads((folder / "made.json").read_text(encoding="utf-8")) if name == BASE
           else fine_tune(pipe, Path(out) / BASE / f"{TRAININGS[name]}.safetensors", folder, profile))
    prompts = json.loads((Path(out) / "prompts.json").read_text(encoding="utf-8"))
    clips = generate_clips(pipe, [one["prompt"] for one in prompts], profile.generate, profile.seed)
    np.savez_compressed(folder / "frames.npz", frames=key_frames(clips))
    write_text(folder / "row.json", json.dumps(row))
    return row


def fine_tune(pipe, data, folder, profile):
    """LoRA on the transformer of `pipe` with the TrainingSet in the file `data`: the losses of `generate.tune`, the loop of
    `generate.loop`. The file of the LoRA lies in `folder`."""
    from ..generate import lora, loop, tune
    from ..generate.data import TrainingSet
    from ..generate.families import family_of
    from ..generate.train import draw_batch

    sizes, family, clips = profile.transfer, family_of(pipe), TrainingSet.load(data)
    recipe = recipe_of(profile, max_steps=sizes.steps, lr=sizes.lr, lora_rank=sizes.lora_rank, lora_targets=",".join(LORA), ema=0,
                       gradient_checkpointing=False)

    def draw(step, first, count):
        batch = draw_batch(clips, recipe, step, first, count)
        return {name: batch[name] for name in ("x0", "eps", "s")} | {"text": {"embeds": batch["text"]}}

    model = tune.Tuned(lora.attach(pipe.transformer, family, recipe), family, recipe)
    figures = loop.fit(model.train(), draw, lambda m, batch: tune.losses(m, batch, family, recipe), recipe, folder, lambda _: None)
    model.eval().cpu()
    lora.save(type(pipe), pipe.transformer, folder)
    return {"steps": figures["steps"], "seconds": figures["train_seconds"], "clips": len(clips), "parameters": figures["parameters"]}


def examined(examiner, sets, prompts, seed):
    """(rows of `per_prompt` for each set of clips, for real clips and for a guess; {model: Frechet distance to real clips, floor}).

    sets: {model: clips uint8 [N, 9, 32, 32, 3]} of N prompts. "real" in the rows is a second set of real clips, so that its likeness is
    that of one real clip with another of the same prompt.
    """
    factors = [row["factors"] for row in prompts]
    real, other = (sources.render(factors, 9_000_011 + 2 * seed + k, 9, 32) for k in (0, 1))
    seen = examiner.features(real)
    middle, spread = seen.mean(0), seen.std(0) + 1e-6
    scaled = {name: (examiner.features(clips) - middle) / spread for name, clips in (sets | {"real": other}).items()}
    goal, rows = (seen - middle) / spread, []
    for name, clips in (sets | {"real": other}).items():
        rows += per_prompt(name, examiner.judge(clips), prompts, alike(scaled[name], goal))
    rows += per_prompt("guess", marks.majority_guess(factors), prompts, [None] * len(prompts))
    found = {name: frechet.report(scaled[name], goal, scaled["real"]) for name in sets}
    return rows, {name: {key: one[key] for key in ("frechet", "floor", "kernel", "kernel_floor", "warning")} for name, one in found.items()}


def alike(first, second):
    """Cosine of each pair of feature rows [N, D], -1..1: how much a clip looks to the examiner like a real one of the same prompt."""
    return ((first * second).sum(1) / np.maximum(1e-9, np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))).tolist()


def per_prompt(model, judged, prompts, likeness):
    """One row per prompt: model, number, prompt, category, modality (1: it looks like its own kind, else 0), shares of right factors
    (share_right: all but the modality; appearance; motion), all_right (1: everything, the modality too), likeness (`alike`)."""
    factors, found = [row["factors"] for row in prompts], []
    decided = marks.decisions(judged, factors)
    for number, prompt in enumerate(prompts):
        own = [row for row in decided if row["clip"] == number]
        kinds = {name: [row["right"] for row in own if row["kind"] in kind] for name, kind in SHARES.items()}
        found.append({"model": model, "number": number, "prompt": prompt["prompt"], "category": prompt["category"],
                      "unseen": prompt["unseen"]} | {name: average(right) for name, right in kinds.items()}
                     | {"all_right": float(all(row["right"] for row in own)), "likeness": likeness[number]})
    return found


def models(rows, distances, made):
    """A row per model, then real clips and a guess: means of MEASURES over the prompts, distance to real clips, training."""
    out = []
    for name in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == name]
        means = {measure: average([row[measure] for row in own]) for measure in ("modality", *MEASURES)}
        out.append({"model": name, "clips": made.get(name, {}).get("clips"), "steps": made.get(name, {}).get("steps"),
                    "prompts": len(own)} | means | distances.get(name, {}))
    return out


def average(values):
    """Mean of the values that are not None; None when all are."""
    kept = [value for value in values if value is not None]
    return float(np.mean(kept)) if kept else None


def table4(rows, seed=0):
    """Tests of the pairs of models in TABLE4 on each of MEASURES: rows {"model", "beside", "measure"} | `tested`, Holm's p over all.
    Each model was trained once, so the tests speak of other prompts, not of another training."""
    return paired.holm([{"model": model, "beside": beside, "measure": measure} | tested(rows, model, beside, measure, seed)
                        for model, beside in TABLE4 for measure in MEASURES])


def table10(rows, seed=0):
    """What training on TAUGHT alone did, per category and for all others together: rows {"category", "trained", "measure", "verdict"} |
    `tested`, teaching clips beside the base, Holm's p over all. verdict: gained or lost where Holm's p is under 0.05, else not shown."""
    others = [name for name in dict.fromkeys(row["category"] for row in rows) if name != TAUGHT]
    groups = {TAUGHT: [TAUGHT]} | {name: [name] for name in others} | {"all others": others}
    found = paired.holm([{"category": group, "trained": group == TAUGHT, "measure": measure}
                         | tested([row for row in rows if row["category"] in names], "teaching clips", BASE, measure, seed)
                         for group, names in groups.items() for measure in TABLE10])
    return [row | {"verdict": "not shown" if row["p_holm"] is None or row["p_holm"] >= 0.05 else
                   "gained" if row["difference"] > 0 else "lost"} for row in found]


def tested(rows, model, beside, measure, seed=0):
    """Two models on the same prompts, two-tailed: means "before" (`beside`) and "after" (`model`), difference with its bootstrap interval
    (low, high), test, n, differ, p and note (McNemar for yes/no, else Wilcoxon; `paired`), and p_t, the paired t test of the paper."""
    after, before = ([row[measure] for row in rows if row["model"] == name] for name in (model, beside))
    cells = paired.together(after, before)[0]
    found = (paired.mcnemar if paired.is_binary(cells) else paired.wilcoxon)(after, before)
    return ({"before": average(before), "after": average(after)} | paired.difference(after, before, seed=seed)
            | {name: found[name] for name in ("test", "n", "differ", "p", "note")} | {"p_t": t_test(cells)})


def t_test(cells):
    """p of the paired t test, two-tailed, of pairs [N, 2]; None when there are too few pairs or all differ alike."""
    from scipy.stats import ttest_rel

    change = cells[:, 0] - cells[:, 1]
    return float(ttest_rel(*cells.T).pvalue) if len(change) > 1 and np.ptp(change) > 0 else None


def in_words(rows):
    """What table 10 shows beyond chance, losses first."""
    def named(verdict):
        found = [f"{row['category']} ({row['measure'].replace('_', ' ')} {row['difference']:+.2f})" for row in rows
                 if row["verdict"] == verdict and row["category"] != "all others"]
        return ", ".join(found) or "nothing that so few prompts can show"

    return f"trained on {TAUGHT} alone: lost {named('lost')}; gained {named('gained')}"
