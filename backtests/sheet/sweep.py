"""The page of a sweep: the surface of its parameters, how overfitted its winner is, and what choosing it was worth."""

from __future__ import annotations

from functools import partial
from os.path import relpath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.atomic import write_whole
from rollcast.backtests.sheet.index import SHEET
from rollcast.backtests.sheet.page import render
from rollcast.backtests.sheet.surface import surfaces
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, log_ticks, number_ticks, spanned, wide
from rollcast.backtests.sheet.words import basis_points, number, percent, probability, text
from rollcast.backtests.sweep.judgement import coordinates_of
from rollcast.backtests.sweep.nested import Nested
from rollcast.backtests.sweep.result import SweepResult

PAGE = "sweep.html"
MOST_DOTS, MOST_ROWS = 600, 25


def write_sweep(swept: SweepResult) -> Path:
    """Writes sweep.html into the sweep's folder; returns it."""
    page = swept.folder / PAGE
    write_whole(page, render("sweep.html", **context(swept)).encode())
    return page


def context(swept: SweepResult) -> dict[str, Any]:
    """What the template shows."""
    found, asked = swept.judgement, swept.sweep
    numbers = found.as_dict(swept.bars_per_year)
    sections = [("surface", "Surface"), ("overfitting", "Overfitting"), ("nested", "Nested"), ("best", "Best points")]
    names = (Path(asked.base.predictor).stem, asked.base.strategy, asked.base.symbol)
    return {
        "title": " · ".join((f"{len(swept.rows):,} points", *names)),
        "nav": [*(s for s in sections if s[0] in ("surface", "best") or numbers.get(s[0])), ("recipe", "Recipe")],
        "window": swept.index,
        "numbers": numbers,
        "conclusion": conclusion(swept),
        "items": _tiles(swept, numbers),
        "surfaces": surfaces(swept),
        "scatters": _scatters(swept),
        "nested": _nested(found.nested, swept) if found.nested else None,
        "best": _best(swept),
        "sheet": Path(relpath(swept.winner.folder / SHEET, swept.folder)).as_posix(),
        "winner": swept.winner,
        "axes": asked.axes,
        "gated": int(swept.rows["gated"].sum()),
        "all": len(swept.rows),
        "engine": swept.rows["engine"].iloc[0],
        "ruined": int(swept.rows["ruined"].sum()),
        "command": asked.command(),
        "stamp": swept.rows["created"].max(),
    }


def conclusion(swept: SweepResult) -> str:
    """The page's one sentence: what a reader should make of the winner."""
    found, point = swept.judgement, text(swept.winner.point)
    worries = []
    pbo = found.overfitting.pbo if found.overfitting else 0.0
    if pbo >= 0.1:
        worries.append(f"chosen on half of the bars, it came to the middle or below {percent(pbo, 0)} of the time")
    if found.plateau.word == "lonely peak":
        worries.append("it is a lonely peak")
    dsr = swept.winner.luck["dsr_all"]
    if dsr == dsr and dsr < 0.95:
        worries.append(f"with all trials counted it beats luck with a probability of only {percent(dsr, 0)}")
    if not worries:
        return f"{point} stands up to having been chosen from {len(found.variants):,}."
    return f"{point} looks best, but {'; '.join(worries)}."


def _tiles(swept: SweepResult, numbers: dict[str, Any]) -> list[dict[str, str]]:
    found, luck = swept.judgement, swept.winner.luck
    counted = f"{probability(luck['dsr_all'])} with all {luck['trials']:,} counted"
    around = f"score {number(found.plateau.score)} of {len(found.plateau.neighbours)} neighbours"
    tiles = [
        ("Best Sharpe", number(numbers["winner"]["sharpe"]), f"median of all {number(numbers['median_sharpe'])}"),
        ("Deflated Sharpe", probability(luck["dsr"]), counted),
        ("Around it", found.plateau.word, around),
    ]
    if o := found.overfitting:
        tiles.append(("Overfitting", percent(o.pbo, 0), f"over {len(o.logits):,} splits"))
    if found.nested:
        scores = found.nested.scores
        note = f"winner in hindsight {number(scores['winner']['sharpe'])}, holding {number(scores['hold']['sharpe'])}"
        tiles.append(("Chosen on the past", number(scores["nested"]["sharpe"]), note))
    return [{"name": name, "value": value, "note": note} for name, value, note in tiles]


def _scatters(swept: SweepResult) -> list[Chart]:
    """In-sample against out-of-sample: over the splits, and over the variants between the two halves."""
    found, yearly = swept.judgement, np.sqrt(swept.bars_per_year)
    if found.overfitting is None:
        return []
    o, variants = found.overfitting, found.variants
    shown = np.linspace(0, len(o.in_sample) - 1, min(MOST_DOTS, len(o.in_sample))).astype(int)
    x, y = o.in_sample[shown] * yearly, o.out_of_sample[shown] * yearly
    splits = _frame(x, y).dots(x, y)
    line = np.array([x.min(), x.max()])
    if o.slope == o.slope:
        splits.line(line, o.intercept * yearly + o.slope * line, "hold")
    halves = variants.iloc[np.unique(np.linspace(0, len(variants) - 1, min(MOST_DOTS, len(variants))).astype(int))]
    a, b = halves["first_half"].to_numpy(), halves["second_half"].to_numpy()
    first = variants.iloc[int(np.nanargmax(variants["first_half"]))] if variants["first_half"].notna().any() else None
    between = _frame(a, b).dots(a, b, [_named(row) for row in halves.to_dict("records")])
    if first is not None:
        between.dots([first["first_half"]], [first["second_half"]], ["best of the first half"], "bad")
    return [
        splits.chart(
            "splits",
            "Best in sample, and what it was worth out of sample",
            f"A dot a split: across, the best Sharpe ratio on one half of the blocks; up, the same variant's on the "
            f"other half. The slope is {number(o.slope)}; about −1 comes of halving one history alone.",
            f"Slope {number(o.slope)}, R² {number(o.r2)}",
            x_title="Sharpe ratio in sample",
            legend=(("regression", "hold"),),
        ),
        between.chart(
            "halves",
            "First half against second half",
            "A dot a variant, its Sharpe ratio in both halves of the bars. Red: the best of the first half.",
            "Sharpe ratios of variants in the two halves",
            x_title="Sharpe ratio in the first half",
        ),
    ]  # fmt: skip


def _frame(x: np.ndarray, y: np.ndarray) -> Plot:
    """Axes of a scatter, with both at zero marked where they are seen."""
    across = spanned(x)
    plot = Plot(across, spanned(y), number_ticks(*across, 2), lambda value: number(value, 2), height=280)
    return plot.rule(y=0.0).rule(x=0.0)


def _named(row: dict[str, Any]) -> str:
    return " ".join(f"{name[2:]}={text}" for name, text in row.items() if name[1:2] == ".")


def _nested(nested: Nested, swept: SweepResult) -> dict[str, Any]:
    """The equity of choosing on the past beside the winner's and holding, and what was chosen when."""
    names = {"nested": "chosen on the past", "winner": "winner in hindsight", "hold": "buy and hold"}
    scores = [
        (title, *(write(nested.scores[key][name]) for name, write in _SCORES.values())) for key, title in names.items()
    ]
    return {
        "equity": wide(lambda width: _curves(nested, width)),
        "chosen": [wide(partial(_choices, nested, swept, axis)) for axis in swept.sweep.axes[:2]],
        "head": ["", *_SCORES],
        "rows": scores,
        "switches": nested.switches,
        "choices": len(nested.choices),
    }


_SCORES: dict[str, tuple[str, Any]] = {
    "Sharpe": ("sharpe", number),
    "CAGR": ("cagr", percent),
    "Volatility": ("volatility", percent),
    "Drawdown": ("max_drawdown", percent),
}


def _curves(nested: Nested, width: float) -> Chart:
    growth = np.log10(nested.equity / nested.equity.iloc[0])
    index = pd.DatetimeIndex(growth.index)
    low, high = spanned(growth)
    roomy = width > 500
    plot = Plot(
        (0, len(index) - 1),
        (low, high),
        date_ticks(index, 6 if roomy else 4),
        lambda value: f"{number(10**value, 1)} ×",
        width,
        300 if roomy else 220,
        log_ticks(low, high),
    )
    at = np.arange(len(index))
    plot.line(at, growth["hold"], "hold").line(at, growth["winner"], "third", "faint").line(at, growth["nested"])
    ends = ", ".join(f"{name} {percent(10 ** growth[name].iloc[-1] - 1, 0)}" for name in growth)
    return plot.chart(
        "nested-equity",
        "Growth, on a logarithmic axis",
        "The dashed line was chosen with the whole of these bars in view; the full one never with a later bar.",
        f"Total returns: {ends}",
        legend=(("chosen on the past", "accent"), ("winner in hindsight", "third"), ("buy and hold", "hold")),
    )


def _choices(nested: Nested, swept: SweepResult, axis: Any, width: float) -> Chart:
    """The chosen value of an axis over time; words by their place in the alphabet."""
    values = coordinates_of(swept.judgement.variants[axis.column])
    words = None if values.dtype.kind == "f" else sorted(set(values))
    numbers = values if words is None else np.searchsorted(words, values).astype(float)
    chosen = numbers[nested.choices["variant"].to_numpy(int)]
    dates = pd.DatetimeIndex(nested.choices["date"])
    plot = Plot(
        (0, max(len(dates) - 1, 1)),
        spanned(numbers),
        date_ticks(dates, 6 if width > 500 else 4) if len(dates) > 1 else (),
        lambda value: f"{value:g}" if words is None else words[int(value)],
        width,
        160,
        () if words is None else [float(k) for k in range(len(words))],
    )
    plot.line(np.arange(len(dates)).repeat(2)[1:], chosen.repeat(2)[:-1])
    title = f"{axis.name} chosen"
    return plot.chart(f"chosen-{axis.column}", title, "Restless choices are choices of noise.", title)


def _best(swept: SweepResult) -> dict[str, Any]:
    """The best points as a table."""
    rows = swept.rows.nlargest(MOST_ROWS, "sharpe")
    seeds = (rows["seed"] >= 0).any()
    head = [*(axis.name for axis in swept.sweep.axes), *(["seed"] if seeds else []), "Sharpe", "CAGR", "Drawdown",
            "Turnover", "In market", "Cost a year"]  # fmt: skip
    return {
        "head": head,
        "rows": [
            [
                *(row[axis.column] for axis in swept.sweep.axes),
                *([row["seed"]] if seeds else []),
                *(number(row["sharpe"], 3), percent(row["cagr"]), percent(row["max_drawdown"])),
                *(number(row["turnover"], 1), percent(row["time_in_market"], 0), basis_points(row["cost_bps"])),
            ]
            for row in rows.to_dict("records")
        ],
    }
