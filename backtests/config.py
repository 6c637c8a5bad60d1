"""Config files: the options of a command in TOML, or in the recipe of a run."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..predictors.registry import suggest
from .json_values import Record

if TYPE_CHECKING:
    from .pipeline.request import Request

# Options of some commands only, which a file may hold for any command.
SOME = frozenset(
    {
        "predictor",
        "param",
        "params",
        "symbol",
        "universe",
        "pooled",
        "out",
        "open",
        "seeds",
        "json",
        "no_skill",
        "title",
        "note",
        "section",
    }
    | {"snapshot"}
)

Kind = Literal["flag", "whole number", "number", "text", "list", "table"]


@dataclass(frozen=True)
class Config:
    """The options in a config file.

    path:   the file, as messages name it.
    values: option → its value; the names without leading dashes, and with underscores for the others.
    recipe: of which they are, if it is one.
    """

    path: Path
    values: Mapping[str, object]
    recipe: Record | None = None

    @classmethod
    def read(cls, path: Path) -> Config:
        """Reads a TOML file, or the recipe.json of a run.

        Raises ValueError for a file that is neither, for a recipe that holds no request, and for an option given twice;
        OSError for a file that cannot be read.
        """
        if path.suffix == ".json":
            recipe = _recipe(path)
            return cls(path, _of_recipe(recipe), recipe)
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:  # a TOMLDecodeError, or no text
            raise ValueError(f"{path} is not TOML: {error}") from None
        values = {key.replace("-", "_"): value for key, value in table.items()}
        if len(values) < len(table):
            raise ValueError(f"{path}: an option is given twice, once with dashes and once with underscores")
        return cls(path, values)

    def known(self, options: Collection[str]) -> dict[str, object]:
        """The values of these options, without those that only other commands have.

        Raises LookupError, with the closest option, for a key that is no option of any command.
        """
        for key in self.values:
            if key not in options and key not in SOME:
                word, *words = (one.replace("_", "-") for one in (key, *options))
                raise LookupError(f"{self.path}: unknown option {word!r}. {suggest(word, words)}")
        return {key: value for key, value in self.values.items() if key in options}

    def typed(self, key: str, kind: Kind) -> object:
        """The value of an option: a number or a flag unchanged, a date as text, a table as a list of NAME=VALUE.

        kind: the kind that the option has on the command line. Raises ValueError for a value of another kind.
        """
        value = self.values[key]
        if kind == "table":
            return [f"{name}={_text(one)}" for name, one in self._table(key).items()]
        if kind == "list":
            return [_text(one) for one in (value if isinstance(value, list) else [value])]
        if not _fits(value, kind):
            shown = repr(value) if isinstance(value, str) else _text(value)
            expected = {"flag": "true or false", "text": "text or a date"}.get(kind, f"a {kind}")
            raise ValueError(f"{self.path}: {key} must be {expected}; got {shown}")
        return value if kind != "text" else _text(value)

    def _table(self, key: str) -> dict[str, object]:
        """The table of an option. Raises ValueError for another kind of value, and for a table within it."""
        table = self.values[key]
        if not isinstance(table, Mapping):
            raise ValueError(f"{self.path}: {key} must be a table, as [{key}] followed by name = value")
        for name, value in table.items():
            if isinstance(value, Mapping):
                raise ValueError(f"{self.path}: {key}.{name} must be one value, and not a table")
        return dict(table)


def _recipe(path: Path) -> Record:
    """What a recipe holds. Raises ValueError for a file that is none, and for one that is a link."""
    if path.is_symlink():
        raise ValueError(f"{path} is a link, and a recipe is not read through one; put the file there")
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(recipe, dict):
        raise ValueError(f"{path} is not the recipe of a run")
    return recipe


def _of_recipe(recipe: Record) -> dict[str, object]:
    """The request in a recipe by options of the command line, with the snapshot of its data.

    Raises ValueError for a recipe that holds no request.
    """
    from .pipeline.request import Request

    default = _flat(Request("")) | dict.fromkeys(("predictor", "strategy", "symbol"))
    values = _flat(Request.from_recipe(recipe))
    # Defaults are left out, so that a command that lacks an option can read the recipe too.
    values = {name: value for name, value in values.items() if value != default[name]}
    pin: object = recipe
    for name in ("data", "pin", "snapshot"):
        pin = pin.get(name) if isinstance(pin, dict) else None
    return values | ({"snapshot": pin} if isinstance(pin, str) else {})


def _flat(request: Request) -> dict[str, object]:
    """A request as a dict by the names of its options."""
    values = asdict(request)
    return {{"zone": "time_zone"}.get(name, name): value for name, value in (values | values.pop("account")).items()}


def _fits(value: object, kind: Kind) -> bool:
    """Whether a value is of this kind; a year counts as a date, and true as no number."""
    if kind == "flag" or isinstance(value, bool):
        return kind == "flag" and isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str | int | date | time)
    return isinstance(value, int if kind == "whole number" else int | float)


def _text(value: object) -> str:
    """A value as text of the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return value.isoformat() if isinstance(value, date | time) else str(value)
