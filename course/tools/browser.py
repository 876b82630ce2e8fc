"""Where the Chromium of this machine is, for tests/browser and whoever runs them."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = ("no Chromium was found (MEDGEN_CHROMIUM, or on the PATH: " + ", ".join(NAMES) + "). On Debian and Ubuntu: "
           "sudo apt install chromium")


def chromium():
    """The executable: MEDGEN_CHROMIUM when it is set, else the first of NAMES on the PATH; None when there is none."""
    named = os.environ.get("MEDGEN_CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
