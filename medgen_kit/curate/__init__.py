"""From raw uploads to clean clips: find shots, measure each rule, decide in one table, count the funnel (paper section 3).

    curate(raw_dir, out_dir, config, engine)    the whole of it, resumable, on this machine or on a cluster
    Rules, Config                               thresholds and settings
    decide.decide(clips, Rules(words=40))       another threshold on the table, without a look at a video
"""

from . import about, agree, audit, backends, border, bundle, card, config, cut, decide, duplicate, engines, faces, features, figures, funnel
from . import harvest, listing, look, motion, output, page, privacy, probe, quality, report, segment, shards, stage, tables, takedown
from . import text
from .agree import acceptance, score
from .border import border_of
from .config import Config
from .decide import Rules, first_failed, stages
from .duplicate import perceptual_hash
from .motion import camera_motion
from .output import candidates, quarantined, timelines
from .quality import laplacian_variance
from .segment import runs, scan, similarity
from .stage import curate, settle
from .text import count_words

__all__ = ["Config", "Rules", "about", "acceptance", "agree", "audit", "backends", "border", "border_of", "bundle", "camera_motion",
           "candidates", "card", "config", "count_words", "curate", "cut", "decide", "duplicate", "engines", "faces", "features",
           "figures", "first_failed", "funnel", "harvest", "laplacian_variance", "listing", "look", "motion", "output", "page",
           "perceptual_hash", "privacy", "probe", "quality", "quarantined", "report", "runs", "scan", "score", "segment", "settle",
           "shards", "similarity", "stage", "stages", "tables", "takedown", "text", "timelines"]
