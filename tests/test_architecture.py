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
    "backtests/explain": {"predictors", "backtests", "matplotlib"},
    "backtests/data/yahoo": {"backtests", "predictors", "yfinance"},
    "backtests/data": {"backtests", "predictors", "exchange_calendars"},
    "backtests/sweep/guided": {"backtests", "predictors", "optuna"},
    "backtests/agent/server": {"backtests", "predictors", "rollcast", "mcp"},
    "backtests/cluster/on_ray": {"backtests", "predictors", "ray"},
    "backtests/cluster/task": {"backtests", "predictors", "ray"},
    "backtests/commands": {"backtests", "predictors", "click"},
    "backtests": {"backtests", "strategies", "predictors", "backtrader", "scipy"},
    "cli.py": {"backtests"},
    "rollcast": {"backtests", "predictors", "strategies", "rollcast"},
}
GUARDED = OURS | {
    *("backtrader", "click", "torch", "quantstats", "yfinance", "matplotlib", "seaborn", "scipy", "statsmodels"),
    *("exchange_calendars", "arch", "mcp", "optuna", "ray", "skfolio"),
}
FILES = sorted(
    p.relative_to(ROOT).as_posix()
    for d in ("predictors", "strategies", "backtests", "rollcast")
    for p in (ROOT / d).rglob("*.py")
)


# In backtests/, from the lowest layer to the highest: a module imports from its own room and from layers below.
LAYERS = (
    {"owner"},
    {"atomic", "fresh_process", "installation", "json_values"},
    {"digests"},
    {"run_folder"},
    {"data"},
    {"market"},
    {"account"},
    {"gate"},
    {"pipeline"},
    {"evidence"},
    {"ledger"},
    {"cluster"},
    {"sweep", "placebo", "comparison", "verify", "next_bar"},
    {"sheet"},
    {"explain"},
    {"workspace"},
    {"agent", "config", "doctor", "scaffold"},
    {"commands"},
)


def imported(file: str) -> set[str]:
    """Every module that a file imports, by its whole name, type-checking and lazy imports included."""
    package = ["rollcast", *Path(file).parts[:-1]]
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            inside = {f"{module}.{alias.name}" for alias in node.names} & MODULES
            names |= inside or {module}
    return names


def top_level(module: str) -> str:
    """The first part of a module's name, of ours the one after `rollcast`."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "rollcast" and rest else first


def module_of(file: str) -> str:
    """The name that a file is imported under."""
    return ".".join(["rollcast", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES if not file.startswith("rollcast/")}


@pytest.mark.parametrize("file", [*FILES, "cli.py"])
def test_a_file_imports_only_what_its_place_allows(file):
    place = max((p for p in ALLOWED if file.startswith(p)), key=len)
    libraries = {top_level(module) for module in imported(file)} - {"former_names", "rollcast"}
    assert libraries & GUARDED <= ALLOWED[place]


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("backtests/") and f != "backtests/__init__.py"])
def test_a_module_of_backtests_imports_only_from_its_room_and_from_layers_below(file):
    layer = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
    room = Path(file).parts[1].removesuffix(".py")
    others = {module.split(".")[2] for module in imported(file) if module.startswith("rollcast.backtests.")} - {room}
    assert {other for other in others if layer[other] >= layer[room]} == set()


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The names that reach one another, circle by circle."""
    reached = {name: set(targets) for name, targets in arrows.items()}
    for middle in arrows:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    return sorted({tuple(sorted(n for n in arrows if n in reached[m] and m in reached[n])) for m in arrows} - {()})


def test_no_modules_import_one_another_in_a_circle():
    # The packages' own modules only hand names on.
    files = [file for file in FILES if not file.endswith("__init__.py") and not file.startswith("rollcast/")]
    modules = {module_of(file) for file in files}
    assert circles({module_of(file): imported(file) & modules for file in files}) == []


def test_no_folders_import_one_another_in_a_circle():
    arrows: dict[str, set[str]] = {}
    for file in FILES:
        if file.startswith("backtests/") and file != "backtests/__init__.py":
            targets = {m.split(".")[2] for m in imported(file) if m.startswith("rollcast.backtests.")}
            room = Path(file).parts[1].removesuffix(".py")
            arrows.setdefault(room, set()).update(targets - {room})
    assert circles(arrows) == []


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
