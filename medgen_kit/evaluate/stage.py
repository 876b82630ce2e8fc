"""The stage `evaluate`: trains the examiner, marks the generated clips beside real ones and a guess, and tests the metrics too."""

import json

import numpy as np

from .. import sources
from ..clip import read_folder, write_csv, write_text
from ..errors import KitError
from ..machine import use_threads
from .result import aggregate
from . import backbones, clinical, controls, frechet, marks, metrics, scorer

FPS = 8                                # of the course's clips


def build(work):
    """Reads stages `sample`, `generate` (tokenizer) and `align` (concept head).

    Writes scorer/, marks.json, scores.csv, decisions.csv, controls.csv, metrics.json, concepts.json, real.npz.
    """
    sizes, seed = work.profile, work.profile.seed
    use_threads(sizes.generate.threads)
    frames, prompts = generated(work.inputs["sample"])
    factors, unseen = [row["factors"] for row in prompts], [row["unseen"] for row in prompts]
    steps = sizes.evaluate.scorer_steps
    examiner = scorer.train(steps, seed, clips=min(4000, 64 * steps), say=work.say)
    examiner.save(work.out / "scorer")
    real, other = (sources.render(factors, 8_000_009 + 2 * seed + k, frames.shape[1], frames.shape[2]) for k in (0, 1))
    np.savez_compressed(work.out / "real.npz", frames=real)
    sets = {"generated": frames, "real": real, "real through the tokenizer": through_tokenizer(work, real)}
    judged = {name: examiner.judge(clips) for name, clips in sets.items() if clips is not None} | {"guess": marks.majority_guess(factors)}
    results = {name: marks.score(found, factors, unseen) for name, found in judged.items()}
    spread = {name: marks.intervals(found, factors, unseen) for name, found in judged.items()}
    write_text(work.out / "marks.json", json.dumps({"marks": results, "intervals": spread, "judged": judged}))
    work.say(f"appearance {results['generated']['appearance']:.3f}, motion {results['generated']['motion']:.3f} (real "
             f"{results['real']['appearance']:.3f}, {results['real']['motion']:.3f}; guess {results['guess']['motion']:.3f})")
    networks = backbones.load(sizes.evaluate.backbone, str(work.inputs["align"]), sizes.evaluate.weights or None)
    asked = [row["prompt"] for row in prompts]
    measured = {name: [metrics.measure(clip, FPS, text, networks) for clip, text in zip(sets[name], asked)]
                for name in ("generated", "real")}
    distance = frechet.report(*(examiner.features(clips) for clips in (frames, real, other)))
    write_text(work.out / "metrics.json", json.dumps({name: summary(rows) for name, rows in measured.items()} | {
        "frechet": distance, "settings": {name: result.settings for name, result in measured["real"][0].items()}}))
    write_tables(work, prompts, judged["generated"], factors, [metrics.values(row) for row in measured["generated"]])
    some = np.linspace(0, len(real) - 1, max(4, min(24, len(real) // 5))).astype(int)
    seen = controls.examine(real[some], standard_metrics(networks, examiner, [factors[i] for i in some]), (*controls.WORDS,), seed)
    write_csv(work.out / "controls.csv", seen)
    concepts = concept_rows(work, {"generated": frames, "real": real}, asked)
    write_text(work.out / "concepts.json", json.dumps(concepts))
    tiny = {group: results["generated"][group] for group in marks.GROUPS}
    beside = {name: {group: results[name][group] for group in marks.GROUPS} for name in ("real", "guess")}
    work.run.report("tiny", **tiny, **beside, intervals=spread["generated"], prompts=len(prompts), unseen=int(sum(unseen)),
                    per_factor=results["generated"]["per_factor"], train_seconds=work.run.figures("generate").get("train_seconds"))
    return tiny | {"prompts": len(prompts), "frechet": distance["frechet"], "frechet_floor": distance["floor"], "scorer_steps": steps,
                   "real_appearance": results["real"]["appearance"], "real_motion": results["real"]["motion"], **{
                       f"concepts_{name}": rows[-1]["balanced"] for name, rows in concepts.items()}}


def generated(folder):
    """(frames uint8 [N, T, S, S, 3], rows {"prompt", "factors", "unseen"}) of a finished stage `sample`."""
    clips = read_folder(folder)
    with np.load(folder / "frames.npz") as arrays:
        frames = arrays["frames"]
    if len(frames) != len(clips):
        raise KitError(f"{folder}: frames.npz holds {len(frames)} clips, metadata.jsonl {len(clips)}. "
                       "Delete the folder and run lesson 06 again.")
    return frames, [{"prompt": c.extra["prompt"], "factors": c.factors, "unseen": bool(c.extra["unseen"])} for c in clips]


def through_tokenizer(work, real):
    """Real clips encoded and decoded by MedGen-tiny's tokenizer: the best a generator with it can do. None for others."""
    import torch

    from ..generate import load_pipeline
    if work.profile.sample.as_dict().get("base_model"):
        return None
    vae = load_pipeline(work.inputs["generate"] / "pipeline").vae
    with torch.no_grad():
        pictures = vae.decode(vae.encode(torch.as_tensor(real))).float().cpu().numpy()
    return (pictures * 255).round().clip(0, 255).astype(np.uint8)


def summary(rows):
    """{metric: {"value", "low", "high", "n", "missing"}} over the clips of one set."""
    return {name: aggregate([row[name] for row in rows]) for name in rows[0]}


def standard_metrics(networks, examiner, factors):
    """What the controls are tried on: VBench's formulas, measures by flow, and how the prompt was followed, by the examiner."""
    names = tuple(name for name in metrics.names_for(networks.name) if metrics.BETTER[name])

    def measured(clips):
        return [metrics.values(metrics.measure(clip, FPS, None, networks, names)) for clip in clips]

    def follows(kind):
        def right(clips):
            rows = marks.decisions(examiner.judge(clips), factors)
            share = {}
            for row in rows:
                if row["kind"] == kind:
                    share.setdefault(row["clip"], []).append(row["right"])
            return [float(np.mean(share[i])) if i in share else None for i in range(len(clips))]
        return right

    return {names: (measured, metrics.BETTER), "prompt: appearance": (follows("appearance"), 1), "prompt: motion": (follows("motion"), 1)}


def concept_rows(work, sets, prompts):
    """Concept marks of each set of clips by the head of stage `align`."""
    found = {}
    for name, clips in sets.items():
        found[name] = clinical.concept_marks(*clinical.read_concepts(work.inputs["align"], clips, prompts))
    return found


def write_tables(work, prompts, judged, factors, measured):
    """scores.csv (one row per clip) and decisions.csv (one row per factor that a prompt asked for)."""
    rows = marks.decisions(judged, factors, [row["unseen"] for row in prompts])
    said = [{"asked": factors[row["clip"]][row["factor"]], "read": judged[row["clip"]].get(row["factor"], "")} for row in rows]
    write_csv(work.out / "decisions.csv", [row | words for row, words in zip(rows, said)])
    per_clip = []
    for number, prompt in enumerate(prompts):
        own = [row for row in rows if row["clip"] == number]
        per_clip.append({"clip": number, "prompt": prompt["prompt"], "unseen": prompt["unseen"], "modality": factors[number]["modality"],
                         "right": sum(row["right"] for row in own), "asked": len(own), "mark": mark(factors[number], judged[number])}
                        | measured[number])
    write_csv(work.out / "scores.csv", per_clip)


def mark(asked, found):
    """ "right", or "wrong: ..." with what was asked and what the examiner reads, for the titles of a sheet."""
    if found.get("modality") != asked["modality"]:
        return f"wrong: looks like {found.get('modality')}"
    wrong = [f"{name.split('.')[1].replace('_', ' ')} {value}, reads {found.get(name)}"
             for name, value in asked.items() if found.get(name) != value]
    return "wrong: " + "; ".join(wrong) if wrong else "right"
