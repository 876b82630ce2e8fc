"""The pictures of the data cards: small PNG files drawn from a card's figures, each with the text that a blind reader hears."""

import io

BLUE, ORANGE, RED, GREY = "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2"       # of petroff10
GROUPS = {"appearance": "appearance", "motion": "motion", "motion_unseen": "motion, unseen", "all_factors": "all factors"}


def categories(rows):
    """Bars of the share of each category; rows {"category", "percent"}. (PNG bytes, alt text)."""
    fig, axes = canvas(6.4, 2.7)
    rows = sorted(rows, key=lambda row: row["percent"])
    bars = axes.barh([row["category"] for row in rows], [row["percent"] for row in rows], color=BLUE)
    axes.bar_label(bars, fmt="%.2f %%", padding=3)
    axes.set(xlabel="share of clips (%)", xlim=(0, 1.2 * rows[-1]["percent"]))
    said = ", ".join(f"{row['category']} {row['percent']:.2f} percent" for row in reversed(rows))
    return png(fig), f"Bar chart of the categories of MedVideoCap-55K: {said}."


def funnel(rows):
    """Bars of the clips left after each filter; rows {"stage", "removed" (may be empty), "remaining"}. (PNG bytes, alt text)."""
    fig, axes = canvas(6.8, 3.0)
    names = [row["stage"] for row in rows]
    axes.barh(names, [row["remaining"] for row in rows], color=BLUE, label="left")
    gone = [(row["removed"] or 0) for row in rows]
    axes.barh(names, gone, left=[row["remaining"] for row in rows], color=ORANGE, hatch="///", edgecolor="white", label="removed")
    for i, row in enumerate(rows):
        axes.text(500, i, f"{row['remaining']:,}", va="center", color="black", fontweight="bold")
    axes.invert_yaxis()
    axes.set_xlabel("clips")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    legend_below(axes, 2)
    steps = ", ".join(f"{row['stage']} removes {row['removed']:,} and leaves {row['remaining']:,}" for row in rows[1:])
    return png(fig), f"Bar chart of the filter funnel: it starts with {rows[0]['remaining']:,} clips; {steps}."


def samples(rows):
    """Stacked bars of train, val and test clips of each source; rows {"source", "train", "val", "test"}. (PNG bytes, alt text)."""
    fig, axes = canvas(6.8, 0.34 * len(rows) + 1.3)
    names, start = [row["source"] for row in rows], [0] * len(rows)
    for split, colour, hatch in (("train", BLUE, ""), ("val", ORANGE, "///"), ("test", RED, "xx")):
        axes.barh(names, [row[split] for row in rows], left=start, color=colour, hatch=hatch, edgecolor="white", label=split)
        start = [a + row[split] for a, row in zip(start, rows)]
    axes.invert_yaxis()
    axes.set_xlabel("clips")
    legend_below(axes, 3)
    said = ", ".join(f"{row['source']} {row['train'] + row['val'] + row['test']:,}" for row in rows)
    return png(fig), f"Stacked bar chart of clips by source, divided into train, val and test. Clips: {said}."


def results(tiny):
    """Bars of real, generated and guessed shares for each group of factors, with the interval of the generated ones."""
    fig, axes = canvas(6.8, 3.3)
    names, spread = list(GROUPS), tiny.get("intervals") or {}
    rows = (("real clips", tiny["real"], GREY, ""), ("MedGen-tiny", tiny, BLUE, ""), ("majority guess", tiny["guess"], ORANGE, "///"))
    for k, (label, values, colour, hatch) in enumerate(rows):
        shares = [values.get(name) or 0 for name in names]
        places = [i + (k - 1) * 0.27 for i in range(len(names))]
        bars = axes.bar(places, shares, 0.25, color=colour, hatch=hatch, edgecolor="white", label=label)
        axes.bar_label(bars, fmt="%.2f", fontsize=10, label_type="edge" if k == 2 else "center", padding=1)
        if k == 1 and all(name in spread for name in names):
            low, high = ([abs(share - spread[name][side]) for share, name in zip(shares, names)] for side in (0, 1))
            axes.errorbar(places, shares, [low, high], fmt="none", ecolor="black", capsize=3)
    axes.set_xticks(range(len(names)), GROUPS.values())
    axes.set(ylabel="share right", ylim=(0, 1.05))
    legend_below(axes, 3)
    said = "; ".join(f"{word} {share(tiny.get(name))}, real {share(tiny['real'].get(name))}, guess {share(tiny['guess'].get(name))}"
                     for name, word in GROUPS.items())
    return png(fig), f"Bar chart of the share of prompted factors that an independent scorer finds, generated, real and guessed: {said}."


def table1(rows):
    """Number of videos against their mean length; rows {"dataset", "videos", "seconds", "captions" (bool)}. (PNG bytes, alt text)."""
    fig, axes = canvas(6.8, 4.2)
    for captions, colour, marker, label in ((False, BLUE, "o", "category labels"), (True, RED, "^", "text captions")):
        some = [row for row in rows if row["captions"] is captions]
        axes.scatter([row["seconds"] for row in some], [row["videos"] for row in some], s=55, color=colour, marker=marker, label=label)
    for row in rows:
        place = {"MedVidCL": (-7, 0), "MESAD-Real": (-7, 0), "SurgicalActions160": (7, 2)}.get(row["dataset"], (7, -4))
        axes.annotate(row["dataset"], (row["seconds"], row["videos"]), place, textcoords="offset points", fontsize=9,
                      ha="right" if place[0] < 0 else "left")
    axes.set(xscale="log", yscale="log", xlim=(0.6, 20_000), ylim=(12, 160_000), xlabel="mean length of a video", ylabel="videos")
    axes.set_xticks([1, 10, 60, 600, 3600], ["1 s", "10 s", "1 min", "10 min", "1 h"])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend_below(axes, 2)
    said = ", ".join(f"{row['dataset']} {row['videos']:,} of {row['printed']}" for row in rows)
    return png(fig), f"Scatter plot of table 1, number of videos against their mean length, on logarithmic scales: {said}."


def med_vbench(rows, loaded):
    """Dots of the total of table 2 for each model, those that the lessons can load filled; rows {"model", "total", "warping_error"}."""
    fig, axes = canvas(6.8, 4.8)
    rows = sorted(rows, key=lambda row: row["total"])
    for there, colour, marker, label in ((True, BLUE, "o", "a checkpoint that lessons can load"), (False, GREY, "D", "another model")):
        some = [(i, row["total"]) for i, row in enumerate(rows) if (row["model"] in loaded) is there]
        axes.scatter([total for _, total in some], [i for i, _ in some], color=colour, marker=marker, label=label, zorder=3)
    for i, row in enumerate(rows):
        axes.annotate(f"{row['total']:.2f}", (row["total"], i), (7, -3), textcoords="offset points", fontsize=8.5)
    axes.set_yticks(range(len(rows)), [row["model"] for row in rows], fontsize=9)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set(xlabel="Med-VBench total (table 2 of the paper)", xlim=(rows[0]["total"] - 1, rows[-1]["total"] + 2))
    legend_below(axes, 2)
    said = ", ".join(f"{row['model']} {row['total']:.2f}" for row in reversed(rows))
    return png(fig), f"Dot plot of the Med-VBench total of {len(rows)} models, best first: {said}."


def share(value, digits=3):
    """A share as text; a dash where there was nothing to decide."""
    return "–" if value is None else f"{value:.{digits}f}"


def canvas(width, height):
    """An empty figure (inches) in the cards' look."""
    from matplotlib.figure import Figure

    fig = Figure((width, height), layout="constrained")
    axes = fig.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return fig, axes


def legend_below(axes, columns):
    axes.figure.legend(*axes.get_legend_handles_labels(), ncols=columns, loc="outside lower center", frameon=False)


def png(fig):
    """A figure as PNG bytes, without the date and program that would change the file from run to run."""
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()
