"""The answers of a study: one SQLite file that two raters can write to at once and that a killed server leaves whole.

answers.sqlite lies in the study folder and knows items and clips by their codes alone. Every answer that was ever given stays in the table
`answers`; the view `latest` holds those that count. Times are UTC, ISO 8601 with milliseconds.
"""

import contextlib
import hashlib
import json
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from ... import __version__
from ...errors import KitError
from ..grading import GRADES

QUESTIONS = ("Text Alignment", "Medical Accuracy", "Visual Quality")
ANSWERS = ("first", "second", "both fail")               # the paper's words: first, second, both loss
DISTORTION = "Distortion"
FILE = "answers.sqlite"
WAIT = 15                                                # seconds that a writer waits for another one
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afs", "ceph", "fuse.glusterfs", "lustre")
SCHEMA = """
CREATE TABLE study (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE raters (rater TEXT PRIMARY KEY, token_hash TEXT UNIQUE, simulated INTEGER NOT NULL, since TEXT NOT NULL);
CREATE TABLE answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rater TEXT NOT NULL REFERENCES raters, item TEXT NOT NULL, question TEXT NOT NULL,
    clip TEXT NOT NULL, answer TEXT NOT NULL, first TEXT NOT NULL, shown TEXT NOT NULL, answered TEXT NOT NULL,
    showing TEXT NOT NULL, version TEXT NOT NULL, UNIQUE (rater, item, question, clip, showing));
CREATE TABLE comments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rater TEXT NOT NULL REFERENCES raters, item TEXT NOT NULL, comment TEXT NOT NULL,
    answered TEXT NOT NULL, showing TEXT NOT NULL, UNIQUE (rater, item, showing));
CREATE TABLE drafts (rater TEXT NOT NULL REFERENCES raters, item TEXT NOT NULL, entered TEXT NOT NULL, PRIMARY KEY (rater, item));
CREATE VIEW latest AS SELECT * FROM answers WHERE number IN (SELECT max(number) FROM answers GROUP BY rater, item, question, clip);
"""


class LinkEnded(KitError):
    """The link with which a page was opened has been renewed since."""


def now():
    """This moment: UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def digest(token):
    """What of a rater's token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


@contextlib.contextmanager
def connect(folder, write=False, new=False):
    """A connection to the answers of a study. What the block does is one transaction: kept whole when it ends well, else not at all.

    Readers see one moment and wait for nobody; one writer (write=True) waits for another, some milliseconds.
    """
    path = Path(folder) / FILE
    if not new and not path.is_file():
        raise KitError(f"{folder} holds no study (no {FILE}). Make one: medgen-kit study create FOLDER_A FOLDER_B --prompts prompts.json "
                       f"--out {folder} (in a notebook study.make).")
    try:
        base = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise KitError(f"{path} can not be opened ({error}). The study folder must be one in which you may write.") from error
    try:
        on_this_machine(base, path)
        base.execute("PRAGMA synchronous=FULL")
        base.execute("PRAGMA foreign_keys=ON")
        base.row_factory = sqlite3.Row
        base.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        with base:
            yield base
    except sqlite3.Error as error:
        raise KitError(f"{path}: the answers can not be read or written ({error}). Look whether the disk is full or the folder read-only; "
                       "answers stored before are safe.") from error
    finally:
        base.close()


def on_this_machine(base, path):
    """Set write-ahead logging, which needs a disk of this machine; KitError on a network drive."""
    kind = disk_kind(path)
    mode = "" if kind in NETWORK else base.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise KitError(f"{path.parent} lies on a network drive{f' ({kind})' if kind else ''}, where raters could spoil each other's "
                       "answers. Put the study folder on a disk of the machine that serves it.")


def disk_kind(path, table=Path("/proc/self/mounts")):
    """The kind of file system that holds a path ("ext4", "nfs4"), "" where the system does not tell."""
    if not table.is_file():
        return ""
    rows = [line.split() for line in table.read_text(encoding="utf-8", errors="replace").splitlines()]
    place = path.resolve()
    holding = [(row[1].replace("\\040", " "), row[2]) for row in rows if len(row) > 2]
    return max(((len(where), kind) for where, kind in holding if place.is_relative_to(where)), default=(0, ""))[1]


def create(folder, seed, count):
    """Make the empty file of answers for `count` items whose order and sides will be drawn from `seed`."""
    with connect(folder, write=True, new=True) as base:
        for command in SCHEMA.split(";\n"):
            base.execute(command)
        facts = {"seed": seed, "items": count, "created": now(), "version": __version__, "closed": ""}
        base.executemany("INSERT INTO study VALUES (?, ?)", [(name, str(value)) for name, value in facts.items()])


def facts(folder):
    """{"seed", "items", "created", "version", "closed" (when it was closed, "" while it is open), "url" (under which raters reach the
    server, "" where nobody said)} of a study."""
    with connect(folder) as base:
        found = {row["name"]: row["value"] for row in base.execute("SELECT * FROM study")}
    return {"url": ""} | found | {"seed": int(found["seed"]), "items": int(found["items"])}


def remember_url(folder, url):
    """Keep the address under which raters reach the server."""
    with connect(folder, write=True) as base:
        base.execute("INSERT INTO study VALUES ('url', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (url,))


def close(folder):
    """Close a study: no answer is taken from now on. What was stored stays."""
    with connect(folder, write=True) as base:
        base.execute("UPDATE study SET value = ? WHERE name = 'closed' AND value = ''", (now(),))


def enrol(folder, rater, token="", simulated=False):
    """Enter a rater; nothing happens when it is there. token: the secret of its link ("": none). simulated: a program, not a person;
    a name that begins with "simulated-" says so too."""
    simulated = simulated or str(rater).startswith("simulated-")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", rater or ""):
        raise KitError(f"rater '{rater}' must be a short name of letters, digits, - or _ (no real names: use rater-1).")
    with connect(folder, write=True) as base:
        base.execute("INSERT INTO raters VALUES (?, ?, ?, ?) ON CONFLICT (rater) DO NOTHING",
                     (rater, digest(token) if token else None, int(simulated), now()))
        kept = base.execute("SELECT simulated FROM raters WHERE rater = ?", (rater,)).fetchone()["simulated"]
    if kept != int(simulated):
        raise KitError(f"'{rater}' is entered as a {'simulated rater' if kept else 'person'} already. Take another name.")


def give_token(folder, rater, token):
    """A new token for a rater: the old link ends, the answers stay."""
    with connect(folder, write=True) as base:
        if not base.execute("UPDATE raters SET token_hash = ? WHERE rater = ?", (digest(token), rater)).rowcount:
            raise KitError(f"'{rater}' is not a rater of this study. Its raters: {', '.join(raters_of(base)) or 'none'}.")


def raters_of(base):
    """{rater: simulated?} of an open connection."""
    return {row["rater"]: bool(row["simulated"]) for row in base.execute("SELECT rater, simulated FROM raters ORDER BY rater")}


def raters(folder):
    """{rater: True when simulated} of a study."""
    with connect(folder) as base:
        return raters_of(base)


def invited(folder):
    """The raters to whom a token was given, in the order in which they were entered."""
    with connect(folder) as base:
        return [row["rater"] for row in base.execute("SELECT rater FROM raters WHERE token_hash IS NOT NULL ORDER BY since, rowid")]


def rater_of(folder, token):
    """The rater to whom a token was given, None for any other text."""
    with connect(folder) as base:
        row = base.execute("SELECT rater FROM raters WHERE token_hash = ?", (digest(token or ""),)).fetchone()
    return row["rater"] if row else None


def held(base, rater, lock):
    """LinkEnded unless `lock`, the `digest` of the token with which a page was opened, still is the rater's; "": a page without a link."""
    if lock and not base.execute("SELECT 1 FROM raters WHERE rater = ? AND token_hash = ?", (rater, lock)).fetchone():
        raise LinkEnded("this link has ended, because a new one was made. What was stored before is safe. Ask the person who runs the "
                        "study for your new link.")


def save(folder, rater, item, answers, first, shown, showing, comment="", lock=""):
    """Store all answers of a rater to one item, in one transaction.

    answers: {question: clip code or "both fail", (DISTORTION, clip code): grade}. first: code of the clip that was shown as the first.
    shown: when the item came up. showing: a random mark of this coming up: the same sent twice is stored once; what was changed in
    between is stored as "mark.2", and the first answer stays in the log. lock: as for `held`. Returns the number of this storing, as
    `entered` gives it.
    """
    wrong = [answer for where, answer in answers.items() if isinstance(where, tuple) and answer not in GRADES]
    if wrong:
        raise KitError(f"{item}: a grade is one of {', '.join(GRADES)}, not {wrong[0]!r}.")
    with connect(folder, write=True) as base:
        if closed := base.execute("SELECT value FROM study WHERE name = 'closed'").fetchone()["value"]:
            raise KitError(f"this study was closed on {closed[:10]}; no more answers are taken.")
        held(base, rater, lock)
        given = {where if isinstance(where, tuple) else (where, ""): answer for where, answer in answers.items()}
        before, times = sent(base, rater, item, showing)
        at, mark = now(), f"{showing}.{times + 1}" if times else showing
        if before != (given, comment.strip()):
            base.executemany("INSERT INTO answers (rater, item, question, clip, answer, first, shown, answered, showing, version) "
                             "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                             [(rater, item, *where, answer, first, shown, at, mark, __version__) for where, answer in given.items()])
            base.execute("INSERT INTO comments (rater, item, comment, answered, showing) VALUES (?, ?, ?, ?, ?)",
                         (rater, item, comment.strip(), at, mark))
        base.execute("DELETE FROM drafts WHERE rater = ? AND item = ?", (rater, item))
        return last(base, rater, item)


def last(base, rater, item):
    """Number of a rater's last storing of an item, 0 when there is none."""
    return base.execute("SELECT coalesce(max(number), 0) FROM comments WHERE rater = ? AND item = ?", (rater, item)).fetchone()[0]


def sent(base, rater, item, showing):
    """What one showing has stored last: (({(question, clip): answer}, comment), how often it stored)."""
    own = "WHERE rater = ? AND item = ? AND (showing = ? OR showing LIKE ? || '.%') ORDER BY number", (rater, item, showing, showing)
    said = base.execute(f"SELECT comment FROM comments {own[0]}", own[1]).fetchall()
    rows = base.execute(f"SELECT question, clip, answer FROM answers {own[0]}", own[1]).fetchall()
    return ({(row["question"], row["clip"]): row["answer"] for row in rows}, said[-1]["comment"] if said else ""), len(said)


def save_sides(folder, rater, item, answers, shown, showing, comment="", lock=""):
    """`save` answers given by side: {question: one of ANSWERS, (DISTORTION, "first" or "second"): grade}. item: the rater's row of
    `making.items_of`."""
    code = {side: Path(item[side]).stem for side in ANSWERS[:2]}
    given = {where: code.get(answer, answer) for where, answer in answers.items() if isinstance(where, str)}
    given |= {(DISTORTION, code[where[1]]): answer for where, answer in answers.items() if not isinstance(where, str)}
    return save(folder, rater, item["item"], given, code["first"], shown, showing, comment, lock)


def draft(folder, rater, item, entered, lock="", storing=None):
    """Keep what a rater has entered but not stored yet, so that a closed browser does not lose it.

    entered: JSON values; None when nothing differs from what is stored: no draft is left then. storing: number of the storing that the
    page shows; KitError, and nothing is kept, where the item was stored since: an old page hides no newer answer.
    """
    with connect(folder, write=True) as base:
        held(base, rater, lock)
        if storing not in (None, last(base, rater, item)):
            raise KitError("you stored this pair in another window meanwhile. What you enter here counts only when you store it here too; "
                           "load the page anew to see what is stored.")
        if entered is None:
            base.execute("DELETE FROM drafts WHERE rater = ? AND item = ?", (rater, item))
            return
        base.execute("INSERT INTO drafts VALUES (?, ?, ?) ON CONFLICT (rater, item) DO UPDATE SET entered = excluded.entered",
                     (rater, item, json.dumps(entered)))


def entered(folder, rater, item, lock=""):
    """What a rater has entered for an item: (answers as for `save`, comment, draft {} or what `draft` kept, number of the storing that
    these answers come from, 0 for none)."""
    with connect(folder) as base:
        held(base, rater, lock)
        rows = base.execute("SELECT question, clip, answer FROM latest WHERE rater = ? AND item = ?", (rater, item)).fetchall()
        said = base.execute("SELECT comment FROM comments WHERE rater = ? AND item = ? ORDER BY number DESC", (rater, item)).fetchone()
        kept = base.execute("SELECT entered FROM drafts WHERE rater = ? AND item = ?", (rater, item)).fetchone()
        number = last(base, rater, item)
    answers = {(row["question"], row["clip"]) if row["clip"] else row["question"]: row["answer"] for row in rows}
    return answers, said["comment"] if said else "", json.loads(kept["entered"]) if kept else {}, number


def done(folder, rater):
    """The items that a rater has answered, as a set."""
    with connect(folder) as base:
        return {row["item"] for row in base.execute("SELECT DISTINCT item FROM answers WHERE rater = ?", (rater,))}


def changed(folder):
    """{rater: items, as a set, that were stored, then changed, and the change not stored}; {} where there is none."""
    with connect(folder) as base:
        rows = base.execute("SELECT rater, item FROM drafts WHERE (rater, item) IN (SELECT rater, item FROM answers)").fetchall()
    found = {}
    for row in rows:
        found.setdefault(row["rater"], set()).add(row["item"])
    return found


def unfinished(folder):
    """{rater: items answered} of the raters who have not answered every item, {} when all have or there is none."""
    count = facts(folder)["items"]
    return {rater: answered for rater in raters(folder) if (answered := len(done(folder, rater))) < count}


def latest(folder):
    """The answers that count, in the order in which they were stored: dicts with rater, simulated, item, question, clip ("" for the three
    QUESTIONS), answer, first, shown, answered, showing, version; and the comments: {(rater, item): text}."""
    with connect(folder) as base:
        rows = base.execute("SELECT latest.*, simulated FROM latest JOIN raters USING (rater) ORDER BY number").fetchall()
        said = base.execute("SELECT rater, item, comment FROM comments ORDER BY number").fetchall()
    names = ("rater", "simulated", "item", "question", "clip", "answer", "first", "shown", "answered", "showing", "version")
    answers = [{name: bool(row[name]) if name == "simulated" else row[name] for name in names} for row in rows]
    return answers, {(row["rater"], row["item"]): row["comment"] for row in said}
