"""Names, files and text become predictors."""

import sys
import textwrap
from typing import Literal

import pytest

from rollcast import Learner, Predictor, load
from rollcast.predictors import BUILT_IN
from rollcast.predictors.parameters import parse
from rollcast.predictors.registry import PREDICTORS, PluginError


@pytest.fixture
def plugin(tmp_path):
    """Writes a plugin file and returns its path."""

    def write(body: str, name: str = "idea.py") -> str:
        path = tmp_path / name
        head = "from dataclasses import dataclass\nfrom predictors import Predictor\n"
        path.write_text(head + textwrap.dedent(body), encoding="utf-8")
        return str(path)

    return write


IDEA = """
@dataclass(frozen=True)
class Idea(Predictor):
    "Nothing moves."
    size: int = 3
    def predict(self, bars):
        return bars["close"] * 0.0
"""


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_loads_with_its_defaults(name):
    assert isinstance(load(name), Predictor | Learner)


def test_an_unknown_name_is_refused_with_a_near_miss_and_the_list():
    with pytest.raises(LookupError, match=r"unknown predictor 'lsmt'\. Did you mean 'lstm'\? Known: attention-lstm"):
        load("lsmt")


def test_an_unknown_parameter_is_refused_with_a_near_miss():
    with pytest.raises(LookupError, match=r"sma has no parameter 'windw'\. Did you mean 'window'\?"):
        load("sma", windw=3)


def test_text_becomes_typed_parameters():
    cls = PREDICTORS.find("lstm")
    values = PREDICTORS.coerce(cls, {"hidden": "32", "lr": "1e-3", "features": "return, gap", "device": "cpu"}, "lstm")
    assert values == {"hidden": 32, "lr": 0.001, "features": ("return", "gap"), "device": "cpu"}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("3.5", int, "window must be a whole number; got '3.5'"),
        ("many", float, "window must be a number; got 'many'"),
        ("maybe", bool, "window must be true or false; got 'maybe'"),
        ("c", Literal["a", "b"], "window must be one of a, b; got 'c'"),
        ("x", int | None, "window must be a whole number; got 'x'"),
    ],
)
def test_text_of_the_wrong_type_is_refused(text, kind, message):
    with pytest.raises(ValueError, match=message):
        parse(text, kind, "window")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("yes", bool, True), ("0", bool, False), ("none", int | None, None), ("4", int | None, 4)],
)
def test_text_parses(text, kind, value):
    assert parse(text, kind, "it") == value


def test_a_file_with_one_class_needs_no_class_name(plugin):
    assert repr(load(plugin(IDEA), size=4)) == "Idea(size=4)"


def test_a_file_with_two_classes_needs_one(plugin):
    path = plugin(IDEA + IDEA.replace("Idea", "Other"))
    with pytest.raises(LookupError, match="must define one predictor class"):
        load(path)
    assert repr(load(f"{path}:Other")) == "Other(size=3)"
    with pytest.raises(LookupError, match=r"no predictor 'Othr'\. Did you mean 'Other'\?"):
        load(f"{path}:Othr")


def test_a_file_without_a_predictor_says_so(plugin):
    with pytest.raises(LookupError, match="found none"):
        load(plugin("x = 1\n"))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no such predictor file: nowhere\.py"):
        load("nowhere.py")


def test_a_file_that_fails_to_import_keeps_its_cause(plugin):
    with pytest.raises(PluginError, match="ZeroDivisionError") as caught:
        load(plugin("1 / 0\n"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_file_named_like_a_standard_module_shadows_nothing(plugin):
    load(plugin(IDEA, "statistics.py"))
    import statistics

    assert statistics.mean([1, 3]) == 2
    assert not hasattr(sys.modules["statistics"], "Idea")
