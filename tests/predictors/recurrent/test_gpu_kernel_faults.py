"""The emulated GPU kernel under sanitizers; and faults put into its source, each of which must be found.

What finds a fault is the comparison with the CPU's kernel, with the threads of a block in several shuffled orders, the
thread sanitizer, or a run that ends in an error.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.predictors.recurrent.emulated_gpu import CPP, needs_compiler

pytestmark = [needs_compiler, pytest.mark.slow]
ROOT = Path(__file__).parents[3]
# Arguments: a folder to compile into, the sources, the seeds of the threads' orders, and flags.
CHECK = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from rollcast import WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent import gpu, kernel
from rollcast.predictors.recurrent.learners import LSTM
from tests.predictors.recurrent.emulated_gpu import EmulatedGpu
folder, sources, cell, seeds, *flags = sys.argv[1:]
learner = LSTM(lookback=4, hidden=8, epochs=3, seeds=1, lr=0.001, warm=2, loss_on="last")
_, jobs = learner.jobs(WalkForward(learner, 100, 40).windows(random_walk(230))[:3])
plan = replace(learner.plan(), cell=cell)
small = {"batch": 40, "dropout": 0.2, "validation": 0.2, "patience": 1, "clip": 0.05}
for changes in (small, {"stride": 4}):
    changed = replace(plan, **changes)
    expected = dict(kernel.train(changed, jobs, 1, "portable"))
    expected_loss, expected_gradient = kernel.gradient(changed, jobs[0], "portable")
    for seed in map(int, seeds.split(",")):
        device = EmulatedGpu(Path(folder), seed=seed, sources=Path(sources), blocks=2, waits=True, flags=flags)
        for k, trained in gpu.train(changed, jobs, [device]):
            std = jobs[k].scale[-1, 1]
            np.testing.assert_allclose(trained.weights, expected[k].weights, atol=1e-5)
            np.testing.assert_allclose(trained.losses, expected[k].losses, atol=1e-5)
            np.testing.assert_allclose(trained.forecast / std, expected[k].forecast / std, atol=1e-5)
        loss, gradient = gpu.gradient(changed, jobs[0], device)
        assert abs(loss - expected_loss) < 1e-5
        assert np.linalg.norm(gradient - expected_gradient) <= 1e-5 * np.linalg.norm(expected_gradient)
"""
SANITIZERS = {
    "address and undefined behaviour": ("libasan.so", ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]),
    "threads": ("libtsan.so", ["-fsanitize=thread", "-DEMULATE_THREADS"]),
}
SHUFFLED = "1,2,3"
FAULTS = {
    "a swapped gate": (
        "cells.h",
        "c = z[1] * c_before + z[0] * z[2];",
        "c = z[0] * c_before + z[1] * z[2];",
    ),
    "a derivative of the wrong gate": (
        "cells.h",
        "dz[0] = dc * g * i * (1.0f - i);",
        "dz[0] = dc * f * i * (1.0f - i);",
    ),
    "the gates in another order": (
        "gpu/net.h",
        "(c < Q ? c : Q - 1) * units",
        "(Q - 1 - c) * units",
    ),
    "a tile that misses its last row": (
        "gpu/products.h",
        "add_product<C>(place, in, w, H, K, z);",
        "add_product<C>(place, in, w, H, K - 4, z);",
    ),
    "a product that begins one row late": (
        "gpu/products.h",
        "add_product<R>(place, in, w, 0, H, z);",
        "add_product<R>(place, in, w, 4, H, z);",
    ),
    "a gradient without the last sample": (
        "gpu/products.h",
        "for (int s = 0; s < S; s++) {",
        "for (int s = 0; s < S - 1; s++) {",
    ),
    "the weights' columns off by one": (
        "gpu/products.h",
        "dz + place.sample(j) * column_row + v * C, d",
        "dz + place.sample(j) * column_row + (v ^ 1) * C, d",
    ),
    "samples behind the last are counted": (
        "gpu/net.h",
        "d[o] = s < n ? d[o] * weight : 0.0f;",
        "d[o] = d[o] * weight;",
    ),
    "the state before is the state after": (
        "gpu/net.h",
        "recall_states(t - 1, in(t - 1));",
        "recall_states(t, in(t - 1));",
    ),
    "inputs of the step after": (
        "gpu/net.h",
        "load_inputs(t - 1, in(t - 1));",
        "load_inputs(t, in(t - 1));",
    ),
    "one place for two steps": (
        "gpu/net.h",
        "inputs + t % 2 * input_floats",
        "inputs",
    ),
    "the first target is forgotten": (
        "gpu/net.h",
        "if (t >= burn && threadIdx.x < S)",
        "if (t > burn && threadIdx.x < S)",
    ),
    "dropout draws another unit": (
        "gpu/net.h",
        "sample * units + unit)",
        "sample * units + unit + 1)",
    ),
    "dropout keeps its inputs' size": (
        "gpu/net.h",
        "? 0.0f : dropout.factor",
        "? 0.0f : 1.0f",
    ),
    "the norm is not clipped": (
        "gpu/training.cu",
        "shrunk < 1.0f ? shrunk : 1.0f",
        "1.0f",
    ),
    "one bias for two": (
        "gpu/net.h",
        "if (second >= 0) space.g[second] = sum_at(i);",
        "",
    ),
    "weights are not read again": (
        "gpu/training.cu",
        "space.v[i]);\n    net.load_weights();",
        "space.v[i]);",
    ),
    "the batch's rest is left out": (
        "gpu/training.cu",
        "start < n; start += batch",
        "start + batch <= n; start += batch",
    ),
    "an unsorted order": (
        "gpu/block.h",
        "const bool ascending = !(i & run);",
        "const bool ascending = true;",
    ),
    "early stopping keeps the last weights": (
        "gpu/training.cu",
        "if (least < most) copy(space.best, space.p), net.load_weights();",
        "",
    ),
    "a chain begins anew": (
        "gpu/training.cu",
        "if (!job.continues) space.p[i]",
        "space.p[i]",
    ),
}


def barriers():
    """Every barrier of the passes and of the sums, by file and line; between updates there are more than are needed."""
    found = {}
    for file in ("gpu/net.h", "gpu/block.h"):
        text = (CPP / file).read_text(encoding="utf-8")
        for match in re.finditer(r"__syncthreads\(\);", text):
            line = text[: match.start()].count("\n") + 1
            found[f"{file}:{line}"] = (file, match.start(), match.end())
    return found


def check(folder, sources=CPP, sanitizer=None, cell="lstm", seeds=SHUFFLED):
    """The process that compares the emulated kernel with the CPU's; status 0 where they agree."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    flags = ["-O1"]
    if sanitizer:
        library, flags = SANITIZERS[sanitizer]
        path = subprocess.run(["g++", f"-print-file-name={library}"], capture_output=True, text=True, check=True).stdout
        if not os.path.isabs(path.strip()):
            pytest.skip(f"no {library} here")
        options = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1"}
        environment |= {"LD_PRELOAD": path.strip(), **options}
    command = [sys.executable, "-c", CHECK, str(folder), str(sources), cell, seeds, *flags]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)


def mutant(folder, file, change):
    sources = folder / "cpp"
    shutil.copytree(CPP, sources)
    text = (sources / file).read_text(encoding="utf-8")
    (sources / file).write_text(change(text), encoding="utf-8")
    return sources


def is_found(folder, sources):
    """Whether the comparison fails, and if not, the thread sanitizer."""
    done = check(folder, sources)
    assert "error:" not in done.stderr, done.stderr  # a mutant that does not compile shows nothing
    return done.returncode or check(folder, sources, "threads", seeds="1").returncode


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_sanitizers_find_nothing(tmp_path, sanitizer, cell):
    done = check(tmp_path, sanitizer=sanitizer, cell=cell, seeds="1")
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(tmp_path, fault):
    file, was, becomes = FAULTS[fault]

    def change(text):
        assert text.count(was) == 1, f"{was!r} stands {text.count(was)} times in {file}"
        return text.replace(was, becomes)

    assert is_found(tmp_path, mutant(tmp_path, file, change))


@pytest.mark.parametrize("place", barriers())
def test_a_missing_barrier_is_found(tmp_path, place):
    file, start, end = barriers()[place]
    assert is_found(tmp_path, mutant(tmp_path, file, lambda text: text[:start] + text[end:]))
