"""A report of scored clips in the notebook: sort, filter by category, choose a row and the clip plays beside its scores.

It draws the dict that `medgen_kit.evaluate.report.evaluate` returns, and measures nothing.
"""

import base64
import html
from pathlib import Path

from ..errors import KitError
from . import audit, strips, tables
from .bundle import image_tag, is_notebook, send_image

ALL, UNKNOWN = "all categories", "not known"
FIRST = 10                                # rows of the table that a page without widgets shows
LETTERS = 28                              # of a file's name in the list
# what is sorted by -> the two orders, and what their first rows are called
ORDERS = {"side": ("worst first", "best first", "last"), "no side": ("lowest first", "highest first", "lowest"),
          "file": ("A first", "Z first", "first")}


def report_view(report, videos_dir, by=None, rows=FIRST):
    """Show a report: the table of scores, the `rows` last clips by metric `by` (default: the first), the last as a filmstrip, the browser.
    Where `by` takes no side, no clip is worse than another: then the lowest ones are shown.

    report: of `evaluate.report.evaluate`, or its report.json as a dict. videos_dir: the folder that was judged. On a page without a
    kernel the tables and the filmstrip stay; the browser needs a running notebook. A clip whose file bears the kit's label of generated
    clips is called SYNTHETIC, in its caption and inside its filmstrip.
    """
    view = ReportView(report, videos_dir, by)
    tables.table(scores_table(report), caption="Every score with its 95 % interval over clips, beside real clips.")
    chosen = rows_sorted(report, view.by, "")[:rows]
    if not chosen:
        print("No clip has a score; the reasons stand in report['videos'].", flush=True)
        return
    last = orders_of(report, view.by)[2]
    tables.table([shown_row(row, report) for row in chosen], caption=f"The {last} {len(chosen)} clips by {spoken(view.by)}.")
    frames = view.frames(chosen[0]["file"])
    if frames is not None:
        caption = f"{view.mark(chosen[0]['file'])}The {last} clip by {spoken(view.by)}."
        send_image(strips.filmstrip_image(strips.pick(frames, 9), labels=[""] * min(9, len(frames)), warning=strips.warned(caption)),
                   f"Frames of {chosen[0]['file']}, {last} by {spoken(view.by)}. Prompt: {(chosen[0]['prompt'] or 'none').rstrip('.')}.",
                   caption)
    if is_notebook():
        from IPython.display import display

        display(view.view)


def rows_sorted(report, by=None, category="", worst_first=True):
    """The scored clips of a report as flat rows (file, category, prompt, one column per metric), sorted by a metric or by "file".

    by: default the first metric; one that takes no side has no worst clip, so the lowest value comes first. category: only that one; ""
    for all. Clips without that value come last. KitError for a wrong name.
    """
    metrics = report["summary"]
    by = by or next(iter(metrics))
    if by != "file" and by not in metrics:
        raise KitError(f"a report can not be sorted by '{by}'. It has: file, {', '.join(metrics)}.")
    known = categories(report)
    if category and category not in known:
        raise KitError(f"no scored clip has the category '{category}'. Categories: {', '.join(known)}.")
    rows = [{"file": row["file"], "category": row["category"] or UNKNOWN, "prompt": row["prompt"]} | row["scores"]
            for row in report["videos"] if row["scores"] and category in ("", row["category"] or UNKNOWN)]
    if by == "file":
        return sorted(rows, key=lambda row: row["file"], reverse=not worst_first)
    upwards = (metrics[by]["better"] >= 0) == worst_first
    valued = sorted((row for row in rows if row[by] is not None), key=lambda row: row[by], reverse=not upwards)
    return valued + [row for row in rows if row[by] is None]


def orders_of(report, by):
    """Of ORDERS: a metric that takes no side, and a name, call no clip the worse one."""
    return ORDERS["file" if by == "file" else "side" if report["summary"][by]["better"] else "no side"]


def categories(report):
    """The categories of the scored clips, in order."""
    return sorted({row["category"] or UNKNOWN for row in report["videos"] if row["scores"]})


def scores_table(report):
    """Rows of the table of scores: metric, value, low, high, clips, real clips, flags."""
    real = report["controls"]["rows"][0]["metrics"]
    flagged = {}
    for flag in report["flags"]:
        if flag["certain"]:
            flagged.setdefault(flag["metric"], []).append(flag["control"])
    return [{"metric": spoken(name), **{key: written(entry[key], entry) for key in ("value", "low", "high")}, "clips": entry["n"],
             "real clips": written(real[name]["value"], entry), "ranks above real": ", ".join(flagged.get(name, [])) or "nothing"}
            for name, entry in report["summary"].items()]


def spoken(name):
    return name.replace("_", " ")


def written(value, entry):
    """A value of a metric as text, a dash for none."""
    return "\u2013" if value is None else f"{value:,.{entry['digits']}f}"


def shown_row(row, report):
    """A row with its numbers as text."""
    return {spoken(name): written(value, report["summary"][name]) if name in report["summary"] else value for name, value in row.items()
            if name != "prompt"}


def moving_picture(path, alt):
    """An animated GIF as HTML."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img style="{audit.FIT}" alt="{html.escape(alt, True)}" src="data:image/gif;base64,{data}">'


class ReportView:
    """The browser behind `report_view`. view: the widget. by, category, chosen: what is set; `choose(file)` shows a clip."""

    def __init__(self, report, videos_dir, by=None):
        import ipywidgets as widgets

        self.report, self.folder, self.chosen = report, Path(videos_dir), None
        self.by = by or next(iter(report["summary"]))
        rows_sorted(report, self.by)
        names = ["file", *report["summary"]]
        self.sorting = widgets.Dropdown(options=[(spoken(name), name) for name in names], value=self.by, description="sort by")
        self.order = widgets.Dropdown(options=self.orders(), description="order")
        self.kind = widgets.Dropdown(options=[(ALL, ""), *((name, name) for name in categories(report))], description="category")
        self.list = widgets.Select(options=[], rows=12, description="clips", style={"description_width": "initial"},
                                   layout={"width": "min(100%, 700px)"})
        self.list.add_class("medgen-report-list")
        self.screen, self.said = widgets.HTML(), widgets.HTML()
        for widget in (self.sorting, self.order, self.kind):
            widget.observe(self._fill, "value")
        self.list.observe(lambda change: self.choose(change["new"]), "value")
        look = widgets.HTML("<style>.medgen-report-list select { font-family: monospace; white-space: pre }</style>")
        menus = widgets.HBox([self.sorting, self.order, self.kind], layout={"flex_flow": "row wrap"})
        self.view = widgets.VBox([look, menus, self.said, self.list, self.screen])
        self._fill()

    @property
    def category(self):
        return self.kind.value

    def orders(self):
        """The two orders by their names, for what is sorted by."""
        return list(zip(orders_of(self.report, self.by)[:2], (True, False)))

    def _fill(self, _=None):
        self.by = self.sorting.value
        if self.order.options != tuple(self.orders()):
            chosen = self.order.value
            self.order.options = self.orders()
            self.order.value = chosen
        rows = rows_sorted(self.report, self.by, self.kind.value, self.order.value)
        self.list.options = [("choose a clip", "")] + [(self.line(row), row["file"]) for row in rows]
        self.list.value = ""
        self.said.value = f'<span role="status">{len(rows)} clips by {html.escape(spoken(self.by))}</span>'

    def line(self, row):
        """One line of the list: file, value, category."""
        name = row["file"] if len(row["file"]) <= LETTERS else row["file"][:LETTERS - 3] + "..."
        value = "" if self.by == "file" else written(row[self.by], self.report["summary"][self.by])
        return f"{name:{LETTERS}} {value:>10}  {row['category']}"

    def choose(self, file):
        """Play a clip of the list, with its filmstrip and scores; "" clears the screen."""
        self.chosen = file or None
        if not file:
            self.screen.value = ""
            return
        row = next(row for row in self.report["videos"] if row["file"] == file)
        alt = f"{file}. Prompt: {row['prompt'] or 'none'}"
        try:
            player = moving_picture(self.folder / file, alt) if file.lower().endswith(".gif") else audit.screen(self.folder / file, alt)
        except (KitError, OSError) as error:
            player = f'<p role="alert">This clip can not be shown: {html.escape(str(error))}</p>'
        head = f"<h4>{html.escape(self.mark(file) + file)}</h4><p>{html.escape(row['prompt'] or 'no prompt')}</p>"
        self.screen.value = f"{head}{player}{self.film(file, alt)}{tables.page(*tables.cells(self.scores(row)))}"

    def mark(self, file):
        """What stands before the words about a clip: "SYNTHETIC. " where its file said so when it was judged, else nothing."""
        return "SYNTHETIC. " if any(row["file"] == file and row.get("synthetic") for row in self.report["videos"]) else ""

    def frames(self, file):
        """Frames of a clip, made small; None when it can not be read any more."""
        try:
            return audit.loaded(self.folder / file)[0]
        except (KitError, OSError):
            return None

    def film(self, file, alt):
        """The filmstrip of a clip as HTML."""
        frames = self.frames(file)
        if frames is None:
            return ""
        picture = strips.filmstrip_image(strips.pick(frames, 8), labels=[""] * min(8, len(frames)), columns=8,
                                         warning=strips.warned(self.mark(file)))
        return f"<p>{image_tag(picture, f'Filmstrip of {alt}')}</p>"

    def scores(self, row):
        """Rows of the table under the player: metric, this clip, all clips, real clips, and why there is no value."""
        real = self.report["controls"]["rows"][0]["metrics"]
        return [{"metric": spoken(name), "this clip": written(row["scores"][name], entry), "all clips": written(entry["value"], entry),
                 "real clips": written(real[name]["value"], entry), "note": row["reasons"].get(name, "")}
                for name, entry in self.report["summary"].items()]
