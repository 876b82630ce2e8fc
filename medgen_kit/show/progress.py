"""Progress of a long loop: at most ten lines of text (step, loss, memory, time left), a curve that grows in one place of the page, now and
then a picture."""

from .bundle import send_again
from .charts import drawn, figure
from .strips import filmstrip

SILENT = 20                      # a loop of so few steps is a test: it says nothing
LINES = 10


def monitor(total, quiet=None):
    """A TrainingMonitor for `total` steps. quiet: True silences it; default: silent for 20 steps or fewer."""
    return TrainingMonitor(total, quiet)


class TrainingMonitor:
    """`update(step, loss=..., seconds_left=..., picture=...)` after each step; prints ten lines in all. `history` keeps (step, loss)."""

    def __init__(self, total, quiet=None):
        self.total, self.quiet, self.history, self._said, self._place = int(total), quiet, [], -1, None

    def update(self, step, loss=None, seconds_left=None, picture=None, memory_mib=None, **figures):
        """Step counts from 1. picture: frames uint8 [T, H, W, 3], shown as a filmstrip. memory_mib: the most that was held so far. figures:
        further numbers for the line."""
        if loss is not None:
            self.history.append((int(step), float(loss)))
        if self.quiet or self.quiet is None and self.total <= SILENT:
            return
        tenth = min(LINES, step * LINES // max(1, self.total))
        if tenth > self._said and (tenth > 0 or step <= 1):
            self._said = tenth
            words = [f"  step {step:>5} of {self.total}"] + ([f"loss {loss:.3f}"] if loss is not None else [])
            words += [f"{name} {value:.3f}" for name, value in figures.items()]
            words += [f"{memory_mib / 1024:.1f} GiB"] if memory_mib else []
            words += [f"{clock(seconds_left)} left"] if seconds_left is not None and step < self.total else []
            print("   ".join(words), flush=True)
            if len(self.history) > 1:
                self._place = send_again(drawn(self._curve(self.history)), self._alt(self.history), self._place)
        if picture is not None:
            filmstrip(picture, alt=f"Frames of a sample after step {step} of {self.total}.", caption=f"SYNTHETIC. Sample after step {step}")

    def curve(self, caption="", every=1):
        """Show the loss against the step. every: average over so many steps."""
        if not self.history:
            return
        blocks = [self.history[i:i + every] for i in range(0, len(self.history), every)]
        points = [(b[-1][0], sum(loss for _, loss in b) / len(b)) for b in blocks]
        figure(self._curve(points), self._alt(points), caption)

    @staticmethod
    def _curve(points):
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(7, 3))
        ax.plot(*zip(*points), marker="o" if len(points) < 30 else None)
        ax.set(xlabel="training step", ylabel="loss", ylim=(0, None))
        return fig

    @staticmethod
    def _alt(points):
        (first, before), (last, after) = points[0], points[-1]
        return f"Line: the loss goes from {before:.2f} at step {first} to {after:.2f} at step {last}."


def clock(seconds):
    """Seconds as people say them: 45 s, 3 min 20 s."""
    seconds = max(0, round(seconds))
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02d} s"
