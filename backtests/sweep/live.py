"""How far a sweep is, in lines to print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

SHOWN = 5


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    stage:   forecasts, points, or judging.   done, total: of them.   seconds: since this stage began.
    before:  how many had been done when it began, in an earlier process.   best: the best rows so far.
    """

    stage: str
    done: int
    total: int
    seconds: float
    before: int = 0
    best: pd.DataFrame | None = None

    @property
    def left(self) -> float | None:
        """Seconds that the rest of this stage will take at its pace; None before anything is done."""
        new = self.done - self.before
        return self.seconds / new * (self.total - self.done) if new > 0 else None


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Reports nothing."""


def lines(progress: Progress, columns: list[str]) -> list[str]:
    """A line for the stage, and below it the best points by Sharpe ratio."""
    left = progress.left
    share = progress.done / progress.total if progress.total else 1.0
    width = 24
    bar = "#" * int(share * width) + "-" * (width - int(share * width))
    head = f"{progress.stage:<9} [{bar}] {progress.done:,}/{progress.total:,}"
    shown = [head + (f"  {duration(left)} left" if left is not None and progress.done < progress.total else "")]
    if progress.best is not None and len(progress.best):
        shown += best_lines(progress.best, columns)
    return shown


def best_lines(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    """The best rows as an aligned table."""
    titles = [*(name.partition(".")[2] or name for name in columns), "Sharpe", "CAGR", "drawdown", "turnover"]
    cells = [
        [*(str(row[name]) for name in columns), f"{row['sharpe']:.3f}", f"{row['cagr']:.2%}",
         f"{row['max_drawdown']:.1%}", f"{row['turnover']:.1f}x"]
        for _, row in rows.nlargest(SHOWN, "sharpe").iterrows()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    return ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in (titles, *cells)]


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(8.4), duration(95), duration(7300)
    ('8 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
