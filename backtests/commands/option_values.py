"""What the values of options are: pairs, dates, a predictor's name, a workspace."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ..owner import clear_dead

Command = TypeVar("Command", bound=Callable[..., object])
Decorator = Callable[[Command], Command]


def pairs(*names: str, text: str, metavar: str = "NAME=VALUE") -> Decorator:
    """An option that may be repeated, of a name and a value each time; the command gets a dict."""
    return click.option(*names, multiple=True, metavar=metavar, callback=_merged, help=text)


def _merged(ctx: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """The pairs of the command line, over those of a config file."""
    below = (ctx.default_map or {}).get(str(option.name), ())
    return _pairs(option, below) | _pairs(option, values)


def _pairs(option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts as a dict. Raises click.BadParameter for another text, and for a name given twice."""
    pairs: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"expected {option.metavar}, got {value!r}")
        if key in pairs:
            raise click.BadParameter(f"{key} is given twice")
        pairs[key] = text
    return pairs


def date(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A callback that returns the text of a date as it is. Raises click.BadParameter for a text that is no date."""
    if value is not None:
        try:
            datetime.fromisoformat(value + {4: "-01-01", 7: "-01"}.get(len(value), ""))
        except ValueError:
            raise click.BadParameter(f"expected a date such as 2010, 2010-12 or 2010-12-31, got {value!r}") from None
    return value


def given(ctx: click.Context, option: click.Parameter, value: str | None) -> str:
    """A callback that says what to type where no predictor is named."""
    if value is None:
        advice = f"Name what forecasts: {ctx.command_path} --predictor sma, or lstm, or a file; `list` has all names"
        raise click.MissingParameter(advice, ctx, option)
    return value


class Workspace(click.Path):
    """The folder of a workspace; an empty text, which would be the working directory, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder as a Path. Raises click.BadParameter for an empty text."""
        if value == "":
            self.fail("expected a folder, got an empty text", param, ctx)
        return super().convert(value, param, ctx)


def workspace(ctx: click.Context, option: click.Parameter, value: Path) -> Path:
    """Clears what killed commands have left in the workspace and among temporary files."""
    if not ctx.resilient_parsing:
        clear_dead(value)
        clear_dead(Path(tempfile.gettempdir()), depth=0)
        if any(len(os.listdir(folder)) <= 2 for folder in value.glob("sweep-*")):  # a lock and its journal
            from ..sweep.store import clear_empty

            clear_empty(value)
    return value
