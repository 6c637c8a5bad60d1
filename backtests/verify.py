"""A saved run made again from its recipe, and held against what was saved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.data.bars import digest
from rollcast.backtests.pipeline.recipe import sources_of, versions
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result


@dataclass(frozen=True)
class Part:
    """One part of a run made twice: its name, the SHA-256 of both, and the first difference, if any."""

    name: str
    saved: str
    again: str
    difference: str | None


def check(saved: Result, progress: Callable[[int, int], None] | None = None) -> list[Part]:
    """Runs the recipe of a saved run again on the bars saved with it; compares forecasts, orders and equity, in order.

    Raises ValueError if the recipe holds no request, or if the bars are not those of the recipe; and whatever a run
    raises.
    """
    request = Request.from_recipe(saved.recipe)
    _check_bars(saved)
    again = request.run(saved.market, progress)
    pairs = {
        "forecasts": (saved.forecasts, again.forecasts),
        "orders": (saved.orders, again.orders),
        "equity": (saved.history.join(saved.positions), again.history.join(again.positions)),
    }
    return [
        Part(part, fingerprint(before), fingerprint(after), first_difference(before, after))
        for part, (before, after) in pairs.items()
    ]


def _check_bars(saved: Result) -> None:
    """Raises ValueError unless the saved bars, of every name of a portfolio, are those of the recipe."""
    recorded, market = saved.recipe["bars"], saved.market
    if not market.portfolio:
        for key, file, bars in (("sha256", "bars", market.bars), ("model_bars", "model_bars", market.model_bars)):
            if digest(bars) != recorded.get(key, digest(bars)):
                raise ValueError(f"{file}.parquet is not what this run was made on: its SHA-256 is not the recipe's")
        return
    for key, file, panel in (("sha256", "panel", market.panel), ("model_bars", "panel_model_bars", market.model_panel)):
        digests = {symbol: digest(bars) for symbol, bars in panel.bars.items()}
        expected = {symbol: span.get(key, span["sha256"]) for symbol, span in recorded["symbols"].items()}
        wrong = [symbol for symbol in {**expected, **digests} if digests.get(symbol) != expected.get(symbol)]
        if wrong:
            raise ValueError(f"{file}.parquet is not what this run was made on: {', '.join(wrong)} is not the recipe's")


def changes(saved: Result) -> list[str]:
    """What has changed since a run was made that could make it come out otherwise: versions, and plugins' sources."""
    again = Request.from_recipe(saved.recipe)
    model, (strategy, _) = again.model(), again.rule()
    now = {"versions": versions(), "source": sources_of(model, strategy)}
    return [
        f"{'the source of the ' * (kind == 'source')}{name} was {_short(before)} and is {_short(now[kind].get(name))}"
        for kind in now
        for name, before in saved.recipe[kind].items()
        if before != now[kind].get(name)
    ]


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 of the labels and values of a table, whatever types it was read back with."""
    stamp = hashlib.sha256(repr(list(table.columns)).encode())
    for values in (table.index, *(table[column] for column in table)):
        stamp.update(_plain(values).tobytes())
    return stamp.hexdigest()


def first_difference(saved: pd.DataFrame, again: pd.DataFrame) -> str | None:
    """The first row and column at which two tables are not the same to the bit; None if there is none."""
    rows = min(len(saved), len(again))
    at = rows
    which = None
    for column in saved:
        one, other = (_plain(table[column])[:rows] for table in (saved, again))
        unlike = np.flatnonzero(~((one == other) | ((one != one) & (other != other))))
        if len(unlike) and unlike[0] < at:
            at, which = int(unlike[0]), column
    if which is not None:
        label = _label(saved, at)
        return f"{label}: {which} was {_shown(saved[which].iloc[at])} and is {_shown(again[which].iloc[at])}"
    if len(saved) != len(again):
        longer = saved if len(saved) > len(again) else again
        return f"there were {len(saved)} rows and are {len(again)}; the first one more is {_label(longer, rows)}"
    return None


def _plain(values: pd.Series | pd.Index) -> np.ndarray:
    """Values as bytes can be compared: numbers and dates as they are, everything else as fixed-width text."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return values.to_numpy("datetime64[ns]")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(float)
    return values.astype(str).to_numpy("U32")


def _label(table: pd.DataFrame, row: int) -> str:
    """What a row is called: its date where it has one."""
    when = table["date"].iloc[row] if "date" in table else table.index[row]
    return f"row {row + 1}, {when}"


def _shown(value: Any) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) == 64 else text
