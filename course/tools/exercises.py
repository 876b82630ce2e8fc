"""Exercises from their solutions: stubs, answer keys, hidden cases. The truth is course/solutions/NN_ex.ipynb.

    python course/tools/exercises.py                                       stubs into course/exercises, keys into course/answers
    python course/tools/exercises.py --check                               only say what is stale
    python course/tools/exercises.py run 04                                run solutions again and store their outputs (all, or some)
    python course/tools/exercises.py cases 04 05 --seed SECRET --out cases.json    cases for `medgen-kit grade`, of some lessons or all
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402

COURSE = ROOT / "course"
SOLUTIONS, STUBS, ANSWERS = COURSE / "solutions", COURSE / "exercises", COURSE / "answers"
SOLUTION = re.compile(r"^([ ]*)# BEGIN SOLUTION\n(.*?)^[ ]*# END SOLUTION$", re.S | re.M)
CHECK = re.compile(r'kit\.check\("(\w+)", (\w+)\)')
YOURS = "*Your answer:* ..."


def notebooks(folder=SOLUTIONS):
    """Paths of NN_ex.ipynb in order; KitError for none."""
    found = sorted(Path(folder).glob("[0-9][0-9]_ex.ipynb"))
    if not found:
        raise KitError(f"{folder} holds no NN_ex.ipynb.")
    return found


def read(path):
    import nbformat

    return nbformat.read(path, 4)


def blank(source, where="a cell"):
    """Code with each solution replaced by three dots; a value keeps its name, so that the next cell runs. KitError for none."""
    def dots(found):
        indent, body = found[1], found[2]
        value = re.search(r"^(\w+) = ", body.strip().splitlines()[-1]) if not indent else None
        return f"{indent}{value[1]} = ..." if value else f"{indent}..."

    bare, count = SOLUTION.subn(dots, source)
    if not count or "SOLUTION" in bare:
        raise KitError(f"{where} is tagged `exercise` and needs '# BEGIN SOLUTION' and '# END SOLUTION' around the answer.")
    return bare


def stub(path):
    """The text of the stub made from a solution notebook: answers blanked, outputs dropped, open answers left to the learner."""
    import nbformat

    nb = read(path)
    for number, cell in enumerate(nb.cells, 1):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "exercise" in tags:
            cell.source = blank(cell.source, f"{path.name}, cell {number}")
        elif "SOLUTION" in cell.source:
            raise KitError(f"{path.name}, cell {number} holds a solution and is not tagged `exercise`.")
        if "answer" in tags:
            cell.source = YOURS
    return nbformat.writes(nb) + "\n"


def key(path):
    """The answer key of one notebook as Markdown: each solution, the common wrong answers that the check names, the open question."""
    from medgen_kit.exercise.task import every

    cells, tasks, title = read(path).cells, every(), ""
    number = path.stem[:2]
    lines = [f"# Answers {number}", "",
             f"For teachers. Made from [{path.name}](../solutions/{path.name}) by `make exercises`; change the solution or "
             f"`medgen_kit/exercise/answers/lesson_{number}.py`, never this page. The *common wrong answers* of a checked exercise are "
             "those that `kit.check` and the grader say when they meet one."]
    for before, cell in zip([None, *cells], cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            title = cell.source.splitlines()[0]
        if "exercise" in tags:
            body = "\n".join(line for line in cell.source.splitlines() if "SOLUTION" not in line)
            lines += ["", title, "", "```python", body, "```"]
        elif found := CHECK.search(cell.source):
            task = tasks[found[1]]
            points = [part["what"] for part in task.parts()]
            lines += ["", f"`{task.name}`, {len(points)} point{'s' * (len(points) > 1)}: " + "; then ".join(points) + ".", "",
                      "Common wrong answers:", "", *(f"- {wrong}." for wrong in dict.fromkeys(one.why for one in task.wrong))]
        elif "answer" in tags:
            lines += ["", title, "", before.source.split("\n\n", 1)[1], "", cell.source]
    return "\n".join(lines) + "\n"


def made():
    """{path: text} of everything that is made from the solutions."""
    return {STUBS / path.name: stub(path) for path in notebooks()} | {ANSWERS / f"{path.stem}.md": key(path) for path in notebooks()}


def stale():
    """Paths whose text is not what the solutions give now, and files that have no solution."""
    wanted = made()
    extra = [path for folder, kind in ((STUBS, "*.ipynb"), (ANSWERS, "*.md")) for path in folder.glob(kind) if path not in wanted]
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text] + extra


def run(names=()):
    """Run solutions (all, or those that begin with one of `names`) and store them with their outputs, cleaned."""
    from course.tools import refresh

    for path in notebooks():
        if not names or path.name.startswith(tuple(names)):
            refresh.store(refresh.run_and_clean(path, {}, lambda line: None), path)
            print(f"{path.name}: stored, {path.stat().st_size / 1000:.0f} KB")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; the exit code is 1 when something is stale")
    commands = parser.add_subparsers(dest="command")
    again = commands.add_parser("run", help="run solutions and store their outputs")
    again.add_argument("lessons", nargs="*", help="numbers, for example 04; none: all")
    cases = commands.add_parser("cases", help="write hidden cases for the grader")
    cases.add_argument("lessons", nargs="*", help="numbers, for example 04 05; none: all")
    cases.add_argument("--seed", required=True, help="any text that no student knows; the same text gives the same cases")
    cases.add_argument("--out", default="cases.json")
    given = parser.parse_args(arguments)
    try:
        if given.command == "run":
            run(given.lessons)
        elif given.command == "cases":
            from medgen_kit.exercise import cases as files

            drawn = files.draw(given.seed, given.lessons)
            files.write(given.out, drawn)
            print(f"{len(drawn)} exercises in {given.out}. Keep it, and the seed, from the students.")
        else:
            old = stale()
            wanted = {} if given.check else made()
            for path in old:
                print(f"{'stale' if given.check else 'removed' if path not in wanted else 'written'}: {path.relative_to(ROOT)}")
                if path in wanted:
                    write_text(path, wanted[path])
                elif not given.check:
                    path.unlink()
            return int(given.check and bool(old))
    except KitError as error:
        sys.exit(f"exercises: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
