"""The settings of a training, and the presets: the paper's recipe twice, once as it is written and once as its trainer runs it."""

from dataclasses import asdict, dataclass, fields

from ..errors import KitError
from ..profiles import near

SCHEDULES = ("constant", "linear", "cosine", "half")


@dataclass
class Recipe:
    """Settings of a training, whatever the model.

    batch: clips of an optimizer step, over all accumulation and all devices; micro_batch: clips a device holds at once (0: all of its
    share). schedule, warmup (steps): see `learning_rate`. clip: largest norm of the gradient. minutes: stop after about that long (0:
    max_steps). noise_levels ("uniform" or "logit_normal"), train_shift: how noise levels are drawn in training; sample_shift: the
    scheduler's in sampling. drop: share of captions left out. shuffle: a new order every epoch. ema: decay of averaged weights (0: none).
    lora_rank: 0 trains all weights; lora_alpha: 0 is the rank, which adds B A as it is. lora_targets: "attention", "all" (with the
    feed-forward layers) or names by commas. repa, knowledge: weights of the two alignment losses, 0 switches one off. mixed_precision: no,
    fp16, bf16, or auto (by the device). optimizer: adamw or adamw8bit (bitsandbytes). checkpoint_steps, checkpoint_seconds: after which a
    checkpoint is written (0: not by that); keep: how many stay. validation_steps: loss at nine noise levels, and samples, every so many
    steps (0: never).
    """

    batch: int = 32
    micro_batch: int = 0
    lr: float = 5e-5
    beta2: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
    schedule: str = "constant"
    warmup: int = 0
    max_steps: int = 50000
    minutes: float = 0
    noise_levels: str = "uniform"
    train_shift: float = 1.0
    sample_shift: float = 1.0
    drop: float = 0.0
    shuffle: bool = True
    ema: float = 0.0
    lora_rank: int = 32
    lora_alpha: int = 0
    lora_targets: str = "attention"
    repa: float = 0.0
    knowledge: float = 0.0
    mixed_precision: str = "auto"
    gradient_checkpointing: bool = True
    optimizer: str = "adamw"
    checkpoint_steps: int = 100
    checkpoint_seconds: float = 600
    keep: int = 2
    validation_steps: int = 0
    seed: int = 0

    def __post_init__(self):
        for name, known in (("schedule", SCHEDULES), ("noise_levels", ("uniform", "logit_normal")), ("optimizer", ("adamw", "adamw8bit")),
                            ("mixed_precision", ("no", "fp16", "bf16", "auto"))):
            if getattr(self, name) not in known:
                raise KitError(f"{name} is {getattr(self, name)!r}{near(getattr(self, name), known)} It can be: {', '.join(known)}.")
        for name in ("batch", "max_steps", "keep"):
            if getattr(self, name) < 1:
                raise KitError(f"{name} is {getattr(self, name)}, but it must be at least 1.")
        if min(self.train_shift, self.sample_shift) <= 0:
            raise KitError("train_shift and sample_shift must be above 0 (1 changes nothing).")

    @classmethod
    def of(cls, profile, section="tune", **changes):
        """From a section of a profile: its preset, if it names one, then what in it is a setting of a training, then `changes`.

        seed: the profile's; a preset's own stands while the profile's is 0.
        """
        names = {field.name for field in fields(cls)}
        given = getattr(profile, section).as_dict()
        base = PRESETS[given["preset"]] if given.get("preset") else {}
        own = {key: value for key, value in given.items() if key in names}
        return cls(**{**base, **own, "seed": profile.seed or base.get("seed", 0), **changes})

    @classmethod
    def preset(cls, name, **changes):
        """A recipe of PRESETS by its name, with `changes`; unknown names and settings are refused."""
        if name not in PRESETS:
            raise KitError(f"there is no preset '{name}'{near(name, PRESETS)} Presets: {', '.join(PRESETS)}.")
        known = [field.name for field in fields(cls)]
        for key in changes:
            if key not in known:
                raise KitError(f"a recipe has no setting '{key}'{near(key, known)}")
        return cls(**{**PRESETS[name], **changes})

    def as_dict(self):
        return asdict(self)


# Table 5 of the paper. Its flags are those of FastVideo's script for HunyuanVideo LoRA; in the trainer that they match, EMA is parsed and
# never used, the flow shift acts in validation sampling alone, and the order of clips is fixed.
TABLE5 = dict(batch=32, lr=5e-5, max_steps=50000, seed=1024, mixed_precision="bf16", drop=0.0, lora_rank=32, lora_alpha=32,
              sample_shift=7.0, checkpoint_steps=100, keep=100, validation_steps=1000)
PRESETS = {"medgen_as_written": TABLE5 | dict(train_shift=7.0, ema=0.999),
           "medgen_as_run": TABLE5 | dict(train_shift=1.0, ema=0.0, shuffle=False),
           # what suits MedGen-tiny, whose clips are too small for a shift
           "course": dict(noise_levels="logit_normal", drop=0.1, schedule="half", warmup=10, beta2=0.95)}


def learning_rate(step, total, recipe):
    """Learning rate of a step (from 0): warm-up from a small value, then "constant", "linear" or "cosine" to 0 at `total`, or "half":
    constant for the first half, then linear to 0."""
    import math

    left = max(0.0, (total - step) / total)
    shape = {"constant": 1.0, "linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "half": min(1.0, 2 * left)}[recipe.schedule]
    return recipe.lr * min(1.0, (step + 1) / max(1, recipe.warmup), shape)
