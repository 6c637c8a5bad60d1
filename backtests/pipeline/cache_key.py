"""What a forecast depends on besides its bars and parameters: all code that may have a part in it, as one digest."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import ModuleType

from ... import predictors, strategies
from ...predictors import Learner, Predictor, WalkForward
from .. import account
from ..installation import source_files
from ..json_values import plain
from .recipe import describe, versions

# Counted as a whole or not at all: rollcast itself, its tests, and the script that was started.
NOT_OWN = ("rollcast", "tests", "conftest", "__main__", "__mp_main__")


def code_of(predictor: Predictor | Learner) -> str | None:
    """SHA-256 of the code a predictor runs and of everything installed beside it; None where that cannot be told.

    Its own file, the whole of its package, every module outside the standard library and the installed packages that
    Python has loaded by now, the whole of rollcast's `predictors` with its compiled kernel, the version of every
    installed distribution, Python, and the machine. A changed byte in any of them is another digest. None where one of
    the files was written after this process began, because what runs may be what it held before.
    """
    cls = type(predictor.learner if isinstance(predictor, WalkForward) else predictor)
    files = {*_own_files(cls), *own_modules().values(), *source_files(Path(predictors.__file__).parent)}
    if any(max(path.stat().st_mtime, path.stat().st_ctime) >= STARTED for path in files):
        return None
    return _stamp(files, (_installed(), versions(), platform.platform(), os.environ.get("CUDA_VISIBLE_DEVICES")))


def folder_key(predictor: Predictor, strategy: type, asked: object) -> str:
    """SHA-256 of a sweep: what was asked, the code of the predictor and of the strategy, and the versions."""
    cls = type(predictor.learner if isinstance(predictor, WalkForward) else predictor)
    folders = [Path(package.__file__ or "").parent for package in (predictors, strategies, account)]
    files = {*_own_files(cls), *_own_files(strategy), *(file for folder in folders for file in source_files(folder))}
    return _stamp(files, (versions(), sorted_text(plain(asked))))


def key_of(predictor: Predictor | Learner, bars_sha256: str, code: str) -> str:
    """SHA-256 of code, every parameter and the bars: two equal keys stand for one forecast."""
    said = repr((code, sorted_text(plain(describe(predictor))), type(predictor).__module__, bars_sha256))
    return hashlib.sha256(said.encode()).hexdigest()


def own_modules() -> dict[ModuleType, Path]:
    """Loaded modules, with their files, that are neither Python's, nor installed, nor of rollcast or its tests."""
    paths = sysconfig.get_paths()
    installed = tuple({str(Path(paths[name]).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
    found = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and module.__name__.partition(".")[0] not in NOT_OWN:
            path = Path(file).resolve()
            if not str(path).startswith(installed) and path.is_file():
                found[module] = path
    return found


def sorted_text(value: object) -> str:
    """JSON's types as text that does not depend on the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{k!r}:{sorted_text(v)}" for k, v in sorted(value.items())) + "}"
    return repr(value)


def _own_files(cls: type) -> list[Path]:
    """The file of a class, and all files of the package it is in."""
    source = inspect.getsourcefile(cls)
    if source is None:
        return []
    path = Path(source).resolve()
    top = path.parent
    while (top.parent / "__init__.py").exists():
        top = top.parent
    return [path, *(source_files(top) if (top / "__init__.py").exists() else [])]


def _stamp(files: Iterable[Path], more: object) -> str:
    stamp = hashlib.sha256(repr(more).encode())
    for path in sorted(files):
        stamp.update(f"\0{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return stamp.hexdigest()


@functools.cache
def _installed() -> tuple[str, ...]:
    """Every installed distribution with its version."""
    return tuple(sorted({f"{d.name}=={d.version}" for d in metadata.distributions()}))


def _process_began() -> float:
    """The time at which this process began, where the system tells, else now; a second early to be safe."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
        return time.time() - max(age, 0.0) - 1
    except (OSError, ValueError):
        return time.time() - 1


STARTED = _process_began()
