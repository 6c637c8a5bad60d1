"""The workers of a Ray cluster: chunks run on all its nodes; the chunk of a worker that died is run again."""

from __future__ import annotations

import io
import logging
import math
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray import cloudpickle
except ImportError as error:
    raise ImportError("--engine ray needs Ray, an optional extra: pip install 'rollcast[ray]'") from error

from ...predictors.executor import Results, Units, Work
from ...predictors.native import workers
from ...predictors.recurrent import trainer
from ..pipeline.cache_key import own_modules
from .chunks import Chunks
from .task import ChunkResult, Workers, class_of, environment, run_payload

SECONDS = 1.0  # target time of a chunk; sending one and receiving its result takes about two milliseconds
AHEAD = 2  # chunks submitted for each slot, so that no slot is idle until the next arrives
RETRIES = 5  # of a chunk whose worker died
GPU_SHARE = 0.5  # of a GPU for each chunk of nets: one prepares while the other computes
LOOPBACK = "127.0.0.1"
_POLL = 0.2  # seconds between looks for a Ctrl-C


@contextmanager
def cluster() -> Iterator[Workers]:
    """Joins the cluster at RAY_ADDRESS; without it, starts one on this machine that ends with the block.

    Raises ConnectionError where no cluster answers.
    """
    if ray.is_initialized():  # by a program that uses rollcast as a library
        yield ray_workers
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    local = address == "local"
    host, _, port = address.rpartition(":")
    if host and port.isdigit():  # Ray itself would try for minutes to reach an address where no cluster is
        try:
            socket.create_connection((host, int(port)), 5).close()
        except OSError as error:
            raise ConnectionError(f"no Ray cluster could be joined at {address}: {error}") from error
    mask = os.umask(0o077) if local else None  # the cluster's sockets, logs and token are the user's own
    own: dict[str, Any] = {"num_cpus": workers(), "include_dashboard": False, "_node_ip_address": LOOPBACK}
    try:
        with _as_written() if local else nullcontext():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(own if local else {}))
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise ConnectionError(
            f"no Ray cluster could be joined at {address}: {first}. Is it running, and does this process have its "
            "RAY_AUTH_MODE and RAY_AUTH_TOKEN?"
        ) from error
    finally:
        if mask is not None:
            os.umask(mask)
    try:
        yield ray_workers
    finally:
        ray.shutdown()


@contextmanager
def _as_written() -> Iterator[None]:
    """Has Ray listen where it is told to: it turns the loopback address into the machine's, and listens everywhere."""
    services: Any = getattr(getattr(ray, "_private", None), "services", None)
    if not hasattr(services, "resolve_ip_for_localhost"):
        raise ConnectionError(
            f"Ray {ray.__version__} cannot be held to this machine's own address; install the version in "
            "constraints.txt, or start a cluster and name it in RAY_ADDRESS"
        )
    original, services.resolve_ip_for_localhost = services.resolve_ip_for_localhost, lambda host: host
    try:
        yield
    finally:
        services.resolve_ip_for_localhost = original


def ray_workers(work: Work, finished: set[int], logged: bool) -> Iterator[tuple[list[int], ChunkResult]]:
    """The workers of the engine `ray`: yields chunks as they end.

    Raises what the work's function raises, of several chunks that fail the error of the first in order; OSError where
    workers died RETRIES times over the same chunk; ValueError where the cluster lacks the processor or GPU.
    """
    gpu = work.device is not None and (work.device == "cuda" or trainer.resolve(work.device) == "cuda")
    slots = _slots(gpu)
    chunks = Chunks.of(work, finished, math.inf if gpu else SECONDS, AHEAD * slots)
    tasks = _Tasks(work, logged, gpu)
    try:
        while tasks.pending or chunks:
            while chunks and len(tasks.pending) < AHEAD * slots:
                tasks.submit(chunks.take())
            for positions, result in tasks.results():
                if result.error is not None:
                    chunks.chains.clear()
                    continue
                chunks.record(len(positions), result.seconds)
                yield positions, result
    finally:
        tasks.cancel()


def _slots(gpu: bool) -> int:
    """How many chunks the cluster can run at the same time."""
    resources = ray.cluster_resources()
    count = int(resources.get("GPU", 0) / GPU_SHARE) if gpu else int(resources.get("CPU", 0))
    if count < 1:
        raise ValueError(f"the Ray cluster has no {'GPU; use device cpu' if gpu else 'processors for tasks'}")
    return count


@dataclass
class _Tasks:
    """The chunks submitted to Ray.

    pending:   by Ray's reference: the number of the chunk in the order of submission, and its positions.
    errors:    by the number of the chunk.
    submitted: how many chunks have been.
    """

    work: Work
    logged: bool
    gpu: bool
    pending: dict[ray.ObjectRef, tuple[int, list[int]]] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)
    submitted: int = 0

    def __post_init__(self) -> None:
        options = {"num_cpus": 1, "max_retries": RETRIES, "num_gpus": GPU_SHARE if self.gpu else 0}
        self._remote = ray.remote(run_payload).options(**options)
        self._environment = ray.put(environment())
        self._frames: dict[int, tuple[pd.DataFrame, ray.ObjectRef]] = {}
        for module in own_modules():
            cloudpickle.register_pickle_by_value(module)

    def submit(self, positions: list[int]) -> None:
        """Submits a chunk."""
        payload = Payload(self._frames, self.work.function, [self.work.units[k] for k in positions])
        reference = self._remote.remote(self._environment, payload.content, self.logged, *payload.frames)
        self.pending[reference] = self.submitted, positions
        self.submitted += 1

    def results(self) -> Iterator[tuple[list[int], ChunkResult]]:
        """The chunks that have ended since the last call; raises the first error once all chunks before it have."""
        ready, _ = ray.wait(list(self.pending), num_returns=1, timeout=_POLL)
        for reference in ready:
            number, positions = self.pending.pop(reference)
            result = _fetch(reference)
            if result.error is not None:
                self.errors[number] = result.error
            yield positions, result
        if self.errors and all(number > min(self.errors) for number, _ in self.pending.values()):
            raise self.errors[min(self.errors)]

    def cancel(self) -> None:
        """Cancels all chunks that have not ended."""
        for reference in self.pending:
            ray.cancel(reference, force=True)


class Payload:
    """A function and units, pickled for a worker that need not have their source files.

    Classes from files are pickled by value and bars by reference. backtrader's classes register themselves when they
    are created, which pickling by value would not repeat, so they are sent as the source of their file.

    content: what `task.run_payload` unpickles.   frames: Ray's references to the bars in it.
    """

    def __init__(
        self,
        references: dict[int, tuple[pd.DataFrame, ray.ObjectRef]],
        function: Callable[[Units], Results],
        units: Units,
    ) -> None:
        """references: the bars that the cluster has, with Ray's reference, by their identity; new ones are added."""
        self.frames: list[ray.ObjectRef] = []
        numbers: dict[int, int] = {}
        sources = own_modules()

        class Pickler(cloudpickle.Pickler):
            def persistent_id(_, value: object) -> int | None:
                if not isinstance(value, pd.DataFrame):
                    return None
                if id(value) not in numbers:
                    if id(value) not in references:
                        references[id(value)] = value, ray.put(value)
                    numbers[id(value)] = len(self.frames)
                    self.frames.append(references[id(value)][1])
                return numbers[id(value)]

            def reducer_override(self, value: Any) -> Any:
                ours = isinstance(value, type) and type(value).__module__.startswith("backtrader.")
                module = sys.modules.get(value.__module__) if ours else None
                if module in sources:
                    source = sources[module]
                    return class_of, (source.name, source.read_text(encoding="utf-8"), value.__qualname__)
                return super().reducer_override(value)

        buffer = io.BytesIO()
        Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump((function, units))
        self.content = buffer.getvalue()


def _fetch(reference: ray.ObjectRef) -> ChunkResult:
    """The result of a chunk that has ended; an error of Ray itself in one line."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        last = str(error).strip().splitlines()[-1]
        message = f"a worker could not begin; is rollcast installed on every node? {last}"
        return ChunkResult([], error=ImportError(message))
    except ray.exceptions.RayError as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return ChunkResult([], error=OSError(f"workers died {RETRIES + 1} times over the same windows: {first}"))
