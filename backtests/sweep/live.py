"""The progress of a sweep as lines of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

SHOWN = 5  # best points in the table


@dataclass(frozen=True)
class Progress:
    """The progress of one stage of a sweep.

    stage:       forecasts, points, judging or winner.
    done, total: units of the stage.
    seconds:     wall time of the stage so far.
    before:      units that an earlier process had done.
    best:        the rows of the best points so far; None where there are none.
    """

    stage: str
    done: int
    total: int
    seconds: float
    before: int = 0
    best: pd.DataFrame | None = None

    @property
    def remaining(self) -> float | None:
        """Estimated seconds until the stage ends; None before its first unit is done."""
        new = self.done - self.before
        return self.seconds / new * (self.total - self.done) if new > 0 else None


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """A `Report` that does nothing."""


def lines(progress: Progress, columns: list[str]) -> list[str]:
    """A line for the stage, and below it a table of the best points; columns: those of their values."""
    remaining = progress.remaining
    share = progress.done / progress.total if progress.total else 1.0
    width = 24
    bar = "#" * int(share * width) + "-" * (width - int(share * width))
    head = f"{progress.stage:<9} [{bar}] {progress.done:,}/{progress.total:,}"
    output = [
        head + (f"  {duration(remaining)} left" if remaining is not None and progress.done < progress.total else "")
    ]
    if progress.best is not None and len(progress.best):
        output += best_lines(progress.best, columns)
    return output


def best_lines(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    """The rows with the highest Sharpe ratios as an aligned table; columns: those of their values."""
    titles = [*(name.partition(".")[2] or name for name in columns), "Sharpe", "CAGR", "drawdown", "turnover"]
    cells = [
        [*(str(row[name]) for name in columns), f"{row['sharpe']:.3f}", f"{row['cagr']:.2%}",
         f"{row['max_drawdown']:.1%}", f"{row['turnover']:.1f}x"]
        for _, row in rows.nlargest(SHOWN, "sharpe").iterrows()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    return ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in (titles, *cells)]


def duration(seconds: float) -> str:
    """A time rounded to seconds or minutes.

    >>> duration(8.4), duration(95), duration(7300)
    ('8 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, remainder = divmod(whole, 60)
    return f"{minutes} min {remainder} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
