"""Made-up submissions for the tests of the grader, and the right answers of lesson 06."""

import nbformat

from medgen_kit.exercise import cases, grade

GUIDED = """
def guided(v_empty, v_prompt, guidance_scale):
    return v_empty + guidance_scale * (v_prompt - v_empty)
"""
EULER = """
def euler(velocity, x, levels):
    for s, following in zip(levels, levels[1:]):
        x = x + (following - s) * velocity(x, s)
    return x
"""
CALLS = "network_calls = 960"


def notebook(path, *cells, tags=()):
    """Write a notebook of code cells; tags: of the first one."""
    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    if tags:
        nb.cells[0].metadata["tags"] = list(tags)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)


def secret(place, *names):
    """A file of hidden cases of lesson 06, or of some of its exercises."""
    drawn = cases.draw("hidden", ["06"])
    cases.write(place / "cases.json", {name: drawn[name] for name in names or drawn})
    return place / "cases.json"


def graded(place, students, *names, **given):
    """{student: {exercise: (points, reason)}} of {student: cells}."""
    for student, cells in students.items():
        notebook(place / "in" / f"{student}.ipynb", *cells)
    found = {}
    for row in grade.grade(place / "in", secret(place, *names), place / "out.csv", **given):
        found.setdefault(row["student"], {})[row["exercise"]] = row["points"], row["reason"]
    return found
