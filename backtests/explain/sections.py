"""Which sections explain which predictor, and the page that they make."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.kalman import KalmanMLE, LocalLevel, LocalLinearTrend
from ...predictors.ols import OLSFeatures
from ...predictors.recurrent.learner import Recurrent
from ..sheet.words import percent
from .linear_sections import coefficients_section, filter_section, weights_section
from .page import Section, write_page
from .permutation import PARTS, REFITS, importance

UNFITTED = 1000  # bars on which a predictor without a fit is explained


def write_explanation(folder: Path, model: Predictor, bars: pd.DataFrame, *, title: str) -> None:
    """Explains a predictor on the last of these bars; writes tables, figures and `explain.html` into a folder.

    A learner is fitted on the last `train` bars, as its `WalkForward` says. Raises ValueError where there are too few.
    """
    if isinstance(model, WalkForward):
        last = replace(model, every=1).windows(bars)[-1].training
        shown: Predictor | Learner = model.learner
        fitted = "Fitted on {}: the last window, all of which it has seen."
    else:
        last, shown, fitted = bars.iloc[-UNFITTED:], model, "On {}."
    span = f"{len(last):,} bars, {last.index[0]:%Y-%m-%d} to {last.index[-1]:%Y-%m-%d}"
    facts = (
        f"{fitted.format(span)} What explains a forecast does not make it right; for that, backtest it.",
        ", ".join(f"{field.name}={_shown(getattr(shown, field.name))}" for field in fields(shown)),  # type: ignore[arg-type]
    )
    write_page(folder, f"Inside {title}", facts, sections_of(model, bars, last))


def sections_of(model: Predictor, bars: pd.DataFrame, last: pd.DataFrame) -> list[Section]:
    """What there is to say about a predictor; `last` are the bars that a learner is fitted on."""
    if not isinstance(model, WalkForward):
        sections = [weights_section(model, last)]
        return (
            [*sections, filter_section(model, last)] if isinstance(model, LocalLevel | LocalLinearTrend) else sections
        )
    sections = []
    if isinstance(model.learner, Recurrent):
        # Here, because it imports torch and matplotlib.
        from .net_sections import net_sections

        sections = net_sections(model.learner, last)
    elif isinstance(model.learner, KalmanMLE):
        fitted = replace(model.learner).fit(last)
        sections = [weights_section(fitted, last), filter_section(fitted, last)]
    elif isinstance(model.learner, OLSFeatures):
        sections = [coefficients_section(model, bars)]
    return [*sections, importance_section(model, bars)]


def importance_section(model: WalkForward, bars: pd.DataFrame) -> Section:
    """What is lost when a part of the bars is shuffled."""
    table = importance(model, bars)
    rows = tuple(
        (f"{part}: {PARTS[part]}", percent(row["moved"], 0), percent(row["r2"], 2), percent(row["r2_error"], 2))
        for part, row in ((str(part), row) for part, row in table.iterrows())
    )
    head = ("part of a bar", "forecasts moved by", "R² lost", "standard error")
    reading = (
        f"One part of every bar is shuffled, and the last {REFITS} refits forecast their blocks anew. Forecasts that "
        "move use that part. Where R² is lost, the part helped; where the loss is negative, it did harm."
    )
    title = "What it uses of the bars"
    return Section("importance", title, reading, head=head, rows=rows, tables={"importance": table})


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
