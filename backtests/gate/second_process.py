"""A learner's window fitted in processes of their own, where nothing is kept and strings hash otherwise."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pickle
import subprocess
import sys
from dataclasses import fields

import numpy as np

from ...predictors import Learner, Window
from ..fresh_process import command, replies

HASH_SEEDS = ("1", "2")


def fitted_elsewhere(learner: Learner, window: Window) -> list[np.ndarray]:
    """The forecast of a window's block by each of two fresh processes; none of rollcast's own learners, or of a class
    that only this process has.

    Raises RuntimeError where the learner raises there.
    """
    cls, file = type(learner), _file(type(learner))
    if cls.__module__.startswith("rollcast.") or cls.__module__ == "__main__" or "<" in cls.__qualname__ or not file:
        return []
    parameters = {f.name: getattr(learner, f.name) for f in fields(learner) if f.init}  # type: ignore[arg-type]
    try:
        work = pickle.dumps((cls.__module__, file, cls.__qualname__, pickle.dumps(parameters), window))
    except (pickle.PicklingError, TypeError, AttributeError):  # `check` says so
        return []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [
        subprocess.Popen(command(__name__), env=os.environ | {"PYTHONHASHSEED": seed}, **pipes)  # type: ignore[call-overload]
        for seed in HASH_SEEDS
    ]
    replies = [process.communicate(work) for process in processes]
    for process, (_, errors) in zip(processes, replies, strict=True):
        if process.returncode:
            raise RuntimeError(f"{cls.__name__} raised in a fresh process: {errors.decode().strip().splitlines()[-1]}")
    return [np.frombuffer(block) for block, _ in replies]


def serve() -> None:
    """In the fresh process: fits the window on standard input, and writes the forecasts of its block."""
    output = replies()
    name, file, qualname, parameters, window = pickle.load(sys.stdin.buffer)
    try:
        module = importlib.import_module(name)
    except ImportError:  # a file, loaded under a name of its own
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    learner = getattr(module, qualname)(**pickle.loads(parameters))
    ((_, block),) = learner.forecast([window])
    output.write(block.to_numpy(float).tobytes())
    output.close()


def _file(cls: type) -> str:
    try:
        return inspect.getfile(cls)
    except (TypeError, OSError):
        return ""
