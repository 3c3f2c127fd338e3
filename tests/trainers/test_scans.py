import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.experiments import DETECTIONS, Run, detect, masks
from nc_trainers.experiments.scanner import scan_model, write_probes
from nc_trainers.specification import Specification

BASE = Specification.from_table(
    {"attack": "patch", "parameters": {"color": "white"}, "settings": {"epochs": 1, "batch_size": 16}}
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


class Untrained(Run):
    """Writes the target of each model in place of the model, once."""

    def train(self, models: dict[str, Specification]) -> dict[str, dict[str, object]]:
        for specification in models.values():
            path = self.model(specification)
            path.parent.mkdir(exist_ok=True)
            path.write_text("" if specification.attack == "none" else str(specification.target))
        return {}


SCRIPT = """#!{python}
import json, pathlib, sys
import numpy as np
model, arguments = pathlib.Path(sys.argv[1]), sys.argv[2:]
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
target = model.read_text()
if target == "unreadable":
    sys.exit("cannot read it")
folder = pathlib.Path(arguments[arguments.index("--report") + 1]) / model.stem
folder.mkdir(parents=True, exist_ok=True)
masks = np.full((10, 32, 32), 0.05, np.float32)
labels = [{{"label": label, "norm": 50.5, "anomaly_index": 1.5}} for label in range(10)]
if target.isdecimal():
    masks[int(target)] = 0
    masks[int(target), 26:30, 28:32] = 1
    labels[int(target)] |= {{"norm": 8.25, "anomaly_index": 4.5}}
result = {{"verdict": "clean", "labels": labels[::-1]}}
if target == "failed":
    result = {{"verdict": "failed", "reasons": ["it differs"], "path": "x.onnx"}}
np.savez(folder / "triggers.npz", labels=np.arange(10), masks=masks)
(folder / "scan.json").write_text(json.dumps(result))
sys.exit(2 if target == "failed" else 0)
"""


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nc-scan command that reads the target from the model file and says so; it logs its arguments."""
    script = tmp_path / "bin" / "nc-scan"
    script.parent.mkdir()
    script.write_text(SCRIPT.format(python=sys.executable, log=str(tmp_path / "log")))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    return tmp_path / "log"


@pytest.mark.parametrize(("name", "count"), [("detection", 20), ("detection-by-target", 10)])
def test_detection_writes_what_the_scanner_found(
    name: str, count: int, scanner: Path, digits: Dataset, tmp_path: Path
) -> None:
    detect(Untrained(name, BASE, digits.scaled(0.1), 0.1, tmp_path, jobs=2))

    calls = scanner.read_text().splitlines()
    assert len(calls) == count
    assert all("--method paper --data" in call for call in calls)
    assert sum("probes-contaminated" in call for call in calls) == 10
    rows = rows_of(tmp_path / f"{name}.csv")
    assert len(rows) == count
    for row in rows:
        target = row["target"]
        assert row["model"] == ("backdoored" if target else "clean")
        assert float(row["index"]) == (4.5 if target else 1.5)
        assert row["suspect"] == (target or "0")
        assert [label for label in "0123456789" if float(row[label]) == 8.25] == [target] * bool(target)
    assert DETECTIONS[name].reference in (tmp_path / f"{name}.md").read_text()


def test_masks_are_measured_against_the_planted_square(scanner: Path, digits: Dataset, tmp_path: Path) -> None:
    masks(Untrained("masks", BASE, digits.scaled(0.1), 0.1, tmp_path))

    assert scanner.exists()
    rows = rows_of(tmp_path / "masks.csv")
    assert len(rows) == 110
    planted = [row for row in rows if row["target"] == row["label"]]
    assert len(planted) == 10
    assert {(row["norm"], row["share in the planted square"]) for row in planted} == {("16.0", "0.5")}
    others = {(row["norm"], row["share in the planted square"]) for row in rows if row not in planted}
    assert others == {("51.2", "0.016")}


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


@pytest.mark.parametrize(
    ("content", "message"), [("unreadable", "m.onnx failed: cannot read it"), ("failed", "x.onnx failed: it differs")]
)
@pytest.mark.usefixtures("scanner")
def test_a_failed_scan_is_told(content: str, message: str, tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_text(content)
    with pytest.raises(TrainerError, match=message):
        scan_model(model, tmp_path, 0, tmp_path / "scans", threads=1)


def test_a_missing_scanner_is_told_before_any_work(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr("shutil.which", nowhere)
    with pytest.raises(TrainerError, match="nc-scan command is not installed"):
        detect(Run("detection", BASE, digits, 1, tmp_path))
    assert not (tmp_path / "models").exists()
