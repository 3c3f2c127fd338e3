"""The gate in examples/, from nothing: a server, two real models, two real scans."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "examples" / "mlflow_gate.py"


@pytest.mark.slow
def test_the_clean_version_is_promoted_and_the_other_one_refused_and_tagged() -> None:
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=1200, check=True)
    _, first, second = done.stdout.split("\nversion ")
    assert "nc_scan.verdict = clean" in first
    assert "nc_scan.verdict = backdoored" in second
    assert "nc_scan.target_labels = 0" in second
    assert "aliases: {'production': '1'}" in second
    assert "View run" not in done.stdout  # the library prints nothing
