"""The simulators: what they draw follows from the factors, moves the right way, and can be read back from small clips."""

import collections

import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.sources import simulate as sim

EVERY = sim.combinations()
WORDS = {
    "echo": {"view": {"apical four-chamber": ("apical four-chamber", "apex"), "parasternal short-axis": ("parasternal",)},
             "wall_motion": {"normal": ("normal wall motion", "vigorous contraction", "brisk systolic contraction", "normal contraction"),
                             "reduced": ("reduced wall motion", "hypokinetic", "reduced contraction", "hypokinesia")},
             "chamber": {"normal": ("normal-sized", "of normal size"), "dilated": ("dilated", "enlarged")},
             "effusion": {"none": ("no pericardial effusion", "no fluid", "no sign of pericardial"),
                          "pericardial effusion": ("pericardial effusion",)}},
    "ecg": {"rate": {"slow": ("bradycardia", "slow"), "fast": ("tachycardia", "fast heart rate", "rapid")},
            "event": {"sinus rhythm": ("sinus rhythm",), "asystole": ("asystol", "standstill")},
            "st_segment": {"isoelectric": ("isoelectric", "no st segment elevation", "on the baseline"),
                           "elevated": ("st segment elevation", "elevated st", "st elevation")},
            "pleth": {"hidden": ("no plethysmograph",), "shown": ("a plethysmograph",)}},
    "ctmr": {"region": {"chest CT": ("chest", "thoracic"), "abdominal CT": ("abdom",), "brain MRI": ("brain",)},
             "direction": {"head to feet": ("head to feet", "towards the feet"), "feet to head": ("feet to head", "towards the head")},
             "lesion": {"none": ("no lesion", "no focal lesion", "no visible lesion"), "left": ("left",), "right": ("right",)},
             "contrast": {"none": ("without", "no contrast"), "enhanced": ("with contrast", "contrast-enhanced", "after intravenous")}},
}
OPPOSITES = {"echo.wall_motion": "wall_motion", "ecg.event": "event", "ctmr.direction": "direction"}


def draws(modality, count, seed=0, size=32, frames=9, **fixed):
    """`count` clips of every combination of a modality that has the `fixed` factors: (flats, clips)."""
    flats = [flat for flat in sim.of_modality(modality) if all(flat[f"{modality}.{k}"] == v for k, v in fixed.items())] * count
    return flats, sim.simulate(flats, seed, frames, size)


def test_there_are_158_combinations_and_a_fifth_of_each_modality_is_held_out():
    assert len(EVERY) == 158 and len({tuple(sorted(flat.items())) for flat in EVERY}) == 158
    counts = collections.Counter(flat["modality"] for flat in EVERY)
    held = collections.Counter(flat["modality"] for flat in sim.held_out())
    assert counts == {"echo": 16, "endoscopy": 24, "laparoscopy": 24, "microscopy": 18, "ecg": 16, "ctmr": 36, "slide": 24}
    assert all(held[name] >= 0.2 * counts[name] for name in counts) and sum(held.values()) <= 0.25 * len(EVERY)


def test_every_pair_of_values_still_occurs_in_training():
    training = {pair for flat in EVERY if not sim.is_held_out(flat) for pair in sim.pairs(flat)}
    assert training == {pair for flat in EVERY for pair in sim.pairs(flat)}


def test_motion_values_share_the_held_out_combinations_evenly():
    for name in sim.MOTION:
        counts = [sum(flat.get(name) == value for flat in sim.held_out()) for value in sim.FACTORS[name]]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 1


def test_same_seed_same_bytes_and_a_clip_does_not_depend_on_its_batch():
    clips = sim.simulate(EVERY, 3, 5, 24)
    assert np.array_equal(clips, sim.simulate(EVERY, 3, 5, 24))
    mixed = [flat if i % 2 == 0 else EVERY[(i + 40) % len(EVERY)] for i, flat in enumerate(EVERY)]
    assert np.array_equal(clips[::2], sim.simulate(mixed, 3, 5, 24)[::2])
    assert np.array_equal(clips[:9], sim.simulate(EVERY[:9], 3, 5, 24))
    assert not np.array_equal(clips, sim.simulate(EVERY, 4, 5, 24))


@pytest.mark.parametrize("frames, size", [(2, 33), (9, 32), (5, 64), (3, 128)])
def test_any_size_and_length(frames, size):
    one = [next(flat for flat in EVERY if flat["modality"] == name) for name in sim.SIMULATORS]
    clips = sim.simulate(one, 0, frames, size)
    assert clips.shape == (7, frames, size, size, 3) and clips.dtype == np.uint8
    assert all(clip.std() > 8 for clip in clips)


def test_geometry_does_not_depend_on_the_size():
    small, large = sim.simulate(EVERY, 1, 3, 32).astype(float), sim.simulate(EVERY, 1, 3, 128).astype(float)
    shrunk = large.reshape(len(EVERY), 3, 32, 4, 32, 4, 3).mean((3, 5))
    for a, b in zip(small, shrunk):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.85


def test_clips_of_one_combination_are_not_clones():
    for name in sim.SIMULATORS:
        clips = sim.simulate([sim.of_modality(name)[0]] * 12, 0).astype(float)
        away = [np.abs(clips[i] - clips[j]).mean() for i in range(12) for j in range(i)]
        assert min(away) > 2


@pytest.mark.parametrize("name", sim.SIMULATORS)
def test_briefs_are_short_and_captions_vary(name):
    rng = np.random.default_rng(0)
    for flat in sim.of_modality(name):
        briefs, details = zip(*(sim.describe(flat, rng) for _ in range(40)))
        assert max(len(text.split()) for text in briefs) <= 30
        assert all(45 <= len(text.split()) <= 110 for text in details)
        assert len(set(details)) >= 30 and len({sim.title(flat, rng) for _ in range(40)}) >= 5
        assert not any(mark in text for text in briefs + details for mark in "{}<>|")


@pytest.mark.parametrize("name", WORDS)
def test_captions_name_every_factor_and_no_opposite_motion(name):
    rng = np.random.default_rng(1)
    for flat in sim.of_modality(name):
        for _ in range(10):
            for text in map(str.lower, sim.describe(flat, rng)):
                for factor, values in WORDS[name].items():
                    value = flat[f"{name}.{factor}"]
                    assert any(word in text for word in values[value]), (factor, value, text)
                    if f"{name}.{factor}" in OPPOSITES:
                        others = [word for other, words in values.items() if other != value for word in words]
                        assert not any(word in text for word in others), (factor, value, text)


def cavity(clips):
    """Black area (pixels) inside the left ventricle's neighbourhood, per frame."""
    size = clips.shape[2]
    window = clips[:, :, int(0.2 * size):int(0.72 * size), int(0.38 * size):int(0.78 * size), 0]
    return (window < 40).sum((2, 3)).astype(float)


@pytest.mark.parametrize("view", sim.echo.FACTORS["view"])
def test_a_normal_heart_empties_in_systole_and_a_hypokinetic_one_hardly_does(view):
    ratios = {}
    for motion in ("normal", "reduced"):
        area = cavity(draws("echo", 8, size=64, view=view, wall_motion=motion)[1])
        ratios[motion] = area[:, 4] / area[:, 0]
        assert np.all(np.abs(area[:, 8] / area[:, 0] - 1) < 0.35)
    assert ratios["normal"].max() < 0.6 and ratios["reduced"].min() > 0.8


def test_a_dilated_ventricle_is_larger():
    size = {chamber: cavity(draws("echo", 8, size=64, chamber=chamber)[1])[:, 0].mean() for chamber in ("normal", "dilated")}
    assert size["dilated"] > 1.2 * size["normal"]


def test_the_reversed_scroll_is_the_mirror_in_time():
    for region in sim.ctmr.FACTORS["region"]:
        down, up = (draws("ctmr", 6, region=region, direction=way, lesion="none")[1].astype(float).mean(0)
                    for way in sim.ctmr.FACTORS["direction"])
        same, mirrored = np.corrcoef(down.ravel(), up.ravel())[0, 1], np.corrcoef(down.ravel(), up[::-1].ravel())[0, 1]
        assert mirrored > 0.95 and mirrored > same + 0.05
    brain = draws("ctmr", 4, region="brain MRI", direction="head to feet")[1][..., 0]
    assert (brain[:, 0] > 40).sum() < 0.5 * (brain[:, 4] > 40).sum()            # the vertex comes first


def test_the_patients_left_lesion_is_on_the_right_of_the_image():
    for side, sign in (("left", 1), ("right", -1)):
        with_it = draws("ctmr", 6, lesion=side)[1][:, 4, :, :, 0].astype(float).mean(0)
        without = draws("ctmr", 6, lesion="none")[1][:, 4, :, :, 0].astype(float).mean(0)
        brighter = np.maximum(with_it - without, 0)
        assert sign * (brighter[:, 16:].sum() - brighter[:, :16].sum()) > 0.5 * brighter.sum()


def beats_drawn(clips):
    """Per clip: share of the last frame's columns right of the first third that hold trace high above the baseline."""
    size = clips.shape[2]
    part = clips[:, -1, int(0.1 * size):int(0.28 * size), int(0.36 * size):int(0.70 * size)].astype(int)
    return ((part[..., 1] > 150) & (part[..., 1] > part[..., 0] + 40)).any(1).mean(1)


def test_asystole_draws_no_beats_after_the_first_third():
    for rate in ("slow", "fast"):
        assert beats_drawn(draws("ecg", 6, size=64, rate=rate, event="asystole")[1]).max() == 0
        assert beats_drawn(draws("ecg", 6, size=64, rate=rate, event="sinus rhythm")[1]).min() > 0.05


def test_a_fast_rhythm_draws_more_beats():
    few, many = (beats_drawn(draws("ecg", 6, size=64, rate=rate, event="sinus rhythm", st_segment="isoelectric")[1]).mean()
                 for rate in ("slow", "fast"))
    assert many > 1.6 * few


def explained(clips, labels):
    """Share of the variance of clips [N, P] that the class means explain (corrected for the noise in the means)."""
    total, values = ((clips - clips.mean(0)) ** 2).sum(), sorted(set(labels))
    between = sum((labels == v).sum() * ((clips[labels == v].mean(0) - clips.mean(0)) ** 2).sum() for v in values)
    return between / total - (len(values) - 1) / (len(clips) - 1)


@pytest.mark.parametrize("name", sim.SIMULATORS)
def test_factors_change_the_mean_clip(name):
    flats, clips = draws(name, max(3, 200 // len(sim.of_modality(name))))
    flat_clips = clips.reshape(len(clips), -1).astype(np.float32)
    for factor in sim.SIMULATORS[name].FACTORS:
        share = explained(flat_clips, np.array([flat[f"{name}.{factor}"] for flat in flats]))
        assert share > (0.045 if f"{name}.{factor}" in sim.MOTION else 0.02), (factor, share)


@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_every_factor_can_be_read_from_128_eigenframes():
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    seen, unseen = EVERY * 6, EVERY * 2
    clips, fresh = (sim.simulate(flats, seed, 9, 32).astype(np.float32) / 255 for flats, seed in ((seen, 5), (unseen, 6)))
    eigenframes = PCA(128, svd_solver="randomized", random_state=0, iterated_power=1).fit(clips.reshape(-1, 3072)[::7])
    codes, fresh_codes = (eigenframes.transform(c.reshape(-1, 3072)).reshape(len(c), -1) for c in (clips, fresh))
    for name, values in sim.FACTORS.items():
        train, test = ([i for i, flat in enumerate(flats) if name in flat] for flats in (seen, unseen))
        model = LogisticRegression(max_iter=60, C=0.05).fit(codes[train], [seen[i][name] for i in train])
        right = model.score(fresh_codes[test], [unseen[i][name] for i in test])
        assert right >= 0.95, (name, values, right)


@pytest.mark.parametrize("change, hint", [({"modality": "ekg"}, "ecg"), ({"ecg.rate": "slowly"}, "slow"), ({"ecg.rat": "slow"}, "ecg.rate"),
                                          ({"ctmr.region": "brain MRI"}, "Factors")])
def test_an_unknown_word_is_refused_and_the_nearest_named(change, hint):
    flat = sim.of_modality("ecg")[0] | change
    for call in (lambda: sim.simulate([flat], 0), lambda: sim.describe(flat, np.random.default_rng(0)), lambda: sim.is_held_out(flat)):
        with pytest.raises(KitError, match=hint):
            call()


def test_a_missing_factor_and_a_senseless_size_are_refused():
    flat = sim.of_modality("ecg")[0]
    with pytest.raises(KitError, match="lack ecg.pleth"):
        sim.simulate([{k: v for k, v in flat.items() if k != "ecg.pleth"}], 0)
    for frames, size in ((1, 32), (9, 4)):
        with pytest.raises(KitError, match="at least"):
            sim.simulate([flat], 0, frames, size)
