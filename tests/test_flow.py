"""The whole flow on the smallest profile, with every socket blocked; the direction of imports; the command line."""

import ast
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

import medgen_kit as kit
from medgen_kit import cli, pipeline

ROOT = Path(kit.__file__).parent
ORDER = ["knowledge", "sources", "curate", "caption", "align", "generate", "evaluate"]


def imported(path):
    """Sub-packages of medgen_kit that a file imports, however deep it lies."""
    found, depth = set(), len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medgen_kit"):
            found |= set(node.module.split(".")[1:2]) or {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("room", ORDER)
def test_no_room_imports_from_its_right_and_no_file_is_long(room):
    right = set(ORDER[ORDER.index(room) + 1:])
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert not imported(path) & right, path
        assert path.read_text(encoding="utf-8").count("\n") <= 400, path


def test_the_base_and_show_import_no_room():
    """What lies under the rooms knows none of them, `show` draws what it is handed, and only the flow and the shop window name rooms."""
    for path in sorted([*ROOT.glob("*.py"), *(ROOT / "show").rglob("*.py"), *(ROOT / "profiles").rglob("*.py")]):
        if path.name not in ("__init__.py", "pipeline.py", "cli.py") or path.parent != ROOT:
            assert not imported(path) & set(ORDER), path
        assert path.read_text(encoding="utf-8").count("\n") <= 400, path
    for path in (ROOT.parent / "course" / "tools").glob("*.py"):
        assert path.read_text(encoding="utf-8").count("\n") <= 400, path


def test_all_stages_run_offline(tmp_path, monkeypatch):
    def refuse(self, address, *_):
        raise AssertionError(f"the network was touched: {address}")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    run = kit.Run.open(kit.profile("smoke"))
    for stage in pipeline.FLOW:
        folder = kit.need(run, stage)
        assert (folder / "manifest.json").is_file()
    assert set(run.stages()) == set(pipeline.FLOW)
    tiny = run.figures("tiny")
    assert 0 <= tiny["motion"] <= 1 and {"real", "guess", "prompts", "unseen", "train_seconds"} <= set(tiny)
    assert not list(run.root.glob(".*.partial"))
    assert pipeline.missing(run, "evaluate") == []
    asked = CliRunner().invoke(cli.typed, ["sample", "Zzz qqq, an endoscope in the colon", "--profile", "smoke",
                                           "--out", str(tmp_path / "a.mp4")])
    assert asked.exit_code == 0 and (tmp_path / "a.mp4").is_file() and "made first" not in asked.output
    assert "words the model has never seen: zzz, qqq\n" in asked.output


def test_command_line():
    runner = CliRunner()
    names = [command.name or command.callback.__name__ for command in cli.typed.registered_commands]
    for name in names:
        shown = runner.invoke(cli.typed, [name, "--help"])
        assert shown.exit_code == 0 and f"medgen-kit {name}" in " ".join(shown.output.split())
    assert "denied: " in runner.invoke(cli.typed, ["tags", "no pericardial effusion"]).output
    assert "cpu" in runner.invoke(cli.typed, ["profiles"]).output


def test_a_command_that_makes_stages_names_them_before(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    made = []

    def stop(run, stage):
        made.append(stage)
        raise kit.KitError("enough")
    monkeypatch.setattr(pipeline, "need", stop)
    asked = CliRunner().invoke(cli.typed, ["sample", "a heart", "--profile", "cpu"])
    assert "made first: sources, raw, curate, caption, align, generate. That takes minutes" in asked.output
    assert "--profile smoke" in asked.output and made == ["generate"]
    assert pipeline.missing(kit.Run.open(kit.profile("cpu")), "ablate")[-3:] == ["align", "generate", "ablate"]
    shown = " ".join(CliRunner().invoke(cli.typed, ["need", "--help"]).output.split())
    assert "sources, raw, curate (reads raw), caption (reads sources and curate)" in shown and all(name in shown for name in pipeline.FLOW)
    assert CliRunner().invoke(cli.typed, ["need", "align", "--seed", "-1"]).exit_code == 2


def test_a_run_keeps_its_profile_and_its_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    run = kit.Run.open(kit.profile("smoke"), "mine")
    pipeline.need(run, "sources")
    assert cli._run("", "mine").profile.name == "smoke", "the run's own profile is the default"
    with pytest.raises(kit.KitError, match="made with profile 'smoke'"):
        pipeline.need(cli._run("cpu", "mine"), "sources")
    capsys.readouterr()
    pipeline.need(kit.Run.open(kit.profile("smoke", seed=3), "mine"), "sources")
    assert "The one that stands is replaced (other settings: seed)." in capsys.readouterr().out
    (tmp_path / "mine" / "generate" / "pipeline").mkdir(parents=True)
    asked = CliRunner().invoke(cli.typed, ["sample", "a heart", "--run", "mine"])
    assert isinstance(asked.exception, kit.KitError) and "would be replaced" in str(asked.exception) and "--model" in str(asked.exception)
    assert CliRunner().invoke(cli.typed, ["sample", "a heart", "--run", "mine", "--steps", "0"]).exit_code == 2


@pytest.mark.parametrize("place, said", [("file.md", "file.md is a file"), ("nowhere", "nowhere is not there"),
                                         (".", "holds no metadata.jsonl")])
def test_check_says_what_a_wrong_folder_is_and_what_makes_one(tmp_path, place, said):
    (tmp_path / "file.md").write_text("x")
    asked = CliRunner().invoke(cli.typed, ["check", str(tmp_path / place)])
    assert isinstance(asked.exception, kit.KitError) and said in str(asked.exception) and "medgen-kit need sources" in str(asked.exception)


def test_a_report_of_a_run_that_is_not_there_makes_none(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    asked = CliRunner().invoke(cli.typed, ["report", "--profile", "smoke", "--run", "typo"])
    assert isinstance(asked.exception, kit.KitError) and "no run 'typo'" in str(asked.exception) and not list(tmp_path.iterdir())
