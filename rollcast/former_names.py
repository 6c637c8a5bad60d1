"""The top-level names of before 0.2: `predictors`, `strategies` and `backtests` are packages of rollcast.

A plugin that says `from predictors import Predictor` gets the very class of `rollcast.predictors`, in a checkout and
beside an installed rollcast. Whoever has a package of one of these names on `sys.path` keeps it: ours is tried last.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

NAMES = ("predictors", "strategies", "backtests")


class _Alias:
    """Loads a module under its former name as the module it is."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"rollcast.{spec.name}")
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


class _Submodules:
    """Finds `predictors.sma` where `predictors` is rollcast's, before its path is searched for a second copy."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        top, dot, _ = name.partition(".")
        if not dot or top not in NAMES or sys.modules.get(top) is not sys.modules.get(f"rollcast.{top}"):
            return None
        return ModuleSpec(name, _Alias())  # type: ignore[arg-type]


class _Packages:
    """Finds `predictors` where nothing else of that name is on the path."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Alias()) if name in NAMES else None  # type: ignore[arg-type]


def install() -> None:
    """Has the import system know the former names; a second call changes nothing."""
    if not any(isinstance(finder, _Packages) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())
        sys.meta_path.append(_Packages())


def adopt(name: str) -> None:
    """Puts rollcast's package in the place of one that a checkout on `sys.path` is importing under its former name."""
    sys.modules[name] = importlib.import_module(f"rollcast.{name}")
