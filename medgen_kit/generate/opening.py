"""Any model of the table, opened as a diffusers pipeline that says what it is; a LoRA put on it. Never one model in place of another.

    pipe = open_model("medgen-1.3b", dtype=torch.bfloat16, device="cuda")
    pipe.kit        # {"model": "medgen-1.3b", "medical": True, "family": "wan", "source": ..., "layout": ..., "weights": ...}
"""

import re
from collections import namedtuple
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from diffusers.utils import logging
from safetensors.torch import load_file

from ..errors import KitError, disk_advice, is_disk_full
from .lora_file import PIPELINES, load_lora
from .models import MODELS, model
from .pipeline import load_pipeline
from .precision import load_quantized
from .weights import SHARD, bare, check_file, check_folder, kind_of, parts_of, read_header, read_json, weight_files, weights_hash

VARIANTS = ["*.fp16.*", "*.fp16-*", "*.bf16.*", "*.bf16-*", "*.fp8*"]          # copies of the weights in another precision

Place = namedtuple("Place", "model path said")      # model: entry of MODELS or None; path: folder or file here; said: what was asked for


def open_model(name_or_folder, dtype=torch.float32, device="cpu", lora="", revision=None, token=None, local_files_only=False,
               components=None, folder="", base_folder="", text_loading=None, quantize=""):
    """A diffusers pipeline in eval mode, with `pipe.kit`: model, medical, family, source, layout, weights (hash), lora.

    name_or_folder: a name of MODELS, a hub repository, a pipeline's folder, or a Wan transformer's .safetensors file in the original
    layout (or a folder with one): what such a file lacks comes from its base model. folder: where a downloaded copy of the named model
    lies. base_folder: the same for the base model. dtype: of all but the VAE, which is always float32. lora: file or folder, as for
    load_lora. components: names to open, for example ("transformer", "scheduler") for training, or "text" for all that read prompts; the
    others are None. quantize: "int8" or "nf4": how the transformer's frozen weights are stored.
    text_loading: how text encoders are loaded, as transformers' from_pretrained takes it (device_map, max_memory ...; see
    `lean`). revision, token, local_files_only: as huggingface_hub knows them.

    All files are checked before the first is loaded. Raises KitError; for a medical model that cannot be had it names the general one
    and does not open it.
    """
    hub = dict(revision=revision, token=token, local_files_only=local_files_only)
    known = MODELS.get(str(name_or_folder))
    try:
        place = find(name_or_folder, folder, components, hub)
        known = place.model
        pipe, layout, files = open_place(place, dtype, device, components, base_folder, hub, text_loading, quantize)
    except KitError as error:
        if known and known.medical and known.base:
            raise KitError(f"{error} The medical model {known.name} was not opened. The general model that it was made from is called "
                           f"'{known.base}'; it has learned no medicine and is not opened in its place.") from error
        raise
    family = PIPELINES.get(type(pipe).__name__, "")
    if known and family != known.family:
        raise KitError(f"{place.said} should be {known.name}, a model of the family {known.family}, but holds a {type(pipe).__name__}.")
    known = MODELS["medgen-tiny"] if family == "tiny" else known
    pipe.kit = {"model": known.name if known else str(name_or_folder), "medical": bool(known and known.medical), "family": family,
                "source": place.said, "layout": layout, "weights": weights_hash(files) if pipe.transformer is not None else "",
                **getattr(pipe, "kit", {})}
    if lora:
        load_lora(pipe, lora, name="own")
    return pipe if text_loading else pipe.to(device)


def open_place(place, dtype, device, components, base_folder, hub, text_loading=None, quantize=""):
    """(pipeline, layout, files of its transformer) of what lies in a Place: a whole pipeline, a transformer alone, or a LoRA alone."""
    if (place.path / "model_index.json").is_file():
        wanted, left_out = wanted_parts(parts_of(place.path), components)
        parts = check_folder(place.path, wanted)
        if quantize and "transformer" in wanted:
            left_out["transformer"] = load_quantized(getattr(diffusers, parts["transformer"]), place.path / "transformer", quantize, dtype)
        return load_parts(place.path, dtype, left_out, text_loading), "diffusers", place.path
    if quantize:
        raise KitError(f"{place.said} is not in diffusers' layout, and only such a model is read in {quantize}. Save it once with "
                       "open_model(...).save_pretrained(folder), then give that folder.")
    files, kind = loose_weights(place.path)
    base = base_place(place, files, kind, base_folder, components, hub)
    wanted, replaced = wanted_parts(parts_of(base), components)
    if kind.part == "transformer" and "transformer" in wanted:
        replaced["transformer"] = read_transformer(files, kind, base, dtype, device)
    pipe = load_parts(base, dtype, replaced, text_loading)
    if kind.part == "lora" and "transformer" in wanted:
        load_lora(pipe, files[0])
    return pipe, kind.layout if kind.part == "transformer" else "lora", files


def find(name_or_folder, folder, components, hub):
    """The Place of a model: a path here, or what the hub has under a name of MODELS or as owner/name."""
    name = str(name_or_folder)
    if folder:
        if not Path(folder).exists():
            raise KitError(f"folder='{folder}' is not there. Give the folder into which {name} was downloaded.")
        known, cached = model(name), cached_repo(folder)
        if cached and known.repo and cached != known.repo:
            raise KitError(f"folder='{folder}' is a copy of {cached}, and not of {known.repo}, which {name} is.")
        return Place(known, Path(folder), str(folder))
    if name not in MODELS and Path(name).exists():
        return Place(of_repo(cached_repo(name)), Path(name), name)
    if name in MODELS and not MODELS[name].repo:
        raise KitError(f"{name} is on no hub: lesson 05 trains it. Give the folder of its pipeline, for example runs/cpu/generate.")
    repo = MODELS[name].repo if name in MODELS else name
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        looks = "/" in name or name.startswith(".") or name.endswith(".safetensors")
        raise KitError(f"'{name}' is not there. Check the path.") if looks else KitError(_unknown(name))
    known = MODELS.get(name) or of_repo(repo)
    return Place(known, fetch(repo, components, hub), f"{repo}{'@' + hub['revision'] if hub['revision'] else ''}")


def _unknown(name):
    try:
        model(name)
    except KitError as error:
        return f"{error} A folder or a file of that name is not here either."


def cached_repo(path):
    """owner/name for a path in the hub's cache (`models--owner--name/snapshots/...`), or ""."""
    for part in Path(path).absolute().parts:
        if part.startswith("models--"):
            return "/".join(part.split("--")[1:])
    return ""


def of_repo(repo):
    """The Model whose repository is `repo`, or None."""
    return next((one for one in MODELS.values() if repo and one.repo == repo), None)


def fetch(repo, components, hub, without=()):
    """The folder of a hub repository in the local cache, after fetching what is missing of `components` (None: all) but `without`."""
    from huggingface_hub import snapshot_download

    with plain_hub_errors(repo, hub):
        folder = Path(snapshot_download(repo, allow_patterns=["*.json"], **hub))
        if not (folder / "model_index.json").is_file():
            return Path(snapshot_download(repo, allow_patterns=["*.json", "*.safetensors"], ignore_patterns=VARIANTS, **hub))
        parts = parts_of(folder)
        wanted = [name for name in parts if (components is None or name in chosen(parts, components)) and name not in without]
        patterns = [f"{name}/*{end}" for name in wanted for end in (".safetensors", ".json", ".txt", ".model", ".jinja")]
        return Path(snapshot_download(repo, allow_patterns=["*.json", *patterns], ignore_patterns=VARIANTS, **hub))


class plain_hub_errors:
    """Turns the hub's many errors into one sentence that says what to do."""

    def __init__(self, repo, hub):
        self.repo, self.hub = repo, hub

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        from huggingface_hub import errors

        if kind is None or not issubclass(kind, OSError | RuntimeError | ValueError | errors.EntryNotFoundError):
            return False
        folder = "or give folder= with a copy that was downloaded elsewhere"
        if is_disk_full(error):
            said = f"{self.repo} could not be stored: the disk is full. {disk_advice(error)}"
        elif issubclass(kind, errors.GatedRepoError):
            said = (f"{self.repo} asks you to accept its terms first: open https://huggingface.co/{self.repo}, log in, accept, then pass "
                    "token= or run `hf auth login`.")
        elif issubclass(kind, errors.RevisionNotFoundError):
            said = f"{self.repo} has no revision '{self.hub['revision'] or 'main'}'. Leave revision= out, or check its name on the hub."
        elif issubclass(kind, errors.RepositoryNotFoundError):
            said = f"{self.repo} is not on the hub, or needs a login. Check the name, pass token=, {folder}."
        elif issubclass(kind, errors.IncompleteSnapshotError):
            said = f"{self.repo} is only partly in the local cache, and the hub cannot be asked for the rest. Go online once, {folder}."
        elif self.hub["local_files_only"] or "outgoing traffic" in str(error).lower():
            said = (f"{self.repo} is not in the local cache{' at revision ' + self.hub['revision'] if self.hub['revision'] else ''}, and "
                    f"the hub may not be asked (local_files_only, or HF_HUB_OFFLINE is set). Go online once, {folder}.")
        else:
            said = f"{self.repo} could not be reached ({kind.__name__}): is there a network? Try again, {folder}."
        raise KitError(said) from error


def load_parts(folder, dtype, replaced, text_loading=None):
    """A checked folder as a pipeline, in `dtype` but for the VAE (its 16-bit decoding shows). replaced: {component: None or a model}.

    The pipeline's own class is asked: DiffusionPipeline.from_pretrained ignores a `transformer=` that WanPipeline counts as optional, and
    would load the folder's.
    """
    name = read_json(Path(folder) / "model_index.json").get("_class_name", "")
    types = {"default": dtype} | ({} if "vae" in replaced else {"vae": torch.float32})
    if name == "MedGenTinyPipeline":
        return load_pipeline(folder, dtype=types, **replaced)
    if name not in PIPELINES:
        raise KitError(f"{folder} holds a {name or 'pipeline without a class name'}, which is of no family known here. Known are: "
                       f"{', '.join(PIPELINES)}.")
    if text_loading:
        replaced = replaced | {part: getattr(transformers, kind).from_pretrained(Path(folder) / part, dtype=dtype, **text_loading)
                               for part, kind in parts_of(folder).items() if part.startswith("text_encoder") and part not in replaced}
    pipe = getattr(diffusers, name).from_pretrained(folder, dtype=types, **replaced)
    kept = [part for part, given in replaced.items() if pipe.components[part] is not given]
    if kept:
        raise KitError(f"diffusers {diffusers.__version__} loaded {', '.join(kept)} of {folder} although another was given. Install the "
                       "version of diffusers that requirements.lock names.")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def chosen(parts, components):
    """Names for a role: "text" is what reads prompts (tokenizers and text encoders). A sequence of names, or None, is given back."""
    if components == "text":
        return tuple(name for name in parts if name.startswith(("tokenizer", "text_encoder")))
    return components


def wanted_parts(parts, components):
    """(names to open, {name: None} for the others). A scheduler costs nothing and is always opened."""
    components = chosen(parts, components)
    unknown = set(components or ()) - set(parts)
    if unknown:
        raise KitError(f"the model has no component {', '.join(sorted(unknown))}; it has: {', '.join(parts)}.")
    wanted = [name for name in parts if components is None or name in components or name == "scheduler"]
    return wanted, {name: None for name in parts if name not in wanted}


def loose_weights(path):
    """(files, Kind) of the one transformer, or else the one LoRA, that lies in `path` (a file or a folder) without a pipeline."""
    if path.is_file():
        return [path], checked_kind([path])
    sets = {}
    for file in sorted(path.rglob("*.safetensors")):
        sets.setdefault(file.parent if SHARD.search(file.name) else file, []).append(file)
    found = []
    for place, files in sets.items():
        files = weight_files(place) if place.is_dir() else files
        try:
            found.append((files, kind_of(files)))
        except KitError as error:
            if "neither the transformer" not in str(error):            # a VAE or a text encoder beside it is no matter
                raise
    for part in ("transformer", "lora"):
        some = [one for one in found if one[1].part == part]
        if len(some) > 1:
            names = ", ".join(str(files[0].relative_to(path)) for files, _ in some[:4])
            raise KitError(f"{path} holds {len(some)} files that could be meant: {names}. Give the path of one of them.")
        if some:
            return some[0][0], checked_kind(some[0][0])
    raise KitError(f"{path} holds neither model_index.json nor the .safetensors file of a transformer or LoRA known here. If it is the "
                   "right place, fetch the model again.")


def checked_kind(files):
    for file in files:
        check_file(file)
    kind = kind_of(files)
    if kind.part == "transformer" and kind.layout == "original" and kind.family != "wan":
        raise KitError(f"{files[0]} is a transformer of the family {kind.family} in its original layout; only Wan's is read that way. Use "
                       "the model's repository in diffusers' layout.")
    return kind


def base_place(place, files, kind, base_folder, components, hub):
    """The folder of the pipeline that gives what a single transformer lacks, checked: base_folder, else the base model's repository."""
    base = MODELS.get(place.model.base or place.model.name) if place.model else base_of(files, kind)
    without = ("transformer",) if kind.part == "transformer" else ()
    if base_folder:
        if not Path(base_folder).is_dir():
            raise KitError(f"base_folder='{base_folder}' is no folder. Give the folder of the base model's pipeline.")
        folder = Path(base_folder)
    elif base is None:
        raise KitError(f"{place.said} is only the {kind.part} of a {kind.family} model. Give base_folder=, the folder of a pipeline of "
                       "that family, for its text encoder and VAE.")
    else:
        folder = fetch(base.repo, components, hub | {"revision": None}, without)
    wanted, _ = wanted_parts(parts_of(folder), components)
    check_folder(folder, [name for name in wanted if name not in without])
    return folder


def base_of(files, kind):
    """The general model of the table that a loose transformer has the width of, or None."""
    shapes = {bare(name): shape for file in files for name, shape in read_header(file).tensors.items()}
    width = shapes.get("patch_embedding.weight", (0,))[0]
    general = [one for one in MODELS.values() if one.family == "wan" and not one.base]
    sizes = {one.parts["transformer"][1]["num_attention_heads"] * 128: one for one in general}
    return sizes.get(width) if kind.family == "wan" else None


def read_transformer(files, kind, base, dtype, device="cpu"):
    """The transformer in `files` (one file or its shards), in the sizes of the base pipeline's configuration or of its own.

    Names and shapes are compared with the class on the meta device first. Wan's islands of float32 (norms, time embedding) stay float32:
    from_single_file casts them too, so they are put back.
    """
    own = files[0].with_name("config.json")
    own = own if own.is_file() and hasattr(diffusers, read_json(own).get("_class_name", "?")) else None    # the original's: WanModel
    config = read_json(own or Path(base) / "transformer" / "config.json")
    cls = getattr(diffusers, config["_class_name"])
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in cls.from_config(config).state_dict().items()}
    header = {name: torch.empty(shape, device="meta") for file in files for name, shape in read_header(file).tensors.items()}
    compare(wanted, {name: tuple(tensor.shape) for name, tensor in diffusers_names(header, kind).items()}, files[0], base)
    state = diffusers_names({name: tensor for file in files for name, tensor in load_file(file).items()}, kind)
    where = {"config": str(own.parent)} if own else {"config": str(base), "subfolder": "transformer"}
    islands = {name: state[name].to(device, torch.float32) for name in state
               if set(name.split(".")) & set(cls._keep_in_fp32_modules or ())}
    level = logging.get_verbosity()
    logging.set_verbosity_error()                           # it warns of the casting, which is put right below
    try:
        made = cls.from_single_file(state, **where, local_files_only=True, dtype=dtype, device=device)
    finally:
        logging.set_verbosity(level)
    for name, tensor in islands.items():
        made.get_parameter(name).data = tensor
    return made.eval()


def diffusers_names(state, kind):
    """{name: tensor} without trainers' prefixes and, for the original layout, under diffusers' names; a VAE in the same file is dropped."""
    plain = {bare(name): tensor for name, tensor in state.items() if not re.match(r"(vae|text_encoders?|first_stage_model)\.", name)}
    return convert_wan_transformer_to_diffusers(plain) if kind.layout == "original" else plain


def compare(wanted, found, file, base):
    """KitError when the names and shapes in a file are not those that the model wants."""
    other = next((name for name in wanted if name in found and found[name] != wanted[name]), None)
    if other:
        raise KitError(f"{file} is a transformer of another size than {base}: {other} has the shape {list(found[other])}, not "
                       f"{list(wanted[other])}. Give the base model that it was made from (base_folder=).")
    for names, how in ((wanted.keys() - found.keys(), "lacks"), (found.keys() - wanted.keys(), "has, beside those of the model,")):
        if names:
            raise KitError(f"{file} {how} {len(names)} tensors, for example {min(names)}. It is not whole, or was made from another model "
                           f"than {base}.")
