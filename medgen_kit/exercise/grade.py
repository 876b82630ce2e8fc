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
PACKED = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
SECONDS, CELL_SECONDS, EXERCISE_SECONDS, MEMORY_GIB = 60.0, 20.0, 10.0, 2.0


def grade(submissions, cases, out, seconds=SECONDS, memory_gib=MEMORY_GIB, workers=2, trust=False, say=None):
    """Grade every student and write the CSV (student, exercise, points, of, reason), again after each of them; returns its rows.

    submissions: folder of student.ipynb, or of student/NN_ex.ipynb. cases: file that `course/tools/exercises.py cases` wrote; its
    exercises are graded. seconds, memory_gib: limits of one notebook. trust: without the sandbox, see sandbox.run. say: called with
    one line for each student. KitError when there is nothing to grade, or when submissions can not be shut in.

    The code cells run in order as one script: magics do nothing, pictures are not shown, a cell tagged `colab` is not run, and a cell that
    fails does not stop the next. Then the answers get the inputs of the cases. A notebook that loses something to the clock or to the
    machine's memory while a neighbour may have taken both runs once more, alone, after all others; the better result counts.
    """
    exercises, say = case_files.read(cases), say or (lambda line: None)
    students, left_out = looked_through(submissions)
    if not trust:
        sandbox.refuse_if_open()
    for name in left_out:
        say(f"left out: {harmless(name)} (no notebook and no folder)")
    jobs = {student: jobs_of(path, exercises, read=trust) for student, path in students.items()}     # no walls: files may be changed
    table, known, limits = Table(out, students, exercises, say), every(), {"seconds": seconds, "memory_gib": memory_gib, "trust": trust}
    for student, job in in_pool(jobs, table, known, limits, max(1, workers)):
        table.add(student, [of_notebook(*job, known, limits)[0]], " (again, alone)")
    return table.rows()


def in_pool(jobs, table, known, limits, workers):
    """Run {student: jobs}, some at a time, into the table; returns [(student, job)] that may have lost something to others."""
    again = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            runs = {student: [pool.submit(of_notebook, *job, known, limits) for job in mine] for student, mine in jobs.items()}
            for student, mine in jobs.items():
                found = [run.result() for run in runs[student]]
                late = [job for job, (_, late) in zip(mine, found) if late]
                again += [(student, job) for job in late]
                table.add(student, [part for part, _ in found], ", runs again alone at the end" * bool(late))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)          # who breaks off does not wait for the rest of the class
    return again


class Table:
    """The rows of those who are graded so far; the file is written anew after each, so that a broken run leaves what there is."""

    def __init__(self, out, students, exercises, say):
        self.out, self.names, self.exercises, self.say, self.verdicts = out, labels(students), list(exercises), say, {}

    def add(self, student, parts, note=""):
        """Take in verdicts {exercise: (points, of, reason)} of one student; of two for one exercise the better one stays."""
        mine = self.verdicts.setdefault(student, {})
        for part in parts:
            mine |= {name: new for name, new in part.items() if name not in mine or new[0] >= mine[name][0]}
        self.say(f"{self.names[student]}: {sum(one[0] for one in mine.values())} of {sum(one[1] for one in mine.values())}{note}")
        shown = [row | {"student": self.names[row["student"]], "reason": harmless(row["reason"])} for row in self.rows()]
        write_csv(self.out, shown, COLUMNS)

    def rows(self):
        return [dict(zip(COLUMNS, (student, name, *found[name]))) for student, found in self.verdicts.items() for name in self.exercises]


def looked_through(folder):
    """({student: path of a notebook or of a folder of them}, names of files that are nobody's).

    Links and archives are a student's too, and cost the points; hidden files are nobody's. A folder that holds nothing but NN_ex.ipynb is
    one student's. KitError for no student or for twins.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder} is no folder. Give the folder that holds student.ipynb, or a folder for each student.")
    seen = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if seen and all(re.fullmatch(r"\d\d_ex\.ipynb", path.name, re.I) for path in seen):
        return {folder.resolve().name: folder}, []
    students, left_out, packed = {}, [], {}
    for path in seen:
        is_folder = stat.S_ISDIR(path.lstat().st_mode)
        name = path.name if is_folder or not is_notebook(path) else path.stem
        if is_packed(path) and not is_folder:
            packed[path.stem] = path
        elif not (is_folder or is_notebook(path) or path.is_symlink()):
            left_out.append(path.name)
        elif name in students:
            raise KitError(f"{folder} holds both {students[name].name} and {path.name} of {name}. Put the notebook into the folder.")
        else:
            students[name] = path
    left_out += [path.name for name, path in packed.items() if name in students]
    students |= {name: path for name, path in packed.items() if name not in students}
    if not students:
        raise KitError(f"{folder} holds no notebook and no folder. Expected: student.ipynb, or student/04_ex.ipynb.")
    return {name: students[name] for name in sorted(students)}, left_out


def is_notebook(path):
    return path.suffix.lower() == ".ipynb"


def is_packed(path):
    return path.suffix.lower() in PACKED


def labels(students):
    """{student: name in the table}: harmless, and no two the same."""
    found = {}
    for student in students:
        name, number = harmless(student, 80) or "no name", 1
        while (label := name if number == 1 else f"{name} ({number})") in found.values():
            number += 1
        found[student] = label
    return found


def jobs_of(path, exercises, read):
    """[(path, lesson or "", {name: exercise}, cells)] of one student. read: the cells are read now; else they are None, for later."""
    wanted = {}
    for name, exercise in exercises.items():
        wanted.setdefault("" if is_notebook(path) else exercise["lesson"], {})[name] = exercise
    return [(path, lesson, part, cells_of(path, lesson) if read else None) for lesson, part in wanted.items()]


def cells_of(path, lesson):
    """Sources of the code cells of a student's notebook for a lesson ("": of the only one), or the Unusable that says why not."""
    try:
        return code_of(notebook_of(path, lesson) if lesson else path)
    except Unusable as unusable:
        return unusable
    except OSError as error:
        return Unusable(f"{path.name} can not be read ({error.strerror}).")


def of_notebook(path, lesson, exercises, cells, known, limits):
    """({exercise: (points, of, reason)}, may others be to blame for what was lost); what is wrong with it is each exercise's reason."""
    cells = cells_of(path, lesson) if cells is None else cells
    if isinstance(cells, Unusable):
        return nothing(exercises, str(cells)), False
    job = {"cells": cells, "cell_seconds": CELL_SECONDS, "seconds": EXERCISE_SECONDS,
           "exercises": {name: [case["inputs"] for part in one["parts"] for case in part["cases"]] for name, one in exercises.items()}}
    try:
        outcome = sandbox.run(job, **limits)
    except KitError as error:
        return nothing(exercises, f"It was not run: {error}"), False
    except Exception as error:                                      # the grader's own; the rest of the class is graded all the same
        return nothing(exercises, f"The grader failed here ({type(error).__name__}: {error}); this says nothing about the answer."), False
    told, errors, whole, late = answers(outcome)
    errors = {beginning(cells, number): said for number, said in errors.items()}
    ended = outcome.ended or ("" if whole else "it ends its own process (os._exit, or a crash)")
    found = {name: points(one, told.get(name), known.get(name), name, errors, ended) for name, one in exercises.items()}
    lost = any(mine < of for mine, of, _ in found.values())
    return found, lost and (late or bool(outcome.ended) and outcome.starved)


def beginning(cells, number):
    """How a reason names a cell: by its first line, since no notebook shows the number of its code cells."""
    lines = [line.strip() for line in (cells[number - 1] if 0 < number <= len(cells) else "").splitlines() if line.strip()]
    return f"the cell that begins `{lines[0][:50]}`" if lines else f"cell {number}"


def nothing(exercises, reason):
    return {name: (0, len(one["parts"]), reason) for name, one in exercises.items()}


class Unusable(Exception):
    """A notebook that can not be run; the text is the reason for the table."""


def notebook_of(folder, lesson):
    """The one notebook of a lesson in a student's folder."""
    if folder.is_symlink():
        raise Unusable(f"{folder.name} is a link. Hand in the folder itself.")
    if not folder.is_dir():
        raise Unusable(f"{folder.name} is an archive. Unpack it, and grade again." if is_packed(folder) else f"{folder.name} is no folder.")
    found = [path for path in sorted(folder.iterdir()) if path.name.startswith(lesson) and is_notebook(path)]
    exact = [path for path in found if path.name.lower() == f"{lesson}_ex.ipynb"]
    if not found:
        others = ", ".join(path.name for path in sorted(folder.iterdir())[:6] if not path.name.startswith("."))
        raise Unusable(f"No notebook {lesson}_ex.ipynb was handed in." + f" The folder holds: {others}." * bool(others))
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
    """({exercise: outputs}, {cell: error}, came to its end, stopped while starved) from what the worker wrote."""
    told, errors, whole, late = {}, {}, False, False
    for line in outcome.wrote.split(b"\n"):
        try:
            row = json.loads(line)
            whole, late = whole or row.get("end") is True, late or row.get("late") is True
            if "cells" in row:
                errors = errors or {int(number): str(error) for number, error in row["cells"].items()}
            elif isinstance(row.get("exercise"), str):
                told.setdefault(row["exercise"], row["outputs"])
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            continue
    return told, errors, whole, late


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
    said = "; ".join(f"{cell}: {error}" for cell, error in list(errors.items())[:2])
    return f"`{name}` is not there after all cells ran" + (f" ({said})." if said else ".")


def harmless(text, limit=400):
    """One line of any text that every file can hold and that no spreadsheet takes for a formula; a plain number stays as it is."""
    text = text.encode("utf-8", "replace").decode()
    text = " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", text).split())
    text = text if len(text) <= limit else text[:limit - 4] + " ..."
    return f"'{text}" if text[:1] in tuple("=+-@") and not re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", text) else text
