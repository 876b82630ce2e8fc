"""The data card of a curated set: README.md in the form of the Hugging Face Hub, every number from the tables of this run."""

from ..clip import write_text

LIMITS = (
    "The thresholds come from the paper or from drawn material. Check them on your own footage: `report.html` shows what each one removed.",
    "A filter is a policy. Look at the rejects of every category before you train, above all of imaging.",
    "`privacy` in each record says what ran on the clip. That is no proof that a clip names or shows nobody: consent and a person's look "
    "stay necessary.",
)
HAND_ON = (
    "`shards/` holds working files, with every line of text that was read in the videos, names of patients included: do not share it.",
    "Lines of text in the tables and records: only of kept clips in which no text was masked, and of those only what does not identify.",
    "The file names of the uploads go into the names of clips, into `source_id`, and into the title where no table gives one: rename "
    "uploads whose file names say more than they should, then curate again.",
)


def write(path, clips, table, manifest, licences, synthetic):
    """Write the card. clips: the decided table. table: `funnel.funnel`. licences: set of texts. synthetic: some clips are simulated."""
    kept = clips[clips["removed_by"] == ""]
    seconds = kept["end_s"] - kept["start_s"]
    lines = ["---", "pretty_name: Clips of a curation by MedGen Kit", "task_categories: [text-to-video]", "tags: [medical, video]",
             "---", "", "# Curated clips", "", f"{len(kept):,} clips cut from {clips['upload'].nunique():,} videos by MedGen Kit "
             f"{manifest['medgen_kit']}. Load them with `datasets.load_dataset(\"videofolder\", data_dir=...)`.", ""]
    lines += ["**Synthetic, never for clinical use.**", ""] if synthetic else ["**For research and teaching, never for clinical use.**", ""]
    groups = kept.assign(seconds=seconds).groupby("video_category")["seconds"]
    lines += section("What is in it", ("category", "clips", "seconds, median"), [
        (name or "not named", len(part), f"{part.median():.1f}") for name, part in groups])
    if len(kept):
        lines += [f"Shots last {seconds.min():.1f} to {seconds.max():.1f} seconds, {seconds.sum() / 60:.1f} minutes in all.", ""]
    lines += section("How it was made", ("rule", "whose", "removed", "left"), [
        (row["rule"], row["source"], f"{row['removed']:,}", f"{row['left']:,}") for row in table])
    lines += ["`clips.parquet` holds every candidate with its measures, `stages.parquet` every decision, `quarantine.parquet` the "
              f"{manifest['figures']['quarantined']:,} files that could not be used.", "", f"Settings {manifest['config_sha']}; tools: "
              + ", ".join(f"{name} {version}" for name, version in manifest["tools"].items() if version) + ".", ""]
    lines += ["## Licence", "", "; ".join(sorted(licences - {""})) or "Not named: the makers of the videos hold their rights. "
              "Ask before you pass anything on.", "", "## Limits", ""]
    lines += [f"- {text}" for text in LIMITS] + ["", "## Before you pass it on", "", *(f"- {text}" for text in HAND_ON), ""]
    return write_text(path, "\n".join(lines))


def section(title, head, rows):
    """A heading and a table in Markdown."""
    if not rows:
        return [f"## {title}", "", "Nothing.", ""]
    return [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows), ""]
