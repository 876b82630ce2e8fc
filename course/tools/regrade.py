"""Runs handed-in projects again from their stamps and says which reported checks hold: python course/tools/regrade.py SUBMISSIONS.

A project's notebook is a student's program and runs with your rights: read it first, or run this command in a container. `--trust` says
that you know. course/projects/README.md describes the folder that is handed in.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ROOT / "course" / "projects"
COLUMNS = ("student", "project", "check", "reported", "again", "tolerance", "holds", "reason")
LARGEST = 50_000_000                                    # bytes of a submission
STAGES_ONLY = ("html", "notebooks", "datasets_cache", "fetched")


class NotReproduced(Exception):
    """A project cannot be run again, or stopped; the text is the reason in the table."""


def brief(name, folder=PROJECTS):
    """{check: tolerance} of a project's brief; a tolerance is "exact", "0.02" (as large as that) or "5 %" (of the reported value)."""
    path = Path(folder) / f"{name}.md"
    known = sorted(one.stem for one in Path(folder).glob("[0-9][0-9]_*.md"))
    if name not in known:
        raise NotReproduced(f"there is no brief of the project '{name}'. Projects: {', '.join(known)}.")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (exact|\d+(?:\.\d+)?(?: %)?) \|$", path.read_text(encoding="utf-8"), re.M)
    if not rows:
        raise NotReproduced(f"the brief {name}.md names no checks.")
    return dict(rows)


def holds(reported, again, tolerance):
    """True when two values of a check agree within a tolerance as `brief` gives it. Texts and truth values agree exactly or not at all."""
    numbers = is_number(reported) and is_number(again)
    if not numbers:
        return isinstance(reported, (str, bool)) and type(reported) is type(again) and reported == again
    if tolerance == "exact":
        return reported == again
    allowed = float(tolerance.rstrip(" %")) * (abs(reported) / 100 if tolerance.endswith("%") else 1)
    return abs(reported - again) <= allowed + 1e-12


def is_number(value):
    """True for a finite int or float (so not for True, and not for what JSON's 1e999 becomes)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def load(path, fields):
    """The JSON object in a file, with `fields` {name: type}; NotReproduced says what is wrong. NaN is refused."""
    def no(word):
        raise ValueError(f"{word} is no value")
    if not path.is_file() or path.is_symlink():
        raise NotReproduced(f"{path.name} is missing.")
    if path.stat().st_size > 1_000_000:
        raise NotReproduced(f"{path.name} is larger than a megabyte.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=no)
    except (ValueError, RecursionError) as error:
        raise NotReproduced(f"{path.name} is no JSON ({str(error)[:80]}).") from error
    for name, kind in fields.items():
        if not isinstance(found, dict) or not isinstance(found.get(name), kind):
            raise NotReproduced(f"{path.name} has no '{name}' of the kind {kind.__name__}.")
    return found


def handed_in(folder):
    """(report, stamp) of a submission, looked through."""
    report = load(folder / "checks.json", {"project": str, "checks": dict})
    stamp = load(folder / "stamp.json", {"profile": str, "seed": int})
    extra = report.setdefault("parameters", {})
    if not isinstance(extra, dict) or not all(isinstance(v, (str, int, float, bool)) for v in extra.values()):
        raise NotReproduced("'parameters' in checks.json must hold names with texts or numbers.")
    if {"profile", "seed", "run_name"} & set(extra):
        raise NotReproduced("profile and seed come from stamp.json, and the run's name is given here; take them out of 'parameters'.")
    return report, stamp


def fetch_copy(folder, scratch):
    """Copy a submission without its checks.json, its stamp and links, so that only the notebook can write them again."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if sum(path.stat().st_size for path in files) > LARGEST:
        raise NotReproduced(f"the folder is larger than {LARGEST // 1_000_000} MB.")
    for path in files:
        inside = path.relative_to(folder)
        if str(inside) not in ("checks.json", "stamp.json") and not any((folder / part).is_symlink() for part in inside.parents):
            (scratch / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, scratch / inside)
    if not (scratch / "project.ipynb").is_file():
        raise NotReproduced("project.ipynb is missing.")


def run_again(folder, stamp, extra, seed, base=None, minutes=20, memory_gib=8):
    """Run a submission's notebook in a scratch copy; returns what its new checks.json says. NotReproduced when it does not end well."""
    with tempfile.TemporaryDirectory(prefix="regrade-") as place:
        scratch = Path(place) / "work"
        scratch.mkdir()
        fetch_copy(folder, scratch)
        if base:
            shutil.copytree(base, Path(place) / "runs" / "regrade", ignore=shutil.ignore_patterns(*STAGES_ONLY))
        words = [sys.executable, "-m", "papermill", "project.ipynb", str(Path(place) / "again.ipynb"), "-k", "python3", "--cwd", ".",
                 "--no-progress-bar", "-p", "run_name", "regrade", "-r", "profile", stamp["profile"], "-p", "seed", str(seed)]
        for name, value in extra.items():
            words += ["-r" if isinstance(value, str) else "-p", str(name), str(value)]
        said = Path(place) / "said.txt"
        with said.open("w") as out:
            process = subprocess.Popen(words, cwd=scratch, env=plain_environment(place), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                       start_new_session=True, preexec_fn=lambda: limit(memory_gib))
            try:
                code = process.wait(60 * minutes)
            except subprocess.TimeoutExpired:
                raise NotReproduced(f"it did not end within {minutes:g} minutes.") from None
            finally:
                end(process)
        if code:
            raise NotReproduced(f"the notebook stopped: {last_error(said)}")
        return load(scratch / "checks.json", {"project": str, "checks": dict})


def plain_environment(place):
    """What the notebook's process sees: an empty home, its own runs, and nothing of the teacher's variables but the path."""
    home = Path(place) / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "OMP_NUM_THREADS") if name in os.environ}
    return kept | {"HOME": str(home), "MEDGEN_RUNS": str(Path(place) / "runs"), "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1",
                   "PYTHONPATH": str(ROOT), "JUPYTER_PREFER_ENV_PATH": "1"}


def limit(memory_gib):
    """Limits of the child: address space and the size of a file it writes. Systems without `resource` go without."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_gib * 2**30),) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**31,) * 2)


def end(process):
    """End a process and whatever it started; a kernel has a session of its own, so the whole tree is asked for first."""
    import psutil

    try:
        tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        tree = []
    for one in tree:
        try:
            one.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()


def last_error(path):
    """The last line with a word in what papermill said, shortened."""
    text = path.read_text(encoding="utf-8", errors="replace")[-20000:]
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    told = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception|Exit|Interrupt)\b", line)] or [line for line in lines if line]
    return told[-1][:200] if told else "it said nothing."


def compare(report, again, wanted, other=None):
    """One row for each check of the brief and each further one that the student reports; other: the checks under another seed."""
    rows, told, found = [], report["checks"], again["checks"]
    for name in [*wanted, *(name for name in told if name not in wanted)]:
        tolerance, reason = wanted.get(name, "exact"), ""
        if name not in told:
            reason = "the brief asks for it, and it was not reported"
        elif name not in found:
            reason = "the notebook did not write it again"
        elif not (is_number(told[name]) or isinstance(told[name], (str, bool))):
            reason = "it is neither a number nor a text"
        elif not holds(told[name], found[name], tolerance):
            reason = "another value came out"
        row = {"check": plain(name), "reported": plain(told.get(name)), "again": plain(found.get(name)), "tolerance": tolerance,
               "holds": "no" if reason else "yes", "reason": reason}
        if not reason and other is not None and other.get(name) == found[name]:
            row["reason"] = "does not move with the seed: is it computed?"
        rows.append(row)
    return rows


def plain(value, most=80):
    """A value as text for the table: floats with six digits, at most `most` letters, and never a formula for a spreadsheet."""
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value)
    text = " ".join(text.split())[:most]
    return f"'{text}" if re.match(r"[=+@\t]|-(?![\d.])", text) else text


def regrade(folder, base=None, minutes=20, memory_gib=8, other_seed=None, briefs=PROJECTS):
    """Rows of the table for one student's folder."""
    known = {"student": plain(folder.name), "project": ""}
    try:
        report, stamp = handed_in(folder)
        known["project"] = plain(report["project"])
        wanted = brief(report["project"], briefs)
        again = run_again(folder, stamp, report["parameters"], stamp["seed"], base, minutes, memory_gib)
        if again["project"] != report["project"]:
            raise NotReproduced(f"the notebook writes checks of '{plain(again['project'])}'.")
        other = None
        if other_seed is not None and other_seed != stamp["seed"]:
            other = run_again(folder, stamp, report["parameters"], other_seed, base, minutes, memory_gib)["checks"]
    except NotReproduced as error:
        return [known | dict.fromkeys(COLUMNS[2:], "") | {"holds": "no", "reason": plain(str(error), 240)}]
    return [known | row for row in compare(report, again, wanted, other)]


def main(words=None):
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("submissions", help="folder with one folder for each student")
    asked.add_argument("--out", default="regrade.csv", help="the table (regrade.csv)")
    asked.add_argument("--run", help="a finished run; a copy is put in place, so that its stages are not made again")
    asked.add_argument("--minutes", type=float, default=20, help="limit for one notebook (20)")
    asked.add_argument("--memory-gib", type=float, default=8, help="limit of address space for one process (8)")
    asked.add_argument("--other-seed", type=int, help="run once more with this seed and mark the checks that do not move")
    asked.add_argument("--trust", action="store_true", help="I have read the notebooks, or nothing of mine is on this machine")
    given = asked.parse_args(words)
    place = Path(given.submissions)
    students = sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")) if place.is_dir() else []
    if not students:
        sys.exit(f"{place} holds no folders. It needs one for each student, with project.ipynb, stamp.json and checks.json.")
    if given.run and not (Path(given.run) / "report.json").is_file():
        sys.exit(f"{given.run} is no finished run: it has no report.json.")
    if not given.trust:
        sys.exit("A project's notebook runs with your rights. Read the notebooks first, or run this in a container that holds nothing of "
                 "yours; then give the same command with --trust.")
    from medgen_kit.clip import write_csv

    rows = []
    for folder in students:
        found = regrade(folder, given.run, given.minutes, given.memory_gib, given.other_seed)
        print(f"{folder.name}: {sum(row['holds'] == 'yes' for row in found)} of {len(found)} hold", flush=True)
        rows += found
    write_csv(given.out, [{name: row[name] for name in COLUMNS} for row in rows])
    print(f"{len(rows)} rows in {given.out}")


if __name__ == "__main__":
    main()
