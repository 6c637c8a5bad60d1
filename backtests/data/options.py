"""What a caller can ask of the data: which bars of a symbol, how a file is read, and what is made of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pandas as pd

from ...predictors.registry import suggest
from .numbers import FRACTIONS
from .recorded import STATES, State
from .resample import width_of

Adjust = Literal["full", "asof", "none"]
ADJUSTMENTS = get_args(Adjust)
SOURCES = ("file", "store", "bundled", "yahoo")
DECIMALS = (".", ",")
STAMPS = ("start", "close")
# the options that say how a file is read
OF_FILES = ("columns", "only", "date_format", "decimal", "fractions", "zone", "stamps", "prices")


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The options with which `backtests.data.load.load` turns a symbol into bars; the command line has the same names.

    start, end: the first and the last date, both included: a year, a month, a day or a time; None for no bound.
    source: one of `SOURCES`; None for the first of file, store and bundled that has the symbol. "yahoo" first downloads
        what the store lacks.
    columns: role → name or position of a column of a file, where its header does not say which is which.
    date_format: the strptime format of a file's dates.
    decimal: the decimal mark of a file, "." or ",".
    only: the symbol, of a file with several.
    fractions: "8ths" or "32nds", for prices such as 455'4 and 112'045.
    zone: the exchange's time zone, for a file with times in UTC.
    stamps: "start" or "close", what the times of a file are of its bars; None for what its form says, else the close.
    prices: what the prices of a file are, "as-traded", "split-adjusted" or "adjusted" for dividends too; None for what
        the dividends and splits beside them show, as `recorded` says.
    repair: corrects the rows that would otherwise be refused, and reports each correction.
    snapshot: the rows of an earlier download, by the first characters of the SHA-256 that its recipe holds.
    bar: the size of bars to make of the symbol's own, such as 1h or 1wk, as `resample.width_of` takes it.
    adjust: "full" multiplies prices so that returns include dividends and splits up to the last bar loaded; "none"
        leaves prices as traded; "asof" likewise, with dividends and splits as columns for the account to book on their
        dates, while the predictor reads what "full" gives.
    overnight: whether the predictor reads the return over a night as the return of a bar.

    Raises LookupError for an unknown source; ValueError for an unknown adjustment, decimal mark or bar size, for a
    text that is no date, and for a start after the end.
    """

    start: str | None = None
    end: str | None = None
    source: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    decimal: str | None = None
    only: str | None = None
    fractions: str | None = None
    zone: str | None = None
    stamps: str | None = None
    prices: State | None = None
    repair: bool = False
    snapshot: str | None = None
    bar: str | None = None
    adjust: Adjust = "full"
    overnight: bool = False

    def __post_init__(self) -> None:
        if self.source not in (None, *SOURCES):
            raise LookupError(f"unknown source {self.source!r}. {suggest(self.source or '', SOURCES)}")
        if self.adjust not in ADJUSTMENTS:
            raise ValueError(f"adjust is one of {', '.join(ADJUSTMENTS)}, and not {self.adjust!r}")
        if self.decimal not in (None, *DECIMALS):
            raise ValueError(f"--decimal is . or , and not {self.decimal!r}")
        if self.prices not in (None, *STATES):
            raise ValueError(f"--prices is one of {', '.join(STATES)}, and not {self.prices!r}")
        for name, known in (("stamps", STAMPS), ("fractions", FRACTIONS)):
            if getattr(self, name) not in (None, *known):
                raise ValueError(f"--{name} is one of {', '.join(known)}, and not {getattr(self, name)!r}")
        if self.bar is not None:
            width_of(self.bar)
        first, last = self.first, self.last
        if first is not None and last is not None and first > last:
            raise ValueError(f"start {self.start} is after end {self.end}")

    @property
    def first(self) -> pd.Timestamp | None:
        """The first instant asked for; None for no bound."""
        return None if self.start is None else period(self.start).start_time

    @property
    def last(self) -> pd.Timestamp | None:
        """The last instant asked for; None for no bound."""
        return None if self.end is None else period(self.end).end_time


def period(text: str) -> pd.Period:
    """The span of time a date names: a year, a month, a day or less. Raises ValueError for a text that is none."""
    try:
        span = pd.Period(text)
    except ValueError:
        span = pd.NaT
    if span is pd.NaT:
        raise ValueError(f"{text!r} is not a date; write it as 2020, 2020-06 or 2020-06-30")
    return span
