"""`--config FILE`: the options of a command from a file, under those of the command line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..config import Config, Kind
    from ..pipeline.trust import Consent

# option → options that go with it: where the command line names another predictor than the file, the file's parameters
# do not apply, and they start from their own defaults.
DEPENDENTS = {
    "predictor": ("param", "params"),
    "strategy": ("strategy_param", "strategy_params"),
    "symbol": ("snapshot",),
}


class ConfigOption(click.Option):
    """Reads the file it names before the other options, as their defaults."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, object], args: list[str]
    ) -> tuple[object, list[str]]:
        """Reads the file, before click parses the other options. Raises ValueError or LookupError for its mistakes."""
        path, args = super().handle_parse_result(ctx, opts, args)
        # Without the option, click passes a sentinel of its own, and not None.
        if isinstance(path, Path) and not ctx.resilient_parsing:
            from ..config import Config

            config = Config.read(path)
            ctx.default_map = _defaults(config, ctx, opts)
            _admit(config, ctx.default_map, opts)
        return path, args


CONFIG = click.option(
    "--config",
    cls=ConfigOption,
    is_eager=True,
    expose_value=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Options from a TOML file, or from the recipe.json of a run; the command line wins.",
)


_TRUST = ("--trust",)
_WORDS = "Run the source files that a recipe names, where their hashes are the recipe's."
TRUST = click.option(*_TRUST, is_flag=True, help=_WORDS)
UNUSED_TRUST = click.option(*_TRUST, is_flag=True, expose_value=False, help=_WORDS)  # `CONFIG` reads it


def consent_of(trust: bool) -> Consent:
    """The consent to code that a recipe names: --trust, or an answer at the terminal."""

    def consent(file: Path) -> bool:
        """Whether the code of this file may run."""
        if trust or not sys.stdin.isatty():
            return trust
        return click.confirm(f"The recipe names the code in {file}. Run it?", err=True)

    return consent


def _admit(config: Config, values: Mapping[str, object], arguments: Mapping[str, object]) -> None:
    """Holds what is taken of a recipe, and not of the command line, to its hashes; raises as `admit_code` does."""
    if config.recipe is None:
        return
    from ..pipeline.trust import CODE, admit_code, admit_prices

    def taken(name: str) -> bool:
        return name in values and not isinstance(arguments.get(name), str | tuple)

    admit_code(config.recipe, consent_of(bool(arguments.get("trust") is True)), [kind for kind in CODE if taken(kind)])
    if (taken("symbol") or taken("symbols")) and not isinstance(arguments.get("universe"), str):
        admit_prices(config.recipe)


def _defaults(config: Config, ctx: click.Context, arguments: Mapping[str, object]) -> dict[str, object]:
    """The values of a file, by parameter of the command; arguments: those of the command line."""
    words = _words(ctx.command)
    known = config.known(words)
    for owner, dependents in DEPENDENTS.items():
        argument = arguments.get(str(words[owner].name)) if owner in words else None
        value = config.values.get(owner)
        if value is not None and isinstance(argument, str | tuple) and argument not in (value, (value,), ()):
            known = {key: value for key, value in known.items() if key not in dependents}
    values: dict[str, object] = {}
    for key in known:
        option = words[key]
        name = str(option.name)
        if name in values:
            raise ValueError(f"{config.path}: {key} is given twice")
        value = config.typed(key, _kind(option))
        try:
            values[name] = value if option.multiple else option.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise ValueError(f"{config.path}: {key}: {error.message}") from None
    return values


def _words(command: click.Command) -> dict[str, click.Parameter]:
    """The parameters of a command by their keys in a file: the long option, and the plural of a table or a list."""
    words: dict[str, click.Parameter] = {}
    for option in command.params:
        if option.name and not isinstance(option, ConfigOption):
            words |= {word[2:].replace("-", "_"): option for word in option.opts if word.startswith("--")}
            if option.multiple or option.nargs == -1:
                words |= {option.name: option, option.name.removesuffix("s"): option}
    return words


def _kind(option: click.Parameter) -> Kind:
    """The kind of value that a file must have for a parameter."""
    if option.multiple or option.nargs == -1:
        return "table" if isinstance(option, click.Option) and "=" in (option.metavar or "") else "list"
    if isinstance(option, click.Option) and option.is_flag:
        return "flag"
    numbers: dict[type, Kind] = {type(click.INT): "whole number", type(click.FLOAT): "number"}
    return next((kind for cls, kind in numbers.items() if isinstance(option.type, cls)), "text")
