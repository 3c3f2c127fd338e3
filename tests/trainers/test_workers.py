import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nc_trainers.data import Dataset
from nc_trainers.specification import Specification
from nc_trainers.workers import fit_all

ENDLESS = """
defaults = { settings = { epochs = 100000, batch_size = 16 } }
model = [{ name = "a", seed = 1 }, { name = "b", seed = 2 }, { name = "c", seed = 3 }, { name = "d", seed = 4 }]
"""


def specification(seed: int) -> Specification:
    return Specification.from_table({"seed": seed, "settings": {"epochs": 1, "batch_size": 16}})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_told_and_the_others_go_on(jobs: int, digits: Dataset, tmp_path: Path) -> None:
    models = {"a": specification(1), "absent/b": specification(2), "c": specification(3)}
    found = dict(fit_all(models, digits.scaled(0.05), tmp_path, jobs))
    assert "there is no folder" in str(found.pop("absent/b"))
    assert {name: truth["seed"] for name, truth in found.items()} == {"a": 1, "c": 3}


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_an_interruption_ends_all_processes(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text(ENDLESS)
    command = (Path(sys.executable).parent / "nc-train", "zoo", tmp_path / "zoo.toml", "--data", "digits")
    options = ("--scale", "0.05", "--jobs", "2", "--out", tmp_path)
    group = subprocess.Popen([*command, *options], start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        while group.poll() is None and len(list(tmp_path.glob(".*.checkpoint"))) < 2:
            time.sleep(0.1)
        os.killpg(group.pid, signal.SIGINT)
        _, told = group.communicate(timeout=30)
    finally:
        if group.poll() is None:
            os.killpg(group.pid, signal.SIGKILL)
    assert group.returncode == 130
    assert told.splitlines() == ["interrupted; the same command goes on from the last whole epoch"]
    assert {path.name[:2] for path in tmp_path.glob(".*")} == {".a", ".b"}
