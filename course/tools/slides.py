"""`make slides`: a deck for each lesson, with the lesson's own pictures, shown in any browser without a network.

    python course/tools/slides.py --run cpu

The decks follow from the notebooks' fixed anatomy; see slide_deck.py for the rules.
"""

import argparse
import html
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools.executed import lessons                                 # noqa: E402
from course.tools.shown import Files                                      # noqa: E402
from course.tools.slide_deck import deck, inline, page_of                 # noqa: E402
from course.tools.vendor import vendor                                    # noqa: E402
from medgen_kit.clip import write_text                                    # noqa: E402
from medgen_kit.errors import KitError                                    # noqa: E402

SITE = ROOT / "course" / "site"
OUT = ROOT / "build" / "slides"
SCRIPTS = ("reveal.js", "mathjax")


def write(notebooks, out=OUT):
    """Write NAME.html for each notebook and index.html into `out`; returns {name: number of slides}.

    notebooks: {name: notebook with its outputs}. The folder is replaced.
    KitError when it holds something else, or the scripts cannot be fetched.
    """
    from plotly.offline import get_plotlyjs

    out = Path(out)
    refuse_others(out, "slides.css")
    shutil.rmtree(out, ignore_errors=True)
    static, frame, counts = out / "_static", (SITE / "slides.html").read_text(encoding="utf-8"), {}
    vendor(SCRIPTS, static)
    for name in ("slides.css", "slides.js"):
        shutil.copyfile(SITE / name, static / name)
    titles = {}
    for name, nb in notebooks.items():
        made = deck(nb, Files(static / "shown", "_static/shown/"), name)
        body, titles[name], counts[name] = "\n".join(map(section, made)), made[0].title, len(made)
        draws = "plotly-graph-div" in body
        if draws and not (static / "plotly.min.js").is_file():
            write_text(static / "plotly.min.js", get_plotlyjs())
        plotly = '<script src="_static/plotly.min.js"></script>' if draws else ""
        write_text(out / f"{name}.html", frame.replace("<!-- title -->", html.escape(titles[name])).replace("<!-- plotly -->", plotly)
                   .replace("<!-- slides -->", body))
    items = "".join(f'<li><a href="{name}.html">{html.escape(title)}</a> <span>{counts[name]} slides</span></li>'
                    for name, title in titles.items())
    write_text(out / "index.html", (SITE / "slides_index.html").read_text(encoding="utf-8").replace("<!-- decks -->", items))
    return counts


def refuse_others(out, mark):
    """KitError when `out` holds something that was not made here. mark: a file that what is made here has in _static."""
    if out.exists() and not (out / "_static" / mark).is_file() and (out.is_file() or any(out.iterdir())):
        raise KitError(f"{out} holds something else, and would be replaced as a whole. Name a new folder after --out.")


def section(slide):
    """One slide as reveal.js takes it, with the speaker's notes."""
    mark = '<p class="synthetic">SYNTHETIC</p>' if slide.synthetic else ""
    head = "" if slide.kind == "title" else f"<h2>{inline(slide.title)}</h2>"
    notes = f'<aside class="notes">{page_of(slide.notes)}</aside>' if slide.notes.strip() else ""
    return f'<section class="{slide.kind}">{mark}{head}{slide.body}{notes}</section>'


def main(arguments=None):
    """The command line; the exit code is 0, or 1 when the decks could not be made."""
    parser = argparse.ArgumentParser(description="Make slides of the lessons, which need no network to be shown.")
    parser.add_argument("--run", default="cpu", help="the run whose executed lessons are shown (default: cpu)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the decks (default: build/slides); it is replaced")
    given, started = parser.parse_args(arguments), time.time()
    try:
        notebooks, fresh = lessons(sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")), given.run)
        counts = write(notebooks, given.out)
    except KitError as error:
        print(error, flush=True)
        return 1
    print(fresh)
    print(f"{sum(counts.values())} slides in {len(counts)} decks, {time.time() - started:.0f} s: {given.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
