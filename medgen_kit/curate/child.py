"""The child of `guard`: reads calls from its standard input until that closes, answers on its standard output, ends with its parent."""

import importlib
import os
import pickle
import signal
import struct
import sys
import threading
import time

from ..errors import DiskError, KitError, disk_advice, is_disk_full
from .guard import send


def main():
    """Answer calls one after another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # batch systems send it to every process: to break off is the parent's affair
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                   # what a library prints must not end up among the answers
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    send(answers, "ready")
    while length := sys.stdin.buffer.read(8):
        name, arguments = pickle.loads(sys.stdin.buffer.read(struct.unpack("<Q", length)[0]))
        send(answers, answer(name, arguments))


def answer(name, arguments):
    """("returned", value) or ("raised", an error that survives the way back)."""
    module, function = name.split(":")
    try:
        return "returned", getattr(importlib.import_module(module), function)(*arguments)
    except KitError as error:
        return "raised", error
    except Exception as error:
        import traceback
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}, line {where.lineno})"
        return "raised", DiskError(f"{text}. {disk_advice(error)}") if is_disk_full(error) else RuntimeError(text)


def leave_with(parent):
    """End when the parent has ended: a child that hangs in a decoder would otherwise stay."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
