"""What a table beside the videos says about each of them: harvest decides by its words, the rest goes into the records of the clips."""

from dataclasses import dataclass, field
from pathlib import Path

from ..clip import CATEGORIES, TABLES
from ..errors import KitError
from ..sources import hub
from . import harvest, listing

PASSED_ON = ("title", "description", "channel", "url", "licence", "transcript", "video_id")


@dataclass
class Told:
    """names: the videos to look at. facts: {name: what the table says}. problems: rows and files that do not fit, with a typed reason.

    decisions: rows of `harvest.decisions`. steps: the harvest's funnel (`harvest.counts`), [] where no table was judged.
    """

    names: list
    facts: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)
    decisions: list = field(default_factory=list)
    steps: list = field(default_factory=list)


def told(folder, config):
    """The Told of a folder of raw videos.

    Without a table every video is looked at and nothing is known of it. With one and config.harvest "none" every video is looked at too;
    with another harvest only those that it keeps, and none that has no row. Zip archives are named, not opened (see `harvest.unpack`).
    """
    names, problems = listing.videos_of(folder)
    problems += [*({"file": path.name, "reason": "archive", "message": "a zip archive: unpack it first "
                                        "(curate.harvest.unpack checks what is in it)."} for path in sorted(Path(folder).glob("*.zip")))]
    path = table_beside(folder, config.table)
    if path is None:
        return Told(names, {}, problems)
    odd = []
    table = harvest.read_table(path, odd)
    matched, misfits = harvest.match_files(folder, table, listing.KINDS)
    number_of = {file.relative_to(Path(folder).resolve()).as_posix(): number for file, number in matched}
    problems += [{"file": path.name, "reason": "broken_row", "message": str(problem)} for problem in odd]
    facts = {name: facts_of(table.iloc[number]) for name, number in number_of.items()}
    if config.harvest == "none":
        return Told(names, facts, problems + [{**one, "message": one["message"].replace(" and is left out", "")} for one in misfits])
    options = harvest.Options(backend="" if config.harvest == "keywords" else config.harvest, labels=config.labels or None)
    judged = harvest.harvest(table, options)
    wanted = [name for name in names if name in number_of and judged["kept"].iloc[number_of[name]]]
    if not wanted:
        raise KitError(f"of {len(table)} rows of {path.name} harvest keeps none that has a video. Set harvest: none to look at all.")
    return Told(wanted, facts, problems + misfits, harvest.decisions(judged, options), harvest.counts(judged))


def table_beside(folder, named):
    """The table of a folder: the one that was named (in the folder or anywhere), else metadata.jsonl, .csv or .parquet, else None."""
    for name in (named,) if named else TABLES:
        for path in (Path(folder) / name, Path(name)):
            if path.is_file():
                return path
    if named:
        raise KitError(f"the table {named} is neither in {folder} nor a file of its own. Name it by its path.")
    return None


def facts_of(row):
    """What a row tells: {"title", "description", ..., "category" ("" unless it is one of the paper's)}."""
    category = hub.category(str(row["category"])) if row["category"] else ""
    return {name: str(row[name]) for name in PASSED_ON if row[name]} | {"category": category if category in CATEGORIES else ""}
