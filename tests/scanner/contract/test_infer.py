"""The contract of whole models: what runs, what is covered, what is refused."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.errors import NotScannableError, OverrideError, UnsupportedModelError
from nc_scan.probes import sample
from nc_scan.results import InputContract


def infer(model: ModelProto, **overrides: str | int) -> tuple[InputContract, ...]:
    given = Overrides(**overrides)
    signature = read_signature(model, given)
    return infer_contract(model, signature, sample(None, signature.image, np.random.default_rng(0)), given)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def convolutional(shape: Sequence[str | int]) -> ModelProto:
    """Takes 3 channels of any size."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "v"], ["logits"]),
    ]
    return model_of(nodes, {"x": shape}, {"logits": ["n", 5]}, {"w": random(8, 3, 3, 3), "v": random(8, 5)})


def dense(shape: Sequence[str | int], *tail: NodeProto, weights: int = 3072, labels: int = 5) -> ModelProto:
    """Flattens its input for a dense layer, whose scores the `tail` turns into `out`."""
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"]), *tail]
    return model_of(
        nodes, {"x": shape}, {"out" if tail else "logits": None}, {"w": random(weights, labels), "axes": np.array([0])}
    )


@pytest.mark.parametrize(
    ("model", "layout", "size", "uncertain"),
    [
        (convolutional(["n", "c", "h", "w"]), "NCHW", (3, 224, 224), {"size"}),
        (convolutional(["n", "c", 48, 32]), "NCHW", (3, 48, 32), set()),
        (convolutional(["n", 3, 40, 3]), "NCHW", (3, 40, 3), set()),
        (dense(["n", 3, "h", "w"]), "NCHW", (3, 32, 32), {"size"}),
        (dense(["n", "h", "w", 1], weights=784), "NHWC", (1, 28, 28), {"size"}),
    ],
)
def test_what_the_graph_leaves_open_is_what_it_runs_with(
    model: ModelProto, layout: str, size: tuple[int, int, int], uncertain: set[str]
) -> None:
    for contract in infer(model):
        assert (contract.layout, contract.channels, contract.height, contract.width) == (layout, *size)
        assert uncertain <= set(contract.uncertain) <= uncertain | {"value range"}


def test_a_model_that_runs_with_nothing_says_which_options_help() -> None:
    with pytest.raises(UnsupportedModelError, match="--layout and --side say what it takes"):
        infer(dense(["n", 3, "h", "w"], weights=77))


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (dense([1, 3, 32, 32], helper.make_node("Squeeze", ["logits", "axes"], ["out"])), NotScannableError, "row of"),
        (dense(["n", 3, 32, 32], helper.make_node("ReduceSum", ["logits"], ["out"])), NotScannableError, "row of"),
        (dense(["n", 3, 32, 32], labels=1), NotScannableError, "if it is a score, say so with --output-kind logits"),
        (convolutional(["n", 3, 32, 32]), OverrideError, "the side 64 does not fit"),
    ],
)
def test_what_is_no_classifier_is_refused(model: ModelProto, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        infer(model, **({"side": 64} if error is OverrideError else {}))


UP_TO_ONE = [helper.make_node("Clip", ["logits", "", "one"], ["out"])]


@pytest.mark.parametrize(
    ("tail", "given", "kind"),
    [
        ((), "logits", "logits"),
        (UP_TO_ONE, "probabilities", "sigmoid"),
    ],
)
def test_one_score_a_sample_is_two_labels(tail: Sequence[NodeProto], given: str, kind: str) -> None:
    model = dense(["n", 3, 32, 32], *tail, labels=1)
    model.graph.initializer.append(helper.make_tensor("one", 1, [], [1.0]))
    found = infer(model, output_kind=given)[0]
    assert (found.output_kind, found.labels) == (kind, 2)
    assert found.evidence["output kind"] == "given by the user"


def test_hypotheses_that_are_not_covered_are_named() -> None:
    """A model with one answer to everything: no range is better than another."""
    model = dense(["n", 3, 96, 96], weights=27648)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    found = infer(model)
    assert [contract.value_range for contract in found] == ["0..1", "imagenet", "-1..1"]
    assert all("possible too, but not scanned: 0..255 NCHW, caffe NCHW" in c.evidence["value range"] for c in found)
    assert all("value range" in contract.uncertain for contract in found)


def test_each_possible_layout_is_covered() -> None:
    found = infer(classifier(["n", 192]))
    assert {contract.layout for contract in found} == {"CHW", "HWC"}
    assert {"layout", "value range"} <= set(found[0].uncertain)


def test_the_range_of_features_is_that_of_the_data() -> None:
    with pytest.raises(OverrideError, match="feature vectors are fed as the data has them"):
        infer(classifier(["n", 13]), value_range="0..1")
