"""The result of a backtest, and the folder it is saved in."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtests.data.adjust import ACTIONS
from predictors.diary import Training

# Floats as they were written; from pandas 3 on, that is the default and the option is deprecated.
_EXACT: Any = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}


@dataclass(frozen=True)
class Result:
    """One backtest over its evaluation window, which starts at the first forecast.

    bars:          everything that was traded, the warm-up included.
    history:       equity, cash and units at every close; `benchmark` is the equity of buying and holding the same bars.
    returns:       simple return per bar of the equity; the first is 0, since nothing can fill before the second bar.
    benchmark_returns: likewise of buying and holding.
    forecasts:     the forecast at every bar of the window.
    orders, trades: every order that ended, and the round trips made of them.
    metrics:       every score, in full precision.
    recipe:        everything needed to make the result again.
    training:      how its windows were trained; None for a predictor that never is.
    seen:          what the predictor read, where that is not the bars traded.
    payments:      as `Simulation.payments`; None where the bars carry no dividends and splits to book.
    """

    bars: pd.DataFrame
    history: pd.DataFrame
    returns: pd.Series
    benchmark_returns: pd.Series
    forecasts: pd.Series
    orders: pd.DataFrame
    trades: pd.DataFrame
    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    training: Training | None = None
    seen: pd.DataFrame | None = None
    payments: pd.DataFrame | None = None

    @property
    def read(self) -> pd.DataFrame:
        """The bars the predictor read, whose returns its forecasts are of."""
        return self.bars if self.seen is None else self.seen

    @property
    def equity(self) -> pd.Series:
        """The account's value at every close."""
        return self.history["equity"]

    def with_recipe(self, **extra: Any) -> Result:
        """The same result with more in its recipe."""
        return replace(self, recipe={**self.recipe, **extra})

    def save(self, folder: Path) -> None:
        """Writes the tables and the two JSON files into an existing folder."""
        self.bars.to_parquet(folder / "bars.parquet")
        self.history.to_parquet(folder / "equity.parquet")
        self.forecasts.to_frame("forecast").to_parquet(folder / "forecasts.parquet")
        self.orders.to_csv(folder / "orders.csv", index=False)
        self.trades.to_csv(folder / "trades.csv", index=False)
        if self.seen is not None:
            self.seen.to_parquet(folder / "seen.parquet")
        if self.payments is not None:
            self.payments.to_csv(folder / "payments.csv", index=False)
        self.save_metrics(folder)
        _write_json(folder / "recipe.json", self.recipe)
        if self.training:
            self.training.windows.to_parquet(folder / "training.parquet")
            states = [t for t in (self.training.states, self.training.spread) if t is not None]
            if states:
                pd.concat(states, axis=1).to_parquet(folder / "states.parquet")

    def save_metrics(self, folder: Path) -> None:
        """Writes metrics.json alone, over an older one."""
        draft = folder / ".unfinished-metrics.json"
        _write_json(draft, self.metrics)
        draft.replace(folder / "metrics.json")

    @classmethod
    def load(cls, folder: Path) -> Result:
        """The result saved in a folder.

        Raises FileNotFoundError for a folder that is no run, ValueError for a file that cannot be read as what it was.
        """
        if not (folder / "recipe.json").is_file():
            raise FileNotFoundError(f"{folder} is not the folder of a run: there is no recipe.json in it")
        tables = {name: read_file(folder / f"{name}.parquet") for name in ("bars", "equity", "forecasts")}
        metrics, recipe = read_file(folder / "metrics.json"), read_file(folder / "recipe.json")
        for span in ("bars", "evaluation"):
            recipe[span] |= {end: pd.Timestamp(recipe[span][end]) for end in ("first", "last")}
        return cls(
            tables["bars"],
            tables["equity"],
            *simple_returns(tables["equity"]),
            tables["forecasts"]["forecast"],
            read_file(folder / "orders.csv", ["date"]),
            read_file(folder / "trades.csv", ["entry_date", "exit_date"]),
            metrics,
            recipe,
            _load_training(folder),
            read_file(folder / "seen.parquet") if "seen" in recipe["bars"] else None,
            read_file(folder / "payments.csv", ["date"]) if set(tables["bars"]) & set(ACTIONS) else None,
        )


def simple_returns(history: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The simple returns per bar of the equity and of the benchmark; the first is 0."""
    changes = history[["equity", "benchmark"]].pct_change().fillna(0.0)
    return changes["equity"], changes["benchmark"]


class RunFolder:
    """A folder `<utc time>-<label>` that appears whole or not at all: filled under a hidden name, then renamed.

    Made when the block is entered, so that a place that cannot be written to is found out before hours of training.
    Where the name is taken, a number is added. Nothing is left by an exception, an interrupt included, at any moment.

    path: where its files are written to.   final: what it will be called.

    Raises OSError, on entering, where it cannot be made.
    """

    def __init__(self, parent: Path, label: str) -> None:
        self._parent, self._label = parent, label

    def __enter__(self) -> RunFolder:
        parent, stem = self._parent, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self._label}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1, 1000):
                name = stem if attempt == 1 else f"{stem}-{attempt}"
                self.path, self.final = parent / f".unfinished-{name}", parent / name
                if self._reserve():
                    return self
        except OSError as error:
            raise OSError(f"cannot write to {parent}: {error.strerror}. Choose another folder with --out") from None
        raise OSError(f"a thousand runs are called {stem} already; remove some")

    def _reserve(self) -> bool:
        """Makes the hidden folder; false where the name is taken, by a finished folder or by one in the making."""
        path = str(self.path)
        try:
            os.mkdir(path)  # one call of C: an interrupt is raised after it, when the folder is there
            if not self.final.exists():
                return True
        except FileExistsError:
            return False
        except BaseException:
            with suppress(OSError):
                os.rmdir(path)
            raise
        os.rmdir(path)  # finished after we looked last
        return False

    def finish(self) -> Path:
        """Renames the folder to its final name, which it returns."""
        self.path = self.path.rename(self.final)
        return self.path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.path != self.final and self.path.exists():  # an interrupt may come between the renaming and its note
            shutil.rmtree(self.path)


def _load_training(folder: Path) -> Training | None:
    if not (folder / "training.parquet").exists():
        return None
    spread, states = None, None
    if (folder / "states.parquet").exists():
        table = read_file(folder / "states.parquet")
        spread = table.pop("spread") if "spread" in table else None
        states = None if table.columns.empty else table
    return Training(read_file(folder / "training.parquet"), spread, states)


def read_file(path: Path, dates: list[str] | None = None) -> Any:
    """A file of a run: a table, or what its JSON says."""
    try:
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".csv":
            return pd.read_csv(path, parse_dates=dates, **_EXACT)
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.parent} is not a whole run: there is no {path.name} in it") from None
    except (ValueError, KeyError, OSError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(plain(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


_PLAIN = (str, int, bool, type(None))


def plain(value: Any) -> Any:
    """JSON's types: NaN and infinity become null, dates ISO text, tuples lists."""
    if type(value) in _PLAIN:  # most are: asked first, since a sweep has a hundred thousand
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=str)
    return str(value)  # a run is never lost for a parameter JSON cannot say
