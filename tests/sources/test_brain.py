"""Brain sweeps: direction, anatomy in the captions, jitter, and one table of factors with the simulators."""

import itertools

import numpy as np
import pytest

from medgen_kit import sources
from medgen_kit.errors import KitError
from medgen_kit.sources import brain

ALL = [{"plane": plane, "direction": direction} for plane, direction in itertools.product(*brain.FACTORS.values())]


def fixed(plane, direction, frames=9, size=32):
    places = np.linspace(*brain.SPAN[plane], frames)[:: 1 if direction == "forward" else -1]
    return brain.sweep(plane, places, size)


@pytest.mark.parametrize("plane", brain.FACTORS["plane"])
def test_the_ends_of_a_sweep_look_different(plane):
    grey = fixed(plane, "forward")
    assert (grey == fixed(plane, "backward")[::-1]).all()
    ends = np.abs(grey[0] - grey[-1]).mean()
    assert ends > 0.12 and np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2)).min() > 0.01
    start = brain.SPAN[plane][0]
    assert ends > 3 * np.abs(brain.sweep(plane, [start], 32) - brain.sweep(plane, [start + 2], 32)).mean()


def test_direction_and_plane_can_be_told_by_nearest_mean():
    """A classifier as plain as a nearest mean image sequence reads plane and direction, so a tiny model can."""
    def make(seed):
        return [brain.render([f] * 8, np.random.default_rng(seed), 9, 24).reshape(8, -1).astype(float) for f in ALL]

    means = np.stack([clips.mean(0) for clips in make(0)])
    hits = [np.argmin(((means - clip) ** 2).sum(1)) == i for i, clips in enumerate(make(1)) for clip in clips]
    assert np.mean(hits) == 1


def test_clips_differ_and_are_repeatable():
    first, again = (brain.render([ALL[0]] * 3, np.random.default_rng(5), 9, 32) for _ in range(2))
    assert (first == again).all() and first.dtype == np.uint8 and first.shape == (3, 9, 32, 32, 3)
    assert np.abs(first[0].astype(int) - first[1]).mean() > 3


def test_zoom_and_shift_move_the_picture():
    plain = brain.sweep("axial", [10], 64)[0]
    right = brain.sweep("axial", [10], 64, shift=(0, 15))[0]
    column = [(image.sum(0) @ np.arange(64)) / image.sum() for image in (plain, right)]
    assert column[1] - column[0] == pytest.approx(15 / brain.FIELD * 64, abs=0.2)
    assert (brain.sweep("axial", [10], 64, zoom=1.3) > 0.1).sum() > 1.4 * (plain > 0.1).sum()


@pytest.mark.parametrize("factors", ALL, ids=lambda f: "-".join(f.values()))
def test_captions_name_plane_direction_and_course(factors):
    other = "backward" if factors["direction"] == "forward" else "forward"
    seen = set()
    for seed in range(40):
        brief, detailed = brain.describe(factors, np.random.default_rng(seed))
        seen.add(detailed)
        assert len(brief.split()) <= 30
        for text in (brief, detailed):
            assert factors["plane"] in text.lower() and factors["direction"] in text and other not in text
            assert brain.TOWARDS[factors["plane"], factors["direction"]] in text
            assert brain.TOWARDS[factors["plane"], other] not in text
    assert len(seen) > 10


def test_anatomy_follows_the_slice_position():
    assert "cerebellum" in brain.anatomy("axial", -40) and "cerebellum" not in brain.anatomy("axial", 40)
    assert {"thalami", "lateral ventricles"} <= set(brain.anatomy("axial", 8))
    assert "occipital lobes" in brain.anatomy("coronal", -90) and "frontal lobes" in brain.anatomy("coronal", 50)
    assert "corpus callosum" in brain.anatomy("sagittal", -3) and "temporal lobe" in brain.anatomy("sagittal", -50)
    _, low = brain.describe(ALL[0], np.random.default_rng(0), (-44, -20))
    _, high = brain.describe(ALL[0], np.random.default_rng(0), (30, 60))
    assert "cerebellum" in low and "cerebellum" not in high and "parietal lobes" in high


def test_the_named_ventricles_are_dark_where_the_caption_says():
    """An independent look at the table: at the heights named for the lateral ventricles the middle of the brain holds dark fluid."""
    inside = {z: (brain.sweep("axial", [z], 95)[0][30:65, 37:58] < 0.45).mean() for z in (14, 20, 52)}
    assert inside[14] > 2 * inside[52] and inside[20] > 3 * inside[52]


def test_one_table_of_factors_for_simulators_and_brain():
    combinations = sources.combinations()
    assert len(combinations) == 164 and sum(c["modality"] == "brain" for c in combinations) == 6
    assert sources.FACTORS["brain.plane"] == brain.FACTORS["plane"] and {"brain.direction", "echo.wall_motion"} <= set(sources.MOTION)
    held = [c for c in combinations if sources.is_held_out(c)]
    assert [c for c in held if c["modality"] == "brain"] == [{"modality": "brain", "brain.plane": "coronal", "brain.direction": "backward"}]
    for flat in combinations[::13] + combinations[-6:]:
        brief, detailed = sources.describe(flat, np.random.default_rng(0))
        assert len(brief.split()) <= 30 < len(detailed.split()) and sources.title(flat, np.random.default_rng(0))


def test_render_serves_any_mix_and_clip_i_depends_on_itself_only():
    mix = [c for i, c in enumerate(sources.combinations()) if i % 20 == 3] + sources.combinations()[-2:]
    clips = sources.render(mix, seed=4, frames=9, size=32)
    assert clips.shape == (len(mix), 9, 32, 32, 3) and (clips == sources.render(mix, seed=4, frames=9, size=32)).all()
    swapped = mix[::-1][1:] + mix[-1:]
    swapped[0], swapped[-1] = mix[0], mix[-1]
    other = sources.render(swapped, seed=4, frames=9, size=32)
    assert (other[0] == clips[0]).all() and (other[-1] == clips[-1]).all()
    assert not (sources.render(mix, seed=5, frames=9, size=32) == clips).all()


def test_wrong_factors_are_named():
    with pytest.raises(KitError, match="brain.plane 'oblique'"):
        sources.render([{"modality": "brain", "brain.plane": "oblique", "brain.direction": "forward"}], 0)
    with pytest.raises(KitError, match="at least one"):
        sources.render([], 0)
