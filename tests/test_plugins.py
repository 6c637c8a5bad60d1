"""The three doors a plugin enters by, built-in name, installed distribution and file, and what goes wrong at each."""

import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rollcast import STRATEGIES, load
from rollcast.predictors import BUILT_IN
from rollcast.predictors.checks.suite import check_predictor
from rollcast.predictors.registry import PREDICTORS, PluginError
from tests.command import cli

ROOT = Path(__file__).parents[1]
IDEA = """
from dataclasses import dataclass
from rollcast import Predictor

@dataclass(frozen=True)
class Idea(Predictor):
    "Nothing moves, by size."
    size: int = 3
    def predict(self, bars):
        return bars["close"] * 0.0
"""


def distribution(site: Path, name: str, entries: str, **modules: str) -> None:
    """An installed distribution, version 1.2, as pip leaves it: its modules, its metadata, its entry points."""
    info = site / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(textwrap.dedent(entries), encoding="utf-8")
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text, encoding="utf-8")


def fresh(*arguments: str, site: Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that is searched like site-packages; what was imported from it is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for module in set(sys.modules) - before:
        if getattr(sys.modules[module], "__file__", None) and str(folder) in str(sys.modules[module].__file__):
            del sys.modules[module]


@pytest.fixture
def some(site):
    """A site with a good plugin, a bad one of each kind, and a clash; returns it."""
    entries = """\
        [rollcast.predictors]
        good-idea = some_idea:Idea
        broken = some_broken:Idea
        leaving = some_leaving:Idea
        absent = some_idea:NotThere
        wrong = some_idea:dataclass
        undeclared = some_undeclared:Idea
        sma = some_idea:Idea
        """
    distribution(
        site,
        "some-plugins",
        entries,
        some_idea=IDEA,
        some_broken="def f():\n    return 1 / 0\n\nf()\n",
        some_leaving="raise SystemExit('good bye')\n",
        some_undeclared=IDEA.replace("size: int", "size: NoSuchType"),
    )
    return site


def test_a_built_in_says_so():
    assert {PREDICTORS.names()[name] for name in BUILT_IN} == {"built-in"}


def test_an_installed_distribution_is_named_with_its_version(some):
    assert PREDICTORS.names()["good-idea"] == "some-plugins 1.2"
    assert repr(load("good-idea", size=4)) == "Idea(size=4)"


def test_strategies_enter_by_the_same_door(site):
    rule = "from rollcast.strategies.base import ForecastStrategy\nclass Rule(ForecastStrategy):\n    'Out.'\n"
    distribution(site, "some-rules", "[rollcast.strategies]\nmy-rule = some_rule:Rule\n", some_rule=rule)
    assert STRATEGIES.names()["my-rule"] == "some-rules 1.2"
    assert STRATEGIES.find("my-rule").__name__ == "Rule"
    with pytest.raises(LookupError, match="unknown predictor 'my-rule'"):
        load("my-rule")


def test_a_file_is_named_by_its_path_and_its_class(tmp_path):
    (tmp_path / "idea.py").write_text(IDEA + IDEA.replace("Idea", "Other"), encoding="utf-8")
    assert repr(load(f"{tmp_path / 'idea.py'}:Other")) == "Other(size=3)"


def test_a_name_claimed_twice_names_both_sources_and_spoils_no_other(some):
    assert PREDICTORS.names()["sma"] == "built-in and some-plugins 1.2"
    with pytest.raises(LookupError, match=r"'sma' is claimed by built-in and by some-plugins 1\.2; rename or"):
        load("sma")
    assert repr(load("ema")) == "EMA(span=50.0)"
    assert repr(load("good-idea")) == "Idea(size=3)"


def test_two_distributions_that_claim_a_name_are_both_named(site):
    for name in ("first-one", "second-one"):
        distribution(site, name, f"[rollcast.predictors]\nidea = {name.replace('-', '_')}:Idea\n")
    with pytest.raises(LookupError, match=r"claimed by first-one 1\.2 and by second-one 1\.2"):
        load("idea")


def test_the_same_distribution_found_twice_is_no_clash(site, tmp_path, monkeypatch):
    distribution(site, "some-plugins", "[rollcast.predictors]\ngood-idea = some_idea:Idea\n", some_idea=IDEA)
    shutil.copytree(site, tmp_path / "again")
    monkeypatch.syspath_prepend(tmp_path / "again")
    assert repr(load("good-idea")) == "Idea(size=3)"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("broken", PluginError, r"broken \(some-plugins 1\.2\) could not be imported: ZeroDivisionError: division by"),
        ("leaving", PluginError, r"leaving \(some-plugins 1\.2\) could not be imported: SystemExit: good bye"),
        ("absent", PluginError, r"absent \(some-plugins 1\.2\) could not be imported: AttributeError: .*'NotThere'"),
        ("wrong", TypeError, r"wrong \(some-plugins 1\.2\) must be a subclass of Predictor or Learner; got <function"),
        ("good-ides", LookupError, r"unknown predictor 'good-ides'\. Did you mean 'good-idea'\?"),
    ],
)
def test_a_bad_entry_point_says_whose_it_is_and_what_is_wrong(some, name, kind, message):
    with pytest.raises(kind, match=message):
        load(name)


def test_the_command_line_shows_the_plugins_own_traceback_over_one_plain_line(some, tmp_path):
    done = cli("check", "broken")
    assert done.returncode == 1
    *above, last = done.stderr.splitlines()
    assert last == ("Error: broken (some-plugins 1.2) could not be imported: ZeroDivisionError: division by zero")
    assert any("some_broken.py" in line and "line 2, in f" in line for line in above)
    assert above[0].startswith("Traceback")
    assert above.count("Traceback (most recent call last):") == 1


def test_a_bad_plugin_does_not_spoil_the_list(some):
    done = cli("list")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != " "}
    assert "Nothing moves, by size. [some-plugins 1.2]" in lines["good-idea"]
    assert "could not be imported: ZeroDivisionError" in lines["broken"]
    assert "could not be imported: SystemExit" in lines["leaving"]
    assert "must be a subclass of Predictor or Learner" in lines["wrong"]
    assert "NameError: name 'NoSuchType'" in lines["undeclared"]
    assert "claimed by built-in and by some-plugins 1.2" in lines["sma"]
    assert "[built-in]" in lines["ema"]
    assert "[built-in]" in lines["proportional"]
    assert "size=3" in done.stdout
    assert done.stderr == ""


def test_asking_for_the_names_imports_neither_torch_nor_the_plugin(some):
    code = (
        "import sys\n"
        "from rollcast.predictors.registry import PREDICTORS\n"
        "assert 'good-idea' in PREDICTORS.names() and 'lstm' in PREDICTORS.names()\n"
        "print(sorted({'torch', 'some_idea', 'some_broken', 'rollcast.predictors.sma'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(some), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=some)
    assert done.stdout == "[]\n", done.stderr


def test_a_parameter_without_a_default_is_listed_as_required(site):
    distribution(
        site, "some-plugins", "[rollcast.predictors]\nidea = some_idea:Idea\n", some_idea=IDEA.replace(" = 3", "")
    )
    assert "size=(required)" in fresh("list", site=site).stdout


@pytest.mark.parametrize("name", ["statistics", "random", "decimal", "string"])
def test_a_file_named_like_a_standard_module_shadows_nothing(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(IDEA, encoding="utf-8")
    done = fresh("check", f"{name}.py", site=tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


EXAMPLES = {
    "momentum": None,
    "ridge": "sklearn",
    "gradient_boosting": "sklearn",
    "grid": "sklearn",
    "horizon": "sklearn",
    "quantiles": "sklearn",
    "ensemble": None,
    "classifier": "sklearn",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_passes_every_check(example):
    needed = EXAMPLES[example]
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip("scikit-learn is not installed; it comes with the dev extra")
    outcomes = list(check_predictor(load(str(ROOT / "examples" / f"{example}.py"))))
    assert [f"{o.check}: {o.finding}" for o in outcomes if o.status != "passed"] == []


def test_no_example_is_forgotten():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == {*EXAMPLES, "patient"}


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """`examples/rollcast-plugin-demo`, copied and installed by pip into a folder of its own; returns both folders."""
    folder = tmp_path_factory.mktemp("demo")
    source = folder / "rollcast-plugin-demo"
    shutil.copytree(
        ROOT / "examples" / "rollcast-plugin-demo",
        source,
        ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"),
    )
    pip_install(source, folder / "site")
    return source, folder / "site"


def pip_install(source: Path, target: Path) -> None:
    """Installs a distribution into a folder, asking no network."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed, and without it pip builds nothing offline")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_demo_plugin_is_known_by_name_once_installed(demo):
    _, site = demo
    printed = fresh("list", site=site).stdout
    assert "given back" in printed or "Minus a share" in printed
    assert printed.count("[rollcast-plugin-demo 0.1.0]") == 2
    assert "enter_bps=2.0" in printed
    assert fresh("check", "reversal", "-p", "window=3", site=site).returncode == 0


def test_the_demo_plugin_backtests_by_name(demo, tmp_path):
    _, site = demo
    arguments = ["-P", "reversal", "-p", "window=3", "-S", "hysteresis", "-s", "enter_bps=1", "--start", "2018-01-01"]
    done = fresh("backtest", *arguments, "--out", str(tmp_path), site=site)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*Z-reversal-SPY/tearsheet.html"))) == 1


def test_the_demo_plugins_own_tests_pass(demo):
    source, site = demo
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
