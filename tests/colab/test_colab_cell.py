"""The first cell of the lessons, the wheel that it installs, and the tool that runs them with Colab's packages."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from course.tools import colab_cell, colab_test, colab_wheel, run_tests

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return colab_wheel.build(tmp_path_factory.mktemp("wheel"))


def test_every_lesson_carries_exactly_this_cell():
    carrying = colab_cell.notebooks()
    assert set(LESSONS) <= set(carrying) and len(LESSONS) == 10
    wrong = [path.name for path in carrying if not colab_cell.carries(path, colab_cell.source())]
    assert wrong == [], "run: python course/tools/colab_cell.py"
    assert len(colab_cell.source().splitlines()) <= 12


def test_the_cell_is_put_in_and_every_other_byte_stays(tmp_path, capsys, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    copied = Path(shutil.copy(LESSONS[0], tmp_path / "notebooks"))
    before = copied.read_bytes()
    colab_cell.put(copied, "print('another')\nprint('cell')")
    assert not colab_cell.carries(copied, colab_cell.source()) and copied.read_bytes() != before
    monkeypatch.setattr(colab_cell, "ROOT", tmp_path)
    monkeypatch.setattr(colab_cell, "notebooks", lambda: [copied])
    assert colab_cell.main(["--check"]) == 1 and "carries another cell: notebooks/00" in capsys.readouterr().out
    assert colab_cell.main([]) == 0 and copied.read_bytes() == before and colab_cell.main(["--check"]) == 0
    copied.write_text(json.dumps(json.loads(before)))
    with pytest.raises(ValueError, match="make refresh ONLY=00"):
        colab_cell.put(copied, "x")


def run_cell(text):
    """Run the text of a cell as IPython would; what its magics were given."""
    asked = []

    class Shell:
        def run_line_magic(self, name, line, **_):
            asked.append(f"%{name} {line.format(**names)}")

    names = {"get_ipython": Shell}
    exec(compile(TransformerManager().transform_cell(text), "cell", "exec"), names)
    return asked


def test_the_cell_does_nothing_at_home_and_asks_for_a_wheel_on_colab(monkeypatch, tmp_path):
    from medgen_kit import colab

    begun = []
    monkeypatch.setattr(colab, "begin", lambda drive: begun.append(drive))
    monkeypatch.delenv("MEDGEN_SOURCE", raising=False)
    for name in [name for name in os.environ if name.startswith("COLAB_")]:
        monkeypatch.delenv(name)
    assert run_cell(colab_cell.source()) == [] and begun == []
    monkeypatch.setenv("COLAB_GPU", "")
    bare = tmp_path / "pyproject.toml"
    bare.write_text("[project]\nname = 'x'\n")
    with pytest.raises(AssertionError, match="Upload the kit's wheel, or set MEDGEN_SOURCE"):
        run_cell(colab_cell.source(bare))
    monkeypatch.setenv("MEDGEN_SOURCE", "/some place/kit.whl")
    assert run_cell(colab_cell.source(bare)) == ['%pip install -q --no-deps --force-reinstall "/some place/kit.whl"'] and begun == [False]
    monkeypatch.delenv("MEDGEN_SOURCE")
    bare.write_text("[project]\nname = 'x'\n[project.urls]\nRepository = 'https://example.org/a/kit'\n")
    assert run_cell(colab_cell.source(bare))[0].endswith('"git+https://example.org/a/kit"')
    older, newer = tmp_path / "medgen_kit-0.1.0-py3-none-any.whl", tmp_path / "medgen-kit-main.zip"
    for age, path in ((200, older), (100, newer)):
        path.write_text("x")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    (tmp_path / "medgen_kit.txt").write_text("x")
    assert run_cell(colab_cell.source(bare).replace("/content", str(tmp_path)))[0].endswith(f'"{newer}"'), "the last one uploaded"


def test_no_address_is_invented():
    import tomllib

    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    assert colab_cell.repository() == "" or colab_cell.repository()[4:] in urls.values()


def test_the_wheel_carries_every_file_that_the_package_reads(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = [path for path in (ROOT / "medgen_kit").rglob("*") if path.is_file() and path.suffix not in (".pyc", ".md")]
    lost = sorted(str(path.relative_to(ROOT)) for path in package if path.relative_to(ROOT).as_posix() not in inside)
    assert lost == [], "add them to [tool.setuptools.package-data] in pyproject.toml"
    tables = {f"medgen_kit/evaluate/paper_tables/{path.name}" for path in (ROOT / "data_cards" / "paper").glob("*.csv")}
    assert len(tables) >= 10 and tables <= inside
    assert not [name for name in inside if not name.startswith("medgen_kit")], "nothing but the package"


def test_an_installed_wheel_needs_no_checkout(wheel, tmp_path):
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(tmp_path / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = ("import medgen_kit as kit; from pathlib import Path; from medgen_kit.evaluate import paper; from medgen_kit import colab\n"
            "print(Path(kit.__file__).parent, paper.FOLDER, sep='\\n')\n"
            "print(len(paper.disagreements()), len(paper.totals('video_score')), len(paper.funnel()), len(kit.profiles.names()))\n"
            "print(len(kit.knowledge.gold()), len(colab.kit_mark()))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert done.returncode == 0, done.stderr[-1500:]
    place, folder, numbers, last = done.stdout.splitlines()
    assert Path(place) == tmp_path / "site" / "medgen_kit" and Path(folder) == Path(place) / "evaluate" / "paper_tables"
    assert all(int(number) > 3 for number in (numbers + " " + last).split())


def test_pins_are_older_than_the_lock_and_hold_what_colab_is_known_for():
    pins = dict(line.split("==") for line in colab_test.PINS.read_text().splitlines() if not line.startswith("#"))
    known = {"plotly": "5.24.1", "ipywidgets": "7.7.1", "ipython": "7.34.0", "ipykernel": "6.17.1", "numpy": "2.0.2", "pandas": "2.2.2",
             "matplotlib": "3.10.0", "diffusers": "0.37.1", "transformers": "5.9.0", "accelerate": "1.13.0", "peft": "0.19.1"}
    assert known.items() <= pins.items() and "torch" not in pins
    needs = [line.split(">")[0] for line in metadata.requires("medgen-kit") if "extra" not in line]
    lacking = {name for name in needs if name not in pins}
    assert {"av", "rapidocr", "nilearn", "pydicom", "onnxruntime", "scenedetect-headless"} <= lacking, "the first cell has work to do"


def test_the_tool_tells_what_was_upgraded_and_is_part_of_make_test():
    before = {"numpy": "2.0.2", "plotly": "5.24.1", "old": "1"}
    assert colab_test.differences(before, before | {"new": "3"}) == ""
    assert colab_test.differences(before, {"numpy": "2.4.0", "plotly": "5.24.1"}) == "numpy 2.0.2 -> 2.4.0, old 1 -> gone"
    assert any("course/tools/colab_test.py" in command for _, command in run_tests.steps())
