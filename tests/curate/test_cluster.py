"""Two nodes of a Ray cluster on this machine, one killed in the middle: the result is the local engine's, row for row."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.curate.pictures import shot
from tests.curate.test_stage import same

from medgen_kit import video
from medgen_kit.curate import curate

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"size": 16, "frames": 9, "fps": 8, "step": 1 / 6, "read_text": False, "report": False, "workers": 2, "files_per_shard": 1,
            "medical": "tests.curate.pictures:slowly", "rules": {"min_side": 1, "quality": -1, "still": 0.0}}
PATIENT = {"RAY_raylet_start_wait_time_s": "180", "RAY_agent_register_timeout_ms": "180000"}


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    for k in range(16):
        video.write(folder / f"{k:02d}.mp4", shot(k, 24, (48, 64), dx=1 + k % 3), 8)
    (folder / "page.mp4").write_text("<html>" * 40)
    return folder


def run(code, **variables):
    """Run Python code in a process of its own, since Ray leaves threads and variables behind; returns what it printed."""
    environment = {**os.environ, **PATIENT, **variables, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, timeout=400)
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


def test_one_of_two_nodes_dies_and_every_row_comes_back(uploads, tmp_path):
    curate(uploads, tmp_path / "local", SETTINGS, say=lambda text: None)
    run(f"""
        import json
        from ray.cluster_utils import Cluster
        from medgen_kit.curate import curate

        def patiently(start, tries=3):
            for attempt in range(tries):
                try:
                    return start()
                except Exception as error:
                    print("Ray was slow:", str(error)[:80])
                    if attempt == tries - 1:
                        raise

        cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args={{"num_cpus": 1, "include_dashboard": False}}))
        second = patiently(lambda: cluster.add_node(num_cpus=1))
        cluster.wait_for_nodes()
        seen = []

        def say(text):
            seen.append(text)
            if len(seen) == 4:
                cluster.remove_node(second, allow_graceful=False)
                seen.append("KILLED")

        curate({str(uploads)!r}, {str(tmp_path / "ray")!r}, json.loads({json.dumps(SETTINGS)!r}), engine="ray",
               address=cluster.address, say=say)
        open({str(tmp_path / "seen.json")!r}, "w").write(json.dumps(seen))
        cluster.shutdown()
    """)
    seen = json.loads((tmp_path / "seen.json").read_text())              # a file: Ray's threads write into the standard output
    assert seen[4] == "KILLED" and "looked at 17 of 17 files" in seen[5:]
    same(tmp_path / "local", tmp_path / "ray")


def test_a_local_instance_is_started_and_stopped_again(uploads, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for name in ("00.mp4", "01.mp4", "page.mp4"):
        (few / name).write_bytes((uploads / name).read_bytes())
    curate(few, tmp_path / "local", SETTINGS, say=lambda text: None)
    said = run(f"""
        import json, ray
        from medgen_kit.curate import curate
        curate({str(few)!r}, {str(tmp_path / "ray")!r}, json.loads({json.dumps(SETTINGS)!r}), engine="ray", say=print)
        print("STOPPED", not ray.is_initialized())
    """)
    assert "STOPPED True" in said
    same(tmp_path / "local", tmp_path / "ray")
