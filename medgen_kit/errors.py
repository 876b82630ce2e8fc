"""Errors written for the person in the notebook: what was wrong, with which file or argument, and what to do."""


class KitError(Exception):
    """Something that the reader can put right; the message says how."""

    def _render_traceback_(self):
        """IPython shows this instead of a stack of frames: one plain sentence."""
        return [f"{type(self).__name__}: {self}"]


class VideoError(KitError):
    """A video file that cannot be used.

    reason: one of missing, empty, not_media, no_video, no_index, truncated, still_image, too_short, too_large.
    path: the file.
    """

    def __init__(self, path, reason, message):
        super().__init__(f"{path}: {message} [{reason}]")
        self.path, self.reason = path, reason
