"""The assessment of a finished sweep: its best variant, and how much of its score is due to choosing among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..account.moments import sharpe_columns
from .axes import Axis, number_of
from .nested import Nested
from .pbo import BLOCKS, Overfitting, overfitting
from .plateau import Plateau, plateau


@dataclass(frozen=True)
class Judgement:
    """The variants of a sweep, which are its points with all seeds of a point taken together, and their assessment.

    variants:    one row each: values by column; `sharpe`, annualised; `sharpe_sd` over the seeds; `seeds`, how many;
                 `first_half` and `second_half`, the Sharpe ratios on both halves of the bars.
    returns:     of the variants over cash, (n, N): the mean over the seeds at every bar.
    firsts:      the position of each variant's first point among the points.
    winner:      position of the variant with the highest Sharpe ratio.
    overfitting: None before `with_overfitting`, and where there are too few variants or bars for it.
    nested:      None where there is no nested selection.
    """

    variants: pd.DataFrame
    returns: np.ndarray
    firsts: list[int]
    winner: int
    plateau: Plateau
    overfitting: Overfitting | None = None
    nested: Nested | None = None

    def coordinates(self, column: str) -> np.ndarray:
        """The variants' values of one axis as `coordinates_of` has them, (N,)."""
        return coordinates_of(self.variants[column])

    def with_overfitting(self) -> Judgement:
        """The same with the probability of overfitting, where there are enough variants and bars."""
        enough = self.returns.shape[1] >= 2 and len(self.returns) >= 2 * BLOCKS
        return replace(self, overfitting=overfitting(self.returns)) if enough else self

    def as_dict(self, bars_per_year: int) -> dict[str, object]:
        """Every number of the judgement under stable keys, as judgement.json has them; Sharpe ratios annualised."""
        yearly = np.sqrt(bars_per_year)
        values: dict[str, object] = {
            "variants": len(self.variants),
            "winner": self.variants.iloc[self.winner].to_dict(),
            "median_sharpe": float(np.nanmedian(self.variants["sharpe"])),
            "plateau": {
                **{"score": self.plateau.score, "ratio": self.plateau.ratio, "worst": self.plateau.worst},
                **{"word": self.plateau.word, "neighbours": len(self.plateau.neighbours)},
            },
        }
        if o := self.overfitting:
            values["overfitting"] = {
                **{"pbo": o.pbo, "loss": o.loss, "slope": o.slope, "r2": o.r2, "splits": len(o.logits)},
                "best_in_sample": float(np.mean(o.in_sample)) * yearly,
                "out_of_sample": float((o.out_of_sample * yearly).mean()),
            }
        if self.nested:
            choices = self.nested.choices
            values["nested"] = {
                "first": choices["date"].iloc[0],
                "choices": len(choices),
                "switches": self.nested.switches,
                "scores": self.nested.scores,
            }
        return values


def judge(axes: Sequence[Axis], rows: pd.DataFrame, returns: np.ndarray, bars_per_year: int) -> Judgement:
    """The judgement of a sweep, without overfitting and nested selection, which take longer.

    rows: one for each point, in their order; returns (n, points), over cash.

    Raises ValueError where no variant ever traded.
    """
    columns = [axis.column for axis in axes]
    groups = _groups(rows, columns)
    single = all(len(group) == 1 for group in groups)
    order = np.concatenate(groups)
    means = returns[:, order] if single else np.column_stack([returns[:, g].mean(axis=1) for g in groups])
    half = len(returns) // 2
    sharpe = sharpe_columns(means, bars_per_year)
    firsts = [int(group[0]) for group in groups]
    variants = rows.iloc[firsts][columns].reset_index(drop=True)
    variants["sharpe"] = sharpe
    spread = [float(rows["sharpe"].iloc[g].std(ddof=1)) if len(g) > 1 else np.nan for g in groups]
    variants["sharpe_sd"], variants["seeds"] = spread, [len(group) for group in groups]
    variants["first_half"] = sharpe_columns(means[:half], bars_per_year)
    variants["second_half"] = sharpe_columns(means[half:], bars_per_year)
    if np.isnan(sharpe).all():
        raise ValueError("no point of the sweep ever traded, so there is no best one")
    winner = int(np.nanargmax(sharpe))
    coordinates = [coordinates_of(variants[name]) for name in columns]
    return Judgement(variants, means, firsts, winner, plateau(coordinates, sharpe, winner))


def coordinates_of(texts: pd.Series) -> np.ndarray:
    """The values of an axis as numbers; as text where one of them is no number."""
    numbers = np.array([number_of(text) for text in texts])
    return texts.to_numpy(str) if np.isnan(numbers).any() else numbers


def _groups(rows: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """The positions of the points of each variant, in the order of their first points."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for position, values in enumerate(rows[list(columns)].itertuples(index=False, name=None)):
        groups.setdefault(values, []).append(position)
    return [np.array(group) for group in groups.values()]
