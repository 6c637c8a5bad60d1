"""The engine for many names: against an independent simulation, in every mode, and with nothing lost or refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from rollcast import load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import PanelSimulation, simulate_panel
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.predictors.bars import COLUMNS, random_walk
from rollcast.predictors.checks.perturbations import changed, truncated
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.portfolio.equal_weight import EqualWeight
from rollcast.strategies.portfolio.min_variance_tilt import MinVarianceTilt
from rollcast.strategies.portfolio.top_k import TopK
from rollcast.strategies.proportional import Proportional

ACCOUNTS = {
    "free": Account(commission_bps=0, slippage_bps=0, borrow_bps=0),
    "default": Account(),
    "dear": Account(1e6, commission_bps=50, slippage_bps=30, borrow_bps=800, interest_bps=500),
    "fractional": Account(
        12_345.67, commission_bps=10, slippage_bps=5, borrow_bps=200, interest_bps=300, fractional=True
    ),
}


def forecasts_of(panel: Panel, span: int = 20) -> pd.DataFrame:
    ema = load("ema", span=span)
    return pd.DataFrame({s: ema.predict(bars) for s, bars in panel.bars.items()}, index=panel.calendar)


def three_calendars() -> Panel:
    """SPY's weekdays, every day of BTC-USD, which ends first, and KO on a market that is closed on Fridays."""
    ko = load_bars("KO.sp20", "2014-08", "2015-12")
    bars = {
        "SPY": load_bars("SPY", "2014-10", "2016-02"),
        "BTC-USD": load_bars("BTC-USD", "2014-11", "2015-09"),
        "KO.sp20": ko[ko.index.day_of_week != 4],
    }
    return Panel("mixed", bars)


@pytest.fixture(scope="module")
def sp20() -> Panel:
    return load_panel("sp20", "2005", "2007")


# --- the twin: the same account in plain Python, written from the documentation ---


class Twin:
    """`top_k` on a panel, one date after another."""

    def __init__(
        self, panel: Panel, table: pd.DataFrame, account: Account, k: int, short: bool, inverse: bool, cap: float
    ):
        self.panel, self.account, self.k, self.short, self.inverse, self.cap = panel, account, k, short, inverse, cap
        self.opens, self.closes = panel.table("open"), panel.table("close")
        self.known = panel.table("close").ffill()
        self.first, self.last = ({s: b.index[i] for s, b in panel.bars.items()} for i in (0, -1))
        self.forecasts = table.ffill()
        variance = {
            s: (np.log(b["close"]).diff() ** 2).ewm(span=60, adjust=False).mean() for s, b in panel.bars.items()
        }
        self.volatility = np.sqrt(pd.DataFrame(variance, index=panel.calendar).ffill())
        self.begun = table.notna().any(axis=1).idxmax()
        c, s = account.commission_bps / 1e4, account.slippage_bps / 1e4
        self.rate, self.slippage, self.commission = (1 + s) * (1 + c) - 1, s, c

    def run(self) -> pd.DataFrame:
        cash, units, rows, week, target, due = self.account.cash, dict.fromkeys(self.closes, 0.0), [], None, {}, set()
        for i, today in enumerate(self.panel.calendar):
            if i:
                cash += self.carry(self.panel.calendar[i - 1], today, cash, units)
            cash = self.trade(today, cash, units, target, due)
            equity = cash + sum(n * self.known.at[today, s] for s, n in units.items() if n)
            rows.append({"equity": equity, "cash": cash} | units)
            if today.to_period("W") != week and (found := self.decide(today, units, equity)):
                week, target = today.to_period("W"), found
                due.clear()
                due.update(self.listed(today))
        return pd.DataFrame(rows, index=self.panel.calendar)

    def listed(self, today: pd.Timestamp) -> list[str]:
        return [s for s in self.closes if self.first[s] <= today <= self.last[s]]

    def carry(self, yesterday: pd.Timestamp, today: pd.Timestamp, cash: float, units: dict[str, float]) -> float:
        years = (today - yesterday) / pd.Timedelta(days=365)
        owed = sum(-n * self.known.at[yesterday, s] for s, n in units.items() if n < 0)
        cost = self.account.borrow_bps / 1e4 * years * owed
        earns = yesterday >= self.begun
        return earns * self.account.interest_bps / 1e4 * years * max(cash - cost - owed, 0.0) - cost

    def decide(self, today: pd.Timestamp, units: dict[str, float], equity: float) -> dict[str, float]:
        able = [s for s in self.listed(today) if not math.isnan(self.forecasts.at[today, s])]
        if self.inverse:
            able = [s for s in able if self.volatility.at[today, s] > 0]
        best = sorted(able, key=lambda s: -self.forecasts.at[today, s])
        if len(best) < 1 + self.short:
            return {}
        sides = [(best[: self.k], 1.0)]
        if self.short:
            k = min(self.k, len(best) // 2)
            sides = [(best[:k], 0.5), (best[-k:], -0.5)]
        wanted = dict.fromkeys(self.closes, 0.0)
        for side, weight in sides:
            share = {s: 1 / self.volatility.at[today, s] if self.inverse else 1.0 for s in side}
            wanted |= {s: weight * share[s] / sum(share.values()) for s in side}
        held = {s: n * self.known.at[today, s] / equity if n else 0.0 for s, n in units.items()}
        turnover = sum(abs(wanted[s] - held[s]) for s in wanted)
        part = min(1.0, self.cap / turnover) if turnover and self.cap < 2 else 1.0
        return {s: held[s] + part * (wanted[s] - held[s]) for s in wanted}

    def trade(self, today: pd.Timestamp, cash: float, units: dict, target: dict, due: set) -> float:
        bars = {s for s in self.closes if not math.isnan(self.closes.at[today, s])}
        over = {s for s, n in units.items() if n and today > self.last[s]}
        who = (due & bars) | over
        due -= bars
        if not who:
            return cash
        price = {s: self.opens.at[today, s] if s in bars else self.known.at[today, s] for s in self.closes}
        value = {s: n * price[s] if n else 0.0 for s, n in units.items()}
        weight = {s: 0.0 if s in over else target.get(s, 0.0) for s in self.closes}
        equity = cash + sum(value.values())
        who = {s for s in who if abs(weight[s] - value[s] / equity) > 1e-6 or (weight[s] == 0 and units[s])}
        worth = self.worth(equity, {s: (weight[s], value[s]) for s in who})
        cut = float if self.account.fractional else math.trunc
        size = {s: cut(weight[s] * worth * (1 - 1e-9) / price[s]) - units[s] for s in who}
        share = self.affordable(cash, {s: (n * price[s], value[s]) for s, n in size.items()}, value)
        for s, n in size.items():
            bought = cut(n * share * (1 - 1e-9)) if n > 0 and share < 1 else n
            fill = price[s] * (1 + math.copysign(self.slippage, n))
            cash -= bought * fill + abs(bought) * fill * self.commission
            units[s] += bought
        return cash

    def affordable(self, cash: float, trades: dict[str, tuple[float, float]], value: dict[str, float]) -> float:
        """The largest part of what is bought that leaves half of the value of the shorts that remain in cash."""

        def spare(part: float) -> float:
            left, shorts = cash, {s: max(-v, 0.0) for s, v in value.items()}
            for s, (traded, worth) in trades.items():
                done = part * traded if traded > 0 else traded
                left -= done + abs(done) * self.rate
                bought_back = min(done, max(-worth, 0.0)) if traded > 0 else 0.0
                shorts[s] = max(-worth, 0.0) - bought_back if traded > 0 else max(-(worth + traded), 0.0)
            return left - 0.5 * sum(shorts.values())

        if spare(1.0) >= 0:
            return 1.0
        return brentq(spare, 0, 1, xtol=1e-15, rtol=1e-14) if spare(0.0) > 0 else 0.0

    def worth(self, equity: float, names: dict[str, tuple[float, float]]) -> float:
        """What is left of equity: worth + rate · Σ|weight · worth - value| = equity."""

        def left(worth: float) -> float:
            return worth + self.rate * sum(abs(w * worth - v) for w, v in names.values()) - equity

        return brentq(left, 0, equity, xtol=1e-9, rtol=1e-14) if left(equity) > 0 else equity


def agree(found: PanelSimulation, twin: pd.DataFrame) -> None:
    assert float((found.history[["equity", "cash"]] - twin[["equity", "cash"]]).abs().max().max()) < 0.005
    pd.testing.assert_frame_equal(found.positions, twin[found.positions.columns], atol=1e-6, check_freq=False)


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
@pytest.mark.parametrize(("short", "weighting", "cap"), [(False, "equal", 2.0), (True, "inverse_volatility", 0.3)])
def test_equity_is_that_of_an_independent_simulation_to_the_cent(sp20, account, short, weighting, cap):
    part = Panel("part", {s: bars.loc[:"2006-03"] for s, bars in sp20.bars.items()})
    table = forecasts_of(part)
    found = simulate_panel(part, table, TopK, {"short": short, "weighting": weighting, "turnover_cap": cap}, account)
    agree(found, Twin(part, table, account, 5, short, weighting != "equal", cap).run())
    assert len(found.orders) > 300


@pytest.mark.slow
@pytest.mark.parametrize("short", [False, True])
def test_the_whole_panel_agrees_with_the_independent_simulation_to_the_cent(short):
    panel = load_panel("sp20")
    table = forecasts_of(panel)
    found = simulate_panel(panel, table, TopK, {"short": short})
    agree(found, Twin(panel, table, Account(), 5, short, False, 2.0).run())


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
@pytest.mark.parametrize(("k", "short"), [(2, False), (1, True)])
def test_names_on_three_calendars_agree_with_the_independent_simulation(account, k, short):
    panel = three_calendars()
    table = forecasts_of(panel)
    found = simulate_panel(panel, table, TopK, {"k": k, "short": short}, account)
    agree(found, Twin(panel, table, account, k, short, False, 2.0).run())


# --- modes ---


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        (TopK, {"k": 2, "weighting": "inverse_volatility"}),
        (MinVarianceTilt, {"cap": 0.6, "span": 60}),
        (Proportional, {}),
    ],
)
def test_no_engine_mode_changes_a_portfolio_on_three_calendars(strategy, parameters):
    panel = three_calendars()
    panel = Panel("part", {symbol: bars.loc["2015-06":"2015-11"] for symbol, bars in panel.bars.items()})
    table, account, seen = forecasts_of(panel), ACCOUNTS["fractional"], []
    for once, preload, exact in itertools.product((True, False), (True, False), (0, 1, -1)):
        seen.append(
            simulate_panel(panel, table, strategy, parameters, account, runonce=once, preload=preload, exactbars=exact)
        )
    for other in seen[1:]:
        for one, two in zip((seen[0].history, seen[0].positions, seen[0].orders), vars(other).values(), strict=False):
            pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert set(seen[0].orders["symbol"]) == set(panel.symbols)


# --- conservation ---


def conserved(panel: Panel, found: PanelSimulation, account: Account) -> None:
    """Cash and positions are the equity, and orders are all that moved either."""
    history, orders = found.history, found.orders
    worth = (found.positions * panel.table("close").ffill().fillna(0.0)).sum(axis=1)
    np.testing.assert_allclose(history["cash"] + worth, history["equity"], rtol=1e-12)
    moved = orders.pivot_table(index="date", columns="symbol", values="units", aggfunc="sum")
    kept = moved.reindex(index=panel.calendar, columns=panel.symbols).fillna(0.0).cumsum()
    np.testing.assert_allclose(kept, found.positions, atol=1e-6)
    spent = (orders["value"] + orders["commission"]).groupby(orders["date"]).sum().reindex(panel.calendar).fillna(0.0)
    if not (account.interest_bps or (found.positions < 0).any().any()):
        np.testing.assert_allclose(account.cash - spent.cumsum(), history["cash"], atol=1e-6)
    assert set(orders["status"]) <= {"completed"}
    assert history["cash"].min() >= 0


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 4),
    short=st.booleans(),
    cap=st.sampled_from([0.2, 2.0]),
    bps=st.sampled_from([0, 10, 300]),
    fractional=st.booleans(),
    rebalance=st.sampled_from(["bar", "weekly", "monthly"]),
)
# What was bought had taken all the cash, and a short's borrow cost overdrew it.
@example(seed=1, k=1, short=True, cap=2.0, bps=300, fractional=True, rebalance="bar")
def test_cash_and_positions_are_equity_and_no_order_is_refused(seed, k, short, cap, bps, fractional, rebalance):
    rng = np.random.default_rng(seed)
    bars = {}
    for i in range(5):
        walk = random_walk(120, seed + i, volatility=0.03)
        begin, end = sorted(rng.integers(0, 121, 2))
        chosen = walk.iloc[begin : max(end, begin + 2)]
        bars[f"N{i}"] = chosen[rng.random(len(chosen)) < 0.8] if len(chosen) > 20 else walk
    panel = Panel("walks", bars)
    account = Account(20_000, commission_bps=bps, slippage_bps=bps, borrow_bps=100, fractional=fractional)
    parameters = {"k": k, "short": short, "turnover_cap": cap, "rebalance": rebalance}
    conserved(panel, simulate_panel(panel, forecasts_of(panel, 3), TopK, parameters, account), account)


@pytest.mark.parametrize("strategy", [EqualWeight, MinVarianceTilt, TopK])
def test_a_whole_panel_is_conserved(sp20, strategy):
    found = simulate_panel(sp20, forecasts_of(sp20), strategy, {}, ACCOUNTS["default"])
    conserved(sp20, found, ACCOUNTS["default"])
    assert found.history["cash"].iloc[-1] < 0.05 * found.history["equity"].iloc[-1]


def test_a_dividend_is_counted_once():
    panel = load_panel("AAPL,GOOG,IBM,MSFT", "2005", "2011")
    account = Account(commission_bps=0, slippage_bps=0, fractional=True)
    table = forecasts_of(panel)
    held = simulate_panel(panel, table, EqualWeight, {}, account).history["equity"]
    bought = panel.calendar[panel.calendar.get_loc(table.dropna().index[0]) + 1]
    raw = load_panel("AAPL,GOOG,IBM,MSFT", "2005", "2011", adjusted=False)
    growth = {}
    for symbol, bars in panel.bars.items():
        # Total return from the raw prices and the cash paid out: adj_close/close falls back to 1 as dividends go by.
        factor = bars["close"] / raw.bars[symbol]["close"]
        start = raw.bars[symbol]["open"][bought] * factor[bought]
        growth[symbol] = raw.bars[symbol]["close"].iloc[-1] * factor.iloc[-1] / start
    assert held.iloc[-1] / account.cash == pytest.approx(np.mean(list(growth.values())), rel=1e-6)
    assert growth["IBM"] > 1.05 * raw.bars["IBM"]["close"].iloc[-1] / raw.bars["IBM"]["open"][bought]


# --- nothing from the future ---


@pytest.mark.parametrize("trick", [truncated, lambda bars, cut: changed(bars, cut, COLUMNS)], ids=["gone", "changed"])
@pytest.mark.parametrize("strategy", [EqualWeight, MinVarianceTilt, TopK])
def test_what_happened_until_a_date_does_not_depend_on_later_bars(strategy, trick):
    panel = three_calendars()
    parameters = {"cap": 0.6, "span": 60} if strategy is MinVarianceTilt else {}
    whole = simulate_panel(panel, forecasts_of(panel), strategy, parameters)
    for date in panel.calendar[[200, 333, 420]]:
        bars = {s: trick(b, int(b.index.searchsorted(date, side="right"))) for s, b in panel.bars.items()}
        other = Panel("spoilt", bars)
        found = simulate_panel(other, forecasts_of(other), strategy, parameters)
        pd.testing.assert_frame_equal(found.history.loc[:date], whole.history.loc[:date], check_exact=True)
        before = found.orders[found.orders["date"] <= date]
        pd.testing.assert_frame_equal(before, whole.orders[whole.orders["date"] <= date], check_exact=True)


# --- delisting and pauses ---


def test_a_name_that_ended_is_sold_at_its_last_close_on_the_next_date():
    spy, ibm = load_bars("SPY", "2012", "2013-06"), load_bars("IBM", "2012", "2013-02")
    panel, account = Panel("two", {"SPY": spy, "IBM": ibm}), ACCOUNTS["dear"]
    found = simulate_panel(panel, forecasts_of(panel), EqualWeight, {}, account)
    last = found.orders[found.orders["symbol"] == "IBM"].iloc[-1]
    assert last["date"] == spy.index[spy.index > ibm.index[-1]][0]
    assert last["price"] == pytest.approx(ibm["close"].iloc[-1] * (1 - 0.003), rel=1e-12)
    assert last["commission"] == pytest.approx(-last["value"] * 0.005, rel=1e-12)
    assert found.positions["IBM"].iloc[-1] == 0
    assert found.positions.loc[ibm.index[-1], "IBM"] == -last["units"]


def test_a_name_without_a_bar_is_traded_at_its_next_one():
    panel = three_calendars()
    found = simulate_panel(panel, forecasts_of(panel), TopK, {"k": 3})
    for symbol, rows in found.orders.groupby("symbol"):
        bars = panel.bars[str(symbol)]
        within = rows[rows["date"] <= bars.index[-1]]
        assert set(within["date"]) <= set(bars.index)


# --- rules for one name ---


def test_each_name_of_a_rule_for_one_owns_an_equal_share(sp20):
    panel = Panel("part", {s: bars.loc["2006":"2007"] for s, bars in sp20.bars.items()})
    table = forecasts_of(panel)
    found = simulate_panel(panel, table, LongFlat)
    weights = found.positions * panel.table("close")
    weights = weights.div(found.history["equity"], axis=0)
    opinion = table.where(table.abs() > 1e-4).ffill().shift(1) > 0
    # A weight drifts between two trades, by a tenth of the share before it is traded and by the day's move after.
    assert weights[opinion.shift(1, fill_value=False) & opinion].stack().median() == pytest.approx(0.05, rel=0.05)
    assert weights.where(~opinion).stack().abs().max() < 1e-9
    assert (weights.sum(axis=1) <= 1 + 1e-9).all()
