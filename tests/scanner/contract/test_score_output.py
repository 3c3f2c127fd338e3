"""Which output holds the label scores, and the logits behind it."""

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract.score_output import find_score_outputs
from nc_scan.contract.scores import as_logits, kind_of
from nc_scan.errors import NotScannableError

INTEGER = TensorProto.INT64


@pytest.mark.parametrize(
    ("tail", "axis", "kind", "scores"),
    [
        (None, -1, "logits", "logits"),
        ("Softmax", -1, "probabilities", "logits"),
        ("Softmax", 1, "probabilities", "logits"),
        ("Softmax", 0, "logits", "out"),
        ("LogSoftmax", -1, "log-probabilities", "logits"),
        ("Sigmoid", -1, "sigmoid", "logits"),
    ],
)
def test_the_loss_reads_the_logits_before_the_activation(tail: str | None, axis: int, kind: str, scores: str) -> None:
    (found,) = find_score_outputs(classifier(["n", 3, 8, 8], tail=tail, axis=axis).graph)
    assert (found.kind, found.scores, found.scores_kind) == (kind, scores, "logits")


def several(outputs: dict[str, list | None], types: dict[str, int] | None = None) -> ModelProto:
    """`embedding` leads to `logits`, those to `probabilities` and `label`; `other` and `map` stand apart."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        helper.make_node("MatMul", ["embedding", "v"], ["other"]),
        helper.make_node("Identity", ["x"], ["map"]),
        helper.make_node("TopK", ["probabilities", "k"], ["best", "places"]),
        helper.make_node("ZipMap", ["probabilities"], ["by_name"], domain="ai.onnx.ml"),
    ]
    constants = {"w": np.ones((192, 5), np.float32), "v": np.ones((192, 7), np.float32), "k": np.array([3])}
    return model_of(nodes, {"x": ["n", 3, 8, 8]}, outputs, constants, output_types=types)


@pytest.mark.parametrize(
    ("outputs", "heads"),
    [
        ({"embedding": ["n", 192], "logits": ["n", 5]}, [("logits", "logits", None), ("embedding",) * 2 + ("logits",)]),
        ({"logits": ["n", 5], "probabilities": ["n", 5]}, [("probabilities", "logits", None)]),
        ({"map": ["n", 3, 8, 8], "logits": ["n", 5]}, [("logits", "logits", None)]),
        ({"label": ["n"], "logits": ["n", 5]}, [("logits", "logits", None)]),
        ({"label": ["n"]}, [("probabilities", "logits", None)]),
        ({"best": ["n", 3], "places": ["n", 3]}, [("probabilities", "logits", None)]),
        ({"by_name": None, "label": ["n"]}, [("probabilities", "logits", None)]),
        ({"best": ["n", 3], "other": ["n", 7]}, [("other", "other", None), ("probabilities", "logits", None)]),
        ({"logits": ["n", 1, 1, 5]}, [("logits", "logits", None)]),
        ({"logits": ["n", 1, 5]}, [("logits", "logits", None)]),
        ({"other": ["n", 7], "logits": ["n", 5]}, [("logits", "logits", None), ("other", "other", None)]),
        ({"logits": ["n", 5, 1, 1]}, [("logits", "logits", None)]),
        ({"logits": None}, [("logits", "logits", None)]),
    ],
)
def test_of_several_outputs_all_heads_are_found(outputs: dict, heads: list[tuple]) -> None:
    found = find_score_outputs(several(outputs, {"label": INTEGER, "places": INTEGER}).graph)
    assert [(head.output, head.scores, head.read_by) for head in found] == heads


def test_the_user_chooses_among_outputs() -> None:
    graph = several({"other": ["n", 7], "logits": ["n", 5]}).graph
    assert [head.output for head in find_score_outputs(graph, "other")] == ["other"]
    with pytest.raises(ValueError, match="no output is named 'nothing'; there are other, logits"):
        find_score_outputs(graph, "nothing")


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"map": ["n", 3, 8, 8]}, "looks like segmentation"),
        ({"map": ["n", 3, 8]}, "looks like detection"),
    ],
)
def test_an_output_without_label_scores_is_refused_with_a_guess(outputs: dict, said: str) -> None:
    with pytest.raises(NotScannableError, match=said):
        find_score_outputs(several(outputs).graph)


LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])


@pytest.mark.parametrize(
    ("values", "kind", "logits"),
    [
        (LOGITS, "logits", LOGITS),
        (LOGITS[:, :, None, None], "logits", LOGITS),
        (LOGITS.softmax(1), "probabilities", LOGITS.log_softmax(1)),
        (LOGITS.log_softmax(1), "log-probabilities", LOGITS.log_softmax(1)),
        (LOGITS.sigmoid(), "sigmoid", LOGITS),
        (LOGITS[:, 0].sigmoid(), "sigmoid", torch.tensor([[0.0, 1.0], [0.0, 0.0]])),
        (LOGITS[:, :1].half(), "logits", torch.tensor([[0.0, 1.0], [0.0, 0.0]])),
    ],
)
def test_outputs_become_logits(values: torch.Tensor, kind, logits: torch.Tensor) -> None:
    torch.testing.assert_close(as_logits(values, kind), logits)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (LOGITS, "logits"),
        (LOGITS.softmax(1), "probabilities"),
        (LOGITS.log_softmax(1), "log-probabilities"),
        (LOGITS.sigmoid(), "sigmoid"),
        (LOGITS[:, 0].sigmoid(), "sigmoid"),
    ],
)
def test_the_kind_is_read_off_the_values(values: torch.Tensor, kind: str) -> None:
    assert kind_of(values.numpy()) == kind


def test_one_unbounded_number_is_a_regression() -> None:
    with pytest.raises(NotScannableError, match="regression"):
        kind_of(LOGITS[:, 1:2].numpy())
