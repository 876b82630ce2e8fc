"""The peer of tests/bench/evaluate.py and of the golden numbers in tests/evaluate/test_vbench.py: VBench's own functions, called from a
checkout (https://github.com/Vchitect/VBench), with networks that are handed in. Nothing of VBench is kept here.

SHIMS says what stands in for libraries that VBench imports and this project does not have. decord is used when it can be imported.
"""

import sys
import types
from pathlib import Path

SHIMS = {
    "torchvision.transforms": "Resize, CenterCrop, Normalize, Lambda and Compose for tensors, by the same torch functions (bit for bit)",
    "decord": "VideoReader on PyAV, where the real one is not installed",
    "clip, pyiqa, ViCLIP, RAFT, omegaconf, easydict": "imported at the top of files, their networks are handed in: empty modules",
}


class Resize:
    """torchvision's Resize of tensors without antialiasing: 8-bit bicubic is cut off and rounded, float is not."""

    def __init__(self, size, interpolation="bilinear", antialias=False):
        self.size, self.mode = size, interpolation

    def __call__(self, pictures):
        import torch
        from torch.nn import functional as F

        height, width = pictures.shape[-2:]
        size = self.size
        if isinstance(size, int):
            size = (size, int(size * width / height)) if height <= width else (int(size * height / width), size)
        if (height, width) == tuple(size):
            return pictures
        found = F.interpolate(pictures.float(), size, mode=self.mode, align_corners=False)
        if pictures.dtype == torch.uint8:
            found = found.clamp(0, 255) if self.mode == "bicubic" else found
            return found.round().to(torch.uint8)
        return found


class CenterCrop:
    def __init__(self, size):
        self.size = size

    def __call__(self, pictures):
        top, left = (int(round((side - self.size) / 2)) for side in pictures.shape[-2:])
        return pictures[..., top:top + self.size, left:left + self.size]


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, pictures):
        import torch

        return (pictures - torch.tensor(self.mean).view(3, 1, 1)) / torch.tensor(self.std).view(3, 1, 1)


class Compose:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x):
        for step in self.steps:
            x = step(x)
        return x


class Reader:
    """What VBench asks of decord's VideoReader, on PyAV."""

    def __init__(self, path, **_):
        import av
        import numpy as np

        with av.open(path) as container:
            self.fps = float(container.streams.video[0].average_rate)
            self.frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

    def __len__(self):
        return len(self.frames)

    def get_avg_fps(self):
        return self.fps

    def get_batch(self, numbers):
        import torch

        frames = torch.from_numpy(self.frames[list(numbers)])
        frames.asnumpy = frames.numpy
        return frames


def module(name, **content):
    """A module of that name in sys.modules, and its parents."""
    parts = name.split(".")
    for k in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:k]), types.ModuleType(".".join(parts[:k])))
    made = sys.modules[name]
    made.__dict__.update(content)
    return made


def load(checkout):
    """{dimension: VBench's module} from a checkout; the modules' own functions are called as they are."""
    import importlib

    sys.path.insert(0, str(Path(checkout)))
    module("torchvision.transforms", Resize=Resize, CenterCrop=CenterCrop, Normalize=Normalize, Compose=Compose,
           Lambda=lambda function: function, ToTensor=None, ToPILImage=None,
           InterpolationMode=types.SimpleNamespace(BICUBIC="bicubic", BILINEAR="bilinear"))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    try:
        import decord  # noqa: F401
    except ImportError:
        module("decord", VideoReader=Reader, cpu=None, bridge=types.SimpleNamespace(set_bridge=lambda _: None))
    module("clip", load=None)
    module("omegaconf", OmegaConf=None)
    module("easydict", EasyDict=dict)
    module("imageio", imread=None, imwrite=None)
    module("pyiqa.archs.musiq_arch", MUSIQ=None)
    importlib.import_module("vbench")
    for name, content in (("ViCLIP.viclip", {"ViCLIP": None}), ("ViCLIP.simple_tokenizer", {"SimpleTokenizer": None}),
                          ("RAFT.core.raft", {"RAFT": None})):
        sys.modules[f"vbench.third_party.{name}"] = types.ModuleType(name)
        sys.modules[f"vbench.third_party.{name}"].__dict__.update(content)
    names = ("subject_consistency", "background_consistency", "temporal_flickering", "motion_smoothness", "imaging_quality",
             "aesthetic_quality", "dynamic_degree", "overall_consistency")
    return {name: importlib.import_module(f"vbench.{name}") for name in names}


def score(modules, path, networks, prompt):
    """{dimension: VBench's number} of one MP4, with `networks` (the callables that medgen_kit.evaluate.vbench takes)."""
    import torch

    path, found = str(path), {}
    found["subject_consistency"] = modules["subject_consistency"].subject_consistency(networks["encoder"], [path], "cpu", False)[0]
    image = types.SimpleNamespace(encode_image=networks["encoder"], eval=lambda: None)
    with torch.no_grad():
        found["background_consistency"] = modules["background_consistency"].background_consistency(image, None, [path], "cpu", False)[0]
    found["temporal_flickering"] = modules["temporal_flickering"].temporal_flickering([path])[0]
    found["motion_smoothness"] = smoothness(modules["motion_smoothness"], networks["interpolator"]).motion_score(path)
    found["imaging_quality"] = modules["imaging_quality"].technical_quality(networks["quality"], [path], "cpu")[1][0]["video_results"]
    head = Callable(networks["head"])
    found["aesthetic_quality"] = modules["aesthetic_quality"].laion_aesthetic(head, image, [path], "cpu")[0]
    found["dynamic_degree"] = dynamics(modules["dynamic_degree"], networks["flow"]).infer(path)
    text = types.SimpleNamespace(encode_text=lambda words: networks["text"](words).reshape(1, -1),
                                 encode_vision=lambda clip, test: networks["video"](clip[0]).reshape(1, -1))
    query = [{"prompt": prompt, "video_list": [path]}]
    found["overall_consistency"] = modules["overall_consistency"].overall_consistency(text, query, None, "cpu")[1][0]["video_results"]
    return {name: float(value) for name, value in found.items()}


class Callable:
    def __init__(self, function):
        self.function = function

    def eval(self):
        return self

    def __call__(self, x):
        return self.function(x)


def smoothness(source, interpolator):
    """VBench's MotionSmoothness without its file of weights."""
    made = source.MotionSmoothness.__new__(source.MotionSmoothness)
    made.device, made.niters = "cpu", 1
    made.initialization()
    made.model = lambda a, b, at, scale_factor, eval: {"imgt_pred": interpolator(a, b)}
    return made


def dynamics(source, flow):
    """VBench's DynamicDegree without its file of weights."""
    made = source.DynamicDegree.__new__(source.DynamicDegree)
    made.device, made.model = "cpu", lambda a, b, iters, test_mode: (None, flow(a, b))
    return made
