"""Pictures of a whole table of records, and a browser over its captions. Each takes what `sources.explore_metadata` gives.

Every picture repeats `label`, which says whether the table is the dataset's or a generated stand-in.
"""

import html
import re

from .bundle import image_tag, is_notebook
from .charts import COLOURS, drawn, figure, plotly
from .finder import Finder, menu
from .linked import pages
from .tables import cells, page, table

MENU = 300                       # concepts in its menu, commonest first
LONG = 110                       # letters of a caption in a list
FIELDS = {"duration": "length (s)", "fps": "frames a second", "bit_rate": "bits a second", "aesthetic_score": "aesthetic score",
          "dover_score": "technical score (DOVER)", "detailed_caption": "words of a detailed caption",
          "brief_caption": "words of a brief caption"}


def metadata_chart(explored):
    """Show four panels: categories beside the paper's figure 5, resolutions, lengths and caption words beside its table 1."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(9, 5.4))
    said = [categories(axes[0, 0], explored), resolutions(axes[0, 1], explored)]
    paper = {row["fact"]: row["paper"] for row in explored.beside_paper()}
    said.append(histogram(axes[1, 0], explored, "duration", paper["mean length (s)"]))
    said.append(histogram(axes[1, 1], explored, "detailed_caption", paper["words of a caption, mean"]))
    titled(fig, explored)
    figure(fig, f"Four panels about {len(explored):,} records ({explored.label}). {' '.join(said)}",
           f"{len(explored):,} records: {explored.label}. Paper: figure 5 and table 1")


def titled(fig, explored):
    """The label in the picture itself, so that it stays there when the picture is copied."""
    fig.suptitle(explored.label, x=0.99, ha="right", fontsize=10.5, color="#555555")


def categories(ax, explored):
    """Bars of the categories, the paper's shares beside ours; what they show, in words."""
    rows = [(name, row) for name, row in explored.found["categories"].items() if row["paper"] is not None]
    rows.sort(key=lambda pair: pair[1]["paper"])
    y = range(len(rows))
    ax.barh([k + 0.2 for k in y], [row["paper"] for _, row in rows], 0.38, label="paper, figure 5")
    ax.barh([k - 0.2 for k in y], [row["percent"] for _, row in rows], 0.38, label="this table", hatch="//", edgecolor="white")
    ax.set(yticks=list(y), yticklabels=[name for name, _ in rows], xlabel="share of clips (%)", title="Categories")
    ax.legend(loc="lower right")
    return "Categories, here and in the paper: " + ", ".join(f"{name} {row['percent']:.1f} and {row['paper']:.1f} percent"
                                                              for name, row in reversed(rows)) + "."


def resolutions(ax, explored, most=6):
    """Bars of the commonest picture sizes, of at least one clip in a thousand; what they show, in words."""
    rows = [(size, 100 * count / len(explored)) for size, count in explored.found["resolutions"][:most]]
    rows = [(size, share) for size, share in reversed(rows) if share >= 0.1]
    bars = ax.barh([size for size, _ in rows], [share for _, share in rows], color=COLOURS[1])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.set(xlabel="share of clips (%)", title="Resolutions (paper: 720x480)", xlim=(0, 1.15 * max([share for _, share in rows], default=1)))
    return "Resolutions: " + ", ".join(f"{size} {share:.1f} percent" for size, share in reversed(rows)) + "."


def histogram(ax, explored, name, paper=None):
    """A histogram of a field of FIELDS with the means, here and in the paper; what it shows, in words."""
    found = field(explored, name)
    if found["histogram"] is None:
        ax.text(0.5, 0.5, "this table does not say", ha="center", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[], title=FIELDS[name].capitalize())
        return f"{FIELDS[name].capitalize()}: the table does not say."
    edges, counts = found["histogram"]["edges"], found["histogram"]["counts"]
    ax.bar(edges[:-1], counts, [b - a for a, b in zip(edges, edges[1:])], align="edge", color=COLOURS[1], edgecolor="white")
    ax.axvline(found["mean"], ymax=0.74, color="black", ls="--", label=f"mean here: {found['mean']:.1f}")
    if paper is not None:
        ax.axvline(paper, ymax=0.74, color=COLOURS[0], label=f"mean in the paper: {paper:g}")
    ax.set(xlabel=FIELDS[name], ylabel="clips", title=FIELDS[name].capitalize())
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set_ylim(0, 1.35 * max(counts))
    ax.legend(loc="upper right")
    middle = found["quantiles"]
    return (f"{FIELDS[name].capitalize()}: half lie between {middle['25%']:.1f} and {middle['75%']:.1f}, mean {found['mean']:.1f}"
            + (f", {paper:g} in the paper." if paper is not None else "."))


def field(explored, name):
    """What the summary holds of a field: count, mean, quantiles, histogram."""
    return explored.found["words" if name.endswith("_caption") else "numbers"][name]


def concept_chart(explored, top=12):
    """Show the commonest concepts and the share of captions that name one of each axis (anatomy, device, finding ...)."""
    import matplotlib.pyplot as plt

    found = explored.found["concepts"]
    one = [(tag, 100 * count / max(1, found["captions"])) for tag, count in found["top"][:top]][::-1]
    axes_of = sorted(((name, 100 * share) for name, share in found["axes"].items()), key=lambda pair: pair[1])
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 0.25 * max(top, 8) + 1), width_ratios=(3, 2))
    for ax, rows, title, colour in ((left, one, f"The {len(one)} commonest of {found['distinct']:,} concepts", COLOURS[0]),
                                    (right, axes_of, "At least one concept of this axis", COLOURS[1])):
        bars = ax.barh([name for name, _ in rows], [share for _, share in rows], color=colour)
        ax.bar_label(bars, fmt="%.0f", padding=3)
        ax.set(xlabel="share of captions (%)", title=title, xlim=(0, 1.15 * max([share for _, share in rows], default=1)))
    said = ", ".join(f"{name} {share:.0f}" for name, share in reversed(one[-5:]))
    wide = ", ".join(f"{name} {share:.0f}" for name, share in reversed(axes_of))
    titled(fig, explored)
    figure(fig, f"Concepts in {found['captions']:,} captions ({explored.label}). Commonest, percent of captions: {said}. By axis: {wide}.",
           f"Concepts that {found['captions']:,} captions name as present: {explored.label}")


def metadata_plotly(explored):
    """Show one interactive histogram with a menu of fields: lengths, words, scores, frame rates. Put `metadata_chart` beside it.

    plotly's menu is for the mouse alone. In a notebook a second one stands below, for keyboard and screen reader: it shows the same
    histograms as pictures with their words, and needs no kernel.
    """
    import plotly.graph_objects as go

    names = [name for name in FIELDS if field(explored, name)["histogram"] is not None]
    fig = go.Figure(layout={"height": 420, "bargap": 0.02, "yaxis": {"title": {"text": "clips"}}, "margin": {"t": 80}})
    for k, name in enumerate(names):
        edges, counts = (field(explored, name)["histogram"][part] for part in ("edges", "counts"))
        words = [f"{a:,.4g} to {b:,.4g}: {count:,} clips" for a, b, count in zip(edges, edges[1:], counts)]
        fig.add_bar(x=[round((a + b) / 2, 4) for a, b in zip(edges, edges[1:])], y=list(counts), visible=k == 0, name=FIELDS[name],
                    hovertext=words, hoverinfo="text", showlegend=False)
    buttons = [{"label": FIELDS[name], "method": "update",
                "args": [{"visible": [other == k for other in range(len(names))]}, {"xaxis.title.text": FIELDS[name]}]}
               for k, name in enumerate(names)]
    fig.update_layout(xaxis={"title": {"text": FIELDS[names[0]] if names else ""}},
                      title={"text": explored.label, "x": 0.55, "font": {"size": 14}},
                      updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.18, "yanchor": "top"}] if names else [])
    middle = ", ".join(f"{FIELDS[name]} {field(explored, name)['quantiles']['50%']:,.4g}" for name in names)
    plotly(fig, f"A histogram of {len(explored):,} records ({explored.label}) with a menu of fields. Medians: {middle}.")
    if names and is_notebook():
        from IPython.display import display

        display(field_menu(explored, names))


def field_menu(explored, names):
    """The widget below `metadata_plotly`: a menu of fields that takes keys, and the picture of the one that is chosen."""
    import ipywidgets as widgets

    choice = widgets.Dropdown(options=[("choose a field", 0), *((FIELDS[name], k) for k, name in enumerate(names, 1))], value=0,
                              description="the same by keyboard", style={"description_width": "initial"})
    return widgets.VBox([choice, pages([(choice, "index", len(names) + 1)],
                                       lambda at: field_page(explored, names[at[0] - 1]) if at[0] else "")])


def field_page(explored, name):
    """The histogram of one field as HTML: a picture with its words."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    words = histogram(ax, explored, name)
    titled(fig, explored)
    return f'{image_tag(drawn(fig), f"{words} {explored.label}.")}<p role="status">{html.escape(words)}</p>'


def caption_browser(explored, words="", category="", concept="", copies=False):
    """Show the first rows that match as a table and, in a running notebook, a browser over the whole table: words, menus of categories and
    concepts, near-copies alone, page by page, one record in full. The arguments are what it starts with (see `explored.search`)."""
    found = explored.search(words, category, concept, copies)
    table([line(explored, int(row)) for row in found[:5]], f"{min(5, len(found))} of {len(found):,} rows ({explored.label})")
    if is_notebook():
        from IPython.display import display

        display(finder(explored, words, category, concept, copies).view)


def caption_page(explored, row):
    """Show one record of the table in full: what the browser shows of a row that was chosen."""
    table(explored.record(row), f"Row {row:,} ({explored.label})")


def line(explored, row):
    """A row in a list: {"row", "category", "brief caption"}."""
    known = explored.table.slice(row, 1).select(["video_category", "brief_caption", "video_name"]).to_pylist()[0]
    text = known["brief_caption"] or known["video_name"] or "(no caption)"
    return {"row": f"{row}", "category": known["video_category"] or "", "brief caption": text[:LONG] + "..." * (len(text) > LONG)}


def finder(explored, words="", category="", concept="", copies=False):
    """The widget behind `caption_browser`."""
    def text(row):
        one = line(explored, int(row))
        return f"{one['row']}  {one['category']}: {one['brief caption']}"

    def body(row, words):
        known = explored.record(int(row))
        return marked(page(*cells([{"field": key, "value": value} for key, value in known.items()])), words)

    menus = {name: (menu(explored.menu(name, MENU), chosen), chosen) for name, chosen in (("category", category), ("concept", concept))}
    return Finder("row", len(explored), menus, explored.search, text, body, words, {"copies": ("near-duplicates only", copies)},
                  explored.label)


def marked(text, words):
    """HTML with every one of `words` (any case) in <mark>; tags and signs like &amp; are left alone."""
    wanted = "|".join(re.escape(html.escape(word)) for word in sorted(words.split(), key=len, reverse=True))
    pieces = rf"(?i)(?P<left><[^>]*>|&#?\w+;)|(?P<word>{wanted})"
    return re.sub(pieces, lambda one: f"<mark>{one[0]}</mark>" if one["word"] else one[0], text) if wanted else text
