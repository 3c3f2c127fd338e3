import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.experiments import DETECTIONS, SWEEPS, Run, detect, sweep
from nc_trainers.experiments.detection import scan, write_probes
from nc_trainers.specification import Specification

BASE = Specification.from_table(
    {"attack": "patch", "parameters": {"color": "white"}, "settings": {"epochs": 1, "batch_size": 16}}
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_runs_through(name: str, tmp_path: Path) -> None:
    sweep(Run(name, BASE, "digits", 0.1, tmp_path, jobs=os.cpu_count() or 1), ["simple-cnn"])
    assert len(rows_of(tmp_path / f"{name}.csv")) == 1 + len(SWEEPS[name].values)


def test_a_sweep_writes_table_figure_and_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "trigger-color"
    plan = replace(SWEEPS[name], values=("red", "blue"))
    monkeypatch.setitem(SWEEPS, name, plan)
    sweep(Run(name, BASE, "digits", 0.1, tmp_path), ["simple-cnn"])

    rows = rows_of(tmp_path / f"{name}.csv")
    assert [row[plan.axis] for row in rows] == ["clean", "red", "blue"]
    assert len({row["seed"] for row in rows}) == len(rows)
    assert [bool(row["ASR"]) for row in rows] == [False, True, True]
    assert Image.open(tmp_path / f"{name}.png").size == (1050, 600)
    summary = (tmp_path / f"{name}.md").read_text()
    assert f"nc-train experiment {name} --scale 0.1 --epochs 1 --batch-size 16 --seed 0" in summary
    assert "digits, 10% of it" in summary


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_varies_one_thing(name: str) -> None:
    plan = SWEEPS[name]
    varied = [plan.vary(BASE, value) for value in plan.values]
    for specification in varied:
        specification.check()
    assert len({str(specification) for specification in varied}) >= len(plan.values)


class Untrained(Run):
    """Writes the target of each model in place of the model, once."""

    def train(self, models: dict[str, Specification]) -> dict[str, dict[str, object]]:
        folder = self.out / "models"
        folder.mkdir(exist_ok=True)
        for name, specification in models.items():
            if not (path := folder / f"{name}.onnx").exists():
                path.write_text("" if specification.attack == "none" else str(specification.target))
        return {}


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nc-scan command that reads the target from the model file and says so; it logs its arguments."""
    script = tmp_path / "bin" / "nc-scan"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/log\n'
        'for last; do :; done; target=$(cat "$1")\n'
        '[ "$target" = broken ] && { echo "cannot read it" >&2; exit 3; }\n'
        'labels=""; for label in 0 1 2 3 4 5 6 7 8 9; do norm=50.5; index=1.5\n'
        '[ "$label" = "$target" ] && { norm=8.25; index=4.5; }\n'
        'labels="$labels,{\\"label\\":$label,\\"norm\\":$norm,\\"anomaly_index\\":$index}"; done\n'
        'echo "{\\"verdict\\":\\"clean\\",\\"labels\\":[${labels#,}]}" > "$last"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    return tmp_path / "log"


@pytest.mark.parametrize(("name", "count"), [("detection", 20), ("detection-by-target", 10)])
def test_detection_scans_every_model_once(name: str, count: int, scanner: Path, tmp_path: Path) -> None:
    run = Untrained(name, BASE, "digits", 0.1, tmp_path)
    detect(run)
    detect(run)

    assert len(scanner.read_text().splitlines()) == count
    assert all("--method paper --data" in line for line in scanner.read_text().splitlines())
    rows = rows_of(tmp_path / f"{name}.csv")
    assert len(rows) == count
    for row in rows:
        target = row["target"]
        assert float(row["index"]) == (4.5 if target else 1.5)
        assert row["suspect"] == (target or "0")
        assert [label for label in "0123456789" if float(row[label]) == 8.25] == [target] * bool(target)
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    assert DETECTIONS[name].reference in (tmp_path / f"{name}.md").read_text()


def test_detection_by_target_has_every_target() -> None:
    models = DETECTIONS["detection-by-target"].models(replace(BASE, seed=40))
    assert [spec.target for spec in models.values()] == list(range(10))
    assert [spec.seed for spec in models.values()] == list(range(40, 50))


def test_contaminated_probes_are_15_percent_stamped(digits: Dataset, tmp_path: Path) -> None:
    attack = BASE.make_attack(digits)
    clean, contaminated = (
        np.load(write_probes(digits, stamped, tmp_path / f"{stamped is None}.npz"))["images"]
        for stamped in (None, attack)
    )
    np.testing.assert_array_equal(clean, digits.test.images.transpose(0, 2, 3, 1))
    differs = (clean != contaminated).any(axis=(1, 2, 3))
    assert differs.sum() == round(0.15 * len(clean))
    assert (contaminated[differs][:, -4:, -4:] == 255).all()


def test_a_failed_scan_is_told(scanner: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("broken")
    with pytest.raises(TrainerError, match=r"model\.onnx failed: cannot read it"):
        scan(model, tmp_path, 0, tmp_path / "scan.json")
    assert scanner.exists()
