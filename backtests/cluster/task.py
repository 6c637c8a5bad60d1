"""One chunk of work, run in this process or in a Ray worker, which imports this module and few others."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pandas as pd

from ...predictors import training_log
from ...predictors.executor import Results, Units, Work
from ...predictors.isolation import described, with_notes
from ...predictors.training_log import TrainingLog
from ..installation import source_files, version_of

PACKAGES = ("rollcast", "backtrader", "numpy", "pandas", "scipy", "torch")


@dataclass(frozen=True)
class ChunkResult:
    """The results of one chunk.

    results: pairs of a unit's position in the chunk and its result.
    log:     the training log of the chunk; None where training is not logged.
    seconds: wall time of the chunk.
    error:   the exception that ended it in a worker; None where it succeeded.
    """

    results: list[tuple[int, object]]
    log: TrainingLog | None = None
    seconds: float = 0.0
    error: BaseException | None = None


# Called with the work, the positions of the units that need not be run, and whether training is logged. Yields the
# positions of each chunk with its result, in the order in which chunks end.
Workers = Callable[[Work, set[int], bool], Iterator[tuple[list[int], ChunkResult]]]


def run_chunk(function: Callable[[Units], Results], units: Units, logged: bool) -> ChunkResult:
    """Runs the units of one chunk in this process; `logged` says whether training is logged.

    Raises what `function` raises.
    """
    start = time.perf_counter()
    with training_log.recording() if logged else nullcontext() as log:
        results = list(function(units))
    return ChunkResult(results, log, time.perf_counter() - start)


def run_payload(expected: Mapping[str, str], payload: bytes, logged: bool, *frames: pd.DataFrame) -> ChunkResult:
    """Runs a chunk in a worker, on one thread. An exception is returned in the result, not raised.

    expected: the `environment` of the driver, the process that runs the command.
    payload:  function and units as `on_ray.Payload` pickles them; `frames` are the bars that they refer to.
    """
    os.environ["ROLLCAST_THREADS"] = "1"
    try:
        check_environment(expected)
        function, units = _Unpickler(payload, frames).load()
        return run_chunk(function, units, logged)
    except BaseException as error:
        # A traceback cannot be pickled; the notes of an exception can.
        error.add_note(f"in a worker on {platform.node()}:\n{traceback.format_exc()}")
        return ChunkResult([], error=_picklable(error))


def check_environment(expected: Mapping[str, str]) -> None:
    """Raises ValueError unless the environment of this process is the expected one, so that results are equal."""
    actual = environment()
    differences = [f"{name} is {actual.get(name)} and not {value}" for name, value in expected.items()
                   if actual.get(name) != value]  # fmt: skip
    if differences:
        raise ValueError(
            f"the node {platform.node()} would not give the same results: {'; '.join(differences)}. Install the same "
            "on every node, and use nodes of one kind of processor"
        )


@cache
def environment() -> dict[str, str]:
    """What a result may depend on besides the work: versions, rollcast's code, its compiled kernel, the processor."""
    from ...predictors.recurrent import kernel

    code = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in ("predictors", "strategies", "backtests"):
        for path in source_files(root / package):
            code.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return {package: version_of(package) or "not installed" for package in PACKAGES} | {
        "rollcast's code": code.hexdigest()[:12],
        "the kernel's builds": " ".join(kernel.builds()) or "none",
        "machine": platform.machine(),
    }


@cache
def class_of(file: str, source: str, name: str) -> type:
    """The class `name` of a source file that this node need not have."""
    module = ModuleType(f"sent_{hashlib.sha256(source.encode()).hexdigest()[:12]}_{Path(file).stem}")
    sys.modules[module.__name__] = module  # backtrader looks up the module of a class there
    exec(compile(source, file, "exec"), vars(module))
    cls: type = attrgetter(name)(module)
    return cls


class _Unpickler(pickle.Unpickler):
    """Unpickles a payload, in which a frame of bars is the number of an argument."""

    def __init__(self, payload: bytes, frames: Sequence[pd.DataFrame]) -> None:
        super().__init__(io.BytesIO(payload))
        self.frames = frames

    def persistent_load(self, number: int) -> pd.DataFrame:
        return self.frames[number]


def _picklable(error: BaseException) -> BaseException:
    """The exception, or a ValueError with its class and message where it cannot be pickled."""
    from ray import cloudpickle

    try:
        copy = cloudpickle.loads(cloudpickle.dumps(error))
        if str(copy) == str(error) and isinstance(error, Exception):
            return error
    except Exception:
        pass  # its class cannot be pickled; the message below still says what it was
    return with_notes(ValueError(f"{type(error).__name__}: {described(error)}"), error)
