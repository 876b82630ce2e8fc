"""The three lists of packages agree: pyproject.toml (bounds), environment.yml (conda) and the lock files (exact versions)."""

import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from medgen_kit.run import REPOSITORY

CONDA_NAMES = {"torch": "pytorch", "huggingface-hub": "huggingface_hub"}                  # pip name -> conda-forge name
BY_PIP = {"opencv-python-headless", "rapidocr", "scenedetect-headless"}                   # installed by pip also under conda
BANNED = {"torchvision", "opencv-python", "opencv-contrib-python", "krippendorff", "pyiqa"}


def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def wanted(lines):
    """{canonical name: bounds} of requirement lines such as "torch>=2.11"."""
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.specifier for r in found}


def conda(text):
    """(python bounds, {pip's name: bounds} of conda packages, the same of the pip section) of an environment.yml."""
    entries = yaml.safe_load(text)["dependencies"]
    by_pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    back = {name: pip_name for pip_name, name in CONDA_NAMES.items()}
    rows = {}
    for entry in entries:
        if isinstance(entry, str):
            name, _, bounds = entry.partition(" ")
            rows[back.get(name, name)] = SpecifierSet(bounds)
    python = rows.pop("python")
    assert rows.pop("pip") == SpecifierSet(), "pip itself needs no bound"
    return python, rows, wanted(by_pip)


def differences(pip_side, conda_side):
    """What one list has and the other has not, or has with other bounds, as sentences."""
    out = [f"{name} is in pyproject.toml only" for name in sorted(set(pip_side) - set(conda_side))]
    out += [f"{name} is in environment.yml only" for name in sorted(set(conda_side) - set(pip_side))]
    return out + [f"{name}: {pip_side[name]} in pyproject.toml, {conda_side[name]} in environment.yml"
                  for name in sorted(set(pip_side) & set(conda_side)) if pip_side[name] != conda_side[name]]


def locked(name="requirements.lock"):
    """{canonical name: version} of a lock file."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    rows = [Requirement(line.split(" #")[0]) for line in lines if line.strip() and not line.startswith(("#", "-", " "))]
    assert all([s.operator for s in row.specifier] == ["=="] for row in rows), "every line of the lock file pins one version"
    return {canonicalize_name(row.name): Version(next(iter(row.specifier)).version) for row in rows}


def test_conda_and_pip_list_the_same_packages_and_bounds():
    _, by_conda, by_pip = conda((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    assert set(by_pip) == BY_PIP and not set(by_pip) & set(by_conda)
    assert differences(wanted(project()["dependencies"]), by_conda | by_pip) == []


@pytest.mark.parametrize(("old", "new", "said"), [
    ("  - numpy >=2.0\n", "", "numpy is in pyproject.toml only"),
    ("  - numpy >=2.0\n", "  - numpy >=2.1\n", "numpy: >=2.0 in pyproject.toml, >=2.1 in environment.yml"),
    ("  - pip\n", "  - pip\n  - kornia\n", "kornia is in environment.yml only"),
    ("      - rapidocr>=3.10\n", "", "rapidocr is in pyproject.toml only"),
])
def test_a_difference_is_noticed(old, new, said):
    text = (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
    assert old in text
    _, by_conda, by_pip = conda(text.replace(old, new))
    assert differences(wanted(project()["dependencies"]), by_conda | by_pip) == [said]


def test_environment_has_the_same_python_and_channel():
    whole = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    assert whole["name"] == "medgen-kit" and whole["channels"] == ["conda-forge"]
    python = conda((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))[0]
    assert python == SpecifierSet(project()["requires-python"])
    assert all(Version(v) in python for v in ("3.11", "3.12.4", "3.13.9")) and Version("3.14") not in python


def test_lock_pins_every_direct_dependency_inside_its_bounds():
    pins = locked()
    outside = [f"{name} {pins.get(name)} against {bounds}" for name, bounds in wanted(project()["dependencies"]).items()
               if name not in pins or pins[name] not in bounds]
    extras, own = project()["optional-dependencies"], {extra: locked(f"requirements-{extra}.lock") for extra in ("browser", "cards")}
    for extra, lines in extras.items():
        there = pins | own.get(extra, {})
        outside += [f"{name} of {extra}" for name, bounds in wanted(lines).items() if name not in there or there[name] not in bounds]
    for extra, more in own.items():
        assert not set(more) & set(pins), f"requirements-{extra}.lock holds only what the extra `{extra}` adds"
    assert outside == []
    assert pins["torch"].public == "2.13.0"


def test_lock_and_environment_hold_nothing_banned():
    _, by_conda, by_pip = conda((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    locks = [locked(), *(locked(f"requirements-{extra}.lock") for extra in ("browser", "cards"))]
    for names in (*locks, by_conda, by_pip, wanted(project()["dependencies"])):
        assert not BANNED & set(names)
