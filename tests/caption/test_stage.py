"""The stage on a small folder: kept, written, rewritten and quarantined clips; a truncated file; interruption."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from medgen_kit import clip, run as runs, sources, video
from medgen_kit.caption import stage
from medgen_kit.errors import KitError
from medgen_kit.profiles import Profile, Section

sys.path.insert(0, str(Path(__file__).parent))
from bad_server import DETAILED, different, fail, serving  # noqa: E402

EVERY = [c for c in sources.combinations() if c["modality"] == "endoscopy"]


def profile(**caption):
    made = Profile("small", {"about": "a test", "requires": {}, "caption": {"backend": "template", **caption}}, seed=0)
    return made


def make(folder, name, factors=None, brief="", detailed="", frames=None, **extra):
    frames = np.random.default_rng(len(name)).integers(0, 255, (9, 32, 32, 3), dtype=np.uint8) if frames is None else frames
    path = video.write(folder / "videos" / f"{name}.mp4", frames, fps=8, synthetic=True)
    return clip.Clip.of(path, video_category="clinical practice", camera_motion_type="static shot", brief_caption=brief,
                        detailed_caption=detailed, source="test", source_id=f"{folder.name}/{name}", factors=dict(factors or {}),
                        extra=extra)


@pytest.fixture
def work(tmp_path):
    """Two input folders: good captions, none, a wrong one, an unlabelled clip and a file that breaks off."""
    rng = np.random.default_rng(0)
    ours, raw = tmp_path / "sources", tmp_path / "curate"
    good = [make(ours, f"good_{i}", EVERY[i], *sources.describe(EVERY[i], rng), title="Scope") for i in range(4)]
    wrong = make(ours, "wrong", EVERY[0], *(text.replace("right", "left") for text in sources.describe(EVERY[-1], rng)))
    assert EVERY[0] != EVERY[-1]
    cut = make(ours, "cut", EVERY[1])
    data = cut.path.read_bytes()
    cut.path.write_bytes(data[:int(len(data) * 0.7)])
    bare = [make(raw, "bare", EVERY[5], title="My patient Dr. Miller, 14 mm"), make(raw, "unlabelled")]
    clip.write_folder(ours, [*good, wrong, cut])
    clip.write_folder(raw, bare)
    out = tmp_path / "out"
    out.mkdir()
    return runs.Work(out, profile(), {"sources": ours, "curate": raw}, "caption", None)


def test_end_to_end(work, capsys):
    figures = stage.build(work)
    clips = {c.video_name: c for c in clip.read_folder(work.out)}
    assert set(clips) == {"good_0.mp4", "good_1.mp4", "good_2.mp4", "good_3.mp4", "wrong.mp4", "bare.mp4", "unlabelled.mp4"}
    assert clip.validate_folder(work.out) == []
    assert all(c.brief_caption and c.detailed_caption for c in clips.values())
    assert clips["good_0.mp4"].extra["caption"] == "kept" and clips["wrong.mp4"].extra["caption"] == "written again"
    assert clips["bare.mp4"].extra["caption"] == "written" and "Miller" not in clips["bare.mp4"].detailed_caption
    assert "anatomy/" in " ".join(clips["bare.mp4"].concepts)
    assert all(not tag.startswith("finding/") for tag in clips["unlabelled.mp4"].concepts)
    assert figures["clips"] == 7 and figures["quarantined"] == 1 and figures["factors_named"] == 1.0
    assert figures["passed"]["facts"] < 1 and figures["rule"]["precision"] >= 0.95
    lost = list(csv.DictReader((work.out / "quarantine.csv").open()))
    assert [(row["file"], row["reason"]) for row in lost] == [("cut.mp4", "truncated")]
    table = {row["file"]: row for row in csv.DictReader((work.out / "checks.csv").open())}
    assert table["wrong.mp4"]["verdict"] == "rewritten" and table["wrong.mp4"]["facts"] and table["good_0.mp4"]["verdict"] == "pass"


def test_a_run_folder_behind_a_link_or_given_from_here(work, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for number, ours in enumerate((tmp_path / "link" / "sources", Path("sources"))):
        out = tmp_path / f"out{number}"
        out.mkdir()
        again = runs.Work(out, work.profile, work.inputs | {"sources": ours}, "caption", None)
        assert stage.build(again)["clips"] == 7


def test_two_clips_of_one_name_in_two_folders_stay_two(work):
    ours = work.inputs["sources"]
    first = make(ours, "left/one", EVERY[0], *sources.describe(EVERY[0], np.random.default_rng(0)))
    second = make(ours, "right/one", EVERY[5], *sources.describe(EVERY[5], np.random.default_rng(0)))
    clip.write_folder(ours, [first, second])
    stage.build(work)
    found = [one for one in clip.read_folder(work.out) if one.video_name == "one.mp4"]
    assert len({one.path for one in found}) == 2 and found[0].path.read_bytes() != found[1].path.read_bytes()


def test_same_seed_same_captions_and_hard_links(work, tmp_path):
    stage.build(work)
    first = (work.out / "metadata.jsonl").read_text()
    again = runs.Work(tmp_path / "again", work.profile, work.inputs, "caption", None)
    again.out.mkdir()
    stage.build(again)
    assert (again.out / "metadata.jsonl").read_text() == first
    linked = next((work.out / "videos" / "sources").glob("good_0.mp4"))
    assert linked.samefile(work.inputs["sources"] / "videos" / "good_0.mp4")


def test_captions_are_not_paid_for_twice(work, monkeypatch):
    from medgen_kit.caption import backends

    asked = []

    class Counting(backends.Template):
        name = "counting"

        def detailed(self, facts, frames=None, seed=0):
            assert frames.shape[0] == 8
            asked.append(facts.clip_id)
            return super().detailed(facts, frames, seed)

    monkeypatch.setitem(backends.BACKENDS, "counting", Counting)
    work.profile.sections["caption"] = Section(backend="counting")
    stage.build(work)
    once = len(asked)
    log = work.out / "captions.jsonl"
    log.write_text(log.read_text() + '{"clip_id": "torn')
    stage.build(work)
    assert once == len(asked) == 3
    work.profile.seed = 7
    stage.build(work)
    assert len(asked) > once and json.loads(log.read_text().splitlines()[-1])["reply"]


def test_a_captioner_that_keeps_failing_ends_in_quarantine(work, monkeypatch):
    from medgen_kit.caption import backends

    class Bad(backends.Template):
        name = "bad"

        def brief(self, facts, detailed, seed=0):
            return "I cannot describe this."

    monkeypatch.setitem(backends.BACKENDS, "bad", Bad)
    work.profile.sections["caption"] = Section(backend="bad")
    figures = stage.build(work)
    lost = {row["file"]: row["message"] for row in csv.DictReader((work.out / "quarantine.csv").open())}
    assert set(lost) == {"cut.mp4", "wrong.mp4", "bare.mp4", "unlabelled.mp4"} and "boilerplate" in lost["bare.mp4"]
    assert figures["clips"] == 4 and clip.validate_folder(work.out) == []


def test_a_second_try_has_another_seed(work, monkeypatch):
    from medgen_kit.caption import backends

    class Moody(backends.Template):
        name = "moody"

        def brief(self, facts, detailed, seed=0):
            return super().brief(facts, detailed, seed) if seed != work.profile.seed else "Sorry, as an AI."

    monkeypatch.setitem(backends.BACKENDS, "moody", Moody)
    work.profile.sections["caption"] = Section(backend="moody")
    figures = stage.build(work)
    assert figures["quarantined"] == 1 and figures["captions_written_again"] == 3 and figures["passed"]["boilerplate"] < 1
    origin = {c.video_name: c.extra for c in clip.read_folder(work.out)}
    assert origin["bare.mp4"]["caption"] == "written again" and origin["bare.mp4"]["caption_model"] == "moody"


def test_nothing_to_caption_is_said(tmp_path):
    folder = tmp_path / "sources"
    lone = make(folder, "lone")
    clip.write_folder(folder, [lone])
    lone.path.write_bytes(b"")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KitError, match="no clip"):
        stage.build(runs.Work(out, profile(), {"sources": folder}, "caption", None))


def test_copy_where_the_disk_cannot_link(tmp_path, monkeypatch):
    monkeypatch.setattr(stage.os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    (tmp_path / "a.mp4").write_bytes(b"film")
    stage.link(tmp_path / "a.mp4", tmp_path / "deep" / "b.mp4")
    assert (tmp_path / "deep" / "b.mp4").read_bytes() == b"film"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["b.mp4"]


def remote(work, server, **options):
    work.profile.sections["caption"] = Section(backend="openai", url=server.url, model="tiny-vl", backoff=0.01, tries=2, workers=2,
                                               **options)


def test_a_server_captions_what_is_missing_and_is_told_what_was_wrong(work, capsys):
    with serving() as server:
        server.otherwise = different(lambda body: "" if "not accepted" in json.dumps(body) else " It measures 16 mm.")
        remote(work, server, price_in=1.0, price_out=1.0)
        figures = stage.build(work)
        again = [s for s in map(server.text, range(len(server.seen))) if "not accepted" in s]
    assert figures["clips"] >= 5 and figures["captions_written_again"] == 3 and figures["frames_left_the_machine"] is False
    assert figures["captioner_address"] == server.url and figures["cost"] > 0 and figures["requests"] == len(server.seen)
    assert len(again) == 3 and sum("the number 16 is in no fact" in text for text in again) == 2
    made = {c.video_name: c for c in clip.read_folder(work.out)}
    assert made["unlabelled.mp4"].detailed_caption.startswith(DETAILED) and made["unlabelled.mp4"].extra["caption_model"] == "tiny-vl"
    assert "about 4 requests" in capsys.readouterr().out


def test_a_clip_the_server_refuses_is_put_aside_and_the_others_stay(work):
    with serving() as server:
        bad, good = fail(400, body={"error": "bad picture"}), different()
        server.otherwise = lambda s, body: (bad if s.pictures(body) and "My patient" in json.dumps(body) else good)(s, body)
        remote(work, server)
        figures = stage.build(work)
    lost = {row["file"]: row for row in csv.DictReader((work.out / "quarantine.csv").open())}
    assert lost["bare.mp4"]["reason"] == "captioner" and "bad picture" in lost["bare.mp4"]["message"]
    assert not list((work.out / "videos").rglob("bare.mp4")) and figures["clips"] >= 5 and clip.validate_folder(work.out) == []
    table = {row["file"]: row["verdict"] for row in csv.DictReader((work.out / "checks.csv").open())}
    assert table["bare.mp4"] == "quarantine"


def test_what_was_paid_survives_a_changed_setting(tmp_path):
    """A stage folder is emptied when a setting changes; the replies lie beside it."""
    ours = tmp_path / "runs" / "one"
    made = [make(ours / "sources", f"c{n}", title=f"T{n}") for n in range(4)]
    clip.write_folder(ours / "sources", made)
    (ours / "sources" / "manifest.json").write_text(json.dumps({"fingerprint": "x", "figures": {}}))
    owner = runs.Run(ours, profile())
    with serving() as server:
        costly = {"price_in": 100.0, "price_out": 100.0}
        server.otherwise = different()
        for cap, done in ((1.0, False), (90.0, True)):
            remote(owner, server, max_cost=cap, **costly)
            settings = owner.profile.settings("caption")
            if not done:
                with pytest.raises(KitError, match="max_cost"):
                    owner.make("caption", stage.build, ("sources",), settings)
                asked = len(server.seen)
                assert 2 <= asked < 8
        owner.make("caption", stage.build, ("sources",), settings)
        assert len(server.seen) == 8, "nothing was asked twice"
    kept = json.loads((ours / "caption" / "manifest.json").read_text())
    assert kept["figures"]["clips"] == 4 and kept["figures"]["cost"] == pytest.approx(8 * 0.11)


def test_no_key_in_what_is_written(work, monkeypatch):
    monkeypatch.setenv("MEDGEN_CAPTION_KEY", "sk-a-key-of-this-test")
    with serving() as server:
        remote(work, server)
        stage.build(work)
        assert server.seen[0][0]["Authorization"].endswith("sk-a-key-of-this-test")
    for path in work.out.rglob("*"):
        assert path.is_dir() or b"sk-a-key" not in path.read_bytes(), path


def test_two_hints_stay_beside_the_caption_and_a_star_does_not(work, monkeypatch):
    from medgen_kit.caption import backends

    class Wordy(backends.Template):
        name = "wordy"

        def detailed(self, facts, frames=None, seed=0):
            return super().detailed(facts, frames, seed) + " The camera pans left. The video then cuts to the table."

    monkeypatch.setitem(backends.BACKENDS, "wordy", Wordy)
    work.profile.sections["caption"] = Section(backend="wordy")
    figures = stage.build(work)
    found = {c.video_name: c.extra for c in clip.read_folder(work.out)}
    assert found["unlabelled.mp4"]["caption_flags"] == ["camera", "cut"] and found["unlabelled.mp4"]["caption"] == "written"
    assert "caption_flags" not in found["good_0.mp4"] and figures["flagged"] == 3 and figures["captions_written_again"] == 1
    table = {row["file"]: row["verdict"] for row in csv.DictReader((work.out / "checks.csv").open())}
    assert table["unlabelled.mp4"] == "flagged" and table["wrong.mp4"] == "rewritten"


def test_subtitles_beside_an_upload_reach_the_captioner_cut_to_the_clips_time(work, tmp_path):
    raw = tmp_path / "uploads"
    raw.mkdir()
    (raw / "long.en.srt").write_text("1\n00:00:10,000 --> 00:00:14,000\nhere is the valve\n\n2\n00:01:00,000 --> 00:01:02,000\nfar away\n"
                                     "\n3\nbroken --> time\nx\n")
    folder = work.inputs["curate"]
    clip.write_folder(folder, [make(folder, "unlabelled", upload="long.mp4", start_s=9.0, end_s=15.0)])
    work.profile.sections["curate"] = Section(folder=str(raw))
    with serving() as server:
        server.otherwise = different()
        remote(work, server)
        stage.build(work)
        asked = [server.text(n) for n, (_, body) in enumerate(server.seen) if server.pictures(body)]
    assert any('spoken words (may be wrong; the frames decide): "here is the valve"' in text for text in asked)
    assert not any("far away" in text for text in asked)
    made = {c.video_name: c.extra for c in clip.read_folder(work.out)}
    assert made["unlabelled.mp4"]["transcript"] == "here is the valve" and "transcript" not in made["good_0.mp4"]


def test_three_samples_are_compared(work):
    with serving() as server:
        server.otherwise = different(lambda body: " A cat sleeps on the keyboard of a piano." if body["seed"] == 0 else "")
        remote(work, server, samples=3, temperature=0.7)
        stage.build(work)
        seeds = {body["seed"] for _, body in server.seen if server.pictures(body)}
    assert {0, 1000, 2000} <= seeds
    assert "alone" in {c.video_name: c.extra for c in clip.read_folder(work.out)}["unlabelled.mp4"]["caption_flags"]
    for options, words in (({"samples": 3, "temperature": 0}, "temperature above 0"), ({"samples": 0}, "caption.samples is 0")):
        remote(work, server, **options)
        with pytest.raises(KitError, match=words):
            stage.build(work)
