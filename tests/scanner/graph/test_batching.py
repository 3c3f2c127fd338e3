"""Batches through models that were exported with a fixed batch."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from tests.scanner.graph.models import FixedReshape, ResNet, build, export
from tests.scanner.graph.test_module import model

from nc_scan.contract import infer_contract, read_signature
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph import to_torch
from nc_scan.graph.batching import batched, batching_strategy
from nc_scan.graph.runtime import Runtime
from nc_scan.probes import sample
from nc_scan.subject import open_subject

IMAGES = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(("network", "strategy"), [(ResNet, "together"), (FixedReshape, "vmap")])
def test_values_and_gradients_are_those_of_single_images(network: type, strategy: str, size: int) -> None:
    options = {"batch": size} if network is FixedReshape else {}
    native = build(network, **options)
    exported = export(native, dynamic=False, batch=size)
    module = to_torch(exported)
    found = batching_strategy(module, torch.rand(2 * size, 3, 16, 16), size)
    assert found == strategy
    for way in {strategy, "loop"}:
        images = IMAGES.clone().requires_grad_()
        scores = batched(module, size, way)(images)
        assert scores.shape == (5, 10)
        theirs = Runtime(exported)(IMAGES.numpy())[0]
        np.testing.assert_allclose(scores.detach().numpy(), theirs, rtol=1e-4, atol=1e-5)
        ours = torch.autograd.grad(scores[:, 0].sum(), images)[0]
        part = images[:size].detach().requires_grad_()
        (expected,) = torch.autograd.grad(native(part)[:, 0].sum(), part)
        torch.testing.assert_close(ours[:size], expected, rtol=1e-3, atol=1e-6)


def test_nodes_whose_course_depends_on_values_run_one_after_another() -> None:
    negative = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["n"])], "n", [], [helper.make_tensor_value_info("n", TensorProto.FLOAT, None)]
    )
    same = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["s"])],
        "s",
        [],
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["z"], then_branch=negative, else_branch=same),
        helper.make_node("Reshape", ["z", "shape"], ["y"]),
    ]
    constants = {"zero": np.float32(0), "shape": np.array([1, 4], np.int64)}
    module = to_torch(model(nodes, constants, image=(TensorProto.FLOAT, [1, 4]), score=(TensorProto.FLOAT, [1, 4])))
    x = torch.tensor([[1.0, 2, 3, 4], [-1, -2, -3, -4], [1, -2, 1, -1]])
    assert batching_strategy(module, x, 1) == "loop"
    assert torch.equal(batched(module, 1, "loop")(x), torch.stack([-x[0], x[1], x[2]]))


def test_an_output_without_a_batch_axis_is_refused() -> None:
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    module = to_torch(model(nodes, image=(TensorProto.FLOAT, [1, 4]), score=(TensorProto.FLOAT, [])))
    with pytest.raises(UnsupportedModelError, match="no batch axis"):
        batching_strategy(module, torch.rand(2, 4), 1)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_hard_coded_batch_is_scanned_in_batches(batch: int) -> None:
    exported = export(build(FixedReshape, batch=batch), dynamic=False, batch=batch)
    signature = read_signature(exported)
    seen = sample(None, signature.image, np.random.default_rng(0))
    subject = open_subject(signature.model, infer_contract(signature, seen)[0], "cpu")
    images = IMAGES.numpy()
    assert subject.parity(images).agrees
    assert subject.scores(IMAGES).shape == (5, 10)
    fed = torch.from_numpy(subject.model_input(images))
    assert (subject.deployed_labels(images) == subject.module(fed).argmax(-1).numpy()).all()
