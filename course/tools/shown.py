"""What a notebook shows, for site and slides: each output as HTML with its alt text, pictures and films as files beside the page."""

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, field

from medgen_kit.show.charts import PLOTLY as CONFIG

DATA = re.compile(r'src="data:([a-z]+)/([a-z0-9+.-]+);base64,([^"]+)"')
CAPTION = re.compile(r'<p style="[^"]*font-style:italic[^"]*">(.*?)</p>', re.S)
LOOK = re.compile(r'(<(?:table|th|td)\b[^>]*?) style="([^"]*)"')
ENDINGS = {"jpeg": "jpg", "svg+xml": "svg"}
WIDGET, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
PLOTLY = "application/vnd.plotly.v1+json"
COLUMN = 68                      # pixels that a column of words in a drawing needs
IDLE = "These controls answer in a running notebook; on this page they only show what they look like."
ABSENT = "In a running notebook, a panel with controls stands here."


@dataclass
class Shown:
    """One output. kind: picture, plot, film, table, widget, words or stream. html: as it stands on a page, without its caption.

    alt: what a reader hears who cannot see it. caption: the line below it, plain text. text: of a stream. raw: the output itself.
    """

    kind: str
    html: str = ""
    alt: str = ""
    caption: str = ""
    text: str = ""
    raw: dict = field(default_factory=dict)

    def figure(self):
        """HTML with the caption."""
        if self.kind == "table":
            head = f'<p class="caption">{html.escape(self.caption)}</p>' if self.caption else ""
            name = html.escape(self.caption or "Table", True)
            return f'{head}<div class="wide" role="region" tabindex="0" aria-label="{name}">{self.html}</div>'
        if self.kind in ("picture", "plot", "film"):
            line = f'<figcaption class="caption">{html.escape(self.caption)}</figcaption>' if self.caption else ""
            return f'<figure class="shown {self.kind}">{self.html}{line}</figure>'
        return self.html


class Files:
    """Pictures and films written to `folder` under names made of their content; `url(name)` is what a page calls them."""

    def __init__(self, folder, before):
        self.folder, self.before = folder, before

    def put(self, data, ending):
        """Store bytes; their address on the page."""
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.{ENDINGS.get(ending, ending)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / name).is_file():
            (self.folder / name).write_bytes(data)
        return self.before + name

    def unpacked(self, page):
        """HTML whose pictures and films lie in files."""
        return DATA.sub(lambda match: f'src="{self.put(base64.b64decode(match[3]), match[2])}"', page)


class Inside:
    """As Files, for a page that holds its pictures itself."""

    def put(self, data, ending):
        """Bytes of a picture as the address that holds them."""
        return f"data:image/{ending};base64,{base64.b64encode(data).decode()}"

    def unpacked(self, page):
        """HTML as it is."""
        return page


def shown(cell, files, name):
    """List of Shown for a code cell: errors of the run and progress on stderr are left out, a caption joins what it stands below.

    files: a Files. name: unique on the page, for the drawings' ids.
    """
    found = []
    for number, output in enumerate(cell.get("outputs", [])):
        data = output.get("data", {})
        if output.output_type == "stream":
            if output.name == "stdout":
                if found and found[-1].kind == "stream":
                    found[-1].text += output.text
                else:
                    found.append(Shown("stream", text=output.text))
        elif caption_of(data) is not None and found and found[-1].kind in ("picture", "plot", "film") and not found[-1].caption:
            found[-1].caption = caption_of(data)
        elif data:
            found.append(one(output, data, files, f"{name}-{number}"))
    return found


def caption_of(data):
    """The words of an output that is nothing but a caption; None for any other output."""
    match = CAPTION.fullmatch(data.get("text/html", "").strip()) if set(data) <= {"text/html", "text/plain"} else None
    return html.unescape(match[1]) if match else None


def one(output, data, files, name):
    """One displayed output as Shown. files: a Files, or an Inside."""
    alt = " ".join(data.get("text/plain", "").split())
    if WIDGET in data:
        return Shown("widget", alt=alt, raw=output)
    if PLOTLY in data:
        return Shown("plot", drawing(data[PLOTLY], alt, name), alt)
    for mime in ("image/png", "image/jpeg", "image/svg+xml"):
        if mime in data:
            alt = output.get("metadata", {}).get(mime, {}).get("alt") or alt
            return Shown("picture", picture("".join(data[mime]), mime, alt, files), alt)
    page = data.get("text/html")
    if page is None:
        return Shown("stream", text=data.get("text/plain", "") + "\n")
    page = files.unpacked(page)
    if "<video" in page:
        return Shown("film", page.replace("<video ", '<video preload="metadata" ', 1), alt)
    if "<table" in page:
        head = CAPTION.match(page.strip())
        return Shown("table", plain_table(CAPTION.sub("", page)), alt, html.unescape(head[1]) if head else "")
    return Shown("words", CAPTION.sub(r'<p class="caption">\1</p>', page), alt)


def picture(content, mime, alt, files):
    """An <img> that names its size where it is known, so that the page does not jump while it loads."""
    import io

    from PIL import Image, UnidentifiedImageError

    data, size = content.encode() if mime.endswith("xml") else base64.b64decode(content), ""
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = f' width="{image.width}" height="{image.height}"'
    except UnidentifiedImageError:                     # a drawing in SVG, or a picture that broke off
        pass
    return f'<img src="{files.put(data, mime.split("/")[1])}" alt="{html.escape(alt, True)}"{size} loading="lazy">'


def plain_table(page):
    """A table without inline looks; what is set to the right stays there."""
    page = LOOK.sub(lambda match: match[1] + (' class="number"' if "text-align:right" in match[2].replace(" ", "") else ""), page)
    return page.replace("<table", '<table class="shown"', 1)


def drawing(figure, alt, name):
    """A plotly figure as HTML for a page that loads plotly.min.js; as wide as the page, and as its words need."""
    import plotly.graph_objects as go

    drawn = go.Figure(data=figure.get("data"), layout=figure.get("layout"), skip_invalid=True)
    height, data = drawn.layout.height or 450, drawn.to_json().replace("</", "<\\/")
    columns = {round(words.x, 3) for words in drawn.layout.annotations if words.x is not None}
    config = json.dumps(CONFIG | {"responsive": True})
    call = f'addEventListener("load", function () {{ var it = {data}; it.config = {config}; Plotly.newPlot("{name}", it); }});'
    return (f'<div class="plot" role="group" aria-label="{html.escape(alt, True)}"><div id="{name}" class="plotly-graph-div" '
            f'style="height:{height}px; min-width:{min(900, max(620, COLUMN * len(columns)))}px"></div></div><script>{call}</script>')


def widget_note(output, state):
    """What to say below a widget: nothing when its parts are linked to each other, so that it answers without a kernel."""
    view = output["data"][WIDGET]["model_id"]
    if view not in state:
        return ABSENT
    inside, open_ends = set(), [view]
    while open_ends:
        model = open_ends.pop()
        if model in state and model not in inside:
            inside.add(model)
            open_ends += re.findall(r"IPY_MODEL_(\w+)", str(state[model].get("state", {})))
    links = [str(one["state"]) for one in state.values() if one.get("model_name") in ("LinkModel", "DirectionalLinkModel")]
    return "" if any(model in link for link in links for model in inside) else IDLE


def plain_code(source):
    """Code as a reader wants it: without the mark that tells the tests to compare its output."""
    return source.removeprefix("# NBVAL_CHECK_OUTPUT\n")
