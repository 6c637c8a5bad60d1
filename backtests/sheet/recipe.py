"""What was run, on what, at which costs, and how to run it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rollcast.backtests.pipeline.result import Result


def facts(result: Result) -> dict[str, str]:
    """What was run, on what and at which costs, in words."""
    recipe, scores = result.recipe, result.metrics["strategy"]
    account, bars, window = recipe["account"], recipe["bars"], recipe["evaluation"]
    refused = f", {scores['rejected']:,} refused" if scores["rejected"] else ", none refused"
    paid = scores["commission"] + scores["slippage"]
    rows = {
        "Predictor": _described(recipe["predictor"]),
        "Strategy": _described(recipe["strategy"]),
        "Bars": f"{recipe['symbol']}, {_counted(bars)} from {bars['first']:%Y-%m-%d} to {bars['last']:%Y-%m-%d}",
        "Evaluated": f"{window['bars']:,} bars from {window['first']:%Y-%m-%d}, the first forecast; "
        f"the {window['warm_up']:,} before it are not counted",
        "Look-ahead": recipe["look_ahead"]["finding"],
        "Costs": f"commission {account['commission_bps']:g} bp and slippage {account['slippage_bps']:g} bp each way, "
        f"borrowing {account['borrow_bps']:g} bp a year, interest on cash {account['interest_bps']:g} bp a year"
        + (f", loans {account['loan_bps']:g} bp a year" if account.get("leverage", 1) > 1 else ""),
        "Fills": "decided at the close, sized and filled at the next open",
        "Trades": f"{scores['trades']:,} round trips, {scores['orders']:,} orders filled{refused}",
        "Paid": f"{paid:,.2f} in commission and slippage, {scores['cost_bps']:,.0f} bp of equity a year",
    }
    if result.payments is not None:
        paid = result.payments[result.payments["date"] >= window["first"]]
        received, dates = paid["dividend"].sum(), paid["date"].nunique()
        rows["Dividends"] = f"{received:,.2f} in cash on {dates:,} dates, in the equity and the trades"
    rows |= _data(recipe.get("data", {}))
    if result.metrics["unreachable_targets"]:
        rows["Missed"] = (
            f"{result.metrics['unreachable_targets']:,} times one whole unit cost more than the account could give it"
        )
    return rows


def _counted(bars: Mapping[str, Any]) -> str:
    """How many bars there are, and of a panel names."""
    return f"{len(bars['symbols'])} names, {bars['count']:,} dates" if "symbols" in bars else f"{bars['count']:,}"


def _data(data: Mapping[str, Any]) -> dict[str, str]:
    """Where the bars came from, how they were read, what is doubtful about them and what was mended."""
    if "symbols" in data:
        data = _together(data["symbols"])
    names = {"origin": "Data", "statements": "Read as", "repairs": "Repaired", "findings": "Doubtful"}
    found = {name: data.get(key) for key, name in names.items()}
    return {k: v if isinstance(v, str) else "; ".join(v) for k, v in found.items() if v and v != "given"}


def _together(each: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same of many symbols: from which sources, and each sentence once, after the symbols it was said of."""
    sources = Counter(one["pin"].get("source", "given") for one in each.values())
    found: dict[str, Any] = {"origin": ", ".join(f"{count} {source}" for source, count in sources.items())}
    for key in ("statements", "repairs", "findings"):
        said: dict[str, list[str]] = {}
        for symbol, one in each.items():
            for sentence in one[key]:
                said.setdefault(sentence, []).append(symbol)
        found[key] = [
            f"{', '.join(names) if len(names) < len(each) else 'all'}: {sentence}" for sentence, names in said.items()
        ]
    return found


def alarm(result: Result) -> str | None:
    """What stands above everything else, in red; None for a predictor that was not seen to look ahead."""
    found = result.recipe["look_ahead"]
    return None if found["passed"] else f"This predictor looks ahead: {found['finding']}"


def provenance(result: Result) -> dict[str, Any]:
    """What it takes to make the run again: the command, every parameter, the bars and the versions, as text."""
    recipe = result.recipe
    bars = recipe["bars"]
    return {
        "command": recipe.get("command"),
        "parameters": [*_parameters("predictor", recipe["predictor"]), *_parameters("strategy", recipe["strategy"])],
        "account": [(key.replace("_", " "), str(value)) for key, value in recipe["account"].items()],
        "hashes": {
            "bars": bars["sha256"],
            **({"bars read": bars["model_bars"]} if "model_bars" in bars else {}),
            **{role: digest for role, digest in recipe.get("source", {}).items() if digest},
        },
        "versions": [(name, version or "not installed") for name, version in recipe["versions"].items()],
    }


def model_name(model: Mapping[str, Any]) -> str:
    """The class of a predictor; of a walk-forward, its learner's."""
    return model["learner"]["class"] if "learner" in model else model["class"]


def _parameters(role: str, values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(whose, name, value) of each parameter; a wrapped learner's first."""
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _parameters(name, value)
    own = values["class"]
    return rows + [
        (f"{role} {own}", k, str(v)) for k, v in values.items() if k != "class" and not isinstance(v, Mapping)
    ]


def _described(model: Mapping[str, Any]) -> str:
    """`Class(field=value, …)`, a wrapped learner first and its schedule after it."""
    if "learner" in model:
        many = ", one for all names," if model["class"] == "Pooled" else ","
        schedule = f"refitted every {model['every']} bars on the last {model['train']}"
        return f"{_described(model['learner'])}{many} {schedule}"
    return f"{model['class']}({', '.join(f'{k}={v!r}' for k, v in model.items() if k != 'class')})"
