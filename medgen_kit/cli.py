"""The command line: every command is a thin call of a documented function. `medgen-kit --help` lists them."""

import json
import sys

import typer

from .errors import KitError
from .evaluate.command import evaluate
from .evaluate.study.command import study_app
from .exercise.command import grade
from .pipeline import FLOW

typed = typer.Typer(help="Teach and reproduce medical text-to-video generation. Synthetic output, never for clinical use.",
                    no_args_is_help=True, add_completion=False, rich_markup_mode=None)
typed.add_typer(study_app, name="study")
PROFILE = typer.Option("", help="Sizes: smoke, cpu, colab-t4, colab-l4, a100, cluster. Empty: MEDGEN_PROFILE, else cpu.")
RUN = typer.Option("", "--run", help="Name of the run folder, whose profile is then the default. Empty: the profile's name.")
SEED = typer.Option(0, min=0, max=2**32 - 1, help="A whole number.")
SETTINGS = typer.Option([], "--set", help="A setting of the recipe, for example --set max_steps=500 --set batch=8.")
STAGE = typer.Argument(help="In the order of the flow: " + ", ".join(
    f"{name} (reads {' and '.join(stage.needs)})" if stage.needs else name for name, stage in FLOW.items()) + ".")


def _run(profile, name, seed=0):
    """The run of this name; without a profile the one that it was made with, if that is one of ours."""
    from . import profiles
    from .run import Run

    own = Run.profile_of(name)
    return Run.open(profiles.load(profile or (own if own in profiles.names() else ""), seed=seed), name)


@typed.command()
def machine():
    """Print what this machine can do (medgen_kit.machine.facts).

    Example: medgen-kit machine
    """
    from .machine import facts

    typer.echo(json.dumps(facts(), indent=1))


@typed.command()
def profiles():
    """List the profiles, and for each what this machine lacks (profiles.load).

    Example: medgen-kit profiles
    """
    from . import profiles as every

    for name in every.names():
        profile = every.load(name, check=False)
        try:
            every.refuse_if_too_big(profile)
            verdict = "runs here"
        except KitError as error:
            verdict = str(error).split(". ")[0]
        typer.echo(f"{name:10s} {profile.about}\n           {verdict}")


@typed.command()
def need(stage: str = STAGE, profile: str = PROFILE, name: str = RUN, seed: int = SEED):
    """Make one stage of a run, and what it needs (medgen_kit.need).

    Example: medgen-kit need align --profile smoke
    """
    from .pipeline import need as make

    typer.echo(make(_run(profile, name, seed), stage))


@typed.command()
def report(profile: str = PROFILE, name: str = RUN):
    """Print report.json, the figures of a run (Run.figures).

    Example: medgen-kit report --run cpu
    """
    from . import profiles
    from .run import Run

    typer.echo(json.dumps(Run.existing(profiles.load(profile), name).figures(), indent=1))


@typed.command()
def sample(prompt: str = typer.Argument("", help="One prompt; or give --prompts."),
           out: str = typer.Option("sample.mp4", help="MP4 file to write; with --prompts a folder."),
           prompts: str = typer.Option("", help="File of prompts: .txt (one a line), .jsonl, .json or .csv (prompt or brief_caption)."),
           model: str = typer.Option("", help="Name (medgen-kit plan --help lists them) or folder of a pipeline. Empty: the profile's."),
           lora: str = typer.Option("", help="LoRA to put on it: a file or folder."),
           steps: int = typer.Option(None, min=1, help="num_inference_steps. Empty here and below: the model's own."),
           guidance_scale: float = typer.Option(None), shift: float = typer.Option(None, help="Timestep shift in sampling."),
           negative_prompt: str = typer.Option(""), frames: int = typer.Option(None, min=1), height: int = typer.Option(None, min=1),
           width: int = typer.Option(None, min=1), fps: float = typer.Option(None), seed: int = SEED,
           seeds_per_prompt: int = typer.Option(1, help="Clips per prompt; the paper makes one."),
           batch: int = typer.Option(1, help="Clips at a time."),
           accel: str = typer.Option("off", help="off, safe (cache of blocks) or fast (UniPC, fewer steps and cache)."),
           image: str = typer.Option("", help="Picture for the first frame (ltx-video, medgen-tiny)."),
           no_mark: bool = typer.Option(False, "--no-mark", help="Leave the visible mark out; file and sidecar still say synthetic."),
           resume: bool = typer.Option(False, "--resume", help="Go on with an unfinished folder."),
           offload: str = typer.Option("none", help="none, model or group: what is kept off the GPU."),
           layerwise: bool = typer.Option(False, "--layerwise", help="Weights stored in 8 bits."),
           vae_tiling: bool = typer.Option(False, "--vae-tiling", help="Decode in tiles."),
           compile: bool = typer.Option(False, "--compile", help="Compile the blocks first."),
           text_memory: str = typer.Option("", help="Read prompts layer by layer in so much host memory, for example 2GiB."),
           precision: str = typer.Option("", help="float32, float16, bfloat16, int8 or nf4 of the transformer. Empty: by the GPU."),
           profile: str = PROFILE, name: str = RUN):
    """Generate one clip, or one for each prompt of a file, all labelled synthetic (generate.produce.produce).

    Without --model the profile's: MedGen-tiny of the run, which is made first when it is not there (minutes).

    Example: medgen-kit sample --model medgen-1.3b --prompts prompts.txt --out clips
    """
    from .generate import produce as making, sample as sampling
    from .generate.ready import open_for_sampling

    if bool(prompt) == bool(prompts):
        raise KitError("give either one prompt or --prompts FILE.")
    switches = {"offload": offload, "layerwise": layerwise, "vae_tiling": vae_tiling, "compile": compile, "text_memory": text_memory,
                "precision": precision}
    pipe, own = (open_for_sampling(model, lora, **switches, say=typer.echo), {}) if model else _profile_model(profile, name, lora)
    changes = {"num_inference_steps": steps, "guidance_scale": guidance_scale, "sample_shift": shift, "num_frames": frames,
               "height": height, "width": width, "fps": fps, "accel": accel}
    settings = sampling.SampleSettings.of(pipe, **own | {key: value for key, value in changes.items() if value is not None})
    shared = {"seed": seed, "negative_prompt": negative_prompt, "image": sampling.read_image(image) if image else None,
              "marked": not no_mark, "say": typer.echo}
    if prompt:
        typer.echo(making.produce_one(pipe, prompt, out, settings, **shared))
        return
    made = making.produce(pipe, prompts, out, settings, seeds_per_prompt=seeds_per_prompt, batch=batch, resume=resume, **shared)
    typer.echo(f"{made['made']} clips made, {made['kept']} kept, {made['refused']} prompts refused, in {out}.")


def _profile_model(profile, name, lora):
    """(pipeline that a profile samples from, its settings); the run's model is made first when it is not there."""
    from . import generate
    from .pipeline import missing, need as make

    run = _run(profile, name)
    if lora:
        raise KitError("--lora needs --model: the name or folder of the model that it was trained on.")
    lacking, place = missing(run, "generate"), run.folder("generate") / "pipeline"
    if lacking and place.is_dir():
        raise KitError(f"the model of run '{run.root.name}' was made with another seed, other settings or other code than now, and would "
                       f"be replaced. To sample from it as it is: --model {place}. To make it again: medgen-kit need generate --run "
                       f"{run.root.name}. To keep both: another --run.")
    if lacking:
        hurry = "" if run.profile.name == "smoke" else " With --profile smoke it takes a few, and the pictures are noise."
        typer.echo(f"Run '{run.root.name}' has no finished model yet, so these stages are made first: {', '.join(lacking)}. "
                   f"That takes minutes, and the next time it is there.{hurry}")
    pipe = generate.open_generator(run.profile, make(run, "generate") / "pipeline")
    return pipe, vars(generate.profile_settings(pipe, run.profile))


@typed.command()
def plan(model: str = typer.Argument(help="wan2.1-1.3b, wan2.1-14b, hunyuanvideo, mochi-1, ltx-video, cogvideox-2b, medgen-1.3b, "
                                          "medgen-14b or medgen-tiny."),
         task: str = typer.Option("train-lora", help="train-lora, train-full or sample."),
         frames: int = typer.Option(0, help="Empty: 49."), height: int = typer.Option(0, help="Pixels. Empty: 480."),
         width: int = typer.Option(0, help="Pixels. Empty: 832."), precision: str = typer.Option("bf16", help="bf16, fp16, int8 or nf4."),
         gpu: str = typer.Option("T4", help="T4, L4, A100-40, A100-80, H100 or H200."),
         offload: str = typer.Option("model", help="none, model or group."), batch: int = typer.Option(1, help="Clips at a time."),
         lora_rank: int = typer.Option(32), steps: int = typer.Option(0, help="Of the whole training, for its hours and cost."),
         price_per_hour: float = typer.Option(None, help="Of the GPU; without it no cost is told."),
         as_json: bool = typer.Option(False, "--json", help="Everything, as JSON.")):
    """Say whether a model fits a GPU, what takes the memory, and the first setting that fits (medgen_kit.generate.plan.plan).

    Example: medgen-kit plan hunyuanvideo --task train-lora --frames 49 --gpu L4
    """
    from .generate.plan import plan as planned, told

    found = planned(model, task, frames or None, height or None, width or None, precision, gpu, lora_rank, batch, steps or None,
                    offload=offload, price_per_hour=price_per_hour)
    typer.echo(json.dumps(found, indent=1) if as_json else told(found))


@typed.command()
def train(model: str = typer.Argument(help="Name of a model (medgen-kit plan --help lists them) or folder of a pipeline."),
          clips: str = typer.Argument(help="A folder of captioned clips (metadata.jsonl beside MP4 files), or medvideocap."),
          out: str = typer.Argument(help="Folder for checkpoints, log and the LoRA file. The same folder again: it goes on."),
          preset: str = typer.Option("medgen_as_run", help="medgen_as_written, medgen_as_run (table 5 of the paper, twice) or course."),
          settings: list[str] = SETTINGS,
          frames: int = typer.Option(0, help="0: what the model was made for."), height: int = 0, width: int = 0,
          precision: str = typer.Option("", help="float32, float16, bfloat16, int8 or nf4 of the frozen weights. Empty: by the GPU."),
          caption: str = typer.Option("brief_caption", help="brief_caption or detailed_caption."),
          count: int = typer.Option(500, help="Clips to fetch when CLIPS is medvideocap."),
          text_memory: str = typer.Option("", help="Read the text encoder layer by layer in so much host memory, for example 2GiB."),
          folder: str = typer.Option("", help="Where a downloaded copy of the model lies."),
          fps: float = typer.Option(0, help="Frames a second that are read of the clips. 0: the model's."),
          only_cache: bool = typer.Option(False, "--only-cache", help="Precompute latents and captions, then stop.")):
    """Fine-tune a video model on captioned clips (generate.command.train). Start it with `accelerate launch` for more than one GPU.

    Example: medgen-kit train wan2.1-1.3b my_clips tuned --frames 17 --height 256 --width 256 --set max_steps=300
    """
    from .generate import command, loop

    size = dict(frames=frames, height=height, width=width)
    said = command.train(model, clips, out, preset, settings, size, precision, caption, count, text_memory, only_cache, fps, typer.echo,
                         **({"folder": folder} if folder else {}))
    if loop.here().is_main_process:
        typer.echo(said)


@typed.command()
def export(tuned: str = typer.Argument(help="Folder that `train` filled."), out: str = typer.Argument(help="Folder for the pipeline."),
           scale: float = typer.Option(1.0, help="Strength of the LoRA."),
           folder: str = typer.Option("", help="Where a downloaded copy of the base model lies.")):
    """Fold a trained LoRA into its base model and save a pipeline that needs no LoRA (generate.command.export).

    Example: medgen-kit export tuned my_model
    """
    from .generate import command

    typer.echo(command.export(tuned, out, scale, **({"folder": folder} if folder else {})))


@typed.command()
def tags(text: str):
    """Print the medical concepts that a text names (knowledge.tags).

    Example: medgen-kit tags "no pericardial effusion"
    """
    from . import knowledge

    typer.echo("named:  " + (", ".join(knowledge.tags(text)) or "none"))
    typer.echo("denied: " + (", ".join(knowledge.tags(text, negated=True)) or "none"))


@typed.command()
def curate(raw_dir: str, out_dir: str, config: str = typer.Option("", help="YAML file with settings (medgen_kit.curate.Config)."),
           engine: str = typer.Option("local", help="local: this machine's cores; ray: a Ray cluster."),
           ray_address: str = typer.Option("", help="Address of a running Ray cluster, 'auto' to find it. Empty: one on this machine."),
           workers: int = typer.Option(2, help="Processes at a time."),
           resume: bool = typer.Option(False, "--resume", help="Go on with an unfinished OUT_DIR.")):
    """Raw videos into clean clips: a VideoFolder with every decision, every reject and a report (medgen_kit.curate.curate).

    Example: medgen-kit curate my_videos my_clips --workers 4
    """
    from .curate import settle, stage

    settle(out_dir, resume)
    figures = stage.curate(raw_dir, out_dir, config or None, engine, ray_address or None, say=typer.echo, workers=workers)
    typer.echo(f"{figures['kept']} clips of {figures['candidates']} candidates from {figures['uploads']} files "
               f"({figures['quarantined']} could not be used) in {out_dir}. Read {out_dir}/report.html.")


@typed.command()
def takedown(folder: str, source_id: str, reason: str = typer.Option("", help="Kept in takedown.jsonl, without the source's name.")):
    """Remove all that was made of one source from a set of clips, and keep it out (medgen_kit.curate.takedown.takedown).

    Example: medgen-kit takedown my_clips upload_03.mp4
    """
    from .curate.takedown import takedown as take

    typer.echo(json.dumps(take(folder, source_id, reason), indent=1))


typed.command()(evaluate)
typed.command()(grade)


@typed.command()
def check(folder: str):
    """Say what is wrong with a set of clips (clip.validate_folder).

    Example: medgen-kit check runs/cpu/sources
    """
    from .clip import read_folder, validate_folder

    read_folder(folder)
    problems = validate_folder(folder)
    typer.echo("\n".join(problems) or "every row has its file and every file its row")
    raise typer.Exit(1 if problems else 0)


def app():
    """Entry point: a KitError is one plain sentence, not a traceback."""
    try:
        typed()
    except KitError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)
