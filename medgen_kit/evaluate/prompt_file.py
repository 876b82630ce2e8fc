"""Which prompt belongs to which video file: the one reader of prompts for reports, VBench files and studies."""

import json
import os
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from unicodedata import normalize

from ..clip import rows_of
from ..errors import KitError

TEXTS = ("prompt", "brief_caption", "detailed_caption", "caption", "text")       # the first that a row has is its prompt
KINDS = (".json", ".jsonl", ".csv", ".parquet")


def read_prompts(path):
    """{file name: prompt} of a file of prompts, in its order.

    path: .json with {"name.mp4": "prompt"} (as VBench and `medgen-kit sample` write it), or a table metadata.jsonl, .csv or .parquet with
    `file_name` and one of TEXTS. A name is as `clean` gives it. KitError that names the file and the line.
    """
    path = Path(path)
    if path.is_dir():
        raise KitError(f"{path} is a folder. Name the file of prompts in it, for example {path.name}/prompts.json or metadata.jsonl.")
    if not path.is_file():
        raise KitError(f"{path} is not there. Give the file of prompts: .json with {{\"name.mp4\": \"prompt\"}}, or a metadata.jsonl.")
    if path.suffix.lower() not in KINDS:
        raise KitError(f"{path.name}: prompts are read from {', '.join(KINDS)}. Write {{\"name.mp4\": \"prompt\"}} in a .json file.")
    found = {}
    for where, written, prompt in named(path):
        name = clean(written)
        if name in found:
            raise KitError(f"{path}, {where}: {name} has a prompt already. Keep one of the two.")
        if not isinstance(prompt, str) or not prompt.strip():
            raise KitError(f"{path}, {where}: {name} has no prompt. Write one as text, or take the line out.")
        found[name] = prompt.strip()
    if not found:
        raise KitError(f"{path} holds no prompts.")
    return found


def named(path):
    """Yield (where it stands, file name as it is written, prompt) of a file of prompts; nothing is known of the prompt but that it can be
    written again."""
    for where, name, prompt in entries(path):
        try:
            f"{name}{prompt}".encode()
        except UnicodeEncodeError as error:
            raise KitError(f"{path}, {where}: a letter is broken ({error.object[error.start]!r} is half of one).") from error
        yield where, name, prompt


def entries(path):
    """Yield (where it stands, file name, prompt) of a file of prompts, not looked at yet."""
    if path.suffix.lower() == ".json":
        try:
            pairs = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=list)
        except ValueError as error:
            raise KitError(f"{path} is not valid JSON ({error}). Correct it there.") from error
        if not isinstance(pairs, list) or any(not isinstance(pair, tuple) for pair in pairs):
            raise KitError(f"{path} must be {{\"name.mp4\": \"prompt\", ...}}.")
        yield from ((f"entry {number}", name, prompt) for number, (name, prompt) in enumerate(pairs, 1))
        return
    for line, row in rows_of(path):
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str) or not row["file_name"].strip():
            raise KitError(f"{path}, line {line}: no file_name, so it is not known whose prompt this is.")
        yield f"line {line}", row["file_name"], next((row[name] for name in TEXTS if row.get(name)), None)


def clean(name):
    """A file name as it is compared: its folders kept ("a/b.mp4"), with forward slashes, without a leading "./"."""
    return PurePosixPath(name.strip().replace("\\", "/")).as_posix()


def is_absolute(name):
    """True for a path that begins at the root of a disk, here or on Windows."""
    return PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute()


def in_folder(folder, name, listed=None):
    """A name as the disk has it: as it is written when that is there, else as `clean` gives it, each part with the letters of the disk (an
    accent may be a part of its letter or a sign of its own, Unicode's NFC and NFD).

    listed: a dict to hand to all calls for one folder, so that each folder is listed once. A name that is absolute or has a ".." is not
    looked up on the disk.
    """
    here, parts, own, listed = Path(folder), [], PurePath(name), {} if listed is None else listed
    if not is_absolute(name) and ".." not in own.parts and os.path.lexists(here / own):
        return own.as_posix()
    name = clean(name)
    for part in () if is_absolute(name) or ".." in name.split("/") else PurePosixPath(name).parts:
        if not part.isascii() and not os.path.lexists(here / part):
            part = spelled(here, listed).get(normalize("NFC", part), part)
        here, parts = here / part, [*parts, part]
    return "/".join(parts) or name


def spelled(folder, listed):
    """{name in NFC: name} of what lies in a folder, the first of two that are spelled alike; kept in `listed`."""
    if folder not in listed:
        names = sorted(os.listdir(folder), reverse=True) if folder.is_dir() else ()
        listed[folder] = {normalize("NFC", name): name for name in names}
    return listed[folder]
