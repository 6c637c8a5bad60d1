"""Who may import whom: parsed from the sources, and seen in fresh processes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"backtests", "strategies", "predictors", "rollcast"}
# Package or file → our packages and guarded libraries it may name anywhere, lazily or not; `cli.py` names its
# commands as text.
ALLOWED = {
    "predictors/recurrent": {"predictors", "torch"},
    "predictors": {"predictors"},
    "strategies": {"strategies", "backtrader", "scipy"},
    "backtests/sheet": {"predictors", "backtests", "quantstats", "matplotlib", "seaborn"},
    "backtests/explain": {"predictors", "matplotlib"},
    "backtests/data/yahoo": {"backtests", "predictors", "yfinance"},
    "backtests/data": {"backtests", "predictors", "exchange_calendars"},
    "backtests/sweep/guided": {"backtests", "predictors", "optuna"},
    "backtests/cluster/on_ray": {"backtests", "predictors", "ray"},
    "backtests/cluster/task": {"predictors", "ray"},
    "backtests/commands": {"backtests", "predictors", "click"},
    "backtests": {"backtests", "strategies", "predictors", "backtrader", "scipy"},
    "cli.py": {"backtests"},
    "rollcast": {"backtests", "predictors", "strategies", "rollcast"},
}
GUARDED = OURS | {
    *("backtrader", "click", "torch", "quantstats", "yfinance", "matplotlib", "seaborn", "scipy", "statsmodels"),
    *("exchange_calendars", "arch", "optuna", "ray", "skfolio"),
}
FILES = sorted(
    p.relative_to(ROOT).as_posix()
    for d in ("predictors", "strategies", "backtests", "rollcast")
    for p in (ROOT / d).rglob("*.py")
)


def imported(path: Path) -> set[str]:
    """Top-level names of every import in a file, type-checking ones included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {top_level(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules = [f"rollcast.{a.name}" for a in node.names] if node.module == "rollcast" else [node.module or ""]
            names |= {top_level(module) for module in modules}
    return names - {"former_names"}


def top_level(module: str) -> str:
    """The first part of a module's name, of ours the one after `rollcast`."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "rollcast" and rest else first


@pytest.mark.parametrize("file", [*FILES, "cli.py"])
def test_a_file_imports_only_what_its_place_allows(file):
    place = max((p for p in ALLOWED if file.startswith(p)), key=len)
    assert imported(ROOT / file) & GUARDED <= ALLOWED[place]


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], {"torch", "pandas", "numpy", "quantstats", "yfinance", "matplotlib"}),
        (["backtest", "--help"], {"torch", "pandas", "numpy", "quantstats", "yfinance", "matplotlib"}),
        (["predict", "--help"], {"torch", "pandas", "numpy", "quantstats", "yfinance", "matplotlib"}),
        (["sweep", "--help"], {"torch", "pandas", "numpy", "quantstats", "yfinance", "matplotlib"}),
        (["explain", "--help"], {"torch", "pandas", "numpy", "quantstats", "yfinance", "matplotlib"}),
        (["list"], {"torch", "quantstats", "yfinance", "matplotlib"}),
        (["ledger", "list", "--out", "no-such-folder"], {"torch", "quantstats", "yfinance", "matplotlib"}),
        (["data", "list"], {"torch", "quantstats", "yfinance", "matplotlib"}),
    ],
)
def test_a_quick_command_imports_nothing_heavy(arguments, absent):
    code = (
        "import sys, cli\n"
        f"try: cli.main({arguments!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"print(sorted(set(sys.modules) & {absent!r}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("predictors/")])
def test_no_predictor_uses_a_forbidden_word(file):
    source = (ROOT / file).read_text(encoding="utf-8")
    for word in ("bfill", "backfill", "center=True", "np.random.seed", "random.seed(", "torch.manual_seed"):
        assert word not in source
