"""A chunk of work as it is done: in this process, or in a worker's, which imports this module and little else."""

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
from importlib import metadata
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from rollcast.predictors import training_log
from rollcast.predictors.executor import Work
from rollcast.predictors.training_log import TrainingLog

PACKAGES = ("rollcast", "backtrader", "numpy", "pandas", "scipy", "torch")
SOURCES = {".py", ".so", ".pyd", ".cpp", ".h"}


@dataclass(frozen=True)
class Done:
    """What came of a chunk.

    results: `(position in the chunk, result)`.   page: what was noted, where a log is open.
    seconds: it took.                             error: what was raised, in a worker.
    """

    results: list[tuple[int, Any]]
    page: TrainingLog | None = None
    seconds: float = 0.0
    error: Exception | None = None


# Given work, the positions done already and whether training is logged: yields chunks, as positions, as they end.
Workers = Callable[[Work, set[int], bool], Iterator[tuple[list[int], Done]]]


def do_chunk(do: Any, units: Sequence[Any], noted: bool) -> Done:
    """Does some units; `noted` says whether a log is open. Raises what `do` raises."""
    began = time.perf_counter()
    with training_log.recording() if noted else nullcontext() as page:
        results = list(do(units))
    return Done(results, page, time.perf_counter() - began)


def do_packed(home: Mapping[str, str], packed: bytes, noted: bool, *frames: pd.DataFrame) -> Done:
    """As `do_chunk`, on one thread of a worker, for what `on_ray.Packed` has packed; an error is handed back.

    home: `kin` of the process that asks. Raises nothing but what ends a process.
    """
    os.environ["ROLLCAST_THREADS"] = "1"
    try:
        check_kin(home)
        do, units = _Unpacker(packed, frames).load()
        return do_chunk(do, units, noted)
    except Exception as error:
        # A traceback does not travel, but notes do.
        error.add_note(f"in a worker on {platform.node()}:\n{traceback.format_exc()}")
        return Done([], error=_portable(error))


def check_kin(home: Mapping[str, str]) -> None:
    """Raises ValueError unless this process would compute what the one that asks would, to the bit."""
    mine = kin()
    unlike = [f"{name} is {mine.get(name)} and not {theirs}" for name, theirs in home.items() if mine[name] != theirs]
    if unlike:
        raise ValueError(
            f"the node {platform.node()} would not give the same results: {'; '.join(unlike)}. Install the same on "
            "every node, and use nodes of one kind of processor"
        )


@cache
def kin() -> dict[str, str]:
    """What a result may depend on besides the work: versions, our code with its compiled kernel, and the processor."""
    from rollcast.predictors.recurrent import kernel

    code = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in ("predictors", "strategies", "backtests"):
        for path in sorted(p for p in (root / package).rglob("*") if p.suffix in SOURCES):
            code.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    found = {package: _version(package) for package in PACKAGES}
    builds = " ".join(kernel.builds()) or "none"
    return found | {
        "rollcast's code": code.hexdigest()[:12],
        "the kernel's builds": builds,
        "machine": platform.machine(),
    }


@cache
def class_of(file: str, source: str, name: str) -> type:
    """A class out of the source of a file that this node need not have."""
    module = ModuleType(f"sent_{hashlib.sha256(source.encode()).hexdigest()[:12]}_{Path(file).stem}")
    sys.modules[module.__name__] = module  # where backtrader looks for what is defined beside a class
    exec(compile(source, file, "exec"), vars(module))
    found: type = attrgetter(name)(module)
    return found


class _Unpacker(pickle.Unpickler):
    def __init__(self, packed: bytes, frames: Sequence[pd.DataFrame]) -> None:
        super().__init__(io.BytesIO(packed))
        self.frames = frames

    def persistent_load(self, place: Any) -> pd.DataFrame:
        return self.frames[place]


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot be pickled."""
    from ray import cloudpickle

    try:
        again = cloudpickle.loads(cloudpickle.dumps(error))
        if str(again) == str(error):
            return error
    except Exception:
        pass  # nothing is lost: what follows says it
    return ValueError(f"{type(error).__name__}: {error}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
