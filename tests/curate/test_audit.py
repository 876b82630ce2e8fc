"""The human spot check: who is drawn, what is kept on disk after a crash, and what the answers are allowed to say."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binom, chi2
from tests.curate.pictures import shot

from medgen_kit import KitError, curate, video
from medgen_kit.curate import audit
from medgen_kit.errors import DiskError

ORDER = ("not medical", "black border", "subtitles", "duplicate")
SHARES = {"medical teaching": 0.56, "clinical practice": 0.26, "popular science": 0.094, "animation": 0.062, "imaging": 0.024}


def table(count=6000, seed=0):
    """Decided clips: categories as in the paper's figure 5, each stage removes about a tenth of what reaches it."""
    rng = np.random.default_rng(seed)
    at = np.minimum(rng.geometric(0.1, count) - 1, len(ORDER))
    return pd.DataFrame({"clip_id": [f"clip-{k:05d}" for k in range(count)], "upload": "a.mp4", "start_s": 0.0, "end_s": 8.0,
                         "video_category": rng.choice(list(SHARES), count, p=list(SHARES.values())),
                         "removed_by": [(*ORDER, "")[k] for k in at]})


def draw(clips, **options):
    return audit.draw_sample(clips, ORDER, say=lambda text: None, **options)


@pytest.fixture(scope="module")
def sample():
    return draw(table())


def keys(sample):
    return set(zip(sample["stage"], sample["set"], sample["clip_id"]))


def item(clip_id, stage, kind):
    return {"clip_id": clip_id, "stage": stage, "set": kind, "upload": "is not stored"}


def answer_all(folder, rater, rows, decide):
    sheet = audit.Sheet(folder, rater)
    lines = [json.dumps({"clip_id": row.clip_id, "stage": row.stage, "set": row.set, "answer": decide(row), "seconds": 1.0})
             for row in rows.itertuples()]
    sheet.path.parent.mkdir(parents=True, exist_ok=True)
    sheet.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sheet


def test_survivors_reached_and_passed_the_stage_and_rejects_are_its_own():
    clips = table()
    sample = draw(clips)
    assert sample.groupby(["stage", "set"]).size().to_dict() == {(s, k): n for s in ORDER for k, n in (("survivor", 200), ("reject", 50))}
    removed = clips.set_index("clip_id")["removed_by"]
    for row in sample.itertuples():
        gone, place = removed[row.clip_id], ORDER.index(row.stage)
        assert gone == row.stage if row.set == "reject" else gone == "" or ORDER.index(gone) > place
    assert not sample.duplicated(["clip_id", "stage"]).any() and {"upload", "start_s", "end_s"} <= set(sample)
    assert (sample.groupby(["stage", "set"])["weight"].sum() - sample.groupby(["stage", "set"])["available"].first()).abs().max() < 1e-6


def test_every_category_is_among_the_rejects_although_imaging_is_rare(sample):
    rejects = sample[sample["set"] == "reject"]
    counts = rejects.groupby(["stage", "video_category"]).size()
    assert counts.min() == counts.max() == 10 and len(counts) == len(ORDER) * len(SHARES)
    heavy = rejects.groupby("video_category")["weight"].mean()
    assert heavy["medical teaching"] > 10 * heavy["imaging"]
    assert audit.allot({"a": 100, "b": 3, "c": 0}, 50) == {"a": 47, "b": 3, "c": 0} and audit.allot({}, 5) == {}
    assert audit.allot({"a": 2, "b": 3}, 50) == {"a": 2, "b": 3}


def test_the_draw_depends_on_the_seed_alone_and_survives_a_moved_threshold():
    clips = table()
    assert keys(draw(clips)) == keys(draw(clips.sample(frac=1, random_state=1))) == keys(draw(clips))
    assert len(keys(draw(clips)) & keys(draw(clips, seed=1))) < 200
    moved = clips.copy()
    moved.loc[moved.index[moved["removed_by"] == ""][:80], "removed_by"] = "subtitles"            # 1.3 % of all clips
    assert len(keys(draw(clips)) & keys(draw(moved))) > 900
    fewer = keys(draw(clips, survivors=20))
    assert {key for key in fewer if key[1] == "survivor"} <= keys(draw(clips))


def test_survivors_are_a_fair_draw():
    """Over many seeds each clip is drawn about as often as any other: the lots have no favourites."""
    names, hits = table(40)["clip_id"], np.zeros(40)
    for seed in range(2000):
        hits[np.argsort(audit.lots(names, seed, "subtitles", "survivor"))[:10]] += 1
    spread = ((hits - 500) ** 2 / (500 * 0.75)).sum() * 39 / 40
    assert chi2.cdf(spread, 39) < 0.999 and chi2.cdf(spread, 39) > 0.001


def test_where_fewer_exist_all_are_taken_and_it_says_so():
    clips, said = table(300), []
    sample = audit.draw_sample(clips[clips["removed_by"] != "subtitles"], ORDER, say=said.append)
    assert any(line == "subtitles: there is no reject to look at" for line in said)
    few = int((clips["removed_by"] == "black border").sum())
    assert f"black border: {few} of 50 rejects, all there are" in said
    assert (sample[(sample["stage"] == "black border") & (sample["set"] == "reject")]["weight"] == 1).all()


def test_a_clip_that_a_stage_skipped_is_no_survivor_of_it():
    clips = table(1000)
    stages = pd.DataFrame([{"clip_id": name, "stage": stage, "verdict": "skip" if stage == "subtitles" and k % 2 else "pass"}
                           for k, name in enumerate(clips["clip_id"]) for stage in ORDER])
    sample = draw(clips, stages=stages)
    seen = sample[(sample["stage"] == "subtitles") & (sample["set"] == "survivor")]
    assert len(seen) and all(int(name[-5:]) % 2 == 0 for name in seen["clip_id"])


def test_wrong_tables_are_refused_and_unknown_categories_and_unicode_are_not():
    clips = table(50)
    for wrong, message in ((clips.drop(columns="removed_by"), "no column removed_by"), (pd.concat([clips, clips]), "stands twice"),
                           (clips.assign(removed_by="shiny"), "'shiny', which is not in the order")):
        with pytest.raises(KitError, match=message):
            draw(wrong)
    odd = clips.assign(video_category=None, clip_id=[f"心臓/{k} ☃" for k in range(50)])
    assert set(draw(odd)["video_category"]) == {"not known"} and len(draw(odd)) > 50
    assert len(draw(clips.iloc[:0])) == 0


def test_two_raters_share_fifty_a_stage_and_split_the_rest(sample):
    both = audit.shared(sample, 50)
    assert both.groupby(["stage", "set"]).size().eq(25).all()
    one, two = audit.parts(sample).values()
    assert keys(one) & keys(two) == keys(both) and keys(one) | keys(two) == keys(sample)
    assert len(one) == len(two) == (len(sample) - 200) / 2 + 200 and list(dict.fromkeys(one["stage"])) == list(ORDER)
    first = one[one["stage"] == "subtitles"]
    assert first["both"].to_numpy()[:50].all() and not first["both"].to_numpy()[50:].any() and "subtitles" in first["question"].iloc[0]
    sets = (first["set"] == "reject").to_numpy()[50:]
    assert 0 < np.flatnonzero(sets).mean() / len(sets) < 0.8 and np.diff(sets.astype(int)).any(), "survivors and rejects are mixed"
    assert len(audit.parts(sample, ("me",))["me"]) == len(sample) and len(audit.shared(sample, 10_000)) == len(sample)


def test_a_sheet_appends_resumes_undoes_and_replaces(tmp_path):
    sheet = audit.Sheet(tmp_path, "rater-1")
    assert sheet.answers() == {} and sheet.undo() is None and not sheet.path.exists()
    sheet.add(item("a", "subtitles", "survivor"), "clean", 2.345)
    sheet.add(item("b", "subtitles", "reject"), "bad", 1)
    sheet.add(item("a", "subtitles", "survivor"), "bad", 1)
    again = audit.Sheet(tmp_path, "rater-1")
    assert again.answers()["subtitles", "a"]["answer"] == "bad" and len(again.answers()) == 2
    assert again.undo()["answer"] == "bad" and again.answers()["subtitles", "a"]["answer"] == "clean"
    assert again.undo()["clip_id"] == "b" and again.undo()["clip_id"] == "a" and again.undo() is None
    assert len(again.path.read_text().splitlines()) == 6, "nothing is ever removed from the file"


def test_a_line_torn_by_a_crash_costs_only_itself(tmp_path):
    sheet = audit.Sheet(tmp_path, "r")
    sheet.add(item("ein Clip ü", "still", "survivor"), "clean", 1)
    sheet.add(item("zwei ü", "still", "survivor"), "bad", 1)
    whole = sheet.path.read_bytes()
    for cut in range(0, len(whole) - 1, 3):
        sheet.path.write_bytes(whole[:cut])
        before = len(sheet.answers())
        sheet.add(item("c", "still", "reject"), "slightly noisy", 1)
        assert len(sheet.answers()) == before + 1 and sheet.answers()["still", "c"]["answer"] == "slightly noisy", cut
        assert sheet.damaged <= 1


def test_wrong_answers_names_and_disks_are_refused(tmp_path):
    sheet = audit.Sheet(tmp_path, "r")
    for wrong in (("a", "s", "survivor", "fine", 1), ("a", "s", "winner", "bad", 1), ("a", "s", "reject", "bad", -1),
                  ("a", "s", "reject", "bad", float("nan"))):
        with pytest.raises(KitError, match="must be one of"):
            sheet.add(item(*wrong[:3]), *wrong[3:])
    assert not sheet.path.exists()
    for name in ("", "../x", "Dr. Who", None):
        with pytest.raises(KitError, match="short name"):
            audit.Sheet(tmp_path, name)
    for line, message in (('{"clip_id": "a"}', "line 1.*by hand"), ("[1]", "line 1.*by hand"), ('{"clip_id": "a", "stage": "s", "set": '
                          '"reject", "answer": "bad", "seconds": "1"}', "line 1.*must be one of")):
        sheet.path.write_text(line + "\n")
        with pytest.raises(KitError, match=message):
            sheet.answers()
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="could not be written"):
        audit.Sheet(tmp_path / "file", "r").add(item("a", "s", "reject"), "bad", 1)


def test_no_answers_is_no_result(tmp_path, sample):
    with pytest.raises(KitError, match="nobody has looked"):
        audit.sheets(tmp_path)
    row = audit.summary([], sample)[0]
    assert row["survivors"] == row["rejects"] == 0 and row["share"] is row["passes"] is row["false_reject"] is row["kappa"] is None


def test_the_summary_counts_and_has_the_exact_interval(tmp_path, sample):
    survivors = sample[sample["set"] == "survivor"]
    bad = {(stage, name) for stage, count in (("subtitles", 10), ("duplicate", 4))
           for name in survivors[survivors["stage"] == stage]["clip_id"][:count]}
    sheet = answer_all(tmp_path, "one", sample, lambda row: "bad" if row.set == "reject" or (row.stage, row.clip_id) in bad else
                       "slightly noisy")
    rows = {row["stage"]: row for row in audit.summary([sheet], sample)}
    found = rows["subtitles"]
    assert (found["good"], found["survivors"], found["drawn"], found["share"]) == (190, 200, 200, 0.95)
    assert found["low"] == pytest.approx(beta.ppf(0.025, 190, 11)) and found["high"] == pytest.approx(beta.ppf(0.975, 191, 10))
    assert found["passes"] and not found["shown"], "190 of 200 passes the paper's rule and shows nothing"
    assert rows["duplicate"]["good"] == 196 and rows["duplicate"]["shown"] and not rows["duplicate"]["by_eye"]
    assert found["false_reject"] == 0 and found["false_high"] == pytest.approx(beta.ppf(0.975, 1, 50), abs=0.12) and found["kappa"] is None


def test_false_rejection_is_weighted_back_to_all_rejects(tmp_path):
    clips = table(20_000)
    sample = draw(clips)
    sheet = answer_all(tmp_path, "one", sample, lambda row: "clean" if row.video_category == "imaging" else "bad")
    row = audit.summary([sheet], sample)[1]
    rejects = clips[clips["removed_by"] == "black border"]
    truth = (rejects["video_category"] == "imaging").mean()
    assert row["reject_good"] == 10 and row["false_reject"] == pytest.approx(truth) and truth < 0.05
    assert row["false_low"] < truth < row["false_high"]
    lost = {r["category"]: r for r in audit.lost_by_category([sheet], sample) if r["stage"] == "black border"}
    assert lost["imaging"]["share"] == 1 and lost["imaging"]["low"] == pytest.approx(beta.ppf(0.025, 10, 1))
    assert lost["animation"]["good"] == 0 and lost["animation"]["seen"] == 10
    half = answer_all(tmp_path / "half", "one", sample[::2], lambda row: "clean" if row.video_category == "imaging" else "bad")
    assert audit.summary([half], sample)[1]["false_reject"] == pytest.approx(truth), "also before all are looked at"


def test_the_weighted_interval_covers():
    """Strata of different size and different truth: at least 93 % of 400 intervals hold the true share."""
    rng, sizes, truth = np.random.default_rng(0), np.array([560, 260, 94, 62, 24]), np.array([0.1, 0.2, 0.05, 0.3, 0.8])
    true, inside = (sizes * truth).sum() / sizes.sum(), 0
    for _ in range(400):
        good = rng.random((5, 10)) < truth[:, None]
        _, low, high = audit.weighted_share(good.ravel(), np.repeat(sizes / 10.0, 10))
        inside += low <= true <= high
    assert inside >= 0.93 * 400
    exact = audit.weighted_share(np.arange(50) < 7, np.full(50, 3.0))
    assert exact == pytest.approx((0.14, beta.ppf(0.025, 7, 44), beta.ppf(0.975, 8, 43)))


def test_two_raters_agree_as_far_as_they_do_and_a_shared_clip_counts_once(tmp_path, sample):
    parts = audit.parts(sample, count=50)
    one = answer_all(tmp_path, "rater-1", parts["rater-1"], lambda row: "clean" if row.set == "survivor" else "bad")
    two = answer_all(tmp_path, "rater-2", parts["rater-2"], lambda row: "clean")
    assert [sheet.rater for sheet in audit.sheets(tmp_path)] == ["rater-1", "rater-2"]
    rows = {row["stage"]: row for row in audit.agreement([one, two], sample)}
    assert rows["subtitles"]["clips"] == 50 and rows["subtitles"]["same"] == 0.5 and rows["subtitles"]["kappa"] == pytest.approx(0)
    assert rows["all stages"]["clips"] == 200 and rows["all stages"]["pair"] == "rater-1, rater-2"
    row = audit.summary([one, two], sample)[0]
    assert (row["survivors"], row["good"], row["rejects"], row["common"], row["kappa"]) == (200, 200, 50, 50, pytest.approx(0))
    alone = parts["rater-2"].query("stage == 'not medical' and set == 'reject' and not both")
    assert row["reject_good"] == len(alone) > 5, "of a clip that both saw the worse answer counts"
    assert audit.kappa(["clean", "bad"], ["clean", "bad"]) == pytest.approx(1) and audit.kappa(["bad"], ["bad"]) is None
    assert audit.kappa(["clean"] * 9, ["clean"] * 9) is None and audit.agreement([one], sample) == []


def test_what_200_looks_can_and_cannot_show():
    assert [round(audit.pass_probability(share), 2) for share in (0.93, 0.95, 0.97)] == [0.17, 0.58, 0.96]
    assert audit.pass_probability(0.95) == pytest.approx(sum(binom.pmf(k, 200, 0.95) for k in range(190, 201)))
    assert audit.pass_probability(1) == 1 and audit.pass_probability(0) == 0
    assert audit.acceptance(196)["shown"] and not audit.acceptance(195)["shown"]
    assert audit.needed_to_show() == 196 and audit.needed_to_show(58) is None and audit.needed_to_show(59) == 59
    with pytest.raises(KitError, match="between 0 and 1"):
        audit.pass_probability(95)


def test_a_piece_of_an_upload_is_the_right_piece(tmp_path):
    frames = np.repeat((np.arange(80, dtype=np.uint8) * 3)[:, None, None, None], 64, 1).repeat(96, 2).repeat(3, 3)
    path = video.write(tmp_path / "ü.mp4", frames, 8)
    shown, fps = audit.piece(path, 6.0, 8.0)
    assert shown.shape == (16, 64, 96, 3) and fps == 8
    assert np.abs(shown.mean(axis=(1, 2, 3)) - 3 * np.arange(48, 64)).max() < 4
    assert audit.piece(path, 0, 1, width=48)[0].shape == (8, 32, 48, 3)
    for start, end, message in ((5, 4, "cannot be shown"), (0, 900, "cannot be shown"), (float("nan"), 2, "cannot be shown"),
                                (30, 31, "no frame")):
        with pytest.raises(KitError, match=message):
            audit.piece(path, start, end)


def test_a_clip_whose_cutting_failed_passed_every_stage():
    clips = table(200)
    clips.loc[clips.index[clips["removed_by"] == ""][:5], "removed_by"] = "cut failed"
    whole = table(200)
    assert keys(draw(clips)) == keys(draw(whole))
    with pytest.raises(KitError, match="names the stage 'no such stage'"):
        draw(clips.assign(removed_by="no such stage"))


def test_a_clip_that_could_not_be_cut_is_no_unknown_stage(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    for name in ("a", "b"):
        video.write(tmp_path / "raw" / f"{name}.mp4", shot(ord(name), 12, (480, 640), dx=3), 8, crf=16)

    def broken(path, name, rows, config, folder, synthetic):
        return {"file": name, "reason": "decoder_crash", "message": "it crashed, twice.", "rows": []}

    monkeypatch.setattr(curate.shards.cut, "cut_upload", broken)
    figures = curate.curate(tmp_path / "raw", tmp_path / "out", size=32, frames=9, fps=8, step=1 / 6, read_text=False, workers=0,
                            say=lambda text: None)
    clips, long = curate.candidates(tmp_path / "out"), pd.read_parquet(tmp_path / "out" / "stages.parquet")
    assert figures["kept"] == 0 and (clips["removed_by"] == "cut failed").sum() == 2
    sample = audit.draw_sample(clips, curate.decide.NAMES, stages=long, say=lambda text: None)
    assert set(clips["clip_id"][clips["removed_by"] == "cut failed"]) <= set(sample["clip_id"][sample["set"] == "survivor"])
    assert curate.report.counts(clips, curate.decide.NAMES)[-1]["left"] == 2
    assert len(curate.report.standard(clips, long, curate.decide.NAMES)) > 3
