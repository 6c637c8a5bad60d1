"""On a Ray cluster of two nodes: the results of this machine to the bit, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollcast.backtests.digests import MANIFEST

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

# Notes where it is fitted, takes its time, and fails from a date on if it is told to. After forty fits it waits while
# there is a file that holds it, so that no run ends before a worker of it is killed.
PLUGIN = '''
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rollcast import Learner


class TooLate(ArithmeticError):
    """An error of the plugin's own."""


@dataclass
class Noted(Learner):
    folder: str
    pause: float = 0.0
    fails: str = "9999"

    def fit(self, bars):
        if str(bars.index[-1]) >= self.fails:
            raise TooLate(f"no fit on {bars.index[-1]:%Y-%m-%d}")
        folder = Path(self.folder)
        while (folder / "hold").exists() and sum(len(p.read_text().splitlines()) for p in folder.glob("*.txt")) > 40:
            time.sleep(0.05)
        node = os.environ.get("RAY_NODE_ID", "here")
        if "ray" in __import__("sys").modules:
            import ray
            node = ray.get_runtime_context().get_node_id()
        with open(Path(self.folder) / f"{os.getpid()}.txt", "a") as file:
            file.write(f"{bars.index[-1]:%Y-%m-%d} {node}\\n")
        time.sleep(self.pause)
        self.mean_ = bars["close"].pct_change().mean()
        return self

    def predict(self, bars):
        return pd.Series(self.mean_, index=bars.index)
'''


def command(out: Path, *words: str) -> list[str]:
    return [sys.executable, "cli.py", "backtest", "--start", "2010", "--out", str(out), *words]


def run(words: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = environment or {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)


def contents(out: Path) -> dict[str, bytes]:
    """The files of the one run, but for those that hold its time, the manifest too; of the sheet, all but the stamp."""
    (folder,) = (path for path in out.iterdir() if (path / "recipe.json").exists())
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("recipe.json", MANIFEST)}
    found["tearsheet.html"], _, _ = found["tearsheet.html"].partition(b'id="stamp"')
    assert len(found["tearsheet.html"]) > 100_000
    return found


def fits(folder: Path) -> list[tuple[str, str]]:
    """(date, node) of every fit, those of the look-ahead gate included."""
    lines = [line for path in folder.glob("*.txt") for line in path.read_text().splitlines()]
    return [tuple(line.split()) for line in lines]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A learner in a file that no worker has, and the folder `fits` that it writes to."""
    (tmp_path / "fits").mkdir()
    (tmp_path / "noted.py").write_text(PLUGIN)
    return tmp_path / "noted.py"


@pytest.mark.parametrize(
    "words",
    [
        ["--predictor", "lstm", "-p", "epochs=2", "-p", "seeds=2"],
        ["--predictor", "ols-features"],
        ["--predictor", "examples/ridge.py"],
    ],
    ids=lambda words: " ".join(words[1::2]),
)
def test_a_run_writes_the_same_bytes_as_on_this_machine(words, two_nodes, tmp_path):
    if "ridge" in words[1]:
        pytest.importorskip("sklearn")
    for engine, environment in (("local", None), ("ray", two_nodes)):
        done = run(command(tmp_path / engine, *words, "--engine", engine), environment)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_chains_symbols_and_training_logs_are_the_same_to_the_bit(two_nodes):
    code = """
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.backtests.data.bars import load_bars
from rollcast import WalkForward, load
from rollcast.predictors import training_log

bars = load_bars("SPY")
frames = [bars.iloc[-2000:], bars.iloc[-1700:-30]]
nets = {"epochs": 2, "seeds": 2, "hidden": 7}
for learner in (load("lstm", **nets), load("gru", **nets, warm=1), load("kalman-mle")):
    made = []
    for name in ("local", "ray"):
        with engine(name), training_log.recording() as log:
            made.append([*WalkForward(learner).predict_many(frames), *vars(log.training()).values()])
    for local, ray in zip(*made, strict=True):
        assert local is ray is None or local.equals(ray), learner
"""
    done = run([sys.executable, "-c", code], two_nodes)
    assert done.returncode == 0, done.stderr


UP = """
import os, pathlib
from rollcast.strategies.base import ForecastStrategy

class Up(ForecastStrategy):
    params = (("folder", ""), ("above", 0.0))

    def start(self):
        (pathlib.Path(self.p.folder) / f"{os.getpid()}.pid").touch()

    def decide(self, forecast):
        return float(forecast > self.p.above)
"""


def test_a_sweep_of_a_strategy_of_ones_own_is_the_same_to_the_bit(two_nodes, tmp_path):
    (tmp_path / "up.py").write_text(UP)
    code = f"""
from pathlib import Path
import pandas as pd
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sweep.points import sweep_of
from rollcast.backtests.workspace.sweep import run_sweep

sweep = sweep_of(
    Request("sma", {str(tmp_path / "up.py")!r}, start="2016"),
    ["window=20|50|100"], ["above=0.0|0.0001|0.0002|0.0003", "folder={tmp_path}"],
)
found = []
for name in ("local", "ray"):
    with engine(name):
        swept = run_sweep(sweep, Path({str(tmp_path)!r}) / name)
    found.append(pd.read_parquet(swept.folder / "returns.parquet"))
pd.testing.assert_frame_equal(*found, check_exact=True)
"""
    done = run([sys.executable, "-c", code], two_nodes)
    assert done.returncode == 0, done.stderr
    # By both workers where neither was so quick that nothing was left for the other.
    assert len(list(tmp_path.glob("*.pid"))) >= 2, "the accounts were traded here and by workers"


def test_placebo_markets_are_the_same_to_the_bit(two_nodes, tmp_path):
    (tmp_path / "up.py").write_text(UP)
    where = {"folder": str(tmp_path)}
    code = f"""
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.backtests.placebo import Pipeline, placebo
from rollcast.backtests.pipeline.request import Request

for predictor, strategy, given in (
    ("sma", {str(tmp_path / "up.py")!r}, {where!r}),
    ("ols-features", "long_flat", {{}}),
):
    found = []
    for name in ("local", "ray"):
        with engine(name):
            trial = Pipeline.of(Request(predictor, strategy, start="2012", strategy_params=given))
            found.append(placebo(trial, markets=8).table)
    assert found[0].equals(found[1]), (predictor, found)
"""
    done = run([sys.executable, "-c", code], two_nodes)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.pid"))) > 2, "the accounts were traded here and by both workers"


def test_both_nodes_work_on_a_plugin_that_neither_has(two_nodes, plugin):
    folder = plugin.parent / "fits"
    words = ["--predictor", str(plugin), "-p", f"folder={folder}", "-p", "pause=0.05"]
    done = run(command(plugin.parent / "out", *words, "--engine", "ray"), two_nodes)
    assert done.returncode == 0, done.stderr
    assert len({node for _, node in fits(folder) if node != "here"}) >= 2


def test_a_worker_that_is_killed_costs_nothing_but_time(two_nodes, plugin):
    folder, out = plugin.parent / "fits", plugin.parent / "out"
    words = ["--predictor", str(plugin), "-p", f"folder={folder}", "-p", "pause=0.1", "--engine", "ray"]
    (folder / "hold").touch()
    process = subprocess.Popen(command(out, *words), cwd=ROOT, env=two_nodes, stderr=subprocess.PIPE, text=True)
    killed = 0
    while not killed and process.poll() is None:
        workers = [int(path.stem) for path in folder.glob("*.txt") if int(path.stem) != process.pid]
        if workers and len(fits(folder)) > 10:
            os.kill(workers[0], signal.SIGKILL)
            killed = workers[0]
        time.sleep(0.05)
    (folder / "hold").unlink()
    _, error = process.communicate(timeout=1200)
    assert killed
    assert process.returncode == 0, error
    local = run(command(plugin.parent / "local", *words[:-1], "local"))
    assert local.returncode == 0, local.stderr
    assert contents(out) == contents(plugin.parent / "local")


def test_an_error_of_the_learner_is_the_sentence_it_is_on_this_machine(two_nodes, plugin):
    words = ["--predictor", str(plugin), "-p", f"folder={plugin.parent / 'fits'}", "-p", "fails=2016"]
    done = [
        run(command(plugin.parent / engine, *words, "--engine", engine), environment)
        for engine, environment in (("local", None), ("ray", two_nodes))
    ]
    assert [one.returncode for one in done] == [1, 1]
    local, ray = (one.stderr.strip().splitlines()[-1] for one in done)
    assert "TooLate: no fit on 2016-01-" in local
    assert ray.partition(": ")[2] == local.partition("TooLate: ")[2], "a worker's error comes without its file"
    assert done[0].stderr.count("Traceback") == 1, "the plugin's own, over the line"


def test_ctrl_c_ends_a_run_within_seconds(two_nodes, plugin):
    folder = plugin.parent / "fits"
    words = ["--predictor", str(plugin), "-p", f"folder={folder}", "-p", "pause=5", "--engine", "ray"]
    process = subprocess.Popen(
        command(plugin.parent / "out", *words), cwd=ROOT, env=two_nodes, stderr=subprocess.PIPE, text=True
    )
    while not fits(folder):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    try:
        _, error = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:  # Python drops an interrupt that arrives inside a destructor
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=600)
    print(f"ended after {time.monotonic() - began:.1f} s")
    assert process.returncode == 1
    assert error.strip().endswith("Aborted!")
    before = len(fits(folder))
    time.sleep(6)
    assert len(fits(folder)) <= before, "nothing goes on being trained"


def test_a_worker_with_other_code_is_refused(two_nodes):
    code = (
        "from rollcast.backtests.cluster import on_ray\n"
        "from rollcast.backtests.cluster.journalled_executor import engine\n"
        "from rollcast.predictors import WalkForward, load\n"
        "from rollcast.predictors.bars import random_walk\n"
        "environment = on_ray.environment()\n"
        "on_ray.environment = lambda: environment | {'numpy': '0.0'}\n"
        "with engine('ray'):\n"
        "    WalkForward(load('ols-features'), train=200).predict(random_walk(300))\n"
    )
    done = run([sys.executable, "-c", code], two_nodes)
    assert done.returncode == 1
    assert "would not give the same results: numpy is" in done.stderr


def test_without_a_cluster_one_is_started_and_ends_with_the_run(tmp_path):
    pytest.importorskip("ray")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    done = run(command(tmp_path, "--predictor", "ols-features", "--engine", "ray"), environment)
    assert done.returncode == 0, done.stderr
    assert "Tear sheet: " in done.stdout


@pytest.mark.slow
def test_the_files_of_the_own_cluster_are_the_users_alone():
    code = """
import os, ray
from pathlib import Path
from rollcast.backtests.cluster import on_ray
before = os.umask(0o022)
with on_ray.cluster():
    folder = Path(ray._private.worker._global_node.get_session_dir_path())
    print({oct(path.stat().st_mode & 0o077) for path in folder.glob("*") if path.is_file()}, oct(os.umask(0o022)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.splitlines()[-1] == "{'0o0'} 0o22"


LISTENERS = """
import glob, os
from contextlib import suppress
import ray
from rollcast.backtests.cluster.on_ray import cluster

def processes(pid):
    yield pid
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in open(path).read().split():
            yield from processes(child)

with cluster():
    ray.get(ray.remote(lambda: 1).remote())
    links = set()
    for pid in processes(os.getpid()):
        for path in glob.glob(f"/proc/{pid}/fd/*"):
            with suppress(OSError):
                links.add(os.readlink(path))
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in map(str.split, open(path)):
            if row[3] == "0A" and f"socket:[{row[9]}]" in links:
                print(row[1].partition(":")[0])
"""


def test_rollcasts_own_cluster_listens_on_loopback_alone():
    pytest.importorskip("ray", reason="Ray, an optional extra, is not installed")
    if not Path("/proc/net/tcp").exists():
        pytest.skip("the system does not tell in /proc who listens")
    alone = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    done = run([sys.executable, "-c", LISTENERS], alone)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert len(done.stdout.split()) >= 4
