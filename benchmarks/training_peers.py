"""How fast the kernel trains beside darts and neuralforecast, a core each: the same nets on the same windows of SPY.

    python benchmarks/training_peers.py [--venv FOLDER] [--rounds 5] [--windows 4] [--json results.json]

The peers live in a virtual environment of their own, made in FOLDER where it is missing (a temporary one by default),
each in a process that stays alive over the rounds, so that neither imports nor first calls are timed. A round times all
of them one after the other, each on one thread; what is printed is the median over rounds. CPU seconds are what is
compared: unlike wall seconds, they hardly change when the machine is shared.

Before that, each peer is watched once and must do the work of the kernel: one call of `Trainer.fit` a window, as many
steps of its optimiser, and no more sample-steps read by its `nn.LSTM` in training than whole batches hold. The heads
are one linear layer each. neuralforecast's training set grows from window to window, but not the number and the size
of its steps; and it draws the samples of a step instead of passing over all.

H units, T lookback, N samples, F features, E epochs, as in docs/recurrent-nets.md.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peers import BATCHES, EVERY, PEERS, Call, E, H, N, T, timed

from rollcast import LSTM, WalkForward, load_bars
from rollcast.predictors.features import features
from rollcast.predictors.recurrent import kernel

PACKAGES = ("darts==0.48.1", "neuralforecast==3.3.0", "torch==2.13.0")


def bars_of(windows: int) -> pd.DataFrame:
    """The last bars of SPY that hold this many windows."""
    return load_bars("SPY").iloc[-(N + T + 1 + EVERY * windows) :]


def kernel_call(batch: int, windows: int) -> Call:
    """Trains and forecasts the windows with the compiled kernel."""
    learner = LSTM(lookback=T, hidden=H, epochs=E, lr=0.01, seeds=1, loss_on="last", batch=batch % N)
    _, jobs = learner.jobs(WalkForward(learner, N + T + 1, EVERY).windows(bars_of(windows))[:windows])
    plan = learner.plan()
    return lambda: list(kernel.train(plan, jobs, 1))


def rows_of(windows: int) -> np.ndarray:
    """The features of the same bars for the peers, scaled once: return, range, gap, volume; shape (bars - 1, F)."""
    rows = features(bars_of(windows))[1:]
    return ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32)


class Peer:
    """A peer in its own process and environment, asked one batch size at a time."""

    def __init__(self, python: Path, name: str, data: Path, windows: int) -> None:
        command = [str(python), str(Path(__file__).with_name("peers.py")), name, str(data), str(windows)]
        hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=hidden)

    def ask(self, batch: int) -> dict[str, float]:
        assert self.process.stdin
        assert self.process.stdout
        print(batch, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline() or sys.exit("a peer ended; its traceback is above"))


def environment(folder: Path) -> Path:
    """The interpreter of the peers' virtual environment, made first where it is not there."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def measure(python: Path, rounds: int, windows: int, folder: Path) -> dict[str, dict[str, Any]]:
    data = folder / "rows.npy"
    np.save(data, rows_of(windows))
    ours = {batch: kernel_call(batch, windows) for batch in BATCHES}
    peers = {name: Peer(python, name, data, windows) for name in PEERS}
    work = {(name, batch): checked(peer.ask(batch), batch) for name, peer in peers.items() for batch in BATCHES}
    times: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for batch in BATCHES:
            times.setdefault(("rollcast", batch), []).append(timed(ours[batch]))
            for name, peer in peers.items():
                times.setdefault((name, batch), []).append(peer.ask(batch))
    for peer in peers.values():
        peer.process.communicate()
    return {f"{name}, batch {batch}": row(name, batch, times, work, windows) for name, batch in times}


def checked(work: dict[str, float], batch: int) -> dict[str, float]:
    """The work of a window as counted; ends the run unless it is the kernel's."""
    steps = E * -(-N // batch)
    if work["fits"] != 1 or work["steps"] != steps or not E * N * T <= work["sample-steps"] <= steps * batch * T:
        sys.exit(f"a peer did other work than 1 fit of {steps} steps a window: {work}")
    return work


def row(name: str, batch: int, times: Any, work: Any, windows: int) -> dict[str, Any]:
    """The medians over rounds, in milliseconds a window, and of the ratios to the kernel in the same round."""
    mine, fast = times[name, batch], times["rollcast", batch]
    found = {f"{key}, ms a window": 1000 / windows * statistics.median(t[key] for t in mine) for key in ("cpu", "wall")}
    if name == "rollcast":
        return found
    ratios = {
        f"{key} ratio": statistics.median(t[key] / f[key] for t, f in zip(mine, fast, strict=True))
        for key in ("cpu", "wall")
    }
    return found | ratios | {f"{key} a window": count for key, count in work[name, batch].items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = environment(arguments.venv or Path(folder) / "venv")
        rows = measure(python, arguments.rounds, arguments.windows, Path(folder))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(PACKAGES)}"
    print(f"{machine}; H={H} T={T} N={N} F=4 E={E}; one thread each; median of {arguments.rounds} rounds")
    for name, values in rows.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.1f}" for key, value in values.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
