"""The hyper-parameters of a class: their names, types and defaults, and their values from text."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: its name, its type and its default (MISSING where it has none)."""

    name: str
    type: object
    default: object


@cache  # a sweep needs them at every point
def dataclass_parameters(cls: type) -> list[Parameter]:
    """The fields of a dataclass as parameters.

    Raises TypeError for a class that is no dataclass.
    """
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} must be a dataclass; put @dataclass(frozen=True) above it")
    hints = typing.get_type_hints(cls)
    return [
        Parameter(f.name, hints[f.name], f.default_factory() if f.default_factory is not MISSING else f.default)
        for f in fields(cls)
        if f.init
    ]


def parse(text: str, kind: object, what: str) -> Any:
    """A value of type `kind` from text: int, float, bool, str, Literal, a tuple of these, or one of them or None.

    what: the name of the value in messages.

    Raises ValueError for text that is no value of that type.
    """
    if get_origin(kind) in (types.UnionType, typing.Union):
        choices = get_args(kind)
        if text.lower() == "none" and type(None) in choices:
            return None
        return parse(text, next(c for c in choices if c is not type(None)), what)
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"{what} must be one of {', '.join(get_args(kind))}; got {text!r}")
        return text
    if get_origin(kind) is tuple:
        return tuple(parse(part.strip(), get_args(kind)[0], what) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise ValueError(f"{what} must be true or false; got {text!r}")
        return text.lower() in ("true", "yes", "1")
    if kind is int or kind is float:
        return _number(text, kind, what)
    return text


def _number(text: str, kind: type, what: str) -> int | float:
    try:
        value: int | float = kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise ValueError(f"{what} must be {noun}; got {text!r}") from None
    if kind is int and abs(value) >= 2**63:
        raise ValueError(f"{what} must be a whole number of 64 bits; got {text!r}")
    return value
