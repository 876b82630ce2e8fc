"""Proof that nbval catches a changed constant: in a small notebook and in a checked cell of a real one."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from tiny import stored

ROOT = Path(__file__).resolve().parents[2]


def nbval(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env",
               "--nbval-cell-timeout=120", "."]
    return subprocess.run(command, cwd=folder, env={**os.environ, "MEDGEN_PROFILE": "smoke"}, capture_output=True, text=True)


def by_hand_cell():
    """Source and stored text of the checked cell "By hand once" of notebook 00, which needs no other cell."""
    cells = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", 4).cells
    start = next(k for k, cell in enumerate(cells) if cell.source.startswith("## By hand once"))
    cell = next(cell for cell in cells[start:] if cell.source.startswith("# NBVAL_CHECK_OUTPUT"))
    return cell.source, "".join(output.text for output in cell.outputs)


def test_a_changed_constant_fails(tmp_path):
    small = "# NBVAL_CHECK_OUTPUT\nscale = 4\nprint('one part of the whole:', round(1 / scale, 3))"
    source, said = by_hand_cell()
    assert "total, count = 30, 9" in source
    stored(tmp_path / "small.ipynb", small, "one part of the whole: 0.25\n")
    stored(tmp_path / "real.ipynb", source, said)
    good = nbval(tmp_path)
    assert good.returncode == 0 and "2 passed" in good.stdout, good.stdout[-2000:]

    stored(tmp_path / "small.ipynb", small.replace("4", "5"), "one part of the whole: 0.25\n")
    stored(tmp_path / "real.ipynb", source.replace("30, 9", "31, 9"), said)
    bad = nbval(tmp_path)
    assert bad.returncode == 1 and "2 failed" in bad.stdout, bad.stdout[-2000:]
