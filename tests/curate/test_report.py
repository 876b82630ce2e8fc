"""The report: counts that add up, thresholds drawn where they cut, one page that needs nothing else and trusts no name."""

import json
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from tests.curate.pictures import shot
from tests.curate.test_privacy import written

from medgen_kit import KitError, curate, video
from medgen_kit.curate import audit, funnel, page, privacy, report

matplotlib.use("Agg")
ORDER = ("not medical", "black border", "subtitles", "technical", "duplicate")
TESTS = {"not medical": ("medical", ">", 0.5), "black border": ("border", "<=", 0), "subtitles": ("words", "<=", 20),
         "technical": ("dover", ">", 0), "duplicate": ("duplicate_bits", ">", 12)}
NAMES = ("medical teaching", "clinical practice", "medical imaging")


def scores(count=600, seed=0):
    """Clips with invented scores; imaging carries a border far more often than the rest."""
    rng = np.random.default_rng(seed)
    category = rng.choice(NAMES, count, p=(0.6, 0.3, 0.1))
    border = np.where(rng.random(count) < np.where(category == "medical imaging", 0.6, 0.1), rng.integers(12, 90, count), 0)
    return pd.DataFrame({"clip_id": [f"clip-{k:04d}" for k in range(count)], "upload": [f"u{k // 9}.mp4" for k in range(count)],
                         "video_category": category, "medical": rng.beta(5, 1.2, count), "border": border,
                         "words": rng.negative_binomial(1, 0.06, count), "dover": np.nan,
                         "duplicate_bits": rng.normal(30, 6, count).round()})


def decide(clips, **cuts):
    """(clips with removed_by, the long table) under the rules of TESTS; `technical` is skipped."""
    removed, rows = pd.Series("", index=clips.index), []
    for stage, (column, op, threshold) in TESTS.items():
        threshold = cuts.get(column, threshold)
        good, skip = report.PASSES[op](clips[column], threshold), stage == "technical"
        first = ~good & (removed == "") & (not skip)
        rows.append(pd.DataFrame({"clip_id": clips["clip_id"], "stage": stage, "value": clips[column], "threshold": threshold, "op": op,
                                  "verdict": "skip" if skip else np.where(good, "pass", "fail"), "first_fail": first,
                                  "reason": "no DOVER weights were given, so the stage could not look at any clip" if skip else None,
                                  "tool": f"tool of {stage}", "tool_version": "1.2", "config_sha": "9f2c11"}))
        removed = removed.where(~first, stage)
    return clips.assign(removed_by=removed), pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def tables():
    return decide(scores())


def test_counts_add_up_and_both_tables_tell_the_same(tables):
    clips, stages = tables
    rows = report.counts(clips, ORDER)
    assert rows[0]["reached"] == 600 and rows[-1]["left"] == (clips["removed_by"] == "").sum()
    for before, row in zip(rows, rows[1:]):
        assert row["reached"] == before["left"] == row["left"] + row["removed"]
    long = report.counts(stages, ORDER)
    assert [row | {"share": 0} for row in long] == [row | {"share": 0} for row in rows]
    assert long[3]["share"] is None and rows[3]["share"] == 0, "only the long table knows that nobody looked"
    for wrong, message in ((clips.drop(columns="removed_by"), "neither"), (clips.iloc[:0], "no candidate clip"),
                           (clips.assign(removed_by="shiny"), "'shiny'")):
        with pytest.raises(KitError, match=message):
            report.counts(wrong, ORDER)


def test_the_sankey_conserves_clips(tables):
    clips, stages = tables
    picture = report.sankey(stages, ORDER)
    node, link = picture.figure.data[0].node, picture.figure.data[0].link
    into, out = np.zeros(len(node.x), int), np.zeros(len(node.x), int)
    for a, b, value in zip(link.source, link.target, link.value):
        out[a], into[b] = out[a] + value, into[b] + value
    ends = [k for k in range(len(out)) if not out[k]]
    assert out[0] == 600 and sum(into[ends]) == 600 and all(into[k] == out[k] for k in range(1, len(out)) if k not in ends)
    words = " ".join(note.text for note in picture.figure.layout.annotations)
    gone = int((clips["removed_by"] == "subtitles").sum())
    assert f"\u2212{gone}" in words and "judged<br>nothing" in words and f"removed: {'subtitles'}" in node.customdata
    assert picture.alt.startswith("Flow of 600") and "removes most" in picture.alt
    assert min(node.x) > 0 and max(node.x) < 1 and min(node.y) > 0, "plotly takes 0 for no place at all"


def test_stages_that_remove_nothing_or_everything_are_drawn():
    for removed in ("", "not medical"):
        clips = scores(20).assign(removed_by=removed)
        picture = report.sankey(clips, ORDER)
        assert picture.rows[-1]["left"] == (0 if removed else 20) and len(report.category_drift(clips, ORDER).rows) == 3


def test_the_funnel_stands_beside_the_papers(tables):
    picture = report.funnel_beside_paper(tables[0], ORDER)
    rows = {row["stage"]: row for row in picture.rows}
    assert rows["subtitles"]["paper left"] == 87_344 and rows["subtitles"]["paper share removed"] == pytest.approx(10_422 / 97_766)
    assert rows["not medical"]["paper left"] is None and "10.7 % in the paper" in picture.alt
    ours, theirs = picture.figure.data
    assert max(ours.x) <= 100 and list(theirs.x)[1] == pytest.approx(100 * 97_766 / funnel.PAPER_START)
    assert any("87,344  (10.7 % removed)" == note.text for note in picture.figure.layout.annotations)


@pytest.mark.parametrize("op, threshold, at", [("<=", 20, 20.5), (">", 20, 20.5), (">=", 20, 19.5), ("<", 20, 19.5), ("<=", 20.4, 20.5)])
def test_no_bar_straddles_a_threshold_on_whole_numbers(op, threshold, at):
    clips = scores(5000)
    picture = report.score_histogram(clips, "words", threshold, op)
    good = report.PASSES[op](clips["words"], threshold)
    assert picture.figure.layout.shapes[0].x0 == at
    assert sum(row["pass"] for row in picture.rows) == good.sum() and sum(row["fail"] for row in picture.rows) == (~good).sum()
    assert all(not (row["pass"] and row["fail"]) and (row["to"] <= at or row["from"] >= at) for row in picture.rows)


def test_histograms_of_odd_columns():
    clips = scores().assign(flat=3.0, none=np.nan, tiny=1e-9, huge=[*np.arange(599) / 599, 1e12])
    assert sum(row["pass"] for row in report.score_histogram(clips, "flat", 2.5).rows) == 600
    empty = report.score_histogram(clips, "none", 1.0)
    assert empty.rows == [] and "600 were not measured" in empty.caption
    huge = report.score_histogram(clips, "huge", 0.5)
    assert huge.rows[-1]["to"] < 2 and sum(row["pass"] + row["fail"] for row in huge.rows) == 600
    assert report.score_histogram(clips, "tiny", 5.0).rows[0]["fail"] == 600 and report.score_histogram(clips, "medical").alt
    assert len(report.score_histogram(clips, "medical").rows) <= 42
    for column, op, message in (("nothing", ">", "no column"), ("words", "=>", "is not one of")):
        with pytest.raises(KitError, match=message):
            report.score_histogram(clips, column, 1, op)


def test_a_stages_histogram_takes_its_verdicts_whichever_way_its_op_reads(tables):
    clips, stages = tables
    picture = report.score_histogram(stages, "subtitles")
    fails = int((clips["words"] > 20).sum())
    assert f"{fails} of 600 clips fail (passes: <= 20)" in picture.caption and sum(row["fail"] for row in picture.rows) == fails
    turned = stages.assign(op=stages["op"].replace({"<=": ">", ">": "<="}))
    assert report.rule_of(turned[turned["stage"] == "subtitles"]) == ("fails", ">", 20.0)
    assert "(fails: > 20)" in report.score_histogram(turned, "subtitles").alt
    assert "600 were not measured" in report.score_histogram(stages, "technical").caption


def test_what_if_is_the_decision_taken_again(tables):
    clips, tried = tables[0], []
    picture = report.sensitivity(clips, "border", [90, 0, 40], lambda cut: tried.append(cut) or decide(clips, border=cut)[0], current=0)
    assert tried == [0, 40, 90] and [row["kept"] for row in picture.rows] == [
        int((decide(clips, border=cut)[0]["removed_by"] == "").sum()) for cut in tried]
    imaging = [row["medical imaging"] for row in picture.rows]
    kept = decide(clips, border=40)[0].query("removed_by == ''")["video_category"].eq("medical imaging").sum()
    assert imaging[1] == pytest.approx(kept / (clips["video_category"] == "medical imaging").sum()) and imaging[2] > 1.5 * imaging[0]
    with pytest.raises(KitError, match="one for each"):
        report.sensitivity(clips, "border", [1, 2], lambda cut: [""] * 5)


def test_drift_shows_that_imaging_is_lost_at_the_border(tables):
    clips = tables[0]
    picture = report.category_drift(clips, ORDER)
    rows = {row["category"]: row for row in picture.rows}
    assert rows["medical imaging"]["candidates"] == pytest.approx((clips["video_category"] == "medical imaging").mean())
    assert rows["medical imaging"]["black border"] < 0.6 * rows["medical imaging"]["not medical"]
    assert all(sum(row[step] for row in rows.values()) == pytest.approx(1) for step in ("candidates", *ORDER))
    unknown = report.category_drift(clips.assign(video_category=None), ORDER)
    assert [row["category"] for row in unknown.rows] == ["not known"]


def test_the_contact_sheet_names_value_and_threshold_and_survives_a_broken_clip(tables):
    clips, stages = tables
    clips = clips.assign(clip_id=clips["clip_id"] + "-$x_{broken")
    stages = stages.assign(clip_id=stages["clip_id"] + "-$x_{broken")
    asked = []

    def frames_of(row):
        asked.append(row)
        if len(asked) == 1:
            raise KitError("u3.mp4: the file breaks off.")
        return np.full((3, 20, 30, 3), 90, np.uint8)

    picture = report.reject_sheet(clips, "subtitles", frames_of, 6, stages)
    titles = [axis.get_title(loc="left") for axis in picture.figure.axes]
    picture.figure.canvas.draw()
    values = [row["words"] for row in asked]
    assert len(asked) == 6 and values == sorted(values) and all(row["removed_by"] == "subtitles" for row in asked)
    assert titles[0] == f"{asked[0]['clip_id']}\n{values[0]}; passes: <= 20"
    assert picture.figure.axes[0].texts[0].get_text() == "u3.mp4: the file breaks\noff."
    assert picture.alt.startswith("One frame each of 6 of the ")
    none = report.reject_sheet(clips, "technical", frames_of)
    assert none.rows == [] and "0 of the 0 clips" in none.alt
    plt.close("all")


def opened(path):
    """(the page without plotly.js, the figures inside it)."""
    text = path.read_text(encoding="utf-8")
    start, end = text.index("<script>"), text.index("<script>var data")
    data = json.loads(re.search(r"var data = (\{.*?\}), colours = ", text[end:], re.S)[1])
    return text[:start] + text[end:], {name: json.loads(figure) for name, figure in data.items()}


def test_the_page_is_whole_offline_and_said_in_words(tables, tmp_path):
    clips, stages = tables
    sheet = audit.Sheet(tmp_path / "answers", "rater-1")
    sample = audit.draw_sample(clips, ORDER, survivors=3, rejects=2, stages=stages, say=lambda text: None)
    for row in sample.to_dict("records"):
        sheet.add(row, "clean" if row["set"] == "survivor" else "bad", 1)
    extra = report.reject_sheet(clips, "black border", lambda row: np.zeros((1, 9, 9, 3), np.uint8), 2, stages)
    standard = report.standard(clips, stages, ORDER)
    path = page.write_html(tmp_path / "page.html", clips, stages, ORDER, [*standard, extra],
                             [{"file": "a.mp4", "reason": "empty", "message": "the file is empty. Copy or download it again, please do."}],
                             audit.summary([sheet], sample), ["A note."], synthetic=True)
    plt.close("all")
    text, figures = opened(path)
    assert len(figures) == 7 and path.read_text().count("plotly.js v") == 1, "plotly.js is inside, once"
    loaded = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]*)""", text)
    assert [source[:22] for source in loaded] == ["data:image/png;base64,"] and "default-src 'none'" in text and "@import" not in text
    for picture in standard:
        assert page.html.escape(picture.alt, True) in text and page.html.escape(picture.caption) in text
    assert text.count("role=img aria-label=") == 7 and text.count('<img alt="One frame each') == 1 and text.count("<figcaption>") == 8
    for words in ("600 candidate clips from 67 uploads", "never for clinical use", "A note.", "tool of subtitles", "passes: &lt;= 20",
                  "no DOVER weights were given, so the stage could not look at any clip", "3 of 3", "100.0 % (29.2\u2013100.0)",
                  "the file is empty. Copy or download it again, please do.", 'name=viewport', "prefers-color-scheme: dark"):
        assert words in text, words
    assert report.INK in text and all(light in report.DARK for light in (report.INK, report.PAPER, report.FAINT))
    assert "never for clinical use" not in opened(page.write_html(tmp_path / "b.html", clips, stages, ORDER, []))[0]
    assert "never for clinical use" in opened(page.write_html(tmp_path / "c.html", clips.assign(synthetic=True), stages, ORDER, []))[0]


def test_names_from_files_cannot_break_out_of_the_page(tmp_path):
    evil = "</script><img src=x onerror=alert(1)> @plotly"
    order = (evil, "duplicate")
    clips = scores(40).assign(video_category=evil, clip_id=[f"{evil}{k}" for k in range(40)], removed_by=[evil, ""] * 20)
    stages = pd.DataFrame({"clip_id": clips["clip_id"], "stage": evil, "value": clips["words"], "threshold": 3, "op": "<=", "tool": evil,
                           "verdict": ["error", "pass"] * 20, "reason": evil, "tool_version": "1", "config_sha": "a",
                           "first_fail": clips["removed_by"] == evil})
    path = page.write_html(tmp_path / "r.html", clips, stages, order, None, [{"file": evil, "reason": evil}], (), [evil], title=evil)
    text, figures = opened(path)
    assert "<" not in text.split("var data = ")[1].split(", colours = ")[0], "no name ends the script"
    assert text.count("<script>") == 1 and "<img" not in text.replace("&lt;img", "") and path.stat().st_size < 6e6
    shown = json.dumps(figures)
    assert "&lt;img src=x" in shown and not re.search(r"<img", shown.replace("&lt;", ""))


def test_a_run_in_which_every_file_was_quarantined_has_a_report(tmp_path):
    clips, stages = (table.iloc[:0] for table in decide(scores(5)))
    files = pd.DataFrame({"file": [f"\u00fc{k}.mp4" for k in range(250)], "reason": "empty"})
    text, figures = opened(page.write_html(tmp_path / "r.html", clips, stages, ORDER, quarantine=files))
    assert figures == {} and "0 candidate clips" in text and "250 files could not be used" in text and "and 50 more." in text
    assert "did not run" in text and "\u00fc199.mp4" in text and "\u00fc200.mp4" not in text


def test_cells_are_written_for_people():
    rows = [{"a": 12345, "b": 0.123456, "c": None, "d": True, "e": np.float64("nan"), "f": [1, 2], "g": float("inf"), "h": np.int64(3)}]
    cells = re.findall("<td>(.*?)</td>", page.grid(rows))
    assert cells == ["12,345", "0.123", "\u2013", "yes", "\u2013", "[1, 2]", "inf", "3"] and "None." in page.grid([])
    long = "word " * 400
    assert f"<td>{long.strip()}</td>" in page.grid([{"a": long.strip()}])
    assert [report.percent(x) for x in (None, 0.0, 0.0004, 0.119, 1)] == ["-", "0.0 %", "< 0.1 %", "11.9 %", "100.0 %"]


def test_clips_whose_cutting_failed_count_as_passed(tables):
    clips, _ = tables
    failed = clips.assign(removed_by=clips["removed_by"].replace("", "cut failed"))
    assert report.counts(failed, ORDER) == report.counts(clips, ORDER)
    assert report.category_drift(failed, ORDER).rows == report.category_drift(clips, ORDER).rows


# ---- what a curation writes

SAID = (("LV EF 55", 20, 40), ("Patient: KELLER", 20, 80), ("DOB 12/03/1961", 20, 120))


@pytest.fixture(scope="module")
def said_in_the_picture(tmp_path_factory):
    """A folder with one upload in which a name, a date of birth and a measure are burned in."""
    folder = tmp_path_factory.mktemp("ward")
    video.write(folder / "lecture.mp4", written(shot(1, 12, (480, 640), dx=3, high=120), SAID)[0], 8, crf=16)
    return folder


def curated(folder, out, **changes):
    curate.curate(folder, out, **{"size": 32, "frames": 9, "fps": 8, "step": 1 / 6, "workers": 0, "report": False, "say": lambda text: None,
                                  "rules": {"words": 1000, "quality": -1}} | changes)
    return pd.read_parquet(out / "clips.parquet"), (out / "metadata.jsonl").read_text()


@pytest.mark.parametrize(("changes", "stays"), [
    ({"category": "medical imaging"}, False), ({}, False), ({"category": "medical teaching", "text": "all"}, False),
    ({"category": "medical teaching"}, False), ({"category": "medical teaching", "text": "none"}, True)])
def test_text_that_was_masked_is_written_nowhere_but_in_the_working_files(said_in_the_picture, tmp_path, changes, stays):
    clips, records = curated(said_in_the_picture, tmp_path / "out", **changes)
    assert len(records.strip()) > 10 and (clips["words"] > 3).all()                  # it was read
    for told in (" ".join(clips["lines"]), records):
        assert "KELLER" not in told and "1961" not in told and ("EF" in told) == stays
    card, manifest = ((tmp_path / "out" / name).read_text() for name in ("README.md", "manifest.json"))
    assert "`shards/`" in card and "do not share" in card and "file names" in card
    assert json.loads(manifest)["raw"] == said_in_the_picture.name and str(said_in_the_picture.parent) not in manifest


def test_no_path_of_this_machine_is_in_the_manifest(said_in_the_picture, tmp_path):
    (tmp_path / "told.csv").write_text("file_name,title\nlecture.mp4,Echo\n")
    curated(said_in_the_picture, tmp_path / "out", table=str(tmp_path / "told.csv"), read_text=False,
            aesthetic="tests.curate.pictures.light:100")
    manifest = (tmp_path / "out" / "manifest.json").read_text()
    assert str(tmp_path) not in manifest and json.loads(manifest)["config"]["table"] == "told.csv"
    assert json.loads(manifest)["config"]["aesthetic"] == "tests.curate.pictures.light:100"


def test_a_line_beside_a_label_is_dropped_with_it():
    lines = ["Apical view", "Dr.", "Weber", "Gain 62 dB", "Patient:", "KELLER", "MI 1.2"]
    assert privacy.unsaid(lines, "medical teaching", "imaging") == ["Apical view", "Gain 62 dB", "MI 1.2"]
    assert privacy.unsaid(lines, "medical imaging", "imaging") == privacy.unsaid(lines, "", "none") == []


@pytest.mark.parametrize(("category", "looked", "size"), [
    ("medical imaging", True, (240, 320)), ("medical teaching", True, (240, 320)), ("medical imaging", False, (60, 80))])
def test_the_report_shows_no_text_of_rejects_that_would_be_masked(said_in_the_picture, tmp_path, monkeypatch, category, looked, size):
    shown, sheet = [], report.reject_sheet

    def spy(clips, stage, frames_of, **options):
        return sheet(clips, stage, lambda row: shown.append(frames_of(row)) or shown[-1], **options)

    monkeypatch.setattr(report, "reject_sheet", spy)
    clips, _ = curated(said_in_the_picture, tmp_path / "out", category=category, report=True, read_text=looked,
                       rules={"still": 1000.0, "quality": -1, "words": 1000})
    assert set(clips["removed_by"]) == {"still"} and len(shown) == 1 and shown[0].shape == (1, *size, 3)
    bare = audit.piece(said_in_the_picture / "lecture.mp4", 0.0, 0.2)[0][:1]
    read = [said for said, _ in privacy.text_boxes(video.resize(shown[0], (480, 640)))[0]]
    assert len(privacy.text_boxes(bare)[0]) >= 3 and not [said for said in read if privacy.identifying(said) or "KELLER" in said]
