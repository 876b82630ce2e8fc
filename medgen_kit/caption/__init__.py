"""Captions: facts -> detailed -> brief, then checks. The stage is `caption.stage:build`.

    Facts.of(clip)                 what is known and measured about a clip
    write(clips, backend)          detailed and brief captions by "template", "transformers" or "openai", from the cache where paid for
    estimate(clips, backend)       what that would cost, before anything is sent
    check(rows)                    twenty-one checks on captions, each with a threshold and a reason
    flag_precision()               what the checks are worth: precision and recall on planted errors
    statistics(clips)              a set of captions in numbers, beside the paper's
    errors_by_backend(...)         what each captioner gets wrong where the truth is known
    transcript                     WebVTT and SubRip files beside a video
"""

from . import transcript
from .backends import BACKENDS, backend, register
from .cache import Log
from .checks import CHECKS, Row, check, must_be_rewritten
from .facts import Facts
from .planted import flag_precision
from .summary import statistics
from .truth import contradictions, errors_by_backend, named
from .wire import Refused, Stop
from .write import Written, estimate, write

__all__ = ["BACKENDS", "CHECKS", "Facts", "Log", "Refused", "Row", "Stop", "Written", "backend", "check", "contradictions",
           "errors_by_backend", "estimate", "flag_precision", "must_be_rewritten", "named", "register", "statistics", "transcript", "write"]
