"""`nc-scan evaluate` and `nc-scan calibrate`, with and without a model."""

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.scanner.evaluation.conftest import zoo

from nc_scan.calibration import load_calibration
from nc_scan.cli import command
from nc_scan.evaluation.table import read_table, write_table
from nc_scan.isolation import Supervisor
from nc_scan.results import FailedScan


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_calibrate_fits_and_leaves_out(tmp_path: Path) -> None:
    write_table(zoo(80, 0), tmp_path / "evidence.csv")
    result = run("calibrate", tmp_path / "evidence.csv", "--out", tmp_path / "c.json")
    assert result.exit_code == 0
    calibration = load_calibration(tmp_path / "c.json")
    assert calibration.models == (40, 40)
    assert f"40 clean and 40 backdoored models (a, b, c; 2 architectures; 10 labels): {calibration.id}" in result.stdout
    assert "data a: AUC 1.000" in result.stdout


def test_calibrate_on_a_part_without_models(tmp_path: Path) -> None:
    write_table(zoo(80, 0), tmp_path / "evidence.csv")
    result = run("calibrate", tmp_path / "evidence.csv", "--part", "judge", "--out", tmp_path / "c.json")
    assert result.exit_code != 0
    assert "Error: 0 clean and 0 backdoored models" in result.output
    assert not (tmp_path / "c.json").exists()


def index(folder: Path) -> Path:
    models = [
        {"file": "a.onnx", "verdict": "clean"},
        {"file": "b.onnx", "verdict": "backdoored", "targets": [1], "attack": "patch", "part": "fit"},
    ]
    for model in models:
        (folder / model["file"]).write_bytes(b"model")
    path = folder / "index.json"
    path.write_text(json.dumps({"version": 1, "models": models}))
    return path


def test_evaluate_scans_each_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[str] = []

    def failed(_supervisor: Supervisor, path: Path, **_: object) -> FailedScan:
        scanned.append(path.name)
        return FailedScan("failed", ("no model",), str(path), "0", {"nc-scan": "0"})

    monkeypatch.setattr(Supervisor, "scan", failed)
    result = run("evaluate", index(tmp_path), "--out", tmp_path / "out", "--seeds", 2)
    assert result.exit_code == 0
    assert scanned == ["a.onnx", "b.onnx"] * 2
    rows = read_table(tmp_path / "out" / "evidence.csv")
    assert [(row.file, row.seed, row.verdict) for row in rows] == [
        (name, seed, "failed") for seed in (0, 1) for name in ("a.onnx", "b.onnx")
    ]
    assert (tmp_path / "out" / "evaluation.md").exists()


def test_evaluate_a_part_that_is_not_there(tmp_path: Path) -> None:
    result = run("evaluate", index(tmp_path), "--out", tmp_path / "out", "--part", "other")
    assert result.exit_code == 2
    assert "no models of part other" in result.output
    assert not (tmp_path / "out").exists()


def test_evidence_is_judged_anew_without_a_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Supervisor, "scan", None)
    rows = zoo(80, 0)
    write_table([*rows, dataclasses.replace(rows[1], file="other", part="judge")], tmp_path / "evidence.csv")
    result = run("evaluate", tmp_path / "evidence.csv", "--out", tmp_path / "out", "--part", "judge")
    assert result.exit_code == 0
    assert [row.file for row in read_table(tmp_path / "out/evidence.csv")] == ["other"]
    assert "| patches | attack | patch |" in (tmp_path / "out/evaluation.md").read_text()
    assert run("evaluate", tmp_path / "evidence.csv", "--out", tmp_path / "out", "--part", "none").exit_code == 2


def test_norms_without_verdicts_are_judged_by_the_rules_alone(tmp_path: Path) -> None:
    for verdict, told in (("", False), ("clean", True)):
        write_table([dataclasses.replace(row, verdict=verdict) for row in zoo(8, 0)], tmp_path / "evidence.csv")
        assert ("| verdict |" in run("evaluate", tmp_path / "evidence.csv", "--out", tmp_path / "out").output) == told
