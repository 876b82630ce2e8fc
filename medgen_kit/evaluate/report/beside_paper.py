"""The judged set beside the 20 rows of the paper's table 2: in one table where the settings are the paper's, else apart, and why."""

from ...errors import KitError
from .. import paper
from .rows import ALL_FRAMES

# metric -> (network that the paper's numbers come from, as `backbones` names it; factor from our scale to the table's 0 to 100)
TERMS = {"imaging_quality": ("MUSIQ-SPAQ", 1), "subject_consistency": ("DINO ViT-B/16", 100),
         "background_consistency": ("CLIP ViT-B/32", 100), "motion_smoothness": ("AMT-S", 100)}
PROMPTS = ("Whether the weights are the published ones, their hashes under Settings tell. Even with equal settings the clips differ in "
           "more than the model: the paper made one clip for each of its own 200 prompts, and printed no interval.")


def beside(summary, settings, warping_error=None, folder=None):
    """The section "paper": {"same", "sentence", "settings": a row per metric, "ours": a row like the table's or None, "rows": the table's}.

    warping_error: percent of clips that people refused (the paper's WE); without it there is no total. ours is None where any setting
    differs: such numbers do not belong into one table.
    """
    rows = [line | {"same": not line["why"]} for line in map(lambda name: setting_of(name, summary, settings), TERMS)]
    different = [line for line in rows if not line["same"]]
    ours = None if different else own_row(summary, warping_error)
    try:
        table = paper.load("table2_med_vbench", folder).to_dict("records")
    except KitError as error:
        return {"same": not different, "sentence": str(error), "settings": rows, "ours": ours, "rows": []}
    return {"same": not different, "sentence": sentence(different, ours, warping_error), "settings": rows, "ours": ours, "rows": table}


def checked(warping_error):
    """The warping error, None or 0 to 100; KitError for anything else."""
    if warping_error is not None and not 0 <= warping_error <= 100:
        raise KitError(f"a warping error of {warping_error} is not a percentage: give the share of clips that people refused, 0 to 100 "
                       "(--warping-error).")
    return warping_error


def setting_of(name, summary, settings):
    """{"metric", "paper", "here", "why"}: how a term of the table was measured there and here; why "" where both are alike."""
    network, _ = TERMS[name]
    if name not in summary:
        return {"metric": name, "paper": network, "here": "not measured",
                "why": f"the backbone '{settings['backbone']}' has no stand-in for it"}
    here, why = settings["metrics"][name]["backbone"], []
    if here != network:
        why.append(f"another network ({here})")
    if settings["frames"] != ALL_FRAMES:
        why.append(settings["frames"])
    if summary[name]["value"] is None:
        why.append("no clip has a value")
    return {"metric": name, "paper": f"{network}, {ALL_FRAMES}", "here": f"{here}, {settings['frames']}", "why": "; ".join(why)}


def own_row(summary, warping_error):
    """The judged set as a row of table 2, in percent; total None without a warping error."""
    terms = {name: summary[name]["value"] * factor for name, (_, factor) in TERMS.items()}
    total = None if warping_error is None else paper.med_vbench_total(**terms, warping_error=warping_error)
    return {"model": "your clips", "group": "here", "total": total, **terms, "warping_error": warping_error}


def sentence(different, ours, warping_error):
    """What may be compared, in plain words."""
    if different:
        names = "; ".join(f"{line['metric']}: {line['why']}" for line in different)
        return f"Your clips are not in this table, because their numbers do not mean the same. What differs: {names}. " + (
            "A total would need all four terms from the paper's networks, so the warping error that was given is not used. "
            if warping_error is not None else "") + "Take --backbone parity for the paper's settings."
    if ours["total"] is None:
        return "Measured with the paper's networks and frames. The total needs the human warping error (--warping-error). " + PROMPTS
    return ("Measured with the paper's networks and frames. The total is the paper's: five terms divided by six, so that 83.33 is the "
            "most there is. ") + PROMPTS
