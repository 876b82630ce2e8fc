"""Runs one notebook with papermill and listens to what its kernel prints; names the cell that failed."""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

from medgen_kit.errors import KitError

STAGE = re.compile(r"Making stage '([\w-]+)'")
STEP = re.compile(r"^  ([a-z][\w-]*): (.+)$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookFailed(KitError):
    """A cell raised an error. notebook: file name. cell: number of the cell in the notebook, from 1. error: its last line."""

    def __init__(self, notebook, cell, first_line, error):
        where = f"cell {cell} (it begins with: {first_line})" if cell else "no cell"
        super().__init__(f"{notebook} stopped in {where}\n  {error}")
        self.notebook, self.cell, self.error = notebook, cell, error


class Listener:
    """A file for papermill to write the kernel's words to; calls `said(line)` for "Making stage" and "  stage: ..." lines."""

    def __init__(self, said):
        self.said, self.rest = said, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            stage, step = STAGE.search(line), STEP.match(line)
            if stage:
                self.said(f"making '{stage[1]}'")
            elif step:
                self.said(f"{step[1]}: {step[2]}")

    def flush(self):
        """Nothing is held back."""


def execute(source, target, parameters=None, said=lambda line: None):
    """Run the notebook file `source` in its own folder, write the executed one to `target`. NotebookFailed when a cell fails.

    parameters: values for the cell tagged `parameters`. said: called with each stage line. The cells have no time limit.
    """
    import logging
    import warnings

    import papermill

    papermill.engines.papermill_engines.register("course", engine())
    source, target = Path(source), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="(papermill|nbformat|nbclient|jupyter_client|zmq).*")
    with own_stderr() as last:
        try:
            papermill.execute_notebook(source, target, parameters=parameters or {}, kernel_name="python3", cwd=source.parent,
                                       engine_name="course", progress_bar=False, stdout_file=Listener(said), execution_timeout=None)
        except papermill.exceptions.PapermillExecutionError as error:
            raise NotebookFailed(source.name, place(source, error.source), first_line(error.source), last_words(error)) from error
        except RuntimeError as error:                   # nbclient: the kernel died
            raise NotebookFailed(source.name, 0, "", f"the Python process of the notebook ended ({error}; {last()}). Too little memory is "
                                 "the usual cause: close other programs, then run the same command again.") from error


def engine():
    """papermill's engine, with a client that ends what it waited for when Ctrl-C breaks into a cell.

    Left alone, the task of the broken cell finds the kernel dead while it is shut down, and says so after the last word was said.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine
    from papermill.log import logger

    class Client(PapermillNotebookClient):
        def execute_cell(self, *given, **named):
            try:
                return super().execute_cell(*given, **named)
            except KeyboardInterrupt:
                end_tasks()
                raise

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, log_output=False, stdout_file=None, stderr_file=None, start_timeout=60,
                                     execution_timeout=None, **options):
            return Client(nb_man, kernel_name=kernel_name, log=logger, log_output=log_output, stdout_file=stdout_file,
                          stderr_file=stderr_file, startup_timeout=start_timeout, timeout=execution_timeout).execute()

    return Engine


def end_tasks(seconds=5):
    """Cancel the unfinished tasks of this thread's event loop, wait until they have ended (at most so long), and read how they ended."""
    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=seconds))
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()


def last_words(error):
    """The line of an error that says what was wrong: "KitError: ...", "ValueError: ..."."""
    lines = [line for line in COLOUR.sub("", f"{error.ename}: {error.evalue}").splitlines() if line.strip()]
    return lines[0] if error.ename.endswith("KitError") or len(lines) == 1 or not lines[0].endswith(":") else lines[-1]


@contextlib.contextmanager
def own_stderr():
    """While it lasts, what kernels write to the terminal behind our back goes to a file; yields a function that reads its last line."""
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        def last():
            log.seek(0)
            return ([line.strip() for line in log if line.strip()] or [""])[-1][:200]

        os.dup2(log.fileno(), 2)
        try:
            yield last
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)


def place(source, text):
    """Number (from 1) of the cell with this source in the notebook file; 0 when there is none (an injected cell)."""
    import nbformat

    cells = nbformat.read(source, 4).cells
    return next((number for number, cell in enumerate(cells, 1) if cell.source == text), 0)


def first_line(text):
    """First line of code that is not a comment."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")[:80]
