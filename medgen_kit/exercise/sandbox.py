"""Runs the worker on one notebook behind walls (`jail.py`), watches time, memory and output, and ends everything that it started."""

import contextlib
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import KitError

PACKAGE = Path(__file__).resolve().parents[1]
JAIL, WORKER = (str(Path(__file__).with_name(name)) for name in ("jail.py", "worker.py"))
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
UNABLE = 97                             # status of the jail when nothing was run
OUTPUT, FILES_MIB, PROCESSES, OPEN_FILES = 4_000_000, 64, 64, 256
USERS = itertools.cycle(range(60_000, 65_000))             # what root becomes: each run its own, so none uses up another's processes
for _ in range(os.getpid() % 5000):
    next(USERS)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/scratch", "TMPDIR": "/scratch", "LANG": "C.UTF-8", "MPLBACKEND": "Agg",
               "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
CONTAINER = ("Grade inside a throw-away Linux container without network that holds nothing but the course, the cases and copies of the "
             "submissions (docker run --rm --network none ...), and add --trust there.")


@dataclass(frozen=True)
class Outcome:
    """What a run wrote (bytes) and how it ended: "" by itself, or a reason in words."""

    wrote: bytes
    ended: str


def ready():
    """"" when this machine has the walls, else what is missing, in words."""
    if sys.platform != "linux":
        return f"this system ({platform.system()}) has no walls that the grader knows"
    try:
        run({"cells": [], "exercises": {}, "cell_seconds": 5, "seconds": 5}, seconds=60)
    except KitError as error:
        return str(error)
    return ""


def refuse_if_open():
    """KitError that names a container as the way, where the walls can not be put up."""
    if missing := ready():
        root = "" if sys.platform != "linux" or os.geteuid() == 0 else " As root (sudo) it may work on this machine."
        raise KitError(f"submissions are programs of strangers, and they can not be shut in here: {missing}.{root} {CONTAINER}")


def run(job, seconds=60.0, memory_gib=2.0, trust=False):
    """The Outcome of the worker on a job (see worker.main).

    seconds: for all of it. memory_gib: for each process, and for all together. trust: without walls (limits stay, where the system has
    them). KitError when the walls can not be put up.
    """
    memory = int(memory_gib * 2**30)
    limits = {"AS": memory, "CPU": int(seconds) + 5, "FSIZE": FILES_MIB * 2**20, "NOFILE": OPEN_FILES, "CORE": 0, "MSGQUEUE": 0,
              "NPROC": PROCESSES + others()}
    place = Path(tempfile.mkdtemp(prefix="medgen-grade-"))
    try:
        command = [sys.executable, "-I", WORKER]
        options = {"cwd": place, "env": ENVIRONMENT | {"HOME": str(place), "TMPDIR": str(place)} | windows()} if trust else {}
        if not trust:
            spec = {"root": str(place), "read": readable(), "hide": [str(PACKAGE / "exercise" / "answers")], "scratch_mib": FILES_MIB,
                    "limits": limits, "user": next(USERS) if os.geteuid() == 0 else None, "command": command,
                    "environment": ENVIRONMENT, "unable": UNABLE}
            command = [sys.executable, "-I", JAIL, json.dumps(spec)]
        elif hasattr(os, "fork"):
            options["preexec_fn"] = lambda: limit_only(limits)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, **options)
        return watched(process, json.dumps(job).encode(), seconds, memory)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def watched(process, data, seconds, memory):
    """Feed a process, read what it writes, and end it when it goes beyond a limit."""
    wrote, said = bytearray(), bytearray()
    threads = [threading.Thread(target=work, args=given, daemon=True)
               for work, given in ((feed, (process.stdin, data)), (drain, (process.stdout, wrote, OUTPUT)),
                                   (drain, (process.stderr, said, 4000)))]
    for thread in threads:
        thread.start()
    began, ended, look = time.monotonic(), "", 0
    while process.poll() is None and not ended:
        time.sleep(0.02)
        look += 1
        if len(wrote) > OUTPUT:
            ended = f"it answers with more than {OUTPUT // 1_000_000} MB"
        elif time.monotonic() - began > seconds:
            ended = f"it does not end within {seconds:g} s"
        elif look % 5 == 0 and used(process.pid) > memory:
            ended = f"it takes more than {memory / 2**30:g} GiB of memory"
    end(process)
    for thread in threads:
        thread.join(5)
    if process.returncode == UNABLE:
        raise KitError(f"the kernel refuses a wall ({said.decode(errors='replace').strip() or 'no word'})")
    return Outcome(bytes(wrote[:OUTPUT]), ended)


def feed(pipe, data):
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


def drain(pipe, into, limit):
    with contextlib.suppress(OSError, ValueError), pipe:
        while len(into) <= limit and (part := pipe.read1(65536)):
            into += part


def end(process):
    """End a process and its group; inside the jail the kernel ends all others with the first one."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, 9) if hasattr(os, "killpg") else process.kill()
    process.wait()


def used(parent):
    """Bytes in memory of a process and all below it; 0 where the system does not tell."""
    children, size = {}, {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        with contextlib.suppress(OSError, ValueError, IndexError):
            if entry.isdigit():
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
                size[int(entry)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    left, total = [parent], 0
    while left:
        one = left.pop()
        total += size.get(one, 0)
        left += children.get(one, ())
    return total


def readable():
    """Folders that the worker needs to read: the system's libraries, Python and this package. Nothing else exists for it."""
    python = {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix),
              str(Path(os.path.realpath(sys.executable)).parents[1])}
    return [*SYSTEM, *sorted(python - {"/", *SYSTEM}), str(PACKAGE)]


def others():
    """Tasks of this user that count against the limit on processes: on kernels before 5.14 a user namespace shares it."""
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2] if part.isdigit())
    if sys.platform != "linux" or os.geteuid() == 0 or version >= (5, 14):
        return 0
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += len(os.listdir(entry / "task")) if entry.stat().st_uid == os.getuid() else 0
    return count


def limit_only(limits):
    """In the new process, for --trust: the limits that this system has."""
    import resource

    for name, value in limits.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if name != "NPROC":                        # counted over all processes of the teacher
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def windows():
    """What Python needs from the environment on Windows."""
    return {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ} if os.name == "nt" else {}
