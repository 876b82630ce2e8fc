"""Inside the sandbox: runs the code cells of one notebook, then its answers on the inputs, and writes their outputs to the channel.

It knows inputs and no expected value. What it writes is data (JSON), compared elsewhere; a notebook that writes there itself gains nothing.
"""

import ast
import importlib.machinery
import inspect
import json
import os
import re
import signal
import sys
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from medgen_kit.exercise.trial import outputs, said                        # noqa: E402

CHANNEL = 3
OFF = ("medgen_kit.show", "IPython.display", "IPython.core.getipython")    # what displays; libraries that draw are the real ones
RUN = ("time", "timeit", "capture", "prun")                                # cell magics whose body is a cell of its own


class Nothing(types.ModuleType):
    """Stands for everything that displays: any use of it gives itself."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given, **named):
        return self

    def __iter__(self):
        return iter((self, self))

    def __getitem__(self, key):
        return self

    def __setitem__(self, key, value):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *given):
        return False

    def __mro_entries__(self, bases):
        return (types.SimpleNamespace,)


class Stage:
    """Finds a Nothing for every module in OFF and below it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        off = any(name == one or name.startswith(f"{one}.") for one in OFF)
        return importlib.machinery.ModuleSpec(name, Stage, is_package=True) if off else None

    @staticmethod
    def create_module(spec):
        return Nothing(spec.name)

    @staticmethod
    def exec_module(module):
        pass


class TooLong(Exception):
    """A cell took longer than it may."""


def late(number, frame):
    raise TooLong("this cell does not end")


def alarm(seconds):
    """Raise TooLong after some seconds, 0: never; where the system has no such clock the whole notebook has one."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def close_doors():
    """The channel moves to a number of its own; what the notebook prints goes nowhere."""
    os.dup2(1, CHANNEL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def tell(write, dumps, row):
    """One line of JSON to the channel, whole: os.write may take less than it is given."""
    data = (dumps(row) + "\n").encode()
    while data:
        data = data[write(CHANNEL, data):]


def tell_answer(write, dumps, name, found):
    """The line of one exercise; an answer that JSON can not hold costs this exercise and no other."""
    try:
        tell(write, dumps, {"exercise": name, "outputs": found})
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        failed = {"error": f"its answer can not be written down ({type(error).__name__})"}
        tell(write, dumps, {"exercise": name, "outputs": [failed] * len(found)})


def python_of(source):
    """(code of a cell without IPython's magics (%, !, ?), name of the cell magic (%%) whose body is left out or "")."""
    magic = re.match(r"\s*%%(\w+)[ \t]*(.*)", source)
    kept = ""
    if magic:
        if magic[1] not in RUN:
            return "", magic[1]
        name = magic[2].split()[-1:] if magic[1] == "capture" else []
        kept = f"{name[0]} = get_ipython()\n" if name and name[0].isidentifier() else ""
        source = source[magic.end():]
    try:
        compiled(source, "cell")
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        source = TransformerManager().transform_cell(re.sub(r"^([ \t]*)%time[ \t]+(?=\S)", r"\1", source, flags=re.M))
    return kept + source, ""


def compiled(source, name):
    """Code of a cell, in which `await` may stand outside of functions, as in Jupyter."""
    return compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def run_cell(source, number, names):
    """Run one cell; returns the name of the cell magic for which it was left out, or ""."""
    code, magic = python_of(source)
    code = compiled(code, f"cell {number}")
    value = eval(code, names)
    if code.co_flags & inspect.CO_COROUTINE:
        import asyncio

        asyncio.run(value)
    return magic


def run_cells(cells, names, seconds):
    """Run sources in the namespace `names`, each at most `seconds`; returns ({number of the cell: error}, was one stopped starving)."""
    errors, over = {}, False
    for number, source in enumerate(cells, 1):
        computed = time.process_time()
        alarm(seconds)
        try:
            if magic := run_cell(source, number, names):
                errors[number] = f"it is left out, as %%{magic} is not Python"
        except SystemExit:
            errors[number] = "it calls exit()"
        except BaseException as error:                                       # noqa: B036 a learner's cell may raise anything
            errors[number] = said(error)
            over = over or isinstance(error, TooLong) and starved(computed, seconds)
        finally:
            alarm(0)
    return errors, over


def starved(computed, seconds):
    """True when this process had little of a processor since its clock of computing showed `computed`: it may have waited for others."""
    return time.process_time() - computed < 0.8 * seconds


def answer_of(answer, cases, seconds):
    """The outputs of one answer, an error for each case if the answer can not even be looked at."""
    try:
        return outputs(answer, cases, seconds)
    except BaseException as error:                                           # noqa: B036 an answer may be any object
        return [{"error": said(error)}] * len(cases)


def main():
    job = json.load(sys.stdin)
    close_doors()
    write, dumps = os.write, json.dumps                                      # a notebook may replace what it finds in the modules
    sys.meta_path.insert(0, Stage)
    sys.modules["medgen_kit.exercise.answers"] = None
    quiet = Nothing("quiet")
    names = {"__name__": "__main__", "__builtins__": __builtins__, "get_ipython": quiet, "display": quiet}
    errors, over = run_cells(job["cells"], names, job["cell_seconds"])
    tell(write, dumps, {"cells": errors})
    for name, cases in job["exercises"].items():
        computed = time.process_time()
        found = answer_of(names[name], cases, job["seconds"]) if name in names else None
        late_one = "does not end within" in str([one.get("error") for one in found or []])
        over = over or late_one and starved(computed, job["seconds"])
        tell_answer(write, dumps, name, found)
    tell(write, dumps, {"end": True, "late": over})
    os._exit(0)


if __name__ == "__main__":
    main()
