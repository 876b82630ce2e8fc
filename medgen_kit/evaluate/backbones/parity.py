"""The networks that VBench uses (Huang et al. 2024), each read from a file or folder here or from the model hub, with their hash.

Every loader gives a `Network`: pictures in, numbers out, float32, without gradients, on the GPU where there is one. Weights are read once
a process. None is shipped with the kit; check the licence of each before you use it.
"""

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ...curate.scorers import folder_of, layers_of, tensors
from ...errors import KitError
from ...machine import device

SIZES = {192: "Ti", 384: "S", 768: "B", 1024: "L", 1280: "H"}                   # letters for the widths of vision transformers
ADVICE = ("Give the path of a copy, wherever it lies (medgen-kit evaluate: in a folder, --weights FOLDER). "
          "The backbone 'light' needs no weights.")
AMT_FILE, MUSIQ_FILE, RAFT_FILE, HEAD_FILE = "amt-s.pth", "musiq_spaq_ckpt-358bb6af.pth", "raft-things.pth", "sa_0_4_vit_l_14_linear.pth"


class Network:
    """A network as the metrics call it: tensors float32 in, one tensor float32 on the CPU out.

    name: model and size. weights: first 16 hex digits of the SHA-256 of its file (of several files: of their names and hashes).
    versions: {library: version}.
    """

    def __init__(self, name, model, run, files, libraries=("torch",)):
        self.name, self.run, self.weights = name, run, weights_mark(files)
        self.model = model.float().to(device()).eval().requires_grad_(False)
        self.versions = {library: version(library) for library in libraries}

    def __call__(self, *pictures):
        import torch

        with torch.no_grad():
            return self.run(*(picture.float().to(device()) for picture in pictures)).float().cpu()


@functools.lru_cache(maxsize=4)
def dino(where="facebook/dino-vitb16"):
    """DINO ViT-B/16 (Caron et al. 2021): pictures float [N, 3, h, w], normalised as ImageNet -> the class token's features [N, D].

    where: folder or hub repository in the layout of transformers. The numbers are those of the authors' own dino_vitb16: its layer
    norms add 1e-6 (the hub's configuration says 1e-12), and for other sizes than 224 x 224 its table of places is read as they do, at a
    scale of (patches + 0.1) / 14 and not of patches / 14. h and w are cut down to whole patches. Weights: Apache-2.0.
    """
    from transformers import ViTModel

    folder, config = described(where, "DINO ViT-B/16 (facebook/dino-vitb16, about 350 MB)", ("vit",))
    config.layer_norm_eps = 1e-6
    model = pretrained(ViTModel, folder, config=config, add_pooling_layer=False)
    model.embeddings.interpolate_pos_encoding = functools.partial(dino_places, model.embeddings)

    def run(pictures):
        return model(pictures, interpolate_pos_encoding=True).last_hidden_state[:, 0]
    return Network(f"DINO ViT-{size_of(config)}", model, run, weight_files(folder), ("torch", "transformers"))


def dino_places(embeddings, tokens, height, width):
    """The table of places [1, 1 + n * n, D] as DINO reads it for a picture of height x width: [1, 1 + rows * columns, D], bicubic."""
    import torch
    from torch.nn import functional as F

    table = embeddings.position_embeddings
    side, rows, columns = round((table.shape[1] - 1) ** 0.5), height // embeddings.patch_size, width // embeddings.patch_size
    if rows * columns == side * side and height == width:
        return table
    square = table[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    scaled = F.interpolate(square, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic")
    return torch.cat([table[:, :1], scaled.flatten(2).mT], 1)


def clip(where="openai/clip-vit-base-patch32"):
    """CLIP ViT-B/32's picture tower (Radford et al. 2021): pictures float [N, 3, 224, 224], normalised as CLIP's -> embeddings [N, 512].

    where: folder or hub repository in the layout of transformers, a whole CLIP or its picture tower alone. Embeddings are not unit. VBench
    computes in float16 on a GPU, this in float32.
    """
    return clip_pictures(where, "CLIP ViT-B/32 (openai/clip-vit-base-patch32, about 600 MB)")


def clip_large(where="openai/clip-vit-large-patch14"):
    """The same for CLIP ViT-L/14, whose embeddings [N, 768] LAION's aesthetic head reads."""
    return clip_pictures(where, "CLIP ViT-L/14 (openai/clip-vit-large-patch14, about 1.7 GB)")


@functools.lru_cache(maxsize=4)
def clip_pictures(where, what):
    """The Network of a CLIP's picture tower. what: how an error calls it."""
    from torch import nn
    from transformers import CLIPModel, CLIPVisionModelWithProjection

    folder, config = described(where, what, ("clip", "clip_vision_model"))
    whole = pretrained(CLIPModel if config.model_type == "clip" else CLIPVisionModelWithProjection, folder)
    model = nn.ModuleDict({"tower": whole.vision_model, "projection": whole.visual_projection})

    def run(pictures):
        return model["projection"](model["tower"](pixel_values=pictures).pooler_output)
    size = size_of(getattr(config, "vision_config", config))
    return Network(f"CLIP ViT-{size}", model, run, weight_files(folder), ("torch", "transformers"))


@functools.lru_cache(maxsize=4)
def aesthetic_head(where=""):
    """LAION's linear aesthetic head: unit embeddings of CLIP ViT-L/14 float [N, 768] -> scores float [N], about 1 to 10.

    where: LAION's file, or a folder or hub repository with a sa_0_4_vit_l_14_linear.pth. VBench divides the score by 10.
    """
    import torch
    from torch import nn

    path = file_of(where, HEAD_FILE, "LAION's aesthetic head (a few kB, github.com/LAION-AI/aesthetic-predictor)")
    layers = layers_of(attempt(tensors, path)) if "relu" not in path.name.lower() else []
    if not layers:
        raise KitError(f"{path} is not one of LAION's linear heads. Take {HEAD_FILE} from github.com/LAION-AI/aesthetic-predictor.")
    parts = []
    for weight, bias in layers:
        parts.append(nn.Linear(*weight.shape[::-1]))
        parts[-1].load_state_dict({"weight": torch.as_tensor(weight), "bias": torch.as_tensor(bias)})
    model, width = nn.Sequential(*parts), layers[0][0].shape[1]

    def run(features):
        if features.shape[-1] != width:
            raise KitError(f"{path.name} reads embeddings of {width} numbers, not of {features.shape[-1]}: it was made for another CLIP.")
        return model(features)[:, 0]
    return Network("LAION aesthetic head", model, run, [path])


@functools.lru_cache(maxsize=4)
def amt(where="lalala125/AMT"):
    """AMT-S (Li et al. 2023): two pictures float [N, 3, H, W] of RGB / 255, H and W multiples of 16 -> the one half-way, [N, 3, H, W].

    where: amt-s.pth, or a folder or hub repository with it. Sides under 64 pixels are refused; between 64 and 127 the published code gives
    NaN and this a picture. The authors' repository is under CC BY-NC 4.0: research use.
    """
    from .amt import LEAST, Amt

    path = file_of(where, AMT_FILE, "AMT-S (huggingface.co/lalala125/AMT, under 40 MB)")
    model = filled(Amt(), path, "AMT-S")
    return Network("AMT-S", model, pair(model, "AMT-S", 16, LEAST), [path])


@functools.lru_cache(maxsize=4)
def raft(where=""):
    """RAFT (Teed & Deng 2020), 20 iterations: two pictures float [N, 3, H, W] of RGB 0..255, H and W multiples of 8 -> flow [N, 2, H, W].

    where: raft-things.pth, or a folder or hub repository with it. Flow in pixels (right, down). Sides under 64 pixels are refused; between
    64 and 127 the published code gives NaN and this a flow. The authors' code is under BSD-3.
    """
    from .amt import LEAST
    from .raft import Raft

    path = file_of(where, RAFT_FILE, "RAFT (in the models.zip of github.com/princeton-vl/RAFT, about 21 MB)")
    model = filled(Raft(), path, "RAFT")
    return Network("RAFT-things", model, pair(model, "RAFT", 8, LEAST), [path])


@functools.lru_cache(maxsize=4)
def musiq(where="chaofengc/IQA-PyTorch-Weights"):
    """MUSIQ trained on SPAQ (Ke et al. 2021): pictures float [N, 3, h, w] of RGB / 255 -> scores float [N], about 0 to 100, not clamped.

    where: musiq_spaq_ckpt-358bb6af.pth, or a folder or hub repository with it. SPAQ is photographs of smartphones: endoscopy, ultrasound
    and X-ray are out of its domain, so compare scores within one modality only. The authors published their own files under Apache-2.0;
    check the licence of this conversion.
    """
    from .musiq import Musiq

    path = file_of(where, MUSIQ_FILE, "MUSIQ (github.com/chaofengc/IQA-PyTorch, release v0.1-weights, about 110 MB)")
    model = filled(Musiq(), path, "MUSIQ")
    return Network("MUSIQ-SPAQ", model, model, [path])


def pair(model, what, step, least):
    """`model` of two pictures, which refuses sizes that it can not read."""
    def run(first, second):
        height, width = first.shape[-2:]
        if first.shape != second.shape or height % step or width % step or min(height, width) < least:
            raise KitError(f"{what} reads two pictures of one size, sides multiples of {step} and at least {least}, not "
                           f"{list(first.shape)} and {list(second.shape)}. Enlarge or pad them first.")
        return model(first, second)
    return run


def place_of(where, patterns, what):
    """The file or folder `where`, else the hub repository of that name; KitError that says what is needed and where to put it."""
    try:
        return folder_of(where, patterns)
    except KitError as error:
        raise KitError(f"{what} is needed, and is not here. {error} {ADVICE}") from error


def file_of(where, name, what):
    """The file `where`, or the one called `name` in the folder or hub repository `where`."""
    if not where:
        raise KitError(f"{what} is needed, and is on no hub that is known here. Fetch {name} and give its path. {ADVICE}")
    found = place_of(where, (name,), f"The file {name} of {what}")
    path = found / name if found.is_dir() else found
    if not path.is_file():
        raise KitError(f"{found} holds no {name}. The file is that of {what}. {ADVICE}")
    return path


def described(where, what, kinds):
    """(folder, configuration) of a model in the layout of transformers; KitError when it is none of `kinds`."""
    from transformers import AutoConfig

    folder = place_of(where, ("*.json", "*.txt", "model*.safetensors"), what)
    if not Path(where).exists() and not weight_files(folder):                     # an old repository, with pickled weights only
        folder = place_of(where, ("*.json", "*.txt", "pytorch_model*.bin"), what)
    if not (folder / "config.json").is_file() or not weight_files(folder):
        raise KitError(f"{folder} holds no model in the layout of transformers (config.json, model.safetensors or pytorch_model.bin). "
                       f"Wanted: {what}. {ADVICE}")
    config = attempt(functools.partial(AutoConfig.from_pretrained, local_files_only=True), folder)
    if config.model_type not in kinds:
        raise KitError(f"{folder} holds a model of the type '{config.model_type}', not '{kinds[0]}'. Wanted: {what}.")
    return folder, config


def weight_files(folder):
    """The files of weights that transformers reads in a folder."""
    for whole, parts in (("model.safetensors", "model-*.safetensors"), ("pytorch_model.bin", "pytorch_model-*.bin")):
        if (folder / whole).is_file():
            return [folder / whole]
        if shards := sorted(folder.glob(parts)):
            return shards
    return []


def weights_mark(files):
    """First 16 hex digits of the SHA-256 of a file; of several files: of their names and SHA-256, in order."""
    found = []
    for path in files:
        with open(path, "rb") as stream:
            found.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(found) > 1:
        found = [hashlib.sha256("".join(f"{path.name} {mark}\n" for path, mark in zip(files, found)).encode()).hexdigest()]
    return found[0][:16]


def size_of(config):
    """"B/16" for a vision transformer of width 768 with patches of 16 pixels."""
    return f"{SIZES.get(config.hidden_size, config.hidden_size)}/{config.patch_size}"


def attempt(read, path):
    """read(path); what a library says against it becomes one sentence."""
    try:
        return read(path)
    except Exception as error:                        # readers of weights raise many kinds; each means that these are not usable
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise KitError(f"{path} can not be read as weights ({first}). Is it whole, and not a web page? Fetch it again.") from error


def pretrained(kind, folder, **options):
    """A transformers model with all its weights from a folder. Tensors that belong to other parts are no matter, missing ones are."""
    from transformers import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()                     # it lists the tensors of other parts
    logging.disable_progress_bar()
    try:
        model, told = attempt(lambda place: kind.from_pretrained(place, local_files_only=True, output_loading_info=True, **options), folder)
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
    if told["missing_keys"]:
        raise KitError(f"{folder} lacks {len(told['missing_keys'])} tensors of {kind.__name__}, for example {min(told['missing_keys'])}. "
                       "Fetch the model again.")
    return model


def read_state(path):
    """{name: tensor} of a published .pth file, without a trainer's wrapping ("state_dict" around, "module." before). Runs no code."""
    import torch

    scalar, kind = np.float64(0).__reduce__()[0], np.dtype("float64")            # amt-s.pth also keeps a learning rate of numpy's
    plain = [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(kind)]
    with torch.serialization.safe_globals(plain):
        found = torch.load(path, map_location="cpu", weights_only=True)
    found = found.get("state_dict", found)
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def filled(network, path, what):
    """The network with the weights of a file, every one of which must fit."""
    state, wanted = attempt(read_state, path), network.state_dict()
    for names, how in ((wanted.keys() - state.keys(), "lacks"), (state.keys() - wanted.keys(), "has, beside its own,")):
        if names:
            raise KitError(f"{path} is not {what}: it {how} {len(names)} tensors, for example {min(names)}. Give the file of that network.")
    other = next((name for name in wanted if wanted[name].shape != state[name].shape), None)
    if other:
        raise KitError(f"{path} is not {what}: {other} has the shape {list(state[other].shape)}, not {list(wanted[other].shape)}.")
    network.load_state_dict(state)
    return network
