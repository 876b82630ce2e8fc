"""Where clips come from: simulators with known factors, brain sweeps, DICOM and NIfTI files, MedVideoCap-55K, raw videos.

One pair of tables, `FACTORS` and `MOTION`, and five functions serve all seven simulated modalities and the brain sweeps alike.
"""

import importlib
import itertools

import numpy as np

from ..errors import KitError

_NAMES = {"from_dicom": "dicom", "from_dicom_series": "dicom", "from_nifti": "nifti", "Picture": "picture", "window": "picture",
          "WINDOWS": "picture", "explore_metadata": "fullsize_explore", "medvideocap": "hub", "fetch_video": "hub", "COLUMNS": "hub"}
_MODULES = ("simulate", "brain", "dicom", "nifti", "real", "hub", "samples", "raw", "picture", "fullsize")


def __getattr__(name):
    if name in ("FACTORS", "MOTION"):
        return _factors() if name == "FACTORS" else _motion()
    if name in _MODULES or name in _NAMES:
        module = importlib.import_module(f"{__name__}.{_NAMES.get(name, name)}")
        return getattr(module, name) if name in _NAMES else module
    raise AttributeError(f"medgen_kit.sources has no '{name}'. It offers: {', '.join(__dir__())}")


def __dir__():
    return sorted({"FACTORS", "MOTION", "category", "combinations", "is_held_out", "render", "describe", "title", *_NAMES, *_MODULES})


def _factors():
    from . import brain, simulate

    return simulate.FACTORS | {f"brain.{name}": values for name, values in brain.FACTORS.items()}


def _motion():
    from . import brain, simulate

    return (*simulate.MOTION, *(f"brain.{name}" for name in brain.MOTION))


def combinations():
    """All factor combinations as flat dicts: {"modality": "echo", "echo.view": ..., ...}, the brain sweeps last."""
    from . import brain, simulate

    sweeps = [{"modality": "brain"} | {f"brain.{name}": value for name, value in zip(brain.FACTORS, values)}
              for values in itertools.product(*brain.FACTORS.values())]
    return simulate.combinations() + sweeps


def is_held_out(factors):
    """True when this combination is kept out of training (a fixed rule, the same in every run)."""
    from . import brain, simulate

    if factors.get("modality") == "brain":
        return tuple(plain(factors).values()) in brain.HELD_OUT
    return simulate.is_held_out(factors)


def plain(factors):
    """The factors of one modality without their prefix: {"brain.plane": "axial", ...} -> {"plane": "axial", ...}."""
    modality = factors.get("modality", "")
    named = {key.removeprefix(f"{modality}."): value for key, value in factors.items() if key != "modality"}
    if modality == "brain":
        from . import brain

        brain.check(named)
        named = {name: named[name] for name in brain.FACTORS}
    return named


def render(factors, seed, frames=9, size=64):
    """Clips uint8 [N, frames, size, size, 3] of N flat factor dicts, in any mix. Clip i depends only on (seed, factors[i], i)."""
    from . import brain, simulate

    factors = list(factors)
    brains = [i for i, one in enumerate(factors) if one.get("modality") == "brain"]
    if not factors:
        raise KitError("render needs at least one dict of factors; sources.combinations() lists them all.")
    if not brains:
        return simulate.simulate(factors, seed, frames=frames, size=size)
    clips = np.empty((len(factors), frames, size, size, 3), np.uint8)
    others = [i for i in range(len(factors)) if i not in set(brains)]
    if others:
        # a stand-in keeps every simulated clip at its place in the list, so that it does not depend on its neighbours
        filled = [one if one.get("modality") != "brain" else factors[others[0]] for one in factors]
        clips[others] = simulate.simulate(filled, seed, frames=frames, size=size)[others]
    for i in brains:
        clips[i] = brain.render([plain(factors[i])], np.random.default_rng((seed, i)), frames, size)[0]
    return clips


def describe(factors, rng):
    """(brief, detailed) captions written from the factors of one clip."""
    from . import brain, simulate

    return brain.describe(plain(factors), rng) if factors.get("modality") == "brain" else simulate.describe(factors, rng)


def category(modality):
    """The MedVideoCap category that a modality's clips belong to."""
    from . import brain, simulate

    return brain.CATEGORY if modality == brain.NAME else simulate.SIMULATORS[modality].CATEGORY


def title(factors, rng):
    """What an uploader would call a video with these factors."""
    from . import brain, simulate

    return brain.title(plain(factors), rng) if factors.get("modality") == "brain" else simulate.title(factors, rng)
