"""The log of a training: one JSON line a step in log.jsonl, and TensorBoard's files where tensorboardX is installed."""

import json
import math
import time
from pathlib import Path

import torch

from ..run import peak_memory

LAST = 20                              # steps whose mean is told
BOARD = 20                             # steps whose mean TensorBoard gets (writing its files costs as much as a small training step)


class Journal:
    """Lines {"step", one value per loss, "lr", "norm", "seconds", "memory_mib"}; what a killed run wrote after its checkpoint is cut
    off."""

    def __init__(self, folder, step, writes=True):
        self.path, self.rows, self.writes, self.board = Path(folder) / "log.jsonl", [], writes, None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if writes:
            kept = [line for line in self.lines() if json.loads(line)["step"] < step]
            self.rows = [row for row in map(json.loads, kept) if "validation" not in row]
            self.path.write_text("".join(kept), encoding="utf-8")
            self.file, self.flushed = self.path.open("a", encoding="utf-8"), time.monotonic()
            self.board = board(folder, step)

    def lines(self):
        """The whole lines of the file (a killed run may have left half of one)."""
        if not self.path.is_file():
            return []
        return [line for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]

    def write(self, state, losses, lr, norm):
        """Log one step; returns {loss: value}. One transfer from the GPU, whatever the number of losses."""
        names = list(losses)
        values = torch.stack([losses[name].float() for name in names] + [torch.as_tensor(norm if norm is not None else 0.0,
                                                                                         device=losses[names[0]].device).float()]).tolist()
        row = dict(zip(names, values))
        line = {"step": state["step"], **{name: round(value, 5) for name, value in row.items()}, "lr": lr,
                "norm": round(values[-1], 5) if math.isfinite(values[-1]) else None, "seconds": round(state["seconds"], 2),
                "memory_mib": memory()}
        self.rows.append(line)
        if self.writes:
            self.file.write(json.dumps(line) + "\n")
            if time.monotonic() - self.flushed > 1:
                self.flush()
            if self.board and (state["step"] + 1) % BOARD == 0:
                for name, value in self.means(BOARD).items():
                    self.board.add_scalar(f"train/{name}", value, state["step"])
        return row

    def note(self, step, figures):
        """Log a validation that was made after `step` steps."""
        if self.writes:
            self.file.write(json.dumps({"step": step - 1, "validation": figures}) + "\n")
            for name, value in figures.get("levels", {}).items() if self.board else ():
                self.board.add_scalar(f"noise level/{name}", value, step)

    def flush(self):
        """What was logged is on the disk afterwards; it happens every second, and before a checkpoint."""
        if self.writes:
            self.file.flush()
            self.flushed = time.monotonic()

    def close(self):
        """Everything is on the disk afterwards."""
        if self.writes:
            self.file.close()
        if self.board:
            self.board.close()

    def means(self, count=LAST):
        """Mean of each loss over the last `count` steps."""
        last = [self.losses(row) for row in self.rows[-count:]]
        return {name: sum(row.get(name, 0) for row in last) / len(last) for name in last[-1]}

    def history(self):
        """[{"step", losses}] of the whole training."""
        return [{"step": row["step"], **self.losses(row)} for row in self.rows]

    @staticmethod
    def losses(row):
        return {name: value for name, value in row.items() if name not in ("step", "lr", "norm", "seconds", "memory_mib")}


def show(watch, step, total, left, means, picture=None):
    """Hand a training's progress to a notebook's monitor (or to nobody, None)."""
    if watch is not None:
        watch.total = total
        others = {name: value for name, value in means.items() if name != "flow"}
        watch.update(step, loss=means["flow"], seconds_left=left, picture=picture, memory_mib=memory(), **others)


def board(folder, step):
    """TensorBoard's writer, or None when tensorboardX is not installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(Path(folder) / "tensorboard"), purge_step=step)


def memory():
    """MiB: the most that was held on the GPU, or by this process where there is none."""
    return round(torch.cuda.max_memory_allocated() / 2**20) if torch.cuda.is_available() else peak_memory()


def validations(folder):
    """[{"step" (after so many steps), figures}] of a training's log."""
    path = Path(folder) / "log.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return [{"step": row["step"] + 1, **row["validation"]} for row in rows if "validation" in row]
