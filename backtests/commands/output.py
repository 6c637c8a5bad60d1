"""What a command prints: text for people, or with --json one object for programs, and with --quiet only paths."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..pipeline.result import Result

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
QUIET = click.option("--quiet", "-q", is_flag=True, help="Print only where the page is, and what went wrong.")
OPEN = click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
COLOURS = {"yes": "green", "no": "red", "unclear": "yellow"}
WIDEST = 80
DASH = "–"


def print_json(values: Mapping[str, object]) -> None:
    """Prints one object, as docs/json.md describes it."""
    from ..json_values import plain

    click.echo(json.dumps(plain(values), indent=2, allow_nan=False))


def open_in_browser(pages: Sequence[Path]) -> None:
    """Opens pages; where there is no screen to open them on, as over SSH, says where they are instead."""
    for page in pages:
        if click.launch(str(page.absolute())):
            click.echo(f"No browser could be opened here; the page is {page.absolute()}", err=True)


def print_page(title: str, page: Path, values: Mapping[str, object], *, as_json: bool, quiet: bool) -> None:
    """Where a page is, or with --json the values, of which it is one."""
    if as_json:
        print_json({"page": str(page), **values})
    else:
        click.echo(page if quiet else f"{title}: {page}")


def print_run(result: Result, folder: Path, *, as_json: bool, quiet: bool) -> None:
    """Where the sheet of a run is, or the whole run as JSON."""
    from ..sheet.index import SHEET

    values = {"folder": str(folder), "metrics": result.metrics, "recipe": result.recipe}
    print_page("\nTear sheet", folder / SHEET, values, as_json=as_json, quiet=quiet)


def print_result(result: Result) -> None:
    """What was run, the verdict, and a table of the strategy beside buying and holding."""
    recipe, window = result.recipe, result.recipe["evaluation"]
    dates = f"{window['first']:%Y-%m-%d} to {window['last']:%Y-%m-%d}, {window['bars']:,} bars"
    predictor = recipe["predictor"]
    name = predictor.get("learner", predictor)["class"]
    click.echo(f"\n{name} · {recipe['strategy']['class']} · {recipe['symbol']}, {dates}")
    if "verdict" in result.metrics:
        _print_verdict(result.metrics["verdict"], result.metrics["conclusion"])
    _print_table(result)
    print_trials(result)
    _print_warnings(result)


def _width() -> int:
    return max(40, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def _print_verdict(entries: Sequence[Mapping[str, str]], conclusion: str) -> None:
    """The conclusion, and a line for each question; below a no or an unclear answer, why."""
    from ..sheet.words import THIN, prose

    click.echo()
    for line in textwrap.wrap(prose(conclusion).replace(THIN, "\xa0"), _width()):
        click.secho(line.replace("\xa0", " "), bold=True)
    click.echo()
    for entry in entries:
        answer = click.style(f"{entry['answer']:<10}", fg=COLOURS.get(entry["answer"]))
        first, *others = textwrap.wrap(entry["question"], _width() - 10)
        click.echo("\n".join([answer + first, *(" " * 10 + line for line in others)]))
        if entry["answer"] != "yes":
            reason = prose(entry["sentence"]).partition(". ")[0].removesuffix(".")  # the sheet has the rest
            for line in textwrap.wrap(f"{reason}.".replace(THIN, "\xa0"), _width() - 10):
                click.secho(" " * 10 + line.replace("\xa0", " "), dim=True)


def _print_table(result: Result) -> None:
    from ..sheet.headline import headline
    from ..sheet.words import THIN

    click.echo(f"\n{'':<18}{'strategy':>12}{'buy & hold':>12}")
    for figure, *texts in headline(result.metrics, len(result.returns)):
        click.echo(f"{figure.name:<18}" + "".join(f"{text.replace(THIN, ' '):>12}" for text in texts))
    account = result.recipe["account"]
    commission, slippage = (f"{name} {account[f'{name}_bps']:g} bp" for name in ("commission", "slippage"))
    click.echo(f"Costs: {commission}, {slippage}, each way")


def cell(value: float | None, form: str) -> str:
    """A number in this format; a dash for one that is not defined."""
    return DASH if value is None or value != value else form.format(value)


def print_trials(result: Result) -> None:
    """How many trials the result is one of, and what is not counted."""
    click.echo(f"Trials on this market and these dates: {result.metrics['luck']['trials']:,}, this one included")
    print_notes(result.metrics["trials"]["notes"])


def print_notes(notes: Sequence[str]) -> None:
    """A line on standard error for whatever is not counted."""
    for note in notes:
        click.secho(note[:1].upper() + note[1:], fg="yellow", err=True)


def _print_warnings(result: Result) -> None:
    from ..pipeline.recipe import leaks

    for sentence in _cautions(result.recipe.get("data", {})):
        click.secho(sentence, fg="yellow", err=True)
    for leak in leaks(result.recipe["look_ahead"]):
        click.secho(f"The {leak}", fg="red", err=True)
    if sentence := result.recipe["look_ahead"].get("opened", {}).get("sentence"):
        click.secho(sentence, fg="yellow", err=True)
    if rejected := result.metrics["strategy"]["rejected"]:
        click.secho(f"{rejected} orders were refused: see orders.csv", fg="yellow", err=True)
    if missed := result.metrics["unreachable_targets"]:
        reason = "because one whole unit costs too much; use --fractional or more --cash"
        click.secho(f"{missed} targets were out of reach, {reason}", fg="yellow", err=True)


def _cautions(data: Mapping[str, Any]) -> list[str]:
    """What the recipe of a run says that a reader must know of its prices, of a portfolio name by name."""
    if "symbols" not in data:
        return list(data.get("cautions", ()))
    return [f"{symbol}: {sentence}" for symbol, one in data["symbols"].items() for sentence in _cautions(one)]
