"""A run that is killed goes on where it stopped, and a run that ends leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rollcast import Learner, WalkForward, load
from rollcast.backtests.cluster import journal
from rollcast.backtests.cluster.chunks import Chunks
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.backtests.data.bars import load_bars
from rollcast.predictors import training_log
from rollcast.predictors.bars import random_walk
from rollcast.predictors.executor import Work

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from rollcast.backtests.workspace import workspace
from rollcast.backtests.cluster import journal, journalled_executor
from rollcast.backtests.cluster.journalled_executor import engine
from rollcast.backtests.pipeline.request import Request
journal.SECONDS, journalled_executor.SECONDS = 0.2, 0.1
out = Path(sys.argv[1])
request = Request(str(out.parent / "slow.py"), start="2010", params={"log": str(out) + ".log"})
with engine(sys.argv[2], out):
    workspace.backtest(request, out)
"""
# It waits at its sixtieth window while there is a file that holds it, so that it cannot end before it is killed.
PLUGIN = """
import time
from dataclasses import dataclass
from pathlib import Path
import pandas as pd
from rollcast import Learner

@dataclass
class Slow(Learner):
    log: str

    def fit(self, bars):
        with open(self.log, "a") as file:
            file.write(f"{bars.index[-1]:%Y-%m-%d}\\n")
        time.sleep(0.05)
        while Path(self.log + ".hold").exists() and len(Path(self.log).read_text().splitlines()) >= 60:
            time.sleep(0.05)
        self.mean_ = bars["close"].pct_change().mean()
        return self

    def predict(self, bars):
        return pd.Series(self.mean_, index=bars.index)
"""


@dataclass
class Stopped(Learner):
    """The mean of the last returns; stops when it has been fitted `limit` times."""

    limit: int = 10**9
    fits: list[int] = field(default_factory=list, repr=False, compare=False)

    def fit(self, bars: pd.DataFrame) -> Stopped:
        if len(self.fits) >= self.limit:
            raise KeyboardInterrupt
        self.fits.append(len(bars))
        self.mean_ = float(np.log(bars["close"]).diff().mean())
        return self

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return pd.Series(self.mean_, index=bars.index)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk is kept, as if it had taken long, and the tests' own code is no newer than the process."""
    monkeypatch.setattr(journal, "SECONDS", 0.0)
    monkeypatch.setattr(journal, "code_of", lambda learner: type(learner).__name__)
    monkeypatch.setattr(journal, "key_of", lambda learner, text, code: f"{code}, {text}")


def forecast(learner: Learner, out: Path | None) -> tuple[pd.Series, training_log.Training | None]:
    with engine("local", out), training_log.recording() as log:
        series = WalkForward(learner, train=100, every=5).predict(random_walk(400))
    return series, log.training()


def test_windows_of_a_run_that_was_interrupted_are_not_trained_again(at_once, tmp_path):
    stopped, again = Stopped(limit=40), Stopped()
    with pytest.raises(KeyboardInterrupt):
        forecast(stopped, tmp_path)
    assert list(tmp_path.glob("unfinished/*/*.zip"))
    series, training = forecast(again, tmp_path)
    alone, expected = forecast(Stopped(), None)
    windows = len(WalkForward(Stopped(), 100, 5).windows(random_walk(400)))
    assert windows - 40 <= len(again.fits) < windows - 10
    pd.testing.assert_series_equal(series, alone, check_exact=True)
    pd.testing.assert_frame_equal(training.windows, expected.windows, check_exact=True)
    assert not (tmp_path / "unfinished").exists()


def test_what_a_net_noted_is_kept_to_the_bit(at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(journal.Journal, "clear", lambda self: None)
    learner = load("lstm", epochs=1, seeds=2, hidden=3)
    _, whole = forecast(learner, None)
    forecast(learner, tmp_path)
    monkeypatch.setattr(type(learner), "forecast_nets", None)  # nothing is left to train
    _, again = forecast(learner, tmp_path)
    for before, after in zip(vars(whole).values(), vars(again).values(), strict=True):
        assert before.equals(after)


def test_a_damaged_file_is_trained_again(at_once, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        forecast(Stopped(limit=40), tmp_path)
    for path in tmp_path.glob("unfinished/*/*.zip"):
        path.write_bytes(path.read_bytes()[:-30])
    again = Stopped()
    series, _ = forecast(again, tmp_path)
    assert len(again.fits) == len(WalkForward(again, 100, 5).windows(random_walk(400)))
    assert series.equals(forecast(Stopped(), None)[0])


def test_what_another_living_process_finished_is_never_cleared(at_once, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        forecast(Stopped(limit=40), tmp_path)
    name = "from rollcast.backtests.owner import owned_name; print(owned_name('x.zip'), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        path, *_ = tmp_path.glob("unfinished/*/*.zip")
        theirs = path.rename(path.with_name(other.stdout.readline().strip()))
        forecast(Stopped(), tmp_path)
        assert list(tmp_path.glob("unfinished/*/*.zip")) == [theirs]
        other.communicate("\n")
    forecast(Stopped(), tmp_path)
    assert not (tmp_path / "unfinished").exists()


def test_a_run_that_fails_leaves_nothing(at_once, tmp_path):
    def fail() -> None:
        with engine("local", tmp_path):
            WalkForward(Stopped(), train=100, every=5).predict(random_walk(400))
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert not list(tmp_path.iterdir())


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match=r"unknown engine 'spark'\. Known: local, ray"), engine("spark"):
        pass


def test_without_ray_one_line_says_which_extra_to_install():
    code = "import sys; sys.modules['ray'] = None; import cli; cli.main(sys.argv[1:])"
    words = ["predict", "SPY", "-P", "sma", "--engine", "ray"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "Error: --engine ray needs Ray, an optional extra: pip install 'rollcast[ray]'\n"


def chunk_sizes(seconds: float, start: float, pace: float, units: int, **more: object) -> list[int]:
    """The sizes of the chunks of work whose chunks of n units take start + n · pace seconds."""
    chunks = Chunks.of(Work(iter, range(units), **more), set(), seconds)
    sizes = []
    while chunks:
        sizes.append(len(chunks.take()))
        chunks.record(sizes[-1], start + sizes[-1] * pace)
    return sizes


@pytest.mark.parametrize("pace", [0.001, 0.1, 10.0])
def test_chunks_come_to_take_the_time_they_should(pace):
    sizes = chunk_sizes(2.0, 0.0, pace, 100_000)
    assert all(n * pace == pytest.approx(max(2.0, pace), rel=0.3) for n in sizes[8:-1])


def test_what_a_chunk_costs_however_short_makes_chunks_long():
    sizes = chunk_sizes(2.0, 4.0, 0.01, 100_000)
    assert len(sizes) * 4.0 < 0.15 * 100_000 * 0.01


def test_chunks_cut_no_chain_and_leave_no_unit_out():
    chains = [k // 7 for k in range(70)]
    chunks = Chunks.of(Work(iter, range(70), chains), {k for k in range(70) if k // 7 == 3}, 1.0, parts=4)
    taken: deque[list[int]] = deque()
    while chunks:
        taken.append(chunks.take())
    assert sorted(k for chunk in taken for k in chunk) == [k for k in range(70) if k // 7 != 3]
    owner = {k: number for number, chunk in enumerate(taken) for k in chunk}
    assert all(owner[k] == owner[k - k % 7] for k in owner)


def started(out: Path, name: str, environment: dict[str, str] | None) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(out), name]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def until(holds: object, seconds: float = 600) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
        yield


def finished_windows(out: Path) -> set[str]:
    """The dates of the windows that are kept in a workspace."""
    chunks = [journal._read(path, path.parent.name) for path in out.glob("unfinished/*/*.zip")]
    splits = [int(name.split()[2]) for chunk in chunks if chunk is not None for name in chunk[0]]
    return set(load_bars("SPY", "2010").index[np.array(splits, int) - 1].strftime("%Y-%m-%d"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["local", "ray"])
def test_a_killed_backtest_goes_on_and_gives_the_same_bytes(name, tmp_path, request):
    environment = request.getfixturevalue("two_nodes") if name == "ray" else None
    (tmp_path / "slow.py").write_text(PLUGIN)
    time.sleep(2)  # code that is younger than its process has no journal
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    hold = tmp_path / "killed.log.hold"
    hold.touch()
    process = started(killed, name, environment)
    for _ in until(lambda: len(finished_windows(killed)) >= 15 or process.poll() is not None):
        pass
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hold.unlink()
    log, finished = tmp_path / "killed.log", finished_windows(killed)
    log.write_text("")
    for out in (killed, whole):
        process = started(out, name if out == killed else "local", environment)
        _, error = process.communicate(timeout=1200)
        assert process.returncode == 0, error
    run = [text.splitlines() for text in (log.read_text(), (tmp_path / "whole.log").read_text())]
    once_more = set(run[0]) & finished
    probed = {date for date, times in Counter(run[1]).items() if times > 1}  # the gate trains some windows again
    assert len(finished) >= 15
    assert len(once_more - probed) < len(finished) / 3, "what was finished is not trained again"
    folders = [next(out.glob("[0-9]*-slow-SPY")) for out in (killed, whole)]
    for name in ("forecasts.parquet", "equity.parquet", "training.parquet", "metrics.json"):
        # The list of trials has the parameters, and the log that this plugin writes is one of them.
        contents = [(folder / name).read_bytes().replace(b"killed.log", b"whole.log") for folder in folders]
        assert contents[0] == contents[1], name
    assert not (killed / "unfinished").exists()
