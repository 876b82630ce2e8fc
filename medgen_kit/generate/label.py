"""Labels on generated videos: a visible mark, the container's metadata, and a sidecar that says how the clip was made.

    clip.mp4         marked SYNTHETIC in the picture; title, comment and description in the container
    clip.json        the sidecar: model, weights, prompt, seed, settings, versions, date
"""

import hashlib
import json
import time
from pathlib import Path

import numpy as np

from .. import __version__, video
from ..clip import write_text
from ..errors import KitError
from ..whole import whole

NOTICE = ("This video is synthetic: a model made it from text. It shows no patient and must never be used for clinical decisions or as "
          "evidence.")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"          # IPTC's word for it


def shared_facts(pipe, settings, image=None):
    """What all clips of a run have in common, for sidecars and for resuming."""
    told = {**vars(settings), "precision": str(pipe.transformer.dtype).removeprefix("torch."),
            "scheduler": type(pipe.scheduler).__name__}
    if settings.sample_shift is None:
        own = pipe.scheduler.config
        told["sample_shift"] = "dynamic" if own.get("use_dynamic_shifting") else own.get("flow_shift", own.get("shift"))
    if image is not None:
        told["first_frame"] = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
    return {**model_facts(pipe), "settings": told}


def model_facts(pipe):
    """{"model", "medical", "family", "source", "weights" (sha256), "lora" (its name, sha256, rank, scale, or None)} of a pipeline."""
    kit = getattr(pipe, "kit", None)
    if kit is None:                                       # opened by load_pipeline
        from .families import family_of
        from .weights import weights_hash

        folder, family = Path(str(pipe.name_or_path or "")), family_of(pipe).name
        weights = weights_hash(folder) if folder.name and folder.is_dir() else ""
        kit = {"model": "medgen-tiny" if family == "tiny" else str(pipe.name_or_path or type(pipe).__name__), "medical": family == "tiny",
               "family": family, "source": str(pipe.name_or_path or "made in memory"), "weights": weights or memory_hash(pipe.transformer)}
    lora = kit.get("lora")
    if lora:
        lora = {"name": Path(lora["file"]).name} | {key: value for key, value in lora.items() if key != "file"}
    return {name: kit.get(name) for name in ("model", "medical", "family", "source", "weights")} | {"lora": lora or None}


def memory_hash(module):
    """sha256 of a module's weights as they are in memory, for a model that lies in no file."""
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def versions():
    """{library: version} of what shapes a sample."""
    import diffusers
    import torch

    return {"medgen_kit": __version__, "torch": torch.__version__, "diffusers": diffusers.__version__}


def write(path, frames, fps, facts, marked=True):
    """Write one labelled MP4 and its sidecar `<name>.json`, each whole or not at all, the sidecar last. Returns the path.

    frames: uint8 [T, H, W, 3]. facts: JSON values for the sidecar, with at least "prompt", "model" and "seed"; the notice, the file's
    sha256, the versions and the date are added. marked: the visible mark; without it the container and the sidecar still say synthetic.
    """
    path = Path(path)
    for name in ("prompt", "model", "seed"):
        if name not in facts:
            raise KitError(f"label.write needs facts with '{name}', so that the label can say it.")
    plain = path.with_name(f".{path.name}.plain.mp4")
    try:
        video.write(plain, video.mark_synthetic(frames) if marked else frames, fps, synthetic=True, title=facts["prompt"])
        keep = {name: facts.get(name) for name in ("model", "weights", "lora", "prompt", "negative_prompt", "seed", "noise_seed")}
        describe(plain, path, json.dumps({"synthetic": True, **keep}, ensure_ascii=False))
    finally:
        plain.unlink(missing_ok=True)
    said = {"synthetic": True, "notice": NOTICE, "digital_source_type": SOURCE_TYPE, "file": path.name, **facts, "marked": bool(marked),
            "versions": versions(), "sha256": digest(path), "made": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    write_text(sidecar(path), json.dumps(said, indent=1, ensure_ascii=False))
    return path


def describe(source, target, description):
    """Copy an MP4 with a description beside its title and comment; the pictures are not encoded again."""
    import av

    with whole(target) as part, av.open(str(source)) as old, av.open(str(part), "w", format="mp4",
                                                                    options={"movflags": "faststart"}) as new:
        new.metadata.update({name: old.metadata[name] for name in ("title", "comment") if name in old.metadata})
        new.metadata["description"] = description
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def container(path):
    """What the container of a labelled MP4 says: {"title", "comment", "description"}."""
    import av

    with av.open(str(path)) as file:
        return {name: file.metadata.get(name, "") for name in ("title", "comment", "description")}


def sidecar(path):
    """Path of the sidecar of a video."""
    return Path(path).with_suffix(".json")


def read(path):
    """The sidecar of a video as a dict; None when it is missing or damaged, or when the video is not the one that it was written for."""
    try:
        said = json.loads(sidecar(path).read_text(encoding="utf-8"))
        return said if Path(path).is_file() and said.get("sha256") == digest(path) else None
    except (OSError, ValueError, AttributeError):
        return None


def digest(path):
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
