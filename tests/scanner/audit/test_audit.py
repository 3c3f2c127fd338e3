"""Backdoors written into graphs are found and shown to work; ordinary layers are not taken for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from tests.scanner.audit.look_alikes import LOOK_ALIKES
from tests.scanner.audit.surgery import CORNER, LABELS, SIDE, TARGET, Surgery
from tests.scanner.audit.switches import SWITCHES
from torch import nn

from nc_scan.audit import Audit, Deployment, audit
from nc_scan.graph.runtime import Runtime
from nc_scan.results import FloatArray

EXAMPLES = Path(__file__).parents[3] / "examples" / "models"
# Of these the graph says enough for a warning, but the trigger is not found.
UNSHOWN: set[str] = set()


def probes(count: int = 64, side: int = SIDE) -> FloatArray:
    """Smooth random images, as different from each other as the labels need."""
    rng = np.random.default_rng(1)
    coarse = rng.random((count, 3, 3, 3)).astype(np.float32)
    return np.asarray(np.repeat(np.repeat(coarse, side // 3, 2), side // 3, 3)[..., :side, :side])


def deployment(model: ModelProto, labels: int = LABELS) -> Deployment:
    """A model that reads NCHW images in [0, 1] and gives logits."""
    output = model.graph.output[0].name
    run = Runtime(model, outputs=[output])

    def predict(images: FloatArray) -> NDArray[np.int64]:
        return np.concatenate([run(image[None])[0].argmax(1) for image in images])

    return Deployment(
        model, output, labels, lambda scores: scores.reshape(len(scores), -1), np.asarray, lambda x: x, predict
    )


def audited(name: str, table: dict) -> Audit:
    surgery = Surgery()
    return audit(deployment(surgery.model(table[name](surgery))), probes())


def warnings(found: Audit) -> list[str]:
    return [finding.message for finding in found.findings if finding.severity == "warning"]


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_a_warning_and_its_trigger_is_shown(name: str) -> None:
    found = audited(name, SWITCHES)
    assert warnings(found)
    if name in UNSHOWN:
        return
    if name != "stored_picture":  # which has the label that it has
        assert {fired.label for fired in found.fired} == {TARGET}
    trigger = found.fired[0].trigger
    outside = trigger.mask.copy()
    outside[-CORNER:, -CORNER:] = 0
    assert trigger.mask.sum() > 0
    assert outside.sum() == 0
    assert found.fired[0].success_rate > 0.95


def test_most_switches_are_shown_to_work() -> None:
    assert len(SWITCHES) >= 14
    assert len(set(SWITCHES) - UNSHOWN) >= 11


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_ordinary_layers_are_no_warning(name: str) -> None:
    found = audited(name, LOOK_ALIKES)
    assert warnings(found) == []
    assert found.fired == ()


def test_there_are_many_ordinary_layers() -> None:
    assert len(LOOK_ALIKES) >= 20


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.onnx")))
def test_the_examples_have_no_finding(name: str) -> None:
    model = onnx.load(EXAMPLES / name)
    asked = deployment(model, 10)
    nhwc = model.graph.input[0].type.tensor_type.shape.dim[3].dim_value == 3
    as_input = (lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1))) if nhwc else np.asarray
    images = np.random.default_rng(0).random((32, 3, 32, 32)).astype(np.float32)
    assert audit(dataclasses.replace(asked, model_input=as_input), images) == Audit(())


def test_attention_has_no_finding(tmp_path: Path) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
            self.head = nn.Linear(16, LABELS)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            tokens = image.flatten(2).transpose(1, 2)[..., [0, 1, 2, 0] * 4]
            scores: torch.Tensor = self.head(self.block(tokens).mean(1))
            return scores

    torch.manual_seed(0)
    torch.onnx.export(
        Attention().eval(), (torch.rand(2, 3, SIDE, SIDE),), tmp_path / "x.onnx", dynamo=False, opset_version=17,
        input_names=["image"], output_names=["scores"], dynamic_axes={"image": {0: "batch"}},
    )  # fmt: skip
    found = audit(deployment(onnx.load(tmp_path / "x.onnx")), probes())
    assert found == Audit(())


def test_chance_and_odd_weights_are_notes() -> None:
    s = Surgery()
    noise = s("RandomNormalLike", s.logits(s.features()))
    model = s.model(s("Add", s("Add", noise, s.logits(s.features())), s.constant(np.full(LABELS, np.nan))))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1 << 17, np.uint8), "payload"))
    found = audit(deployment(model), probes())
    assert {finding.rule for finding in found.findings} == {"random-operator", "nan-weights", "unread-weights"}
    assert warnings(found) == []
