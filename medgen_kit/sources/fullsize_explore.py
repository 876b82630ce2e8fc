"""One call that reads the full-size metadata and sums it up: of MedVideoCap-55K where the Hub answers, else of a generated stand-in.

    explored = sources.explore_metadata()
    explored.label                         says which of the two it is; every picture of `show` repeats it
    explored.search("polyp colon")         numbers of rows, for the caption browser
"""

import difflib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .. import knowledge
from ..errors import KitError
from . import hub
from .fullsize import open_table, summary
from .fullsize_drawn import ROWS, SHARES, TABLE_1, _write_shard, stand_in
from .repository import Repository

STAND_IN = "generated stand-in, not MedVideoCap-55K"
SECONDS = 5                            # that the Hub has to answer


@dataclass
class Exploration:
    """A table of records and what was found in it.

    table: pyarrow Table of N rows (`open_table`). found: `summary(table)`. tagged: {concept tag: rows, int32}. groups: int64 [N], the first
    row of each caption's group of near-duplicates. label: a few words for a title. note: where the table comes from, a sentence.
    """

    table: object
    found: dict
    tagged: dict
    groups: np.ndarray
    label: str
    note: str

    def __len__(self):
        return len(self.table)

    def __repr__(self):
        return f"Exploration({len(self):,} rows: {self.label})"

    @cached_property
    def categories(self):
        """The category of each row as the paper names it, "" where there is none: array of str [N]."""
        said = self.table["video_category"].to_pylist()
        plain = {text: hub.category(text) if text else "" for text in set(said)}
        return np.array([plain[text] for text in said])

    @cached_property
    def copies(self):
        """True for rows whose caption is a near-duplicate of another one: bool [N]."""
        _, group, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        return sizes[group] > 1

    def search(self, words="", category="", concept="", copies=False):
        """Numbers of the rows, int64 ascending, whose name or captions hold all `words` (any case and order), of this category, that name
        this concept as present. copies: only near-duplicates, each group together. "" asks nothing. About 0.1 s a word for 55,803 rows."""
        import pyarrow.compute as pc

        left = np.ones(len(self), bool)
        for word in words.split():
            hits = [pc.match_substring(self.table[name], word, ignore_case=True) for name in ("video_name", *hub.CAPTIONS)]
            left &= np.any([hit.fill_null(False).to_numpy() for hit in hits], axis=0)
        if category:
            left &= self.categories == category
        if concept:
            left &= np.isin(np.arange(len(self)), self.tagged.get(concept, ()))
        rows = np.flatnonzero(left & self.copies if copies else left)
        return rows[np.argsort(self.groups[rows], kind="stable")] if copies else rows

    def record(self, row):
        """{field: value} of one row, empty fields left out, with its concepts and the rows that say almost the same."""
        known = {name: value for name, value in self.table.slice(row, 1).to_pylist()[0].items() if value not in (None, "")}
        text, same = known.get("detailed_caption") or known.get("brief_caption"), np.flatnonzero(self.groups == self.groups[row])
        known |= {"concepts": knowledge.tags(text)} if text else {}
        return known | ({"near-duplicate of rows": [int(other) for other in same if other != row][:20]} if len(same) > 1 else {})

    def menu(self, what, most=300):
        """[(value, rows)], commonest first, of "category" or "concept": what a reader can filter by."""
        if what == "concept":
            return sorted(((tag, len(rows)) for tag, rows in self.tagged.items()), key=lambda pair: -pair[1])[:most]
        names, counts = np.unique(self.categories[self.categories != ""], return_counts=True)
        return sorted(zip(names.tolist(), counts.tolist()), key=lambda pair: -pair[1])[:most]

    def beside_paper(self):
        """Rows {"fact", "paper", "here"}: what table 1 says of MedVideoCap-55K, and the same of this table."""
        size, count = (self.found["resolutions"] or [("", 0)])[0]
        here = {"clips": len(self), "mean seconds": self.found["numbers"]["duration"]["mean"],
                "mean words": self.found["words"]["detailed_caption"]["mean"],
                "resolution": f"{size} is the commonest ({100 * count / len(self):.0f} %)" if count else None}
        names = {"clips": "clips", "mean seconds": "mean length (s)", "mean words": "words of a caption, mean", "resolution": "resolution"}
        return [{"fact": words, "paper": TABLE_1[name], "here": here[name] if not isinstance(here[name], float) else round(here[name], 1)}
                for name, words in names.items()]

    def balance(self):
        """How even the categories are, here and in figure 5: rows {"measure", "paper", "here"}.

        Largest to smallest share; and the effective number of categories, exp(entropy): 5 when all are as common, 1 when there is only one.
        """
        counts = {name: row["rows"] for name, row in self.found["categories"].items() if row["paper"] is not None}
        paper, here = even(SHARES.values()), even(counts.values())
        return [{"measure": name, "paper": paper[name], "here": here[name]} for name in here]

    def closest(self, count=5):
        """Pairs of captions that say almost the same: rows {"rows", "overlap", "only in the first", "only in the second"}."""
        out = []
        for i, j, overlap in self.found["near_duplicates"]["examples"][:count]:
            one, other = ((self.record(row).get("detailed_caption") or self.record(row)["brief_caption"]).split() for row in (i, j))
            steps = [step[1:] for step in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes() if step[0] != "equal"]
            out.append({"rows": f"{i} and {j}", "overlap": overlap,
                        "only in the first": " ... ".join(" ".join(one[a:b]) for a, b, _, _ in steps),
                        "only in the second": " ... ".join(" ".join(other[a:b]) for _, _, a, b in steps)})
        return out


def even(counts):
    """{"largest to smallest", "effective number"} of counts or shares; None where a category is empty or there is nothing."""
    counts = np.array([count for count in counts], float)
    if not counts.sum():
        return {"largest to smallest": None, "effective number": None}
    shares = counts[counts > 0] / counts.sum()
    return {"largest to smallest": round(float(counts.max() / counts.min()), 1) if counts.min() > 0 else None,
            "effective number": round(float(np.exp(-(shares * np.log(shares)).sum())), 2)}


def explore_metadata(source="", rows=ROWS, seed=0, near=0.8, keep=None):
    """The full-size metadata read and summed up: an `Exploration`. 55,803 generated rows take about 12 s of one core and 0.7 GiB.

    source: "" for the Hub's MedVideoCap-55K where it answers, else a stand-in with `rows` and `seed` as in `stand_in`; "stand-in" for that
    in any case; or what `open_table` reads. near: limit of near-duplicates, 0.7 to 1. keep: a folder in which the Hub's table is kept, so
    that it is fetched once. Nothing is asked of the network where HF_HUB_OFFLINE is set. KitError as of `open_table`.
    """
    table, label, note = _table(source, rows, seed, keep)
    kept = {}
    found = summary(table, near, kept)
    return Exploration(table, found, kept["tagged"], kept["groups"], label, note)


def _table(source, rows, seed, keep):
    """(table, label, note) of what `explore_metadata` reads."""
    why = ""
    if not source:
        kept = Path(keep) / "medvideocap.parquet" if keep else None
        try:
            table = open_table(kept) if kept and kept.is_file() else _from_hub(kept)
            return table, "MedVideoCap-55K", f"MedVideoCap-55K: {len(table):,} rows of huggingface.co/datasets/{hub.REPO}."
        except KitError as error:
            why = f" The Hub's table could not be had: {str(error).split(': is there a network')[0].split('. ')[0]}."
    if source in ("", "stand-in"):
        return stand_in(rows, seed), STAND_IN, (
            f"A generated stand-in of {rows:,} rows. Captions are as long as those of MedVideoCap-55K and the shares of the categories are "
            f"the paper's; everything else is invented and says nothing about the dataset.{why}")
    table = open_table(source)
    made_up = sum(value is True for value in table["synthetic"].to_pylist())
    return table, STAND_IN if made_up == len(table) else Path(str(source)).name, f"{len(table):,} rows of {source}."


def _from_hub(kept):
    """The Hub's table, written to `kept` unless that is None. KitError when the Hub does not answer within seconds, or cannot be read."""
    table = open_table(Repository(hub.REPO, patience=SECONDS))
    if kept is not None:
        _write_shard(table, kept, "parquet")
    return table
