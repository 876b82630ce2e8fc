"""The pictures of a curation report: the decision table as flow, funnel, histograms, sensitivity, drift and contact sheets.

Every function takes tables and returns a `Picture`. `stages`: one row per clip and stage. `clips`: one row per candidate clip,
removed_by "" = kept. `order`: names of the stages, first to last. Nothing is measured again.
"""

import html
import textwrap
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..errors import KitError
from .decide import CUT_FAILED

# Colours of figures.py and show.charts that a colour-blind reader can tell apart; a label, a hatch or a mark comes with each.
# DARK: what takes their place on a dark screen.
KEPT, GONE, GREY, BROWN, VIOLET, INK, FAINT, PAPER = "#3f90da", "#e76300", "#94a4a2", "#a96b59", "#832db6", "#1f2328", "#d0d7de", "#ffffff"
DARK = {INK: "#e6e9ed", FAINT: "#434b54", PAPER: "#171b20", VIOLET: "#bd8fe6", BROWN: "#cf9483"}
LINES = ((KEPT, "solid", "circle"), (GONE, "dash", "square"), (VIOLET, "dot", "diamond"), (BROWN, "dashdot", "x"), (INK, "5px", "star"))
PASSES = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
MEASURES = {"not medical": "probability of medicine", "too short": "samples in a row", "low resolution": "short side in pixels",
            "black border": "width of the widest border in pixels", "subtitles": "words in 5 frames", "aesthetic": "aesthetic score",
            "technical": "technical score", "quality": "technical quality, -1 to 1", "still": "motion",
            "duplicate": "distance to the nearest clip, bits of 64"}
written = partial(html.escape, quote=False)        # for plotly, which reads text as HTML: names that come from files are escaped


@dataclass
class Picture:
    """A figure (plotly or matplotlib) with its title, its words for a reader who cannot see it, a caption and its numbers as rows."""

    title: str
    figure: object
    alt: str
    caption: str = ""
    rows: list = field(default_factory=list)
    wide: int = 0                   # pixels below which the page lets it scroll sideways rather than squeeze it


def counts(table, order):
    """[{"stage", "reached", "removed", "left", "share"}] of `clips` or `stages`; share: of what reached the stage. None: it judged nothing
    (`clips` cannot tell whether a stage ran)."""
    if "removed_by" not in table and "first_fail" not in table:
        raise KitError("the table has neither removed_by (clips) nor first_fail (stages), so nothing can be counted.")
    removed = table["removed_by"].fillna("") if "removed_by" in table else table["stage"][table["first_fail"].astype(bool)]
    left, found, rows = table["clip_id"].nunique(), removed.astype(str).replace(CUT_FAILED, "").value_counts(), []
    unknown = sorted(set(found.index) - {"", *order})
    if unknown or not left:
        raise KitError(f"clips were removed by '{unknown[0]}', which is not in the order handed in: {', '.join(order)}." if unknown else
                       "there is no candidate clip in the table, so there is nothing to draw.")
    ran = set(table["stage"][table["verdict"].isin(("pass", "fail"))] if "verdict" in table else order)
    for stage in order:
        gone = int(found.get(stage, 0))
        share = gone / left if left and stage in ran else None
        rows.append({"stage": stage, "reached": left, "removed": gone, "left": (left := left - gone), "share": share})
    return rows


def drawn(figure, height, **layout):
    """A plotly figure in the look of the report."""
    layout = {"margin": {"l": 10, "r": 16, "t": 34, "b": 10}, "showlegend": False} | layout
    figure.update_layout(template=None, height=height, paper_bgcolor=PAPER, plot_bgcolor=PAPER, separators=".,", bargap=0.08, **layout,
                         font={"family": "system-ui, sans-serif", "size": 13, "color": INK}, hoverlabel={"bgcolor": PAPER})
    axis = {"gridcolor": FAINT, "zeroline": False, "linecolor": INK, "automargin": True, "fixedrange": True}
    return figure.update_xaxes(**axis).update_yaxes(**axis)


def percent(share):
    """A share 0 to 1 as text: 11.9 %, < 0.1 %, - where there is none."""
    return "-" if share is None or share != share else "< 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def categories(clips):
    """(category of every clip as an array of text, the names, most frequent first)."""
    category = clips["video_category"].fillna("").replace("", "not known").to_numpy(str)
    names, count = np.unique(category, return_counts=True)
    return category, [str(name) for name in names[np.argsort(-count, kind="stable")]]


def sankey(table, order):
    """The flow of clips through the stages: what passes runs on along the top, what a stage removes leaves below."""
    import plotly.graph_objects as go

    rows, base, gap = counts(table, order), 0.2, 0.12           # below `base` of the height there is room for the rejects
    total = rows[0]["reached"]
    passed, gone, links, labels = [("candidates", 0.0, 0.5)], [], [], [(0.0, 1.0, "candidates", total, "bottom")]
    for k, row in enumerate(rows, 1):
        x, left, removed, name = k / len(rows), row["left"] / total, row["removed"] / total, written(row["stage"])
        passed.append((f"left after {name}", x, left / 2))
        links.append((k - 1, k, row["left"]))
        labels.append((x, 1.0, name.replace(" ", "<br>"), row["left"], "bottom"))
        under = 1 - (left + removed + gap * (removed > 0)) * (1 - base)
        words = ("judged", "nothing") if row["share"] is None else (f"\u2212{row['removed']:,}", percent(row["share"]))
        labels.append((x, under, *words, "top"))
        if removed:
            gone.append((f"removed: {name}", x, left + gap + removed / 2))
            links.append((k - 1, len(rows) + len(gone), row["removed"]))
    names, across, down = zip(*passed, *gone)
    nodes = {"x": np.clip(across, 0.001, 0.999), "y": np.maximum(down, 0.001), "pad": 0, "thickness": 9, "align": "left", "line_width": 0,
             "color": [KEPT] * len(passed) + [GONE] * len(gone), "label": [""] * len(names), "customdata": names,
             "hovertemplate": "%{customdata}: %{value}<extra></extra>"}
    fig = go.Figure(go.Sankey(arrangement="fixed", domain={"y": [base, 1]}, valueformat=",", node=nodes, link={
        **dict(zip(("source", "target", "value"), zip(*links))), "hoverinfo": "skip",
        "color": ["rgba(63,144,218,0.35)" if b < len(passed) else "rgba(231,99,0,0.45)" for _, b, _ in links]}))
    for x, y, first, second, side in labels:
        second = f"<b>{second:,}</b>" if side == "bottom" else second
        fig.add_annotation(x=x, y=y, text=f"{first}<br>{second}", xref="paper", yref="paper", showarrow=False, font_size=12, yanchor=side,
                           xanchor="center", yshift=4 if side == "bottom" else -3)
    worst = max(rows, key=lambda row: row["removed"])
    alt = (f"Flow of {total:,} candidate clips through {len(rows)} stages. {rows[-1]['left']:,} ({percent(rows[-1]['left'] / total)}) are "
           f"kept. The stage '{worst['stage']}' removes most: {worst['removed']:,}.")
    return Picture("What each stage lets through", drawn(fig, 440, margin={"l": 44, "r": 40, "t": 66, "b": 34}), alt,
                   "Blue: clips that go on, their number above. Orange: clips that a stage removed, their number and their share of "
                   "what reached it. A clip counts at the first stage that it fails.", rows, 74 * (len(rows) + 1))


def funnel_beside_paper(table, order, paper=None):
    """Share of candidates left after each stage, ours beside the paper's figure 4. paper: rows "rule", "removed", "left"."""
    from plotly.subplots import make_subplots
    from .funnel import paper_funnel

    paper = paper_funnel() if paper is None else paper
    ours = {row["stage"]: row for row in counts(table, order)}
    theirs = {row["rule"]: row | {"share": row["removed"] / (row["left"] + row["removed"])} for row in paper if row["rule"] in order}
    total, start = ours[order[0]]["reached"], paper[0]["left"]
    fig = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.07, subplot_titles=(
        f"these clips: {total:,} candidates", f"the paper, figure 4: {start:,} candidates"))
    for column, found, whole, colour in ((1, ours, total, KEPT), (2, theirs, start, GREY)):
        bars = [100 * found[name]["left"] / whole if name in found else 0 for name in order]
        fig.add_bar(row=1, col=column, orientation="h", x=bars, y=[written(name) for name in order], marker_color=colour, hoverinfo="skip")
        for name, bar in zip(order, bars):
            text = f"{found[name]['left']:,}" if name in found else "<i>not in the figure</i>"
            text += f"  ({percent(found[name]['share'])} removed)" if found.get(name, {}).get("share") is not None else ""
            fig.add_annotation(row=1, col=column, y=written(name), x=1 if bar > 45 else bar + 1, text=text, showarrow=False,
                               xanchor="left", font={"size": 12, "color": "#10161c" if bar > 45 else INK})
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(range=[0, 101], ticksuffix=" %", title_text="share of the candidates left")
    rows = [{"stage": name, "left": row["left"], "share removed": row["share"], "paper left": theirs.get(name, {}).get("left"),
             "paper share removed": theirs.get(name, {}).get("share")} for name, row in ours.items()]
    alt = "Bars of the clips left after each stage. " + "; ".join(
        f"{name} removes {percent(ours[name]['share'])} here, {percent(row['share'])} in the paper" for name, row in theirs.items()) + "."
    return Picture("The funnel beside the paper's", drawn(fig, 90 + 34 * len(order)), alt,
                   "Bars: share of all candidates left after the stage. In brackets, to compare: what the stage removed of the clips that "
                   "reached it. The paper's figure starts after its first three stages and ends before ours.", rows, 760)


def score_histogram(table, name, threshold=None, op=">=", log=None):
    """How a score is distributed and where the threshold cuts, over all clips that have it, also those that an earlier stage removed.

    table: `clips` with a column `name`; a clip passes when `score op threshold`. Or `stages` with a stage `name`, which brings its own
    threshold and verdicts. log: counts on a logarithmic axis; None: where one side would be too small to see.
    """
    if "verdict" in table:
        rows = table[table["stage"] == name]
        judged = rows[rows["verdict"].isin(("pass", "fail")) & rows["value"].notna()]
        values, good = judged["value"].to_numpy(float), (judged["verdict"] == "pass").to_numpy()
        return histogram(values, good, name, rule_of(judged), len(rows) - len(judged), log)
    if name not in table or op not in PASSES:
        raise KitError(f"'{name}' is no column of the clips, or '{op}' is not one of {' '.join(PASSES)}.")
    values = table[name].dropna().to_numpy(float)
    good = np.ones(len(values), bool) if threshold is None else PASSES[op](values, threshold)
    return histogram(values, good, name, ("passes", op, threshold), len(table) - len(values), log)


def rule_of(rows):
    """("passes" or "fails", op, threshold or None) of a stage's rows; which of the two `value op threshold` means its verdicts say."""
    op, cuts = ", ".join(map(str, rows["op"].dropna().unique())), rows["threshold"].dropna().unique()
    seen = rows[rows["verdict"].isin(("pass", "fail"))].dropna(subset=["value", "threshold"])
    holds = PASSES[op](seen["value"].to_numpy(float), seen["threshold"].to_numpy(float)) if op in PASSES else np.zeros(0)
    word = "fails" if len(holds) and (holds == (seen["verdict"] == "fail").to_numpy()).all() else "passes"
    return word, op, float(cuts[0]) if len(cuts) == 1 else None


def histogram(values, good, name, rule, missing=0, log=None):
    """Picture of values [N] with the boolean `good` [N]: two colours, about 40 bins, the threshold as a line."""
    import plotly.graph_objects as go

    word, op, threshold = rule
    fig, (edges, at), rule = go.Figure(), bins(values, threshold, op), "" if threshold is None else f"{word}: {op} {threshold:g}"
    sides = [np.histogram(np.clip(values[which], edges[0], edges[-1]), edges)[0] for which in (good, ~good)]
    peaks = [int(side.max()) for side in sides if side.any()] or [1]
    log = min(peaks) < 0.03 * max(peaks) if log is None else log
    for side, label, colour, hatch in ((sides[0], "pass", KEPT, ""), (sides[1], "fail", GONE, "/")):
        look = {"color": colour, "line": {"width": 0.5, "color": PAPER},
                "pattern": {"shape": hatch, "fgcolor": PAPER, "size": 6, "fillmode": "overlay"}}
        fig.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=side, width=np.diff(edges), marker=look,
                    hovertemplate=f"%{{x:.4g}}: %{{y:,}} {label}<extra></extra>")
    if rule:
        fig.add_vline(at, line={"color": INK, "width": 2, "dash": "dash"})
        fig.add_annotation(x=at, y=1.02, yref="paper", yanchor="bottom", showarrow=False, text=f" {written(rule)} ",
                           xanchor="right" if at > (edges[0] + edges[-1]) / 2 else "left")
    fig.update_xaxes(title_text=written(MEASURES.get(name, name)), range=[edges[0], edges[-1]], showgrid=False)
    fig.update_yaxes(tickformat=",", **({"title_text": "clips (log scale)", "type": "log", "dtick": 1, "range": [
        -0.3, np.log10(max(peaks)) + 0.15]} if log else {"title_text": "clips"}))
    said = f"{len(good) - int(good.sum()):,} of {len(good):,} clips fail" + f" ({rule})" * bool(rule)
    said += f"; {missing:,} were not measured" * (missing > 0)
    caption = f"{said}. Blue passes, orange with stripes fails. What lies beyond the axis (0.5 % a side) is counted in the outermost bars."
    rows = [{"from": float(a), "to": float(b), "pass": int(p), "fail": int(f)} for a, b, p, f in zip(edges, edges[1:], *sides) if p or f]
    return Picture(f"Score: {name}", drawn(fig, 300, barmode="stack"), f"Histogram of {name}. {said}.", caption, rows)


def bins(values, threshold=None, op="", count=40):
    """(edges of about `count` bins, where the threshold stands: on one of them). The far 0.5 % of values are left out; whole numbers get
    bins of whole width with the threshold between two of them."""
    whole = len(values) > 0 and bool((values == np.round(values)).all())
    low, high = np.quantile(values, (0.005, 0.995)) + np.array((-0.5, 0.5)) * whole if len(values) else (0.0, 1.0)
    at = threshold
    if whole and threshold is not None:
        at = float(np.floor(threshold) + (0.5 if threshold % 1 or op in ("<=", ">", "==") else -0.5))
    zero = low if at is None else at
    low, high = min(low, zero), max(high, zero)
    step = max(1.0, np.ceil((high - low) / count - 1e-9)) if whole else (high - low) / count or 1.0
    first, last = np.floor((low - zero) / step + 1e-9), np.ceil((high - zero) / step - 1e-9)
    return zero + step * np.arange(first, max(last, first + 1) + 1), at


def sensitivity(clips, column, thresholds, decide, current=None):
    """How many clips would be kept at other thresholds, in all and of each category. decide(threshold) -> removed_by for every row of
    `clips` (or a table with that column); it looks at the table alone. current: the threshold in force."""
    from plotly.subplots import make_subplots

    thresholds, rows, (category, names) = sorted(thresholds), [], categories(clips)
    for threshold in thresholds:
        found = decide(threshold)
        kept = np.asarray(found["removed_by"] if hasattr(found, "columns") else found) == ""
        if kept.shape != (len(clips),):
            raise KitError(f"decide({threshold:g}) gave decisions of shape {kept.shape} for {len(clips)} clips; it must give one for each.")
        rows.append({"threshold": threshold, "kept": int(kept.sum())} | {name: float(kept[category == name].mean()) for name in names})
    fig = make_subplots(1, 2, horizontal_spacing=0.1, subplot_titles=("clips kept", "share kept of each category"))
    fig.add_scatter(row=1, col=1, x=thresholds, y=[row["kept"] for row in rows], mode="lines+markers", line_color=KEPT, showlegend=False)
    for name, (colour, dash, mark) in zip(names, LINES * len(names)):
        fig.add_scatter(row=1, col=2, x=thresholds, y=[100 * row[name] for row in rows], name=written(name), mode="lines+markers",
                        line={"color": colour, "dash": dash}, marker={"symbol": mark, "size": 7})
    if current is not None:
        fig.add_vline(current, line={"color": INK, "width": 1.5, "dash": "dash"}, annotation={"text": f"{current:g} in force"})
    fig.update_xaxes(title_text=f"threshold for {written(column)}", showgrid=False)
    fig.update_yaxes(rangemode="tozero", tickformat=",").update_yaxes(ticksuffix=" %", col=2)
    alt = f"Kept clips against the threshold for {column}: " + ", ".join(f"{row['kept']:,} at {row['threshold']:g}" for row in rows) + "."
    return Picture(f"What if: the threshold for {column}", drawn(fig, 380, showlegend=True, legend={"orientation": "h", "y": -0.25}), alt,
                   "Each point is the whole decision taken again on the table; no video is read. Where the lines on the right part, the "
                   "threshold changes what the set is about, not only how large it is.", rows, 720)


def category_drift(clips, order):
    """Share of each category among the candidates and after each stage: a stage that hurts one kind of video shows as a jump."""
    import plotly.graph_objects as go

    (category, names), steps = categories(clips), ("candidates", *order)
    at = clips["removed_by"].fillna("").map({name: k for k, name in enumerate((*order, ""))} | {CUT_FAILED: len(order)}).to_numpy()
    alive = np.array([[((at >= k) & (category == name)).sum() for k in range(len(steps))] for name in names], float)
    share = alive / np.maximum(1, alive.sum(axis=0))
    fig = go.Figure(go.Heatmap(
        z=np.log2(np.maximum(share, 1e-4) / np.maximum(share[:, :1], 1e-4)), zmin=-1, zmax=1, xgap=2, ygap=2,
        x=[written(name) for name in steps], y=[written(name) for name in names],
        colorscale=[[0, GONE], [0.5, PAPER], [1, KEPT]], text=[[*map(percent, line)] for line in share], texttemplate="%{text}",
        hoverinfo="skip", colorbar={"tickvals": [-1, 0, 1], "ticktext": ["halved", "as at first", "doubled"], "thickness": 12}))
    fig.update_xaxes(side="top", tickangle=-35, showgrid=False).update_yaxes(autorange="reversed", showgrid=False)
    alt = "Shares of the categories. " + "; ".join(f"{name}: {percent(line[0])} of the candidates, {percent(line[-1])} of what is kept"
                                                   for name, line in zip(names, share)) + "."
    return Picture("What the set is about, stage by stage", drawn(fig, 150 + 40 * len(names)), alt,
                   "Each column adds up to 100 %. Orange: the category has a smaller share than among the candidates; blue: a larger one.",
                   [{"category": name} | dict(zip(steps, line.tolist())) for name, line in zip(names, share)], 70 * (len(steps) + 2))


def reject_sheet(clips, stage, frames_of, count=12, stages=None, seed=0):
    """A contact sheet (matplotlib) of up to `count` clips that a stage removed, by value; value and threshold stand over each.

    frames_of(row of clips as a dict) -> frames uint8 [T, H, W, 3]; the middle one is shown. Where it fails its reason is shown instead.
    stages: the long table, for value and threshold.
    """
    import matplotlib.pyplot as plt

    gone = clips[clips["removed_by"] == stage]
    chosen = gone.sample(min(count, len(gone)), random_state=seed)
    if stages is not None:
        judged = stages[stages["stage"] == stage]
        chosen = chosen.merge(judged[["clip_id", "value", "threshold", "op"]], "left", "clip_id").sort_values("value")
    down = max(1, -(-len(chosen) // 4))
    figure, axes = plt.subplots(down, 4, squeeze=False, layout="constrained", figsize=(10.4, 2.6 * down),
                                subplot_kw={"xticks": [], "yticks": [], "frame_on": False})
    for axis, row in zip(axes.flat, chosen.to_dict("records")):
        said, name = "", row["clip_id"] if len(row["clip_id"]) < 29 else f"{row['clip_id'][:12]} ... {row['clip_id'][-12:]}"
        if stages is not None and row["threshold"] == row["threshold"]:
            said = f"{row['value']:.4g}; {rule_of(judged)[0]}: {row['op']} {row['threshold']:.4g}"
        axis.set_title(f"{name}\n{said}", fontsize=9.5, loc="left", parse_math=False)
        try:
            frames = frames_of(row)
            axis.imshow(frames[len(frames) // 2])
        except (KitError, OSError) as error:
            axis.text(0.5, 0.5, "\n".join(textwrap.wrap(str(error), 26)[:6]), ha="center", va="center", fontsize=9, parse_math=False)
    return Picture(f"Removed by: {stage}", figure, f"One frame each of {len(chosen)} of the {len(gone):,} clips that '{stage}' removed.",
                   f"{len(chosen)} of {len(gone):,}, drawn at random, in order of their value. Is each of them rightly gone?",
                   chosen[[name for name in ("clip_id", "upload", "value") if name in chosen]].to_dict("records"))


def standard(clips, stages, order):
    """The pictures that every report has: flow, funnel, drift of the categories, a histogram of each stage that measured something."""
    if not len(clips):
        return []
    measured = set(stages["stage"][stages["verdict"].isin(("pass", "fail")) & stages["value"].notna()].unique())
    return [sankey(stages, order), funnel_beside_paper(stages, order), category_drift(clips, order),
            *(score_histogram(stages, stage) for stage in order if stage in measured)]
