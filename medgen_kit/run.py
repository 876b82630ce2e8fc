"""The run: a folder with one sub-folder per stage, each with what the stage made and a manifest.json.

A stage that finds its manifest with the same inputs and settings does nothing. A stage works in a partial folder and is
renamed when it is done, so nothing half-written is ever taken for whole; an interrupted stage finds its partial folder again.
"""

import ast
import contextlib
import functools
import hashlib
import inspect
import json
import os
import platform
import shutil
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from . import __version__
from .clip import write_text
from .errors import KitError, disk_advice, is_disk_full

REPOSITORY = Path(__file__).resolve().parent.parent


def runs_root():
    """Where runs live: $MEDGEN_RUNS, else `runs/` in the repository, else `runs/` in the current folder."""
    if os.environ.get("MEDGEN_RUNS"):
        return Path(os.environ["MEDGEN_RUNS"]).expanduser().resolve()
    return (REPOSITORY if (REPOSITORY / "pyproject.toml").is_file() else Path.cwd()) / "runs"


@dataclass
class Work:
    """What a stage function is handed: where to write, with which sizes, from which finished stages.

    out: folder to write into (after an interruption it still holds what was there). inputs: folder of each input stage.
    say: prints one progress line. settings: anything the caller adds (kept in the manifest).
    watch: None, or what draws a training as it runs.
    """

    out: Path
    profile: object
    inputs: dict
    stage: str
    run: "Run"
    settings: dict = field(default_factory=dict)
    watch: object = None

    def say(self, text):
        print(f"  {self.stage}: {text}", flush=True)


class Run:
    """A run folder: `Run.open(profile)` then `run.make(...)`, `run.folder(stage)`, `run.report(stage, ...)`."""

    def __init__(self, root, profile):
        self.root, self.profile = Path(root), profile

    @classmethod
    def open(cls, profile, name=""):
        """The run `name` (default: the profile's name) under `runs_root()`; made when it is not there."""
        name = name or profile.name
        if Path(name).name != name or name.startswith("."):
            raise KitError(f"run_name '{name}' must be a plain folder name, for example 'my-first-run'.")
        root = runs_root() / name
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KitError(f"the run folder {root} could not be made ({error.strerror}). Set MEDGEN_RUNS "
                           "to a folder you may write.") from error
        return cls(root, profile)

    @staticmethod
    def profile_of(name):
        """Name of the profile that the run `name` was made with; "" when no stage of it stands."""
        found = sorted((runs_root() / name).glob("[!.]*/manifest.json")) if name else []
        return json.loads(found[0].read_text(encoding="utf-8"))["profile"] if found else ""

    @classmethod
    def existing(cls, profile, name=""):
        """The run `name` as `open` gives it; KitError, and nothing made, when there is none with figures."""
        known, name = sorted(path.parent.name for path in runs_root().glob("*/report.json")), name or profile.name
        if name not in known:
            raise KitError(f"there is no run '{name}' with figures in {runs_root()}. Runs: {', '.join(known) or 'none yet'}.")
        return cls.open(profile, name)

    def __repr__(self):
        return f"Run('{self.root.name}', profile='{self.profile.name}', stages={self.stages()})"

    def folder(self, stage):
        """Folder of a stage (it may not exist yet)."""
        return self.root / stage

    def stages(self):
        """Names of the finished stages."""
        return sorted(p.parent.name for p in self.root.glob("*/manifest.json") if not p.parent.name.startswith("."))

    def manifest(self, stage):
        """manifest.json of a finished stage, or None."""
        path = self.folder(stage) / "manifest.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def input_marks(self, stage, inputs):
        """{name: fingerprint} of the finished stages that `stage` reads; KitError when one is not there."""
        marks = {}
        for name in inputs:
            manifest = self.manifest(name)
            if manifest is None:
                raise KitError(f"stage '{stage}' needs stage '{name}', which is not there. Run kit.need(run, '{name}') first.")
            marks[name] = manifest["fingerprint"]
        return marks

    def fingerprint(self, stage, function, inputs, settings):
        """Hash of everything a stage depends on: its sizes, seed, inputs and the code of the rooms that it imports."""
        facts = {"stage": stage, "settings": settings, "inputs": self.input_marks(stage, inputs), "code": code_hash(function)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:20]

    def is_done(self, stage, function, inputs=(), settings=None):
        """True when the stage stands with exactly these inputs and settings."""
        manifest = self.manifest(stage)
        return manifest is not None and manifest["fingerprint"] == self.fingerprint(stage, function, inputs, settings or {})

    def why_again(self, stage, inputs=(), settings=None):
        """Why a stage that stands is not taken as it is, in words; "" when there is none. KitError when it belongs to another profile."""
        there = self.manifest(stage)
        if there is None:
            return ""
        if there["profile"] != self.profile.name:
            raise KitError(f"run '{self.root.name}' was made with profile '{there['profile']}'; profile '{self.profile.name}' would "
                           f"replace its stage '{stage}'. Choose another run_name (--run), or profile '{there['profile']}'.")
        asked = json.loads(json.dumps(settings or {}, default=str))
        changed = [name for name in {**there["settings"], **asked} if there["settings"].get(name) != asked.get(name)]
        if changed:
            return f"other settings: {', '.join(changed)}"
        return "what it reads was made again" if self.input_marks(stage, inputs) != there["inputs"] else "its code has changed"

    def make(self, stage, function, inputs=(), settings=None, watch=None):
        """Folder of `stage`, made by `function(work) -> figures` unless it stands already. Safe to call from two notebooks.

        inputs: names of finished stages. settings: what else the result depends on. figures go to report.json.
        """
        settings = settings or {}
        with self._lock(stage):
            mark, read = self.fingerprint(stage, function, inputs, settings), self.input_marks(stage, inputs)
            self._recover(stage, mark)
            manifest = self.manifest(stage)
            if manifest and manifest["fingerprint"] == mark:
                if stage not in self.figures():
                    self.report(stage, **manifest["figures"])
                return self.folder(stage)
            started, cpu, partial = time.time(), time.process_time(), self.root / f".{stage}.partial"
            with plain_disk_errors(stage, partial):
                self._partial(stage, mark)
                work = Work(partial, self.profile, {name: self.folder(name) for name in inputs}, stage, self, settings, watch)
                figures = function(work) or {}
            if self.input_marks(stage, inputs) != read:
                shutil.rmtree(partial)
                raise KitError(f"what stage '{stage}' reads ({', '.join(inputs)}) was made again while it worked, by another notebook with "
                               "another seed or other sizes. Give that notebook its own run_name, then run the same cell again.")
            figures = json.loads(json.dumps({"seconds": round(time.time() - started, 1), **figures}, default=float))
            facts = {"stage": stage, "fingerprint": mark, "inputs": read, "settings": settings, "profile": self.profile.name,
                     "seed": self.profile.seed, "version": __version__, "figures": figures,
                     "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started)),
                     "seconds": figures["seconds"], "cpu_seconds": round(time.process_time() - cpu, 1),
                     "process_peak_mib": peak_memory(),
                     "libraries": library_versions()}
            write_text(partial / "manifest.json", json.dumps(facts, indent=1, default=str))
            with plain_disk_errors(stage, partial):
                swap(partial, self.folder(stage))
                (self.folder(stage) / "inputs.json").unlink(missing_ok=True)
            self.report(stage, **figures)
        return self.folder(stage)

    def report(self, section, **figures):
        """Merge figures into `report.json` under `section`. Atomic; two notebooks may report at once."""
        with self._lock("report"):
            whole = self.figures()
            whole[section] = {**whole.get(section, {}), **figures}
            write_text(self.root / "report.json", json.dumps(whole, indent=1, sort_keys=True, default=float))

    def figures(self, section=None):
        """All of report.json as a dict, or one section of it ({} when it is not there)."""
        path = self.root / "report.json"
        whole = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return whole if section is None else whole.get(section, {})

    def _recover(self, stage, mark):
        """Finish what an interruption cut off between two renames: a whole partial folder takes its place, an older stage comes back."""
        partial, old, final = self.root / f".{stage}.partial", self.root / f".{stage}.old", self.folder(stage)
        whole = partial / "manifest.json"
        if whole.is_file() and json.loads(whole.read_text(encoding="utf-8"))["fingerprint"] == mark:
            swap(partial, final)
        elif old.exists() and not final.exists():
            os.replace(old, final)

    def _partial(self, stage, mark):
        """The partial folder of a stage: kept when it belongs to the same work, emptied when it does not."""
        partial = self.root / f".{stage}.partial"
        note = partial / "inputs.json"
        if note.is_file() and json.loads(note.read_text())["fingerprint"] != mark or partial.exists() and not note.is_file():
            shutil.rmtree(partial)
        partial.mkdir(exist_ok=True)
        write_text(note, json.dumps({"fingerprint": mark}))
        return partial

    def _lock(self, name):
        return _Lock(self.root / ".locks" / f"{name}.lock", name)


@contextlib.contextmanager
def plain_disk_errors(stage, partial):
    """Turns what the system and the libraries say of a disk into one sentence; other errors are left as they are."""
    try:
        yield
    except KitError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not is_disk_full(error):
            raise
        said = getattr(error, "strerror", None) or ("the disk is full" if is_disk_full(error) else error)
        raise KitError(f"stage '{stage}' stopped: {said} ({getattr(error, 'filename', None) or partial}). What was done is "
                       f"kept in {partial}. {disk_advice(error)}") from error


def swap(partial, final):
    """Put a finished folder in place of an older one; whoever is cut off finds one of the two whole, `final` or `.<final>.old`."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.replace(final, old)
    os.replace(partial, final)
    shutil.rmtree(old, ignore_errors=True)


class _Lock:
    """Two notebooks on one run wait for each other's stage; the one that waits says so."""

    def __init__(self, path, name):
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock, self.name = FileLock(str(path)), name

    def __enter__(self):
        from filelock import Timeout

        try:
            self.lock.acquire(timeout=1)
        except Timeout:
            print(f"  {self.name}: another notebook is making this stage; waiting for it ...", flush=True)
            self.lock.acquire()

    def __exit__(self, *_):
        self.lock.release()


def peak_memory():
    """The most memory (MiB) that this process ever held, None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if platform.system() == "Darwin" else 2**10)


def library_versions():
    """{library: installed version} of what changes a stage's figures, for its manifest."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "torch", "diffusers", "transformers", "accelerate", "datasets", "av", "opencv-python-headless"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def folder_mark(folder):
    """Hash of names, sizes and times of the files of a folder; "" when there is none."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file()) if folder else []
    facts = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12] if facts else ""


@functools.lru_cache
def code_hash(function):
    """Hash of the code that a stage depends on: the file of `function`, what it imports of medgen_kit, directly or not, and the data
    files (.jsonl, .json, .csv) that lie beside that code."""
    path = Path(inspect.getsourcefile(function))
    files = [path]
    if Path(__file__).parent in path.parents:
        code = imported_files(path)
        files = sorted(code | {file for folder in {file.parent for file in code} for kind in ("*.jsonl", "*.json", "*.csv")
                               for file in folder.glob(kind)})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def imported_files(path):
    """Files of medgen_kit that a file reaches through relative imports, itself included; those that shape no result (run, errors,
    the flow and the profiles, whose values are in the settings) are left out."""
    root, found, waiting = Path(__file__).parent, set(), [path]
    idle = {root / name for name in ("run.py", "errors.py", "pipeline.py", "__init__.py", "profiles/__init__.py")}
    while waiting:
        path = waiting.pop()
        if path in found or path in idle:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                modules = [[file for file in (name.with_suffix(".py"), name / "__init__.py") if file.is_file()]
                           for name in (folder / alias.name for alias in node.names)]
                waiting += sum(modules, [])
                if not all(modules):              # a name that is no module of its own lives in the package or file it is taken from
                    waiting += [file for file in (folder.with_suffix(".py"), folder / "__init__.py") if file.is_file()]
    return found
