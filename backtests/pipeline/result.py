"""The result of a backtest, and the files it is saved in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ...predictors.training_log import Training
from ..data.table import Loaded
from ..digests import MANIFEST, check, say, seal
from ..json_values import Record, with_texts, without_formulas, write_json
from ..market.market import Market
from .forecasts import mean_forecast
from .notebook import as_html

# Floats as they were written; from pandas 3 on, that is the default and the option is deprecated.
_EXACT: Any = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One backtest of a market over its evaluation window, which starts at the first forecast.

    T dates of the window, N names, 1 unless the market is a portfolio.

    market:        what was traded and what the predictor read, the warm-up included.
    history:       `equity` and `cash` at every close; `benchmark`, the equity of buying and holding all names alike.
    returns:       simple return per bar of the equity; the first is 0, since nothing can fill before the second bar.
    benchmark_returns: likewise of buying and holding.
    forecasts:     of every name, dates × symbols (T, N); NaN where a name has none.
    positions:     units of every name at every close, dates × symbols (T, N).
    orders, trades: every order that ended, and the round trips they make; of a portfolio with the `symbol` of each.
    metrics:       every score, in full precision.
    recipe:        everything needed to make the result again.
    training:      how the windows were trained; None for a predictor that is never trained.
    payments:      as `Simulation.payments`; None where the bars carry no dividends and splits to book.
    """

    market: Market
    history: pd.DataFrame
    returns: pd.Series
    benchmark_returns: pd.Series
    forecasts: pd.DataFrame
    positions: pd.DataFrame
    orders: pd.DataFrame
    trades: pd.DataFrame
    metrics: Record
    recipe: Record
    training: Training | None = None
    payments: pd.DataFrame | None = None

    @property
    def bars(self) -> pd.DataFrame:
        """`market.bars`: the one name's as traded, or a portfolio's index."""
        return self.market.bars

    @property
    def model_bars(self) -> pd.DataFrame:
        """`market.model_bars`: what the predictor read, whose returns `forecast` is of."""
        return self.market.model_bars

    @cached_property  # a sheet reads it again and again
    def forecast(self) -> pd.Series:
        """The one name's forecasts; of a portfolio the mean of its names' latest ones, (T,)."""
        if self.market.portfolio:
            return mean_forecast(self.forecasts, self.market.model_panel)
        return self.forecasts.iloc[:, 0].rename("forecast")

    @property
    def equity(self) -> pd.Series:
        """The account's value at every close."""
        return self.history["equity"]

    def _repr_html_(self) -> str:
        """What a notebook shows of it: verdict, equity and a table."""
        return as_html(self.recipe, self.metrics, self.history)

    def with_recipe(self, **extra: Any) -> Result:
        """The same result with more in its recipe."""
        return replace(self, recipe={**self.recipe, **extra})

    def save(self, folder: Path) -> None:
        """Writes the tables, the two JSON files and their manifest into an existing folder.

        Of a portfolio, `bars.parquet` and `forecasts.parquet` hold its index and the mean forecast; those of the names
        are in `panel.parquet` and `panel_forecasts.parquet`.
        """
        tables = self._tables()
        for name, table in tables.items():
            if name.endswith(".csv"):
                without_formulas(table).to_csv(folder / name, index=False)
            else:
                table.to_parquet(folder / name)
        texts = {"metrics.json": self.metrics, "recipe.json": self.recipe}
        for name, values in texts.items():
            write_json(folder / name, values)
        seal(folder, [*tables, *texts])

    def _tables(self) -> dict[str, pd.DataFrame]:
        """The tables of a run's folder by the names of their files."""
        # By a plain name, since a symbol may hold what no file can.
        positions = self.positions if self.market.portfolio else self.positions.set_axis(["units"], axis=1)
        tables = {
            "bars.parquet": self.bars,
            "equity.parquet": self.history,
            "positions.parquet": positions,
            "forecasts.parquet": self.forecast.to_frame(),
            "orders.csv": self.orders,
            "trades.csv": self.trades,
        }
        if self.market.portfolio:
            tables |= self._tables_of_names()
        elif self.model_bars is not self.bars:
            tables["model_bars.parquet"] = self.model_bars
        if self.payments is not None:
            tables["payments.csv"] = self.payments
        if self.training:
            tables["training.parquet"] = self.training.windows
            states = [t for t in (self.training.states, self.training.spread) if t is not None]
            if states:
                tables["states.parquet"] = pd.concat(states, axis=1)
        return tables

    @classmethod
    def load(cls, folder: Path) -> Result:
        """The result saved in a folder.

        Raises FileNotFoundError for a folder that is no run, ValueError for a file that is not what was written, as
        the folder's manifest has it, or cannot be read as what it was. A folder without a manifest is read as it is.
        """
        if not (folder / "recipe.json").is_file():
            raise FileNotFoundError(f"{folder} is not the folder of a run: there is no recipe.json in it")
        if not check(folder):
            say(f"{folder} has no {MANIFEST}, as runs before 0.2: nothing tells whether its files are as written")
        history = read_file(folder / "equity.parquet")
        metrics, recipe = read_file(folder / "metrics.json"), read_file(folder / "recipe.json")
        for span in (recipe["bars"], *recipe["bars"].get("symbols", {}).values()):
            if "seen" in span:  # its name before 0.2
                span["model_bars"] = span.pop("seen")
        for span in ("bars", "evaluation"):
            recipe[span] |= {end: pd.Timestamp(recipe[span][end]) for end in ("first", "last")}
        market = _load_market(folder, recipe)
        returns, benchmark_returns = simple_returns(history)
        return cls(
            market=market,
            history=history[["equity", "cash", "benchmark"]],
            returns=returns,
            benchmark_returns=benchmark_returns,
            forecasts=_load_forecasts(folder, market),
            positions=_load_positions(folder, market, history),
            orders=read_file(folder / "orders.csv", ["date"]),
            trades=read_file(folder / "trades.csv", ["entry_date", "exit_date"]),
            metrics=metrics,
            recipe=recipe,
            training=_load_training(folder),
            payments=read_file(folder / "payments.csv", ["date"]) if market.pays else None,
        )

    def _tables_of_names(self) -> dict[str, pd.DataFrame]:
        traded, read = self.market.panel.bars, self.market.model_panel.bars
        others = {symbol: bars for symbol, bars in read.items() if bars is not traded[symbol]}
        tables = {"panel.parquet": _long(traded), "panel_forecasts.parquet": self.forecasts}
        return tables | ({"panel_model_bars.parquet": _long(others)} if others else {})


def simple_returns(history: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The simple returns per bar of the equity and of the benchmark; the first is 0."""
    changes = history[["equity", "benchmark"]].pct_change().fillna(0.0)
    return changes["equity"], changes["benchmark"]


def read_file(path: Path, dates: list[str] | None = None) -> Any:
    """A file of a run: a table, or what its JSON holds.

    Raises FileNotFoundError where it is missing, ValueError where it cannot be read.
    """
    try:
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".csv":
            return with_texts(pd.read_csv(path, parse_dates=dates, **_EXACT))
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.parent} is not a whole run: there is no {path.name} in it") from None
    except (ValueError, KeyError, OSError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _load_market(folder: Path, recipe: Record) -> Market:
    name, span, bars = recipe["symbol"], recipe["bars"], read_file(folder / "bars.parquet")
    if not (folder / "panel.parquet").exists():
        read = _read_model_bars(folder, "model_bars", "seen") if "model_bars" in span else bars
        return Market(name, {name: Loaded(bars, read, origin="saved")})
    traded = _by_symbol(read_file(folder / "panel.parquet"))
    differ = any("model_bars" in one for one in span["symbols"].values())
    read = _by_symbol(_read_model_bars(folder, "panel_model_bars", "panel_seen")) if differ else {}
    names = {symbol: Loaded(one, read.get(symbol, one), origin="saved") for symbol, one in traded.items()}
    return Market(name, names, portfolio=True)


def _read_model_bars(folder: Path, name: str, former: str) -> pd.DataFrame:
    """A table of bars the predictor read, under the name it has, or had before 0.2."""
    old = folder / f"{former}.parquet"
    return read_file(old if old.exists() else folder / f"{name}.parquet")


def _load_forecasts(folder: Path, market: Market) -> pd.DataFrame:
    if market.portfolio:
        return read_file(folder / "panel_forecasts.parquet")
    return read_file(folder / "forecasts.parquet")[["forecast"]].set_axis(market.columns, axis=1)


def _load_positions(folder: Path, market: Market, history: pd.DataFrame) -> pd.DataFrame:
    """Before 0.2, the units of one name stood beside its equity."""
    if market.portfolio:
        return read_file(folder / "positions.parquet")
    units = history if "units" in history else read_file(folder / "positions.parquet")
    return units[["units"]].set_axis(market.columns, axis=1)


def _load_training(folder: Path) -> Training | None:
    if not (folder / "training.parquet").exists():
        return None
    spread, states = None, None
    if (folder / "states.parquet").exists():
        table = read_file(folder / "states.parquet")
        spread = table.pop("spread") if "spread" in table else None
        states = None if table.columns.empty else table
    return Training(read_file(folder / "training.parquet"), spread, states)


def _long(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The bars of all symbols under one another, with the `symbol` of each."""
    return pd.concat([bars.assign(symbol=symbol) for symbol, bars in frames.items()])


def _by_symbol(long: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bars of each symbol, with the columns it had."""
    groups = long.groupby("symbol", sort=False)
    return {str(symbol): rows.drop(columns="symbol").dropna(axis=1, how="all") for symbol, rows in groups}
