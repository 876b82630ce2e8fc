"""Executed notebooks as HTML pages that need no network, and an index with times and the main figures."""

import base64
import html
import io
import os
import re
from urllib.parse import quote

from course.tools.shown import Inside, one
from medgen_kit.clip import write_text

FORMULA = re.compile(r"(?<![\\$])\$\$(.+?)\$\$|(?<![\\$\w])\$(?! )([^$\n]+?)(?<![ \\])\$(?!\w)", re.S)
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
LINK = re.compile(r"\]\((?![a-z][a-z0-9+.-]*:|[#/])([^)\s#]+)(#[^)\s]*)?", re.I)        # a relative link in Markdown
BACK = ('<nav style="font-family:system-ui,sans-serif;padding:12px 16px"><a style="color:#0b5cad" href="index.html">All lessons and '
        "figures of this run</a></nav>")
LOOK = "<style>.jp-OutputArea img{max-width:100%;height:auto}.plot{overflow-x:auto}</style>"
STYLE = ("body{font-family:system-ui,sans-serif;max-width:980px;margin:32px auto;padding:0 16px;color:#111;line-height:1.45}"
         "table{border-collapse:collapse;margin:8px 0 24px}"
         "td,th{padding:5px 12px;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
         "td.n{text-align:right}a{color:#0b5cad}")


def write(run, notebooks, times, origin):
    """Write html/NN.html for each executed notebook and html/index.html into the run; returns the index's path.

    origin: the folder that the notebooks come from, where their relative links begin.
    """
    folder = run.root / "html"
    folder.mkdir(exist_ok=True)
    lessons = {notebook.stem for notebook in notebooks}
    needs_plotly = [convert(notebook, folder / f"{notebook.stem}.html", origin, lessons) for notebook in notebooks]
    if any(needs_plotly):
        from plotly.offline import get_plotlyjs

        write_text(folder / "plotly.min.js", get_plotlyjs())
    write_text(folder / "index.html", index(run, notebooks, times))
    return folder / "index.html"


def convert(notebook, page, origin, lessons=()):
    """One executed notebook to one HTML file; True when it draws with plotly (`plotly.min.js` must lie beside it).

    origin: as in `write`. lessons: names (without ".ipynb") of the notebooks that have a page beside this one.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    nb, _ = CoalesceStreamsPreprocessor().preprocess(nbformat.read(notebook, 4), {})          # text that came in pieces is one text
    nb.metadata.pop("widgets", None)
    nb.metadata["title"] = title(nb, notebook.stem)
    nb.cells = [cell for cell in nb.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            cell.source = formulas(links(cell.source, origin, page.parent, lessons))
        elif cell.cell_type == "code":
            kept = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.outputs = [page_output(output, f"plot{number}-{k}") for k, output in enumerate(kept)]
    exporter = HTMLExporter(template_name="lab", mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="",
                            exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(nb)
    draws = 'class="plotly-graph-div"' in body
    head = LOOK + ('<script src="plotly.min.js"></script>' if draws else "")
    body = re.sub(r'<script type="module">[^<]*mermaid.*?</script>', "", body, flags=re.S)
    body = re.sub(r'<script[^>]*\ssrc=""[^>]*></script>', "", body)
    body = re.sub(r"(<body[^>]*>)", lambda tag: tag[1] + BACK, body, count=1)
    write_text(page, body.replace("</head>", f"{head}</head>", 1))
    return draws


def links(text, origin, folder, lessons):
    """Markdown whose relative links work from a page in `folder`: a lesson's notebook becomes its page, another file is found again."""
    def moved(match):
        target, part = match[1], match[2] or ""
        name = os.path.basename(target)
        if name.endswith(".ipynb") and name[:-6] in lessons:
            return f"]({name[:-6]}.html{part}"
        return f"]({quote(os.path.relpath(os.path.join(origin, target), folder).replace(os.sep, '/'))}{part}"
    parts = CODE.split(text)
    return "".join(part if k % 2 else LINK.sub(moved, part) for k, part in enumerate(parts))


def page_output(output, name):
    """The output with its picture as an <img> that carries the alt text, plotly data as a drawing, widgets left out."""
    data = output.get("data", {})
    it = one(output, data, Inside(), name) if data else None
    if it and it.kind == "widget":
        output["data"] = {"text/html": "<p><em>(Buttons and sliders work in a running notebook.)</em></p>"}
    elif it and it.kind in ("picture", "plot"):
        output["data"] = {"text/html": it.html}
    return output


def formulas(text):
    """Markdown with $...$ and $$...$$ drawn as SVG by matplotlib (no MathJax, no network); code is left alone."""
    parts = CODE.split(text)
    return "".join(part if k % 2 else FORMULA.sub(lambda m: formula(m[1] or m[2], bool(m[1])), part) for k, part in enumerate(parts))


def formula(tex, block):
    """One formula as an <img>; as code when matplotlib cannot draw it."""
    from matplotlib import mathtext
    from matplotlib.font_manager import FontProperties

    tex, buffer = " ".join(tex.split()), io.BytesIO()
    letters = FontProperties(size=13 if block else 11, math_fontfamily="cm")
    try:
        depth = mathtext.math_to_image(f"${tex}$", buffer, prop=letters, dpi=72, format="svg")
    except ValueError:
        return f"<code>{html.escape(tex)}</code>"
    src = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    look = "display:block;margin:10px auto" if block else f"vertical-align:-{depth:.1f}pt;display:inline;margin:0"
    return f'<img style="{look}" src="{src}" alt="{html.escape(tex, True)}">'


def title(nb, default=""):
    """The first heading of a notebook."""
    for cell in nb.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    return default


def index(run, notebooks, times):
    """index.html: which notebook took how long, and the figures of report.json."""
    import nbformat

    rows = "".join(f'<tr><td><a href="{n.stem}.html">{html.escape(n.stem)}</a></td><td>{html.escape(title(nbformat.read(n, 4)))}</td>'
                   f'<td class="n">{times[n.stem]:.0f} s</td></tr>' for n in notebooks)
    figures = "".join(f"<h3>{html.escape(plain(section))}</h3><table><thead><tr><th scope='col'>figure</th><th scope='col'>value</th></tr>"
                      f"</thead><tbody>{lines(values)}</tbody></table>" for section, values in run.figures().items() if section != "course")
    about = f"Profile {run.profile.name} ({run.profile.about}), seed {run.profile.seed}, {sum(times.values()):.0f} seconds in all."
    return (f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>MedGen Kit: run {html.escape(run.root.name)}</title>'
            f"<style>{STYLE}</style></head><body><h1>MedGen Kit: run {html.escape(run.root.name)}</h1><p>{html.escape(about)} All media in "
            "this report is simulated, generated or public teaching data; it is not for clinical use.</p>"
            "<h2>Notebooks</h2><table><thead><tr>"
            "<th scope='col'>notebook</th><th scope='col'>title</th><th scope='col'>time</th></tr></thead>"
            f"<tbody>{rows}</tbody></table><h2>Figures</h2><p>Each table holds what one stage or lesson measured, as in report.json; the "
            f"lesson says what a figure means. Shares lie between 0 and 1, times are in seconds.</p>{figures}</body></html>")


def lines(values, before=""):
    """Table rows of one section of the report; nested figures carry the name of what they are nested in before their own."""
    out = ""
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict):
            out += lines(value, f"{before}{key} ")
        elif isinstance(value, (bool, int, float, str)):
            shown = f"{value:z.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value           # z: no "-0"
            out += f'<tr><td>{html.escape(plain(before + key))}</td><td class="n">{html.escape(str(shown))}</td></tr>'
    return out


def plain(name):
    """A figure's name for the eye: "per_factor echo.view" becomes "per factor echo view"."""
    return name.replace("_", " ").replace(".", " ")
