"""Many prompts to many labelled videos, resumable: what `medgen-kit sample --prompts FILE --out DIR` does.

    OUT/name.mp4, name.json    each clip and its sidecar (`label`)
    OUT/metadata.jsonl         the clips as a VideoFolder; prompts.json: {"name.mp4": "prompt"}; refused.jsonl: prompts that were not made
    OUT/sampling.json          model, seed and settings, which a resumed run must share
"""

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

from ..clip import Clip, write_folder, write_text
from ..errors import KitError
from . import label
from .refuse import refusal
from .families import family_of
from .pipeline import MedGenTinyPipeline
from .sample import SampleSettings, faster, noise_seed, sample_batch, shifted
from .speed import accelerate_sampling

TEXTS = ("prompt", "brief_caption")
KINDS = (".txt", ".jsonl", ".json", ".csv")
LICENCE = "CC BY 4.0 (synthetic, never for clinical use)"


@dataclass(frozen=True)
class Job:
    """One clip to make: the prompt's number in its file, which of its seeds, the file's name, and the seed of its noise."""

    number: int
    repeat: int
    name: str
    prompt: str
    negative_prompt: str
    seed: int
    noise_seed: int
    row: dict


def read_prompts(path):
    """Rows {"prompt", and if given "name", "seed", "negative_prompt", "factors" ...} of a file of prompts.

    .txt: one a line. .jsonl, .json (a list), .csv: rows with `prompt` or `brief_caption`. .json: {"name.mp4": "prompt"} too. Raises
    KitError that names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise KitError(f"{path} is no file. Give a file of prompts ({', '.join(KINDS)}).")
    if path.suffix.lower() not in KINDS:
        raise KitError(f"{path.name}: prompts are read from {', '.join(KINDS)}; a .txt file has one a line.")
    try:
        rows = parse(path.suffix.lower(), path.read_text(encoding="utf-8-sig"))
    except (ValueError, csv.Error) as error:
        raise KitError(f"{path} cannot be read as {path.suffix}: {error}. Correct the file, or write one prompt a line in a .txt "
                       "file.") from error
    made = [whole_row(row, path, line) for line, row in enumerate(rows, 1)]
    if not made:
        raise KitError(f"{path} holds no prompts.")
    return made


def parse(kind, text):
    """The rows of a file's text, not looked at yet."""
    if kind == ".txt":
        return [{"prompt": line.strip()} for line in text.splitlines() if line.strip()]
    if kind == ".csv":
        return list(csv.DictReader(text.splitlines()))
    if kind == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    if isinstance(found, dict):
        return [{"name": name, "prompt": prompt} for name, prompt in found.items()]
    return [{"prompt": one} if isinstance(one, str) else one for one in found]


def whole_row(row, path, line):
    """The row with its prompt, seed and name looked at."""
    text = next((row[name] for name in TEXTS if row.get(name)), None) if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise KitError(f"{path}, row {line}: no text under {' or '.join(TEXTS)}.")
    row = {name: value for name, value in row.items() if value not in (None, "")} | {"prompt": text.strip()}
    if "seed" in row:
        try:
            row["seed"] = int(row["seed"])
        except (TypeError, ValueError) as error:
            raise KitError(f"{path}, row {line}: seed '{row['seed']}' is no whole number.") from error
    if "name" in row and (Path(str(row["name"])).name != str(row["name"]) or str(row["name"]).startswith(".")):
        raise KitError(f"{path}, row {line}: the name '{row['name']}' must be a plain file name, for example clip_01.mp4.")
    return row


def plan(rows, seed=0, seeds_per_prompt=1, negative_prompt=""):
    """The Jobs of rows of prompts, in order. The noise of a job depends on (seed, prompt number) alone: repeat r has the noise of seed + r.

    A row's own seed takes the place of (seed, number); its own negative_prompt and name count too. KitError for a name that comes twice.
    """
    jobs = []
    for number, row in enumerate(rows):
        stem = str(row.get("name", f"{number:04d}")).removesuffix(".mp4")
        for repeat in range(seeds_per_prompt):
            own = row["seed"] + repeat if "seed" in row else noise_seed(seed + repeat, number)
            jobs.append(Job(number, repeat, f"{stem}{f'_{repeat}' if seeds_per_prompt > 1 else ''}.mp4", row["prompt"],
                            str(row.get("negative_prompt", negative_prompt) or ""), seed + repeat, own, row))
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise KitError(f"two prompts are to be written as {twice}. Give each its own name.")
    return jobs


def produce(pipe, prompts, out, settings=None, seed=0, seeds_per_prompt=1, batch=1, negative_prompt="", image=None, marked=True,
            resume=False, say=print, call=None):
    """Make the clips of `prompts` in the folder `out`; returns {"made", "kept", "refused", "notes"}.

    prompts: a file (`read_prompts`), or rows or texts. settings: SampleSettings (default: the model's own). batch: clips at a time; with a
    cache (accel) it is one, because a cache decides for a whole batch. image: first frame uint8 [H, W, 3] for all. resume: go on with a
    folder that an interrupted run with equal settings left; its finished videos are kept. call: more arguments for the pipeline.

    Raises KitError for a folder that holds something else or was made with other settings, and names the difference.
    """
    out, settings = Path(out), settings or SampleSettings.of(pipe)
    rows = read_prompts(prompts) if isinstance(prompts, str | Path) else [
        whole_row({"prompt": row} if isinstance(row, str) else row, "prompts", line) for line, row in enumerate(prompts, 1)]
    if seeds_per_prompt < 1 or batch < 1:
        raise KitError("seeds_per_prompt and batch must be at least 1.")
    jobs = plan(rows, seed, seeds_per_prompt, negative_prompt)
    facts = label.shared_facts(pipe, settings, image)
    settle(out, resume, {**facts, "seed": seed, "seeds_per_prompt": seeds_per_prompt, "marked": bool(marked)})
    reasons = {number: why for number, row in enumerate(rows) if (why := refusal(row["prompt"]))}
    tell_refused(out, rows, reasons, say)
    jobs = [job for job in jobs if job.number not in reasons]
    if settings.accel != "off" and batch > 1:
        say("a cache decides for a whole batch at once, so that clips would depend on their neighbours: batch is 1 here.")
        batch = 1
    return make(pipe, jobs, out, settings, batch, facts, image, marked, say, call or {}) | {"refused": len(reasons)}


def produce_one(pipe, prompt, out, settings=None, seed=0, negative_prompt="", image=None, marked=True, say=print, call=None):
    """One labelled clip in the file `out`, the same as clip 0 of `produce`. Returns its path; KitError with the reason for a refused
    prompt."""
    from .text import unknown_words

    out, settings = Path(out), settings or SampleSettings.of(pipe)
    if out.suffix.lower() != ".mp4":
        raise KitError(f"{out} must end in .mp4.")
    if why := refusal(prompt):
        raise KitError(f"the prompt is {why}")
    if isinstance(pipe, MedGenTinyPipeline) and (unknown := unknown_words(pipe.tokenizer, prompt)):
        say(f"words the model has never seen: {', '.join(unknown)}")
    job = plan([{"prompt": prompt, "name": out.name}], seed, 1, negative_prompt)[0]
    with shifted(pipe, settings.sample_shift), accelerate_sampling(pipe, settings.accel) as boost:
        clip = sample_batch(pipe, [prompt], [job.noise_seed], faster(settings, boost), negative_prompt, image, **call or {})[0]
    for note in boost.report()["notes"]:
        say(note)
    return label.write(out, clip, settings.fps, sidecar_facts(job, label.shared_facts(pipe, settings, image), boost), marked)


def settle(out, resume, facts):
    """Make the folder, or see that it may be gone on with. KitError: something else in it, not asked to resume, or other settings."""
    file = out / "sampling.json"
    if out.is_file():
        raise KitError(f"{out} is a file. Name a folder for the clips.")
    if file.is_file():
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise KitError(f"{file} is damaged, so it cannot be said how the clips beside it were made. Name a new folder.") from error
        if not resume:
            raise KitError(f"{out} holds clips already. Say --resume to go on with them, or name another folder.")
        refuse_other(before, json.loads(json.dumps(facts)), out)
        return
    if out.is_dir() and any(path.name[0] != "." for path in out.iterdir()):
        raise KitError(f"{out} is not empty and holds no samples. Name a new folder, so that nothing of yours is mixed up.")
    write_text(file, json.dumps(facts, indent=1))


def refuse_other(before, now, where):
    """KitError that names the first fact in which two descriptions differ."""
    flat = [flatten(one) for one in (before, now)]
    for name in sorted(flat[0].keys() | flat[1].keys()):
        if flat[0].get(name) != flat[1].get(name):
            raise KitError(f"{where} was made with {name} = {flat[0].get(name)!r}, and now it is {flat[1].get(name)!r}. Use the same "
                           "value to resume, or name another folder.")


def flatten(facts, before=""):
    """{"settings.fps": 8 ...}"""
    found = {}
    for name, value in facts.items():
        found |= flatten(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return found


def tell_refused(out, rows, reasons, say):
    """Write refused.jsonl: {"number", "prompt", "reason"} of the prompts that are not made."""
    lines = [{"number": number, "prompt": rows[number]["prompt"], "reason": why} for number, why in reasons.items()]
    write_text(out / "refused.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    for number, why in reasons.items():
        say(f"prompt {number}: {why}")


def make(pipe, jobs, out, settings, batch, facts, image, marked, say, call):
    """Sample and write what is not there yet, then the tables of the whole folder.

    Batches are the same whatever was finished before, so a resumed clip has the same neighbours, and the same bytes."""
    done, begun, made, notes = {job.name: finished(job, out) for job in jobs}, time.time(), 0, []
    kept, open_jobs = sum(done.values()), sum(not one for one in done.values())
    if kept:
        say(f"{kept} of {len(jobs)} clips are there already")
    if reader := getattr(pipe, "reader", None):
        reader.read(sorted({text for job in jobs for text in (job.prompt, job.negative_prompt)}))
    with shifted(pipe, settings.sample_shift):
        for some in batches(pipe, jobs, batch):
            if all(done[job.name] for job in some):
                continue
            with accelerate_sampling(pipe, settings.accel) as boost:
                clips = sample_batch(pipe, [job.prompt for job in some], [job.noise_seed for job in some], faster(settings, boost),
                                     some[0].negative_prompt, image, **call)
            notes += [note for note in boost.report()["notes"] if note not in notes]
            for job, frames in zip(some, clips):
                if not done[job.name]:
                    label.write(out / job.name, frames, settings.fps, sidecar_facts(job, facts, boost), marked)
                    made += 1
            left = (time.time() - begun) / max(1, made) * (open_jobs - made)
            say(f"{kept + made} of {len(jobs)} clips, {left:.0f} s left")
    for note in notes:
        say(note)
    write_tables(out, jobs, facts)
    return {"made": made, "kept": kept, "notes": notes}


def batches(pipe, jobs, batch):
    """Lists of Jobs that may be sampled together: of one negative prompt, and of one length where the model pads to the longest."""
    groups = {}
    for job in jobs:
        groups.setdefault(job.negative_prompt, []).append(job)
    for some in groups.values():
        for group in family_of(pipe).groups(pipe, [job.prompt for job in some]):
            for start in range(0, len(group), batch):
                yield [some[i] for i in group[start:start + batch]]


def sidecar_facts(job, facts, boost):
    """The sidecar's facts of one clip, without what `label.write` adds."""
    own = {name: getattr(job, name) for name in ("prompt", "negative_prompt", "seed", "noise_seed")}
    settings = facts["settings"] | {"scheduler": boost.solver, "steps_taken": boost.steps(facts["settings"]["num_inference_steps"])}
    report = boost.report()
    return {**own, "prompt_number": job.number, "repeat": job.repeat, **facts, "settings": settings,
            "acceleration": {name: report[name] for name in ("accel", "threshold", "skipped", "notes")}}


def finished(job, out):
    """True when the job's clip is there, whole and made from the same prompt and noise. KitError names what differs."""
    said = label.read(out / job.name)
    if said is not None:
        for name in ("prompt", "negative_prompt", "noise_seed"):
            refuse_other({name: said.get(name)}, {name: getattr(job, name)}, out / job.name)
    return said is not None


def write_tables(out, jobs, facts):
    """metadata.jsonl and prompts.json of the folder."""
    clips = []
    for job in jobs:
        factors = job.row.get("factors") if isinstance(job.row.get("factors"), dict) else {}
        extra = {"prompt": job.prompt, "synthetic": True, "seed": job.seed, "noise_seed": job.noise_seed, "model": facts["model"]}
        extra |= {"unseen": job.row["unseen"]} if "unseen" in job.row else {}
        clips.append(Clip.of(out / job.name, video_category=str(job.row.get("video_category", "")), brief_caption=job.prompt,
                             source=str(facts["model"]), source_id=f"generated/{job.number}/{job.repeat}", licence=LICENCE, split="test",
                             factors=factors, extra=extra))
    write_folder(out, clips)
    write_text(out / "prompts.json", json.dumps({job.name: job.prompt for job in jobs}, indent=1, ensure_ascii=False))
