"""Errors written for the person in the notebook: what was wrong, with which file or argument, and what to do."""

import errno
import re


class KitError(Exception):
    """Something that the reader can put right; the message says how."""

    def _render_traceback_(self):
        """IPython shows this instead of a stack of frames: one plain sentence."""
        return [f"{type(self).__name__}: {self}"]


class DiskError(KitError):
    """A file that could not be written: no space, no right to write. Whatever stands in a list of things to skip, this does not."""


def is_disk_full(error):
    """True for the many ways in which libraries say that the disk is full (torch and safetensors raise errors of their own)."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    said = r"No space left on device|os error 2[78]\b|PytorchStreamWriter failed|unexpected pos \d+ vs \d+"
    return full or re.search(said, str(error)) is not None


def disk_advice(error):
    """One sentence: what to do about a file that could not be written, by what the system said (`error`, an OSError or a library's)."""
    number = getattr(error, "errno", None)
    if is_disk_full(error):
        return "Free some disk space or choose another folder, then run the same cell or command again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Choose a folder in which you may write, or give yourself the right to, then run the same cell or command again."
    if number == errno.EISDIR:
        return "A folder has that name: give the name of a file, or choose another one."
    if number in (errno.ENOTDIR, errno.EEXIST):
        return "A part of that path is a file and not a folder: choose another path."
    if number == errno.ENAMETOOLONG:
        return "Choose a shorter name."
    return "Look whether that folder is there and its disk works, or choose another one, then run the same cell or command again."


class VideoError(KitError):
    """A video file that cannot be used.

    reason: one of missing, empty, unreadable, not_media, no_video, no_index, truncated, still_image, too_short, too_large.
    path: the file.
    """

    def __init__(self, path, reason, message):
        super().__init__(f"{path}: {message} [{reason}]")
        self.path, self.reason, self.message = path, reason, message

    def __reduce__(self):                      # so that it survives the way back from a worker process
        return VideoError, (self.path, self.reason, self.message)
