"""The folder with all reports."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nc_scan.errors import ReportError
from nc_scan.reports import folder
from nc_scan.reports.as_json import to_json
from nc_scan.results import ScanResult

from .conftest import make_outcomes, make_result


def test_a_folder_for_each_model_and_what_sums_them_up(tmp_path: Path) -> None:
    outcomes = [make_result(), make_outcomes()["failed"], make_result(target=None)]
    folder.write_reports(outcomes, tmp_path)
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    one = {"scan.json", "report.html", "triggers.npz"}
    one |= {f"{kind}/{label}.png" for kind in ("masks", "patterns") for label in range(10)}
    assert files == {
        *(f"{name}/{file}" for name in ("cat & dog <v2>", "cat & dog <v2>-2") for file in one),
        "model/scan.json", "model/report.html", "scans.sarif", "junit.xml", "summary.md", "bom.json", "statement.json",
        "index.html",
    }  # fmt: skip
    assert (tmp_path / "cat & dog <v2>" / "scan.json").read_text("utf-8") == to_json(outcomes[0])
    mask = np.asarray(Image.open(tmp_path / "cat & dog <v2>" / "masks" / "3.png"))
    assert mask.shape == (16, 16)
    assert mask[13, 13] == round(0.9 * 255)
    assert np.asarray(Image.open(tmp_path / "cat & dog <v2>" / "patterns" / "3.png")).shape == (16, 16, 3)


def test_the_json_comes_last_so_that_it_stands_for_a_whole_report(
    backdoored: ScanResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bytes:
        raise ReportError("disk full")

    monkeypatch.setattr(folder, "image_png", fail)
    with pytest.raises(ReportError):
        folder.write_report(backdoored, tmp_path)
    assert not (tmp_path / "scan.json").exists()
    monkeypatch.undo()
    folder.write_report(backdoored, tmp_path)
    assert json.loads((tmp_path / "scan.json").read_text("utf-8"))["verdict"] == "backdoored"


def test_names(tmp_path: Path) -> None:
    paths = ["a/x.onnx", "b/x.onnx", "models:/x/3", "x-2.onnx", ".onnx", "/", str(tmp_path / "y.onnx")]
    assert folder.folder_names(paths) == ["x", "x-2", "3", "x-2-2", "onnx", "model", "y"]
