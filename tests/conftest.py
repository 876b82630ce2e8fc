"""Every test runs on the profile smoke, in a throw-away run folder, with one torch thread and without the network."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [place for place in (str(ROOT), str(ROOT / "tests" / "notebooks")) if place not in sys.path]

os.environ.setdefault("MEDGEN_PROFILE", "smoke")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
OWN_RUNS = None
if not os.environ.get("MEDGEN_RUNS"):
    OWN_RUNS = tempfile.mkdtemp(prefix="medgen-tests-")
    os.environ["MEDGEN_RUNS"] = OWN_RUNS


def pytest_unconfigure(config):
    """The process that made the run folder removes it (workers inherit it)."""
    if OWN_RUNS:
        shutil.rmtree(OWN_RUNS, ignore_errors=True)
