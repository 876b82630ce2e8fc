"""A made-up finished run for the tests of the cards: a few records without files and a report with figures that nobody measured."""

import json

from medgen_kit.clip import Clip, write_folder

SHARES = {"appearance": 0.91, "motion": 0.72, "motion_unseen": 0.63, "all_factors": 0.54}
REPORT = {
    "sources": {"clips": 8, "simulated": 6, "real": 2, "combinations": 3, "held_out": 1},
    "align": {"recall_at_1": 0.31, "recall_at_5": 0.72, "chance_at_1": 0.02, "chance_at_5": 0.1, "test_clips": 50},
    "generate": {"train_seconds": 222.0, "steps": 1234, "parameters": 2_780_000},
    "ablation": {"rows": [{"training": "all parts", **SHARES}, {"training": "no REPA", **SHARES, "motion": 0.41}], "steps": 40},
    "tiny": {**SHARES, "real": {name: 0.99 for name in SHARES}, "guess": {name: 0.4 for name in SHARES}, "prompts": 120, "unseen": 40,
             "intervals": {name: [value - 0.05, value + 0.04] for name, value in SHARES.items()}, "train_seconds": 222.0,
             "per_factor": {"echo.view": 1.0, "echo.wall_motion": 0.5}},
    "augment": {"seeds": 2, "real_clips": 12, "extra_clips": 6, "test_clips": 24, "table": [
        {"task": "heart", "arm": "real only", "accuracy": 0.6, "difference": 0.0, "low": None, "high": None},
        {"task": "heart", "arm": "real + generated", "accuracy": 0.65, "difference": 0.05, "low": -0.02, "high": 0.12}]},
    "course": {"seconds": 1111, "notebooks": {}}}


def make(folder, **changes):
    """Write the run into `folder`; changes: {"section.key": value}, None takes the figure away. Returns the folder."""
    report = json.loads(json.dumps(REPORT))
    for place, value in changes.items():
        section, key = place.split(".")
        report[section][key] = value
    clips = []
    for number in range(8):
        held = number == 5
        real = number > 5
        factors = {} if number == 7 else {"modality": "echo", "echo.view": "apical" if number < 4 else "short-axis",
                                          "echo.wall_motion": "reduced" if held else "normal"}
        clips.append(Clip(folder / "sources" / "videos" / f"{number}.mp4", f"{number}.mp4", 96, 96, 8.0, 1.125, 90_000, "medical imaging",
                          camera_motion_type="still image" if number == 7 else "static shot", brief_caption="one two three",
                          detailed_caption="one two three four five six", source="pydicom: a.dcm" if real else "simulated: echo",
                          licence="MIT" if real else "CC BY 4.0", split="test" if held else "val" if number == 4 else "train",
                          factors=factors, extra={"held_out": held, "synthetic": not real}))
    write_folder(folder / "sources", clips)
    (folder / "generate").mkdir(exist_ok=True)
    manifest = {"profile": "cpu", "seed": 0, "version": "0.1.0", "process_peak_mib": 1500}
    (folder / "generate" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "stamp.json").write_text(json.dumps({"machine": {"cores": 2, "gpu": None}}))
    (folder / "report.json").write_text(json.dumps(report))
    return folder
