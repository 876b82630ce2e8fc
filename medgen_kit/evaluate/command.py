"""The command `medgen-kit evaluate`: a thin call of `report.evaluate`."""

import typer

FLAGS = 3                      # that are printed; all stand in the report


def evaluate(videos_dir: str = typer.Argument(help="Folder of videos, ours or anyone's. In sub-folders only what the prompts name."),
             prompts: str = typer.Option("", help='{"name.mp4": "prompt"} as .json, or a metadata.jsonl, .csv or .parquet with file_name, '
                                                  "or VBench's full_info.json. Empty: a metadata table or prompts.json in the folder, if "
                                                  "there is one."),
             out: str = typer.Option(help="Folder for index.html and report.json. The same folder again: it goes on."),
             backbone: str = typer.Option("light", help="light (no download) or parity (the networks of VBench)."),
             weights: str = typer.Option("", help="Folder with local copies of the networks of parity. Empty: they are downloaded."),
             align: str = typer.Option("", help="A finished stage align (RUN/align), whose towers the light backbone then uses."),
             real: str = typer.Option("", help="Folder of real clips for the controls. Empty: those that the kit ships."),
             categories: str = typer.Option("", help='{"name.mp4": "category"} as .json. Empty: video_category of the metadata.'),
             max_frames: int = typer.Option(None, help="Measure only the first so many frames of each clip. Empty: all."),
             warping_error: float = typer.Option(None, help="Percent of clips that people refused, for the paper's total."),
             workers: int = typer.Option(2, help="Clips at a time, at least 1. With 1 no process is started, so a file that "
                                                 "crashes a decoder ends the run.")):
    """Score a folder of videos: intervals, controls, worst clips and the paper's table on one page (evaluate.report.evaluate).

    Example: medgen-kit evaluate my_clips --prompts my_clips/prompts.json --out my_report
    """
    from .report import evaluate as judge

    found = judge(videos_dir, prompts or None, out, backbone, align or None, weights or None, real or None, categories or None, max_frames,
                  warping_error, workers, typer.echo)
    counts = found["counts"]
    for text in found["warnings"]:
        typer.echo(f"warning: {text}", err=True)
    typer.echo(f"{counts['scored']} of {counts['clips']} clips scored, {counts['no_score']} without a score. Read {out}/index.html.")
    flags = [flag["text"] for flag in found["flags"] if flag["certain"]] if counts["scored"] else []
    for text in flags[:FLAGS]:
        typer.echo(f"flag: {text}")
    if len(flags) > FLAGS:
        typer.echo(f"and {len(flags) - FLAGS} more flags in the report.")
