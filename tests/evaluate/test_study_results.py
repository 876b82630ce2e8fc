"""What comes out of a blind study: names again, people apart from programs, no number without ratings, and why."""

import csv
import json

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import agreement, grading, preference, study
from medgen_kit.evaluate.study import making, store, told
from tests.evaluate.small_study import answers, clips_in, items, rate_all


def test_analysis_unblinds_counts_and_agrees(folder):
    clips = clips_in(making.read_key(folder))
    for rater in ("r1", "r2", "r3"):
        for row in study.items_of(folder, rater):
            real_first = clips[row["item"]][(folder / row["first"]).stem] == "real"
            choice = "both fail" if row["item"] == "item 01" else "first" if real_first else "second"
            bad = ("No", "Severe") if real_first else ("Moderate", "Minor")
            study.rate(folder, rater, row["item"], answers(choice, *bad), comment="clear")
    found = study.analyse(folder)
    share = {(row["question"], row["answer"]): row["share"] for row in found["wins"]}
    assert found["raters"] == 3 and found["simulated"] == 0 and found["items"] == 8
    assert share["Visual Quality", "real"] == pytest.approx(7 / 8) and share["Visual Quality", "both fail"] == pytest.approx(1 / 8)
    assert share["Visual Quality", "generated"] == 0
    kappas = [row["kappa"] for row in found["agreement"] if row["what"] == "preference"]
    assert kappas == pytest.approx([1, 1, 1]) and len(found["agreement"]) == 9
    assert {row["model"]: row["percent"] for row in found["warping"]} == {"generated": 100.0, "real": 0.0}
    assert all(row["simulated"] is False for name in ("wins", "agreement", "warping") for row in found[name])
    store.enrol(folder, "r4", simulated=True)
    with pytest.raises(KitError, match="simulated rater already"):
        store.enrol(folder, "r4")
    asked, graded = study.open_up(folder)
    shared = preference.shares([row for row in asked if row["question"] == "Visual Quality"])
    assert {row["model"]: row["win"] for row in shared} == pytest.approx({"real": 7 / 8, "generated": 0})
    assert {row["model"]: row["percent"] for row in grading.per_model(graded)} == {"generated": 100.0, "real": 0.0}


def real_first(folder, clips, rater):
    return [clips[row["item"]][(folder / row["first"]).stem] == "real" for row in study.items_of(folder, rater)]


def test_people_and_programs_are_never_counted_together(folder):
    clips = clips_in(making.read_key(folder))
    for rater in ("r1", "r2", "simulated-3"):                                         # people always choose "real", the program the other
        for row, first in zip(study.items_of(folder, rater), real_first(folder, clips, rater)):
            study.rate(folder, rater, row["item"], answers("first" if first == (rater != "simulated-3") else "second"))
    found = study.analyse(folder)
    share = {(row["answer"], row["simulated"]): (row["share"], row["answers"]) for row in found["wins"]
             if row["question"] == "Visual Quality"}
    assert share["real", False] == (1.0, 16) and share["real", True] == (0.0, 8) and share["generated", True] == (1.0, 8)
    spread = {(row["answer"], row["simulated"]): (row["low"], row["high"]) for row in found["wins"]}
    assert spread["real", False] == (pytest.approx(0.025 ** (1 / 8)), 1)                                # 8 items, however many raters
    assert spread["both fail", False] == (0, pytest.approx(1 - 0.025 ** (1 / 8)))
    assert {(row["pair"], row["simulated"]) for row in found["agreement"]} == {("r1-r2", False)}
    warping = [(row["simulated"], row["percent"], row["undecided"]) for row in found["warping"]]
    assert warping == [(False, None, 8)] * 2 + [(True, None, 8)] * 2
    people = [row for row in study.open_up(folder)[0] if not row["simulated"]]
    said = json.loads((study.export(folder, keep_open=True) / "summary.json").read_text())
    assert said["first_side_chosen"] == np.mean([row["answer"] == row["first"] for row in people])
    assert said["first_side_chosen_simulated"] == 1 - sum(real_first(folder, clips, "simulated-3")) / 8


def test_one_item_gives_no_interval_and_is_told_so(folder):
    for rater, choice in (("r1", "first"), ("r2", "first"), ("r3", "both fail")):
        study.rate(folder, rater, "item 01", answers(choice))
    assert all(row["low"] is row["high"] is None and row["share"] is not None for row in study.analyse(folder)["wins"])
    lines = told.result(json.loads((study.export(folder, keep_open=True) / "summary.json").read_text()))
    assert "both fail 33% (one item, so no interval); answers: 3" in lines[0] and "[" not in lines[0]
    for rater in ("r1", "r2", "r3"):
        study.rate(folder, rater, "item 02", answers("both fail"))
    assert "both fail 67% [33%, 100%]" in told.result(json.loads((study.export(folder, keep_open=True) / "summary.json").read_text()))[0]


def test_warping_without_enough_grades_says_so(folder):
    study.rate(folder, "r1", "item 01", answers("first", "Severe", "Severe"))
    found = study.analyse(folder)
    assert [row["model"] for row in found["warping"]] == ["generated", "real"] and found["agreement"] == []
    for row in found["warping"]:
        assert row["percent"] is None
        assert row["reason"].startswith("3 grades a clip are needed by the paper's rule, and no clip has more than 1. Ask more raters")
        assert "--raters 1 --needed 1" in row["reason"]
        assert (row["items"], row["undecided"], row["least"], row["most"]) == (0, 1, 0, 100)


def test_warping_keeps_undecided_clips_in_sight(folder):
    rate_all(folder, "r1", first="Severe", second="Severe")
    rate_all(folder, "r2", first="Severe", second="Severe")
    study.rate(folder, "r3", "item 01", answers("first"))
    for row in study.analyse(folder)["warping"]:
        assert (row["percent"], row["items"], row["undecided"]) == (100, 1, 7) and (row["least"], row["most"]) == (12.5, 100)
    assert all(row["percent"] is None and row["reason"] for row in study.analyse(folder, raters=4)["warping"])


def test_more_than_three_raters_need_a_rule(folder):
    for number in range(4):
        rate_all(folder, f"r{number}", first="Severe" if number < 3 else "No", second="Severe" if number < 3 else "No")
    for row in study.analyse(folder)["warping"]:
        assert row["percent"] is None and "up to 4 grades" in row["reason"] and "raters=4, needed=3" in row["reason"]
        assert row["undecided"] == 8
    three, four = (study.analyse(folder, raters=4, needed=needed)["warping"] for needed in (3, 4))
    assert [row["percent"] for row in three] == [100, 100] and [row["percent"] for row in four] == [0, 0]
    with pytest.raises(KitError, match="5 of 4 raters"):
        study.export(folder, raters=4, needed=5)
    assert store.facts(folder)["closed"] == ""                                        # refused before it was closed
    made = study.export(folder, keep_open=True, raters=4, needed=4)
    assert json.loads((made / "summary.json").read_text())["result"]["warping"][0]["percent"] == 0


def test_several_clips_of_one_prompt_are_several_clips(tmp_path):
    twice = [row | {"prompt": "a heart"} for row in items(2)]
    folder = study.make(tmp_path / "study", twice)
    for rater in ("r1", "r2", "r3"):
        rate_all(folder, rater)
    assert [row["items"] for row in study.analyse(folder)["warping"]] == [2, 2]


def test_kappas_bear_the_names_of_their_raters(folder):
    rate_all(folder, "rater-10")                                                      # as rater-1 does; rater-2 says the other thing
    rate_all(folder, "rater-1")
    rate_all(folder, "rater-2", "both fail")
    study.rate(folder, "rater-10", "item 01", answers("both fail"))
    rows = [row for row in study.analyse(folder)["agreement"] if row["what"] == "preference"]
    assert [row["pair"] for row in rows] == ["rater-1-rater-2", "rater-1-rater-10", "rater-2-rater-10"]
    said = {}
    for row in study.open_up(folder)[0]:
        said.setdefault(row["rater"], {})[row["item"], row["question"]] = row["answer"]
    for row, (one, two) in zip(rows, (("rater-1", "rater-2"), ("rater-1", "rater-10"), ("rater-2", "rater-10"))):
        assert row["kappa"] == agreement.cohen(*zip(*((said[one][where], said[two][where]) for where in said[one])))
    assert rows[0]["kappa"] != rows[1]["kappa"] and rows[0]["reason"] == ""


def test_a_kappa_without_a_value_has_a_reason(folder):
    rate_all(folder, "r1", "both fail")
    rate_all(folder, "r2", "both fail")
    assert all(row["kappa"] is None and "one label" in row["reason"] for row in study.analyse(folder)["agreement"])


def test_no_cell_of_the_tables_is_a_formula(folder):
    for number, comment in enumerate(("=HYPERLINK(\"http://x\")", "@SUM(A1)", "+1", "-1", "2=2"), 1):
        study.rate(folder, "r1", f"item {number:02d}", answers("first"), comment=comment)
    rows = list(csv.DictReader((study.export(folder) / "answers.csv").open(encoding="utf-8")))
    assert {row["comment"] for row in rows} == {"'=HYPERLINK(\"http://x\")", "'@SUM(A1)", "'+1", "'-1", "2=2"}
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    assert {row["comment"] for row in study.open_up(folder)[0]} >= {"+1", "-1"}      # as it was said, wherever no spreadsheet reads it


def test_a_study_that_is_not_there_is_told_before_its_key(tmp_path):
    with pytest.raises(KitError, match="holds no study"):
        study.export(tmp_path / "none")
    assert not (tmp_path / "none_export").exists()


def test_export_closes_and_writes_tidy_tables(folder):
    study.rate(folder, "r1", "item 01", answers("first", "Severe", "No"), comment="a, \"b\"")
    looked = study.export(folder, folder.parent / "look", keep_open=True)
    study.rate(folder, "r1", "item 02", answers("both fail"))
    out = study.export(folder, close=True)
    assert looked != out == folder.parent / "study_export"
    asked, graded = (list(csv.DictReader((out / name).open(encoding="utf-8"))) for name in ("answers.csv", "grades.csv"))
    assert len(asked) == 6 and len(graded) == 4 and len(list(csv.DictReader((looked / "answers.csv").open(encoding="utf-8")))) == 3
    first = [row for row in asked if row["item"] == "item 01"]
    assert {row["answer"] for row in first} <= {"real", "generated"} and all(row["answer"] == row["first"] for row in first)
    assert {row["comment"] for row in first} == {"a, \"b\""} and {row["simulated"] for row in asked} == {"False"}
    key = making.read_key(folder)["items"]["item 01"]
    assert {row["video"]: row["grade"] for row in graded if row["item"] == "item 01"}[f"{first[0]['first']}/{key['origin']}"] == "Severe"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["closed"] and summary["answers"] == 6 and summary["grades"] == 4 and summary["first_side_chosen"] == 1.0
    with pytest.raises(KitError, match="was closed on"):
        study.rate(folder, "r1", "item 03", answers("first"))
    assert "closed" in study.form(folder, "r1").text.value
    with pytest.raises(KitError, match="which raters may see"):
        study.export(folder, folder / "out")


def test_export_without_answers_or_key(folder):
    summary = json.loads((study.export(folder, keep_open=True) / "summary.json").read_text())
    assert summary["result"] is None and summary["reason"] == "nobody has rated yet" and summary["first_side_chosen"] is None
    study.key_path(folder).unlink()
    with pytest.raises(KitError, match="without the key"):
        study.export(folder)
    assert store.facts(folder)["closed"] == ""           # refused before it was closed


def test_nobody_has_rated_gives_no_number(folder):
    with pytest.raises(KitError, match="nobody has rated"):
        study.analyse(folder)
    with pytest.raises(KitError, match="holds no study"):
        study.analyse(folder.parent)


def test_a_study_that_nobody_rated_is_not_closed_by_an_export(tmp_path):
    from typer.testing import CliRunner

    from medgen_kit import cli
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    folder = study.make(tmp_path / "study", [{"prompt": "a heart", "clips": {"one": frames, "two": frames}}])
    said = CliRunner().invoke(cli.typed, ["study", "export", str(folder)]).output
    assert "Nobody has rated yet, so the study stays open" in said
    item = study.items_of(folder, "rater-1")[0]["item"]
    study.rate(folder, "rater-1", item, dict.fromkeys(study.QUESTIONS, "first") | {"distortion first": "No", "distortion second": "No"})
    looked = CliRunner().invoke(cli.typed, ["study", "export", str(folder), "--keep-open"]).output
    assert "The study stays open: every rater has answered all 1 pairs. --close ends it." in looked
    assert "The study is closed" in CliRunner().invoke(cli.typed, ["study", "export", str(folder)]).output
    assert "The study is closed" in CliRunner().invoke(cli.typed, ["study", "export", str(folder), "--keep-open"]).output


def exported(folder, *options):
    from typer.testing import CliRunner

    from medgen_kit import cli
    return CliRunner().invoke(cli.typed, ["study", "export", str(folder), *options])


def test_a_study_stays_open_until_every_rater_has_finished(folder):
    study.add_raters(folder, 2)
    rate_all(folder, "rater-1")
    assert "The study stays open: rater-2 has answered 0 of 8. --close ends it." in exported(folder).output
    assert store.facts(folder)["closed"] == ""
    for row in study.items_of(folder, "rater-2")[:7]:
        study.rate(folder, "rater-2", row["item"], answers("first"))
    assert "rater-2 has answered 7 of 8" in exported(folder).output and store.unfinished(folder) == {"rater-2": 7}
    study.rate(folder, "rater-2", study.items_of(folder, "rater-2")[7]["item"], answers("first"))
    assert "every rater has answered all 8" in exported(folder, "--keep-open").output and store.facts(folder)["closed"] == ""
    assert "The study is closed" in exported(folder).output and store.facts(folder)["closed"]


def test_a_change_that_is_not_stored_is_told_and_keeps_the_study_open(folder):
    rate_all(folder, "rater-1")
    rate_all(folder, "rater-2")
    assert "unstored" not in exported(folder, "--keep-open").output
    for item in ("item 01", "item 02"):
        store.draft(folder, "rater-2", item, {"Visual Quality": "second"})
    told = exported(folder).output
    assert "rater-2 has 2 unstored changes of answered pairs" in told and "rater-1 has" not in told
    assert "stays open: rater-2 has changes that are not stored. --close" in told and store.facts(folder)["closed"] == ""
    for item in ("item 01", "item 02"):
        study.rate(folder, "rater-2", item, answers("second"))
    told = exported(folder).output
    assert "unstored" not in told and "The study is closed" in told


def test_close_ends_a_study_that_is_not_finished(folder):
    study.add_raters(folder, 2)
    study.rate(folder, "rater-1", "item 01", answers("first"))
    with pytest.raises(KitError, match="one of --close and --keep-open"):
        study.export(folder, keep_open=True, close=True)
    assert "The study is closed" in exported(folder, "--close").output and store.facts(folder)["closed"]


def test_export_prints_the_result_and_why_a_part_is_missing(folder):
    clips = clips_in(making.read_key(folder))
    for rater in ("rater-1", "rater-2"):
        for number, first in enumerate(real_first(folder, clips, rater)):
            bad = ("No", "Severe") if first else ("Severe", "No")
            row = study.items_of(folder, rater)[number]
            choice = "both fail" if row["item"] == "item 01" else "first" if first else "second"
            study.rate(folder, rater, row["item"], answers(choice, *bad))
        lines = exported(folder, "--keep-open").output.splitlines()
        assert len(lines) == 6 and lines[0].startswith("Text Alignment: generated 0% [0%, 37%], real 88% [")
        assert lines[0].endswith(f"; answers: {8 * int(rater[-1])}")
        if rater == "rater-1":
            assert lines[4] == "agreement: none, because it takes two raters and 1 has answered"
    assert "warping error: none, because 3 grades a clip are needed by the paper's rule, and no clip has more than 2." in lines[3]
    assert "--raters 2 --needed 2" in lines[3] and lines[4].startswith("agreement of 2 raters, mean of Cohen's kappa: preference 1.00")
    ruled = exported(folder, "--keep-open", "--raters", "2", "--needed", "2").output
    assert "warping error: generated 100.0 % of 8 clips, real 0.0 % of 8 clips" in ruled
    refused = exported(folder, "--raters", "2", "--needed", "3")
    assert refused.exit_code == 2 and "--needed 3 of --raters 2" in refused.output
    rate_all(folder, "simulated-3")
    lines = exported(folder, "--keep-open").output.splitlines()
    assert [line.startswith("simulated raters, ") for line in lines] == [False] * 5 + [True] * 5 + [False]
