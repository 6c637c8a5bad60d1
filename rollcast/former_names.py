"""The top-level names of before 0.2: `predictors`, `strategies` and `backtests` are packages of rollcast.

A plugin that says `from predictors import Predictor` gets the very class of `rollcast.predictors`. In a checkout, whose
folders have these names, that always works; beside an installed rollcast it does from the first `import rollcast` on,
so in whatever rollcast loads. A package or folder of one of these names on `sys.path` that is not rollcast's comes
first: whoever has a folder `strategies` keeps it, and a plugin that means rollcast's there must say
`rollcast.strategies`, which the message of `hint` tells its author.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from itertools import takewhile
from pathlib import Path
from types import ModuleType

NAMES = ("predictors", "strategies", "backtests")


def install() -> None:
    """Makes the former names importable; a second call changes nothing."""
    if not any(isinstance(finder, _Packages) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())
        sys.meta_path.append(_Packages())


def adopt(name: str) -> None:
    """Replaces the package being imported from a checkout under its former name.

    By a user's folder of that name, if one stands before the checkout on `sys.path`: without an `__init__.py` it would
    lose to ours. Otherwise by rollcast's package.
    """
    checkout = Path(__file__).parent.parent
    before = takewhile(lambda entry: not (entry.exists() and entry.samefile(checkout)), map(Path, sys.path))
    folders = [str(entry / name) for entry in before if (entry / name).is_dir()]
    if folders:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = folders
        sys.modules[name] = module_from_spec(spec)
    else:
        sys.modules[name] = importlib.import_module(f"rollcast.{name}")


def hint(error: BaseException) -> str:
    """What to write instead, where an import failed because a package of a former name is not rollcast's; else ""."""
    top = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if top not in NAMES or top not in sys.modules or _is_ours(top):
        return ""
    location = ", ".join(getattr(sys.modules[top], "__path__", ())) or getattr(sys.modules[top], "__file__", None)
    return f". Here `{top}` is {location}; that of rollcast is `rollcast.{top}`"


class _Alias(Loader):
    """Loads a module under its former name as the module it is."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"rollcast.{spec.name}")
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


class _Submodules(MetaPathFinder):
    """Finds `predictors.sma` where `predictors` is rollcast's, before its path is searched for a second copy."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        top, dot, _ = name.partition(".")
        return ModuleSpec(name, _Alias()) if dot and top in NAMES and _is_ours(top) else None


class _Packages(MetaPathFinder):
    """Finds `predictors` where nothing else of that name is on the path."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Alias()) if name in NAMES else None


def _is_ours(name: str) -> bool:
    """Whether the package imported under a former name is rollcast's."""
    return sys.modules.get(name) is sys.modules.get(f"rollcast.{name}")
