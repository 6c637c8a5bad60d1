"""Writes a backtest's equity curve as one self-contained HTML tear sheet."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from backtests.quantstats_charts import STYLE
from backtests.quantstats_mended import mended
from backtests.tearsheet_page import TEMPLATE, Heading, finished, label
from predictors.validation import at_least

# quantstats, seaborn and pandas talk among themselves; nothing here is about the caller's data.
_NOISE: tuple[tuple[str, type[Warning]], ...] = (
    ("vert. bool will be deprecated", PendingDeprecationWarning),
    ("vert. bool was deprecated", DeprecationWarning),
    ("The set_bad function", PendingDeprecationWarning),
    ("The inplace keyword", DeprecationWarning),
    ("set_ticklabels", UserWarning),
    (r"Glyph \d+ .* missing from font", UserWarning),
    ("Tight layout not applied", UserWarning),
    ("Dataset has 0 variance", UserWarning),
    ("Attempting to set identical low and high", UserWarning),
    ("invalid value encountered|divide by zero|Mean of empty slice|Degrees of freedom", RuntimeWarning),
)


def write_tear_sheet(
    path: str | Path,
    returns: pd.Series,
    benchmark: pd.Series,
    *,
    title: str,
    strategy_name: str,
    benchmark_name: str,
    periods_per_year: int,
    facts: Mapping[str, str],
    alarm: str | None = None,
) -> None:
    """Writes the tear sheet of `returns` beside `benchmark` to `path`; the same call writes the same bytes.

    Both are simple returns per bar on one sorted, tz-naive index. `facts` heads the page: what was run, on what, at
    which costs. `alarm` is shown above everything else, in red. The file loads nothing from anywhere, runs no script,
    and shows names and facts as text.
    """
    at_least("periods_per_year", periods_per_year, 1)
    _check_returns(returns, "returns")
    _check_returns(benchmark, "benchmark")
    if not returns.index.equals(benchmark.index):
        raise ValueError(
            f"benchmark: expected the {len(returns)} dates of returns, got {len(benchmark)} others; "
            "compute both on the same bars"
        )
    strategy, other = label(strategy_name, "Strategy"), label(benchmark_name, "Benchmark")
    if strategy == other:
        other = f"{other} (benchmark)"
    heading = Heading(title, strategy_name, benchmark_name, periods_per_year, facts, alarm)
    with tempfile.TemporaryDirectory() as folder, _drawing() as quantstats:
        template, draft = Path(folder, "template.html"), Path(folder, "draft.html")
        template.write_text(TEMPLATE, encoding="utf-8")
        quantstats.reports.html(
            returns.astype(float),
            benchmark=benchmark.astype(float),
            output=str(draft),
            template_path=str(template),
            strategy_title=strategy,
            benchmark_title=other,
            periods_per_year=periods_per_year,
            match_dates=False,  # True drops every bar before the first trade
        )
        page = finished(draft.read_text(encoding="utf-8"), heading, returns)
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def _check_returns(returns: pd.Series, name: str) -> None:
    """Raises unless `returns` is a finite series above -100 % on sorted, unique, tz-naive dates."""
    if not isinstance(returns, pd.Series):
        raise TypeError(f"{name}: expected a Series of returns, got {type(returns).__name__}")
    index = returns.index
    if not isinstance(index, pd.DatetimeIndex):
        raise TypeError(f"{name}: expected a DatetimeIndex, got {type(index).__name__}")
    if returns.empty:
        raise ValueError(f"{name}: expected at least one bar, got none")
    if index.tz is not None:
        raise ValueError(f"{name}: dates must be tz-naive; drop the zone with tz_localize(None)")
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise ValueError(f"{name}: dates must be present, sorted and unique; try sort_index()")
    values = returns.to_numpy(float)
    if not np.isfinite(values).all():
        first = index[int(np.argmin(np.isfinite(values)))]
        raise ValueError(f"{name}: expected finite returns, got {returns[first]} at {first}")
    if values.min() <= -1:
        first = index[int(np.argmax(values <= -1))]
        raise ValueError(
            f"{name}: a return of {returns[first]:.2%} at {first} leaves no equity; "
            "a tear sheet needs every return above -100%"
        )


@contextlib.contextmanager
def _drawing() -> Iterator[ModuleType]:
    """quantstats, mended, on the Agg backend; the session's backend, style, figures and log come back afterwards."""
    import matplotlib

    chosen = matplotlib.get_backend(auto_select=False)
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    log = logging.getLogger("matplotlib.font_manager")
    level, figures = log.level, set(plt.get_fignums())
    log.setLevel(logging.ERROR)  # Arial, which quantstats names, is on few servers: a line for every label
    try:
        with warnings.catch_warnings(), matplotlib.rc_context():
            for message, category in _NOISE:
                warnings.filterwarnings("ignore", message, category)
            warnings.filterwarnings("ignore", category=UserWarning, module="quantstats")  # too few data: shown as "-"
            import quantstats

            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            # x_compat: from pandas 3 on, quantstats labels the bars of the yearly chart with the wrong years.
            with mended(quantstats), pd.plotting.plot_params.use("x_compat", True):
                yield quantstats
    finally:
        log.setLevel(level)
        for number in set(plt.get_fignums()) - figures:
            plt.close(number)
        if chosen and chosen.lower() != "agg":
            with contextlib.suppress(ImportError):  # a window system that has gone since
                matplotlib.use(chosen)
