"""From raw uploads to clean clips: find shots, measure each rule, decide in one table, count the funnel (paper section 3)."""

from . import agree, backends, border, decide, duplicate, figures, funnel, motion, probe, quality, segment, stage, text
from .agree import acceptance, score
from .border import border_of
from .decide import Rules, first_failed
from .duplicate import perceptual_hash
from .motion import camera_motion
from .quality import laplacian_variance
from .segment import runs, scan, similarity
from .text import count_words

__all__ = ["Rules", "acceptance", "agree", "backends", "border", "border_of", "camera_motion", "count_words", "decide", "duplicate",
           "figures", "first_failed", "funnel", "laplacian_variance", "motion", "perceptual_hash", "probe", "quality", "runs", "scan",
           "score", "segment", "similarity", "stage", "text"]
