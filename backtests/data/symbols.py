"""Which symbol a row or a column of a file is of: one series is of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .columns import reduced_name

SYMBOLS = (
    "symbol", "ticker", "tickers", "code", "instrument", "contract", "secid", "isin", "pair", "asset", "stock",
    "company", "name",
)  # fmt: skip


def symbol_places(header: Sequence[str]) -> list[int]:
    """The positions of columns that say which symbol a row is of."""
    return [place for place, name in enumerate(header) if reduced_name(name) in SYMBOLS]


def rows_of(columns: Mapping[str, Sequence[str]], only: str | None) -> np.ndarray | None:
    """The rows of one symbol, as a mask; None for all.

    columns: name → cells of the columns that say which symbol a row is of.   only: the symbol, where the caller chose.

    Raises ValueError, with the symbols, for rows of several of which none was chosen, or one that is none of them.
    """
    names = {name: list(dict.fromkeys(cells)) for name, cells in columns.items()}
    if only is None:
        _refuse_several(names)
        return None
    if not columns:
        return None
    for cells in columns.values():
        if only in cells:
            mask = np.array([cell == only for cell in cells])
            _refuse_several({name: _distinct(np.array(cells, object)[mask]) for name, cells in columns.items()})
            return mask
    name, symbols = next(iter(names.items()))
    raise ValueError(f"the column {name!r} has no {only!r}; it has {_first(symbols)}")


def _distinct(cells: np.ndarray) -> list[str]:
    return list(dict.fromkeys(cells))


def _refuse_several(names: Mapping[str, Sequence[str]]) -> None:
    """Raises ValueError for the first column, name → its distinct cells, with several."""
    for name, symbols in names.items():
        if len(symbols) > 1:
            raise ValueError(
                f"the column {name!r} has {len(symbols):,} values ({_first(symbols)}), and a series is of one symbol; "
                f"say which with --only {symbols[0]}"
            )


def _first(symbols: Sequence[str]) -> str:
    """The first five symbols in words."""
    return ", ".join(symbols[:5]) + (", …" if len(symbols) > 5 else "")
