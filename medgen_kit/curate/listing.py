"""What lies in a folder of raw videos: its video files, and what a table beside them says about each."""

import os
from pathlib import Path

from ..errors import KitError

KINDS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv")


def videos_of(folder):
    """(names, problems): the video files of a folder and its sub-folders as relative names with "/", sorted; names that no table can hold.

    Hidden files and folders, and folders behind a link, are left out. KitError when there is no folder or no video file in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder} is not a folder. Name the folder that holds your raw videos.")
    names, problems = [], []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.startswith(".") or Path(name).suffix.lower() not in KINDS:
                continue
            relative = (Path(place) / name).relative_to(folder).as_posix()
            try:
                relative.encode("utf-8")
                names.append(relative)
            except UnicodeEncodeError:
                shown = relative.encode("utf-8", "replace").decode()
                problems.append({"file": shown, "reason": "bad_name", "message": "its name is not valid UTF-8. Rename it."})
    if not names and not problems:
        raise KitError(f"{folder} holds no video file ({', '.join(KINDS)}). Name a folder with raw videos, or leave the setting empty.")
    return sorted(names), problems


def mark_of(folder, name):
    """What tells that a file has changed: its name, size and time of change."""
    seen = (Path(folder) / name).stat()
    return [name, seen.st_size, seen.st_mtime_ns]
