"""The raters' links: a secret token each, kept in a private file beside the study; the study itself holds only their hashes."""

import csv
import io
import os
import secrets

from ...clip import write_csv
from . import store
from .making import beside

URL = "http://127.0.0.1:8866"


def links_path(folder):
    """The teacher's list of tokens, readable by its owner alone. Without it the study works on; lost links are replaced by `renew`."""
    return beside(folder, "links.csv")


def tokens(folder):
    """{rater: token} of the teacher's list, {} when there is none."""
    path = links_path(folder)
    return {row["rater"]: row["token"] for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))} if path.is_file() else {}


def keep(folder, known):
    """Write the teacher's list."""
    write_csv(links_path(folder), [{"rater": rater, "token": token} for rater, token in known.items()], ("rater", "token"))
    os.chmod(links_path(folder), 0o600)


def add_raters(folder, count):
    """Enter `count` new raters (rater-1, rater-2 ...) with a token each; returns their names."""
    there, known, new, number = set(store.raters(folder)), tokens(folder), [], 0
    while len(new) < count:
        number += 1
        if (rater := f"rater-{number}") not in there:
            known[rater] = secrets.token_urlsafe(24)
            new.append(rater)
    keep(folder, known)                                  # first the list: a token that nobody knows would be of no use
    for rater in new:
        store.enrol(folder, rater, known[rater])
    return new


def renew(folder, rater):
    """A new token for one rater, for a link that was lost or got into wrong hands: the old one ends, the answers stay."""
    known = tokens(folder) | {rater: secrets.token_urlsafe(24)}
    store.give_token(folder, rater, known[rater])
    keep(folder, known)


def links(folder, url=URL):
    """One row per rater with a link: {"rater", "link", "answered" (items), "items"}. url: under which raters reach the server."""
    rows = [(rater, token) for rater, token in tokens(folder).items() if store.rater_of(folder, token) == rater]
    items = store.facts(folder)["items"]
    return [{"rater": rater, "link": f"{url.rstrip('/')}/?rater={token}", "answered": len(store.done(folder, rater)), "items": items}
            for rater, token in rows]
