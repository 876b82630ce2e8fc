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

    Example: medgen-kit grade submissions --cases cases.json --out grades.csv
    """
    from .grade import grade as run

    rows = run(submissions_dir, cases, out, seconds, memory, workers, trust, typer.echo)
    students = len({row["student"] for row in rows})
    typer.echo(f"{students} students, {len(rows)} rows in {out}.")
