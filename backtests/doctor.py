"""Whether this machine has what rollcast needs: a finding for each part, its cure, and a short test of the whole.

Nothing is imported before its own check, so that what is broken is named and the other checks go on.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .. import __version__
from .installation import version_of

if TYPE_CHECKING:
    import pandas as pd

    from ..predictors.recurrent.jobs import Job, Plan

Status = Literal["ok", "lacking", "fault"]
ROOM = 1.0  # gigabytes; a run with its page takes three megabytes, a sweep of a net hundreds
# Of an SMA on the last 500 bars of bundled SPY: its equity at the end.
EQUITY = 146606.07749225173
# Of the LSTM of `net` on the same bars, by the reference, in standard deviations of the target: its first forecasts.
FORECASTS = (0.21969076, 0.21639877, 0.24724325, 0.11859105)
LOST = "lost are device cuda without the extra gpu, gates on the sheet of a net, and `explain` for nets"
# In a process of its own, because a broken build can end the process that imports it.
TORCH = """
import json, torch
device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
assert float((torch.ones(2, 2) @ torch.ones(2, 2)).sum()) == 8, "it multiplies wrongly"
print(json.dumps([torch.__version__, torch.version.cuda or torch.version.hip, device]))
"""
OPTIONAL = {
    "ray": ("ray", "--engine ray"),
    "optuna": ("optuna", "guided sweeps"),
    "gpu": ("cuda-bindings", "the GPU kernel"),
    "mcp": ("mcp", "rollcast mcp"),
}


@dataclass(frozen=True)
class Finding:
    """What was found of a part. lacking: something optional is missing. cure: what to do; empty where all is well."""

    part: str
    status: Status
    sentence: str
    cure: str = ""


COMPILER = "install a C++ compiler and run pip install again"


def examine(out: Path) -> Iterator[Finding]:
    """Every finding, as soon as it is made; `out` is the workspace that is asked about, and nothing stays in it."""
    checks: dict[str, Callable[[], Finding]] = {
        "versions": _versions,
        "kernel": _kernel,
        "accounts": _accounts,
        "torch": _torch,
        **{name: partial(_optional, name) for name in OPTIONAL},
        "workspace": lambda: _writable("workspace", out, "name another folder with --out"),
        "store": _store,
        "index": _index,
        "prices": _prices,
        "disk": lambda: _disk(out),
        "backtest": _backtest,
        "net": _net,
    }
    for part, check in checks.items():
        try:
            yield check()
        except Exception as error:  # whatever is broken here is what was looked for
            cure = "install rollcast again: pip install --force-reinstall rollcast, or -e . in a checkout"
            yield Finding(part, "fault", f"{type(error).__name__}: {error}", cure)


def _versions() -> Finding:
    installed = version_of("rollcast")
    sentence = f"rollcast {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    if installed not in (None, __version__):
        return Finding("versions", "lacking", f"{sentence}; {installed} is what was installed", "run pip install again")
    return Finding("versions", "ok", sentence)


def _kernel() -> Finding:
    from ..predictors.recurrent import kernel

    names = list(kernel.builds())
    if names:
        others = f"; {', '.join(names[:-1])} run here too" if names[1:] else ""
        return Finding("kernel", "ok", f"compiled, uses {names[-1]}{others}")
    sentence = "not compiled for this processor: torch trains nets, several times slower"
    return Finding("kernel", "lacking", sentence, COMPILER)


def _accounts() -> Finding:
    from .account import compiled

    if compiled.library() is not None:
        return Finding("accounts", "ok", "compiled")
    return Finding("accounts", "lacking", "not compiled: numpy trades sweeps and stress, ten times slower", COMPILER)


def _torch() -> Finding:
    done = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"its import ended the process with status {done.returncode}"
        cure = "pip install torch, as https://pytorch.org/get-started/locally/ says for this machine"
        return Finding("torch", "lacking", f"cannot be used ({reason}); {LOST}", cure)
    version, cuda, device = json.loads(done.stdout.splitlines()[-1])
    build = f"built for CUDA {cuda}" if cuda else "CPU build"
    return Finding("torch", "ok", f"{version}, {build}, {device or 'no GPU in use'}")


def _optional(extra: str) -> Finding:
    package, use = OPTIONAL[extra]
    version = version_of(package)
    if version:
        return Finding(extra, "ok", f"{package} {version}")
    return Finding(extra, "lacking", f"{package} is not installed; it is for {use}", f"pip install 'rollcast[{extra}]'")


def _store() -> Finding:
    from .data import store

    return _writable("store", store.folder(), f"name another folder in the variable {store.HOME}")


def _index() -> Finding:
    from .ledger import book

    folder = book.index_folder()
    if folder is None:
        cure = f"unset the variable {book.HOME}"
        return Finding("index", "lacking", "switched off: trials in other workspaces are not counted", cure)
    return _writable("index", folder, f"name another folder in the variable {book.HOME}")


def _writable(part: str, folder: Path, cure: str) -> Finding:
    """Whether files can be written in a folder, or where it does not exist in the one that it would be made in."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"rollcast")
    except OSError as error:
        return Finding(part, "fault", f"{folder} cannot be written: {error.strerror or error}", cure)
    return Finding(part, "ok", f"{folder} can be written" if place == folder else f"{folder} can be made")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    folder = Path(os.path.abspath(folder))
    return next(place for place in (folder, *folder.parents) if place.exists())


def _prices() -> Finding:
    from .data.bundled import FILES, FOLDER, bundled

    missing = [name for name in FILES if not (FOLDER / f"{name}.parquet").is_file()]
    if missing:
        return Finding("prices", "fault", f"missing of the bundle: {', '.join(missing)}", "run pip install again")
    return Finding("prices", "ok", f"{len(bundled())} symbols are bundled")


def _disk(out: Path) -> Finding:
    free = shutil.disk_usage(_existing(out)).free / 1e9
    if free < ROOM:
        return Finding("disk", "lacking", f"{free:.2f} GB free", f"free some space: {ROOM:g} GB is little")
    return Finding("disk", "ok", f"{free:,.0f} GB free")


def bars() -> pd.DataFrame:
    """The last 500 bars of SPY as it is bundled, whatever is in the store."""
    from .data.load import load
    from .data.options import DataOptions

    return load("SPY", DataOptions(source="bundled")).bars.iloc[-500:]


def net() -> tuple[Plan, Job]:
    """A small LSTM on the first window of those bars."""
    from ..predictors.recurrent.learners import LSTM
    from ..predictors.walk_forward import WalkForward

    learner = LSTM(lookback=8, hidden=8, epochs=5, seeds=1)
    (job,) = learner.jobs(WalkForward(learner, 120, 10).windows(bars())[:1])[1]
    return learner.plan(), job


def _backtest() -> Finding:
    from ..predictors.sma import SMA
    from ..strategies.long_flat import LongFlat
    from .pipeline.backtest import run

    equity = float(run(bars(), SMA(), LongFlat).equity.iloc[-1])
    if abs(equity / EQUITY - 1) > 1e-9:
        cure = "compare `pip freeze` with constraints.txt, which has the versions that were tested"
        return Finding("backtest", "fault", f"SMA on SPY ends at {equity!r} instead of {EQUITY!r}", cure)
    return Finding("backtest", "ok", f"SMA on SPY's last 500 bars ends at {equity:,.2f}, as it should")


def _net() -> Finding:
    import numpy as np

    from ..predictors.recurrent import kernel, processes

    plan, job = net()
    names = list(kernel.builds())
    if names:
        trained = {name: next(kernel.train(plan, [job], 1, name))[1] for name in names}
    else:
        names, trained = ["torch"], {"torch": next(processes.train(plan, [job], 1))[1]}
    for name, result in trained.items():
        forecasts = result.forecast[: len(FORECASTS), 0] / job.scale[-1, 1]
        error = float(np.abs(forecasts - FORECASTS).max())
        if not error < 1e-5:
            sentence = f"{name} forecasts other than the reference by {error:.1g} standard deviations"
            return Finding("net", "fault", sentence, "run pip install again, and report it with `doctor --json`")
    return Finding("net", "ok", f"a small LSTM forecasts as the reference does, by {', '.join(names)}")
