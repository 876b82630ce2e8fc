"""The funnel: how many candidate clips each rule removed and how many were left, ours beside the paper's figure 4."""

from .decide import TABLE

# Figure 4 of the paper: clips removed at each stage, starting from 110,969.
PAPER_START = 110_969
PAPER = (("black border", 13_203), ("subtitles", 10_422), ("aesthetic", 16_302), ("technical", 1_998), ("joint", 13_241))


def funnel(clips):
    """[{"rule", "source", "removed", "left"}] of a decided table, the first entry being all candidates. Counts always add up."""
    left = len(clips)
    table = [{"rule": "candidates", "source": "", "removed": 0, "left": left}]
    for stage in TABLE:
        removed = int((clips["removed_by"] == stage.name).sum())
        left -= removed
        table.append({"rule": stage.name, "source": stage.source, "removed": removed, "left": left})
    failed = int((clips["removed_by"] == "cut failed").sum())
    return table + ([{"rule": "cut failed", "source": "ours", "removed": failed, "left": left - failed}] if failed else [])


def paper_funnel():
    """The same table for the paper's figure 4."""
    left = PAPER_START
    table = [{"rule": "candidates", "source": "paper figure 4", "removed": 0, "left": left}]
    for name, removed in PAPER:
        left -= removed
        table.append({"rule": name, "source": "paper figure 4", "removed": removed, "left": left})
    return table


def shares(table):
    """{rule: share of what reached it that it removed} of a funnel table, 0 to 1."""
    return {row["rule"]: row["removed"] / before["left"] if before["left"] else 0.0 for before, row in zip(table[:-1], table[1:])}


def compare(table):
    """Rows {"rule", "removed", "left", "share", "paper share"}: our funnel with the paper's share where it has that rule."""
    ours, theirs = shares(table), shares(paper_funnel())
    return [{"rule": row["rule"], "removed": row["removed"], "left": row["left"], "share": ours.get(row["rule"]),
             "paper share": theirs.get(row["rule"])} for row in table]
