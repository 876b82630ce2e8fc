"""Runs one notebook with papermill and listens to what its kernel prints; names the cell that failed."""

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

    source, target = Path(source), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="(papermill|nbformat|nbclient|jupyter_client|zmq).*")
    with own_stderr() as last:
        try:
            papermill.execute_notebook(source, target, parameters=parameters or {}, kernel_name="python3", cwd=source.parent,
                                       progress_bar=False, stdout_file=Listener(said), execution_timeout=None)
        except papermill.exceptions.PapermillExecutionError as error:
            raise NotebookFailed(source.name, place(source, error.source), first_line(error.source), last_words(error)) from error
        except RuntimeError as error:                   # nbclient: the kernel died
            raise NotebookFailed(source.name, 0, "", f"the Python process of the notebook ended ({error}; {last()}). Too little memory is "
                                 "the usual cause: close other programs, then run the same command again.") from error


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
