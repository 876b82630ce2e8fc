"""Runs handed-in projects again from their stamps and says which reported checks hold: python course/tools/regrade.py SUBMISSIONS.

A project's notebook is a student's program. It is shut in as an exercise is (`medgen_kit.exercise.sandbox`): own files, no network, limits.
Where the system has no such walls, nothing runs without `--trust`. course/projects/README.md describes the folder that is handed in.
"""

import argparse
import json
import math
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from medgen_kit.clip import write_csv
from medgen_kit.errors import KitError
from medgen_kit.exercise import sandbox
from medgen_kit.exercise.grade import harmless, labels

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ROOT / "course" / "projects"
COLUMNS = ("student", "project", "check", "reported", "again", "tolerance", "holds", "reason")
LARGEST = 50_000_000                                    # bytes of a submission
WORKER = str(Path(__file__).with_name("regrade_worker.py"))
MACHINE = ("/proc/cpuinfo", "/sys/devices/system/cpu")              # torch asks them before it computes with half precision
ROOM = {"worker": WORKER, "scratch_mib": 4096, "shared_mib": 256, "inodes": 200_000, "file_mib": 2048, "processes": 256,
        "open_files": 1024, "cores": 2}


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


def copied(folder, target, but=()):
    """Copy the files of a submission, without links and without those named in `but`. NotReproduced when there is too much."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if sum(path.stat().st_size for path in files) > LARGEST:
        raise NotReproduced(f"the folder is larger than {LARGEST // 1_000_000} MB.")
    for path in files:
        inside = path.relative_to(folder)
        if str(inside) not in but and not any((folder / part).is_symlink() for part in inside.parents if part.name):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)


def fetch_copy(folder, target):
    """Copy a submission without its checks.json and its stamp, so that only the notebook can write them again."""
    copied(folder, target, ("checks.json", "stamp.json"))
    if not (target / "project.ipynb").is_file():
        raise NotReproduced("project.ipynb is missing.")


def run_again(folder, stamp, extra, seed, base=None, minutes=20, memory_gib=8, trust=False):
    """Run a copy of a submission's notebook and return what its new checks.json says. NotReproduced when it does not end well."""
    with tempfile.TemporaryDirectory(prefix="regrade-") as name:
        place = Path(name)
        (place / "in").mkdir()
        fetch_copy(folder, place / "in")
        place.chmod(0o755)                               # behind the walls it is another user who reads
        told = extra | {"profile": stamp["profile"], "seed": seed, "run_name": "regrade"}
        job = {"folder": str(place / "in"), "parameters": told, "base": str(Path(base).resolve()) if base else ""}
        lent = [WORKER, *MACHINE, str(ROOT / "data_cards"), job["folder"], *([job["base"]] if base else [])]
        outcome = sandbox.run(job, minutes * 60, memory_gib, trust, sandbox.Room(read=tuple(lent), **ROOM))
        if outcome.ended:
            raise NotReproduced(f"the notebook was ended: {outcome.ended}.")
        try:
            answer = json.loads(outcome.wrote)
            stopped, text, unreadable = answer["stopped"], answer["checks"], answer["unreadable"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NotReproduced("the notebook spoiled the answer of its own process.") from None
        if unreadable:
            raise NotReproduced(f"project.ipynb is not a notebook that can be read ({unreadable}).")
        if stopped or not isinstance(text, str):
            raise NotReproduced(f"the notebook stopped in {stopped}" if stopped else "the notebook wrote no checks.json.")
        (place / "checks.json").write_text(text, encoding="utf-8", errors="replace")
        return load(place / "checks.json", {"project": str, "checks": dict})


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
        if not reason and other is not None and name in other and rests(found[name], other[name], tolerance):
            row["reason"] = "does not move with the seed: is it computed?"
        rows.append(row)
    return rows


def rests(found, other, tolerance):
    """True when another seed gives the same value, or one that is not further off than the tolerance or a thousandth of it allows."""
    whole = isinstance(found, int) and isinstance(other, int)
    return holds(found, other, tolerance) or (not whole and holds(found, other, "0.1 %"))


def plain(value, most=80):
    """A value as text for the table: floats with six digits, at most `most` letters, and never a formula for a spreadsheet."""
    if value is None:
        return ""
    return harmless(f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value), most)


def regrade(folder, base=None, minutes=20, memory_gib=8, other_seed=None, trust=False, briefs=PROJECTS, student=None):
    """Rows of the table for one student's folder; whatever goes wrong costs this student alone. student: the name in the table."""
    known = {"student": student or plain(folder.name), "project": ""}
    try:
        if folder.is_symlink():
            raise NotReproduced("the folder is a link. Hand in the folder itself.")
        report, stamp = handed_in(folder)
        known["project"] = plain(report["project"])
        wanted = brief(report["project"], briefs)
        again = run_again(folder, stamp, report["parameters"], stamp["seed"], base, minutes, memory_gib, trust)
        if again["project"] != report["project"]:
            raise NotReproduced(f"the notebook writes checks of '{plain(again['project'])}'.")
        other = None
        if other_seed is not None and other_seed != stamp["seed"]:
            other = run_again(folder, stamp, report["parameters"], other_seed, base, minutes, memory_gib, trust)["checks"]
        return [known | row for row in compare(report, again, wanted, other)]
    except (NotReproduced, KitError) as error:
        reason = str(error)
    except Exception as error:                           # the grader's own; the rest of the class is graded all the same
        reason = f"the grader failed here ({type(error).__name__}: {error}); this says nothing about the project."
    return [known | dict.fromkeys(COLUMNS[2:], "") | {"holds": "no", "reason": plain(reason, 240)}]


def hidden(run):
    """True when root lends a run of which some file may be read by its owner alone: what runs behind the walls is not root any more."""
    return os.geteuid() == 0 and any(not path.stat().st_mode & stat.S_IROTH for path in run.rglob("*") if path.is_file())


def snapshot(folders, place):
    """{folder: its copy below `place`}, for notebooks that could change the files of others; what can not be copied stands for itself."""
    found = {}
    for number, folder in enumerate(folder for folder in folders if not folder.is_symlink()):
        copy = found[folder] = place / str(number)
        try:
            copied(folder, copy)
        except (NotReproduced, OSError):
            found[folder] = folder
    return found


def main(words=None):
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("submissions", help="folder with one folder for each student")
    asked.add_argument("--out", default="regrade.csv", help="the table (regrade.csv)")
    asked.add_argument("--run", help="a finished run, for example runs/cpu: its stages are lent, so that they are not made again")
    asked.add_argument("--minutes", type=float, default=20, help="limit for one notebook (20)")
    asked.add_argument("--memory-gib", type=float, default=8, help="limit for one notebook (8)")
    asked.add_argument("--other-seed", type=int, help="run once more with this seed and mark checks that stay within "
                       "their tolerance; a lent run is of one seed, so what is read of it is made again (minutes)")
    asked.add_argument("--trust", action="store_true", help="run without walls: a notebook can then read and change "
                       "other submissions; on macOS and Windows its memory is not limited")
    given = asked.parse_args(words)
    place = Path(given.submissions)
    seen = [path for path in sorted(place.iterdir()) if not path.name.startswith(".")] if place.is_dir() else []
    students = [path for path in seen if path.is_dir() or path.is_symlink()]
    if not students:
        sys.exit(f"{place} holds no folders. It needs one for each student, with project.ipynb, stamp.json and checks.json.")
    if given.run and not (Path(given.run) / "report.json").is_file():
        sys.exit(f"{given.run} is no finished run: it has no report.json.")
    if given.run and not given.trust and hidden(Path(given.run)):
        sys.exit(f"behind the walls another user reads {given.run}, and some of its files are yours alone. Let others read: "
                 f"chmod -R a+rX {given.run}")
    try:
        if not given.trust:
            sandbox.refuse_if_open()
    except KitError as error:
        sys.exit(str(error))
    for path in [path for path in seen if path not in students]:
        print(f"left out: {plain(path.name)} (no folder)")
    with tempfile.TemporaryDirectory(prefix="regrade-") as name:
        of_all(students, snapshot(students, Path(name)) if given.trust else {}, given)


def of_all(students, copies, given):
    """Run all students' projects and write the table, anew after each."""
    rows, names = [], labels([path.name for path in students])
    for folder in students:
        found = regrade(copies.get(folder, folder), given.run, given.minutes, given.memory_gib, given.other_seed, given.trust,
                        student=names[folder.name])
        still = sum(row["holds"] == "yes" and bool(row["reason"]) for row in found)
        print(f"{names[folder.name]}: {sum(row['holds'] == 'yes' for row in found)} of {len(found)} hold"
              + f", {still} of them do not move with the seed" * bool(still), flush=True)
        rows += found
        write_csv(given.out, [{name: row[name] for name in COLUMNS} for row in rows])
    print(f"{len(rows)} rows in {given.out}")


if __name__ == "__main__":
    main()
