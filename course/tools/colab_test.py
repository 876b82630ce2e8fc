"""`make test-colab`: runs every lesson as Colab would, in a second virtual environment with the older packages that Colab brings along.

    python course/tools/colab_test.py            all lessons and unsolved exercises on profile smoke, one shared run folder
    python course/tools/colab_test.py 00 09_ex   only lesson and exercises 00, and exercises 09

The environment holds the pins of requirements-colab.txt and nothing of the kit. The notebooks run in an empty folder, so that whatever they
need must come out of the wheel that their first cell installs. Exercises that nobody has solved must run to their end too. Afterwards no
pinned package may have another version than before, and the checked cells must say what is stored. The torch of .venv is lent through a
.pth file; it is the one package without a pin.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import refresh                                          # noqa: E402
from course.tools.colab_wheel import build                                # noqa: E402

PINS, VENV, LENT = ROOT / "requirements-colab.txt", ROOT / ".venv-colab", ROOT / "build" / "colab-torch"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LEND = ("torch", "torchgen", "functorch", "triton", "nvidia", "torch-*.dist-info", "triton-*.dist-info", "nvidia_*.dist-info")
ENVIRONMENT = {"COLAB_RELEASE_TAG": "simulated", "MEDGEN_PROFILE": "smoke", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
               "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
TIMEOUT = 600                          # seconds a cell
LIST = "import json; from importlib import metadata as m; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"


class Failed(Exception):
    """What went wrong, in a sentence."""


def prepare(say=print):
    """Make .venv-colab (about two minutes), or bring it back to its pins; returns {package: version} of what it holds."""
    lend()
    mark = VENV / ".pins"
    key = hashlib.sha256(PINS.read_bytes() + f"{sys.version} {torch_version()} {LENT}".encode()).hexdigest()
    if not mark.is_file() or json.loads(mark.read_text())["key"] != key:
        make(say)
        mark.write_text(json.dumps({"key": key, "packages": packages()}))
    pinned = json.loads(mark.read_text())["packages"]
    there = packages()
    if extra := sorted(set(there) - set(pinned)):
        pip("uninstall", "--yes", *extra)
        there = packages()
    if there != pinned:
        mark.unlink()
        raise Failed(f".venv-colab has changed ({differences(pinned, there)}). Run this again: it is made anew.")
    return pinned


def lend():
    """Links to the torch of this environment, in a folder of their own, so that pip takes it for installed and can not remove it."""
    import torch

    home = Path(torch.__file__).resolve().parent.parent
    shutil.rmtree(LENT, ignore_errors=True)
    LENT.mkdir(parents=True)
    for path in {path for pattern in LEND for path in home.glob(pattern)}:
        (LENT / path.name).symlink_to(path)


def torch_version():
    from importlib.metadata import version

    return version("torch")


def make(say):
    say(f"Making {VENV.name} from {PINS.name} (about two minutes; only when that file changes) ...")
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    place = subprocess.run([str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True,
                           check=True).stdout.strip()
    (Path(place) / "lent_torch.pth").write_text(f"{LENT}\n")
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "torch.txt"
        held.write_text(f"torch=={torch_version()}\n")
        pip("install", "--requirement", str(PINS), "--constraint", str(held))


def pip(*arguments):
    command = [str(PYTHON), "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"pip {' '.join(arguments[:3])} ... failed in {VENV.name}:\n{done.stderr[-2000:]}")


def packages():
    """{package: version} that .venv-colab sees."""
    done = subprocess.run([str(PYTHON), "-c", LIST], capture_output=True, text=True, check=True, cwd=tempfile.gettempdir())
    return json.loads(done.stdout)


def differences(before, after):
    """Packages of `before` that have another version in `after`, as text; "" when there are none."""
    other = {name: number for name, number in sorted(before.items()) if after.get(name) != number}
    return ", ".join(f"{name} {number} -> {after.get(name, 'gone')}" for name, number in other.items())


def notebooks(names=()):
    """Paths of the lessons and then of the exercises, all or those that begin with one of `names`. Failed when there is none."""
    found = [path for folder in ("notebooks", "course/exercises") for path in sorted((ROOT / folder).glob("[0-9][0-9]_*.ipynb"))
             if not names or path.name.startswith(tuple(names))]
    if not found:
        raise Failed(f"No notebook begins with {' or '.join(names) or 'a number'}.")
    return found


def run(names=(), say=print):
    """Run lessons and exercises (all, or those that begin with one of `names`); a list of sentences about what failed."""
    chosen, pinned, failures = notebooks(names), prepare(say), []
    with tempfile.TemporaryDirectory(prefix="medgen-colab-") as folder:
        folder = Path(folder)
        (folder / "content").mkdir()
        os.environ["JUPYTER_PATH"] = str(kernel(folder / "jupyter"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MEDGEN", "MPL"))}
        environment |= ENVIRONMENT | {"MEDGEN_SOURCE": str(build(folder)), "MEDGEN_RUNS": str(folder / "runs"),
                                      "IPYTHONDIR": str(folder / "ipython")}
        for path in chosen:
            started = time.time()
            said = one(path, folder / "content", environment)
            failures += [f"{path.name}: {line}" for line in said]
            say(f"{'FAILED' if said else 'passed':<7} {path.stem:<26} {time.time() - started:5.0f} s")
    after = packages()
    if changed := differences(pinned, after):
        failures.append(f"the first cell changed what Colab brings along: {changed}")
    say(f"Installed by the first cell: {', '.join(f'{name} {after[name]}' for name in sorted(set(after) - set(pinned), key=str.lower))}. "
        f"Of the {len(pinned)} packages that were there, {'not all have' if changed else 'every one has'} its version.")
    return failures


def kernel(folder, python=PYTHON):
    """Describe to Jupyter, in `folder`, the kernel medgen-colab: `python`, by default that of .venv-colab. Returns the folder."""
    spec = folder / "kernels" / "medgen-colab" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
    return folder


def one(path, folder, environment):
    """Execute one notebook in `folder`; sentences about what failed: a cell, or a checked cell that says something else than is stored."""
    import nbclient

    nb = refresh.read(path)
    client = nbclient.NotebookClient(nb, timeout=TIMEOUT, kernel_name="medgen-colab", resources={"metadata": {"path": str(folder)}})
    try:
        client.execute(env=environment)
    except nbclient.exceptions.CellExecutionError as error:
        return [f"{error.ename}: {error.evalue}\n{error.traceback[-1500:]}"]
    except (nbclient.exceptions.CellTimeoutError, nbclient.exceptions.DeadKernelError) as error:
        return [str(error)]
    cell = next(cell for cell in nb.cells if "colab" in cell.metadata.get("tags", []))
    told = "".join(output.get("text", "") for output in cell.outputs)
    return ([] if "GPU: " in told else [f"the first cell did not say what the GPU is: {told[-500:]}"]) + \
        refresh.compare(refresh.read(path), refresh.clean(nb))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Run lessons and exercises with the older packages that Colab brings along.")
    parser.add_argument("names", nargs="*", help="numbers or beginnings of names (default: all)")
    try:
        failures = run(parser.parse_args(arguments).names)
    except Failed as error:
        failures = [str(error)]
    print("\n".join(failures) or "Every notebook ran with Colab's packages.")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
