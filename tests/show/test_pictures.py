"""What show sends to the page: bundles with alt texts, pictures of bounded weight, honest labels."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from medgen_kit import show, video
from medgen_kit.errors import KitError
from medgen_kit.show import browser, bundle, charts, movies, strips, tables


def moving(count=9, side=32, seed=0):
    """A dot that walks to the right over noise, uint8 [T, H, W, 3]."""
    y, x = np.mgrid[:side, :side] / side
    noise = np.random.default_rng(seed).random((count, side, side)) * 0.15
    dots = np.stack([np.exp(-((x - 0.2 - 0.06 * t) ** 2 + (y - 0.5) ** 2) / 0.02) for t in range(count)])
    return np.repeat((255 * np.clip(dots + noise, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)


@pytest.fixture
def page(monkeypatch):
    """The bundles that a notebook would be sent: a list of (data, metadata)."""
    import IPython.display

    sent = []
    monkeypatch.setattr(IPython.display, "display", lambda data, metadata=None, raw=False: sent.append((data, metadata or {})))
    for module in (bundle, tables, browser):
        monkeypatch.setattr(module, "is_notebook", lambda: True)
    return sent


def pictures(sent):
    return [(mime, Image.open(io.BytesIO(base64.b64decode(content))), metadata[mime]["alt"], data["text/plain"])
            for data, metadata in sent for mime, content in data.items() if mime.startswith("image/")]



def test_a_picture_of_generated_clips_says_so_inside_itself():
    assert strips.warned("SYNTHETIC. A heart") and strips.warned("Real: a heart") == ""
    for plain, marked in ((strips.filmstrip_image(moving()), strips.filmstrip_image(moving(), warning=strips.warned("SYNTHETIC"))),
                          (strips.sheet_image([moving()], ["a"]), strips.sheet_image([moving()], ["a"], warning="SYNTHETIC"))):
        assert plain.size == marked.size and (np.asarray(plain) != np.asarray(marked)).any(), "the words stand in the line below"


def test_every_picture_carries_its_alt_text(page):
    show.filmstrip(moving(), alt="A dot\n walks right", caption="The walk")
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    show.figure(fig, "A rising line")
    show.sheet([moving(), moving(5)], ["one", "two"], "Two walks")
    found = pictures(page)
    assert [(alt, text) for _, _, alt, text in found] == [("A dot walks right",) * 2, ("A rising line",) * 2, ("Two walks",) * 2]
    assert any("The walk" in data.get("text/html", "") for data, _ in page)
    assert not plt.get_fignums(), "the figure is closed"


@pytest.mark.parametrize("draw", [lambda alt: show.filmstrip(moving(), alt), lambda alt: show.sheet([moving()], ["one"], alt),
                                  lambda alt: show.player(moving(), alt), lambda alt: show.figure(plt.figure(), alt)])
@pytest.mark.parametrize("alt", ["", "  ", None])
def test_no_alt_no_picture(draw, alt):
    with pytest.raises(KitError, match="alt text"):
        draw(alt)
    plt.close("all")


def test_outside_a_notebook_the_alt_text_is_printed(capsys):
    show.filmstrip(moving(), alt="A dot walks right", caption="The walk")
    assert capsys.readouterr().out == "[A dot walks right]\nThe walk\n"


def test_weight_is_bounded_and_noise_becomes_jpeg():
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8))
    mime, data = bundle.encode(noisy, 60)
    assert mime == "image/jpeg" and len(data) * 4 / 3 <= 60_000
    line = Image.new("RGB", (800, 400), "white")
    line.paste("black", (10, 10, 700, 14))
    mime, data = bundle.encode(line)
    assert mime == "image/png" and np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), np.asarray(line))


def test_filmstrip_layout_is_readable_and_honest():
    image = strips.filmstrip_image(moving())
    assert image.width <= 920 and image.width >= 9 * 90 + 8 * strips.GAP and strips.enlarged_note(moving(), 96) == \
        "Frames of 32x32 pixels, enlarged 3.0 times."
    assert strips.enlarged_note(moving(side=128), 96) == ""
    tall = strips.filmstrip_image(moving(18))
    assert tall.height > 1.8 * (image.height - 20) and tall.width == image.width
    assert strips.filmstrip_image(moving(), labels=["a label of many words"] * 9).height > image.height + 15
    left, right = (np.asarray(image.crop((k * 102, 0, k * 102 + 98, 98))).sum(axis=(0, 2)).argmax() for k in (0, 8))
    assert right > left + 30, "frames stand in order of time"


def test_enlarged_frames_are_smooth():
    step = np.zeros((1, 8, 8, 3), np.uint8)
    step[:, :, 4:] = 255
    assert len(np.unique(strips.enlarge(step, 96)[0, 40, :, 0])) > 4, "an edge becomes a ramp, not a stair"


def test_wrap_cuts_nothing_off():
    text = "An apical four-chamber view with a pericardial effusion and-one-very-long-word-that-does-not-fit-on-a-line"
    lines = strips.wrap(text, 180, 15)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "") and all(strips.font(15).getlength(line) <= 180 for line in lines)
    assert strips.wrap("", 100, 15) == [""]


def test_sheet_marks_and_sizes():
    plain = strips.sheet_image([moving()] * 3, ["a"] * 3)
    marked = strips.sheet_image([moving()] * 3, ["a"] * 3, marks=["right", "", "wrong: the dot went left"])
    assert marked.height > plain.height and marked.width == plain.width <= 920
    assert strips.marked("right", 300) == [("\u2713 right", strips.RIGHT)]
    assert strips.marked("wrong: left", 300)[0][0].startswith("\u2717 wrong")
    with pytest.raises(KitError, match="as many titles"):
        strips.sheet_image([moving()], ["a", "b"])
    with pytest.raises(KitError, match="uint8"):
        strips.sheet_image(np.zeros((1, 9, 32, 32, 3)), ["a"])
    with pytest.raises(KitError, match="one label a frame"):
        strips.filmstrip_image(moving(), labels=["a"])


def test_player_is_a_filmstrip_and_an_h264_video(page, tmp_path):
    show.player(moving(), alt='A "dot" walks right')
    html = page[-1][0]["text/html"]
    assert len(pictures(page)) == 1 and 'aria-label="A &quot;dot&quot; walks right"' in html and " controls muted loop" in html
    assert "autoplay" not in html
    path = tmp_path / "inside.mp4"
    path.write_bytes(base64.b64decode(html.split("base64,")[1].split('"')[0]))
    info = video.probe(path)
    assert (info.codec, info.frames, round(info.fps)) == ("h264", 9, 8) and info.height >= 200
    frames, _ = video.read(path)
    assert frames[-1].sum(axis=(0, 2)).argmax() > frames[0].sum(axis=(0, 2)).argmax() + 50


def test_heavy_and_long_videos_fit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 120, 160, 3), dtype=np.uint8)
    path = video.write(tmp_path / "noise.mp4", noise, 30)
    frames, fps = movies.load(path, 8)
    assert len(frames) / fps == pytest.approx(2.0) and len(frames) < 60, "thinned, at its real speed"
    assert len(movies.encode(frames, fps, 60)) * 4 / 3 <= 60_000


def test_table(page, capsys):
    import pandas as pd

    rows = [{"name": "a<b", "share": 0.12345, "n": 12345}, {"name": "c", "share": None, "n": True}]
    show.table(rows, caption="Two rows")
    data = page[0][0]
    assert '<th scope="col"' in data["text/html"] and "a&lt;b" in data["text/html"]
    assert [line.split() for line in data["text/plain"].splitlines()] == [
        ["Two", "rows"], ["name", "share", "n"], ["a<b", "0.123", "12,345"], ["c", "\u2013", "yes"]]
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["p", "q"], name="row"))
    assert tables.cells(frame)[0] == ["row", "x"] and tables.cells({"a": 1})[1][0][0][0] == "a"
    assert tables.written(np.float32(0.5), 2) == "0.50" and tables.written(float("nan")) == "\u2013"


def test_plotly_is_plain_lists(page):
    import plotly.graph_objects as go

    show.plotly(go.Figure(go.Scatter(x=np.arange(3), y=np.arange(6).reshape(3, 2)[:, 1] / 2)), "A rising line")
    data = page[0][0]
    figure = data["application/vnd.plotly.v1+json"]
    assert figure["config"]["modeBarButtonsToRemove"] == ["sendChartToCloud"], "no button sends a plot away"
    assert figure["data"][0]["x"] == [0, 1, 2] and figure["data"][0]["y"] == [0.5, 1.5, 2.5] and "template" not in figure["layout"]
    assert data["text/plain"] == "A rising line"
    packed = {"dtype": "f8", "bdata": base64.b64encode(np.arange(4.0).tobytes()).decode(), "shape": "2, 2"}
    assert charts.plain(packed) == [[0.0, 1.0], [2.0, 3.0]]


def test_monitor_says_ten_lines_and_nothing_in_a_test_run(capsys):
    watch = show.monitor(500)
    for step in range(1, 501):
        watch.update(step, loss=1 / step, seconds_left=500 - step)
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 11 and lines[-1].split() == "step 500 of 500 loss 0.002".split() and "1 min 40 s left" in lines[8]
    quiet = show.monitor(10)
    for step in range(1, 11):
        quiet.update(step, loss=1.0)
    assert capsys.readouterr().out == "" and len(quiet.history) == 10


def test_a_training_draws_its_curve_in_one_place_of_the_page(tmp_path):
    """In a real kernel: ten lines with memory and time left, one picture that is drawn again, its alt text with it."""
    import nbformat
    from nbclient import NotebookClient

    source = ("from medgen_kit import show\nwatch = show.monitor(100)\n"
              "for step in range(10, 101, 10): watch.update(step, loss=1 / step, seconds_left=100 - step, memory_mib=1536)")
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    outputs = NotebookClient(nb, timeout=120, kernel_name="python3").execute().cells[0].outputs
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert text.count("1.5 GiB") == 10 and "step    50 of 100   loss 0.020   1.5 GiB   50 s left" in text
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(drawn) == 1 and drawn[0].metadata["image/png"]["alt"] == "Line: the loss goes from 0.10 at step 10 to 0.01 at step 100."


def test_explorer_page_shows_one_clip(page, tmp_path):
    from medgen_kit.clip import Clip

    path = video.write(tmp_path / "a.mp4", moving(), 8)
    clip = Clip.of(path, video_category="medical imaging", brief_caption="a dot",
                   detailed_caption="a dot walks right", factors={"modality": "dot"})
    show.explorer_page(clip)
    assert "a dot walks right" in pictures(page)[0][2] and "modality = dot" in page[-1][0]["text/plain"]
    with pytest.raises(KitError, match="no clips"):
        show.explorer([])


def test_explorer_filters_and_shows(page, tmp_path):
    from medgen_kit.clip import Clip

    clips = [Clip.of(video.write(tmp_path / f"{k}.mp4", moving(3 + k), 8), video_category="medical imaging", brief_caption=f"clip {k}",
                     concepts=["polyp"] * (k == 1), factors={"modality": "dot" if k else "line"}) for k in range(3)]
    made = browser.finder(clips)
    assert [name for name, _ in made.menus["kind"].options] == ["all", "dot (2)", "line (1)"]
    assert len(made.list.options) == 4 and made.place.value == "", "nothing is drawn before the reader chooses"
    made.menus["kind"].value = "dot"
    assert [text for text, _ in made.list.options[1:]] == ["dot: clip 1", "dot: clip 2"] and "2 of 3 clips" in made.said.value
    made.menus["concept"].value = "polyp"
    made.list.value = 0
    assert "clip 1" in made.place.value and "<video controls" in made.place.value and "<img" in made.place.value
    made.menus["kind"].value, made.menus["concept"].value, made.words.value = "", "", "2 CLIP"
    assert made.place.value == "" and [clip.brief_caption for clip in made.rows] == ["clip 2"]
    made.words.value = "no such word"
    assert "0 of 3 clips" in made.said.value and len(made.list.options) == 1
    clips[0].path.unlink()
    made.words.value = "clip 0"
    made.list.value = 0
    assert "can not be shown" in made.place.value


def test_flow_draws_all_boxes(page):
    show.flow([(f"{k:02d}", "some words") for k in range(7)], alt="Seven boxes in a row", done=("03",))
    (_, image, alt, _), = pictures(page)
    assert alt == "Seven boxes in a row" and image.width > image.height
