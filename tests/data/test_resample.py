"""Coarser bars: what each holds, what it is called, that none lies in the future or changes when bars are added."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import Request, load_bars
from rollcast.backtests.data.adjust import actions_in, factors
from rollcast.backtests.data.bars import bars_per_year, digest
from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.calendars import schedule
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.data.resample import name_of, resample, width_of
from rollcast.backtests.verify import check

NONE = pd.DataFrame(columns=["dividend", "split"])
AGGREGATE = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def minutes(first="2019-11-25", last="2019-12-06", exchange="XNYS"):
    """Every minute of the sessions between two days, the prices a walk."""
    sessions = schedule(exchange, pd.Timestamp(first), pd.Timestamp(last))
    spans = [pd.date_range(o + pd.Timedelta("1min"), c, freq="min") for o, c in sessions.itertuples(index=False)]
    index = pd.DatetimeIndex(np.concatenate(spans), name="date")
    close = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 1e-3, len(index))))
    opened = np.r_[100.0, close[:-1]]
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    values = {"open": opened, "high": high, "low": low, "close": close, "volume": 1.0}
    return pd.DataFrame(values, index=index)


MINUTES = minutes()
COINS = MINUTES.iloc[:3000].set_axis(pd.date_range("2020-01-03 00:01", periods=3000, freq="min"))


def made(bars, bar, exchange=None):
    return resample(bars, NONE, bar, exchange)[0]


@pytest.mark.parametrize(("bar", "rule"), [("1wk", "W-SUN"), ("1mo", "ME")])
@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD"])
def test_weeks_and_months_are_those_of_pandas_dated_by_their_last_session(symbol, bar, rule):
    days = load_bars(symbol)
    twin = days.assign(date=days.index).resample(rule).agg(AGGREGATE | {"date": "last"}).set_index("date")
    ours = load_bars(symbol, bar=bar)
    pd.testing.assert_frame_equal(ours, twin.iloc[: len(ours)], check_freq=False)
    assert len(twin) - len(ours) == 1  # both histories end within a week


@pytest.mark.parametrize("known", [True, False])
def test_days_made_of_hours_are_the_sessions(known):
    hours = load_bars("AAPL.1h")
    days = made(hours, "1d", "XNYS" if known else None)
    twin = hours.groupby(hours.index.normalize()).agg(AGGREGATE)
    pd.testing.assert_frame_equal(days, twin, check_freq=False)
    assert bars_per_year(days.index) == 252


@pytest.mark.parametrize("exchange", ["XNYS", None])
@pytest.mark.parametrize(("bar", "width", "early"), [("5m", 5, 42), ("30m", 30, 7), ("1h", 60, 4), ("2h", 120, 2)])
def test_bars_within_a_session_are_counted_from_its_opening_and_never_cross_it(exchange, bar, width, early):
    ours = made(MINUTES, bar, exchange)
    assert ours["volume"].max() == width
    day = ours.index.normalize()
    ends = [pd.Timedelta("9h30min") + pd.Timedelta(minutes=width) * (k + 1) for k in range(early)]
    friday = ours.index[day == "2019-11-29"]  # closes at 13:00
    assert (friday - pd.Timestamp("2019-11-29")).tolist()[: early - 1] == ends[: early - 1]
    assert friday[-1] == pd.Timestamp("2019-11-29 13:00")
    whole = MINUTES.loc[: ours.index[-1]]
    assert ours["volume"].groupby(day).sum().equals(whole["volume"].groupby(whole.index.normalize()).sum())
    # the bars tile the minutes: each opens where the one before it closed
    assert (ours["open"].to_numpy()[1:] == ours["close"].to_numpy()[:-1]).all()


def test_bars_outside_the_hours_of_a_session_do_not_join_those_within():
    late = MINUTES.index.union([stamp + pd.Timedelta("10min") for stamp in MINUTES.index[-1:]])
    ours = made(MINUTES.reindex(late).ffill(), "1h", "XNYS")
    assert ours.index[-1] == MINUTES.index[-1]  # the bar after the closing is not a whole hour
    assert ours["volume"].iloc[-1] == 30


def test_a_day_of_a_market_that_never_closes_ends_with_the_bar_dated_midnight():
    for exchange in ("24/7", None):
        days = made(COINS, "1d", exchange)
        assert days.index.tolist() == [pd.Timestamp("2020-01-03"), pd.Timestamp("2020-01-04")]
        assert days["close"].iloc[0] == COINS["close"].loc["2020-01-04 00:00"]
        assert made(COINS, "1h", exchange).index[23] == pd.Timestamp("2020-01-04 00:00")


CASES = {
    **{
        f"SPY {bar} {known}": (load_bars("SPY", "2015"), bar, known)
        for bar in ("1wk", "1mo")
        for known in ("XNYS", None)
    },
    **{f"BTC {bar} {known}": (load_bars("BTC-USD"), bar, known) for bar in ("1wk", "1mo") for known in ("24/7", None)},
    **{
        f"AAPL.1h {bar} {known}": (load_bars("AAPL.1h"), bar, known)
        for bar in ("2h", "3h", "1d", "1wk", "1mo")
        for known in ("XNYS", None)
    },
    **{f"minutes {bar} {known}": (MINUTES, bar, known) for bar in ("7m", "1h", "1d") for known in ("XNYS", None)},
    **{f"coins {bar} {known}": (COINS, bar, known) for bar in ("7m", "1h", "1d") for known in ("24/7", None)},
}


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=8)
@given(share=st.floats(0, 1))
def test_bars_that_come_later_change_no_bar_made_before_and_none_lies_in_the_future(case, share):
    bars, bar, exchange = CASES[case]
    whole = made(bars, bar, exchange)
    count = round(len(bars) * (0.5 + 0.5 * share))
    part = made(bars.iloc[:count], bar, exchange)
    pd.testing.assert_frame_equal(part, whole.iloc[: len(part)], check_freq=False)
    assert part.index[-1] <= bars.index[count - 1]
    assert set(part.index) <= set(bars.index) | set(bars.index.normalize())
    assert len(whole.loc[: bars.index[count - 1]]) - len(part) <= 1


@pytest.mark.parametrize(
    ("end", "exchange", "last"),
    [
        ("2021-04-01", "XNYS", "2021-04-01"),  # the Thursday before Good Friday
        ("2021-04-01", None, "2021-03-26"),  # who knows nothing of Good Friday waits
        ("2021-03-26", None, "2021-03-26"),
        ("2021-03-25", "XNYS", "2021-03-19"),
        ("2021-03-26", "24/7", "2021-03-19"),
        ("2021-03-26", "no exchange", "2021-03-26"),
    ],
)
def test_a_last_week_is_there_once_its_last_session_is(end, exchange, last):
    assert made(load_bars("SPY", "2021", end), "1wk", exchange).index[-1] == pd.Timestamp(last)


@pytest.mark.parametrize(("end", "last"), [("2021-05-28", "2021-05-28"), ("2021-05-27", "2021-04-30")])
def test_a_last_month_is_there_once_its_last_session_is(end, last):
    found = load("SPY", DataOptions(start="2021", end=end, bar="1mo"))  # Monday 31 May 2021 was a holiday
    assert found.bars.index[-1] == pd.Timestamp(last)
    assert found.statements[0].endswith("of 1d")
    assert ("left out: the last 19, to 2021-05-27, which may not be a whole bar" in found.statements) == (
        end < last or end == "2021-05-27"
    )


def test_a_last_session_without_its_closing_is_left_out_and_said():
    cut = MINUTES.iloc[:-1]
    bars, _, said = resample(cut, NONE, "1d", "XNYS")
    assert bars.index[-1] == pd.Timestamp("2019-12-05")
    assert said[-1] == "left out: the last 389, to 2019-12-06, which may not be a whole bar"


@pytest.mark.parametrize(
    ("symbol", "bar", "words"),
    [
        ("SPY", "1h", "SPY has bars of 1d, and none finer than that can be made; 1h is"),
        ("AAPL.1h", "30m", "AAPL.1h has bars of 1h, and none finer"),
        ("AAPL.1h", "90m", "do not fill bars of 90m without a rest"),
        ("SPY", "1w", "'1w' is no bar size; write it as 5m"),
        ("SPY", "24h", "'24h' is no bar size"),
    ],
)
def test_a_size_that_cannot_be_made_is_refused_in_a_line(symbol, bar, words):
    with pytest.raises(ValueError, match=words) as refused:
        load_bars(symbol, bar=bar)
    assert "\n" not in str(refused.value)


def test_too_few_bars_are_refused():
    with pytest.raises(ValueError, match="too few"):
        made(MINUTES.iloc[:2], "1h")
    with pytest.raises(ValueError, match="do not make one whole bar of 1mo"):
        load_bars("SPY", "2021-08-02", "2021-08-10", bar="1mo")
    weeks = load_bars("SPY", bar="1wk")
    with pytest.raises(ValueError, match="bars of 1wk, which do not fill bars of 1mo"):
        made(weeks, "1mo")


def test_bars_of_the_size_asked_for_stay_as_they_are():
    for symbol, bar in (("SPY", "1d"), ("AAPL.1h", "1h")):
        assert digest(load_bars(symbol, bar=bar)) == digest(load_bars(symbol))
    months = load_bars("SPY", bar="1mo")
    assert made(months, "1mo") is months
    assert [name_of(width_of(bar)) for bar in ("5m", "60m", "1d", "1wk", "1mo")] == ["5m", "1h", "1d", "1wk", "1mo"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(5, 60), st.floats(0, 2), st.sampled_from([0.5, 1, 2, 3])), max_size=6))
def test_what_was_paid_and_split_moves_to_the_week_and_a_holder_gets_the_same(events):
    rows = bundled()["SPY"].iloc[:80].drop(columns="adj_close").assign(dividend=0.0, split=0.0).astype(float)
    for place, paid, ratio in events:
        rows.iloc[place, -2:] = paid, ratio
    weeks, moved, _ = resample(rows[list(AGGREGATE)], actions_in(rows), "1wk", "XNYS")
    assert set(moved.index) <= set(weeks.index)
    within = actions_in(rows).loc[: weeks.index[-1]]
    assert moved["split"].prod() == pytest.approx(within["split"].prod())
    shares = within["split"].cumprod() / within["split"]  # of one held at first, as each dividend is paid
    weekly = moved["split"].cumprod() / moved["split"]
    assert (moved["dividend"] * weekly).sum() == pytest.approx((within["dividend"] * shares).sum())


def test_adjusting_goes_before_so_that_a_weeks_return_has_its_dividends():
    days, weeks = load_bars("SPY"), load_bars("SPY", bar="1wk")
    assert weeks["close"].equals(days["close"][weeks.index])
    assert factors(bundled()["SPY"].drop(columns="adj_close"))[0] < 0.7  # there is something to adjust for


@pytest.mark.parametrize(
    ("symbol", "bar", "yearly"),
    [("SPY", "1wk", 52), ("SPY", "1mo", 12), ("BTC-USD", "1wk", 52), ("BTC-USD", "1mo", 12), ("AAPL.1h", "1d", 252)],
)
def test_a_year_has_52_weeks_and_12_months(symbol, bar, yearly):
    index = load_bars(symbol, bar=bar).index
    assert bars_per_year(index) == yearly
    assert bars_per_year(index[len(index) // 2 :]) == yearly


def test_weeks_raise_no_doubt_of_gaps_or_nights():
    assert load("SPY", DataOptions(bar="1wk")).findings == ()
    assert not any("night" in found for found in load("AAPL.1h", DataOptions(bar="1d")).findings)
    nights = "500 nights are left out of what the predictor reads; the account holds its position through them"
    assert nights in load("AAPL.1h", DataOptions(bar="2h")).statements
    assert not any("night" in said for said in load("AAPL.1h", DataOptions(bar="1d")).statements)


def test_a_run_on_weeks_is_made_again_from_its_recipe():
    request = Request("ols-features", bar="1wk", train=300)
    result = request.run()
    assert Request.from_recipe(result.recipe) == request
    assert "--bar 1wk" in result.recipe["command"]
    assert result.metrics["bars_per_year"] == 52
    assert "bars of 1wk made of 7,191 of 1d" in result.recipe["data"]["statements"]
    assert not any(part.difference for part in check(result))
