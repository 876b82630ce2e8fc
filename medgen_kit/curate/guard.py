"""A child process that looks at one file at a time: a decoder that crashes or hangs costs that file and nothing else."""

import contextlib
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from ..errors import KitError

START_SECONDS = 120            # to begin (imports) before the clock of the first file runs
GLANCE_SECONDS = 0.1           # how often a call that waits looks whether it should stop


class Crashed(Exception):
    """The child process ended in the middle of a file. signal: its number, 0 when it simply left."""

    def __init__(self, code):
        super().__init__(f"the decoder process ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})")


class Hung(Exception):
    """The child process took longer than it may for one file."""


class Stopped(Exception):
    """The job is being broken off: what was under way tells nothing about its file."""


class Guard:
    """`guard.call(function, *arguments)` runs a function of a module in the child; arguments and result are pickled.

    seconds: limit for one call. stop: a threading.Event that ends the call under way and all later ones with Stopped. Raises Crashed or
    Hung, after which the next call starts a new child, Stopped, or what the function itself raised.
    """

    def __init__(self, seconds, stop=None):
        self.seconds, self.stop, self.child = seconds, stop or threading.Event(), None

    def call(self, function, *arguments):
        try:
            if self.child is None or self.child.poll() is not None:
                self._start()
            kind, value = self._ask((f"{function.__module__}:{function.__qualname__}", arguments))
        except BaseException:          # an interrupt too: an answer that nobody waited for must not be taken for the next one
            self.close()
            raise
        if kind == "raised":
            raise value
        return value

    def _start(self):
        """A new child, in a session of its own: a Ctrl-C in the terminal or the notebook is for the parent alone."""
        self.close()
        places = [str(Path(__file__).resolve().parents[2]), *(place for place in sys.path if place)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)), "OMP_NUM_THREADS": "1",
                       "OPENBLAS_NUM_THREADS": "1"}
        try:
            self.child = subprocess.Popen([sys.executable, "-m", "medgen_kit.curate.child"], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, env=environment, start_new_session=True)
            self._receive(START_SECONDS)
        except (OSError, EOFError, Hung) as error:
            raise KitError("a worker process could not be started. Is there enough memory? Set workers: 0 to work without one.") from error

    def _ask(self, message):
        """What the child answers."""
        try:
            send(self.child.stdin, message)
            return self._receive(self.seconds)
        except (OSError, EOFError) as error:
            code = self.child.wait()
            raise (Stopped() if self.stop.is_set() else Crashed(code)) from error

    def _receive(self, seconds):
        """The next message of the child, within `seconds`."""
        end = time.monotonic() + seconds

        def exactly(count):
            parts = []
            while count:
                if self.stop.is_set():
                    raise Stopped
                left = end - time.monotonic()
                if not select.select([self.child.stdout], [], [], max(0.0, min(left, GLANCE_SECONDS)))[0]:
                    if left <= 0:
                        raise Hung(f"more than {seconds:g} seconds")
                    continue
                part = os.read(self.child.stdout.fileno(), min(count, 1 << 20))
                if not part:
                    raise EOFError
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

        return pickle.loads(exactly(struct.unpack("<Q", exactly(8))[0]))

    def close(self):
        """End the child."""
        child, self.child = self.child, None
        if child:
            child.kill()
            child.wait()
            with contextlib.suppress(OSError):             # a call that the child no longer took
                child.stdin.close()
            child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send(stream, message):
    """Write one pickled message with its length before it."""
    data = pickle.dumps(message)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()
