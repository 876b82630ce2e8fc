"""Grades a folder of notebooks: each runs in a sandbox on inputs alone, and its outputs are compared here, where the expected ones are."""

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..clip import write_csv
from ..errors import KitError
from . import cases as case_files, sandbox
from .check import by_part
from .task import every
from .verdict import judge

COLUMNS = ("student", "exercise", "points", "of", "reason")
LARGEST = 30_000_000                    # bytes of a notebook
SECONDS, CELL_SECONDS, EXERCISE_SECONDS, MEMORY_GIB = 60.0, 20.0, 10.0, 2.0


def grade(submissions, cases, out, seconds=SECONDS, memory_gib=MEMORY_GIB, workers=2, trust=False, say=None):
    """Grade every student and write the CSV (student, exercise, points, of, reason); returns its rows.

    submissions: folder of student.ipynb, or of student/NN_ex.ipynb. cases: file that `course/tools/exercises.py cases` wrote; its
    exercises are graded. seconds, memory_gib: limits of one notebook. trust: without the sandbox, see sandbox.run. say: called with
    one line for each student. KitError when there is nothing to grade, or when submissions can not be shut in.

    The code cells run in order as one script: magics are left out, pictures are off, a cell tagged `colab` is not run, and a cell that
    fails does not stop the next. Then the answers get the inputs of the cases.
    """
    exercises = case_files.read(cases)
    students = students_in(submissions)
    if not trust:
        sandbox.refuse_if_open()
    known, limits = every(), {"seconds": seconds, "memory_gib": memory_gib, "trust": trust}
    rows = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for student, found in zip(students, pool.map(lambda item: of_student(item, exercises, known, limits), students.items())):
            rows += found
            if say:
                say(f"{student}: {sum(row['points'] for row in found)} of {sum(row['of'] for row in found)}")
    write_csv(out, [row | {name: harmless(row[name]) for name in ("student", "reason")} for row in rows], COLUMNS)
    return rows


def students_in(folder):
    """{student: path of a notebook or of a folder of them} by name; links and hidden files are left out. KitError for none or for twins.

    A folder that holds nothing but NN_ex.ipynb is one student's.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder} is no folder. Give the folder that holds student.ipynb, or a folder for each student.")
    seen = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if seen and all(re.fullmatch(r"\d\d_ex\.ipynb", path.name) for path in seen):
        return {folder.resolve().name: folder}
    students = {}
    for path in seen:
        mode = path.lstat().st_mode
        is_notebook = path.suffix == ".ipynb" and not stat.S_ISDIR(mode)
        if not (is_notebook or stat.S_ISDIR(mode)):
            continue
        name = path.stem if is_notebook else path.name
        if name in students:
            raise KitError(f"{folder} holds both {name}.ipynb and the folder {name}. Put the notebook into the folder.")
        students[name] = path
    if not students:
        raise KitError(f"{folder} holds no notebook and no folder. Expected: student.ipynb, or student/04_ex.ipynb.")
    return students


def of_student(item, exercises, known, limits):
    """The rows of one student, in the order of the cases file."""
    student, path = item
    wanted = {}
    for name, exercise in exercises.items():
        wanted.setdefault(exercise["lesson"] if path.suffix != ".ipynb" else "", {})[name] = exercise
    verdicts = {}
    for lesson, part in wanted.items():
        verdicts |= of_notebook(path, lesson, part, known, limits)
    return [{"student": student, "exercise": name, **dict(zip(("points", "of", "reason"), verdicts[name]))} for name in exercises]


def of_notebook(path, lesson, exercises, known, limits):
    """{exercise: (points, of, reason)} from one notebook; whatever is wrong with it becomes the reason of each exercise."""
    try:
        notebook = path if not lesson else notebook_of(path, lesson)
        cells = code_of(notebook)
        job = {"cells": cells, "cell_seconds": CELL_SECONDS, "seconds": EXERCISE_SECONDS,
               "exercises": {name: [case["inputs"] for part in one["parts"] for case in part["cases"]] for name, one in exercises.items()}}
        outcome = sandbox.run(job, **limits)
        told, errors, whole = answers(outcome)
        ended = outcome.ended or ("" if whole else "it ends its own process (os._exit, or a crash)")
    except Unusable as error:
        return {name: (0, len(one["parts"]), str(error)) for name, one in exercises.items()}
    return {name: points(one, told.get(name), known.get(name), name, errors, ended) for name, one in exercises.items()}


class Unusable(Exception):
    """A notebook that can not be run; the text is the reason for the table."""


def notebook_of(folder, lesson):
    """The one notebook of a lesson in a student's folder."""
    found = [path for path in sorted(folder.glob(f"{lesson}*.ipynb")) if not path.name.startswith(".")]
    exact = [path for path in found if path.name == f"{lesson}_ex.ipynb"]
    if not found:
        raise Unusable(f"No notebook {lesson}_ex.ipynb was handed in.")
    if len(exact or found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise Unusable(f"Two notebooks for lesson {lesson}: {names}. Name the right one {lesson}_ex.ipynb.")
    return (exact or found)[0]


def code_of(path):
    """Sources of a notebook's code cells, but for those tagged `colab`."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise Unusable(f"{path.name} is a link or no file.")
        if about.st_size > LARGEST:
            raise Unusable(f"{path.name} is larger than {LARGEST // 1_000_000} MB. Clear its outputs and hand it in again.")
        import nbformat

        nb = nbformat.reads(path.read_text(encoding="utf-8"), 4)
        return [str(cell.source) for cell in nb.cells if cell.cell_type == "code" and "colab" not in cell.metadata.get("tags", [])]
    except Unusable:
        raise
    except Exception as error:                                     # a file of any content, and a parser that was not made for it
        raise Unusable(f"{path.name} is not a notebook that can be read ({type(error).__name__}).") from error


def answers(outcome):
    """({exercise: outputs}, {cell: error}, came to its end) from what the worker wrote; lines that it would not write are left out."""
    told, errors, whole = {}, {}, False
    for line in outcome.wrote.split(b"\n"):
        try:
            row = json.loads(line)
            whole = whole or row.get("end") is True
            if "cells" in row:
                errors = errors or {int(number): str(error) for number, error in row["cells"].items()}
            elif isinstance(row.get("exercise"), str):
                told.setdefault(row["exercise"], row["outputs"])
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            continue
    return told, errors, whole


def points(exercise, found, task, name, errors, ended):
    """(points, of, reason) of one exercise."""
    parts = exercise["parts"]
    count = sum(len(part["cases"]) for part in parts)
    if found is None:
        return 0, len(parts), missing(name, errors, ended)
    try:
        if len(found) != count or not all(isinstance(one, dict) and isinstance(one.get("error", ""), str) and one for one in found):
            raise ValueError("not what the worker writes")
        verdict = judge(parts, by_part(parts, found), task)
        return verdict.points, verdict.of, verdict.reason
    except Exception:                                               # the notebook wrote something else to the channel
        return 0, len(parts), f"The answers of `{name}` are not in the form that the grader reads."


def missing(name, errors, ended):
    """Why there is no answer: the run was ended, or the name was never defined."""
    if ended:
        return f"There is no answer of `{name}`: {ended}."
    first = next(iter(errors.items()), None)
    return f"`{name}` is not there after all cells ran" + (f" (cell {first[0]}: {first[1]})." if first else ".")


def harmless(text, limit=400):
    """One line that no spreadsheet takes for a formula."""
    text = " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", text).split())
    text = text if len(text) <= limit else text[:limit - 4] + " ..."
    return f"'{text}" if text[:1] in "=+-@" and text else text
