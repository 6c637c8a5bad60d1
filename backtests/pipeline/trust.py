"""The files that a recipe names outside its folder: their code is loaded, and their prices read, only as it allows.

A run's folder may come from anybody. Of what its recipe names, a source file is loaded where its SHA-256 is the
recipe's and somebody consents, and a file of prices is read where its SHA-256 is the recipe's. docs/security.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from ..data.load import is_file
from ..json_values import Record
from .forecast_file import is_forecast_file

# Asked whether the code of a file may run.
Consent = Callable[[Path], bool]
CODE = ("predictor", "strategy")


def nobody(file: Path) -> bool:
    """Consents to no code."""
    return False


def admit_code(recipe: Record, consent: Consent, kinds: Collection[str] = CODE) -> None:
    """Holds the source files that a recipe names as its predictor or strategy to its hashes, before any is loaded.

    Built-in names, and those of installed distributions, are nobody's files. Raises ValueError, with the file, for one
    whose SHA-256 is another or for which there is no consent; FileNotFoundError where there is none.
    """
    request, sources = _table(recipe.get("request")), _table(recipe.get("source"))
    for kind in kinds:
        name = request.get(kind)
        file = Path(name.partition(":")[0]) if isinstance(name, str) else Path()
        forecasts = kind == "predictor" and isinstance(name, str) and is_forecast_file(name)
        if file.suffix != ".py" and not forecasts:
            continue
        if not file.is_file():
            raise FileNotFoundError(f"no such {kind} file: {file}")
        now, then = _sha256(file), sources.get(kind)
        if now != then:
            raise ValueError(
                f"{file} is not the {kind} of this recipe: its SHA-256 is {now[:12]}… and the recipe's "
                f"{str(then)[:12]}…. It was not loaded; make the run again with it"
            )
        if not forecasts and not consent(file):
            raise ValueError(
                f"the recipe names the code in {file} as its {kind}, and it was not loaded; read it, and give --trust "
                "to run it"
            )


def admit_prices(recipe: Record) -> None:
    """Holds the files of prices that a recipe names to its hashes. Raises ValueError, with the file, for any other."""
    symbol, data = _table(recipe.get("request")).get("symbol"), _table(recipe.get("data"))
    if not isinstance(symbol, str):
        return
    if symbol.startswith("@"):
        raise ValueError(
            f"the recipe names the file of symbols {symbol[1:]}, which was not read; give --symbol {symbol}"
        )
    pins = {name: _table(one) for name, one in _table(data.get("symbols")).items()} or {symbol: data}
    for name in [symbol] if Path(symbol).is_file() else symbol.split(","):
        if is_file(name.strip()) and Path(name.strip()).is_file():
            expected = _table(_table(pins.get(name.strip())).get("pin")).get("sha256")
            if _sha256(Path(name.strip())) != expected:
                raise ValueError(
                    f"the recipe names the prices in {name.strip()}, which are not those it was made on and were not "
                    f"read; give --symbol {symbol} to read them"
                )


def _table(value: object) -> Record:
    """A value of a recipe that is to be a table; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
