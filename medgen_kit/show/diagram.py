"""The flow of the course as a drawing: one box a stage, one arrow a hand-over."""

import textwrap

from .charts import COLOURS, figure


def flow(boxes, alt, caption="", done=()):
    """Show boxes (title, text) in reading order with arrows between them, five a row.

    done: titles drawn filled (with a tick); the others are outlined.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    columns = min(5, len(boxes))
    rows = -(-len(boxes) // columns)
    fig, ax = plt.subplots(figsize=(9.2, 1.55 * rows + 0.1), layout="none")
    ax.set(xlim=(0, columns), ylim=(-rows, 0))
    ax.axis("off")
    fig.subplots_adjust(0, 0, 1, 1)
    for number, (title, text) in enumerate(boxes):
        x, y = number % columns, -(number // columns) - 1
        ready = title in done
        ax.add_patch(FancyBboxPatch((x + 0.06, y + 0.12), 0.80, 0.76, boxstyle="round,pad=0.02,rounding_size=0.06", linewidth=1.6,
                                    facecolor="#dcebf9" if ready else "white", edgecolor=COLOURS[0]))
        ax.text(x + 0.46, y + 0.76, title + (" \u2713" if ready else ""), ha="center", va="center", fontsize=12, weight="bold")
        ax.text(x + 0.46, y + 0.39, "\n".join(textwrap.wrap(text, 20)), ha="center", va="center", fontsize=10.5)
        if number + 1 < len(boxes) and (number + 1) % columns:
            ax.annotate("", (x + 1.05, y + 0.5), (x + 0.88, y + 0.5), arrowprops={"arrowstyle": "-|>", "lw": 1.8, "color": "#333333"})
        elif number + 1 < len(boxes):                       # from the end of a row to the start of the next
            ax.plot([x + 0.46, x + 0.46, 0.46, 0.46], [y + 0.1, y, y, y - 0.06], color="#333333", lw=1.8)
            ax.annotate("", (0.46, y - 0.11), (0.46, y), arrowprops={"arrowstyle": "-|>", "lw": 1.8, "color": "#333333"})
    figure(fig, alt, caption)
