"""Files of cases: inputs and expected outputs for every exercise. A teacher draws them from a secret seed; no student sees the file."""

import json
from pathlib import Path

from ..clip import write_text
from ..errors import KitError

KIND = "medgen-kit cases"


def draw(seed, lessons=()):
    """{name: {"lesson", "parts"}} of all exercises, or of those of some lessons ("04"), drawn from a seed (any text)."""
    from .task import PUBLIC, every

    if not str(seed) or str(seed) == PUBLIC:
        raise KitError("the cases need a seed of your own: any text that no student knows.")
    tasks = every()
    unknown = set(lessons) - {task.lesson for task in tasks.values()}
    if unknown:
        raise KitError(f"there are no exercises for lesson {', '.join(sorted(unknown))}. Lessons are 00 to 09.")
    return {name: {"lesson": task.lesson, "parts": task.parts(str(seed))} for name, task in tasks.items()
            if not lessons or task.lesson in lessons}


def write(path, exercises):
    """Write cases as JSON, whole or not at all."""
    write_text(path, json.dumps({"kind": KIND, "exercises": exercises}, indent=1) + "\n")


def read(path):
    """The exercises of a cases file; KitError that says what is wrong with it."""
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        good = found["kind"] == KIND and found["exercises"] and all(whole(one) for one in found["exercises"].values())
    except OSError as error:
        raise KitError(f"{path} can not be read ({error.strerror}). Make it with: python course/tools/exercises.py cases --seed SECRET "
                       f"--out {path.name}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KitError(f"{path} is no file of cases. Make one with: python course/tools/exercises.py cases --seed SECRET") from error
    if not good:
        raise KitError(f"{path} is not a whole file of cases: each exercise needs a lesson and parts, each case inputs and expected.")
    return found["exercises"]


def whole(exercise):
    return isinstance(exercise["lesson"], str) and bool(exercise["parts"]) and all(
        isinstance(part["what"], str) and part["cases"] and all({"inputs", "expected"} <= set(case) for case in part["cases"])
        for part in exercise["parts"])
