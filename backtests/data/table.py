"""What every source hands on: the rows as they were found, and what was found out about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

Adjust = Literal["full", "asof", "none"]
ADJUSTMENTS = get_args(Adjust)
PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Table:
    """Rows before the doctor has seen them.

    rows: floats on a DatetimeIndex, not yet sound; columns are some of `open high low close volume adj_close dividend
          split`. Prices are as traded, dividend is cash per share on its ex-date, split new shares per old, 0 for none.
    origin: where they came from, one sentence for the recipe and the sheet.
    lines: the line of the file each row stood on, where there was a file.
    statements: what was detected or assumed, one sentence each.
    exchange: the code of its calendar in exchange_calendars, where the source knows it.
    pin: what a recipe must hold to ask for the same rows again.
    """

    rows: pd.DataFrame
    origin: str
    lines: np.ndarray | None = None
    statements: tuple[str, ...] = ()
    exchange: str | None = None
    pin: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """The bars of one run, and everything that was done on the way to them.

    bars: what the account trades, as `predictors.bars` wants them; with `dividend` and `split` where these are booked.
    seen: what the predictor reads, on the same dates; the very same bars where nothing had to be done to them.
    actions: `dividend` and `split` on the bars they fell on, for prices as traded; empty where the source has none.
    origin, statements, pin: as in `Table`.
    findings: what the doctor doubts and did not stop for; repairs: what it was asked to mend and did.
    """

    bars: pd.DataFrame
    seen: pd.DataFrame
    actions: pd.DataFrame
    origin: str
    statements: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    pin: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What a recipe keeps of it."""
        return {name: getattr(self, name) for name in ("origin", "statements", "findings", "repairs", "pin")}
