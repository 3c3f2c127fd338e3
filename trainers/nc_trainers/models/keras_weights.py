"""A Vision Transformer's weights, named and laid out as in torch, for the Keras model of the same form."""

from collections.abc import Iterator, Mapping

import keras
from torch import Tensor

from nc_trainers.models import vit, weights
from nc_trainers.models.vit import VitSize


def load(backbone: keras.Model, size: VitSize, channels: int, given: Mapping[str, Tensor]) -> None:
    """Set the weights of `backbone`. Raises TrainerError where they are not those of its form."""
    fitted = weights.fitted(given, vit.Backbone(size, channels).state_dict())
    weighted = [layer for layer in backbone.layers if layer.weights]
    for layer, values in zip(weighted, _in_order(fitted, size), strict=True):
        layer.set_weights([value.numpy() for value in values])


def _in_order(fitted: Mapping[str, Tensor], size: VitSize) -> Iterator[list[Tensor]]:
    """The tensors of each layer, in the order in which the Keras model calls the layers."""

    def pair(name: str) -> list[Tensor]:
        """Scale and shift of a normalisation, or kernel (in, out) and bias of a dense layer."""
        weight = fitted[f"{name}.weight"]
        return [weight.T if weight.ndim == 2 else weight, fitted[f"{name}.bias"]]

    yield [fitted["patch_embed.proj.weight"].permute(2, 3, 1, 0), fitted["patch_embed.proj.bias"]]
    yield [fitted["cls_token"], fitted["pos_embed"]]
    for index in range(size.depth):
        block = f"blocks.{index}"
        yield pair(f"{block}.norm1")
        yield _attention(pair(f"{block}.attn.qkv"), pair(f"{block}.attn.proj"), size)
        yield pair(f"{block}.norm2")
        yield pair(f"{block}.mlp.fc1")
        yield pair(f"{block}.mlp.fc2")
    yield pair("norm")


def _attention(joint: list[Tensor], out: list[Tensor], size: VitSize) -> list[Tensor]:
    """Kernel and bias of query, key, value and output, each with an axis for the heads."""
    heads = (size.heads, size.width // size.heads)
    (kernel, bias), (out_kernel, out_bias) = joint, out
    parts = zip(kernel.chunk(3, dim=1), bias.chunk(3), strict=True)
    projections = [value for k, b in parts for value in (k.reshape(-1, *heads), b.reshape(heads))]
    return [*projections, out_kernel.reshape(*heads, -1), out_bias]
