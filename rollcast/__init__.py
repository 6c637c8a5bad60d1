"""Backtests of price predictors: forecasts in, trades and an honest tear sheet out.

    from rollcast import LongFlat, SMA, load_bars, run
    result = run(load_bars("SPY"), SMA(window=50), LongFlat)

The public names are listed in `__init__.pyi`. Each is imported when it is first used, so that `import rollcast` costs
nothing.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from rollcast import former_names

__version__ = "0.2.0"

_HERE = Path(__file__).parent
_STUB = (_HERE / "__init__.pyi").read_text(encoding="utf-8")
_MODULE_OF = {name: module for module, name in re.findall(r"^from (\S+) import (\w+) as", _STUB, re.MULTILINE)}
__all__ = sorted(_MODULE_OF)

# A checkout keeps the packages beside this one; an installed rollcast has them inside.
if not (_HERE / "predictors").is_dir():
    __path__.append(str(_HERE.parent))

former_names.install()


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    import difflib  # only for a name that is wrong

    nearest = difflib.get_close_matches(name, __dir__(), n=1)
    hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
    raise AttributeError(f"module 'rollcast' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*_MODULE_OF, *former_names.NAMES])
