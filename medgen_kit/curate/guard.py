"""A child process that looks at one file at a time: a decoder that crashes or hangs costs that file and nothing else."""

import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from ..errors import KitError

START_SECONDS = 120            # to begin (imports) before the clock of the first file runs


class Crashed(Exception):
    """The child process ended in the middle of a file. signal: its number, 0 when it simply left."""

    def __init__(self, code):
        super().__init__(f"the decoder process ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})")


class Hung(Exception):
    """The child process took longer than it may for one file."""


class Guard:
    """`guard.call(function, *arguments)` runs a function of a module in the child; arguments and result are pickled.

    seconds: limit for one call. Raises Crashed or Hung, after which the next call starts a new child, or what the function itself raised.
    """

    def __init__(self, seconds):
        self.seconds, self.child = seconds, None

    def call(self, function, *arguments):
        if self.child is None or self.child.poll() is not None:
            self._start()
        try:
            send(self.child.stdin, (f"{function.__module__}:{function.__qualname__}", arguments))
            kind, value = self._receive(self.seconds)
        except (OSError, EOFError) as error:
            code = self.child.wait()
            self.close()
            raise Crashed(code) from error
        if kind == "raised":
            raise value
        return value

    def _start(self):
        places = [str(Path(__file__).resolve().parents[2]), *(place for place in sys.path if place)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)), "OMP_NUM_THREADS": "1",
                       "OPENBLAS_NUM_THREADS": "1"}
        self.child = subprocess.Popen([sys.executable, "-m", "medgen_kit.curate.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env=environment)
        try:
            self._receive(START_SECONDS)
        except (OSError, EOFError, Hung) as error:
            self.close()
            raise KitError("a worker process could not be started. Is there enough memory? Set workers: 0 to work without one.") from error

    def _receive(self, seconds):
        """The next message of the child, within `seconds`."""
        end = time.monotonic() + seconds

        def exactly(count):
            parts = []
            while count:
                left = end - time.monotonic()
                if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                    self.close()
                    raise Hung(f"more than {seconds:g} seconds")
                part = os.read(self.child.stdout.fileno(), min(count, 1 << 20))
                if not part:
                    raise EOFError
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

        return pickle.loads(exactly(struct.unpack("<Q", exactly(8))[0]))

    def close(self):
        """End the child."""
        if self.child is None:
            return
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send(stream, message):
    """Write one pickled message with its length before it."""
    data = pickle.dumps(message)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()
