"""Builds the wheel that a student uploads to Colab when the kit has no public address.

    python course/tools/colab_wheel.py           into build/
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "medgen_kit", "data_cards/paper")


def build(folder, root=ROOT):
    """Build the wheel of `root` into `folder`; its path. RuntimeError with pip's words when it can not be built.

    It is built from a copy, since setuptools leaves old files in build/ that would slip into the next wheel.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory(prefix="medgen-wheel-") as place:
        place = Path(place)
        for part in PARTS:
            (place / "kit" / part).parent.mkdir(parents=True, exist_ok=True)
            if (root / part).is_dir():
                shutil.copytree(root / part, place / "kit" / part, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(root / part, place / "kit" / part)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--wheel-dir", str(place / "out"), str(place / "kit")]
        done = subprocess.run(command, capture_output=True, text=True)
        made = sorted((place / "out").glob("medgen_kit-*.whl"))
        if done.returncode or not made:
            raise RuntimeError(f"the wheel could not be built. pip says:\n{done.stderr[-2000:]}")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(made[0], folder / made[0].name))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Build the wheel that a student uploads to Colab.")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder for the wheel (default: build)")
    print(f"wrote {build(parser.parse_args(arguments).out)}. On Colab: upload it into /content, then run a lesson's first cell.")


if __name__ == "__main__":
    main()
