"""`make test`: ruff, unit tests, nbval on every notebook, Colab's packages, the browser; in a run folder thrown away afterwards."""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from course.tools.browser import MISSING, chromium                           # noqa: E402

TARGET_MINUTES = 12              # on two quiet cores
ENVIRONMENT = {"MEDGEN_PROFILE": "smoke", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg",
               "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def steps():
    """(title, command) of each step. The notebooks run one after another: a stage that one makes serves the next."""
    python = [sys.executable, "-m"]
    notebooks = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [("ruff", [*python, "ruff", "check", "--no-cache", "medgen_kit", "course", "tests"]),
            *cards_steps(), *site_steps(),
            ("unit and contract tests", [*python, "pytest", "-q", "-n", "2", "--dist", "loadfile", "--ignore=tests/browser", "tests"]),
            ("notebooks (nbval)", [*python, "pytest", "-q", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", *notebooks]),
            ("notebooks as on Colab", [sys.executable, "course/tools/colab_test.py"]),
            *(browser_steps() if chromium() else [])]


def cards_steps():
    """(title, command) that installs the package which validates Croissant files, where it is not there yet."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements-cards.lock"]
    return [] if importlib.util.find_spec("mlcroissant") else [("package of the cards", install)]


def site_steps():
    """(title, command) that installs Sphinx and what the site needs with it, where it is not there yet."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements-site.lock"]
    return [] if importlib.util.find_spec("myst_nb") and importlib.util.find_spec("furo") else [("packages of the site", install)]


def browser_steps():
    """(title, command) of the tests in Chromium, and before them of their package where it is not there yet."""
    python = [sys.executable, "-m"]
    install = [*python, "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements-browser.lock"]
    return [*([] if importlib.util.find_spec("playwright") else [("package of the browser", install)]),
            ("browser", [*python, "pytest", "-q", "tests/browser"])]


def main(arguments=()):
    """Run all steps, even after one failed; the exit code is 0 only when each passed."""
    about = ("Run ruff, the unit and contract tests, nbval on every notebook and the tests in Chromium, on profile smoke, in a run folder "
             "that is thrown away afterwards. It takes minutes.")
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--browser", action="store_true", help="only the tests in Chromium")
    only_browser, missing = parser.parse_args(arguments).browser, chromium() is None
    if only_browser and missing:
        print(f"The tests in Chromium can not run: {MISSING}.")
        return 1
    started, verdicts = time.time(), []
    with tempfile.TemporaryDirectory(prefix="medgen-test-") as runs:
        environment = {**os.environ, **ENVIRONMENT, "MEDGEN_RUNS": runs}
        for title, command in [*site_steps(), *browser_steps()] if only_browser else steps():
            print(f"== {title}", flush=True)
            begun = time.time()
            try:
                code = subprocess.run(command, cwd=ROOT, env=environment).returncode
            except KeyboardInterrupt:
                print("Stopped by you.")
                return 130
            verdicts.append((title, code, time.time() - begun))
    for title, code, seconds in verdicts:
        print(f"{'passed' if code == 0 else 'FAILED':<7} {title:<26} {seconds:6.0f} s")
    if only_browser:
        return int(any(code for _, code, _ in verdicts))
    if missing:
        print(f"The tests in Chromium were not run: {MISSING}.")
    minutes = (time.time() - started) / 60
    verdict = "met" if minutes <= TARGET_MINUTES else "NOT met"
    print(f"make test took {minutes:.1f} min (target on 2 quiet cores: {TARGET_MINUTES} min; {verdict}).")
    return int(any(code for _, code, _ in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
