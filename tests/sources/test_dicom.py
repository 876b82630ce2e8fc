"""DICOM files as pictures: windowing, colour, timing, spacing, and what is said of a file that cannot be used."""

from importlib.resources import files

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medgen_kit.errors import KitError
from medgen_kit.sources import from_dicom, from_dicom_series
from medgen_kit.sources.picture import percentile_window, window

SHIPPED = files("pydicom") / "data" / "test_files"


def made(path, values, photometric="MONOCHROME2", signed=False, **fields):
    """Write a small DICOM file with these pixel values ([H, W], [T, H, W] or [..., 3]) and header fields."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.StudyDate, data.InstitutionName = "Doe^Jane", "4711", "20200101", "St Elsewhere"
    colour = values.shape[-1] == 3 and photometric in ("RGB", "YBR_FULL")
    data.SamplesPerPixel, data.PhotometricInterpretation = 3 if colour else 1, photometric
    shape = values.shape[:-1] if colour else values.shape
    data.Rows, data.Columns = shape[-2:]
    if len(shape) == 3:
        data.NumberOfFrames = shape[0]
    data.BitsAllocated = data.BitsStored = 8 * values.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(signed)
    if colour:
        data.PlanarConfiguration = 0
    for key, value in fields.items():
        setattr(data, key, value)
    data.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    data.save_as(path, enforce_file_format=True)
    return path


def test_window_is_the_linear_function_of_the_standard():
    values = np.arange(-1024, 2000, 7, dtype=np.int16)
    data = pydicom.Dataset()
    data.PhotometricInterpretation, data.BitsStored, data.WindowCenter, data.WindowWidth = "MONOCHROME2", 16, 40, 400
    data.PixelRepresentation, data.RescaleSlope, data.RescaleIntercept = 1, 1, 0
    theirs = apply_windowing(values, data)
    theirs = (theirs - theirs.min()) / np.ptp(theirs) * 255
    assert np.abs(window(values, 40, 400) - theirs).max() <= 0.51
    assert window(np.array([-161, 40, 240]), 40, 400).tolist() == [0, 128, 255]


def test_percentile_window_spans_the_percentiles():
    values = np.linspace(10, 110, 1001)
    centre, width = percentile_window(values, 10, 90)
    grey = window(values, centre, width)
    assert grey[100] <= 1 and grey[99] == 0 and grey[900] >= 254 and grey[500] in (127, 128)


def test_ct_is_rescaled_and_seen_through_a_soft_tissue_window():
    picture = from_dicom(SHIPPED / "CT_small.dcm")
    stored = pydicom.dcmread(SHIPPED / "CT_small.dcm").pixel_array
    assert picture.modality == "CT" and picture.frames.shape == (1, 128, 128, 3) and picture.is_still and picture.fps is None
    assert (picture.frames[0, ..., 0] == window(stored.astype(float) - 1024, 40, 400)).all()
    assert picture.spacing == pytest.approx((0.661468, 0.661468))
    lung = from_dicom(SHIPPED / "CT_small.dcm", "lung")
    assert lung.frames.mean() > picture.frames.mean() and "lung" in lung.facts["window"]
    assert (from_dicom(SHIPPED / "CT_small.dcm", (-600, 1500)).frames == lung.frames).all()


def test_the_files_own_window_is_used():
    picture = from_dicom(SHIPPED / "MR_small.dcm")
    assert (picture.frames[0, ..., 0] == window(pydicom.dcmread(SHIPPED / "MR_small.dcm").pixel_array, 600, 1600)).all()


def test_the_echo_is_a_cine_in_rgb_and_its_region_is_not_believed():
    picture = from_dicom(SHIPPED / "examples_ybr_color.dcm")
    assert picture.frames.shape == (30, 240, 320, 3) and picture.fps == pytest.approx(30.0, abs=0.01)
    assert picture.spacing is None                       # the region lies outside the shrunken picture
    assert np.abs(np.diff(picture.frames.astype(int), axis=0)).mean() > 0.5
    marker = picture.frames[0, 10:30, 190:215].astype(int)
    assert (marker[..., 1] - marker[..., 0]).max() > 30     # the probe's marker is green, which only a right colour space shows


def test_palette_colours_and_sixteen_bit_colours():
    palette = from_dicom(SHIPPED / "examples_palette.dcm")
    assert palette.frames.shape == (1, 350, 800, 3) and palette.facts["window"] == "palette"
    assert (np.ptp(palette.frames.astype(int), axis=-1) > 40).any()
    plain, deep = (from_dicom(SHIPPED / name).frames for name in ("SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm"))
    assert np.abs(plain.astype(int) - deep.astype(int)).max() <= 1
    assert from_dicom(SHIPPED / "SC_rgb_rle_2frame.dcm").frames.shape[0] == 2


def test_ybr_422_gives_the_colours_of_rgb():
    ybr = from_dicom(SHIPPED / "SC_ybr_full_422_uncompressed.dcm").frames[0].astype(int)
    rgb = from_dicom(SHIPPED / "SC_rgb_rle.dcm").frames[0].astype(int)
    assert np.median(np.abs(ybr - rgb)) <= 6
    assert ybr[5, 50, 0] > 200 and ybr[5, 50, 2] < 60      # the topmost bar is red


def test_ybr_full_and_planar_configuration(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    planes = made(tmp_path / "planes.dcm", np.ascontiguousarray(rgb), "RGB")
    data = pydicom.dcmread(planes)
    data.PlanarConfiguration, data.PixelData = 1, rgb.transpose(2, 0, 1).tobytes()
    data.save_as(planes)
    assert (from_dicom(planes).frames[0] == rgb).all()
    grey = np.full((6, 8, 3), (90, 128, 128), np.uint8)
    assert np.abs(from_dicom(made(tmp_path / "ybr.dcm", grey, "YBR_FULL")).frames.astype(int) - 90).max() <= 1


def test_monochrome1_is_inverted(tmp_path):
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    fields = {"WindowCenter": 32, "WindowWidth": 64}
    dark, light = (from_dicom(made(tmp_path / f"{p}.dcm", values, p, **fields)).frames for p in ("MONOCHROME2", "MONOCHROME1"))
    assert (dark == 255 - light).all() and dark[0, 0, 0, 0] < dark[0, 7, 7, 0]


def test_a_voi_table_is_applied(tmp_path):
    item = pydicom.Dataset()
    item.LUTDescriptor = [4, 0, 8]
    item.add_new("LUTData", "US", [0, 200, 100, 255])
    path = made(tmp_path / "voi.dcm", np.array([[0, 1], [2, 3]], np.uint8), VOILUTSequence=Sequence([item]))
    assert from_dicom(path).frames[0, ..., 0].tolist() == [[0, 200], [100, 255]]


def test_enhanced_multi_frame_groups(tmp_path):
    def group(**fields):
        inner = pydicom.Dataset()
        for key, value in fields.items():
            setattr(inner, key, value)
        return Sequence([inner])

    shared, frames = pydicom.Dataset(), []
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.5, 0.25])
    shared.FrameVOILUTSequence = group(WindowCenter=100, WindowWidth=201)
    for slope in (1, 2):
        frame = pydicom.Dataset()
        frame.PixelValueTransformationSequence = group(RescaleSlope=slope, RescaleIntercept=0)
        frames.append(frame)
    path = made(tmp_path / "enhanced.dcm", np.full((2, 4, 4), 50, np.uint16), SharedFunctionalGroupsSequence=Sequence([shared]),
                PerFrameFunctionalGroupsSequence=Sequence(frames), CineRate=25)
    picture = from_dicom(path)
    assert picture.spacing == (0.5, 0.25) and picture.fps == 25
    assert picture.frames[0, 0, 0, 0] == window(50, 100, 201) and picture.frames[1, 0, 0, 0] == window(100, 100, 201)


@pytest.mark.parametrize(("fields", "fps"), [({"FrameTime": 40}, 25), ({"FrameTimeVector": [0, 50, 50]}, 20),
                                             ({"RecommendedDisplayFrameRate": 12}, 12), ({"FrameTime": 0}, None), ({}, None)])
def test_frames_a_second(tmp_path, fields, fps):
    assert from_dicom(made(tmp_path / "a.dcm", np.zeros((3, 4, 4), np.uint8), **fields)).fps == fps


def test_ultrasound_region_gives_millimetres(tmp_path):
    region = pydicom.Dataset()
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 7, 5
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.03, 0.05
    path = made(tmp_path / "us.dcm", np.zeros((6, 8), np.uint8), Modality="US", Laterality="L",
                SequenceOfUltrasoundRegions=Sequence([region]))
    picture = from_dicom(path)
    assert picture.spacing == pytest.approx((0.5, 0.3)) and picture.laterality == "left"


def test_nothing_about_the_patient_is_carried(tmp_path):
    path = made(tmp_path / "named.dcm", np.zeros((4, 4), np.uint8), BodyPartExamined="CHEST", StudyDescription="Jane's chest",
                ReferringPhysicianName="Roe")
    picture = from_dicom(path)
    said = f"{picture!r} {picture.facts} {vars(picture)}"
    assert picture.body_part == "chest"
    for word in ("Doe", "Jane", "4711", "2020", "Elsewhere", "Roe"):
        assert word not in said


def test_a_folder_of_slices_is_sorted_by_position(tmp_path):
    for name, place in (("a", 10.0), ("b", 0.0), ("c", 5.0)):
        made(tmp_path / f"{name}.dcm", np.full((4, 4), int(place * 10), np.uint8), ImagePositionPatient=[0, 0, place],
             ImageOrientationPatient=[1, 0, 0, 0, 1, 0], WindowCenter=50, WindowWidth=101, PixelSpacing=[1, 1])
    picture = from_dicom_series(tmp_path)
    assert picture.frames[:, 0, 0, 0].tolist() == [int(window(v, 50, 101)) for v in (0, 50, 100)]
    assert picture.facts["slice_distance_mm"] == 5.0 and picture.fps is None


def slices(folder, values, **fields):
    for place, value in enumerate(values):
        ramp = np.full((8, 8), value, np.uint16) + np.arange(8, dtype=np.uint16)
        own = {key: found[place] for key, found in fields.items()}
        made(folder / f"{place}.dcm", ramp, ImagePositionPatient=[0, 0, place], ImageOrientationPatient=[1, 0, 0, 0, 1, 0], **own)


def test_a_series_without_windows_has_one_brightness_scale(tmp_path):
    slices(tmp_path, (0, 100, 200))
    grey = from_dicom_series(tmp_path).frames[..., 0].reshape(3, -1).mean(1)
    assert grey[0] < 20 and 100 < grey[1] < 155 and grey[2] > 235, "each slice by its own percentiles would give three equal means"
    assert from_dicom(tmp_path / "1.dcm").facts["ImageOrientationPatient"] == [1, 0, 0, 0, 1, 0]


def test_a_broken_slice_of_a_series_is_named(tmp_path):
    slices(tmp_path, (0, 100))
    data = pydicom.dcmread(tmp_path / "1.dcm")
    del data.SamplesPerPixel
    data.save_as(tmp_path / "1.dcm")
    with pytest.raises(KitError, match="1.dcm"):
        from_dicom_series(tmp_path)


def test_padding_is_left_out_of_the_percentiles_also_when_values_are_rescaled(tmp_path):
    ramp = np.tile(np.arange(100, 164, dtype=np.int16), (64, 1))
    ramp[:, :32] = -2000
    made(tmp_path / "padded.dcm", ramp, signed=True, RescaleSlope=2, RescaleIntercept=50, PixelPaddingValue=-2000)
    shown = from_dicom(tmp_path / "padded.dcm").frames[0, ..., 0]
    assert (shown[:, :32] == 0).all() and shown[0, 32] < 20 and shown[0, -1] > 235


def test_a_series_whose_slices_have_different_windows_uses_their_median(tmp_path):
    slices(tmp_path, (100, 100, 100), WindowCenter=(90, 100, 150), WindowWidth=(50, 100, 400))
    picture = from_dicom_series(tmp_path)
    assert (picture.frames == picture.frames[:1]).all() and "centre 100, width 100" in picture.facts["window"]


@pytest.mark.parametrize(("name", "words"), [
    ("README.txt", "not a DICOM file"), ("rtplan.dcm", "no picture: it is a RT Plan"), ("test-SR.dcm", "no picture"),
    ("waveform_ecg.dcm", "no picture"), ("MR_truncated.dcm", "cut off or broken"), ("JPEGLSNearLossless_08.dcm", "no decoder"),
    ("JPGExtended.dcm", "no decoder"), ("badVR.dcm", "header"), ("dicomdirtests/DICOMDIR", "table of contents"),
    ("dicomdirtests", "is a folder"), ("nothing.dcm", "no such file"), ("JPEG2000-embedded-sequence-delimiter.dcm", "cut off or broken")])
def test_what_cannot_be_used_is_named(name, words):
    with pytest.raises(KitError, match=words) as caught:
        from_dicom(SHIPPED / name)
    assert name.split("/")[-1] in str(caught.value)


def test_empty_truncated_and_garbled_files(tmp_path):
    empty = tmp_path / "empty.dcm"
    empty.touch()
    with pytest.raises(KitError, match="is empty"):
        from_dicom(empty)
    whole = (SHIPPED / "CT_small.dcm").read_bytes()
    for cut in (140, 400, 3000, len(whole) // 2, len(whole) - 400):
        short = tmp_path / f"cut_{cut}.dcm"
        short.write_bytes(whole[:cut])
        with pytest.raises(KitError, match=f"cut_{cut}"):
            from_dicom(short)
    rng = np.random.default_rng(0)
    for number in range(20):                            # random damage: a picture or a plain sentence, never a traceback
        bytes_ = bytearray(whole)
        for place in rng.integers(132, 6000, 30):
            bytes_[place] = rng.integers(256)
        path = tmp_path / f"damaged_{number}.dcm"
        path.write_bytes(bytes_)
        try:
            assert from_dicom(path).frames.dtype == np.uint8
        except KitError as error:
            assert path.name in str(error)


def test_wrong_windows_are_refused():
    for wrong, words in (("spine", "no window 'spine'"), ((1, 2, 3), "centre, width"), ((40, 0), "above 0")):
        with pytest.raises(KitError, match=words):
            from_dicom(SHIPPED / "CT_small.dcm", wrong)
