"""Verification of a saved run: it is run again from its recipe, and the results are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .data.bars import digest
from .pipeline.recipe import sources_of, versions
from .pipeline.request import Request
from .pipeline.result import Result
from .pipeline.trust import Consent, admit_code, nobody


@dataclass(frozen=True)
class Part:
    """One part of a run that was run twice.

    saved, again: the `fingerprint` of both.   difference: the first one; None where there is none.
    """

    name: str
    saved: str
    again: str
    difference: str | None


def check(saved: Result, progress: Callable[[int, int], None] | None = None, consent: Consent = nobody) -> list[Part]:
    """Runs the recipe of a saved run again on the bars saved with it, and compares forecasts, orders and equity.

    progress: called with (refits done, refits in all).
    consent:  asked for each source file that the recipe names, whether its code may run.

    Raises ValueError if the recipe has no request, if the bars are not those of the recipe, and as `admit_code` does;
    and what a run raises.
    """
    request = Request.from_recipe(saved.recipe)
    admit_code(saved.recipe, consent)
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
    """Raises ValueError unless the saved bars, those of every symbol of a portfolio too, are those of the recipe."""
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
    """The changes since a run that could change its results: versions, and the source files of plugins, a line each.

    Raises ValueError if the recipe has no request, and what `Request.model` and `Request.rule` raise.
    """
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
    """SHA-256 of the labels and values of a table; it does not depend on the types with which a file was read."""
    sha256 = hashlib.sha256(repr(list(table.columns)).encode())
    for values in (table.index, *(table[column] for column in table)):
        sha256.update(_comparable(values).tobytes())
    return sha256.hexdigest()


def first_difference(saved: pd.DataFrame, again: pd.DataFrame) -> str | None:
    """A line on the first row and column in which two tables differ by a bit or more; None where they are equal."""
    rows = min(len(saved), len(again))
    row, name = rows, None
    for column in saved:
        one, other = (_comparable(table[column])[:rows] for table in (saved, again))
        differences = np.flatnonzero(~((one == other) | ((one != one) & (other != other))))
        if len(differences) and differences[0] < row:
            row, name = int(differences[0]), column
    if name is not None:
        before, after = (_text(table[name].iloc[row]) for table in (saved, again))
        return f"{_label(saved, row)}: {name} was {before} and is {after}"
    if len(saved) != len(again):
        longer = saved if len(saved) > len(again) else again
        return f"there were {len(saved)} rows and are {len(again)}; the first one more is {_label(longer, rows)}"
    return None


def _comparable(values: pd.Series | pd.Index) -> np.ndarray:
    """Values in a type whose bytes can be compared: dates, numbers, and all else as text of fixed width."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return values.to_numpy("datetime64[ns]")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(float)
    return values.astype(str).to_numpy("U32")


def _label(table: pd.DataFrame, row: int) -> str:
    """The number and the date of a row."""
    date = table["date"].iloc[row] if "date" in table else table.index[row]
    return f"row {row + 1}, {date}"


def _text(value: object) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _short(value: object) -> str:
    """The value as text, a SHA-256 cut to its first digits."""
    text = str(value)
    return text[:12] + "…" if len(text) == 64 else text
