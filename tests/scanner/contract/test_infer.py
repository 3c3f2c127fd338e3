"""The contract of whole models: what runs, what is covered, what is refused."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.contract.trial import MOST_LABELS
from nc_scan.errors import NotScannableError, OverrideError, UnsupportedModelError
from nc_scan.images import Images
from nc_scan.probes import sample
from nc_scan.results import InputContract


def infer(model: ModelProto, **overrides: str | int) -> tuple[InputContract, ...]:
    given = Overrides(**overrides)
    signature = read_signature(model, given)
    return infer_contract(signature, sample(None, signature.image, np.random.default_rng(0)), given)


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
        (dense(["n", 3, "h", "w"]), "NCHW", (3, 32, 32), set()),  # no other size fits the dense layer
        (dense(["n", "h", "w", 1], weights=784), "NHWC", (1, 28, 28), set()),
    ],
)
def test_what_the_graph_leaves_open_is_what_it_runs_with(
    model: ModelProto, layout: str, size: tuple[int, int, int], uncertain: set[str]
) -> None:
    for contract in infer(model):
        assert (contract.layout, contract.channels, contract.height, contract.width) == (layout, *size)
        assert uncertain <= set(contract.uncertain) <= uncertain | {"value range"}


def test_a_model_that_runs_with_nothing_says_which_options_help() -> None:
    with pytest.raises(UnsupportedModelError, match="--layout and --size say what it takes"):
        infer(dense(["n", 3, "h", "w"], weights=77))


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (dense([2, 3, 32, 32], helper.make_node("ReduceSum", ["logits"], ["out"])), NotScannableError, "row of"),
        (dense(["n", 3, 32, 32], labels=1), NotScannableError, "if it is a score, say so with --output-kind logits"),
        (convolutional(["n", 3, 32, 32]), OverrideError, "the size 64x64 does not fit"),
    ],
)
def test_what_is_no_classifier_is_refused(model: ModelProto, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        infer(model, **({"size": (64, 64)} if error is OverrideError else {}))


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


def test_more_labels_than_any_data_set_has_are_refused() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1], keepdims=1),
        helper.make_node("Expand", ["one", "wide"], ["scores"]),
    ]
    model = model_of(nodes, {"x": ["n", 3, 8, 8]}, {"scores": None}, {"wide": np.array([1, MOST_LABELS + 1])})
    with pytest.raises(NotScannableError, match=f"{MOST_LABELS + 1} numbers for an image, at most {MOST_LABELS}"):
        read_signature(model)


def test_hypotheses_that_nothing_tells_apart_are_all_covered() -> None:
    """A model with one answer to everything: no range is better than another."""
    model = dense(["n", 3, 96, 96], weights=27648)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    found = infer(model)
    assert [contract.value_range for contract in found] == ["0..1", "imagenet", "-1..1", "0..255", "caffe"]
    assert all("value range" in contract.uncertain for contract in found)


def test_every_head_is_covered() -> None:
    model = dense(["n", 3, 32, 32], helper.make_node("MatMul", ["flat", "other"], ["out"]))
    model.graph.initializer.append(numpy_helper.from_array(random(3072, 7), "other"))
    model.graph.output.append(helper.make_tensor_value_info("logits", 1, ["n", 5]))
    found = infer(model, value_range="0..1")
    assert [(contract.output_name, contract.labels) for contract in found] == [("logits", 5), ("out", 7)]
    (chosen,) = infer(model, value_range="0..1", output="out")
    assert chosen.output_name == "out"


def test_accuracy_on_the_users_labels_outranks_arithmetic() -> None:
    """The graph scales as for 0..255, but only values in 0..1 give the labels of the data."""
    bright = np.random.default_rng(0).random(400) > 0.5
    images = np.where(bright, 0.9, 0.1).astype(np.float32)[:, None, None, None] * np.ones((1, 1, 8, 8), np.float32)
    steps = [
        ("Mul", ["x", "scale"], "y"),
        ("Flatten", ["y"], "f"),
        ("MatMul", ["f", "w"], "l"),
        ("Add", ["l", "b"], "o"),
    ]
    weights = {
        "scale": np.float32(1 / 255),
        "w": np.array([[0.0, 1.0]] * 64, np.float32),
        "b": np.array([0.0, -0.5 * 64 / 255], np.float32),
    }
    nodes = [helper.make_node(operator, inputs, [output]) for operator, inputs, output in steps]
    signature = read_signature(model_of(nodes, {"x": ["n", 1, 8, 8]}, {"o": ["n", 2]}, weights))
    without = infer_contract(signature, Images(images))
    assert [contract.value_range for contract in without] == ["0..255"]
    labelled = infer_contract(signature, Images(images, bright.astype(np.int64)))
    assert labelled[0].value_range == "0..1"
    assert "0..255" not in {contract.value_range for contract in labelled}


def test_each_possible_layout_is_covered() -> None:
    found = infer(classifier(["n", 192]))
    assert {contract.layout for contract in found} == {"CHW", "HWC"}
    assert {"layout", "value range"} <= set(found[0].uncertain)


def test_the_range_of_features_is_that_of_the_data() -> None:
    with pytest.raises(OverrideError, match="feature vectors are fed as the data has them"):
        infer(classifier(["n", 13]), value_range="0..1")
