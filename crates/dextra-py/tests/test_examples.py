"""The examples run, and the stubs are those of the module."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebook_runs(tmp_path):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = load("make_notebook").main(tmp_path / "tour.ipynb")
    said = "".join(o.get("text", "") for cell in book.cells for o in cell.get("outputs", []))
    assert "right hand" in said and "reward over 20 control steps" in said


def test_stable_baselines3_trains():
    pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed; its torch is too large for CI")
    agent = load("train_sb3").main(2048)
    assert agent.num_timesteps >= 2048
    losses = agent.logger.name_to_value
    assert np.isfinite(losses["train/loss"]) and np.isfinite(losses["train/value_loss"])


def test_the_stubs_are_those_of_the_module():
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "dextra", "--ignore-disjoint-bases"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
