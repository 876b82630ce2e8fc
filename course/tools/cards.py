"""Writes the data cards: numbers and pictures of a finished run and of the paper's tables, put into the texts of data_cards/templates/.

    python course/tools/cards.py --run cpu

What the cards quote is kept beside them in figures/figures.json, so that the same cards can be made again without the run.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import card_check, card_pictures                        # noqa: E402
from course.tools.card_pictures import GROUPS, share                      # noqa: E402
from medgen_kit.clip import read_folder, write_text                       # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402
from medgen_kit.run import runs_root                                      # noqa: E402

CARDS = ROOT / "data_cards"
KINDS = {"MedVideoCap-55K": "dataset", "medgen-kit-samples": "dataset", "MedGen-tiny": "model"}
NEEDED = {                       # section of report.json: (what the cards quote of it, what makes it)
    "sources": (("clips", "simulated", "real", "combinations", "held_out"), "notebook 01"),
    "align": (("recall_at_1", "recall_at_5", "chance_at_1", "chance_at_5", "test_clips"), "notebook 04"),
    "generate": (("train_seconds", "steps", "parameters"), "notebook 05"),
    "ablation": (("rows", "steps"), "notebook 05"),
    "tiny": ((*GROUPS, "real", "guess", "prompts", "unseen", "train_seconds", "per_factor"), "notebook 07"),
    "augment": (("table", "seeds", "real_clips", "extra_clips", "test_clips"), "notebook 08")}


def write_cards(run_folder, out=CARDS, force=False):
    """Write the three cards and their pictures into `out`; returns the paths of the cards.

    run_folder: a run in which the whole course has finished (its report.json, and the clips of stage `sources`).
    force: let a run of another profile than cpu replace the committed cards.
    Raises KitError that names the notebook to run for a figure that is not there, or what is wrong with a card.
    """
    figures = gather(run_folder)
    profile = figures["run"]["profile"]
    if profile != "cpu" and Path(out).resolve() == CARDS and not force:
        raise KitError(f"{run_folder} was made on profile '{profile}', but the cards in data_cards/ quote a run on profile cpu. "
                       "Give --out another folder, or --force to replace them.")
    return write(figures, out)


def write(figures, out=CARDS):
    """The second half of `write_cards`: from figures to files. Nothing is written when a card is not valid."""
    out = Path(out)
    texts, pictures = render(figures)
    for name, text in texts.items():
        wrong = card_check.problems(text, KINDS[name])
        if wrong:
            raise KitError(f"the card {name} is not valid: {'; '.join(wrong)}. Mend data_cards/templates/{name}.md.")
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for name, data in pictures.items():
        part = out / "figures" / f".{name}.part"
        part.write_bytes(data)
        os.replace(part, out / "figures" / name)
    write_text(out / "figures" / "figures.json", json.dumps(figures, indent=1, sort_keys=True) + "\n")
    for name, text in texts.items():
        write_text(out / f"{name}.md", text)
    return [out / f"{name}.md" for name in texts]


def gather(run_folder):
    """Everything the cards quote of a run: {"run", "report", "samples"}, JSON values only."""
    folder = Path(run_folder)
    if not (folder / "report.json").is_file():
        raise KitError(f"{folder} holds no report.json. Run the course into it first: make course NAME={folder.name}.")
    whole = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    report = {}
    for section, (keys, maker) in NEEDED.items():
        for key in keys:
            if whole.get(section, {}).get(key) is None and key != "motion_unseen":
                raise KitError(f"{folder / 'report.json'} has no figure {section}.{key}. {maker[0].upper() + maker[1:]} makes it: "
                               "run that for this run, then write the cards again.")
        report[section] = {key: whole[section].get(key) for key in (*keys, "intervals") if key in whole[section]}
    clips = read_folder(folder / "sources")
    if len(clips) != report["sources"]["clips"]:
        raise KitError(f"{folder / 'sources'} holds {len(clips)} clips, report.json says {report['sources']['clips']}. "
                       "Run notebook 01 again.")
    manifest, stamp = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("generate/manifest.json", "stamp.json"))
    wanted = ("profile", "seed", "version", "process_peak_mib")
    if not set(wanted) <= set(manifest):
        raise KitError(f"{folder / 'generate'} was made by another version of the kit. Run notebook 05 again, then write the cards.")
    run = {key: manifest[key] for key in wanted}
    return {"run": run | {key: stamp["machine"][key] for key in ("cores", "gpu")}, "report": report, "samples": describe_samples(clips)}


def describe_samples(clips):
    """What the card of the samples says about a list of clips, counted from their records."""
    sources, factors = {}, {}
    for clip in clips:
        name = clip.source.split(":")[0] if clip.source.startswith("pydicom") else clip.source
        row = sources.setdefault(name, {"source": name, "licences": Counter(), "train": 0, "val": 0, "test": 0})
        row[clip.split] += 1
        row["licences"][clip.licence] += 1
        for factor, value in clip.factors.items():
            if factor != "modality":
                factors.setdefault(factor, Counter())[str(value)] += 1
    held_out = [bool(clip.extra.get("held_out")) for clip in clips]
    combos = {json.dumps(clip.factors, sort_keys=True): held for clip, held in zip(clips, held_out) if clip.factors}
    categories = Counter(clip.video_category for clip in clips)
    words = [sum(len(getattr(clip, kind).split()) for clip in clips) for kind in ("brief_caption", "detailed_caption")]
    return {"sources": sorted(sources.values(), key=lambda row: (-row["train"] - row["val"] - row["test"], row["source"])),
            "factors": {name: dict(sorted(found.items())) for name, found in sorted(factors.items())},
            "combinations": len(combos), "held_out": sum(combos.values()), "held_out_clips": sum(held_out),
            "stills": sum(clip.camera_motion_type == "still image" for clip in clips),
            "splits": dict(Counter(clip.split for clip in clips)), "categories": dict(sorted(categories.items())),
            "synthetic": sum(bool(clip.extra.get("synthetic")) for clip in clips),
            "sizes": dict(Counter(f"{clip.resolution} pixels, {clip.fps:g} frames a second" for clip in clips).most_common(3)),
            "seconds": [round(f(clip.duration for clip in clips), 3) for f in (min, max)],
            "words": [round(count / len(clips)) for count in words]}


def render(figures):
    """({card: text}, {picture: PNG bytes}) of gathered figures. The same figures give the same texts."""
    paper = paper_tables()
    drawn = {"categories.png": card_pictures.categories(paper["fig5_categories"]),
             "funnel.png": card_pictures.funnel(paper["fig4_filter_funnel"]),
             "samples.png": card_pictures.sources(figures["samples"]["sources"]),
             "results.png": card_pictures.results(figures["report"]["tiny"])}
    fields = paper_fields(paper) | sample_fields(figures) | model_fields(figures)
    fields |= {f"picture_{name[:-4]}": f"![{alt}](figures/{name})" for name, (_, alt) in drawn.items()}
    return {name: fill(name, fields) for name in KINDS}, {name: data for name, (data, _) in drawn.items()}


def fill(name, fields):
    """The template of a card with every {{field}} replaced."""
    text = (CARDS / "templates" / f"{name}.md").read_text(encoding="utf-8")

    def value(match):
        if match[1] not in fields:
            raise KitError(f"data_cards/templates/{name}.md asks for the field '{match[1]}'. There are: {', '.join(sorted(fields))}.")
        return str(fields[match[1]])
    return re.sub(r"\{\{ *(\w+) *\}\}", value, text)


def paper_tables():
    """The paper's tables that the cards quote, as lists of dicts (numbers as numbers, an empty cell as None)."""
    import pandas as pd

    files = [CARDS / "paper" / f"{name}.csv" for name in ("fig4_filter_funnel", "fig5_categories", "table1_datasets")]
    files.append(CARDS / "templates" / "paper_facts.csv")
    tables = {path.stem: pd.read_csv(path, dtype={"removed": "Int64"}).astype(object) for path in files}
    return {name: rows.where(rows.notna(), None).to_dict("records") for name, rows in tables.items()}


def paper_fields(paper):
    """Fields of the MedVideoCap-55K card."""
    ours = next(row for row in paper["table1_datasets"] if row["dataset"] == "MedVideoCap-55K")
    funnel = paper["fig4_filter_funnel"]
    rows = [[row["stage"], "" if row["removed"] is None else f"{row['removed']:,}", f"{row['remaining']:,}",
             "" if row["removed"] is None else f"{100 * row['removed'] / (row['removed'] + row['remaining']):.1f} %"] for row in funnel]
    return {row["fact"]: row["value"] for row in paper["paper_facts"]} | {
        "mvc_clips": f"{ours['videos']:,}", "mvc_length": str(ours["mean_length"]).replace("s", " s"),
        "mvc_words": int(ours["mean_caption_words"]), "mvc_resolution": ours["resolution"],
        "mvc_size": card_check.size_category(ours["videos"]),
        "mvc_start": f"{funnel[0]['remaining']:,}", "mvc_kept": f"{100 * funnel[-1]['remaining'] / funnel[0]['remaining']:.1f}",
        "mvc_categories": table(["Category", "Share"], [[row["category"], f"{row['percent']:.2f} %"] for row in paper["fig5_categories"]]),
        "mvc_funnel": table(["Filter", "Removed", "Left", "Removed of what came in"], rows)}


def sample_fields(figures):
    """Fields of the card of our own sample clips."""
    samples, report = figures["samples"], figures["report"]["sources"]
    modalities = {}
    for name, counts in samples["factors"].items():
        modalities.setdefault(name.split(".")[0], []).append([f"`{name}`", ", ".join(counts), f"{sum(counts.values()):,}"])
    sources = [[row["source"], *(f"{row[split]:,}" for split in ("train", "val", "test")), "; ".join(sorted(row["licences"]))]
               for row in samples["sources"]]
    return {"clips": f"{report['clips']:,}", "simulated": f"{report['simulated']:,}", "real": f"{report['real']:,}",
            "combinations": samples["combinations"], "held_out": samples["held_out"], "held_out_clips": f"{samples['held_out_clips']:,}",
            "held_out_percent": f"{100 * samples['held_out'] / samples['combinations']:.0f}", "stills": samples["stills"],
            "synthetic": f"{samples['synthetic']:,}", "samples_size": card_check.size_category(report["clips"]),
            "splits": ", ".join(f"{name} {samples['splits'].get(name, 0):,}" for name in ("train", "val", "test")),
            "formats": table(["Commonest formats", "Clips"], [[name, f"{count:,}"] for name, count in samples["sizes"].items()]),
            "length": " to ".join(f"{seconds:g}" for seconds in sorted(set(samples["seconds"]))), "brief_words": samples["words"][0],
            "detailed_words": samples["words"][1], "modalities": ", ".join(modalities), "modality_count": len(modalities),
            "factor_table": table(["Factor", "Values", "Clips"], [row for rows in modalities.values() for row in rows]),
            "source_table": table(["Source", "Train", "Val", "Test", "Licence"], sources),
            "category_table": table(["Category", "Clips"], [[name, f"{count:,}"] for name, count in samples["categories"].items()])}


def model_fields(figures):
    """Fields of the MedGen-tiny card."""
    report, run = figures["report"], figures["run"]
    tiny, align, augment = report["tiny"], report["align"], report["augment"]
    spread = tiny.get("intervals") or {}
    between = {name: "–" if name not in spread else f"{spread[name][0]:.3f} to {spread[name][1]:.3f}" for name in GROUPS}
    results = [[word, share(tiny[name]), between[name], share(tiny["real"].get(name)), share(tiny["guess"].get(name))]
               for name, word in GROUPS.items()]
    weak = sorted(((value, name) for name, value in tiny["per_factor"].items()), key=lambda pair: (pair[0], pair[1]))[:5]
    ablation = [[row["training"], *(share(row.get(name)) for name in GROUPS)] for row in report["ablation"]["rows"]]
    ablation += [[f"({word})", *(share(tiny[beside].get(name)) for name in GROUPS)]
                 for word, beside in (("real clips", "real"), ("a guess", "guess"))]
    gains = [[row["task"], row["arm"], share(row["accuracy"]), "" if row["low"] is None else f"{row['difference']:+.3f}",
              "" if row["low"] is None else f"{row['low']:+.3f} to {row['high']:+.3f}"] for row in augment["table"]]
    return {"parameters": f"{report['generate']['parameters'] / 1e6:.2f} million", "steps": f"{report['generate']['steps']:,}",
            "train_minutes": f"{report['generate']['train_seconds'] / 60:.1f}", "peak_memory": f"{run['process_peak_mib'] / 1024:.1f}",
            "profile": run["profile"], "seed": run["seed"], "version": run["version"],
            "machine": f"{run['cores']} CPU cores" + (f" and one {run['gpu']}" if run["gpu"] else ""),
            "prompts": tiny["prompts"], "unseen": tiny["unseen"], "model_index": model_index(tiny),
            "result_table": table(["Factors", "MedGen-tiny", "95 % interval", "Real clips", "Majority guess"], results),
            "weak_table": table(["Weakest factors", "Share right"], [[f"`{name}`", share(value)] for value, name in weak]),
            "ablation_table": table(["Training", *(word.capitalize() for word in GROUPS.values())], ablation),
            "ablation_steps": report["ablation"]["steps"], "test_clips": align["test_clips"],
            "retrieval_table": table(["Retrieval", "Text and video towers", "Chance"],
                                     [[f"recall@{k}", share(align[f"recall_at_{k}"]), share(align[f"chance_at_{k}"])] for k in (1, 5)]),
            "augment_table": table(["Task", "Training set", "Accuracy", "Change", "95 % interval"], gains),
            **{f"augment_{key}": augment[key] for key in ("seeds", "real_clips", "extra_clips", "test_clips")}}


def model_index(tiny):
    """The YAML block `model-index` with one result for each group of factors."""
    from huggingface_hub import EvalResult, ModelCardData

    what = {"task_type": "text-to-video", "dataset_type": "medgen-kit-samples", "dataset_name": "MedGen Kit prompts"}
    results = [EvalResult(**what, metric_type="accuracy", metric_name=name, metric_value=round(tiny[name], 4))
               for name in GROUPS if tiny[name] is not None]
    data = ModelCardData(model_name="MedGen-tiny", eval_results=results)
    return data.to_yaml()


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="example: python course/tools/cards.py --run cpu")
    parser.add_argument("--run", default="cpu", help="name of a finished run under runs/ (default: cpu)")
    parser.add_argument("--out", default=CARDS, type=Path, help="folder of the cards (default: data_cards)")
    parser.add_argument("--force", action="store_true", help="replace the cards in data_cards/ even from a run of another profile than cpu")
    given = parser.parse_args(arguments)
    try:
        for path in write_cards(runs_root() / given.run, given.out, given.force):
            print(f"wrote {path}")
    except KitError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
