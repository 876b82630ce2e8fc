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
OUTPUT = 4_000_000                      # bytes of an answer
USERS = itertools.cycle(range(60_000, 65_000))             # what root becomes: each run its own, so none uses up another's processes
for _ in range(os.getpid() % 5000):
    next(USERS)
SPARE = 2**30                           # bytes that stay free on the machine
HIDDEN = [str(PACKAGE / "exercise" / "answers"), "/usr/share/fonts", "/usr/local/share/fonts"]     # fonts: drawing begins in half the time
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/scratch", "TMPDIR": "/scratch", "LANG": "C.UTF-8", "MPLBACKEND": "Agg",
               "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
TRUST = "With --trust a notebook can read the cases and change other submissions; on macOS and Windows its memory is not limited."
CONTAINER = ("Grade inside a throw-away Linux container that may put up walls (docker run --rm -it --privileged --network none ..., which "
             f"we have not tried) with the course, the cases and copies of the submissions, and without --trust there. {TRUST}")


@dataclass(frozen=True)
class Room:
    """What a run may have besides its time and memory.

    worker: program that gets the job. read: further files and folders that it sees. scratch_mib, inodes: its own files together and how
    many. shared_mib: memory that its processes share by name, 0 for none. file_mib: one file. processes: with threads. open_files: for each
    process. cores: threads of numeric libraries; all processes together may use so many times the seconds of computing time.
    """

    worker: str = WORKER
    read: tuple = ()
    scratch_mib: int = 64
    shared_mib: int = 0
    inodes: int = 4096
    file_mib: int = 32
    processes: int = 64
    open_files: int = 64
    cores: int = 1

    def limits(self, seconds, memory):
        """{name of RLIMIT: value} for each process."""
        return {"AS": memory, "CPU": int(self.cores * seconds) + 5, "FSIZE": self.file_mib * 2**20, "NOFILE": self.open_files, "CORE": 0,
                "MSGQUEUE": 0, "NPROC": self.processes + others()}

    def environment(self):
        return ENVIRONMENT | {"OMP_NUM_THREADS": str(self.cores), "OPENBLAS_NUM_THREADS": str(self.cores)}


@dataclass(frozen=True)
class Outcome:
    """What a run wrote (bytes) and how it ended: "" by itself, or a reason in words.

    starved: it had less than 0.8 of a processor, or was ended because the machine's memory ran short. Then others may be to blame.
    """

    wrote: bytes
    ended: str
    starved: bool = False


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


def run(job, seconds=60.0, memory_gib=2.0, trust=False, room=None):
    """The Outcome of a worker on a job (see worker.main).

    seconds: for all of it, of the clock and of computing. memory_gib: a hard limit for each process; for all together it is watched ten
    times a second, so a run is ended soon after it passes, not before. Files in memory that no process has mapped are known for the whole
    machine alone: their growth by more than memory_gib, or memory that runs short, ends all runs of that moment (Outcome.starved); without
    /proc nothing is watched. trust: without walls. room: a Room, the exercises' by default. KitError when the walls can not be put up.
    """
    room = room or Room()
    memory = int(memory_gib * 2**30)
    limits = room.limits(seconds, memory)
    place = Path(tempfile.mkdtemp(prefix="medgen-grade-"))
    try:
        command, environment, options = [sys.executable, "-I", room.worker], room.environment(), {}
        if not trust:
            spec = {"root": str(place), "read": [*readable(), *room.read], "hide": HIDDEN, "scratch_mib": room.scratch_mib,
                    "shared_mib": room.shared_mib, "inodes": room.inodes, "limits": limits, "command": command, "unable": UNABLE,
                    "environment": environment, "user": next(USERS) if os.geteuid() == 0 else None}
            command = [sys.executable, "-I", JAIL, json.dumps(spec)]
        else:
            options = {"cwd": place, "env": environment | {"HOME": str(place), "TMPDIR": str(place)} | windows()}
            if hasattr(os, "fork"):
                options["preexec_fn"] = lambda: limit_only(limits)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, **options)
        wrote, said, ended, starved = watched(process, json.dumps(job).encode(), seconds, memory, room)
        if not trust and not ended and process.returncode == UNABLE:
            raise KitError(f"the kernel refuses a wall ({said or 'no word'})")
        return Outcome(wrote, ended, starved)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def watched(process, data, seconds, memory, room):
    """Feed a process, read what it writes, and end it when it goes beyond a limit: (what it wrote, its last words, why ended, starved)."""
    wrote, said = bytearray(), bytearray()
    threads = [threading.Thread(target=work, args=given, daemon=True)
               for work, given in ((feed, (process.stdin, data)), (drain, (process.stdout, wrote, OUTPUT)),
                                   (drain, (process.stderr, said, 4000)))]
    before = machine()
    for thread in threads:
        thread.start()
    began, ended, look, computed, short = time.monotonic(), "", 0, 0.0, False
    while process.poll() is None and not ended:
        time.sleep(0.02)
        look += 1
        if look % 5 == 0:
            size, now = used(process.pid)
            computed, short = max(computed, now), runs_short(before, memory + room.scratch_mib * 2**20)
            if size > memory or short:
                ended = f"it takes more than {memory / 2**30:g} GiB of memory"
            elif computed > seconds * room.cores:
                ended = f"it does not end within {seconds:g} s"
        if len(wrote) > OUTPUT:
            ended, short = f"it answers with more than {OUTPUT // 1_000_000} MB", False
        elif not ended and time.monotonic() - began > seconds:
            ended = f"it does not end within {seconds:g} s"
    lasted = time.monotonic() - began
    end(process)
    for thread in threads:
        thread.join(5)
    return bytes(wrote[:OUTPUT]), said.decode(errors="replace").strip(), ended, short or computed < 0.8 * lasted


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
    """(bytes in memory, seconds of computing) of a process and all below it, ended ones included; zeros where the system does not tell."""
    children, spent = {}, {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        with contextlib.suppress(OSError, ValueError, IndexError):
            if entry.isdigit():
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
                spent[int(entry)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    left, size, seconds = [parent], 0, 0.0
    while left:
        one = left.pop()
        size, seconds = (total + part for total, part in zip((size, seconds), spent.get(one, (0, 0))))
        left += children.get(one, ())
    return size, seconds


def machine():
    """{"MemAvailable", "Shmem"} of the machine in bytes; {} where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {}
    found = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return {name: found[name] for name in ("MemAvailable", "Shmem") if name in found}


def runs_short(before, allowed):
    """True when since `before` files in memory grew by more than is allowed, or little memory is left on the machine."""
    now = machine()
    if before.keys() != now.keys() or len(now) < 2:
        return False
    return now["Shmem"] - before["Shmem"] > allowed or now["MemAvailable"] < min(SPARE, before["MemAvailable"] / 2)


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
