"""Engines: the same `process_shard` on this machine's cores, or on a cluster through Ray Data. `run` yields keys as shards are done."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed, wait

from ..errors import KitError
from .guard import Guard, Stopped
from .shards import process_shard

PATIENCE = {"RAY_raylet_start_wait_time_s": "120", "RAY_agent_register_timeout_ms": "120000"}       # for machines that are busy
TRIES = 3


class Local:
    """A pool of config.workers processes on this machine; 0 works here, one shard after another."""

    def __init__(self, config, folder, out, address=None):
        self.config, self.folder, self.out, self.guards, self.free = config, folder, out, [], []
        self.futures, self.stop = [], threading.Event()

    def run(self, waiting):
        """Yield the keys of the shards as they are done. The processes stay for the next call; `close` ends them."""
        if not self.config.workers:
            for shard in waiting:
                yield process_shard(shard, self.config, self.folder, self.out)
            return
        pool, left = ThreadPoolExecutor(min(self.config.workers, max(1, len(waiting)))), len(waiting)
        try:
            self.futures = [pool.submit(self._work, shard) for shard in waiting]
            for done in as_completed(self.futures):
                yield done.result()
                left -= 1
        finally:
            pool.shutdown(wait=False)
            if left:                                          # broken off: do not wait for what is under way
                self.close()

    def _work(self, shard):
        if self.stop.is_set():
            raise Stopped
        try:
            guard = self.free.pop()
        except IndexError:
            guard = Guard(self.config.seconds_per_file, self.stop)
            self.guards.append(guard)
        try:
            return process_shard(shard, self.config, self.folder, self.out, guard)
        finally:
            self.free.append(guard)

    def close(self):
        """End the processes for good. Shards under way stay open: their calls end with Stopped, no file is blamed, nothing is written."""
        self.stop.set()
        wait(self.futures)                # a moment; not for the threads: once interrupted, Thread.join takes a live one for ended
        for guard in self.guards:
            guard.close()
        self.guards, self.free = [], []


class RayShards:
    """What Ray Data starts on a node: takes batches of shards, keeps one child process."""

    def __init__(self, config, folder, out):
        self.config, self.folder, self.out, self.guard = config, folder, out, Guard(config.seconds_per_file)

    def __call__(self, batch):
        return {"key": [process_shard(json.loads(text), self.config, self.folder, self.out, self.guard) for text in batch["shard"]]}


class Ray:
    """Ray Data. address: of a running cluster ("auto" finds it); None starts one on this machine, and `close` stops it again.

    `folder` and `out` must lie where every node sees them under the same name. A node that dies costs the shards that were open on it.
    """

    def __init__(self, config, folder, out, address=None):
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise KitError("engine 'ray' needs Ray Data, which is not installed. Run: pip install 'ray[data]'") from error
        self.config, self.folder, self.out, self.address, self.ray, self.started = config, folder, out, address, ray, False

    def run(self, waiting):
        """Yield the keys of the shards as they are done."""
        self._start()
        self.ray.data.DataContext.get_current().enable_progress_bars = False
        table = self.ray.data.from_items([{"shard": json.dumps(shard)} for shard in waiting], override_num_blocks=len(waiting))
        most = max(1, min(len(waiting), int(self.ray.cluster_resources().get("CPU", 1))))
        done = table.map_batches(RayShards, batch_size=1, concurrency=(1, most), num_cpus=1,
                                 fn_constructor_args=(self.config, str(self.folder), str(self.out)))
        for row in done.iter_rows():
            yield row["key"]

    def _start(self):
        if self.ray.is_initialized():
            return
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        for attempt in range(TRIES):
            try:
                self.ray.init(address=self.address, num_cpus=None if self.address else max(1, self.config.workers), log_to_driver=False,
                              include_dashboard=None if self.address else False, logging_level="ERROR")
                self.started = True
                return
            except Exception as error:                    # Ray raises plain Exceptions
                self.ray.shutdown()
                if self.address or attempt == TRIES - 1:
                    where = f"the Ray cluster at '{self.address}' was not reached" if self.address else "Ray could not be started here"
                    raise KitError(f"{where} ({str(error).splitlines()[0]}). Start one with 'ray start --head' and name its "
                                   "address, or use --engine local.") from error

    def close(self):
        """Stop the instance that was started here, leave the cluster that was joined."""
        if self.started:
            self.ray.shutdown()
            self.started = False


ENGINES = {"local": Local, "ray": Ray}


def engine(name):
    """The engine called `name`."""
    if name not in ENGINES:
        raise KitError(f"there is no engine '{name}'. Engines: {', '.join(ENGINES)}.")
    return ENGINES[name]
