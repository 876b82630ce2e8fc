"""The cache of captions: one JSON line for every reply, so that an interrupted stage pays for none of them twice.

The key of a reply is the SHA-256 of all that it depends on: the frames, the question, the captioner with its model and settings, the
seed. So the file can be shared by runs, and a changed prompt or model asks again while a raised cost limit does not.
"""

import hashlib
import json
import os
import threading
import uuid
from pathlib import Path

from ..errors import DiskError


def key(kind, writer, question, pictures, seed):
    """64 hex digits. kind: "detailed" or "brief". question: the text that is asked. pictures: hash of the frames, "" where none is sent.

    writer: a captioner; its `name`, and its `model` and `params()` where it has them, are part of the key.
    """
    params = writer.params() if hasattr(writer, "params") else {}
    facts = [kind, writer.name, getattr(writer, "model_name", ""), params, question, pictures, seed]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


class Log:
    """Replies by key, kept in a JSONL file that only grows. Safe for several threads; other processes may append to the same file.

    path: None keeps the replies in memory only. A torn last line (a run that was killed) is skipped, and the next reply begins a new line.
    """

    def __init__(self, path=None):
        self.path, self.rows, self.total = path and Path(path), {}, 0.0
        self.lock, self.turns = threading.Lock(), {}
        if self.path and self.path.is_file():
            with self.path.open("rb") as file:
                for line in file:
                    self._take(line)

    def _take(self, line):
        try:
            row = json.loads(line)
        except ValueError:                                   # torn, or bytes that are no UTF-8
            return
        if isinstance(row, dict) and isinstance(row.get("key"), str) and isinstance(row.get("cost", 0), int | float):
            self._keep(row)

    def _keep(self, row):
        self.rows[row["key"]] = row
        self.total += row.get("cost") or 0.0

    def __len__(self):
        return len(self.rows)

    def get(self, name):
        """The row of a key, or None. Rows of lost requests (without a reply) are not found."""
        row = self.rows.get(name)
        return row if row and isinstance(row.get("reply"), str) else None

    def turn(self, name):
        """A lock for one key: who holds it asks, who waits for it finds the reply. So two equal clips are not paid for twice."""
        with self.lock:
            return self.turns.setdefault(name, threading.Lock())

    def put(self, name, **row):
        """Keep a reply (reply=..., usage=..., cost=...): on the disk before this returns. DiskError when it cannot be written."""
        row = {"key": name, **row}
        with self.lock:
            self._keep(row)
            if self.path:
                self._append(json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace"), "cost" in row)
        return row

    def lost(self, name, cost):
        """Note a request that was sent and never answered: it may have to be paid for, but there is no reply."""
        return self.put(f"{name}/lost/{uuid.uuid4().hex[:8]}", cost=cost)

    def _append(self, line, paid):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                file.write((b"\n" if self._torn(file) else b"") + line + b"\n")
                file.flush()
                if paid:
                    os.fsync(file.fileno())
        except OSError as error:
            raise DiskError(f"{self.path} could not be written ({error.strerror}), so replies that were paid for would be lost. Free some "
                            "disk space, then run the same cell again.") from error

    @staticmethod
    def _torn(file):
        """True when the file ends in half a line."""
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"

    def spent(self):
        """What all replies of the file cost together, lost ones included, in the currency of the prices."""
        return self.total
