"""metrics.json keeps its schema, for every kind of run, and docs/metrics.md names every key."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.json_values import plain
from rollcast.backtests.pipeline.request import Request

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "backtests" / "metrics.schema.json").read_text())
RUNS = {
    "many years": Request("sma", start="2005"),
    "learner": Request("ols-features", "long_short", start="2010", end="2018"),
    "flat": Request("naive", start="2015", end="2016"),
    "ten bars": Request("sma", start="2015-01-02", end="2015-01-20", params={"window": "3"}),
    "hourly": Request("ema", "proportional", symbol="AAPL.1h"),
    "every day of the week": Request("kalman", symbol="BTC-USD"),
    "a strategy of one's own": Request("ema", "examples/patient.py", start="2014", end="2016"),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_metrics_of_every_kind_of_run_keep_the_schema(name, tmp_path):
    with_evidence(RUNS[name].run(), *RUNS[name].rule(), RUNS[name].account).save(tmp_path)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "metrics.json").read_text()))


def test_the_schema_is_one_and_refuses_what_it_does_not_know():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    metrics = plain(with_evidence(RUNS["ten bars"].run(), *RUNS["ten bars"].rule()).metrics)
    jsonschema.validate(metrics, SCHEMA)
    for broken in ({**metrics, "more": 1}, {k: v for k, v in metrics.items() if k != "luck"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA)


def keys(schema: dict) -> set[str]:
    """The names of all properties, at every depth."""
    found: set[str] = set()
    for name, value in schema.items():
        if name == "properties":
            found |= set(value)
        if isinstance(value, dict):
            found |= keys(value)
    return found


def test_every_key_is_in_the_documentation():
    said = (ROOT / "docs" / "metrics.md").read_text()
    assert {key for key in keys(SCHEMA) if not re.search(rf"`(\w+\.)?{key}`|## .*\b{key}\b", said)} == set()
