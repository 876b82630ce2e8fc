"""What this machine can do, and the stamp that every notebook prints: versions, device, profile, seed, commit."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .clip import write_text
from .errors import KitError

STAMPED = ("torch", "numpy", "diffusers", "transformers", "accelerate", "datasets")


def facts():
    """Cores, memory (GiB), GPU name or None, GPU memory (GiB), CUDA capability (major, minor) or None, free disk (GiB)."""
    gpu = memory = capability = None
    try:
        import torch
        if torch.cuda.is_available():
            gpu, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
            memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    except ImportError:
        pass
    from .run import runs_root
    place = runs_root()
    while not place.exists():
        place = place.parent
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {"system": platform.platform(terse=True), "python": platform.python_version(), "cores": cores,
            "memory_gib": round(pages / 2**30, 1), "gpu": gpu, "gpu_memory_gib": memory, "capability": capability,
            "free_disk_gib": round(shutil.disk_usage(place).free / 2**30, 1)}


def device():
    """The torch device that trains and samples here: "cuda" when there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def use_threads(count):
    """Let torch use `count` CPU threads (no more than there are cores)."""
    import torch

    torch.set_num_threads(max(1, min(count, facts()["cores"])))


def side_by_side(function, jobs, workers, died=None):
    """Yield (number of the job, function(*job)) as the jobs finish, `workers` at a time, each in a process with one CPU thread.

    function: of a module; arguments and results are pickled. Small trainings gain little from a second thread, so side by side is
    quicker than one after the other. With one worker, one core or a GPU the jobs run here, in order.

    died: the result of a job that ends its process (a decoder that crashes). The jobs that were at work when a process ended are done
    again one by one, each in a process of its own; the one that ends it again has this result, and the others go on. Then one core or a
    GPU means one process at a time; only with workers=1 the jobs run here. None: a KitError at the first process that ends.
    """
    jobs, here = list(jobs), facts()
    beside = 1 if here["gpu"] else min(workers, len(jobs), here["cores"])
    if beside < 2 and (died is None or workers < 2):
        yield from ((number, function(*job)) for number, job in enumerate(jobs))
        return
    left = list(range(len(jobs)))
    while left:
        for number in (yield from _in_processes(function, jobs, left, min(beside, len(left)))):
            if died is None:
                raise KitError("a worker process was ended from outside, most often because memory ran out. Close other programs, or set "
                               "workers: 1 in the profile, and run the same cell again; jobs that were finished are not repeated.")
            if (yield from _in_processes(function, jobs, [number], 1)):
                yield number, died


def _in_processes(function, jobs, left, workers):
    """Yield (number, result) of the jobs `left`, which are taken out of the list when they begin; returns the numbers of those that were at
    work when a process ended, [] when none did. No more than `workers` have begun, so the guilty one is among them."""
    import multiprocessing
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    running = {}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin_worker) as pool:
        try:
            while left or running:
                while left and len(running) < workers:
                    with _hidden_main():
                        job = pool.submit(function, *jobs[left[0]])
                    running[job] = left.pop(0)
                done = wait(running, return_when=FIRST_COMPLETED).done
                ended = [job for job in done if not isinstance(job.exception(), BrokenProcessPool)]
                for job in ended:
                    yield running.pop(job), job.result()
                if len(ended) < len(done):
                    break
        except BrokenProcessPool:
            pass
        finally:
            pool.shutdown(cancel_futures=True)
    return list(running.values())


def _begin_worker():
    """One thread, and an end together with the parent: a worker that outlives it would write beside its successor."""
    import multiprocessing
    import threading

    def leave():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"                        # read by torch and BLAS when a job first imports them
    if "torch" in sys.modules:
        use_threads(1)


@contextlib.contextmanager
def _hidden_main():
    """New processes run the caller's script again unless it hides; a script that makes a stage would then wait for itself."""
    main = sys.modules["__main__"]
    kept = {name: vars(main)[name] for name in ("__file__", "__spec__") if name in vars(main)}
    try:
        for name in kept:
            setattr(main, name, None)
        yield
    finally:
        vars(main).update(kept)


def commit():
    """The git commit of this checkout, with '+' when files were changed; 'unknown' outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        return head + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def stamp(run):
    """Print where the figures of a notebook come from and keep it as `stamp.json` in the run."""
    from importlib.metadata import PackageNotFoundError, version

    from . import __version__
    found = {}
    for name in STAMPED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    here = facts()
    said = {"medgen_kit": __version__, "commit": commit(), "profile": run.profile.name, "seed": run.profile.seed,
            "when": time.strftime("%Y-%m-%d %H:%M"), "machine": here, "versions": found}
    write_text(run.root / "stamp.json", json.dumps(said, indent=1))
    print(f"MedGen Kit {__version__} ({said['commit']}), profile '{run.profile.name}': {run.profile.about}")
    print(f"{here['cores']} cores, {here['memory_gib']} GiB memory, GPU: {here['gpu'] or 'none'}; "
          f"run folder runs/{run.root.name}; seed {run.profile.seed}")
    print(", ".join(f"{name} {number}" for name, number in found.items()))
