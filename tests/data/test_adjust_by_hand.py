"""Adjustment on four bars, worked out by hand: each price, volume, factor and refusal."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rollcast.backtests.data.adjust import actions_in, as_bars, factors

DATES = pd.bdate_range("2020-01-01", periods=4)


def rows(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, DATES)


# What was paid on the first bar was paid before there were prices.
PAID = rows(close=[100.0, 98.0, 49.0, 50.0], dividend=[7.0, 2.0, 0.0, 1.0], split=[3.0, 0.0, 2.0, 0.0])
SPLIT = rows(
    open=[5.0, 10.0, 21.0, 80.0],
    high=[6.0, 12.0, 22.0, 90.0],
    low=[4.0, 9.0, 19.0, 78.0],
    close=[5.5, 11.0, 20.0, 88.0],
    volume=[100.0, math.nan, 40.0, 10.0],
    split=[math.nan, 2.0, 0.0, 0.25],
)


def test_a_factor_is_the_product_of_all_that_is_still_to_be_paid_and_split():
    last = 1 - 1 / 49
    assert factors(PAID).tolist() == pytest.approx([last / 2 * (1 - 2 / 100), last / 2, last, 1.0], rel=1e-15)


@pytest.mark.parametrize("dividend", [10.0, 10.5])
def test_a_dividend_of_the_whole_close_or_more_is_refused_with_its_date(dividend):
    bad = rows(close=[12.0, 10.0, 5.0, 5.0], dividend=[0.0, 1.0, dividend, 5.0])
    with pytest.raises(ValueError, match="the dividend of 2020-01-03 is not less than the close before it"):
        factors(bad)
    assert factors(bad.assign(dividend=[0.0, 1.0, 9.99, 0.0]))[1] == pytest.approx(0.001)


def test_splits_divide_earlier_prices_and_multiply_earlier_volumes():
    bars = as_bars(SPLIT, "full", "x")  # a share of the first bar is two of the second, and half a share of the last
    assert bars.columns.tolist() == ["open", "high", "low", "close", "volume"]
    assert bars["open"].tolist() == [10.0, 40.0, 84.0, 80.0]
    assert bars["high"].tolist() == [12.0, 48.0, 88.0, 90.0]
    assert bars["low"].tolist() == [8.0, 36.0, 76.0, 78.0]
    assert bars["close"].tolist() == [11.0, 44.0, 80.0, 88.0]
    assert bars["volume"].tolist() == [50.0, 0.0, 10.0, 10.0]


@pytest.mark.parametrize("adjust", ["none", "asof"])
def test_prices_as_traded_are_left_as_they_are(adjust):
    bars = as_bars(SPLIT.assign(adj_close=1.0), adjust, "x")
    assert (
        bars.drop(columns="volume").to_numpy().tolist() == SPLIT[["open", "high", "low", "close"]].to_numpy().tolist()
    )
    assert bars["volume"].tolist() == [100.0, 0.0, 40.0, 10.0]


def test_an_adjusted_close_scales_every_price_and_no_volume_and_goes_before_dividends():
    bars = as_bars(SPLIT.assign(adj_close=[11.0, 33.0, 10.0, 88.0]), "full", "x")  # 2, 3, 1/2 and 1 times the close
    assert bars["open"].tolist() == [10.0, 30.0, 10.5, 80.0]
    assert bars["high"].tolist() == [12.0, 36.0, 11.0, 90.0]
    assert bars["low"].tolist() == [8.0, 27.0, 9.5, 78.0]
    assert bars["close"].tolist() == [11.0, 33.0, 10.0, 88.0]
    assert bars["volume"].tolist() == [100.0, 0.0, 40.0, 10.0]


@pytest.mark.parametrize("adjust", ["full", "none"])
def test_a_close_alone_is_every_price_of_its_bar_and_no_volume(adjust):
    bars = as_bars(rows(close=[1.0, 2.0, 3.0, 4.0]), adjust, "x")
    assert bars.to_numpy().tolist() == [[p, p, p, p, 0.0] for p in (1.0, 2.0, 3.0, 4.0)]


def test_adjusted_closes_alone_are_bars_of_returns_and_no_prices_to_trade():
    adjusted = rows(adj_close=[1.0, 2.0, 3.0, 4.0], dividend=[0.0, 1.0, 0.0, 0.0])
    assert as_bars(adjusted, "full", "x")["close"].tolist() == [1.0, 2.0, 3.0, 4.0]
    for adjust in ("none", "asof"):
        with pytest.raises(ValueError, match=r"^x holds adjusted closes only; its raw prices are not there to trade$"):
            as_bars(adjusted, adjust, "x")


def test_without_a_record_of_dividends_or_splits_nothing_can_be_booked_as_of_then():
    bare = SPLIT.drop(columns="split")
    with pytest.raises(ValueError, match=r"^x has no record of dividends and splits to book as of then; take --adjust"):
        as_bars(bare, "asof", "x")
    for record in ("dividend", "split"):
        assert as_bars(bare.assign(**{record: 0.0}), "asof", "x")["close"].tolist() == SPLIT["close"].tolist()


def test_actions_are_the_bars_with_a_dividend_or_a_split_either_way():
    table = actions_in(rows(dividend=[0.0, 0.5, math.nan, 0.0], split=[0.0, math.nan, 3.0, 0.5]))
    assert table.index.tolist() == DATES[1:].tolist()
    assert table["dividend"].tolist() == [0.5, 0.0, 0.0]
    assert table["split"].tolist() == [1.0, 3.0, 0.5]
    assert actions_in(rows(close=[1.0] * 4)).empty
