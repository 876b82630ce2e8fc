"""The report of a folder of videos: bad files, going on after a kill, strict JSON, flags of the controls, the paper, the page."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from medgen_kit import cli, video
from medgen_kit.errors import KitError
from medgen_kit.evaluate import controls, metrics, report, vbench_files
from medgen_kit.evaluate.report import beside_paper, beside_real, items, rows
from tests.evaluate.stubs import waves

BAD = {"corrupt.mp4": "not a video", "empty.mp4": "empty", "lost.mp4": "no such file", "one.mp4": "one frame",
       "still.gif": "picture, not a video", "torn.mp4": "breaks off|can be decoded", "../away.mp4": "with '..'"}


def strict(path):
    """The content of a JSON file; NaN and Infinity, which are not JSON, fail."""
    def refuse(word):
        raise AssertionError(f"{path} holds {word}")
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def fill(folder):
    """Six good videos of two sizes and every kind of bad one, with prompts for most and for one that is not there."""
    (folder / "sub").mkdir(parents=True)
    for k in range(3):
        video.write(folder / f"good_{k}.mp4", waves(10, 64, 64, k), 8, crf=10)
    for name, count, size in (("pair.mp4", 2, (64, 64)), ("wide.mp4", 9, (48, 80)), ("one.mp4", 1, (64, 64)), ("torn.mp4", 60, (64, 64)),
                              ("sub/deep.mp4", 10, (64, 64)), ("sub/unnamed.mp4", 5, (64, 64)), ("../away.mp4", 5, (64, 64))):
        video.write(folder / name, waves(count, *size), 8, crf=10)
    data = (folder / "torn.mp4").read_bytes()
    (folder / "torn.mp4").write_bytes(data[:len(data) * 2 // 3])
    (folder / "corrupt.mp4").write_bytes(bytes(range(256)) * 40)
    (folder / "empty.mp4").write_bytes(b"")
    pictures = [Image.fromarray(frame) for frame in waves(6, 64, 64, 5)]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:], duration=125, loop=0)
    pictures[0].save(folder / "still.gif")
    (folder / "notes.txt").write_text("not a video and no row")
    named = {name: f"a wave, {name}" for name in ("good_0.mp4", "good_1.mp4", "pair.mp4", "wide.mp4", "corrupt.mp4", "lost.mp4",
                                                  "sub/deep.mp4", "../away.mp4")}
    (folder / "prompts.json").write_text(json.dumps(named | {"good_0.mp4": "a <b>wave</b> & more", "good_2.mp4": ""}))
    (folder / "kinds.json").write_text(json.dumps({"good_0.mp4": "imaging", "good_1.mp4": "imaging", "wide.mp4": "teaching"}))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """(folder of videos, folder of the report, content of report.json), made by the command."""
    folder, out = tmp_path_factory.mktemp("videos") / "clips", tmp_path_factory.mktemp("report") / "out"
    fill(folder)
    ran = CliRunner().invoke(cli.typed, ["evaluate", str(folder), "--prompts", str(folder / "prompts.json"), "--out", str(out),
                                         "--categories", str(folder / "kinds.json"), "--workers", "1", "--warping-error", "40"])
    assert ran.exit_code == 0, ran.output
    assert "7 of 14 clips scored, 7 without a score" in ran.output and "flag: motion_smoothness" in ran.output
    assert ran.stderr == ("warning: 2 entries of the prompts match no video of this folder: ../away.mp4, lost.mp4. Names are relative to "
                          "the folder, with their ending.\n")
    found, told = strict(out / "report.json"), ran.stdout.splitlines()
    certain = [flag for flag in found["flags"] if flag["certain"]]
    assert "14 clips in all: 2 not there or no file, 0 with the content and prompt of another." in told and "clips: 12 to measure." in told
    assert [line[:5] for line in told[-5:]] == ["7 of ", "flag:", "flag:", "flag:", "and 1"], "the result first, then three flags"
    assert told[-1] == f"and {len(certain) - 3} more flags in the report."
    return folder, out, strict(out / "report.json")


def again(judged, out=None, **settings):
    folder, usual, _ = judged
    return report.evaluate(folder, folder / "prompts.json", out or usual, categories=folder / "kinds.json", workers=1, say=None, **settings)


def test_every_bad_file_is_a_row_with_its_reason(judged):
    found = judged[2]
    lines = {row["file"]: row for row in found["videos"]}
    assert list(lines) == sorted({"good_0.mp4", "good_1.mp4", "good_2.mp4", "pair.mp4", "wide.mp4", "moving.gif", "sub/deep.mp4", *BAD})
    for name, said in BAD.items():
        assert lines[name]["scores"] is None and re.search(said, lines[name]["reason"]), (name, lines[name]["reason"])
    assert lines["pair.mp4"]["scores"]["motion_smoothness"] is None
    assert "2 of at least 3 frames" in lines["pair.mp4"]["reasons"]["motion_smoothness"]
    assert lines["moving.gif"]["frames"] == 6 and lines["moving.gif"]["fps"] == pytest.approx(8, abs=0.5)
    assert lines["wide.mp4"]["size"] == "80x48" and any("2 sizes" in note for note in found["notes"])
    assert lines["good_2.mp4"]["prompt"] is None and lines["good_0.mp4"]["category"] == "imaging"
    assert found["counts"] == {"clips": 14, "scored": 7, "no_score": 7, "some_missing": 1, "without_prompt": 6, "without_file": 2}


def test_scores_are_those_of_measure_and_means_hide_nothing(judged):
    folder, _, found = judged
    frames, fps = video.read(folder / "wide.mp4")
    row = next(row for row in found["videos"] if row["file"] == "wide.mp4")
    assert row["scores"] == pytest.approx(metrics.values(metrics.measure(frames, fps, row["prompt"], "light")))
    smooth = found["summary"]["motion_smoothness"]
    own = [row["scores"]["motion_smoothness"] for row in found["videos"] if row["scores"]]
    assert smooth["n"] == 6 and smooth["missing"] == 8 and smooth["value"] == pytest.approx(np.mean([x for x in own if x is not None]))
    assert smooth["low"] < smooth["value"] < smooth["high"] and any("under 20" in note for note in found["notes"])
    by = smooth["by_category"]
    assert list(by) == ["imaging", "teaching", "not known"] and by["imaging"]["n"] == 2 and by["teaching"]["low"] is None
    frames = found["summary"]["subject_consistency"]["frames"]
    assert frames["value"] != found["summary"]["subject_consistency"]["value"] and frames["n"] == 7


def test_controls_that_beat_real_clips_are_flagged_in_words(judged):
    found = judged[2]
    lines = {line["control"]: line for line in found["controls"]["rows"]}
    assert list(lines) == ["real", "still", "shuffled", "noisy", "noise", "codec"] and lines["still"]["clips"] == 10
    flags = {(flag["metric"], flag["control"]): flag for flag in found["flags"]}
    frozen = flags["motion_smoothness", "still"]
    assert frozen["certain"] and frozen["spoiled"] > frozen["real"] and "a clip that does not move wins it" in frozen["text"]
    assert ("sharpness", "noise") in flags and ("flow_warp_error", "still") in flags
    assert ("temporal_flickering", "noise") not in flags and lines["noise"]["metrics"]["temporal_flickering"]["verdict"] == "sees it"
    assert not any(metrics.BETTER[metric] == 0 for metric, _ in flags)
    for line in lines.values():
        for metric, cell in line["metrics"].items():
            better = metrics.BETTER[metric] and cell["value"] is not None and (cell["value"] - cell["real"]) * metrics.BETTER[metric] > 1e-9
            assert bool(better) == ((metric, line["control"]) in flags), (metric, line["control"])


def test_a_metric_that_does_not_fall_for_a_control_has_no_flag():
    def line(control, value, verdict):
        return {"control": control, "about": control, "metrics": {"sharpness": {"value": value, "real": 5.0, "n": 4, "verdict": verdict}}}
    real = line("real", 5.0, "")
    assert beside_real.flags_of([real, line("codec", 4.0, "sees it"), line("still", 5.0, "blind")], {"sharpness": 0}) == []
    unsure, = beside_real.flags_of([real, line("codec", 5.2, "blind")], {"sharpness": 0})
    assert not unsure["certain"] and "may be chance" in unsure["text"] and "5.2" in unsure["text"] and "5.0" in unsure["text"]


def test_real_clips_are_given_size_and_length_of_the_judged_ones(judged, tmp_path):
    assert judged[2]["controls"]["shape"] == {"width": 64, "height": 64, "frames": 10, "fps": 8.0}
    assert beside_real.shape_of(judged[2]["videos"], 5 * 20 * 3 * 64 * 64)["frames"] == 5
    shape = {"width": 80, "height": 48, "frames": 30, "fps": 8.0}
    for source in beside_real.sources_of()[0]:
        frames, prompt = beside_real.real_clip(source, shape)
        assert frames.shape[1:] == (48, 80, 3) and len(frames) == (24 if source[0] == "echo" else 30) and prompt
        assert (frames[1:] != frames[:-1]).any()
    video.write(tmp_path / "real.mp4", waves(12, 96, 64), 8)
    (tmp_path / "prompts.json").write_text('{"real.mp4": "a real wave"}')
    (tmp_path / "broken.mp4").write_bytes(b"x" * 100)
    sources, left_out = beside_real.sources_of(tmp_path)
    frames, prompt = beside_real.real_clip(sources[0], shape)
    assert frames.shape == (12, 48, 80, 3) and prompt == "a real wave" and [row["file"] for row in left_out] == ["broken.mp4"]
    frames = waves(6, 33, 47)
    assert all(shown.shape == frames.shape and shown.dtype == np.uint8 for _, shown in beside_real.variants(frames))
    assert 0 < np.abs(controls.spoil(frames[None], "codec")[0].astype(int) - frames).mean() < 40


def test_nothing_is_measured_twice_and_what_changed_is(judged, tmp_path, monkeypatch):
    folder, out, first = judged
    seen = []
    whole = rows.measure_file
    monkeypatch.setattr(rows, "measure_file", lambda path, *rest: seen.append(path) or whole(path, *rest))
    found = again(judged, warping_error=40)
    assert found["made"]["measured"] == 0 and found["made"]["kept"] == 7 and found | {"made": 0} == first | {"made": 0}
    assert not [path for path in seen if "good" in path or "wide" in path]
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("report.json", "rows.jsonl"):
        (copy / name).write_bytes((out / name).read_bytes())
    shorter = again(judged, copy, max_frames=4)
    assert shorter["made"]["measured"] == 7 and shorter["made"]["kept"] == 0
    assert shorter["settings"]["frames"] == "the first 4 frames of a clip"
    assert [row["frames_measured"] for row in shorter["videos"] if row["scores"]] == [4, 4, 4, 4, 2, 4, 4]
    written = (copy / "rows.jsonl").read_text().splitlines()
    assert len(written) == 7 + 10 and "longer than the frames that were measured" in " ".join(shorter["notes"])


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(beside_real, "COUNT", 2)
    folder, out = tmp_path / "clips", tmp_path / "out"
    for k in range(24):
        video.write(folder / f"{k:02d}.mp4", waves(16, 64, 64, k), 12, crf=20)
    code = f"from medgen_kit.evaluate import report; report.evaluate({str(folder)!r}, out={str(out)!r}, workers=1)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ledger, until = out / "rows.jsonl", time.time() + 60
    while time.time() < until and (not ledger.is_file() or ledger.read_text().count("\n") < 4):
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = ledger.read_text().count("\n")
    assert 4 <= before < 24 and not (out / "report.json").is_file()
    with ledger.open("a") as file:
        file.write('{"key": "cut off in the mid')
    found = report.evaluate(folder, out=out, workers=1, say=None)
    assert found["made"]["kept"] == before and found["made"]["measured"] == 24 - before and found["counts"]["scored"] == 24
    assert len(ledger.read_text().splitlines()) == 24 + 2
    assert report.evaluate(folder, out=out, workers=1, say=None)["made"]["measured"] == 0


def test_empty_and_wrong_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(beside_real, "COUNT", 2)
    (tmp_path / "none").mkdir()
    found = report.evaluate(tmp_path / "none", out=tmp_path / "out", workers=1, say=None)
    assert found["videos"] == [] and found["summary"]["sharpness"]["value"] is None and "holds no video" in found["notes"][0]
    ran = CliRunner().invoke(cli.typed, ["evaluate", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert ran.exit_code == 0 and ran.stderr.startswith("warning: The folder holds no video (.mp4") and "flag" not in ran.stdout
    assert found["flags"] and "0 of 0 clips scored" in ran.stdout
    assert strict(tmp_path / "out" / "report.json")["counts"]["clips"] == 0 and (tmp_path / "out" / "index.html").is_file()
    assert len(found["controls"]["rows"]) == 6 and strict(tmp_path / "out" / "medgen_light_eval_results.json") == {}
    for settings, said in (({"videos_dir": tmp_path / "nowhere"}, "is not a folder"), ({"backbone": "heavy"}, "no backbone 'heavy'"),
                           ({"max_frames": 1}, "at least 2 .*--max-frames"), ({"real": tmp_path / "none"}, "no real clip"),
                           ({"prompts": tmp_path / "no.json"}, "is not there"), ({"warping_error": 385}, "not a percentage")):
        with pytest.raises(KitError, match=said):
            report.evaluate(**{"videos_dir": tmp_path / "none", "out": tmp_path / "out", "workers": 1, "say": None} | settings)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    with pytest.raises(KitError, match="something else than a report"):
        report.evaluate(tmp_path / "none", out=tmp_path / "thesis", say=None)


def test_a_clip_too_large_for_the_memory_says_how_many_frames_fit(tmp_path):
    path = video.write(tmp_path / "long.mp4", waves(20, 64, 64), 8)
    with pytest.raises(KitError, match=r"--max-frames 5 .*too_large"):
        rows.read_clip(path, None, 5 * rows.memory_of(64, 64))
    assert len(rows.read_clip(path, 5, 5 * rows.memory_of(64, 64))[0]) == 5
    assert rows.memory_of(8, 900) > 50 * rows.memory_of(8, 8) and rows.memory_of(720, 1280) > 8 * 720 * 1280 * 3


def test_prompts_categories_and_modality_come_from_a_metadata_table(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        video.write(tmp_path / name, waves(4, 64, 64), 8)
    (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in (
        {"file_name": "a.mp4", "brief_caption": "a wave", "video_category": "medical imaging", "factors": json.dumps({"modality": "echo"})},
        {"file_name": "b.mp4", "video_category": "medical teaching", "factors": "not JSON"})))
    found, table = items.items_of(tmp_path)
    facts = [(item.prompt, item.category, item.modality) for item in found]
    assert facts == [("a wave", "medical imaging", "echo"), (None, "medical teaching", "")]
    assert table == "metadata.jsonl" and items.items_of(tmp_path, {"a.mp4": "other"})[0][0].prompt == "other"


def parity(**changes):
    """Settings and a summary as the networks of the paper would give them for the row of MedGen."""
    settings = {"backbone": "parity", "frames": rows.ALL_FRAMES, "metrics": {
        name: {"backbone": network} for name, (network, _) in beside_paper.TERMS.items()}}
    return {"imaging_quality": {"value": 72.50}, "subject_consistency": {"value": 0.9441}, "background_consistency": {"value": 0.9739},
            "motion_smoothness": {"value": 0.9976}}, settings | changes


def test_the_set_stands_in_the_papers_table_only_with_the_papers_settings(judged):
    found = beside_paper.beside(*parity(), 38.5)
    assert found["same"] and found["ours"]["total"] == pytest.approx(70.93, abs=0.005) and len(found["rows"]) == 20
    assert beside_paper.beside(*parity())["ours"]["total"] is None and "--warping-error" in beside_paper.beside(*parity())["sentence"]
    cut = beside_paper.beside(*parity(frames="the first 16 frames of a clip"), 38.5)
    assert cut["ours"] is None and not cut["same"] and "motion_smoothness: the first 16 frames" in cut["sentence"]
    summary, settings = parity()
    settings["metrics"]["subject_consistency"] = {"backbone": "DINO ViT-S/16"}
    assert "subject_consistency: another network (DINO ViT-S/16)" in beside_paper.beside(summary, settings)["sentence"]
    light = judged[2]["paper"]
    assert light["ours"] is None and len(light["rows"]) == 20 and "is not used" in light["sentence"]
    for line in light["settings"]:
        assert line["why"] and f"{line['metric']}: {line['why']}" in light["sentence"]


def test_vbench_reads_what_lies_beside_the_report(judged):
    _, out, found = judged
    results = vbench_files.read_results(out / "medgen_light_eval_results.json")
    assert results["subject_consistency"]["overall"] == pytest.approx(found["summary"]["subject_consistency"]["value"])
    assert results["background_consistency"]["overall"] == pytest.approx(found["summary"]["background_consistency"]["frames"]["value"])
    info, folder = strict(out / "medgen_light_full_info.json"), judged[0].as_posix()
    assert len(info) == 7 and info[1] == {"prompt_en": "a wave, good_1.mp4", "dimension": list(results),
                                          "video_list": [f"{folder}/good_1.mp4"]}
    paths = [path for entry in info for path in entry["video_list"]]
    assert f"{folder}/sub/deep.mp4" in paths and all(Path(path).is_file() for path in paths), "VBench opens them as they stand"
    assert list(results["subject_consistency"]["rows"]) == paths
    assert len(results["motion_smoothness"]["rows"]) == 6 and "sharpness" not in results


def test_the_page_stands_alone_and_shows_text_as_text(judged):
    page = (judged[1] / "index.html").read_text(encoding="utf-8")
    text = re.sub("base64,[^\"]*", "", page)
    assert "real or generated is not known to this report" in page and "simulated or generated" not in page
    assert "never for clinical use" in page and "a &lt;b&gt;wave&lt;/b&gt; &amp; more" in page and "<b>wave</b>" not in page
    assert not re.search(r"(src|href)=\"?(https?:)?//", page) and page.count("<img") == page.count("<img src=\"data:image/jpeg") > 10
    assert all(len(alt) > 10 for alt in re.findall(r'<img [^>]*?alt="([^"]*)"', page)) and "prefers it" in page
    assert 'data-kind="imaging"' in page and "corrupt.mp4" in page and "NaN" not in text and len(page) < 2_000_000
    assert "medgen_light_eval_results.json has the form" in page and "do not submit them" in page
    for term in ("backbone", "thumbnail", "DIS flow midpoint", "variance of the Laplacian"):
        assert page.count(f"<li><b>{term}</b>: ") == 1
    assert "<details><summary>The paper's table 2, in percent; your clips are not in it" in page
    link = re.search(r'<a href="([^"]+)">good_0.mp4', page)[1]
    assert (judged[1] / link).resolve() == (judged[0] / "good_0.mp4").resolve()


def test_a_folder_with_another_report_json_is_not_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.json").write_text('{"tiny": {}}')
    with pytest.raises(KitError, match="something else than a report"):
        report.opened(tmp_path / "run")
    assert (tmp_path / "run" / "report.json").read_text() == '{"tiny": {}}'
