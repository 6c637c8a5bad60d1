"""What share of planted leaks gate and check catch, and how often the gate accuses honest plugins.

    python -m benchmarks.look_ahead [--leaks 300] [--checked 20] [--markets 200] [--bars 250] [--seed 0]

The leaks (`benchmarks.planted`) run on SPY's last 1,000 bars, strategies on 500. Those count that a re-run can show
there. `check` takes seconds for each, so that it is asked about a few of them only. Honest plugins are examined on
seeded synthetic markets.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import backtrader as bt
import pandas as pd

import rollcast
from benchmarks.false_alarms import KINDS
from benchmarks.planted import Planted, planted
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.strategy import examine_strategy
from rollcast.backtests.gate.strategy_checks import check_strategy
from rollcast.backtests.market.market import Market
from rollcast.predictors.checks.suite import check_predictor
from tests.backtests.test_gate_strategies import HONEST
from tests.zoo.honest import honest

STRATEGY_BARS = 500  # of the 1,000, for strategies
Leaky = Planted | type[bt.Strategy]
LOOKING = ("prefix", "changed_future", "shuffled_future", "provoked", "later_bars", "opening", "order_of_runs")


def by_gate(model: Leaky, bars: pd.DataFrame) -> bool | None:
    """Whether the gate finds it; None where nothing is to be found on these bars."""
    if isinstance(model, Planted):
        return examine(model, bars, model.predict(bars)).leak is not None if model.visible(bars) else None
    return accused(model, bars.iloc[-STRATEGY_BARS:], None)


def accused(strategy: type[bt.Strategy], bars: pd.DataFrame, idle: bool | None) -> bool | None:
    """Whether the gate finds that a strategy looks ahead; `idle` where it makes no order."""
    forecast = rollcast.EMA(10).predict(bars)
    traded = simulate(bars, forecast, strategy)
    if not len(traded.orders):
        return idle
    market, table = Market.of(bars), forecast.to_frame("bars")
    return examine_strategy(strategy, {}, market, table, Account(), traded).leak is not None


def by_check(model: Leaky, _: pd.DataFrame) -> bool:
    """Whether a check for look-ahead fails."""
    outcomes = check_predictor(model) if isinstance(model, Planted) else check_strategy(model, {})
    return any(outcome.status == "failed" and outcome.check.name in LOOKING for outcome in outcomes)


def caught(name: str, find: Callable[[Leaky, pd.DataFrame], bool | None], models: list[Leaky]) -> tuple[int, int]:
    """(leaks found, leaks there), printed with those that were missed by name."""
    bars = rollcast.load_bars("SPY").iloc[-1000:]
    began, found = time.process_time(), [(model, find(model, bars)) for model in models]
    there = [(model, hit) for model, hit in found if hit is not None]
    hits = sum(bool(hit) for _, hit in there)
    seconds = time.process_time() - began
    print(f"{name}: {hits} of {len(there)} caught, {hits / max(len(there), 1):.1%}, {seconds:.0f} CPU s", flush=True)
    for model, hit in there:
        if not hit:
            print(f"   missed: {model if isinstance(model, Planted) else model.__name__}")
    return hits, len(there)


def false_alarms(markets: int, n: int) -> tuple[int, int]:
    """(accusations, examinations) of honest predictors, which are never trained, and strategies, in turn."""
    models = [(name, m) for name, m in honest() if isinstance(m, rollcast.Predictor)]
    alarms = count = 0
    for k in range(markets):
        bars = list(KINDS.values())[k % len(KINDS)](n, 5000 + k)
        for name, model in models:
            forecast = model.predict(bars.copy())
            if not forecast.notna().any():
                continue
            count += 1
            if leak := examine(model, bars, forecast).leak:
                alarms += 1
                print(f"   false alarm: {name} on market {k}: {leak}", flush=True)
        for strategy in HONEST:
            count += 1
            if accused(strategy, bars, False):
                alarms += 1
                print(f"   false alarm: {strategy.__name__} on market {k}", flush=True)
    print(f"{alarms} false alarms in {count:,} examinations by the gate, on {markets} markets of {n} bars", flush=True)
    return alarms, count


def main() -> None:
    """Prints the shares, and the leaks that were missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("leaks", 300), ("checked", 20), ("markets", 200), ("bars", 250), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    models = list(planted(options.leaks, options.seed))
    caught("gate, predictors", by_gate, [m for m in models if isinstance(m, Planted)])
    caught("gate, strategies", by_gate, [m for m in models if not isinstance(m, Planted)])
    if options.checked:
        step = max(1, len(models) // options.checked)
        caught("check, some of both", by_check, models[::step])
    if options.markets:
        false_alarms(options.markets, options.bars)


if __name__ == "__main__":
    main()
