"""The workers of a Ray cluster: chunks on all its nodes, those of a worker that died done again."""

from __future__ import annotations

import io
import logging
import math
import os
import pickle
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray import cloudpickle
except ImportError as error:
    raise ImportError("--engine ray needs Ray, an optional extra: pip install 'rollcast[ray]'") from error

from rollcast.backtests.cluster.chunks import Chunks
from rollcast.backtests.cluster.task import Done, Workers, class_of, do_packed, kin
from rollcast.backtests.pipeline.cache_key import own_modules
from rollcast.predictors.executor import Work
from rollcast.predictors.recurrent import trainer

SECONDS = 1.0  # of a chunk; handing one over and back takes some two milliseconds
AHEAD = 2  # chunks in flight for every slot, so that none waits for the next
RETRIES = 5  # of a chunk whose worker died
GPU_SHARE = 0.5  # of a GPU for each chunk of nets: one prepares while the other computes
_POLL = 0.2  # seconds between looks for a Ctrl-C


@contextmanager
def cluster() -> Iterator[Workers]:
    """Joins the cluster at RAY_ADDRESS, or starts one of this machine's processors that ends with the block.

    Raises ConnectionError where no cluster answers.
    """
    if ray.is_initialized():  # by whoever imports us
        yield ray_workers
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    processors: Any = {"num_cpus": trainer.workers(), "include_dashboard": False} if address == "local" else {}
    host, _, port = address.rpartition(":")
    if host and port.isdigit():  # Ray itself waits for minutes where nobody listens
        try:
            socket.create_connection((host, int(port)), 5).close()
        except OSError as error:
            raise ConnectionError(f"no Ray cluster could be joined at {address}: {error}") from error
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **processors)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise ConnectionError(
            f"no Ray cluster could be joined at {address}: {first}. Is it running, and does this process have its "
            "RAY_AUTH_MODE and RAY_AUTH_TOKEN?"
        ) from error
    try:
        yield ray_workers
    finally:
        ray.shutdown()


def ray_workers(work: Work, done: set[int], noted: bool) -> Iterator[tuple[list[int], Done]]:
    """Yields chunks as they are done; of several that fail, the error of the first in order is raised.

    Raises what the work raises, and OSError where workers died RETRIES times over the same chunk.
    """
    gpu = work.device is not None and (work.device == "cuda" or trainer.resolve(work.device) == "cuda")
    slots = _slots(gpu)
    chunks = Chunks.of(work, done, math.inf if gpu else SECONDS, AHEAD * slots)
    calls = _Calls(work, noted, gpu)
    try:
        while calls.pending or chunks.left:
            while chunks.left and len(calls.pending) < AHEAD * slots:
                calls.send(chunks.take())
            for positions, found in calls.received():
                if found.error is not None:
                    chunks.chains.clear()
                    continue
                chunks.timed(len(positions), found.seconds)
                yield positions, found
    finally:
        calls.stop()


def _slots(gpu: bool) -> int:
    """How many chunks the cluster can do at a time."""
    has = ray.cluster_resources()
    count = int(has.get("GPU", 0) / GPU_SHARE) if gpu else int(has.get("CPU", 0))
    if count < 1:
        raise ValueError(f"the Ray cluster has no {'GPU; use device cpu' if gpu else 'processors for tasks'}")
    return count


@dataclass
class _Calls:
    """The chunks in flight, by Ray's reference, as (number, positions)."""

    work: Work
    noted: bool
    gpu: bool
    pending: dict[Any, tuple[int, list[int]]] = field(default_factory=dict)
    failed: dict[int, Exception] = field(default_factory=dict)
    sent: int = 0

    def __post_init__(self) -> None:
        options = {"num_cpus": 1, "max_retries": RETRIES, "num_gpus": GPU_SHARE if self.gpu else 0}
        self._remote = ray.remote(do_packed).options(**options)
        self._home = ray.put(kin())
        self._frames: dict[int, tuple[pd.DataFrame, Any]] = {}
        for module in own_modules():
            cloudpickle.register_pickle_by_value(module)

    def send(self, positions: list[int]) -> None:
        packed = Packed(self._frames, self.work.function, [self.work.units[k] for k in positions])
        reference = self._remote.remote(self._home, packed.content, self.noted, *packed.frames)
        self.pending[reference] = self.sent, positions
        self.sent += 1

    def received(self) -> Iterator[tuple[list[int], Done]]:
        """What has come in since; raises once nothing before the first failure is out."""
        ready, _ = ray.wait(list(self.pending), num_returns=1, timeout=_POLL)
        for reference in ready:
            number, positions = self.pending.pop(reference)
            found = _fetched(reference)
            if found.error is not None:
                self.failed[number] = found.error
            yield positions, found
        if self.failed and all(number > min(self.failed) for number, _ in self.pending.values()):
            raise self.failed[min(self.failed)]

    def stop(self) -> None:
        """Cancels what is out."""
        for reference in self.pending:
            ray.cancel(reference, force=True)


class Packed:
    """Work for a worker that may have none of our files: pickled, classes from files by value, bars by reference.

    backtrader's classes register themselves as they are made, and go as the source of their file.

    places: bars already handed to the cluster, by identity, with its reference; more are added.
    """

    def __init__(self, places: dict[int, tuple[pd.DataFrame, Any]], *work: Any) -> None:
        self.frames: list[Any] = []
        held: dict[int, int] = {}

        class Pickler(cloudpickle.Pickler):
            def persistent_id(_, found: Any) -> int | None:
                if not isinstance(found, pd.DataFrame):
                    return None
                if id(found) not in held:
                    if id(found) not in places:
                        places[id(found)] = found, ray.put(found)
                    held[id(found)] = len(self.frames)
                    self.frames.append(places[id(found)][1])
                return held[id(found)]

            def reducer_override(self, found: Any) -> Any:
                sent = isinstance(found, type) and type(found).__module__.startswith("backtrader.")
                module = sys.modules.get(found.__module__) if sent else None
                if module in files:
                    source = files[module]
                    return class_of, (source.name, source.read_text(encoding="utf-8"), found.__qualname__)
                return super().reducer_override(found)

        files = own_modules()
        buffer = io.BytesIO()
        Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(work)
        self.content = buffer.getvalue()


def _fetched(reference: Any) -> Done:
    """What a worker handed back; what Ray itself says went wrong, in one line."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        last = str(error).strip().splitlines()[-1]
        return Done([], error=ImportError(f"a worker could not begin; is rollcast installed on every node? {last}"))
    except ray.exceptions.RayError as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return Done([], error=OSError(f"workers died {RETRIES + 1} times over the same windows: {first}"))
