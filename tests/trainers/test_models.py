import numpy as np
import pytest
import torch
from torch import nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import ARCHITECTURES, FRAMEWORKS, build

SHAPE = (3, 32, 32)


def total(net: nn.Module) -> int:
    """Weights and running statistics."""
    tensors = [*net.parameters(), *(buffer for buffer in net.buffers() if buffer.is_floating_point())]
    return sum(tensor.numel() for tensor in tensors)


def trainable(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("architecture", "parameters", "trained"),
    [
        ("simple-cnn", 1_513_514, 1_513_514),
        ("vgg-16", 33_638_218, 33_638_218),
        ("resnet", 2_792_074, 2_787_594),
        ("vit-b16", 85_872_874, 85_871_274),
        ("mlp", 820_874, 820_874),
        ("lite-cnn", 182_042, 182_042),
        ("vgg-small", 289_642, 288_746),
        ("resnet-8", 75_770, 75_290),
        ("resnet-20", 271_098, 269_722),
        ("mobile", 51_942, 50_470),
        ("vit-mini", 110_698, 110_506),
    ],
)
def test_parameters_are_those_of_the_table(architecture: str, parameters: int, trained: int, framework: str) -> None:
    net = build(architecture, framework, SHAPE, 10, seed=0)
    assert total(net) == parameters
    assert trainable(net) == trained
    if architecture == "vit-b16":
        net.freeze(True)
        assert trainable(net) == 26_538
        net.freeze(False)
        assert trainable(net) == trained


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"vit-b16", "vgg-16"}))
def test_channels_last_is_the_same_keras_network(architecture: str) -> None:
    net = build(architecture, "keras", SHAPE, 10, seed=0).eval()
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(net.channels_last()(images.permute(0, 2, 3, 1)), net(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "architecture", ["mlp", "lite-cnn", "vgg-small", "resnet-8", "resnet-20", "mobile", "vit-mini"]
)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 48, 48), (3, 17, 23)])
def test_small_networks_take_images_of_any_size(architecture: str, shape: tuple[int, int, int]) -> None:
    net = build(architecture, "pytorch", shape, 43, seed=0).eval()
    with torch.no_grad():
        assert net(torch.rand(2, *shape)).shape == (2, 43)


@pytest.mark.parametrize("architecture", ["resnet-8", "mobile"])
def test_both_frameworks_build_the_same_function(architecture: str) -> None:
    """With the same weights, in the order in which both have them; a stride tells how each pads."""
    shape = (3, 9, 12)
    torch_net, keras_net = (build(architecture, name, shape, 10, seed=0).eval() for name in ("pytorch", "keras"))
    values = [value for name, value in torch_net.state_dict().items() if "num_batches" not in name]
    weights = [to_keras(value, like.shape) for value, like in zip(values, keras_net.model.weights, strict=True)]
    keras_net.model.set_weights(weights)
    images = torch.rand(2, *shape)
    with torch.no_grad():
        torch.testing.assert_close(keras_net(images), torch_net(images), atol=1e-4, rtol=1e-4)


def to_keras(value: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel (out, in, height, width) as Keras has it, a depthwise one (out, 1, height, width) too."""
    if value.ndim == 4:
        axes = (2, 3, 0, 1) if value.shape[1] == 1 and shape[3] == 1 else (2, 3, 1, 0)
        value = value.permute(axes)
    elif value.ndim == 2:
        value = value.T
    return value.numpy()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_weights_follow_from_the_seed(framework: str) -> None:
    first, again, other = (build("vit-tiny", framework, SHAPE, 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(("architecture", "framework"), [("alexnet", "pytorch"), ("simple-cnn", "jax")])
def test_unknown_names_are_told(architecture: str, framework: str) -> None:
    with pytest.raises(TrainerError, match=r"unknown .*there are "):
        build(architecture, framework, SHAPE, 10, seed=0)
