"""The report of a folder of videos: scores with intervals, controls, worst clips, the paper beside them; as JSON and as one page.

    from medgen_kit.evaluate import report
    found = report.evaluate("my_clips", "my_clips/prompts.json", out="my_report")     # my_report/index.html, report.json, rows.jsonl
"""

import json
import time
from pathlib import Path

from ...clip import write_text
from ...errors import KitError
from .. import metrics, vbench_files
from . import beside_paper, beside_real, items, page, rows, summary

NAME = "medgen"                                  # of VBench's files beside the report, before the backbone
OWN = ("rows.jsonl",)              # by which a folder is known to be a report


def evaluate(videos_dir, prompts=None, out="report", backbone="light", align_folder=None, weights=None, real=None, categories=None,
             max_frames=None, warping_error=None, workers=2, say=print):
    """Judge all videos of a folder and write `out`/index.html and report.json; returns the content of report.json.

    videos_dir: any folder of videos, ours or not. prompts, categories: see `items.items_of`. backbone: "light" or
    "parity". align_folder: a finished stage `align`, whose towers "light" then uses. weights: folder with local copies (parity). real:
    folder of real clips (default: those that the kit ships). max_frames: only the first so many of each clip (default: all).
    warping_error: percent, from people, for the paper's total. A file that can not be measured is a row with its reason.

    Cut off, or called again, it goes on: what stands in rows.jsonl with the same file, prompt, settings and code is not measured again.
    """
    started, say = time.time(), say or (lambda text: None)
    meter = rows.meter(backbone, align_folder, weights, max_frames, workers)
    settings, sources = meter.settings(), beside_real.sources_of(real)
    beside_paper.checked(warping_error)
    found, prompt_file = items.items_of(videos_dir, prompts, categories)
    ledger = opened(out)
    lines, keys, fresh = measure_all(found, meter, settings, ledger, workers, say)
    controls, control_keys = beside_real.examine(sources, lines, meter, settings, ledger, workers, say)
    ledger.keep([*keys, *control_keys])
    warnings = items.warnings_of(videos_dir, found, prompts, categories) + rows.cut_prompts(lines, meter)
    report = content(lines, controls, settings, bool(prompt_file or prompts), warping_error, warnings)
    report["made"] = {"seconds": round(time.time() - started, 1), "measured": fresh, "kept": len(set(keys)) - fresh, "prompts": prompt_file}
    write(out, videos_dir, report, lines, meter, sources[0][0])
    return report


def opened(out):
    """The `Ledger` of a report folder, which is made when it is not there; a folder that holds something else is refused."""
    out = Path(out)
    if out.is_file() or out.is_dir() and any(out.iterdir()) and not any((out / name).is_file() for name in OWN):
        raise KitError(f"{out} holds something else than a report. Choose a new or empty folder with --out (out=).")
    if not out.is_dir():
        write_text(out / "rows.jsonl", "")
    return rows.Ledger(out / "rows.jsonl")


def measure_all(found, meter, settings, ledger, workers, say):
    """(rows, keys of what the ledger holds, how many were measured now) of items; each file is read once for its hash, then by a worker."""
    hashes = ["" if item.problem else rows.file_hash(item.path) for item in found]
    keys = ["" if item.problem else rows.mark_of(sha256 or item.name, item.prompt, settings) for item, sha256 in zip(found, hashes)]
    jobs = {key: (str(item.path), item.prompt, meter) for item, key in zip(found, keys) if key}
    absent = sum(not key for key in keys)
    if say and len(jobs) < len(found):
        twice = len(found) - absent - len(jobs)
        say(f"{len(found)} clips in all: {absent} not there or no file, {twice} with the content and prompt of another.")
    before = set(ledger.rows)
    measured = rows.measured(jobs, rows.measure_file, ledger, workers, say)
    nothing = {"reason": "", "facts": {}, "results": {}}
    lines = [rows.row_of(item, measured.get(key, nothing), sha256) for item, key, sha256 in zip(found, keys, hashes)]
    scored = [key for key, line in zip(keys, lines) if line["scores"] is not None]
    return lines, scored, len(set(scored) - before)


def content(lines, controls, settings, has_prompts, warping_error, warnings=()):
    """Everything of report.json that follows from the measured rows. warnings: sentences that go before the other notes."""
    names = tuple(settings["metrics"])
    found = summary.summary_of(lines, names, settings)
    counts = summary.counts_of(lines, has_prompts)
    flags = beside_real.flags_of(controls["rows"], {name: metrics.METRICS[name].digits for name in names})
    return {"about": page.about(lines), "counts": counts, "warnings": [*warnings],
            "notes": [*warnings, *summary.notes_of(lines, counts, controls, names)], "summary": found, "flags": flags,
            "controls": controls, "prompts": summary.prompts_of(lines, names),
            "paper": beside_paper.beside(found, settings, warping_error), "vbench": about_vbench(settings), "settings": settings,
            "videos": [rows.public(line) for line in lines]}


def about_vbench(settings):
    """{"name": what the names of VBench's files begin with, "about": what their numbers are worth, as a sentence}."""
    name = f"{NAME}_{settings['backbone']}"
    if settings["backbone"] != "parity":
        worth = (f"has the form of VBench's results and the names of its dimensions, but its numbers are those of the backbone "
                 f"'{settings['backbone']}', not of VBench's networks: do not submit them, and do not lay them beside VBench's.")
    elif settings["frames"] != rows.ALL_FRAMES:
        worth = f"has the form of VBench's results, but only {settings['frames']} were measured: do not lay it beside VBench's."
    else:
        worth = "is made as VBench makes its results; whether the weights are the published ones, their hashes tell."
    return {"name": name, "about": f"{name}_eval_results.json {worth}"}


def write(out, videos_dir, report, lines, meter, source):
    """report.json, VBench's two files and the page. source: of the real clip whose controls the page shows."""
    out, settings = Path(out), report["settings"]
    write_text(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    scored = [{"path": (Path(videos_dir) / line["file"]).as_posix(), "prompt": line["prompt"], "results": {
        name: rows.result_of(name, found, settings["metrics"][name]) for name, found in line["found"]["results"].items()}}
        for line in lines if line["scores"] is not None]
    vbench_files.write(out, report["vbench"]["name"], scored)
    page.write_html(out / "index.html", report, videos_dir, page.pictures(report, videos_dir, meter, source))
