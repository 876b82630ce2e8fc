"""Inside the sandbox: runs the code cells of one notebook, then its answers on the inputs, and writes their outputs to the channel.

It knows inputs and no expected value. What it writes is data (JSON), compared elsewhere; a notebook that writes there itself gains nothing.
"""

import json
import os
import signal
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from medgen_kit.exercise.trial import outputs, said                        # noqa: E402

CHANNEL = 3
OFF = ("matplotlib", "matplotlib.pyplot", "plotly", "plotly.graph_objects", "medgen_kit.show", "IPython.display")


class Nothing(types.ModuleType):
    """Stands for everything that draws: any use of it gives itself."""

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

    def __enter__(self):
        return self

    def __exit__(self, *given):
        return False


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


def python_of(source):
    """The code of a cell without IPython's magics (%, !, ?); cell magics (%%) leave nothing."""
    if source.lstrip().startswith("%%"):
        return ""
    try:
        compile(source, "cell", "exec")
        return source
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(source)


def run_cells(cells, names, seconds):
    """Run sources in the namespace `names`, each at most `seconds`; returns {number of the cell: error}."""
    errors = {}
    for number, source in enumerate(cells, 1):
        alarm(seconds)
        try:
            exec(compile(python_of(source), f"cell {number}", "exec"), names)
        except SystemExit:
            errors[number] = "it calls exit()"
        except BaseException as error:                                       # noqa: B036 a learner's cell may raise anything
            errors[number] = said(error)
        finally:
            alarm(0)
    return errors


def main():
    job = json.load(sys.stdin)
    close_doors()
    write, dumps = os.write, json.dumps                                      # a notebook may replace what it finds in the modules
    sys.modules.update({name: Nothing(name) for name in OFF} | {"medgen_kit.exercise.answers": None})
    names = {"__name__": "__main__", "__builtins__": __builtins__, "get_ipython": Nothing, "display": Nothing("display")}
    tell(write, dumps, {"cells": run_cells(job["cells"], names, job["cell_seconds"])})
    for name, cases in job["exercises"].items():
        found = outputs(names[name], cases, job["seconds"]) if name in names else None
        tell(write, dumps, {"exercise": name, "outputs": found})
    tell(write, dumps, {"end": True})
    os._exit(0)


if __name__ == "__main__":
    main()
