"""Profiles: one YAML file holds every size that differs between a test, a laptop and a GPU.

`load("cpu").data.clips` is a number; notebooks read sizes only from here and contain no `if gpu`.
"""

import difflib
import math
import numbers
import os
from pathlib import Path
from types import SimpleNamespace

from ..errors import KitError

FOLDER = Path(__file__).parent
DEFAULT = "cpu"
SEEDS = 2**32                          # what every generator of random numbers takes: 0 to SEEDS - 1


class NoSetting(KitError, AttributeError):
    """A size that the profile does not have; an AttributeError too, so that copy, pickle and hasattr work on a section."""


class Section(SimpleNamespace):
    """One block of a profile, with attribute access; `as_dict()` gives it back as plain data."""

    def as_dict(self):
        return dict(self.__dict__)

    def __getattr__(self, name):
        raise NoSetting(f"this profile has no setting '{name}' here; it has: {', '.join(sorted(self.__dict__))}.")


class Profile:
    """Sizes by section (`cfg.data`, `cfg.generate`, ...), with `name`, `about` and `seed`. place: what `load` finds it by again."""

    def __init__(self, name, settings, seed=0, place=""):
        self.name, self.seed, self.place = name, int(seed), place or name
        self.about = settings.pop("about")
        self.requires = Section(**settings.pop("requires"))
        self.sections = {key: Section(**value) for key, value in settings.items()}

    def __getattr__(self, name):
        try:
            return self.__dict__["sections"][name]
        except KeyError:
            sections = self.__dict__.get("sections", {})
            raise NoSetting(f"a profile has no section '{name}'{near(name, sections)} It has: {', '.join(sections)}.") from None

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
        raise KitError(f"there is no profile '{name}'{near(name, names())} Profiles: {', '.join(names())}.")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def load(name="", seed=0, check=True, **overrides):
    """The profile `name`; empty means $MEDGEN_PROFILE, else `cpu`. Refused when this machine cannot serve it.

    name: may also be the path of a YAML file of your own: `base`, the profile to start from, and the sizes that differ by section.
    seed: a whole number, 0 to 2**32 - 1. overrides: single sizes by section, for example `generate={"minutes": 1}`.
    check=False skips the machine check. Raises KitError for an unknown name, another kind of value, or a number below 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < SEEDS:
        raise KitError(f"seed is {seed!r}, but it must be a whole number, 0 to {SEEDS - 1}.")
    name = name or os.environ.get("MEDGEN_PROFILE") or DEFAULT
    place = str(Path(name).expanduser().resolve()) if str(name).endswith((".yaml", ".yml")) else ""
    name, settings, own = own_file(place) if place else (name, read(name), {})
    for section, values in [*own.items(), *overrides.items()]:
        settings[section] = override(name, settings, section, values)
    profile = Profile(name, settings, seed, place)
    if check:
        refuse_if_too_big(profile)
    return profile


def own_file(path):
    """(name, settings of its base, its own sections) of a user's YAML file."""
    import yaml

    path = Path(path)
    try:
        own = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"the profile file {path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KitError(f"the profile file {path} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(own, dict) or not isinstance(own.get("base"), str):
        raise KitError(f"the profile file {path} must name the profile that it starts from, for example:\nbase: cpu\n"
                       "curate: {folder: /home/me/videos}")
    base = own.pop("base")
    return path.stem, read(base) | {"about": f"{own.pop('about', '')} (profile '{base}' with {path.name})".strip()}, own


def override(name, settings, section, values):
    """The section of profile `name` with `values` put in; KitError for a section, a setting or a value that it cannot have."""
    sections = {key: value for key, value in settings.items() if isinstance(value, dict)}
    if section not in sections:
        raise KitError(f"profile '{name}' has no section '{section}'{near(section, sections)} Sections: {', '.join(sections)}.")
    own = sections[section]
    if not isinstance(values, dict):
        example = dict([next(iter(own.items()))])
        raise KitError(f"{section}={values!r}: the sizes of a section are given by name, for example {section}={example}.")
    for key in values:
        if key not in own:
            raise KitError(f"profile '{name}' has no setting {section}.{key}{near(key, own)} Section {section} has: {', '.join(own)}.")
    return own | {key: like(value, own[key], section, key) for key, value in values.items()}


def like(value, own, section, key):
    """`value` as the kind of thing that the profile file holds there (`own`): a text, true or false, a number not below 0."""
    kind, given = "true or false", value if isinstance(value, bool) else None
    if isinstance(own, str):
        kind, given = "a text", os.fspath(value) if isinstance(value, str | os.PathLike) else None
    elif not isinstance(own, bool):
        whole = all(isinstance(read(name)[section][key], int) for name in names())         # 300 steps, but 4 or 0.2 minutes
        kind, wanted = ("a whole number", numbers.Integral) if whole else ("a number", numbers.Real)
        fits = isinstance(value, wanted) and not isinstance(value, bool) and (isinstance(value, numbers.Integral) or math.isfinite(value))
        given = (int if isinstance(value, numbers.Integral) else float)(value) if fits else None
        if fits and given < 0:
            raise KitError(f"{section}.{key} is {value}, but it must not be negative.")
    if given is None:
        raise KitError(f"{section}.{key} is {value!r}, but it must be {kind} like {own!r}.")
    return given


def near(word, known):
    """The end of a sentence that names an unknown word: the nearest known one, if there is one."""
    found = difflib.get_close_matches(str(word), list(known), 1)
    return f"; did you mean '{found[0]}'?" if found else "."


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
