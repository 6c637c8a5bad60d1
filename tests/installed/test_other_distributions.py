"""What an installed rollcast owns in site-packages, and that another distribution's `strategies` is left to it."""

import csv

import pytest

from tests.installed.environment import OFFLINE, ROOT, write_wheel

pytestmark = pytest.mark.slow
MODULES = {"strategies/__init__.py": "OWNER = 'other'\n", "strategies/long_flat.py": "class LongFlat: ...\n"}
ROLLCAST = """
import rollcast
from rollcast import SMA, LongFlat, load_bars, run
assert run(load_bars("SPY", "2020"), SMA(window=20), LongFlat).metrics["strategy"]["orders"] > 0
print(LongFlat.__module__, rollcast.__file__)
"""
OTHERS = "import strategies, strategies.long_flat\nprint(strategies.OWNER, strategies.long_flat.LongFlat.__module__)\n"


def test_a_wheel_owns_one_name_in_site_packages_and_one_command(new_environment, wheel, tmp_path):
    environment = new_environment(tmp_path / "environment")
    before = set(environment.site.iterdir())
    environment.install_rollcast("wheel", wheel)
    (info,) = environment.site.glob("rollcast-*.dist-info")
    assert set(environment.site.iterdir()) - before == {environment.site / "rollcast", info}
    with (info / "RECORD").open(encoding="utf-8", newline="") as record:
        recorded = {row[0] for row in csv.reader(record)}
    outside = {path for path in recorded if not path.startswith(("rollcast/", f"{info.name}/"))}
    assert outside == {"../../../bin/rollcast"}


def test_a_wheel_holds_every_module_and_file_of_the_checkout(new_environment, wheel, tmp_path):
    environment = new_environment(tmp_path / "environment")
    package = environment.install_rollcast("wheel", wheel)
    for part in ("predictors", "strategies", "backtests", "rollcast"):
        for source in (ROOT / part).rglob("*"):
            if source.is_file() and source.suffix not in (".pyc", ".so", ".md"):
                target = package / source.relative_to(ROOT / "rollcast" if part == "rollcast" else ROOT)
                assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_another_distribution_with_strategies_is_intact_until_it_is_removed(
    kind, order, new_environment, wheel, tmp_path
):
    environment = new_environment(tmp_path / "environment")
    other = write_wheel(tmp_path, "other", MODULES)
    if order == "first":
        environment.pip("install", *OFFLINE, str(other))
    package = environment.install_rollcast(kind, wheel)
    if order == "last":
        environment.pip("install", *OFFLINE, str(other))
    ours = f"rollcast.strategies.long_flat {package / '__init__.py'}\n"
    theirs = "other strategies.long_flat\n"
    assert {name: (environment.site / name).read_text(encoding="utf-8") for name in MODULES} == MODULES
    assert environment.execute(ROLLCAST + OTHERS, tmp_path) == ours + theirs
    assert environment.execute(OTHERS + ROLLCAST, tmp_path) == theirs + ours
    environment.pip("uninstall", "--yes", "other")
    assert not (environment.site / "strategies").exists()
    assert environment.execute(ROLLCAST, tmp_path) == ours
    assert "long_flat" in environment.run([*environment.command, "list"], tmp_path)


def test_removing_rollcast_leaves_the_others_files_and_nothing_of_its_own(new_environment, wheel, tmp_path):
    environment = new_environment(tmp_path / "environment")
    before = {path.name for path in environment.site.iterdir()}
    environment.install_rollcast("wheel", wheel)
    environment.pip("install", *OFFLINE, str(write_wheel(tmp_path, "other", MODULES)))
    environment.pip("uninstall", "--yes", "rollcast")
    assert {path.name for path in environment.site.iterdir()} - before == {"strategies", "other-1.2.dist-info"}
    assert environment.execute(OTHERS, tmp_path) == "other strategies.long_flat\n"
