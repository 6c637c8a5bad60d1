"""Commands on predictors and strategies: list, check, write and explain them."""

from __future__ import annotations

import json
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .option_values import pairs
from .options import BAR, END, FILE_OPTIONS, OUT, PARAMS, SOURCE, START, one_name, request_of, with_options
from .output import JSON, OPEN, QUIET, open_in_browser, print_json, print_page

if TYPE_CHECKING:
    from ...predictors import Learner, Predictor
    from ...predictors.checks.suite import Outcome
    from ...predictors.registry import Registry
    from ..account.hosts import StrategyClass
    from ..gate.strategy_checks import StrategyOutcome
    from ..json_values import Values


@click.command(name="list")
@JSON
def list_plugins(as_json: bool) -> None:
    """List the predictors and strategies, where each comes from, and their parameters."""
    from ...predictors.registry import PREDICTORS, PluginError
    from ..pipeline.strategies import PORTFOLIO_STRATEGIES, STRATEGIES

    registries = (PREDICTORS, STRATEGIES, PORTFOLIO_STRATEGIES)
    if as_json:
        print_json({"plugins": [plugin for registry in registries for plugin in _plugins(registry)]})
        return
    for registry in registries:
        only = ", of a portfolio only" if registry is PORTFOLIO_STRATEGIES else ""
        click.secho(f"--{registry.kind}{only}", bold=True)
        for name, source in registry.names().items():
            try:
                lines = _described(registry, registry.find(name))
            except Exception as error:  # one bad plugin must not hide the others
                known = isinstance(error, PluginError | TypeError | LookupError)
                lines = [str(error) if known else f"{type(error).__name__}: {error}"]
            click.echo(f"  {name:<15}{lines[0]} [{source}]")
            for line in lines[1:]:
                click.echo(f"  {'':<16}{line}")
        click.echo()


@click.command()
@click.argument("plugin", metavar="NAME|FILE")
@pairs("-p", "--param", "params", text="A parameter of it.")
@click.option("--strict", is_flag=True, help="Exit with status 1 for advice too.")
@JSON
def check(plugin: str, params: dict[str, str], strict: bool, as_json: bool) -> None:
    """Check that a predictor or a strategy fulfils its contract and does not look ahead, one line per check."""
    from ...predictors.checks.suite import check_predictor, start_sensitivity
    from ..gate.strategy_checks import check_strategy

    model, strategy, call = _plugin(plugin, params)
    outcomes: list[Outcome | StrategyOutcome] = []
    for outcome in check_predictor(model) if model else check_strategy(*strategy):
        if not as_json:
            reproduced = any(earlier.leak for earlier in outcomes)
            _print_outcome(outcome, None if reproduced else call)
        outcomes.append(outcome)
    passed = {outcome.check.name for outcome in outcomes if outcome.status == "passed"}
    sensitivity = start_sensitivity(model) if model and {"index", "warm_up"} <= passed else None
    failed, advice, blocked = (
        [outcome for outcome in outcomes if outcome.status == status] for status in ("failed", "advice", "blocked")
    )
    if as_json:
        checks = [_summary(outcome, call) for outcome in outcomes]
        click.echo(json.dumps({"passed": not failed, "checks": checks, "start_sensitivity": sensitivity}, indent=2))
    else:
        if blocked:
            names = ", ".join(outcome.check.name for outcome in blocked)
            click.echo(f"Not decided, because of what failed above: {names}.")
        if sensitivity is not None:
            click.echo(f"Starting history later moves the last forecast by {sensitivity:.2%} of a usual one.")
    if failed:
        raise click.ClickException(f"{plugin} failed {len(failed)} check{'s' * (len(failed) != 1)}")
    if strict and advice:
        raise click.ClickException(f"{plugin} passed, with advice on {', '.join(o.check.name for o in advice)}")


@click.command()
@click.argument("kind", type=click.Choice(["predictor", "learner", "strategy"]))
@click.argument("name")
@click.option("--package", is_flag=True, help="A distribution to pip install, with its entry point and a test.")
def new(kind: str, name: str, package: bool) -> None:
    """Write the template of a plugin: a short file that works at once."""
    from ..scaffold import write_plugin

    files = write_plugin(kind, name, Path(), package=package)
    for path in files:
        click.echo(f"wrote {path}")
    steps, plugin = [], str(files[0])
    if package:
        steps, plugin = [f"python -m pip install --no-deps -e {files[0].parent}"], files[0].stem.replace("_", "-")
    program = click.get_current_context().find_root().info_name or "rollcast"
    program = f"python {program}" if program.endswith(".py") else program
    traded = f"sma --strategy {plugin}" if kind == "strategy" else plugin
    steps += [f"{program} check {plugin}", f"{program} backtest --predictor {traded}"]
    click.echo("Try: " + "\n     ".join(steps))


@click.command()
@click.argument("name")
@click.option("--symbol", default="SPY", show_default=True, help="A file, or a symbol from `data list`.")
@with_options(SOURCE, BAR, *FILE_OPTIONS, START, END)
@click.option("--train", type=int, help="The number of last bars to fit a learner on.  [default: 1000]")
@PARAMS
@click.option("--seed", type=int, help="Of the first net.")
@JSON
@QUIET
@OPEN
@OUT
def explain(name: str, as_json: bool, quiet: bool, open_page: bool, out: Path, **options: object) -> None:
    """Show what a predictor makes of the past: weights, filter, coefficients, or what happens in a net."""
    reason = "it shows one model, on the bars of one name"
    request = one_name(request_of(options | {"predictor": name}), "explain", reason)
    from ... import RunFolder
    from ..explain.sections import write_explanation
    from ..sheet.index import write_index
    from ..workspace.workspace import label

    model = request.model()
    bars = request.load().model_bars
    with RunFolder(out, f"explain-{label(request)}") as folder:
        stem = Path(name.partition(":")[0]).stem
        write_explanation(folder.path, model, bars, title=f"{stem} on {request.symbol}")
        page = folder.finish() / "explain.html"
    write_index(out)
    print_page("Page", page, {"folder": str(page.parent)}, as_json=as_json, quiet=quiet)
    if open_page:
        open_in_browser([page])


def _plugins(registry: Registry) -> list[dict[str, object]]:
    """Every plugin of a registry as --json has it; one that cannot be loaded with its `error`."""
    found: list[dict[str, object]] = []
    for name, source in registry.names().items():
        plugin: dict[str, object] = {"kind": registry.kind, "name": name, "source": str(source)}
        try:
            cls = registry.find(name)
            parameters = {p.name: None if p.default is MISSING else p.default for p in registry.parameters(cls)}
            plugin |= {"sentence": _described(registry, cls)[0], "parameters": parameters}
        except Exception as error:  # one bad plugin must not hide the others
            plugin["error"] = f"{type(error).__name__}: {error}"
        found.append(plugin)
    return found


def _plugin(name: str, texts: dict[str, str]) -> tuple[Predictor | Learner | None, tuple[StrategyClass, Values], str]:
    """The predictor or learner of this name with these parameters, or else the strategy and its parameters.

    Last, the Python expression of the one, or of the other's class.
    """
    from ...predictors.registry import PREDICTORS
    from ..pipeline.strategies import find_strategy

    try:
        cls = PREDICTORS.find(name)
    except LookupError as unknown:
        try:
            strategy, registry = find_strategy(name, portfolio=True)
        except LookupError:
            raise unknown from None
        return None, (strategy, registry.coerce(strategy, texts, name)), f"STRATEGIES.find({name!r})"
    values = PREDICTORS.coerce(cls, texts, name)
    call = f"load({', '.join([repr(name), *(f'{key}={value!r}' for key, value in values.items())])})"
    return cls(**values), (cls, {}), call


def _print_outcome(outcome: Outcome | StrategyOutcome, call: str | None) -> None:
    """Prints a line for the check; of a failure also the finding and, where `call` is given, a script that shows it."""
    if outcome.status == "blocked":
        return
    color = {"passed": "green", "failed": "red"}.get(outcome.status, "yellow")
    click.echo(f"{click.style(f'{outcome.status:<8}', fg=color)} {outcome.check}  {outcome.check.sentence}")
    if outcome.finding:
        for line in (outcome.finding, *((outcome.script(call) if call else None) or "").splitlines()):
            click.echo(f"{'':<9}{line}")


def _summary(outcome: Outcome | StrategyOutcome, call: str) -> dict[str, object]:
    """An outcome in JSON's types."""
    leak = None if outcome.leak is None else vars(outcome.leak) | {"date": outcome.leak.date.isoformat()}
    return {
        "id": str(outcome.check),
        "status": outcome.status,
        "sentence": outcome.check.sentence,
        "finding": outcome.finding,
        "leak": leak,
        "script": outcome.script(call),
    }


def _described(registry: Registry, cls: type) -> list[str]:
    """The class's one sentence, then a line for each parameter."""
    sentence = (cls.__doc__ or "undocumented").strip().splitlines()[0]
    return [sentence, *(f"{p.name}={_shown(p.default)}" for p in registry.parameters(cls))]


def _shown(value: object) -> str:
    """The default of a parameter as text."""
    if value is MISSING:
        return "(required)"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
