"""The view of a report in the notebook: sorting and filtering as a function, the browser driven without a kernel, the page without one."""

import numpy as np
import pytest

from medgen_kit import show, video
from medgen_kit.errors import KitError
from medgen_kit.show import report as views


def clip(seed, count=8):
    """A square that walks, in a colour of its own."""
    frames = np.full((count, 64, 64, 3), 20, np.uint8)
    for t, frame in enumerate(frames):
        frame[20:40, 4 * t:4 * t + 20] = (60 * seed + 40, 200 - 50 * seed, 90)
    return frames


def entry(better, digits, value):
    return {"value": value, "low": None, "high": None, "n": 3, "missing": 1, "better": better, "digits": digits}


@pytest.fixture
def judged(tmp_path):
    """(report, folder) of three scored clips, one of them gone, and one without a score."""
    video.write(tmp_path / "a <1>.mp4", clip(1), 8)
    video.write(tmp_path / "b.mp4", clip(2), 8)
    values = {"a <1>.mp4": (0.9, 0.2, "imaging"), "b.mp4": (0.7, None, "imaging"), "gone.mp4": (0.8, 0.1, "")}
    rows = [{"file": file, "prompt": f"prompt of {file}", "category": kind, "scores": {"smooth": smooth, "error": error}, "reason": None,
             "reasons": {} if error else {"error": "no flow"}} for file, (smooth, error, kind) in values.items()]
    rows.append({"file": "torn.mp4", "prompt": None, "category": "other", "scores": None, "reason": "it breaks off", "reasons": {}})
    real = {"control": "real", "metrics": {"smooth": {"value": 0.95}, "error": {"value": None}}}
    flags = [{"metric": "smooth", "control": "still", "certain": True}, {"metric": "error", "control": "codec", "certain": False}]
    return {"videos": rows, "summary": {"smooth": entry(1, 3, 0.8), "error": entry(-1, 2, 0.15)}, "controls": {"rows": [real]},
            "flags": flags}, tmp_path


def files(rows):
    return [row["file"] for row in rows]


def test_rows_are_sorted_worst_first_by_what_the_metric_calls_better(judged):
    report, _ = judged
    assert files(show.rows_sorted(report, "smooth")) == ["b.mp4", "gone.mp4", "a <1>.mp4"]
    assert files(show.rows_sorted(report, "error")) == ["a <1>.mp4", "gone.mp4", "b.mp4"]                # no value comes last
    assert files(show.rows_sorted(report, "error", worst_first=False)) == ["gone.mp4", "a <1>.mp4", "b.mp4"]
    assert files(show.rows_sorted(report, "file")) == ["a <1>.mp4", "b.mp4", "gone.mp4"]
    assert files(show.rows_sorted(report, "smooth", "imaging")) == ["b.mp4", "a <1>.mp4"]
    assert show.rows_sorted(report, "smooth", "not known")[0]["smooth"] == 0.8
    with pytest.raises(KitError, match="sorted by 'beauty'. It has: file, smooth, error"):
        show.rows_sorted(report, "beauty")
    with pytest.raises(KitError, match="category 'other'"):
        show.rows_sorted(report, "smooth", "other")


def test_the_browser_sorts_filters_and_plays_what_is_chosen(judged):
    report, folder = judged
    view = show.ReportView(report, folder)
    assert [file for _, file in view.list.options] == ["", "b.mp4", "gone.mp4", "a <1>.mp4"] and "3 clips" in view.said.value
    view.order.value = False
    assert view.list.options[1][1] == "a <1>.mp4" and "0.900" in view.list.options[1][0]
    view.kind.value = "imaging"
    view.sorting.value = "error"
    assert [file for _, file in view.list.options] == ["", "a <1>.mp4", "b.mp4"] and view.screen.value == ""
    view.list.value = "a <1>.mp4"
    screen = view.screen.value
    assert view.chosen == "a <1>.mp4" and "<video" in screen and "a &lt;1&gt;.mp4" in screen and "<1>" not in screen
    assert screen.count("<img") == 1 and 'alt="Filmstrip of' in screen and "0.900" in screen and "0.95" in screen
    view.list.value = "b.mp4"
    assert "no flow" in view.screen.value
    view.kind.value = ""
    view.list.value = "gone.mp4"
    assert "can not be shown" in view.screen.value and "<video" not in view.screen.value and "0.800" in view.screen.value
    view.list.value = ""
    assert view.screen.value == "" and view.chosen is None


def test_where_a_metric_takes_no_side_no_clip_is_called_worst(judged, capsys):
    report, folder = judged
    report["summary"]["smooth"]["better"] = 0
    view = show.ReportView(report, folder)
    assert [label for label, _ in view.order.options] == ["lowest first", "highest first"] and view.list.options[1][1] == "b.mp4"
    view.order.value = False
    view.sorting.value = "error"
    assert view.order.label == "best first" and view.list.options[1][1] == "gone.mp4", "the order that was chosen stays"
    view.sorting.value = "file"
    assert view.order.label == "Z first" and view.list.options[1][1] == "gone.mp4"
    view.order.value = True
    view.sorting.value = "error"
    assert view.order.label == "worst first" and view.list.options[1][1] == "a <1>.mp4"
    capsys.readouterr()
    show.report_view(report, folder, by="smooth")
    said = capsys.readouterr().out
    assert "The lowest 3 clips by smooth" in said and "Frames of b.mp4, lowest by smooth" in said
    assert "last" not in said and "worst" not in said


def test_a_generated_clip_is_called_synthetic_and_another_is_not(judged, capsys, monkeypatch):
    report, folder = judged
    drawn, kept = [], views.strips.filmstrip_image
    monkeypatch.setattr(views.strips, "filmstrip_image", lambda *given, **named: drawn.append(named["warning"]) or kept(*given, **named))
    for row, label in zip(report["videos"], (False, True)):
        row["synthetic"] = label
    report["videos"][1]["prompt"] = "It ends."
    show.report_view(report, folder, by="smooth")
    said = capsys.readouterr().out
    assert "\nSYNTHETIC. The last clip by smooth." in said and "Prompt: It ends.]" in said, "b.mp4"
    view = show.ReportView(report, folder)
    view.list.value = "b.mp4"
    assert view.screen.value.startswith("<h4>SYNTHETIC. b.mp4</h4>")
    view.list.value = "a <1>.mp4"
    assert view.screen.value.startswith("<h4>a &lt;1&gt;.mp4</h4>") and "SYNTHETIC" not in view.screen.value
    assert drawn == ["SYNTHETIC, never for clinical use."] * 2 + [""]
    assert view.list.description == "clips", "the list has a name"


def test_an_animated_gif_is_shown_as_it_is(judged):
    from PIL import Image

    report, folder = judged
    pictures = [Image.fromarray(frame) for frame in clip(1)]
    pictures[0].save(folder / "b.gif", save_all=True, append_images=pictures[1:], duration=125)
    report["videos"][1]["file"] = "b.gif"
    view = show.ReportView(report, folder)
    view.list.value = "b.gif"
    assert "data:image/gif;base64," in view.screen.value and "can not be shown" not in view.screen.value


def test_a_page_without_a_kernel_shows_tables_and_a_filmstrip(judged, capsys):
    report, folder = judged
    assert show.report_view(report, folder, by="smooth") is None
    said = capsys.readouterr().out
    assert "still" in said and "codec" not in said and "The last 3 clips by smooth" in said
    assert said.index("b.mp4") < said.index("gone.mp4") < said.index("a <1>.mp4") and "[Frames of b.mp4" in said
    for row in report["videos"]:
        row["scores"] = None
    show.report_view(report, folder)
    assert "No clip has a score" in capsys.readouterr().out


def test_the_static_table_of_scores_names_what_is_ranked_above_real(judged):
    rows = {row["metric"]: row for row in views.scores_table(judged[0])}
    assert rows["smooth"]["ranks above real"] == "still" and rows["error"]["ranks above real"] == "nothing"
    assert rows["smooth"]["real clips"] == "0.950" and rows["error"]["real clips"] == "\u2013" and rows["smooth"]["low"] == "\u2013"
