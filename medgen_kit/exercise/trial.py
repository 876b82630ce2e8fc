"""Calls a learner's function on many inputs, with a limit of time and of printing; whatever it does becomes a line of text."""

import contextlib
import copy
import ctypes
import io
import threading

from .plain import plain, restored

PRINTED = 200_000                       # characters that a function may print


class Stopped(BaseException):
    """Raised inside an answer that takes too long or prints too much."""


class Sink(io.TextIOBase):
    """A place for what an answer prints: nothing is kept, and after PRINTED characters the answer is stopped."""

    def __init__(self):
        self.left = PRINTED

    def write(self, text):
        self.left -= len(text)
        if self.left < 0:
            raise Stopped(f"it prints more than {PRINTED} characters")
        return len(text)


def outputs(answer, cases, seconds=10.0):
    """[{"output": plain value} or {"error": text}] of a function for each case (plain inputs); of a value for the single case None.

    seconds: for all cases together; the case that was at work then and those after it get an error.
    """
    if not callable(answer) or cases == [None]:
        return [one_output(answer, case) for case in cases]
    found, over = [], threading.Event()

    def work():
        with contextlib.suppress(Stopped):
            for case in cases:
                if not over.is_set():
                    found.append(one_output(answer, case))

    thread = threading.Thread(target=work, daemon=True)
    with contextlib.redirect_stdout(Sink()), contextlib.redirect_stderr(Sink()):
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            over.set()
            stop(thread)
    late = {"error": f"it does not end within {seconds:g} s"}
    done = list(found)[:len(cases)]
    if done and done[-1] == {"error": Stopped.__name__}:
        done[-1] = late
    return done + [late] * (len(cases) - len(done))


def one_output(answer, case):
    try:
        if case is None:
            return {"output": plain(answer)}
        if answer is Ellipsis:
            return {"output": plain(answer)}
        if not callable(answer):
            return {"error": f"a function is asked, and this is of kind {type(answer).__name__}"}
        return {"output": plain(answer(*copy.deepcopy(restored(case))))}
    except Stopped as stopped:
        return {"error": str(stopped) or Stopped.__name__}
    except SystemExit:
        return {"error": "it calls exit(), which ends the notebook; a function ends with return"}
    except BaseException as error:                                  # noqa: B036 a learner's function may raise anything
        return {"error": said(error)}


def said(error, limit=160):
    """An error in one short line; texts that an error refuses to give are left out."""
    try:
        text = " ".join(str(error).split())
    except BaseException:                                           # noqa: B036 an error may be the learner's own class
        text = ""
    return f"it raises {type(error).__name__}" + f": {text[:limit]}" * bool(text)


def stop(thread, tries=20):
    """Raise Stopped in a thread until it ends; after a second it is left behind."""
    for _ in range(tries):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped))
        thread.join(0.05)
        if not thread.is_alive():
            return
