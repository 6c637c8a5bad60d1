"""The row of the ledger that a run makes, and the key of the trial it was."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.bars import frequency
from ..json_values import Record, Values, plain
from ..pipeline.result import Result
from .schema import sealed
from .series import pack, projections, unpack

# No part of what was tried: when, where and how it was run, and code, of which what it changes is seen in the outcome.
VOLATILE = ("created", "seconds", "command", "request", "data", "source", "versions", "look_ahead", "page")


def trial_key(recipe: Record) -> str:
    """SHA-256 of what was tried: the recipe but for when, where and how it was run (VOLATILE)."""
    tried = _canonical({name: value for name, value in recipe.items() if name not in VOLATILE})
    # By its name before 0.2, so that a run is the trial it was then.
    for span in (tried["bars"], *tried["bars"].get("symbols", {}).values()) if "bars" in tried else ():
        if "model_bars" in span:
            span["seen"] = span.pop("model_bars")
    text = json.dumps(tried, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", text).encode()).hexdigest()  # addresses differ by process


@dataclass(frozen=True)
class Row:
    """What the ledger keeps of one run.

    columns: name → value, in SQLite's types.   recipe: in JSON's types.
    returns: simple return per bar over the evaluation window, (T,).
    closes:  of all bars of the run, by which its market is known.
    """

    columns: Record
    recipe: Record
    returns: pd.Series
    closes: pd.Series

    @classmethod
    def of(cls, result: Result) -> Row:
        """The row of a result."""
        metrics = result.metrics
        return row_of(
            result.recipe, metrics["strategy"], result.returns, metrics["bars_per_year"], result.bars["close"]
        )

    @property
    def market(self) -> bytes:
        """The packed returns of the bars."""
        return pack(self.closes.pct_change().fillna(0.0))


def sealed_rows(rows: Sequence[Row], workspace: Path, folder: str | None = None) -> list[tuple[Values, str, bytes]]:
    """Each row as it is stored, its recipe and its packed returns. Rows on the same dates are projected at once."""
    packed = [pack(row.returns) for row in rows]
    groups: dict[bytes, list[int]] = {}
    series = [unpack(returns) for returns in packed]
    for place, (minutes, _) in enumerate(series):
        groups.setdefault(minutes.tobytes(), []).append(place)
    projected: dict[int, bytes | None] = {}
    for places in groups.values():
        found = projections(series[places[0]][0], [series[place][1] for place in places])
        projected |= dict(zip(places, found, strict=True))
    entries = []
    for place, (row, returns) in enumerate(zip(rows, packed, strict=True)):
        recipe = json.dumps(plain(row.recipe), allow_nan=False)
        added = {"folder": folder, "workspace": str(workspace), "projection": projected[place]}
        entries.append((sealed({**row.columns, **added}, recipe, returns), recipe, returns))
    return entries


def row_of(recipe: Record, scores: Record, returns: pd.Series, bars_per_year: int, closes: pd.Series) -> Row:
    """The row of a run; `scores` are those of `account.scores.return_scores`, `closes` of all its bars."""
    trial, recipe, r = trial_key(recipe), plain(recipe), returns.to_numpy(float)
    sd = float(r.std(ddof=1)) if len(r) > 1 else math.nan
    seed = _seed(recipe["predictor"])
    columns = plain(
        {
            "created": recipe.get("created") or utc(datetime.now(UTC)),
            "trial": trial,
            "symbol": recipe["symbol"],
            "bars_sha256": recipe["bars"]["sha256"],
            "bars": recipe["bars"]["count"],
            "frequency": frequency(pd.DatetimeIndex(returns.index)),
            **{name: recipe["evaluation"][name] for name in ("first", "last")},
            **dict(zip(("predictor", "predictor_parameters"), _label(recipe["predictor"]), strict=True)),
            **dict(zip(("strategy", "strategy_parameters"), _label(recipe["strategy"]), strict=True)),
            "seed": seed if isinstance(seed, int) and abs(seed) < 2**63 else None,
            "n": len(r),
            "mean": float(r.mean()),
            "sd": sd,
            "sharpe_bar": r.mean() / sd if sd > 1e-15 else None,
            "bars_per_year": bars_per_year,
            **{name: scores[name] for name in ("skew", "kurtosis", "sharpe", "cagr", "max_drawdown")},
            "passed": int(recipe["look_ahead"]["passed"]),
        }
    )
    return Row(columns, recipe, returns, closes)


def _canonical(value: Any) -> Any:
    """JSON's types in one spelling: whole floats integers as in RFC 8785."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(k): _canonical(v) for k, v in value.items()}
    simple = [_canonical(v) for v in value] if isinstance(value, list | tuple) else plain(value)
    return int(simple) if isinstance(simple, float) and simple.is_integer() else simple


def _label(described: Record) -> tuple[str, str]:
    """Class and fields in words; of a walk-forward the learner's, and then its schedule."""
    inner = described.get("learner")
    name, words = _label(inner) if isinstance(inner, Mapping) else (described["class"], "")
    skipped = ("class", "learner", "seed", "device")
    fields = [
        f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in described.items()
        if key not in skipped and value is not None
    ]
    return name, " ".join([words, *fields]).strip()


def _seed(described: Record) -> Any:
    inner = described.get("learner")
    return _seed(inner) if isinstance(inner, Mapping) else described.get("seed")


def utc(time: datetime) -> str:
    """A time in ISO's words, in UTC to the second."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
