"""`make site`: lessons as they were run, course pages, exercises and cards as a web site that needs no network.

    python course/tools/site.py --run cpu

It takes the lessons of that run where they are of today's edition, else the outputs stored in the repository.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools import site_check, slides                               # noqa: E402
from course.tools.executed import lessons                                 # noqa: E402
from course.tools.site_source import Source                               # noqa: E402
from course.tools.vendor import vendor                                    # noqa: E402
from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402

SITE = ROOT / "course" / "site"
OUT = {False: ROOT / "build" / "site", True: ROOT / "build" / "site-teacher"}          # by whether it is for teachers
SCRIPTS = ("@jupyter-widgets/html-manager", "requirejs", "mathjax")
NAMES = {"README.md": "Handbook <README>", "course/README": "Overview <course/README>"}        # in the list of pages
TOLD = 20                        # faults that are told


def build(run="cpu", out=None, teacher=False, root=ROOT, say=print):
    """Build the site into `out`, which is replaced when all went well; returns the path of its start page.

    run: name of a run folder. out: by default build/site, for teachers build/site-teacher. teacher: with solutions and answer keys.
    root: the repository. say: prints a line. Raises KitError: Sphinx is missing or warns, a link leads nowhere, a picture has no alt
    text, a page would load from outside, `out` holds something else than a site.
    """
    started, out = time.time(), Path(out or OUT[teacher])
    slides.refuse_others(out, "course.js")
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=made(out.parent)) as work:
        source, finished = Source(Path(work) / "source", root, teacher), Path(work) / "html"
        notebooks, fresh = lessons([root / page for page in source.lessons], run)
        say(f"{len(source.pages)} pages. {fresh}")
        source.write(notebooks, slides=bool(notebooks))
        dress(source)
        sphinx(source.folder, finished)
        if notebooks:
            slides.write(notebooks, finished / "slides")
        faults, outside = site_check.problems(finished)
        if faults:
            more = f"\n  and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
            raise KitError("the site has faults:\n  " + "\n  ".join(faults[:TOLD]) + more)
        shutil.rmtree(out, ignore_errors=True)
        os.replace(finished, out)
    say(f"Links inside the site hold, every picture has its words. {len(outside)} links lead to other sites; they were not fetched.")
    say(f"The site took {time.time() - started:.0f} s: {out / 'index.html'}")
    return out / "index.html"


def made(folder):
    """The folder, made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def dress(source):
    """Add to the source what does not come from the repository's pages: start page, settings, styles, scripts."""
    from plotly.offline import get_plotlyjs

    static = source.folder / "_static"
    for name in ("conf.py", "course.css", "course.js", "favicon.svg"):
        target = source.folder / name if name == "conf.py" else static / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SITE / name, target)
    vendor(SCRIPTS, static)
    if source.drawn:
        write_text(static / "plotly.min.js", get_plotlyjs())
    write_text(source.folder / "index.md", start_page(source))
    source.settled()


def start_page(source):
    """The start page: its words, the ten lessons, and the list of all pages."""
    def listed(caption, pages):
        names = "\n".join(NAMES.get(page, page.removesuffix(".md").removesuffix(".ipynb")) for page in pages)
        return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```\n" if pages else ""

    folders = [home.removesuffix(".md") for folder in source.folders() if (home := source.home(folder))]
    exercises = [page for page in folders if page.startswith("course/exercises")]
    reference = [page for page in ("course/glossary.md", "course/ethics.md") if page in source.pages]
    reference += [page for page in folders if page.startswith("data_cards")]
    course = [page for page in source.pages if os.path.dirname(page) == "course" and page not in reference]
    course += [page for page in folders if page not in [*exercises, *reference]]
    order = ("course/README", "course/syllabus", "course/teacher", "course/plans", "course/lessons", "course/quizzes", "course/projects")
    course.sort(key=lambda page: next((k for k, start in enumerate(order) if page.startswith(start)), len(order)))
    handbook = [page for page in ("README.md",) if page in source.pages]
    text = (SITE / "index.md").read_text(encoding="utf-8").replace("<!-- lessons -->", source.lesson_cards())
    return "\n\n".join([source.linked(text, "index.md"), listed("Lessons", source.lessons), listed("Practice", exercises),
                        listed("Reference", [*reference, *handbook]), listed("For teachers", course)])


def sphinx(folder, out):
    """Run Sphinx, warnings as errors. KitError with its words when it fails."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "2", "-b", "html", "-d", str(folder / ".doctrees"),
               str(folder), str(out)]
    try:
        import sphinx  # noqa: F401
    except ImportError:
        raise KitError("Sphinx is not installed. `make site` installs it, or: pip install -r requirements-site.lock") from None
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()
        raise KitError("Sphinx could not build the site:\n  " + "\n  ".join(said[:TOLD]))


def main(arguments=None):
    """The command line; the exit code is 0, or 1 when the site could not be built."""
    parser = argparse.ArgumentParser(description="Build the course's web site, which needs no network to be read.")
    parser.add_argument("--run", default="cpu", help="the run whose executed lessons are shown (default: cpu)")
    parser.add_argument("--out", type=Path, help="folder of the site (default: build/site, or build/site-teacher)")
    parser.add_argument("--teacher", action="store_true", help="with solutions and answer keys; do not publish this one")
    given = parser.parse_args(arguments)
    try:
        build(given.run, given.out, given.teacher)
    except KitError as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
