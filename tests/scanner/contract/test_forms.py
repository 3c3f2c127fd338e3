"""What exporters write in many ways at the edges of a graph: each form is read, and computes what it did before."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from tests.scanner.contract.graphs import model_of

from nc_scan.contract import Signature, read_signature
from nc_scan.errors import NotScannableError, UnsupportedModelError
from nc_scan.graph import load_model, to_torch
from nc_scan.graph.runtime import Runtime

SIDE, LABELS = 8, 5
VALUES = 3 * SIDE * SIDE


def network(
    shape: Sequence[Any],
    before: Sequence[NodeProto] = (),
    after: Sequence[NodeProto] = (),
    *,
    output: Sequence[Any] | None = ("n", LABELS),
    constants: dict[str, Any] | None = None,
    **types: Any,
) -> ModelProto:
    """A dense layer between nodes that write `image` and nodes that read `logits`, from `input` to `output`."""
    rng = np.random.default_rng(0)
    nodes = [
        *before,
        helper.make_node("Flatten", ["image" if before else "input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits" if after else "output"]),
        *after,
    ]
    weights = {"w": rng.standard_normal((VALUES, LABELS)).astype(np.float32) / SIDE}
    return model_of(nodes, {"input": shape}, {"output": output}, weights | (constants or {}), **types)


def quantized() -> ModelProto:
    """uint8 in, uint8 out, as models are that come from TFLite."""
    constants = {
        "s_in": np.float32(1 / 255),
        "z_in": np.uint8(0),
        "s_out": np.float32(1 / 256),
        "z_out": np.uint8(0),
    }
    before = [
        helper.make_node("DequantizeLinear", ["input", "s_in", "z_in"], ["float"]),
        helper.make_node("Transpose", ["float"], ["image"], perm=[0, 3, 1, 2]),
    ]
    after = [
        helper.make_node("Softmax", ["logits"], ["p"], axis=-1),
        helper.make_node("QuantizeLinear", ["p", "s_out", "z_out"], ["output"]),
    ]
    types = {"input_type": TensorProto.UINT8, "output_types": {"output": TensorProto.UINT8}}
    return network(["n", SIDE, SIDE, 3], before, after, constants=constants, **types)


def without_shape() -> ModelProto:
    model = network(["n", 3, SIDE, SIDE])
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def open_batch_of_one() -> ModelProto:
    reshape = helper.make_node("Reshape", ["input", "one"], ["image"])
    return network(["n", 3, SIDE, SIDE], [reshape], constants={"one": np.array([1, VALUES])})


def minus_one() -> ModelProto:
    model = network([1, 3, SIDE, SIDE])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    return model


def no_batch_at_the_output(opset: int = 13) -> ModelProto:
    squeeze = helper.make_node("Gather", ["logits", "zero"], ["output"], axis=0)
    model = network([1, 3, SIDE, SIDE], after=[squeeze], output=[LABELS], constants={"zero": np.array(0)})
    model.opset_import[0].version = opset
    return model


def one_image() -> ModelProto:
    before = [
        helper.make_node("Cast", ["input"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["chw"], perm=[2, 0, 1]),
        helper.make_node("Reshape", ["chw", "sizes3"], ["nchw"]),
        helper.make_node("Resize", ["nchw", "", "", "sizes"], ["image"], mode="linear"),
    ]
    constants = {"sizes": np.array([1, 3, SIDE, SIDE]), "sizes3": np.array([1, 3, SIDE, SIDE])}
    types = {"input_type": TensorProto.UINT8}
    return network(["height", "width", 3], before, output=[1, LABELS], constants=constants, **types)


def learning_phase(element_type: int = TensorProto.BOOL, name: str = "keras_learning_phase") -> ModelProto:
    """In training the image is blotted out."""
    before = [
        helper.make_node("Cast", [name], ["training"], to=TensorProto.BOOL),
        helper.make_node("Where", ["training", "nothing", "input"], ["image"]),
    ]
    model = network(["n", 3, SIDE, SIDE], before, constants={"nothing": np.float32(0)})
    model.graph.input.append(helper.make_tensor_value_info(name, element_type, []))
    return model


def only_one_size_fits() -> ModelProto:
    """Height and width are open; on another size a Reshape makes rows of no image."""
    pool = helper.make_node("Resize", ["input", "", "scales"], ["large"], mode="nearest")
    reshape = helper.make_node("Reshape", ["large", "rows"], ["image"])
    constants = {"rows": np.array([-1, VALUES]), "scales": np.array([1, 1, 0.25, 0.25], np.float32)}
    return network(["n", 3, "height", "width"], [pool, reshape], constants=constants)


FORMS: dict[str, tuple[Callable[[], ModelProto], str, tuple[int, int, int], int | None]] = {
    "8 bits in and out": (quantized, "NHWC", (3, SIDE, SIDE), None),
    "an output without a shape": (without_shape, "NCHW", (3, SIDE, SIDE), None),
    "an open batch of one": (open_batch_of_one, "NCHW", (3, SIDE, SIDE), 1),
    "a dimension of -1": (minus_one, "NCHW", (3, SIDE, SIDE), None),
    "no batch axis at the output": (no_batch_at_the_output, "NCHW", (3, SIDE, SIDE), 1),
    "the same, operator set 11": (lambda: no_batch_at_the_output(11), "NCHW", (3, SIDE, SIDE), 1),
    "one image with a Resize": (one_image, "NHWC", (3, SIDE, SIDE), 1),
    "a flag of training": (learning_phase, "NCHW", (3, SIDE, SIDE), None),
    "the same as a number": (lambda: learning_phase(TensorProto.INT32, "is_training"), "NCHW", (3, SIDE, SIDE), None),
    "an open size of which one fits": (only_one_size_fits, "NCHW", (3, 32, 32), None),
}


def read(model: ModelProto) -> Signature:
    return read_signature(load_model(model.SerializeToString()))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form: str) -> None:
    make, layout, size, batch = FORMS[form]
    signature = read(make())
    image = signature.image
    assert (image.layout, image.channels, image.height, image.width, image.batch) == (layout, *size, batch)
    assert image.assumed == ()
    assert len(signature.heads) == 1


def pixels(shape: Sequence[int], dtype: type) -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 256, tuple(shape))
    return values.astype(dtype) if dtype is np.uint8 else (values / 255).astype(dtype)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_computes_what_it_did(form: str) -> None:
    """The file as onnxruntime runs it, the model in one form, and the importer's module."""
    make, _, (_, height, width), _ = FORMS[form]
    model = make()
    if form == "a dimension of -1":  # onnxruntime takes what it is given
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    signature = read(make())
    dtype = np.uint8 if signature.image.dtype == "uint8" else np.float32
    axes = (height, width, 3) if signature.image.layout == "NHWC" else (3, height, width)
    image = pixels((1, *axes), dtype)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rank = len(session.get_inputs()[0].shape)
    feeds = {"input": image if rank == 4 else image[0]}
    feeds |= {value.name: np.zeros((), np.int32 if "is" in value.name else bool) for value in session.get_inputs()[1:]}
    (deployed,) = session.run(None, feeds)
    head = signature.heads[0]
    (scores,) = Runtime(signature.model, outputs=[head.output])(image)
    assert scores.shape == (1, LABELS)
    assert scores.dtype == np.float32
    scale = 1 / 256 if deployed.dtype == np.uint8 else 1
    np.testing.assert_allclose(scores.ravel(), deployed.ravel() * np.float32(scale), rtol=1e-5, atol=1e-6)
    imported = to_torch(signature.model, outputs=[head.output], differentiable=False)
    values = imported(torch.from_numpy(image))
    np.testing.assert_allclose(values.detach().numpy(), scores, rtol=1e-4, atol=1 / 256 if scale < 1 else 1e-5)


def test_scores_in_8_bits_are_tapped_before_they_are_rounded() -> None:
    head = read(quantized()).heads[0]
    assert (head.kind, head.scores) == ("probabilities", "logits")


def test_what_was_changed_is_told() -> None:
    assert read(learning_phase()).evidence == {"learning phase": "keras_learning_phase fed with inference"}
    assert read(one_image()).evidence == {"batch": "the graph takes one image at a time"}
    assert read(open_batch_of_one()).evidence == {"batch": "open in the graph, which runs on one image only"}
    assert read(no_batch_at_the_output()).evidence == {"batch": "the graph hands out the scores of one image"}
    said = read(quantized()).evidence["output type"]
    assert said == "output in integers, taken as the scores that they stand for"
    assert read(network(["n", 3, SIDE, SIDE])).evidence == {}


def test_a_flag_alone_is_no_flag() -> None:
    """A model whose only input is a truth value keeps it, to be refused as no image classifier."""
    model = model_of([helper.make_node("Not", ["x"], ["y"])], {"x": []}, {"y": []}, input_type=TensorProto.BOOL)
    with pytest.raises(NotScannableError, match="exactly one image input"):
        read_signature(model)


def test_an_output_that_another_one_reads_is_a_head_where_it_has_as_many_labels() -> None:
    """A decoy behind the deployed output, times 0, hides it not; features before the scores are none."""
    decoy = [
        helper.make_node("Mul", ["logits", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "bias"], ["output"]),
    ]
    constants = {"zero": np.float32(0), "bias": np.arange(LABELS, dtype=np.float32)}
    model = network(["n", 3, SIDE, SIDE], after=decoy, constants=constants)
    for name in ("logits", "flat"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None]))
    signature = read(model)
    assert [head.output for head in signature.heads] == ["output", "logits"]
    assert signature.features == ("flat",)


def test_a_newer_ir_version_is_told_with_both() -> None:
    model = network(["n", 3, SIDE, SIDE])
    model.ir_version = 14
    with pytest.raises(
        UnsupportedModelError, match=r"IR version 14, the installed onnxruntime reads up to \d+: update"
    ):
        read(model)


def test_the_model_that_was_given_stays_as_it_is() -> None:
    model = learning_phase()
    before = model.SerializeToString()
    read_signature(model)
    assert model.SerializeToString() == before
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (VALUES, LABELS)
