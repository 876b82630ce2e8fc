"""The cards of other people's datasets (table 1 of the paper) and of the checkpoints that the lessons can load. They need no run."""

import functools
import re

from course.tools import card_check, card_facts
from course.tools.card_facts import Sources

OWN = ("MedVideoCap-55K", "medgen-kit-samples", "MedGen-tiny")               # cards that have a template of their own
TAGS = ("medical", "video", "card-for-teaching", "not-for-clinical-use")
UNITS = {"s": "s", "m": "min"}
PARTS = {"transformer": "Transformer", "vae": "VAE", "text_encoder": "Text encoder", "text_encoder_2": "Second text encoder"}


def names(templates, kind):
    """The cards of `kind` ("datasets" or "models") that are made from facts alone."""
    return [name for name in card_facts.read(templates, kind)["cards"] if name not in OWN]


def dataset_card(templates, name, paper, picture):
    """The text of the card of one dataset of table 1. paper: `cards.paper_tables`. picture: Markdown of the picture of table 1."""
    known = card_facts.read(templates, "datasets")
    row = table1_row(paper, name)
    card = card_facts.filled(known["cards"][name], row_fields(row), f"datasets.yaml, {name}")
    sources = Sources(known["sources"])
    about = card_facts.bullets(card["about"], sources)
    front = front_matter("dataset", name, card["hub"], size_categories=[card_check.size_category(row["videos"])])
    fields = {"front_matter": front, "title": name, "about": about, "row": row_table(row), "picture_table1": picture,
              "rights": card_facts.rights(card, sources)}
    return card_facts.fill((templates / "dataset.md").read_text(encoding="utf-8"), fields, "data_cards/templates/dataset.md")


def checkpoint_card(templates, name, paper, picture):
    """The text of the card of one checkpoint, or of a group of networks. picture: Markdown of the picture of table 2."""
    known = card_facts.read(templates, "models")
    card = known["cards"][name]
    sizes = {each: count(each) for each in card.get("models", ())}
    fields = {f"{re.sub(r'[^a-z0-9]', '_', each)}_{part}": spoken(number)
              for each, parts in sizes.items() for part, number in parts.items()}
    card = card_facts.filled(card, fields, f"models.yaml, {name}")
    sources = Sources(known["sources"])
    about = [card.get("about", ""), "\n".join(describe(each, sources) for each in sizes)]
    about += [size_table(sizes)] if sizes else []
    about += [score_table(card["rows"], paper, sources), picture] if card["rows"] else []
    about += [part_table(card["parts"], sources)] if card.get("parts") else []
    fields = {"front_matter": front_matter("model", name, card["hub"]), "title": name, "about": "\n\n".join(filter(None, about)),
              "rights": card_facts.rights(card, sources)}
    return card_facts.fill((templates / "checkpoint.md").read_text(encoding="utf-8"), fields, "data_cards/templates/checkpoint.md")


def front_matter(kind, name, hub, **more):
    """The YAML of a card as the Hub reads it."""
    from huggingface_hub import DatasetCardData, ModelCardData

    hub = {key: value for key, value in hub.items() if key != "tags"} | {"tags": [*TAGS, *hub.get("tags", [])], "language": "en"} | more
    if kind == "dataset":
        return DatasetCardData(pretty_name=f"{name} (a card for teaching)", **hub).to_yaml().strip()
    return ModelCardData(**hub).to_yaml().strip()


def table1_row(paper, name):
    """The row of table 1 that carries the name of a dataset."""
    return next(row for row in paper["table1_datasets"] if row["dataset"] == name)


def row_fields(row):
    """The cells of a row of table 1 as fields for facts."""
    return {"videos": f"{row['videos']:,}", "mean_length": length(row["mean_length"]), "resolution": f"{row['resolution']} pixels"}


def length(printed):
    """ "62m" -> "62 min", "4s" -> "4 s". """
    return f"{printed[:-1]} {UNITS[printed[-1]]}"


def seconds(printed):
    """ "62m" -> 3720. """
    return float(printed[:-1]) * {"s": 1, "m": 60}[printed[-1]]


def row_table(row):
    words = f"{row['mean_caption_words']:g} words on average" if row["mean_caption_words"] else "none: category labels"
    cells = {"Videos": f"{row['videos']:,}", "Mean length": length(row["mean_length"]), "Picture": f"{row['resolution']} pixels",
             "Text": words, "Categories": row["categories"].replace(";", ", ")}
    return table(list(cells), [list(cells.values())])


@functools.cache
def count(name):
    """{part: parameters} of a published model, counted on the meta device over the classes that the kit loads."""
    from medgen_kit.generate import models

    return {part: sum(weight.numel() for weight in models.build(name, part).parameters()) for part in models.model(name).parts}


def spoken(number):
    """1418996800 -> "1.42 billion"."""
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.0f} million"


def describe(name, sources):
    """One line on a model of `medgen_kit.generate.models`: from where it is loaded and what it was made for."""
    from medgen_kit.generate import models

    model = models.model(name)
    return (f"- `{name}`: {model.about}. Loaded from `{model.repo}`. Made for {model.frames} frames of "
            f"{model.width}x{model.height} pixels, {model.fps} a second; "
            f"{model.num_inference_steps} steps, guidance {model.guidance_scale:g}.{sources.mark('kit')}")


def size_table(sizes):
    parts = [part for part in PARTS if any(part in counts for counts in sizes.values())]
    rows = [[f"`{name}`", *(spoken(counts[part]) if part in counts else "" for part in parts), spoken(sum(counts.values()))]
            for name, counts in sizes.items()]
    return table(["Parameters", *(PARTS[part] for part in parts), "All"], rows) + "\n\nCounted over the classes that the kit loads."


def score_table(rows, paper, sources):
    """What the paper measured of a model: Med-VBench (table 2) and VideoScore (table 8)."""
    score = {row["model"]: row["total"] for row in paper["table8_videoscore"]}
    lines = [[row["model"], *(f"{row[key]:.2f}" for key in ("total", "imaging_quality", "motion_smoothness", "warping_error")),
              f"{score[row['model']]:.2f}"] for row in paper["table2_med_vbench"] if row["model"] in rows]
    head = ["In the paper", "Med-VBench total", "Imaging quality", "Motion smoothness", "Warping error (%)", "VideoScore total"]
    return table(head, lines) + ("\n\nTables 2 and 8 of the paper; warping error is the share of clips that people rejected."
                                 f"{sources.mark('paper')}")


def part_table(parts, sources):
    return table(["Network", "Loaded from", "For", "Licence"],
                 [[name, f"`{place}`", use, licence + sources.mark(key)] for name, place, use, licence, key in parts])


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
