"""The index of SNOMED CT phrases, built from the code dictionary that pydicom ships (DICOM PS3.16), kept to clinical axes.

About 8,150 codes are there, with everything a DICOM header may have to say: 'short', 'blue', 'area', 2,700 breeds of dog and
cow. The rule that keeps medicine: (1) one of the code's DICOM context groups (CID) must be on the list below; the group gives the
axis, and where the dictionary also knows the code's full name, "(disorder)" or "(body structure)" settles it; (2) a
phrase made of plain words only (stop.py) never counts.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .stop import is_plain
from .words import phrase

AXES = ("anatomy", "procedure", "device", "finding", "modality", "organism", "specimen", "motion")

# Context groups (CID) of DICOM PS3.16 by axis. Earlier rows win when a code stands in groups of several.
GROUPS = {
    "motion": (3703, 3706),
    # findings that radiology also lists among structures
    "lesion": (3413, 3810, 6104, 6105, 6336, 7159, 7194),
    "modality": (3049, 3206, 3428, 3670, 3820, 8131, 10005, 12001, 12224, 12226),
    "organism": (641, 7454),
    "specimen": (3520, 8103, 8104, 8112, 8130),
    "device": (8, 69, 74, 3203, 3411, 3429, 3777, 4051, 4202, 4210, 6040, 6138, 6203, 6401, 6404, 7157, 7193, 7307, 8101, 8102),
    "procedure": (9, 617, 3108, 3200, 3261, 3405, 3555, 3721, 3757, 3764, 4234, 4409, 6028, 6050, 6060, 6082, 6083, 6084, 6085, 6323,
                  7301, 8109, 8110, 9577, 12247),
    "anatomy": (4, 645, 1000, 1001, 3010, 3011, 3014, 3015, 3630, 3717, 3827, 4009, 4028, 4029, 4030, 4031, 4040, 4042, 4209, 4211,
                6020, 6100, 6102, 6109, 6113, 6115, 6116, 6117, 6124, 6126, 6149, 6170, 6202, 6204, 6210, 6300, 7140, 7151, 7152, 7153,
                7154, 7155, 7160, 7166, 7170, 7191, 7192, 7304, 7600, 7601, 7602, 7706, 7710, 8134, 8135, 10044, 12020, 12103, 12130,
                12131, 12236, 12280, 12284, 12287, 12294, 12305, 12322),
    "finding": (60, 64, 639, 1201, 3121, 3201, 3202, 3220, 3230, 3234, 3413, 3640, 3700, 3709, 3711, 3723, 3728, 3754, 3755, 3802, 3805,
                3808, 3810, 3817, 3826, 4222, 4231, 4238, 4405, 4406, 6010, 6014, 6016, 6030, 6033, 6054, 6055, 6056, 6062, 6064, 6104,
                6105, 6201, 6209, 6313, 6336, 6347, 7159, 7194, 9300, 10043, 12246, 12248, 12325),
}
SEMANTIC = {
    "body structure": "anatomy", "cell structure": "anatomy", "disorder": "finding", "finding": "finding",
    "morphologic abnormality": "finding", "procedure": "procedure", "regime/therapy": "procedure", "physical object": "device",
    "organism": "organism", "specimen": "specimen"}
SETTLED = frozenset(("motion", "modality", "specimen"))   # here the group knows better than the full name ("procedure")
# Effusions stand in groups of anatomical sites and have no full name; a stent stands among lesions of vessels.
EXCEPTIONS = {"pericardial effusion": "finding", "pleural effusion": "finding", "effusion": "finding", "ascitic fluid": "finding",
              "stent": "device"}

SHAPES = ((r"^structure of (?:the )?(.+)$", r"\1"), (r"^(.+) structure$", r"\1"), (r"^entire (.+)$", r"\1"),
          (r"^(.+), device$", r"\1"), (r"^(.+?) of (?:the )?([^ ]+(?: [^ ]+)?)$", r"\2 \1"),
          (r"^([^,]+), (primary|secondary)$", r"\2 \1"), (r"^(.+?) \([^)]*\)$", r"\1"), (r"^(.+) disc$", r"\1 disk"))


@dataclass(frozen=True)
class Concept:
    """A concept: code, scheme ("SCT" SNOMED CT, "MGK" ours), meaning (lower case), axis (one of AXES)."""

    code: str
    scheme: str
    meaning: str
    axis: str

    @cached_property
    def tag(self):
        return f"{self.axis}/{self.meaning}"


@lru_cache(maxsize=1)
def codes():
    """{code: (list of (meaning, context groups), semantic tag of the full name or "")} of every SNOMED CT code in the dictionary."""
    from pydicom.sr._concepts_dict import concepts

    found = {}
    for named in concepts["SCT"].values():
        for code, (meaning, groups) in named.items():
            entry = found.setdefault(code, ([], []))
            tag = re.search(r" \(([a-z/ ]+)\)$", meaning) if not groups else None
            entry[0].append((meaning[:tag.start()] if tag else meaning, tuple(groups)))
            entry[1].extend([tag[1]] if tag else [])
    return {code: (entries, tags[0] if tags else "") for code, (entries, tags) in found.items()}


@lru_cache(maxsize=1)
def _axis_of_group():
    order = list(GROUPS)
    return {group: row for row in reversed(order) for group in GROUPS[row]}, order


def preferred(entries):
    """The meaning by which a code is known here: the one that most context groups use ('heart' rather than 'endo-cardiac')."""
    name = max(entries, key=lambda e: (len(e[1]), "(" not in e[0], len(e[0])))[0]
    return re.sub(r"\s+", " ", name.lower()).strip()


def axis_of(meaning, groups, semantic):
    """The axis of a code from its context groups and the semantic tag of its full name, or None when it is not clinical."""
    of_group, order = _axis_of_group()
    axes = sorted({of_group[g] for g in groups if g in of_group}, key=order.index)
    if not axes:
        return None
    if meaning.lower() in EXCEPTIONS:
        return EXCEPTIONS[meaning.lower()]
    if axes[0] in SETTLED:
        return axes[0]
    axis = "finding" if axes[0] == "lesion" else axes[0]
    return SEMANTIC.get(semantic) if semantic and axis != "finding" else axis


def variants(meaning):
    """Phrases that say `meaning`: as it stands, without 'structure', and 'polyp of colon' turned to 'colon polyp'."""
    texts = {meaning.lower(), re.sub(r" ?\([^)]*\)", "", meaning.lower())}
    for _ in range(2):
        texts |= {re.sub(pattern, to, text) for text in texts for pattern, to in SHAPES if re.match(pattern, text)}
    return {p for p in map(phrase, texts) if p}


@lru_cache(maxsize=1)
def index():
    """{phrase: Concept} of the clinical SNOMED CT codes. A phrase that two codes share goes to the code with more context groups."""
    phrases, weight = {}, {}
    for code, (entries, semantic) in codes().items():
        groups = sum((g for _, g in entries), ())
        name = preferred(entries)
        axis = axis_of(name, groups, semantic)
        if axis is None:
            continue
        concept = Concept(code, "SCT", name, axis)
        for meaning, _ in entries:
            for words in variants(meaning):
                if not is_plain(words) and weight.get(words, -1) < len(groups):
                    phrases[words], weight[words] = concept, len(groups)
    return phrases


def plain_index():
    """{phrase: meaning} of every code in the dictionary, without the rule: the naive matcher that lesson 03 compares with."""
    return {words: preferred(entries) for entries, _ in codes().values() for meaning, _ in entries if (words := phrase(meaning))}
