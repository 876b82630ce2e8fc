"""Runs notebooks and stores them cleaned, so that a second run gives the same file wherever nothing has changed.

    python course/tools/refresh.py             all notebooks, profile cpu
    python course/tools/refresh.py 00 07       only these
    python course/tools/refresh.py --check     run again, compare the checked cells, write nothing
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools.execute import execute                                  # noqa: E402
from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402
from medgen_kit.pipeline import FLOW                                      # noqa: E402
from medgen_kit.run import runs_root                                      # noqa: E402

NOTEBOOKS, BUILD = ROOT / "notebooks", ROOT / "build" / "refresh"
LIMIT_KB = 300
CHECK = "# NBVAL_CHECK_OUTPUT"
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
PROGRESS = re.compile(rf"^(Making stage '[\w-]+' of run |  ({'|'.join(FLOW)}|report): ).*\n?", re.M)
TEMPORARY = re.compile(r"(/private)?(/var/folders|/tmp)/[^\s'\"<>:,)]+")
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


def refresh(names=(), profile="cpu", run_name="", folder=NOTEBOOKS, check=False, say=print):
    """Run notebooks (all, or those whose name begins with one of `names`) and store the cleaned result; returns their paths.

    check: compare the checked cells with what is stored instead of writing. KitError when a cell fails or differs, or a file is too big.
    """
    notebooks = [n for n in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")) if not names or n.name.startswith(tuple(names))]
    if not notebooks:
        raise KitError(f"no notebook in {folder} begins with {' or '.join(names) or 'a number'}.")
    os.environ["MEDGEN_PROFILE"] = profile
    for notebook in notebooks:
        say(f"{notebook.name}: running on profile {profile} ...")
        nb = run_and_clean(notebook, {"run_name": run_name} if run_name else {}, say)
        if check:
            differences = compare(read(notebook), nb)
            if differences:
                raise KitError(f"{notebook.name}: {len(differences)} checked cells changed.\n" + "\n".join(differences))
            say(f"{notebook.name}: {len(checked_cells(nb))} checked cells are the same")
        else:
            store(nb, notebook)
            say(f"{notebook.name}: stored, {notebook.stat().st_size / 1000:.0f} KB")
    return notebooks


def run_and_clean(notebook, parameters, say):
    target = BUILD / notebook.name
    execute(notebook, target, parameters, lambda line: say(f"    {line}"))
    return clean(read(target))


def read(path):
    """The notebook in a file."""
    import nbformat

    return nbformat.read(path, 4)


def store(nb, path):
    """Write the notebook whole or not at all; refused over 300 KB, naming the heaviest cell."""
    import nbformat

    text = nbformat.writes(nb) + "\n"
    size = len(text.encode()) / 1000
    if size > LIMIT_KB:
        weight, number = max((len(str(cell.get("outputs", ""))) / 1000, k) for k, cell in enumerate(nb.cells, 1))
        raise KitError(f"{path.name} would weigh {size:.0f} KB, over {LIMIT_KB}. The heaviest is cell {number} ({weight:.0f} KB): "
                       "show fewer or smaller pictures there.")
    write_text(path, text)


def clean(nb):
    """The notebook as it is committed: no run-time metadata, injected cell, progress lines, stderr or widgets; paths made neutral."""
    nb = nb.copy()
    nb.metadata = dict(METADATA)
    nb.nbformat_minor = max(5, nb.nbformat_minor)
    nb.cells = [cell for cell in nb.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    count = 0
    for cell in nb.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type != "code":
            continue
        cell.outputs = joined([output for output in map(clean_output, cell.outputs) if output is not None])
        count += bool(cell.outputs)
        cell.execution_count = count if cell.outputs else None
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return nb


def clean_output(output):
    """One output cleaned, or None when it is not kept."""
    if output.output_type == "stream":
        output.text = neutral(PROGRESS.sub("", output.text))
        return output if output.name == "stdout" and output.text else None
    if output.output_type == "error":
        raise KitError(f"a cell ended with an error ({output.ename}: {output.evalue}); a notebook with errors is not stored.")
    if any("widget" in mime for mime in output.data):
        return None
    output.data = {mime: neutral(value) if mime.startswith("text/") else value for mime, value in output.data.items()}
    output.metadata = {mime: about for mime, about in output.metadata.items() if mime in output.data}
    return output


def joined(outputs):
    """Neighbouring pieces of stdout as one: how the kernel cut them is chance."""
    result = []
    for output in outputs:
        if result and output.output_type == "stream" == result[-1].output_type:
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def neutral(text):
    """Text without what belongs to one machine: absolute folders, temporary names, memory addresses."""
    for place, name in ((str(runs_root().resolve()), "runs"), (f"{ROOT}/", ""), (str(ROOT), "."), (str(Path.home()), "~")):
        text = text.replace(place, name) if len(place) > 3 else text
    text = text.replace(tempfile.gettempdir() + "/", "/tmp/")
    return ADDRESS.sub("0x...", TEMPORARY.sub("TEMPORARY", text))


def checked_cells(nb):
    """The cells whose output nbval compares."""
    return [cell for cell in nb.cells if cell.cell_type == "code" and cell.source.startswith(CHECK)]


def compare(stored, new):
    """What differs between the checked cells of two notebooks, as text."""
    old, now = checked_cells(stored), checked_cells(new)
    if [cell.source for cell in old] != [cell.source for cell in now]:
        return ["the checked cells themselves are not the same; refresh the notebook"]
    said = [[output.get("text", output.get("data")) for output in cell.outputs] for cell in old + now]
    return [f"  {cell.source.splitlines()[-1]}\n    stored: {a}\n    now:    {b}"
            for cell, a, b in zip(old, said[:len(old)], said[len(old):]) if a != b]


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description="Run notebooks, store them cleaned.",
                                     epilog="example: python course/tools/refresh.py 00 07")
    parser.add_argument("names", nargs="*", help="numbers or beginnings of names (default: all)")
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--run-name", default="", help="folder under runs (default: the profile's name)")
    parser.add_argument("--check", action="store_true", help="compare the checked cells of a fresh run with what is stored")
    given = parser.parse_args(arguments)
    try:
        refresh(given.names, given.profile, given.run_name, check=given.check)
    except KitError as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
