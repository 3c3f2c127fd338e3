"""The debugger names the first node that diverges, and says whether it is to blame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import ModelProto
from tests.scanner.graph.models import FixedReshape, ResNet, build, export
from torch import Tensor

from nc_scan.cli import command
from nc_scan.graph.parity import compare
from nc_scan.graph.registry import find
from nc_scan.graph.trace import trace

IMAGES = np.random.default_rng(0).random((3, 3, 16, 16), dtype=np.float32)


@pytest.fixture
def wrong_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Relu that adds a tenth."""
    relu = find("", "Relu", 17)
    assert relu is not None
    right: Callable[[Tensor], Tensor] = relu.function

    def wrong(x: Tensor) -> Tensor:
        return right(x) + 0.1

    monkeypatch.setitem(relu.__dict__, "function", wrong)


@pytest.fixture
def network() -> ModelProto:
    return export(build(ResNet))


def test_all_values_of_a_right_import_agree(network: ModelProto) -> None:
    found = trace(network, [IMAGES])
    assert found.first_divergence is None
    assert found.alone is None
    assert [value.value for value in found.values][-1] == "scores"
    assert found.values[-1].shape == (3, 10)


@pytest.mark.usefixtures("wrong_relu")
def test_the_first_diverging_node_is_named(network: ModelProto) -> None:
    report = compare(network, [IMAGES])
    assert not report.agrees
    first = next(node for node in network.graph.node if node.op_type == "Relu")
    assert report.first_diverging_node == f"Relu {first.name} ({first.output[0]})"
    assert trace(network, [IMAGES]).alone == pytest.approx(0.1, abs=1e-3)


def test_a_node_that_only_amplifies_is_not_blamed(network: ModelProto) -> None:
    found = trace(network, [IMAGES], tolerance=1e-9)
    first = found.first_divergence
    # With a tolerance below rounding some value must differ; none is a fault of its node.
    assert first is None or (found.alone is not None and found.alone < 1e-4)


def test_a_fixed_batch_is_traced_by_its_first_batch() -> None:
    found = trace(export(build(FixedReshape), dynamic=False), [IMAGES])
    assert found.first_divergence is None
    assert found.values[-1].shape == (1, 10)


def test_on_the_command_line(tmp_path: Path, network: ModelProto) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(network, path)
    result = CliRunner().invoke(command, [str(path), "--explain-parity"], standalone_mode=False)
    assert result.return_value == 0, result.output
    assert "AGREES" in result.output
    missing = CliRunner().invoke(command, [str(tmp_path / "missing.onnx"), "--explain-parity"], standalone_mode=False)
    assert missing.return_value == 2
    assert "no such file" in missing.output


@pytest.mark.usefixtures("wrong_relu")
def test_on_the_command_line_a_wrong_node_is_named(tmp_path: Path, network: ModelProto) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(network, path)
    result = CliRunner().invoke(command, [str(path), "--explain-parity"], standalone_mode=False)
    assert result.return_value == 2, result.output
    assert "DIFFERS" in result.output
    assert "written by Relu" in " ".join(result.output.split())
    assert "the importer gets this node wrong" in " ".join(result.output.split())


def test_differing_scores_are_not_explained_where_not_asked(network: ModelProto) -> None:
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 10))
    report = compare(network, [IMAGES], module=other, explain=False)
    assert not report.agrees
    assert report.first_diverging_node is None
