"""Matplotlib and plotly figures: one look for all notebooks, one bundle each."""

import base64
import io
import os

from .bundle import send, send_image

COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")   # petroff10
PLOTLY = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]}       # no plot offers to leave for a server


def style():
    """The look of every matplotlib figure: colours a colour-blind reader can tell apart, 11 pt, white, no frame on top and right."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update({
        "axes.prop_cycle": cycler(color=COLOURS), "figure.facecolor": "white", "axes.facecolor": "white", "figure.dpi": 100,
        "font.size": 11, "axes.titlesize": 12, "axes.labelsize": 11, "xtick.labelsize": 10.5, "ytick.labelsize": 10.5,
        "legend.fontsize": 10.5,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "legend.frameon": False, "image.cmap": "cividis",
        "figure.constrained_layout.use": True, "figure.figsize": (8, 3.6), "lines.linewidth": 2, "axes.titlelocation": "left"})


def figure(fig, alt, caption=""):
    """Show a matplotlib figure (100 dots an inch) with its alt text and caption, then close it."""
    send_image(drawn(fig), alt, caption)


def drawn(fig):
    """A matplotlib figure as a Pillow image; it is closed."""
    import matplotlib.pyplot as plt
    from PIL import Image

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100, bbox_inches="tight", facecolor="white")
    plt.close(fig)
    return Image.open(buffer)


def plotly(fig, alt, caption=""):
    """Show a plotly figure as plain JSON lists (readable in a diff, same in plotly 5 to 7). Put a PNG or a table next to it:
    pages exported without plotly show only the alt text."""
    data = plain(fig.to_dict())
    layout = data.get("layout", {})
    layout.pop("template", None)
    layout = {"colorway": list(COLOURS), "font": {"size": 14}, "margin": {"l": 60, "r": 20, "t": 50, "b": 50}, "paper_bgcolor": "white",
              "plot_bgcolor": "white", **layout}
    bundle = {"application/vnd.plotly.v1+json": {"config": PLOTLY, "data": data.get("data", []), "layout": layout}}
    if any(name.startswith("COLAB_") for name in os.environ):       # each Colab output is a frame of its own
        bundle["text/html"] = fig.to_html(include_plotlyjs="cdn", full_html=False, config=PLOTLY)
    send(bundle, alt, caption)


def plain(value):
    """Nested dicts, lists, numbers and text: NumPy arrays and plotly's base64 arrays become lists."""
    import numpy as np

    if isinstance(value, dict):
        if set(value) >= {"dtype", "bdata"}:
            shape = [int(n) for n in str(value.get("shape", "-1")).strip("()").split(",") if n.strip()]
            return np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"]).reshape(shape).tolist()
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
