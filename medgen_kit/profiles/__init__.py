"""Profiles: one YAML file holds every size that differs between a test, a laptop and a GPU.

`load("cpu").data.clips` is a number; notebooks read sizes only from here and contain no `if gpu`.
"""

import difflib
import os
from pathlib import Path
from types import SimpleNamespace

from ..errors import KitError

FOLDER = Path(__file__).parent
DEFAULT = "cpu"


class NoSetting(KitError, AttributeError):
    """A size that the profile does not have; an AttributeError too, so that copy, pickle and hasattr work on a section."""


class Section(SimpleNamespace):
    """One block of a profile, with attribute access; `as_dict()` gives it back as plain data."""

    def as_dict(self):
        return dict(self.__dict__)

    def __getattr__(self, name):
        raise NoSetting(f"this profile has no setting '{name}' here; it has: {', '.join(sorted(self.__dict__))}.")


class Profile:
    """Sizes by section (`cfg.data`, `cfg.generate`, ...), with `name`, `about` and `seed`."""

    def __init__(self, name, settings, seed=0):
        self.name, self.seed = name, int(seed)
        self.about = settings.pop("about")
        self.requires = Section(**settings.pop("requires"))
        self.sections = {key: Section(**value) for key, value in settings.items()}

    def __getattr__(self, name):
        try:
            return self.__dict__["sections"][name]
        except KeyError:
            raise AttributeError(f"profile has no section '{name}'; it has: {', '.join(self.__dict__.get('sections', {}))}") from None

    def settings(self, *names):
        """The named sections as plain data, for a stage's manifest."""
        return {name: self.sections[name].as_dict() for name in names} | {"seed": self.seed}

    def __repr__(self):
        return f"Profile('{self.name}', seed={self.seed}): {self.about}"


def names():
    """Names of the profiles there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name):
    """The settings of a profile file as plain nested dicts. An unknown name is refused with the nearest one."""
    import yaml

    path = FOLDER / f"{name}.yaml"
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        raise KitError(f"there is no profile '{name}'{f'; did you mean {near[0]!r}?' if near else '.'} Profiles: {', '.join(names())}.")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def load(name="", seed=0, check=True, **overrides):
    """The profile `name`; empty means $MEDGEN_PROFILE, else `cpu`. Refused when this machine cannot serve it.

    overrides: single sizes by section, for example `generate={"minutes": 1}`. check=False skips the machine check.
    """
    name = name or os.environ.get("MEDGEN_PROFILE") or DEFAULT
    settings = read(name)
    for section, values in overrides.items():
        unknown = set(values) - set(settings.get(section, {}))
        if section not in settings or unknown:
            raise KitError(f"profile '{name}' has no setting {section}.{', '.join(sorted(unknown)) or '*'}.")
        settings[section] |= values
    profile = Profile(name, settings, seed)
    if check:
        refuse_if_too_big(profile)
    return profile


def refuse_if_too_big(profile, machine=None):
    """KitError that names what is missing when the machine cannot serve the profile."""
    if machine is None:
        from ..machine import facts
        machine = facts()
    needs, missing = profile.requires, []
    if needs.gpu_memory_gib and not machine["gpu"]:
        missing.append(f"a CUDA GPU with {needs.gpu_memory_gib} GiB (none found; on Colab: Runtime > Change runtime type)")
    elif needs.gpu_memory_gib > (machine["gpu_memory_gib"] or 0) + 1:
        missing.append(f"{needs.gpu_memory_gib} GiB of GPU memory (this GPU has {machine['gpu_memory_gib']:.0f})")
    if needs.bf16 and machine["gpu"] and machine["capability"] < (8, 0):
        missing.append(f"bfloat16, that is compute capability 8.0 (this GPU has {machine['capability'][0]}.{machine['capability'][1]})")
    if machine["free_disk_gib"] < needs.disk_gib:
        missing.append(f"{needs.disk_gib} GiB of free disk (there are {machine['free_disk_gib']:.1f})")
    if missing:
        raise KitError(f"profile '{profile.name}' needs {' and '.join(missing)}. Choose profile 'cpu', which runs on 2 cores.")
