"""Runs one project's notebook, cell by cell as a script would, in the process that `regrade.py` has shut in. Job in by stdin, JSON out."""

import json
import os
import shutil
import sys
from pathlib import Path


def main():
    job = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)                         # what the notebook prints goes nowhere
    answer.write(json.dumps(work(job)))
    answer.flush()
    os._exit(0)


def work(job):
    """{"unreadable": what is wrong with the notebook or "", "stopped": reason or "", "checks": text of the new checks.json or None}.

    job: folder (what was handed in), parameters, base (a finished run or ""). It writes into the folder in which it was started.
    """
    place = Path.cwd()
    shutil.copytree(job["folder"], place / "work")
    os.environ.update({"HOME": str(place), "IPYTHONDIR": str(place / "ipython"), "MEDGEN_RUNS": str(place / "runs")})
    if job["base"]:
        lend(Path(job["base"]), place / "runs" / job["parameters"]["run_name"])
    os.chdir(place / "work")
    try:
        cells = cells_of(Path("project.ipynb"))
    except Exception as error:                           # a file of any content
        return {"unreadable": f"{type(error).__name__}: {str(error)[:160]}", "stopped": "", "checks": None}
    if stopped := run(cells, job["parameters"]):
        return {"unreadable": "", "stopped": stopped, "checks": None}
    found = Path("checks.json")
    whole = found.is_file() and not found.is_symlink() and found.stat().st_size <= 1_000_000
    return {"unreadable": "", "stopped": "", "checks": found.read_text(encoding="utf-8", errors="replace") if whole else None}


def cells_of(path):
    """[(source, tags)] of a notebook: None as the source of what is no code. An error of any kind for what is no notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [("".join(cell["source"]) if cell["cell_type"] == "code" else None, list(cell.get("metadata", {}).get("tags", [])))
            for cell in cells]


def lend(base, run):
    """A run folder whose finished stages are links to those of another run; what is new is written beside them."""
    run.mkdir(parents=True)
    for stage in base.iterdir():
        if (stage / "manifest.json").is_file():
            (run / stage.name).symlink_to(stage)
    shutil.copyfile(base / "report.json", run / "report.json")


def run(cells, parameters):
    """Run cells (see cells_of) in order, the parameters set after the one that is tagged so; "" or where and why it stopped."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}}))
    for number, (source, tags) in enumerate(cells, 1):
        if source is not None:
            done = shell.run_cell(source, store_history=False)
            error = done.error_before_exec or done.error_in_exec
            if error:
                return f"cell {number}: {type(error).__name__}: {str(error)[:160]}"
            if "parameters" in tags:
                shell.user_ns.update(parameters)
    return ""


if __name__ == "__main__":
    main()
