"""The result of a portfolio's backtest: that of an account, and what is behind it name by name."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.portfolio.panel import Panel
from backtests.result import Result


@dataclass(frozen=True)
class PanelResult(Result):
    """A `Result` whose market is a panel.

    bars:      the panel's equal-weight index.   forecasts: the mean of the names' latest forecasts, of that index.
    history:   `units` is the number of names held; `benchmark` the equity of buying and holding all names alike.
    orders, trades: with the `symbol` of each.
    panel:     every symbol's bars.
    table:     every name's forecasts over the window, dates × symbols.
    positions: every name's units at every close of the window, dates × symbols.
    """

    panel: Panel = field(kw_only=True)
    table: pd.DataFrame = field(kw_only=True)
    positions: pd.DataFrame = field(kw_only=True)

    def save(self, folder: Path) -> None:
        """As `Result.save`, with `panel.parquet`, `panel_forecasts.parquet` and `positions.parquet`."""
        super().save(folder)
        long = pd.concat([bars.assign(symbol=symbol) for symbol, bars in self.panel.bars.items()])
        long.to_parquet(folder / "panel.parquet")
        self.table.to_parquet(folder / "panel_forecasts.parquet")
        self.positions.to_parquet(folder / "positions.parquet")

    @classmethod
    def load(cls, folder: Path) -> PanelResult:
        """The result saved in a folder; raises as `Result.load`."""
        plain = Result.load(folder)
        panel, table, positions = (_table(folder, name) for name in ("panel", "panel_forecasts", "positions"))
        bars = {str(symbol): rows.drop(columns="symbol") for symbol, rows in panel.groupby("symbol", sort=False)}
        kept: dict[str, Any] = {f.name: getattr(plain, f.name) for f in fields(plain)}
        return cls(**kept, panel=Panel(plain.recipe["symbol"], bars), table=table, positions=positions)


def load_result(folder: Path) -> Result:
    """The result saved in a folder, of one name or of a panel; raises as `Result.load`."""
    return (PanelResult if (folder / "panel.parquet").exists() else Result).load(folder)


def _table(folder: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(folder / f"{name}.parquet")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder} is not a whole run of a portfolio: there is no {name}.parquet in it"
        ) from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{folder / name}.parquet cannot be read: {str(error).splitlines()[0]}") from error
