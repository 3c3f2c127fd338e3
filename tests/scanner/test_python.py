"""The scanner as a library: what is public, what a result can do, and the notebook that shows it."""

from __future__ import annotations

import ast
import html
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import nc_scan
from nc_scan.errors import ReportError
from nc_scan.isolation import Supervisor
from nc_scan.reports.as_json import from_json
from nc_scan.results import FailedScan, ScanResult

from .reports.conftest import make_outcomes, make_result

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_public_names() -> None:
    assert nc_scan.__version__ == version("nc-scan")
    assert set(nc_scan.__all__) <= set(dir(nc_scan))
    assert all(getattr(nc_scan, name) is not None for name in nc_scan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'scam'"):
        _ = nc_scan.scam  # type: ignore[attr-defined]


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "nc_scan", "--version"], capture_output=True, text=True, check=True)
    assert version("nc-scan") in done.stdout


def test_the_command_leaves_the_heavy_libraries_to_the_process_that_scans() -> None:
    """It starts in a fraction of the time, and the memory is that process's alone."""
    heavy = ("torch", "numba", "onnxruntime", "scipy", "keras")
    script = f"import sys, nc_scan.cli.run; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_repr_is_a_line() -> None:
    assert repr(make_result()) == "<ScanResult backdoored, label 3: 'models/cat & dog <v2>.onnx', 10 labels>"
    assert repr(make_outcomes()["failed"]) == "<FailedScan failed: 'model.onnx', model.onnx: no such file>"


def test_a_result_is_kept(tmp_path: Path) -> None:
    for outcome in (make_result(), make_outcomes()["failed"]):
        outcome.save(tmp_path / "a.json")
        assert (tmp_path / "a.json").read_text("utf-8") == outcome.to_json()
        assert from_json(outcome.to_json()) == outcome
        outcome.save(tmp_path / "a.html")
        assert (tmp_path / "a.html").read_text("utf-8").startswith("<!doctype html>")
        outcome.save(tmp_path / "folder")
        assert (tmp_path / "folder/scan.json").exists()


@pytest.mark.parametrize("outcome", [make_result(), make_outcomes()["failed"]])
def test_a_notebook_shows_the_page_in_a_frame(outcome: ScanResult | FailedScan) -> None:
    shown = outcome._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "sandbox" in shown
    assert "Backdoor scan of" in html.unescape(shown)
    assert "<script" not in html.unescape(shown)


def test_a_figure_has_a_bar_a_label() -> None:
    for result in (make_result(), make_result(2, 1, 1), make_outcomes()["diverged"]):
        assert isinstance(result, ScanResult)
        left, right = result.plot().axes
        assert [bar.get_height() for bar in left.patches] == sorted(label.norm for label in result.labels)
        assert len(right.images) == bool(result.labels)


def test_a_figure_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ReportError, match=r"nc-scan\[plot\]"):
        make_result().plot()


def run_notebook(file: Path, names: dict[str, Any]) -> None:
    """Runs its code cells in order; the last expression of each is shown as a notebook would."""
    for cell in json.loads(file.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            body = ast.parse("".join(cell["source"])).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), str(file), "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), str(file), "eval"), names)
                assert value is None or repr(value)
                if isinstance(value, ScanResult):
                    assert value._repr_html_()
                assert not isinstance(value, ScanResult | Figure) or len(repr(value)) < 200


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name, target in (("clean", None), ("backdoored", 0)):
        shutil.copy(EXAMPLES / f"models/simple-cnn-pytorch-{name}.onnx", tmp_path / "models")
        monkeypatch.setitem(SCANS, f"simple-cnn-pytorch-{name}.onnx", make_result(target=target))
    monkeypatch.setattr("nc_scan.pipeline.scan", lambda path, **_: SCANS[Path(path).name])
    monkeypatch.setattr(Supervisor, "scan", lambda _, path: SCANS[Path(path).name])
    names: dict[str, Any] = {}
    run_notebook(EXAMPLES / "scan.ipynb", names)
    assert [verdict for _, verdict in names["refused"]] == ["backdoored"]
    assert (tmp_path / "report/scan.json").exists()


SCANS: dict[str, ScanResult] = {}


@pytest.mark.slow
def test_the_notebook_runs_with_real_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES / "models", tmp_path / "models")
    names: dict[str, Any] = {}
    run_notebook(EXAMPLES / "scan.ipynb", names)
    assert names["result"].target_labels == (0,)
    assert {Path(address).name for address, _ in names["refused"]} >= {"simple-cnn-pytorch-backdoored.onnx"}
