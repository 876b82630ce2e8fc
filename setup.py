"""Puts the paper's tables (data_cards/paper/*.csv) into the wheel, beside the code that reads them. All else stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TABLES = Path(__file__).parent / "data_cards" / "paper"


class WithTables(build_py):
    """build_py that copies the tables into medgen_kit/evaluate/paper_tables; an editable install reads them where they are."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        tables = sorted(TABLES.glob("*.csv"))
        if not tables:
            raise FileNotFoundError(f"{TABLES} holds no table. Build the wheel from a whole checkout of the repository.")
        place = Path(self.build_lib) / "medgen_kit" / "evaluate" / "paper_tables"
        place.mkdir(parents=True, exist_ok=True)
        for table in tables:
            self.copy_file(str(table), str(place / table.name))


setup(cmdclass={"build_py": WithTables})
