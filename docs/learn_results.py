"""What each predictor of docs/learn was worth: real runs on the same bars, as the table that stands in its page."""

from __future__ import annotations

from rollcast import Request, Result
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.sheet.words import number, percent

SINCE = "1997-01-13"  # the first date on which a net that trains on 1,000 bars of SPY has a forecast
PAGES = {
    "1-averages": ("sma", "ema"),
    "2-kalman-filter": ("kalman", "kalman-trend", "kalman-mle"),
    "3-least-squares": ("ols", "ols-features"),
    "4-recurrent-nets": ("rnn",),
    "6-lstm": ("lstm",),
    "7-variants": ("lstm", "bilstm", "stacked-lstm", "attention-lstm"),
}
START = {"7-variants": "2012"}  # the first bar, of a page whose nets train for minutes
MARKS = "<!-- results -->", "<!-- /results -->"
HEAD = """| SPY, {first} to {last} | growth a year | Sharpe ratio | largest loss | trades | R² | IC | verdict |
|---|---|---|---|---|---|---|---|"""


def judged(name: str, page: str) -> Result:
    """The run of `backtest --predictor NAME` on the bars of a page with its evidence, as the only trial."""
    request = Request(name, start=START[page]) if page in START else Request(name, since=SINCE)
    return with_evidence(request.run(), *request.rule(), request.account)


def row(name: str, result: Result) -> str:
    """The line of a result in the table."""
    skill = result.metrics["forecast"]
    return _line(
        f"`{name}`",
        result.metrics["strategy"],
        percent(skill["r2"], 2),
        number(skill["ic"], 3),
        result.metrics["conclusion"],
    )


def table(results: dict[str, Result]) -> str:
    """The table of these runs, with buying and holding on the same bars below."""
    last = list(results.values())[-1]
    head = HEAD.format(first=f"{last.equity.index[0]:%Y-%m-%d}", last=f"{last.equity.index[-1]:%Y-%m-%d}")
    rows = [row(name, result) for name, result in results.items()]
    return "\n".join([head, *rows, _line("buy and hold", last.metrics["benchmark"], "", "", "")])


def filled(page: str, results: dict[str, Result]) -> str:
    """The text of a page with the table between its two marks."""
    before, _, rest = page.partition(MARKS[0])
    return f"{before}{MARKS[0]}\n\n{table(results)}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}"


def _line(name: str, scores: dict[str, float], r2: str, ic: str, verdict: str) -> str:
    cells = (name, percent(scores["cagr"]), number(scores["sharpe"]), percent(scores["max_drawdown"]))
    return f"| {' | '.join((*cells, number(scores['trades'], 0), r2, ic, verdict))} |".replace("\u202f", " ")
