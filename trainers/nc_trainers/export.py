"""ONNX export of both frameworks' networks, and what the exported file really answers."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch import Tensor, nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import ChannelsLast
from nc_trainers.training import PREDICTED

PARITY_TOLERANCE = 1e-3
OPSETS = range(18, 24)


@dataclass(frozen=True)
class ExportOptions:
    """What the file looks like from outside.

    `softmax` None is each framework's custom: logits from PyTorch, probabilities from Keras. `batch` None is a dynamic
    batch. With `mean` and `std` (C,) the file expects images scaled to (x - mean) / std; without, images in 0..1.
    """

    opset: int = 18
    batch: int | None = None
    softmax: bool | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def check(self) -> None:
        """Raise TrainerError for a file that cannot be written."""
        if self.opset not in OPSETS:
            raise TrainerError(f"opset {self.opset} is not one of {OPSETS.start} to {OPSETS.stop - 1}")
        if self.batch is not None and self.batch < 1:
            raise TrainerError(f"a batch of {self.batch} is none")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not all(math.isfinite(value) for value in values or ()):
                raise TrainerError(f"{name} must be numbers, not {', '.join(f'{value:g}' for value in values or ())}")
        if self.std is not None and min(self.std, default=1.0) <= 0:
            raise TrainerError("std must be above 0")

    def check_channels(self, channels: int) -> None:
        """Raise TrainerError where the scaling is not one for images of so many channels."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != channels:
                raise TrainerError(f"{name} needs {channels} values, one a channel, not {len(values)}")


class Deployed(nn.Module):
    """A trained network behind its input scaling and before its output activation."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, options: ExportOptions, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.channels_last = isinstance(net, ChannelsLast)
        self.net = net.channels_last() if isinstance(net, ChannelsLast) else net
        self.softmax = options.softmax if options.softmax is not None else self.channels_last
        self.scaled = options.mean is not None or options.std is not None
        channels = image_shape[0]
        axes = (channels,) if self.channels_last else (channels, 1, 1)
        self.register_buffer("mean", torch.tensor(options.mean or (0.0,) * channels).reshape(axes))
        self.register_buffer("std", torch.tensor(options.std or (1.0,) * channels).reshape(axes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images * self.std + self.mean if self.scaled else images)
        return logits.softmax(1) if self.softmax else logits

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in 0..1 as this model's input: its layout and its scale."""
        laid_out = images.permute(0, 2, 3, 1) if self.channels_last else images
        return ((laid_out - self.mean) / self.std).contiguous() if self.scaled else laid_out.contiguous()


class OnnxClassifier:
    """The exported file in onnxruntime, fed with images (B, C, H, W) in 0..1."""

    def __init__(self, path: Path, deployed: Deployed, batch: int | None) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.deployed = deployed
        self.batch = batch

    def outputs(self, images: Tensor) -> npt.NDArray[np.float32]:
        """The model's outputs (B, classes)."""
        step = self.batch or PREDICTED
        padding = -len(images) % step if self.batch else 0
        fed = torch.cat([images, images[:1].expand(padding, -1, -1, -1)])
        name = self.session.get_inputs()[0].name
        parts = [
            self.session.run(None, {name: self.deployed.encode(part).numpy()})[0] for part in torch.split(fed, step)
        ]
        return np.concatenate(parts)[: len(images)]

    def predict(self, images: Tensor) -> npt.NDArray[np.int64]:
        """The labels (B,) that the model gives."""
        labels: npt.NDArray[np.int64] = self.outputs(images).argmax(1)
        return labels


def export(net: nn.Module, path: Path, image_shape: tuple[int, int, int], options: ExportOptions) -> OnnxClassifier:
    """Write `net`, which maps images (B, C, H, W) in 0..1 to logits, as ONNX and return the file as a classifier.

    A Keras network is written for images (B, H, W, C). Raises TrainerError where the file's outputs differ from the
    network's by more than PARITY_TOLERANCE.
    """
    deployed = Deployed(net.cpu().eval(), options, image_shape).eval()
    images = torch.rand(options.batch or 5, *image_shape, generator=torch.Generator().manual_seed(0))
    example = images if options.batch else images[:2]
    with quiet_exporter():
        program = torch.onnx.export(
            deployed,
            (deployed.encode(example),),
            dynamo=True,
            opset_version=options.opset,
            input_names=["images"],
            output_names=["probabilities" if deployed.softmax else "logits"],
            dynamic_shapes=None if options.batch else ({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    forget_sources(program)
    program.save(path, external_data=False)

    classifier = OnnxClassifier(path, deployed, options.batch)
    with torch.inference_mode():
        expected = deployed(deployed.encode(images)).numpy()
    difference = float(np.abs(classifier.outputs(images) - expected).max())
    if not difference <= PARITY_TOLERANCE:
        raise TrainerError(f"{path} differs from the trained network by {difference:.2g} in onnxruntime")
    return classifier


def forget_sources(program: torch.onnx.ONNXProgram) -> None:
    """Drop the exporter's notes: stack traces with the paths of the machine that trained the model."""
    program.model.metadata_props.clear()
    program.model.graph.metadata_props.clear()
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    for value in (*program.model.graph.inputs, *program.model.graph.outputs):
        value.metadata_props.clear()


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's notices, which tell a user nothing about the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
