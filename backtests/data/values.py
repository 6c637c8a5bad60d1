"""The values of the columns of a file, and which columns must be there together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .columns import ROLES
from .numbers import decimal_mark, from_fractions, parse_numbers, refuse_fractions
from .options import DataOptions
from .table import PRICES


def read_numbers(
    path: Path,
    columns: dict[str, list[str]],
    lines: list[int],
    delimiter: str,
    options: DataOptions,
    form: str | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The values of the columns, and the statement about the decimal mark where it is not plainly a point."""
    prices = [role for role in (*PRICES, "adj_close") if role in columns]
    statements = []
    try:
        if options.fractions is not None:
            columns = columns | from_fractions({role: columns[role] for role in prices}, options.fractions, lines)
            statements = [f"prices are in {options.fractions}"]
        elif options.decimal is None:
            refuse_fractions([columns[role] for role in prices], lines)
        mark, said = (options.decimal, None) if options.decimal else decimal_mark(columns, delimiter, lines)
        statements += [said] if said else []
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    values = {}
    for role, texts in columns.items():
        values[role], wrong = parse_numbers(texts, mark)
        if wrong is not None:
            raise ValueError(f"{path.name}, row {lines[wrong]}: {role} {_short(texts[wrong])!r} is not a number")
    if form == "Databento" and prices and all(text.isdigit() for role in prices for text in columns[role]):
        values |= {role: values[role] * 1e-9 for role in prices}
        statements.append("prices are whole numbers of 1e-9, as Databento writes them")
    return values, statements


def complete(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns in our order. Raises ValueError where some of open, high and low are there without the others."""
    present = [role for role in ROLES if role in table]
    some = [price for price in PRICES[:3] if price in table]
    if some and len(some) < 3:
        missing = next(price for price in PRICES[:3] if price not in table)
        raise ValueError(
            f"{path.name}: there is {' and '.join(some)} and no {missing}; say which with --column {missing}=NAME"
        )
    return table[present]


def _short(cell: str) -> str:
    return cell if len(cell) <= 40 else f"{cell[:39]}…"
