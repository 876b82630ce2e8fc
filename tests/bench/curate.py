"""Claims of speed of curation, in CPU-seconds of one thread for clips of 8 s, 720x480, 30 frames a second:

all cheap stages together at most 0.25 a clip, reading text at most 1.2; the motion score at least ten times, and the chain of duration,
resolution and motion at least five times as quick as py-data-juicer's operators in process, on the same clips in the same run.

Run: python tests/bench/curate.py --peer PYTHON
PYTHON: of a virtual environment of its own with the peer (it must not share ours: it installs packages by itself):
    python3 -m venv peer && peer/bin/pip install torch==2.13.0
    peer/bin/pip install py-data-juicer==1.6.1 opencv-python-headless scenedetect aiohttp av==13.1.0 ray
Without --peer only our own figures are printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]
CHEAP, READING, MOTION, CHAIN = 0.25, 1.2, 10.0, 5.0
FRAMES, RATE = 240, 30

PEER = """
import json, sys, time
import cv2
cv2.setNumThreads(1)
from data_juicer.ops.filter.video_duration_filter import VideoDurationFilter
from data_juicer.ops.filter.video_motion_score_filter import VideoMotionScoreFilter
from data_juicer.ops.filter.video_resolution_filter import VideoResolutionFilter

motion = VideoMotionScoreFilter(sampling_fps=2, size=240)
chain = [VideoDurationFilter(min_duration=6, max_duration=60, video_backend="av"),
         VideoResolutionFilter(min_width=640, min_height=480), motion]

def look(path, operators):
    sample = {"videos": [path], "__dj__stats__": {}}
    for operator in operators:
        sample = operator.compute_stats_single(sample)
    return sample["__dj__stats__"]

paths, scores = json.loads(sys.argv[1]), []
look(paths[0], chain)
result = {}
for name, operators in (("motion", [motion]), ("chain", chain)):
    best = 1e9
    for _ in range(4):
        begun = time.process_time()
        scores = [look(path, operators) for path in paths]
        best = min(best, (time.process_time() - begun) / len(paths))
    result[name] = best
result["scores"] = [float(score["video_motion_score"][0]) for score in scores]
print("RESULT" + json.dumps(result))
"""


def make_clips(folder, count):
    """`count` clips: textured pictures that pan, some with subtitles, and a round endoscope picture that drifts."""
    import numpy as np

    from medgen_kit import video
    from medgen_kit.sources import raw_drawn
    from tests.curate.pictures import disc_on_black, shot

    paths = []
    for k in range(count):
        if k % 3:
            frames = shot(k, FRAMES, (480, 720), dx=0.3 * (k + 1), dy=0.1 * k)
        else:
            frames = np.stack([np.roll(disc_on_black(1, (480, 720))[0], t // 3, axis=1) for t in range(FRAMES)])
        if k % 4 == 1:
            frames = raw_drawn.subtitles(frames, np.random.default_rng(k))
        paths.append(video.write(Path(folder) / f"clip_{k}.mp4", frames, RATE, crf=23))
    return paths


def timed(function, items, rounds=4):
    """CPU-seconds an item, best of `rounds`, and the last results."""
    best, found = 1e9, []
    for _ in range(rounds):
        begun = time.process_time()
        found = [function(item) for item in items]
        best = min(best, (time.process_time() - begun) / len(items))
    return best, found


def ours(paths):
    """{"decode", "shots", "cheap", "reading", "motion", "chain": CPU-seconds a clip} and the motion scores.

    shots: the search for shots, once an upload, before there are clips; it looks at every frame and has no target. cheap: all measures of
    one clip but the reading of text, its decoding included.
    """
    import numpy as np

    from medgen_kit import video
    from medgen_kit.curate import bundle, features, motion, probe, segment, text

    row = {"first": 0, "last": FRAMES - 1, "start_s": 0.0, "end_s": FRAMES / RATE}

    def one(path):
        return next(bundle.bundles(path, [row], RATE))[1]

    def moved(path):
        grey = one(path)
        return motion.flow_score(motion.flows(grey.grey), np.diff(grey.seconds))

    def whole(path):
        info = probe.look(path)
        return 6 <= info.duration <= 60 and min(info.width, info.height) >= 480 and moved(path)

    one(paths[0])
    text.lines(one(paths[0]).five[0])
    found = {"decode": timed(lambda path: sum(1 for _ in video.decode(path)), paths)[0]}
    found["shots"] = timed(lambda path: segment.scan(path, 1.0, (32, 32)), paths)[0]
    found["cheap"] = timed(lambda path: features.measure(one(path), read_text=False), paths)[0]
    pictures = [one(path).five for path in paths]
    found["reading"] = timed(text.measures, pictures)[0]
    found["motion"], scores = timed(moved, paths)
    found["chain"] = timed(whole, paths)[0]
    return found, scores


def peer(python, paths):
    """The same figures of py-data-juicer, run by another Python, one thread, without any download."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, "-c", PEER, json.dumps([str(path) for path in paths])], env=environment, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        sys.exit(f"the peer gave no figures:\n{done.stderr[-3000:]}")
    return json.loads(lines[-1].removeprefix("RESULT"))


def main():
    """Print every figure beside its target; the exit code is 0 only when each is met."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default="", help="Python with py-data-juicer")
    parser.add_argument("--clips", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_clips(folder, options.clips)
        found, scores = ours(paths)
        print(f"ours, CPU-seconds a clip ({len(paths)} clips): " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
        checks = [("all cheap stages", found["cheap"], CHEAP, found["cheap"] <= CHEAP),
                  ("reading text", found["reading"], READING, found["reading"] <= READING)]
        if options.peer:
            theirs = peer(options.peer, paths)
            print(f"py-data-juicer, CPU-seconds a clip: motion {theirs['motion']:.3f}, chain {theirs['chain']:.3f}")
            print(f"correlation of the two motion scores: {np.corrcoef(scores, theirs['scores'])[0, 1]:.2f}")
            checks += [(f"{name}, ratio", theirs[name] / found[name], target, theirs[name] / found[name] >= target)
                       for name, target in (("motion", MOTION), ("chain", CHAIN))]
    for name, value, target, good in checks:
        print(f"{name}: {value:.2f} (target {target:g}) {'met' if good else 'NOT met'}")
    return int(not all(good for *_, good in checks))


if __name__ == "__main__":
    sys.exit(main())
