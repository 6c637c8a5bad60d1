"""Classes from a second execution of their module, which have no state of what the first was used for."""

from __future__ import annotations

import importlib.util
import sys

from ..isolation import guard

_executing: set[str] = (
    set()
)  # modules that a second execution is in, so that one which runs a backtest asks for no third


def fresh_class(cls: type) -> type:
    """The class of this name from a second execution of its module; itself where it has no file, or raises there."""
    try:
        spec = sys.modules[cls.__module__].__spec__
        assert spec is not None
        assert spec.origin is not None
        assert spec.name not in _executing
        # The second module is not entered into sys.modules, so that nothing else imports it.
        fresh_spec = importlib.util.spec_from_file_location(spec.name, spec.origin)
        assert fresh_spec is not None
        assert fresh_spec.loader is not None
        module = importlib.util.module_from_spec(fresh_spec)
        _executing.add(spec.name)
        try:
            fresh_spec.loader.exec_module(module)
        finally:
            _executing.discard(spec.name)
        fresh: type = getattr(module, cls.__qualname__)
        guard(fresh)
    except Exception:
        return cls
    return fresh
