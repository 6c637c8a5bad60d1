"""What a finished sweep says: which variant is best, and how much of that is having looked at many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.sweep.axes import Axis, number_of
from rollcast.backtests.sweep.nested import Nested
from rollcast.backtests.sweep.pbo import BLOCKS, Overfitting, overfitting
from rollcast.backtests.sweep.plateau import Plateau, plateau
from rollcast.backtests.sweep.trade import sharpe_columns


@dataclass(frozen=True)
class Judgement:
    """The variants of a sweep, which are its points with their seeds taken together, and what to make of the best.

    variants:    a row each: values by column, sharpe, its sd over seeds, seeds, and the Sharpe ratios of both halves.
    returns:     of the variants, (n, N): an equal share in each seed, evened out at every bar.
    winner:      position of the variant with the highest Sharpe ratio.
    overfitting: None until `tested`, and where there are too few variants or bars for it.
    nested:      None where it was not asked for.
    """

    variants: pd.DataFrame
    returns: np.ndarray
    winner: int
    plateau: Plateau
    overfitting: Overfitting | None = None
    nested: Nested | None = None

    def coordinates(self, column: str) -> np.ndarray:
        """The variants' values of one axis as numbers, or as words where one of them is none, (N,)."""
        return coordinates_of(self.variants[column])

    def tested(self) -> Judgement:
        """The same with the probability of overfitting."""
        enough = self.returns.shape[1] >= 2 and len(self.returns) >= 2 * BLOCKS
        return replace(self, overfitting=overfitting(self.returns)) if enough else self

    def numbers(self, bars_per_year: int) -> dict[str, Any]:
        """Every number of it under stable keys; Sharpe ratios a year."""
        yearly = np.sqrt(bars_per_year)
        found: dict[str, Any] = {
            "variants": len(self.variants),
            "winner": self.variants.iloc[self.winner].to_dict(),
            "median_sharpe": float(np.nanmedian(self.variants["sharpe"])),
            "plateau": {
                **{"score": self.plateau.score, "ratio": self.plateau.ratio, "worst": self.plateau.worst},
                **{"word": self.plateau.word, "neighbours": len(self.plateau.neighbours)},
            },
        }
        if o := self.overfitting:
            after = o.after * yearly
            found["overfitting"] = {
                **{"pbo": o.pbo, "loss": o.loss, "slope": o.slope, "r2": o.r2, "splits": len(o.logits)},
                **{"best_in_sample": float(np.mean(o.best)) * yearly, "out_of_sample": float(after.mean())},
            }
        if self.nested:
            choices = self.nested.choices
            found["nested"] = {
                "first": choices["date"].iloc[0],
                "choices": len(choices),
                "switches": self.nested.switches,
                "scores": self.nested.scores,
            }
        return found


def judge(axes: Sequence[Axis], rows: pd.DataFrame, returns: np.ndarray, bars_per_year: int) -> Judgement:
    """The judgement, but for what takes time; rows in the order of the points, returns (n, points).

    Raises ValueError where no variant ever traded.
    """
    columns = [axis.column for axis in axes]
    groups = _groups(rows, columns)
    alone = all(len(group) == 1 for group in groups)
    order = np.concatenate(groups)
    together = returns[:, order] if alone else np.column_stack([returns[:, g].mean(axis=1) for g in groups])
    half = len(returns) // 2
    sharpe = sharpe_columns(together, bars_per_year)
    variants = rows.iloc[[group[0] for group in groups]][columns].reset_index(drop=True)
    variants["sharpe"] = sharpe
    spread = [float(rows["sharpe"].iloc[g].std(ddof=1)) if len(g) > 1 else np.nan for g in groups]
    variants["sharpe_sd"], variants["seeds"] = spread, [len(group) for group in groups]
    variants["first_half"] = sharpe_columns(together[:half], bars_per_year)
    variants["second_half"] = sharpe_columns(together[half:], bars_per_year)
    if np.isnan(sharpe).all():
        raise ValueError("no point of the sweep ever traded, so there is no best one")
    winner = int(np.nanargmax(sharpe))
    coordinates = [coordinates_of(variants[name]) for name in columns]
    return Judgement(variants, together, winner, plateau(coordinates, sharpe, winner))


def coordinates_of(texts: pd.Series) -> np.ndarray:
    """The values of an axis as numbers, or as words where one of them is none."""
    numbers = np.array([number_of(text) for text in texts])
    return texts.to_numpy(str) if np.isnan(numbers).any() else numbers


def _groups(rows: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """The positions of the points of each variant, in the order of the first."""
    values: Mapping[Any, list[int]] = {}
    for position, key in enumerate(
        zip(*(rows[name] for name in columns), strict=True) if columns else [()] * len(rows)
    ):
        values.setdefault(key, []).append(position)  # type: ignore[attr-defined]
    return [np.array(group) for group in values.values()]
