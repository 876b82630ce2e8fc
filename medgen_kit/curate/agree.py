"""How often are we right? Precision and recall of each rule against the known truth, cuts found, and the paper's 95 % acceptance."""

from .. import sources
from ..errors import KitError
from .decide import breaks

# Which planted defects each rule stands for. The paper's scores have none: they are judgements.
MEANS = {"low resolution": {"low resolution"}, "black border": {"letterbox", "pillarbox"}, "subtitles": {"subtitles"},
         "quality": {"blur", "washed out", "noisy", "blocky"}, "still": {"frozen"}, "duplicate": {"duplicate"}}


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


def score(clips, truth, rules=None):
    """[{"rule", "fired", "right", "planted", "precision", "recall"}] over all candidates for which a rule was measured.

    A rule is asked about every clip it measured, whether or not an earlier rule had removed it; clips of a single sample lie in a
    transition, belong to no shot and are left out. precision: right / fired, recall: right / planted; None where nothing fired or was
    planted.
    """
    table, shots = [], true_shots(clips, truth)
    known = [shot is not None and steps > 0 for shot, steps in zip(shots, clips["steps"])]
    for name in ("not medical", *MEANS):
        removed, measured = breaks(clips, name, rules)
        asked = [(fired, wanted(name, shot)) for fired, seen, shot, ok in zip(removed, measured, shots, known) if ok and seen]
        fired, planted = sum(bool(a) for a, _ in asked), sum(b for _, b in asked)
        right = sum(bool(a and b) for a, b in asked)
        table.append({"rule": name, "fired": fired, "right": right, "planted": planted,
                      "precision": right / fired if fired else None, "recall": right / planted if planted else None})
    return table


def true_shots(clips, truth):
    """The true shot of each candidate, None where there is none."""
    return [shot_of(row, truth.get(row["upload"], {}).get("shots", [])) for row in clips[["upload", "first", "last"]].to_dict("records")]


def categories(clips, truth, told, default=""):
    """The category of each candidate: of its true shot, else what the table beside the videos tells ({upload: facts}), else `default`."""
    return [sources.category(shot["factors"]["modality"]) if shot and shot["factors"] else told.get(upload, {}).get("category") or default
            for shot, upload in zip(true_shots(clips, truth), clips["upload"])]


def figures(clips, notes, truth, rules):
    """Figures against the truth: precision and recall by rule, joins found by cut detector and by S, clean share of what was kept."""
    good = [note for note in notes if not note["reason"]]
    copied = {note["file"] for note in notes if note["reason"] == "copy"}            # their shots are those of the first
    missing, total = lost(clips, {name: facts for name, facts in truth.items() if name not in copied})
    return {"rules": {row["rule"]: {k: row[k] for k in ("fired", "right", "planted")} for row in score(clips, truth, rules)},
            "joins": joins(good, truth), "clean": purity(clips, truth)[0], "lost": len(missing), "clean_shots": total}


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
    for note in (note for note in notes if note["file"] in truth):
        shots, starts = truth[note["file"]]["shots"], [row["first"] for row in note["rows"][1:]]
        for who, found in (("detector", cuts_found(note["cuts"], shots)), ("whole rule", cuts_found(note["cuts"] + starts, shots, 2))):
            for join in table:
                table[join][who] += found[join][0]
        for join in table:
            table[join]["planted"] += found[join][1]
    return list(table.values())


def purity(clips, truth):
    """(clean, all): kept clips that lie in one medical shot without a defect, at least 95 % of their frames, and all kept clips."""
    kept, clean = clips[clips["removed_by"] == ""], 0
    for row, shot in zip(kept.to_dict("records"), true_shots(kept, truth)):
        clean += bool(shot and shot["kind"] == "medical" and not shot["defects"]
                      and overlap(row, shot) >= 0.95 * (row["last"] - row["first"] + 1))
    return clean, len(kept)


def lost(clips, truth):
    """Clean medical shots of which no clip was kept: [{"upload", "shot", "removed_by"}], and the number of all clean medical shots.

    The paper looks at survivors only, so it cannot see these. removed_by: the rule that took the longest piece of the shot.
    """
    rows = clips[["upload", "first", "last", "removed_by"]].to_dict("records")
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
