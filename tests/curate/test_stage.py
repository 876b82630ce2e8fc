"""The stage on uploads of our own: decisions, funnel, quarantine, resuming, the same result twice."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from tests.curate.pictures import shot

from medgen_kit import KitError, read_folder, video
from medgen_kit.clip import validate_folder
from medgen_kit.curate import agree, backends, figures, funnel, stage
from medgen_kit.sources import raw_drawn as drawn

DATA = SimpleNamespace(size=32, frames=9, fps=8)


@pytest.fixture
def judge(monkeypatch):
    """A medical test that takes dark pictures for medicine; the stage is tested here, not the classifier."""
    class Dark:
        backend = backends.ColourBackend()

        def __call__(self, frames):
            return np.where(frames.mean(axis=(1, 2, 3)) < 140, 0.9, 0.1)

    monkeypatch.setattr(backends, "medical_test", lambda backend, seed: Dark())


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


@pytest.fixture
def nothing_read(monkeypatch):
    monkeypatch.setattr(stage.text, "words_in", lambda frames, enough=None: (0, []))


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_defect_is_removed_by_its_rule_and_the_tables_add_up(uploads, judge, nothing_read, tmp_path):
    out = tmp_path / "out"
    figures = stage.curate(uploads, out, DATA, say=lambda text: None)
    by_rule = {rule: sorted((r["upload"], int(r["first"]) // 10) for r in rows_of(out / "decisions.csv") if r["removed_by"] == rule)
               for rule in ("", "not medical", "too short", "black border", "technical", "still", "duplicate")}
    assert by_rule == {"": [("a.mp4", 0), ("b.mp4", 2)], "not medical": [("a.mp4", 1)], "too short": [("a.mp4", 3)],
                       "black border": [("a.mp4", 2)], "technical": [("b.mp4", 0)], "still": [("b.mp4", 3)], "duplicate": [("b.mp4", 1)]}
    table = rows_of(out / "funnel.csv")
    for before, row in zip(table, table[1:]):
        assert int(before["left"]) - int(row["removed"]) == int(row["left"])
    assert int(table[0]["left"]) == figures["candidates"] == 8 and int(table[-1]["left"]) == figures["kept"] == 2
    assert figures["joins"][0] == {"join": "cut", "planted": 6, "detector": 6, "whole rule": 6} and figures["clean"] == 2
    assert all(rule["fired"] == rule["right"] == rule["planted"] for rule in figures["rules"].values())


def test_clips_carry_the_record_and_the_standins_stay_out_of_the_papers_fields(uploads, judge, nothing_read, tmp_path):
    out = tmp_path / "out"
    stage.curate(uploads, out, DATA, say=lambda text: None)
    clips = read_folder(out)
    assert validate_folder(out) == [] and len(clips) == 2
    for clip in clips:
        assert (clip.width, clip.height, clip.fps, clip.split, clip.brief_caption) == (32, 32, 8, "train", "")
        assert clip.frames().shape == (9, 32, 32, 3) and clip.source == "simulated: raw"
        assert clip.aesthetic_score is None and clip.dover_score is None
        assert clip.extra["technical_standin"] > 0.3 and clip.extra["title"].startswith("title of")
        assert clip.camera_motion_type == "pan left" and video.probe(clip.path).comment == video.SYNTHETIC


def test_a_bad_file_goes_to_quarantine_with_name_and_reason(uploads, judge, nothing_read, tmp_path):
    out = tmp_path / "out"
    figures = stage.curate(uploads, out, DATA, say=lambda text: None)
    found = {row["file"]: row["reason"] for row in rows_of(out / "quarantine.csv")}
    assert found == {"c_empty.mp4": "empty", "d_page.mp4": "not_media", "e_half.mp4": "truncated"} and figures["quarantined"] == 3
    assert all(row["message"] for row in rows_of(out / "quarantine.csv"))


def test_two_uploads_that_differ_in_their_ending_only_keep_their_clips(uploads, judge, nothing_read, tmp_path):
    folder = tmp_path / "twins"
    folder.mkdir()
    (folder / "a.mp4").write_bytes((uploads / "a.mp4").read_bytes())
    (folder / "a.mov").write_bytes((uploads / "b.mp4").read_bytes())
    stage.curate(folder, tmp_path / "out", DATA, say=lambda text: None)
    rows = rows_of(tmp_path / "out" / "decisions.csv")
    assert len({row["clip"] for row in rows}) == len(rows) and {row["clip"][:6] for row in rows} == {"a-mp4_", "a-mov_"}
    assert all(row["clip"].startswith(row["upload"].replace(".", "-")) for row in rows)
    kept = read_folder(tmp_path / "out")
    assert len(kept) == sum(row["removed_by"] == "" for row in rows) > 1 and validate_folder(tmp_path / "out") == []


def test_a_huge_file_is_quarantined(uploads, judge, nothing_read, tmp_path):
    from medgen_kit.curate.probe import Limits
    stage.curate(uploads, tmp_path / "out", DATA, limits=Limits(max_side=600), say=lambda text: None)
    assert {row["reason"] for row in rows_of(tmp_path / "out" / "quarantine.csv")} == {"too_large", "empty", "not_media"}


def test_an_interrupted_stage_goes_on_and_gives_the_same_result(uploads, judge, nothing_read, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    stage.curate(uploads, whole, DATA, say=lambda text: None)
    looked, real = [], stage.look_at

    def broken_after_one(path, *rest):
        if len(looked) == 1:
            raise KeyboardInterrupt
        looked.append(path.name)
        return real(path, *rest)

    monkeypatch.setattr(stage, "look_at", broken_after_one)
    with pytest.raises(KeyboardInterrupt):
        stage.curate(uploads, out, DATA, say=lambda text: None)
    assert not (out / "metadata.jsonl").exists()
    monkeypatch.setattr(stage, "look_at", lambda path, *rest: looked.append(path.name) or real(path, *rest))
    stage.curate(uploads, out, DATA, say=lambda text: None)
    assert looked == ["a.mp4", "b.mp4", "c_empty.mp4", "d_page.mp4", "e_half.mp4"]
    for name in ("decisions.csv", "funnel.csv", "quarantine.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    records = [[clip.record(place) | {"bit_rate": 0} for clip in read_folder(place)] for place in (out, whole)]
    assert records[0] == records[1] and len(records[0]) == 2
    assert sorted(p.name for p in (out / "videos").iterdir()) == sorted(p.name for p in (whole / "videos").iterdir())


def test_tables_read_back_and_the_timeline_is_drawn_with_and_without_truth(uploads, judge, nothing_read, tmp_path):
    out = tmp_path / "out"
    figures_out = stage.curate(uploads, out, DATA, say=lambda text: None)
    notes, rows = stage.timelines(out), stage.decisions(out)
    assert [note["file"] for note in notes] == ["a.mp4", "b.mp4"] and len(rows) == figures_out["candidates"]
    assert sum(not row["removed_by"] for row in rows) == 2 and rows[0]["first"] == 0 and isinstance(rows[0]["sharpness"], float)
    assert rows[1]["words"] is None and len(notes[0]["s"]) == len(notes[0]["numbers"]) - 1
    truth = json.loads((uploads / "truth.json").read_text())
    own = [row for row in rows if row["upload"] == "a.mp4"]
    known = figures.timeline(uploads / "a.mp4", notes[0], own, truth["a.mp4"]["shots"])
    assert [text.get_text() for text in known.axes[2].texts].count("KEPT") == 1 and len(known.axes[1].patches) == 4
    assert len(figures.timeline(uploads / "a.mp4", notes[0], own).axes[0].images) == 8
    assert figures.similarity_histogram(notes, truth, 0.9).axes[0].get_xlabel().startswith("similarity")


def test_lost_shots_name_the_rule_that_took_them(uploads, judge, nothing_read, tmp_path):
    out = tmp_path / "out"
    stage.curate(uploads, out, DATA, say=lambda text: None)
    truth = json.loads((uploads / "truth.json").read_text())
    missing, total = agree.lost(stage.decisions(out), truth)
    assert missing == [{"upload": "a.mp4", "shot": 3, "removed_by": "too short"}] and total == 3


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(KitError, match="no video file"):
        stage.curate(tmp_path, tmp_path / "out", DATA)


def test_the_clip_is_cut_from_the_middle_at_the_asked_speed():
    assert stage.clip_frames({"first": 10, "last": 22}, DATA, 8) == list(range(12, 21))
    assert stage.clip_frames({"first": 0, "last": 30}, DATA, 24) == [3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert max(stage.clip_frames({"first": 0, "last": 6}, DATA, 8)) == 6


def test_the_papers_funnel_adds_up_and_shares_are_of_what_arrived():
    table = funnel.paper_funnel()
    assert table[-1]["left"] == 55_803 and [row["left"] for row in table[1:5]] == [97_766, 87_344, 71_042, 69_044]
    assert funnel.shares(table)["black border"] == pytest.approx(0.119, abs=5e-4)
    rows = [{"removed_by": name} for name in ("", "", "subtitles", "not medical")]
    assert [row["left"] for row in funnel.funnel(rows)] == [4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2]
    assert {row["rule"]: row["paper share"] for row in funnel.compare(funnel.funnel(rows))}["still"] is None


def test_precision_and_recall_by_hand():
    truth = {"u": {"shots": [{"start": 0, "end": 9, "kind": "medical", "defects": ["subtitles"]},
                             {"start": 10, "end": 19, "kind": "medical", "defects": []}]}}
    rows = [{"upload": "u", "first": 0, "last": 8, "words": 2}, {"upload": "u", "first": 11, "last": 19, "words": 40}]
    found = {row["rule"]: row for row in agree.score(rows, truth)}
    assert found["subtitles"] == {"rule": "subtitles", "fired": 1, "right": 0, "planted": 1, "precision": 0.0, "recall": 0.0}
    assert found["duplicate"]["fired"] == 0 and found["duplicate"]["precision"] is None
    assert agree.purity(rows, truth) == (1, 2)


def test_the_papers_acceptance_as_an_exact_interval():
    at = agree.acceptance(190)
    assert (round(at["low"], 3), round(at["high"], 3)) == (0.91, 0.976) and at["passes"] and not at["shown"]
    assert not agree.acceptance(195)["shown"] and agree.acceptance(196)["shown"] and not agree.acceptance(189)["passes"]
    with pytest.raises(KitError, match="looked_at"):
        agree.acceptance(201)
