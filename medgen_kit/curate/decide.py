"""One table, one decision: every candidate clip is measured first, then the first rule that it breaks removes it.

A changed threshold costs no look at the video: `decide(rows, Rules(words=40))` is instant.
"""

from dataclasses import dataclass

from ..errors import KitError

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
    words: int = 20                   # more words than this in 5 frames
    aesthetic: float = 3.0            # LAION score below this
    technical: float = 0.0            # DOVER at or below this (printed the other way round, against its own sample record)
    joint_technical: float = 0.3
    joint_aesthetic: float = 4.0
    joint_rule: str = "require_both"  # ours, see above
    still: float = 0.3                # grey levels of change between frames below which a shot is a still (ours)
    duplicate_bits: float = 12.0      # of 64 (ours)

    def __post_init__(self):
        if self.joint_rule not in JOINT:
            raise KitError(f"joint_rule '{self.joint_rule}' is not one of {', '.join(JOINT)}.")


def joint(row, rules):
    """True when the joint rule removes the clip."""
    technical, aesthetic = row["technical"] > rules.joint_technical, row["aesthetic"] >= rules.joint_aesthetic
    return {"require_both": not (technical and aesthetic), "paper_literal": technical and not aesthetic,
            "reject_both_low": not technical and not aesthetic}[rules.joint_rule]


# (name, whose rule, the measures it needs, removes it?) in the paper's order; the last two are ours.
TABLE = (
    ("not medical", "paper 3.1", ("medical",), lambda row, rules: row["medical"] <= rules.medical),
    ("too short", "paper 3.1", ("steps",), lambda row, rules: row["steps"] < rules.min_steps),
    ("low resolution", "paper 3.1", ("side",), lambda row, rules: row["side"] < rules.min_side),
    ("black border", "paper 3.3", ("border",), lambda row, rules: row["border"] > 0),
    ("subtitles", "paper 3.3", ("words",), lambda row, rules: row["words"] > rules.words),
    ("aesthetic", "paper 3.3", ("aesthetic",), lambda row, rules: row["aesthetic"] < rules.aesthetic),
    ("technical", "paper 3.3", ("technical",), lambda row, rules: row["technical"] <= rules.technical),
    ("joint", "paper 3.3", ("technical", "aesthetic"), joint),
    ("still", "ours", ("change",), lambda row, rules: row["change"] < rules.still),
    ("duplicate", "ours", ("duplicate_bits",), lambda row, rules: row["duplicate_bits"] <= rules.duplicate_bits),
)
NAMES = tuple(name for name, *_ in TABLE)


def breaks(row, name, rules):
    """True or False when rule `name` was measured for this row, None when it was not."""
    for known, _, needs, removes in TABLE:
        if known == name:
            return None if any(row.get(key) is None for key in needs) else bool(removes(row, rules))
    raise KitError(f"there is no rule '{name}'. Rules: {', '.join(NAMES)}.")


def first_failed(row, rules=None, names=NAMES):
    """Name of the first rule in order that removes the row, "" when it is kept. A measure that was not taken removes nothing."""
    rules = rules or Rules()
    return next((name for name in names if breaks(row, name, rules)), "")


def decide(rows, rules=None):
    """Rows with `removed_by` ("" = kept) under `rules`; the rows handed in are not changed."""
    return [{**row, "removed_by": first_failed(row, rules)} for row in rows]
