"""NIfTI volumes as pictures: orientation, square pixels, time, and what is said of a file that cannot be used."""

import nibabel
import numpy as np
import pytest

from medgen_kit.errors import KitError
from medgen_kit.sources import brain, from_nifti

ENDS = {"right": (0, -1), "left": (0, 0), "front": (1, -1), "back": (1, 0), "head": (2, -1), "feet": (2, 0)}


def marked(path, side, axcodes="RAS", zooms=(1, 1, 1), shape=(12, 12, 12)):
    """A volume that is bright at one side of the body, stored with its axes towards `axcodes`."""
    values = np.zeros(shape, np.float32)
    axis, end = ENDS[side]
    np.moveaxis(values, axis, 0)[end] = 100
    image = nibabel.Nifti1Image(values, np.diag([*zooms, 1.0]))
    wanted = nibabel.orientations.axcodes2ornt(axcodes)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), wanted)
    nibabel.save(image.as_reoriented(turn), path)
    return path


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "PIR", "ASL"])
@pytest.mark.parametrize(("plane", "side", "edge"), [
    ("axial", "front", "top"), ("axial", "left", "right"), ("coronal", "head", "top"), ("coronal", "left", "right"),
    ("sagittal", "head", "top"), ("sagittal", "front", "left")])
def test_display_is_radiological_however_the_axes_are_stored(tmp_path, axcodes, plane, side, edge):
    frame = from_nifti(marked(tmp_path / "a.nii.gz", side, axcodes), plane, window=(50, 101), count=1, start=5, stop=5).frames[0, ..., 0]
    edges = {"top": frame[0], "bottom": frame[-1], "left": frame[:, 0], "right": frame[:, -1]}
    assert edges[edge].mean() > 250 and all(other.mean() < 60 for name, other in edges.items() if name != edge)


def test_a_sweep_goes_from_start_to_stop(tmp_path):
    values = np.arange(10, dtype=np.float32)[None, None] * np.ones((8, 8, 1), np.float32)
    image = nibabel.Nifti1Image(values, np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, -9], [0, 0, 0, 1.0]]))
    nibabel.save(image, tmp_path / "ramp.nii")
    up = from_nifti(tmp_path / "ramp.nii", window=(5.0, 11))
    assert up.facts["positions_mm"] == list(range(-9, 10, 2)) and len(up.frames) == 10
    assert np.all(np.diff(up.frames[:, 4, 4, 0].astype(int)) > 0)
    down = from_nifti(tmp_path / "ramp.nii", window=(5.0, 11), start=9, stop=-9)
    assert (down.frames == up.frames[::-1]).all()
    between = from_nifti(tmp_path / "ramp.nii", window=(5.0, 11), start=-8, stop=-8, count=1).frames[0, 0, 0, 0]
    assert abs(int(between) - (int(up.frames[0, 0, 0, 0]) + int(up.frames[1, 0, 0, 0])) / 2) <= 1


def test_voxels_become_square_pixels(tmp_path):
    path = marked(tmp_path / "a.nii", "head", zooms=(1, 2, 3), shape=(10, 20, 30))
    for plane, shape, side in (("axial", (40, 10), 1), ("coronal", (90, 10), 1), ("sagittal", (45, 20), 2)):
        picture = from_nifti(path, plane, count=2)
        assert picture.frames.shape[1:3] == shape and picture.spacing == (side, side)


def test_time_one_volume_or_one_slice(tmp_path):
    values = np.zeros((6, 6, 4, 5), np.int16)
    values += (np.arange(5) * 10).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.header.set_zooms((1, 1, 1, 500))
    image.header.set_xyzt_units("mm", "msec")
    nibabel.save(image, tmp_path / "time.nii.gz")
    third = from_nifti(tmp_path / "time.nii.gz", volume=2, window=(20, 41))
    assert len(third.frames) == 4 and third.fps is None and abs(int(third.frames.mean()) - 130) <= 4
    cine = from_nifti(tmp_path / "time.nii.gz", cine_at=2, window=(20, 41))
    assert cine.fps == pytest.approx(2.0) and np.all(np.diff(cine.frames[:, 0, 0, 0].astype(int)) > 0)
    with pytest.raises(KitError, match="volumes 0 to 4"):
        from_nifti(tmp_path / "time.nii.gz", volume=5)


def test_values_that_are_not_numbers(tmp_path):
    values = np.ones((5, 5, 5), np.float32)
    values[2], values[0, 0, 0] = np.nan, 9
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "nan.nii")
    assert from_nifti(tmp_path / "nan.nii", window=(5, 10)).frames.max() > 0


def test_the_template_is_read_in_its_own_space():
    picture = from_nifti(brain.path(), "axial", start=4, stop=4, count=1)
    again = from_nifti(brain.path(), "axial", start=4, stop=4, count=1)
    assert picture.frames.shape == (1, 233, 197, 3) and (picture.frames == again.frames).all()
    assert (picture.frames[0, ..., 0] > 60).mean() > 0.3


@pytest.mark.parametrize(("make", "words"), [
    (lambda p: p.write_bytes(b""), "is empty"), (lambda p: p.write_bytes(b"hello" * 200), "not a NIfTI image"),
    (lambda p: p.mkdir(), "is a folder"), (lambda p: None, "no such file")])
def test_what_is_not_a_nifti(tmp_path, make, words):
    path = tmp_path / "wrong.nii.gz"
    make(path)
    with pytest.raises(KitError, match=words) as caught:
        from_nifti(path)
    assert "wrong.nii.gz" in str(caught.value)


def test_truncated_files_are_named(tmp_path):
    rng = np.random.default_rng(0)
    image = nibabel.Nifti1Image(rng.integers(0, 4000, (30, 30, 30)).astype(np.int16), np.eye(4))
    for name in ("a.nii", "b.nii.gz"):
        nibabel.save(image, tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for part in (0.5, 0.98):
            short = tmp_path / f"cut_{name}"
            short.write_bytes(whole[:int(part * len(whole))])
            with pytest.raises(KitError, match="cut_"):
                from_nifti(short)


def test_flat_pictures_wrong_planes_and_places(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8), np.int16), np.eye(4)), tmp_path / "flat.nii")
    with pytest.raises(KitError, match="not a volume"):
        from_nifti(tmp_path / "flat.nii")
    path = marked(tmp_path / "a.nii", "head")
    for options, words in (({"plane": "oblique"}, "no plane 'oblique'"), ({"start": 50}, "0 to 11 mm"), ({"count": 0}, "at least 1"),
                           ({"cine_at": 3}, "no time axis")):
        with pytest.raises(KitError, match=words):
            from_nifti(path, **options)
