"""The pictures of the curation lesson as matplotlib figures: an upload's timeline, what three rules saw, two funnels side by side."""

import numpy as np

from .. import video
from ..sources.raw import FADE
from . import border, funnel, quality, text

BLUE, ORANGE, RED, GREY, VIOLET, BROWN = "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59"
KINDS = {"medical": BLUE, "title card": ORANGE, "talking head": BROWN, "b-roll": VIOLET}


def timeline(path, note, rows, shots=()):
    """A figure of one upload: pictures, true shots (where known), candidates with the rule that removed them, C and S over time in seconds.

    path: the upload. note: its timeline as `stage.timelines` gives it. rows: its decided rows. shots: its true shots, if known.
    """
    import matplotlib.pyplot as plt

    fps, end = note["fps"], note["frames"] / note["fps"]
    heights = [1.6, *([0.8] if shots else []), 0.8, 1.6]
    figure, (top, *truth, ours, lines) = plt.subplots(len(heights), 1, figsize=(9.4, 1.1 * sum(heights)), sharex=True, layout="constrained",
                                                      gridspec_kw={"height_ratios": heights})
    places = [(shot["start"] + shot["end"]) // 2 for shot in shots] or video.sample_indices(note["frames"], 8)
    wide = 0.95 * (min(np.diff(places)) / fps if len(places) > 1 else end)
    pictures, _ = video.read(path, indices=places, size=(90, round(90 * note["width"] / note["height"])))
    spare = int(pictures.shape[2] * max(0, 1 - wide / (0.19 * end)) / 2)          # crop the sides rather than squeeze the picture
    for k, picture in enumerate(pictures[:, :, spare:pictures.shape[2] - spare]):
        middle = (k + 0.5) * end / len(places) if not shots else places[k] / fps
        top.imshow(picture, extent=(middle - wide / 2, middle + wide / 2, 0, 1), aspect="auto")
    for shot in shots:
        label = shot["kind"] + "".join(f"\n{name}" for name in shot["defects"])
        bar(truth[0], shot["start"] / fps, (shot["end"] + 1) / fps, KINDS[shot["kind"]], label)
    for row in rows:
        kept = not row["removed_by"]
        label = ("KEPT" if kept else row["removed_by"].replace(" ", "\n")) if row["steps"] > 3 else ""
        bar(ours, row["first"] / fps, (row["last"] + 1) / fps, BLUE if kept else GREY, label, "" if kept else "//")
    at = np.array(note["numbers"]) / fps
    lines.step(at, note["medical"], where="mid", color=BLUE, label="C: probability of medical")
    lines.plot((at[:-1] + at[1:]) / 2, note["s"], ".-", color=RED, label="S: similarity of neighbours")
    for cut in note["cuts"]:
        lines.axvline(cut / fps, color="black", linestyle=":", linewidth=1)
    lines.plot([], [], ":", color="black", label="cut (PySceneDetect)")
    lines.set(xlabel="time in seconds", ylim=(-0.05, 1.4), yticks=(0, 0.5, 1), xlim=(0, end))
    lines.legend(loc="upper left", ncols=3, fontsize=10)
    for axis, name in ((top, "upload"), *((axis, "truth") for axis in truth), (ours, "our cut")):
        axis.set(yticks=[], ylim=(0, 1), ylabel=name)
    return figure


def bar(axis, start, end, colour, label, hatch=""):
    """One labelled bar from `start` to `end` seconds."""
    axis.barh(0.5, end - start, left=start, height=0.9, color=colour, edgecolor="white", hatch=hatch, alpha=0.85)
    axis.text((start + end) / 2, 0.5, label, ha="center", va="center", fontsize=10)


def seen(bars, subtitled, sharp, blurred):
    """Four frames uint8 [H, W, 3] and what the rules saw in them: the border found, the lines of text read, the sharpness measured."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
    found = border.border_of(bars[None])
    height, width = bars.shape[:2]
    edges = {"top": [(0, width), (found["top"],) * 2], "bottom": [(0, width), (height - found["bottom"],) * 2],
             "left": [(found["left"],) * 2, (0, height)], "right": [(width - found["right"],) * 2, (0, height)]}
    for side, (x, y) in edges.items():
        if found[side]:
            axes[0].plot(x, y, color=ORANGE, linewidth=2.5)
    read = text.lines(subtitled)
    for _, box in read:
        axes[1].plot(*zip(*box, box[0]), color=ORANGE, linewidth=2.5)
    values = [quality.measures(frame[None])["sharpness"] for frame in (sharp, blurred)]
    titles = (f"border: {max(found.values())} pixels", f"{text.count_words([line for line, _ in read])} words in this frame",
              f"Laplacian variance {values[0]:.0f}", f"Laplacian variance {values[1]:.0f}")
    for axis, frame, title in zip(axes, (bars, subtitled, sharp, blurred), titles):
        axis.imshow(frame)
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    return figure


def funnels(table):
    """Our funnel beside the paper's: share of all candidates left after each rule, with the counts."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axis, rows, name in ((axes[0], table, "our uploads"), (axes[1], funnel.paper_funnel(), "the paper, figure 4")):
        left, start = [row["left"] for row in rows], max(1, rows[0]["left"])
        axis.barh(range(len(rows)), [value / start for value in left], color=[BLUE if not row["removed"] else ORANGE for row in rows])
        for k, row in enumerate(rows):
            axis.text(0.02, k, f"{row['left']:,}" + (f"  (-{row['removed']:,})" if row["removed"] else ""), va="center", fontsize=10)
        axis.set_yticks(range(len(rows)), [row["rule"] for row in rows])
        axis.invert_yaxis()
        axis.set(title=name, xlabel="share of the candidates left", xlim=(0, 1.02))
    return figure


def similarity_histogram(notes, truth, tau):
    """S inside true shots and across their joins (cuts, and every pair that touches a fade), logarithmic count, with the threshold tau.

    truth: {} where nobody knows it; then all pairs are one.
    """
    import matplotlib.pyplot as plt

    inside, across = [], []
    for note in notes:
        shots = truth.get(note["file"], {}).get("shots", [])
        joins = [(shot["start"], shot["start"] + (FADE if shot["join"] == "fade" else 0)) for shot in shots[1:]]
        for a, b, s in zip(note["numbers"], note["numbers"][1:], note["s"]):
            (across if any(a < end and b >= start or a < start <= b for start, end in joins) else inside).append(s)
    figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
    bins = np.linspace(min(inside + across), 1, 40)
    names = [f"inside a shot ({len(inside)} pairs)" if truth else f"all {len(inside)} pairs", f"across a join ({len(across)} pairs)"]
    axis.hist([inside, across][:1 + bool(truth)], bins, label=names[:1 + bool(truth)], color=[BLUE, ORANGE][:1 + bool(truth)], log=True)
    axis.axvline(tau, color=RED, linestyle="--", label=f"tau = {tau}")
    axis.set(xlabel="similarity S of neighbouring samples (no unit)", ylabel="number of pairs")
    axis.legend(fontsize=10)
    return figure
