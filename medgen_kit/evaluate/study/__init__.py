"""A blind human study: pairs of clips, sides and order drawn by lot for each rater, a key kept apart, a form for notebook and browser.

`make` or `create` writes the study and, beside it, the key. `form` is the form in a notebook; `serve` shows the same form to raters in
browsers, each by a link (`links`). `analyse` reads what was rated and gives no number when nobody has; `export` writes it out, and
closes a study that every rater has finished.
How many items and raters it takes says `evaluate.power`.
"""

import secrets

from ...errors import KitError
from . import store
from .invitations import add_raters, links, remember, renew
from .making import create, items_of, key_path, make
from .results import analyse, answers, export, open_up
from .store import ANSWERS, DISTORTION, GRADES, QUESTIONS

__all__ = ["ANSWERS", "COLUMNS", "DISTORTION", "GRADES", "QUESTIONS", "add_raters", "analyse", "answers", "create", "export", "form",
           "items_of", "key_path", "links", "make", "open_up", "rate", "remember", "renew", "serve"]
COLUMNS = ("item", *QUESTIONS, "distortion first", "distortion second")


def rate(folder, rater, item, answers, simulated=False, comment=""):
    """Store one rater's answers to one item, as the form does; an earlier answer to the item stays in the log and counts no more.

    answers: {each of QUESTIONS: one of ANSWERS, "distortion first" and "distortion second": one of GRADES}, by the sides that this rater
    sees (`items_of(folder, rater)`). simulated: True for a program that rates; analysis and export say so.
    """
    row = {row["item"]: row for row in items_of(folder, rater)}.get(item)
    if row is None:
        raise KitError(f"'{item}' is not an item of the study in {folder}.")
    given = {}
    for name in COLUMNS[1:]:
        allowed, side = (ANSWERS, None) if name in QUESTIONS else (GRADES, name.split()[1])
        if answers.get(name) not in allowed:
            raise KitError(f"{item}, '{name}': answer one of {', '.join(allowed)}, not {answers.get(name)!r}.")
        given[(DISTORTION, side) if side else name] = answers[name]
    store.enrol(folder, rater, simulated=simulated)
    store.save_sides(folder, rater, row, given, store.now(), secrets.token_hex(8), comment)


def form(folder, rater="rater-1"):
    """The rating form of one rater (an ipywidget): show it at the end of a cell. It goes on where the rater left."""
    from .widget import RatingForm

    return RatingForm(folder, rater)


def serve(folder, port=None, host="127.0.0.1", say=print):
    """Show the form to raters in browsers until interrupted (`server.serve`). port: by default the one in the raters' links."""
    from .server import serve as run

    run(folder, port, host, say)
