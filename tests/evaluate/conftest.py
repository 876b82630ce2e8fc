"""A blind study, made once, and a fresh copy of it for every test that asks for one."""

import shutil

import pytest

from medgen_kit.evaluate import study
from tests.evaluate.small_study import items


@pytest.fixture(scope="session")
def made_study(tmp_path_factory):
    return study.make(tmp_path_factory.mktemp("made") / "study", items(), seed=4)


@pytest.fixture
def folder(made_study, tmp_path):
    """A fresh copy of one study and its key."""
    shutil.copy(study.key_path(made_study), study.key_path(tmp_path / "study"))
    return shutil.copytree(made_study, tmp_path / "study")
