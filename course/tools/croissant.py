"""Croissant 1.0 metadata (JSON-LD) with the fields of responsible AI for the dataset cards, from the same facts as their text.

    found = croissant.documents(...)["HyperKvasir"]; croissant.problems(found)                # [] when mlcroissant takes it

`mlcroissant` (requirements-cards.lock) validates the documents and reads the records of those that have some.
"""

import importlib.util
import json
from pathlib import Path

from course.tools import card_facts
from course.tools.card_facts import NEVER, UNKNOWN, plain

CONFORMS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
NAMES = ("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
         "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
         "samplingRate", "separator", "source", "subField", "transform")
CONTEXT = {"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
           "rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo",
           **{name: f"cr:{name}" for name in NAMES}, "data": {"@id": "cr:data", "@type": "@json"},
           "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "examples": {"@id": "cr:examples", "@type": "@json"}}
TEXT, WHOLE, NUMBER = "sc:Text", "sc:Integer", "sc:Float"
LICENCES = {"cc-by-nc-nd-4.0": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
            "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/"}
CLIP = {"file_name": (TEXT, "path of the video, relative to metadata.jsonl"), "resolution": (TEXT, "width x height in pixels"),
        "video_name": (TEXT, "name of the clip"), "width": (WHOLE, "pixels"), "height": (WHOLE, "pixels"),
        "fps": (NUMBER, "frames a second"), "duration": (NUMBER, "seconds"), "bit_rate": (WHOLE, "bits a second"),
        "video_category": (TEXT, "one of five categories"),
        "camera_motion_type": (TEXT, "how the camera moves"), "aesthetic_score": (NUMBER, "empty: no model was run that could fill it"),
        "dover_score": (NUMBER, "empty: no model was run that could fill it"), "brief_caption": (TEXT, "one sentence"),
        "detailed_caption": (TEXT, "several sentences"), "source": (TEXT, "simulator or package"),
        "source_id": (TEXT, "clips of one source_id go together, and are deleted together"), "licence": (TEXT, "licence of this clip"),
        "split": (TEXT, "train, val or test"), "clip_id": (TEXT, "mark of the clip"),
        "factors": (TEXT, "ground truth as JSON text"), "concepts": (TEXT, "tags of the concept dictionary"),
        "extra": (TEXT, "title, held_out and synthetic as JSON text")}
PRINTED = {"resolution": (TEXT, "width x height in pixels"), "bit_rate": (WHOLE, "bits a second"),
           "aesthetic_score": (NUMBER, "LAION predictor, about 1 to 10"), "dover_score": (NUMBER, "DOVER, technical quality"),
           "duration": (NUMBER, "seconds"), "fps": (NUMBER, "frames a second"), "camera_motion_type": (TEXT, "how the camera moves"),
           "video_category": (TEXT, "category as printed")}


def documents(templates, fields, rows, facts):
    """{name: JSON-LD} of all datasets. fields: {name: fields for its facts}. rows: {name: row of table 1}. facts: the paper's facts."""
    known = card_facts.read(templates, "datasets")["cards"]
    out = {name: document(name, card_facts.filled(card, fields[name], f"datasets.yaml, {name}"), rows.get(name))
           for name, card in known.items()}
    out["MedVideoCap-55K"] |= medvideocap(facts)
    out["medgen-kit-samples"] |= samples()
    return out


def document(name, card, row):
    """What every document has: who, what, under which licence, and the fields of responsible AI."""
    facts, hub = card["croissant"], card.get("hub", {})
    about = plain(card["about"]) + ([f"Table 1 of the MedGen paper: {row['videos']} videos, mean length {row['mean_length']}, "
                                     f"{row['resolution']} pixels, {row['categories'].replace(';', ', ')}."] if row else [])
    licence = LICENCES.get(hub.get("license")) or hub.get("license_link") if hub.get("license") != "unknown" else None
    found = {"@context": CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS, "name": name, "description": " ".join(about),
             "url": facts["url"], "license": licence, "citeAs": facts.get("cite"), "datePublished": facts.get("published"),
             "keywords": ["medical", "video", *hub.get("tags", [])], "rai:dataCollection": " ".join(told(card, "provenance")),
             "rai:dataBiases": told(card, "bias"), "rai:personalSensitiveInformation": told(card, "consent"),
             "rai:dataLimitations": told(card, "contradictions"),
             "rai:dataUseCases": [*told(card, "licence"), *(f"Forbidden: {line}" for line in (*plain(card["forbidden"]), *NEVER))]}
    return {key: value for key, value in found.items() if value}


def told(card, section):
    return plain(card[section]) or [UNKNOWN[section]]


def medvideocap(facts):
    """The repository on the Hub, and the one record that the paper prints (without its captions, which are not copied)."""
    values = {name: facts[f"sample_{name}"] for name in PRINTED}
    read = {TEXT: str, WHOLE: int, NUMBER: float}
    record = {f"printed_sample/{name}": read[kind](values[name]) for name, (kind, _) in PRINTED.items()}
    about = ("The record that section 3 of the paper prints. A record also holds file name, brief and detailed caption. How the files lie "
             "in the repository is not described here: medgen_kit.sources.medvideocap finds that out.")
    place = {"@type": "cr:FileObject", "@id": "repository", "name": "repository", "description": "The repository on the Hugging Face Hub.",
             "contentUrl": "https://huggingface.co/datasets/FreedomIntelligence/MedVideoCap-55K", "encodingFormat": "git+https"}
    return {"isLiveDataset": True, "distribution": [place], "recordSet": [
        {"@type": "cr:RecordSet", "@id": "printed_sample", "name": "printed_sample", "description": about,
         "field": [field("printed_sample", name, *kind) for name, kind in PRINTED.items()], "data": [record]}]}


def samples():
    """metadata.jsonl of a run's folder `sources`, one record a clip. Each machine makes its own, so no checksum is given."""
    file = {"@type": "cr:FileObject", "@id": "metadata.jsonl", "name": "metadata.jsonl", "contentUrl": "metadata.jsonl",
            "description": "One line a clip; the videos lie beside it.", "encodingFormat": "application/jsonlines"}
    return {"license": ["https://creativecommons.org/licenses/by/4.0/", "see the field licence of each record"], "isLiveDataset": True,
            "description": "Short medical clips with captions, most of them drawn by simulators with known ground truth, some from images "
            "that pydicom and nilearn ship. Lesson 01 of MedGen Kit makes them on your machine.",
            "distribution": [file], "recordSet": [
                {"@type": "cr:RecordSet", "@id": "clips", "name": "clips", "key": {"@id": "clips/file_name"},
                 "description": "One record a clip.", "field": [field("clips", name, *kind, column=True) for name, kind in CLIP.items()]}],
            "rai:dataCollectionType": ["Software generated", "Secondary data analysis"],
            "rai:dataAnnotationProtocol": "Captions and factors are written by the simulator that draws the clip."}


def field(record_set, name, kind, about, column=False):
    found = {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "description": about, "dataType": kind}
    if column:
        found["source"] = {"fileObject": {"@id": "metadata.jsonl"}, "extract": {"column": name}}
    return found | ({"repeated": True} if name == "concepts" else {})


def text(found):
    """A document as the text of its file."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def installed():
    return importlib.util.find_spec("mlcroissant") is not None


def problems(found):
    """What mlcroissant finds wrong with a document (dict or path), as sentences; [] when it is valid."""
    import mlcroissant
    from absl import logging

    whole = json.loads(found.read_text(encoding="utf-8") if isinstance(found, Path) else json.dumps(found))   # mlcroissant writes into it
    if whole.get("conformsTo") != CONFORMS or not whole.get("name"):
        return [f"it needs a name, and conformsTo must be {' and '.join(CONFORMS)}"]
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)                   # warnings name recommended fields, which stay out where they are unknown
    try:
        issues = mlcroissant.Dataset(jsonld=whole).metadata.ctx.issues
    except Exception as error:                             # mlcroissant raises many kinds; each is a document that it can not read
        return [str(error)]
    finally:
        logging.set_verbosity(before)
    return sorted(issues.errors)
