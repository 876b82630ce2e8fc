"""Text that identifies is filled, faces are covered, files carry nothing but the picture, and no record claims more than ran."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.curate.pictures import shot

import medgen_kit
from medgen_kit import KitError, VideoError, sources, video
from medgen_kit.curate import faces, privacy
from medgen_kit.curate.residue import residue
from medgen_kit.sources import raw
from medgen_kit.sources import raw_drawn as drawn

IDENTIFYING = """
SMITH^JOHN^A|Patient: Anna Keller|PATIENT NAME|Name: MEIER, URS|Pt Name:GARCIA MARIA|Dr. Weber|Prof. Dr. med. Huber|operated by Prof Tanaka
DR. OKAFOR, CARDIOLOGY|Mrs Jones came in for a check|Herr Müller|Sonographer: K. Lindqvist RDMS|Referring MD: Patel|Jane Doe, MD
Elena Rossi 63 years|SMITH JOHN 054Y M|KELLER, ANNA|DOB: 12/03/1961|D.O.B. 1961-03-12|Date of Birth|DateofBirth:04-Mar-1958|geb. 3.4.1970
Né le 14 juillet 1953|MRN 00482913|MRN:A-77120|Patient ID: 5530192|Pat-ID 88231|ID: 483920-77|Hospital No. 30021|Accession 2210044871
ACC# 7731902|2021-03-04 12:03:41|04.03.2021|3/4/21|04MAR2021 08:15|March 4th, 2021|O3/l2/1961|20210304|2021年3月4日|Tel. 044 123 45 67
(555) 123-4567|+41 79 555 12 34|ward7@hospital.example.org|AHV 756.1234.5678.97|94-year-old woman|1.2.840.113619.2.55.3.604688|0012345678
John Smith|patient from Oberwil am See|Baby Okonkwo twin B
"""                                     # the last three are missed: a bare name and a small place look like any other words
ORDINARY = """
LV EF 55 %|60 bpm|T1 MPRAGE|BP 120/80 mmHg|TR 2000 TE 30 ms|TE/TR 12/2000 ms|L4/L5 disc|Slice 12/48|Depth 16 cm|Gain 62 dB|MI 1.2 TIS 0.8
Vmax 4.2 m/s|12:03:41|00:12 / 03:45|S5-1 Adult Echo|Apical Four Chamber View|Left, Lateral|LIVER, RIGHT LOBE|65-year-old man with chest pain
age 54, female|ESC Guidelines 2021|Grade 2/3|Step 3 of 10|Fig. 4.2|x40 objective|100 um|OCT 2000 scan|MS lesions in white matter
MR angiography|DR CHEST PA|Ms after injection|Lead V1 V2 V3|25 mm/s 10 mm/mV|b = 1000 s/mm2|WW 400 WL 40|RBC 4500000 per ul
HR 72 RR 14 SpO2 98 %|Version 3.10.12|1.5 T|Look at the wall as it moves inward|Subscribe for more|Day 3 after surgery|born at 32 weeks
Dose 0.5 mg twice a day|Patient: supine|mean age 62 years|Drug name: heparin|Surgeon: left of the table|90 years of radiology
Mr Imaging Basics
"""                                     # the last one is a false alarm
OVERLAY = (("PATIENT KELLER", 20, 40), ("DOB 12/03/1961", 20, 80), ("LV EF 55", 430, 440))


def lines_of(listed):
    return [line for row in listed.strip().splitlines() for line in row.split("|")]


def written(frames, lines=OVERLAY, scale=0.8):
    """The frames with lines of text [(text, x, y)], and the boxes around them."""
    out, boxes = frames.copy(), []
    for said, x, y in lines:
        (wide, tall), below = cv2.getTextSize(said, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
        boxes.append((x, y - tall, x + wide, y + below))
        for frame in out:
            cv2.putText(frame, said, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (250, 250, 250), 2, cv2.LINE_AA)
    return out, boxes


def medical(modality, frames=5):
    flat = next(flat for flat in sources.combinations() if flat["modality"] == modality)
    return raw.enlarge(sources.render([flat], 3, frames=frames, size=160)[0], 480, 640)


def reader(lines):
    """A reader that finds the same lines [(text, box)] in every frame, as long as the frame shows more than one colour there."""
    def read(frame):
        seen = [(said, box) for said, box in lines if not plain(frame[None], box)]
        return [(said, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) for said, (x0, y0, x1, y1) in seen]
    return read


def plain(frames, box):
    """True when a box shows one and the same colour in all frames."""
    left, top, right, bottom = box
    return frames[:, top:bottom, left:right].std(axis=(0, 1, 2)).max() == 0


# ---- what identifies

def test_identifying_lines_are_told_from_clinical_ones_with_few_errors():
    names, plain = lines_of(IDENTIFYING), lines_of(ORDINARY)
    assert min(len(names), len(plain)) >= 40
    hits, alarms = [line for line in names if privacy.identifying(line)], [line for line in plain if privacy.identifying(line)]
    assert len(hits) / len(names) >= 0.94 and len(hits) / (len(hits) + len(alarms)) >= 0.97
    assert alarms == ["Mr Imaging Basics"] and set(names) - set(hits) == set(names[-3:])


@pytest.mark.parametrize(("line", "reason"), [
    ("DOB: 12/03/1961", "birth"), ("04.03.2021", "date"), ("MRN 00482913", "record number"), ("ACC# 7731902", "accession"),
    ("a@b.org", "e-mail"), ("(555) 123-4567", "phone"), ("Dr. Weber", "name"), ("Elena Rossi 63 years", "name with age"),
    ("94-year-old", "age over 89"), ("0012345678", "id number"), ("", ""), ("\ud800", ""), ("心臓の超音波", ""),
    ("Ｄｒ．　Ｗｅｂｅｒ", "name"), ("x" * 4000 + " Dr. Weber " + "y" * 4000, "name")])
def test_the_reason_is_named_for_any_text(line, reason):
    assert privacy.identifying(line) == reason


# ---- text in pictures

@pytest.mark.parametrize("modality", ["endoscopy", "brain"])
def test_round_organs_are_not_taken_for_the_letter_o(modality):
    clip = medical(modality, 2)
    out, record = privacy.protect(clip[:1], 8, "medical imaging")
    assert np.array_equal(out, clip[:1]) and record["text"] == "masked 0 boxes, 1 frames read"


def test_masked_words_cannot_be_read_any_more_and_the_rest_of_the_picture_is_unchanged():
    clip, boxes = written(medical("echo", 3))
    before = " ".join(said for said, _ in privacy.read(clip[1]))
    assert all(word in before for word in ("KELLER", "DOB", "1961", "EF"))
    out, record = privacy.protect(clip, 8, "medical imaging")
    for frame in (out[1], cv2.resize(out[2, :240, :320], (640, 480), interpolation=cv2.INTER_CUBIC)):
        assert not re.search("[A-Za-z0-9]{2}", " | ".join(said for said, _ in privacy.read(frame)))
    changed = (out != clip).any(axis=(0, 3))
    for left, top, right, bottom in boxes:
        assert plain(out, (left, top, right, bottom))
        changed[max(0, top - 24):bottom + 24, max(0, left - 24):right + 24] = False
    assert not changed.any()
    assert record["text"].startswith("masked 3 boxes") and record["text figures"]["sure"] and "rapidocr" in record["text reader"]
    assert "KELLER" not in str(record) and "1961" not in str(record)


def test_small_print_that_the_subtitle_rule_cannot_read_is_found():
    lines = [("Patient: Keller A.", 12, 20), ("MRN 00482913", 12, 44), ("General Hospital", 480, 20)]
    clip, boxes = written(medical("ctmr", 2), lines, scale=0.4)
    found = [box for _, box in privacy.text_boxes(clip[:1])[0]]
    assert all(any(faces.shared(box, seen) >= 0.8 * faces.area(box) for seen in found) for box in boxes)


def test_outside_imaging_only_what_stands_at_the_edge_or_identifies_is_filled():
    clip = shot(1, 6, (480, 640))
    lines = [("mitral valve", (300, 230, 420, 250)), ("Dr. Weber", (250, 300, 340, 320)), ("channel", (10, 10, 90, 30)),
             ("Patient ID", (220, 200, 300, 220)), ("5531", (320, 200, 360, 220)), ("135", (560, 230, 630, 260))]
    out, record = privacy.protect(clip, 8, "medical teaching", lines=reader(lines))
    assert [plain(out, box) for _, box in lines] == [False, True, True, True, True, False]
    assert record["text figures"]["reasons"] == ["name", "record number"] and record["text reader"] == "given by the caller"
    everything, _ = privacy.protect(clip, 8, "medical teaching", {"text": "all"}, reader(lines))
    unknown, _ = privacy.protect(clip, 8, "", None, reader(lines))
    assert all(plain(out, box) for out in (everything, unknown) for _, box in lines)
    untouched, record = privacy.protect(clip, 8, "medical imaging", privacy.Options(text="none"), reader(lines))
    assert np.array_equal(untouched, clip) and record["text"] == "not run"


def test_text_that_stands_still_is_what_four_of_five_frames_show_at_one_place():
    still, half, moving = (10, 10, 100, 30), (12, 11, 60, 31), [(200 + 90 * k, 200, 280 + 90 * k, 220) for k in range(5)]
    found = [[still, moving[0]], [half, moving[1]], [still, moving[2]], [moving[3]], [still, moving[4]]]
    assert privacy.static_boxes(found) == [(10, 10, 100, 31)]
    assert privacy.static_boxes([[still], [still], [still], [], []]) == []
    middle = [[(300, 220, 340, 260)]] * 5
    assert privacy.static_boxes(middle, (480, 640)) == [] and privacy.static_boxes(middle) == [(300, 220, 340, 260)]


def test_a_second_look_finds_text_that_the_first_five_frames_did_not_show():
    clip = shot(1, 60, (120, 160), dx=1)
    clip[:, -1, -1, 0] = range(60)                                         # the number of each frame, in a corner
    first = set(video.sample_indices(60, 5))

    def late(frame):
        lines = [("KELLER", (10, 10, 60, 20))] + ([] if frame[-1, -1, 0] in first else [("MEIER", (90, 90, 140, 100))])
        return reader(lines)(frame)

    out, record = privacy.protect(clip, 8, "medical imaging", lines=late)
    assert record["text figures"] == {"boxes": 2, "frames": 18, "looks": 3, "reasons": [], "sure": True}
    assert plain(out, (90, 90, 140, 100)) and plain(out, (10, 10, 60, 20))
    _, record = privacy.protect(clip, 8, "medical imaging", {"looks": 1}, late)
    assert "nobody has looked at again" in record["text"]


def test_frames_of_any_size_are_taken_and_the_input_is_not_changed():
    for size, count in (((1, 1), 1), ((20, 300), 2), ((64, 64), 3)):
        clip = np.random.default_rng(0).integers(0, 255, (count, *size, 3), np.uint8)
        copy = clip.copy()
        out = privacy.mask(clip, [(-5, -5, 9, 9), (0, 0, size[1], size[0])])
        assert out.shape == clip.shape and np.array_equal(clip, copy) and plain(out, (0, 0, size[1], size[0]))
        assert privacy.protect(clip, 8, "medical imaging")[0].shape == clip.shape


@pytest.mark.parametrize(("options", "said"), [({"text": "some"}, "text 'some'"), ({"face": "demo"}, "no setting 'face'"),
                                               ({"looks": 0}, "at least 1"), ({"faces": "haar"}, "no face detector 'haar'")])
def test_wrong_settings_are_named(options, said):
    with pytest.raises(KitError, match=said):
        privacy.protect(shot(1, 2, (32, 32)), 8, "medical imaging", options, lines=lambda frame: [])


def test_an_array_that_is_no_clip_is_refused():
    for wrong in (np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((0, 8, 8, 3), np.uint8)):
        with pytest.raises(KitError, match="takes uint8"):
            privacy.protect(wrong, 8)


def test_no_record_and_no_sentence_of_ours_claims_that_nobody_can_be_recognised():
    claim = re.compile(r"de-?identified|anonymi[sz]ed", re.I)
    blob = faces.Detector("blob", "1", lambda frame: [(10, 10, 30, 30)])
    faces.register("blob", lambda _: blob)
    try:
        _, record = privacy.protect(shot(1, 4, (64, 64)), 8, "medical teaching", {"faces": "blob"}, lambda frame: [])
    finally:
        del faces.DETECTORS["blob"]
        faces.load.cache_clear()
    assert record["faces"] == "covered 1 face" and record["face detector"] == "blob: 1"
    assert (record["audio"], record["container tags"]) == ("removed", "removed") and "no de-identification" in record["note"]
    assert not claim.search(str(record))
    for path in sorted(Path(medgen_kit.__file__).parent.rglob("*.py")):
        assert not claim.search(path.read_text(encoding="utf-8")), path


# ---- faces

def square(at, size=20):
    return (at, 40, at + size, 40 + size)


def test_a_missed_frame_between_two_finds_is_covered_and_the_ends_are_held():
    tracks = faces.link({0: [square(10)], 6: [], 12: [square(14)], 60: [square(100)]}, gap=30)
    assert [sorted(track) for track in tracks] == [[0, 12], [60]]
    cover = faces.covered(tracks, 100, hold=30)
    assert cover[6] == [(10, 40, 34, 60)] and cover[42] == [square(14), square(100)] and cover[43] == [square(100)]
    assert cover[90] == [square(100)] and cover[91] == []


def test_two_faces_that_pass_each_other_keep_a_track_each():
    found = {k: [square(10 + 3 * k), (10 + 3 * k, 90, 30 + 3 * k, 110)] for k in range(5)}
    assert [len(track) for track in faces.link(found, gap=8)] == [5, 5]


def test_a_covered_face_keeps_only_a_few_colours_and_the_rest_is_unchanged():
    clip = np.random.default_rng(0).integers(0, 255, (30, 120, 160, 3), np.uint8)
    clip[:, 0, 0] = np.arange(30)[:, None]
    detector = faces.Detector("not at every look", "1", lambda frame: [(60, 30, 90, 60)] if frame[0, 0, 0] in (0, 12, 29) else [])
    out, figures = faces.hide(clip, 30, detector)
    assert figures["looks"] == 6 and figures["finds"] == 3 and figures["faces"] == 1 and figures["frames"] == 30
    kept = out.copy()
    kept[:, 24:66, 54:96] = clip[:, 24:66, 54:96]                          # the box and a fifth of it at each side
    assert np.array_equal(kept, clip) and (out[:, 30:60, 60:90] != clip[:, 30:60, 60:90]).any(axis=(1, 2, 3)).all()
    cells = clip[:, 24:66, 54:96].reshape(30, 6, 7, 6, 7, 3)
    other = clip.copy()                                                    # another face with the same means of 6x6 cells
    other[:, 24:66, 54:96] = cells[:, :, ::-1, :, ::-1].reshape(30, 42, 42, 3)
    again, _ = faces.hide(other, 30, detector)
    assert np.array_equal(again, out) and not np.array_equal(other, clip)
    flat, _ = faces.hide(clip, 30, detector, cells=1)
    assert all(plain(flat[k:k + 1], (54, 24, 96, 66)) for k in range(30))


def test_a_detector_that_often_errs_needs_two_finds_and_looks_at_both_ends():
    clip = np.zeros((31, 40, 40, 3), np.uint8)
    clip[0] = 255
    once = faces.Detector("once", "1", lambda frame: [(5, 5, 20, 20)] if frame.max() else [], hits=2)
    out, figures = faces.hide(clip, 30, once)
    assert figures["dropped"] == 1 and figures["faces"] == 0 and np.array_equal(out, clip)
    assert faces.looks(31, 30) == [0, 6, 12, 18, 24, 30] and faces.looks(9, 8) == list(range(9)) and faces.looks(1, 8) == [0]


def test_the_demo_detector_finds_drawn_heads_says_its_grade_and_leaves_imaging_alone():
    covered = []
    for seed in (1, 9):
        clip = drawn.talking_head(np.random.default_rng([seed, 9]), 4, 240, 320)
        out, record = privacy.protect(clip, 8, "medical teaching", {"faces": "demo", "text": "none"})
        covered.append(record["face figures"]["frames"])
        assert "demo grade" in record["face detector"] and "scikit-image" in record["face detector"]
    assert covered == [4, 4]
    organ = medical("brain", 2)
    out, record = privacy.protect(organ, 8, "medical imaging", {"faces": "demo", "text": "none"})
    assert np.array_equal(out, organ) and record["faces"].startswith("not run (demo")


def test_a_missing_package_for_the_demo_detector_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "skimage", None)
    faces.load.cache_clear()
    with pytest.raises(KitError, match="pip install scikit-image"):
        faces.load("demo")


@pytest.mark.parametrize(("content", "said"), [
    (None, "finds no file"), (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"), (b"<html>", "is no YuNet model")])
def test_yunet_says_what_is_wrong_with_its_file_and_where_to_get_it(tmp_path, content, said):
    path = tmp_path / "yunet.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KitError, match=said) as caught:
        faces.load(f"yunet:{path}")
    assert "git lfs pull" in str(caught.value) or "opencv_zoo" in str(caught.value)
    with pytest.raises(KitError, match="finds no file"):
        faces.load("yunet:")


def test_yunet_runs_a_network_of_its_shape_through_opencv(tmp_path):
    path = tmp_path / "bright.onnx"
    path.write_bytes(bright_square_network())
    detector = faces.load(f"yunet:{path}")
    clip = np.zeros((4, 480, 640, 3), np.uint8)
    clip[:, 320:352, 64:96] = 250                                          # the network takes this for the middle of a face of 64 pixels
    assert detector.find(clip[0]) == [pytest.approx((48, 304, 112, 368))] and detector.find(clip[0, :200]) == []
    out, record = privacy.protect(clip, 8, "medical imaging", {"faces": f"yunet:{path}", "text": "none"})
    assert record["faces"] == "covered 1 face" and "sha256" in record["face detector"] and out[0, 320:352, 64:96].max() < 250


def message(number, value):
    """One field of a protocol buffer: a whole number, or bytes and text with their length."""
    def count(n):
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + count(n >> 7)
    if isinstance(value, int):
        return count(number << 3) + count(value)
    value = value.encode() if isinstance(value, str) else value
    return count(number << 3 | 2) + count(len(value)) + value


def bright_square_network():
    """An ONNX file with YuNet's input and twelve outputs that takes a bright 32-pixel square for the middle of a face of 64 pixels."""
    def weight(name, values):
        kind = 7 if values.dtype == np.int64 else 1
        sides = b"".join(message(1, side) for side in values.shape)
        return message(5, sides + message(2, kind) + message(8, name) + message(9, values.tobytes()))

    def node(kind, inputs, output, **numbers):
        given = [message(5, message(1, key) + b"".join(message(8, v) for v in value) + message(20, 7)) for key, value in numbers.items()]
        return message(1, b"".join(message(1, name) for name in inputs) + message(2, output) + message(4, kind) + b"".join(given))

    def shape(number, name, sides):
        sides = b"".join(message(1, message(1, side) if isinstance(side, int) else message(2, side)) for side in sides)
        return message(number, message(1, name) + message(2, message(1, message(1, 1) + message(2, sides))))

    graph = message(2, "bright") + shape(11, "input", [1, 3, "high", "wide"])
    for stride in (8, 16, 32):
        graph += node("AveragePool", ["input"], f"mean{stride}", kernel_shape=[stride] * 2, strides=[stride] * 2)
        gain = 10 / 765 if stride == 32 else 0
        for kind, bias in (("cls", [-600 * gain]), ("obj", [-600 * gain]), ("bbox", [0.5, 0.5, np.log(2), np.log(2)]), ("kps", [0] * 10)):
            name = f"{kind}_{stride}"
            graph += weight(f"w{name}", np.full((len(bias), 3, 1, 1), gain if kind in ("cls", "obj") else 0, np.float32))
            graph += weight(f"b{name}", np.float32(bias)) + weight(f"s{name}", np.int64([1, -1, len(bias)]))
            graph += node("Conv", [f"mean{stride}", f"w{name}", f"b{name}"], f"c{name}", kernel_shape=[1, 1])
            graph += node("Transpose", [f"c{name}"], f"t{name}", perm=[0, 2, 3, 1]) + node("Reshape", [f"t{name}", f"s{name}"], name)
            graph += shape(12, name, [1, "cells", len(bias)])
    return message(1, 8) + message(7, graph) + message(8, message(1, "") + message(2, 13))


# ---- what a file still carries

def test_a_written_clip_carries_nothing_but_its_picture(tmp_path):
    for options in ({}, {"synthetic": True, "title": "An echo"}):
        path = video.write(tmp_path / "clip.mp4", shot(1, 6, (64, 64)), 8, **options)
        assert residue(path) == []
    path = video.write(tmp_path / "clip.mp4", shot(1, 6, (64, 64)), 8, title="Mrs Keller")
    assert residue(path) == ["tag title"]


def loaded(path, tags=None):
    """A video with sound, chapters and tags, as phones and editors write them."""
    with av.open(str(path), "w") as out:
        out.metadata.update(tags or {"artist": "Anna Keller", "location": "+47.3769+008.5417/", "creation_time": "2021-03-04T12:00:00Z"})
        picture = out.add_stream("libx264", rate=8)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=16000)
        out.set_chapters([{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "Mrs Keller"}}])
        for frame in shot(1, 8, (64, 64)):
            out.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        tone.sample_rate = 16000
        out.mux(sound.encode(tone))
        out.mux([*picture.encode(), *sound.encode()])
    return path


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv"])
def test_sound_chapters_tags_places_and_times_are_found_without_their_values(tmp_path, kind):
    said = residue(loaded(tmp_path / f"phone.{kind}"))
    assert "audio stream (aac)" in said and "1 chapters" in said
    for part in ("place: tag location", "tag artist", "creation"):
        assert part in str(said).lower()
    assert not re.search(r"Keller|47\.37|2021", str(said))
    frames, fps = video.read(tmp_path / f"phone.{kind}")
    assert residue(video.write(tmp_path / "clean.mp4", frames, fps)) == []


def test_what_hides_between_the_boxes_of_an_mp4_is_found(tmp_path):
    path = video.write(tmp_path / "clip.mp4", shot(1, 6, (64, 64)), 8)
    whole = path.read_bytes()
    box = lambda name, payload: struct.pack(">I", 8 + len(payload)) + name + payload  # noqa: E731
    path.write_bytes(whole + box(b"uuid", b"GPS of the phone"))
    assert residue(path) == ["box uuid"]
    path.write_bytes(whole + box(b"free", b"Anna Keller"))
    assert residue(path) == ["bytes in a box that should be empty (free)"]
    path.write_bytes(whole + box(b"mdat", b"sound whose track was cut out"))
    assert residue(path) == ["bytes that belong to no stream"]
    at = whole.index(b"mvhd") + 8
    path.write_bytes(whole[:at] + struct.pack(">I", 3_700_000_000) + whole[at + 4:])
    assert "time of creation (mvhd)" in residue(path)
    path.write_bytes(whole + struct.pack(">I", 2**31) + b"junk")
    assert residue(path) == ["bytes after the last box"]


def test_a_file_that_is_no_video_has_a_typed_reason(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    for name, reason in (("page.mp4", "not_media"), ("none.mp4", "missing")):
        with pytest.raises(VideoError) as caught:
            residue(tmp_path / name)
        assert caught.value.reason == reason
