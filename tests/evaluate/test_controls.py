"""Controls: spoiled clips are really spoiled, and the verdict tells a metric that sees from one that is blind."""

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import clinical, controls, metrics


def clips(count=6):
    out = np.zeros((count, 9, 32, 32, 3), np.uint8)
    for i in range(count):
        for t in range(9):
            out[i, t, 8 + i:20 + i, 3 * t:3 * t + 6] = 120 + 15 * i
    return out


def test_each_control_spoils_what_it_says():
    real = clips()
    assert (controls.spoil(real, "still") == real[:, :1]).all()
    assert np.array_equal(controls.spoil(real, "backwards")[:, 0], real[:, -1])
    mixed = controls.spoil(real, "shuffled")
    assert (mixed != real).any((1, 2, 3, 4)).all() and np.array_equal(np.sort(mixed, 1), np.sort(real, 1))
    assert np.array_equal(controls.spoil(real, "wrong prompt")[1], real[0])
    assert np.array_equal(controls.spoil(real, "noisy", 3), controls.spoil(real, "noisy", 3))
    with pytest.raises(KitError, match="no control 'upside down'"):
        controls.spoil(real, "upside down")


def test_verdicts():
    real = [0.8, 0.9, 0.7, 0.8]
    assert controls.verdict(real, real) == "blind"
    assert controls.verdict(real, [x - 0.3 for x in real]) == "sees it"
    assert controls.verdict(real, [x - 0.3 for x in real], better=-1) == "prefers it"
    assert controls.verdict(real, [0.9, 0.8, 0.75, 0.75]) == "blind"
    assert controls.verdict([None] * 4, real) == "not measured"


def test_consistency_is_blind_to_reversed_time_and_prefers_a_still_clip():
    def direction(found):
        return [float(np.sign((clip[-1].mean((0, 2)) - clip[0].mean((0, 2))) @ np.arange(32))) for clip in found]

    names = "subject_consistency", "temporal_flickering"
    tried = {names: (lambda found: [metrics.values(metrics.measure(c, 8, names=names)) for c in found], metrics.BETTER),
             "direction": (direction, 1)}
    rows = {(row["metric"], row["control"]): row["verdict"] for row in controls.examine(clips(), tried, ["still", "backwards", "noisy"])}
    assert rows["temporal_flickering", "backwards"] == "blind" and rows["temporal_flickering", "still"] == "prefers it"
    assert rows["subject_consistency", "still"] == "prefers it"
    assert rows["temporal_flickering", "noisy"] == "sees it" and rows["direction", "backwards"] == "sees it"
    table = controls.wide(controls.examine(clips(), tried, ["still"]))
    assert [row["metric"] for row in table] == ["subject_consistency", "temporal_flickering", "direction"]


def test_concept_marks_by_hand():
    names = ["finding/polyp", "motion/advancing", "motion/withdrawing"]
    present, known = [[1, 1, 0], [0, 0, 1]], [[1, 1, 1], [0, 1, 1]]
    logits = [[2.0, -1.0, -3.0], [5.0, 1.0, 4.0]]
    rows = {row["axis"]: row for row in clinical.concept_marks(logits, present, known, names)}
    assert rows["finding"] | {} == {"axis": "finding", "shown": 1.0, "absent": None, "balanced": None, "asked": 1, "excluded": 0}
    assert rows["motion"]["shown"] == 0.5 and rows["motion"]["absent"] == 0.5 and rows["all"]["asked"] == 3
    with pytest.raises(KitError, match="same clips"):
        clinical.concept_marks(logits, present, known, names[:2])
