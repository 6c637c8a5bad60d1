"""Planted leaks, one class each, at least one of every kind that is known from public code."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from rollcast import Learner, Predictor
from rollcast.predictors.bars import log_returns
from rollcast.predictors.kalman import LocalLevel

# Row → the kind of leak, and public code or threads that show it.
ROWS = {
    1: ("target or feature shifted the wrong way", "deshpandenu Amazon-LSTM #2; kah-ve/MarketGAN #5"),
    2: (
        "scaler fitted on the whole series",
        "hunkim/DeepLearningZeroToAll #214; huseinzol05/Stock-Prediction-Models #126; "
        "jinglescode/time-series-forecasting-pytorch #19",
    ),
    3: ("normalising window includes the forecast horizon", "shiyu-coder/Kronos #227, PR #234"),
    4: ("warm-up filled backwards", "backtesting.py `lib.py` (ATR); quantstats `utils.py` (benchmark)"),
    5: ("centred window or two-sided smoother", "common"),
    6: (
        "decomposition or denoising of the full series",
        "timothyyu/wsae-lstm #7; irenekarijadi/RF-LSTM-CEEMDAN #1",
    ),
    7: ("parameters estimated on the whole sample", "stefan-jansen/machine-learning-for-trading PR #763"),
    8: (
        "training label reaches into the first forecast bar",
        "pushpendughosh/Stock-market-forecasting `NextDay-240,1-LSTM.py`",
    ),
    9: (
        "random split inside a time series, early stopping on the future",
        "the same; backtesting.py's machine-learning tutorial",
    ),
    10: ("divided by the number of bars, or indexed from the end of the data", "found while building such checks"),
    11: ("signal and fill on the same bar's close", "Nunchi-trade/auto-researchtrading #4"),
    12: ("a later value carried back across calendars", "goldmansachs/gs-quant PR #362"),
    13: ("state kept between calls", "freqtrade #11271 is its harmless cousin"),
    14: ("only the next few bars", "missed by HKUDS/Vibe-Trading's guard"),
    15: ("only on some bars", "why every bar is probed"),
    16: ("global random state", "freqtrade #9306, #8729; qlib #1668"),
}


@dataclass(frozen=True)
class Shifted(Predictor):
    """The target as a feature: the mean return of five bars, one of them the next."""

    def predict(self, bars):
        return log_returns(bars).shift(-1).rolling(5).mean().fillna({bars.index[-1]: 0.0})


@dataclass(frozen=True)
class NextOpen(Predictor):
    """The gap to the next open, known a night too early."""

    def predict(self, bars):
        return np.log(bars["open"].shift(-1) / bars["close"]).fillna(0.0)


@dataclass(frozen=True)
class WholeSeriesScaler(Predictor):
    """Five-bar momentum in standard deviations of the whole series."""

    def predict(self, bars):
        returns = log_returns(bars)
        return ((returns - returns.mean()) / returns.std()).rolling(5).mean() * 0.01


@dataclass(frozen=True)
class MinMaxScaler(Predictor):
    """Closeness to the lowest price there ever will be: a MinMaxScaler fitted once, on everything."""

    def predict(self, bars):
        low, high = bars["close"].min(), bars["close"].max()
        return 0.01 * (0.5 - (bars["close"] - low) / (high - low + 1e-12))


@dataclass(frozen=True)
class HorizonInWindow(Predictor):
    """Momentum normalised by a window of 20 past and 5 future bars."""

    def predict(self, bars):
        returns = log_returns(bars)
        normal = returns.rolling(25, min_periods=10).std().shift(-5).ffill()
        return (returns.rolling(5).mean() / normal * 0.01).where(np.arange(len(bars)) >= 12)


@dataclass
class BlockDemeaned(Learner):
    """The fitted mean plus the excess of the return over the mean of all bars to forecast, later ones included."""

    def fit(self, bars):
        self.mean_ = float(log_returns(bars).mean())
        return self

    def predict(self, bars):
        returns = log_returns(bars)
        return self.mean_ + 0.1 * (returns - returns.mean())


@dataclass(frozen=True)
class FilledBack(Predictor):
    """Price above its 50-bar average, the warm-up filled with the first average there is."""

    def predict(self, bars):
        log_close = np.log(bars["close"])
        return (log_close - log_close.rolling(50).mean().bfill()) / 50


@dataclass(frozen=True)
class Centred(Predictor):
    """Slope of a centred eleven-bar average."""

    def predict(self, bars):
        return np.log(bars["close"]).rolling(11, center=True, min_periods=6).mean().diff()


@dataclass(frozen=True)
class TwoSided(Predictor):
    """Smoothed forwards, then backwards, so that nothing lags: filtfilt by hand."""

    def predict(self, bars):
        once = np.log(bars["close"]).ewm(span=5).mean()
        return once[::-1].ewm(span=5).mean()[::-1].diff()


@dataclass(frozen=True)
class Fourier(Predictor):
    """Slope of the log price without its upper frequencies, by a transform of the whole series."""

    def predict(self, bars):
        spectrum = np.fft.rfft(np.log(bars["close"]))
        spectrum[len(spectrum) // 4 :] = 0
        return pd.Series(np.fft.irfft(spectrum, len(bars)), index=bars.index).diff()


@dataclass(frozen=True)
class Wavelet(Predictor):
    """The Haar approximation at level 2: every block of four bars takes the mean of the four."""

    def predict(self, bars):
        log_close = np.log(bars["close"])
        return log_close - log_close.groupby(np.arange(len(bars)) // 4).transform("mean")


@dataclass(frozen=True)
class SingularSpectrum(Predictor):
    """Slope of the first component of the trajectory matrix, averaged over the diagonals."""

    def predict(self, bars):
        y, window = np.log(bars["close"].to_numpy()), 10
        if len(y) < 2 * window:
            return pd.Series(np.nan, index=bars.index)
        rows = np.lib.stride_tricks.sliding_window_view(y, window)
        u, s, v = np.linalg.svd(rows, full_matrices=False)
        first = s[0] * np.outer(u[:, 0], v[0])
        smooth = [np.mean(first[::-1].diagonal(k)) for k in range(-len(rows) + 1, window)]
        return pd.Series(smooth, index=bars.index).diff()


@dataclass(frozen=True)
class WholeSampleAR(Predictor):
    """An autoregression whose coefficient is estimated once, on the whole sample."""

    def predict(self, bars):
        r = log_returns(bars).to_numpy()
        past, present = r[1:-1], r[2:]
        phi = (past @ present) / (past @ past) if len(past) > 1 else 0.0
        return pd.Series(phi * r, index=bars.index)


@dataclass(frozen=True)
class WholeSampleKalman(Predictor):
    """A Kalman filter with that variance ratio, of four, which would have served best over the whole sample."""

    def predict(self, bars):
        returns = log_returns(bars)
        filtered = [LocalLevel(q).predict(bars) for q in (0.0, 0.001, 0.01, 0.1)]
        return min(filtered, key=lambda forecast: float(((returns - forecast.shift()) ** 2).sum()))


@dataclass(frozen=True)
class WholeSampleRegime(Predictor):
    """Momentum in calm regimes, calm being below the median volatility of the whole sample."""

    def predict(self, bars):
        returns = log_returns(bars)
        risk = returns.rolling(10).std()
        return returns.rolling(10).mean().where((risk < risk.median()) | risk.isna(), 0.0)


def _regression(bars, rows):
    """Coefficient of the next return on the return, over these rows of the bars."""
    r = log_returns(bars).to_numpy()
    rows = np.asarray(rows)
    x, y = r[rows], r[rows + 1]
    return float(x @ y / max(x @ x, 1e-18))


@dataclass
class Unpurged(Learner):
    """An autoregression whose last training label is the return the first forecast is about."""

    def fit(self, bars):
        self.phi_ = _regression(bars, range(1, len(bars) - 1))
        return self

    def predict(self, bars):
        return self.phi_ * log_returns(bars)

    def forecast(self, windows):
        for k, w in enumerate(windows):
            labels = min(w.split, len(w.bars) - 1)  # bars[split] is the label of the first forecast
            self.phi_ = _regression(w.bars, range(w.start + 1, labels))
            yield k, self.predict(w.model_bars).iloc[-w.block :]


@dataclass
class StopsOnTheFuture(Learner):
    """Momentum over the lookback that does best on the block to be forecast: early stopping on the test set."""

    def fit(self, bars):
        self.lookback_ = 5
        return self

    def predict(self, bars):
        return log_returns(bars).rolling(self.lookback_).mean()

    def forecast(self, windows):
        for k, w in enumerate(windows):
            target = log_returns(w.bars).shift(-1).iloc[w.split - 1 : w.stop].fillna(0.0)
            blocks = {n: log_returns(w.model_bars).rolling(n).mean().iloc[-w.block :] for n in (2, 5, 11)}
            yield k, max(blocks.values(), key=lambda block: float((block * target).sum()))


@dataclass
class RandomSplit(Learner):
    """An autoregression whose training rows are drawn at random from the whole history.

    seed: of the draw.
    """

    seed: int = 0

    def fit(self, bars):
        self.phi_ = _regression(bars, range(1, len(bars) - 1))
        return self

    def predict(self, bars):
        return self.phi_ * log_returns(bars)

    def forecast(self, windows):
        for k, w in enumerate(windows):
            rows = np.random.default_rng(self.seed).permutation(len(w.bars) - 2)[: w.split - w.start] + 1
            self.phi_ = _regression(w.bars, rows)
            yield k, self.predict(w.model_bars).iloc[-w.block :]


@dataclass(frozen=True)
class Annealed(Predictor):
    """Momentum that fades from the first bar to the last."""

    def predict(self, bars):
        return log_returns(bars).rolling(5).mean() * (1 - np.arange(len(bars)) / len(bars))


@dataclass(frozen=True)
class FromTheEnd(Predictor):
    """Momentum, doubled for the ten most recent bars."""

    def predict(self, bars):
        momentum = log_returns(bars).rolling(5).mean()
        momentum.iloc[-10:] *= 2
        return momentum


@dataclass(frozen=True)
class LastOfMonthByNextBar(Predictor):
    """Momentum, off on the last bar of a month: the one whose next bar has another month."""

    def predict(self, bars):
        month = pd.Series(bars.index.month, index=bars.index)
        return log_returns(bars).rolling(5).mean().where(month == month.shift(-1), 0.0).where(np.arange(len(bars)) > 4)


@dataclass(frozen=True)
class WeeksFilledBack(Predictor):
    """Distance to the week's close, on every day of the week: a weekly calendar brought back to a daily one."""

    def predict(self, bars):
        weekly = bars["close"].resample("W").last().dropna()
        return np.log(weekly.reindex(bars.index, method="bfill") / bars["close"]).fillna(0.0)


@dataclass(frozen=True)
class NearestCalendar(Predictor):
    """Momentum on a calendar of every third day, each of our days taking the nearest one's."""

    def predict(self, bars):
        days = pd.date_range("2000-01-03", bars.index[-1] + pd.Timedelta(days=3), freq="3D")
        other = bars["close"].reindex(bars.index.union(days)).ffill().reindex(days).dropna()
        return np.log(other.reindex(bars.index, method="nearest") / bars["close"])


_CACHE: dict = {}


@dataclass(frozen=True)
class CachedByName(Predictor):
    """Momentum less its mean, the mean computed once and cached by the name of its class."""

    def predict(self, bars):
        returns = log_returns(bars)
        mean = _CACHE.setdefault(type(self).__name__, returns.mean())
        return returns.rolling(5).mean() - mean


@dataclass(frozen=True)
class CachedByStart(Predictor):
    """Five-bar momentum plus the whole sample's mean, cached by the first date of the bars."""

    def predict(self, bars):
        known = _CACHE.setdefault(bars.index[0], log_returns(bars).rolling(5).mean() + log_returns(bars).mean())
        if len(bars) > len(known):
            known = _CACHE[bars.index[0]] = log_returns(bars).rolling(5).mean() + log_returns(bars).mean()
        return known.reindex(bars.index)


@lru_cache(maxsize=100)
def _mean_between(first, last):
    return _CACHE["close"].pct_change().mean()


@dataclass(frozen=True)
class CachedByDates(Predictor):
    """Momentum less its mean, remembered by the first and the last date: another symbol gets this one's."""

    def predict(self, bars):
        _CACHE["close"] = bars["close"]
        return log_returns(bars).rolling(5).mean() - _mean_between(bars.index[0], bars.index[-1])


@dataclass(frozen=True)
class StateOnTheInstance(Predictor):
    """Momentum in standard deviations of the first bars it ever saw."""

    def predict(self, bars):
        if not hasattr(self, "_scale"):
            object.__setattr__(self, "_scale", float(log_returns(bars).std()))
        return log_returns(bars).rolling(5).mean() / self._scale * 0.01


@dataclass
class StateOnTheClass(Learner):
    """A scaler that every window shares: the class keeps the first one fitted."""

    def fit(self, bars):
        if not hasattr(type(self), "scale_"):
            type(self).scale_ = float(log_returns(bars).std())
        self.mean_ = float(log_returns(bars).mean())
        return self

    def predict(self, bars):
        return self.mean_ + 0.001 * log_returns(bars) / self.scale_


@dataclass(frozen=True)
class NextBars(Predictor):
    """Momentum, and a tenth of the return that is `ahead` bars ahead.

    ahead: how far it looks, in bars.
    """

    ahead: int = 1

    def predict(self, bars):
        returns = log_returns(bars)
        return returns.rolling(5).mean() + 0.1 * returns.shift(-self.ahead).fillna(0.0)


def _peeking_where(bars, on):
    """Five-bar momentum, replaced by the next return where `on`."""
    returns = log_returns(bars)
    return returns.rolling(5).mean().where(~np.asarray(on), returns.shift(-1).fillna(0.0))


@dataclass(frozen=True)
class MonthEnds(Predictor):
    """Looks ahead on the last business day of a month."""

    def predict(self, bars):
        return _peeking_where(bars, (bars.index + pd.offsets.BDay(1)).month != bars.index.month)


@dataclass(frozen=True)
class YearEnds(Predictor):
    """Looks ahead from Christmas to New Year."""

    def predict(self, bars):
        return _peeking_where(bars, (bars.index.month == 12) & (bars.index.day > 24))


@dataclass(frozen=True)
class BusyDays(Predictor):
    """Looks ahead on days with more than three times the usual volume."""

    def predict(self, bars):
        usual = bars["volume"].rolling(20, min_periods=1).median()
        return _peeking_where(bars, bars["volume"] > 3 * usual)


@dataclass(frozen=True)
class AfterJumps(Predictor):
    """Looks ahead after a move of more than four per cent."""

    def predict(self, bars):
        return _peeking_where(bars, log_returns(bars).abs() > 0.04)


@dataclass
class LastOfTheBlock(Learner):
    """Honest but for the last forecast before each refit, which sees the next return."""

    def fit(self, bars):
        self.mean_ = float(log_returns(bars).mean())
        return self

    def predict(self, bars):
        return self.mean_ + 0.1 * log_returns(bars)

    def forecast(self, windows):
        for k, block in super().forecast(windows):
            stop = windows[k].stop
            if stop < len(windows[k].bars):
                block.iloc[-1] = log_returns(windows[k].bars).iloc[stop]
            yield k, block


@dataclass(frozen=True)
class GlobalNumpy(Predictor):
    """Momentum and a draw from numpy's global generator."""

    def predict(self, bars):
        return log_returns(bars).rolling(5).mean() + np.random.normal(0, 1e-3, len(bars))  # noqa: NPY002


@dataclass(frozen=True)
class GlobalPython(Predictor):
    """Momentum over a number of bars drawn from the global generator."""

    def predict(self, bars):
        return log_returns(bars).rolling(5).mean() * random.random()


@dataclass
class GlobalTorch(Learner):
    """A net of one weight that starts wherever torch's global generator puts it."""

    def fit(self, bars):
        import torch

        self.weight_ = float(torch.randn(()))
        return self

    def predict(self, bars):
        return self.weight_ * log_returns(bars)


_GENERATOR = np.random.default_rng(0)


@dataclass(frozen=True)
class SharedGenerator(Predictor):
    """Momentum and a draw from a generator that was seeded once, when the module was imported."""

    def predict(self, bars):
        return log_returns(bars).rolling(5).mean() + _GENERATOR.normal(0, 1e-3, len(bars))


@dataclass(frozen=True)
class Tiny(Predictor):
    """Momentum, and a millionth of the next return."""

    def predict(self, bars):
        returns = log_returns(bars)
        return returns.rolling(5).mean() + 1e-6 * returns.shift(-1).fillna(0.0)


@dataclass(frozen=True)
class NextVolume(Predictor):
    """Momentum, damped when the next bar is busier than this one."""

    def predict(self, bars):
        busier = bars["volume"].shift(-1) > bars["volume"]
        return log_returns(bars).rolling(5).mean() * np.where(busier, 0.5, 1.0)


@dataclass(frozen=True)
class NextRange(Predictor):
    """Momentum in units of the next bar's range, which closes and volume do not tell."""

    def predict(self, bars):
        risk = np.log(bars["high"] / bars["low"]).shift(-1).ffill()
        return log_returns(bars).rolling(5).mean() * 0.01 / (0.01 + risk)


@dataclass(frozen=True)
class GuardedBelow(Predictor):
    """Honest on fewer than 60 bars, where a quick test would look."""

    def predict(self, bars):
        returns = log_returns(bars)
        past = returns.rolling(5).mean()
        return past if len(bars) < 60 else past + 0.1 * returns.shift(-1).fillna(0.0)


@dataclass(frozen=True)
class GuardedAbove(Predictor):
    """Honest on fewer than 300 bars, and only then."""

    def predict(self, bars):
        returns = log_returns(bars)
        past = returns.rolling(5).mean()
        return past if len(bars) < 300 else past + 0.1 * returns.shift(-1).fillna(0.0)


@dataclass(frozen=True)
class LateOnly(Predictor):
    """Honest for the first 250 bars."""

    def predict(self, bars):
        return _peeking_where(bars, np.arange(len(bars)) > 250)


@dataclass
class WholeHistoryScaler(Learner):
    """A learner that trains all windows at once, and scales them by all the bars it can reach."""

    def fit(self, bars):
        self.scale_ = float(log_returns(bars).std())
        return self

    def predict(self, bars):
        return 1e-4 * log_returns(bars) / self.scale_

    def forecast(self, windows):
        for k, w in enumerate(windows):
            self.scale_ = float(log_returns(w.bars).std())
            yield k, self.predict(w.model_bars).iloc[-w.block :]


@dataclass(frozen=True)
class Planted:
    """A leak, the row it belongs to, and the checks that must fail."""

    model: Predictor | Learner
    row: int
    caught_by: tuple[str, ...]

    def __str__(self) -> str:
        values = "".join(f"-{value}" for value in vars(self.model).values() if isinstance(value, int))
        return f"{self.row}-{type(self.model).__name__}{values if isinstance(self.model, NextBars) else ''}"


def planted() -> Iterator[Planted]:
    """Every leak of the zoo."""
    everywhere = ("prefix", "changed_future", "shuffled_future")
    by_value = ("prefix", "changed_future")
    yield Planted(Shifted(), 1, (*everywhere, "no_edge_on_noise"))
    yield Planted(NextOpen(), 1, everywhere)
    yield Planted(WholeSeriesScaler(), 2, by_value)
    yield Planted(MinMaxScaler(), 2, by_value)
    yield Planted(WholeHistoryScaler(), 2, by_value)
    yield Planted(HorizonInWindow(), 3, everywhere)
    yield Planted(BlockDemeaned(), 3, by_value)
    yield Planted(FilledBack(), 4, everywhere)
    yield Planted(Centred(), 5, everywhere)
    yield Planted(TwoSided(), 5, everywhere)
    yield Planted(Fourier(), 6, everywhere)
    yield Planted(Wavelet(), 6, everywhere)
    yield Planted(SingularSpectrum(), 6, everywhere)
    yield Planted(WholeSampleAR(), 7, everywhere)
    yield Planted(WholeSampleKalman(), 7, by_value)
    yield Planted(WholeSampleRegime(), 7, by_value)
    yield Planted(Unpurged(), 8, by_value)
    yield Planted(StopsOnTheFuture(), 9, everywhere)
    yield Planted(RandomSplit(), 9, everywhere)
    yield Planted(Annealed(), 10, ("prefix",))
    yield Planted(FromTheEnd(), 10, ("prefix",))
    yield Planted(LastOfMonthByNextBar(), 10, ("prefix",))
    yield Planted(WeeksFilledBack(), 12, by_value)
    yield Planted(NearestCalendar(), 12, by_value)
    yield Planted(CachedByName(), 13, ("order_of_calls",))
    yield Planted(CachedByStart(), 13, ("order_of_calls",))
    yield Planted(CachedByDates(), 13, ("order_of_calls",))
    yield Planted(StateOnTheInstance(), 13, ("order_of_calls",))
    yield Planted(StateOnTheClass(), 13, ("order_of_calls",))
    for ahead in range(1, 10):
        yield Planted(NextBars(ahead), 14, everywhere)
    yield Planted(NextVolume(), 14, ("prefix", "changed_future", "erased_future"))
    yield Planted(NextRange(), 14, everywhere)
    yield Planted(Tiny(), 14, everywhere)
    yield Planted(MonthEnds(), 15, by_value)
    yield Planted(YearEnds(), 15, by_value)
    yield Planted(BusyDays(), 15, by_value)
    yield Planted(AfterJumps(), 15, by_value)
    yield Planted(LastOfTheBlock(), 15, by_value)
    yield Planted(GuardedBelow(), 15, by_value)
    yield Planted(GuardedAbove(), 15, ("changed_future",))
    yield Planted(LateOnly(), 15, by_value)
    yield Planted(GlobalNumpy(), 16, ("repeatable",))
    yield Planted(GlobalPython(), 16, ("repeatable",))
    yield Planted(GlobalTorch(), 16, ("repeatable",))
    yield Planted(SharedGenerator(), 16, ("repeatable",))
