"""Files written whole or not at all: under a temporary name beside their place, then renamed."""

import contextlib
import os
from pathlib import Path

from .errors import DiskError, disk_advice


@contextlib.contextmanager
def whole(path):
    """Yield the temporary path to write to; when the block ends well it takes the place of `path`, else nothing is left of it.

    The folder is made when it is not there. What the system says against it becomes a DiskError that tells what to do.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise DiskError(f"{path} could not be written ({error.strerror or error}). {disk_advice(error)}") from error
    finally:
        with contextlib.suppress(OSError):             # where the folder is a file, there is nothing to take away
            part.unlink()
