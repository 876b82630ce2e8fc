"""Sampling: prompts in, clips out. The same call serves MedGen-tiny here and Wan2.1 / MedGen checkpoints on a GPU."""

import contextlib
import itertools
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch

from .. import sources, video
from ..clip import Clip, write_folder, write_text
from ..errors import KitError
from ..machine import device
from ..run import runs_root
from . import label
from .families import family_of
from .models import MODELS
from .pipeline import load_pipeline
from .prompts import make_prompts
from .speed import accelerate_sampling

@dataclass(frozen=True)
class SampleSettings:
    """What shapes a clip besides its prompt and noise.

    sample_shift: timestep shift, None keeps the model's own. fps: of the file (LTX-Video is told it too). accel: off, safe or fast
    (`speed.accelerate_sampling`).
    """

    num_inference_steps: int = 20
    guidance_scale: float = 2.0
    sample_shift: float | None = None
    num_frames: int = 9
    height: int = 32
    width: int = 32
    fps: float = 8
    accel: str = "off"

    @classmethod
    def of(cls, pipe, **changes):
        """The settings that the model of `pipe` was made for (paper: "default settings"); changes that are None are left out. KitError for
        a size that its family cannot have."""
        family = family_of(pipe)
        named = getattr(pipe, "kit", {}).get("model")
        known = MODELS.get(named) or next(model for model in MODELS.values() if model.family == family.name)
        own = {name: getattr(known, name) for name in ("num_inference_steps", "guidance_scale", "fps")}
        own |= family.fitting(pipe, known)
        trained = getattr(pipe, "kit", {}).get("trained")                  # a LoRA of ours says how it was trained
        if trained:
            own |= {"fps": trained["fps"]} | ({"sample_shift": trained["sample_shift"]} if family.shifts else {})
            own |= {"guidance_scale": family.trained_guidance} if family.trained_guidance else {}
        made = cls(**own | {name: value for name, value in changes.items() if value is not None})
        family.check_for(pipe, made)
        if made.num_inference_steps < 1 or not made.fps > 0:
            raise KitError("num_inference_steps must be at least 1, and fps above 0.")
        return made


def open_generator(profile, folder):
    """The pipeline that a profile samples from: its `sample.base_model` when it names one (on a GPU), else MedGen-tiny in `folder`. With a
    LoRA when the profile names one, and with its switches for memory and speed."""
    from .opening import load_lora
    from .ready import open_for_sampling

    sizes = profile.sample
    if sizes.base_model:
        return open_for_sampling(sizes.base_model, sizes.lora, sizes.offload, sizes.layerwise, sizes.vae_tiling, sizes.compile,
                                 sizes.text_memory, sizes.precision, texts=runs_root() / ".texts")
    pipe = load_pipeline(folder).to(device())
    if sizes.lora:
        load_lora(pipe, sizes.lora)
    return pipe


def profile_settings(pipe, profile):
    """The SampleSettings of a profile: steps, guidance, sizes and acceleration from its section `sample`, frames a second from the course's
    clips for MedGen-tiny, from the model for others."""
    names = ("num_inference_steps", "guidance_scale", "num_frames", "height", "width", "accel")
    return SampleSettings.of(pipe, **{name: getattr(profile.sample, name) for name in names},
                             fps=None if profile.sample.base_model else profile.data.fps)


def read_ahead(pipe, prompts):
    """Let a pipeline without a text encoder (`reader`) encode these prompts now, all in one go; others need no such thing."""
    if reader := getattr(pipe, "reader", None):
        reader.read([*prompts, ""])


def sample_batch(pipe, prompts, noise_seeds, settings, negative_prompt="", image=None, **call):
    """Clips uint8 [N, T, H, W, 3] of N prompts, one noise seed each: clip i depends on its prompt and seed alone, up to the order of float
    sums (an occasional grey level of 1) in a batch of another size.

    settings: SampleSettings, or any object with its first fields. image: one first frame uint8 [H, W, 3] for all. call: more arguments for
    the pipeline's call (HunyuanVideo's prompt_template). Raises KitError for what the family cannot do.
    """
    family = family_of(pipe)
    pipe = pipe if image is None else family.with_first_frame(pipe)
    noise = [torch.Generator().manual_seed(seed) for seed in noise_seeds]
    call |= {"prompt": list(prompts), "num_inference_steps": settings.num_inference_steps, "guidance_scale": settings.guidance_scale,
             "generator": noise if len(noise) > 1 else noise[0], "output_type": "np", **family.call(settings)}
    if negative_prompt:
        refuse_without_effect(family, settings)
        call["negative_prompt"] = family.negative(negative_prompt, len(noise))
    if pipe.scheduler.config.get("shift_terminal") and settings.num_inference_steps < 2:
        raise KitError("num_inference_steps=1 is too few here: this model's noise levels are stretched from the first step to the last.")
    if image is not None:
        call["image"] = family.first_frame(pipe, checked_image(image), settings, len(noise))
    if reader := getattr(pipe, "reader", None):
        call.pop("prompt")
        call |= reader(prompts, negative_prompt, pipe._execution_device)
        call.pop("negative_prompt", None)
    frames = np.asarray(pipe(**call).frames)
    if not np.isfinite(frames).all():
        raise KitError(f"the model's pictures are not numbers after {settings.num_inference_steps} steps. Take more steps, or bfloat16 or "
                       "float32 where it ran in float16.")
    return (frames * 255).round().clip(0, 255).astype(np.uint8)


def refuse_without_effect(family, settings):
    """KitError where a negative prompt would be read and ignored."""
    if family.no_negative:
        raise KitError(f"{family.no_negative}. Leave the negative prompt out.")
    if not family.guided(settings.guidance_scale):
        raise KitError(f"with guidance_scale={settings.guidance_scale:g} the negative prompt has no effect. Raise it above 1, or leave the "
                       "negative prompt out.")


def checked_image(image):
    """A first frame as an array; KitError when it is none."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise KitError(f"the first frame must be uint8 [H, W, 3], RGB, not {image.dtype} {list(image.shape)}.")
    return image


def read_image(path):
    """A picture file as uint8 [H, W, 3], RGB."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise KitError(f"{path} is no picture that can be read ({type(error).__name__}). Give a PNG or JPEG file.") from error


@contextlib.contextmanager
def shifted(pipe, shift):
    """Sample with another timestep shift inside the block: s' = shift s / (1 + (shift - 1) s). None keeps the model's own. KitError for a
    model without a fixed shift."""
    kept = pipe.scheduler
    try:
        if shift is not None:
            pipe.scheduler = with_shift(kept, shift)
        yield pipe
    finally:
        pipe.scheduler = kept


def with_shift(scheduler, shift):
    """A scheduler like this one with another shift."""
    from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

    if not shift > 0:
        raise KitError(f"shift={shift} is not possible; 1 is no shift, larger values spend more steps at high noise.")
    if scheduler.config.get("use_dynamic_shifting"):
        raise KitError("this model computes its shift from the clip's size (LTX-Video does), so no fixed shift can be set. Leave it out.")
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        return FlowMatchEulerDiscreteScheduler.from_config(scheduler.config, shift=float(shift))
    if isinstance(scheduler, UniPCMultistepScheduler) and scheduler.config.use_flow_sigmas:
        return UniPCMultistepScheduler.from_config(scheduler.config, flow_shift=float(shift))
    raise KitError(f"{type(scheduler).__name__} has no timestep shift: it is not for flow matching (CogVideoX is a diffusion model).")


def generate_clips(pipe, prompts, settings, seed=0, batch=0, say=None):
    """Clips uint8 [N, T, H, W, 3] of N prompts. Clip i depends on (seed, i) alone.

    settings: section `sample` of a profile, `generate` for MedGen-tiny, or SampleSettings (its shift and accel are used too). batch: clips
    at a time (0: what suits the family).

    With the same seed another prompt starts from the same noise, so two pictures differ by the words only.
    """
    prompts, clips, accel = list(prompts), {}, getattr(settings, "accel", "off")
    family = family_of(pipe)
    batch = batch or family.batch
    read_ahead(pipe, prompts)
    with shifted(pipe, getattr(settings, "sample_shift", None)):
        for group in family.groups(pipe, prompts):
            for start in range(0, len(group), batch):
                some = group[start:start + batch]
                with accelerate_sampling(pipe, accel) as boost:
                    made = sample_batch(pipe, [prompts[i] for i in some], [noise_seed(seed, i) for i in some], faster(settings, boost))
                clips.update(zip(some, made))
                if say:
                    say(f"{len(clips)} of {len(prompts)} clips")
    return np.stack([clips[i] for i in range(len(prompts))])


def noise_seed(seed, number):
    """Seed of the noise of clip `number`."""
    return seed * 100_003 + number


def faster(settings, boost):
    """The settings with the steps that an acceleration takes."""
    steps = boost.steps(settings.num_inference_steps)
    return settings if steps == settings.num_inference_steps else SimpleNamespace(**vars(settings) | {"num_inference_steps": steps})


def sweep(pipe, prompt, settings, guidance_scale=(), shift=(), steps=(), seed=0):
    """One prompt and one noise at every combination of the given values: (clips uint8 [N, T, H, W, 3], rows).

    settings: SampleSettings for what is not swept. rows: {"guidance_scale", "sample_shift", "num_inference_steps", "seconds"}, in the
    order of the clips. Raises KitError for a shift that the model has not.
    """
    axes = {"guidance_scale": guidance_scale, "sample_shift": shift, "num_inference_steps": steps}
    values = [tuple(given) or (getattr(settings, name, None),) for name, given in axes.items()]
    clips, rows = [], []
    for combination in itertools.product(*values):
        row, begun = dict(zip(axes, combination)), time.perf_counter()
        clips.append(generate_clips(pipe, [prompt], replace(settings, **row), seed)[0])
        rows.append(row | {"seconds": round(time.perf_counter() - begun, 3)})
    return np.stack(clips), rows


def walk(pipe, prompt, settings, shown=(), seed=0):
    """From noise to clip: the clip as it is after some of the steps, (clips uint8 [K, T, H, W, 3], noise levels [K]).

    shown: after which steps, 1 to num_inference_steps (default: six, evenly). The pipeline is stopped there and decodes what it has, so
    this takes K calls. The last clip is the one that `generate_clips` makes of the same seed.
    """
    steps, clips, levels = settings.num_inference_steps, [], []
    shown = [int(step) for step in (shown or np.unique(np.linspace(1, steps, min(6, steps)).round()))]
    if wrong := [step for step in shown if not 1 <= step <= steps]:
        raise KitError(f"step {wrong[0]} can not be shown: there are {steps}.")
    read_ahead(pipe, [prompt])
    with shifted(pipe, getattr(settings, "sample_shift", None)):
        for last in shown:
            def stop(running, step, t, state, last=last):
                running._interrupt = step + 1 >= last
                return state

            clips.append(sample_batch(pipe, [prompt], [noise_seed(seed, 0)], settings, callback_on_step_end=stop)[0])
            left = pipe.scheduler.timesteps[last:]
            levels.append(float(left[0]) / pipe.scheduler.config.num_train_timesteps if len(left) else 0.0)
    return np.stack(clips), levels


def key_frames(clips, count=9, size=32):
    """What the evaluation reads: `count` frames at interval centres, `size` pixels square: [N, count, size, size, 3]."""
    index = video.sample_indices(clips.shape[1], count)
    return np.stack([video.resize(clip[index], size) for clip in clips])


def write_clips(folder, clips, rows, fps=8, source="MedGen-tiny", facts=None, seed=0):
    """Write generated clips as a VideoFolder: marked SYNTHETIC in the picture, in the file and in a sidecar (`label`), which holds `facts`
    of the model and its settings too; factors are what the prompt asked."""
    made = []
    for number, (frames, row) in enumerate(zip(clips, rows)):
        path = label.write(folder / "videos" / f"{number:04d}.mp4", frames, fps, {
            "model": source, "prompt": row["prompt"], "prompt_number": number, "seed": seed, "noise_seed": noise_seed(seed, number),
            **(facts or {})})
        made.append(Clip.of(path, video_category=sources.category(row["factors"]["modality"]), brief_caption=row["prompt"], source=source,
                            source_id=f"generated/{number}", licence="CC BY 4.0 (synthetic, never for clinical use)", split="test",
                            factors=row["factors"], extra={"unseen": row["unseen"], "prompt": row["prompt"], "synthetic": True}))
    return write_folder(folder, made)


def build(work):
    """The stage `sample`: the evaluation prompts of the profile, one clip each, no picking."""
    import json

    sizes = work.profile.sample
    if sizes.prompts < 3:
        raise KitError(f"sample.prompts is {sizes.prompts}; at least 3 are needed, so that one is an unseen combination.")
    rows = make_prompts(sizes.prompts, work.profile.seed)
    pipe = open_generator(work.profile, work.inputs["generate"] / "pipeline")
    how = profile_settings(pipe, work.profile)
    clips = generate_clips(pipe, [row["prompt"] for row in rows], how, work.profile.seed, say=work.say)
    np.savez_compressed(work.out / "frames.npz", frames=key_frames(clips))
    write_text(work.out / "prompts.json", json.dumps(rows))
    with accelerate_sampling(pipe, how.accel) as boost:
        facts = label.shared_facts(pipe, how)
        facts["settings"] |= {"scheduler": boost.solver, "steps_taken": boost.steps(how.num_inference_steps)}
    write_clips(work.out, clips, rows, how.fps, sizes.base_model or "MedGen-tiny", facts, work.profile.seed)
    return {"prompts": len(rows), "unseen": sum(row["unseen"] for row in rows), "num_inference_steps": sizes.num_inference_steps,
            "guidance_scale": sizes.guidance_scale, "model": sizes.base_model or "MedGen-tiny"}
