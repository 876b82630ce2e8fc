"""On Colab: nothing preinstalled is touched; the words about the GPU; Drive after a disconnect; the restart; bfloat16 by capability."""

import os
import subprocess
import sys
import types

import pytest

from medgen_kit import colab, profiles
from medgen_kit.errors import KitError
from medgen_kit.generate import precision
from medgen_kit.machine import facts
from medgen_kit.run import Run, runs_root

MACHINE = {"cores": 2, "memory_gib": 12.7, "free_disk_gib": 70.0, "gpu": None, "gpu_memory_gib": None, "capability": None}
CARDS = {"Tesla T4": (14.7, (7, 5)), "NVIDIA L4": (22.2, (8, 9)), "NVIDIA A100-SXM4-40GB": (39.6, (8, 0)), "Tesla K80": (11.2, (3, 7))}


@pytest.fixture
def on_colab(monkeypatch):
    """A session on Colab, and the fake package google.colab with what was asked of it in `asked`."""
    asked = []
    package, drive, output = (types.ModuleType(name) for name in ("google.colab", "google.colab.drive", "google.colab.output"))
    drive.mount, output.enable_custom_widget_manager = asked.append, lambda: asked.append("widgets")
    package.drive, package.output = drive, output
    for name, module in (("google", types.ModuleType("google")), ("google.colab", package)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "simulated")
    monkeypatch.delenv("MEDGEN_PROFILE", raising=False)
    monkeypatch.delenv("MEDGEN_DRIVE", raising=False)
    monkeypatch.setattr(colab, "missing", lambda: ([], []))
    monkeypatch.setattr(colab, "MOVED", {})
    return types.SimpleNamespace(asked=asked, drive=drive)


def card(name, **changes):
    memory, capability = CARDS[name]
    return MACHINE | {"gpu": name, "gpu_memory_gib": memory, "capability": capability} | changes


def test_nothing_happens_outside_of_colab(monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("COLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(colab, "install", lambda wanted: pytest.fail("installed something"))
    colab.begin(drive=True)
    assert "not Colab" in capsys.readouterr().out


def test_only_what_lacks_is_wanted_and_what_is_there_is_never_upgraded():
    lines = ["numpy>=2.0", "no-such-package>=1", "jupyterlab>=4", "ruff>=0.1", 'other>=1; extra == "ray"', 'other>=1; python_version < "3"']
    assert colab.missing(lines) == (["no-such-package>=1"], [])
    wanted, old = colab.missing(["numpy>=99"])
    assert wanted == [] and len(old) == 1 and old[0].startswith("numpy is 2.") and "needs >=99" in old[0]
    assert colab.missing() == ([], []), "in this environment the kit lacks nothing"


def test_a_module_that_another_package_brought_is_not_installed_again(monkeypatch):
    monkeypatch.setattr(colab, "version", lambda name: None)
    assert colab.missing(["opencv-python-headless>=4.10", "scenedetect-headless>=0.7", "av>=14"]) == (["av>=14"], [])


def test_pip_holds_all_that_is_installed(monkeypatch):
    seen = {}

    def pip(command, **_):
        seen["command"], seen["held"] = command, open(command[command.index("--constraint") + 1]).read().split()
        return types.SimpleNamespace(returncode=seen.get("code", 0), stderr="noise\nERROR: No matching distribution found for av\n")
    monkeypatch.setattr(subprocess, "run", pip)
    colab.install(["av>=14"])
    assert seen["command"][:4] == [sys.executable, "-m", "pip", "install"] and seen["command"][-1] == "av>=14"
    assert not {"--upgrade", "-U", "--force-reinstall"} & set(seen["command"])
    import numpy
    import torch
    assert {f"numpy=={numpy.__version__}", f"torch=={torch.__version__}"} <= set(seen["held"]) and len(seen["held"]) > 100
    seen["code"] = 1
    with pytest.raises(KitError, match="could not install av.*No matching distribution.*internet"):
        colab.install(["av>=14"])


def test_begin_says_how_things_stand_and_chooses_nothing(on_colab, monkeypatch, capsys):
    before = dict(os.environ)
    monkeypatch.setattr("medgen_kit.machine.facts", lambda: MACHINE)
    colab.begin()
    said = capsys.readouterr().out
    assert "GPU: none" in said and "means 'cpu'" in said and "Change runtime type > T4 GPU" in said
    assert on_colab.asked == ["widgets"] and dict(os.environ) == before, "no Drive, no profile"
    monkeypatch.setattr(colab, "missing", lambda: ([], ["numpy is 1.26, and the kit needs >=2.0"]))
    with pytest.raises(KitError, match="too old for the kit: numpy is 1.26.*Runtime version"):
        colab.begin()


@pytest.mark.parametrize("name, word, numbers", [
    ("Tesla T4", "write colab-t4 between", "14.7 GiB, compute capability 7.5: float16, no bfloat16"),
    ("NVIDIA L4", "write colab-l4 between", "capability 8.9: bfloat16."), ("NVIDIA A100-SXM4-40GB", "write a100 between", "8.0: bfloat16."),
    ("Tesla K80", "No profile for a GPU fits here (profile 'colab-t4' needs 14 GiB of GPU memory (this GPU has 11))", "3.7: float16")])
def test_the_word_for_each_gpu(name, word, numbers, monkeypatch):
    monkeypatch.delenv("MEDGEN_PROFILE", raising=False)
    said = "\n".join(colab.said(card(name)))
    assert word in said and numbers in said and f"GPU: {name}" in said and "An empty `profile` means 'cpu'." in said
    monkeypatch.setenv("MEDGEN_PROFILE", "smoke")
    assert "means 'smoke' here (MEDGEN_PROFILE)" in "\n".join(colab.said(card(name)))


def test_a_full_disk_is_the_reason_and_the_widget_manager_may_be_absent(monkeypatch):
    assert "40 GiB of free disk (there are 5.0)" in colab.said(card("Tesla T4", free_disk_gib=5.0))[1]
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    colab.widgets()


def test_restart_is_said_when_a_loaded_module_was_changed(on_colab, monkeypatch):
    assert colab.changed() == []
    import numpy
    monkeypatch.setattr(numpy, "__version__", "1.2.3")
    with pytest.raises(KitError, match=r"restart needed: numpy \(1.2.3 in use, 2\..*on the disk\).*Runtime > Restart session"):
        colab.begin()
    monkeypatch.undo()
    monkeypatch.setattr(colab, "KIT", "the mark of another wheel")
    assert colab.changed() == ["medgen_kit"]


def test_runs_on_drive_go_on_after_a_disconnect(on_colab, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(colab, "use_drive", lambda use=colab.use_drive: use(tmp_path))
    monkeypatch.setattr("medgen_kit.machine.facts", lambda: MACHINE)
    monkeypatch.setenv("MEDGEN_DRIVE", "1")
    colab.begin()
    place = tmp_path / colab.RUNS
    assert on_colab.asked == [str(tmp_path), "widgets"] and os.environ["MEDGEN_RUNS"] == str(place)
    assert "Runs live on Drive" in capsys.readouterr().out and list(place.iterdir()) == []
    run, calls = Run.open(profiles.load("smoke")), []
    run.make("done", lambda work: calls.append("done"))

    def cut(work):
        calls.append((work.out / "part.txt").exists())
        (work.out / "part.txt").write_text("x")
        if len(calls) == 2:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run.make("cut", cut)
    monkeypatch.setenv("MEDGEN_RUNS", "")                                        # a new session knows nothing
    colab.begin()
    assert "Found there: run 'smoke' with 1 finished stages" in capsys.readouterr().out
    again = Run.open(profiles.load("smoke"))
    again.make("done", lambda work: calls.append("done again"))
    again.make("cut", cut)
    assert again.root.parent == place and calls[1:] == [False, True], "the half-made stage was found again, the finished one left alone"


@pytest.mark.parametrize("before", [None, "elsewhere"])
def test_without_drive_runs_are_where_they_were(before, on_colab, tmp_path, monkeypatch, capsys):
    before = before and str(tmp_path / before)
    monkeypatch.setenv("MEDGEN_RUNS", before or "")
    if before is None:
        monkeypatch.delenv("MEDGEN_RUNS")
    monkeypatch.setattr(colab, "use_drive", lambda use=colab.use_drive: use(tmp_path))
    monkeypatch.setattr("medgen_kit.machine.facts", lambda: MACHINE)
    at_first, place = runs_root(), tmp_path / colab.RUNS

    def said(**given):
        colab.begin(**given)
        return capsys.readouterr().out
    here = f"Runs live in {at_first}, " + ("as MEDGEN_RUNS says" if before else "and end with this session; begin(drive=True) keeps them")
    assert here in said() and here in said(drive=False)
    for _ in range(2):
        assert f"Runs live on Drive, in {place}" in said(drive=True) and f"on Drive, in {place}" in said(drive=True)
        assert here in said(drive=False) and os.environ.get("MEDGEN_RUNS") == before and runs_root() == at_first
    said(drive=True)
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "own"))
    assert f"Runs live in {tmp_path / 'own'}, as MEDGEN_RUNS says" in said(), "what the reader set since is the reader's"
    said(drive=True)
    on_colab.drive.mount = lambda place: (_ for _ in ()).throw(ValueError("mount failed"))
    with pytest.raises(KitError, match="could not be mounted"):
        colab.begin(drive=True)
    assert runs_root() == tmp_path / "own", "no run goes to a Drive that is gone"


def test_a_folder_on_drive_that_the_reader_named_is_said_to_be_there(monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", f"{colab.MOUNT}/MyDrive/mine")
    assert colab.where_runs_live() == f"Runs live on Drive, in {colab.MOUNT}/MyDrive/mine. None yet."


def test_begin_installs_what_lacks_and_refuses_what_that_changed(on_colab, monkeypatch, capsys):
    import numpy
    done, version = [], colab.version
    monkeypatch.setattr("medgen_kit.machine.facts", lambda: MACHINE)
    monkeypatch.setattr(colab, "missing", lambda: (["av>=14", "pydicom>=3"], []))
    monkeypatch.setattr(colab, "install", done.append)
    colab.begin()
    said = capsys.readouterr().out
    assert done == [["av>=14", "pydicom>=3"]] and "Installing what Colab lacks: av>=14, pydicom>=3" in said and "GPU: none" in said

    def changes_numpy(wanted):
        done.append(wanted)
        monkeypatch.setattr(colab, "version", lambda name: "99.0" if name == "numpy" else version(name))
    monkeypatch.setattr(colab, "install", changes_numpy)
    with pytest.raises(KitError, match=rf"restart needed: numpy \({numpy.__version__} in use, 99.0 on the disk\).*Restart session"):
        colab.begin()
    assert len(done) == 2 and "GPU" not in capsys.readouterr().out and on_colab.asked == ["widgets"], "it ended there"
    monkeypatch.setattr(colab, "version", version)
    monkeypatch.setattr(colab, "install", lambda wanted: monkeypatch.setattr(colab, "kit_mark", lambda: "the mark of another wheel"))
    with pytest.raises(KitError, match="restart needed: medgen_kit was changed"):
        colab.begin()


def test_a_drive_that_can_not_be_used_is_told(on_colab, tmp_path, monkeypatch):
    on_colab.drive.mount = lambda place: (_ for _ in ()).throw(ValueError("mount failed"))
    with pytest.raises(KitError, match="could not be mounted.*mount failed.*allow it, or call begin.drive=False"):
        colab.use_drive(tmp_path)
    monkeypatch.setenv("MEDGEN_DRIVE", "yes")
    with pytest.raises(KitError, match="or take MEDGEN_DRIVE out of the environment and call begin.drive=False"):
        colab.use_drive(tmp_path)
    on_colab.drive.mount = lambda place: None
    (tmp_path / "MyDrive").write_text("a file in the way")
    with pytest.raises(KitError, match="can not hold runs"):
        colab.use_drive(tmp_path)


def test_bfloat16_goes_by_capability_whatever_torch_says(monkeypatch):
    """torch answers True on a T4, where bfloat16 is emulated; the kit looks at the compute capability alone."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: types.SimpleNamespace(total_memory=14.7 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    assert precision.precision_for("auto") == "fp16" and precision.numbers()["dtype"] == torch.float16
    with pytest.raises(KitError, match="bf16 needs compute capability 8.0, and this GPU has 7.5"):
        precision.precision_for("bf16")
    large = profiles.load("a100", check=False)
    with pytest.raises(KitError, match="bfloat16, that is compute capability 8.0"):
        profiles.refuse_if_too_big(large, facts() | {"gpu_memory_gib": 80, "free_disk_gib": 999})
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 0))
    assert precision.precision_for("auto") == "bf16" and precision.numbers()["dtype"] == torch.bfloat16
