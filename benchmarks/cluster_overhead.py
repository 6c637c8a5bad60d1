"""What sharing windows out costs: the same trainings by the kernel alone, by the local engine and by Ray.

    python -m benchmarks.cluster_overhead [--windows 1500] [--rounds 5] [--workers 2]

kernel: `learner.forecast` of all windows on as many threads; local: the engine `local` with its journal; ray: the
engine `ray` on a cluster of this machine that is up and warm. Every round times all three, one after the other, so
that a ratio compares neighbours in time; what is printed is the median over rounds. CPU seconds are those of this
process and of the cluster's, so they do not depend on who else uses the machine, as wall seconds do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Ray's workers are nice to others by default, and would lose to them here.
os.environ |= {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}

from rollcast import WalkForward, load
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.predictors.bars import random_walk


def ticks(pid: int) -> float:
    """CPU seconds of a process so far; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family(root: int) -> set[int]:
    """A process and all that it started, and they."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    processes = {root}
    while more := {pid for pid, parent in parents.items() if parent in processes} - processes:
        processes |= more
    return processes


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process and of all below it."""
    before = {pid: ticks(pid) for pid in family(os.getpid())}
    began = time.perf_counter()
    call()
    wall = time.perf_counter() - began
    return wall, sum(ticks(pid) - before.get(pid, 0.0) for pid in family(os.getpid()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("windows", 1500), ("rounds", 5), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    os.environ["ROLLCAST_THREADS"] = str(options.workers)
    predictor = WalkForward(load("lstm"))
    frames = [random_walk(1000 + 21 * 300, seed=k) for k in range(-(-options.windows // 300))]
    windows = [window for bars in frames for window in predictor.windows(bars)]
    times_of: dict[str, list[tuple[float, float]]] = {"kernel": [], "local": [], "ray": []}
    with tempfile.TemporaryDirectory() as folder, engine("ray"):
        predictor.predict_many(frames)  # the workers have imported what they need

        def local() -> None:
            with engine("local", Path(folder)):
                predictor.predict_many(frames)

        calls = {
            "kernel": lambda: list(predictor.learner.forecast(windows)),
            "local": local,
            "ray": lambda: predictor.predict_many(frames),
        }
        for _ in range(options.rounds):
            for name, call in calls.items():
                times_of[name].append(timed(call))
    print(f"{len(windows)} windows of the default lstm, {options.workers} workers, median of {options.rounds} rounds")
    for name, times in times_of.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = [(w / kw, c / kc) for (w, c), (kw, kc) in zip(times, times_of["kernel"], strict=True)]
        slower, dearer = (statistics.median(column) - 1 for column in zip(*ratios, strict=True))
        print(f"{name:<7}{wall:7.2f} s wall ({slower:+.1%}){cpu:8.2f} s CPU ({dearer:+.1%}), "
              f"{len(windows) / cpu:.0f} windows a CPU second", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
