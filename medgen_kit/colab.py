"""Makes a Colab session ready for a lesson: installs only what is missing there, says what the GPU can do, mounts Drive when asked.

The first cell of a lesson installs the kit alone and calls `begin`. Nothing that Colab brings along is upgraded, and nothing is chosen for
the reader: `begin` says which word to write into `profile`, and where the runs live.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from .errors import KitError, disk_advice

NAME = "medgen-kit"
MOUNT, RUNS = "/content/drive", "MyDrive/medgen-kit/runs"
YES = ("1", "true", "yes", "on")
TOOLS = ("ipykernel", "jupyterlab", "nbclient", "nbconvert", "nbformat", "nbval", "papermill", "pytest", "pytest-xdist", "ruff",
         "voila")                      # they run, test and serve the course elsewhere; on Colab they would replace its own server
OTHERWISE = {"opencv-python-headless": "cv2", "scenedetect-headless": "scenedetect"}     # modules that another package may bring as well
LOADED = {"torch": "torch", "numpy": "numpy", "pandas": "pandas", "pyarrow": "pyarrow", "scipy": "scipy", "scikit-learn": "sklearn",
          "matplotlib": "matplotlib", "plotly": "plotly", "ipywidgets": "ipywidgets", "transformers": "transformers",
          "diffusers": "diffusers", "accelerate": "accelerate", "peft": "peft", "datasets": "datasets", "pillow": "PIL",
          "huggingface-hub": "huggingface_hub"}
MOVED = {}                             # what `use_drive` changed in this session: where runs went "to", what MEDGEN_RUNS was "before"
RESTART = "Choose Runtime > Restart session (nothing on the disk is lost), then run the cells again from the top."


def is_colab():
    """True on Colab: one of its variables COLAB_* is set."""
    return any(name.startswith("COLAB_") for name in os.environ)


def begin(drive=False):
    """Make this Colab session ready for a lesson and say how things stand. Outside of Colab it only says that there is nothing to do.

    drive: keep the runs on Google Drive (asks the reader), so that a lesson goes on where a disconnect cut it off; the environment variable
    MEDGEN_DRIVE=1 does the same. Without either, runs are where they were before an earlier `begin` moved them. KitError when a module
    that is in use was changed on the disk (restart), when a preinstalled package is too old, when a package can not be installed, or when
    Drive can not be used.
    """
    if not is_colab():
        print("This is not Colab: there is nothing to prepare.")
        return
    refuse_if_changed()
    use_drive() if drive or always_drive() else leave_drive()
    print(where_runs_live())
    wanted, old = missing()
    if old:
        raise KitError(f"this Colab runtime is too old for the kit: {'; '.join(old)}. Choose the latest one (Runtime > Change runtime "
                       "type, Runtime version), or install these packages yourself and restart.")
    if wanted:
        print(f"Installing what Colab lacks: {', '.join(wanted)} (about a minute) ...", flush=True)
        install(wanted)
    refuse_if_changed()
    widgets()
    print("\n".join(said()))


def missing(requirements=None):
    """(packages to install, sentences about those that are too old), by the kit's own metadata and without importing anything.

    requirements: lines like "av>=14" (default: those of the installed kit). TOOLS and extras are left out.
    """
    from packaging.requirements import Requirement

    wanted, old = [], []
    for line in metadata.requires(NAME) or [] if requirements is None else requirements:
        need = Requirement(line)
        if need.name.lower() in TOOLS or need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        there = version(need.name)
        if there is None and not brought(need.name):
            wanted.append(str(need))
        elif there is not None and not need.specifier.contains(there, prereleases=True):
            old.append(f"{need.name} is {there}, and the kit needs {need.specifier}")
    return wanted, old


def brought(name):
    """True when the module of a package is there under another package's name (cv2 of opencv-python)."""
    return name in OTHERWISE and importlib.util.find_spec(OTHERWISE[name]) is not None


def version(name):
    """The installed version of a package, None when it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def installed():
    """{package: version} of all that is installed, those left out whose version pip could not read."""
    from packaging.version import InvalidVersion, Version

    found = {}
    for one in metadata.distributions():
        name = (one.metadata["Name"] or "").lower().replace("_", "-")
        try:
            found.setdefault(name, str(Version(one.version)))
        except (InvalidVersion, TypeError):
            continue
    found.pop("", None)
    return found


def install(wanted):
    """pip install `wanted` and what they need in turn, everything that is installed held at its version. KitError when that can not be."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        held.write_text("".join(f"{name}=={number}\n" for name, number in sorted(installed().items())), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(held), *wanted]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        why = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()[-1:]
        raise KitError(f"pip could not install {', '.join(wanted)} without changing what Colab brings along. It says: {' '.join(why[:2])} "
                       "Look whether this session has internet, then run this cell again.")
    importlib.invalidate_caches()


def kit_mark():
    """Hash of the kit's installed files, as pip recorded them; "" where it is no installed package."""
    try:
        files = metadata.distribution(NAME).files or []
    except metadata.PackageNotFoundError:
        return ""
    lines = sorted(f"{file} {file.hash.value}" for file in files if file.hash and str(file).startswith("medgen_kit/"))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


KIT = kit_mark()                       # when this module was loaded, in this session


def changed():
    """Names of modules in use whose files on the disk are of another version by now."""
    names = ["medgen_kit"] if kit_mark() != KIT else []
    for package, module in LOADED.items():
        used = getattr(sys.modules.get(module), "__version__", None)
        there = version(package) if isinstance(used, str) else None
        if there and used.split("+")[0] != there.split("+")[0]:
            names.append(f"{module} ({used} in use, {there} on the disk)")
    return names


def refuse_if_changed():
    """KitError that says "restart" when a module that is in use was changed on the disk."""
    if names := changed():
        raise KitError(f"restart needed: {', '.join(names)} was changed after this session had loaded it. {RESTART}")


def said(machine=None):
    """What `begin` says of the machine, as lines: its GPU and the word for `profile`. machine: as `machine.facts()` gives it."""
    if machine is None:
        from .machine import facts
        machine = facts()
    own = os.environ.get("MEDGEN_PROFILE")
    empty = f"An empty `profile` means '{own or 'cpu'}'{' here (MEDGEN_PROFILE)' if own else ''}."
    if not machine["gpu"]:
        return [f"GPU: none; {machine['cores']} cores, {machine['memory_gib']} GiB memory. {empty} Profile 'cpu' needs no GPU.",
                "For a free GPU: Runtime > Change runtime type > T4 GPU, then run this cell again."]
    major, minor = machine["capability"]
    numbers = "bfloat16" if (major, minor) >= (8, 0) else "float16, no bfloat16 (that begins at 8.0)"
    lines = [f"GPU: {machine['gpu']}, {machine['gpu_memory_gib']:.1f} GiB, compute capability {major}.{minor}: {numbers}."]
    word, why = largest(machine)
    return lines + [f"To use all of it, write {word} between the quotes of `profile` in the next cell. {empty}" if word else
                    f"No profile for a GPU fits here ({why}). {empty}"]


def largest(machine):
    """(the largest GPU profile that this machine can serve, "") or ("", why not even the smallest fits)."""
    from . import profiles

    why = ""
    for name in ("a100", "colab-l4", "colab-t4"):
        try:
            profiles.refuse_if_too_big(profiles.load(name, check=False), machine)
            return name, ""
        except KitError as error:
            why = str(error).split(" Choose profile")[0].rstrip(".")
    return "", why


def always_drive():
    """True when MEDGEN_DRIVE asks for Drive in every first cell."""
    return os.environ.get("MEDGEN_DRIVE", "").lower() in YES


def use_drive(mount=MOUNT):
    """Mount Google Drive (Colab asks the reader) and let runs live there, in MyDrive/medgen-kit/runs. KitError when that does not work."""
    leave_drive()
    without = "take MEDGEN_DRIVE out of the environment and call begin(drive=False)" if always_drive() else "call begin(drive=False)"
    try:
        from google.colab import drive
        drive.mount(str(mount))
    except Exception as error:         # the mount fails with errors of many kinds, a refusal by the reader among them
        raise KitError(f"Google Drive could not be mounted ({error}). Run this cell again and allow it, or {without}: runs then live in "
                       "this session only.") from error
    folder = Path(mount) / RUNS
    try:
        try_out(folder)
    except (OSError, NotImplementedError) as error:
        advice = disk_advice(error) if isinstance(error, OSError) else f"This Drive can not lock files; {without}."
        raise KitError(f"the folder {folder} on Drive can not hold runs ({error}). {advice}") from error
    MOVED.update(to=str(folder), before=os.environ.get("MEDGEN_RUNS"))
    os.environ["MEDGEN_RUNS"] = str(folder)


def leave_drive():
    """Undo `use_drive`: MEDGEN_RUNS is again what it was before, unless somebody has set it to another folder since."""
    if MOVED and os.environ.get("MEDGEN_RUNS") == MOVED["to"]:
        os.environ.pop("MEDGEN_RUNS")
        os.environ.update({} if MOVED["before"] is None else {"MEDGEN_RUNS": MOVED["before"]})
    MOVED.clear()


def where_runs_live():
    """A sentence or two: the folder that holds the runs, what becomes of it when the session ends, and which runs are there."""
    from .run import runs_root

    folder, named = runs_root(), os.environ.get("MEDGEN_RUNS")
    if named and named == MOVED.get("to") or folder.is_relative_to(MOUNT):
        said = f"Runs live on Drive, in {folder}."
    else:
        said = f"Runs live in {folder}, " + ("as MEDGEN_RUNS says." if named else "and end with this session; begin(drive=True) keeps them "
                                             "on Drive.")
    made = {run.name: len(list(run.glob("[!.]*/manifest.json"))) for run in sorted(folder.glob("*")) if (run / "report.json").is_file()}
    there = "; ".join(f"run '{name}' with {count} finished stages" for name, count in made.items())
    return f"{said} " + (f"Found there: {there}. What is finished is not made again." if made else "None yet.")


def try_out(folder):
    """Do in `folder` what a run does there: make folders, lock, write, rename. OSError or NotImplementedError when one fails."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".try-", dir=folder) as place:
        with FileLock(str(Path(place) / "one.lock")):
            (Path(place) / "one").mkdir()
            (Path(place) / "one" / "file").write_text("x", encoding="utf-8")
            os.replace(Path(place) / "one", Path(place) / "two")


def widgets():
    """Let Colab draw widgets of every kind; the core ones, which the lessons use, work without."""
    try:
        from google.colab import output
        output.enable_custom_widget_manager()
    except Exception:                  # a Colab without it still draws the core widgets
        pass
