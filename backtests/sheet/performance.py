"""quantstats' report of an equity curve beside its benchmark: charts and tables for the page to set.

quantstats writes a whole page by a template. Ours holds nothing but its parts with a mark between them, so that the
parts are cut out of the report and set in our own page.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...predictors.validation import at_least
from ..owner import draft_name
from .figures import STYLE, apply_theme
from .quantstats_fixes import fixes
from .tables import Group, Row, correct, group, label, parse_rows
from .values import Cells

# Warnings of quantstats, seaborn and pandas about one another; none is about the caller's data.
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

# quantstats' name of a chart → its heading and how to read it.
FIGURES = {
    "returns": ("Growth", "Both start at zero; the line is what is left after costs."),
    "log_returns": ("Growth, on a logarithmic axis", "Equal steps up are equal percentages."),
    "dd_plot": ("Under water", "How far below its highest point so far."),
    "dd_periods": ("The five worst drawdowns", "Shaded from the peak to the last bar under water."),
    "eoy_returns": ("Year by year", "The compound return of each year."),
    "monthly_dist": ("Months", "How often a month returned how much."),
    "vol_returns": ("Growth at the benchmark's volatility", "As if both had swung by the same."),
    "daily_returns": ("Running sum of returns", "Without compounding: a straight line is a steady gain."),
    "rolling_sharpe": ("Rolling Sharpe ratio, six months", "An edge that is there stays above zero."),
    "rolling_vol": ("Rolling volatility, six months", "How much it swung."),
    "rolling_sortino": ("Rolling Sortino ratio, six months", "As Sharpe, counting falls only."),
    "rolling_beta": ("Rolling beta", "1 moves with the benchmark; 0 is indifferent to it."),
    "returns_dist": ("Spread of returns by period", "Box: the middle half; dots: outliers."),
}
_PARTS = (*FIGURES, "metrics", "eoy_table", "dd_info", "v")
_MARK = "<!-- rollcast -->"  # between the parts; no name can hold it, since quantstats and matplotlib escape theirs


@dataclass(frozen=True)
class Figure:
    """One of quantstats' charts: an SVG in the page's colours."""

    id: str
    title: str
    reading: str
    svg: Markup


@dataclass(frozen=True)
class Performance:
    """What quantstats says.

    metrics:   its table in groups; each row has the benchmark's cell and the strategy's.
    years:     the yearly table, percentages; head: its column names after the first.
    drawdowns: the ten worst: start, last bar, depth in percent, days.
    months:    compound return of each month, years down; NaN outside the window.
    """

    strategy: str
    benchmark: str
    figures: tuple[Figure, ...]
    metrics: list[Group]
    years: list[Row]
    drawdowns: list[Row]
    months: pd.DataFrame
    version: str

    @property
    def rows(self) -> dict[str, Cells]:
        """The cells of every row of `metrics` by its name."""
        return {row.name: row.cells for group in self.metrics for row in group.rows}


def performance(
    returns: pd.Series, benchmark: pd.Series, *, strategy_name: str, benchmark_name: str, periods_per_year: int
) -> Performance:
    """quantstats' report of `returns` beside `benchmark`: simple returns per bar on one sorted, tz-naive index.

    Raises TypeError for what is no Series on dates, ValueError for returns that are missing, infinite or -100 % and
    less, for dates that differ, repeat, are out of order or have a time zone, and for fewer than one period a year.
    """
    at_least("periods_per_year", periods_per_year, 1)
    _check_returns(returns, "returns")
    _check_returns(benchmark, "benchmark")
    if not returns.index.equals(benchmark.index):
        raise ValueError(
            f"benchmark: expected the {len(returns)} dates of returns, got {len(benchmark)} others; "
            "compute both on the same bars"
        )
    strategy, holding = label(strategy_name, "Strategy"), label(benchmark_name, "Benchmark")
    if strategy == holding:
        holding = f"{holding} (benchmark)"
    returns, benchmark = returns.astype(float), benchmark.astype(float)
    with _quantstats_on_agg() as quantstats:
        titles = {"strategy_title": strategy, "benchmark_title": holding}
        parts = _parts(quantstats, returns, benchmark, periods_per_year=periods_per_year, **titles)
        months = quantstats.stats.monthly_returns(returns, eoy=False)
    return Performance(
        strategy,
        holding,
        tuple(Figure(name, *words, Markup(apply_theme(parts[name], name))) for name, words in FIGURES.items()),
        group(correct(parse_rows(parts["metrics"])[1:], returns)),
        parse_rows(parts["eoy_table"])[1:],
        parse_rows(parts["dd_info"])[1:],
        months,
        parts["v"].strip(),
    )


def _parts(quantstats: ModuleType, returns: pd.Series, benchmark: pd.Series, **options: object) -> dict[str, str]:
    """The parts of quantstats' report by the names of its template."""
    with tempfile.TemporaryDirectory(prefix=draft_name("sheet-")) as folder:
        template, draft = Path(folder, "template.html"), Path(folder, "draft.html")
        template.write_text(_MARK.join(f"{{{{{part}}}}}" for part in _PARTS), encoding="utf-8")
        quantstats.reports.html(
            returns,
            benchmark=benchmark,
            output=str(draft),
            template_path=str(template),
            match_dates=False,  # True drops every bar before the first trade
            **options,
        )
        return dict(zip(_PARTS, draft.read_text(encoding="utf-8").split(_MARK), strict=True))


def warm() -> None:
    """Loads what draws a report, so that the first is as quick as the next."""
    with _quantstats_on_agg():
        pass


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


def _quantstats() -> ModuleType:
    """quantstats; yfinance, a quarter of its import, is loaded only when an attribute of it is read, so never here."""
    spec = None if "yfinance" in sys.modules else importlib.util.find_spec("yfinance")
    if spec and spec.loader:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules["yfinance"] = lazy = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(lazy)
    return importlib.import_module("quantstats")


@contextlib.contextmanager
def _quantstats_on_agg() -> Iterator[ModuleType]:
    """quantstats with our fixes, drawing without a screen; the session's backend, style, figures and log come back."""
    import matplotlib

    backend = matplotlib.get_backend(auto_select=False)
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
            quantstats = _quantstats()
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            # x_compat: from pandas 3 on, quantstats labels the bars of the yearly chart with the wrong years.
            with fixes(quantstats), pd.plotting.plot_params.use("x_compat", True):
                yield quantstats
    finally:
        log.setLevel(level)
        for number in set(plt.get_fignums()) - figures:
            plt.close(number)
        if backend and backend.lower() != "agg":
            with contextlib.suppress(ImportError):  # a window system that has gone since
                matplotlib.use(backend)
