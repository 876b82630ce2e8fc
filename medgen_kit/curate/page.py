"""The report of a curation as one HTML page that needs no network: pictures, rules, what was not judged, spot check, quarantine."""

import base64
import html
import io
import json
import re

import numpy as np

from ..clip import write_text
from .audit import spoken
from .report import DARK, percent, rule_of, standard

NEVER = "These clips are simulated or generated. They serve teaching and research and are never for clinical use."


def rules(stages, order):
    """One row per stage: its rule, with which tool and version, and how many clips got which verdict."""
    rows = []
    for stage in order:
        here = stages[stages["stage"] == stage]
        (word, op, cut), low, high = rule_of(here), here["threshold"].min(), here["threshold"].max()
        cut = "" if low != low else f"{cut:g}" if cut is not None else f"{low:.4g} to {high:.4g}"
        facts = {name: ", ".join(map(str, here[name].dropna().unique())) for name in ("tool", "tool_version", "config_sha")}
        found = here["verdict"].value_counts()
        rows.append({"stage": stage, "rule": f"{word}: {op} {cut}" if op else "did not run", **facts,
                     **{name: int(found.get(name, 0)) for name in ("pass", "fail", "skip", "error")}})
    return rows


def write_html(path, clips, stages, order, pictures=None, quarantine=(), audit=(), notes=(), synthetic=None, title="Curation report"):
    """Write the report as one HTML file that loads nothing from anywhere (plotly.js is inside, 5 MB); returns its path.

    pictures: list of `Picture` (default: `standard`). quarantine: rows of files that could not be used. audit: rows of `audit.summary`.
    notes: sentences. synthetic: the clips are simulated or generated (default: their column "synthetic", where there is one).
    """
    from plotly.offline import get_plotlyjs

    stages = stages.astype({"stage": "category", "verdict": "category"})            # a million texts are compared as numbers
    pictures = standard(clips, stages, order) if pictures is None else pictures
    synthetic = bool("synthetic" in clips and clips["synthetic"].any()) if synthetic is None else synthetic
    kept, total = int((clips["removed_by"].fillna("") == "").sum()), len(clips)
    lead = (f"{total:,} candidate clips" + (f" from {clips['upload'].nunique():,} uploads" if "upload" in clips else "") +
            f": {kept:,} ({percent(kept / total if total else None)}) are kept. {len(quarantine):,} files could not be used.")
    unjudged = stages[stages["verdict"].isin(("skip", "error"))].groupby(["stage", "verdict", "reason"], sort=False, dropna=False,
                                                                           observed=True).size().rename("clips").reset_index()
    tables = (("The rules", rules(stages, order), "A stage neither passes nor fails a clip that it did not measure."),
              ("What was not judged", unjudged, "Skipped is not passed: nobody looked."),
              ("The spot check", spoken(audit), "Good: clean or slightly noisy to a person. Of 200, 190 meet the rule; 196 show it."),
              ("Files that could not be used", quarantine, "Each with the reason for which it was set aside."))
    body = [f"<h1>{html.escape(title)}</h1><p class=lead>{lead}</p>", f"<p class=never>{NEVER}</p>" * synthetic,
            *(f"<p>{html.escape(note)}</p>" for note in notes), *(section(k, picture) for k, picture in enumerate(pictures)),
            *(f"<h2>{name}</h2><p>{note}</p>{grid(rows)}" for name, rows, note in tables)]
    plots = {f"f{k}": picture.figure.to_json() for k, picture in enumerate(pictures) if hasattr(picture.figure, "to_json")}
    parts = {"title": html.escape(title), "body": "\n".join(body), "plotly": get_plotlyjs(), "dark": json.dumps(DARK),
             "data": json.dumps(plots).replace("<", "\\u003c")}
    write_text(path, re.sub("@(title|body|plotly|dark|data)", lambda found: parts[found[1]], PAGE))
    return path


def section(number, picture):
    """One picture as HTML: drawn by plotly.js, or inside the page as PNG, with its words, caption and numbers."""
    import matplotlib.pyplot as plt

    alt, buffer = html.escape(picture.alt, True), io.BytesIO()
    if hasattr(picture.figure, "to_json"):
        high = picture.figure.layout.height
        drawing = f'<div id=f{number} role=img aria-label="{alt}" style="min-width:{picture.wide}px; height:{high}px"></div>'
    else:
        picture.figure.savefig(buffer, format="png", dpi=100)
        plt.close(picture.figure)
        drawing = f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    return (f"<h2>{html.escape(picture.title)}</h2><figure><div class=wide tabindex=0>{drawing}</div><figcaption>"
            f"{html.escape(picture.caption)}</figcaption></figure><details><summary>Numbers</summary>{grid(picture.rows)}</details>")


def grid(rows, most=200):
    """A DataFrame or rows as an HTML table, at most `most` of them."""
    import pandas as pd

    def cell(value):
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if isinstance(value, (int, float, np.number)) and np.isfinite(value):
            return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
        return "\u2013" if value is None or value != value else str(value)

    table, more = pd.DataFrame(rows[:most], dtype=object).map(cell), len(rows) - most
    page = table.to_html(index=False, border=0, justify="left") if len(rows) else "None."
    return f"<div class=wide tabindex=0>{page}</div>" + f"<p>and {more:,} more.</p>" * (more > 0)


PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>@title</title><style>:root { color-scheme: light dark; --ink: #1f2328; --faint: #d0d7de; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --faint: #434b54; --paper: #171b20 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1040px; margin: 24px auto; padding: 0 16px; color: var(--ink) }
body { background: var(--paper) } h2 { margin: 40px 0 8px } .lead { font-size: 18px } figure { margin: 0 }
.never { border-left: 4px solid #e76300; padding: 8px 12px } .wide { overflow-x: auto } table { border-collapse: collapse; font-size: 14px }
img { max-width: 100%; min-width: 560px } td, th { padding: 4px 10px; border-bottom: 1px solid var(--faint); text-align: left }</style>
</head><body><main>@body</main><noscript>The pictures need JavaScript; their numbers stand under each.</noscript>
<script>@plotly</script><script>var data = @data, colours = @dark, dark = matchMedia("(prefers-color-scheme: dark)");
function draw() { for (var id in data) { var text = data[id];
  if (dark.matches) for (var light in colours) text = text.split(light).join(colours[light]);
  var figure = JSON.parse(text); Plotly.react(id, figure.data, figure.layout, {responsive: true, displayModeBar: false}); } }
draw(); dark.addEventListener("change", draw);</script></body></html>"""
