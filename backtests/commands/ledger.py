"""`cli.py ledger`: the recorded runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .option_values import date
from .options import OUT
from .output import JSON, print_notes

if TYPE_CHECKING:
    import pandas as pd


@click.group()
def ledger() -> None:
    """The recorded runs: what was tried, and how often."""


@ledger.command(name="list")
@click.option("--symbol", help="Only of this symbol.")
@click.option("--predictor", "-P", metavar="NAME|FILE", help="Only of this predictor.")
@click.option("--strategy", "-S", metavar="NAME|FILE", help="Only of this strategy.")
@click.option("--since", metavar="DATE", callback=date, help="Only runs recorded from this date on, in UTC.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List at most so many runs.")
@click.option("--sort", type=click.Choice(["created", "sharpe", "cagr"]), default="created", show_default=True)
@JSON
@OUT
def list_runs(out: Path, as_json: bool, **filters: Any) -> None:
    """List the recorded runs, newest first, and the number of trials that the first of them is one of."""
    from ..ledger.book import Book

    book = Book.of(out)
    book.check()
    runs = book.ledger.runs(**filters)
    sound = runs[~runs["damaged"]]
    counted = book.trials(book.ledger.row(int(sound.index[0]))) if len(sound) else None
    if as_json:
        rows = json.loads(runs.reset_index().to_json(orient="records", double_precision=15))
        trials = counted and {"run": int(sound.index[0]), "count": counted.trials.count, "notes": counted.notes}
        click.echo(json.dumps({"runs": rows, "trials": trials}, indent=2))
    elif runs.empty:
        filtered = any(filters[name] for name in ("symbol", "predictor", "strategy", "since"))
        click.echo(f"No run {'like that ' if filtered else ''}is recorded in {book.ledger.path}")
    else:
        _print_runs(runs)
    if counted and not as_json:
        number = sound.index[0]
        count = f"{counted.trials.count:,} (`ledger trials {number}`)"
        click.echo(f"\nTrials on the market and dates of run {number}: {count}")
        print_notes(counted.notes)


@ledger.command(name="trials")
@click.argument("number", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@OUT
def list_trials(number: int, out: Path, as_json: bool) -> None:
    """List the trials that a run is one of: all on the same market and dates, in any workspace."""
    from ..json_values import plain
    from ..ledger.book import Book
    from ..ledger.ledger import SHOWN

    book = Book.of(out)
    book.check()
    counted = book.trials(book.ledger.row(number))
    if as_json:
        trials = [{name: plain(row.get(name)) for name in SHOWN} for row in counted.listed()]
        click.echo(json.dumps({"count": counted.trials.count, "trials": trials, "notes": counted.notes}, indent=2))
        return
    rows = [
        (
            run["created"][:16].replace("T", " "),
            run["symbol"],
            _cut(f"{run['predictor']} {run['predictor_parameters']}".strip(), 36),
            _cut(f"{run['strategy']} {run['strategy_parameters']}".strip(), 36),
            _number(run["sharpe"], ".2f"),
            run["workspace"],
        )
        for run in counted.listed()
    ]
    _print_table(("created", "symbol", "predictor", "strategy", "Sharpe", "workspace"), rows, {"Sharpe"})
    effective = f"{counted.trials.effective:.1f} of them unlike, " if counted.trials.count > 1 else ""
    click.echo(f"\nTrials: {counted.trials.count:,}, {effective}in {counted.trials.runs:,} runs")
    print_notes(counted.notes)


@ledger.command(name="show")
@click.argument("number", metavar="ID", type=int)
@JSON
@OUT
def show_run(number: int, out: Path, as_json: bool) -> None:
    """Show everything that the ledger records of a run."""
    from ..ledger.database import NAME
    from ..ledger.ledger import Ledger

    run = Ledger(out / NAME).run(number)
    if as_json:
        click.echo(json.dumps(run, indent=2))
        return
    recipe = run.pop("recipe")
    for name, value in run.items():
        shown = "-" if value is None or value == "" else f"{value:.6g}" if isinstance(value, float) else value
        click.echo(f"{name:<22}{shown}")
    click.echo(f"recipe\n{json.dumps(recipe, indent=2)}")


@ledger.command(name="export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@OUT
def export_runs(file: Path, out: Path) -> None:
    """Write every recorded run, with its recipe, to FILE: .csv, .json or .parquet."""
    from ..ledger.database import NAME
    from ..ledger.ledger import Ledger

    count = Ledger(out / NAME).export(file)
    click.echo(f"wrote {count:,} run{'s' * (count != 1)} to {file}")


def _print_runs(runs: pd.DataFrame) -> None:
    """An aligned table of the recorded runs, numbers to the right."""
    titles = ("id", "created", "symbol", "from", "to", "predictor", "strategy", "Sharpe", "CAGR", "drawdown", "")
    right = {"id", "Sharpe", "CAGR", "drawdown"}
    rows = [
        (
            *(str(number), run["created"][:16].replace("T", " "), run["symbol"], run["first"][:10], run["last"][:10]),
            _cut(f"{run['predictor']} {run['predictor_parameters']}".strip(), 36),
            run["strategy"],
            *(_number(run[name], form) for name, form in (("sharpe", ".2f"), ("cagr", ".1%"), ("max_drawdown", ".1%"))),
            ", ".join(
                ["damaged"] * run["damaged"] + ["looks ahead"] * (not run["passed"]) + ["folder gone"] * run["gone"]
            ),
        )
        for number, run in runs.iterrows()
    ]
    _print_table(titles, rows, right)


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
    """An aligned table; columns to the right by their titles, what looks ahead or is damaged in red."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (f"{c:>{w}}" if t in right else f"{c:<{w}}" for t, c, w in zip(titles, row, widths, strict=True))
        colour = "red" if row[-1].startswith(("looks", "damaged")) else None
        click.secho("  ".join(cells).rstrip(), bold=row is titles, fg=colour)


def _number(value: float | None, form: str) -> str:
    """A number in this format; a dash for a missing one."""
    return "-" if value is None or value != value else format(value, form)


def _cut(text: str, width: int) -> str:
    """A text of at most this many letters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
