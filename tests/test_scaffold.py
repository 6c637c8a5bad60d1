"""`cli.py new` writes plugins that work at once, and overwrites nothing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollcast.backtests.scaffold import write_plugin
from rollcast.predictors.registry import PREDICTORS
from tests.command import cli

ROOT = Path(__file__).parents[1]
KINDS = ("predictor", "learner", "strategy")
FAST = ("--start", "2018-01-01")


def run(*command: str, cwd: Path, site: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": site, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, env=environment)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_is_one_short_commented_file(kind, tmp_path):
    (path,) = write_plugin(kind, "my-idea", tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "my_idea.py"
    assert "class MyIdea(" in text
    assert len(text.splitlines()) <= 40
    assert text.count("#") >= 2
    assert "$" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_keeps_the_house_style(kind, tmp_path):
    for path in write_plugin(kind, "MyIdea", tmp_path, package=True):
        if path.suffix == ".py":
            for command in (
                ["check", "--isolated", "--line-length=120", "--select=E,F,W,UP,B,RUF"],
                ["format", "--check", "--line-length=120"],
            ):
                done = run("-m", "ruff", *command, str(path), cwd=tmp_path)
                assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["predictor", "learner"])
def test_a_new_predictor_passes_check_and_backtests_at_once(kind, tmp_path):
    done = cli("new", kind, "my-idea", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote my_idea.py" in done.stdout
    commands = [line.replace("Try:", "").split()[2:] for line in done.stdout.splitlines()[1:]]
    assert [command[0] for command in commands] == ["check", "backtest"]
    check = cli(*commands[0], cwd=tmp_path)
    assert check.returncode == 0, check.stdout + check.stderr
    assert check.stdout.count("passed") >= 17
    extra = ("--train", "300") if kind == "learner" else ()
    backtest = cli(*commands[1], *FAST, *extra, cwd=tmp_path)
    assert backtest.returncode == 0, backtest.stderr
    assert "Tear sheet: runs/" in backtest.stdout


@pytest.mark.parametrize(
    ("command", "name"), [([str(ROOT / "cli.py")], "python cli.py"), (["-m", "rollcast"], "python -m rollcast")]
)
def test_what_it_says_to_try_is_called_as_it_was(command, name, tmp_path):
    done = run(*command, "new", "predictor", "my-idea", cwd=tmp_path, site=str(ROOT))
    tried = done.stdout.partition("Try: ")[2].split("\n")
    assert [line.strip() for line in tried[:2]] == [
        *(f"{name} check my_idea.py", f"{name} backtest --predictor my_idea.py")
    ]


def test_a_new_strategy_backtests_at_once(tmp_path):
    done = cli("new", "strategy", "MyRule", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check, backtest = [line.replace("Try:", "").split()[2:] for line in done.stdout.splitlines()[1:]]
    checked = cli(*check, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    backtest = cli(*backtest, *FAST, "-s", "threshold_bps=1", cwd=tmp_path)
    assert backtest.returncode == 0, backtest.stderr
    assert "Tear sheet: runs/" in backtest.stdout


@pytest.mark.parametrize(("package", "taken"), [(False, "my_idea.py"), (True, "rollcast-my-idea/pyproject.toml")])
def test_nothing_is_overwritten(package, taken, tmp_path):
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine", encoding="utf-8")
    before = everything(tmp_path)
    done = cli("new", "predictor", "my-idea", *["--package"] * package, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "is there already; choose another name or move it away" in line
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2fast", "beginning with a letter; got '2fast'"),
        ("my idea", "letters, digits, - and _"),
        ("../idea", "letters, digits, - and _"),
        ("idée", "letters, digits, - and _"),
        ("", "letters, digits, - and _"),
        ("class", "means something else"),
        ("none", "means something else"),
        ("Predictor", "means something else"),
        ("statistics", "there is a Python module 'statistics' already"),
        ("numpy", "there is a Python module 'numpy' already"),
        ("predictors", "there is a Python module 'predictors' already"),
        ("sma", r"there is a predictor 'sma' already \(built-in\)"),
        ("OLS-features", r"there is a predictor 'ols-features' already \(built-in\)"),
    ],
)
@pytest.mark.parametrize("package", [False, True])
def test_a_name_that_would_not_work_is_refused(name, message, package, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_plugin("predictor", name, tmp_path, package=package)
    assert not list(tmp_path.iterdir())


def test_a_strategy_does_not_take_a_built_in_name_however_it_is_written(tmp_path):
    for name in ("long_flat", "LongFlat", "long-flat"):
        with pytest.raises(ValueError, match="there is a strategy 'long-flat' already"):
            write_plugin("strategy", name, tmp_path)


@pytest.mark.parametrize(
    ("name", "module", "class_name"),
    [
        ("my-idea", "my_idea", "MyIdea"),
        ("my_idea", "my_idea", "MyIdea"),
        ("MyIdea", "my_idea", "MyIdea"),
        ("myLSTM", "my_lstm", "MyLSTM"),
        ("LSTMIdea", "lstm_idea", "LSTMIdea"),
        ("sma20", "sma_20", "Sma20"),
    ],
)
def test_a_name_makes_a_module_and_a_class(name, module, class_name, tmp_path):
    (path,) = write_plugin("predictor", name, tmp_path)
    assert path.name == f"{module}.py"
    assert PREDICTORS.find(str(path)).__name__ == class_name


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_distribution_installs_passes_its_own_tests_and_is_known_by_name(kind, tmp_path):
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed, and without it pip builds nothing offline")
    done = cli("new", kind, "my-idea", "--package", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pip install --no-deps -e rollcast-my-idea" in done.stdout
    source, site = tmp_path / "rollcast-my-idea", tmp_path / "site"
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    done = run("-m", "pip", "install", *offline, "--target", str(site), str(source), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests", cwd=source, site=str(site))
    assert done.returncode == 0, done.stdout
    done = run(str(ROOT / "cli.py"), "list", cwd=tmp_path, site=str(site))
    assert "[rollcast-my-idea 0.1.0]" in done.stdout
