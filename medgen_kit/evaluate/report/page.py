"""The report as one HTML page that loads nothing from anywhere: scores, controls, groups, the paper, worst clips, every clip, settings."""

import html
import os
import re
from pathlib import Path
from urllib.parse import quote

from ...clip import write_text
from ...curate.page import NEVER, grid
from . import strips
from .parts import ARROWS, bar, details, figure, interval, number, row, table, words
from .summary import UNKNOWN
from .template import PAGE

UNKNOWN_ORIGIN = ("Whether these clips are real or generated is not known to this report. It serves teaching and research and is never for "
                  "clinical use.")
TERMS_USED = {                # word of the page: what it means
    "backbone": "the set of networks or simple stand-ins that the metrics look at clips with; numbers of two backbones are not to be "
                "compared",
    "thumbnail": "the picture made as small as 8x8 pixels, whose colours are compared in place of a network's features",
    "DIS flow": "how far each spot moves from one frame to the next, found by a classical method (DIS) without a network",
    "DIS flow midpoint": "the frame half-way between two others, made by moving both along their DIS flow, and compared with the real one",
    "variance of the Laplacian": "how strongly neighbouring pixels differ from each other: high where edges are sharp, and also in noise"}
LONG = 300                            # letters of a prompt that are shown beside a filmstrip
LOOKS = {"sees it": "n sees", "blind": "n blind", "prefers it": "n prefers"}
TERMS = ("total", "imaging_quality", "subject_consistency", "background_consistency", "motion_smoothness", "warping_error")


def about(rows):
    """The sentence that stands on every page: NEVER where each file that could be read bears the label of the kit's synthetic clips."""
    read = [row for row in rows if "synthetic" in row]
    return NEVER if read and all(row["synthetic"] for row in read) else UNKNOWN_ORIGIN


def pictures(report, folder, meter, source):
    """What the page shows of the videos themselves: (worst rows by metric, strips by file, strips of the controls)."""
    chosen, made = strips.worst_strips(report["videos"], report["summary"], Path(folder), meter)
    return chosen, made, strips.control_strips(source, report["controls"])


def write_html(path, report, folder, shown, title="Evaluation report"):
    """Write the page; returns its path. folder: of the videos, for links beside the page. shown: of `pictures`."""
    chosen, made, controls = shown
    sections = {"Scores": scores(report), "What the metrics can not see": seen(report, controls), **groups(report),
                "Beside the paper": beside(report["paper"]), "Worst clips": worst(report, chosen, made),
                "Every clip": every(report, link_to(path, folder)), "No score": unscored(report), "Settings": settings(report)}
    body = head(report, title) + "\n".join(f"<section><h2>{html.escape(name)}</h2>{text}</section>" for name, text in sections.items())
    write_text(path, re.sub("@(title|body)", lambda found: {"title": html.escape(title), "body": body}[found[1]], PAGE))
    return path


def head(report, title):
    """Title, what was judged, the sentence that stands on every page, and what to know before the numbers."""
    counts, found = report["counts"], report["settings"]
    lead = f"{counts['scored']:,} of {counts['clips']:,} clips scored with the backbone \u201c{found['backbone']}\u201d, {found['frames']}."
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report["notes"])
    return (f"<h1>{html.escape(title)}</h1><p class=lead>{html.escape(lead)} Intervals: 95 %, bootstrap over clips.</p>"
            f"<p class=never>{html.escape(report['about'])}</p>" + (f"<ul class=notes>{notes}</ul>" if notes else ""))


def scores(report):
    """The table of scores, each with its interval as a bar beside the real clips."""
    real, lines = report["controls"]["rows"][0]["metrics"], []
    for name, entry in report["summary"].items():
        digits, beside_it = entry["digits"], real[name]["value"]
        own = [line["scores"][name] for line in report["videos"] if line["scores"] and line["scores"][name] is not None]
        frames = f"<br><span class=ci>by frames {number(entry['frames']['value'], digits)}</span>" if "frames" in entry else ""
        missing = f" <span class=ci>({entry['missing']} without)</span>" if entry["missing"] else ""
        lines.append(row(f"{words(name)}<br><span class=ci>{ARROWS[entry['better']]}</span>", (interval(entry, digits) + frames, "n"),
                         bar(name, entry, own, beside_it), (number(beside_it, digits), "n"), (f"{entry['n']}{missing}", "n"),
                         (html.escape(entry["about"]), "about")))
    return (table(("metric", "your clips", "your clips and the real ones", "real clips", "clips", "what it says"), lines) +
            "<p class=key>Thin line: from the lowest to the highest of your clips. Thick line: 95 % interval of their mean. Dot: their "
            "mean. Diamond: mean of the real clips.</p>")


def seen(report, shown):
    """The controls: flags in words, the grid of verdicts, and what the controls look like."""
    found, lines = report["controls"], []
    for name, entry in report["summary"].items():
        cells = [(number(entry["value"], entry["digits"]), "n")]
        for line in found["rows"]:
            cell = line["metrics"][name]
            text = number(cell["value"], entry["digits"]) + (f"<br>{cell['verdict']}" if cell["verdict"] else "")
            cells.append((text, LOOKS.get(cell["verdict"], "n")))
        lines.append(row(words(name), *cells))
    shape, about = found["shape"], {line["control"]: line["about"] for line in found["rows"]}
    text = (f"<p>{len(found['clips'])} real clips {'that the kit ships' if found['shipped'] else 'of the folder that was named'}, at "
            f"{shape['width']}x{shape['height']} pixels and up to {shape['frames']} frames, spoiled on purpose. A metric <b>sees</b> a "
            "fault when it gets worse by more than two standard errors, is <b>blind</b> when it does not move by that, and "
            "<b>prefers</b> the spoiled clips when it gets better. Where it is blind or prefers them, its number is no evidence against "
            "that fault.</p>")
    films = "".join(figure(uri, f"Frames of a real clip, first to last: {about[name]}", html.escape(about[name]))
                    for name, uri in shown.items())
    return (text + flags(report["flags"], about) + table(("metric", "your clips", *about.values()), lines) +
            (details("What the controls look like", films) if films else "") +
            (f"<h3>Real clips that could not be used</h3>{grid(found['left_out'])}" if found["left_out"] else ""))


def flags(found, about):
    """The flags in words, those of one control together; those within chance behind a fold."""
    body, certain = "", [flag for flag in found if flag["certain"]]
    for control in dict.fromkeys(flag["control"] for flag in certain):
        own = [flag for flag in certain if flag["control"] == control]
        wins = ", ".join(f"<b>{words(flag['metric'])}</b> ({flag['shown'][0]}; real {flag['shown'][1]})" for flag in own)
        body += f"<li>{html.escape(own[0]['moral'].capitalize())} ({html.escape(about[control])}): {wins}.</li>"
    chance = "".join(f"<li>{html.escape(flag['text'])}</li>" for flag in found if not flag["certain"])
    return ((f"<p>These metrics rank a control above the real clips:</p><ul class=flags>{body}</ul>" if body else
             "<p>No metric ranks a control above the real clips by more than chance.</p>") +
            (details(f"{len(found) - len(certain)} more, within chance", f"<ul>{chance}</ul>") if chance else ""))


def groups(report):
    """{title: HTML} of the scores by category, by modality and by prompt, as far as they are known."""
    entries, made = report["summary"], {}
    names = [name.replace("_", " ") for name in entries]
    for key in ("category", "modality"):
        lines = []
        for label in next(iter(entries.values()))[f"by_{key}"]:
            parts = [(entry[f"by_{key}"][label], entry["digits"]) for entry in entries.values()]
            scored, clips = max(part["n"] for part, _ in parts), max(part["n"] + part["missing"] for part, _ in parts)
            cells = ((interval(part, digits, "<br>"), "n") for part, digits in parts)
            lines.append(row(html.escape(label), (f"{scored} of {clips}", "n"), *cells))
        if lines:
            made[f"By {key}"] = table((key, "scored", *names), lines)
    repeated = [line for line in report["prompts"] if len(line["files"]) > 1]
    if repeated:
        lines = [row(f"<div>{html.escape(line['prompt'])}</div>", (str(len(line["files"])), "n"), *(
            (number(line["scores"][name], entry["digits"]), "n") for name, entry in entries.items())) for line in repeated]
        made["By prompt"] = ("<p>Means over the clips of a prompt. Prompts with one clip stand under \u201cEvery clip\u201d.</p>" +
                             table(("prompt", "clips", *names), lines, "prompts"))
    elif report["prompts"]:
        made["By prompt"] = "<p>Every prompt has one clip, so the table \u201cEvery clip\u201d is the one by prompt.</p>"
    return made


def beside(found):
    """The paper's table, with the judged set in it where the settings are the same, and the settings metric by metric."""
    alike = [row(words(line["metric"]), html.escape(line["paper"]), html.escape(line["here"]), html.escape(line["why"]) or "none")
             for line in found["settings"]]
    lines = sorted(found["rows"] + ([found["ours"]] if found["ours"] else []), key=lambda line: -(line["total"] or 0))
    rows = [row(html.escape(line["model"]), html.escape(line["group"]), *((number(line[term], 2), "n") for term in TERMS),
                look="ours" if line is found["ours"] else "") for line in lines]
    name = "The paper's table 2, in percent" + ("" if found["ours"] else "; your clips are not in it")
    return (f"<p>{html.escape(found['sentence'])}</p>" + table(("metric", "in the paper", "here", "difference"), alike) +
            (details(name, table(("model", "", *(term.replace("_", " ") for term in TERMS)), rows), found["same"]) if rows else ""))


def worst(report, chosen, made):
    """The worst clips by each metric that takes a side, as filmstrips with prompt and score."""
    body = ("<p>The last three by each metric. Read them with the controls above: the last clip of a metric is often the one that moves "
            "most.</p>" if chosen else "<p>There are not enough different scores to call a clip the worst.</p>")
    for place, (name, lines) in enumerate(chosen.items()):
        entry, films = report["summary"][name], ""
        for line in lines:
            prompt = line["prompt"] or "no prompt"
            short = prompt[:LONG] + "..." * (len(prompt) > LONG)
            value, mean = number(line["scores"][name], entry["digits"]), number(entry["value"], entry["digits"])
            caption = (f"<b>{html.escape(line['file'])}</b>: {words(name)} {value} <span class=ci>(mean {mean})</span><br>"
                       f"{html.escape(short)}")
            films += figure(made.get(line["file"]), f"Frames of {line['file']}, first to last. Prompt: {short}", caption)
        body += details(f"{words(name)} ({ARROWS[entry['better']]})", films, place < 3)
    return body


def link_to(path, folder):
    """A function from a file name to a link relative to the page."""
    start = Path(os.path.relpath(Path(folder).resolve(), Path(path).resolve().parent)).as_posix()
    return lambda name: html.escape(quote(f"{start}/{name}"), True)


def every(report, link):
    """The table of all scored clips, which the reader can sort and filter."""
    entries, scored = report["summary"], [line for line in report["videos"] if line["scores"]]
    if not scored:
        return "<p>None.</p>"
    choice = "".join(f"<option>{html.escape(kind)}</option>" for kind in sorted({line["category"] or UNKNOWN for line in scored}))
    tools = (f'<p class=tools><label>Category <select id=kind><option value="">all</option>{choice}</select></label> '
             '<label>Search <input id=words type=search placeholder="file or prompt"></label> <span id=count role=status></span></p>')
    lines = [clip_row(line, entries, link(line["file"])) for line in scored]
    return tools + table(("file", "category", "prompt", "size", *(name.replace("_", " ") for name in entries)), lines, "clips", True) + (
        "<p class=key>Choose the name of a column to sort by it. The name of a file opens the video, as long as the folder lies where it "
        "lay. A dash: no value; the reason shows under the pointer and stands in report.json.</p>")


def clip_row(line, entries, link):
    """One row of the table of clips; what is sorted by stands in data-v."""
    kind, prompt, cells = line["category"] or UNKNOWN, line["prompt"] or "no prompt", ""
    for name, entry in entries.items():
        value = line["scores"][name]
        why = f' title="{html.escape(line["reasons"][name], True)}"' if name in line["reasons"] else ""
        cells += f'<td class=n data-v="{"" if value is None else value}"{why}>{number(value, entry["digits"])}</td>'
    return (f'<tr data-kind="{html.escape(kind, True)}"><th scope=row><a href="{link}">{html.escape(line["file"])}</a></th>'
            f'<td>{html.escape(kind)}</td><td class=prompt><div title="{html.escape(prompt, True)}">{html.escape(prompt)}</div></td>'
            f"<td class=n data-v={line['frames_measured']}>{line['size']}<br>{line['frames_measured']} frames</td>{cells}</tr>")


def unscored(report):
    """Rows without a score, each with its reason."""
    lines = [{"file": line["file"], "reason": line["reason"]} for line in report["videos"] if not line["scores"]]
    return grid(lines, len(lines)) if lines else "<p>None: every file has a score.</p>"


def used(report):
    """The names of networks and the remarks on metrics that this page shows, in small letters."""
    networks = [own["backbone"] for own in report["settings"]["metrics"].values()]
    return " ".join([*networks, *(entry["about"] for entry in report["summary"].values())]).lower()


def settings(report):
    """What every number depends on."""
    found, made = report["settings"], report["made"]
    lines = [row(words(name), *(html.escape(own[key]) or "none" for key in ("backbone", "weights", "resize", "frames")))
             for name, own in found["metrics"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    meanings = "".join(f"<li><b>{html.escape(term)}</b>: {html.escape(meaning)}.</li>" for term, meaning in TERMS_USED.items()
                       if term == "backbone" or term.lower() in used(report))
    return (table(("metric", "network", "weights", "resized", "frames"), lines) + f"<ul>{meanings}</ul>" +
            f"<p>Measured: {html.escape(found['frames'])}. Versions: {html.escape(versions)}; code {html.escape(found['code'])}. "
            f"{made['measured']} clips measured in this run, {made['kept']} kept from an earlier one; {made['seconds']} seconds. "
            "Numbers with another network, frame rule or version are not to be compared with these.</p>"
            f"<p><b>{html.escape(report['vbench']['about'])}</b></p>")
