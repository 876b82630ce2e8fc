"""Captions: facts -> detailed -> brief, then checks. The stage is `caption.stage:build`.

    Facts.of(clip)                 what is known and measured about a clip
    backend("template")            writes a detailed caption from facts, then a brief one from the detailed one
    check(rows)                    fourteen checks on captions, each with a threshold and a reason
"""

from .backends import BACKENDS, backend, register
from .checks import CHECKS, Row, check
from .facts import Facts
from .truth import contradictions, named

__all__ = ["BACKENDS", "CHECKS", "Facts", "Row", "backend", "check", "contradictions", "named", "register"]
