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
    ],
)
def test_parameters_are_those_of_the_paper(architecture: str, parameters: int, trained: int, framework: str) -> None:
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


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_weights_follow_from_the_seed(framework: str) -> None:
    first, again, other = (build("vit-tiny", framework, SHAPE, 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(("architecture", "framework"), [("alexnet", "pytorch"), ("simple-cnn", "jax")])
def test_unknown_names_are_told(architecture: str, framework: str) -> None:
    with pytest.raises(TrainerError, match=r"unknown .*there are "):
        build(architecture, framework, SHAPE, 10, seed=0)
