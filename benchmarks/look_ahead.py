"""What share of planted leaks gate and check catch, and how often the gate accuses honest plugins.

    python -m benchmarks.look_ahead [--leaks 300] [--checked 300] [--markets 200] [--seed 2026]

The leaks (`benchmarks.planted`) run on SPY's last 1,000 bars, strategies on 500. Those count that a re-run can show
there. Honest plugins are examined on seeded synthetic markets; learners of one's own, each of which is fitted in two
fresh processes, on every fourth. Answers are appended to benchmarks/results/look_ahead.csv; what is in it is not asked
again. `python -m docs.make_look_ahead` writes them into docs/look-ahead.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from tests.zoo.honest import honest, missing

RESULTS = Path(__file__).parent / "results" / "look_ahead.csv"
FIELDS = ("examined", "seed", "plugin", "answer")
STRATEGY_BARS = 500  # of the 1,000, for strategies
MARKET_BARS, FIRST_MARKET = 250, 5000
TRAIN, EVERY = 120, 20  # of learners, on those bars
Leaky = Planted | type[bt.Strategy]
LOOKING = ("prefix", "changed_future", "shuffled_future", "provoked", "later_bars", "opening", "order_of_runs")


@dataclass(frozen=True)
class Case:
    """What is examined by gate or check, of a seed, and how: caught, missed or nothing there; accused or cleared."""

    examined: str
    seed: int
    plugin: str
    answer: Callable[[], str]

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells its row from others."""
        return self.examined, self.seed, self.plugin


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


def by_check(model: Leaky, bars: pd.DataFrame) -> bool | None:
    """Whether a check for look-ahead fails, on markets of its own; None where there is nothing to find on `bars`."""
    if isinstance(model, Planted) and not model.visible(bars):
        return None
    outcomes = check_predictor(model) if isinstance(model, Planted) else check_strategy(model, {})
    return any(outcome.status == "failed" and outcome.check.name in LOOKING for outcome in outcomes)


def leaks(examined: str, count: int, seed: int, share: int | None = None) -> Iterator[Case]:
    """`share` of `count` planted leaks, or all, for gate or check."""
    models, bars = list(planted(count, seed)), rollcast.load_bars("SPY").iloc[-1000:]
    find = {"gate": by_gate, "check": by_check}[examined]

    def answer(model: Leaky) -> str:
        return {True: "caught", False: "missed", None: "nothing there"}[find(model, bars)]

    step = max(1, len(models) // (share or count)) if models else 1
    for model in models[::step]:
        name = str(model) if isinstance(model, Planted) else model.__name__
        yield Case(examined, seed, name, partial(answer, model))


def markets(count: int) -> Iterator[Case]:
    """Every honest predictor, learner and strategy on so many markets."""
    for k in range(count):
        seed = FIRST_MARKET + k
        bars = list(KINDS.values())[k % len(KINDS)](MARKET_BARS, seed)
        for name, model in honest():
            own = isinstance(model, rollcast.Learner) and not type(model).__module__.startswith("rollcast.")
            if not missing(model) and not (own and k % 4):
                yield Case("market", seed, name, partial(_cleared, model, bars))
        for strategy in HONEST:
            yield Case("market", seed, strategy.__name__, partial(_cleared, strategy, bars))


def _cleared(model: rollcast.Predictor | rollcast.Learner | type[bt.Strategy], bars: pd.DataFrame) -> str:
    """What the gate says of an honest plugin."""
    if isinstance(model, type):
        return "accused" if accused(model, bars, False) else "cleared"
    predictor = rollcast.WalkForward(model, TRAIN, EVERY) if isinstance(model, rollcast.Learner) else model
    forecast = predictor.predict(bars.copy())
    if not forecast.notna().any():
        return "no forecast"
    return "accused" if examine(predictor, bars, forecast).leak else "cleared"


def collect(cases: Iterator[Case]) -> None:
    """Asks for the answers that are not in the results yet, and appends them."""
    new = not RESULTS.exists()
    there = set() if new else set(pd.read_csv(RESULTS)[list(FIELDS[:3])].itertuples(index=False, name=None))
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(FIELDS)
        for case in cases:
            if case.key not in there:
                writer.writerow([*case.key, case.answer()])
                file.flush()


def main() -> None:
    """Asks what is missing, and prints the counts, and what was missed or accused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("leaks", 300), ("checked", 300), ("markets", 200), ("seed", 2026)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if options.leaks:
        collect(leaks("gate", options.leaks, options.seed))
        if options.checked:
            collect(leaks("check", options.leaks, options.seed, options.checked))
    collect(markets(options.markets))
    table = pd.read_csv(RESULTS)
    print(table.groupby(["examined", "seed"])["answer"].value_counts().to_string() if options.leaks else "")
    print(table[table["answer"].isin(["missed", "accused"])].to_string(index=False))


if __name__ == "__main__":
    main()
