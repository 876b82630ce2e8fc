"""The command line: every command is a thin call of a documented function. `medgen-kit --help` lists them."""

import json
import sys

import typer

from .errors import KitError
from .pipeline import FLOW

typed = typer.Typer(help="Teach and reproduce medical text-to-video generation. Synthetic output, never for clinical use.",
                    no_args_is_help=True, add_completion=False, rich_markup_mode=None)
PROFILE = typer.Option("", help="Sizes: smoke, cpu, colab-t4, colab-l4, a100, cluster. Empty: MEDGEN_PROFILE, else cpu.")
RUN = typer.Option("", "--run", help="Name of the run folder. Empty: the profile's name.")
SEED = typer.Option(0, min=0, max=2**32 - 1, help="A whole number.")
STAGE = typer.Argument(help="In the order of the flow: " + ", ".join(
    f"{name} (reads {' and '.join(stage.needs)})" if stage.needs else name for name, stage in FLOW.items()) + ".")


def _run(profile, name, seed=0):
    from . import profiles
    from .run import Run

    return Run.open(profiles.load(profile, seed=seed), name)


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
def sample(prompt: str, out: str = typer.Option("sample.mp4", help="MP4 file to write, marked SYNTHETIC."), profile: str = PROFILE,
           name: str = RUN, seed: int = SEED):
    """Generate one clip (generate.generate_clips). A run without a finished model makes it first, which takes minutes.

    Example: medgen-kit sample "an endoscope advancing in the colon" --out colon.mp4
    """
    from . import generate, video
    from .pipeline import missing, need as make

    run = _run(profile, name)
    if lacking := missing(run, "generate"):
        hurry = "" if run.profile.name == "smoke" else " With --profile smoke it takes a few, and the pictures are poor."
        typer.echo(f"Run '{run.root.name}' has no finished model yet, so these stages are made first: {', '.join(lacking)}. "
                   f"That takes minutes, and the next time it is there.{hurry}")
    pipe = generate.open_generator(run.profile, make(run, "generate") / "pipeline")
    if isinstance(pipe, generate.MedGenTinyPipeline) and (unknown := generate.unknown_words(pipe.tokenizer, prompt)):
        typer.echo(f"words the model has never seen: {', '.join(unknown)}")
    clip = generate.generate_clips(pipe, [prompt], run.profile.sample, seed)[0]
    typer.echo(video.write(out, video.mark_synthetic(clip), run.profile.data.fps, synthetic=True, title=prompt))


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
