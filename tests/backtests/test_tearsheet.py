"""The tear sheet: what it shows is right, what it is given is shown as text, and it needs nothing but itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests.quantstats_charts import STYLE
from backtests.quantstats_mended import compounded, drawdown_details, mended
from backtests.tearsheet import write_tear_sheet

PRICES = Path(__file__).parents[2] / "backtests" / "prices" / "spy.parquet"
FACTS = {"Predictor": "sma(window=50)", "Trades": "24", "Rejected orders": "0"}
HOSTILE = "<script>alert(1)</script> $\\frac{a}$ {{metrics}} \"'&amp; \x00 \ud800 \u202e %s مرحبا"


def spy(bars: int) -> tuple[pd.Series, pd.Series]:
    """Returns of a moving-average rule on the last `bars` bars of SPY, and of SPY; both start with 0."""
    prices = pd.read_parquet(PRICES).set_index("date")["adj_close"].astype(float)
    held = (prices > prices.rolling(50).mean()).shift(1, fill_value=False)
    benchmark = prices.pct_change().iloc[-bars:].copy()
    benchmark.iloc[0] = 0
    return benchmark * held.iloc[-bars:], benchmark


def written(path: Path, returns: pd.Series, benchmark: pd.Series, **options: object) -> str:
    named = {"title": "SMA on SPY", "strategy_name": "sma", "benchmark_name": "SPY", "periods_per_year": 252}
    write_tear_sheet(path, returns, benchmark, **{**named, "facts": FACTS, **options})
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """The tags of a page, the rows of its tables, and the text of each chart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, list[str]] = {}
        self.charts: list[list[str]] = []
        self._cells: list[str] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open = tag
        if tag == "svg":
            self.charts.append([])
        if tag == "tr":
            self._cells = []
        if tag in ("td", "th"):
            self._cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""
        if tag == "tr" and self._cells:
            self.rows.setdefault(self._cells[0], self._cells[1:])

    def handle_data(self, text: str) -> None:
        if self._open in ("td", "th") and self._cells:
            self._cells[-1] += text
        if self._open == "text" and self.charts:
            self.charts[-1].append(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sheets")


@pytest.fixture(scope="module")
def sheet(folder: Path) -> str:
    return written(folder / "sma.html", *spy(1500))


@pytest.fixture(scope="module")
def hostile_sheet(folder: Path) -> str:
    names = {"title": HOSTILE + "x" * 300, "strategy_name": HOSTILE, "benchmark_name": "_" + HOSTILE}
    return written(folder / "hostile.html", *spy(300), **names, facts={HOSTILE: HOSTILE})


@pytest.fixture(scope="module")
def five_bars(folder: Path) -> str:
    return written(folder / "5.html", *spy(5))


def number(page: str, row: str, column: int = 1) -> float:
    """A table's figure; the benchmark is column 0, the strategy column 1."""
    return float(Page(page).rows[row][column].rstrip("%").replace(",", ""))


@pytest.mark.parametrize("column", [0, 1])
def test_figures_are_those_of_numpy(sheet: str, column: int) -> None:
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
        assert number(sheet, row, column) == pytest.approx(value, abs=0.00501), row


def test_every_chart_is_drawn_and_the_yearly_one_names_its_years(sheet: str) -> None:
    charts = Page(sheet).charts
    assert len(charts) == 14
    yearly = next(chart for chart in charts if any("EOY" in text for text in chart))
    years = sorted({str(year) for year in spy(1500)[0].index.year})
    assert [text for text in yearly if re.fullmatch(r"\d{4}", text)] == years
    assert all("SPY" in chart and "sma" in chart for chart in charts[:5])


def test_yearly_returns_are_compound_and_cover_the_window_only(sheet: str) -> None:
    returns, benchmark = spy(1500)
    for column, series in enumerate((benchmark, returns)):
        for year, part in series.groupby(series.index.year):
            assert number(sheet, str(year), column) == pytest.approx(100 * ((1 + part).prod() - 1), abs=0.00501)


def test_page_says_what_was_run(sheet: str) -> None:
    returns, _ = spy(1500)
    assert '<h1 dir="auto">SMA on SPY</h1>' in sheet
    assert all(f"{name}</dt>" in sheet and f"{value}</dd>" in sheet for name, value in FACTS.items())
    assert "1,500 bars, 252 to the year" in sheet
    assert f"{returns.index[0]:%Y-%m-%d}" in sheet
    assert "noise" not in sheet


@pytest.mark.parametrize("page", ["sheet", "hostile_sheet", "five_bars"])
def test_page_loads_nothing_and_runs_nothing(page: str, request: pytest.FixtureRequest) -> None:
    tags = Page(request.getfixturevalue(page)).tags
    for tag, attributes in tags:
        assert tag not in {"script", "link", "iframe", "img", "object", "embed", "base", "form", "image"}
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        href = attributes.get("href") or attributes.get("xlink:href") or "#"
        assert tag == "a" or href.startswith("#"), attributes
        assert not re.search(r"url\((?!#)|@import", attributes.get("style") or "")
    policies = [a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_hostile_names_are_text(hostile_sheet: str) -> None:
    assert "<script" not in hostile_sheet
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $\\frac{a}$ {{metrics}}" in hostile_sheet
    assert len(Page(hostile_sheet).charts) == 14
    assert hostile_sheet.count("<td>Sharpe</td>") == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", hostile_sheet)


def test_same_call_writes_the_same_bytes(five_bars: str, folder: Path) -> None:
    assert written(folder / "again.html", *spy(5)) == five_bars


@pytest.mark.parametrize("bars", [1, 2, 30])
def test_short_windows_are_written(folder: Path, bars: int) -> None:
    page = written(folder / f"{bars}.html", *spy(bars))
    assert len(Page(page).charts) == 14
    assert "Fewer than 60 bars" in page


def test_fewer_than_60_bars_show_no_annualised_figure(five_bars: str) -> None:
    rows = Page(five_bars).rows
    assert "Fewer than 60 bars: annualised figures are noise" in five_bars
    for row in ("CAGR", "Sharpe", "Sortino", "Volatility (ann.)", "Calmar", "3Y (ann.)", "All-time (ann.)"):
        assert rows[row] == ["-", "-"], row
    assert number(five_bars, "Cumulative Return") == pytest.approx(100 * ((1 + spy(5)[0]).prod() - 1), abs=0.00501)


def test_account_that_never_traded_and_same_names(folder: Path) -> None:
    returns, benchmark = spy(300)
    page = written(folder / "flat.html", 0 * returns, benchmark, strategy_name="SPY", benchmark_name="SPY")
    assert Page(page).rows["Metric"] == ["SPY (benchmark)", "SPY"]
    assert number(page, "Max Drawdown") == 0
    assert number(page, "Max Drawdown", 0) < 0
    assert Page(page).rows["Sharpe"][1] == "-"


def test_loss_on_the_first_bar_that_never_recovers_is_a_drawdown(folder: Path) -> None:
    returns, benchmark = spy(80)
    returns = 0 * returns
    returns.iloc[0] = -0.1
    page = written(folder / "first.html", returns, benchmark)
    assert number(page, "Max Drawdown") == -10
    assert f"<td>{returns.index[0]:%Y-%m-%d}</td><td>{returns.index[-1]:%Y-%m-%d}</td><td>-10.00</td>" in page


def test_returns_that_never_fall_and_once_double_are_not_taken_for_prices(folder: Path) -> None:
    returns, benchmark = spy(80)
    returns = returns.abs()
    returns.iloc[40] = 1.5
    page = written(folder / "double.html", returns, benchmark)
    assert number(page, "Cumulative Return") == pytest.approx(100 * ((1 + returns).prod() - 1), abs=0.00501)
    assert number(page, "Best Bar") == 150


def test_hours_are_bars(folder: Path) -> None:
    index = pd.date_range("2024-01-02 10:30", periods=200, freq="h")
    moves = np.random.default_rng(0).normal(0, 0.003, (2, 200))
    moves[:, 0] = 0
    page = written(folder / "hours.html", *(pd.Series(row, index) for row in moves), periods_per_year=1764)
    assert "2024-01-02 10:30" in page
    assert number(page, "Sharpe") == pytest.approx(moves[0].mean() / moves[0].std(ddof=1) * 42, abs=0.00501)
    assert not {"Best Day", "Win Days", "Expected Daily", "Daily Value-at-Risk"} & set(Page(page).rows)


def test_session_keeps_its_matplotlib(folder: Path) -> None:
    import matplotlib
    import matplotlib.pyplot as plt
    import quantstats

    matplotlib.use("svg")
    with matplotlib.rc_context({"font.size": 7, "svg.fonttype": "path"}):
        mine, savefig = plt.figure(), plt.savefig
        originals = (quantstats.stats.comp, quantstats.utils._prepare_returns)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            written(folder / "session.html", *spy(5))
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
def test_returns_that_cannot_be_shown_are_refused(
    tmp_path: Path, spoil: Callable[[pd.Series], pd.Series], said: str
) -> None:
    returns, benchmark = spy(20)
    with pytest.raises(ValueError, match=said):
        written(tmp_path / "no.html", spoil(returns), benchmark)
    with pytest.raises(ValueError, match=said if "dates of" in said else f"benchmark: .*{said}"):
        written(tmp_path / "no.html", returns, spoil(benchmark))
    assert not list(tmp_path.iterdir())


def test_what_is_no_series_is_refused(tmp_path: Path) -> None:
    returns, benchmark = spy(20)
    with pytest.raises(TypeError, match="returns: expected a Series"):
        written(tmp_path / "no.html", returns.to_numpy(), benchmark)
    with pytest.raises(TypeError, match="benchmark: expected a DatetimeIndex"):
        written(tmp_path / "no.html", returns, benchmark.reset_index(drop=True))
    with pytest.raises(ValueError, match="periods_per_year must be at least 1"):
        written(tmp_path / "no.html", returns, benchmark, periods_per_year=0)


def test_repairs_are_for_the_installed_quantstats() -> None:
    import quantstats

    assert quantstats.__version__ == "0.0.86", "read each repair in quantstats_mended.py against the new release"


def test_repaired_functions_equal_quantstats_where_it_is_right() -> None:
    import quantstats

    pair = pd.DataFrame(dict(zip(["returns", "benchmark"], spy(2500), strict=True)))
    pd.testing.assert_series_equal(compounded(pair), quantstats.stats.comp(pair), rtol=1e-12)
    assert compounded(pair["returns"]) == pytest.approx(quantstats.stats.comp(pair["returns"]), rel=1e-12)
    under_water = quantstats.stats.to_drawdown_series(pair)
    theirs = quantstats.stats.drawdown_details(under_water).drop(columns="99% max drawdown", level=1)
    pd.testing.assert_frame_equal(drawdown_details(under_water), theirs, check_dtype=False)
    months = quantstats.stats.monthly_returns(pair["returns"])
    with mended(quantstats):
        ours = quantstats.stats.monthly_returns(pair["returns"])
    pd.testing.assert_frame_equal(ours, months.where(ours.notna()))
    assert int(ours.isna().sum().sum()) == int((months.where(ours.isna()) == 0).sum().sum())


def test_style_is_known_to_matplotlib() -> None:
    import matplotlib

    assert set(STYLE) <= set(matplotlib.rcParamsDefault)
