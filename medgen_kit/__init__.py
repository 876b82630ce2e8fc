"""MedGen Kit: teaches, and reproduces, medical text-to-video generation (dataset MedVideoCap-55K, model MedGen).

`import medgen_kit as kit` is cheap: every sub-package is imported when it is first used.
"""

import importlib
import os

# Spinning OpenMP threads cost a factor of ten on a busy machine; these must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A lesson shows its own progress; the libraries' bars and notes about unused settings only get in the way.
for _quiet in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
    os.environ.setdefault(_quiet, "error")

__version__ = "0.1.0"

_PACKAGES = ("knowledge", "sources", "curate", "caption", "align", "generate", "evaluate", "exercise", "show", "video",
             "profiles", "pipeline")
_NAMES = {
    "profile": ("profiles", "load"),
    "Profile": ("profiles", "Profile"),
    "Run": ("run", "Run"),
    "Work": ("run", "Work"),
    "need": ("pipeline", "need"),
    "check": ("exercise.check", "check"),
    "stamp": ("machine", "stamp"),
    "facts": ("machine", "facts"),
    "Clip": ("clip", "Clip"),
    "CATEGORIES": ("clip", "CATEGORIES"),
    "read_folder": ("clip", "read_folder"),
    "write_folder": ("clip", "write_folder"),
    "KitError": ("errors", "KitError"),
    "VideoError": ("errors", "VideoError"),
}


def __getattr__(name):
    if name in _NAMES:
        module, attribute = _NAMES[name]
        return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"medgen_kit has no '{name}'. It offers: {', '.join(sorted((*_NAMES, *_PACKAGES)))}")


def __dir__():
    return sorted((*globals(), *_NAMES, *_PACKAGES))
