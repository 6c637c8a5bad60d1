"""The gate on real bars: honest predictors pass it, those that look ahead get no clean sheet."""

import json
import textwrap
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
import pytest

from rollcast import Learner, Predictor, WalkForward, load, run
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.verdict import NEGLIGIBLE, LookAheadError, WindowDependence
from rollcast.backtests.sheet.recipe import facts
from rollcast.predictors.bars import log_returns, random_walk
from rollcast.predictors.features import features, next_returns
from rollcast.strategies.long_flat import LongFlat
from tests.command import cli
from tests.zoo.honest import AWKWARD, missing

SMALL = {"lookback": 5, "hidden": 4, "epochs": 2, "seeds": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def bars(spy) -> pd.DataFrame:
    """Four years of SPY."""
    return spy.loc["2015":"2018"]


def month_ends(bars):
    return np.append(np.diff(bars.index.month) != 0, False)


def tomorrow(bars):
    return log_returns(bars).shift(-1).fillna(0.0)


@dataclass(frozen=True)
class Peek(Predictor):
    """Tomorrow's return, a little of it."""

    def predict(self, bars):
        return log_returns(bars).rolling(10).mean() + 0.01 * tomorrow(bars)


@dataclass(frozen=True)
class MonthEndPeek(Predictor):
    """Tomorrow's return at the last bar of a month alone."""

    def predict(self, bars):
        return log_returns(bars).rolling(10).mean().where(~month_ends(bars), tomorrow(bars))


@dataclass(frozen=True)
class Divider(Predictor):
    """Momentum over the number of bars there are."""

    def predict(self, bars):
        return np.log(bars["close"]).diff(10) / len(bars)


@dataclass(frozen=True)
class WholeSampleScaler(Predictor):
    """Today's return in standard deviations of all of them."""

    def predict(self, bars):
        returns = log_returns(bars)
        return (returns - returns.mean()) / returns.std() * 1e-3


@dataclass
class Regression(Learner):
    """Least squares of the next return on the features."""

    def fit(self, bars):
        self.weights_ = np.linalg.lstsq(features(bars)[1:-1], next_returns(bars)[1:-1], rcond=None)[0]
        return self

    def predict(self, bars):
        return pd.Series(features(bars) @ self.weights_, index=bars.index)


@dataclass
class BeyondItsSlice(Regression):
    """Fitted on the block it is going to forecast."""

    def forecast(self, windows):
        for k, w in enumerate(windows):
            fitted = BeyondItsSlice().fit(w.bars.iloc[w.start : w.stop + 5])
            yield k, fitted.predict(w.model_bars).iloc[-w.block :]


@dataclass
class ScaledByAllBars(Regression):
    """Scales every window by the bars of the first one, which hold the future of them all."""

    def forecast(self, windows):
        scale = log_returns(windows[0].bars).std()
        for k, block in super().forecast(windows):
            yield k, block * scale * 100


@dataclass
class ScaledByAllSlices(Regression):
    """Scales every window by all the slices together: the later ones lie in its future."""

    def forecast(self, windows):
        scale = np.mean([log_returns(w.training).std() for w in windows])
        for k, block in super().forecast(windows):
            yield k, block * scale * 100


@dataclass
class PeekAtMonthEnds(Regression):
    """Reads the next bar of its block at the last bar of a month alone."""

    def predict(self, bars):
        return super().predict(bars).where(~month_ends(bars), tomorrow(bars))


@dataclass
class NaNWhereTheFutureEnds(Regression):
    """Forecasts only where the bars go on."""

    def forecast(self, windows):
        for k, block in super().forecast(windows):
            w = windows[k]
            yield k, block.where(np.arange(w.split, w.stop + 1) < len(w.bars), np.nan if len(w.bars) < 900 else 0.0)


KEPT: dict[str, float] = {}


@dataclass(frozen=True)
class Remembering(Predictor):
    """Momentum less the mean of all returns, which is kept, so that it looks the same when bars are spoilt."""

    def predict(self, bars):
        return log_returns(bars).rolling(5).mean() - KEPT.setdefault("mean", float(log_returns(bars).mean()))


@dataclass
class RememberingLearner(Regression):
    """Forecasts less the mean of all returns, which is kept."""

    def forecast(self, windows):
        mean = KEPT.setdefault("of windows", float(log_returns(windows[0].bars).mean()))
        for k, block in super().forecast(windows):
            yield k, block - mean


@dataclass(frozen=True)
class Unrepeatable(Predictor):
    """Noise from the global random state."""

    def predict(self, bars):
        return pd.Series(np.random.normal(size=len(bars)), index=bars.index)  # noqa: NPY002


@dataclass
class UnrepeatableLearner(Regression):
    """Noise from the global random state."""

    def predict(self, bars):
        return pd.Series(np.random.normal(size=len(bars)), index=bars.index)  # noqa: NPY002


def looped(learner):
    return WalkForward(learner, train=250, every=21)


HONEST = {
    "sma": load("sma"),
    "kalman": load("kalman"),
    "regression": looped(Regression()),
    "ols-features": looped(load("ols-features")),
    "lstm": looped(load("lstm", **SMALL)),
}
# Name → the predictor, and what the finding says.
LEAKING = {
    "one bar": (Peek(), "looked 1 bar ahead, reading close"),
    "month ends": (MonthEndPeek(), "looked 1 bar ahead, reading close"),
    "divider": (Divider(), "reading how many bars there are"),
    "scaler": (WholeSampleScaler(), "reading close"),
    "learner beyond its slice": (looped(BeyondItsSlice()), "reading open, high, low, close, volume"),
    "learner scaled by all bars": (looped(ScaledByAllBars()), "reading close"),
    "learner scaled by all slices": (looped(ScaledByAllSlices()), "depends on windows fitted later"),
    "learner at month ends": (looped(PeekAtMonthEnds()), "looked 1 bar ahead, reading close"),
    "kept": (Remembering(), "what was shown to it before forgotten"),
    "kept by a learner": (looped(RememberingLearner()), "looks ahead: the forecast at"),
    "learner without a future": (looped(NaNWhereTheFutureEnds()), "turned from a number into NaN"),
}


@pytest.mark.parametrize("predictor", HONEST.values(), ids=HONEST)
def test_an_honest_predictor_passes(predictor, bars):
    verdict = examine(predictor, bars, predictor.predict(bars))
    assert verdict.leak is None
    assert verdict.probes >= 6
    assert verdict.noise < NEGLIGIBLE
    assert str(verdict).startswith("none found on these bars with these parameters")


@pytest.mark.parametrize(("predictor", "words"), LEAKING.values(), ids=LEAKING)
def test_a_leak_is_refused_and_explained(predictor, words, bars):
    with pytest.raises(LookAheadError, match=words) as caught:
        run(bars, predictor, LongFlat)
    assert str(caught.value).startswith("the predictor looks ahead: the ")
    assert caught.value.leak.date in bars.index


def test_a_predictor_that_does_not_repeat_is_refused(bars):
    with pytest.raises(LookAheadError, match=r"does not repeat: it moved by .* when it was made again"):
        run(bars, Unrepeatable(), LongFlat)


def test_a_learner_that_does_not_repeat_is_refused(bars):
    with pytest.raises(LookAheadError, match=r"does not repeat: it moved by .* when its window was trained again"):
        run(bars, looped(UnrepeatableLearner()), LongFlat)


def test_a_window_in_other_company_is_told_apart_from_noise(bars):
    predictor = looped(ScaledByAllSlices())
    leak = examine(predictor, bars, predictor.predict(bars)).leak
    assert isinstance(leak, WindowDependence)
    assert leak.noise == 0


def test_the_bars_of_the_run_are_left_as_they_were(bars):
    given = bars.copy()
    for predictor in HONEST.values():
        examine(predictor, given, predictor.predict(given))
    pd.testing.assert_frame_equal(given, bars)


def test_the_plan_is_the_same_however_slow_the_clock(bars, monkeypatch):
    def probes():
        calls = []

        @dataclass(frozen=True)
        class Counted(Predictor):
            def predict(self, bars):
                calls.append(bars["close"].sum())
                return log_returns(bars).rolling(10).mean()

        return str(examine(Counted(), bars, Counted().predict(bars))), calls

    here = probes()
    ticks = count(0.0, 1e6)
    for clock in ("perf_counter", "monotonic", "time", "process_time"):
        monkeypatch.setattr(f"time.{clock}", lambda: next(ticks))
    assert probes() == here
    assert "at every bar" in here[0]


def test_what_makes_many_calls_is_probed_less(bars):
    @dataclass(frozen=True)
    class Laborious(Predictor):
        def predict(self, bars):
            for _ in range(100_000):
                abs(1)
            return log_returns(bars).rolling(60).mean()

    quick, slow = (examine(p, bars, p.predict(bars)) for p in (load("sma"), Laborious()))
    assert slow.leak is None
    assert slow.probes < quick.probes
    assert slow.bars < slow.of
    assert f"probed at {slow.bars:,} of {slow.of:,} bars" in str(slow)


def test_a_slow_learner_trains_a_tenth_of_its_windows_again(bars):
    trained = []

    @dataclass
    class Counted(Regression):
        def fit(self, bars):
            trained.append(len(bars))
            return super().fit(bars)

    predictor = WalkForward(Counted(), train=250, every=3)
    forecast = predictor.predict(bars)
    run_itself = len(trained)
    assert examine(predictor, bars, forecast).leak is None
    assert 0.05 < (len(trained) - run_itself) / run_itself <= 0.1


def test_a_single_window_is_examined_too(bars):
    short = bars.iloc[:260]
    assert examine(looped(Regression()), short, looped(Regression()).predict(short)).leak is None
    with pytest.raises(LookAheadError):
        run(short, looped(PeekAtMonthEnds()), LongFlat)


LEAK = """
from dataclasses import dataclass
from rollcast import Predictor
from rollcast.predictors.bars import log_returns, random_walk

@dataclass(frozen=True)
class Tomorrow(Predictor):
    "The next return."
    def predict(self, bars):
        return log_returns(bars).shift(-1).fillna(0.0)
"""


def backtest(tmp_path, *arguments):
    (tmp_path / "tomorrow.py").write_text(textwrap.dedent(LEAK), encoding="utf-8")
    return cli("backtest", "-P", "tomorrow.py", "--start", "2018-01-01", "--out", "runs", *arguments, cwd=tmp_path)


def test_the_command_line_refuses_with_one_line_and_leaves_no_folder(tmp_path):
    done = backtest(tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the predictor looks ahead: the forecast at 2018-01-02 looked 1 bar ahead, reading ")
    assert "--allow-lookahead" in line
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_a_sheet_that_is_asked_for_all_the_same_says_so_in_red_at_its_head(tmp_path):
    done = backtest(tmp_path, "--allow-lookahead")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").glob("*-*/")
    page = (folder / "tearsheet.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    alarm = body.index('<p class="alarm" role="alert"')
    assert body.index("This predictor looks ahead: the forecast at 2018-01-02", alarm) < body.index("<h1")
    assert ".alarm{background:#b00020;color:#fff" in page
    verdict = json.loads((folder / "recipe.json").read_text())["look_ahead"]
    assert verdict["passed"] is False
    assert verdict["finding"].startswith("the forecast at 2018-01-02 looked 1 bar ahead")
    assert "looks ahead" in done.stdout + done.stderr


def test_a_clean_sheet_says_that_it_was_probed(bars):
    result = run(bars, load("sma"), LongFlat)
    verdict = result.recipe["look_ahead"]
    assert verdict["passed"] is True
    assert verdict["probes"] >= 6 * 3
    assert facts(result)["Look-ahead"] == verdict["finding"]
    assert verdict["finding"].startswith("none found on these bars with these parameters, probed at every bar; a look-")


SLOW = ("OwnNet", "SklearnRidge", "SklearnTree")  # fitted in fresh processes, which import torch or scikit-learn


@pytest.mark.parametrize(
    "cls",
    [pytest.param(cls, marks=[pytest.mark.slow] * (cls.__name__ in SLOW), id=cls.__name__) for cls in AWKWARD],
)
def test_no_honest_predictor_with_awkward_habits_is_accused(cls, bars):
    bars = bars.iloc[-400:]  # MatrixAverage costs their square
    model = cls()
    if absent := missing(model):
        pytest.skip(f"{absent} is not installed; it comes with the dev extra")
    predictor = WalkForward(model, train=250, every=63) if isinstance(model, Learner) else model
    assert examine(predictor, bars, predictor.predict(bars)).leak is None


@dataclass(frozen=True)
class Guarded(Predictor):
    """Momentum, once there are thirty bars, of which it needs two; with `peek`, of the bar after."""

    peek: bool = False

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        change = np.log(bars["close"]).diff()
        forecast = change.shift(-1).fillna(0.0) if self.peek else change
        return forecast if len(bars) >= 30 else forecast * np.nan


def test_a_guard_longer_than_the_warm_up_is_no_look_ahead_and_hides_none():
    bars = random_walk(300)
    assert examine(Guarded(), bars, Guarded().predict(bars)).leak is None
    assert "reading close" in str(examine(Guarded(peek=True), bars, Guarded(peek=True).predict(bars)))
