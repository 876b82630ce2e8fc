"""Claims of evaluation: the same numbers as VBench's own functions with the same networks on the same files, at least twice as quickly.

Run: python tests/bench/evaluate.py --vbench CHECKOUT     (https://github.com/Vchitect/VBench; about a minute)
     python tests/bench/evaluate.py                       (ours alone: seconds a clip, and of a report of 200 clips)

Clips: 2 seconds at 24 frames a second, 256 x 256. Networks: the small ones of tests/evaluate/stubs.py, handed to both sides, so that what
is compared is reading, choosing frames, resizing and the formulas, not the networks. CPU-seconds on one thread, least of three rounds.
VBench reads the file again for every dimension; ours reads it once and resizes once for all that look at the same pictures. VBench reads
with decord when it is installed, else with a stand-in on PyAV.
"""

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import torch  # noqa: E402

from medgen_kit import video  # noqa: E402
from tests.evaluate import stubs  # noqa: E402

TARGET, TOLERANCE, ROUNDS = 2.0, {"imaging_quality": 1e-3}, 3
FRAMES, SIDE, FPS = 48, 256, 24
PROMPT = "an endoscope advances in the colon"


def make_clips(folder, count):
    """Paths of `count` MP4 files."""
    paths = []
    for k in range(count):
        paths.append(video.write(Path(folder) / f"clip_{k:03d}.mp4", stubs.waves(FRAMES, SIDE, SIDE, seed=k), FPS))
    return paths


def ours(paths):
    """[{dimension: number}] of the files."""
    found = []
    for path in paths:
        frames, fps = video.read(path)
        found.append(stubs.ours(frames, fps, PROMPT))
    return found


def timed(function):
    """(least CPU-seconds of ROUNDS, the last result)."""
    least = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        result = function()
        least = min(least, time.process_time() - begun)
    return least, result


def against_vbench(checkout, paths):
    """True when the numbers are the same and ours is quick enough; prints both."""
    import vbench_peer

    modules = vbench_peer.load(checkout)

    def theirs():
        with contextlib.redirect_stderr(io.StringIO()):
            return [vbench_peer.score(modules, path, stubs.NETWORKS, PROMPT) for path in paths]

    (slow, peer), (quick, own) = timed(theirs), timed(lambda: ours(paths))
    print(f"{'dimension':24s} {'VBench':>12s} {'ours':>12s} {'difference':>12s}")
    same = True
    for name in peer[0]:
        worst = max(abs(a[name] - b[name]) for a, b in zip(peer, own))
        same &= worst <= TOLERANCE.get(name, 1e-5)
        print(f"{name:24s} {peer[0][name]:12.6f} {own[0][name]:12.6f} {worst:12.1e}")
    ratio = slow / quick
    decoder = "decord" if "decord" in sys.modules and hasattr(sys.modules["decord"], "__version__") else "PyAV in place of decord"
    print(f"CPU-seconds a clip, eight dimensions: VBench {slow / len(paths):.3f} ({decoder}), ours {quick / len(paths):.3f}")
    print("shims: " + "; ".join(f"{name}: {why}" for name, why in vbench_peer.SHIMS.items()))
    print(f"ratio {ratio:.2f} (target {TARGET:g}) {'met' if ratio >= TARGET else 'NOT met'}; numbers {'the same' if same else 'DIFFER'}")
    return same and ratio >= TARGET


def memory_now(process):
    """Bytes of memory that a process and all processes under it take at this moment: pages that several share count once where the system
    tells (Linux's PSS), else as often as they are shared, so that the sum is too large rather than too small."""
    import psutil

    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):                       # it ended meanwhile
            try:
                found = one.memory_full_info()
            except psutil.AccessDenied:
                found = one.memory_info()
            total += getattr(found, "pss", 0) or found.rss
    return total


def watched(command):
    """(wall seconds, most bytes of all its processes together, most processes at a time) of a command, looked at five times a second."""
    import psutil

    begun, most, processes = time.time(), 0, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        family = psutil.Process(running.pid)
        while running.poll() is None:
            with contextlib.suppress(psutil.Error):
                most = max(most, memory_now(family))
                processes = max(processes, 1 + len(family.children(recursive=True)))
            time.sleep(0.2)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return time.time() - begun, most, processes


def report_of(count):
    """True when a report of `count` clips stays in time and memory; prints wall seconds and the most memory of all its processes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make_clips(Path(folder) / "clips", count)
        prompts = Path(folder) / "prompts.json"
        prompts.write_text("{" + ", ".join(f'"{path.name}": "{PROMPT}"' for path in paths) + "}")
        seconds, memory, processes = watched([sys.executable, "-m", "medgen_kit", "evaluate", str(Path(folder) / "clips"), "--prompts",
                                              str(prompts), "--out", str(Path(folder) / "report")])
    good = seconds <= 180 and memory < 4 * 2**30
    print(f"report of {count} clips: {seconds:.0f} s (target 180); most memory that its processes (up to {processes}) took together at one "
          f"moment {memory / 2**30:.2f} GiB (target 4) {'met' if good else 'NOT met'}")
    return good


def main():
    """Print every figure beside its target; the exit code is 0 only when each is met."""
    import cv2

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vbench", default="", help="checkout of VBench")
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--report", type=int, default=200, help="clips of the report; 0: no report")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        paths = make_clips(folder, options.clips)
        if options.vbench:
            good &= against_vbench(options.vbench, paths)
        else:
            print(f"ours, eight dimensions: {timed(lambda: ours(paths))[0] / len(paths):.3f} CPU-seconds a clip")
    if options.report:
        good &= report_of(options.report)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
