"""What the served page runs: the form of the rater whose token stands in the address, and nothing for any other."""

import os
from urllib.parse import parse_qs

from . import store

STUDY = "MEDGEN_STUDY"                        # names the study folder to the page
REFUSED = "This link is not valid. Ask the person who runs the study for your own link."


def open_page():
    """The form of this page's rater, or one sentence."""
    import ipywidgets as widgets

    from .widget import RatingForm

    token = parse_qs(os.environ.get("QUERY_STRING", "")).get("rater", [""])[0]
    rater = store.rater_of(os.environ[STUDY], token)
    return RatingForm(os.environ[STUDY], rater, store.digest(token)) if rater else widgets.HTML(f"<p>{REFUSED}</p>")
