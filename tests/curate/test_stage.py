"""The whole of curation on uploads of our own: decisions, funnel, quarantine, resuming, the same result twice."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from tests.curate.pictures import shot

from medgen_kit import KitError, read_folder, video
from medgen_kit.clip import validate_folder
from medgen_kit.curate import audit, curate, decide, output, shards, stage
from medgen_kit.sources import raw_drawn as drawn

DATA = {"size": 32, "frames": 9, "fps": 8, "step": 1 / 6, "medical": "tests.curate.pictures:is_dark", "workers": 0, "files_per_shard": 1,
        "read_text": False, "report": False, "say": lambda text: None}


def clean(seed):
    return shot(seed, 12, (480, 640), dx=3)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """Two good uploads with known shots and three bad files, with truth.json."""
    folder, known = tmp_path_factory.mktemp("uploads"), {}
    bright = np.clip(shot(9, 12, (480, 640), dx=3).astype(int) + 90, 0, 255).astype(np.uint8)
    again = np.clip(clean(1) * 1.05, 0, 255).astype(np.uint8)
    plans = {"a.mp4": [(clean(1), "medical", []), (bright, "talking head", []), (drawn.letterbox(clean(2)), "medical", ["letterbox"]),
                       (clean(3)[:5], "medical", [])],
             "b.mp4": [(drawn.blur(clean(4)), "medical", ["blur"]), (again, "medical", ["duplicate"]), (clean(5), "medical", []),
                       (np.repeat(clean(6)[:1], 12, 0), "medical", ["frozen"])]}
    for name, plan in plans.items():
        at, shots = 0, []
        for frames, kind, defects in plan:
            shots.append({"start": at, "end": at + len(frames) - 1, "kind": kind, "defects": defects, "join": "cut", "factors": {}})
            at += len(frames)
        video.write(folder / name, np.concatenate([frames for frames, *_ in plan]), 8, crf=16, synthetic=True)
        known[name] = {"title": f"title of {name}", "shots": shots}
    (folder / "c_empty.mp4").touch()
    (folder / "d_page.mp4").write_text("<html>" * 50)
    (folder / "e_half.mp4").write_bytes((folder / "a.mp4").read_bytes()[:-60_000])
    known |= {name: {"title": name, "shots": []} for name in ("c_empty.mp4", "d_page.mp4", "e_half.mp4")}
    (folder / "truth.json").write_text(json.dumps(known))
    return folder


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_defect_is_removed_by_its_rule_and_the_tables_add_up(uploads, tmp_path):
    out = tmp_path / "out"
    figures = curate(uploads, out, **DATA)
    clips = pd.read_parquet(out / "clips.parquet")
    by_rule = {rule: sorted((row.upload, row.first // 10) for row in clips[clips["removed_by"] == rule].itertuples())
               for rule in ("", "not medical", "too short", "black border", "quality", "still", "duplicate")}
    assert by_rule == {"": [("a.mp4", 0), ("b.mp4", 2)], "not medical": [("a.mp4", 1)], "too short": [("a.mp4", 3)],
                       "black border": [("a.mp4", 2)], "quality": [("b.mp4", 0)], "still": [("b.mp4", 3)], "duplicate": [("b.mp4", 1)]}
    table = rows_of(out / "funnel.csv")
    for before, row in zip(table, table[1:]):
        assert int(before["left"]) - int(row["removed"]) == int(row["left"])
    assert int(table[0]["left"]) == figures["candidates"] == 8 and int(table[-1]["left"]) == figures["kept"] == 2
    assert figures["joins"][0] == {"join": "cut", "planted": 6, "detector": 6, "whole rule": 6} and figures["clean"] == 2
    assert all(rule["fired"] == rule["right"] == rule["planted"] for rule in figures["rules"].values())
    long = pd.read_parquet(out / "stages.parquet")
    assert len(long) == 8 * len(decide.TABLE) and long["first_fail"].sum() == 6
    removed = clips[clips["removed_by"] != ""]
    assert dict(long[long["first_fail"]].set_index("clip_id")["stage"]) == dict(removed.set_index("clip_id")["removed_by"])
    assert set(long[long["stage"] == "aesthetic"]["verdict"]) == {"skip"}


def test_clips_carry_the_record_and_the_papers_fields_stay_empty(uploads, tmp_path):
    out = tmp_path / "out"
    curate(uploads, out, **DATA)
    clips = read_folder(out)
    assert validate_folder(out) == [] and len(clips) == 2
    for clip in clips:
        assert (clip.width, clip.height, clip.fps, clip.split, clip.brief_caption) == (32, 32, 8, "train", "")
        assert clip.frames().shape == (9, 32, 32, 3) and clip.source == "simulated: raw"
        assert clip.aesthetic_score is None and clip.dover_score is None
        assert clip.extra["q_technical"] > 0.3 and clip.extra["title"].startswith("title of") and clip.extra["motion_score"] > 0.03
        assert clip.camera_motion_type == "pan left" and video.probe(clip.path).comment == video.SYNTHETIC
        assert clip.extra["end_s"] - clip.extra["start_s"] == pytest.approx(1.5, abs=0.2)


def test_a_whole_shot_is_cut_as_it_was_filmed_when_no_size_is_asked_for(uploads, tmp_path):
    curate(uploads, tmp_path / "out", **DATA | {"size": None, "trim": 0.0, "short_side": 240})
    for clip in read_folder(tmp_path / "out"):
        assert (clip.width, clip.height, clip.fps) == (320, 240, 8)
        assert clip.duration == pytest.approx(clip.extra["end_s"] - clip.extra["start_s"])


def test_a_border_can_be_cut_off_instead(uploads, tmp_path):
    wide = DATA | {"size": None, "rules": {"border": 10_000}, "crop": True}
    curate(uploads, tmp_path / "out", **wide)
    sizes = {clip.extra["first_frame"]: (clip.width, clip.height) for clip in read_folder(tmp_path / "out") if clip.source_id == "a.mp4"}
    assert sizes[0] == (640, 480) and sizes[24][0] == 640 and abs(sizes[24][1] - 360) <= 6


def test_a_bad_file_goes_to_quarantine_with_name_and_reason(uploads, tmp_path):
    figures = curate(uploads, tmp_path / "out", **DATA)
    table = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert dict(zip(table["file"], table["reason"])) == {"c_empty.mp4": "empty", "d_page.mp4": "not_media", "e_half.mp4": "truncated"}
    assert figures["quarantined"] == 3 and table["message"].str.len().min() > 10


def test_two_uploads_that_differ_in_their_ending_or_folder_only_keep_their_clips(uploads, tmp_path):
    folder = tmp_path / "twins"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.mp4").write_bytes((uploads / "a.mp4").read_bytes())
    (folder / "a.mov").write_bytes((uploads / "b.mp4").read_bytes())
    (folder / "sub" / "Ünï côdé 心.mp4").write_bytes((uploads / "a.mp4").read_bytes() + b"\0\0\0\x08free")
    curate(folder, tmp_path / "out", **DATA | {"rules": {"duplicate_bits": -1}})
    rows = pd.read_parquet(tmp_path / "out" / "clips.parquet")
    assert rows["file_name"].is_unique and set(rows["upload"]) == {"a.mp4", "a.mov", "sub/Ünï côdé 心.mp4"}
    kept = read_folder(tmp_path / "out")
    assert len(kept) == (rows["removed_by"] == "").sum() > 3 and validate_folder(tmp_path / "out") == []


def test_a_huge_file_is_quarantined(uploads, tmp_path):
    curate(uploads, tmp_path / "out", **DATA | {"limits": {"max_side": 600}})
    assert set(pd.read_parquet(tmp_path / "out" / "quarantine.parquet")["reason"]) == {"too_large", "empty", "not_media"}


def test_a_finished_curation_does_nothing_again_and_another_threshold_reads_no_video(uploads, tmp_path, monkeypatch):
    folder, out = tmp_path / "raw", tmp_path / "out"
    copy_of(uploads, folder)
    curate(folder, out, **DATA)
    first = (out / "metadata.jsonl").read_text()
    monkeypatch.setattr(stage.shards, "process_shard", lambda *_: pytest.fail("looked again"))
    monkeypatch.setattr(stage.engines, "process_shard", lambda *_: pytest.fail("looked again"))
    curate(folder, out, **DATA)
    assert (out / "metadata.jsonl").read_text() == first
    figures = curate(folder, out, **DATA | {"rules": {"still": 1000.0}})
    assert figures["kept"] == 0 and not list((out / "videos").glob("*.mp4"))


def test_a_new_file_is_looked_at_and_the_others_are_not(uploads, tmp_path):
    folder, out, said = tmp_path / "raw", tmp_path / "out", []
    copy_of(uploads, folder)
    (folder / "b.mp4").rename(tmp_path / "b.mp4")
    curate(folder, out, **DATA)
    (tmp_path / "b.mp4").rename(folder / "b.mp4")
    curate(folder, out, **DATA | {"say": said.append})
    assert "4 of 5 shards were looked at before" in said and "looked at 1 of 1 files" in said


def test_the_pool_gives_what_one_process_gives(uploads, tmp_path):
    curate(uploads, tmp_path / "one", **DATA)
    curate(uploads, tmp_path / "two", **DATA | {"workers": 2})
    same(tmp_path / "one", tmp_path / "two")


def test_one_bad_argument_is_named(uploads, tmp_path):
    for wrong, words in (({"sizes": 3}, "did you mean 'size'"), ({"size": "big"}, "must be a number"), ({"rules": {"word": 1}}, "'words'"),
                         ({"engine": "spark"}, "no engine 'spark'"), ({"border": "canny"}, "both, hough, luma"),
                         ({"medical": "nothing"}, "pictures:<folder>"), ({"limits": {"side": 1}}, "max_side"), ({"step": 0.0}, "above 0")):
        with pytest.raises(KitError, match=words):
            curate(uploads, tmp_path / "out", **DATA | wrong)
    with pytest.raises(KitError, match="holds no video file"):
        curate(tmp_path, tmp_path.parent / "elsewhere", **DATA)
    with pytest.raises(KitError, match="lies inside the folder"):
        curate(uploads, uploads / "out", **DATA)


def test_settings_come_from_a_yaml_file(uploads, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("size: 32\nframes: 9\nfps: 8\nstep: 0.16667\nread_text: false\nrules:\n  quality: -1\n  min_steps: 6\n")
    figures = curate(uploads, tmp_path / "out", file, workers=0, say=lambda text: None)
    assert figures["removed"]["quality"] == figures["removed"]["not medical"] == 0 and figures["kept"] > 2
    file.write_text("size: [")
    with pytest.raises(KitError, match="not valid YAML"):
        curate(uploads, tmp_path / "out", file)


def test_own_pictures_train_the_medical_test(uploads, tmp_path):
    import cv2

    for kind, low, high in (("medical", 40, 160), ("other", 150, 250)):
        (tmp_path / kind).mkdir()
        for k in range(12):
            cv2.imwrite(str(tmp_path / kind / f"{k}.png"), shot(50 + k, 1, (120, 160), low=low, high=high)[0])
    figures = curate(uploads, tmp_path / "out", **DATA | {"medical": f"pictures:{tmp_path}"})
    assert figures["rules"]["not medical"]["right"] == 1
    (tmp_path / "other" / "0.png").unlink()
    (tmp_path / "other" / "1.png").unlink()
    (tmp_path / "other" / "2.png").unlink()
    with pytest.raises(KitError, match="holds 9 pictures"):
        curate(uploads, tmp_path / "out", **DATA | {"medical": f"pictures:{tmp_path}", "seed": 1})


def test_a_table_beside_the_videos_decides_which_are_looked_at_and_fills_the_records(uploads, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes((uploads / name).read_bytes())
    (folder / "c.mp4").write_bytes((uploads / "a.mp4").read_bytes())
    rows = [{"file_name": "a.mp4", "title": "Cardiac ultrasound of the left ventricle", "description": "echocardiography for students",
             "channel": "Ward", "video_category": "medical imaging", "license": "CC BY 4.0"},
            {"file_name": "b.mp4", "title": "How to bake a chocolate cake", "description": "easy recipe", "channel": "Kitchen"},
            {"file_name": "gone.mp4", "title": "Gastroscopy", "channel": "Ward"},
            {"file_name": "../up.mp4", "title": "MRI", "channel": "Ward"}]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    figures = curate(folder, tmp_path / "out", **DATA | {"harvest": "keywords", "medical": "none"})
    assert figures["uploads"] == 1 and [step["ours"] for step in figures["harvest"]] == [4, 3, 3, 3]
    quarantine = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert set(zip(quarantine["file"], quarantine["reason"])) == {("gone.mp4", "row_without_file"), ("../up.mp4", "escapes"),
                                                                  ("c.mp4", "file_without_row")}
    clip = read_folder(tmp_path / "out")[0]
    assert (clip.extra["title"], clip.extra["channel"], clip.licence, clip.video_category) == (
        "Cardiac ultrasound of the left ventricle", "Ward", "CC BY 4.0", "medical imaging")
    every = curate(folder, tmp_path / "all", **DATA | {"medical": "none"})
    assert every["uploads"] == 3 and every["quarantined"] == 4 and "harvest" not in every        # c.mp4 is a copy of a.mp4
    with pytest.raises(KitError, match="neither in"):
        curate(folder, tmp_path / "out", **DATA | {"table": "other.csv"})


def test_the_report_and_the_card_are_made_from_this_run(uploads, tmp_path):
    curate(uploads, tmp_path / "out", **DATA | {"report": True})
    page, card = (tmp_path / "out" / "report.html").read_text(), (tmp_path / "out" / "README.md").read_text()
    assert "8 candidate clips" in page and "Removed by: black border" in page and "no LAION weights were named" in page
    assert all(f"What if: the threshold for {limit}" in page for limit in output.WHAT_IF)
    assert "2 clips cut from 2 videos" in card and "| black border | paper 3.3 | 1 |" in card and "never for clinical use" in card
    from datasets import load_dataset
    loaded = load_dataset("videofolder", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 2 and "camera_motion_type" in loaded.column_names


def test_the_command_curates_resumes_and_refuses_a_folder_of_something_else(uploads, tmp_path):
    from typer.testing import CliRunner

    from medgen_kit.cli import typed

    settings, out = tmp_path / "mine.yaml", tmp_path / "out"
    settings.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in DATA.items() if name not in ("say", "workers")))

    def run(*more):
        return CliRunner().invoke(typed, ["curate", str(uploads), str(out), "--config", str(settings), "--workers", "0", *more])

    first = run()
    assert first.exit_code == 0 and "2 clips of 8 candidates from 5 files (3 could not be used)" in first.output
    assert run().exit_code == 0                                                     # finished: nothing to do
    (out / "manifest.json").unlink()
    assert "Say --resume" in str(run().exception) and run("--resume").exit_code == 0
    taken = CliRunner().invoke(typed, ["takedown", str(out), "b.mp4"])
    assert taken.exit_code == 0 and {clip.source_id for clip in read_folder(out)} == {"a.mp4"}
    assert run().exit_code == 0 and {clip.source_id for clip in read_folder(out)} == {"a.mp4"}          # it does not come back
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    refused = CliRunner().invoke(typed, ["curate", str(uploads), str(tmp_path / "other")])
    assert "holds no curation" in str(refused.exception) and isinstance(refused.exception, KitError)


def refused(raw, out, words):
    """Curation says `words` and leaves every file of both folders as it is."""
    before = {path: path.read_bytes() for place in (raw, out) for path in place.rglob("*") if path.is_file()}
    with pytest.raises(KitError, match=words):
        curate(raw, out, **DATA)
    assert {path: path.read_bytes() for place in (raw, out) for path in place.rglob("*") if path.is_file()} == before


def test_raw_videos_and_files_of_others_are_never_removed(uploads, tmp_path):
    mine, other, stage_of_another = tmp_path / "mine", tmp_path / "other", tmp_path / "sources"
    mine.mkdir()
    copy_of(uploads, mine / "videos")
    refused(mine / "videos", mine, "are the folder of raw videos or lie in it, or hold it")
    for place in (other, stage_of_another):
        (place / "videos").mkdir(parents=True)
        (place / "videos" / "thesis.mp4").write_bytes(b"mine")
    (other / "shards").mkdir()
    (other / "shards" / "train-000.tar").write_bytes(b"mine too")
    (stage_of_another / "manifest.json").write_text('{"stage": "sources"}')
    refused(uploads, other, "holds no curation")
    refused(uploads, stage_of_another, "holds no curation")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "videos").symlink_to(mine / "videos")
    refused(mine / "videos", tmp_path / "linked", "are the folder of raw videos or lie in it, or hold it")
    (tmp_path / "deep").mkdir()
    copy_of(uploads, tmp_path / "deep" / "videos")
    (tmp_path / "deep" / "videos" / "ward").mkdir()
    for path in (tmp_path / "deep" / "videos").glob("*.*"):
        path.rename(path.parent / "ward" / path.name)
    refused(tmp_path / "deep" / "videos" / "ward", tmp_path / "deep", "are the folder of raw videos or lie in it, or hold it")


def test_only_clips_of_this_curation_are_removed_from_its_videos(uploads, tmp_path, monkeypatch):
    out = tmp_path / "out"
    curate(uploads, out, **DATA)
    (out / "videos" / "holiday.mp4").write_bytes(b"mine")
    curate(uploads, out, **DATA | {"rules": {"still": 1000.0}})
    assert [path.name for path in (out / "videos").iterdir()] == ["holiday.mp4"]
    written = shards.write_parquet

    def dies_after_cutting(path, rows):
        if path.name.startswith("cut-") and path.name.endswith(".files.parquet"):
            raise KeyboardInterrupt
        return written(path, rows)

    monkeypatch.setattr(shards, "write_parquet", dies_after_cutting)
    with pytest.raises(KeyboardInterrupt):
        curate(uploads, out, **DATA)
    monkeypatch.undo()
    assert len(list((out / "videos").iterdir())) > 1
    curate(uploads, out, **DATA | {"rules": {"still": 1000.0}})                     # clips of a shard that never finished go as well
    assert [path.name for path in (out / "videos").iterdir()] == ["holiday.mp4"]


def test_a_partial_folder_of_the_course_and_a_shared_curation_go_on(uploads, tmp_path):
    whole, partial = tmp_path / "whole", tmp_path / ".curate.partial"
    curate(uploads, whole, **DATA)
    partial.mkdir()
    (partial / "inputs.json").write_text("{}")
    curate(uploads, partial, **DATA)
    (partial / "manifest.json").unlink()
    curate(uploads, partial, **DATA)
    same(whole, partial)
    for path in (partial / "shards").iterdir():
        path.unlink()
    (partial / "shards").rmdir()
    curate(uploads, partial, **DATA)
    same(whole, partial)
    with pytest.raises(KitError, match="Say --resume"):
        (partial / "manifest.json").unlink()
        stage.settle(partial, False)


def test_another_category_or_border_cuts_the_clip_again(uploads, tmp_path):
    out, cut = tmp_path / "out", []
    for category in ("medical teaching", "medical imaging", "medical imaging"):
        curate(uploads, out, **DATA | {"category": category, "say": cut.append})
        assert {clip.video_category for clip in read_folder(out)} == {category}
    assert sum("shards were cut before" in said for said in cut) == 1
    clips, notes = pd.read_parquet(out / "clips.parquet"), pd.read_parquet(out / "files.parquet").to_dict("records")
    keys = []

    def keep(job, plan, word):
        keys.append([shard["key"] for shard in plan])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "carry_out", keep)
        for change in ({}, {"video_category": "medical animation"}, {"border_left": 7.0}, {"file_name": "other.mp4"}):
            job = stage.Job(uploads, tmp_path / "keys", stage.settings.load(), None, None, 0.0)
            with pytest.raises(KeyboardInterrupt):
                stage.cut_all(job, clips.assign(**change), notes)
    assert all(one != other for one, other in zip(keys[1:], [keys[0]] * 3))


def test_a_copy_byte_for_byte_is_set_aside_and_the_tables_stay_sound(uploads, tmp_path):
    folder, out = tmp_path / "raw", tmp_path / "out"
    copy_of(uploads, folder)
    for name in ("b copy.mp4", "z.mov"):
        (folder / name).write_bytes((uploads / "b.mp4").read_bytes())
    (folder / "z_empty.mp4").touch()
    figures = curate(folder, out, **DATA)
    quarantine = pd.read_parquet(out / "quarantine.parquet").set_index("file")
    assert quarantine.loc[["b.mp4", "z.mov"], "reason"].tolist() == ["copy", "copy"] and quarantine.loc["z_empty.mp4", "reason"] == "empty"
    assert "b copy.mp4" in quarantine.loc["z.mov", "message"] and "b copy.mp4" not in quarantine.index
    files = pd.read_parquet(out / "files.parquet").set_index("file")
    assert files.loc["b.mp4", "sha256"] == files.loc["b copy.mp4", "sha256"] and figures["uploads"] == len(files) == 8
    clips, long = output.candidates(out), pd.read_parquet(out / "stages.parquet")
    assert clips["clip_id"].is_unique and not long.duplicated(["clip_id", "stage"]).any()
    assert set(clips["upload"]) == {"a.mp4", "b copy.mp4"}
    assert len(audit.draw_sample(clips, decide.NAMES, stages=long, say=lambda text: None))
    first = (out / "metadata.jsonl").read_text()
    curate(folder, out, **DATA)
    assert (out / "metadata.jsonl").read_text() == first


@pytest.mark.parametrize("setting", ["aesthetic", "technical"])
def test_a_scorer_that_cannot_be_had_is_refused_before_anything_is_made(uploads, tmp_path, setting):
    with pytest.raises(KitError, match="no scorer 'layon'"):
        curate(uploads, tmp_path / "out", **DATA | {setting: "layon:weights"})
    with pytest.raises(KitError, match="holds no config.json"):
        curate(uploads, tmp_path / "out", **DATA | {setting: f"laion:{uploads}"})
    assert not (tmp_path / "out").exists()


def copy_of(uploads, folder):
    folder.mkdir()
    for path in uploads.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def same(first, second):
    """Equal tables, records and video files."""
    for name in ("clips.parquet", "stages.parquet", "quarantine.parquet", "files.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(first / name), pd.read_parquet(second / name))
    assert (first / "metadata.jsonl").read_text() == (second / "metadata.jsonl").read_text()
    names = sorted(path.name for path in (first / "videos").iterdir())
    assert names == sorted(path.name for path in (second / "videos").iterdir())
    assert all((first / "videos" / name).read_bytes() == (second / "videos" / name).read_bytes() for name in names)
