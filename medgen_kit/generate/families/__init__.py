"""Families of video models: one small adapter each says how its prompts and videos are encoded, noised and shown to its transformer.

Everything else (loop, LoRA, cache, checkpoints, sampling) exists once and asks the adapter.
"""

from ...errors import KitError
from .base import Family
from .cogvideox import CogVideoX
from .hunyuan import HunyuanVideo
from .ltx import LTXVideo
from .mochi import Mochi
from .tiny import MedGenTiny
from .wan import Wan

FAMILIES = {family.name: family for family in (Wan, HunyuanVideo, Mochi, LTXVideo, CogVideoX, MedGenTiny)}


def family_of(pipe, **settings):
    """The adapter of a pipeline (by its class); KitError that lists the families when there is none for it. settings: see the adapter."""
    for family in FAMILIES.values():
        if pipe.__class__.__name__ in family.pipelines:
            return family(**settings)
    known = ", ".join(name for family in FAMILIES.values() for name in family.pipelines)
    raise KitError(f"there is no adapter for {pipe.__class__.__name__}. Pipelines that can be trained: {known}.")


def family_named(name, **settings):
    """The adapter called `name` (wan, hunyuan, mochi, ltx, cogvideox, tiny)."""
    if name not in FAMILIES:
        raise KitError(f"there is no family '{name}'. Families: {', '.join(FAMILIES)}.")
    return FAMILIES[name](**settings)


__all__ = ["FAMILIES", "Family", "family_named", "family_of"]
