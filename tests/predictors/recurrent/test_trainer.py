"""The trainer's promises: a window's result is its own, Ctrl-C ends it, and it works without a compiler."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rollcast.predictors import native
from rollcast.predictors.recurrent import kernel, processes, trainer
from rollcast.predictors.recurrent.learners import LSTM

ROOT = Path(__file__).parents[3]
NET = LSTM(lookback=8, hidden=8, epochs=5, seeds=1)
FOREVER = """
import os
import sys
from rollcast import WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent import kernel
from rollcast.predictors.recurrent.learners import LSTM
if __name__ == "__main__":
    if sys.argv[1] == "reference":
        kernel.available = lambda: False
    started = lambda done, total: os.write(1, b"started\\n")
    net = LSTM(hidden=64, epochs=10**6, loss_on="last", seeds=2)
    WalkForward(net, train=900).predict(random_walk(1000), started)
else:
    os.write(1, b"worker\\n")
"""
PATIENCE = 300  # seconds, after which a test gives up


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk", [1, 7, 20])
def test_chunks_and_threads_leave_every_byte_alone(jobs_of, build, chunk, threads):
    jobs = jobs_of(windows=20)
    expected = {k: trained for job in [jobs] for k, trained in kernel.train(NET.plan(), job, 1, build)}
    for start in range(0, len(jobs), chunk):
        for k, trained in kernel.train(NET.plan(), jobs[start : start + chunk], threads, build):
            assert trained.forecast.tobytes() == expected[start + k].forecast.tobytes()
            assert trained.weights.tobytes() == expected[start + k].weights.tobytes()


def test_the_order_of_windows_leaves_every_byte_alone(jobs_of, build):
    jobs = jobs_of(windows=12)
    forwards = dict(kernel.train(NET.plan(), jobs, 2, build))
    backwards = dict(kernel.train(NET.plan(), jobs[::-1], 2, build))
    for k in range(len(jobs)):
        assert forwards[k].forecast.tobytes() == backwards[len(jobs) - 1 - k].forecast.tobytes()


def test_a_longer_neighbour_leaves_every_byte_alone(jobs_of, build):
    short, long = jobs_of(windows=1)[0], jobs_of(windows=1, train=700)[0]
    alone = dict(kernel.train(NET.plan(), [short], 1, build))[0]
    beside = dict(kernel.train(NET.plan(), [long, short], 1, build))[1]
    assert alone.forecast.tobytes() == beside.forecast.tobytes()


def threads_alive() -> int:
    return len(os.listdir("/proc/self/task"))


def until(holds: Callable[[], bool]) -> None:
    """Waits for what must come to hold, however long a busy machine takes over it."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def closed(jobs_of, build) -> float:
    """Closes an iterator of trainings without an end; returns the seconds it took."""
    endless = [replace(job, epochs=10**6) for job in jobs_of(windows=3)]
    quick = jobs_of(windows=4)[3:]
    before = threads_alive()
    running = kernel.train(NET.plan(), [*quick, *endless], 2, build)
    next(running)
    assert threads_alive() == before + 2
    start = time.perf_counter()
    running.close()
    seconds = time.perf_counter() - start
    until(lambda: threads_alive() == before)  # the system lists a thread a moment longer than it lives
    return seconds


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_no_thread_outlives_a_closed_iterator(jobs_of, build):
    closed(jobs_of, build)


@pytest.mark.timed
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_an_iterator_closes_within_a_second(jobs_of, build):
    assert closed(jobs_of, build) < 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_no_worker_outlives_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "forever.py"
    script.write_text(FOREVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ROLLCAST_THREADS": "2"}
    with subprocess.Popen(
        [sys.executable, str(script), "reference"], stdout=subprocess.PIPE, env=environment
    ) as process:
        said = [process.stdout.readline() for _ in range(3)]
        workers = children_of(process.pid)
        time.sleep(1)  # into the training, where the machine is not slow; what follows holds in any case
        process.kill()
    assert sorted(said) == [b"started\n", b"worker\n", b"worker\n"]
    assert len(workers) >= 2
    until(lambda: not [pid for pid in workers if Path(f"/proc/{pid}/cmdline").exists()])


def children_of(parent: int) -> list[int]:
    """The processes it has started."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def stopped(tmp_path: Path, way: str) -> float:
    """Presses Ctrl-C in a training without an end; returns the seconds until the process had ended."""
    if way == "kernel" and not kernel.available():
        pytest.skip("no kernel here")
    script = tmp_path / "forever.py"
    script.write_text(FOREVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ROLLCAST_THREADS": "2"}
    # A shell's background job ignores Ctrl-C, and so would all that it starts.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, str(script), way], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    signal.signal(signal.SIGINT, heard)
    assert process.stdout.readline() == "started\n"
    time.sleep(1)  # into the training, where the machine is not slow; what follows holds in any case
    process.send_signal(signal.SIGINT)
    start = time.perf_counter()
    _, errors = process.communicate(timeout=PATIENCE)
    seconds = time.perf_counter() - start
    assert "KeyboardInterrupt" in errors
    assert process.returncode
    return seconds


@pytest.mark.parametrize("way", ["kernel", "reference"])
def test_ctrl_c_ends_a_training(tmp_path, way):
    stopped(tmp_path, way)


@pytest.mark.timed
@pytest.mark.parametrize("way", ["kernel", "reference"])
def test_ctrl_c_ends_a_training_within_two_seconds(tmp_path, way):
    assert stopped(tmp_path, way) < 2


def test_without_a_kernel_the_reference_trains_and_one_line_says_so(without_kernel, caplog, jobs_of):
    trainer._warn_of_missing_kernel.cache_clear()
    jobs = jobs_of(windows=1)
    with caplog.at_level(logging.WARNING, "rollcast"):
        first = dict(trainer.train(NET.plan(), jobs, "cpu"))
        dict(trainer.train(NET.plan(), jobs, "cpu"))
    assert [record.getMessage() for record in caplog.records] == [
        "recurrent nets: no compiled kernel here, so torch trains them, several times slower; install a C++ compiler "
        "and run `pip install` again to build it"
    ]
    assert np.isfinite(first[0].forecast).all()


def test_worker_processes_train_as_this_one_does(jobs_of):
    jobs = jobs_of(windows=4)
    jobs = [jobs[0], replace(jobs[1], continues=True), *jobs[2:]]
    together, alone = (dict(processes.train(NET.plan(), jobs, count)) for count in (2, 1))
    for k in range(len(jobs)):
        np.testing.assert_array_equal(together[k].forecast, alone[k].forecast)


def test_an_install_without_a_compiler_succeeds(tmp_path):
    environment = {**os.environ, "CC": "/nonexistent", "CXX": "/nonexistent"}
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", str(tmp_path), "--build-temp", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.so"))


def test_a_missing_device_is_named():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match="device cuda was asked for, but torch finds no CUDA device here"):
        trainer.resolve("cuda")


@pytest.mark.parametrize(("threads", "expected"), [("3", 3), ("0", 1)])
def test_the_environment_sets_how_many_train_at_a_time(monkeypatch, threads, expected):
    monkeypatch.setenv("ROLLCAST_THREADS", threads)
    assert native.workers() == expected
