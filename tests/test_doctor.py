"""`doctor`: what is lacking is named with its cure, and the other checks go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollcast.backtests import doctor
from rollcast.predictors.recurrent import kernel, reference
from tests.command import ROOT, cli

REFUSES_TORCH = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Finder())
"""
PARTS = [
    "versions",
    "kernel",
    "accounts",
    "torch",
    *doctor.OPTIONAL,
    "workspace",
    "store",
    "index",
    "prices",
    "disk",
    "backtest",
    "net",
]


def started(arguments, folder, files):
    """A command in a process that finds these modules first, as do the processes that it starts."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


def findings_of(done):
    values = json.loads(done.stdout)
    assert values["passed"] == (done.returncode == 0)
    return {finding["part"]: finding for finding in values["findings"]}


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without_torch")
    done = started(["doctor", "--json", "--out", str(folder / "runs")], folder, {"sitecustomize.py": REFUSES_TORCH})
    return findings_of(done)


def test_without_torch_every_part_is_examined_and_what_is_lost_is_said(without_torch):
    assert list(without_torch) == PARTS
    torch = without_torch["torch"]
    assert torch["status"] == "lacking"
    assert "No module named 'torch'" in torch["sentence"]
    assert "lost are" in torch["sentence"]
    assert "pip install torch" in torch["cure"]


@pytest.mark.skipif(not kernel.available(), reason="no kernel was built here, so torch trains")
def test_without_torch_the_backtest_and_the_net_are_still_right(without_torch):
    assert [without_torch[part]["status"] for part in ("backtest", "net")] == ["ok", "ok"]


def test_every_finding_that_is_not_ok_has_a_cure(without_torch):
    assert all(bool(f["cure"]) == (f["status"] != "ok") for f in without_torch.values())


@pytest.mark.slow
@pytest.mark.skipif(not kernel.available(), reason="no kernel was built here, so torch trains")
def test_without_torch_a_net_is_backtested_and_one_line_says_what_is_lost(tmp_path):
    arguments = ["backtest", "-P", "lstm", "-p", "epochs=2", "-p", "seeds=1", "--start", "2015", "--out", str(tmp_path)]
    done = started(arguments, tmp_path / "first", {"sitecustomize.py": REFUSES_TORCH})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("gates and states are not recorded: torch cannot be imported") == 1
    (run,) = tmp_path.glob("*-lstm-SPY")
    assert not (run / "states.parquet").exists()
    assert (run / "training.parquet").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise OSError('libcudart.so.13: cannot open shared object file')", "libcudart.so.13"),
        ("import os; os.abort()", "ended the process"),
    ],
)
def test_a_broken_torch_is_named_and_ends_nothing(tmp_path, monkeypatch, text, reason):
    (tmp_path / "torch.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = doctor._torch()
    assert finding.status == "lacking"
    assert reason in finding.sentence


def unwritable(tmp_path):
    """A folder in which not even the superuser makes a file."""
    if Path("/proc/self").exists():
        return Path("/proc/self")
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("every folder can be written here")
    return tmp_path


@pytest.mark.parametrize("below", [".", "new/runs"])
def test_a_read_only_folder_is_a_fault_with_its_cure(tmp_path, monkeypatch, below):
    folder = unwritable(tmp_path) / below
    for check in ("_torch", "_backtest", "_net"):  # which take seconds, and are tested elsewhere
        monkeypatch.setattr(doctor, check, lambda: doctor.Finding("part", "ok", ""))
    done = cli("doctor", "--out", str(folder))
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("fault")]
    assert f"workspace  {folder} cannot be written" in line
    assert line.endswith("Cure: name another folder with --out")


def test_nothing_stays_in_the_workspace_or_is_made_for_it(tmp_path):
    assert doctor._writable("workspace", tmp_path / "new" / "runs", "").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_raises_is_a_fault_and_the_next_ones_go_on(tmp_path, monkeypatch):
    def broken():
        raise RuntimeError("the engine is broken")

    monkeypatch.setattr(doctor, "_backtest", broken)
    monkeypatch.setattr(doctor, "_torch", lambda: doctor.Finding("torch", "ok", ""))
    last, net = list(doctor.examine(tmp_path))[-2:]
    assert (last.part, last.status, last.sentence) == ("backtest", "fault", "RuntimeError: the engine is broken")
    assert net.status == "ok"


@pytest.mark.slow
def test_a_wrong_equity_and_a_wrong_net_are_faults(monkeypatch):
    monkeypatch.setattr(doctor, "EQUITY", doctor.EQUITY * (1 + 1e-8))
    monkeypatch.setattr(doctor, "FORECASTS", tuple(f + 1e-4 for f in doctor.FORECASTS))
    assert [check().status for check in (doctor._backtest, doctor._net)] == ["fault", "fault"]


def test_the_stored_forecasts_are_the_references():
    plan, job = doctor.net()
    forecasts = reference.train(plan, job).forecast[: len(doctor.FORECASTS), 0] / job.scale[-1, 1]
    assert forecasts == pytest.approx(doctor.FORECASTS, abs=2e-7)


def test_missing_prices_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("rollcast.backtests.data.bundled.FOLDER", tmp_path)
    finding = doctor._prices()
    assert finding.status == "fault"
    assert "spy" in finding.sentence
