"""The first code cell of every lesson: nothing at home, the installation on Colab. One text, put into all notebooks.

    python course/tools/colab_cell.py            put it into every notebook that has a cell tagged `colab`
    python course/tools/colab_cell.py --check    only say which notebooks carry another one
"""

import argparse
import json
import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("notebooks", "course")
CELL = '''\
import glob, os, re, shutil, subprocess, sys, tempfile, zipfile
if any(name.startswith("COLAB_") for name in os.environ):  # on Colab only
    files = sorted(glob.glob("/content/medgen?kit*.[wz]*"), key=lambda file: (zipfile.is_zipfile(file), os.path.getmtime(file)))
    kit = os.environ.get("MEDGEN_SOURCE") or (files or ["REPOSITORY"])[-1]  # the newest file that is whole
    assert kit, "No kit here. Its .whl comes from your teacher (or `make wheel`): upload it in the Files pane, to /content; run this again"
    print("Installing the kit from", kit)
    if kit in files:  # pip refuses the " (1)" that a second download has in its name
        kit = shutil.copy(kit, os.path.join(tempfile.mkdtemp(), re.sub("-none-any.*", "-none-any.whl", os.path.basename(kit))))
    done = subprocess.run([sys.executable, *"-m pip install -qq --no-deps --force-reinstall".split(), kit], capture_output=True, text=True)
    assert not done.returncode, "Kit not installed. Finish or repeat its upload, look for internet; run this again. " + done.stderr[-300:]
    from medgen_kit import colab
    colab.begin(drive=False)  # True: runs on Drive'''


def repository(pyproject=ROOT / "pyproject.toml"):
    """What pip installs the kit from: git+ and the address of the repository in [project.urls], "" while none is named there."""
    urls = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))["project"].get("urls", {})
    named = next((url for name, url in urls.items() if name.lower() in ("repository", "source", "homepage")), "")
    return f"git+{named}" if named else ""


def source(pyproject=ROOT / "pyproject.toml"):
    """The text of the cell, with the address of the repository where there is one. While there is none, it asks for an uploaded wheel."""
    return CELL.replace("REPOSITORY", repository(pyproject))


def notebooks(root=ROOT):
    """Paths of the notebooks that have a cell tagged `colab`."""
    found = sorted(path for folder in FOLDERS for path in (Path(root) / folder).rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    return [path for path in found if any(map(is_ours, json.loads(path.read_text(encoding="utf-8"))["cells"]))]


def is_ours(cell):
    return "colab" in cell["metadata"].get("tags", [])


def carries(path, text):
    """True when each cell tagged `colab` of a notebook is exactly `text`."""
    return all("".join(cell["source"]) == text for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if is_ours(cell))


def put(path, text):
    """Put `text` into the cell tagged `colab`; every other byte of the file stays. ValueError for a file that is laid out otherwise."""
    before = path.read_text(encoding="utf-8")
    nb = json.loads(before)
    if written(nb) != before:
        raise ValueError(f"{path} is not laid out as the course stores notebooks. Run: make refresh ONLY={path.stem[:2]}")
    for cell in filter(is_ours, nb["cells"]):
        cell["source"] = text.splitlines(keepends=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(written(nb), encoding="utf-8")
    os.replace(part, path)


def written(nb):
    """A notebook as text, as nbformat lays it out."""
    return json.dumps(nb, indent=1, ensure_ascii=False) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; the exit code is 1 when a notebook carries another cell")
    check, text, other = parser.parse_args(arguments).check, source(), 0
    for path in notebooks():
        if not carries(path, text):
            other += 1
            print(f"{'carries another cell' if check else 'gets the cell'}: {path.relative_to(ROOT)}")
            if not check:
                put(path, text)
    return int(check and other > 0)


if __name__ == "__main__":
    sys.exit(main())
