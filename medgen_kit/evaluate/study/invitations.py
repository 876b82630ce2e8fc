"""The raters' links: a secret token each, kept in a private file beside the study; the study itself holds only their hashes."""

import csv
import io
import secrets
from urllib.parse import urlsplit

from ...errors import KitError
from . import store
from .making import beside, write_private

URL = "http://127.0.0.1:8866"
PORT = 8866
HERE = ("127.0.0.1", "localhost", "::1")             # names that only this machine goes by


def links_path(folder):
    """The teacher's list of tokens, readable by its owner alone. Without it the study works on; lost links are replaced by `renew`."""
    return beside(folder, "links.csv")


def tokens(folder):
    """{rater: token} of the teacher's list, {} when there is none."""
    path = links_path(folder)
    if not path.is_file():
        return {}
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    if any(not row.get(name) for row in rows for name in ("rater", "token")):
        raise KitError(f"{path} is no list of links: it needs the columns rater and token. Put the right one back, or move this one away "
                       "and make new links: medgen-kit study links STUDY_DIR --renew rater-1.")
    return {row["rater"]: row["token"] for row in rows}


def keep(folder, known):
    """Write the teacher's list."""
    write_private(links_path(folder), "rater,token\n" + "".join(f"{rater},{token}\n" for rater, token in known.items()))


def add_raters(folder, count):
    """Enter `count` new raters (rater-1, rater-2 ...) with a token each; returns their names."""
    if not count:
        return []
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


def address(url):
    """The address of a server as it is kept, without a / at its end; KitError for anything but http(s)://HOST or http(s)://HOST:PORT."""
    try:
        parts = urlsplit(url.strip())
        fits = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment) and parts.port != 0
    except ValueError:                                   # a port that is none
        fits = False
    if not fits:
        raise KitError(f"--url {url} is no address of a server. Write it as http://HOST:PORT, for example {URL}.")
    return url.strip().rstrip("/")


def remember(folder, url):
    """Keep under which address raters reach the server, for `links` and the port of `serve`."""
    store.remember_url(folder, address(url))


def url_of(folder):
    """The address that was remembered, else URL."""
    return store.facts(folder)["url"] or URL


def port_of(url):
    """The port on which the server has to listen for an address; PORT for https, where another program takes the requests in front."""
    parts = urlsplit(url)
    return PORT if parts.scheme == "https" else parts.port or 80


def links(folder, url=None):
    """One row per rater with a link: {"rater", "link", "answered" (items), "items"}. url: under which raters reach the server, by default
    what `remember` kept."""
    url = address(url) if url else url_of(folder)
    rows = [(rater, token) for rater, token in tokens(folder).items() if store.rater_of(folder, token) == rater]
    items = store.facts(folder)["items"]
    return [{"rater": rater, "link": f"{url}/?rater={token}", "answered": len(store.done(folder, rater)), "items": items}
            for rater, token in rows]


def without_link(folder):
    """In words which links can not be shown, and what to do; "" when every rater who was given a link is in the teacher's list."""
    given, listed = store.invited(folder), [row["rater"] for row in links(folder)]
    if not given:
        return "No rater has a link yet. Make some: medgen-kit study links STUDY_DIR --add 3"
    if not (lost := [rater for rater in given if rater not in listed]):
        return ""
    return (f"{', '.join(lost)}: a link was given, but {links_path(folder).name} beside the study does not hold it, and the study knows "
            "its hash alone. The link works on for whoever has it. Put the list back, or make a new link, which ends the old one: "
            f"medgen-kit study links STUDY_DIR --renew {lost[0]}")
