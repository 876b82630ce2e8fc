"""What a teacher relies on: minutes add up, outcomes can be examined, the rubric has a hundred points, exercises do what they say."""

import csv
import re

import numpy as np
import pytest

from medgen_kit.run import REPOSITORY

COURSE = REPOSITORY / "course"
VERBS = {"re-run", *("apply argue build compare compute decide defend derive design draw explain give install judge make mark measure name "
                     "plan predict present propose read recompute run separate state tag tell write").split()}
WEEKS = {"six_weeks": 6, "twelve_weeks": 12}


def page(name):
    return (COURSE / f"{name}.md").read_text(encoding="utf-8")


def parts(text):
    return {head: body for head, body in re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", text, re.M | re.S)}


def minutes(text):
    return [int(found) for found in re.findall(r"^\| (\d+) \|", text, re.M)]


def outcomes(text):
    listed = re.search(r"^Outcomes:\n\n((?:- .+\n(?:  .+\n)*)+)", text, re.M)
    return [re.sub(r"^- ", "", line) for line in listed[1].splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("name", WEEKS)
def test_each_week_is_whole(name):
    weeks = {head: body for head, body in parts(page(f"plans/{name}")).items() if head.startswith("Week")}
    assert [int(re.match(r"Week (\d+): ", head)[1]) for head in weeks] == list(range(1, WEEKS[name] + 1))
    for head, body in weeks.items():
        assert sum(minutes(body)) == 90 and len(minutes(body)) >= 4, head
        assert len(outcomes(body)) >= 3 and {one.split()[0] for one in outcomes(body)} <= VERBS, head
        for field in ("Lessons", "At home", "Quiz", "Reading"):
            assert re.search(rf"^- \*\*{field}:\*\* \S.+", body, re.M), f"{head}: {field}"
    text = page(f"plans/{name}")
    for number in range(10):
        assert f"](../lessons/{number:02d}_" in text and f"](../quizzes/{number:02d}_" in text
        assert re.search(rf"exercises[^.;]*\b{number:02d}\b", text), f"no exercises {number:02d}"
    assert "section 3" in text and "section 4.1" in text


def test_the_day_fills_its_hours():
    blocks = {head: body for head, body in parts(page("plans/one_day")).items() if re.match(r"\d\d:\d\d to", head)}
    total = 0
    for head, body in blocks.items():
        begin, end = ((int(h) * 60 + int(m)) for h, m in re.findall(r"(\d\d):(\d\d)", head))
        assert sum(minutes(body)) == end - begin, head
        assert outcomes(body) and {one.split()[0] for one in outcomes(body)} <= VERBS
        total += end - begin
    assert total == 360
    assert [re.match(r"\| (\d\d:\d\d to \d\d:\d\d)", line)[1] for line in page("syllabus").splitlines() if re.match(r"\| \d\d:", line)] == [
        head.split(",")[0] for head in blocks]


def test_the_rubric_has_a_hundred_points_in_four_levels_without_gaps():
    found = parts(page("rubric"))
    wanted = {"Automatic checks": 40, "Written interpretation": 25, "Reproducible mini-project": 20, "Limits and ethics": 15}
    assert sum(wanted.values()) == 100
    for name, most in wanted.items():
        body = found[f"{name}: {most} points"]
        rows = re.findall(r"^\| (\d) \| (\d+) to (\d+) \| (.+) \|$", body, re.M)
        assert [row[0] for row in rows] == ["4", "3", "2", "1"] and (int(rows[0][2]), int(rows[-1][1])) == (most, 0)
        assert all(int(a[1]) == int(b[2]) + 1 for a, b in zip(rows, rows[1:])) and all(len(row[3].split()) >= 8 for row in rows)
        assert f"| {name} | {most} |" in page("rubric")


def test_the_grade_sheet_adds_up():
    with (COURSE / "grade_sheet.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["checks_40"]) == 40 * float(row["checks_points"]) / float(row["checks_of"])
    four = [float(row[name]) for name in ("checks_40", "interpretation_25", "project_20", "limits_15")]
    assert float(row["total_100"]) == sum(four) and "EXAMPLE" in row["student"]


def test_the_ethics_lesson_is_whole():
    text = page("ethics")
    found = parts(text)
    assert sum(minutes(found["Plan"])) == 90 and {one.split()[0] for one in outcomes(found["Goal"])} <= VERBS
    for topic in ("Consent and licence", "Re-identification", "Misuse of synthetic clinical video", "Bias by acquisition site",
                  "Memorisation", "Labels and provenance", "Licences that contradict"):
        body = next(body for head, body in found.items() if head.endswith(f". {topic}"))
        case = body[body.index("**Case "):]
        assert "*Discuss.*" in case and "*Expected points.*" in case, topic
        assert case.split("*Discuss.*")[1].split("*Expected")[0].count("?") >= 2, topic
    assert [int(n) for n in re.findall(r"\*\*Case (\d)\.\*\*", text)] == list(range(1, 8))
    assert [name for name in re.findall(r"^### Exercise ([A-Z])", text, re.M)] == ["A", "B", "C"]
    assert "Nothing made here may be used to diagnose" in text and "What our evaluation does not show" in text


def code(exercise):
    """The program of an exercise of the ethics lesson."""
    body = re.search(rf"^### Exercise {exercise}.*?$(.*?)(?=^#)", page("ethics"), re.M | re.S)[1]
    return re.sub(r"^    ", "", re.search(r"((?:^    .*\n|^\n(?=    ))+)", body, re.M)[1], flags=re.M)


def test_exercise_a_says_what_the_rules_do(capsys):
    said = re.findall(r'"([^"]+)"', re.search(r"Two that we tried: (.+?)\. Write a rule", page("ethics"), re.S)[1])
    prompts = [" ".join(text.split()) for text in said]
    exec(code("A"), {"prompts": prompts})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["refused", "made"]


def test_exercise_b_gives_what_it_says(capsys):
    exec(code("B"), {})
    lost = dict(re.findall(r"^(\w+) +removed (\d+)%", capsys.readouterr().out, re.M))
    assert {kind: int(share) for kind, share in lost.items() if share != "0"} == {"endoscopy": 100, "microscopy": 53, "laparoscopy": 47}
    assert "endoscopy 100 %, microscopy 53 %, laparoscopy 47 %" in page("ethics")


def test_exercise_c_finds_planted_copies(capsys, tmp_path):
    """On a made-up stage of random clips: copies are found, new clips are not; and the file names are those of the stages."""
    rng = np.random.default_rng(0)

    class Data:
        frames = rng.integers(0, 255, (250, 9, 8, 8, 3)).astype(np.uint8)

        def split(self, name):
            return np.arange(50) if name == "train" else np.arange(50, 250)

    np.savez(tmp_path / "frames.npz", frames=rng.integers(0, 255, (150, 9, 8, 8, 3)).astype(np.uint8))
    program = code("C")
    assert 'kit.need(run, "sample") / "frames.npz"' in program and 'align.ClipData.load(kit.need(run, "align"))' in program
    begin = program.index("train, test =")

    class Kit:
        @staticmethod
        def need(run, stage):
            return tmp_path

    exec("import numpy as np\n" + program[begin:], {"data": Data(), "kit": Kit, "run": None})
    found = dict(re.findall(r"^(generated|planted copies) +median .+? (\d+)%", capsys.readouterr().out, re.M))
    assert int(found["planted copies"]) == 100 and int(found["generated"]) <= 20


def test_the_guide_names_commands_that_are_there():
    text = page("teacher") + page("no_gpu") + page("README")
    for tool in set(re.findall(r"course/tools/(\w+)\.py", text)) - {"exercises"}:
        assert (COURSE / "tools" / f"{tool}.py").is_file(), tool
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([\w-]+)", text)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_times_without_a_gpu_are_those_of_the_readme():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for time in ("16 min 23 s", "17 min 49 s", "18.7 minutes"):
        assert time in page("no_gpu") and time in readme
