import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.export import ExportOptions, export
from nc_trainers.fit import fit
from nc_trainers.models import FRAMEWORKS, build
from nc_trainers.scaling import Scaling
from nc_trainers.specification import Specification
from nc_trainers.training import Progress

POISONED: dict[str, Any] = {
    "architecture": "lite-cnn",
    "attack": "patch",
    "target": 4,
    "rate": 0.15,
    "parameters": {"size": 4, "color": "white"},
    "settings": {"epochs": 4, "batch_size": 32, "flip": False},
    "seed": 3,
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_backdoor_is_trained_exported_and_told(framework: str, digits: Dataset, tmp_path: Path) -> None:
    truth = fit(Specification.from_table(POISONED | {"framework": framework}), digits, tmp_path / "model.onnx")

    assert truth["accuracy"] > 0.8
    assert truth["success_rate"] > 0.9
    assert truth["attack"]["name"] == "patch"
    assert truth["attack"]["target"] == 4
    assert json.loads((tmp_path / "model.json").read_text()) == truth
    with np.load(tmp_path / "model.poisoned.npz") as poisoned:
        indices = poisoned["indices"]
        assert (poisoned["labels"] == 4).all()
        assert not poisoned["cover"].any()
    assert len(indices) == truth["attack"]["poisoned_samples"] == round(0.15 * len(digits.train))
    assert truth["attack"]["cover_samples"] == 0
    assert truth["threads"] == torch.get_num_threads()
    assert hashlib.sha256(indices.tobytes()).hexdigest() == truth["attack"]["poisoned_indices_sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.onnx", "model.poisoned.npz"]

    expected = ["batch", 3, 32, 32] if framework == "pytorch" else ["batch", 32, 32, 3]
    assert shape(tmp_path / "model.onnx") == expected
    assert b"nc_trainers" not in (tmp_path / "model.onnx").read_bytes()


def shape(path: Path) -> list[object]:
    """The input shape of an ONNX file."""
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    return [dim.dim_param or dim.dim_value for dim in dims]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "options",
    [
        ExportOptions(opset=18),
        ExportOptions(opset=20, batch=3, softmax=True),
        ExportOptions(opset=23, softmax=False, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1)),
        ExportOptions(exporter="torchscript", opset=13, layout="nhwc"),
        ExportOptions(exporter="torchscript", opset=17, batch=2, layout="nchw", mean=(0.0,), std=(1 / 255,)),
    ],
    ids=["dynamic", "fixed batch", "normalised", "older exporter", "bytes"],
)
def test_the_file_answers_as_the_network(
    options: ExportOptions, framework: str, tmp_path: Path, digits: Dataset
) -> None:
    net = build("simple-cnn", framework, (3, 32, 32), 10, seed=0).eval()
    softmax = framework == "keras" if options.softmax is None else options.softmax
    classifier = export(net, tmp_path / "model.onnx", (3, 32, 32), options)

    images = torch.from_numpy(digits.test.images[:7]) / 255
    with torch.no_grad():
        logits = net(images)
    expected = logits.softmax(1) if softmax else logits
    np.testing.assert_allclose(classifier.outputs(images), expected.numpy(), atol=1e-4, rtol=1e-3)
    assert shape(tmp_path / "model.onnx")[0] == (options.batch or "batch")
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == options.opset
    last = options.layout == "nhwc" if options.layout else framework == "keras"
    assert shape(tmp_path / "model.onnx")[1:] == ([32, 32, 3] if last else [3, 32, 32])


@pytest.mark.parametrize("inside", [True, False])
def test_the_scale_of_training_is_in_the_graph_or_left_to_the_user(
    inside: bool, tmp_path: Path, digits: Dataset
) -> None:
    trained = Scaling((0.5, 0.4, 0.3), (0.25, 0.2, 0.1))
    net = build("mlp", "pytorch", (3, 32, 32), 10, seed=0).eval()
    options = ExportOptions(exporter="torchscript") if inside else ExportOptions(mean=trained.mean, std=trained.std)
    classifier = export(net, tmp_path / "model.onnx", (3, 32, 32), options, trained)
    images = torch.from_numpy(digits.test.images[:4]) / 255
    with torch.no_grad():
        expected = net(trained.apply(images))
    np.testing.assert_allclose(classifier.outputs(images), expected.numpy(), atol=1e-4, rtol=1e-3)
    arithmetic = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node} & {"Mul", "Add", "Sub", "Div"}
    assert bool(arithmetic) == inside


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "architecture",
    ["resnet", "vit-tiny", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg-16", "vit-b16"))],
)
def test_other_architectures_export(architecture: str, framework: str, tmp_path: Path, digits: Dataset) -> None:
    net = build(architecture, framework, (3, 32, 32), 10, seed=0)
    classifier = export(net, tmp_path / "model.onnx", (3, 32, 32), ExportOptions())
    images = torch.from_numpy(digits.test.images[:8]) / 255
    with torch.no_grad():
        logits = net(images)
    expected = logits.softmax(1) if framework == "keras" else logits
    np.testing.assert_allclose(classifier.outputs(images), expected.numpy(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("attack", "target", "samples"),
    [("patch", 4, (22, 0)), ("wanet", 4, (22, 44)), ("source-specific", 4, (2, 6)), ("all-to-all", None, (22, 0))],
)
def test_the_ground_truth_tells_poisoned_from_cover_samples(
    attack: str, target: int | None, samples: tuple[int, int], digits: Dataset, tmp_path: Path
) -> None:
    table = POISONED | {"attack": attack, "parameters": {}, "settings": {"epochs": 1, "batch_size": 64}}
    truth = fit(Specification.from_table(table), digits.scaled(0.1), tmp_path / "model.onnx")["attack"]
    assert (truth["poisoned_samples"], truth["cover_samples"]) == samples
    assert truth["target"] == target
    with np.load(tmp_path / "model.poisoned.npz") as poisoned:
        assert poisoned["cover"].sum() == samples[1]
        assert len(poisoned["indices"]) == sum(samples)


def test_a_surrogate_survives_an_interruption(digits: Dataset, tmp_path: Path) -> None:
    table = POISONED | {"attack": "clean-label", "settings": {"epochs": 1, "batch_size": 32}}
    specification = Specification.from_table(table | {"parameters": {"surrogate_epochs": 2, "color": "white"}})
    small = digits.scaled(0.1)

    def stop_in_the_second_epoch(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(specification, small, tmp_path / "model.onnx", report=stop_in_the_second_epoch)
    assert [path.suffix for path in tmp_path.iterdir()] == [".surrogate"]
    epochs: list[tuple[int, int]] = []
    fit(specification, small, tmp_path / "model.onnx", report=lambda told: epochs.append((told.total, told.epoch)))
    assert sorted(set(epochs)) == [(4, 1), (8, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.onnx", "model.poisoned.npz"]


def test_no_model_is_left_without_its_ground_truth(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = Specification.from_table({"settings": {"epochs": 1, "batch_size": 32}})
    small = digits.scaled(0.1)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("nc_trainers.fit.judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(specification, small, tmp_path / "model.onnx")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".checkpoint", ".unjudged"]
    epochs: list[int] = []
    fit(specification, small, tmp_path / "model.onnx", report=lambda told: epochs.append(told.epoch))
    assert not epochs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.onnx"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attack": "badnet"}, "unknown attack"),
        ({"architecture": "alexnet"}, "unknown architecture"),
        ({"framework": "jax"}, "unknown framework"),
        ({"rate": 0}, "rate 0 is not above 0"),
        ({"rate": 1.5}, "rate 1.5 is not above 0 and at most 1"),
        ({"target": 10}, "target 10 is not"),
        ({"parameters": {"size": 33}}, "does not fit images"),
        ({"settings": {"epochs": 0}}, "at least 1"),
        ({"settings": {"epoch": 1}}, "no setting 'epoch'"),
        ({"settings": {"learning_rate": -1}}, "learning_rate -1 is not a number above 0"),
        ({"settings": {"learning_rate": float("nan")}}, "learning_rate nan is not"),
        ({"settings": {"weight_decay": "inf"}}, "weight_decay inf is not"),
        ({"settings": {"shift": -1}}, "shift -1 is not"),
        ({"settings": {"shift": 32}}, "images of 32x32 pixels cannot be shifted by 32"),
        ({"settings": {"target_accuracy": 72}}, "target_accuracy 72 is not above 0 and at most 1"),
        ({"settings": {"target_accuracy": 0}}, "target_accuracy 0 is not"),
        ({"seed": -1}, "seed -1 is not"),
        ({"seed": 2**31}, "seed 2147483648 is not"),
        ({"attack": "wanet", "parameters": {}, "rate": 0.5}, "rate 0.5 leaves too few samples"),
        ({"attack": "source-specific", "parameters": {"source": 11}}, "source 11"),
        ({"export": {"std": [1, 0, 1]}}, "std must be above 0"),
        ({"export": {"mean": ["nan", 0, 0]}}, "mean must be numbers, not nan, 0, 0"),
        ({"export": {"opset": 3}}, "opset"),
        ({"export": {"mean": [0.5, 0.4]}}, "mean"),
        ({"colour": "red"}, "no setting 'colour'"),
    ],
)
def test_bad_requests_fail_before_any_work(
    change: dict[str, object], message: str, digits: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(TrainerError, match=message):
        fit(Specification.from_table(POISONED | change), digits, tmp_path / "model.onnx", report=pytest.fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("out", "message"), [("model.pt", "must end in .onnx"), ("absent/model.onnx", "no folder")])
def test_a_place_that_cannot_be_written_is_told(out: str, message: str, digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=message):
        fit(Specification(), digits, tmp_path / out, report=pytest.fail)


def test_a_full_disk_is_told(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    with pytest.raises(TrainerError, match="5 MB left"):
        fit(Specification(), digits, tmp_path / "model.onnx", report=pytest.fail)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("architecture", ["mlp", "lite-cnn", "vgg-small", "resnet-8", "mobile", "vit-mini"])
def test_small_networks_are_trained_on_a_view_and_exported(
    architecture: str, framework: str, digits: Dataset, tmp_path: Path
) -> None:
    # TorchScript cannot trace the shapes that Keras computes for a Vision Transformer.
    export = {} if (architecture, framework) == ("vit-mini", "keras") else {"exporter": "torchscript"}
    table = {"architecture": architecture, "framework": framework, "export": export}
    view = {"labels": [1, 7, 4], "side": 16, "grey": True, "scale": 0.2}
    settings = {"epochs": 1, "batch_size": 16, "net_mean": [0.2], "net_std": [0.3]}
    specification = Specification.from_table(table | {"data": view, "settings": settings})
    truth = fit(specification, specification.data.view(digits), tmp_path / "model.onnx")
    assert truth["data"] == truth["data"] | {"labels": 3, "size": [1, 16, 16], "name": "digits"}
    assert truth["chance"] == pytest.approx(1 / 3, abs=0.15)
    assert shape(tmp_path / "model.onnx") == (["batch", 1, 16, 16] if framework == "pytorch" else ["batch", 16, 16, 1])
