"""The commands of a blind study: `medgen-kit study create | links | serve | export`."""

import json
import shlex
from urllib.parse import urlsplit

import typer

from . import add_raters, create as make_study, export as write_out, key_path, links as links_of, remember, renew as new_link, serve as run
from . import store, told
from .invitations import HERE, PORT, URL, address, links_path, port_of, url_of, without_link

study_app = typer.Typer(help="A blind human study: two clips of one prompt side by side, answered in a browser.", no_args_is_help=True,
                        add_completion=False, rich_markup_mode=None)
STUDY = typer.Argument(help="Folder of the study.")
USUAL = 3                      # raters of the paper's warping error: unacceptable is what two of three find so


@study_app.command()
def create(videos_a: str = typer.Argument(help="Folder of videos."),
           videos_b: str = typer.Argument(help="Folder of videos of equal names."),
           prompts: str = typer.Option(..., help="{\"name.mp4\": \"prompt\"} in a .json file, or a metadata.jsonl."),
           out: str = typer.Option("study", help="Folder for the study; the key and the links are written beside it."),
           raters: int = typer.Option(USUAL, min=0, help="How many raters get a link."),
           names: str = typer.Option("", help="Names of the two sides for key and results, for example base,tuned. Empty: the folders'."),
           seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Draws order and sides for every rater."),
           fps: float = typer.Option(0, min=0, max=60, help="Of all clips. 0: the highest that a video has, at most 30."),
           seconds: float = typer.Option(10, min=0.1, help="Longer clips are cut."),
           skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out pairs that can not be used, and say how many."),
           url: str = typer.Option(URL, help="Under which raters reach the server; it is remembered.")):
    """Make a blind study of two folders of videos (evaluate.study.create).

    Example: medgen-kit study create base tuned --prompts base/prompts.json --out my_study
    """
    parts = [part.strip() for part in names.split(",")] if names else None
    if parts is not None and (len(parts) != 2 or not all(parts)):
        raise typer.BadParameter("--names takes two names with a comma between, for example base,tuned.")
    url = address(url)
    folder, left_out = make_study(out, videos_a, videos_b, prompts, parts, seed, fps, seconds, skip_bad)
    for sentence in left_out:
        typer.echo(f"left out: {sentence}")
    remember(folder, url)
    add_raters(folder, raters)
    more = " (what was left out stands above)" if left_out else ""
    typer.echo(f"{store.facts(folder)['items']} pairs in {folder}{more}. The key is in {key_path(folder).name} beside it: keep it from "
               "the raters.")
    if raters < USUAL:
        typer.echo(f"{raters} raters are fewer than the {USUAL} of the paper's warping error: without more of them (medgen-kit study links "
                   f"{folder} --add {USUAL - raters}) export gives that error only by another rule, --raters and --needed.")
    show_links(folder)
    typer.echo(f"Now: {serve_hint(folder)}")
    if (host := urlsplit(url).hostname) not in HERE and url.startswith("http:"):
        typer.echo(f"It listens to this machine alone. Raters reach {host} through a server with TLS or a tunnel in front, or, without a "
                   "lock but their links, with --host 0.0.0.0.")


def serve_hint(folder):
    """The command that serves a study where its links lead."""
    port = port_of(url_of(folder))
    return f"medgen-kit study serve {shlex.quote(str(folder))}" + (f" --port {port}" if port != PORT else "")


def show_links(folder):
    """Print every rater's link."""
    rows = links_of(folder)
    for row in rows:
        typer.echo(f"{row['rater']:10s} {row['link']}   {row['answered']} of {row['items']} answered")
    if rows:
        typer.echo(f"One link for one person; whoever has it answers in that name. They stand in {links_path(folder).name} beside the "
                   "study: keep it to yourself. In the study itself only their hashes are stored.")
    if lacking := without_link(folder):
        typer.echo(lacking)


@study_app.command()
def links(study_dir: str = STUDY, add: int = typer.Option(0, min=0, help="New raters."),
          renew: str = typer.Option("", help="A rater (rater-2) whose old link must end; the answers stay."),
          url: str = typer.Option("", help="Under which raters reach the server; it is remembered. Empty: as it was said before.")):
    """Show the raters' links and how far each rater is; make new ones (evaluate.study.links).

    Example: medgen-kit study links my_study --add 2
    """
    if url:
        remember(study_dir, url)
    if renew:
        new_link(study_dir, renew)
    add_raters(study_dir, add)
    show_links(study_dir)
    typer.echo(f"They are answered while this runs: {serve_hint(study_dir)}")


@study_app.command()
def serve(study_dir: str = STUDY, port: int = typer.Option(None, min=1, max=65535, help="Empty: that of the raters' links."),
          host: str = typer.Option("127.0.0.1", help="0.0.0.0 lets other machines in; put TLS in front.")):
    """Show the study to raters in browsers, with Voila, until Ctrl-C (evaluate.study.serve).

    Example: medgen-kit study serve my_study --port 8866
    """
    run(study_dir, port, host, typer.echo)


@study_app.command()
def export(study_dir: str = STUDY, out: str = typer.Option("", help="Folder for the tables. Empty: STUDY_DIR_export beside the study."),
           key: str = typer.Option("", help="The key, when it does not lie beside the study."),
           close: bool = typer.Option(False, "--close", help="End the study, although not every rater has finished: there is no way back."),
           keep_open: bool = typer.Option(False, "--keep-open", help="The study goes on, even when every rater has finished."),
           raters: int = typer.Option(USUAL, min=1, help="Grades that a clip needs for the warping error."),
           needed: int = typer.Option(2, min=1, help="How many of them make it unacceptable: Moderate or Severe.")):
    """Write answers.csv, grades.csv and summary.json with the names of the sides, and print the result (evaluate.study.export).

    The study is closed when every rater has answered every pair and stored every change, else it stays open; --close and --keep-open
    decide otherwise.

    Example: medgen-kit study export my_study
    """
    if needed > raters:
        raise typer.BadParameter(f"--needed {needed} of --raters {raters}: no more raters can be needed than there are.")
    made = write_out(study_dir, out or None, key or None, keep_open, raters, needed, close)
    for text in told.result(json.loads((made / "summary.json").read_text(encoding="utf-8"))):
        typer.echo(text)
    for text in told.unstored(study_dir):
        typer.echo(text)
    typer.echo(f"answers.csv, grades.csv and summary.json are in {made}. {told.standing(study_dir)}")
