"""`cli.py predict`: the forecast for the bar after the last one."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click

from .config_option import CONFIG, UNUSED_TRUST
from .options import BACKTEST_OPTIONS, PARAMS, PREDICTOR, request_of, training, with_options
from .output import JSON

if TYPE_CHECKING:
    from ..next_bar import History, NextBar


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL…")
@PREDICTOR
@PARAMS
@with_options(CONFIG, UNUSED_TRUST, *BACKTEST_OPTIONS)
@click.option("--no-skill", is_flag=True, help="The forecast alone: fit a learner once, on its last training window.")
@JSON
def predict(symbols: tuple[str, ...], no_skill: bool, engine: str, as_json: bool, **options: object) -> None:
    """Forecast the bar after the last one; print the skill of past forecasts and the position to take.

    Nothing is written, and no trial is counted.
    """
    twice = next((symbol for symbol in symbols if symbols.count(symbol) > 1), None)
    if twice:
        raise click.UsageError(f"{twice} is given twice")
    requests = [request_of(options | {"symbol": symbol}) for symbol in symbols]
    from ..next_bar import forecast_names

    # All data are read before training, which may take hours, so that an unreadable symbol fails at once.
    markets = [request.market() for request in requests]
    forecasts: list[NextBar] = []
    with training(engine) as report:
        for request, market in zip(requests, markets, strict=True):
            progress = partial(report, name=request.symbol)
            forecasts += forecast_names(request, market, history=not no_skill, progress=progress)
    if as_json:
        model = {name: options[name] for name in ("predictor", "params", "strategy", "strategy_params")}
        click.echo(json.dumps(model | {"forecasts": [one.as_dict() for one in forecasts]}, indent=2, allow_nan=False))
    else:
        _print(forecasts)


def _print(forecasts: list[NextBar]) -> None:
    """Prints an aligned table, a line for each symbol, and the verdict on look-ahead."""
    titles = ["symbol", "last bar", "close", "forecast", "next close"]
    rows = [_forecast(one) for one in forecasts]
    histories = [one.history for one in forecasts if one.history]
    if histories:
        titles += ["position", "R²", "IC", "t", "hits", "95 %", "rises", "forecasts", "since"]
        rows = [row + _skill(history) for row, history in zip(rows, histories, strict=True)]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = [
            f"{cell:<{w}}" if k < 2 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        click.secho("  ".join(cells).rstrip(), bold=row is titles)
    for verdict in dict.fromkeys(str(history.verdict) for history in histories):
        where = [one.symbol for one in forecasts if one.history and str(one.history.verdict) == verdict]
        leaks = any(history.verdict.leak for history in histories if str(history.verdict) == verdict)
        click.secho(f"Look-ahead, {', '.join(where)}: {verdict}", fg="red" if leaks else None, err=leaks)


def _forecast(one: NextBar) -> list[str]:
    """The cells of a forecast: symbol, date, close, forecast, and the price it implies."""
    form = "%Y-%m-%d" if one.date == one.date.normalize() else "%Y-%m-%d %H:%M"
    return [
        one.symbol,
        one.date.strftime(form),
        f"{one.close:,.2f}",
        f"{one.forecast_bps:+.2f} bp",
        f"{one.price:,.2f}",
    ]


def _skill(history: History) -> list[str]:
    """The cells of the position and of past skill; a dash for a score that is not defined."""
    position, skill = history.position, history.skill
    forms = {"r2": "+.2%", "ic": "+.3f", "ic_t": "+.1f", "hit_rate": ".1%"}
    low, high = skill["hit_rate_low"], skill["hit_rate_high"]
    return [
        f"{position.weight:.0%} → {position.next_weight:.0%}",
        *("-" if skill[key] != skill[key] else format(skill[key], form) for key, form in forms.items()),
        "-" if low != low else f"{100 * low:.1f}–{100 * high:.1f}",
        "-" if skill["base_rate"] != skill["base_rate"] else f"{skill['base_rate']:.1%}",
        f"{skill['forecasts']:,}",
        f"{history.first:%Y-%m-%d}",
    ]
