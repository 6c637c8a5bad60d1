"""A result as a notebook shows it: headline, answers, a small table, and the equity as a line, without scripts."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from ..json_values import Record, number

WIDTH, HEIGHT, POINTS = 560, 150, 280  # units of the chart, and points of a line
# Readable on white and on black alike.
COLOURS = {"yes": "#2da44e", "no": "#e5534b", "unclear": "#bf8700", "untested": "#8b949e"}
LINES = {"equity": "#2f81f7", "benchmark": "#bf8700"}
ROWS = (
    ("Total return", "total_return", "{:,.1%}"),
    ("CAGR", "cagr", "{:.2%}"),
    ("Sharpe ratio", "sharpe", "{:.2f}"),
    ("Largest loss", "max_drawdown", "{:.1%}"),
    ("Trades", "trades", "{:,}"),
)
NO_VERDICT = (
    "No verdict: <code>run</code> gathers no evidence. <code>workspace.backtest</code> of "
    "<code>rollcast.backtests.workspace</code> does, and counts the trial."
)


def as_html(recipe: Record, metrics: Record, history: pd.DataFrame) -> str:
    """The parts of a `Result` as HTML that can stand in any page, all text escaped."""
    window, predictor = recipe["evaluation"], recipe["predictor"]
    name = predictor.get("learner", predictor)["class"]
    what = f"{name} · {recipe['strategy']['class']} · {recipe['symbol']}"
    when = f"{window['first']:%Y-%m-%d} to {window['last']:%Y-%m-%d}, {window['bars']:,} bars"
    parts = [f"<p><b>{escape(what)}</b><br><small>{escape(when)}</small></p>", _verdict(metrics)]
    return f'<div style="max-width:{WIDTH}px">{"".join([*parts, _chart(history), _table(metrics)])}</div>'


def _verdict(metrics: Record) -> str:
    if "verdict" not in metrics:
        return f"<p>{NO_VERDICT}</p>"
    answers = (
        f'<li title="{escape(entry["sentence"])}">{escape(entry["question"])} '
        f'<b style="color:{COLOURS[entry["answer"]]}">{entry["answer"]}</b></li>'
        for entry in metrics["verdict"]
    )
    return f"<p><b>{escape(metrics['conclusion'])}</b></p><ul>{''.join(answers)}</ul>"


def _table(metrics: Record) -> str:
    rows = [
        f"<tr><td>{title}</td>{''.join(_cell(metrics[who][key], form) for who in ('strategy', 'benchmark'))}</tr>"
        for title, key, form in ROWS
    ]
    head = "<tr><th></th><th>strategy</th><th>buy &amp; hold</th></tr>"
    return f'<table style="color:inherit">{head}{"".join(rows)}</table>'


def _cell(value: float | None, form: str) -> str:
    return f'<td style="text-align:right">{"–" if np.isnan(number(value)) else form.format(value)}</td>'


def _chart(history: pd.DataFrame) -> str:
    """Growth of the account and of buying and holding, on one logarithmic scale."""
    at = np.unique(np.linspace(0, len(history) - 1, POINTS).astype(int))
    values = history[[*LINES]].iloc[at].to_numpy(float)
    growth = np.log(np.maximum(values / values[0], 1e-3))
    low, high = growth.min(), growth.max()
    x = at / max(at[-1], 1) * WIDTH
    y = HEIGHT - (growth - low) / max(high - low, 1e-12) * HEIGHT
    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" '
        f'points="{" ".join(f"{u:.1f},{v:.1f}" for u, v in zip(x, y[:, k], strict=True))}"/>'
        for k, colour in enumerate(LINES.values())
    )
    ends = np.exp(growth[-1])
    words = f"strategy {ends[0]:.2f} ×, buy and hold {ends[1]:.2f} ×, logarithmic"
    legend = (
        f'<small><span style="color:{LINES["equity"]}">strategy {ends[0]:.2f} ×</span> · '
        f'<span style="color:{LINES["benchmark"]}">buy and hold {ends[1]:.2f} ×</span> · logarithmic</small>'
    )
    box = f'viewBox="0 -2 {WIDTH} {HEIGHT + 4}" style="width:100%" role="img" aria-label="{words}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{lines}</svg>{legend}'
