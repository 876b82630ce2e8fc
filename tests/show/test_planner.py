"""The planner draws plans: bars as long as the figures, a line at the GPU's memory, and sentences where there is no plan."""

import importlib

import matplotlib.pyplot as plt
import pytest

from medgen_kit import KitError
from medgen_kit.generate.plan import plan

planner = importlib.import_module("medgen_kit.show.planner")


@pytest.fixture(scope="module")
def tight():
    return plan("hunyuanvideo", frames=49, gpu="L4")


def test_bars_are_the_terms(tight):
    fig = planner.plan_figure(tight)
    ax = fig.axes[0]
    ends = {}
    for bar in ax.patches:
        ends.setdefault(round(bar.get_y() + bar.get_height() / 2), []).append((bar.get_x(), bar.get_width()))
    for row, used in enumerate(tight["phases"].values()):
        assert sum(width for _, width in ends[row]) == pytest.approx(sum(used.values()))
        assert max(left + width for left, width in ends[row]) == pytest.approx(sum(used.values())), "stacked, not drawn over each other"
    assert ax.lines[0].get_xdata()[0] == 22.0 and ax.get_xlim()[1] > 37
    plt.close(fig)


def test_rows_and_words(tight):
    rows = {row["phase"]: row for row in planner.plan_rows(tight)}
    assert not rows["train"]["fits"] and rows["text"]["fits"]
    assert rows["train"]["together (GiB)"] == pytest.approx(tight["peak_gpu_gib"]) and rows["train"]["VAE"] is None
    assert "train 37.1" in planner.plan_alt(tight) and "does not fit L4; 49 frames" in planner.verdict(tight)
    assert "nf4 would (19.5 GiB)" in planner.verdict(tight)


def test_page_without_widgets(capsys):
    planner.planner(plan, ["wan2.1-1.3b"], start={"frames": 17, "gpu": "L4"})
    said = capsys.readouterr().out
    assert "fits L4 (predicted)" in said and "weights" in said and not plt.get_fignums()


def test_start_must_be_offered():
    with pytest.raises(KitError, match="L4"):
        planner.planner(plan, ["wan2.1-1.3b"], start={"gpu": "L5"})


def test_a_change_draws_again(monkeypatch):
    asked, shown = [], []

    def counted(**choice):
        asked.append(choice)
        return plan(**choice)

    monkeypatch.setattr(planner, "show_plan", shown.append)
    offered = {"model": ["wan2.1-1.3b", "mochi-1"], "task": ["train-lora", "train-full"], "gpu": ["T4", "L4"], "precision": ["bf16", "nf4"],
               "frames": [17, 49]}
    box = planner.panel(counted, offered, {name: values[0] for name, values in offered.items()})
    menus = {widget.description: widget for widget in box.children if hasattr(widget, "description")}
    menus["GPU"].value = "L4"
    menus["frames"].value = 49
    assert [one["gpu"] for one in asked] == ["L4", "L4"] and asked[-1]["frames"] == 49
    assert shown[-1]["peak_gpu_gib"] > shown[0]["peak_gpu_gib"]
    menus["task"].value = "train-full"
    menus["precision"].value = "nf4"                        # cannot be: a sentence in the panel, no picture
    assert len(asked) == 4 and len(shown) == 3
