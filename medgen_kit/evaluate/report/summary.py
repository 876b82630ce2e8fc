"""The numbers of a whole set: every metric with its interval, by category, modality and prompt, and the sentences that go with them."""

from .. import metrics
from ..result import aggregate
from .items import NOT_PLAIN, NO_FILE
from .rows import result_of

BY_FRAMES = ("subject_consistency", "background_consistency")          # VBench weighs longer clips more, with one process or always
FEW = 20
UNKNOWN = "not known"


def summary_of(rows, names, settings):
    """{metric: {"value", "low", "high", "n", "missing", "better", "digits", "about", "by_category", "by_modality"}}; the two consistency
    metrics also have "frames": the same with every pair of frames counting alike. rows: of `rows.row_of`, with "found" beside them."""
    found = {}
    for name in names:
        metric, facts = metrics.METRICS[name], settings["metrics"][name] | {"versions": settings["versions"]}
        results = [result_of(name, row["found"]["results"].get(name, row["reason"]), facts) for row in rows]
        entry = aggregate(results) | {"better": metric.better, "digits": metric.digits, "about": metric.about}
        for key in ("category", "modality"):
            labels = [row[key] or UNKNOWN for row in rows] if any(row[key] for row in rows) else []
            entry[f"by_{key}"] = {label: aggregate([result for result, own in zip(results, labels) if own == label])
                                  for label in sorted(set(labels), key=lambda label: (label == UNKNOWN, label))}
        if name in BY_FRAMES:
            entry["frames"] = aggregate(results, "frames")
        found[name] = entry
    return found


def prompts_of(rows, names):
    """[{"prompt", "files", "scores": {metric: mean or None}}] of every prompt, in the order of its first clip."""
    groups = {}
    for row in rows:
        if row["prompt"] and row["scores"]:
            groups.setdefault(row["prompt"], []).append(row)
    return [{"prompt": prompt, "files": [row["file"] for row in own],
             "scores": {name: mean_of([row["scores"][name] for row in own]) for name in names}} for prompt, own in groups.items()]


def mean_of(values):
    kept = [value for value in values if value is not None]
    return sum(kept) / len(kept) if kept else None


def counts_of(rows, has_prompts):
    """How many clips there are, were scored, have no score or no prompt, and how many names of the prompts have no file."""
    return {"clips": len(rows), "scored": sum(row["scores"] is not None for row in rows),
            "no_score": sum(row["scores"] is None for row in rows),
            "some_missing": sum(row["scores"] is not None and bool(row["reasons"]) for row in rows),
            "without_prompt": sum(row["prompt"] is None for row in rows) if has_prompts else len(rows),
            "without_file": sum(row["problem"] in (NO_FILE, NOT_PLAIN) for row in rows)}


def notes_of(rows, counts, controls, names):
    """What a reader has to know before the numbers, as sentences. names: of the metrics."""
    scored = [row for row in rows if row["scores"]]
    sizes, frames = ({row[key] for row in scored} for key in ("size", "frames_measured")) if scored else (set(), set())
    prompts = [row["prompt"] for row in scored if row["prompt"]]
    reads = [name for name in names if name in metrics.PROMPT]
    cut = sum(row["frames_measured"] < row["frames"] for row in scored)
    said = [
        (rows and not scored, "No clip could be scored; the reasons stand below."),
        (0 < len(scored) < FEW, f"Only {len(scored)} clips were scored: under {FEW} the intervals are rough."
         + (" One clip gives no interval." if len(scored) == 1 else "")),
        (counts["no_score"], f"{counts['no_score']} of {counts['clips']} rows have no score; each says why, and none is hidden in a mean."),
        (len(sizes) > 1, f"The clips have {len(sizes)} sizes ({', '.join(sorted(sizes)[:6])}{', ...' if len(sizes) > 6 else ''}). Each was "
         "measured at its own; metrics that follow the size (dynamic degree, picture quality) mix different things."),
        (len(frames) > 1, f"The clips have from {min(frames, default=0)} to {max(frames, default=0)} measured frames. Every clip counts "
         "alike; the consistency metrics are also given with every pair of frames counting alike, as VBench does on one GPU."),
        (cut, f"{cut} clips are longer than the frames that were measured (--max-frames); what comes later was not looked at."),
        (0 < counts["without_prompt"] < counts["clips"], f"Rows without a prompt: {counts['without_prompt']}"
         + (f"; {', '.join(reads)} have no value there." if reads else "; no metric here reads one.")),
        (len(prompts) > len(set(prompts)), "Some prompts have several clips. The intervals take clips as independent, so they are too "
         "narrow for a statement about new prompts."),
        (controls["left_out"], f"{len(controls['left_out'])} real clips could not be used."),
        (controls["shipped"], "The real clips are those that the kit ships (an echocardiogram, a brain template): they show what a metric "
         "does, and are no reference for the subject of your clips. Give --real FOLDER for that."),
    ]
    return [sentence for wanted, sentence in said if wanted]
