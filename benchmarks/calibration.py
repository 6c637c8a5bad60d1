"""How often every line of the verdict, and the headline, say yes where there is nothing, and where there is something.

    python -m benchmarks.calibration [--markets 400] [--only drift --only best-of-300] [--jobs 1] [--write]

Each market is judged by the functions that make the sheet, without pages and folders. Results are appended to
benchmarks/results/calibration.csv; markets that are in it are not judged again. --write makes the tables and figures
of docs/calibration.md from it.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from rollcast import Account, BuyAndHold, LongFlat, LongShort, Proportional, WalkForward, load
from rollcast.backtests.account import Evaluation, Prices, evaluate
from rollcast.backtests.account.moments import sharpe_columns
from rollcast.backtests.account.scores import cash_returns, over_cash, return_scores
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.evidence import conclusion as headlines
from rollcast.backtests.evidence import skill
from rollcast.backtests.evidence.evidence import lead_over_holding
from rollcast.backtests.evidence.excess import break_even, excess
from rollcast.backtests.evidence.information import information
from rollcast.backtests.evidence.luck import probabilistic_sharpe
from rollcast.backtests.evidence.plausibility import plausibility
from rollcast.backtests.evidence.trials import ALONE, Trials
from rollcast.backtests.evidence.variants import rank, rotations
from rollcast.backtests.evidence.verdict import verdict
from rollcast.backtests.ledger.series import effective, projections

from . import calibration_markets as markets
from . import calibration_page

RESULTS = Path(__file__).parent / "results" / "calibration.csv"
RULES = {"long_flat": LongFlat, "long_short": LongShort, "proportional": Proportional}
LINES = ("forecast", "timing", "deflation", "holding", "costs")
FIELDS = ("family", "seed", "predictor", "rule", "cost_bps", *LINES, "headline")
HEADLINES = {text: name.lower() for name, text in vars(headlines).items() if name.isupper() and isinstance(text, str)}
BATCH = 48  # markets traded side by side
CLEAR = {"look_ahead": {"passed": True, "finding": "not looked for"}}

Make = Callable[[np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Family:
    """Markets of one kind, and what is run on them: forecasts by name, None for one of the honest ones by lot."""

    make: Make
    predict: dict[str, markets.Predict] | None = None
    rules: tuple[str, ...] = ("long_flat", "long_short", "proportional")
    interest_bps: float = 0.0
    costs: tuple[float, ...] = (0.0,)  # basis points each way; above 0, nothing without an edge is expected to earn
    variants: bool = False  # the best of 300 moving averages with dead bands
    edge: bool = False


def of(make: Callable[..., pd.DataFrame], n: int, *arguments: float) -> Make:
    return lambda rng: make(rng, n, *arguments)


def known(ic: float) -> dict[str, markets.Predict]:
    return {f"oracle {ic:g}": lambda bars, rng: markets.oracle(bars, rng, ic)}


def trained(name: str) -> dict[str, markets.Predict]:
    """A learner with its defaults, trained on the last 250 bars at every twentieth."""
    return {name: lambda bars, rng: WalkForward(load(name), train=250, every=20).predict(bars)}


def edge(make: Make, forecasts: dict[str, markets.Predict] | None, rules: tuple[str, ...] = tuple(RULES)) -> Family:
    """Markets with something to find, at a basis point each way."""
    return Family(make, forecasts, rules, costs=(1.0,), variants=forecasts is None, edge=True)


WALK, DRIFTING, GARCH = of(markets.walk, 2520), of(markets.walk, 1500, markets.DRIFT), of(markets.garch, 1500)
REGRESSION, LSTM, OLS_FEATURES = {"AR": markets.regression}, trained("lstm"), trained("ols-features")
TWO, CALM = ("long_flat", "long_short"), {"inverse variance": markets.inverse_variance}
FAMILIES = {
    "walk": Family(of(markets.walk, 1500)),
    "drift": Family(DRIFTING),
    "drift, costs": Family(DRIFTING, costs=(1.0, 5.0)),
    "drift, 28 years": Family(of(markets.walk, 7056, markets.DRIFT)),
    "one year": Family(of(markets.walk, 310, markets.DRIFT)),
    "garch": Family(GARCH),
    "signs of SPY by lot": Family(of(markets.real, 1500)),
    "five minutes": Family(of(markets.minutes, 3120)),
    "interest of 5 %": Family(DRIFTING, interest_bps=500),
    "best of 300": Family(DRIFTING, rules=TWO, variants=True),
    "drift, ols-features": Family(DRIFTING, OLS_FEATURES),
    "drift, lstm": Family(DRIFTING, LSTM),
    "garch, lstm": Family(GARCH, LSTM),
    **{f"oracle, IC {ic:g}": edge(WALK, known(ic)) for ic in (0.01, 0.02, 0.05, 0.1, 0.2)},
    **{f"AR(1) {f:g}": edge(of(markets.autoregressive, 2770, f), REGRESSION) for f in (0.05, 0.1, 0.15)},
    **{f"AR(1) {f:g}, best of 300": edge(of(markets.autoregressive, 2520, f), None, TWO) for f in (0.1, 0.15)},
    "AR(1) 0.15, ols-features": edge(of(markets.autoregressive, 2770, 0.15), OLS_FEATURES),
    "AR(1) 0.15, lstm": edge(of(markets.autoregressive, 2770, 0.15), LSTM),
    "calm pays": edge(of(markets.calm_pays, 2520), CALM, ("proportional",)),
}


@dataclass(frozen=True)
class Case:
    """One market, what is forecast of it, and the trials it is the best of."""

    seed: int
    predictor: str
    bars: pd.DataFrame
    forecast: np.ndarray
    account: Account
    trials: Trials = ALONE


def case(name: str, seed: int, rule: str) -> Case:
    """A market of a family, with predictor and costs drawn by lot."""
    family = FAMILIES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    bars = family.make(rng)
    cost = float(rng.choice(family.costs))
    account = Account(commission_bps=cost, slippage_bps=0, interest_bps=family.interest_bps, fractional=True)
    if family.variants:
        forecast, trials = best_of_300(bars, rule, account)
        return Case(seed, "moving average", bars, forecast, account, trials)
    choices = family.predict or markets.HONEST
    predictor = str(rng.choice(list(choices)))
    return Case(seed, predictor, bars, choices[predictor](bars, rng).to_numpy(float), account)


def best_of_300(bars: pd.DataFrame, rule: str, account: Account) -> tuple[np.ndarray, Trials]:
    """The best by its Sharpe ratio of 60 moving averages × 5 dead bands, and all of them as its trials.

    What lies inside a dead band is a forecast of zero.
    """
    log, spans, bands = np.log(bars["close"]), range(5, 305, 5), np.array([0, 1e-4, 2e-4, 5e-4, 1e-3])
    signals = np.column_stack([2 / (n - 1) * (log - log.rolling(n).mean()) for n in spans])
    signals = np.where(np.abs(signals)[:, :, None] > bands, signals[:, :, None], 0.0).reshape(len(bars), -1)
    first = max(spans)
    signals[:first] = np.nan
    returns = _returns(evaluate(bars, signals, RULES[rule], None, account).equity[first:])
    winner = int(np.nanargmax(sharpe_columns(returns, 252)))
    table = pd.DataFrame(returns, bars.index[first:])
    minutes = pd.DatetimeIndex(table.index).as_unit("s").asi8 // 60
    unlike = effective([one for one in projections(minutes, list(np.log1p(returns).T)) if one is not None])
    return signals[:, winner], Trials(300, unlike, 0.0, 300, table)


def answers(cases: list[Case], rule: str) -> Iterator[tuple[dict[str, str], str]]:
    """The answers and the headline of each case, as its sheet would have them; the cases are traded side by side."""
    dates, accounts = pd.DatetimeIndex(cases[0].bars.index), [one.account for one in cases]
    prices = Prices(dates, *(np.column_stack([one.bars[name] for one in cases]) for name in ("open", "close")))
    forecasts = np.column_stack([one.forecast for one in cases])
    own, held = (evaluate(prices, forecasts, one, None, accounts) for one in (RULES[rule], BuyAndHold))
    for k, one in enumerate(cases):
        yield judged(one, RULES[rule], own, k, held.equity[:, k])


def judged(case: Case, rule: type, done: Evaluation, column: int, held: np.ndarray) -> tuple[dict[str, str], str]:
    """The answers and the headline of one run, the column of those that were traded.

    Random times are traded only where the excess is sure, and the lead over holding is drawn only where there is one:
    elsewhere neither can make an answer yes.
    """
    first = int((~np.isnan(case.forecast)).argmax())
    dates = pd.DatetimeIndex(case.bars.index[first:])
    yearly, cash = bars_per_year(dates), cash_returns(dates, case.account.interest_bps)
    returns, benchmark = (pd.Series(_returns(x[first:]), dates) for x in (done.equity[:, column], held))
    beyond = excess(returns, benchmark, cash, yearly, case.trials)
    scores = return_scores(returns, yearly, cash) | _trading(done, column, first, len(dates) / yearly)
    forecast = pd.Series(case.forecast, case.bars.index).iloc[first:]
    quality = hits_and_correlations(forecast, case.bars["close"])
    quality |= information(forecast, case.bars["close"], yearly, beyond["needed_t"])
    holding = return_scores(benchmark, yearly, cash)
    metrics = {"bars_per_year": yearly, "strategy": scores, "benchmark": holding, "forecast": quality}
    psr = probabilistic_sharpe(scores["sharpe"] / math.sqrt(yearly), len(dates), scores["skew"], scores["kurtosis"])
    lead = {"p_cagr": 1.0, "p_sharpe": 1.0}
    if scores["cagr"] > holding["cagr"] and scores["sharpe"] > holding["sharpe"]:
        lead = lead_over_holding(SimpleNamespace(returns=returns, benchmark_returns=benchmark, metrics=metrics), cash)
    ranked = random_rank(case, rule, first, scores["sharpe"], cash, yearly) if beyond["p_best"] < 0.05 else 0.5
    luck = {"trials": case.trials.count, "effective_trials": case.trials.effective, "psr": psr, "against_hold": lead}
    metrics |= {
        "plausibility": plausibility(metrics, returns, cash),
        "luck": luck,
        "excess": beyond | break_even(beyond, scores),
        "stress": {
            "random": {"draws": 100, "sharpe_rank": ranked},
            "delay": [{"bars": k, "cagr": 0.0} for k in range(2)],  # described, and judged by nothing
        },
    }
    entries = verdict(metrics, CLEAR)
    return {e["check"]: e["answer"] for e in entries}, HEADLINES[headlines.conclusion(entries, metrics)]


def hits_and_correlations(forecast: pd.Series, close: pd.Series) -> dict[str, float]:
    """What the verdict needs of `evidence.skill.skill`, which has more."""
    known, outcomes, _ = skill._aligned(forecast, close)
    f, y = known.to_numpy(float), outcomes[:, 0]
    slope = dict(zip(("calibration_slope", "calibration_slope_se"), skill.hac_slope(y, f), strict=True))
    return {"forecasts": len(f)} | skill._hits(f, y) | skill._correlations(f, y) | slope


def random_rank(case: Case, rule: type, first: int, sharpe: float, cash: pd.Series, yearly: int) -> float:
    """The rank of a Sharpe ratio among those of the same forecasts at random times."""
    turned = np.column_stack(rotations(case.forecast, first, 100, 0))
    equity = evaluate(case.bars, turned, rule, None, case.account).equity[first:]
    others = sharpe_columns(over_cash(_returns(equity), cash.to_numpy()[:, None]), yearly)
    return rank(sharpe, np.nan_to_num(others))


def _returns(equity: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(equity[:1]), equity[1:] / equity[:-1] - 1])


def _trading(done: Evaluation, column: int, first: int, years: float) -> dict[str, float]:
    """The scores of the trading, as `trading_scores` has them; entries count as round trips."""
    side, equity = np.sign(done.units[first:, column]), done.equity[first:, column].mean()
    return {
        "orders": int(done.orders[column]),
        "trades": int(np.sum((side[1:] != side[:-1]) & (side[1:] != 0))),
        "time_in_market": float((side != 0).mean()),
        "turnover": float(done.traded[column]) / equity / years,
        "cost_bps": 1e4 * float(done.commission[column] + done.slippage[column]) / equity / years,
    }


def batch(name: str, number: int) -> list[dict[str, object]]:
    """The rows of so many markets of a family, which share a rule."""
    family = FAMILIES[name]
    rules = [rule for rule in RULES if rule in family.rules]
    rule = rules[number % len(rules)]
    seeds = range(number * BATCH, (number + 1) * BATCH)
    cases = [case(name, seed, rule) for seed in seeds]
    rows = []
    for one, (said, headline) in zip(cases, answers(cases, rule), strict=True):
        row = {"family": name, "seed": one.seed, "predictor": one.predictor, "rule": rule}
        row |= {"cost_bps": one.account.commission_bps, **{k: said[k] for k in LINES}}
        rows.append(row | {"headline": headline if headline in ("more", "all_passed") else "less"})
    return rows


def collect(names: list[str], count: int, jobs: int) -> None:
    """Judges the markets that are not in the results yet, a batch of each family in turn, and appends them."""
    new = not RESULTS.exists()
    table = pd.DataFrame(columns=FIELDS) if new else pd.read_csv(RESULTS)
    there = set(zip(table["family"], table["seed"] // BATCH, strict=True))
    numbers = range(math.ceil(count / BATCH))  # a batch of each family in turn, so that all grow alike
    work = [(name, k) for k in numbers for name in names if (name, k) not in there]
    with RESULTS.open("a", newline="") as file, ProcessPoolExecutor(jobs) as pool:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        for rows in pool.map(batch, *zip(*work, strict=True)) if work else ():
            writer.writerows(rows)
            file.flush()


def main() -> None:
    """Judges what is missing, prints the shares, and writes the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=400)
    parser.add_argument("--only", action="append", choices=FAMILIES)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    collect(options.only or list(FAMILIES), options.markets, options.jobs)
    table = pd.read_csv(RESULTS)
    print(calibration_page.summary(table).to_string())
    if options.write:
        calibration_page.write(table, {name for name, family in FAMILIES.items() if family.edge})


if __name__ == "__main__":
    main()
