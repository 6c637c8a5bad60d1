"""Commands that run backtests, and that read saved runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .config_option import TRUST, consent_of
from .options import (
    PAGE_OPTIONS,
    PARAMS,
    PREDICTOR,
    page_of,
    request_of,
    run_options,
    training,
    training_bar,
    with_options,
)
from .output import (
    JSON,
    OPEN,
    QUIET,
    cell,
    open_in_browser,
    print_json,
    print_page,
    print_result,
    print_run,
    print_trials,
)

if TYPE_CHECKING:
    from ..comparison import Comparison

RUN = click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.command()
@PREDICTOR
@PARAMS
@run_options
@with_options(*PAGE_OPTIONS)
@JSON
@QUIET
@OPEN
def backtest(engine: str, as_json: bool, quiet: bool, open_page: bool, out: Path, **options: object) -> None:
    """Backtest a predictor and write its tear sheet."""
    page = page_of(options)
    request = request_of(options)
    from ..sheet.second_process import second_process
    from ..workspace import workspace

    tell = None if as_json or quiet else print_result
    with second_process() as draw, training(engine, out, quiet=quiet) as progress:
        result, folder = workspace.backtest(request, out, progress, draw=draw, tell=tell, page=page)
    print_run(result, folder, as_json=as_json, quiet=quiet)
    if open_page:
        open_in_browser([folder / workspace.SHEET])


@click.command()
@click.argument("predictors", nargs=-1, required=True, metavar="NAME[,PARAMETER=VALUE…]…")
@click.option(
    "--seeds", type=int, default=1, show_default=True, help="Runs of each random predictor, with one seed each."
)
@run_options
@JSON
@QUIET
@OPEN
def compare(
    predictors: tuple[str, ...], seeds: int, engine: str, as_json: bool, quiet: bool, open_page: bool, out: Path,
    **options: object,
) -> None:  # fmt: skip
    """Compare predictors on the same bars: two or more, such as `sma,window=100 ols-features lstm`.

    All are traded from the first date on which every one has a forecast. Each run has its own tear sheet.
    """
    base = request_of(options | {"predictor": predictors[0], "params": {}})
    from ..comparison import entrants_of
    from ..sheet.comparison import as_json as comparison_json
    from ..sheet.comparison import save_comparison
    from ..sheet.index import write_index
    from ..workspace.comparison import compare as run_comparison

    entrants = entrants_of(predictors, base, seeds)
    with training(engine, out, quiet=quiet) as progress:
        comparison = run_comparison(entrants, out, lambda name, done, total: progress(done, total, name))
    if not (as_json or quiet):
        _print_comparison(comparison)
    page = save_comparison(comparison, out)
    write_index(out)
    print_page("\nComparison", page, comparison_json(comparison), as_json=as_json, quiet=quiet)
    if open_page:
        open_in_browser([page])


@click.command()
@RUN
@TRUST
@JSON
@QUIET
def report(run: Path, trust: bool, as_json: bool, quiet: bool) -> None:
    """Write the tear sheet of a saved run again, with the number of trials counted since.

    Code that its recipe names is run only with --trust, or if you say so.
    """
    from ..workspace import workspace

    with _as_saved(run):
        result = workspace.rebuild(run, consent_of(trust))
        if not (as_json or quiet):
            print_result(result)
    print_run(result, run, as_json=as_json, quiet=quiet)


@click.command()
@RUN
@TRUST
@JSON
@QUIET
def verify(run: Path, trust: bool, as_json: bool, quiet: bool) -> None:
    """Repeat a saved run from its recipe, and report whether forecasts, orders and equity are identical to the bit.

    Code that its recipe names is run only with --trust, or if you say so.
    """
    from ..pipeline.result import Result
    from ..verify import changes, check

    with _as_saved(run), training_bar(quiet=quiet) as progress:
        saved = Result.load(run)
        parts = check(saved, progress, consent_of(trust))
    if as_json:
        print_json({"identical": not any(part.difference for part in parts), "parts": [vars(part) for part in parts]})
    for part in parts if not (as_json or quiet) else ():
        color, word = ("green", "identical") if part.difference is None else ("red", "different")
        click.echo(f"{click.style(f'{word:<10}', fg=color)} {part.name:<10} sha256 {part.saved[:16]} {part.again[:16]}")
        if part.difference:
            click.echo(f"{'':<11}{part.difference}")
    if any(part.difference for part in parts):
        for change in changes(saved):
            click.echo(f"since the run, {change}")
        raise click.ClickException(f"{run} could not be made again as it was")


@contextmanager
def _as_saved(run: Path) -> Iterator[None]:
    """Turns what a folder's odd content makes fail into a ValueError that names it; --debug shows where."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{run} does not hold what a run holds: {type(error).__name__}: {error}") from error


def _print_comparison(comparison: Comparison) -> None:
    """A line for each entrant, the best Sharpe ratio first: means over seeds."""
    titles = (("sharpe", "Sharpe", "{:.2f}"), ("cagr", "CAGR", "{:.2%}"), ("max_drawdown", "Drawdown", "{:.1%}"),
             ("turnover", "Turnover", "{:.1f}x"), ("r2", "R²", "{:+.2%}"), ("ic", "IC", "{:+.3f}"),
             ("rank_ic", "Rank IC", "{:+.4f}"))  # fmt: skip
    scores = comparison.scores
    shown = [one for one in titles if one[0] in scores]  # a rank IC only of a panel
    click.echo(f"\n{'':<28}{'seeds':>6}" + "".join(f"{title:>11}" for _, title, _ in shown) + f"{'among best':>12}")
    for name in scores.sort_values(("sharpe", "mean"), ascending=False).index:
        (entrant,) = (one for one in comparison.entrants if one.name == name)
        cells = "".join(f"{cell(scores.loc[name, (key, 'mean')], form):>11}" for key, _, form in shown)
        p = comparison.survival[name]
        click.echo(f"{name:<28}{len(entrant.results):>6}{cells}{f'p={p:.2f}':>12}")
    p = comparison.survival["no forecast"]
    click.echo(f"{'no forecast':<28}{'':>6}{'':>{11 * len(shown)}}{f'p={p:.2f}':>12}")
    print_trials(comparison.entrants[0].results[0])
    click.echo("Among best: model confidence set on squared forecast errors; below 0.10 a forecast is not among them.")
