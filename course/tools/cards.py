"""Writes the data cards: numbers and pictures of a finished run and of the paper's tables, put into the texts of data_cards/templates/.

    make cards                               (or python course/tools/cards.py --run cpu)

What the cards quote of a run is kept beside them in figures/figures.json, so that all cards can be made again without the run.
"""

import argparse
import hashlib
import inspect
import json
import os
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import card_check, card_facts, card_others, card_pictures, croissant           # noqa: E402
from course.tools.card_others import table                                # noqa: E402
from course.tools.card_pictures import GROUPS, share                      # noqa: E402
from medgen_kit.clip import read_folder, write_text                       # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402
from medgen_kit.run import runs_root                                      # noqa: E402

CARDS = ROOT / "data_cards"
TEMPLATES = CARDS / "templates"
OURS = {"MedVideoCap-55K": "dataset", "medgen-kit-samples": "dataset", "MedGen-tiny": "model"}       # with a template of their own
KINDS = OURS | {name: kind for table_of, kind in (("datasets", "dataset"), ("models", "checkpoint"))
                for name in card_others.names(TEMPLATES, table_of)}
TABLES = ("fig4_filter_funnel", "fig5_categories", "table1_datasets", "table2_med_vbench", "table8_videoscore")
NEEDED = {                       # section of report.json: (what the cards quote of it, what makes it)
    "sources": (("clips", "simulated", "real", "combinations", "held_out"), "notebook 01"),
    "align": (("recall_at_1", "recall_at_5", "chance_at_1", "chance_at_5", "test_clips"), "notebook 04"),
    "generate": (("train_seconds", "steps", "parameters"), "notebook 05"),
    "ablation": (("rows", "steps"), "notebook 05"),
    "tiny": ((*GROUPS, "real", "guess", "prompts", "unseen", "train_seconds", "per_factor"), "notebook 07"),
    "augment": (("table", "seeds", "real_clips", "extra_clips", "test_clips"), "notebook 08")}


def write_cards(run_folder, out=CARDS, force=False):
    """Write the cards, their pictures and their Croissant files into `out`; returns the paths of the cards.

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
    """The second half of `write_cards`: from figures to files. Nothing is written when a card or a Croissant file is not valid."""
    out = Path(out)
    texts, pictures, documents = render(figures)
    for name, text in texts.items():
        if wrong := card_check.problems(text, KINDS[name]):
            raise KitError(f"the card {name} is not valid: {'; '.join(wrong)}. Mend data_cards/templates/{template_of(name)}.")
    for name, found in documents.items() if croissant.installed() else ():
        if wrong := croissant.problems(found):
            raise KitError(f"the Croissant file of {name} is not valid: {'; '.join(wrong)}. Mend data_cards/templates/datasets.yaml.")
    for name, data in pictures.items():
        write_bytes(out / "figures" / name, data)
    write_text(out / "figures" / "figures.json", json.dumps(figures, indent=1, sort_keys=True) + "\n")
    write_text(out / "figures" / "pictures.json", json.dumps(marks(figures, pictures), indent=1, sort_keys=True) + "\n")
    for name, found in documents.items():
        write_text(out / "croissant" / f"{name}.json", croissant.text(found))
    for name, text in texts.items():
        write_text(out / f"{name}.md", text)
    write_text(out / "README.md", index(texts))
    return [out / f"{name}.md" for name in texts]


def write_bytes(path, data):
    """Write a picture whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)


def marks(figures, pictures):
    """{picture: {"drawn_from": hash of its numbers and of the code that draws it, "file": hash of the PNG}}.

    A test compares both with what lies there: PNG bytes differ between versions of matplotlib, these hashes do not.
    """
    code = inspect.getsource(card_pictures)
    numbers = {name: hashlib.sha256((code + json.dumps(data, sort_keys=True, default=str)).encode()).hexdigest()
               for name, data in picture_data(figures, paper_tables()).items()}
    return {name: {"drawn_from": numbers[name], "file": hashlib.sha256(data).hexdigest()} for name, data in pictures.items()}


def template_of(name):
    """The file of data_cards/templates/ in which the words of a card stand."""
    return f"{name}.md" if name in OURS else "datasets.yaml" if KINDS[name] == "dataset" else "models.yaml"


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
    """({card: text}, {picture: PNG bytes}, {dataset: Croissant document}) of gathered figures. The same figures give the same texts."""
    paper = paper_tables()
    drawn = {name: getattr(card_pictures, name[:-4])(*data) for name, data in picture_data(figures, paper).items()}
    pictures = {f"picture_{name[:-4]}": f"![{alt}](figures/{name})" for name, (_, alt) in drawn.items()}
    fields = paper_fields(paper) | sample_fields(figures) | model_fields(figures) | pictures
    rights = {name: own_rights(name, fields) for name in OURS}
    texts = {name: fill(name, fields | {"rights": rights[name]}) for name in OURS}
    for name in KINDS:
        if name not in OURS:
            is_data = KINDS[name] == "dataset"
            make, picture = (card_others.dataset_card, "table1") if is_data else (card_others.checkpoint_card, "med_vbench")
            texts[name] = make(TEMPLATES, name, paper, pictures[f"picture_{picture}"])
    rows = {row["dataset"]: row for row in paper["table1_datasets"]}
    words = {name: fields | (card_others.row_fields(rows[name]) if name in rows else {}) for name in KINDS}
    documents = croissant.documents(TEMPLATES, words, rows, {row["fact"]: row["value"] for row in paper["paper_facts"]})
    return texts, {name: data for name, (data, _) in drawn.items()}, documents


def picture_data(figures, paper):
    """{picture: the arguments of the function of card_pictures that has its name}."""
    table1 = [{"dataset": row["dataset"], "videos": int(row["videos"]), "seconds": card_others.seconds(row["mean_length"]),
               "printed": card_others.length(row["mean_length"]), "captions": row["caption"] == "text captions"}
              for row in paper["table1_datasets"]]
    bench = [{key: row[key] for key in ("model", "total", "warping_error")} for row in paper["table2_med_vbench"]]
    loaded = sorted({row for card in card_facts.read(TEMPLATES, "models")["cards"].values() if card.get("models") for row in card["rows"]}
                    - {"MedGen"})                          # the paper's MedGen is not one of the published checkpoints
    return {"categories.png": [paper["fig5_categories"]], "funnel.png": [paper["fig4_filter_funnel"]],
            "samples.png": [figures["samples"]["sources"]], "results.png": [figures["report"]["tiny"]], "table1.png": [table1],
            "med_vbench.png": [bench, loaded]}


def own_rights(name, fields):
    """The section on rights of a card that has a template of its own."""
    known = card_facts.read(TEMPLATES, "models" if OURS[name] == "model" else "datasets")
    return card_facts.rights(card_facts.filled(known["cards"][name], fields, f"the facts of {name}"), card_facts.Sources(known["sources"]))


def fill(name, fields):
    """The template of a card with every {{field}} replaced."""
    return card_facts.fill((TEMPLATES / f"{name}.md").read_text(encoding="utf-8"), fields, f"data_cards/templates/{name}.md")


def index(texts):
    """data_cards/README.md: all cards with their licence, and what to know before one is used."""
    known = {kind: card_facts.read(TEMPLATES, kind)["cards"] for kind in ("datasets", "models")}
    rows = {"datasets": [], "models": []}
    for name in sorted(texts, key=str.lower):
        kind = "datasets" if KINDS[name] == "dataset" else "models"
        more = [f"[Croissant](croissant/{name}.json)"] if kind == "datasets" else []
        rows[kind].append([f"[{name}]({name}.md)", known[kind][name]["short"], *more])
    text = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    return card_facts.fill(text, {"datasets": table(["Dataset", "Licence, in short", "Machine-readable"], rows["datasets"]),
                                  "models": table(["Model", "Licence, in short"], rows["models"])}, "data_cards/templates/README.md")


def paper_tables():
    """The paper's tables that the cards quote, as lists of dicts (numbers as numbers, an empty cell as None)."""
    import pandas as pd

    files = [*(CARDS / "paper" / f"{name}.csv" for name in TABLES), TEMPLATES / "paper_facts.csv"]
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


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="example: python course/tools/cards.py --run cpu")
    parser.add_argument("--run", help="name of a finished run under runs/ (default: cpu; without it the figures of the last time)")
    parser.add_argument("--out", default=CARDS, type=Path, help="folder of the cards (default: data_cards)")
    parser.add_argument("--force", action="store_true", help="replace the cards in data_cards/ even from a run of another profile than cpu")
    given = parser.parse_args(arguments)
    kept, run = CARDS / "figures" / "figures.json", runs_root() / (given.run or "cpu")
    try:
        if given.run or (run / "report.json").is_file():
            paths = write_cards(run, given.out, given.force)
        else:
            print(f"There is no finished run at {run}: the numbers of our own clips and model stay those of the last run, from {kept}.\n"
                  "For new ones: make course, then make cards. The other cards quote the paper and public sources, and need no run.")
            paths = write(json.loads(kept.read_text(encoding="utf-8")), given.out)
    except KitError as error:
        sys.exit(str(error))
    for path in paths:
        print(f"wrote {path}")
    print(f"wrote {given.out / 'README.md'}, pictures and Croissant files" + ("" if croissant.installed() else
          "; the Croissant files were NOT validated: pip install -r requirements-cards.lock"))


if __name__ == "__main__":
    main()
