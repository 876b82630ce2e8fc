"""The form of the spot check, driven by its buttons without a kernel: order, resume, undo, broken clips, no hint of the set."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from medgen_kit import video
from medgen_kit.curate import audit as sheets
from medgen_kit.errors import DiskError, KitError, VideoError
from medgen_kit.show import audit, bundle

ITEMS = [{"clip_id": f"c{k}", "stage": "subtitles" if k < 3 else "still", "set": "reject" if k % 2 else "survivor",
          "question": "burned-in <text>", "upload": "reject_survivor.mp4"} for k in range(5)]


def film(item=None):
    """Two seconds of a dot that walks to the right."""
    y, x = np.mgrid[:48, :64]
    dots = np.stack([255 * ((x - 4 * t) ** 2 + (y - 24) ** 2 < 60) for t in range(16)]).astype(np.uint8)
    return np.repeat(dots[..., None], 3, -1), 8


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now
    return Clock()


@pytest.fixture
def sheet(tmp_path):
    return sheets.Sheet(tmp_path / "answers", "rater-1")


def form_of(sheet, clock, items=ITEMS, film=film):
    return audit.SpotCheck(items, film, sheet.add, sheet.undo, sheet.answers(), clock)


def click(form, clock, key, after=2.0):
    clock.now += after
    form.buttons[key].click()


def test_clicks_are_stored_in_order_and_the_end_is_said(sheet, clock):
    form = form_of(sheet, clock)
    for key in "12313":
        assert "<video" in form.screen.value and not form.buttons["1"].disabled
        click(form, clock, key)
    assert [(row["clip_id"], row["set"], row["answer"], row["seconds"]) for row in sheet.history()] == [
        (f"c{k}", ITEMS[k]["set"], answer, 2.0) for k, answer in enumerate(("clean", "slightly noisy", "bad", "clean", "bad"))]
    assert form.at is None and "All 5 clips are answered" in form.said.value and "5 of 5" in form.counter.value
    assert form.buttons["1"].disabled and not form.buttons["u"].disabled and form.screen.value == ""
    click(form, clock, "1")
    assert len(sheet.history()) == 5


def test_it_opens_at_the_first_clip_without_an_answer_also_in_the_middle(sheet, clock):
    sheet.add(ITEMS[0], "clean", 1)
    sheet.add(ITEMS[2], "clean", 1)
    form = form_of(sheet, clock)
    assert form.at == 1 and "2 of 5" in form.counter.value
    click(form, clock, "1")
    assert form.at == 3 and "still" in form.question.value


def test_undo_goes_back_also_over_a_restart(sheet, clock):
    form = form_of(sheet, clock)
    click(form, clock, "3")
    click(form, clock, "1")
    again = form_of(sheet, clock)
    click(again, clock, "u")
    assert again.at == 1 and "Taken back: clean" in again.said.value and len(sheet.answers()) == 1
    click(again, clock, "u")
    click(again, clock, "u")
    assert again.at == 0 and "no answer to take back" in again.said.value
    click(again, clock, "2")
    assert sheet.answers()["subtitles", "c0"]["answer"] == "slightly noisy" and again.at == 1


def test_a_double_click_answers_once(sheet, clock):
    form = form_of(sheet, clock)
    click(form, clock, "1")
    click(form, clock, "1", after=0.1)
    click(form, clock, "1", after=0.05)
    assert len(sheet.history()) == 1 and form.at == 1


def test_letters_in_the_field_do_what_the_buttons_do(sheet, clock):
    form = form_of(sheet, clock)
    for typed in ("1", "3 ", "x", "U", "s", "4"):
        clock.now += 1
        form.field.value = typed
        assert form.field.value == ""
    assert [row["answer"] for row in sheet.history()] == ["clean"] and form.at == 1


def test_nothing_on_the_page_tells_survivors_from_rejects(sheet, clock):
    form = form_of(sheet, clock)
    pages = []
    for _ in ITEMS:
        pages.append(form.counter.value + form.question.value + form.screen.value.split("base64,")[0])
        click(form, clock, "1")
    assert not any(word in page for page in pages for word in ("reject", "survivor", "c0"))
    assert pages[0].replace("0 of 5", "1 of 5").replace("Clip 1", "Clip 2") == pages[1], "a survivor and a reject look alike"
    assert "burned-in &lt;text&gt;" in pages[0]


def test_a_clip_that_cannot_be_shown_is_said_and_can_be_skipped(sheet, clock, tmp_path):
    def broken(item):
        if item["clip_id"] == "c0":
            return tmp_path / "gone.mp4"
        if item["clip_id"] == "c1":
            raise RuntimeError("a <decoder> fell over")
        return film()

    form = form_of(sheet, clock, film=broken)
    assert "there is no such file" in form.said.value and form.buttons["1"].disabled and not form.buttons["s"].disabled
    click(form, clock, "1")
    form.press("1")
    assert not sheet.history()
    click(form, clock, "s")
    assert "RuntimeError: a &lt;decoder&gt; fell over" in form.said.value
    click(form, clock, "s")
    assert form.at == 2 and form.buttons["s"].disabled and form.said.value == ""
    form.press("s")
    assert form.at == 2, "a clip that can be seen cannot be skipped"
    for _ in range(3):
        click(form, clock, "1")
    assert "3 of 5 clips are answered; 2 could not be shown" in form.said.value
    assert form_of(sheet, clock, film=broken).at == 0, "next time they are tried again"


def test_an_answer_that_could_not_be_stored_stays_open(clock):
    def full(*_):
        raise DiskError("the disk is full")

    form = audit.SpotCheck(ITEMS, film, full, None, (), clock)
    click(form, clock, "1")
    assert form.at == 0 and "the disk is full" in form.said.value and "0 of 5" in form.counter.value
    assert form.buttons["u"].disabled and "medgen-spot-check" in form.view._dom_classes
    assert all(f"medgen-key-{key}" in button._dom_classes for key, button in form.buttons.items())


def played(page):
    return base64.b64decode(page.split("base64,")[1].split('"')[0])


def test_files_are_shown_byte_for_byte_and_others_are_encoded_again(tmp_path):
    frames, fps = film()
    light = video.write(tmp_path / "ö.mp4", frames, fps)
    assert played(audit.screen(light, "a dot")) == light.read_bytes()
    other = light.rename(tmp_path / "a.mkv")
    for shown in (other, (frames, 8), frames):
        page = audit.screen(shown, 'a "dot"')
        (tmp_path / "again.mp4").write_bytes(played(page))
        info = video.probe(tmp_path / "again.mp4")
        assert (info.codec, info.frames) == ("h264", 16) and 'aria-label="a &quot;dot&quot;"' in page and " loop " in page
    noise = np.random.default_rng(0).integers(0, 255, (12, 224, 224, 3), dtype=np.uint8)
    heavy = video.write(tmp_path / "noise.mp4", noise, 8, crf=10)
    assert len(played(audit.screen(heavy, "noise", limit_kb=400))) * 4 / 3 <= 400_000 < heavy.stat().st_size
    still = audit.screen(frames[:1], "one frame")
    assert still.startswith("<img") and np.array_equal(np.asarray(Image.open(io.BytesIO(played(still)))), frames[0])
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="empty"):
        audit.screen(tmp_path / "empty.mp4", "nothing")
    with pytest.raises(KitError, match="uint8"):
        audit.screen(np.zeros((2, 8, 8, 3)), "floats")


def test_where_nothing_is_live_there_is_a_picture(sheet, capsys, monkeypatch):
    import pandas as pd
    shown = []
    monkeypatch.setattr(audit, "send_image", lambda image, alt, caption: shown.append((image, alt)))
    audit.spot_check(pd.DataFrame(ITEMS), film, sheet.add)
    (image, alt), = shown
    assert image.width > 400 and "clip 1 of 5, stage subtitles" in alt and "reject" not in alt
    monkeypatch.undo()
    audit.spot_check([], film, sheet.add)
    audit.spot_check(ITEMS, lambda item: 1 / 0, sheet.add)
    out = capsys.readouterr().out
    assert "There is no clip to look at." in out and "ZeroDivisionError" in out and not bundle.is_notebook()
    with pytest.raises(KitError, match="clip_id and stage"):
        audit.spot_check([{"clip_id": "a"}], film, sheet.add)
    assert not sheet.history()
