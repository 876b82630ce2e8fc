"""Handouts of lesson 02: twelve candidates to judge, and four rejected clips for the court, with the planted truth in the key."""

from pathlib import Path

from course.tools.handout_page import SIMULATED, Game, figure, lots, table

MEANING = {"medical": "probability that it is medical", "steps": "length (samples from first to last)", "side": "short side (pixels)",
           "border": "black border (pixels)", "words": "words in five frames", "aesthetic": "LAION score", "technical": "DOVER score",
           "q_technical": "own score of quality", "change": "change between frames (grey levels)",
           "duplicate_bits": "bits of 64 that differ from the most similar clip"}


def candidates(run):
    """(rows, folder of the uploads): every candidate longer than one sample as a dict with `verdict` and `why`, by the planted truth."""
    from medgen_kit import curate
    from medgen_kit.sources import raw

    settings = run.manifest("curate")["settings"].get("curate", {})
    source = Path(settings.get("folder") or run.folder("raw"))
    clips, truth = curate.candidates(run.folder("curate")), raw.truth(source)
    lost = {(one["upload"], one["shot"]) for one in curate.agree.lost(clips, truth)[0]}
    rows = []
    for row in clips.to_dict("records"):
        shots = truth.get(row["upload"], {}).get("shots", [])
        shot = curate.agree.shot_of(row, shots)
        said = judged(row, shot, shot is not None and (row["upload"], shots.index(shot)) in lost)
        rows.append(row | dict(zip(("verdict", "why"), said)))
    return [row for row in rows if row["steps"] > 0], source


def judged(row, shot, lost):
    """("kept", "right", "wrong" or "other", why in words): what the truth says of one candidate. lost: no piece of its shot was kept."""
    from medgen_kit.curate import agree

    if shot is None:
        return ("other" if row["removed_by"] else "kept"), "what its shot holds is not known"
    holds = f"{shot['kind']}; {', '.join(shot['defects']) or 'no defect'}"
    if not row["removed_by"]:
        return "kept", holds
    if row["removed_by"] in ("not medical", *agree.MEANS) and agree.wanted(row["removed_by"], shot):
        return "right", holds
    if shot["kind"] == "medical" and not shot["defects"] and lost:
        return "wrong", f"{holds}: a clean shot, of which nothing was kept"
    if shot["kind"] == "medical" and not shot["defects"]:
        return "other", f"{holds}: another piece of this clean shot was kept"
    return "other", f"{holds}: not clean, but the charge is another one"


def spread(rows, rng, count):
    """`count` rows in random order, one of every rule (and of the kept) before any comes twice, duplicates last."""
    waiting = {}
    for row in rng.sample(rows, len(rows)):
        waiting.setdefault(row["removed_by"], []).append(row)
    found = []
    while len(found) < min(count, len(rows)):
        for rule in sorted(waiting, key=lambda name: (name == "duplicate", rng.random())):
            found += [waiting[rule].pop()] if waiting[rule] and len(found) < count else []
    return found


def court(rows, rng):
    """Four rejected rows, two rightly and two wrongly removed where there are such, else more of the others; in random order."""
    wrong = spread([row for row in rows if row["verdict"] == "wrong"], rng, 2)
    right = spread([row for row in rows if row["verdict"] == "right"], rng, 4 - len(wrong))
    other = spread([row for row in rows if row["verdict"] == "other" and row["removed_by"]], rng, 4 - len(wrong) - len(right))
    return rng.sample([*wrong, *right, *other], len(wrong) + len(right) + len(other))


def piece(source, row, width=400):
    """Frames of a candidate from its upload: a reject has no file of its own."""
    from medgen_kit import curate

    return curate.audit.piece(source / row["upload"], row["start_s"], row["end_s"], width)[0]


def number(value):
    """A measurement for the eye; a dash for NaN."""
    return "-" if value != value else f"{value:.2f}".rstrip("0").rstrip(".")


def limits(rows):
    """{column: limit in words} for the columns that some of the rows hold, in the order of the rules."""
    from medgen_kit.curate import Rules, decide

    found = {}
    for rule in decide.TABLE:
        if rule.op != "joint" and rule.column in MEANING and any(row[rule.column] == row[rule.column] for row in rows):
            found[rule.column] = f"{rule.op} {number(getattr(Rules(), rule.limit))}"
    return found


def lesson_02(run, seed):
    """Be the filter: twelve candidates. Court: four rejected clips with what was measured."""
    rng = lots(seed, "court")
    rows, source = candidates(run)
    accused = court(rows, rng)
    taken = {row["clip_id"] for row in accused}
    free = [row for row in rows if row["clip_id"] not in taken]
    kept = spread([row for row in free if not row["removed_by"]], rng, 5)
    twelve = kept + spread([row for row in free if row["removed_by"]], rng, 12 - len(kept))
    rng.shuffle(twelve)
    return [be_the_filter(twelve, source), the_court(accused, rows, source)]


def be_the_filter(rows, source):
    """The game of twelve votes."""
    pictures = "".join(figure(f"Clip {k}", piece(source, row), 3, 240, ask="&emsp;☐ keep&emsp;☐ drop") for k, row in enumerate(rows, 1))
    task = (f"A training set for a medical video generator is wanted. {len(rows)} candidate clips, three frames each, time from left to "
            "right: keep or drop? Decide alone, then count the votes.")
    told = [{"clip": k, "the kit": f"removed: {row['removed_by']}" if row["removed_by"] else "kept", "planted truth": row["why"],
             "the rule was": {"right": "right", "wrong": "wrong"}.get(row["verdict"], "")} for k, row in enumerate(rows, 1)]
    kept = sum(not row["removed_by"] for row in rows)
    said = f"<p>The kit keeps {kept} of the {len(rows)}. The vote is not about who is right: count where people disagree.</p>"
    return Game("Be the filter", task, f'<div class="two">{pictures}</div>', said + table(told), SIMULATED)


def the_court(rows, every, source):
    """The game of accusers and defenders. every: all candidates, of which some may be the twins of accused duplicates."""
    names, parts, told = "ABCD"[:len(rows)], [], []
    for name, row in zip(names, rows):
        twin = next((one for one in every if one["clip_id"] == row["duplicate_of"]), None)
        beside = figure(f"The most similar clip of the collection, beside clip {name}", piece(source, twin), 5) if twin else ""
        parts.append(f'<section class="whole">{figure(f"Clip {name}", piece(source, row), 5)}{beside}</section>')
        told.append({"clip": name, "removed by": row["removed_by"], "planted truth": row["why"],
                     "verdict": {"right": "rightly removed", "wrong": "wrongly removed"}.get(row["verdict"], "neither: see the truth"),
                     "piece": f"{row['upload']}, {row['start_s']:.2f} to {row['end_s']:.2f} s"})
    measured = [{"measured": MEANING[column], "removed when": limit}
                | {f"clip {name}": number(row[column]) for name, row in zip(names, rows)} for column, limit in limits(rows).items()]
    task = ("These clips were removed. For each, one pair accuses it and one defends it, with the picture and the table. "
            "Find the charge first: which measurement breaks its limit? Then ask whether that makes it a bad clip.")
    numbers = table(measured, "What was measured (-: not measured, since an earlier rule had removed the clip)") if rows else ""
    return Game("Court", task, f'{"".join(parts)}<div class="whole">{numbers}</div>', verdicts(rows, every) + (table(told) if told else ""),
                SIMULATED)


def verdicts(rows, every):
    """How many of the four were removed rightly and wrongly, and why not two and two where it is so."""
    here, all_of = ({kind: sum(row["verdict"] == kind for row in some) for kind in ("right", "wrong")} for some in (rows, every))
    short = "" if here == {"right": 2, "wrong": 2} else (f" The game wants two and two; in this run the truth calls {all_of['right']} "
                                                         f"removals right and {all_of['wrong']} wrong.")
    return (f"<p>By the planted truth {here['right']} rightly and {here['wrong']} wrongly removed.{short} Too short is no planted "
            "defect: such a removal counts as wrong when a clean shot lost all its pieces.</p>")
