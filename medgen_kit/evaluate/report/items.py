"""What lies in a folder of videos to be judged: its files, and the prompt, category and modality that belong to each."""

import json
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from ...clip import TABLES, rows_of
from ...curate.listing import KINDS
from ...errors import KitError
from .. import vbench_files
from ..prompt_file import KINDS as PROMPT_KINDS, clean, in_folder, is_absolute, named, read_prompts

VIDEOS = (*KINDS, ".gif")
BESIDE = (*TABLES, "prompts.json")              # files of prompts that are found by themselves, the first that is there
NO_FILE = "the prompts name it, but there is no such file in the folder"
NOT_PLAIN = "the prompts name it by an absolute path or with '..': write its name as it is in the folder of the videos"
NO_REGULAR = "it is no regular file (a folder, a pipe or a device)"
BAD_NAME = "its name is not valid UTF-8: rename it"


@dataclass(frozen=True)
class Item:
    """name: relative to the folder. prompt: None where there is none. category, modality: "" where nobody says. problem: why it can not
    be read at all, "" for a file."""

    name: str
    path: Path
    prompt: str | None = None
    category: str = ""
    modality: str = ""
    problem: str = ""


def items_of(folder, prompts=None, categories=None):
    """(items sorted by name, name of the prompts' file or "") of a folder. Of its sub-folders only those files that the prompts name, as in
    a VideoFolder of ours; hidden files are left out.

    prompts: a file (see `read_prompts`) or VBench's full_info.json, {name: prompt}, or None for a metadata table or prompts.json in the
    folder. categories: {name: category} or a file for `read_prompts`; else the metadata's video_category. What is named and can not be read
    is an item with a problem, so no file counts twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder} is not a folder. Name the folder that holds the videos.")
    prompts = prompts_for(folder, prompts)
    listed = None if isinstance(prompts, dict) else listed_by_vbench(folder, prompts)
    texts, said = texts_in(folder, prompts if listed is None else listed), texts_in(folder, categories or {})
    about, found, seen = {}, [], {}
    for name, facts in facts_of(folder, prompts).items():
        about[in_folder(folder, name, seen)] = facts
    for name, path, problem in [*files_of(folder, texts), *others_of(folder, texts)]:
        category, modality = about.get(name, ("", ""))
        found.append(Item(shown(name), path, texts.get(name) or None, said.get(name) or category, modality, problem))
    return sorted(found, key=lambda item: item.name), "" if isinstance(prompts, dict) else Path(prompts).name


def prompts_for(folder, prompts=None):
    """The prompts that count: those that are given, else the metadata table or prompts.json in the folder, else {}."""
    return next((Path(folder) / name for name in BESIDE if (Path(folder) / name).is_file()), {}) if prompts is None else prompts


def files_of(folder, texts):
    """Yield (name, path, problem) of the videos in a folder: by their ending, or because a prompt belongs to them."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.suffix.lower() not in VIDEOS and path.name not in texts:
            continue
        try:
            path.name.encode("utf-8")
            yield path.name, path, "" if os.path.isfile(path) or not os.path.exists(path) else NO_REGULAR
        except UnicodeEncodeError:
            yield path.name.encode("utf-8", "replace").decode(), path, BAD_NAME


def others_of(folder, texts):
    """Yield (name, path, problem) of what the prompts name besides `files_of`: in sub-folders, or nowhere. Only the name may not
    lead out of the folder: a link that lies in it was laid there on purpose."""
    for name in texts:
        path = folder / name
        if is_absolute(name) or ".." in name.split("/"):
            yield name, path, NOT_PLAIN
        elif name.startswith(".") or "/" in name or not os.path.lexists(path):
            yield name, path, "" if os.path.isfile(path) else NO_REGULAR if name != "." and os.path.exists(path) else NO_FILE


def shown(name):
    """A name as the report has it; of an absolute path the file and its folder alone."""
    return "/".join(("...", *PureWindowsPath(name).parts[1:][-2:])) if is_absolute(name) else name


def texts_in(folder, texts):
    """{name as it is in the folder: text} of a file of texts or {name: text}; KitError where two names mean one file."""
    found, seen = {}, {}
    for name, text in (texts if isinstance(texts, dict) else texts_of(texts)).items():
        own = in_folder(folder, name, seen)
        if own in found:
            raise KitError(f"{name} is named twice, in two spellings. Keep one of the two.")
        found[own] = text.strip() if isinstance(text, str) else ""
    return found


def warnings_of(folder, found, prompts, categories):
    """Sentences about a folder without videos, prompts and categories that belong to no video, and prompts that are no text. found: of
    `items_of`."""
    lost = [item.name for item in found if item.problem in (NO_FILE, NOT_PLAIN)]
    said = [] if len(found) > len(lost) else [
        f"The folder holds no video ({', '.join(VIDEOS)}). Of its sub-folders only those files count that the prompts name."]
    if lost:
        count = some(len(lost), "entry of the prompts matches", "entries of the prompts match")
        said.append(f"{count} no video of this folder: {few(lost)}. Names are relative to the folder, with their ending.")
    if other := not_text(prompts_for(folder, prompts)):
        said.append(f"{some(len(other), 'prompt is', 'prompts are')} no text but a number, a list or the like: {few(other)}. Their clips "
                    "count as clips without a prompt; write each prompt as text.")
    return said + without_clip(folder, found, categories)


def not_text(prompts):
    """Names of the entries of a file of prompts, or of {name: prompt}, whose prompt is neither text nor empty."""
    if isinstance(prompts, dict):
        rows = prompts.items()
    elif Path(prompts).suffix.lower() == ".json" and isinstance(vbench_files.read_json(prompts), list):
        rows = ()                                                            # VBench's file has text everywhere, or is refused
    else:
        rows = ((name, text) for _, name, text in named(Path(prompts)))
    return [shown(clean(name)) for name, text in rows if text is not None and not isinstance(text, str)]


def some(count, one, many):
    """A number with its noun and verb."""
    return f"{count} {one if count == 1 else many}"


def few(names, most=3):
    """The first names of a list, and how many there are besides."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def without_clip(folder, found, categories):
    """Sentences about categories that belong to none of the items, [] when all do or none were given."""
    if categories is None:
        return []
    said, here = texts_in(folder, categories), {item.name for item in found}
    lost = [shown(name) for name in said if shown(name) not in here]
    if said and not lost:
        return []
    few = f" (for example {', '.join(lost[:3])})" if lost else ""
    return [f"Of the {len(said)} names of the categories, {len(said) - len(lost)} are clips of this folder; the others change nothing{few}."
            " Names are relative to the folder, with their ending."]


def listed_by_vbench(folder, path):
    """{name in the folder: prompt} of VBench's full_info.json, None for a file of another kind. It has each video with its folder, as seen
    from where VBench ran; see `name_of`."""
    if Path(path).suffix.lower() != ".json" or not os.path.isfile(path) or not isinstance(vbench_files.read_json(path), list):
        return None
    entries, found, first, seen = vbench_files.read_json(path), {}, {}, {}
    if not all(isinstance(entry, dict) and "prompt_en" in entry for entry in entries):
        raise KitError(f'{path} is a list. Write the prompts as {{"name.mp4": "prompt", ...}}; the one list that is read is VBench\'s '
                       "full_info.json, whose entries have prompt_en and video_list.")
    for video, prompt in vbench_files.read_info(path).items():
        name = name_of(folder, video, seen)
        if found.setdefault(name, prompt) != prompt:
            raise KitError(f"{path} has two prompts for {name}: one of {first[name]} and one of {video}. Keep one of the two.")
        first.setdefault(name, video)
    if not found:
        raise KitError(f"{path} names no video (video_list), so it is not known whose prompts these are.")
    return found


def name_of(folder, video, seen):
    """The name in the folder of a path in VBench's list. It counts from here when it leads into the folder, else by its longest last part
    that is in the folder, else by its last part alone. seen: see `in_folder`."""
    folder, written = Path(folder), (video, video.replace("\\", "/"))
    near = next(filter(None, (below(folder, path) for path in written)), "")
    if near and (os.path.lexists(folder / near) or not below(folder, "here")):
        return in_folder(folder, near, seen)
    for path in written:
        parts = PurePosixPath(posixpath.normpath(path)).parts
        for start in range(len(parts)):
            name = "/".join(parts[start:])
            if not is_absolute(name) and ".." not in parts[start:] and os.path.lexists(folder / in_folder(folder, name, seen)):
                return in_folder(folder, name, seen)
    return near or PurePosixPath(written[-1]).name


def below(folder, path):
    """A path relative to a folder that it lies in, as seen from here, by its own folders or where their links lead; else ""."""
    try:
        for whole in (os.path.abspath, os.path.realpath):
            here, own = Path(whole(folder)), Path(whole(os.path.dirname(path)), os.path.basename(path))
            if own.is_relative_to(here) and own != here:
                return own.relative_to(here).as_posix()
    except ValueError:                                                       # letters that no path can have
        pass
    return ""


def texts_of(path):
    """{name: text} of a file of prompts; "" for a name without a text, which is no error here: its clip has no prompt."""
    path, found = Path(path), {}
    if not path.is_file() or path.suffix.lower() not in PROMPT_KINDS:
        return read_prompts(path)                                            # says what is wrong with it
    for where, name, text in named(path):
        if name in found:
            raise KitError(f"{path}, {where}: {name} stands there twice. Keep one of the two.")
        found[name] = text.strip() if isinstance(text, str) else ""
    return found


def facts_of(folder, prompts):
    """{name: (category, modality)} of the metadata table that the prompts come from, else of the one in the folder."""
    tables, found = [*([] if isinstance(prompts, dict) else [Path(prompts)]), *(folder / name for name in TABLES)], {}
    table = next((path for path in tables if path.is_file() and path.suffix.lower() != ".json"), None)
    for _, row in rows_of(table) if table else ():
        if isinstance(row, dict) and isinstance(row.get("file_name"), str):
            found[row["file_name"]] = str(row.get("video_category") or ""), modality_of(row.get("factors"))
    return found


def modality_of(factors):
    """The modality that factors name (a dict, or its JSON text as our metadata has it); "" where they do not."""
    try:
        factors = json.loads(factors) if isinstance(factors, str) else factors
    except ValueError:
        return ""
    return str(factors.get("modality") or "") if isinstance(factors, dict) else ""
