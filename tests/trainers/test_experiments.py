import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from nc_trainers import data
from nc_trainers.cli import main
from nc_trainers.data import Dataset, Split
from nc_trainers.experiments import NAMES, SCANNED, SWEEPS, Run, epochs_at, figures, scanner, sweep
from nc_trainers.experiments.scanner import Scan
from nc_trainers.specification import Specification

BASE = Specification.from_table(
    {"attack": "patch", "parameters": {"color": "white"}, "settings": {"epochs": 1, "batch_size": 16}}
)
CLASSES = ("0", "1", "2")
SMALL_VALUES = {
    "triggers": "2,16,red,wanet,clean-label",
    "poisoned-images": "",
    "trigger-size": "2,4",
    "trigger-color": "red",
    "injection-rate": "0.15",
    "target-label": "0,1",
    "attacks": "wanet,source-specific,all-to-all,clean-label",
    "detection": "1",
    "detection-by-target": "0",
    "masks": "0,clean",
}


def scan_nothing(model: Path, **_: object) -> Scan:
    """What a scan of a model with three labels may say."""
    assert model.exists()
    labels = [{"label": label, "norm": 9.0, "anomaly_index": 1.0} for label in range(len(CLASSES))]
    return Scan("clean", labels, dict.fromkeys(range(len(CLASSES)), np.eye(16, dtype=np.float32)))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def shrunk(split: Split) -> Split:
    """Its zeros, ones and twos at 16x16 pixels."""
    kept = split.labels < len(CLASSES)
    return Split(np.ascontiguousarray(split.images[kept][:, :, ::2, ::2]), split.labels[kept])


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Dataset:
    """Digits that a scan searches thirteen times faster: 3 of 10 classes, a quarter of the pixels."""
    scaled = digits.scaled(0.3)
    return Dataset("digits", CLASSES, shrunk(scaled.train), shrunk(scaled.test))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and scans of all experiments."""
    return tmp_path_factory.mktemp("experiments")


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_runs_through(
    name: str, small: Dataset, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "load", lambda _: small)
    if name != "detection-by-target":  # one real scan will do
        monkeypatch.setattr(scanner, "scan_model", scan_nothing)
    options = ("--data", "digits", "--values", SMALL_VALUES[name], "--epochs", "2", "--batch-size", "16")
    jobs = "2" if name in SCANNED else "1"  # the models to scan are there already
    command = ("experiment", name, *options, "-p", "color=white", "--jobs", jobs, "--out", str(shared))
    result = CliRunner().invoke(main, command, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    rows = rows_of(shared / f"{name}.csv")
    values = SMALL_VALUES[name].split(",")
    scanned = {"detection": 4, "detection-by-target": 1, "masks": 2 * len(CLASSES)}
    drawn = {"triggers": len(values), "poisoned-images": 16}
    expected = (scanned | drawn).get(name, 1 + len(values))
    assert len(rows) == expected
    with Image.open(shared / f"{name}.png") as figure:
        assert np.asarray(figure).std() > 10
    assert f"nc-train experiment {name} --data digits" in (shared / f"{name}.md").read_text()


def test_experiments_share_their_models(small: Dataset, tmp_path: Path) -> None:
    trained: list[str] = []

    def run(name: str, *values: str) -> None:
        experiment = Run(name, BASE, small, 0.1, tmp_path, 1, values, lambda told: trained.append(told.name))
        sweep(experiment, ["simple-cnn"])

    run("trigger-size", "4")
    run("injection-rate", "0.15")
    assert trained == ["simple-cnn, size clean", "simple-cnn, size 4"]
    run("target-label", "0", "1")
    assert trained[2:] == ["simple-cnn, target 1"]
    rows = rows_of(tmp_path / "target-label.csv")
    assert [row["target"] for row in rows] == ["clean", "0", "1"]
    assert [bool(row["ASR"]) for row in rows] == [False, True, True]
    assert rows[1]["ACC"] == rows_of(tmp_path / "trigger-size.csv")[1]["ACC"]
    summary = (tmp_path / "target-label.md").read_text()
    assert "--scale 0.1 --arch simple-cnn -p color=white --epochs 1 --batch-size 16 --seed 0 --values 0,1" in summary
    assert f"digits, {len(small.train)} training and {len(small.test)} test images, scale 0.1" in summary


def test_weights_and_frozen_epochs_are_for_vision_transformers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, Specification] = {}

    def remembered(_: Run, models: dict[str, Specification]) -> dict[str, dict[str, object]]:
        trained.update(models)
        truth = {"accuracy": 0.5, "success_rate": 0.5, "attack": None, "seed": 0}
        return dict.fromkeys(models, truth)

    monkeypatch.setattr(Run, "train", remembered)
    tmp_path.joinpath("w.pt").touch()
    weights = str(tmp_path / "w.pt")
    options = ("--weights", weights, "--frozen-epochs", "2", "--learning-rate", "1e-4", "--values", "0.15")
    architectures = ("--arch", "simple-cnn", "--arch", "vit-tiny")
    command = ("experiment", "injection-rate", "--data", "digits", *architectures, *options, "--out", str(tmp_path))
    result = CliRunner().invoke(main, command, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    found = {
        (spec.architecture, spec.weights, spec.settings.frozen_epochs, spec.settings.learning_rate)
        for spec in trained.values()
    }
    assert found == {("simple-cnn", None, 0, 1e-4), ("vit-tiny", weights, 2, 1e-4)}
    again = f"--arch simple-cnn --arch vit-tiny --weights {weights} --frozen-epochs 2 --learning-rate 0.0001"
    assert again in result.stdout


def test_lines_have_a_panel_a_measure_and_one_legend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    rows = [
        {"architecture": name, "rate": rate, "ACC": 0.7, "ASR": None if rate == "clean" else 0.9}
        for name in ("a", "b", "c", "d")
        for rate in ("clean", 0.1, 0.2)
    ]
    figures.lines(rows, "rate", tmp_path / "figure.png")
    (figure,) = drawn
    assert [(plot.get_title(), len(plot.lines), plot.get_legend()) for plot in figure.axes] == [
        ("ACC", 8, None),
        ("ASR", 4, None),
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c", "d", "clean model"]


@pytest.mark.parametrize(("scale", "epochs"), [(1, 6), (0.5, 5), (0.2, 4), (0.1, 3), (0.01, 1), (1e-6, 1)])
def test_less_data_is_seen_fewer_times(scale: float, epochs: int) -> None:
    assert epochs_at(scale) == epochs


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_varies_one_thing(name: str) -> None:
    plan = SWEEPS[name]
    varied = [plan.vary(BASE, value) for value in plan.values]
    for specification in varied:
        specification.check()
        assert specification.seed == BASE.seed
    assert len({str(specification) for specification in varied}) >= len(plan.values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trigger-hue",), "unknown experiment 'trigger-hue'; there are triggers, "),
        (("poisoned-images", "--values", "1"), "poisoned-images has no value '1'; it has none"),
        (("poisoned-images", "--scale", "0.0005"), "no training image gets another label"),
        (("trigger-size", "--values", "4,17"), "trigger-size has no value '17'; it has 1, 2,"),
        (("detection", "--values", "6"), "detection has no value '6'; it has 1, 2, 3, 4, 5"),
        (("triggers", "--arch", "resnet", "--arch", "vgg-16"), "triggers is for one architecture"),
        (("masks", "--arch", "resnet", "--arch", "vgg-16"), "masks is for one architecture"),
        (("attacks", "-p", "size=40"), "does not fit"),
        (("attacks", "--epochs", "0"), "at least 1"),
        (("trigger-size", "--scale", "nan"), "scale nan is not above 0"),
        (("trigger-size", "--arch", "simple-cnn", "--arch", "alexnet"), "unknown architecture 'alexnet'"),
        (("trigger-size", "--weights", "absent.pt"), "simple-cnn has no backbone"),
        (("trigger-size", "--arch", "resnet", "--arch", "vit-tiny", "--weights", "absent.pt"), "no weights at absent"),
        (("trigger-size", "--arch", "vit-tiny", "--frozen-epochs", "1"), "give weights, or 0 frozen_epochs"),
        (("detection", "--learning-rate", "0"), "learning_rate 0 is not"),
    ],
)
def test_mistakes_get_one_line_before_any_work(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["experiment", *arguments, "--data", "digits", "--out", str(out)])
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(out.glob("models/*"))
