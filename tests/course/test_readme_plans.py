"""The README's table of GPUs is what the plans say today (three of its rows: all of them take half a minute)."""

from pathlib import Path

from course.tools.readme_plans import GPUS, MODELS, between, lines

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_table_is_not_stale():
    table = between(README.read_text(encoding="utf-8"))[1]
    for row in lines(("wan2.1-1.3b", "hunyuanvideo", "ltx-video"), ("train-lora",)).splitlines():
        assert row in table, f"run course/tools/readme_plans.py; missing: {row}"
    rows = table.splitlines()[2:]
    assert len(rows) == 2 * len(MODELS) and all(row.count("predicted") + row.count("measured") == len(GPUS) for row in rows)


def test_the_three_lines_are_commands_that_exist():
    from typer.main import get_command

    from medgen_kit.cli import typed

    known, said = get_command(typed), README.read_text(encoding="utf-8")
    for name in ("train", "sample", "export", "plan"):
        assert f"medgen-kit {name} " in said
        options = {flag for option in known.commands[name].params for flag in option.opts}
        for line in [line for line in said.splitlines() if f"medgen-kit {name} " in line or f"-m medgen_kit {name} " in line]:
            words = line.split(f" {name} ", 1)[1].split("`")[0].split()
            assert {word for word in words if word.startswith("--")} <= options, line
