"""What was run, on what, at which costs, and how to run it again: the recipe of a result in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..pipeline.recipe import leaks
from ..pipeline.result import Result
from .costs import refusals
from .values import Context, Metrics


def facts(result: Result) -> dict[str, str]:
    """What was run, on what and at which costs, in words."""
    recipe, scores = result.recipe, result.metrics["strategy"]
    account, bars, window = recipe["account"], recipe["bars"], recipe["evaluation"]
    paid = scores["commission"] + scores["slippage"]
    rows = {
        "Predictor": _description(recipe["predictor"]),
        "Strategy": _description(recipe["strategy"]),
        "Bars": f"{recipe['symbol']}, {_size(bars)} from {bars['first']:%Y-%m-%d} to {bars['last']:%Y-%m-%d}",
        "Evaluated": f"{window['bars']:,} bars from {window['first']:%Y-%m-%d}, the first forecast; "
        f"the {window['warm_up']:,} before it are not counted",
        "Look-ahead": " ".join(
            (recipe["look_ahead"]["finding"], *filter(None, [recipe["look_ahead"].get("opened", {}).get("sentence")]))
        ),
        "Costs": f"commission {account['commission_bps']:g} bp and slippage {account['slippage_bps']:g} bp each way, "
        f"borrowing {account['borrow_bps']:g} bp a year, interest on cash {account['interest_bps']:g} bp a year"
        + (f", loans {account['loan_bps']:g} bp a year" if account.get("leverage", 1) > 1 else ""),
        "Fills": f"decided at the close, sized and filled at {_filled_at(recipe.get('data', {}))}",
        "Trades": f"{scores['trades']:,} round trips, {scores['orders']:,} orders filled, {refusals(scores)}",
        "Paid": f"{paid:,.2f} in commission and slippage, {scores['cost_bps']:,.0f} bp of equity a year",
    }
    if result.payments is not None:
        payments = result.payments[result.payments["date"] >= window["first"]]
        cash, dates = payments["dividend"].sum(), payments["date"].nunique()
        rows["Dividends"] = f"{cash:,.2f} in cash on {dates:,} dates, in the equity and the trades"
    rows |= _data(recipe.get("data", {}))
    if result.metrics["unreachable_targets"]:
        rows["Missed"] = (
            f"{result.metrics['unreachable_targets']:,} times one whole unit cost more than the account could give it"
        )
    return rows


def _filled_at(data: Metrics) -> str:
    """The price of fills: the next open, or of bars without opens the next close."""
    names = data.get("symbols", {"": data}).values()
    without = ["open" in one.get("missing", ()) for one in names]
    return "the next close" if all(without) else "the next open" + ", of names without opens the close" * any(without)


def _size(bars: Metrics) -> str:
    """The number of bars, or the numbers of names and dates of a panel."""
    return f"{len(bars['symbols'])} names, {bars['count']:,} dates" if "symbols" in bars else f"{bars['count']:,}"


def _data(data: Metrics) -> dict[str, str]:
    """Where the bars came from, how they were read, what is doubtful about them and what was repaired."""
    if "symbols" in data:
        data = _panel_data(data["symbols"])
    titles = {"origin": "Data", "adjusted": "Prices adjusted", "cautions": "Mind", "statements": "Read as"}
    titles |= {"repairs": "Repaired", "findings": "Doubtful"}
    rows = {title: data.get(key) for key, title in titles.items()}
    return {k: v if isinstance(v, str) else "; ".join(v) for k, v in rows.items() if v and v != "given"}


def _panel_data(symbols: Metrics) -> Metrics:
    """The same of many symbols: how many of which source, and each sentence once, after the symbols it is about."""
    sources = Counter(data["pin"].get("source", "given") for data in symbols.values())
    rows: Context = {"origin": ", ".join(f"{count} {source}" for source, count in sources.items())}
    for key in ("cautions", "statements", "repairs", "findings"):
        subjects: dict[str, list[str]] = {}
        for symbol, data in symbols.items():
            for sentence in data.get(key, ()):
                subjects.setdefault(sentence, []).append(symbol)
        rows[key] = [
            f"{', '.join(names) if len(names) < len(symbols) else 'all'}: {sentence}"
            for sentence, names in subjects.items()
        ]
    return rows


def alarm(result: Result) -> str | None:
    """The sentence above everything else, in red, where predictor or strategy looks ahead; None where neither does."""
    return ". ".join(f"This {leak}" for leak in leaks(result.recipe["look_ahead"])) or None


def provenance(result: Result) -> Context:
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


def model_name(model: Metrics) -> str:
    """The class of a predictor; of a walk-forward, its learner's."""
    return model["learner"]["class"] if "learner" in model else model["class"]


def _parameters(role: str, values: Metrics) -> list[tuple[str, str, str]]:
    """(role and class, name, value) of each parameter; those of the learner in a walk-forward first."""
    nested = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    rows = [row for name, value in nested.items() for row in _parameters(name, value)]
    plain = [(k, str(v)) for k, v in values.items() if k != "class" and k not in nested]
    return [*rows, *((f"{role} {values['class']}", k, v) for k, v in plain)]


def _description(model: Metrics) -> str:
    """`Class(field=value, …)`, a wrapped learner first and its schedule after it."""
    if "learner" in model:
        many = ", one for all names," if model["class"] == "Pooled" else ","
        schedule = f"refitted every {model['every']} bars on the last {model['train']}"
        return f"{_description(model['learner'])}{many} {schedule}"
    return f"{model['class']}({', '.join(f'{k}={v!r}' for k, v in model.items() if k != 'class')})"
