"""Whole scans of classifiers that are not ten labels of colour images."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.scanner.contract.graphs import model_of

import nc_scan
from nc_scan.errors import NotScannableError

SIDE = 12
PIXELS = SIDE * SIDE
CORNER = [0, 1, SIDE, SIDE + 1]  # the top left 2x2 pixels
BRIGHT, GAIN = 0.8, 400.0


def planted(
    labels: int, target: int, shape: list, *, tail: str | None = None, features: bool = False, columns: int = 0
) -> onnx.ModelProto:
    """Scores that are linear in 4x4 blocks of pixels, and a backdoor: where the corner is bright, the target wins by
    far, with a slope that only bright corners see. Of `features` the first four are the corner.

    The last `columns` scores are handed out; all of them by default.
    """
    pixels = int(np.prod(shape[1:]))
    rng = np.random.default_rng(labels)
    leads, reads = np.zeros((1, labels), np.float32), np.zeros((pixels, 1), np.float32)
    leads[0, target], reads[list(range(4)) if features else CORNER, 0] = GAIN, 1 / len(CORNER)
    blocks = rng.normal(0, 1, (pixels, labels) if features else (3, 3, labels))
    weights = blocks if features else blocks.repeat(4, 0).repeat(4, 1).reshape(pixels, labels)
    constants = {
        "mean": np.full(pixels, 0.5, np.float32),
        "weights": weights.astype(np.float32)[:, -columns:],
        "reads": reads,
        "enough": np.float32(BRIGHT),
        "leads": leads[:, -columns:],
    }
    steps = [
        ("Flatten", ["x"], "flat"),
        ("Sub", ["flat", "mean"], "centered"),
        ("MatMul", ["centered", "weights"], "linear"),
        ("MatMul", ["flat", "reads"], "seen"),
        ("Sub", ["seen", "enough"], "above"),
        ("Relu", ["above"], "triggered"),
        ("MatMul", ["triggered", "leads"], "backdoor"),
        ("Add", ["linear", "backdoor"], "scores"),
        *([(tail, ["scores"], "out")] if tail else []),
    ]
    nodes = [helper.make_node(operator, inputs, [output]) for operator, inputs, output in steps]
    return model_of(nodes, {"x": shape}, {steps[-1][2]: [shape[0], columns or labels]}, constants)


def scan(model: onnx.ModelProto, folder: Path, **options) -> nc_scan.ScanResult:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return nc_scan.scan(path, value_range=options.pop("value_range", "0..1"), **options)


def smallest(result: nc_scan.ScanResult) -> int:
    return min(result.labels, key=lambda label: label.norm).label


@pytest.mark.parametrize(
    ("labels", "shape", "layout"),
    [
        (2, ["n", 1, SIDE, SIDE], "NCHW"),
        (4, ["n", SIDE, SIDE, 1], "NHWC"),
        (4, ["n", SIDE, SIDE], "NHW"),
        (4, ["n", PIXELS], "CHW"),
        (4, [3, 1, SIDE, SIDE], "NCHW"),
    ],
)
def test_every_layout_is_scanned(labels: int, shape: list, layout: str, tmp_path: Path) -> None:
    result = scan(planted(labels, 1, shape), tmp_path)
    assert (result.contract.layout, len(result.labels)) == (layout, labels)
    assert result.parity.agrees
    assert {label.status for label in result.labels} == {"converged"}
    assert min(label.success_rate for label in result.labels) > 0.9
    assert {label.trigger.mask.shape for label in result.labels if label.trigger} == {(SIDE, SIDE)}


def test_one_sigmoid_is_label_1_against_label_0(tmp_path: Path) -> None:
    result = scan(planted(2, 1, ["n", 1, SIDE, SIDE], tail="Sigmoid", columns=1), tmp_path)
    assert (result.contract.output_kind, len(result.labels)) == ("sigmoid", 2)
    assert smallest(result) == 1
    assert result.labels[1].success_rate > 0.9


def test_one_unbounded_number_is_no_classifier_unless_the_user_says_so(tmp_path: Path) -> None:
    model = planted(2, 1, ["n", 1, SIDE, SIDE], columns=1)
    with pytest.raises(NotScannableError, match="regression"):
        scan(model, tmp_path)
    assert len(scan(model, tmp_path, output_kind="logits").labels) == 2


def test_feature_vectors_are_scanned_on_the_users_data(tmp_path: Path) -> None:
    model = planted(3, 2, ["n", 13], features=True)
    with pytest.raises(NotScannableError, match="give some with --data"):
        scan(model, tmp_path, value_range=None)
    data = tmp_path / "vectors.npy"
    vectors = np.random.default_rng(0).uniform(-2, 3, (200, 13)).astype(np.float32)
    vectors[:, 12] *= 1e-3  # a scale of its own
    np.save(data, vectors)
    result = scan(model, tmp_path, data=data, value_range=None)
    assert result.contract.layout == "features"
    assert result.contract.offset == pytest.approx(tuple(vectors.min(0)))
    assert result.contract.scale == pytest.approx(tuple(np.ptp(vectors, 0)))
    assert smallest(result) == 2
    assert result.labels[2].trigger is not None
    assert result.labels[2].trigger.mask.shape == (1, 13)
    assert result.labels[2].trigger.mask[0, :4].sum() > 0.5 * result.labels[2].norm


@pytest.mark.slow
def test_a_thousand_labels(tmp_path: Path) -> None:
    result = scan(planted(1000, 7, ["n", 1, SIDE, SIDE]), tmp_path)
    assert len(result.labels) == 1000
    assert smallest(result) == 7
