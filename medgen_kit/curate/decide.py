"""One table, one decision: every candidate clip is measured first, then the first rule that it breaks removes it.

A changed threshold costs no look at the video: `decide(clips, Rules(words=40))` works on the table alone.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from ..errors import KitError
from . import duplicate

JOINT = ("require_both", "paper_literal", "reject_both_low")


@dataclass(frozen=True)
class Rules:
    """Thresholds. Those of the paper (section 3) unless a comment says otherwise.

    joint_rule: "require_both" keeps a clip with technical > 0.3 and aesthetic >= 4.0 (our reading). "paper_literal" is the printed
    sentence, which removes technical > 0.3 together with aesthetic < 4.0. "reject_both_low" removes only what is low on both.
    """

    medical: float = 0.5              # probability above which C = 1 (ours; the paper gives C as 0 or 1)
    min_steps: int = 6                # j - i >= 6
    min_side: int = 480               # "above 480p"; its own sample record is 720x480, so 480 counts as enough
    border: int = 0                   # pixels of black border above which a clip is removed
    words: int = 20                   # more words than this in 5 frames
    aesthetic: float = 3.0            # LAION score below this
    technical: float = 0.0            # DOVER at or below this (printed the other way round, against its own sample record)
    joint_technical: float = 0.3
    joint_aesthetic: float = 4.0
    joint_rule: str = "require_both"  # ours, see above
    quality: float = 0.0              # q_technical at or below this (ours)
    still: float = 0.3                # grey levels of change between frames below which a shot is a still (ours)
    duplicate_bits: float = 12.0      # of 64 (ours)

    def __post_init__(self):
        if self.joint_rule not in JOINT:
            raise KitError(f"joint_rule '{self.joint_rule}' is not one of {', '.join(JOINT)}.")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "joint_rule" and (isinstance(value, bool) or not isinstance(value, int | float) or value != value):
                raise KitError(f"rule {field.name} must be a number, not {value!r}.")


@dataclass(frozen=True)
class Stage:
    """A rule of the table: it removes a clip whose `column` stands in relation `op` to the threshold `limit` (a field of Rules).

    source: whose rule it is. reason: what is said of a clip that it removes. tool: what measured the column.
    """

    name: str
    source: str
    column: str
    op: str
    limit: str
    reason: str
    tool: str = "medgen_kit"


# In the paper's order; the last three are ours.
TABLE = (
    Stage("not medical", "paper 3.1", "medical", "<=", "medical", "a frame does not look medical"),
    Stage("too short", "paper 3.1", "steps", "<", "min_steps", "the shot is too short"),
    Stage("low resolution", "paper 3.1", "side", "<", "min_side", "the short side has too few pixels", "av"),
    Stage("black border", "paper 3.3", "border", ">", "border", "a black border stays at a side", "opencv-python-headless"),
    Stage("subtitles", "paper 3.3", "words", ">", "words", "more words are burned in than allowed", "rapidocr"),
    Stage("aesthetic", "paper 3.3", "aesthetic", "<", "aesthetic", "the LAION score is low"),
    Stage("technical", "paper 3.3", "technical", "<=", "technical", "the DOVER score is low"),
    Stage("joint", "paper 3.3", "technical", "joint", "joint_technical", "both scores together are low"),
    Stage("quality", "ours", "q_technical", "<=", "quality", "soft, noisy, blocky, dark or without contrast", "opencv-python-headless"),
    Stage("still", "ours", "change", "<", "still", "nothing changes", "opencv-python-headless"),
    Stage("duplicate", "ours", "duplicate_bits", "<=", "duplicate_bits", "nearly the same as another clip", "opencv-python-headless"),
)
NAMES = tuple(stage.name for stage in TABLE)
CUT_FAILED = "cut failed"             # removed_by of a clip that passed every rule and could not be cut
COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater}


def stage(name):
    """The Stage called `name`; KitError for another name."""
    if name not in NAMES:
        raise KitError(f"there is no rule '{name}'. Rules: {', '.join(NAMES)}.")
    return TABLE[NAMES.index(name)]


def column(clips, name):
    """A column of the table as floats [N], NaN where it was not measured."""
    if name not in clips:
        return np.full(len(clips), np.nan)
    return clips[name].to_numpy(dtype=float, na_value=np.nan)


def joint(technical, aesthetic, rules):
    """True where the joint rule removes a clip; technical and aesthetic are numbers or arrays."""
    good, pretty = np.asarray(technical) > rules.joint_technical, np.asarray(aesthetic) >= rules.joint_aesthetic
    return {"require_both": ~(good & pretty), "paper_literal": good & ~pretty, "reject_both_low": ~good & ~pretty}[rules.joint_rule]


def breaks(clips, name, rules=None):
    """(removed, measured): booleans [N] for one rule over a table of clips. What was not measured is not removed."""
    rules, rule = rules or Rules(), stage(name)
    values = column(clips, rule.column)
    measured = ~np.isnan(values)
    if rule.op == "joint":
        other = column(clips, "aesthetic")
        measured &= ~np.isnan(other)
        return measured & joint(values, other, rules), measured
    with np.errstate(invalid="ignore"):
        return measured & COMPARE[rule.op](values, getattr(rules, rule.limit)), measured


def first_failed(clips, rules=None, names=NAMES):
    """Name of the first rule in order that removes each clip, "" when it is kept: an array of text [N]."""
    found = np.full(len(clips), "", dtype=object)
    for name in names:
        removed, _ = breaks(clips, name, rules)
        found[removed & (found == "")] = name
    return found


def decide(clips, rules=None, pairs=None):
    """The table with `removed_by` ("" = kept), `duplicate_of` and `duplicate_bits` under `rules`; the one handed in is not changed.

    Duplicates are looked for among the clips that every other rule keeps. pairs: `duplicate.pairs(clips)`, found when not given.
    """
    rules, clips = rules or Rules(), clips.copy()
    clips["removed_by"] = first_failed(clips, rules, NAMES[:-1])
    near = duplicate.pairs(clips) if pairs is None else pairs
    clips["duplicate_of"], clips["duplicate_bits"] = duplicate.nearest(clips, near, clips["removed_by"].to_numpy() == "")
    late = (clips["removed_by"] == "") & breaks(clips, "duplicate", rules)[0]
    clips.loc[late, "removed_by"] = "duplicate"
    clips.loc[~late, "duplicate_of"] = ""
    return clips


def stages(clips, rules=None, mark=""):
    """The long table (curation notes, section 4): a decided table as one row a clip and rule, rejects kept.

    Columns clip_id, stage, value, threshold, op, verdict ("pass", "fail", "skip": not measured), first_fail (this rule owns the removal),
    reason, tool, tool_version, config_sha. value and threshold are floats; the joint rule's value is the technical score.
    """
    import pandas as pd

    rules, parts = rules or Rules(), []
    for number, rule in enumerate(TABLE):
        removed, measured = breaks(clips, rule.name, rules)
        verdict = np.where(removed, "fail", np.where(measured, "pass", "skip"))
        reason = np.where(removed, rule.reason, np.where(measured, "", why_skipped(rule)))
        parts.append(pd.DataFrame({
            "clip_id": clips["clip_id"].to_numpy(), "stage": rule.name, "value": column(clips, rule.column),
            "threshold": float(getattr(rules, rule.limit)), "op": rules.joint_rule if rule.op == "joint" else rule.op, "verdict": verdict,
            "first_fail": clips["removed_by"].to_numpy() == rule.name, "reason": reason, "tool": rule.tool,
            "tool_version": version(rule.tool), "config_sha": mark, "order": number}))
    long = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    place = dict(zip(clips["clip_id"], range(len(clips))))
    return long.sort_values(["clip_id", "order"], key=lambda c: c.map(place) if c.name == "clip_id" else c,
                            ignore_index=True).drop(columns="order")


def why_skipped(rule):
    """What is said of a clip for which a rule has no measure."""
    return {"aesthetic": "no LAION weights were named", "technical": "no DOVER weights were named",
            "joint": "needs both scores", "duplicate": "removed before"}.get(rule.name, "removed before it was measured")


def version(package):
    """Version of an installed package, this one's own for "medgen_kit"."""
    from importlib import metadata

    from .. import __version__
    try:
        return __version__ if package == "medgen_kit" else metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def as_rules(settings):
    """Rules from a dict of thresholds; an unknown name is refused with the nearest one."""
    import difflib

    known = asdict(Rules())
    for name in settings or {}:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise KitError(f"there is no threshold '{name}'" + (f"; did you mean '{near[0]}'?" if near else ".")
                           + f" Thresholds: {', '.join(known)}.")
    return Rules(**(settings or {}))
