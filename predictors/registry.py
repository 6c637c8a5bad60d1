"""The registry of predictors: classes by name, entry point or file."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import former_names
from .base import Learner, Predictor
from .isolation import described, guard, isolated, remember
from .parameters import Parameter, dataclass_parameters, parse

# Addresses of classes that are imported on demand: the list of names imports nothing, and the recurrent learners'
# fields no torch.
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
    """A plugin failed to import; `__cause__` is the exception that it raised."""


@dataclass(frozen=True)
class Registry:
    """The classes of one kind, from three sources: built-in names, entry points of installed distributions, files.

    kind:       the noun for them in messages.
    group:      the group of the entry points.
    built_in:   name → "module:Class", as in an entry point.
    bases:      the classes of which one must be a base class.
    parameters: returns the parameters that a class declares.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]
    bases: tuple[type, ...]
    parameters: Callable[[type], list[Parameter]]

    def names(self) -> dict[str, str]:
        """Every built-in and installed name with its source; nothing is imported."""
        return {name: " and ".join(sources) for name, sources in sorted(self._entries().items())}

    def find(self, name: str) -> type:
        """The class of this name, `file.py` or `file.py:Class`.

        Raises LookupError for an unknown name or class and for a name that two sources claim, FileNotFoundError for a
        missing file, TypeError for a class of another kind, and PluginError, from whatever was raised, for a plugin
        that fails to import.
        """
        path, _, class_name = name.partition(":")
        if path.endswith(".py"):
            return self._from_file(Path(path), class_name)
        entries = self._entries()
        if name not in entries:
            raise LookupError(f"unknown {self.kind} {name!r}. {suggest(name, entries)}")
        if len(entries[name]) > 1:
            sources = " and by ".join(entries[name])
            raise LookupError(f"{self.kind} {name!r} is claimed by {sources}; rename or uninstall one")
        ((source, entry),) = entries[name].items()
        try:
            with isolated():
                cls = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(f"{name} ({source}) {_failure(error)}") from error
        if not (inspect.isclass(cls) and issubclass(cls, self.bases)):
            raise TypeError(f"{name} ({source}) must be a subclass of {self._base_names}; got {cls!r}")
        if name not in self.built_in:
            remember(getattr(sys.modules.get(entry.module), "__file__", None))
            guard(cls)
        return cls

    def coerce(self, cls: type, texts: Mapping[str, str], owner: str) -> dict[str, Any]:
        """Parameter values from text (`window=50`), of the types that the class declares.

        owner: the name of the class in messages.

        Raises LookupError for an unknown parameter and ValueError for text that is no value of its type.
        """
        parameters = self.known(cls, texts, owner)
        return {key: parse(text, parameters[key].type, f"{owner}: {key}") for key, text in texts.items()}

    def known(self, cls: type, names: Iterable[str], owner: str) -> dict[str, Parameter]:
        """The parameters of the class by name.

        Raises LookupError, with a similar name, unless all `names` are among them.
        """
        parameters = {p.name: p for p in self.parameters(cls)}
        for name in names:
            if name not in parameters:
                raise LookupError(f"{owner} has no parameter {name!r}. {suggest(name, parameters)}")
        return parameters

    @property
    def _base_names(self) -> str:
        return " or ".join(base.__name__ for base in self.bases)

    def _entries(self) -> dict[str, dict[str, metadata.EntryPoint]]:
        """name → source → entry point; those of the built-ins are made here, so a checkout needs no installation."""
        entries = {name: {"built-in": metadata.EntryPoint(name, at, self.group)} for name, at in self.built_in.items()}
        folders = [Path(folder).absolute() for folder in sys.path]
        changes = [(str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.exists()]
        for entry in _installed(self.group, *changes):
            source = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"
            entries.setdefault(entry.name, {})[source] = entry
        return entries

    def _from_file(self, path: Path, class_name: str) -> type:
        if not path.is_file():
            raise FileNotFoundError(f"no such {self.kind} file: {path}")
        # Under a name of its own in sys.modules, so that a file called random.py shadows no other module.
        module_name = f"rollcast_plugin_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None
        assert spec.loader is not None  # an existing .py file always has both
        module = importlib.util.module_from_spec(spec)
        # dataclass() and typing look the module up while its body is executed.
        sys.modules[module_name] = module
        remember(module.__file__)
        try:
            with isolated():
                spec.loader.exec_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(f"{path} {_failure(error)}") from error
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module_name:
                guard(value)
        classes = {
            key: value
            for key, value in vars(module).items()
            if inspect.isclass(value)
            and issubclass(value, self.bases)
            and value.__module__ == module_name
            and not inspect.isabstract(value)
        }
        if class_name:
            if class_name not in classes:
                raise LookupError(f"{path} has no {self.kind} {class_name!r}. {suggest(class_name, classes)}")
            return classes[class_name]
        if len(classes) != 1:
            names = ", ".join(classes) or "none"
            raise LookupError(
                f"{path} must define one {self.kind} class (a subclass of {self._base_names}); found {names}"
                + (f". Say which: {path}:{next(iter(classes))}" if classes else "")
            )
        return next(iter(classes.values()))


@cache
def _installed(group: str, *changes: tuple[str, int]) -> metadata.EntryPoints:
    """The entry points of a group, as of the last changes of the folders on the path; a backtest asks twenty times."""
    return metadata.entry_points(group=group)


def _failure(error: BaseException) -> str:
    return f"could not be imported: {type(error).__name__}: {described(error)}{former_names.hint(error)}"


PREDICTORS = Registry("predictor", "rollcast.predictors", BUILT_IN, (Predictor, Learner), dataclass_parameters)


def load(name: str, **parameters: object) -> Predictor | Learner:
    """The predictor or learner of this name or file, with these parameters.

    Raises what `Registry.find` raises, LookupError for an unknown parameter, and TypeError or ValueError for a value
    that the class refuses.

    >>> load("sma", window=20)
    SMA(window=20)
    """
    cls = PREDICTORS.find(name)
    PREDICTORS.known(cls, parameters, name)
    return cls(**parameters)


def suggest(name: str, known: Iterable[str]) -> str:
    """`Did you mean …? Known: …`; the first half only where a known name is similar."""
    names = sorted(known)
    similar = difflib.get_close_matches(name, names, n=1)
    return (f"Did you mean {similar[0]!r}? " if similar else "") + f"Known: {', '.join(names) or 'none'}"
