"""Plugins that misbehave: their own traceback over one line and status 1; nothing is changed for the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command import ROOT, cli

PLUGIN = """
import os, sys, warnings
from dataclasses import dataclass
import numpy as np
import pandas as pd
import click
from rollcast import Predictor

class Odd(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("never")

class Local(Exception):
    def __init__(self, one, two):
        super().__init__(lambda: one)

@dataclass(frozen=True)
class Mine(Predictor):
    "The last return."
    def predict(self, bars):
        {body}
        return np.log(bars["close"]).diff()
"""
RULE = """
from rollcast import NameRule

class Rule(NameRule):
    "Fails."
    def decide(self, state):
        {body}
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("sys.exit(0)", "ended the process by sys.exit: 0"),
        ("sys.exit('good bye')", "ended the process by sys.exit: good bye"),
        ("raise ValueError('odd bars')", "ValueError: odd bars"),
        ("raise OSError(28, 'full')", "OSError: [Errno 28] full"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("{}['x']", "KeyError: 'x'"),
        ("raise Odd('base')", "Odd: base"),
        ("raise Mute", "Mute: its message cannot be shown, for RuntimeError was raised by it"),
        ("raise Local(1, 2)", "Local: "),
        ("raise click.exceptions.Exit(0)", "Exit: "),
        ("raise click.Abort", "Abort: "),
        ("raise ValueError('long ' * 10**6)", "ValueError: long long"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ],
)
def test_an_error_of_a_predictor_shows_its_own_traceback_over_one_line(body, line, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN.replace("{body}", body))
    done = cli("backtest", "-P", str(plugin), "--start", "2020", "--out", str(tmp_path / "runs"))
    assert done.returncode == 1
    *above, last = done.stderr.splitlines()
    assert last.startswith(f"Error: {plugin}: {line}")
    assert len(last) < 700
    assert len(done.stderr) < 30_000
    assert above[0] == "Traceback (most recent call last):"
    assert f'File "{plugin}"' in above[1], "its own frames, and not ours"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["mine.py"]


@pytest.mark.parametrize("body", ["1 / 0", "raise SystemExit", "raise OSError('disk')"])
def test_an_error_of_a_strategy_shows_its_own_traceback_over_one_line(body, tmp_path):
    plugin = tmp_path / "rule.py"
    plugin.write_text(RULE.replace("{body}", body))
    done = cli("backtest", "-P", "sma", "-S", str(plugin), "--start", "2020", "--out", str(tmp_path / "runs"))
    assert done.returncode == 1
    *above, last = done.stderr.splitlines()
    assert last.startswith(f"Error: {plugin}: ")
    assert any(f'File "{plugin}"' in one for one in above)


def test_a_parameter_that_a_plugin_refuses_is_one_line(tmp_path):
    plugin = tmp_path / "mine.py"
    text = PLUGIN.replace("{body}", "pass").replace('"The last return."', '"The last return."\n    size: int = 3')
    plugin.write_text(text + "    def __post_init__(self):\n        raise ValueError('size must be at least 2')\n")
    done = cli("backtest", "-P", str(plugin), "--out", str(tmp_path / "runs"))
    assert (done.returncode, done.stderr) == (1, "Error: size must be at least 2\n")


CHANGES = {
    "directory": "os.chdir('/')",
    "numpy": "np.seterr(all='raise')",
    "pandas": "pd.set_option('display.max_rows', 1)",
    "warnings": "warnings.simplefilter('error')",
    "output": "print('x' * 10**6)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_predictor_changes_is_put_back(change, tmp_path):
    plugin, plain = tmp_path / "mine.py", tmp_path / "plain"
    plugin.write_text(PLUGIN.replace("{body}", CHANGES[change]))
    before = os.getcwd(), np.geterr(), pd.get_option("display.max_rows"), list(warnings.filters)
    done = cli("backtest", "-P", str(plugin), "--start", "2020", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "x" * 1000 not in done.stdout
    assert (os.getcwd(), np.geterr(), pd.get_option("display.max_rows"), list(warnings.filters)) == before
    assert len(runs(tmp_path / "runs")) == 1, "one ledger, in the workspace, of one run"
    plugin.write_text(PLUGIN.replace("{body}", "pass"))
    assert cli("backtest", "-P", str(plugin), "--start", "2020", "--out", str(plain)).returncode == 0
    assert runs(tmp_path / "runs")[0] == runs(plain)[0]


# Bounded: a copy that is called ends at once, and the process waits for each copy, so that two are alive at most.
# Only the first thirty calls or so fork, for that takes long.
FORK = """os.write(os.open(CALLS, os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'%d ' % os.getpid())
        os.environ.setdefault('FIRST', str(os.getpid())) == str(os.getpid()) or os._exit(1)
        copy = os.path.getsize(CALLS) < 200 and os.fork()
        copy and os.waitpid(copy, 0)"""
FORKS = {"predict": (PLUGIN, ["-P"]), "decide": (f"import os\n{RULE}", ["-P", "sma", "-S"])}


@pytest.mark.slow
@pytest.mark.parametrize("call", FORKS)
def test_a_copy_of_the_process_ends_with_the_call_that_forked_it(call, tmp_path):
    text, options = FORKS[call]
    plugin, calls = tmp_path / "mine.py", tmp_path / "calls"
    plugin.write_text(text.replace("{body}", FORK.replace("CALLS", repr(str(calls)))))
    command = [sys.executable, str(ROOT / "cli.py"), "backtest", *options, str(plugin), "--start", "2021"]
    done = subprocess.run([*command, "--out", "runs"], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    processes = calls.read_text().split()
    assert len(processes) > 10
    assert len(set(processes)) == 1, "none but the first process called the plugin"
    assert len(runs(tmp_path / "runs")) == 1


def runs(out: Path) -> list[dict]:
    return [json.loads(path.read_text())["strategy"] for path in sorted(out.glob("*/metrics.json"))]
