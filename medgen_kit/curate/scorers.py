"""The paper's two predictors by name: LAION's aesthetic score and DOVER's technical one.

Their weights are not ours to ship: they are read from a local folder or fetched from a model hub, and without them the paper's fields stay
empty and their stages are skipped.
"""

import functools
import importlib
from pathlib import Path

import numpy as np

from ..errors import KitError

HEADS = ("aesthetic_head.npz", "*.pth", "*.pt", "*.safetensors", "pytorch_model.bin")
MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)        # with which DOVER was trained, red, green, blue
SIDE, GRID, LENGTH, STEP = 224, 7, 32, 2     # DOVER's pictures; pieces a side; frames of one part; one frame in STEP is taken


def folder_of(place, files):
    """A local folder (or file) called `place`, else the repository of that name from the model hub, fetched once and kept in its cache."""
    if Path(place).exists():
        return Path(place)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(place, allow_patterns=list(files)))
    except Exception as error:                       # the hub raises many kinds; each means that nothing is there
        raise KitError(f"'{place}' is no folder here, and no repository of that name could be fetched from the model hub "
                       f"({str(error).splitlines()[0]}). Give the path of a folder with the weights, or go online.") from error


class Laion:
    """LAION's aesthetic score, about 1 to 10, mean over the frames: linear layers on the unit image embedding of CLIP.

    place: folder or hub repository with CLIP weights in the layout of transformers, and the head: inside the weights (`predictor.*`), or
    beside them as one of LAION's files (sa_0_4_vit_l_14_linear.pth, *-linearMSE.pth) or as aesthetic_head.npz (weight [D], bias).
    """

    def __init__(self, place):
        from transformers import AutoConfig, CLIPModel, CLIPVisionModelWithProjection
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        folder = folder_of(place, ("*.json", "*.safetensors", "*.bin", "*.pth", "*.npz"))
        if not (folder / "config.json").is_file():
            raise KitError(f"scorer 'laion' needs CLIP weights in the layout of transformers, and {folder} holds no config.json. For "
                           "example: hf download openai/clip-vit-large-patch14 --local-dir laion, then put LAION's head beside them.")
        self.head = head_of(folder)
        whole = AutoConfig.from_pretrained(folder, local_files_only=True).model_type == "clip"
        self.model = (CLIPModel if whole else CLIPVisionModelWithProjection).from_pretrained(folder, local_files_only=True).eval()
        side = (self.model.config.vision_config if whole else self.model.config).image_size
        self.prepare = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    def __call__(self, frames):
        import torch

        pixels = self.prepare(list(np.asarray(frames)), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            seen = self.model.visual_projection(self.model.vision_model(pixel_values=pixels).pooler_output)
            seen = torch.nn.functional.normalize(seen, dim=-1).double().numpy()
        weight, bias = self.head
        return float((seen @ weight + bias).mean())


def head_of(folder):
    """(weight [D], bias) of the linear head in a folder; layers that follow each other without a bend between are multiplied out."""
    for path in (path for pattern in HEADS for path in sorted(Path(folder).glob(pattern))):
        if "relu" in path.name.lower():
            raise KitError(f"{path} is a head with ReLU between its layers, which is not read here. Take one of LAION's linear heads.")
        layers = layers_of(tensors(path))
        if layers:
            weight, bias = layers[0]
            for then, more in layers[1:]:
                weight, bias = then @ weight, then @ bias + more
            return weight[0], float(bias[0])
    raise KitError(f"scorer 'laion' finds no aesthetic head in {folder}. Put sa_0_4_vit_l_14_linear.pth (github.com/LAION-AI/"
                   "aesthetic-predictor) or another of LAION's linear heads for your CLIP model beside the weights.")


def tensors(path):
    """{name: float64 array} of a weights file."""
    if path.suffix == ".npz":
        with np.load(path) as saved:
            return {name: np.asarray(saved[name], float) for name in saved}
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file
        found = load_file(str(path))
    else:
        import torch
        found = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.double().numpy() for name, tensor in found.items() if name.startswith(("predictor.", "layers.", "weight", "bias"))}


def layers_of(found):
    """[(weight [M, D], bias [M])] of a head, in order: `predictor.*` inside a whole model, `layers.N.*`, or the two tensors alone."""
    stems = {name.rpartition(".")[0] for name in found if name.rpartition(".")[2] == "weight"}
    own = sorted((stem for stem in stems if stem.split(".")[0] in ("", "predictor", "layers")),
                 key=lambda stem: [int(part) for part in stem.split(".") if part.isdigit()])
    named = [f"{stem}." if stem else "" for stem in own]
    return [(np.atleast_2d(found[f"{stem}weight"]), np.atleast_1d(found[f"{stem}bias"])) for stem in named if f"{stem}bias" in found]


class Dover:
    """DOVER's raw technical score (Wu et al. 2023, github.com/VQAssessment/DOVER): higher is better, 0 is the paper's limit.

    place: the .onnx file that the authors' convert_to_onnx.py writes from their weights, its folder, or a hub repository with it. The clip
    is cut in equal parts; of each, 32 frames (every second one) from its middle are seen as 7 x 7 pieces of 32 pixels at their own size.
    Where DOVER draws the place of pieces and frames by chance, the middle is taken, so a clip always gets the same score.
    """

    def __init__(self, place):
        import onnxruntime

        found = folder_of(place, ("*.onnx", "*.onnx.data"))
        files = [found] if found.is_file() else sorted(found.glob("*.onnx"))
        if len(files) != 1:
            raise KitError(f"scorer 'dover' needs one .onnx file in {found}, and there are {len(files)}. Get DOVER and its weights from "
                           "github.com/VQAssessment/DOVER, run its convert_to_onnx.py, and name the file that it writes.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1             # clips go in parallel
        self.model = onnxruntime.InferenceSession(str(files[0]), options, providers=["CPUExecutionProvider"])
        shapes = {one.name: one.shape for one in self.model.get_inputs()}
        if set(shapes) != {"aes_view", "tech_view"}:
            raise KitError(f"{files[0]} is not DOVER as its convert_to_onnx.py writes it: its inputs are {', '.join(shapes)}.")
        self.parts = shapes["tech_view"][0] if isinstance(shapes["tech_view"][0], int) else 3

    def numbers(self, first, last):
        """Frame numbers wanted of a clip first..last: those of the technical parts, then 32 over the whole clip for the other view."""
        total = last - first + 1
        each = total // self.parts
        start = max(0, (each - LENGTH * STEP) // 2)
        technical = [first + min(total - 1, part * each + start + STEP * k) for part in range(self.parts) for k in range(LENGTH)]
        return technical + [first + (2 * k + 1) * total // (2 * LENGTH) for k in range(LENGTH)]

    def keep(self, picture):
        """(pieces, whole): what is kept of a frame uint8 [H, W, 3], two pictures of 224 x 224."""
        from .. import video

        return pieces(picture), video.resize(picture[None], SIDE)[0]

    def __call__(self, kept):
        """The score from what was kept of the frames that `numbers` names, in that order."""
        technical = np.stack([one[0] for one in kept[:-LENGTH]]).reshape(self.parts, LENGTH, SIDE, SIDE, 3)
        whole = np.stack([one[1] for one in kept[-LENGTH:]])[None]
        technical, whole = (np.moveaxis((view - np.float32(MEAN)) / np.float32(SPREAD), -1, 1) for view in (technical, whole))
        return float(np.mean(self.model.run(None, {"aes_view": whole, "tech_view": technical})[1]))


def pieces(picture):
    """The picture uint8 [H, W, 3] as 7 x 7 pieces of 32 pixels at its own size, from the middle of each field: [224, 224, 3].

    A picture under 224 pixels is enlarged first.
    """
    from .. import video

    height, width = picture.shape[:2]
    if min(height, width) < SIDE:
        scale = SIDE / min(height, width)
        picture = video.resize(picture[None], (max(SIDE, round(height * scale)), max(SIDE, round(width * scale))))[0]
    piece = SIDE // GRID
    rows, columns = ([k * (size // GRID) + (size // GRID - piece) // 2 for k in range(GRID)] for size in picture.shape[:2])
    return np.concatenate([np.concatenate([picture[y:y + piece, x:x + piece] for x in columns], axis=1) for y in rows])


SCORERS = {"laion": Laion, "dover": Dover}


@functools.lru_cache(4)
def scorer(name):
    """The scorer "laion:<place>", "dover:<place>" or "your_module.your_maker:<place>"; None for "none". Weights are read once a process.

    place: a local path or a hub repository. A maker gets the place and returns a function of frames uint8 [5, H, W, 3] -> float; if that
    has `numbers` and `keep` (see `Dover`), it chooses its frames itself.
    """
    if name == "none":
        return None
    kind, _, place = name.partition(":")
    if not place:
        raise KitError(f"scorer '{name}' names no weights. Say '{kind}:<folder or hub repository>', or 'none'.")
    try:
        return maker(kind)(place)
    except KitError:
        raise
    except Exception as error:                       # readers of weights raise many kinds; each means that these are not usable
        raise KitError(f"scorer '{name}' could not be made ({type(error).__name__}: {str(error).splitlines()[0]}). Are the weights whole, "
                       "and those that it needs?") from error


def maker(kind):
    """The class or function that makes a scorer: one of SCORERS, or a function of a module, named with a dot so that workers find it."""
    if kind in SCORERS:
        return SCORERS[kind]
    module, _, function = kind.rpartition(".")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise KitError(f"there is no scorer '{kind}'. Known: none, {', '.join(sorted(SCORERS))}, or a function of your own as "
                       "'module.function:<place>'.") from error
