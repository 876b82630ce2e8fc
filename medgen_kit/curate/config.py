"""The settings of a curation: one flat YAML file or keyword arguments, checked by name and type before the first video is opened."""

import difflib
import hashlib
import importlib.util
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from ..errors import KitError
from .border import METHODS
from .decide import Rules, as_rules
from .probe import Limits

PARTS = {"rules": (Rules, as_rules), "limits": (Limits, lambda found: Limits(**found))}
LATE = ("table", "harvest", "labels", "category", "rules", "text", "faces", "size", "frames", "fps", "short_side", "trim", "crop",
        "report", "workers", "seconds_per_file", "files_per_shard")            # what no measure depends on


@dataclass(frozen=True)
class Config:
    """Everything that `curate` may be told.

    Harvesting. table: metadata of the videos (CSV, JSONL, Parquet), "" for metadata.* in the folder. harvest: "none" looks at every video,
    "keywords", "tfidf" or "embedding:<folder>" only at those whose words are medical (see `harvest`). labels: your own table to learn
    from.
    Finding clips. medical: how C decides that a frame is medical: "none" (every frame is), "drawings" (trained on the course's
    simulators), "pictures:<folder>" (trained on your own: two folders medical/ and other/ with pictures), or "<module>:<function>" of
    yours. embedder: for S and C, "colour" or "clip:<folder>". step: seconds between samples (paper: 1). max_steps: longest clip in steps.
    tau: threshold of S, None for the embedder's own.
    Measuring. border: "both", "hough" or "luma". aesthetic, technical: "none", "laion:<place>", "dover:<place>" or
    "module.function:<place>" (`scorers`); a place is a local path or a hub repository.
    read_text: False skips the reading of burned-in text (the dearest measure).
    Deciding. rules: see `decide.Rules`; only `medical` and `min_steps` shape the pieces themselves, so a change of these two looks at the
    videos again. limits: see `probe.Limits`.
    Cutting. size: pixels of a square clip, with `frames` at `fps` from its middle; None cuts the whole shot as it was filmed, made smaller
    to `short_side` pixels where it is larger. trim: seconds left out at both ends. crop: True cuts black borders off instead of removing
    the clip.
    Privacy. text: "imaging", "all" or "none"; faces: "none", "demo" or "yunet:<file>" (see `privacy`).
    Running. workers: processes; 0 works in this one, where a decoder that crashes takes all with it. seconds_per_file: a file that takes
    longer is quarantined. files_per_shard: what is repeated at most after an interruption. category: of clips that no table names.
    report: False leaves out report.html.
    """

    table: str = ""
    harvest: str = "none"
    labels: str = ""
    medical: str = "none"
    embedder: str = "colour"
    step: float = 1.0
    max_steps: int = 10
    tau: float | None = None
    border: str = "both"
    aesthetic: str = "none"
    technical: str = "none"
    read_text: bool = True
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    size: int | None = None
    frames: int | None = None
    fps: float | None = None
    short_side: int = 480
    trim: float = 0.1
    crop: bool = False
    text: str = "imaging"
    faces: str = "none"
    category: str = ""
    workers: int = 2
    seconds_per_file: float = 600.0
    files_per_shard: int = 8
    report: bool = True
    seed: int = 0

    def __post_init__(self):
        choices = {"border": METHODS, "text": ("imaging", "all", "none")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise KitError(f"{name} '{getattr(self, name)}' is not one of {', '.join(known)}.")
        for name in ("step", "max_steps", "short_side", "seconds_per_file", "files_per_shard"):
            if not getattr(self, name) > 0:
                raise KitError(f"{name} must be above 0, not {getattr(self, name)}.")
        if self.size is not None and (self.frames is None or self.fps is None):
            raise KitError("size needs frames and fps too: how many pictures a finished clip has, and how many a second.")

    def mark(self):
        """Hash of what the measures depend on. A changed threshold or cut leaves it as it is, except the limits that segments hang on."""
        facts = {name: value for name, value in asdict(self).items() if name not in LATE}
        named = [state_of(getattr(self, name)) for name in ("medical", "embedder", "aesthetic", "technical")]
        return digest(facts | {"medical_limit": self.rules.medical, "min_steps": self.rules.min_steps, "named": named})

    def cut_mark(self):
        """Hash of what a finished file depends on besides its shot."""
        asked = ("text", "faces", "size", "frames", "fps", "short_side", "trim", "crop")
        return digest({name: value for name, value in asdict(self).items() if name in asked} | {"named": state_of(self.faces)})


def state_of(named):
    """What tells whether the thing behind a setting "kind:<place>" or "module:function" has changed: names, sizes and times of a folder's
    files, or the hash of a module's code; "" for a name with nothing behind it here."""
    kind, _, place = named.partition(":")
    if not place:
        return ""
    if Path(place).exists():
        files = sorted(path for path in Path(place).rglob("*") if path.is_file()) or [Path(place)]
        return digest([(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files])
    for module in (kind, kind.rpartition(".")[0]):
        try:
            found = importlib.util.find_spec(module) if module else None
        except (ImportError, ValueError):
            continue
        if found and found.origin and Path(found.origin).is_file():
            return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()[:12]
    return ""


def digest(facts):
    """Twelve hex digits of JSON-able facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def load(config=None, **changes):
    """A Config from None (the defaults), a Config, a dict, or the path of a YAML file; `changes` win. KitError for unknown names and
    types."""
    if isinstance(config, Config):
        return replace(config, **changes)
    found = dict(config) if isinstance(config, dict) else read(config) if config else {}
    return make(found | changes)


def read(path):
    """The mapping in a YAML file."""
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"the configuration {path} could not be read ({error.strerror}). Name a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KitError(f"the configuration {path} is not valid YAML: {str(error).splitlines()[0]}") from error
    if found is not None and not isinstance(found, dict):
        raise KitError(f"the configuration {path} must be lines of 'name: value', not {type(found).__name__}.")
    return found or {}


def make(found):
    """A Config from a dict, with rules and limits as dicts; unknown names are refused with the nearest one."""
    known = {one.name: one for one in fields(Config)}
    for name, value in found.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise KitError(f"there is no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else ".")
                           + f" Settings: {', '.join(known)}.")
        if name in PARTS and not isinstance(value, PARTS[name][0]):
            if not isinstance(value, dict):
                raise KitError(f"'{name}' must hold lines of 'name: value', not {value!r}.")
            found = found | {name: part(name, value)}
        elif name not in PARTS:
            fits(name, value, known[name].default)
    return Config(**found)


def part(name, value):
    """Rules or Limits from a dict."""
    kind, build = PARTS[name]
    wrong = [key for key in value if key not in {one.name for one in fields(kind)}]
    if wrong and name != "rules":
        raise KitError(f"'{name}' has no '{wrong[0]}'. It has: {', '.join(one.name for one in fields(kind))}.")
    return build(value)


def fits(name, value, default):
    """KitError when a setting has the wrong type."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    right = {bool: isinstance(value, bool), str: isinstance(value, str), int: isinstance(value, int) and number, float: number}
    if default is None:
        good = value is None or number
    else:
        good = right[type(default)]
    if not good:
        raise KitError(f"setting {name} must be {'a number' if default is None else type(default).__name__}, not {value!r}.")
