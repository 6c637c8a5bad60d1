"""How fast the kernel trains: against torch's own layers in one-thread processes, and against the machine's peak.

    python benchmarks/training.py [--rounds 5] [--windows 8] [--json results.json]

Every round times all of them, one after the other, so that a ratio compares neighbours in time; what is printed is the
median over rounds. H units, T lookback, N samples, F features, E epochs, as in docs/recurrent-nets.md.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rollcast import GRU, LSTM, RNN, AttentionLSTM, BiLSTM, StackedLSTM, WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent import kernel, reference
from rollcast.predictors.recurrent.jobs import CELLS, Job, Plan

H, T, N, E = 32, 20, 504, 30
FIELDS = {"hidden": H, "lookback": T, "epochs": E, "lr": 0.01, "seeds": 1}
NETS = {
    "lstm, full batch": LSTM(loss_on="last", **FIELDS),
    "lstm, batch 64": LSTM(loss_on="last", batch=64, **FIELDS),
    "lstm, sequence": LSTM(loss_on="sequence", **FIELDS),
    "gru, full batch": GRU(loss_on="last", **FIELDS),
    "rnn, full batch": RNN(loss_on="last", **FIELDS),
    "stacked-lstm, full batch": StackedLSTM(loss_on="last", **FIELDS),
    "bilstm, full batch": BiLSTM(**FIELDS),
    "attention-lstm, full batch": AttentionLSTM(**FIELDS),
}


def jobs_of(learner: LSTM, windows: int) -> list[Job]:
    """The first windows of a random walk, each with N samples of one lookback and 21 forecasts."""
    bars = random_walk(N + T + 1 + 21 * windows)
    _, jobs = learner.jobs(WalkForward(learner, N + T + 1).windows(bars)[:windows])
    return jobs


def flops(plan: Plan, steps: int) -> int:
    """Nominal floating-point operations of the matrix products of that many steps of samples, there and back."""
    total, gates = 0, CELLS[plan.cell] * plan.hidden
    for layer in range(plan.layers):
        inputs = plan.directions * plan.hidden if layer else plan.features
        # Forward and the weights' gradient multiply [h, x] by the gates; the way back multiplies them by h, and by x
        # where x is a layer's.
        total += plan.directions * 2 * gates * (2 * (inputs + plan.hidden) + plan.hidden + (inputs if layer else 0))
    return total * steps


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak(threads: int) -> float:
    """Operations per second of torch's matrix product on this many threads."""
    torch.set_num_threads(threads)
    a = torch.randn(1024, 1024)
    best = min(seconds(lambda: a @ a) for _ in range(8))
    torch.set_num_threads(1)
    return 2 * 1024**3 / best


def train_one(task: tuple[Plan, Job]) -> None:
    torch.set_num_threads(1)
    reference.train(*task)


def memory_per_thread(plan: Plan, jobs: list[Job]) -> float:
    """Megabytes that one more thread needs: the growth of this process's peak from one thread to nine."""

    def highest(threads: int) -> int:
        for _ in kernel.train(plan, [replace(job, epochs=1) for job in jobs], threads):
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    one = highest(1)
    return (highest(9) - one) / 8 / 1024


def measure(rounds: int, windows: int, processes: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {name: {} for name in NETS}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in range(rounds):
            for name, learner in NETS.items():
                plan, jobs = learner.plan(), jobs_of(learner, windows)
                top = peak(processes)
                fast = seconds(lambda plan=plan, jobs=jobs: list(kernel.train(plan, jobs, processes)))
                slow = seconds(lambda plan=plan, jobs=jobs: pool.map(train_one, [(plan, job) for job in jobs], 1))
                steps = E * windows * (N * T if plan.stride == 1 else N // T * (2 * T - 1))
                row = {
                    "kernel, s per 100": fast / windows * 100,
                    "twin, s per 100": slow / windows * 100,
                    "ratio": slow / fast,
                    "% of sgemm": 100 * flops(plan, steps) / fast / top,
                }
                for key, value in row.items():
                    found[name].setdefault(key, []).append(value)
    return {name: {key: statistics.median(values) for key, values in row.items()} for name, row in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    learner = NETS["lstm, full batch"]
    memory = memory_per_thread(learner.plan(), jobs_of(learner, 9))
    rows = measure(arguments.rounds, arguments.windows, arguments.processes)
    machine = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, builds {', '.join(kernel.builds())}"
    )
    print(f"{machine}; H={H} T={T} N={N} F=4 E={E}; {arguments.processes} threads and processes; median of "
          f"{arguments.rounds} rounds; {memory:.1f} MB per thread")  # fmt: skip
    print("| net | " + " | ".join(next(iter(rows.values()))) + " |")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row.values()) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "MB per thread": memory, "rows": rows}, indent=2))


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
