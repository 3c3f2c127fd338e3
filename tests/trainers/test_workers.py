import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nc_trainers.data import Dataset
from nc_trainers.specification import Specification
from nc_trainers.workers import fit_all

ENDLESS = """
defaults = { architecture = "mlp", settings = { epochs = 100000, batch_size = 16 } }
model = [{ name = "a", seed = 1 }, { name = "b", seed = 2 }, { name = "c", seed = 3 }, { name = "d", seed = 4 }]
"""


def specification(seed: int) -> Specification:
    quick = {"architecture": "mlp", "export": {"exporter": "torchscript"}}
    return Specification.from_table({**quick, "seed": seed, "settings": {"epochs": 1, "batch_size": 16}})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_told_and_the_others_go_on(jobs: int, digits: Dataset, tmp_path: Path) -> None:
    models = {name: (specification(seed), "d") for name, seed in (("a", 1), ("absent/b", 2), ("c", 3))}
    found = dict(fit_all(models, {"d": digits.scaled(0.05)}, tmp_path, jobs))
    assert "there is no folder" in str(found.pop("absent/b"))
    assert {name: truth["seed"] for name, truth in found.items()} == {"a": 1, "c": 3}


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_an_interruption_ends_all_processes(endless: subprocess.Popen[str], tmp_path: Path) -> None:
    os.killpg(endless.pid, signal.SIGINT)
    _, told = endless.communicate(timeout=30)
    assert endless.returncode == 130
    assert told.splitlines() == ["interrupted; the same command goes on from the last whole epoch"]
    assert {path.name[:2] for path in tmp_path.glob(".*")} == {".a", ".b"}


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_the_trainings_end_with_the_process_that_started_them(endless: subprocess.Popen[str]) -> None:
    endless.kill()
    endless.communicate(timeout=30)  # raises while anybody holds the other end of standard error
    assert endless.returncode == -signal.SIGKILL


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A zoo of two trainings at a time, both past their first epoch, in a process group of its own."""
    (tmp_path / "zoo.toml").write_text(ENDLESS)
    start = (sys.executable, "-c", "from nc_trainers.cli import main; main()")
    command = (*start, "zoo", tmp_path / "zoo.toml", "--data", "digits")
    options = ("--scale", "0.05", "--jobs", "2", "--out", tmp_path)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    group = subprocess.Popen([*command, *options], start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        while group.poll() is None and len(list(tmp_path.glob(".*.checkpoint"))) < 2:
            time.sleep(0.1)
        yield group
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group.pid, signal.SIGKILL)
