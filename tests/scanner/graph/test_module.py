"""What the importer makes of a graph: names, order, functions, types, batches, and what it refuses."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper
from tests.scanner.graph.models import ResNet, SimpleCnn, ViT, build, export

from nc_scan.errors import ModelFileError, UnsupportedModelError
from nc_scan.graph import load_model, to_torch
from nc_scan.graph.parity import compare
from nc_scan.graph.runtime import Runtime

FLOAT = TensorProto.FLOAT


def model(
    nodes: list[NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    image: tuple[int, list[object]] = (FLOAT, ["n", 4]),
    score: tuple[int, list[object]] = (FLOAT, ["n", "c"]),
    **options: object,
) -> ModelProto:
    """A model from `x` to `y`."""
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    inputs, outputs = [helper.make_tensor_value_info("x", *image)], [helper.make_tensor_value_info("y", *score)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    options.setdefault("opset_imports", [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)])
    return helper.make_model(graph, ir_version=10, **options)


X = torch.tensor([[1.0, -2.0, 3.0, -4.0]])


def test_names_that_sanitise_to_the_same_stay_apart() -> None:
    constants = {"a.w": np.float32(2), "a_w": np.float32(5)}
    nodes = [helper.make_node("Mul", ["x", "a.w"], ["a/b"]), helper.make_node("Add", ["a/b", "a_w"], ["y"])]
    assert torch.equal(to_torch(model(nodes, constants))(X), 2 * X + 5)


def test_nodes_may_stand_in_any_order_and_others_are_left_alone() -> None:
    nodes = [
        helper.make_node("Relu", ["a"], ["y"]),
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("ArgMax", ["a"], ["label"]),
    ]
    assert torch.equal(to_torch(model(nodes))(X), torch.relu(-X))


def test_any_value_can_be_the_output() -> None:
    network = export(build(SimpleCnn))
    logits = network.graph.node[-1].input[0]
    images = torch.rand(2, 3, 16, 16)
    scores, before = to_torch(network, outputs=["scores", logits])(images)
    torch.testing.assert_close(before.softmax(-1), scores)
    with pytest.raises(ValueError, match="no value named 'nothing'"):
        to_torch(network, outputs=["nothing"])


def test_sparse_weights() -> None:
    values = helper.make_tensor("w", FLOAT, [2], [3.0, 5.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [2], [1, 3]), [4])
    network = model([helper.make_node("Mul", ["x", "w"], ["y"])])
    network.graph.sparse_initializer.append(sparse)
    assert torch.equal(to_torch(network)(X), X * torch.tensor([0.0, 3, 0, 5]))


def test_local_functions_are_inlined() -> None:
    body = [helper.make_node("Mul", ["a", "a"], ["s"]), helper.make_node("Neg", ["s"], ["b"])]
    function = helper.make_function("mine", "NegSquare", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    nodes = [helper.make_node("NegSquare", ["x"], ["y"], domain="mine")]
    network = model(nodes, functions=[function], opset_imports=imports)
    assert torch.equal(to_torch(network)(X), -(X**2))
    assert compare(network, [X.numpy()]).agrees


def test_control_flow_sees_outer_values_and_is_differentiated() -> None:
    then = helper.make_graph(
        [helper.make_node("Mul", ["x", "k"], ["t"])], "then", [], [helper.make_tensor_value_info("t", FLOAT, None)]
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["e"])], "else", [], [helper.make_tensor_value_info("e", FLOAT, None)]
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    module = to_torch(model(nodes, {"k": np.float32(3), "zero": np.float32(0)}))
    for x, slope in ((X.abs(), 3.0), (-X.abs(), -1.0)):
        (found,) = torch.autograd.grad(module(x.requires_grad_()).sum(), x)
        assert torch.equal(found, torch.full_like(x, slope))


def test_uint8_images_may_be_given_as_floats_and_carry_a_gradient() -> None:
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=FLOAT), helper.make_node("Div", ["f", "k"], ["y"])]
    network = model(nodes, {"k": np.float32(255)}, image=(TensorProto.UINT8, ["n", 4]))
    module = to_torch(network)
    pixels = torch.tensor([[0.0, 51, 102, 255]], requires_grad=True)
    scores = module(pixels)
    assert torch.equal(scores, module(pixels.detach().to(torch.uint8)))
    (found,) = torch.autograd.grad(scores.sum(), pixels)
    torch.testing.assert_close(found, torch.full_like(found, 1 / 255))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_module_follows_a_change_of_dtype(dtype: torch.dtype) -> None:
    network = export(build(ViT))
    images = torch.rand(2, 3, 16, 16)
    expected = to_torch(network)(images)
    found = to_torch(network).to(dtype)(images.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_weights_of_half_width(dtype: type) -> None:
    element = FLOAT if dtype is np.float32 else TensorProto.FLOAT16
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(dtype)
    network = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"w": weight},
        image=(element, ["n", 4]),
        score=(element, ["n", 3]),
    )
    assert compare(network, [X.numpy().astype(dtype)]).agrees


def test_weights_are_frozen_unless_asked_otherwise() -> None:
    network = export(build(ResNet))
    assert not any(weight.requires_grad for weight in to_torch(network).parameters())
    assert all(weight.requires_grad for weight in to_torch(network, trainable=True).parameters())


_node = helper.make_node
REFUSED = [
    ([_node("Blur", ["x"], ["y"], name="b", domain="acme")], UnsupportedModelError, "'b' .acme::Blur.*never loaded"),
    ([_node("NonZero", ["x"], ["z"]), _node("Cast", ["z"], ["y"], to=1)], UnsupportedModelError, "NonZero"),
    ([_node("Sign", ["x"], ["y"], name="r")], UnsupportedModelError, "gradient ends at node 'r'"),
    ([_node("Unique", ["x"], ["y"])], UnsupportedModelError, "ai.onnx::Unique, version 17"),
    ([_node("Relu", ["nowhere"], ["y"])], ModelFileError, "nowhere"),
    ([_node("Relu", ["x"], ["y"]), _node("Neg", ["x"], ["y"])], ModelFileError, "y"),
    ([_node("Add", ["x", "b"], ["y"]), _node("Relu", ["y"], ["b"])], ModelFileError, "cycle"),
]


@pytest.mark.parametrize(("nodes", "error", "message"), REFUSED)
def test_what_cannot_be_imported_is_refused_at_import(nodes: list[NodeProto], error: type, message: str) -> None:
    network = model(nodes, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)])
    with pytest.raises(error, match=message) as caught:
        to_torch(network)
    assert "\n" not in str(caught.value)


def test_damaged_files_give_one_line(tmp_path: Path) -> None:
    whole = export(build(SimpleCnn)).SerializeToString()
    files = {"missing.onnx": None, "empty.onnx": b"", "text.onnx": b"hello there", "cut.onnx": whole[: len(whole) // 2]}
    for name, data in files.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelFileError) as caught:
            load_model(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "whole.onnx").write_bytes(whole)
    with pytest.raises(ModelFileError, match="more than the limit"):
        load_model(tmp_path / "whole.onnx", max_bytes=100)


def test_external_data_stays_in_the_models_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    network = export(build(ResNet))
    onnx.save(network, folder / "good.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(to_torch(folder / "good.onnx")(images), build(ResNet)(images), rtol=1e-4, atol=1e-5)
    (tmp_path / "secret.bin").write_bytes((folder / "weights.bin").read_bytes())
    evil = onnx.load(folder / "good.onnx", load_external_data=False)
    for tensor in evil.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret.bin"
    (folder / "evil.onnx").write_bytes(evil.SerializeToString())
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        load_model(folder / "evil.onnx")
    with pytest.raises(ModelFileError, match="external files"):
        load_model((folder / "good.onnx").read_bytes())


RESIZES = [
    (mode, transform, kind, value)
    for mode in ("nearest", "linear", "cubic")
    for transform in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    for kind, value in (("scales", (1.5, 1.3)), ("scales", (0.5, 0.6)), ("sizes", (11, 5)), ("sizes", (1, 14)))
]


@pytest.mark.parametrize(("mode", "transform", "kind", "value"), RESIZES)
@pytest.mark.parametrize("options", [{}, {"antialias": 1}, {"exclude_outside": 1}])
def test_resize_is_onnxruntimes(mode: str, transform: str, kind: str, value: tuple, options: dict) -> None:
    if options and (mode == "nearest" or ("exclude_outside" in options and mode != "cubic")):
        pytest.skip("not an option of this mode")
    extent = np.array((1, 1, *value), np.float32) if kind == "scales" else np.array((1, 2, *value), np.int64)
    inputs = ["x", "", "e"] if kind == "scales" else ["x", "", "", "e"]
    node = helper.make_node("Resize", inputs, ["y"], mode=mode, coordinate_transformation_mode=transform, **options)
    network = model([node], {"e": extent}, opset=19, image=(FLOAT, [1, 2, 7, 9]), score=(FLOAT, ["a", "b", "c", "d"]))
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 9)).astype(np.float32)
    np.testing.assert_allclose(to_torch(network)(torch.from_numpy(x)).numpy(), Runtime(network)(x)[0], atol=2e-5)
