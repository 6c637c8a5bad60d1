"""A name, an entry point or a file becomes a class, and text becomes its parameters."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from rollcast import former_names
from rollcast.predictors.base import Learner, Predictor

# Lazy addresses: listing the names imports nothing, and reading the recurrent learners' fields imports no torch.
BUILT_IN = {
    "attention-lstm": "rollcast.predictors.recurrent.learners:AttentionLSTM",
    "bilstm": "rollcast.predictors.recurrent.learners:BiLSTM",
    "ema": "rollcast.predictors.ema:EMA",
    "gru": "rollcast.predictors.recurrent.learners:GRU",
    "kalman": "rollcast.predictors.kalman:LocalLevel",
    "kalman-mle": "rollcast.predictors.kalman:KalmanMLE",
    "kalman-trend": "rollcast.predictors.kalman:LocalLinearTrend",
    "lstm": "rollcast.predictors.recurrent.learners:LSTM",
    "naive": "rollcast.predictors.naive:Naive",
    "ols": "rollcast.predictors.ols:OLS",
    "ols-features": "rollcast.predictors.ols:OLSFeatures",
    "rnn": "rollcast.predictors.recurrent.learners:RNN",
    "sma": "rollcast.predictors.sma:SMA",
    "stacked-lstm": "rollcast.predictors.recurrent.learners:StackedLSTM",
}


class PluginError(ImportError):
    """A user's plugin failed to import; its cause is what it raised."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: its name, its type and its default (MISSING where it has none)."""

    name: str
    type: Any
    default: Any


@cache  # a sweep asks for every point
def dataclass_parameters(cls: type) -> list[Parameter]:
    """The fields of a dataclass as parameters."""
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} must be a dataclass; put @dataclass(frozen=True) above it")
    hints = typing.get_type_hints(cls)
    return [
        Parameter(f.name, hints[f.name], f.default_factory() if f.default_factory is not MISSING else f.default)
        for f in fields(cls)
        if f.init
    ]


@dataclass(frozen=True)
class Registry:
    """Finds classes of one kind by three doors: a built-in name, an installed distribution's entry point, a file.

    kind:       what they are called in messages.
    group:      the entry points' group.
    built_in:   name → "module:Class", the form entry points have.
    bases:      what such a class must subclass.
    parameters: how a class declares its parameters.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]
    bases: tuple[type, ...]
    parameters: Callable[[type], list[Parameter]]

    def names(self) -> dict[str, str]:
        """Every built-in and installed name, and where it comes from; nothing is imported."""
        return {name: " and ".join(claims) for name, claims in sorted(self._claims().items())}

    def find(self, name: str) -> type:
        """The class of this name, `file.py` or `file.py:Class`.

        Raises LookupError for an unknown name or class and for a name that two sources claim, FileNotFoundError for a
        missing file, TypeError for a class of another kind, and PluginError, from whatever was raised, for a plugin
        that fails to import.
        """
        path, _, class_name = name.partition(":")
        if path.endswith(".py"):
            return self._from_file(Path(path), class_name)
        claims = self._claims()
        if name not in claims:
            raise LookupError(f"unknown {self.kind} {name!r}. {suggest(name, claims)}")
        if len(claims[name]) > 1:
            sources = " and by ".join(claims[name])
            raise LookupError(f"{self.kind} {name!r} is claimed by {sources}; rename or uninstall one")
        ((source, entry),) = claims[name].items()
        try:
            cls = entry.load()
        except (Exception, SystemExit) as error:
            raise PluginError(f"{name} ({source}) {_failure(error)}") from error
        if not (inspect.isclass(cls) and issubclass(cls, self.bases)):
            raise TypeError(f"{name} ({source}) must be a subclass of {self._wanted}; got {cls!r}")
        return cls

    def coerce(self, cls: type, texts: Mapping[str, str], owner: str) -> dict[str, Any]:
        """Parameter values from text (`window=50`), typed by the class's own declaration."""
        known = self.known(cls, texts, owner)
        return {key: parse(text, known[key].type, f"{owner}: {key}") for key, text in texts.items()}

    def known(self, cls: type, names: Iterable[str], owner: str) -> dict[str, Parameter]:
        """The class's parameters by name; raises LookupError, with a near miss, unless all `names` are among them."""
        known = {p.name: p for p in self.parameters(cls)}
        for name in names:
            if name not in known:
                raise LookupError(f"{owner} has no parameter {name!r}. {suggest(name, known)}")
        return known

    @property
    def _wanted(self) -> str:
        return " or ".join(base.__name__ for base in self.bases)

    def _claims(self) -> dict[str, dict[str, metadata.EntryPoint]]:
        """name → source → entry point, the built-ins' made here so that a checkout needs no installing."""
        claims = {name: {"built-in": metadata.EntryPoint(name, at, self.group)} for name, at in self.built_in.items()}
        for entry in metadata.entry_points(group=self.group):
            source = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"
            claims.setdefault(entry.name, {})[source] = entry
        return claims

    def _from_file(self, path: Path, class_name: str) -> type:
        if not path.is_file():
            raise FileNotFoundError(f"no such {self.kind} file: {path}")
        # Not put into sys.modules under its own name, so a file called random.py shadows nothing.
        module_name = f"rollcast_plugin_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None
        assert spec.loader is not None  # an existing .py file always has both
        module = importlib.util.module_from_spec(spec)
        # dataclass() and typing look their module up while its body runs.
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise PluginError(f"{path} {_failure(error)}") from error
        found = {
            key: value
            for key, value in vars(module).items()
            if inspect.isclass(value)
            and issubclass(value, self.bases)
            and value.__module__ == module_name
            and not inspect.isabstract(value)
        }
        if class_name:
            if class_name not in found:
                raise LookupError(f"{path} has no {self.kind} {class_name!r}. {suggest(class_name, found)}")
            return found[class_name]
        if len(found) != 1:
            names = ", ".join(found) or "none"
            raise LookupError(
                f"{path} must define one {self.kind} class (a subclass of {self._wanted}); found {names}"
                + (f". Say which: {path}:{next(iter(found))}" if found else "")
            )
        return next(iter(found.values()))


def _failure(error: BaseException) -> str:
    return f"could not be imported: {type(error).__name__}: {error}{former_names.hint(error)}"


PREDICTORS = Registry("predictor", "rollcast.predictors", BUILT_IN, (Predictor, Learner), dataclass_parameters)


def load(name: str, **parameters: Any) -> Predictor | Learner:
    """The predictor or learner of this name or file, built with these parameters.

    >>> load("sma", window=20)
    SMA(window=20)
    """
    cls = PREDICTORS.find(name)
    PREDICTORS.known(cls, parameters, name)
    return cls(**parameters)


def suggest(name: str, known: Iterable[str]) -> str:
    """`Did you mean …? Known: …`, the first half only where something is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(names) or 'none'}"


def parse(text: str, kind: Any, what: str) -> Any:
    """One value of type `kind` (int, float, bool, str, Literal, tuple, or any of them or None) from text."""
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
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            noun = "a whole number" if kind is int else "a number"
            raise ValueError(f"{what} must be {noun}; got {text!r}") from None
    return text
