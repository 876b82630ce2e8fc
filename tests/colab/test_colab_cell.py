"""The first cell of the lessons, the wheel that it installs, and the tool that runs them with Colab's packages."""

import json
import os
import shutil
import subprocess
import sys
import types
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

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


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A session on Colab whose pip is a fake. `run(folder)`: the cell, with `folder` for /content; `asked`: what pip was to install."""
    from medgen_kit import colab

    one = types.SimpleNamespace(asked=[], begun=[], code=0, bare=tmp_path / "pyproject.toml")
    one.bare.write_text("[project]\nname = 'x'\n")

    def pip(command, **_):
        assert command[:5] == [sys.executable, "-m", "pip", "install", "-qq"] and {"--no-deps", "--force-reinstall"} < set(command)
        one.asked.append(command[-1])
        return types.SimpleNamespace(returncode=one.code, stderr="noise" * 99 + "ERROR: no such thing")

    def run(folder=tmp_path / "nothing", text=None):
        exec(compile((text or colab_cell.source(one.bare)).replace("/content/", f"{folder}/"), "cell", "exec"), {})
        return one.asked[-1] if one.asked else None
    one.run = run
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(colab, "begin", lambda drive: one.begun.append(drive))
    monkeypatch.delenv("MEDGEN_SOURCE", raising=False)
    monkeypatch.setenv("COLAB_GPU", "")
    return one


def upload(folder, name, age, text=None):
    """A file in `folder`, `age` seconds old: a zip file, or `text`."""
    if text is None:
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr("name", name)
    else:
        (folder / name).write_text(text)
    os.utime(folder / name, (1.8e9 - age,) * 2)
    return str(folder / name)


def test_the_cell_does_nothing_at_home(session, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_SOURCE", "x.whl")
    for name in [name for name in os.environ if name.startswith("COLAB_")]:
        monkeypatch.delenv(name)
    assert session.run(text=colab_cell.source()) is None and session.begun == [] and capsys.readouterr().out == ""


def test_without_a_wheel_the_cell_says_where_it_comes_from_and_where_it_belongs(session, monkeypatch):
    with pytest.raises(AssertionError, match=r"from your teacher \(or `make wheel`\): upload it in the Files pane, to /content"):
        session.run(text=colab_cell.source(session.bare))
    assert session.asked == session.begun == []
    monkeypatch.setenv("MEDGEN_SOURCE", "/some place/kit.whl")
    assert session.run() == "/some place/kit.whl" and session.begun == [False]
    monkeypatch.delenv("MEDGEN_SOURCE")
    session.bare.write_text("[project]\nname = 'x'\n[project.urls]\nRepository = 'https://example.org/a/kit'\n")
    assert session.run() == "git+https://example.org/a/kit"


def test_the_newest_whole_file_is_taken_under_a_name_that_pip_accepts(session, tmp_path, capsys):
    name = "medgen_kit-0.1.0-py3-none-any.whl"
    first = upload(tmp_path, name, age=500)
    upload(tmp_path, "medgen_kit.txt", age=0)
    assert Path(session.run(tmp_path)).name == name and f"Installing the kit from {first}" in capsys.readouterr().out
    assert Path(session.run(tmp_path)).read_bytes() == Path(first).read_bytes()
    for age, again in ((400, " (1)"), (300, "(2)"), (200, " - Copy"), (100, " 2")):
        newer = upload(tmp_path, name.replace(".whl", f"{again}.whl"), age=age)
        taken = Path(session.run(tmp_path))
        assert taken.name == name and taken.read_bytes() == Path(newer).read_bytes() and f"from {newer}" in capsys.readouterr().out
    assert Path(first).read_bytes() != taken.read_bytes(), "what was uploaded stays as it is"
    assert Path(session.run(tmp_path)).name == name
    source = upload(tmp_path, "medgen-kit-main.zip", age=50)
    upload(tmp_path, "medgen_kit-0.2.0-py3-none-any.whl", age=10, text="PK, and no more than half of it")
    assert Path(session.run(tmp_path)).name == Path(source).name, "not the one whose upload has not ended"


def test_the_cell_ends_where_pip_fails(session, monkeypatch):
    monkeypatch.setenv("MEDGEN_SOURCE", "kit.whl")
    session.code = 1
    with pytest.raises(AssertionError, match="Kit not installed.*upload.*internet.*run this again.*ERROR: no such thing") as error:
        session.run()
    assert session.asked == ["kit.whl"] and session.begun == [] and len(str(error.value)) < 450


def test_pip_itself_takes_the_whole_wheel_and_the_older_kit_never_goes_on(wheel, tmp_path):
    """The cell as it stands, with the real pip, where a kit is installed already: this environment's."""
    content, site = tmp_path / "content", tmp_path / "site"
    content.mkdir()
    site.mkdir()
    half = content / wheel.name
    half.write_bytes(wheel.read_bytes()[:-5000])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEDGEN")}
    environment |= {"COLAB_GPU": "", "PIP_TARGET": str(site), "PYTHONPATH": str(site)}
    text = colab_cell.source().replace("/content/", f"{content}/").replace("colab.begin(drive=False)", "print('GOES ON', colab.__file__)")

    def ran():
        return subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True)
    stopped = ran()
    assert stopped.returncode and "GOES ON" not in stopped.stdout and not list(site.iterdir())
    assert "AssertionError: Kit not installed." in stopped.stderr and "is invalid" in stopped.stderr
    shutil.copy(wheel, content / wheel.name.replace(".whl", " (1).whl"))
    os.utime(half)
    done = ran()
    assert done.returncode == 0, done.stderr
    assert f"GOES ON {site / 'medgen_kit' / 'colab.py'}" in done.stdout and "(1).whl" in done.stdout


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


def test_the_tool_runs_lessons_and_exercises():
    names = [path.stem for path in colab_test.notebooks()]
    assert names == [path.stem for path in LESSONS] + [f"{number:02}_ex" for number in range(10)]
    assert [path.stem for path in colab_test.notebooks(["00", "09_ex"])] == ["00_start_here", "00_ex", "09_ex"]
    with pytest.raises(colab_test.Failed, match="No notebook begins with 77"):
        colab_test.notebooks(["77"])


def test_the_tool_tells_what_failed_in_a_notebook(tmp_path, monkeypatch):
    import nbformat

    monkeypatch.setenv("JUPYTER_PATH", str(colab_test.kernel(tmp_path / "jupyter", sys.executable)))

    def said(*sources):
        first, *rest = map(nbformat.v4.new_code_cell, sources)
        first.metadata.tags = ["colab"]
        nbformat.write(nbformat.v4.new_notebook(cells=[first, *rest]), tmp_path / "one.ipynb")
        return colab_test.one(tmp_path / "one.ipynb", tmp_path, dict(os.environ))
    assert said("print('GPU: none')", "...") == []
    assert said("print('GPU: none')", "use = {}['answer']")[0].startswith("KeyError: 'answer'")
    assert said("print('not Colab')")[0].startswith("the first cell did not say what the GPU is: not Colab")
    assert "stored" in said("print('GPU: none')", "# NBVAL_CHECK_OUTPUT\nprint(1)")[0], "a checked cell says another thing than is stored"
