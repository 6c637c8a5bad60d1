"""`cli.py sweep`: many parameter values, and the evidence for the best of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .option_values import Command
from .options import PREDICTOR, one_name, request_of, run_options
from .output import JSON, OPEN, QUIET, open_in_browser, print_json

if TYPE_CHECKING:
    from ..sweep.live import Progress
    from ..sweep.points import Sweep
    from ..sweep.result import SweepResult
    from ..workspace.winner_process import Start

SECONDS = 10.0  # between two lines where the output is no terminal
ONE_NAME = (
    "its variants are traded at once by the fast accounts, which trade one name; repeat --symbol for several sweeps"
)


def shared_options(command: Command) -> Command:
    """Adds the options of a backtest, except those that a sweep varies, and look-ahead, which it never allows."""
    command = run_options(command)
    excluded = ("symbol", "universe", "pooled", "strategy_params", "train", "every", "allow_lookahead")
    command.__click_params__ = [p for p in command.__click_params__ if p.name not in excluded]  # type: ignore[attr-defined]
    return command


@click.command()
@PREDICTOR
@click.option(
    *("-p", "--param", "params"),
    multiple=True,
    metavar="NAME=VALUES",
    help="Values of a parameter of the predictor: 10:500:10, 10|20|50, 2..500, 1e-4..1e-1:log.",
)
@click.option(
    *("-s", "--strategy-param", "rule_params"),
    multiple=True,
    metavar="NAME=VALUES",
    help="Values of a parameter of the strategy, in the same notation.",
)
@click.option(
    "--train",
    metavar="VALUES",
    help="Bars in each training window of a learner, in the same notation.  [default: 1000]",
)
@click.option(
    "--every", metavar="VALUES", help="Bars between two refits of a learner, in the same notation.  [default: 21]"
)
@click.option("--symbol", "symbols", multiple=True, default=["SPY"], show_default=True, help="Repeat for several.")
@click.option("--draws", type=click.IntRange(min=1), help="The number of points to draw, instead of all combinations.")
@click.option(
    "--method", type=click.Choice(["grid", "sobol", "random", "tpe"]), help="[default: grid, sobol for draws]"
)
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each point of a random predictor.")
@click.option("--reselect", type=click.IntRange(min=1), help="Bars between nested choices.  [default: a quarter]")
@click.option("--past", type=click.IntRange(min=2), help="Bars a nested choice looks back on.  [default: all]")
@click.option(
    "--nested/--no-nested",
    default=True,
    show_default=True,
    help="Repeatedly choose on the past and trade the next block.",
)
@shared_options
@JSON
@QUIET
@OPEN
def sweep(
    params: tuple[str, ...], rule_params: tuple[str, ...], symbols: tuple[str, ...], draws: int | None,
    method: str | None, seeds: int, reselect: int | None, past: int | None, nested: bool, engine: str, as_json: bool,
    quiet: bool, open_page: bool, out: Path, **options: object,
) -> None:  # fmt: skip
    """Try many parameter values, and estimate how much of the best one's result is due to the choice.

    Every point is a trial in the ledger. The same command resumes a sweep that was stopped.
    """
    schedule = [f"{name}={options[name]}" for name in ("train", "every") if options[name] is not None]
    fixed = {"params": {}, "strategy_params": {}, "allow_lookahead": False, "train": None, "every": None}
    requests = [request_of(options | fixed | {"symbol": symbol}) for symbol in dict.fromkeys(symbols)]
    bases = [one_name(request, "sweep", ONE_NAME) for request in requests]
    from ..cluster.journalled_executor import engine as run_on
    from ..sweep.points import sweep_of

    sweeps = [sweep_of(base, params, rule_params, schedule, method=method, draws=draws, seeds=seeds) for base in bases]
    pages, outcomes = [], []
    with run_on(engine, out), _winners(sweeps[0]) as start:
        # Imported while the other process starts, since they take a second.
        from ..sheet.index import write_index
        from ..sheet.sweep import write_sweep
        from ..workspace.sweep import run_sweep

        for plan in sweeps:
            with live([axis.column for axis in plan.axes], quiet=quiet) as report:
                swept = run_sweep(plan, out, report, every=reselect, past=past, select=nested, start=start)
            pages.append(write_sweep(swept))
            outcomes.append(_summary(swept) | {"page": str(pages[-1])})
            if not (as_json or quiet):
                _print_sweep(swept)
            if not as_json:
                click.echo(pages[-1] if quiet else f"Sweep: {pages[-1]}")
    write_index(out)
    if as_json:
        print_json({"sweeps": outcomes})
    if open_page:
        open_in_browser(pages)


def _summary(swept: SweepResult) -> dict[str, object]:
    """A sweep as --json has it: every point with its scores, and the evidence for the best one."""
    from ..sheet.sweep import conclusion

    winner = swept.winner
    return {
        "symbol": swept.sweep.base.symbol,
        "folder": str(swept.folder),
        "first": swept.since,
        "last": swept.index[-1],
        "points": swept.rows.to_dict("records"),
        "conclusion": conclusion(swept),
        "winner": {"folder": str(winner.folder), "same_in_backtrader": winner.same, "luck": winner.luck},
        "judgement": swept.judgement.as_dict(swept.bars_per_year),
    }


def _winners(plan: Sweep) -> AbstractContextManager[Start]:
    """Runs winners in a second process where there is a second core and no learner, whose training uses every core."""
    from ...predictors import Learner
    from ...predictors.registry import PREDICTORS
    from ..workspace.winner_process import run_in_this_process, second_process

    learns = issubclass(PREDICTORS.find(plan.base.predictor), Learner)
    return nullcontext(run_in_this_process) if learns or (os.cpu_count() or 1) < 2 else second_process()


@contextmanager
def live(columns: list[str], *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yields a report on standard error: in a terminal a table that is redrawn in place, elsewhere a line at times."""
    from ..sweep.live import lines

    drawn, last, terminal = 0, 0.0, sys.stderr.isatty()

    def report(progress: Progress) -> None:
        """Draws the state of the sweep, at most ten times a second in a terminal."""
        nonlocal drawn, last
        if quiet:
            return
        ended = progress.done >= progress.total
        if not ended and time.monotonic() - last < (0.1 if terminal else SECONDS):
            return
        last = time.monotonic()
        shown = lines(progress, columns)
        if not terminal:
            click.echo(shown[0], err=True)
            return
        click.echo(f"\x1b[{drawn}A\x1b[J" * bool(drawn) + "\n".join(shown), err=True)
        drawn = len(shown)

    yield report


def _print_sweep(swept: SweepResult) -> None:
    """Prints the best points, and the evidence for the best one."""
    from ..sheet.sweep import conclusion
    from ..sweep.live import best_lines

    judgement = swept.judgement
    dates = f"{swept.since:%Y-%m-%d} to {swept.index[-1]:%Y-%m-%d}"
    click.echo(f"\n{len(swept.rows):,} points on {swept.sweep.base.symbol}, {dates}")
    for line in best_lines(swept.rows, [axis.column for axis in swept.sweep.axes]):
        click.echo(line)
    click.echo(f"\n{conclusion(swept)}")
    luck = swept.winner.luck
    click.echo(f"Trials on this market and these dates: {luck['trials']:,}, this one included")
    click.echo(f"Chance of such a best one without skill {luck['p_best']:.1%}, deflated Sharpe {luck['dsr']:.1%}")
    near = len(judgement.plateau.neighbours)
    click.echo(f"Around it: {judgement.plateau.word}, score {judgement.plateau.score:.2f} of {near} neighbours")
    if judgement.overfitting:
        click.echo(f"Probability of backtest overfitting {judgement.overfitting.pbo:.1%}")
    if judgement.nested:
        scores = {name: values["sharpe"] for name, values in judgement.nested.scores.items()}
        text = "Sharpe {nested:.2f} chosen on the past, {winner:.2f} winner in hindsight, {hold:.2f} held"
        click.echo(text.format(**scores))
    winner = swept.winner
    text = "the same equity to the last bit" if winner.same else f"differences up to {winner.difference:.2g} a bar"
    click.echo(f"Winner in backtrader: {text}: {winner.folder}")
