"""`kit.check`: says how far an answer is right and why not further; never raises, and lets an unsolved notebook run on."""

import difflib

SECONDS = 10.0                          # for all calls of one check


def check(name, answer=..., seconds=SECONDS):
    """Print "name: points/of" and a reason that teaches; return the answer when it is right, else the reference.

    answer: the function or value that the exercise asks for. Whatever it is or does, nothing is raised. seconds: for all calls together.
    So `use = kit.check("window", window)` lets the next cell run before the exercise is solved.
    """
    try:
        from .task import every
        tasks = every()
    except ImportError:                                             # the answers are hidden while a submission is graded
        print(f"{name}: not checked here; the grader does it afterwards")
        return answer
    if type(name) is not str or name not in tasks:
        near = difflib.get_close_matches(name, tasks, 3, 0.4) if type(name) is str else []
        said = f"named {name!r}" if type(name) is str else "with this name: a name is a text"
        print(f"There is no exercise {said}. There are: {', '.join(near or tasks)}.")
        return answer
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        print(f"{name}: seconds must be a number above 0, so it was taken as {SECONDS:g}.")
        seconds = SECONDS
    try:
        found = marked(tasks[name], answer, seconds)
        print(f"{name}: {found.points}/{found.of}" + f"  {found.reason} (What follows uses the reference.)" * bool(found.reason))
        return answer if found.points == found.of else tasks[name].solve
    except Exception as error:                                      # an answer may be an object that does anything when it is looked at
        print(f"{name}: 0/{len(tasks[name].parts())}  this answer can not be looked at ({type(error).__name__}).")
        return tasks[name].solve


def marked(task, answer, seconds=SECONDS):
    """The Verdict on an answer by the public cases."""
    from .trial import outputs
    from .verdict import judge

    parts = task.parts()
    found = outputs(answer, [case["inputs"] for part in parts for case in part["cases"]], seconds)
    return judge(parts, by_part(parts, found), task)


def by_part(parts, flat):
    """A flat list of outputs cut into one list a part."""
    flat = iter(flat)
    return [[next(flat) for _ in part["cases"]] for part in parts]
