"""Results carry their settings, refuse unequal ones, and are averaged in both of VBench's ways."""

import json

import pytest

from medgen_kit import KitError
from medgen_kit.evaluate.result import MetricResult, aggregate, comparable, differences

SETTINGS = {"backbone": "clip", "weights": "ab12", "resize": "short side 224 bicubic", "versions": {"torch": "2.13.0"}}


def result(value, weight=1, **changes):
    return MetricResult("background_consistency", value, "" if value is not None else "one frame", weight, settings=SETTINGS | changes)


def test_no_value_needs_a_reason_and_nan_is_never_kept():
    with pytest.raises(KitError, match="needs a reason"):
        MetricResult("sharpness", None)
    broken = MetricResult("sharpness", float("nan"))
    assert broken.value is None and "finite" in broken.reason
    json.dumps(broken.as_dict(), allow_nan=False)


def test_different_settings_are_refused_by_name():
    assert differences(result(0.5), result(0.6)) == {}
    other = result(0.6, weights="ffff", versions={"torch": "2.12.0"})
    assert differences(result(0.5), other) == {"weights": ("ab12", "ffff"), "version of torch": ("2.13.0", "2.12.0")}
    with pytest.raises(KitError, match="weights is 'ab12' .* 'ffff'.*version of torch"):
        comparable([result(0.5), other])
    with pytest.raises(KitError, match="two metrics"):
        comparable([result(0.5), MetricResult("subject_consistency", 0.5, settings=SETTINGS)])
    assert differences(result(0.5, device="cpu"), result(0.5, device="cuda")) == {}


def test_both_weightings_and_what_is_missing():
    results = [result(0.2, 1), result(0.8, 3), result(None)]
    videos, frames = aggregate(results), aggregate(results, "frames")
    assert videos["value"] == pytest.approx(0.5) and frames["value"] == pytest.approx((0.2 + 2.4) / 4)
    assert videos["n"] == 2 and videos["missing"] == 1 and videos["low"] == pytest.approx(0.2) and videos["high"] == pytest.approx(0.8)
    assert aggregate([result(None)]) == {"value": None, "low": None, "high": None, "n": 0, "missing": 1}
    with pytest.raises(KitError, match="weighting"):
        aggregate(results, "gpus")


def test_groups():
    found = aggregate([result(0.2), result(0.4), result(0.9)], groups=["echo", "echo", "ct"])
    assert list(found) == ["all", "echo", "ct"] and found["echo"]["value"] == pytest.approx(0.3) and found["ct"]["low"] is None
    with pytest.raises(KitError, match="one label per result"):
        aggregate([result(0.2)], groups=["echo", "ct"])


def test_a_series_never_holds_what_json_can_not():
    broken = MetricResult("sharpness", 1.0, per_frame=[1.0, float("nan")])
    assert broken.per_frame == [1.0, None]
    json.dumps(broken.as_dict(), allow_nan=False)
