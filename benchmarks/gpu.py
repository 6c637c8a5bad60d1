"""Everything that only a GPU can show, in nine minutes, the most valuable first.

    python -m benchmarks.gpu --out FOLDER [--pretend]

Every step is a process of its own with a limit. It leaves a line in FOLDER/steps.jsonl and what it printed in
FOLDER/STEP.txt, so that a step which hangs or crashes costs nothing but itself. FOLDER/report.md is written anew after
every step. With --pretend there is no GPU: the kernel is emulated, torch has the tests' pretend cuda:0, and sizes are
tiny, which tries this script and measures nothing.

Beside every time stands a derived one: the operations of the matrix products over the GPU's float32 peak, which no path
can beat. The step `derived` has these for cards by their data sheets, and needs none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Float32 operations a second: two for each lane at the boost clock of the data sheet.
PEAKS = {"A100": 2 * 64 * 108 * 1.41e9, "RTX 4090": 2 * 128 * 128 * 2.52e9, "H100, H200": 2 * 128 * 132 * 1.98e9}
Result = dict[str, Any]


def gpu_and_context(pretend: bool) -> tuple[Any, Any]:
    """The GPU of the kernel, and the context in which torch's work is done."""
    import contextlib

    if not pretend:
        from rollcast.predictors.recurrent import cuda_device

        return cuda_device.gpus()[0], contextlib.nullcontext()
    from tests.predictors.recurrent.emulated_gpu import EmulatedGpu

    device = EmulatedGpu(Path(tempfile.gettempdir()))
    device.name, device.peak, device.capability = "an H100, pretended", PEAKS["H100, H200"], (9, 0)
    from tests.predictors.recurrent import pretend_cuda

    return device, pretend_cuda.Mode()


def environment(pretend: bool) -> Result:
    """What is measured on."""
    import torch

    device, _ = gpu_and_context(pretend)
    found = {"gpu": device.name, "capability": device.capability, "peak TFLOP/s": device.peak / 1e12}
    found |= {"shared memory": device.shared_memory, "free GB": device.free_memory() / 1e9}
    return found | {
        "torch": torch.__version__,
        "cuda of torch": torch.version.cuda,
        "cpu": platform.processor(),
        "cores": os.cpu_count(),
    }


def derived(pretend: bool) -> Result:
    """Not measured: seconds for 4,500 windows by operations and data sheets, as a floor and at the share aimed for."""
    from rollcast.predictors.recurrent import gpu_choice

    found: Result = {}
    for name in TIMED:
        plan, jobs = benchmark_jobs(name, 1, False)
        work = 4500 * gpu_choice.operations(plan, jobs)
        for card, peak in PEAKS.items():
            kernel = gpu_choice.RECOMPUTED * work / peak / gpu_choice.KERNEL_SHARE
            row = {"floor": work / peak, "kernel": kernel, "batched": work / peak / gpu_choice.BATCHED_SHARE}
            found[f"{name}, {card}"] = {key: round(value, 2) for key, value in row.items()}
    return found


TIMED = ("lstm, full batch", "lstm, batch 64", "lstm, sequence", "gru, full batch")
PLANS: dict[str, Result] = {
    "lstm": {"stride": 1},
    "lstm, sequence": {},
    "gru": {"cell": "gru", "stride": 1},
    "rnn": {"cell": "rnn", "stride": 1},
    "8 units": {"hidden": 8},
    "32 units": {"hidden": 32},
    "64 units": {"hidden": 64},
    "gaussian": {"loss": "gaussian"},
    "huber, weight decay": {"loss": "huber", "weight_decay": 0.1},
    "mini-batches, dropout": {"batch": 32, "dropout": 0.3, "stride": 1},
    "validation": {"validation": 0.3, "patience": 1, "stride": 1},
}
BATCHED: dict[str, Result] = {
    "lstm": {"stride": 1},
    "stacked": {"layers": 2},
    "both directions": {"directions": 2, "stride": 1},
    "attention": {"attention": True, "stride": 1},
    "mini-batches, dropout": {"batch": 32, "dropout": 0.3, "layers": 2, "stride": 1},
}


def short_training(changes: Result) -> tuple[Any, list[Any]]:
    from dataclasses import replace

    from rollcast import LSTM, WalkForward
    from rollcast.predictors.bars import random_walk

    learner = LSTM(lookback=8, hidden=16, epochs=24, seeds=1, lr=0.001, warm=24)
    _, jobs = learner.jobs(WalkForward(learner, 120, 10).windows(random_walk(150))[:3])
    return replace(learner.plan(), **changes), jobs


def worst_difference(plan: Any, jobs: list[Any], results: dict[int, Any]) -> float:
    """Of losses, and of forecasts in standard deviations, from the reference."""
    from dataclasses import replace

    import numpy as np

    from rollcast.predictors.recurrent import reference

    worst, weights = 0.0, None
    for k, job in enumerate(jobs):
        expected = reference.train(plan, replace(job, weights=weights) if job.continues else job)
        weights = expected.weights
        worst = max(worst, float(np.nanmax(np.abs(results[k].losses - expected.losses))))
        worst = max(worst, float(np.abs(results[k].forecast - expected.forecast).max() / job.scale[-1, 1]))
    return worst


def kernel_is_right(pretend: bool) -> Result:
    """The kernel's gradients and forecasts against the reference's; at most 1e-5 is right."""
    import numpy as np
    import torch

    from rollcast.predictors.recurrent import gpu, reference

    device, _ = gpu_and_context(pretend)
    found = {}
    for name, changes in list(PLANS.items())[: 2 if pretend else None]:
        plan, jobs = short_training(changes)
        _, gradient = gpu.gradient(plan, jobs[0], device)
        training = reference.Training(plan, jobs[0], dtype=torch.float64)
        rows = np.concatenate([training.samples.training, training.samples.validation])
        training.loss(rows).backward()
        exact = torch.cat([p.grad.flatten() for p in training.net.parameters()]).numpy()
        row = {"forecasts": worst_difference(plan, jobs, dict(gpu.train(plan, jobs, [device])))}
        if not plan.validation:  # whose gap belongs to no sample of the reference
            row["gradient"] = float(np.linalg.norm(gradient - exact) / np.linalg.norm(exact))
        found[name] = row
    return found | {"right": all(value <= 1e-5 for row in found.values() for value in row.values())}


def batched_is_right(pretend: bool) -> Result:
    """The batched path against the reference, eager and recorded; and how many updates were recorded."""
    from rollcast.predictors.recurrent import batched, graphs

    _, context = gpu_and_context(pretend)
    found: Result = {}
    captured = []
    capture = graphs.capture
    graphs.capture = lambda *a: captured.append(1) or capture(*a)
    for recorded in (False, True):
        graphs.worth_recording = lambda *_, recorded=recorded: recorded
        for name, changes in list(BATCHED.items())[: 2 if pretend else None]:
            plan, jobs = short_training(changes)
            with context:
                results = dict(batched.train(plan, jobs, "cuda"))
            found[f"{name}, {'recorded' if recorded else 'eager'}"] = worst_difference(plan, jobs, results)
    return found | {"graphs": len(captured), "right": all(value <= 1e-5 for value in found.values()) and bool(captured)}


def memory_is_halved(pretend: bool) -> Result:
    """Both paths with hardly any memory left: chunks are halved, and results are right."""
    import torch

    from rollcast.predictors.recurrent import batched, gpu

    device, context = gpu_and_context(pretend)
    plan, jobs = short_training({"stride": 1})
    if pretend:
        device.memory = 2 * sum(job.rows.nbytes + job.returns.nbytes for job in jobs[:1]) + 160_000
    else:
        device.allocate(device.free_memory() - (64 << 20))
    found: Result = {"kernel": worst_difference(plan, jobs, dict(gpu.train(plan, jobs, [device])))}
    if not pretend:
        torch.cuda.set_per_process_memory_fraction(0.01)
        batched._affordable = lambda *_: 10**6
    with context:
        found["batched"] = worst_difference(plan, jobs, dict(batched.train(plan, jobs, "cuda")))
    return found | {"right": all(value <= 1e-5 for value in found.values())}


def benchmark_jobs(name: str, windows: int, pretend: bool) -> tuple[Any, list[Any]]:
    from dataclasses import replace

    from benchmarks.training import NETS, jobs_of

    learner = NETS[name] if not pretend else replace(NETS[name], epochs=2, lookback=4, hidden=8)
    return learner.plan(), jobs_of(learner, windows)


def timed(train: Callable[[Any, list[Any]], Any], pretend: bool, share: int = 1) -> Result:
    """Seconds for 213 and 4,500 windows; of a slow path a share is trained, and the rest is extrapolated."""
    from rollcast.predictors.recurrent import gpu_choice

    device, _ = gpu_and_context(pretend)
    found: Result = {}
    for name in TIMED:
        for windows in (2, 3) if pretend else (213, 4500):
            plan, jobs = benchmark_jobs(name, -(-windows // share), pretend)
            if windows in (2, 213):
                train(plan, jobs[:2])  # compiles
            start = time.perf_counter()
            train(plan, jobs)
            seconds = (time.perf_counter() - start) * windows / len(jobs)
            derived = gpu_choice.operations(plan, jobs) * windows / len(jobs) / device.peak
            found[f"{name}, {windows} windows"] = {
                "seconds": seconds,
                "derived floor": derived,
                "share of peak": derived / seconds,
            }
    return found


def kernel_times(pretend: bool) -> Result:
    """The kernel's times."""
    from rollcast.predictors.recurrent import gpu

    device, _ = gpu_and_context(pretend)
    return timed(lambda plan, jobs: list(gpu.train(plan, jobs, [device])), pretend)


def batched_times(pretend: bool) -> Result:
    """The batched path's times, and the memory that torch took."""
    import torch

    from rollcast.predictors.recurrent import batched

    _, context = gpu_and_context(pretend)

    def train(plan: Any, jobs: list[Any]) -> None:
        with context:
            list(batched.train(plan, jobs, "cuda"))

    found = timed(train, pretend)
    return found if pretend else found | {"GB": torch.cuda.max_memory_allocated() / 1e9}


def cudnn_times(pretend: bool) -> Result:
    """cuDNN's nn.LSTM, a window at a time: a hundredth of the windows."""
    import torch

    from rollcast.predictors.recurrent import reference

    def train(plan: Any, jobs: list[Any]) -> None:
        for job in jobs:
            training = reference.Training(plan, job)
            if not pretend:
                training.net.cuda()
                training.x, training.y = training.x.cuda(), training.y.cuda()
            training.train()
        if not pretend:
            torch.cuda.synchronize()

    return timed(train, pretend, share=100)


def cpu_times(pretend: bool) -> Result:
    """The CPU's kernel on all of its cores: a twentieth of the windows."""
    from rollcast.predictors.native import workers
    from rollcast.predictors.recurrent import kernel

    return timed(lambda plan, jobs: list(kernel.train(plan, jobs, workers())), pretend, share=20)


def profile(pretend: bool) -> Result:
    """Where the batched path's time goes: seconds by operation."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    from rollcast.predictors.recurrent import batched

    _, context = gpu_and_context(pretend)
    plan, jobs = benchmark_jobs("lstm, full batch", 2 if pretend else 213, pretend)
    with context, profiled(activities=[ProfilerActivity.CPU] if pretend else [ProfilerActivity.CUDA]) as events:
        list(batched.train(plan, jobs, "cuda"))
    rows = sorted(events.key_averages(), key=lambda row: -(row.cpu_time_total if pretend else row.device_time_total))
    return {row.key: (row.cpu_time_total if pretend else row.device_time_total) / 1e6 for row in rows[:12]}


# By value, with a limit in seconds; together nine minutes.
STEPS: dict[str, tuple[Callable[[bool], Result], int]] = {
    "environment": (environment, 30),
    "derived": (derived, 20),
    "kernel_is_right": (kernel_is_right, 120),
    "kernel_times": (kernel_times, 90),
    "cpu_times": (cpu_times, 60),
    "batched_is_right": (batched_is_right, 60),
    "batched_times": (batched_times, 90),
    "memory_is_halved": (memory_is_halved, 30),
    "cudnn_times": (cudnn_times, 40),
    "profile": (profile, 20),
}


def run_step(step: str, folder: Path, pretend: bool) -> Result:
    """Runs a step in its own process; what it printed is in FOLDER/STEP.txt."""
    start, result = time.perf_counter(), folder / f"{step}.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(folder), "--step", step, *["--pretend"] * pretend]
    with (folder / f"{step}.txt").open("w") as printed:
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=STEPS[step][1] * (10 if pretend else 1),
            )
            status = "done" if done.returncode == 0 else f"failed with status {done.returncode}"
        except subprocess.TimeoutExpired:
            status = "ran into its limit"
    value = json.loads(result.read_text()) if status == "done" else None
    return {"step": step, "status": status, "seconds": round(time.perf_counter() - start, 1), "result": value}


def report(rows: list[Result], pretend: bool) -> str:
    """The rows as Markdown."""
    lines = ["# The nets on a GPU", ""]
    if pretend:
        lines += [
            "**Pretended: nothing here was measured on a card.** Times are an emulation's, floors an H100's.",
            "",
        ]
    for row in rows:
        lines += [f"## {row['step']}: {row['status']}, {row['seconds']} s", ""]
        lines += [f"* {key}: {json.dumps(value)}" for key, value in (row["result"] or {}).items()] + [""]
    return "\n".join(lines)


def pretend_library(folder: Path) -> str:
    """The library that gives torch its pretend cuda:0."""
    import torch

    path = folder / "pretend_cuda.so"
    include, source = Path(torch.__file__).parent / "include", ROOT / "tests/predictors/recurrent/pretend_cuda.cpp"
    subprocess.run(
        ["g++", "-O0", "-shared", "-fPIC", "-std=c++20", f"-I{include}", str(source), "-o", str(path)], check=True
    )
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pretend", action="store_true", help="without a GPU, to try this script")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder: Path = arguments.out.resolve()
    if arguments.step:
        if arguments.pretend:
            import tests.predictors.recurrent.pretend_cuda  # noqa: F401 (before torch is)
        result = STEPS[arguments.step][0](arguments.pretend)
        (folder / f"{arguments.step}.json").write_text(json.dumps(result))
        return
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.pretend:
        os.environ["PRETEND_CUDA"] = pretend_library(folder)
    rows: list[Result] = []
    for step in STEPS:
        rows.append(run_step(step, folder, arguments.pretend))
        line = json.dumps(rows[-1])
        print(line, flush=True)
        with (folder / "steps.jsonl").open("a") as file:
            file.write(line + "\n")
        (folder / "report.md").write_text(report(rows, arguments.pretend))


if __name__ == "__main__":
    main()
