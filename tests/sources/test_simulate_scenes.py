"""Endoscopy, laparoscopy, microscopy, slide: shapes, captions, visible factors and physically right motion."""

import itertools
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest

from medgen_kit.sources.simulate import draw, endoscopy, laparoscopy, microscopy, slide

SCENES = (endoscopy, laparoscopy, microscopy, slide)
SAID = {  # at least one of these words stands in every caption of the value
    "normal": ("normal", "healthy", "unremarkable"), "inflamed": ("inflamed",), "colon": ("colon", "bowel", "colonoscopy"),
    "stomach": ("stomach", "gastric", "gastroscopy"), "advancing": ("advanc", "forward"),
    "withdrawing": ("withdr", "back", "retreat", "retract"),
    "left wall": ("left",), "right wall": ("right",),
    "entering": ("enter", "entry", "insert", "introduc"), "left": ("left",), "right": ("right",),
    "present": ("smoke",), "liver": ("liver",), "fat": ("adipose", "fat"), "gallbladder": ("gallbladder",),
    "haematoxylin-eosin": ("haematoxylin", "h&e"), "fluorescence": ("fluoresc",), "phase contrast": ("phase contrast", "phase-contrast"),
    "drifting left": ("left",), "drifting right": ("right",), "dividing": ("divi", "mitosis"),
    "sparse": ("sparse", "few other"), "dense": ("dense", "crowded"), "heart": ("heart",), "lungs": ("lung",), "kidney": ("kidney",),
    "neuron": ("neuron", "nerve cell"), "left to right": ("from left to right",), "right to left": ("from right to left",),
    "circling": ("circl",), "light": ("light", "white"), "dark": ("dark",),
}
OPPOSITE = {"advancing": ("backward", "withdr", "pulled back"), "withdrawing": ("forward", "advanc"),
            "entering": ("withdr", "pulled back"),
            "drifting left": ("right", "divid", "mitosis"), "drifting right": ("left", "divid", "mitosis"),
            "dividing": ("drift", "left", "right"),
            "left to right": ("right to left", "circl"), "right to left": ("left to right", "circl"), "circling": ("left to", "right to")}


def combinations(scene):
    return [dict(zip(scene.FACTORS, values)) for values in itertools.product(*scene.FACTORS.values())]


@pytest.fixture(scope="module", params=SCENES, ids=lambda scene: scene.NAME)
def drawn(request):
    """A scene, 12 clips of each combination at 32x32x9, and their factors."""
    scene = request.param
    rows = combinations(scene) * 12
    return SimpleNamespace(scene=scene, rows=rows, frames=scene.render(rows, np.random.default_rng(3), 9, 32))


def labels(drawn, name):
    return np.array([drawn.scene.FACTORS[name].index(row[name]) for row in drawn.rows])


def only(scene, count=8, size=32, frames=9, seed=0, **fixed):
    """Clips float32 [N, T, S, S, 3] in 0..1 of combinations that agree with `fixed`, and their factors."""
    rows = [row for row in combinations(scene) if all(row[k] == v for k, v in fixed.items())] * count
    return scene.render(rows, np.random.default_rng(seed), frames, size).astype(np.float32) / 255, rows


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.NAME)
@pytest.mark.parametrize("frames,size", [(9, 32), (2, 33), (5, 64), (3, 256)])
def test_shape_and_type_at_every_size(scene, frames, size):
    clips = scene.render(combinations(scene)[:3], np.random.default_rng(0), frames, size)
    assert clips.shape == (3, frames, size, size, 3) and clips.dtype == np.uint8
    assert clips.std() > 10


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.NAME)
def test_same_seed_same_clip_other_seed_other_clip_and_neighbours_do_not_matter(scene):
    rows = combinations(scene)[:4]
    first, again, other = (scene.render(rows, np.random.default_rng(s), 5, 32) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (np.abs(first.astype(int) - other).mean((1, 2, 3, 4)) > 1).all()
    keys = np.arange(4, dtype=np.uint64)
    together, alone = scene.render(rows, draw.Dice(keys), 5, 32), scene.render(rows[2:3], draw.Dice(keys[2:3]), 5, 32)
    assert np.array_equal(together[2], alone[0])


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.NAME)
def test_the_same_scene_at_two_sizes(scene):
    rows = combinations(scene)
    small, large = (scene.render(rows, np.random.default_rng(0), 3, size).astype(np.float32) for size in (32, 96))
    shrunk = large.reshape(len(rows), 3, 32, 3, 32, 3, 3).mean((3, 5))
    assert np.abs(small - shrunk).mean() < 6


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.NAME)
def test_captions_name_every_factor_and_vary(scene):
    rng = np.random.default_rng(0)
    for row in combinations(scene):
        drawn = [scene.describe(row, rng) for _ in range(40)]
        assert len({detailed for _, detailed in drawn}) >= 30
        assert len({brief for brief, _ in drawn}) >= 20
        for brief, detailed in drawn:
            assert len(brief.split()) <= 30 and 45 <= len(detailed.split()) <= 110
            for text in (brief, detailed):
                assert not set("{}|<>") & set(text) and text[0].isupper() and text.endswith(".")
                for name, value in row.items():
                    names_it(text.lower(), name, value)
        assert len({scene.title(row, rng) for _ in range(20)}) >= 4


def names_it(text, name, value):
    if value == "none":
        thing = "polyp" if name == "polyp" else "smoke"
        assert thing in text and any(word in text for word in ("no ", "not ", "without")), (value, text)
        return
    assert any(word in text for word in SAID[value]), (value, text)
    assert not any(re.search(rf"\b{word}", text) for word in OPPOSITE.get(value, ())), (value, text)


def test_every_factor_is_a_visible_share_of_the_picture(drawn):
    """Share of the clips' variance that the class means explain: motion at least .05, appearance at least .02."""
    x = drawn.frames.reshape(len(drawn.rows), -1).astype(np.float32)
    x -= x.mean(0)
    for name, values in drawn.scene.FACTORS.items():
        which = labels(drawn, name)
        between = sum((which == k).sum() * (x[which == k].mean(0) ** 2).sum() for k in range(len(values)))
        assert between / (x ** 2).sum() >= (0.05 if name in drawn.scene.MOTION else 0.02), name


def test_every_factor_can_be_read_from_128_components(drawn):
    """Ridge read-out on 128 principal components, trained on two thirds of the clips, right on at least .95 of the rest."""
    x = drawn.frames.reshape(len(drawn.rows), -1).astype(np.float32) / 255
    train = np.random.default_rng(0).permutation(len(x)) < len(x) * 2 // 3
    mean = x[train].mean(0)
    axes = np.linalg.svd(x[train] - mean, full_matrices=False)[2][:128]
    z = np.column_stack([(x - mean) @ axes.T, np.ones(len(x))])
    for name, values in drawn.scene.FACTORS.items():
        which = labels(drawn, name)
        weight = np.linalg.solve(z[train].T @ z[train] + 0.3 * np.eye(z.shape[1]), z[train].T @ np.eye(len(values))[which[train]])
        right = ((z[~train] @ weight).argmax(1) == which[~train]).mean()
        assert right >= 0.95, (name, right)


def test_clips_of_one_combination_are_not_clones(drawn):
    for row in combinations(drawn.scene)[::5]:
        clips = drawn.frames[[i for i, other in enumerate(drawn.rows) if other == row]].astype(np.float32)
        assert np.abs(clips[:, None] - clips[None]).mean((2, 3, 4, 5))[~np.eye(12, dtype=bool)].min() > 2


def test_the_lumen_grows_when_the_endoscope_advances():
    clips, rows = only(endoscopy, count=3, polyp="none")
    middle = clips[:, :, 6:26, 6:26].max(-1)
    area = (middle < 0.25).mean((2, 3))
    for clip, row in zip(area, rows):
        first, last = clip[:3].mean(), clip[-3:].mean()
        assert last > 1.8 * first if row["camera"] == "advancing" else first > 1.8 * last, row


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_polyp_sits_on_the_named_wall(side):
    clips, _ = only(endoscopy, polyp=f"{side} wall")
    plain, _ = only(endoscopy, polyp="none")
    change = np.abs(clips.mean(0) - plain.mean(0)).sum((0, 3))
    left, right = change[:, :16].sum(), change[:, 16:].sum()
    assert (left > 2 * right) if side == "left" else (right > 2 * left)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_grasper_comes_from_the_named_side_and_grows_when_entering(side):
    for instrument in ("entering", "withdrawing"):
        clips, _ = only(laparoscopy, instrument=instrument, side=side, smoke="none")
        if instrument == "withdrawing":
            clips = clips[:, ::-1]
        tool = np.abs(clips - clips[:, :1]).max(-1) > 0.2
        area = tool.mean((2, 3))
        assert (area[:, -1] > 0.12).all() and (area[:, 2] < 0.5 * area[:, -1]).all()
        assert (np.diff(area, axis=1) > -0.02).all()
        columns = tool[:, -1].mean((0, 1))
        near, far = (columns[:8], columns[-8:]) if side == "left" else (columns[-8:], columns[:8])
        assert near.mean() > 5 * far.mean()
        tip = [np.flatnonzero(t.any(0)).max() if side == "left" else 31 - np.flatnonzero(t.any(0)).min() for t in tool[:, -1]]
        assert min(tip) >= 18, "the jaws end beyond the middle"


def test_smoke_lifts_the_picture_and_lowers_contrast():
    hazy, _ = only(laparoscopy, smoke="present")
    clear, _ = only(laparoscopy, smoke="none")
    inner = np.s_[:, :, 8:24, 8:24]
    assert hazy[inner].mean() > clear[inner].mean() + 0.08
    assert hazy[inner].std((2, 3)).mean() < 0.85 * clear[inner].std((2, 3)).mean()


def bodies(clips):
    """Mask [N, T, S, S] of what differs in colour from the ground (the median pixel), for a sparse field."""
    return np.abs(clips - np.median(clips, (1, 2, 3), keepdims=True)).sum(-1) > 0.45


@pytest.mark.parametrize("event,sign", [("drifting left", -1), ("drifting right", 1)])
def test_the_cell_drifts_the_way_its_name_says(event, sign):
    body = bodies(only(microscopy, event=event, density="sparse")[0])
    x = (body * np.arange(32)).sum((2, 3)) / body.sum((2, 3))
    assert (sign * (x[:, -1] - x[:, 0]) > 14).all()
    assert (sign * np.diff(x, axis=1) > 0.5).all()


def test_the_daughters_move_apart():
    """One body in the middle at first; at the end the middle is empty and two bodies lie apart on the same diagonal."""
    body = bodies(only(microscopy, event="dividing", density="sparse")[0])
    y, x = np.mgrid[:32, :32] / 15.5 - 1
    along = x * np.cos(0.7) + y * np.sin(0.7)
    apart = np.stack([(body * along * half).sum((2, 3)) / (body * half).sum((2, 3)) for half in (along > 0, along < 0)])
    distance = apart[0] - apart[1]
    assert (distance[:, -1] > 2 * distance[:, 0]).all() and (np.diff(distance, axis=1) > -0.05).all()
    assert body[:, 0, 14:18, 14:18].mean() > 0.7 and body[:, -1, 14:18, 14:18].mean() < 0.1


def spot(clips):
    """x, y [N, T] in pixels of the green laser spot."""
    green = np.clip(clips[..., 1] - clips[..., 0] - 0.35, 0, None) * (clips[..., 1] > clips[..., 2] + 0.3)
    y, x = np.mgrid[:clips.shape[2], :clips.shape[3]]
    return ((green * a).sum((2, 3)) / green.sum((2, 3)) for a in (x, y))


@pytest.mark.parametrize("pointer,sign", [("left to right", 1), ("right to left", -1)])
def test_the_pointer_crosses_the_way_its_name_says(pointer, sign):
    x, y = spot(only(slide, pointer=pointer)[0])
    assert (sign * np.diff(x, axis=1) > 0).all()
    assert (sign * (x[:, -1] - x[:, 0]) > 20).all() and (np.ptp(y, axis=1) < 4).all()


def test_the_pointer_makes_one_full_circle():
    x, y = spot(only(slide, pointer="circling")[0])
    turn = np.unwrap(np.arctan2(y - 17.5, x - 15.5), axis=1)
    assert np.allclose(turn[:, -1] - turn[:, 0], 2 * np.pi, atol=0.3) and (np.diff(turn, axis=1) > 0.3).all()
    assert (y[:, 0] < 12).all(), "it starts at the top"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.NAME)
def test_two_hundred_clips_in_a_processor_second(scene):
    rows = (combinations(scene) * 5)[:96]
    best = min(seconds(scene, rows) for _ in range(3))
    assert len(rows) / best >= 200, f"{len(rows) / best:.0f} clips a second"


def seconds(scene, rows):
    start = time.process_time()
    scene.render(rows, np.random.default_rng(0), 9, 32)
    return time.process_time() - start
