"""How often are we right? Precision and recall of each rule against the known truth, cuts found, and the paper's 95 % acceptance."""

from ..errors import KitError
from .decide import Rules, breaks

# Which planted defects each rule stands for. The joint rule has none: it is a judgement.
MEANS = {"low resolution": {"low resolution"}, "black border": {"letterbox", "pillarbox"}, "subtitles": {"subtitles"},
         "aesthetic": {"washed out"}, "technical": {"blur", "washed out"}, "still": {"frozen"}, "duplicate": {"duplicate"}}


def shot_of(row, shots):
    """The true shot (dict) that shares most frames with a row (first..last), None when none does."""
    best = max(shots, key=lambda shot: overlap(row, shot), default=None)
    return best if best is not None and overlap(row, best) > 0 else None


def overlap(row, shot):
    """Number of frames that a row and a shot share."""
    return max(0, min(row["last"], shot["end"]) - max(row["first"], shot["start"]) + 1)


def wanted(name, shot):
    """True when the truth of a shot says that rule `name` should remove it."""
    return shot["kind"] != "medical" if name == "not medical" else bool(MEANS[name] & set(shot["defects"]))


def score(rows, truth, rules=None):
    """[{"rule", "fired", "right", "planted", "precision", "recall"}] over all rows for which a rule was measured.

    A rule is asked about every row it measured, whether or not an earlier rule had removed it; rows of a single sample lie in a transition,
    belong to no shot and are left out. precision: right / fired, recall: right / planted; None where nothing fired or was planted.
    """
    rules, table = rules or Rules(), []
    known = [(row, shot_of(row, truth.get(row["upload"], {}).get("shots", []))) for row in rows if row.get("steps", 1)]
    for name in ("not medical", *MEANS):
        asked = [(breaks(row, name, rules), wanted(name, shot)) for row, shot in known if shot and breaks(row, name, rules) is not None]
        fired, planted = sum(a for a, _ in asked), sum(b for _, b in asked)
        right = sum(a and b for a, b in asked)
        table.append({"rule": name, "fired": fired, "right": right, "planted": planted,
                      "precision": right / fired if fired else None, "recall": right / planted if planted else None})
    return table


def cuts_found(found, shots, slack=1):
    """How many joins between true shots were found within `slack` frames: {"cut": (found, of), "fade": (found, of), "false": count}.

    found: frame numbers at which a new shot was seen to start. A fade may be seen anywhere inside its mixed frames.
    """
    used, result = set(), {}
    for join in ("cut", "fade"):
        starts = [shot["start"] for shot in shots[1:] if shot["join"] == join]
        hits = 0
        for start in starts:
            near = [f for f in found if -slack <= f - start <= slack + (3 if join == "fade" else 0)]
            used |= set(near)
            hits += bool(near)
        result[join] = (hits, len(starts))
    return result | {"false": len(set(found) - used)}


def joins(notes, truth):
    """[{"join", "planted", "detector", "whole rule"}]: joins that PySceneDetect found, and that the whole rule found (C, S and detector).

    notes: the timelines of the uploads (`cuts`, `rows`). The detector may be one frame off, the rule two (it sees samples).
    """
    table = {join: {"join": join, "planted": 0, "detector": 0, "whole rule": 0} for join in ("cut", "fade")}
    for note in notes:
        shots, starts = truth[note["file"]]["shots"], [row["first"] for row in note["rows"][1:]]
        for who, found in (("detector", cuts_found(note["cuts"], shots)), ("whole rule", cuts_found(note["cuts"] + starts, shots, 2))):
            for join in table:
                table[join][who] += found[join][0]
        for join in table:
            table[join]["planted"] += found[join][1]
    return list(table.values())


def purity(kept, truth):
    """(clean, all): kept clips that lie in one medical shot without a defect, at least 95 % of their frames, and all kept clips."""
    clean = 0
    for row in kept:
        shot = shot_of(row, truth.get(row["upload"], {}).get("shots", []))
        clean += bool(shot and shot["kind"] == "medical" and not shot["defects"]
                      and overlap(row, shot) >= 0.95 * (row["last"] - row["first"] + 1))
    return clean, len(kept)


def lost(rows, truth):
    """Clean medical shots of which no clip was kept: [{"upload", "shot", "removed_by"}], and the number of all clean medical shots.

    The paper looks at survivors only, so it cannot see these. removed_by: the rule that took the longest piece of the shot.
    """
    missing, total = [], 0
    for upload, facts in truth.items():
        for number, shot in enumerate(facts.get("shots", [])):
            if shot["kind"] != "medical" or shot["defects"]:
                continue
            total += 1
            pieces = [row for row in rows if row["upload"] == upload and overlap(row, shot)]
            if not any(not row["removed_by"] for row in pieces):
                longest = max(pieces, key=lambda row: overlap(row, shot), default={"removed_by": "not seen"})
                missing.append({"upload": upload, "shot": number, "removed_by": longest["removed_by"]})
    return missing, total


def acceptance(good, looked_at=200, needed=0.95):
    """The paper's check (section 3.3): at least 95 % of 200 survivors look clean. {"share", "low", "high", "passes", "shown"}.

    low, high: exact 95 % (Clopper-Pearson) interval. passes: the share itself reaches `needed`, the paper's rule. shown: the lower end of a
    one-sided exact 95 % interval reaches it, which is what the sentence claims.
    """
    from scipy.stats import binomtest

    if not 0 <= good <= looked_at or looked_at < 1:
        raise KitError(f"acceptance needs 0 <= good <= looked_at, not good={good}, looked_at={looked_at}.")
    interval = binomtest(good, looked_at).proportion_ci(0.95, "exact")
    one_sided = binomtest(good, looked_at, alternative="greater").proportion_ci(0.95, "exact").low
    return {"share": good / looked_at, "low": float(interval.low), "high": float(interval.high),
            "passes": good / looked_at >= needed, "shown": bool(one_sided >= needed)}
