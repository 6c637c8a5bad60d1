"""The result of a portfolio's backtest: that of an account, and what is behind it name by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from rollcast.backtests.data.panel import Panel
from rollcast.backtests.pipeline.result import Result, read_file


@dataclass(frozen=True)
class PanelResult(Result):
    """A `Result` whose market is a panel.

    bars:      the equal-weight index of the panel read.   forecasts: the mean of the names' latest forecasts, of it.
    history:   `units` is the number of names held; `benchmark` the equity of buying and holding all names alike.
    orders, trades, payments: with the `symbol` of each.
    panel:     every symbol's bars as traded.   read_panel: as the predictor read them; its forecasts are of these.
    table:     every name's forecasts over the window, dates × symbols.
    positions: every name's units at every close of the window, dates × symbols.
    """

    panel: Panel = field(kw_only=True)
    read_panel: Panel = field(kw_only=True)
    table: pd.DataFrame = field(kw_only=True)
    positions: pd.DataFrame = field(kw_only=True)

    def save(self, folder: Path) -> None:
        """As `Result.save`, with `panel.parquet`, `panel_forecasts.parquet` and `positions.parquet`.

        The names of which the predictor read other bars are in `panel_seen.parquet` too.
        """
        super().save(folder)
        _long(self.panel.bars).to_parquet(folder / "panel.parquet")
        others = {s: bars for s, bars in self.read_panel.bars.items() if bars is not self.panel.bars[s]}
        if others:
            _long(others).to_parquet(folder / "panel_seen.parquet")
        self.table.to_parquet(folder / "panel_forecasts.parquet")
        self.positions.to_parquet(folder / "positions.parquet")

    @classmethod
    def load(cls, folder: Path) -> PanelResult:
        """The result saved in a folder; raises as `Result.load`."""
        plain = Result.load(folder)
        table, positions = (read_file(folder / f"{name}.parquet") for name in ("panel_forecasts", "positions"))
        name, spans = plain.recipe["symbol"], plain.recipe["bars"]["symbols"]
        panel = Panel(name, _by_symbol(read_file(folder / "panel.parquet")))
        others = read_file(folder / "panel_seen.parquet") if any("seen" in span for span in spans.values()) else None
        read = panel if others is None else Panel(name, {**panel.bars, **_by_symbol(others)})
        kept: dict[str, Any] = {f.name: getattr(plain, f.name) for f in fields(plain)}
        if panel.acts:
            kept["payments"] = read_file(folder / "payments.csv", ["date"])
        return cls(**kept, panel=panel, read_panel=read, table=table, positions=positions)


def load_result(folder: Path) -> Result:
    """The result saved in a folder, of one name or of a panel; raises as `Result.load`."""
    return (PanelResult if (folder / "panel.parquet").exists() else Result).load(folder)


def _long(each: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The bars of all symbols under one another, with the `symbol` of each."""
    return pd.concat([bars.assign(symbol=symbol) for symbol, bars in each.items()])


def _by_symbol(long: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bars of each symbol, with the columns it had."""
    groups = long.groupby("symbol", sort=False)
    return {str(symbol): rows.drop(columns="symbol").dropna(axis=1, how="all") for symbol, rows in groups}
