"""What a teacher reads beside the table of points: a total for each student, files that nobody looked at, answers with the same code."""

import ast
import contextlib
from collections import defaultdict

from ..clip import write_csv
from .grade import Unusable, harmless, jobs_of, labels, looked_through, notebook_of

COLUMNS = ("student", "points", "of", "share_percent", "same_code_as", "not_looked_at")
SOLUTIONS = "the solutions"


def summary(submissions, rows, exercises, solutions=None):
    """A row for each student (COLUMNS), in the order of `rows`.

    rows: of `grade.grade`. exercises: {name: {"lesson", ...}} of the cases. solutions: a folder of NN_ex.ipynb to compare with, or None.
    same_code_as: who handed in the same code for every exercise of a lesson, names of variables included, comments and spaces aside. A
    hint to ask about, no proof: short answers can be equal by themselves. not_looked_at: what else lies in the student's folder.
    """
    students = looked_through(submissions)[0]
    names, found = labels(students), {}
    for row in rows:
        one = found.setdefault(row["student"], {"student": names[row["student"]], "points": 0, "of": 0})
        one["points"] += row["points"]
        one["of"] += row["of"]
    twins = alike(codes(students, exercises), codes({SOLUTIONS: solutions}, exercises) if solutions else {})
    for student, one in found.items():
        others = {lesson: [names.get(other, other) for other in told] for lesson, told in twins.get(student, {}).items()}
        one["share_percent"] = round(100 * one["points"] / one["of"], 1) if one["of"] else 0
        one["same_code_as"] = "; ".join(f"lesson {lesson}: {', '.join(told)}" for lesson, told in sorted(others.items()))
        one["not_looked_at"] = ", ".join(harmless(name, 60) for name in ignored(students[student], exercises))
    return list(found.values())


def write(path, rows):
    """Write the rows of `summary` as CSV."""
    write_csv(path, rows, COLUMNS)


def codes(students, exercises):
    """{student: {lesson: code of all its exercises, in one form}}; a lesson that is not answered whole is left out."""
    found = {student: defaultdict(dict) for student in students}
    for student, path in students.items():
        for _, _, part, cells in jobs_of(path, exercises, read=True):
            written = {} if isinstance(cells, Unusable) else definitions(cells)
            for name, one in part.items():
                found[student][one["lesson"]][name] = written.get(name)
    return {student: {lesson: tuple(code.values()) for lesson, code in lessons.items() if None not in code.values()}
            for student, lessons in found.items()}


def definitions(cells):
    """{name: its code, parsed and written again} of the functions and values that are defined at the top of cells, the last of each."""
    found = {}
    for cell in cells:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):           # a stranger's text of any kind
            for node in ast.parse(cell).body:
                names = [node.name] if isinstance(node, ast.FunctionDef) else [
                    target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
                if names and "Ellipsis" not in (code := without_words(node)):
                    found |= dict.fromkeys(names, code)
    return found


def without_words(node):
    """The code of a node without its docstring, as text that spaces and comments do not change."""
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    return ast.dump(node)


def alike(students, others):
    """{student: {lesson: [who has the same code]}}."""
    groups = defaultdict(list)
    for who, lessons in [*students.items(), *others.items()]:
        for lesson, code in lessons.items():
            groups[lesson, code].append(who)
    found = defaultdict(dict)
    for (lesson, _), people in groups.items():
        for who in people if len(people) > 1 else ():
            found[who][lesson] = [other for other in people if other != who]
    return found


def ignored(path, exercises):
    """Names of what lies in a student's folder and was not graded."""
    if path.is_symlink() or not path.is_dir():
        return []
    used = set()
    for other, lesson, _, _ in jobs_of(path, exercises, read=False):
        with contextlib.suppress(Unusable, OSError):
            used.add(notebook_of(other, lesson).name)
    return [one.name for one in sorted(path.iterdir()) if one.name not in used and not one.name.startswith(".")]
