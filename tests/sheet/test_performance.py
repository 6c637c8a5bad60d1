"""quantstats' part of the sheet: its figures are right, its charts drawn, and whatever it cannot show is refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from rollcast import load_bars
from rollcast.backtests.sheet.figures import _COLOUR, STYLE
from rollcast.backtests.sheet.performance import FIGURES, Performance, performance
from rollcast.backtests.sheet.quantstats_fixes import compound_return, drawdown_details, fixes
from tests.sheet.conftest import HOSTILE


def spy(bars: int) -> tuple[pd.Series, pd.Series]:
    """Returns of a moving-average rule on the last `bars` bars of SPY, and of SPY; both start with 0."""
    prices = load_bars("SPY")["close"]
    held = (prices > prices.rolling(50).mean()).shift(1, fill_value=False)
    benchmark = prices.pct_change().iloc[-bars:].copy()
    benchmark.iloc[0] = 0
    return benchmark * held.iloc[-bars:], benchmark


def shown(returns: pd.Series, benchmark: pd.Series, **options: object) -> Performance:
    named = {"strategy_name": "sma", "benchmark_name": "SPY", "periods_per_year": 252}
    return performance(returns, benchmark, **{**named, **options})


def texts(found: Performance) -> dict[str, list[str]]:
    """The words of each chart."""
    return {f.id: re.findall(r"<text [^>]*>([^<]*)</text>", f.svg) for f in found.figures}


@pytest.fixture(scope="module")
def sma() -> Performance:
    return shown(*spy(1500))


@pytest.fixture(scope="module")
def hostile() -> Performance:
    return shown(*spy(300), strategy_name=HOSTILE, benchmark_name="_" + HOSTILE)


@pytest.fixture(scope="module")
def five_bars() -> Performance:
    return shown(*spy(5))


def number(found: Performance, row: str, column: int = 1) -> float:
    """A figure of the table; the benchmark is column 0, the strategy column 1."""
    return float(found.rows[row][column].rstrip("%").replace(",", ""))


@pytest.mark.parametrize("column", [0, 1])
def test_figures_are_those_of_numpy(sma: Performance, column: int) -> None:
    returns = spy(1500)[1 - column].to_numpy()
    equity = np.cumprod(1 + returns)
    peak = np.maximum.accumulate(np.r_[1, equity])[1:]
    expected = {
        "Cumulative Return": 100 * (equity[-1] - 1),
        "CAGR": 100 * (equity[-1] ** (252 / len(returns)) - 1),
        "Sharpe": returns.mean() / returns.std(ddof=1) * np.sqrt(252),
        "Volatility (ann.)": 100 * returns.std(ddof=1) * np.sqrt(252),
        "Max Drawdown": 100 * (equity / peak - 1).min(),
        "Best Bar": 100 * returns.max(),
        "Worst Bar": 100 * returns.min(),
    }
    for row, value in expected.items():
        assert number(sma, row, column) == pytest.approx(value, abs=0.00501), row


def test_every_chart_is_drawn_and_the_yearly_one_names_its_years(sma: Performance) -> None:
    charts = texts(sma)
    assert list(charts) == list(FIGURES)
    assert all(f.svg.count("<path") > 3 and f.svg.startswith("<svg ") for f in sma.figures)
    years = sorted({str(year) for year in spy(1500)[0].index.year})
    assert [text for text in charts["eoy_returns"] if re.fullmatch(r"\d{4}", text)] == years
    for name in ("returns", "log_returns", "vol_returns", "eoy_returns", "monthly_dist"):
        assert {"SPY", "sma"} <= set(charts[name])


def test_charts_have_the_page_s_colours_alone(sma: Performance) -> None:
    for figure in sma.figures:
        assert not _COLOUR.search(figure.svg), figure.id
        assert set(re.findall(r"(?:fill|stroke): (#\w+)", figure.svg)) == set(), figure.id
        assert "var(--" in figure.svg


def test_yearly_returns_are_compound_and_cover_the_window_only(sma: Performance) -> None:
    rows = {row.name: row.cells for row in sma.years}
    for column, series in enumerate(spy(1500)[::-1]):
        for year, part in series.groupby(series.index.year):
            assert float(rows[str(year)][column]) == pytest.approx(100 * ((1 + part).prod() - 1), abs=0.00501)


def test_months_are_compound_and_empty_outside_the_window(sma: Performance) -> None:
    returns, _ = spy(1500)
    by_month = (1 + returns).groupby([returns.index.year, returns.index.month]).prod() - 1
    for (year, month), value in by_month.items():
        assert sma.months.loc[str(year)].iloc[month - 1] == pytest.approx(value, abs=1e-12)
    assert int(sma.months.notna().sum().sum()) == len(by_month)


def test_hostile_names_are_text(hostile: Performance) -> None:
    for figure in hostile.figures:
        assert "<script" not in figure.svg
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", figure.svg)
    assert hostile.strategy.startswith("<script>")
    assert "&lt;script&gt;" in hostile.figures[0].svg
    assert hostile.strategy != hostile.benchmark
    assert len(hostile.rows["Sharpe"]) == 2


def test_same_call_gives_the_same_charts(five_bars: Performance) -> None:
    assert [f.svg for f in shown(*spy(5)).figures] == [f.svg for f in five_bars.figures]


@pytest.mark.parametrize("bars", [1, 30])
def test_short_windows_are_shown(bars: int) -> None:
    assert len(shown(*spy(bars)).figures) == len(FIGURES)


def test_fewer_than_60_bars_show_no_annualised_figure(five_bars: Performance) -> None:
    for row in ("CAGR", "Sharpe", "Sortino", "Volatility (ann.)", "Calmar", "3Y (ann.)", "All-time (ann.)"):
        assert five_bars.rows[row] == ("–", "–"), row
    assert number(five_bars, "Cumulative Return") == pytest.approx(100 * ((1 + spy(5)[0]).prod() - 1), abs=0.00501)


def test_account_that_never_traded_and_same_names() -> None:
    returns, benchmark = spy(300)
    page = shown(0 * returns, benchmark, strategy_name="SPY", benchmark_name="SPY")
    assert (page.benchmark, page.strategy) == ("SPY (benchmark)", "SPY")
    assert number(page, "Max Drawdown") == 0
    assert number(page, "Max Drawdown", 0) < 0
    assert page.rows["Sharpe"][1] == "–"


def test_loss_on_the_first_bar_that_never_recovers_is_a_drawdown() -> None:
    returns, benchmark = spy(80)
    returns = 0 * returns
    returns.iloc[0] = -0.1
    page = shown(returns, benchmark)
    assert number(page, "Max Drawdown") == -10
    (row,) = page.drawdowns
    assert (row.name, *row.cells[:2]) == (f"{returns.index[0]:%Y-%m-%d}", f"{returns.index[-1]:%Y-%m-%d}", "-10.00")


def test_returns_that_never_fall_and_once_double_are_not_taken_for_prices() -> None:
    returns, benchmark = spy(80)
    returns = returns.abs()
    returns.iloc[40] = 1.5
    page = shown(returns, benchmark)
    assert number(page, "Cumulative Return") == pytest.approx(100 * ((1 + returns).prod() - 1), abs=0.00501)
    assert number(page, "Best Bar") == 150


def test_hours_are_bars() -> None:
    index = pd.date_range("2024-01-02 10:30", periods=200, freq="h")
    moves = np.random.default_rng(0).normal(0, 0.003, (2, 200))
    moves[:, 0] = 0
    page = shown(*(pd.Series(row, index) for row in moves), periods_per_year=1764)
    assert number(page, "Sharpe") == pytest.approx(moves[0].mean() / moves[0].std(ddof=1) * 42, abs=0.00501)
    assert not {"Best Day", "Win Days", "Expected Daily", "Daily Value-at-Risk"} & set(page.rows)


def test_session_keeps_its_matplotlib() -> None:
    import matplotlib
    import matplotlib.pyplot as plt
    import quantstats

    matplotlib.use("svg")
    with matplotlib.rc_context({"font.size": 7, "svg.fonttype": "path"}):
        mine, savefig = plt.figure(), plt.savefig
        originals = (quantstats.stats.comp, quantstats.utils._prepare_returns)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            shown(*spy(5))
        assert [str(warning.message) for warning in caught] == []
        assert matplotlib.get_backend() == "svg"
        assert (plt.rcParams["font.size"], plt.rcParams["svg.fonttype"]) == (7, "path")
        assert plt.get_fignums() == [mine.number]
        assert (plt.savefig, quantstats.stats.comp, quantstats.utils._prepare_returns) == (savefig, *originals)
        plt.close(mine)
    matplotlib.use("agg")


def change(at: int, value: float) -> Callable[[pd.Series], pd.Series]:
    return lambda returns: returns.where(np.arange(len(returns)) != at, value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change(3, np.nan), "expected finite returns"),
        (change(3, np.inf), "expected finite returns"),
        (change(3, -1.0), "leaves no equity"),
        (change(3, -1.5), "leaves no equity"),
        (lambda returns: returns.iloc[::-1], "sorted and unique"),
        (lambda returns: returns.iloc[[0, 1, 1]], "sorted and unique"),
        (lambda returns: returns.iloc[:0], "at least one bar"),
        (lambda returns: returns.tz_localize("UTC"), "tz-naive"),
        (lambda returns: returns.iloc[1:], "dates of returns"),
    ],
)
def test_returns_that_cannot_be_shown_are_refused(spoil: Callable[[pd.Series], pd.Series], said: str) -> None:
    returns, benchmark = spy(20)
    with pytest.raises(ValueError, match=said):
        shown(spoil(returns), benchmark)
    with pytest.raises(ValueError, match=said if "dates of" in said else f"benchmark: .*{said}"):
        shown(returns, spoil(benchmark))


def test_what_is_no_series_is_refused() -> None:
    returns, benchmark = spy(20)
    with pytest.raises(TypeError, match="returns: expected a Series"):
        shown(returns.to_numpy(), benchmark)
    with pytest.raises(TypeError, match="benchmark: expected a DatetimeIndex"):
        shown(returns, benchmark.reset_index(drop=True))
    with pytest.raises(ValueError, match="periods_per_year must be at least 1"):
        shown(returns, benchmark, periods_per_year=0)


def test_repairs_are_for_the_installed_quantstats() -> None:
    import quantstats

    assert quantstats.__version__ == "0.0.86", "read each repair in quantstats_fixes.py against the new release"


def test_repaired_functions_equal_quantstats_where_it_is_right() -> None:
    import quantstats

    pair = pd.DataFrame(dict(zip(["returns", "benchmark"], spy(2500), strict=True)))
    pd.testing.assert_series_equal(compound_return(pair), quantstats.stats.comp(pair), rtol=1e-12)
    assert compound_return(pair["returns"]) == pytest.approx(quantstats.stats.comp(pair["returns"]), rel=1e-12)
    under_water = quantstats.stats.to_drawdown_series(pair)
    theirs = quantstats.stats.drawdown_details(under_water).drop(columns="99% max drawdown", level=1)
    pd.testing.assert_frame_equal(drawdown_details(under_water), theirs, check_dtype=False)
    months = quantstats.stats.monthly_returns(pair["returns"])
    with fixes(quantstats):
        ours = quantstats.stats.monthly_returns(pair["returns"])
    pd.testing.assert_frame_equal(ours, months.where(ours.notna()))
    assert int(ours.isna().sum().sum()) == int((months.where(ours.isna()) == 0).sum().sum())


def test_style_is_known_to_matplotlib() -> None:
    import matplotlib

    assert set(STYLE) <= set(matplotlib.rcParamsDefault)
