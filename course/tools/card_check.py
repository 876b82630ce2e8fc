"""Is a card one that the Hugging Face Hub would take? `problems(text)` says what is wrong, without the network.

`huggingface_hub` parses the front matter (its own `validate()` asks the Hub); the lists that the Hub checks against are below.
"""

import re
from pathlib import Path

from course.tools.card_facts import HEADING, SECTIONS

LICENCES = {*"""apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m openrail++ afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause
bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
cdla-permissive-1.0 cdla-permissive-2.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 agpl-3.0 isc mpl-2.0
ms-pl ncsa odc-by odbl ofl-1.1 osl-3.0 pddl postgresql unlicense wtfpl zlib unknown other""".split()}
TASKS = {*"""text-to-video image-to-video video-to-video video-classification video-text-to-text image-text-to-text text-to-image
image-classification image-segmentation object-detection visual-question-answering text-retrieval text-generation
feature-extraction zero-shot-image-classification zero-shot-video-classification image-feature-extraction""".split()}
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")
MAX_PICTURE = 100_000
FIELD = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def problems(text, kind, folder=None):
    """What is wrong with a card, as sentences ([] when nothing is).

    text: the whole card. kind: "dataset", "model" (ours, with results) or "checkpoint" (someone else's).
    folder: where its pictures lie (None: pictures are not looked at).
    """
    from huggingface_hub import DatasetCard, ModelCard

    out = [f"the field {field} was not filled" for field in FIELD.findall(text)]
    try:
        data = (DatasetCard if kind == "dataset" else ModelCard)(text).data
    except Exception as error:                         # the parser raises what PyYAML and the card classes raise
        return [*out, f"the front matter can not be read: {error}"]
    if not data.to_dict():
        return [*out, "there is no front matter between two lines of ---"]
    out += front_matter(data) + (dataset(data) if kind == "dataset" else model(data) if kind == "model" else checkpoint(data))
    return out + sections(text) + pictures(text, folder)


def front_matter(data):
    """Licence, language, tags."""
    out = []
    for licence in as_list(data.get("license")) or [None]:
        if licence not in LICENCES:
            out.append(f"license '{licence}' is not an identifier of the Hub")
    if "other" in as_list(data.get("license")) and not (data.get("license_name") and data.get("license_link")):
        out.append("license 'other' needs license_name and license_link")
    if data.get("license_name") and not re.fullmatch(r"[a-z0-9.-]+", data.get("license_name")):
        out.append("license_name may hold small letters, digits, dots and hyphens only")
    if as_list(data.get("language")) != ["en"]:
        out.append("language must be en")
    return out if data.get("tags") else [*out, "there are no tags"]


def sections(text):
    """Every card has the section on rights with all of its parts, and none of them is empty."""
    out = [] if f"\n## {HEADING}\n" in text else [f"there is no section '{HEADING}'"]
    for title in SECTIONS.values():
        found = re.search(rf"\n### {title}\n+(.*?)(?=\n#+ |\Z)", text, re.S)
        if not found or not found[1].strip():
            out.append(f"the part '{title}' is missing or empty")
    return out


def dataset(data):
    """pretty_name, task_categories, size_categories."""
    out = [f"task category '{task}' is not one of the Hub's" for task in as_list(data.get("task_categories")) if task not in TASKS]
    if not data.get("task_categories"):
        out.append("there are no task_categories")
    sizes = as_list(data.get("size_categories")) or [None]
    out += [f"size category '{size}' is not one of the Hub's" for size in sizes if size not in SIZES]
    return out if data.get("pretty_name") else [*out, "there is no pretty_name"]


def model(data):
    """pipeline_tag, library_name, model-index with results between 0 and 1."""
    out = [] if data.get("pipeline_tag") in TASKS else [f"pipeline_tag '{data.get('pipeline_tag')}' is not one of the Hub's"]
    out += [] if data.get("library_name") else ["there is no library_name"]
    results = data.get("eval_results") or []
    if not results:
        out.append("the model-index holds no results")
    return out + [f"{result.metric_name}: {result.metric_value} is not a share" for result in results
                  if not isinstance(result.metric_value, (int, float)) or not 0 <= result.metric_value <= 1]


def checkpoint(data):
    """library_name, and a pipeline_tag of the Hub's where there is one."""
    out = [] if data.get("pipeline_tag") in (*TASKS, None) else [f"pipeline_tag '{data.get('pipeline_tag')}' is not one of the Hub's"]
    return out if data.get("library_name") else [*out, "there is no library_name"]


def pictures(text, folder):
    """Every picture has an alt text of a sentence, lies in the folder and is small."""
    out = []
    for alt, name in PICTURE.findall(text):
        if len(alt) < 40:
            out.append(f"{name}: the alt text '{alt}' says too little")
        path = Path(folder or ".") / name
        if folder is not None and not path.is_file():
            out.append(f"{name}: there is no such picture")
        elif folder is not None and path.stat().st_size > MAX_PICTURE:
            out.append(f"{name}: {path.stat().st_size} bytes, more than {MAX_PICTURE}")
    return out


def size_category(count):
    """The Hub's word for a number of examples: 3600 -> "1K<n<10K"."""
    limits = (1_000, 10_000, 100_000, 1_000_000)
    return SIZES[sum(count >= limit for limit in limits)]


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]
