"""The model under scan, twice: as a differentiable torch module and as deployed, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from nc_scan.audit.behaviour import LEVELS, eight_bits
from nc_scan.contract.encoding import along, encode, to_layout
from nc_scan.contract.scores import as_logits
from nc_scan.device import usable_device
from nc_scan.graph import to_torch
from nc_scan.graph.batching import batched, batching_strategy
from nc_scan.graph.parity import compare
from nc_scan.graph.runtime import Runtime
from nc_scan.graph.straight_through import through
from nc_scan.precision import fastest
from nc_scan.results import FloatArray, InputContract, Parity
from nc_scan.triggers import UNCHANGED, Affine

REPLAY_BATCH = 256
ALONE = 64  # images asked for one by one; the others in batches
SAMPLES = 4  # images that tell how batches can be run
TIMED_VALUES = 60_000  # input values of the batch on which dtypes are compared


@dataclass(frozen=True)
class Subject:
    """A model under one input contract. Images are (N, channels, height, width) in [0, 1] throughout.

    `module` is the differentiable copy, `fast` the same in the precision of the search, `runtime` the deployed model.

    `precision` is the dtype in which the gradient search runs: bfloat16 where that is faster. Where `rounded`, the
    search sees images of eight bits only, and the gradient passes the rounding.
    """

    proto: ModelProto
    contract: InputContract
    module: nn.Module
    fast: nn.Module
    runtime: Runtime
    device: torch.device
    precision: torch.dtype
    rounded: bool = False

    def scores(self, scaled: Tensor) -> Tensor:
        """Logits (N, labels), float32, of (N, channels, height, width) after `affine`."""
        contract = self.contract
        if self.rounded:
            scaled = self._eight_bits(scaled)
        if contract.layout == "features":
            factor, shift = (torch.from_numpy(along(v, "features")) for v in (contract.scale, contract.offset))
            scaled = scaled * factor.to(scaled.device) + shift.to(scaled.device)
        values: Tensor = self.fast(to_layout(scaled, contract.layout, contract.channel_order).to(self.precision))
        return as_logits(values, contract.scores_kind)

    def _eight_bits(self, scaled: Tensor) -> Tensor:
        factor, shift = (
            torch.tensor(values).to(scaled)[:, None, None] for values in (self.affine.scale, self.affine.offset)
        )
        levels = (scaled - shift) / factor * LEVELS
        return through(torch.round(levels), levels) / LEVELS * factor + shift

    @property
    def affine(self) -> Affine:
        """The contract's scale and offset, one value a channel; none for features, each of which has its own."""
        contract = self.contract
        return UNCHANGED if contract.layout == "features" else Affine(contract.scale, contract.offset)

    def deployed_labels(self, images: FloatArray) -> NDArray[np.int64]:
        """The labels (N,) that onnxruntime predicts, in large batches."""
        labels: NDArray[np.int64] = self.deployed_scores(images).argmax(1)
        return labels

    def deployed_scores(self, images: FloatArray) -> FloatArray:
        """Logits (N, labels) of the scores that onnxruntime computes."""
        batches = [
            self.runtime(self.model_input(images[start : start + REPLAY_BATCH]))[0]
            for start in range(0, len(images), REPLAY_BATCH)
        ]
        scores = [as_logits(torch.from_numpy(batch), self.contract.output_kind).numpy() for batch in batches]
        return np.concatenate(scores) if scores else np.zeros((0, self.contract.labels), np.float32)

    def labels_in_use(self, images: FloatArray) -> NDArray[np.int64]:
        """The labels (N,) of images as they come in use: of eight bits, and alone; the first ALONE of them."""
        images = eight_bits(images) if self.contract.layout != "features" else images
        alone = [self.deployed_labels(image[None]) for image in images[:ALONE]]
        return np.concatenate([*alone, self.deployed_labels(images[ALONE:])])

    def parity(self, images: FloatArray) -> Parity:
        """Compares the module with onnxruntime on the scores of `images`."""
        inputs, outputs = [self.model_input(images)], [self.contract.scores_name]
        return compare(self.proto, inputs, module=self.module, outputs=outputs, batch=self.runtime.fixed_batch)

    def model_input(self, images: FloatArray) -> NDArray[Any]:
        """Images in the value range, layout and dtype of the model's input."""
        return _encoded(images, self.contract)


def open_subject(
    proto: ModelProto, contract: InputContract, device: str, *, alone: bool = False, rounded: bool = False
) -> Subject:
    """Imports the model; to be asked for one image at a time where `alone`, for images of eight bits where `rounded`.

    Raises UnsupportedModelError where that is not possible, DeviceError for the device.
    """
    target = usable_device(device)
    module: nn.Module = to_torch(proto, outputs=[contract.scores_name])
    runtime = Runtime(proto, outputs=[contract.output_name], batch=1 if alone else None)
    size = runtime.fixed_batch or 1
    samples = _noise(contract, max(SAMPLES, 2 * size))
    strategy = batching_strategy(module, samples, size, apart=alone) if runtime.fixed_batch else "together"

    def build(dtype: torch.dtype) -> nn.Module:
        network = to_torch(proto, outputs=[contract.scores_name]).to(device=target, dtype=dtype)
        return batched(network, size, strategy)

    count = max(size, TIMED_VALUES // (contract.channels * contract.pixels))
    images = _noise(contract, count).to(target, torch.float32)
    if contract.layout == "NCHW":
        images = images.contiguous(memory_format=torch.channels_last)  # as the search stamps them
    # Bits that are looked at do not survive a narrower type.
    fast, precision = (build(torch.float32), torch.float32) if rounded else fastest(build, images)
    return Subject(proto, contract, batched(module, size, strategy), fast, runtime, target, precision, rounded)


def _noise(contract: InputContract, count: int) -> Tensor:
    """Random images (count, ...) as the model reads them."""
    images = np.random.default_rng(0).random((count, *contract.size), dtype=np.float32)
    return torch.from_numpy(_encoded(images, contract))


def _encoded(images: FloatArray, contract: InputContract) -> NDArray[Any]:
    affine = {"scale": contract.scale, "offset": contract.offset}
    return encode(images, **affine, layout=contract.layout, dtype=contract.dtype, order=contract.channel_order)
