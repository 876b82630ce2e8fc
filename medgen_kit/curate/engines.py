"""Engines: the same `process_shard` on this machine's cores, or on a cluster through Ray Data. Each yields keys as shards are done."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from ..errors import KitError
from .guard import Guard
from .shards import process_shard


PATIENCE = {"RAY_raylet_start_wait_time_s": "180", "RAY_agent_register_timeout_ms": "180000"}       # for machines that are busy


def local(waiting, config, folder, out, **_):
    """A pool of config.workers processes on this machine; 0 works here, one shard after another."""
    if not config.workers:
        for shard in waiting:
            yield process_shard(shard, config, folder, out)
        return
    own, guards = threading.local(), []

    def work(shard):
        if not hasattr(own, "guard"):
            own.guard = Guard(config.seconds_per_file)
            guards.append(own.guard)
        return process_shard(shard, config, folder, out, own.guard)

    pool = ThreadPoolExecutor(min(config.workers, max(1, len(waiting))))
    try:
        for done in as_completed([pool.submit(work, shard) for shard in waiting]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for guard in guards:
            guard.close()
        pool.shutdown()


class RayShards:
    """What Ray Data starts on a node: takes batches of shards, keeps one child process."""

    def __init__(self, config, folder, out):
        self.config, self.folder, self.out, self.guard = config, folder, out, Guard(config.seconds_per_file)

    def __call__(self, batch):
        return {"key": [process_shard(json.loads(text), self.config, self.folder, self.out, self.guard) for text in batch["shard"]]}


def ray(waiting, config, folder, out, address=None):
    """Ray Data. address: of a running cluster ("auto" finds it); None starts one on this machine and stops it again.

    `folder` and `out` must lie where every node sees them under the same name. A node that dies costs the shards that were open on it.
    """
    try:
        import ray as library
        import ray.data as data
    except ImportError as error:
        raise KitError("engine 'ray' needs Ray Data, which is not installed. Run: pip install 'ray[data]'") from error
    started = not library.is_initialized()
    if started:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        library.init(address=address, num_cpus=None if address else max(1, config.workers), log_to_driver=False, include_dashboard=False,
                     logging_level="ERROR")
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        table = data.from_items([{"shard": json.dumps(shard)} for shard in waiting], override_num_blocks=len(waiting))
        most = max(1, min(len(waiting), int(library.cluster_resources().get("CPU", 1))))
        done = table.map_batches(RayShards, batch_size=1, concurrency=(1, most), num_cpus=1,
                                 fn_constructor_args=(config, str(folder), str(out)))
        for row in done.iter_rows():
            yield row["key"]
    finally:
        if started:
            library.shutdown()


ENGINES = {"local": local, "ray": ray}


def engine(name):
    """The engine called `name`."""
    if name not in ENGINES:
        raise KitError(f"there is no engine '{name}'. Engines: {', '.join(ENGINES)}.")
    return ENGINES[name]
