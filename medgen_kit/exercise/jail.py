"""Runs one program where it can harm nobody: its own file system (read-only but for a scratch folder), no network, limits. Linux alone.

    python -I jail.py SPEC     SPEC: JSON with root, read, hide, scratch_mib, shared_mib, inodes, limits, user, command, environment, unable

`sandbox.run` makes SPEC. Only the standard library is used. It leaves with status `unable` when the kernel refuses one of the walls, or
when the program does not start; then nothing was run.
"""

import ctypes
import json
import os
import resource
import signal
import sys

NEW = {"NEWNS": 0x20000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000, "NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000}
BIND, REC, PRIVATE, DETACH = 4096, 16384, 1 << 18, 2
READ_ONLY, NO_SUID = 1, 2
CALLS = {"x86_64": {"pivot_root": 155, "capset": 126, "keyctl": 250}, "aarch64": {"pivot_root": 41, "capset": 91, "keyctl": 219}}
MOUNT_SETATTR = 442                     # the same on every machine
AT_RECURSIVE, AT_HERE = 0x8000, -100
DEATH_SIGNAL, DROP_BOUND, NO_NEW_PRIVILEGES, DUMPABLE = 1, 24, 38, 4
DEVICES = ("null", "zero", "urandom", "random")
libc = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """The kernel refuses a wall; the text says which."""


def call(what, result):
    if result < 0:
        number = ctypes.get_errno()
        raise Unable(f"{what}: {os.strerror(number)}")
    return result


def number_of(name):
    try:
        return CALLS[os.uname().machine][name]
    except KeyError:
        raise Unable(f"{os.uname().machine} is no machine that the jail knows") from None


def mount(source, target, kind="none", flags=0, data=""):
    call(f"mount {target}", libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()))


def read_only(path, recursive):
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SUID, 0, 0, 0)
    call(f"read-only {path}", libc.syscall(MOUNT_SETATTR, AT_HERE, path.encode(), AT_RECURSIVE if recursive else 0,
                                           ctypes.byref(attributes), ctypes.sizeof(attributes)))


def unshare(as_root):
    """New namespaces; without root a user namespace gives the right to make the others."""
    flags = sum(NEW.values()) - (NEW["NEWUSER"] if as_root else 0)
    me, group = os.getuid(), os.getgid()
    call("namespaces", libc.unshare(flags))
    if not as_root:
        for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {me} 1"), ("gid_map", f"1000 {group} 1")):
            try:
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            except OSError as error:
                raise Unable(f"user namespace: {error.strerror}") from None


def build(root, read, hide, scratch_mib, shared_mib, inodes):
    """A file system at `root` that holds `read` (read-only), a few devices and /scratch; what is in `hide` is empty there. Go there.

    shared_mib: of /dev/shm, which processes that work together need; 0 for none.
    """
    mount("none", "/", flags=REC | PRIVATE)
    mount("tmpfs", root, "tmpfs", NO_SUID, "size=4m,mode=0755")
    for folder in ("dev", "scratch"):
        os.mkdir(f"{root}/{folder}")
    mount("tmpfs", f"{root}/scratch", "tmpfs", NO_SUID, f"size={scratch_mib}m,nr_inodes={inodes},mode=0777")
    if shared_mib:
        os.mkdir(f"{root}/dev/shm")
        mount("tmpfs", f"{root}/dev/shm", "tmpfs", NO_SUID, f"size={shared_mib}m,nr_inodes=1000,mode=0777")
    for source in [*read, *(f"/dev/{name}" for name in DEVICES)]:
        place(source, root)
    for folder in (folder for folder in hide if os.path.isdir(root + folder)):
        mount("tmpfs", root + folder, "tmpfs", NO_SUID, "size=4k,mode=0755")
        read_only(root + folder, recursive=False)
    os.chdir(root)
    call("pivot_root", libc.syscall(number_of("pivot_root"), b".", b"."))
    call("leave the old root", libc.umount2(b".", DETACH))
    os.chdir("/")
    read_only("/", recursive=False)
    os.chdir("/scratch")


def place(source, root):
    """Bind a file or folder at its own path under `root`; a link is copied as a link."""
    target = root + source
    if os.path.lexists(target) or not os.path.lexists(source):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        open(target, "w").close()
    mount(source, target, flags=BIND | REC)
    if not source.startswith("/dev/"):
        read_only(target, recursive=True)


def drop(user):
    """Give up every right for good. user: number that root becomes; None without root."""
    for right in range(64):
        libc.prctl(DROP_BOUND, right, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    call("rights", libc.syscall(number_of("capset"), header, nothing))
    call("no new rights", libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    libc.syscall(number_of("keyctl"), 1, None)           # an own key ring: the teacher's is not read
    libc.prctl(DUMPABLE, 0, 0, 0, 0)
    libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def limit(limits):
    """Set limits {name of RLIMIT: value}."""
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def first_process(spec):
    """Process 1 of the jail: starts the program, collects whoever ends, and leaves with the program's status. The kernel ends the rest."""
    libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    build(spec["root"], spec["read"], spec["hide"], spec["scratch_mib"], spec["shared_mib"], spec["inodes"])
    drop(spec["user"])
    back, forth = os.pipe()                              # closed by the start of the program: then nothing is read
    child = os.fork()
    if not child:
        try:
            libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
            os.setsid()
            limit(spec["limits"])
            os.execve(spec["command"][0], spec["command"], spec["environment"])
        except BaseException as error:                    # noqa: B036 the copy of a process must never go on as its parent
            os.write(forth, f"{spec['command'][0]} does not start: {error}".encode())
            os._exit(1)
    os.close(forth)
    if said := os.read(back, 4000):
        raise Unable(said.decode())
    os.close(back)
    os.closerange(0, 3)                                  # so that the channel ends with the program
    while True:
        ended, status = os.wait()
        if ended == child:
            os._exit(int(status != 0))


def main():
    spec = json.loads(sys.argv[1])
    try:
        libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        unshare(as_root=spec["user"] is not None)
        child = os.fork()
        if not child:
            try:
                first_process(spec)
            except Unable as error:
                os.write(2, str(error).encode())
            except BaseException as error:                # noqa: B036 the copy of a process must never go on as its parent
                os.write(2, f"{type(error).__name__}: {error}".encode())
            os._exit(spec["unable"])
        os.closerange(0, 3)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
    except Unable as error:
        os.write(2, str(error).encode())
        os._exit(spec["unable"])


if __name__ == "__main__":
    main()
