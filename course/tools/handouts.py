"""`make handouts`: sheets to print for the games of the lessons, with the clips of a finished run, and a key for the teacher.

    python course/tools/handouts.py 02 06 --run cpu --seed 3

Each lesson gets NN.sheet.html for students and NN.key.html. Pictures lie inside the pages.
The seed shuffles; the same seed gives the same pages.
"""

import argparse
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import handout_clips, handout_court, handout_page, handout_tables                      # noqa: E402
from course.tools.handout_page import escape                              # noqa: E402
from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402
from medgen_kit.run import Run, runs_root                                 # noqa: E402

OUT = ROOT / "build" / "handouts"


@dataclass(frozen=True)
class Lesson:
    """games: function of (run, seed) that gives the games. needs: stages that it reads. plan: the lesson's plan in course/.

    beside: {name of a further file for students: function that writes it to a path}.
    """

    games: object
    needs: tuple
    plan: str
    beside: dict = field(default_factory=dict)


LESSONS = {
    "00": Lesson(handout_clips.lesson_00, ("taste",), "lessons/00_start_here.md"),
    "01": Lesson(handout_clips.lesson_01, ("sources",), "lessons/01_explore.md"),
    "02": Lesson(handout_court.lesson_02, ("raw", "curate"), "lessons/02_curate.md"),
    "03": Lesson(handout_clips.lesson_03, ("caption",), "lessons/03_caption.md"),
    "04": Lesson(handout_clips.lesson_04, ("caption",), "lessons/04_align.md"),
    "05": Lesson(handout_tables.lesson_05, ("align", "generate"), "lessons/05_train.md"),
    "06": Lesson(handout_tables.lesson_06, ("sample",), "lessons/06_sample.md"),
    "07": Lesson(handout_tables.lesson_07, ("sample", "evaluate"), "lessons/07_evaluate.md"),
    "09": Lesson(handout_tables.lesson_09, (), "lessons/09_reproduce_the_paper.md",
                 {"09.table2.csv": handout_tables.spreadsheet}),
    "ethics": Lesson(handout_tables.ethics, (), "ethics.md"),
}


def title_of(plan):
    """The heading of a plan, without its '# '."""
    return re.match(r"# (.+)", (ROOT / "course" / plan).read_text(encoding="utf-8"))[1]


def chosen(names):
    """The lessons asked for, all when none is named. KitError for one that has no handout."""
    if wrong := [name for name in names if name not in LESSONS]:
        raise KitError(f"there is no handout for '{wrong[0]}'. Lessons: {', '.join(LESSONS)}.")
    return [name for name in LESSONS if not names or name in names]


def opened(name, lessons):
    """The Run whose stages the lessons read; None when they read none. KitError that names what is not there, and the command for it."""
    wanted = list(dict.fromkeys(stage for lesson in lessons for stage in LESSONS[lesson].needs))
    if not wanted:
        return None
    run = Run(runs_root() / name, None)
    missing = [stage for stage in wanted if stage not in run.stages()]
    if missing:
        without = [lesson for lesson in LESSONS if not set(LESSONS[lesson].needs) & set(missing)]
        facts = next((run.manifest(stage) for stage in run.stages()), {"profile": "cpu", "seed": 0})
        profile, seed = facts["profile"], facts["seed"]
        raise KitError(f"run '{name}' in {runs_root()} has no stage {', '.join(missing)}. Make all: make course NAME={shlex.quote(name)} "
                       f"PROFILE={shlex.quote(profile)} SEED={seed}; or one: .venv/bin/medgen-kit need {missing[-1]} --run "
                       f"{shlex.quote(name)} --profile {shlex.quote(profile)} --seed {seed}. Without it, these can be made: "
                       f"{' '.join(without)}.")
    return run


def made_from(run, needs, seed):
    """What the pages of a lesson were made from, for the key."""
    if not needs:
        return "Made from the course's own files."
    facts = run.manifest(needs[-1])
    return (f"Made from run '{run.root.name}' (profile {facts['profile']}, seed {facts['seed']}, version {facts['version']}); the order "
            f"follows from --seed {seed}.")


def write(out, names, run, seed=0):
    """Write sheet and key of the lessons, what lies beside them and index.html into `out`; returns {lesson: [names of its handouts]}."""
    out, made, rows = Path(out), {}, []
    for name in names:
        lesson, title = LESSONS[name], title_of(LESSONS[name].plan)
        games = lesson.games(run, seed)
        write_text(out / f"{name}.sheet.html", handout_page.sheet(title, games, seed))
        write_text(out / f"{name}.key.html", handout_page.key(title, games, seed, made_from(run, lesson.needs, seed)))
        for file, spread in lesson.beside.items():
            spread(out / file)
        names_of_games = [game.name for game in games]
        made[name] = [*names_of_games, *lesson.beside]
        rows.append((name, title, names_of_games))
    write_text(out / "index.html", index(rows, seed))
    return made


def index(rows, seed):
    """The page that lists the handouts."""
    items = ""
    for name, title, games in rows:
        more = "".join(f', <a href="{file}">{file}</a>' for file in LESSONS[name].beside)
        items += (f'<tr><td>{escape(title)}</td><td>{escape(", ".join(games))}</td><td><a href="{name}.sheet.html">sheet</a>{more}</td>'
                  f'<td><a href="{name}.key.html">key</a></td></tr>')
    about = ("Print the sheets on A4, in colour or grey; every game begins a page. The keys are for the teacher. Another "
             "<code>--seed</code> gives another order and, where there are more clips, other clips.")
    heads = "".join(f"<th scope='col'>{name}</th>" for name in ("lesson", "games", "for students", "for the teacher"))
    return handout_page.page("Handouts", f"<h1>Handouts, form {seed}</h1><p>{about}</p><table><thead><tr>{heads}</tr></thead>"
                                         f"<tbody>{items}</tbody></table>")


def main(arguments=None):
    """The command line; the exit code is 0, or 1 when the pages could not be made."""
    parser = argparse.ArgumentParser(description="Sheets to print for the games of the lessons, and their keys.")
    parser.add_argument("lessons", nargs="*", help=f"lessons, for example 02 06; none: all ({' '.join(LESSONS)})")
    parser.add_argument("--run", default="cpu", help="the run whose clips are shown (default: cpu)")
    parser.add_argument("--seed", type=int, default=0, help="shuffles; another number is another form (default: 0)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the pages (default: build/handouts)")
    given = parser.parse_args(arguments)
    try:
        names = chosen(given.lessons)
        made = write(given.out, names, opened(given.run, names), given.seed)
    except KitError as error:
        print(error, flush=True)
        return 1
    print(f"{sum(map(len, made.values()))} handouts for {len(made)} lessons, each with its key: {given.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
