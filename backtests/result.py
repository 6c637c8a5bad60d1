"""The result of a backtest, and the folder it is saved in."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Result:
    """One backtest over its evaluation window, which starts at the first forecast.

    history:       equity, cash and units at every close; `benchmark` is the equity of buying and holding the same bars.
    returns:       simple return per bar of the equity; the first is 0, since nothing can fill before the second bar.
    benchmark_returns: likewise of buying and holding.
    forecasts:     the forecast at every bar of the window.
    orders, trades: every order that ended, and the round trips made of them.
    metrics:       every score, in full precision.
    recipe:        everything needed to make the result again.
    """

    history: pd.DataFrame
    returns: pd.Series
    benchmark_returns: pd.Series
    forecasts: pd.Series
    orders: pd.DataFrame
    trades: pd.DataFrame
    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]

    @property
    def equity(self) -> pd.Series:
        """The account's value at every close."""
        return self.history["equity"]

    def with_recipe(self, **extra: Any) -> Result:
        """The same result with more in its recipe."""
        return replace(self, recipe={**self.recipe, **extra})

    def save(self, folder: Path) -> None:
        """Writes the tables and the two JSON files into an existing folder."""
        self.history.to_parquet(folder / "equity.parquet")
        self.forecasts.to_frame("forecast").to_parquet(folder / "forecasts.parquet")
        self.orders.to_csv(folder / "orders.csv", index=False)
        self.trades.to_csv(folder / "trades.csv", index=False)
        _write_json(folder / "metrics.json", self.metrics)
        _write_json(folder / "recipe.json", self.recipe)


class RunFolder:
    """A folder that appears whole or not at all: written beside its final place, and renamed when finished.

    Created at once, so that a place that cannot be written to is found out before hours of training.
    """

    def __init__(self, parent: Path, label: str) -> None:
        self._label = label
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self.path = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=parent))
        except OSError as error:
            raise OSError(f"cannot write to {parent}: {error.strerror}. Choose another folder with --out") from None

    def finish(self) -> Path:
        """Renames the folder to `<utc time>-<label>`, adding a number where that is taken; returns the new path."""
        os.chmod(self.path, 0o755)  # mkdtemp made it private
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self._label}"
        for attempt in range(1, 1000):
            target = self.path.parent / (stem if attempt == 1 else f"{stem}-{attempt}")
            # rename() replaces an empty folder, and fails on any other.
            if target.exists():
                continue
            try:
                self.path = self.path.rename(target)
            except OSError as error:  # taken since
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                continue
            return target
        raise OSError(f"a thousand runs are called {stem} already; remove some")

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.path.name.startswith(".unfinished-"):
            shutil.rmtree(self.path)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(_plain(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """JSON's types: NaN and infinity become null, dates ISO text, tuples lists."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)  # a run is never lost for a parameter JSON cannot say
