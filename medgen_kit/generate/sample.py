"""Sampling: prompts in, clips out. The same call serves MedGen-tiny here and Wan2.1 / MedGen checkpoints on a GPU."""

import numpy as np
import torch

from .. import sources, video
from ..clip import Clip, write_folder, write_text
from ..errors import KitError
from ..machine import device
from .pipeline import load_pipeline
from .prompts import make_prompts


def open_generator(profile, folder):
    """The pipeline that a profile samples from: its `sample.base_model` when it names one (on a GPU), else MedGen-tiny in `folder`."""
    sizes = profile.sample
    if not sizes.base_model:
        return load_pipeline(folder).to(device())
    pipe = load_pipeline(sizes.base_model, torch_dtype=getattr(torch, sizes.precision))
    if sizes.offload:
        pipe.enable_model_cpu_offload()
    else:
        pipe.to(device())
    return pipe


def generate_clips(pipe, prompts, settings, seed=0, batch=33, say=None):
    """Clips uint8 [N, T, H, W, 3] of N prompts. Clip i depends on (seed, i) alone.

    settings: section `sample` of a profile, or `generate` for MedGen-tiny.

    With the same seed another prompt starts from the same noise, so two pictures differ by the words only.
    """
    clips = []
    sizes = {} if pipe.__class__.__name__ == "MedGenTinyPipeline" else {
        "num_frames": settings.num_frames, "height": settings.height, "width": settings.width}
    batch = batch if not sizes else 1
    for start in range(0, len(prompts), batch):
        some = list(prompts[start:start + batch])
        noise = [torch.Generator().manual_seed(seed * 100_003 + start + k) for k in range(len(some))]
        out = pipe(prompt=some, num_inference_steps=settings.num_inference_steps, guidance_scale=settings.guidance_scale,
                   generator=noise if len(noise) > 1 else noise[0], **sizes).frames
        clips.append((np.asarray(out) * 255).round().clip(0, 255).astype(np.uint8))
        if say:
            say(f"{start + len(some)} of {len(prompts)} clips")
    return np.concatenate(clips)


def key_frames(clips, count=9, size=32):
    """What the evaluation reads: `count` frames at interval centres, `size` pixels square: [N, count, size, size, 3]."""
    index = video.sample_indices(clips.shape[1], count)
    return np.stack([video.resize(clip[index], size) for clip in clips])


def write_clips(folder, clips, rows, fps=8, source="MedGen-tiny"):
    """Write generated clips as a VideoFolder: marked SYNTHETIC in the picture and in the file; factors are what the prompt asked."""
    made = []
    for number, (frames, row) in enumerate(zip(clips, rows)):
        path = video.write(folder / "videos" / f"{number:04d}.mp4", video.mark_synthetic(frames), fps, synthetic=True, title=row["prompt"])
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
    clips = generate_clips(pipe, [row["prompt"] for row in rows], sizes, work.profile.seed, say=work.say)
    np.savez_compressed(work.out / "frames.npz", frames=key_frames(clips))
    write_text(work.out / "prompts.json", json.dumps(rows))
    write_clips(work.out, clips, rows, work.profile.data.fps, sizes.base_model or "MedGen-tiny")
    return {"prompts": len(rows), "unseen": sum(row["unseen"] for row in rows), "num_inference_steps": sizes.num_inference_steps,
            "guidance_scale": sizes.guidance_scale, "model": sizes.base_model or "MedGen-tiny"}
