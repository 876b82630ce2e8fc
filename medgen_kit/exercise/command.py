"""The command `medgen-kit grade`: a thin call of `grade.grade`."""

import typer

from .sandbox import TRUST


def grade(submissions_dir: str = typer.Argument(help="Folder of student.ipynb, or of student/04_ex.ipynb."),
          cases: str = typer.Option(..., help="File of cases: python course/tools/exercises.py cases --seed SECRET --out cases.json"),
          out: str = typer.Option("grades.csv", help="CSV to write: student, exercise, points, of, reason."),
          seconds: float = typer.Option(60, min=1, help="For one notebook, all of it, of the clock and of computing."),
          memory: float = typer.Option(2, min=0.25, help="GiB for one notebook."),
          workers: int = typer.Option(2, min=1, help="Notebooks at a time."),
          trust: bool = typer.Option(False, "--trust", help=f"Run submissions without walls. {TRUST}")):
    """Grade notebooks with hidden cases, each shut in: own files, no network, limits of time and memory (exercise.grade).

    Beside OUT a file of totals: points, whose code is the same, and which files were not looked at (exercise.summary).

    Example: medgen-kit grade submissions --cases cases.json --out grades.csv
    """
    from pathlib import Path

    from ..run import REPOSITORY
    from . import cases as case_files, summary
    from .grade import grade as run

    rows = run(submissions_dir, cases, out, seconds, memory, workers, trust, typer.echo)
    solutions, totals = REPOSITORY / "course" / "solutions", Path(out).with_suffix(".totals.csv")
    found = summary.summary(submissions_dir, rows, case_files.read(cases), solutions if solutions.is_dir() else None)
    summary.write(totals, found)
    for one in found:
        for what, words in (("same_code_as", "same code as"), ("not_looked_at", "not looked at")):
            if one[what]:
                typer.echo(f"{one['student']}: {words} {one[what]}")
    typer.echo(f"{len(found)} students, {len(rows)} rows in {out}; a total for each in {totals}.")
