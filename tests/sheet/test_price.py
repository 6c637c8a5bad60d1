"""The data of the price chart are the bars, the forecasts and the trades themselves, in little room."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from rollcast import load, load_bars, run
from rollcast.backtests.sheet.price import MOST_ROWS, chart_data, price, price_forecast, refits
from rollcast.strategies.long_short import LongShort
from tests.sheet.conftest import KINDS


def unpacked(data):
    """As price.js does."""
    times = pd.to_datetime(np.cumsum(data["t"]) * data["unit"], unit="s")
    close = np.cumsum(data["c"])
    columns = {"open": "o", "high": "h", "low": "l"}
    prices = {name: (close + data[key]) / 10.0 ** data["digits"] for name, key in columns.items()}
    return pd.DataFrame(prices | {"close": close / 10.0 ** data["digits"]}, times)


def test_the_page_holds_the_data_once(sheet, made):
    page = sheet("ten bars").read_text(encoding="utf-8")
    (text,) = re.findall(r'<script type="application/json" id="price-data">(.*?)</script>', page, flags=re.DOTALL)
    assert json.loads(text) == json.loads(json.dumps(chart_data(made("ten bars"))))


@pytest.mark.parametrize("kind", KINDS)
def test_the_data_hold_every_bar_to_a_thousandth_and_every_forecast(made, kind):
    result = made(kind)
    data = chart_data(result)
    shown = unpacked(data)
    assert (shown.index == result.bars.index).all()
    np.testing.assert_allclose(shown, result.bars[["open", "high", "low", "close"]], rtol=1e-3)
    f = np.array(data["f"]) / 1e6
    np.testing.assert_allclose(f, result.forecast, atol=5.1e-7)
    expected = shown["close"].shift(1).to_numpy()[data["first"] + 1 :] * np.exp(f[:-1])
    np.testing.assert_allclose(expected, price_forecast(result).iloc[data["first"] + 1 :], rtol=1e-3)


def test_positions_and_markers_are_those_of_the_trades(made):
    result = made("losing")
    data = chart_data(result)
    side = pd.Series(0.0, result.bars.index)
    for start, sign in data["p"]:
        side.iloc[start:] = sign
    held = np.sign(result.positions.iloc[:, 0]).reindex(side.index).fillna(0)
    assert side.tolist() == held.tolist()
    assert {sign for _, sign in data["p"]} >= {1, -1}
    entries = [i for i, kind in data["m"] if kind]
    assert result.bars.index[entries].tolist() == result.trades["entry_date"].tolist()
    exits = [i for i, kind in data["m"] if not kind]
    assert result.bars.index[exits].tolist() == result.trades["exit_date"].dropna().tolist()


def test_refits_are_the_windows_a_learner_was_fitted_on(made):
    result = made("lstm")
    fitted = result.training.windows["date"].unique()
    assert result.bars.index[refits(result)].tolist() == sorted(pd.to_datetime(fitted))
    assert not len(refits(made("winning")))


def test_ten_thousand_bars_are_less_than_a_megabyte():
    bars = load_bars("BTC-USD")
    shifted = [bars.set_axis(bars.index + k * pd.Timedelta(days=4400)) for k in range(3)]
    long = pd.concat(shifted).iloc[:10_000]
    assert len(long) == 10_000
    result = run(long, load("ema", span=5), LongShort, symbol="BTC-USD")
    assert len(result.trades) > 1000
    assert len(json.dumps(chart_data(result), separators=(",", ":"))) < 1e6


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_ends_with_the_last_bar_and_is_short(made, kind):
    result, found = made(kind), price(made(kind))
    assert 1 < len(found.rows) <= MOST_ROWS
    last = result.bars.iloc[-1]
    assert found.rows[-1][4] == f"{last['close']:,.2f}"
    assert found.rows[-1][0] == (f"{last.name:%Y-%m-%d}" if kind != "hourly" else f"{last.name:%Y-%m-%d %H:%M}")
    assert found.rows[-1][5] == f"{price_forecast(result).iloc[-1]:,.2f}"
