"""Runs the whole course: every notebook in order on one profile, into one run folder, ending in an HTML report.

    python course/tools/run_course.py --profile cpu --name my-first-run

The same command after an interruption goes on where it stopped.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import pages                                            # noqa: E402
from course.tools.execute import NotebookFailed, execute                  # noqa: E402
from medgen_kit import __version__, profiles                              # noqa: E402
from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError, is_disk_full                      # noqa: E402
from medgen_kit.run import Run                                            # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
TARGET_MINUTES = 20              # for profile cpu on two quiet cores, after installation
USUAL = {                        # seconds a notebook, for the estimate of a first run
    "cpu": {"00": 45, "01": 55, "02": 70, "03": 50, "04": 160, "05": 580, "06": 25, "07": 20, "08": 85, "09": 12},
    "smoke": {"00": 25, "01": 20, "02": 20, "03": 10, "04": 15, "05": 25, "06": 15, "07": 20, "08": 15, "09": 10}}


def run_course(profile="cpu", name="", seed=0, folder=NOTEBOOKS, say=print):
    """Run the notebooks NN_*.ipynb of `folder` in order; returns the path of the HTML report.

    profile, seed: for every notebook. name: folder under runs (default: the profile's name). say: prints a line.
    A notebook that was finished with the same source, profile, seed and package code is not run again.
    Raises KitError for a wrong profile or name or a second course on the same run, NotebookFailed (a KitError) for a cell that fails.
    """
    from filelock import FileLock, Timeout

    run = Run.open(profiles.load(profile, seed=seed), name)
    notebooks = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise KitError(f"{folder} holds no notebooks named NN_topic.ipynb, so there is no course to run.")
    (run.root / ".locks").mkdir(exist_ok=True)
    lock = FileLock(str(run.root / ".locks" / "course.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise KitError(f"another course is running in runs/{run.root.name}. Wait for it, or choose another --name.") from None
    try:
        say(f"Profile {run.profile.name}{'' if profile else ' (none was given)'}, run {run.root.name}, seed {seed}.")
        return Course(run, notebooks, say).go()
    finally:
        lock.release()


class Course:
    """One pass over the notebooks; what is finished stands in course.json."""

    def __init__(self, run, notebooks, say=print):
        self.run, self.notebooks, self.say = run, notebooks, say
        self.file = run.root / "course.json"
        self.done = json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}
        self.expected = {n.stem: self._expect(n.stem) for n in notebooks}
        self.spent = self.foreseen = 0.0
        self.code = package_hash()

    def go(self):
        for number, notebook in enumerate(self.notebooks, 1):
            head = f"[{number:>2}/{len(self.notebooks)}] {notebook.stem:<24}"
            key, target = self.key(notebook), self.target(notebook)
            old = self.done.get(notebook.stem, {})
            if old.get("key") == key and target.is_file():
                self.say(f"{head} done before in {clock(old['seconds'])}")
                continue
            if self.done.pop(notebook.stem, None):              # whatever happens now, the finished page of before is about to go
                write_text(self.file, json.dumps(self.done, indent=1))
            seconds = self.one(notebook, target, head, number)
            self.done[notebook.stem] = {"key": key, "seconds": round(seconds, 1)}
            write_text(self.file, json.dumps(self.done, indent=1))
        return self.finish()

    def one(self, notebook, target, head, number):
        """Run one notebook with its progress line; seconds it took."""
        left = sum(self.expected[n.stem] for n in self.notebooks[number - 1:] if self.fresh(n))
        started = time.time()
        part = target.with_name(f".{target.name}.part.ipynb")
        line = Line(head, left * self.pace(), started, self.say)
        parameters = {"profile": self.run.profile.place, "seed": self.run.profile.seed, "run_name": self.run.root.name}
        try:
            execute(notebook, part, parameters, line.stage)
        except NotebookFailed:
            line.end("stopped")
            os.replace(part, target)
            raise
        except BaseException:
            line.end("interrupted")
            part.unlink(missing_ok=True)
            raise
        os.replace(part, target)
        seconds = time.time() - started
        self.spent, self.foreseen = self.spent + seconds, self.foreseen + self.expected[notebook.stem]
        after = sum(self.expected[n.stem] for n in self.notebooks[number:] if self.fresh(n)) * self.pace()
        line.end(f"finished in {clock(seconds)}" + (f", about {clock(after)} left" if after else ""))
        return seconds

    def finish(self):
        """HTML pages, report.json, the closing lines."""
        times = {n.stem: self.done[n.stem]["seconds"] for n in self.notebooks}
        total = round(sum(times.values()), 1)
        self.run.report("course", seconds=total, notebooks=times)
        index = pages.write(self.run, [self.target(n) for n in self.notebooks], times, self.notebooks[0].parent)
        verdict = ""
        if self.run.profile.name == "cpu":
            late = "" if total <= 60 * TARGET_MINUTES else "; a busy or slower machine takes longer, nothing is wrong"
            verdict = f" (wanted on 2 quiet cores: {TARGET_MINUTES} min{late})"
        self.say(f"The course took {clock(total)}{verdict}.")
        self.say(f"MedGen Kit {__version__}, profile '{self.run.profile.name}', seed {self.run.profile.seed}. Report: {index}")
        return index

    def key(self, notebook):
        """Hash of what an executed notebook depends on."""
        import nbformat

        cells = [(cell.cell_type, cell.source) for cell in nbformat.read(notebook, 4).cells]
        profile = self.run.profile
        facts = [cells, profile.name, profile.settings(*profile.sections), profile.seed, self.code]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]

    def fresh(self, notebook):
        """True when the notebook still has to run."""
        return self.done.get(notebook.stem, {}).get("key") != self.key(notebook) or not self.target(notebook).is_file()

    def target(self, notebook):
        return self.run.root / "notebooks" / notebook.name

    def pace(self):
        """How much slower (or faster) than expected this machine is today, from the notebooks run so far."""
        return min(5.0, max(0.3, self.spent / self.foreseen)) if self.foreseen else 1.0

    def _expect(self, stem):
        last = self.run.figures("course").get("notebooks", {}).get(stem) or self.done.get(stem, {}).get("seconds")
        return float(last or USUAL.get(self.run.profile.name, {}).get(stem[:2], 60))


class Line:
    """The progress line of one notebook: rewritten every second on a terminal; in a log, a line for each new stage, further ones no closer
    than 30 seconds, and one at the end."""

    def __init__(self, head, left, started, say):
        self.head, self.left, self.started, self.say, self.text, self.told = head, left, started, say, "", started
        self.live = say is print and sys.stdout.isatty()
        self.over = threading.Event()
        if self.live:
            threading.Thread(target=self._tick, daemon=True).start()
        else:
            say(f"{head} started, about {clock(left)} left")

    def stage(self, text):
        self.text, now = text, time.time()
        if not self.live and (text.startswith("making") or now - self.told > 30):
            self.told = now
            self.say(f"        {clock(now - self.started):>12}  {text}")

    def end(self, text):
        self.over.set()
        if self.live:
            print("\r\x1b[2K", end="")
        self.say(f"{self.head} {text}")

    def _tick(self):
        import shutil

        while not self.over.wait(1):
            gone = time.time() - self.started
            line = f"{self.head} {clock(gone)}, about {clock(max(0, self.left - gone))} left  {self.text}"
            print("\r\x1b[2K" + line[:shutil.get_terminal_size().columns - 1], end="", flush=True)


def package_hash():
    """Hash of all code, profiles and tables of medgen_kit, and of the paper's tables that the lessons read."""
    kinds = (".py", ".yaml", ".json", ".jsonl", ".csv")
    files = sorted(path for folder in ("medgen_kit", "data_cards/paper") for path in (ROOT / folder).rglob("*") if path.suffix in kinds)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:20]


def clock(seconds):
    """45 s, 3 min 20 s."""
    seconds = round(seconds)
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02d} s"


def main(arguments=None):
    """The command line; the exit code is 0, 1 for a failing notebook or a wrong argument, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description="Run all notebooks of the course in order and write an HTML report.",
                                     epilog="example: python course/tools/run_course.py --profile smoke --name first-look")
    parser.add_argument("--profile", default="cpu", help="smoke, cpu (default), colab-t4, colab-l4, a100 or cluster; "
                        "empty: MEDGEN_PROFILE, else cpu")
    parser.add_argument("--name", default="", help="folder under runs (default: the profile's name)")
    parser.add_argument("--seed", type=int, default=0, help="for every notebook, 0 to 2**32 - 1 (default: 0)")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="folder of the notebooks (default: notebooks)")
    given = parser.parse_args(arguments)
    try:
        run_course(given.profile, given.name, given.seed, given.folder)
    except KitError as error:
        kept = "\nWhat was finished is kept. Put it right, then run the same command: it goes on from this notebook."
        print(f"{error}{kept if isinstance(error, NotebookFailed) else ''}", flush=True)
        return 1
    except OSError as error:
        if not is_disk_full(error):
            raise
        print(f"The disk is full ({error.filename or 'while a notebook was stored'}). What was finished is kept. Free some space, then run "
              "the same command: it goes on from here.", flush=True)
        return 1
    except KeyboardInterrupt:
        print("Stopped by you. What was finished is kept: the same command goes on from here.", flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
