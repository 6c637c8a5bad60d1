"""The page of a sweep: the surface of its parameters, how overfitted its winner is, and what choosing it was worth.

Drawn from a finished sweep alone: its points (rows), its variants (points with their seeds taken together), the splits
of the test of overfitting, and the nested selection. Sharpe ratios are a year.
"""

from __future__ import annotations

from collections.abc import Callable
from os.path import relpath
from pathlib import Path

import numpy as np
import pandas as pd

from ..atomic import write_whole
from ..digests import seal
from ..evidence.power import SURE
from ..sweep.axes import Axis
from ..sweep.nested import Nested
from ..sweep.pbo import Overfitting
from ..sweep.result import SweepResult
from .index import SHEET
from .page import render
from .scales import number_ticks, padded_range
from .surface import surfaces
from .svg import WIDTH, Chart, Plot, dated_plot, growth_plot, wide_chart
from .values import Context, Format, Metrics, Tile
from .words import basis_points, number, percent, probability, text

PAGE = "sweep.html"
MOST_DOTS, MOST_ROWS = 600, 25

# Heading of a column of the nested selection's table → key of the score, and how it is written.
_SCORES: dict[str, tuple[str, Format]] = {
    "Sharpe": ("sharpe", number),
    "CAGR": ("cagr", percent),
    "Volatility": ("volatility", percent),
    "Drawdown": ("max_drawdown", percent),
}
# Heading of a column of the best points → the same.
_COLUMNS: dict[str, tuple[str, Format]] = {
    "Sharpe": ("sharpe", lambda value: number(value, 3)),
    "CAGR": ("cagr", percent),
    "Drawdown": ("max_drawdown", percent),
    "Turnover": ("turnover", lambda value: number(value, 1)),
    "In market": ("time_in_market", lambda value: percent(value, 0)),
    "Cost a year": ("cost_bps", basis_points),
}


def write_sweep(result: SweepResult) -> Path:
    """Writes sweep.html into the sweep's folder, over an older one; returns it.

    Raises OSError where the folder cannot be written to.
    """
    page = result.folder / PAGE
    write_whole(page, render("sweep.html", context(result)).encode())
    files = (path for ending in ("json", "parquet", "html") for path in result.folder.glob(f"*.{ending}"))
    seal(result.folder, [path.name for path in files])
    return page


def context(result: SweepResult) -> Context:
    """The variables of the template."""
    judgement, sweep, rows = result.judgement, result.sweep, result.rows
    numbers = judgement.as_dict(result.bars_per_year)
    sections = [("surface", "Surface"), ("overfitting", "Overfitting"), ("nested", "Nested"), ("best", "Best points")]
    names = (Path(sweep.base.predictor).stem, sweep.base.strategy, sweep.base.symbol)
    return {
        "title": " · ".join((f"{len(rows):,} points", *names)),
        "nav": [*(s for s in sections if s[0] in ("surface", "best") or numbers.get(s[0])), ("recipe", "Recipe")],
        "window": result.index,
        "numbers": numbers,
        "conclusion": conclusion(result),
        "tiles": _tiles(result, numbers),
        "surfaces": surfaces(result),
        "scatters": _scatters(result, judgement.overfitting) if judgement.overfitting else [],
        "nested": _nested(judgement.nested, result) if judgement.nested else None,
        "best": _best(result),
        "sheet": Path(relpath(result.winner.folder / SHEET, result.folder)).as_posix(),
        "winner": result.winner,
        "points": len(rows),
        "gated": int(rows["gated"].sum()),
        "ruined": int(rows["ruined"].sum()),
        "engine": rows["engine"].iloc[0],
        "command": sweep.command(),
        "stamp": rows["created"].max(),
    }


def conclusion(result: SweepResult) -> str:
    """The page's one sentence: what a reader should make of the winner."""
    judgement, point = result.judgement, text(result.winner.point)
    doubts = []
    pbo = judgement.overfitting.pbo if judgement.overfitting else 0.0
    if pbo >= 0.1:
        doubts.append(f"chosen on half of the bars, it came to the middle or below {percent(pbo, 0)} of the time")
    if judgement.plateau.word == "lonely peak":
        doubts.append("it is a lonely peak")
    luck = result.winner.luck
    if luck["p_best"] >= 1 - SURE:
        chance = probability(luck["p_best"])
        doubts.append(f"the best of {luck['trials']:,} without skill shows as much with a probability of {chance}")
    elif np.isnan(luck["p_best"]):
        doubts.append("it earned nothing beyond its exposure to the market that could be tested")
    if not doubts:
        return f"{point} stands up to having been chosen from {len(judgement.variants):,}."
    return f"{point} looks best, but {'; '.join(doubts)}."


def _tiles(result: SweepResult, numbers: Metrics) -> list[Tile]:
    judgement, luck = result.judgement, result.winner.luck
    plateau, test, nested = judgement.plateau, judgement.overfitting, judgement.nested
    trials = f"that the best of {luck['trials']:,} shows as much; deflated Sharpe {probability(luck['dsr'])}"
    neighbours = f"score {number(plateau.score)} of {len(plateau.neighbours)} neighbours"
    tiles = [
        Tile("Best Sharpe", number(numbers["winner"]["sharpe"]), f"median of all {number(numbers['median_sharpe'])}"),
        Tile("Chance by luck", probability(luck["p_best"]), trials),
        Tile("Around it", plateau.word, neighbours),
    ]
    if test:
        tiles.append(Tile("Overfitting", percent(test.pbo, 0), f"over {len(test.logits):,} splits"))
    if nested:
        selection, winner, hold = (number(nested.scores[key]["sharpe"]) for key in ("nested", "winner", "hold"))
        tiles.append(Tile("Chosen on the past", selection, f"winner in hindsight {winner}, holding {hold}"))
    return tiles


def _scatters(result: SweepResult, test: Overfitting) -> list[Chart]:
    """In-sample against out-of-sample: over the splits, and over the variants between the two halves."""
    return [_splits(test, float(np.sqrt(result.bars_per_year))), _halves(result.judgement.variants)]


def _splits(test: Overfitting, yearly: float) -> Chart:
    """A dot for each split: the best Sharpe ratio in sample, and that of the same variant out of sample."""
    places = np.linspace(0, len(test.in_sample) - 1, min(MOST_DOTS, len(test.in_sample))).astype(int)
    x, y = test.in_sample[places] * yearly, test.out_of_sample[places] * yearly
    plot = _scatter(x, y).dots(x, y)
    ends = np.array([x.min(), x.max()])
    if test.slope == test.slope:
        plot.line(ends, test.intercept * yearly + test.slope * ends, "hold")
    return plot.chart(
        "splits",
        "Best in sample, and what it was worth out of sample",
        f"A dot a split: across, the best Sharpe ratio on one half of the blocks; up, the same variant's on the "
        f"other half. The slope is {number(test.slope)}; about −1 comes of halving one history alone.",
        f"Slope {number(test.slope)}, R² {number(test.r2)}",
        "Sharpe ratio in sample",
        (("regression", "hold"),),
    )


def _halves(variants: pd.DataFrame) -> Chart:
    """A dot for each variant: its Sharpe ratio in the first half of the bars, and in the second."""
    places = np.unique(np.linspace(0, len(variants) - 1, min(MOST_DOTS, len(variants))).astype(int))
    x, y = (variants[half].iloc[places].to_numpy() for half in ("first_half", "second_half"))
    plot = _scatter(x, y).dots(x, y, [_parameters(row) for row in variants.iloc[places].to_dict("records")])
    if variants["first_half"].notna().any():
        best = variants.iloc[int(np.nanargmax(variants["first_half"]))]
        plot.dots([best["first_half"]], [best["second_half"]], ["best of the first half"], "bad")
    return plot.chart(
        "halves",
        "First half against second half",
        "A dot a variant, its Sharpe ratio in both halves of the bars. Red: the best of the first half.",
        "Sharpe ratios of variants in the two halves",
        "Sharpe ratio in the first half",
    )


def _scatter(x: np.ndarray, y: np.ndarray) -> Plot:
    """The frame of a scatter plot, with a rule at each zero that lies in it."""
    across = padded_range(x)
    plot = Plot(across, padded_range(y), number_ticks(*across, 2), lambda value: number(value, 2), height=280)
    return plot.rule(y=0.0).rule(x=0.0)


def _parameters(variant: Metrics) -> str:
    """Its values of the axes, whose columns are `p.name`, `w.name` and `s.name`, as `name=value …`."""
    return " ".join(f"{name[2:]}={value}" for name, value in variant.items() if name[1:2] == ".")


def _nested(nested: Nested, result: SweepResult) -> Context:
    """The equity of choosing on the past beside the winner's and holding, and what was chosen when."""
    names = {"nested": "chosen on the past", "winner": "winner in hindsight", "hold": "buy and hold"}
    return {
        "equity": wide_chart(_equity, nested),
        "choices": [wide_chart(_choices, nested, result, axis) for axis in result.sweep.axes[:2]],
        "head": ["", *_SCORES],
        "rows": [
            (title, *(write(nested.scores[key][name]) for name, write in _SCORES.values()))
            for key, title in names.items()
        ],
        "switches": nested.switches,
        "choice_count": len(nested.choices),
    }


def _equity(nested: Nested, width: float) -> Chart:
    growth = np.log10(nested.equity / nested.equity.iloc[0])
    plot = growth_plot(growth.index, padded_range(growth), width, 300, digits=1)
    plot.curve(growth["hold"], "hold").curve(growth["winner"], "third", "faint").curve(growth["nested"])
    ends = ", ".join(f"{name} {percent(10 ** growth[name].iloc[-1] - 1, 0)}" for name in growth)
    return plot.chart(
        "nested-equity",
        "Growth, on a logarithmic axis",
        "The dashed line was chosen with the whole of these bars in view; the full one never with a later bar.",
        f"Total returns: {ends}",
        legend=(("chosen on the past", "accent"), ("winner in hindsight", "third"), ("buy and hold", "hold")),
    )


def _choices(nested: Nested, result: SweepResult, axis: Axis, width: float) -> Chart:
    """The chosen value of an axis over time; words by their place in the alphabet."""
    values = result.judgement.coordinates(axis.column)
    words = None if values.dtype.kind == "f" else sorted(set(values))
    numbers = values if words is None else np.searchsorted(words, values).astype(float)
    choices = numbers[nested.choices["variant"].to_numpy(int)]
    plot = dated_plot(
        nested.choices["date"],
        padded_range(numbers),
        lambda value: f"{value:g}" if words is None else words[int(value)],
        width,
        160,
        () if words is None else [float(k) for k in range(len(words))],
        6 if width > WIDTH else 4,
    )
    # A step at each choice: every value but the last twice, at its own place and at the next.
    plot.line(np.arange(len(choices)).repeat(2)[1:], choices.repeat(2)[:-1])
    title = f"{axis.name} chosen"
    return plot.chart(f"chosen-{axis.column}", title, "Restless choices are choices of noise.", title)


def _best(result: SweepResult) -> Context:
    """The best points as a table."""
    rows = result.rows.nlargest(MOST_ROWS, "sharpe")
    columns: list[tuple[str, str, Callable[..., str]]] = [(axis.name, axis.column, str) for axis in result.sweep.axes]
    if (rows["seed"] >= 0).any():
        columns.append(("seed", "seed", str))
    table = [*columns, *((heading, *column) for heading, column in _COLUMNS.items())]
    return {
        "head": [heading for heading, _, _ in table],
        "rows": [[write(row[key]) for _, key, write in table] for row in rows.to_dict("records")],
    }
