"""The values that reading hands on: a source's rows as they stand there, and the bars made of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

PRICES = ["open", "high", "low", "close"]
# what a recipe keeps of how bars came to be
RECORD = ("origin", "adjusted", "missing", "cautions", "statements", "findings", "repairs", "pin")


@dataclass(frozen=True)
class Table:
    """The rows of a symbol as its source has them, which the doctor has not examined yet.

    rows: floats on a DatetimeIndex, possibly damaged; columns are some of `open high low close volume adj_close
          dividend split`. Prices are as traded, a dividend is cash per share on its ex-date, a split is new shares per
          old, 0 where there is none.
    origin: where they came from, one sentence for the recipe and the sheet.
    lines: the line of the file on which each row stands; None where there is no file.
    statements: what was detected or assumed, one sentence each.
    exchange: the code of its calendar in exchange_calendars; None where the source does not name it.
    pin: what identifies these rows, so that a recipe can ask for them again.
    form: whose file it is, such as "yfinance", where that is known.
    adjusted: what the prices are adjusted for already: "no", "for splits", "for splits and dividends"; None where no
          action is on record.
    cautions: what a reader of the figures must know of these prices, one sentence each.
    """

    rows: pd.DataFrame
    origin: str
    lines: np.ndarray | None = None
    statements: tuple[str, ...] = ()
    exchange: str | None = None
    pin: dict[str, str] = field(default_factory=dict)
    form: str | None = None
    adjusted: str | None = None
    cautions: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> Table:
        """The table of these rows alone, given by a boolean mask or by positions."""
        return replace(self, rows=self.rows.iloc[rows], lines=None if self.lines is None else self.lines[rows])


@dataclass(frozen=True)
class Loaded:
    """The bars of one run, and a record of how they were made.

    bars: what the account trades, as `predictors.bars` defines bars; with columns `dividend` and `split` where these
          are booked on their dates.
    model_bars: what the predictor reads, on the same dates; the same object where that is the bars traded.
    actions: `dividend` and `split` on the bars of their dates, for prices as traded; empty where the source has none.
    origin, statements, pin, adjusted, cautions: as in `Table`.
    missing: of open, high, low and volume those that the source lacks, which stand at the close and at 0.
    findings: the doctor's doubts, one sentence each.   repairs: the rows it corrected, where that was asked for.
    """

    bars: pd.DataFrame
    model_bars: pd.DataFrame
    actions: pd.DataFrame = field(default_factory=pd.DataFrame)
    origin: str = "given"
    statements: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    pin: dict[str, str] = field(default_factory=dict)
    adjusted: str | None = None
    cautions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """What a recipe keeps: the record, without the bars."""
        return {name: getattr(self, name) for name in RECORD}
