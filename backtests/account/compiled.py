"""The accounts in C++, where that was built at install; `fast_book` and `fast_rules` are the twin in numpy.

Notation: T bars, the last n of them scored, N variants.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from ...predictors.native import library_at, workers
from ...strategies.buy_and_hold import BuyAndHold
from ...strategies.feed import date_numbers
from ...strategies.long_flat import LongFlat
from ...strategies.long_short import LongShort
from .fast_rules import buy_and_hold
from .fast_variants import Variants
from .moments import MOMENTS, Moments

SUMS = ("orders", "traded", "commission", "slippage", "too_small", "ruined")
_HISTORIES = ("equity", "cash", "units")
_ACCOUNT = ("cash", "commission", "slippage", "rate", "borrow", "interest", "fractional", "tolerance", "first")
_GIVEN, _BAND, _PROPORTIONAL = range(3)
_P = ctypes.c_void_p


def _pointers(names: Iterable[str]) -> tuple[tuple[str, type], ...]:
    return tuple((name, _P) for name in names)


class _Table(ctypes.Structure):
    _fields_ = (("values", _P), ("columns", ctypes.c_long))


class _Market(ctypes.Structure):
    _fields_ = (
        ("bars", ctypes.c_long),
        *((name, _Table) for name in ("open", "close", "worth")),
        *_pointers(("years", "dividend", "split")),
    )


class _Rule(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("forecast", _Table), *_pointers("abcd"))


class _Accounts(ctypes.Structure):
    _fields_ = (("count", ctypes.c_long), *_pointers(_ACCOUNT))


class _Outcome(ctypes.Structure):
    _fields_ = _pointers((*(f"{name}_at_close" for name in _HISTORIES), *SUMS))


class _Window(ctypes.Structure):
    _fields_ = (("first", ctypes.c_long), *_pointers(("cash", "returns", *MOMENTS, "equity", "held")))


@cache
def library() -> ctypes.CDLL | None:
    """The library, None where it was not built."""
    return library_at(Path(__file__).parent, "_accounts")


def trade(variants: Variants) -> tuple[np.ndarray, ...]:
    """The fields of an Evaluation."""
    histories = [np.empty((len(variants.forecast), variants.count)) for _ in _HISTORIES]
    return (*histories, *_call(variants, histories, None).values())


def score(
    variants: Variants, first: int, cash: np.ndarray, returns: bool
) -> tuple[np.ndarray, Moments, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The returns (n, N) from bar `first` on, (0, N) unless wanted, and of each variant, (N,): their moments, the mean
    equity, the share of bars with a position, and the sums of an Evaluation. cash: what it earned per bar, (n,).
    """
    n, count = len(cash), variants.count
    kept = np.empty((n if returns else 0, count))
    columns = [np.empty(count) for _ in (*MOMENTS, "equity", "held")]
    window = _Window(first, *map(_address, (cash, kept if returns else None, *columns)))
    sums = _call(variants, [None] * len(_HISTORIES), window)
    *moments, equity, held = columns
    return kept, Moments(*moments), equity, held / n, sums


def _call(variants: Variants, histories: Iterable[np.ndarray | None], window: _Window | None) -> dict[str, np.ndarray]:
    """Trades; fills the histories and what the window has addresses of, and returns the sums."""
    built = library()
    assert built is not None, "the accounts are not built"
    prices, n = variants.prices, variants.count
    kind, values, settings = _rule(variants)
    tables = [np.ascontiguousarray(x, float) for x in (prices.open, prices.close, prices.worth(), values)]
    *market, read = (_Table(x.ctypes.data, x.shape[1]) for x in tables)
    years = np.diff(date_numbers(prices.index), prepend=np.nan) / 365
    actions = [None] * 2 if prices.actions is None else [
        np.ascontiguousarray(prices.actions[name], float) for name in ("dividend", "split")
    ]  # fmt: skip
    rows = [_each(one, n) for one in settings]
    book = [_each(variants.account[name], n) for name in _ACCOUNT]
    sums = [np.empty(n) for _ in SUMS]
    built.rollcast_accounts(
        ctypes.byref(_Market(len(values), *market, *map(_address, (years, *actions)))),
        ctypes.byref(_Rule(kind, read, *map(_address, rows))),
        ctypes.byref(_Accounts(n, *map(_address, book))),
        ctypes.byref(_Outcome(*map(_address, (*histories, *sums)))),
        None if window is None else ctypes.byref(window),
        min(workers(), n),
    )
    kinds = {"orders": int, "too_small": int, "ruined": bool}
    return {name: one.astype(kinds.get(name, float)) for name, one in zip(SUMS, sums, strict=True)}


def _rule(variants: Variants) -> tuple[int, np.ndarray, list[np.ndarray]]:
    """The kind of a rule, what it reads (T, 1 or N), and its settings, as accounts.cpp has them."""
    forecast, p = variants.forecast, variants.parameters
    if variants.strategy is BuyAndHold:
        prices = variants.prices
        return _GIVEN, buy_and_hold(forecast, prices.close, prices.worth(), p), []
    if variants.strategy in (LongFlat, LongShort):
        below = np.zeros(1) if variants.strategy is LongFlat else -p["exposure"]
        return _BAND, forecast, [p["dead_band_bps"] / 1e4, p["exposure"], below]
    lowest = np.where(p["short"] != 0, -p["cap"], 0.0)
    return _PROPORTIONAL, forecast, [2 / (p["span"] + 1), p["volatility_bps"] / 1e4, lowest, p["cap"]]


def _each(values: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, float), n).copy()


def _address(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data
