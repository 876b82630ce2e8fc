"""Raw uploads with known truth: simulated medicine, title cards, talking heads, cuts and defects, joined to MP4 files.

The curation lesson needs raw video whose every shot is known, so that each filter can be marked right or wrong.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .. import video
from ..clip import write_text
from ..errors import KitError
from . import raw_drawn as drawn

SIZES = {"normal": (480, 640), "wide": (480, 854), "low": (240, 320)}
HOLD = 2          # frames that a shot holds its first and last picture; fades happen there, so a trimmed clip keeps its whole motion
RENDER = 240      # pixels at which the simulators draw; enlarged to the upload's size afterwards
DEFECTS = ("letterbox", "pillarbox", "subtitles", "blur", "washed out", "noisy", "blocky", "low resolution", "duplicate", "frozen")
BARS, BRIGHT = {"letterbox", "pillarbox"}, ("laparoscopy", "microscopy", "slide")
LOW = ("low resolution",)
MEDICAL, FADE = "medical", HOLD

# One upload is a list of shots: (kind, defects, camera) or (kind, defects, camera, modality). The first four hold every defect once, the
# fourth also what is black at its edge by nature: a fan, a round mask and a slice are no letterbox, a slice between bars is one.
SCRIPTS = (
    ("normal", (("title card", (), ""), (MEDICAL, (), ""), ("talking head", (), ""), (MEDICAL, ("subtitles",), ""),
                (MEDICAL, ("blur",), ""), (MEDICAL, (), "pan right"), (MEDICAL, ("washed out",), ""))),
    ("normal", ((MEDICAL, (), ""), (MEDICAL, ("letterbox",), ""), ("b-roll", (), ""), (MEDICAL, ("pillarbox",), ""),
              (MEDICAL, (), "zoom in"), (MEDICAL, ("frozen",), ""), (MEDICAL, ("duplicate",), ""))),
    ("low", (("title card", LOW, ""), (MEDICAL, LOW, ""), (MEDICAL, LOW, ""), ("talking head", LOW, ""))),
    ("normal", ((MEDICAL, (), "", "echo"), (MEDICAL, ("letterbox",), "", "ctmr"), (MEDICAL, (), "", "endoscopy"), (MEDICAL, ("noisy",), ""),
                (MEDICAL, (), "", "ctmr"), (MEDICAL, ("blocky",), ""), (MEDICAL, (), "", "brain"))),
    ("normal", (("talking head", (), ""), (MEDICAL, (), ""), (MEDICAL, ("letterbox",), ""), (MEDICAL, (), "tilt up"),
                (MEDICAL, ("subtitles",), ""), ("title card", (), ""), (MEDICAL, ("washed out",), ""))),
    ("wide", (("title card", (), ""), (MEDICAL, (), ""), (MEDICAL, ("subtitles", "letterbox"), ""), (MEDICAL, (), "pan left"),
              ("talking head", (), ""), (MEDICAL, (), ""))),
    ("normal", ((MEDICAL, (), ""), ("b-roll", (), ""), (MEDICAL, ("blur",), ""), (MEDICAL, ("duplicate",), ""), (MEDICAL, (), "zoom out"))),
)


@dataclass
class Shot:
    """What is true of frames start..end (inclusive) of an upload.

    kind: "medical", "title card", "talking head" or "b-roll". defects: names of DEFECTS. join: how the shot starts ("cut" or "fade").
    camera: a camera motion that was added ("" for none). duplicate_of: [upload, number of the shot]. factors: of the simulator. title: what
    the uploader calls this chapter.
    """

    start: int
    end: int
    kind: str
    defects: list = field(default_factory=list)
    join: str = "cut"
    camera: str = ""
    duplicate_of: list | None = None
    factors: dict = field(default_factory=dict)
    title: str = ""


def make(folder, count, seed, fps=8, frames=9, bad_files=True, say=None):
    """Make `count` uploads `upload_00.mp4`, ... with `truth.json` in `folder`; returns the list of their paths.

    fps: frames a second. frames: length of a simulated motion (a shot holds its ends for HOLD frames more). The same seed gives the same
    pictures; a file that stands is not made again. bad_files adds three that cannot be used: empty, not a video, broken off.
    Width and height are 640x480 or 854x480, and 320x240 for the low-resolution uploads.
    """
    if count < 1:
        raise KitError(f"raw.make needs count >= 1, not {count}.")
    folder, known, paths = Path(folder), {}, []
    for number in range(count):
        path = folder / f"upload_{number:02d}.mp4"
        note = folder / "truth" / f"{path.stem}.json"
        if not (path.is_file() and note.is_file()):
            pictures, facts = upload(number, seed, fps, frames)
            video.write(path, pictures, fps, crf=23, synthetic=True, title=facts["title"])
            write_text(note, json.dumps(facts))
            if say:
                say(f"{path.name}: {len(facts['shots'])} shots, {len(pictures) / fps:.1f} s")
        known[path.name] = json.loads(note.read_text(encoding="utf-8"))
        paths.append(path)
    if bad_files:
        for name, (reason, content) in broken(paths[0]).items():
            (folder / name).write_bytes(content)
            known[name] = {"title": name, "description": "", "bad": reason, "shots": []}
            paths.append(folder / name)
    write_text(folder / "truth.json", json.dumps(known, indent=1))
    return paths


def broken(good):
    """Three files that a harvest always brings: {name: (reason, bytes)}."""
    whole = Path(good).read_bytes()
    return {"upload_empty.mp4": ("empty", b""), "upload_page.mp4": ("not_media", b"<!doctype html><title>Video unavailable</title>" * 20),
            "upload_cut_off.mp4": ("truncated", whole[:len(whole) * 6 // 10])}


def truth(folder):
    """truth.json of a folder made by `make`: {file name: {"title", "description", "shots": [...], "bad"?}}; {} when there is none."""
    path = Path(folder) / "truth.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def upload(number, seed, fps=8, frames=9):
    """Frames uint8 [T, H, W, 3] and facts (title, description, size, shots) of upload `number`. Deterministic in (seed, number)."""
    rng = np.random.default_rng([seed, 7_001, number])
    size, script = SCRIPTS[number % len(SCRIPTS)]
    height, width = SIZES[size]
    flats = choose(rng, script)
    pieces, shots = [], []
    for place, (kind, defects, camera, *_) in enumerate(script):
        flat = flats[place]
        source = None
        if "duplicate" in defects:
            source = next(k for k in range(place - 1, -1, -1) if shots[k].kind == MEDICAL and not shots[k].defects)
            piece, flat, camera = copy_of(pieces[source], rng), shots[source].factors, shots[source].camera
        else:
            piece = film(kind, flat, defects, camera, rng, frames, height, width)
        join = "fade" if place and place % 3 == 0 else "cut"
        start = shots[-1].end + 1 if shots else 0
        pieces.append(piece)
        shots.append(Shot(start, start + len(piece) - 1, kind, list(defects), join, camera,
                          None if source is None else [f"upload_{number:02d}.mp4", source], flat))
    title, text = words(shots, rng)
    return joined(pieces, shots), {"title": title, "description": text, "width": width, "height": height, "fps": fps,
                                   "shots": [asdict(shot) for shot in shots]}


def choose(rng, script):
    """For each shot of a script a factor combination that training may see, {} for a shot that is not medical.

    Each modality comes once before any comes twice. Where a script does not name the modality, bars are only put beside pictures that are
    not black at their edge themselves (BRIGHT).
    """
    from . import combinations, is_held_out

    allowed = {}
    for flat in combinations():
        if not is_held_out(flat):
            allowed.setdefault(flat["modality"], []).append(flat)
    names, picked = [], []
    for kind, defects, _, *named in script:
        names = names or list(rng.permutation(sorted(allowed)))
        able = named or ([name for name in names if name in BRIGHT] or BRIGHT if BARS & set(defects) else names)
        if kind != MEDICAL:
            picked.append({})
            continue
        name = str(able[-1])
        names = [other for other in names if other != name]
        choices = allowed[name]
        picked.append(dict(choices[rng.integers(len(choices))]))
    return picked


def film(kind, flat, defects, camera, rng, frames, height, width):
    """One shot uint8 [T, H, W, 3]: drawn or simulated, held at both ends, then what goes wrong with it."""
    if kind != MEDICAL:
        return drawn.grain(drawn.OTHER[kind](rng, frames + HOLD, height, width), rng)
    from . import render

    picture = render([flat], int(rng.integers(2**31)), frames=frames, size=RENDER)[0]
    if "frozen" in defects:
        picture = np.repeat(picture[len(picture) // 2][None], frames, axis=0)
    picture = np.concatenate([picture[:1]] * HOLD + [picture] + [picture[-1:]] * HOLD)
    picture = enlarge(picture, height, width)
    if camera:
        picture = drawn.camera_move(picture, camera)
    if "frozen" not in defects:
        picture = drawn.grain(picture, rng)
    if BARS & set(defects) and flat["modality"] not in BRIGHT:
        picture = drawn.lift(picture)
    for name, spoil in drawn.SPOIL.items():
        if name in defects:
            picture = spoil(picture)
    return drawn.subtitles(picture, rng) if "subtitles" in defects else picture


def enlarge(frames, height, width):
    """Frames at the upload's size (cubic; a square picture is stretched, and squeezed back when a clip is made)."""
    import cv2

    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in frames])


def copy_of(piece, rng):
    """The same shot uploaded again: brighter or darker, new noise, a few pixels cropped at each edge."""
    cut = piece.shape[1] // 60
    again = enlarge(piece[:, cut:-cut, cut:-cut], *piece.shape[1:3])
    return drawn.grain(np.clip(again * rng.choice((0.88, 1.12)), 0, 255).astype(np.uint8), rng)


def joined(pieces, shots):
    """The shots one after the other; a shot that joins by a fade mixes its first FADE frames with the last picture before it."""
    pieces = [piece.copy() for piece in pieces]
    for k, shot in enumerate(shots):
        if shot.join == "fade":
            for t in range(FADE):
                weight = (t + 1) / (FADE + 1)
                pieces[k][t] = (weight * pieces[k][t] + (1 - weight) * pieces[k - 1][-1] + 0.5).astype(np.uint8)
    return np.concatenate(pieces)


def words(shots, rng):
    """Title and description of an upload, as its uploader would write them; names the chapters (`shot.title`) on the way."""
    from . import title

    channel, called = str(rng.choice(drawn.CHANNELS)), {}
    for shot in shots:
        if shot.factors:
            shot.title = called.setdefault(str(shot.factors), title(shot.factors, rng))
    names = list(dict.fromkeys(called.values()))
    return (f"{channel}: {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else ""),
            f"This week on {channel}: {'; '.join(names)}. Recorded for teaching; no advice.")


def build(work):
    """Stage: the uploads of the profile (curate.raw_videos) into `work.out`."""
    settings = work.profile
    paths = make(work.out, settings.curate.raw_videos, settings.seed, fps=settings.data.fps, frames=settings.data.frames, say=work.say)
    known = truth(work.out)
    return {"files": len(paths), "shots": sum(len(facts["shots"]) for facts in known.values())}
