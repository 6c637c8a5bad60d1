"""`cli.py placebo`: a predictor on surrogate markets that have nothing to forecast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PAGE_OPTIONS, PARAMS, PREDICTOR, one_name, page_of, request_of, run_options, training, with_options
from .output import JSON, OPEN, QUIET, open_in_browser, print_result, print_run

if TYPE_CHECKING:
    from ..pipeline.result import Result
    from ..placebo import Placebo

# The names in backtests.placebo.SURROGATES, which is not imported here so that --help is fast.
NULLS = ("flipped", "permuted", "blocks", "phases", "garch")

ONE_NAME = "surrogates are drawn for each name by itself, and those of several would lose the correlation between them"


@click.command()
@PREDICTOR
@PARAMS
@click.option(
    "--markets", type=click.IntRange(min=1), default=100, show_default=True, help="Surrogate markets, a backtest each."
)
@click.option(
    "--null",
    type=click.Choice(NULLS),
    default=NULLS[0],
    show_default=True,
    help="How surrogates are drawn: docs/placebo.md.",
)
@click.option(
    "--market-seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the surrogate markets."
)
@click.option("--until", type=float, metavar="P", help="Stop once no score can reach a p-value this low.")
@run_options
@with_options(*PAGE_OPTIONS)
@JSON
@QUIET
@OPEN
def placebo(
    markets: int, null: str, market_seed: int, until: float | None, engine: str, as_json: bool, quiet: bool,
    open_page: bool, out: Path, **options: object,
) -> None:  # fmt: skip
    """Backtest a predictor on its market, and on surrogates of its bars that have nothing to forecast.

    The p-value is the probability that a surrogate market scores at least as well.
    """
    page = page_of(options)
    request = one_name(request_of(options), "placebo", ONE_NAME)
    from .. import placebo as markets_without_edge
    from ..placebo.p_value import enough
    from ..sheet.second_process import second_process
    from ..workspace import workspace

    if until is not None:
        enough(until, markets)  # too few markets are found out before hours of training
    outcomes: list[Placebo] = []
    with second_process() as draw, training(engine, out, quiet=quiet) as progress:

        def examine(result: Result, folder: Path) -> dict[str, object]:
            """Runs the placebo markets; their files go into the folder of the run."""
            outcome = markets_without_edge.placebo(
                markets_without_edge.Pipeline.of(request, result.bars),
                markets=markets,
                null=null,
                seed=market_seed,
                until=until,
                progress=lambda done, total: progress(done, total, "on placebo markets"),
            )
            outcome.save(folder)
            outcomes.append(outcome)
            return {"placebo": outcome.metrics()}

        def tell(result: Result) -> None:
            """Prints the verdict, and where the real market stands among the others."""
            print_result(result)
            _print_placebo(outcomes[0])

        told = None if as_json or quiet else tell
        result, folder = workspace.backtest(request, out, progress, examine=examine, draw=draw, tell=told, page=page)
    print_run(result, folder, as_json=as_json, quiet=quiet)
    if open_page:
        open_in_browser([folder / workspace.SHEET])


def _print_placebo(outcome: Placebo) -> None:
    """Prints a line for each score: on the real market, its distribution on the surrogates, and the p-value."""
    fewer = f", after which no p can come to {outcome.until:g}," if len(outcome.table) < outcome.limit else ""
    click.echo(f"\nOn {len(outcome.table)} {outcome.null} markets{fewer} and the real one:\n")
    click.echo(f"{'':<22}{'real':>9}{'median':>9}{'best 5 %':>10}{'p':>8}{'95 % interval of p':>21}")
    shown = (
        ("sharpe", "Sharpe ratio", "{:.2f}"),
        ("cagr", "CAGR", "{:.2%}"),
        ("excess", "CAGR less holding's", "{:.2%}"),
        ("ic", "IC", "{:+.3f}"),
        ("r2", "R²", "{:+.2%}"),
    )
    for key, title, form in shown:
        chance, null = outcome.chance(key), outcome.table[key]
        values = zip((outcome.real[key], null.median(), null.quantile(0.95)), (9, 9, 10), strict=True)
        cells = "".join(f"{form.format(value):>{width}}" for value, width in values)
        click.echo(f"{title:<22}{cells}{chance.p:>8.3f}{f'{chance.low:.3f} to {chance.high:.3f}':>21}")
