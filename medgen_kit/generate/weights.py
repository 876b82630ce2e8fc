"""Files of weights, looked at before any memory is spent: whole or broken, whose model and which layout, and their hash."""

import hashlib
import json
import re
from collections import namedtuple
from pathlib import Path

from ..errors import KitError

LONGEST_HEADER = 100 * 2**20            # safetensors' own limit, in bytes
FETCH = "Delete it and fetch it again."
PREFIX = re.compile(r"^(?:(?:model\.diffusion_model|diffusion_model|base_model\.model|pipe\.dit|transformer|module)\.)+")
LORA = re.compile(r"[._](lora_A|lora_B|lora_down|lora_up)\b")
SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")
TOKENIZER = ("tokenizer.json", "spiece.model", "tokenizer.model", "vocab.json")
# the first line that any tensor's name (without prefix) fits says what the file is
SIGNS = [(family, layout, re.compile(sign)) for family, layout, sign in (
    ("tiny", "diffusers", r"^patch_embedding\.place$|^condition_embedder\.pooled\."),
    ("wan", "original", r"^(lora_unet_)?blocks[._]\d+[._](self|cross)_attn[._]"),
    ("wan", "diffusers", r"^blocks\.\d+\.(attn[12]|ffn\.net)\."),
    ("hunyuan", "original", r"^double_blocks\.\d+\.(img|txt)_(attn_qkv|attn_proj|mlp\.fc)|^txt_in\.individual_token_refiner\."),
    ("hunyuan", "diffusers", r"^(transformer_blocks\.\d+\.attn|single_transformer_blocks\.\d+\.attn|context_embedder\.token_refiner)\."),
    ("mochi", "original", r"^blocks\.\d+\.attn\.(qkv|proj)_[xy]|^t5_y_embedder\."),
    ("mochi", "diffusers", r"^pos_frequencies$|^time_embed\.pooler\.|^transformer_blocks\.\d+\.(ff_context\.|attn1\.(add_|to_add_))"),
    ("ltx", "original", r"^(patchify_proj|adaln_single)\.|^transformer_blocks\.\d+\.attn[12]\.[qk]_norm\."),
    ("ltx", "diffusers", r"^caption_projection\.|^transformer_blocks\.\d+\.attn2\."),
    ("cogvideox", "original", r"^(transformer\.)?layers\.\d+\.attention\.query_key_value\.|^mixins\.(patch_embed|adaln_layer)\."),
    ("cogvideox", "diffusers", r"^patch_embed\.text_proj\.|^transformer_blocks\.\d+\.(attn1\.norm_q\.bias|norm1\.norm\.)"),
    ("mochi or ltx or cogvideox", "diffusers", r"^transformer_blocks\.\d+\.(attn1|ff)\."))]

Kind = namedtuple("Kind", "family layout part")
Header = namedtuple("Header", "tensors metadata")           # tensors: {name: shape}; metadata: {text: text}
_known = {}                             # (path, size, time, inode) -> sha256: a file that has not changed is read once in a session


def read_header(path):
    """Header(tensors, metadata) of a .safetensors file from its first bytes. KitError says what is wrong with a file that is none."""
    path = Path(path)
    if not path.is_file():
        raise KitError(f"{path} is missing{_interrupted(path)}. Fetch the model again; what is there is kept.")
    size = path.stat().st_size
    if path.name.endswith(".incomplete") or size == 0:
        raise KitError(f"{path} is {'empty' if size == 0 else 'the first part of a download that was interrupted'}. {FETCH}")
    with path.open("rb") as stream:
        first = stream.read(64)
        _refuse_text(path, first)
        length = int.from_bytes(first[:8], "little")
        if len(first) < 10 or first[8:9] != b"{" or length > LONGEST_HEADER:
            raise KitError(f"{path} is not in the safetensors format (its first bytes are {first[:12]!r}). {FETCH} Pickled weights "
                           "(.bin, .pt, .ckpt) are not opened: they can run code.")
        stream.seek(8)
        text = stream.read(length)
    if len(text) < length:
        raise KitError(f"{path} is half downloaded: it ends within its own list of tensors. {FETCH}")
    try:
        said = json.loads(text)
        metadata = said.pop("__metadata__", {})
        end = 8 + length + max((one["data_offsets"][1] for one in said.values()), default=0)
        tensors = {name: tuple(one["shape"]) for name, one in said.items()}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise KitError(f"{path} has a damaged list of tensors ({type(error).__name__}). {FETCH}") from error
    if end != size:
        how = f"half downloaded: it has {size:,} of {end:,} bytes" if size < end else f"{size - end:,} bytes longer than it says"
        raise KitError(f"{path} is {how}. {FETCH}")
    return Header(tensors, metadata)


def _refuse_text(path, first):
    """KitError for what is often found under the name of a file of weights."""
    if first.startswith(b"version https://git-lfs"):
        raise KitError(f"{path} is a git-lfs pointer, not the weights. Run `git lfs pull` in that folder, or fetch the model with "
                       "huggingface_hub.")
    if first.lstrip()[:1] == b"<":
        raise KitError(f"{path} is a web page, not weights: the server answered with an error or a login page. Log in if the model asks "
                       "for it, delete the file and fetch it again.")


def _interrupted(path):
    """A hint when parts of a download lie about: the hub's client names them *.incomplete."""
    path = Path(path)
    places = [path.parent, *(p / "blobs" for p in path.parents if p.name.startswith("models--")),
              *(p / ".cache" / "huggingface" / "download" for p in list(path.parents)[:3])]
    left = any(next(place.glob("*.incomplete" if place.name != "download" else "**/*.incomplete"), None) for place in places)
    return " and a download was interrupted (*.incomplete)" if left else ""


def check_file(path, sha256=""):
    """Refuse a file of weights that is missing, empty, half downloaded, no safetensors, or has another checksum; returns its Header.

    sha256: 64 hexadecimal digits; empty takes the one that the hub's cache gives (its files are links to `blobs/<sha256>`), if any.
    Raises KitError that names the file and what to do. Reads the header, and all of the file only when there is a checksum.
    """
    header, path = read_header(path), Path(path)
    wanted = (sha256 or blob_name(path)).lower()
    if wanted and (found := digest(path)) != wanted:
        raise KitError(f"{path} has the wrong checksum: sha256 {found[:12]}..., not {wanted[:12]}... as published. It was changed or "
                       f"damaged on the way. {FETCH}" + (f" (The file itself: {path.resolve()}.)" if path.is_symlink() else ""))
    return header


def blob_name(path):
    """The sha256 under which the hub's cache keeps the file that `path` links to, or ""."""
    target = Path(path).resolve()
    return target.name if target.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", target.name) else ""


def digest(path):
    """sha256 of a file's bytes, streamed; a file that has not changed since is not read again."""
    path = Path(path).resolve()
    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns, state.st_ino)
    if key not in _known:
        with path.open("rb") as stream:
            _known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _known[key]


def weights_hash(place):
    """sha256 that names the weights of a transformer: over name, size and sha256 of each .safetensors file, sorted by name.

    place: a file, a list of files, a folder of weights, or a pipeline's folder (its `transformer`). "" where no weights lie. Every byte
    is read once in a session, as fast as the disk gives it. The same files have the same hash wherever they lie.
    """
    if isinstance(place, list | tuple):
        files = [Path(one) for one in place]
    elif Path(place).is_file():
        files = [Path(place)]
    else:
        folder = Path(place) / "transformer" if (Path(place) / "transformer").is_dir() else Path(place)
        files = sorted(folder.glob("*.safetensors"))
    lines = [f"{file.name} {file.stat().st_size} {digest(file)}\n" for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def read_json(path):
    """A JSON file of a pipeline; KitError when it is missing, empty or damaged."""
    path = Path(path)
    if not path.is_file():
        raise KitError(f"{path} is missing{_interrupted(path)}. Fetch the model again; what is there is kept.")
    raw = path.read_bytes()
    _refuse_text(path, raw[:64])
    try:
        return json.loads(raw)
    except ValueError as error:
        raise KitError(f"{path} is {'empty' if not raw else 'damaged: no valid JSON'}. {FETCH}") from error


def parts_of(folder):
    """{component: class name} that a pipeline's model_index.json names; components that it leaves empty are left out."""
    index = read_json(Path(folder) / "model_index.json")
    return {name: entry[1] for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2 and entry[1]}


def check_folder(folder, components=None):
    """Refuse a pipeline's folder (diffusers layout) in which something is missing or broken; returns {component: class name}.

    components: the names to look at; None means all that model_index.json names. Every shard that an index names must be there, every
    file whole, and of the right checksum where the hub's cache gives one. Raises KitError that names the file and what to do.
    """
    parts = parts_of(folder)
    for name in parts if components is None else [name for name in parts if name in components]:
        place = Path(folder) / name
        if not place.is_dir():
            raise KitError(f"{place} is missing, although model_index.json names it. Fetch the model again; what is there is kept.")
        if name.startswith("tokenizer"):
            if not any((place / one).is_file() for one in TOKENIZER):
                raise KitError(f"{place} holds no tokenizer (looked for {', '.join(TOKENIZER)}). Fetch the model again.")
        elif name.startswith("scheduler"):
            read_json(place / "scheduler_config.json")
        elif not (place / "preprocessor_config.json").is_file():
            read_json(place / "config.json")
            for file in weight_files(place):
                check_file(file)
    return parts


def weight_files(folder):
    """The .safetensors files of one component, by its index where it has one. KitError when there are none or one is missing."""
    folder = Path(folder)
    indexes = sorted(folder.glob("*.safetensors.index.json"))
    indexes = [index for index in indexes if index.name.count(".") == 3] or indexes        # model.fp16.safetensors.index.json: a variant
    if indexes:
        names = set().union(*(read_json(index).get("weight_map", {}).values() for index in indexes))
        files = [folder / name for name in sorted(names)]
    else:
        files = sorted(folder.glob("*.safetensors"))
        for file in files:
            if shard := SHARD.search(file.name):
                files = sorted({*files, *(file.with_name(SHARD.sub(f"-{k:05d}-of-{shard[2]}.safetensors", file.name))
                                          for k in range(1, int(shard[2]) + 1))})
    for file in files:
        if not file.is_file():
            raise KitError(f"{file} is missing{_interrupted(file)}: the weights are cut into {len(files)} files and need each. Fetch the "
                           "model again; what is there is kept.")
    if not files:
        why = "only pickled weights, which are not opened because they can run code" if list(folder.glob("*.bin")) else "no weights"
        raise KitError(f"{folder} holds {why}{_interrupted(folder / 'x')}. Fetch the model's .safetensors files.")
    return files


def bare(name):
    """A tensor's name without the prefixes that trainers put before it."""
    return PREFIX.sub("", name)


def kind_of(path):
    """What a .safetensors file (or a list of shards) is: Kind(family, layout, part), read from the headers alone.

    family: wan, hunyuan, mochi, ltx, cogvideox or tiny; where a LoRA's names fit several: "mochi or ltx or cogvideox". layout:
    "diffusers" or "original". part: "transformer" or "lora". Raises KitError for a file that is none of these.
    """
    files = path if isinstance(path, list | tuple) else [path]
    return kind_of_names([name for file in files for name in read_header(file).tensors], files[0])


def kind_of_names(names, path):
    """kind_of for tensors' names; path: for the error's words."""
    plain = [bare(name) for name in names]
    for family, layout, sign in SIGNS:
        if any(sign.search(name) for name in plain):
            return Kind(family, layout, "lora" if any(LORA.search(name) for name in names) else "transformer")
    raise KitError(f"{path} is neither the transformer nor a LoRA of a model known here; it holds: {', '.join(list(names)[:3])} ... "
                   "Known families: wan, hunyuan, mochi, ltx, cogvideox, tiny.")
