"""Beside a user's own `strategies/`, `tests/` and `cli.py` both work: theirs is theirs, and rollcast is rollcast."""

import itertools

import pytest

FRONT_DOOR = """
from rollcast import LSTM, SMA, LongFlat, Predictor, WalkForward, load_bars, run
assert issubclass(SMA, Predictor) and WalkForward(LSTM(), train=500).learner == LSTM()
assert run(load_bars("SPY", "2020"), SMA(window=20), LongFlat).metrics["strategy"]["orders"] > 0
"""
OWN_CODE = """
import backtests.own, cli, predictors.own, strategies.own, tests.own
assert {module.OWNER for module in (backtests.own, cli, predictors.own, strategies.own, tests.own)} == {"user"}
"""


@pytest.fixture(params=["packages", "folders"])
def project(request, tmp_path):
    """A user's project with names that were once rollcast's, as packages or as folders without `__init__.py`."""
    for name in ("backtests", "predictors", "strategies", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text("OWNER = 'user'\n", encoding="utf-8")
        if request.param == "packages":
            (tmp_path / name / "__init__.py").touch()
    (tmp_path / "cli.py").write_text("OWNER = 'user'\n", encoding="utf-8")
    return tmp_path


def test_rollcast_is_the_copy_of_this_environment_and_brings_no_other(installed, tmp_path):
    environment, folder = installed
    code = "import rollcast, rollcast.predictors.sma as sma; print(rollcast.__file__, sma.__file__, sep='\\n')"
    package, module = environment.execute(code, tmp_path).splitlines()
    assert package == str(folder / "__init__.py")
    inside = folder if folder.is_relative_to(environment.site) else folder.parent
    assert module == str(inside / "predictors" / "sma.py")


@pytest.mark.parametrize("parts", list(itertools.permutations([FRONT_DOOR, OWN_CODE])), ids=["rollcast", "own"])
def test_a_script_imports_rollcast_and_its_own_modules_in_either_order(installed, project, parts):
    environment, _ = installed
    environment.execute("".join(parts), project)


@pytest.mark.slow
def test_the_command_line_works_in_a_folder_with_such_names(installed, project):
    environment, _ = installed
    listing = environment.run([*environment.command, "list"], project)
    assert environment.run([environment.python, "-m", "rollcast", "list"], project) == listing
    assert "stacked-lstm" in listing
    assert "long_flat" in listing
