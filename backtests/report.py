"""A result's tear sheet: what heads the page, and the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backtests.result import Result
from backtests.tearsheet import write_tear_sheet


def write_report(result: Result, path: Path) -> None:
    """Writes the tear sheet of a result: its evaluation window beside buying and holding the same bars."""
    recipe = result.recipe
    predictor, strategy, symbol = _title(recipe["predictor"]), recipe["strategy"]["class"], recipe["symbol"]
    write_tear_sheet(
        path,
        result.returns,
        result.benchmark_returns,
        title=f"{predictor} · {strategy} · {symbol}",
        strategy_name=f"{predictor} {strategy}",
        benchmark_name=f"{symbol} buy and hold",
        periods_per_year=result.metrics["bars_per_year"],
        facts=facts(result),
        alarm=None
        if recipe["look_ahead"]["passed"]
        else f"This predictor looks ahead: {recipe['look_ahead']['finding']}",
    )


def facts(result: Result) -> dict[str, str]:
    """What was run, on what and at which costs, for the head of the page."""
    recipe, scores = result.recipe, result.metrics["strategy"]
    account, bars, window = recipe["account"], recipe["bars"], recipe["evaluation"]
    refused = f", {scores['rejected']:,} refused" if scores["rejected"] else ", none refused"
    paid = scores["commission"] + scores["slippage"]
    rows = {
        "Predictor": _described(recipe["predictor"]),
        "Strategy": _described(recipe["strategy"]),
        "Bars": f"{recipe['symbol']}, {bars['count']:,} from {bars['first']:%Y-%m-%d} to {bars['last']:%Y-%m-%d}",
        "Evaluated": f"{window['bars']:,} bars from {window['first']:%Y-%m-%d}, the first forecast; "
        f"the {window['warm_up']:,} before it are not counted",
        "Look-ahead": recipe["look_ahead"]["finding"],
        "Costs": f"commission {account['commission_bps']:g} bp and slippage {account['slippage_bps']:g} bp each way, "
        f"borrowing {account['borrow_bps']:g} bp a year, interest on cash {account['interest_bps']:g} bp a year",
        "Fills": "decided at the close, sized and filled at the next open",
        "Trades": f"{scores['trades']:,} round trips, {scores['orders']:,} orders filled{refused}",
        "Paid": f"{paid:,.2f} in commission and slippage, {scores['cost_bps']:,.0f} bp of equity a year",
    }
    if result.metrics["unreachable_targets"]:
        rows["Missed"] = (
            f"{result.metrics['unreachable_targets']:,} times one whole unit cost more than the account could give it"
        )
    return rows


def _title(model: Mapping[str, Any]) -> str:
    return model["learner"]["class"] if "learner" in model else model["class"]


def _described(model: Mapping[str, Any]) -> str:
    """`Class(field=value, …)`, a wrapped learner first and its schedule after it."""
    if "learner" in model:
        return f"{_described(model['learner'])}, refitted every {model['every']} bars on the last {model['train']}"
    return f"{model['class']}({', '.join(f'{k}={v!r}' for k, v in model.items() if k != 'class')})"
