"""Fixes of quantstats 0.0.86 that hold while a tear sheet is drawn: of wrong numbers, crashes and wasted time.

quantstats has no hooks, so its functions are replaced in the modules that call them, and put back afterwards. A wrapper
takes the original and returns its replacement; its docstring says what quantstats does instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TypeAlias

import numpy as np
import pandas as pd

from .figures import tidy_and_save

Frame: TypeAlias = pd.Series | pd.DataFrame
Function = Callable[..., object]
Table = Callable[..., pd.DataFrame]


@contextlib.contextmanager
def fixes(quantstats: ModuleType) -> Iterator[None]:
    """Replaces what is wrong or slow in quantstats, and puts the originals back."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    stats, utils, core = quantstats.stats, quantstats.utils, quantstats._plotting.core
    replacements: list[tuple[object, str, Function]] = [
        # pyplot.savefig repaints a screen nobody looks at, after a rehearsal: two draws of three.
        (plt, "savefig", tidy_and_save),
        # Margins are set there again, whatever these were.
        (Figure, "tight_layout", lambda *_, **__: None),
        # The page has its own, a table; drawing this one is an eighth of the time.
        (quantstats.plots, "monthly_heatmap", lambda *_, **__: None),
        (core, "plot_distribution", _dated_by_last_bars(core)),
        (core, "plot_histogram", _without_impossible_density(core.plot_histogram)),
        (core, "plot_longest_drawdowns", _deepest_drawdowns(core, stats)),
        (core, "plot_timeseries", _at_every_bar(core.plot_timeseries)),
        (stats, "comp", compound_return),
        (utils, "group_returns", _group_products(utils.group_returns)),
        *((module, "safe_resample", _period_products(module.safe_resample)) for module in (stats, core)),
        (stats, "drawdown_details", drawdown_details),
        (stats, "monthly_returns", _within_window(stats.monthly_returns)),
        (stats, "r_squared", _undefined_when_constant(stats.r_squared)),
        (stats, "rolling_sortino", rolling_sortino),
        (stats, "rolling_greeks", _without_warm_up(stats.rolling_greeks)),
        # Ours are returns on one index already; quantstats takes a series that never falls and once doubles for prices.
        (utils, "_prepare_returns", lambda data, *_, **__: data.copy()),
        (utils, "_prepare_benchmark", lambda benchmark=None, *_, **__: _copy(benchmark)),
        (utils, "_looks_like_returns", _all_returns),
    ]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    try:
        for owner, name, replacement in replacements:
            setattr(owner, name, replacement)
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def compound_return(returns: Frame) -> Frame | float:
    """As quantstats.stats.comp, which is called once per month and week, in a tenth of its time."""
    total = np.nanprod(returns.to_numpy(float) + 1, axis=0) - 1
    return pd.Series(total, index=returns.columns) if isinstance(returns, pd.DataFrame) else float(total)


def rolling_sortino(
    returns: pd.Series,
    rf: float = 0,
    rolling_period: int = 126,
    annualize: bool = True,
    periods_per_year: int = 252,
    **_: object,
) -> pd.Series:
    """As quantstats.stats.rolling_sortino without a risk-free rate, which calls Python once for every window."""
    falls = returns.clip(upper=0) ** 2
    window = falls.rolling(rolling_period)
    # A running sum keeps a rounding error when the last fall leaves the window; without a fall it is zero.
    any_fall = (falls > 0).rolling(rolling_period).sum() > 0
    downside = (window.sum().clip(lower=0) / rolling_period).where(any_fall | window.sum().isna(), 0.0)
    ratio = returns.rolling(rolling_period).mean() / np.sqrt(downside)
    return ratio * np.sqrt(periods_per_year) if annualize else ratio


def _group_products(group_returns: Function) -> Function:
    """Compound returns of all groups in one product; quantstats takes one group after another, weeks and all."""

    def group(returns: pd.Series, groupby: object, compounded: bool = False) -> object:
        return (1 + returns).groupby(groupby).prod() - 1 if compounded else group_returns(returns, groupby)

    return group


def _period_products(safe_resample: Function) -> Function:
    """The same for periods of the calendar."""

    def resample(data: Frame, freq: str, func_name: object = None, **options: object) -> object:
        if func_name is compound_return:
            return safe_resample(1 + data, freq, "prod", **options) - 1  # type: ignore[operator]
        return safe_resample(data, freq, func_name, **options)

    return resample


def drawdown_details(drawdown: Frame) -> pd.DataFrame:
    """A row for each stretch under water, `end` being its last bar: dates, calendar days, and the depth in percent.

    As quantstats.stats.drawdown_details, but a stretch that begins on the first bar and never ends is there too, and
    the outlier-free minimum, which no report shows, is not. Columns of a frame stand side by side; one that was never
    under water has a row of zeros, because quantstats cannot tabulate none.

    drawdown: equity over its peak - 1 at every bar, of one account or of several by column.
    """
    if isinstance(drawdown, pd.DataFrame):
        sides = {name: drawdown_details(column) for name, column in drawdown.items()}
        none = pd.DataFrame([["-", "-", "-", 0, 0.0]], columns=_DETAILS)
        return pd.concat({name: none if side.empty else side for name, side in sides.items()}, axis=1)
    under = drawdown.to_numpy() < 0
    edges = np.flatnonzero(np.diff(np.r_[False, under, False]))
    rows = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        valley = start + int(drawdown.to_numpy()[start:stop].argmin())
        first, last = drawdown.index[start], drawdown.index[stop - 1]
        dates = [f"{date:%Y-%m-%d}" for date in (first, drawdown.index[valley], last)]
        rows.append([*dates, (last - first).days + 1, 100 * drawdown.iloc[valley]])
    return pd.DataFrame(rows, columns=_DETAILS)


_DETAILS = ["start", "valley", "end", "days", "max drawdown"]


def _within_window(monthly_returns: Table) -> Table:
    """Leaves months outside the data empty; quantstats says 0.00."""

    def monthly(returns: pd.Series, *args: object, **options: object) -> pd.DataFrame:
        table = monthly_returns(returns, *args, **options).astype(float)
        first, last = returns.index[0], returns.index[-1]
        table.iloc[0, : first.month - 1] = np.nan
        table.iloc[-1, last.month : 12] = np.nan
        return table

    return monthly


def _undefined_when_constant(r_squared: Callable[..., float]) -> Callable[..., float]:
    """NaN for a series without variance, such as an account that never traded; quantstats raises."""

    def defined(returns: pd.Series, benchmark: pd.Series, *args: object, **options: object) -> float:
        constant = np.ptp(returns.to_numpy()) == 0 or np.ptp(benchmark.to_numpy()) == 0
        return np.nan if constant else r_squared(returns, benchmark, *args, **options)

    return defined


def _without_warm_up(rolling_greeks: Table) -> Table:
    """Only the bars with a full window; quantstats draws and averages the others as a beta of 0."""

    def full(*args: object, **options: object) -> pd.DataFrame:
        greeks = rolling_greeks(*args, **options)
        return greeks.dropna() if greeks["beta"].notna().any() else greeks

    return full


def _at_every_bar(plot_timeseries: Function) -> Function:
    """The running sum at every bar; quantstats adds up the sums of each calendar day, so weekends fall to 0."""

    def plot(returns: pd.Series, benchmark: pd.Series | None = None, title: str = "", **options: object) -> object:
        if options["resample"] is not None:
            options |= {"resample": None, "lw": 1}
        return plot_timeseries(returns, benchmark, title.removeprefix("Daily "), **options)

    return plot


def _without_impossible_density(plot_histogram: Function) -> Function:
    """Bars alone where two or three months have no density; seaborn raises."""

    def plot(*args: object, **options: object) -> object:
        try:
            return plot_histogram(*args, **options)
        except np.linalg.LinAlgError:
            return plot_histogram(*args, **options, kde=False)

    return plot


def _dated_by_last_bars(core: ModuleType) -> Function:
    """The return of each week, month, … beside its last bar; quantstats' labels are midnights, some without a bar."""
    plot_distribution = core.plot_distribution

    def plot(*args: object, **options: object) -> object:
        safe_resample = core.safe_resample  # our replacement by now

        def labelled(data: pd.Series, rule: str, how: object) -> pd.Series:
            last = pd.Series(data.index, data.index).resample(rule).last().dropna()
            return safe_resample(data, rule, how)[last.index].set_axis(pd.DatetimeIndex(last))

        core.safe_resample = labelled  # type: ignore[attr-defined]
        try:
            return plot_distribution(*args, **options)
        finally:
            core.safe_resample = safe_resample  # type: ignore[attr-defined]

    return plot


def _deepest_drawdowns(core: ModuleType, stats: ModuleType) -> Function:
    """Shades the deepest drawdowns, under the heading "worst"; quantstats shades the longest."""
    plot_longest = core.plot_longest_drawdowns

    def plot(returns: pd.Series, periods: int = 5, **options: object) -> object:
        details = stats.drawdown_details
        stats.drawdown_details = lambda drawdown: details(drawdown).sort_values("max drawdown").head(periods)  # type: ignore
        try:
            return plot_longest(returns, periods=periods, **options)
        finally:
            stats.drawdown_details = details  # type: ignore[attr-defined]

    return plot


def _all_returns(data: Frame) -> pd.Series | bool:
    """That every column holds returns; quantstats guesses from the values."""
    return pd.Series(True, index=data.columns) if isinstance(data, pd.DataFrame) else True


def _copy(benchmark: pd.Series | None) -> pd.Series | None:
    return None if benchmark is None else benchmark.copy()
