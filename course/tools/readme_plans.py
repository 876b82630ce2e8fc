"""The table of README.md that says which model fits which GPU, made from the plans: run it after a change of `medgen_kit.generate.plan`."""

import argparse
from pathlib import Path

from medgen_kit.generate import plan_table

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- plans -->\n", "<!-- end of plans -->\n"
MODELS = ("wan2.1-1.3b", "wan2.1-14b", "hunyuanvideo", "mochi-1", "ltx-video", "cogvideox-2b")      # MedGen's sizes are Wan2.1's
GPUS = ("T4", "L4", "A100-40", "A100-80")


def lines(models=MODELS, tasks=("train-lora", "sample")):
    """The rows of the table as Markdown."""
    rows = plan_table(models, gpus=GPUS, tasks=tasks)
    return "".join(f"| {row['model']} | {row['task']} | {' | '.join(row[gpu] for gpu in GPUS)} |\n" for row in rows)


def table():
    return f"| 49 x 480 x 832, bf16 | | {' | '.join(GPUS)} |\n|---|---|{'---|' * len(GPUS)}\n" + lines()


def between(text):
    """(before, table, after) of the README."""
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    return before, table, after


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    readme = ROOT / "README.md"
    before, _, after = between(readme.read_text(encoding="utf-8"))
    readme.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
    print("README.md has the plans of today")
