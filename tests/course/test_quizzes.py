"""The quizzes: whole, balanced, every number computed again, and what is made of them holds what it should."""

import math
import re
from collections import Counter

import numpy as np
import pytest

from course.tools import quiz as tool
from medgen_kit.run import REPOSITORY

QUIZZES = {quiz.name: quiz for quiz in tool.every()}
WRITTEN = (REPOSITORY / "course" / "quizzes" / "04_align.md").read_text(encoding="utf-8")


def kappa():
    from medgen_kit.evaluate import agreement
    pairs = [("yes", "yes")] * 5 + [("no", "no")] * 85 + [("yes", "no")] * 5 + [("no", "yes")] * 5
    return agreement.cohen(*zip(*pairs))


def total():
    from medgen_kit.evaluate import paper
    row = paper.load("table2_med_vbench").set_index("model").loc["HunyuanVideo"]
    return paper.med_vbench_total(row.imaging_quality, row.subject_consistency, row.background_consistency, row.motion_smoothness,
                                  row.warping_error)


def teaching_for_each_scan():
    from medgen_kit.evaluate import paper
    share = paper.load("fig5_categories").set_index("category").percent
    return share["medical teaching"] / share["medical imaging"]


def grey():
    from medgen_kit import sources
    return float(sources.window([50], 40, 400)[0])


def shifted():
    import torch

    from medgen_kit.generate import flow
    return float(flow.shifted(torch.tensor(0.25), 7))


def smallest():
    from medgen_kit.evaluate import paper
    return paper.smallest_test_set([14.29, 28.57, 42.86])


def point():
    import torch

    from medgen_kit.generate import flow
    a, b, s = torch.ones(1, 1, 1, 1, 1), torch.full((1, 1, 1, 1, 1), -3.0), torch.tensor([0.25])
    return flow.interpolate(a, b, s).item(), flow.velocity(a, b).item()


def frames():
    from medgen_kit import video
    return tuple(video.sample_indices(30, 3))


def interval():
    from medgen_kit.evaluate import augment
    gains = [0.02, 0.06, 0.04, 0.08]
    rows = [{"task": "t", "arm": arm, "seed": k, "accuracy": 0.5 + gain * (arm != augment.ARMS[0])} for arm in augment.ARMS
            for k, gain in enumerate(gains)]
    row = augment.compare(rows)[-1]
    return row["low"], row["high"]


def holm():
    from medgen_kit.evaluate import paired
    return tuple(row["p_holm"] for row in paired.holm([{"p": p} for p in (0.01, 0.02, 0.04)]))


def shortest_run():
    from medgen_kit import curate
    return next(n for n in range(1, 20)
                if any(part.steps >= 6 for part in curate.runs(range(n), np.ones(n, bool), np.ones(n - 1), cuts=[], tau=0.9)))


def clean_at_least():
    from medgen_kit import curate
    return 100 * curate.acceptance(190, 200)["low"]


COMPUTED = {                                                   # (lesson, question): what the right choice must say, computed
    ("00", 2): frames, ("01", 1): grey, ("01", 5): teaching_for_each_scan, ("02", 1): shortest_run, ("02", 3): clean_at_least,
    ("03", 1): lambda: 2 * 0.75 * 0.6 / (0.75 + 0.6), ("04", 1): lambda: math.log(64), ("04", 4): lambda: 5 / 111,
    ("05", 1): point, ("05", 2): lambda: 32 * (1536 + 1536), ("06", 1): lambda: 1 + 2 * (3 - 1), ("06", 2): shifted,
    ("07", 2): kappa, ("07", 3): lambda: 1 / (1 + math.exp(-0.58 - 0.46)), ("08", 2): interval, ("08", 4): holm,
    ("09", 1): total, ("09", 2): smallest}


def test_each_lesson_has_five_questions_of_every_kind():
    assert list(QUIZZES) == sorted(path.stem for path in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for name, quiz in QUIZZES.items():
        assert {one.kind for one in quiz.questions} == set(tool.KINDS), name
        assert len({one.level for one in quiz.questions}) >= 2, name
        assert len({one.title for one in quiz.questions}) == tool.FIVE
        assert f"](../lessons/{name}.md)" in (tool.QUIZZES / f"{name}.md").read_text(encoding="utf-8")


def test_places_and_lengths_give_nothing_away():
    every = [one for quiz in QUIZZES.values() for one in quiz.questions]
    places = Counter(one.right for one in every)
    assert len(every) == 50 and all(8 <= places[k] <= 17 for k in range(4))
    assert all(len({one.right for one in quiz.questions}) >= 3 for quiz in QUIZZES.values())
    longest = sum(max(one.choices, key=len) == one.choices[one.right] for one in every)
    shortest = sum(min(one.choices, key=len) == one.choices[one.right] for one in every)
    assert longest <= 20 and shortest <= 20


def test_every_wrong_answer_is_explained():
    for quiz in QUIZZES.values():
        for one in quiz.questions:
            assert len(set(one.choices)) == 4 and len(set(one.reasons)) == 4
            for k, reason in enumerate(one.reasons):
                assert k == one.right or len(reason.split()) >= 10, f"{quiz.name}, {one.title}: {reason}"


@pytest.mark.parametrize("lesson, n", COMPUTED, ids=lambda key: str(key))
def test_numbers_are_computed(lesson, n):
    quiz = next(quiz for name, quiz in QUIZZES.items() if name.startswith(lesson))
    one = quiz.questions[n - 1]
    assert one.kind == "compute"
    found = np.atleast_1d(COMPUTED[lesson, n]())
    for k, choice in enumerate(one.choices):
        said = [float(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*\d(?:\.\d+)?|-?\d+\.?\d*", choice.replace(", ", " ; "))]
        decimals = max(len(x.split(".")[1]) if "." in x else 0 for x in re.findall(r"[\d.]+", choice))
        close = len(said) == len(found) and np.allclose(said, found, atol=0.5001 * 10.0 ** -decimals)
        assert close == (k == one.right), f"{choice}: computed {found}"


def test_every_computed_question_is_checked_here():
    asked = {(name[:2], n) for name, quiz in QUIZZES.items() for n, one in enumerate(quiz.questions, 1) if one.kind == "compute"}
    assert asked == set(COMPUTED)


@pytest.mark.parametrize("before, after, said", [
    ("- **C is right.**", "- **C is wrong.**", "exactly one choice is right; here it is none"),
    ("- **A is wrong.**", "- **A is right.**", "exactly one choice is right; here it is A, C|exactly one choice is right; here it is C, A"),
    ("- **D.** 6.00\n", "", "choices A to D"),
    ("*compute, level 1*", "*guess, level 1*", "the kind is one of"),
    ("## 2. Temperature", "## 3. Temperature", "numbered 3"),
    ("<summary>Answer</summary>", "<summary>Solution</summary>", "write title"),
])
def test_a_quiz_that_is_not_whole_is_refused(tmp_path, before, after, said):
    path = tmp_path / "04_align.md"
    assert before in WRITTEN
    path.write_text(WRITTEN.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(tool.QuizError, match=said):
        tool.read(path)


def test_sheets_hide_and_keys_tell(tmp_path):
    for quiz in QUIZZES.values():
        page = tool.sheet(quiz)
        for one in quiz.questions:
            assert all(tool.rich(choice) in page for choice in one.choices)
            assert not any(tool.rich(reason) in page for reason in one.reasons)
        assert "right" not in re.sub(r"<style>.*?</style>|<section>.*?</section>", "", page, flags=re.S)
        assert all(tool.rich(reason) in tool.key(quiz) for one in quiz.questions for reason in one.reasons)


def test_another_form_moves_the_choices_and_the_key_with_them():
    quiz = QUIZZES["04_align"]
    forms = [tool.arranged(quiz, seed) for seed in (0, 1, 1, 2)]
    assert forms[0] == quiz and forms[1] == forms[2] != forms[3]
    for a, b in zip(quiz.questions, forms[1].questions):
        assert a.choices[a.right] == b.choices[b.right] and a.reasons[a.right] == b.reasons[b.right]
        assert dict(zip(a.choices, a.reasons)) == dict(zip(b.choices, b.reasons))
        assert f"{tool.LETTERS[b.right]}" in tool.key(forms[1], 1)


def test_moodle_gets_one_right_answer_and_four_reasons_each():
    text = tool.gift(QUIZZES.values())
    blocks = re.findall(r"^::(\d\d\.\d) .+?::\[html\].+? \{\n(.+?)\n\}$", text, re.S | re.M)
    assert len(blocks) == 50 and text.count("$CATEGORY: ") == 10
    for name, block in blocks:
        lines = [line.strip() for line in block.splitlines()]
        assert sorted(line[0] for line in lines) == ["=", "~", "~", "~"], name
        for line in lines:
            bare = re.sub(r"\\[\\~=#{}:]", "", line[1:])
            assert bare.count("#") == 1 and not re.search(r"[~={}:\\]", bare) and "->" not in bare, line


def test_formulas_become_html_or_are_refused():
    assert tool.rich("at $x_s$ with `k < 1` and *why*") == "at <i>x<sub>s</sub></i> with <code>k &lt; 1</code> and <em>why</em>"
    with pytest.raises(tool.QuizError, match="frac"):
        tool.formula(r"\frac{1}{2}")


def test_the_command_writes_what_it_says(tmp_path, capsys):
    tool.main(["04", "05", "--out", str(tmp_path), "--seed", "7"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["moodle-04-05.gift.txt", *(f"{name}.{kind}.html" for name in ("04_align", "05_train")
                                    for kind in ("form-7.sheet", "form-7.key", "practice"))])
    assert "2 quizzes, 7 files" in capsys.readouterr().out
    printed = (tmp_path / "04_align.form-7.key.html").read_text()
    tool.main(["--out", str(tmp_path)])
    assert (tmp_path / "04_align.form-7.key.html").read_text() == printed and (tmp_path / "moodle.gift.txt").is_file()
    with pytest.raises(SystemExit, match="no quiz for 44"):
        tool.main(["44"])
